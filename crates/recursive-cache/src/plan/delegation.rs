//! What values say of where handles live, and for how long.

use std::sync::Arc;

use waymark_wire::types::{
    HS_NA_DELEGATE, HS_SERV, HS_SERV_PREFIX, HS_SITE, HS_SITE_6, HS_SITE_PREFIX, Site, service_handle,
};
use waymark_wire::{Ttl, ValueRef, Values};

use crate::config::{SERVICE_HANDLES, SITES};
use crate::knowledge::{Now, Scope, Service};

/// The types that delegate, all of them: what a prefix record too large to be taken whole is asked for.
pub(super) const DELEGATION_TYPES: [&[u8]; 6] =
    [HS_SITE, HS_SITE_6, HS_SERV, HS_SITE_PREFIX, HS_NA_DELEGATE, HS_SERV_PREFIX];

/// Where handles live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Delegation {
    /// At these sites.
    Sites(Arc<Service>),
    /// At the sites of one of these service handles.
    Handles(Box<[Box<[u8]>]>),
}

/// What the values say of this scope, and the seconds they may be used. Sites come before service handles, as they need no further
/// resolution. `None` when no value says anything that can be used.
pub(super) fn delegation(values: &Values<'_>, scope: Scope, now: Now) -> Option<(Delegation, u32)> {
    let (site_types, handle_type): (&[&[u8]], &[u8]) = match scope {
        Scope::Handles => (&[HS_SITE, HS_SITE_6], HS_SERV),
        Scope::DerivedPrefixes => (&[HS_SITE_PREFIX, HS_NA_DELEGATE], HS_SERV_PREFIX),
    };
    let public = || values.iter().filter(|value| value.permissions.is_public_read());
    let is_site = |value: &ValueRef<'_>| is_one_of(value.kind, site_types) && is_usable_site(value.data);
    let sites = || public().filter(is_site).take(SITES);
    if let Some(seconds) = lifetime_seconds(sites(), now) {
        let sites = sites().map(|value| value.data.into()).collect();
        return Some((Delegation::Sites(Arc::new(Service { sites })), seconds));
    }
    let names_service = |value: &ValueRef<'_>| {
        is_one_of(value.kind, &[handle_type]) && !value.data.is_empty() && service_handle(value.data).is_ok()
    };
    let handles = || public().filter(names_service).take(SERVICE_HANDLES);
    let seconds = lifetime_seconds(handles(), now)?;
    Some((Delegation::Handles(handles().map(|value| value.data.into()).collect()), seconds))
}

/// The smallest time to live of the values, in seconds from now. `None` without values.
pub(super) fn lifetime_seconds<'a>(values: impl Iterator<Item = ValueRef<'a>>, now: Now) -> Option<u32> {
    values.map(|value| seconds_left(value.ttl, now)).min()
}

/// Seconds from now until the time to live ends. What is negative or of an unknown type is not kept at all.
fn seconds_left(ttl: Ttl, now: Now) -> u32 {
    match ttl {
        Ttl::Relative(seconds) => u32::try_from(seconds).unwrap_or(0),
        Ttl::Absolute(end) => u32::try_from(i64::from(end) - i64::from(now.unix_seconds)).unwrap_or(0),
        Ttl::Other { .. } => 0,
    }
}

/// Type names compare without regard to ASCII case.
fn is_one_of(kind: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(kind))
}

/// Whether the data is a site with a server.
fn is_usable_site(data: &[u8]) -> bool {
    Site::parse(data).is_ok_and(|site| !site.servers.is_empty())
}

#[cfg(test)]
mod tests {
    use waymark_wire::types::{Address, ServerBuf, SiteBuf};
    use waymark_wire::value::put_values;
    use waymark_wire::{Permissions, Reader, ValueBuf};

    use super::*;

    const NOW: Now = Now { elapsed: std::time::Duration::ZERO, unix_seconds: 1_000 };

    fn site(last: u8) -> Vec<u8> {
        let address = Address([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, last]);
        let server = ServerBuf { id: 1, address, public_key: Vec::new(), interfaces: Vec::new() };
        let mut data = Vec::new();
        SiteBuf { servers: vec![server], ..SiteBuf::default() }.encode(&mut data);
        data
    }

    fn value(kind: &[u8], data: &[u8], ttl: Ttl) -> ValueBuf {
        ValueBuf { ttl, ..ValueBuf::new(1, kind, data) }
    }

    fn read(values: &[ValueBuf], scope: Scope) -> Option<(Delegation, u32)> {
        let mut bytes = Vec::new();
        put_values(&mut bytes, values);
        delegation(&Values::parse(&mut Reader::new(&bytes)).unwrap(), scope, NOW)
    }

    fn sites(data: &[Vec<u8>]) -> Delegation {
        Delegation::Sites(Arc::new(Service { sites: data.iter().map(|data| data.as_slice().into()).collect() }))
    }

    #[test]
    fn each_scope_has_its_own_types() {
        let ttl = Ttl::Relative(9);
        let values = [
            value(b"hs_site", &site(1), ttl),
            value(HS_SITE_PREFIX, &site(2), ttl),
            value(HS_NA_DELEGATE, &site(3), ttl),
            value(HS_SITE_6, &site(4), ttl),
        ];
        assert_eq!(read(&values, Scope::Handles), Some((sites(&[site(1), site(4)]), 9)));
        assert_eq!(read(&values, Scope::DerivedPrefixes), Some((sites(&[site(2), site(3)]), 9)));
    }

    #[test]
    fn sites_come_before_service_handles() {
        let handle = value(HS_SERV, b"0.SERV/1", Ttl::Relative(7));
        let expected = Delegation::Handles(Box::new([Box::from(&b"0.SERV/1"[..])]));
        assert_eq!(read(std::slice::from_ref(&handle), Scope::Handles), Some((expected, 7)));
        assert_eq!(read(std::slice::from_ref(&handle), Scope::DerivedPrefixes), None);
        let values = [handle, value(HS_SITE, &site(1), Ttl::Relative(9))];
        assert_eq!(read(&values, Scope::Handles), Some((sites(&[site(1)]), 9)));
    }

    #[test]
    fn what_cannot_be_used_or_is_not_public_does_not_count() {
        let ttl = Ttl::Relative(9);
        let hidden = ValueBuf { permissions: Permissions::SECRET, ..value(HS_SITE, &site(1), ttl) };
        let mut no_server = Vec::new();
        SiteBuf::default().encode(&mut no_server);
        let long = vec![b'a'; 3_000];
        let values = [
            hidden,
            value(HS_SITE, b"garbage", ttl),
            value(HS_SITE, &no_server, ttl),
            value(HS_SERV, b"", ttl),
            value(HS_SERV, &long, ttl),
        ];
        assert_eq!(read(&values, Scope::Handles), None);
    }

    #[test]
    fn numbers_of_sites_and_service_handles_are_bounded() {
        let many = |kind: &[u8], data: &[u8]| vec![value(kind, data, Ttl::DAY); 100];
        match read(&many(HS_SITE, &site(1)), Scope::Handles) {
            Some((Delegation::Sites(service), _)) => assert_eq!(service.sites.len(), SITES),
            other => panic!("{other:?}"),
        }
        match read(&many(HS_SERV, b"1/a"), Scope::Handles) {
            Some((Delegation::Handles(handles), _)) => assert_eq!(handles.len(), SERVICE_HANDLES),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_smallest_time_to_live_counts() {
        assert_eq!(seconds_left(Ttl::Relative(86_400), NOW), 86_400);
        assert_eq!(seconds_left(Ttl::Relative(-1), NOW), 0);
        assert_eq!(seconds_left(Ttl::Absolute(1_005), NOW), 5);
        assert_eq!(seconds_left(Ttl::Absolute(999), NOW), 0);
        assert_eq!(seconds_left(Ttl::Absolute(-5), NOW), 0);
        assert_eq!(seconds_left(Ttl::Other { kind: 2, value: 100 }, NOW), 0);
        let values = [value(HS_SITE, &site(1), Ttl::Relative(9)), value(HS_SITE, &site(2), Ttl::Absolute(1_004))];
        assert_eq!(read(&values, Scope::Handles).unwrap().1, 4);
    }
}
