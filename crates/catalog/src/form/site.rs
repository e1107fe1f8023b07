//! HS_SITE data as JSON, both ways.
//!
//! ```json
//! {"version":1,"protocolVersion":"2.11","serialNumber":3,"primarySite":true,"multiPrimary":false,
//!  "attributes":[{"name":"desc","value":"…"}],
//!  "servers":[{"serverId":1,"address":"192.0.2.1","publicKey":{"format":"hex","value":"…"},
//!    "interfaces":[{"query":true,"admin":false,"protocol":"UDP","port":2641}]}]}
//! ```
//! `hashOption` is there when it is not 2 (by whole handle), `hashFilter` when not empty, `publicKey` when not empty.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::value::RawValue;
use waymark_wire::Version;
use waymark_wire::hashing::HashOption;
use waymark_wire::types::{Address, Interface, InterfaceKind, InterfaceProtocol, ServerBuf, Site, SiteBuf, SiteFlags};

use super::cause::{Cause, FieldError, FieldResult};
use super::data_read::bytes_object;
use super::object::{flag, list, number, object, text};

/// Reads a site and encodes it.
pub(crate) fn read(raw: &RawValue) -> FieldResult<Vec<u8>> {
    let mut fields = object(raw)?;
    let small = |raw| number::<u16>(raw, 0, i64::from(u16::MAX));
    let primary = fields.read_or("primarySite", false, flag)?;
    let multi = fields.read_or("multiPrimary", false, flag)?;
    let site = SiteBuf {
        format_version: fields.read_or("version", 1, small)?,
        protocol: fields.read("protocolVersion", version)?,
        serial: fields.read("serialNumber", small)?,
        flags: flags(primary, multi),
        hash_option: HashOption(fields.read_or("hashOption", HashOption::BY_HANDLE.0, |raw| number(raw, 0, 255))?),
        hash_filter: fields.read_or("hashFilter", Vec::new(), |raw| Ok(text(raw)?.into_owned().into_bytes()))?,
        attributes: fields.read_or("attributes", Vec::new(), |raw| each(raw, attribute))?,
        servers: fields.read("servers", |raw| each(raw, server))?,
    };
    fields.finish()?;
    let mut data = Vec::new();
    site.encode(&mut data);
    Ok(data)
}

fn each<'a, T>(raw: &'a RawValue, read: impl Fn(&'a RawValue) -> FieldResult<T>) -> FieldResult<Vec<T>> {
    list(raw)?.into_iter().enumerate().map(|(at, raw)| read(raw).map_err(|error| error.at(at))).collect()
}

fn flags(primary: bool, multi: bool) -> SiteFlags {
    let flags = if primary { SiteFlags::PRIMARY } else { SiteFlags::default() };
    if multi { flags.with(SiteFlags::MULTI_PRIMARY) } else { flags }
}

fn version(raw: &RawValue) -> FieldResult<Version> {
    let text = text(raw)?;
    let numbers = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let (major, minor) =
        numbers.ok_or_else(|| FieldError::new("", Cause::WrongKind { expected: "a version such as 2.11" }))?;
    Ok(Version::new(major, minor))
}

fn attribute(raw: &RawValue) -> FieldResult<(Vec<u8>, Vec<u8>)> {
    let mut fields = object(raw)?;
    let name = fields.read("name", text)?.into_owned().into_bytes();
    let value = fields.read("value", text)?.into_owned().into_bytes();
    fields.finish()?;
    Ok((name, value))
}

fn server(raw: &RawValue) -> FieldResult<ServerBuf> {
    let mut fields = object(raw)?;
    let server = ServerBuf {
        id: fields.read("serverId", |raw| number(raw, 0, i64::from(u32::MAX)))?,
        address: fields.read("address", address)?,
        public_key: fields.read_or("publicKey", Vec::new(), bytes_object)?,
        interfaces: fields.read("interfaces", |raw| each(raw, interface))?,
    };
    fields.finish()?;
    Ok(server)
}

fn address(raw: &RawValue) -> FieldResult<Address> {
    let ip = text(raw)?.parse::<IpAddr>();
    ip.map(Address::from).map_err(|_| FieldError::new("", Cause::WrongKind { expected: "an IP address" }))
}

fn interface(raw: &RawValue) -> FieldResult<Interface> {
    let mut fields = object(raw)?;
    let query = fields.read("query", flag)?;
    let admin = fields.read("admin", flag)?;
    let protocol = fields.read("protocol", protocol)?;
    let port = fields.read("port", |raw| number(raw, 0, i64::from(u32::MAX)))?;
    fields.finish()?;
    Ok(Interface { kind: kind(query, admin), protocol, port })
}

const fn kind(query: bool, admin: bool) -> InterfaceKind {
    match (query, admin) {
        (true, true) => InterfaceKind::ADMIN_AND_QUERY,
        (true, false) => InterfaceKind::QUERY,
        (false, true) => InterfaceKind::ADMIN,
        (false, false) => InterfaceKind::OUT_OF_SERVICE,
    }
}

/// The protocols and their names.
const PROTOCOLS: [(InterfaceProtocol, &str); 4] = [
    (InterfaceProtocol::UDP, "UDP"),
    (InterfaceProtocol::TCP, "TCP"),
    (InterfaceProtocol::HTTP, "HTTP"),
    (InterfaceProtocol::HTTPS, "HTTPS"),
];

fn protocol(raw: &RawValue) -> FieldResult<InterfaceProtocol> {
    let name = text(raw)?;
    let known = PROTOCOLS.iter().find(|(_, known)| *known == name);
    known
        .map(|(protocol, _)| *protocol)
        .ok_or_else(|| FieldError::new("", Cause::WrongKind { expected: "UDP, TCP, HTTP or HTTPS" }))
}

/// The JSON of a site; `None` when the data is no site or the JSON would not give back its exact bytes.
pub(crate) fn write(data: &[u8]) -> Option<Box<RawValue>> {
    let site = Site::parse(data).ok()?;
    let servers = site.servers.iter().map(|server| server_out(&server)).collect::<Option<_>>()?;
    let attributes = site.attributes.iter();
    let attributes = attributes.map(|each| Some(AttributeOut { name: utf8(each.name)?, value: utf8(each.value)? }));
    let out = SiteOut {
        version: site.format_version,
        protocol_version: format!("{}.{}", site.protocol.major, site.protocol.minor),
        serial_number: site.serial,
        primary_site: site.flags.has(SiteFlags::PRIMARY),
        multi_primary: site.flags.has(SiteFlags::MULTI_PRIMARY),
        hash_option: (site.hash_option != HashOption::BY_HANDLE).then_some(site.hash_option.0),
        hash_filter: utf8(site.hash_filter)?,
        attributes: attributes.collect::<Option<_>>()?,
        servers,
    };
    let json = serde_json::value::to_raw_value(&out).ok()?;
    (read(&json).ok()?.as_slice() == data).then_some(json)
}

fn server_out<'a>(server: &waymark_wire::types::Server<'a>) -> Option<ServerOut> {
    let interfaces = server.interfaces.iter().map(|each| {
        let (_, protocol) = PROTOCOLS.iter().find(|(known, _)| *known == each.protocol)?;
        Some(InterfaceOut {
            query: each.kind.offers(InterfaceKind::QUERY),
            admin: each.kind.offers(InterfaceKind::ADMIN),
            protocol,
            port: each.port,
        })
    });
    let key =
        (!server.public_key.is_empty()).then(|| BytesOut { format: "hex", value: hex::encode(server.public_key) });
    Some(ServerOut {
        server_id: server.id,
        address: server.address.ip().to_string(),
        public_key: key,
        interfaces: interfaces.collect::<Option<_>>()?,
    })
}

fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SiteOut<'a> {
    version: u16,
    protocol_version: String,
    serial_number: u16,
    primary_site: bool,
    multi_primary: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash_option: Option<u8>,
    #[serde(skip_serializing_if = "str::is_empty")]
    hash_filter: &'a str,
    attributes: Vec<AttributeOut<'a>>,
    servers: Vec<ServerOut>,
}

#[derive(Serialize)]
struct AttributeOut<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerOut {
    server_id: u32,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<BytesOut>,
    interfaces: Vec<InterfaceOut>,
}

#[derive(Serialize)]
struct BytesOut {
    format: &'static str,
    value: String,
}

#[derive(Serialize)]
struct InterfaceOut {
    query: bool,
    admin: bool,
    protocol: &'static str,
    port: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = r#"{"version":1,"protocolVersion":"2.11","serialNumber":3,"primarySite":true,"multiPrimary":false,"hashOption":0,"hashFilter":"f","attributes":[{"name":"desc","value":"产"}],"servers":[{"serverId":1,"address":"2001:db8::1","publicKey":{"format":"hex","value":"0a0b"},"interfaces":[{"query":true,"admin":false,"protocol":"UDP","port":2641}]},{"serverId":2,"address":"192.0.2.41","interfaces":[]}]}"#;

    fn raw(json: &str) -> Box<RawValue> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_site_comes_back_as_it_went() {
        let data = read(&raw(SITE)).unwrap();
        assert_eq!(write(&data).unwrap().get(), SITE);
    }

    #[test]
    fn what_json_cannot_say_is_not_written() {
        let site = SiteBuf { flags: SiteFlags(0x81), ..SiteBuf::default() };
        let mut data = Vec::new();
        site.encode(&mut data);
        assert!(write(&data).is_none(), "a flag without a name");
        let odd = Interface { kind: InterfaceKind(9), protocol: InterfaceProtocol::TCP, port: 1 };
        let server = ServerBuf {
            id: 1,
            address: IpAddr::from([192, 0, 2, 1]).into(),
            public_key: vec![],
            interfaces: vec![odd],
        };
        let mut data = Vec::new();
        SiteBuf { servers: vec![server], ..SiteBuf::default() }.encode(&mut data);
        assert!(write(&data).is_none(), "an interface of unknown kind");
        assert!(write(b"no site").is_none());
    }

    #[test]
    fn errors_name_the_field_inside_the_site() {
        let field = |from: &str, to: &str| read(&raw(&SITE.replace(from, to))).unwrap_err().field;
        assert_eq!(field("192.0.2.41", "192.0.2"), "servers[1].address");
        assert_eq!(field("\"UDP\"", "\"SCTP\""), "servers[0].interfaces[0].protocol");
        assert_eq!(field("2.11", "two"), "protocolVersion");
        assert_eq!(field("\"name\"", "\"nom\""), "attributes[0].name");
    }
}
