//! `waymark resolve`: asks a node and shows what it says.

use std::{path::Path, str::FromStr, time::Duration};

use serde_json::json;
use waymark_api::registration::v1::{self, get_request::At};
use waymark_client::{
    Answer, AskError, Client, Options, Server, Transport, Trust,
    registration::{GrpcUrl, GrpcUrlError},
};
use waymark_wire::{
    Head, OpFlags, ResponseCode, Ttl, ValueRef,
    dialect::Age,
    limits::ResponseLimits,
    request::RequestWriter,
    response::{Response, ResponseBody},
};

use super::{
    Resolve, ServerUrl, Shown, present,
    server::{answer, connection::Connection, look_up},
    server_url::{Scheme, ServerUrlError},
    terminal::{self, Tone, toned},
};
use crate::{
    listen::{Listening, reachable},
    problem::{Exit, Problem},
    texts::Texts,
};

/// Longest handle the protocol takes.
const LONGEST_HANDLE: usize = waymark_ident::MAX_HANDLE_BYTES;

/// Asks and shows.
pub(crate) async fn run(arguments: &Resolve, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    if arguments.handle.len() > LONGEST_HANDLE {
        return Err(Problem::new("handle-too-long", Exit::Usage)
            .with("bytes", arguments.handle.len())
            .with("limit", LONGEST_HANDLE));
    }
    let pin = arguments.pin.as_deref().map(parse_pin).transpose()?;
    if let Some(at) = arguments.at {
        return as_it_was(arguments, at, texts, shown).await;
    }
    let (server, order) = find_server(&doors(&arguments.server)?, arguments.data.as_deref(), pin)?;
    let request = question(arguments);
    let client = Client::new(Options { order, ..Options::default() });
    let deadline = Duration::from_millis(arguments.timeout);
    let answer = client.ask(&server, &request, deadline).await.map_err(|error| no_answer(&error))?;
    let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE)
        .map_err(|failure| answer::unreadable(failure.error))?;
    if arguments.json {
        terminal::line(as_json(&arguments.handle, &answer, &response));
    } else {
        show(&arguments.handle, &answer, &response, texts, shown);
    }
    Ok(exit(response.code))
}

/// A server named by `--server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A door of the resolver.
    Door(ServerUrl),
    /// A registration server, for identifiers as they were.
    Registration(GrpcUrl),
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("grpc") {
            return text.parse().map(Self::Registration).map_err(|cause: GrpcUrlError| cause.to_string());
        }
        text.parse().map(Self::Door).map_err(|cause: ServerUrlError| cause.to_string())
    }
}

/// The doors named; a registration server is none.
fn doors(asked: &[Asked]) -> Result<Vec<ServerUrl>, Problem> {
    let door = |asked: &Asked| match asked {
        Asked::Door(url) => Ok(url.clone()),
        Asked::Registration(url) => Err(Problem::new("registration-needs-at", Exit::Usage).with("server", url)),
    };
    asked.iter().map(door).collect()
}

/// Shows an identifier as it was; only a registration server knows that.
async fn as_it_was(arguments: &Resolve, at: At, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let [Asked::Registration(url)] = arguments.server.as_slice() else {
        return Err(Problem::new("at-needs-registration", Exit::Usage));
    };
    let connection = Connection {
        server: None,
        token_file: arguments.token_file.clone(),
        ca: arguments.ca.clone(),
        pin: arguments.pin.clone(),
        client_certificate: None,
        client_key: None,
        timeout: arguments.timeout,
    };
    let request = v1::GetRequest {
        handle: arguments.handle.clone(),
        at: Some(at),
        indexes: arguments.index.clone(),
        types: arguments.types.clone(),
    };
    look_up::show(&connection.open_at(url.clone(), texts)?, &request, arguments.json, texts, shown).await
}

fn question(arguments: &Resolve) -> Vec<u8> {
    let mut flags = OpFlags::USUAL.with(OpFlags::AGED);
    if arguments.restricted {
        flags = flags.without(OpFlags::PUBL);
    }
    if arguments.certified {
        flags = flags.with(OpFlags::CERT);
    }
    let kinds: Vec<&[u8]> = arguments.types.iter().map(String::as_bytes).collect();
    // Servers do not check the expiration of a request; the client numbers it.
    RequestWriter::new(Vec::new(), Head::request(0, flags, u32::MAX >> 1)).resolution(
        arguments.handle.as_bytes(),
        &arguments.index,
        &kinds,
        None,
    )
}

/// Reads a fingerprint of 64 hexadecimal characters, colons allowed.
pub(crate) fn parse_pin(text: &str) -> Result<[u8; 32], Problem> {
    let plain: String = text.chars().filter(|character| *character != ':').collect();
    let mut pin = [0; 32];
    hex::decode_to_slice(&plain, &mut pin).map_err(|_| Problem::new("pin-malformed", Exit::Usage).with("pin", text))?;
    Ok(pin)
}

/// The server to ask and the transports in order: those named, or those of the node of a data folder.
pub(crate) fn find_server(
    urls: &[ServerUrl],
    data: Option<&Path>,
    pin: Option<[u8; 32]>,
) -> Result<(Server, Vec<Transport>), Problem> {
    let mut server = Server::default();
    let mut order = Vec::new();
    for url in urls {
        let address = url
            .address()
            .map_err(|cause| Problem::new("server-unknown", Exit::NoAnswer).with("server", url).with("cause", cause))?;
        match url.scheme {
            Scheme::Udp => server.udp = Some(address),
            Scheme::Tcp => server.tcp = Some(address),
            Scheme::Quic => {
                let pin = pin.ok_or_else(|| Problem::new("pin-missing", Exit::Usage).with("server", url))?;
                server.quic = Some((address, url.host.clone(), Trust::Pin(pin)));
            }
        }
        let transport = match url.scheme {
            Scheme::Udp => Transport::Udp,
            Scheme::Tcp => Transport::Tcp,
            Scheme::Quic => Transport::Quic,
        };
        if !order.contains(&transport) {
            order.push(transport);
        }
    }
    if urls.is_empty() {
        let listening = listening(data)?;
        return of_listening(&listening);
    }
    Ok((server, order))
}

/// What the node of a data folder wrote about itself.
pub(crate) fn listening(data: Option<&Path>) -> Result<Listening, Problem> {
    let folder = data.unwrap_or_else(|| Path::new(crate::config::DEFAULT_DATA));
    let found = Listening::read(folder).map_err(|cause| {
        Problem::new("listening-unreadable", Exit::Unavailable)
            .with("path", Listening::path(folder).display())
            .with("cause", cause)
    })?;
    found.ok_or_else(|| Problem::new("node-not-running", Exit::NoAnswer).with("data", folder.display()))
}

/// All doors of a node that wrote where it listens; it is ours, so it understands padding and its certificate is known.
pub(crate) fn of_listening(listening: &Listening) -> Result<(Server, Vec<Transport>), Problem> {
    let first = |addresses: &[std::net::SocketAddr]| addresses.first().copied().map(reachable);
    let quic = match first(&listening.quic) {
        Some(address) => Some((address, "localhost".to_owned(), Trust::Pin(parse_pin(&listening.quic_fingerprint)?))),
        None => None,
    };
    let server = Server { udp: first(&listening.udp), tcp: first(&listening.tcp), quic, understands_padding: true };
    Ok((server, vec![Transport::Udp, Transport::Quic, Transport::Tcp]))
}

/// The problem a failed question is for a person.
pub(crate) fn no_answer(error: &AskError) -> Problem {
    Problem::new("no-answer", Exit::NoAnswer).with("cause", error)
}

fn exit(code: ResponseCode) -> Exit {
    match code {
        ResponseCode::SUCCESS => Exit::Done,
        ResponseCode::HANDLE_NOT_FOUND | ResponseCode::VALUES_NOT_FOUND => Exit::Absent,
        _ => Exit::Refused,
    }
}

fn show(handle: &str, answer: &Answer, response: &Response<'_>, texts: &Texts, shown: Shown) {
    let tone = if response.code == ResponseCode::SUCCESS { Tone::Good } else { Tone::Bad };
    let code = outcome(response.code, texts);
    terminal::line(format_args!("{}  {}", present::safe(handle), toned(&code, tone, shown.colours)));
    match &response.body {
        ResponseBody::Resolution { values, .. } => values.iter().for_each(|value| show_value(&value)),
        ResponseBody::Referral { handle, values } => {
            if !handle.is_empty() {
                terminal::line(format_args!("  {}", present::safe(&String::from_utf8_lossy(handle))));
            }
            values.iter().flat_map(|values| values.iter()).for_each(|value| show_value(&value));
        }
        ResponseBody::Error { message, .. } if !message.is_empty() => {
            terminal::line(format_args!("  {}", present::safe(&String::from_utf8_lossy(message))));
        }
        _ => {}
    }
    match Age::of_response(&response.message) {
        Some(Age { seconds, is_stale: true }) => {
            let note = texts.text("resolve-stale", &[("age", seconds.to_string().into())]);
            terminal::line(toned(&note, Tone::Bad, shown.colours));
        }
        Some(Age { seconds, .. }) => {
            let note = texts.text("resolve-cached", &[("age", seconds.to_string().into())]);
            terminal::line(toned(&note, Tone::Faint, shown.colours));
        }
        None => {}
    }
    let how = format!(
        "{} {:.1} ms, {} bytes",
        answer.transport,
        answer.elapsed.as_secs_f64() * 1_000.0,
        answer.message.len(),
    );
    terminal::line(toned(&how, Tone::Faint, shown.colours));
}

pub(crate) fn show_value(value: &ValueRef<'_>) {
    terminal::line(format_args!(
        "  {:>6}  {:<16} {:>7} {}  {}",
        value.index,
        present::safe(&String::from_utf8_lossy(value.kind)),
        present::ttl(value.ttl),
        present::permissions(value.permissions),
        present::data(value),
    ));
}

/// What a response code means, in the user's language, with its number.
pub(crate) fn outcome(code: ResponseCode, texts: &Texts) -> String {
    let named = texts.find(&format!("response-{}", code.0), &[]);
    let named = named.or_else(|| code.name().map(str::to_owned)).unwrap_or_default();
    format!("{} {named}", code.0)
}

fn as_json(handle: &str, answer: &Answer, response: &Response<'_>) -> serde_json::Value {
    let values = match &response.body {
        ResponseBody::Resolution { values, .. } => values.iter().map(|value| value_json(&value)).collect(),
        ResponseBody::Referral { values: Some(values), .. } => values.iter().map(|value| value_json(&value)).collect(),
        _ => Vec::new(),
    };
    let message = match &response.body {
        ResponseBody::Error { message, .. } => String::from_utf8_lossy(message).into_owned(),
        _ => String::new(),
    };
    let age = Age::of_response(&response.message);
    json!({
        "handle": handle,
        "age_seconds": age.map(|age| age.seconds),
        "stale": age.is_some_and(|age| age.is_stale),
        "response_code": response.code.0,
        "response": response.code.name(),
        "message": message,
        "values": values,
        "transport": answer.transport.to_string(),
        "bytes": answer.message.len(),
        "packets_received": answer.packets_received,
        "elapsed_us": u64::try_from(answer.elapsed.as_micros()).unwrap_or(u64::MAX),
        "version": response.message.envelope.version.to_string(),
        "authoritative": response.message.header.flags.has(OpFlags::AUTH),
        "certified": response.message.credential.is_some(),
    })
}

fn value_json(value: &ValueRef<'_>) -> serde_json::Value {
    let data = match std::str::from_utf8(value.data) {
        Ok(text) => json!({ "format": "string", "value": text }),
        Err(_) => json!({ "format": "hex", "value": hex::encode(value.data) }),
    };
    let ttl = match value.ttl {
        Ttl::Relative(seconds) => json!(seconds),
        other => json!(present::ttl(other)),
    };
    json!({
        "index": value.index,
        "type": String::from_utf8_lossy(value.kind),
        "ttl": ttl,
        "permissions": format!("{:04b}", value.permissions.0 & 0xf),
        "timestamp": value.timestamp,
        "data": data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_64_hexadecimal_characters() {
        assert_eq!(parse_pin(&"ab".repeat(32)).unwrap(), [0xab; 32]);
        assert_eq!(parse_pin(&["ab"; 32].join(":")).unwrap(), [0xab; 32]);
        assert_eq!(parse_pin("ab").unwrap_err().code(), "pin-malformed");
        assert_eq!(parse_pin("nonsense").unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn quic_without_a_pin_is_refused_with_a_reason() {
        let urls = ["quic://127.0.0.1:1".parse().unwrap()];
        assert_eq!(find_server(&urls, None, None).unwrap_err().code(), "pin-missing");
    }

    #[test]
    fn a_folder_without_a_node_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let problem = find_server(&[], Some(folder.path()), None).unwrap_err();
        assert_eq!((problem.code(), problem.exit()), ("node-not-running", Exit::NoAnswer));
    }

    #[test]
    fn exit_codes_tell_absent_from_refused() {
        assert_eq!(exit(ResponseCode::SUCCESS), Exit::Done);
        assert_eq!(exit(ResponseCode(100)), Exit::Absent);
        assert_eq!(exit(ResponseCode(200)), Exit::Absent);
        assert_eq!(exit(ResponseCode(402)), Exit::Refused);
        assert_eq!(exit(ResponseCode(3)), Exit::Refused);
    }
}
