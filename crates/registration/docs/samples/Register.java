// Registers identifiers with a Waymark node: one by one, and as a stream that continues after an interruption.
//
// Generate the stubs from /proto with protobuf-maven-plugin (protoc-gen-grpc-java); dependencies: io.grpc:grpc-netty-shaded, grpc-protobuf,
// grpc-stub. Run with WAYMARK_SERVER=localhost:2643 WAYMARK_CA=ca.pem WAYMARK_TOKEN=wm1_...

import com.google.rpc.ErrorInfo;
import io.grpc.CallCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.UUID;
import java.util.stream.IntStream;
import waymark.registration.v1.Identifiers.Change;
import waymark.registration.v1.Identifiers.Create;
import waymark.registration.v1.Identifiers.Value;
import waymark.registration.v1.RegistrationGrpc;
import waymark.registration.v1.RegistrationOuterClass.ApplyRequest;
import waymark.registration.v1.RegistrationOuterClass.ExchangeResponse;
import waymark.registration.v1.RegistrationOuterClass.GetStreamRequest;
import waymark.registration.v1.RegistrationOuterClass.Items;
import waymark.registration.v1.RegistrationOuterClass.OpenStream;
import waymark.registration.v1.RegistrationOuterClass.UploadRequest;

public final class Register {
    /** Sends the token with each call. */
    static final class Bearer extends CallCredentials {
        private final String token;

        Bearer(String token) {
            this.token = token;
        }

        @Override
        public void applyRequestMetadata(RequestInfo info, Executor executor, MetadataApplier applier) {
            Metadata headers = new Metadata();
            headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
            headers.put(Metadata.Key.of("accept-language", Metadata.ASCII_STRING_MARSHALLER), "zh-CN");
            applier.apply(headers);
        }
    }

    /** A UUID of version 7: the time in milliseconds, then random bits (RFC 9562 section 5.7). */
    static UUID uuid7() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        long high = System.currentTimeMillis() << 16 | 0x7000L | random.nextLong(0x1000);
        return new UUID(high, 0x8000000000000000L | random.nextLong() >>> 2);
    }

    static Change create(String handle, String address) {
        Value value = Value.newBuilder().setIndex(1).setType("URL").setText(address).build();
        return Change.newBuilder().setHandle(handle).setCreate(Create.newBuilder().addValues(value)).build();
    }

    /** The stable name of why a call failed; programs decide by it. */
    static String reason(StatusRuntimeException error) throws Exception {
        for (com.google.protobuf.Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
            if (detail.is(ErrorInfo.class)) {
                return detail.unpack(ErrorInfo.class).getReason();
            }
        }
        return error.getStatus().getCode().name();
    }

    public static void main(String[] args) throws Exception {
        String prefix = args.length > 0 ? args[0] : "88.1";
        var tls = TlsChannelCredentials.newBuilder().trustManager(new File(System.getenv("WAYMARK_CA"))).build();
        ManagedChannel channel = Grpc.newChannelBuilder(System.getenv("WAYMARK_SERVER"), tls).build();
        Bearer bearer = new Bearer(System.getenv("WAYMARK_TOKEN"));

        // One: the same request id in every repetition, and the change is carried out once.
        var one = RegistrationGrpc.newBlockingStub(channel).withCallCredentials(bearer);
        ApplyRequest request = ApplyRequest.newBuilder()
                .setChange(create(prefix + "/sample", "https://example.com/sample"))
                .setRequestId(uuid7().toString())
                .build();
        try {
            var receipt = one.withDeadlineAfter(10, TimeUnit.SECONDS).apply(request).getReceipt();
            System.out.println("registered at serial " + receipt.getSerial());
        } catch (StatusRuntimeException error) {
            System.out.println("refused: " + reason(error));
        }

        // Many: from where the node has them.
        String stream = "sample-" + prefix;
        List<Change> changes = IntStream.rangeClosed(1, 1000)
                .mapToObj(n -> create(prefix + "/sample-" + n, "https://example.com/" + n))
                .toList();
        long mark = one.getStream(GetStreamRequest.newBuilder().setStream(stream).build()).getMark();
        CountDownLatch ended = new CountDownLatch(1);
        var answers = new StreamObserver<ExchangeResponse>() {
            @Override
            public void onNext(ExchangeResponse answer) {
                answer.getOutcomes().getOutcomesList().stream().filter(o -> o.hasRefusal()).forEach(o ->
                        System.out.println(o.getNumber() + " " + o.getRefusal().getReason() + " " + o.getRefusal().getCause()));
                if (answer.hasSummary()) {
                    System.out.println("created " + answer.getSummary().getCreated() + " mark " + answer.getSummary().getMark());
                }
            }

            @Override
            public void onError(Throwable error) {
                // Call again: the mark tells where to go on.
                System.out.println("interrupted: " + Status.fromThrowable(error));
                ended.countDown();
            }

            @Override
            public void onCompleted() {
                ended.countDown();
            }
        };
        StreamObserver<UploadRequest> requests = RegistrationGrpc.newStub(channel).withCallCredentials(bearer).exchange(answers);
        requests.onNext(UploadRequest.newBuilder().setOpen(OpenStream.newBuilder().setStream(stream)).build());
        for (int first = (int) mark; first < changes.size(); first += 500) {
            List<Change> some = changes.subList(first, Math.min(first + 500, changes.size()));
            Items items = Items.newBuilder().setFirstNumber(first + 1).addAllChanges(some).build();
            requests.onNext(UploadRequest.newBuilder().setItems(items).build());
        }
        requests.onCompleted();
        ended.await();
        channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }
}
