//! Requests, as they come in from anybody.

use waymark_wire::crypto::credential::Credential;
use waymark_wire::frame::{TcpFrame, tcp_message_length};
use waymark_wire::keep_open::keeps_connection;
use waymark_wire::request::{Request, RequestBody, RequestWriter};
use waymark_wire::{DecodeError, Envelope, Head, Header, Message};

/// The input is read as a request. What can be read is written back: the same message up to the bytes readers ignore. What cannot
/// be read still gives its envelope, so that it can be answered.
pub fn request(input: &[u8]) {
    stream(input);
    let message = match Message::parse(input) {
        Ok(message) => message,
        Err(failure) => {
            assert_eq!(failure.envelope, Envelope::parse(input).ok(), "whoever sent an envelope can be answered");
            return;
        }
    };
    parts(input, &message);
    let request = match Request::parse(input) {
        Ok(request) => request,
        Err(failure) => {
            assert_eq!(failure.envelope, Some(message.envelope));
            assert_eq!(failure.op, Some(message.header.op));
            let is_response = matches!(failure.error, DecodeError::NotARequest(_));
            assert_eq!(is_response, !message.is_request());
            assert!(keeps_connection(&message, None, true), "an unread body takes nothing away");
            return;
        }
    };
    assert_eq!(request.message, message);
    assert!(keeps_connection(&message, Some(&request.body), true));
    written_back(&request);
}

/// The length in front decides where the message ends in a stream, whatever its content is.
fn stream(input: &[u8]) {
    match tcp_message_length(input) {
        TcpFrame::NeedMore(missing) => {
            assert!(missing > 0);
            assert!(Message::parse(input).is_err());
        }
        TcpFrame::Complete(length) => {
            assert!(length >= Head::LEN && length <= input.len());
            assert_eq!(Message::parse(input).is_ok(), Message::parse(&input[..length]).is_ok());
        }
        TcpFrame::Bad(error) => {
            assert_eq!(Message::parse(input).map_err(|failure| failure.error), Err(error));
        }
    }
}

/// The parts of a message are the bytes of the input, in their places.
fn parts(input: &[u8], message: &Message<'_>) {
    let (envelope, rest) = input.split_at(Envelope::LEN);
    assert_eq!(message.envelope.to_bytes(), envelope);
    assert!(rest.starts_with(message.signed));
    let (header, body) = message.signed.split_at(Header::LEN);
    assert_eq!(message.header.to_bytes(), header);
    assert_eq!(message.body, body);
    let credential_at = Header::LEN + body.len() + 4;
    assert!(message.credential.is_none_or(|credential| rest[credential_at..].starts_with(credential)));
    assert_eq!(Head::parse(input), Ok(message.head()));
    if let Some(bytes) = message.credential {
        credential(bytes);
    }
}

/// A credential is written back to its bytes, as far as readers look.
fn credential(bytes: &[u8]) {
    let Ok(credential) = Credential::parse(bytes) else { return };
    let mut written = Vec::new();
    credential.encode_into(&mut written);
    assert!(bytes.starts_with(&written));
    if let Ok(signature) = credential.signature() {
        let mut section = Vec::new();
        signature.encode_into(&mut section);
        assert_eq!(section, credential.section);
    }
}

/// Writes the request again. Operations whose handle means nothing are written with `/`; the others keep their bodies.
fn written_back(request: &Request<'_>) {
    let (message, body) = (&request.message, &request.body);
    let written = rewritten(message, body);
    let again = Request::parse(&written).expect("what was written can be read");
    let mut head = again.message.head();
    head.envelope.message_length = message.envelope.message_length;
    head.header.body_length = message.header.body_length;
    assert_eq!(head, message.head());
    let is_placeholder = match body {
        RequestBody::SiteInfo { .. }
        | RequestBody::ListHomedPrefixes { .. }
        | RequestBody::SessionTerminate { .. }
        | RequestBody::BackupServer { .. } => true,
        RequestBody::SessionSetup(_) => {
            // The two bytes that end it are written, but not asked for.
            assert_eq!(again.body, *body);
            true
        }
        _ => false,
    };
    if !is_placeholder {
        assert_eq!(again.body, *body);
        assert!(message.body.starts_with(again.message.body), "only bytes behind the last field are lost");
    }
}

fn rewritten(message: &Message<'_>, body: &RequestBody<'_>) -> Vec<u8> {
    let writer = RequestWriter::new(Vec::new(), message.head());
    match body {
        RequestBody::Resolution(asked) => {
            let indexes: Vec<_> = asked.indexes.iter().collect();
            let types: Vec<_> = asked.types.iter().collect();
            writer.resolution(asked.handle, &indexes, &types, asked.extra)
        }
        RequestBody::SiteInfo { .. } => writer.site_info(),
        RequestBody::Create { handle, values } => writer.create(handle, values.iter()),
        RequestBody::Delete { handle } => writer.delete(handle),
        RequestBody::AddValues { handle, values } => writer.add_values(handle, values.iter()),
        RequestBody::RemoveValues { handle, indexes } => {
            writer.remove_values(handle, &indexes.iter().collect::<Vec<_>>())
        }
        RequestBody::ModifyValues { handle, values } => writer.modify_values(handle, values.iter()),
        RequestBody::ListHandles { prefix } => writer.list_handles(prefix),
        RequestBody::ListDerivedPrefixes { prefix } => writer.list_derived_prefixes(prefix),
        RequestBody::ChallengeAnswer(answer) => writer.challenge_answer(answer),
        RequestBody::VerifyAnswer(verify) => writer.verify_answer(verify),
        RequestBody::HomePrefix { prefix } => writer.home_prefix(prefix),
        RequestBody::UnhomePrefix { prefix } => writer.unhome_prefix(prefix),
        RequestBody::ListHomedPrefixes { .. } => writer.list_homed_prefixes(),
        RequestBody::SessionSetup(setup) => writer.session_setup(setup),
        RequestBody::SessionTerminate { .. } => writer.session_terminate(),
        RequestBody::ExchangeKey { encrypted_key } => writer.exchange_key(encrypted_key),
        RequestBody::NextTransactionId { handle } => writer.next_transaction_id(handle),
        RequestBody::BackupServer { .. } => writer.backup_server(),
        RequestBody::Login { user } => writer.login(*user),
        _ => writer.raw(message.header.op, message.body),
    }
}
