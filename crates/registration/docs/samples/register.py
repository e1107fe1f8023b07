"""Registers identifiers with a Waymark node: one by one, and as a stream that continues after an interruption.

    pip install grpcio grpcio-tools grpcio-status
    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. $(cd proto && find waymark -name '*.proto')
    WAYMARK_SERVER=localhost:2643 WAYMARK_CA=ca.pem WAYMARK_TOKEN=wm1_... python register.py 88.1
"""

import os
import secrets
import sys
import time
import uuid

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from waymark.registration.v1 import identifiers_pb2, registration_pb2, registration_pb2_grpc


def uuid7():
    """A UUID of version 7: the time in milliseconds, then random bits (RFC 9562 section 5.7)."""
    value = int(time.time() * 1000) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def create(handle, address):
    value = identifiers_pb2.Value(index=1, type="URL", text=address)
    return identifiers_pb2.Change(handle=handle, create=identifiers_pb2.Create(values=[value]))


def reason(error):
    """The stable name of why a call failed; programs decide by it."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return error.code().name


def register_one(service, handle, address):
    # The same id in every repetition: the change is carried out once, whatever happens to the connection.
    request = registration_pb2.ApplyRequest(change=create(handle, address), request_id=uuid7())
    for pause in (0.1, 1, 5, 0):
        try:
            return service.Apply(request, timeout=10).receipt
        except grpc.RpcError as error:
            again = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            if not pause or not (again or reason(error) == "BUSY"):
                raise
            time.sleep(pause)


def register_many(service, stream, changes):
    """Sends numbered changes from where the node has them; yields what became of each."""
    mark = service.GetStream(registration_pb2.GetStreamRequest(stream=stream)).mark

    def messages():
        yield registration_pb2.UploadRequest(open=registration_pb2.OpenStream(stream=stream))
        for first in range(mark, len(changes), 500):
            items = registration_pb2.Items(first_number=first + 1, changes=changes[first:first + 500])
            yield registration_pb2.UploadRequest(items=items)

    for answer in service.Exchange(messages()):
        if answer.HasField("outcomes"):
            yield from answer.outcomes.outcomes
        elif answer.HasField("summary"):
            print("created", answer.summary.created, "refused", answer.summary.refused, "mark", answer.summary.mark)


def main():
    prefix = sys.argv[1] if len(sys.argv) > 1 else "88.1"
    with open(os.environ["WAYMARK_CA"], "rb") as ca:
        tls = grpc.ssl_channel_credentials(ca.read())
    token = grpc.access_token_call_credentials(os.environ["WAYMARK_TOKEN"])
    credentials = grpc.composite_channel_credentials(tls, token)
    with grpc.secure_channel(os.environ["WAYMARK_SERVER"], credentials) as channel:
        service = registration_pb2_grpc.RegistrationStub(channel)

        receipt = register_one(service, f"{prefix}/sample", "https://example.com/sample")
        print("registered at serial", receipt.serial)

        changes = [create(f"{prefix}/sample-{n}", f"https://example.com/{n}") for n in range(1, 1001)]
        changes.append(create(f"{prefix}/sample", "https://example.com/another"))
        for outcome in register_many(service, f"sample-{prefix}", changes):
            if outcome.HasField("refusal"):
                print(outcome.number, outcome.refusal.reason, outcome.refusal.cause, "-", outcome.refusal.remedy)

        try:
            service.Apply(registration_pb2.ApplyRequest(change=create("no-such-prefix/x", "")))
        except grpc.RpcError as error:
            print("refused:", reason(error))


if __name__ == "__main__":
    main()
