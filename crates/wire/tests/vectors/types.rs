//! Vectors of the value types, request hashing and datagrams.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use waymark_wire::frame::{
    DatagramSplitter, Outcome, Peer, Reassembly, ReassemblyLimits, TruncatedBit, config, is_part_of_request,
    is_part_of_response,
};
use waymark_wire::hashing::{HashOption, handle_hash, server_for};
use waymark_wire::types::{
    Address, AdminPermissions, AdminRecord, Interface, InterfaceKind, InterfaceProtocol, ServerBuf, Site, SiteBuf,
    SiteFlags, ValueList,
};
use waymark_wire::{Envelope, Reference, Version};

use crate::support::{Ran, bytes_of, number_of, text_of, u32_of};

const BOTH: Ran = Ran { decoded: true, encoded: true };
const READ_ONLY: Ran = Ran { decoded: true, encoded: false };

/// Runs one entry of direction hs_admin, hs_site, hs_vlist, malformed_value, hash, udp_request_packets or
/// udp_response_packets.
pub fn run(entry: &Value) -> Ran {
    let bytes = bytes_of(&entry["hex"]);
    let facts = &entry["decoded"];
    match text_of(&entry["direction"]) {
        "hs_admin" => admin(&bytes, facts),
        "hs_site" => site(&bytes, facts),
        "hs_vlist" => value_list(&bytes, facts),
        "malformed_value" => malformed(text_of(&entry["name"]), &bytes, facts),
        "hash" => hash(&bytes, facts),
        "udp_request_packets" => datagrams(&bytes, entry, TruncatedBit::WhenSplit, is_request_part),
        "udp_response_packets" => {
            let name = text_of(&entry["name"]);
            let marked = name.ends_with("_tc") && !name.ends_with("_no_tc");
            let bit = if marked { TruncatedBit::WhenSplit } else { TruncatedBit::Never };
            datagrams(&bytes, entry, bit, is_response_part)
        }
        other => panic!("not one of ours: {other}"),
    }
}

fn admin(bytes: &[u8], facts: &Value) -> Ran {
    let record = AdminRecord::parse(bytes).unwrap();
    let legacy_tail = facts["legacy_byte_length"].as_bool().unwrap().then_some([0, 0]);
    let expected = AdminRecord {
        permissions: AdminPermissions(u16::from_str_radix(text_of(&facts["perm_bits_hex"]), 16).unwrap()),
        handle: text_of(&facts["handle"]).as_bytes(),
        index: u32_of(&facts["index"]),
        legacy_tail,
    };
    assert_eq!(record, expected);
    let names: Vec<_> = facts["permissions"].as_array().unwrap().iter().map(text_of).collect();
    assert_eq!(record.permissions.names().collect::<Vec<_>>(), names);
    assert_eq!(encoded(|out| expected.encode(out)), bytes);
    BOTH
}

fn site(bytes: &[u8], facts: &Value) -> Ran {
    let expected = site_of(facts);
    let site = Site::parse(bytes).unwrap();
    assert_eq!(SiteBuf::from(&site), expected);
    for (server, facts) in site.servers.iter().zip(list(&facts["servers"])) {
        assert_eq!(server.address.ip(), text_of(&facts["address"]).parse::<IpAddr>().unwrap());
        assert_eq!(Address::from(server.address.ip()), server.address);
    }
    assert_eq!(encoded(|out| expected.encode(out)), bytes);
    assert_eq!(encoded(|out| site.encode(out)), bytes);
    BOTH
}

fn site_of(facts: &Value) -> SiteBuf {
    let (major, minor) = text_of(&facts["protocol"]).split_once('.').unwrap();
    let mut flags = SiteFlags::default();
    for (flag, name) in [(SiteFlags::PRIMARY, "primary"), (SiteFlags::MULTI_PRIMARY, "multi_primary")] {
        if facts[name].as_bool().unwrap() {
            flags = flags.with(flag);
        }
    }
    let text = |field: &Value| text_of(field).as_bytes().to_vec();
    SiteBuf {
        format_version: number_of(&facts["data_format_version"]),
        protocol: Version::new(major.parse().unwrap(), minor.parse().unwrap()),
        serial: number_of(&facts["serial"]),
        flags,
        hash_option: HashOption(number_of(&facts["hash_option"])),
        hash_filter: bytes_of(&facts["hash_filter_hex"]),
        attributes: list(&facts["attributes"]).iter().map(|each| (text(&each["name"]), text(&each["value"]))).collect(),
        servers: list(&facts["servers"]).iter().map(server_of).collect(),
    }
}

fn server_of(facts: &Value) -> ServerBuf {
    let interface = |facts: &Value| Interface {
        kind: InterfaceKind(number_of(&facts["type"])),
        protocol: InterfaceProtocol(number_of(&facts["protocol"])),
        port: u32_of(&facts["port"]),
    };
    ServerBuf {
        id: u32_of(&facts["id"]),
        address: Address(bytes_of(&facts["address_hex"]).try_into().unwrap()),
        public_key: bytes_of(&facts["public_key_hex"]),
        interfaces: list(&facts["interfaces"]).iter().map(interface).collect(),
    }
}

fn value_list(bytes: &[u8], facts: &Value) -> Ran {
    let expected: Vec<_> = list(&facts["references"])
        .iter()
        .map(|each| Reference { handle: text_of(&each["handle"]).as_bytes(), index: u32_of(&each["index"]) })
        .collect();
    let parsed = ValueList::parse(bytes).unwrap();
    assert_eq!(parsed.references.iter().collect::<Vec<_>>(), expected);
    assert_eq!(encoded(|out| ValueList::encode_list(&expected, out)), bytes);
    assert_eq!(encoded(|out| parsed.encode(out)), bytes);
    BOTH
}

fn malformed(name: &str, bytes: &[u8], facts: &Value) -> Ran {
    let refused = match name {
        _ if name.starts_with("mal_hs_site_") => Site::parse(bytes).is_err(),
        _ if name.starts_with("mal_hs_admin_") => AdminRecord::parse(bytes).is_err(),
        _ if name.starts_with("mal_hs_vlist_") => ValueList::parse(bytes).is_err(),
        _ => panic!("of no known type: {name}"),
    };
    let verdict = text_of(&facts["reference_decoder"]);
    assert_eq!(refused, verdict.starts_with("rejected"), "{verdict}");
    assert_eq!(!refused, verdict == "accepted", "{verdict}");
    READ_ONLY
}

fn hash(handle: &[u8], facts: &Value) -> Ran {
    assert_eq!(handle, text_of(&facts["handle"]).as_bytes());
    for (name, option) in [
        ("by_prefix_option_0", HashOption::BY_PREFIX),
        ("by_suffix_option_1", HashOption::BY_SUFFIX),
        ("by_all_option_2", HashOption::BY_HANDLE),
    ] {
        let facts = &facts[name];
        assert_eq!(handle_hash(handle, option), Some(u32_of(&facts["hash"])), "{name}");
        for servers in 2..=5 {
            let position = facts[format!("server_of_{servers}")].as_u64().unwrap();
            assert_eq!(server_for(handle, option, servers), Some(usize::try_from(position).unwrap()), "{name}");
        }
    }
    READ_ONLY
}

/// Cuts the message into the recorded datagrams, and puts those together again: in order, and the other way round.
fn datagrams(whole: &[u8], entry: &Value, bit: TruncatedBit, is_part: fn(&[u8]) -> bool) -> Ran {
    let recorded: Vec<_> = list(&entry["packets"]).iter().map(bytes_of).collect();
    let cut: Vec<_> = DatagramSplitter::new(whole, config::CLASSIC_DATAGRAM_BYTES, bit)
        .unwrap()
        .map(|datagram| [&datagram.envelope[..], &whole[datagram.payload]].concat())
        .collect();
    assert_eq!(cut, recorded);
    if let [only] = recorded.as_slice() {
        assert!(!is_part(only));
        assert_eq!(only, whole);
        return BOTH;
    }
    let backwards: Vec<_> = recorded.iter().rev().cloned().collect();
    for order in [recorded, backwards] {
        assert!(order.iter().all(|datagram| is_part(datagram)));
        let mut reassembly = Reassembly::new(ReassemblyLimits::default());
        let peer = Peer { source: 1, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 2641)) };
        let (last, before) = order.split_last().unwrap();
        for datagram in before {
            assert_eq!(reassembly.push(Duration::ZERO, peer, datagram), Outcome::Pending);
        }
        let outcome = reassembly.push(Duration::ZERO, peer, last);
        assert!(matches!(outcome, Outcome::Complete(complete) if complete.message == whole), "{outcome:?}");
    }
    BOTH
}

fn is_request_part(datagram: &[u8]) -> bool {
    is_part_of_request(&Envelope::parse(datagram).unwrap())
}

fn is_response_part(datagram: &[u8]) -> bool {
    is_part_of_response(&Envelope::parse(datagram).unwrap(), datagram.len())
}

fn list(facts: &Value) -> &[Value] {
    facts.as_array().unwrap_or_else(|| panic!("no list: {facts}"))
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}
