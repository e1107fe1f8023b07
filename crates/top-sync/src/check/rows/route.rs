//! T2 and T7: where a prefix is answered for.

use super::Whole;
use crate::check::checker::Checker;
use crate::check::json::Json;

/// Systems of identifiers.
const CODE_TYPES: [&str; 6] = ["Handle", "OID", "DID:BID", "VAA", "Ecode", "GS1"];

/// Most routes of a prefix.
const ROUTES: usize = 8;

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let Some(row) = checker.object(json, &["prefix", "code_type", "routes"]) else { return };
    whole.prefix(checker, row.at("prefix"));
    checker.word(row.at("code_type"), &CODE_TYPES);
    checker.list(row.at("routes"), ROUTES, |checker, route| {
        checker.within(route, &["ip_type", "ip", "tcp", "udp", "http"], |checker, route| {
            let family = checker.number(route.at("ip_type"));
            if family.is_some_and(|family| family != 4 && family != 6) {
                checker.complain(route.at("ip_type"), "is neither 4 nor 6");
            }
            let address = checker.address(route.at("ip"));
            if let (Some(4 | 6), Some(address)) = (family, address)
                && (family == Some(4)) != address.is_ipv4()
            {
                checker.complain(route.at("ip"), "is of the other family");
            }
            let ports = ["tcp", "udp", "http"].map(|port| route.at(port));
            for port in ports {
                checker.port_or_null(port);
            }
            if ports.iter().all(|port| port.value == Some(&Json::Null)) {
                checker.complain_here("has no port");
            }
        });
    });
}
