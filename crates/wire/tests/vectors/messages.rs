//! Vectors of whole messages: requests, responses, single handle values, and malformed packets.

use serde_json::{Value, json};
use waymark_wire::crypto::credential::{Credential, Signature};
use waymark_wire::crypto::digest::{DigestAlgorithm, RequestDigest};
use waymark_wire::limits::ResponseLimits;
use waymark_wire::request::{ChallengeAnswer, DigestField, KeyExchange, Request, RequestBody, RequestWriter};
use waymark_wire::request::{SessionSetup, VerifyAnswer};
use waymark_wire::response::{Response, ResponseBody, ResponseWriter};
use waymark_wire::{
    DecodeError, Envelope, EnvelopeFlags, Head, Header, Message, OpCode, OpFlags, Reader, Reference, ResponseCode,
    Sink, ValueBuf, ValueRef, Version,
};

use crate::support::{Ran, bytes_of, is_encrypted, number_of, text_of, u32_of, value_of};
use crate::types;

/// Runs one entry of direction request, response, value or malformed.
pub fn run(entry: &Value) -> Ran {
    let bytes = bytes_of(&entry["hex"]);
    let facts = &entry["decoded"];
    match text_of(&entry["direction"]) {
        "request" if is_encrypted(entry) => encrypted(&bytes, facts),
        "request" => request(&bytes, facts),
        "response" => response(&bytes, facts),
        "value" => value(&bytes, facts),
        "malformed" => malformed(text_of(&entry["name"]), &bytes, facts),
        other => panic!("{other} is not a direction of messages"),
    }
}

/// An encrypted request: the envelope both ways, and the plaintext as a message. The cipher is for `crypto`.
fn encrypted(bytes: &[u8], facts: &Value) -> Ran {
    let failure = Message::parse(bytes).unwrap_err();
    assert_eq!(failure.error, DecodeError::Encrypted);
    let envelope = failure.envelope.unwrap();
    check_envelope(&envelope, &facts["envelope"]);
    assert_eq!(envelope_of(&facts["envelope"]).to_bytes(), bytes[..Envelope::LEN]);
    let plain = bytes_of(&facts["plaintext_hex"]);
    let message = Message::parse_content(envelope, &plain).unwrap();
    RequestBody::parse(&message).unwrap();
    Ran::default()
}

/// A request, decoded and compared, then built from the facts. Whether it is proven is for `crypto`.
fn request(bytes: &[u8], facts: &Value) -> Ran {
    let request = Request::parse(bytes).unwrap();
    check_head(&request.message, facts);
    check_request_body(&request.body, &facts["body"]);
    let Some(built) = build_request(head_of(facts), facts) else {
        return Ran { decoded: true, encoded: false };
    };
    check_built(&built, bytes, facts);
    Ran { decoded: true, encoded: true }
}

fn check_request_body(body: &RequestBody<'_>, facts: &Value) {
    let handle = facts["handle"].as_str().map(str::as_bytes);
    match *body {
        RequestBody::Resolution(body) => {
            assert_eq!(Some(body.handle), handle);
            assert_eq!(body.indexes.iter().collect::<Vec<_>>(), indexes_of(facts));
            assert_eq!(body.types.iter().collect::<Vec<_>>(), types_of(facts));
            assert_eq!(body.extra, facts["auth_text"].as_str().map(str::as_bytes));
        }
        RequestBody::Create { handle: found, values }
        | RequestBody::AddValues { handle: found, values }
        | RequestBody::ModifyValues { handle: found, values } => {
            assert_eq!(Some(found), handle);
            assert_eq!(values.iter().map(ValueBuf::from).collect::<Vec<_>>(), values_of(facts));
        }
        RequestBody::SiteInfo { handle: found }
        | RequestBody::Delete { handle: found }
        | RequestBody::ListHandles { prefix: found }
        | RequestBody::HomePrefix { prefix: found }
        | RequestBody::UnhomePrefix { prefix: found }
        | RequestBody::BackupServer { handle: found }
        | RequestBody::SessionTerminate { handle: found } => assert_eq!(Some(found), handle),
        RequestBody::ChallengeAnswer(answer) => {
            let proof = bytes_of(&facts["signed_response_hex"]);
            assert_eq!(answer, answer_of(facts, &proof));
        }
        RequestBody::VerifyAnswer(verify) => {
            let [nonce, digest, proof] = verify_fields(facts);
            assert_eq!(verify, verify_of(facts, &nonce, &digest, &proof));
        }
        RequestBody::SessionSetup(setup) => {
            let key = public_key_of(facts);
            assert_eq!(setup, setup_of(facts, &key));
        }
        RequestBody::Login { user } => assert_eq!(user, user_of(facts)),
        RequestBody::Replication { body } => {
            let receiver = [&facts["num_servers"], &facts["server_num"]].map(|n| u32_of(n).to_be_bytes()).concat();
            assert!(body.windows(receiver.len()).any(|part| part == receiver), "the body is not as sent");
        }
        other => panic!("no facts for {other:?}"),
    }
}

/// The request the facts describe, with an empty credential; `None` for replication, whose bodies are not written
/// here.
fn build_request(head: Head, facts: &Value) -> Option<Vec<u8>> {
    let body = &facts["body"];
    let writer = RequestWriter::new(Vec::new(), head);
    let handle = body["handle"].as_str().unwrap_or_default().as_bytes();
    Some(match head.header.op {
        OpCode::RESOLUTION => {
            let extra = body["auth_text"].as_str().map(str::as_bytes);
            writer.resolution(handle, &indexes_of(body), &types_of(body), extra)
        }
        OpCode::GET_SITE_INFO => writer.site_info(),
        OpCode::CREATE_HANDLE => writer.create(handle, values_of(body)),
        OpCode::DELETE_HANDLE => writer.delete(handle),
        OpCode::ADD_VALUES => writer.add_values(handle, values_of(body)),
        OpCode::LIST_HANDLES => writer.list_handles(handle),
        OpCode::HOME_PREFIX => writer.home_prefix(handle),
        OpCode::UNHOME_PREFIX => writer.unhome_prefix(handle),
        OpCode::BACKUP_SERVER => writer.backup_server(),
        OpCode::SESSION_TERMINATE => writer.session_terminate(),
        OpCode::CHALLENGE_ANSWER => writer.challenge_answer(&answer_of(body, &bytes_of(&body["signed_response_hex"]))),
        OpCode::VERIFY_ANSWER => {
            let [nonce, digest, proof] = verify_fields(body);
            writer.verify_answer(&verify_of(body, &nonce, &digest, &proof))
        }
        OpCode::SESSION_SETUP => writer.session_setup(&setup_of(body, &public_key_of(body))),
        OpCode::LOGIN => writer.login(user_of(body)),
        OpCode::RETRIEVE_TRANSACTIONS | OpCode::DUMP_HANDLES => return None,
        op => panic!("no way to build {op}"),
    })
}

/// A response, decoded and compared, then built from the facts. Whether it is proven is for `crypto`.
fn response(bytes: &[u8], facts: &Value) -> Ran {
    let response = Response::parse(bytes, ResponseLimits::REFERENCE).unwrap();
    check_head(&response.message, facts);
    let body = &facts["body"];
    let digest = digest_of(body);
    assert_eq!(response.digest, digest);
    check_response_body(&response, body);

    if let ResponseBody::TransactionId { .. } = response.body {
        return Ran { decoded: true, encoded: false };
    }
    let head = head_of(facts);
    let mut room = vec![0; bytes.len() + 4];
    let writer = ResponseWriter::begin(&mut room, &head, digest);
    let length = build_response(writer, &head, body, &response);
    check_built(&room[..length], bytes, facts);
    Ran { decoded: true, encoded: true }
}

fn check_response_body(response: &Response<'_>, facts: &Value) {
    let handle = facts["handle"].as_str().map(str::as_bytes);
    match response.body {
        ResponseBody::Done => assert_eq!(facts["message_class"], "PlainResponse"),
        ResponseBody::Resolution { handle: found, values } => {
            assert_eq!(Some(found), handle);
            assert_eq!(values.iter().map(ValueBuf::from).collect::<Vec<_>>(), values_of(facts));
        }
        ResponseBody::Referral { handle: found, values } => {
            assert_eq!(Some(found), handle);
            let values = values.map(|values| values.iter().map(ValueBuf::from).collect::<Vec<_>>());
            assert_eq!(values, facts["values"].is_array().then(|| values_of(facts)));
        }
        ResponseBody::SiteInfo { site } => {
            let as_value =
                json!({"name": "site", "direction": "hs_site", "hex": hex::encode(site), "decoded": facts["site"]});
            assert_eq!(types::run(&as_value), Ran { decoded: true, encoded: true });
        }
        ResponseBody::Created { handle: found } => assert_eq!(found, handle),
        ResponseBody::Listing { names } => assert_eq!(names.iter().collect::<Vec<_>>(), names_of(facts)),
        ResponseBody::Verified { valid } => assert_eq!(facts["valid"], valid),
        ResponseBody::SessionSetup { mode, data } => {
            assert_eq!(facts["key_exchange_mode"], mode);
            assert_eq!(data, bytes_of(&facts["data_hex"]));
        }
        // The recorded number lacks the top byte that the recorded bytes have.
        ResponseBody::TransactionId { id } => assert_eq!(facts["next_txn_id"], id & 0x00ff_ffff_ffff_ffff),
        ResponseBody::Challenge { nonce } => assert_eq!(nonce, bytes_of(&facts["nonce_hex"])),
        ResponseBody::Error { message } => assert_eq!(message, text_of(&facts["message"]).as_bytes()),
        ResponseBody::Other { body: [] } => assert_eq!(facts["message_class"], "DumpHandlesResponse"),
        other => panic!("no facts for {other:?}"),
    }
}

/// Writes the response the facts describe. Site information is taken from `parsed`: its bytes were built from the
/// facts when it was checked.
fn build_response(writer: ResponseWriter<'_>, head: &Head, facts: &Value, parsed: &Response<'_>) -> usize {
    let handle = facts["handle"].as_str().map(str::as_bytes);
    let code = head.header.response_code;
    let result = match (code, head.header.op) {
        _ if facts["message"].is_string() => writer.error(text_of(&facts["message"]).as_bytes()),
        (ResponseCode::AUTHENTICATION_NEEDED, _) => writer.challenge(&bytes_of(&facts["nonce_hex"])),
        (code, _) if code.is_referral() && facts["values"].is_null() => writer.referral_to(handle.unwrap()),
        (code, _) if code.is_referral() => writer.referral(handle.unwrap(), values_of(facts)),
        (_, OpCode::RESOLUTION) => writer.resolution(handle.unwrap(), values_of(facts)),
        (_, OpCode::GET_SITE_INFO) => {
            let ResponseBody::SiteInfo { site } = parsed.body else { panic!("no site information") };
            writer.site_info(site)
        }
        (_, OpCode::CREATE_HANDLE) if handle.is_some() => writer.created(handle.unwrap()),
        (_, OpCode::LIST_HANDLES | OpCode::LIST_HOMED_PREFIXES) => writer.listing(names_of(facts)),
        (_, OpCode::VERIFY_ANSWER) => writer.verified(facts["valid"] == true),
        (_, OpCode::SESSION_SETUP) => {
            writer.session_setup(number_of(&facts["key_exchange_mode"]), &bytes_of(&facts["data_hex"]))
        }
        _ => writer.done(),
    };
    result.unwrap()
}

/// A single value, both ways.
fn value(bytes: &[u8], facts: &Value) -> Ran {
    let mut reader = Reader::new(bytes);
    let parsed = ValueRef::parse(&mut reader).unwrap();
    assert!(reader.is_empty());
    assert_eq!(ValueBuf::from(parsed), value_of(facts));
    assert_eq!(format!("{:?}", parsed.permissions), text_of(&facts["perms"]));
    let mut built = Vec::new();
    value_of(facts).encode_into(&mut built);
    assert_eq!(built, bytes);
    assert_eq!(facts["encoded_length"], value_of(facts).encoded_len());
    Ran { decoded: true, encoded: true }
}

/// A malformed packet: refused, or accepted with the handle of the facts, as the reference's decoder does. A refusal
/// keeps the request id when the envelope was there.
fn malformed(name: &str, bytes: &[u8], facts: &Value) -> Ran {
    let verdict = text_of(&facts["reference_decoder"]);
    let is_response = name.starts_with("mal_response_");
    let result = if is_response {
        Response::parse(bytes, ResponseLimits::REFERENCE).map(|_| None)
    } else {
        Request::parse(bytes).map(|request| Some(request.body))
    };
    match result {
        Ok(Some(RequestBody::Unknown { .. })) => {
            // Decoding keeps unknown operations; refusing them is for those who answer.
            assert!(verdict.contains("Unknown opCode"), "{name} is no unknown operation");
        }
        Ok(body) => {
            assert!(verdict.starts_with("accepted"), "{name} must be refused: {verdict}");
            assert_eq!(body.unwrap().handle().unwrap(), bytes_of(&facts["handle_hex"]));
        }
        Err(failure) => {
            assert!(!verdict.starts_with("accepted"), "{name} must be accepted: {failure:?}");
            let own_id = bytes.get(8..12).map(|id| u32::from_be_bytes(id.try_into().unwrap()));
            let own_id = own_id.filter(|_| bytes.len() >= Envelope::LEN);
            assert_eq!(failure.envelope.map(|envelope| envelope.request_id), own_id, "{name}");
        }
    }
    Ran { decoded: true, encoded: false }
}

/// Compares what was built, with the credential of the facts in place of the empty one, to the recorded bytes.
fn check_built(built: &[u8], bytes: &[u8], facts: &Value) {
    let mut built = built.to_vec();
    if facts["credential"].is_object() {
        let credential = credential_of(&facts["credential"]);
        built.truncate(built.len() - 4);
        built.put_bytes(&credential);
        let length = u32::try_from(built.len() - Envelope::LEN).unwrap();
        built.patch_u32(Envelope::LEN - 4, length);
    }
    assert_eq!(hex::encode(built), hex::encode(bytes));
}

/// The credential the facts describe; digest names that are no text are given as bytes.
fn credential_of(facts: &Value) -> Vec<u8> {
    let name = &facts["digest_alg"];
    let name = name.as_str().map_or_else(|| bytes_of(&facts["digest_alg_hex"]), |text| text.as_bytes().to_vec());
    let signature = bytes_of(&facts["signature_hex"]);
    let mut section = Vec::new();
    Signature { digest_name: &name, signature: &signature }.encode_into(&mut section);
    assert_eq!(facts["section_length"], section.len());
    let credential = Credential {
        version: number_of(&facts["version"]),
        reserved: number_of(&facts["reserved"]),
        flags: number_of(&facts["flags"]),
        signer: &bytes_of(&facts["signer_handle_hex"]),
        session_counter: u32_of(&facts["session_counter"]),
        kind: text_of(&facts["type"]).as_bytes(),
        section: &section,
    };
    let mut bytes = Vec::new();
    credential.encode_into(&mut bytes);
    bytes
}

fn check_head(message: &Message<'_>, facts: &Value) {
    check_envelope(&message.envelope, &facts["envelope"]);
    let (header, expected) = (&message.header, &facts["header"]);
    assert_eq!(expected["op"], header.op.0);
    assert_eq!(expected["rc"], header.response_code.0);
    assert_eq!(expected["flags_hex"], format!("{:08x}", header.flags.0));
    assert_eq!(expected["expiration"], header.expiration);
    assert_eq!(expected["body_length"], header.body_length);
    if let Some(names) = expected["flags"].as_array() {
        assert_eq!(header.flags.names().collect::<Vec<_>>(), names.iter().map(text_of).collect::<Vec<_>>());
    }
    if expected["site_serial_u16"].is_number() {
        assert_eq!(expected["site_serial_u16"], header.site_serial);
        assert_eq!(expected["recursion"], header.recursion_count);
    }
    if facts["credential_length"].is_number() {
        assert_eq!(facts["credential_length"], message.credential.map_or(0, <[u8]>::len));
    }
    assert_eq!(message.credential.is_some(), facts["credential"].is_object());
}

fn check_envelope(envelope: &Envelope, facts: &Value) {
    assert_eq!(facts["major"], envelope.version.major);
    assert_eq!(facts["minor"], envelope.version.minor);
    assert_eq!(facts["suggest_major"], envelope.suggestion().major);
    assert_eq!(facts["suggest_minor"], envelope.suggestion().minor);
    assert_eq!(facts["encrypted"], envelope.flags.is_encrypted());
    assert_eq!(facts["truncated"], envelope.flags.is_truncated());
    assert_eq!(facts["session_id"], envelope.session_id);
    assert_eq!(u32_of(&facts["request_id"]), envelope.request_id);
    assert_eq!(facts["length"], envelope.message_length);
    if facts["sequence"].is_number() {
        assert_eq!(facts["sequence"], envelope.sequence);
        assert_eq!(facts["compressed"], envelope.flags.is_compressed());
    }
}

/// The envelope the facts describe.
fn envelope_of(facts: &Value) -> Envelope {
    let mut flags = EnvelopeFlags::NONE;
    for (name, flag) in [
        ("compressed", EnvelopeFlags::COMPRESSED),
        ("encrypted", EnvelopeFlags::ENCRYPTED),
        ("truncated", EnvelopeFlags::TRUNCATED),
    ] {
        if facts[name] == true {
            flags = flags.with(flag);
        }
    }
    let suggested = if facts["suggest_major_raw"] == 0 {
        Version::new(0, 0)
    } else {
        Version::new(number_of(&facts["suggest_major"]), number_of(&facts["suggest_minor"]))
    };
    Envelope {
        version: Version::new(number_of(&facts["major"]), number_of(&facts["minor"])),
        flags,
        suggested,
        session_id: u32_of(&facts["session_id"]),
        request_id: u32_of(&facts["request_id"]),
        sequence: facts["sequence"].as_u64().map_or(0, |sequence| u32::try_from(sequence).unwrap()),
        message_length: u32_of(&facts["length"]),
    }
}

/// The head the facts describe. Entries of the dialect leave the serial out: it is always unknown there.
fn head_of(facts: &Value) -> Head {
    let expected = &facts["header"];
    let serial = &expected["site_serial_u16"];
    let header = Header {
        op: OpCode(u32_of(&expected["op"])),
        response_code: ResponseCode(u32_of(&expected["rc"])),
        flags: OpFlags(u32::from_str_radix(text_of(&expected["flags_hex"]), 16).unwrap()),
        site_serial: if serial.is_number() { number_of(serial) } else { Header::UNKNOWN_SERIAL },
        recursion_count: expected["recursion"].as_u64().map_or(0, |count| u8::try_from(count).unwrap()),
        reserved: 0,
        expiration: u32_of(&expected["expiration"]),
        body_length: u32_of(&expected["body_length"]),
    };
    Head { envelope: envelope_of(&facts["envelope"]), header }
}

/// The digest of the request in a response; algorithm 0 stands for the format before version 2.1.
fn digest_of(facts: &Value) -> Option<RequestDigest> {
    let code: u8 = number_of(facts.get("request_digest_alg")?);
    let algorithm = if code == 0 { DigestAlgorithm::Md5 } else { DigestAlgorithm::from_code(code).unwrap() };
    Some(RequestDigest::new(algorithm, &bytes_of(&facts["request_digest_hex"])).unwrap())
}

fn indexes_of(facts: &Value) -> Vec<u32> {
    facts["indexes"].as_array().unwrap().iter().map(u32_of).collect()
}

fn types_of(facts: &Value) -> Vec<&[u8]> {
    facts["types"].as_array().unwrap().iter().map(|kind| text_of(kind).as_bytes()).collect()
}

fn names_of(facts: &Value) -> Vec<&[u8]> {
    facts["handles"].as_array().unwrap().iter().map(|name| text_of(name).as_bytes()).collect()
}

fn values_of(facts: &Value) -> Vec<ValueBuf> {
    facts["values"].as_array().unwrap().iter().map(value_of).collect()
}

fn user_of(facts: &Value) -> Reference<'_> {
    Reference { handle: text_of(&facts["user_handle"]).as_bytes(), index: u32_of(&facts["user_index"]) }
}

fn answer_of<'a>(facts: &'a Value, proof: &'a [u8]) -> ChallengeAnswer<'a> {
    let auth_type = text_of(&facts["auth_type"]).as_bytes();
    ChallengeAnswer { auth_type, user: user_of(facts), signed_response: proof }
}

/// Nonce, digest and proof of a verification.
fn verify_fields(facts: &Value) -> [Vec<u8>; 3] {
    ["nonce_hex", "request_digest_hex", "signed_response_hex"].map(|name| bytes_of(&facts[name]))
}

/// The one recorded verification writes its digest without an algorithm.
fn verify_of<'a>(facts: &'a Value, nonce: &'a [u8], digest: &'a [u8], proof: &'a [u8]) -> VerifyAnswer<'a> {
    let user = Reference { handle: text_of(&facts["handle"]).as_bytes(), index: u32_of(&facts["index"]) };
    VerifyAnswer { user, nonce, digest: DigestField::Untyped(digest), signed_response: proof }
}

fn public_key_of(facts: &Value) -> Vec<u8> {
    facts.get("public_key_hex").map(bytes_of).unwrap_or_default()
}

fn setup_of<'a>(facts: &'a Value, key: &'a [u8]) -> SessionSetup<'a> {
    let exchange = match facts["key_exchange_mode"].as_u64().unwrap() {
        1 => KeyExchange::ClientKey(key),
        2 => KeyExchange::ServerKey,
        3 => KeyExchange::HandleValue(Reference {
            handle: text_of(&facts["exchange_key_handle"]).as_bytes(),
            index: u32_of(&facts["exchange_key_index"]),
        }),
        4 => KeyExchange::DiffieHellman(key),
        mode => panic!("mode {mode}"),
    };
    let handle = text_of(&facts["identity_handle"]).as_bytes();
    let identity = Reference { handle, index: u32_of(&facts["identity_index"]) };
    SessionSetup { exchange, timeout_seconds: u32_of(&facts["timeout"]), identity }
}
