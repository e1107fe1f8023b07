//! Data formats of the predefined value types (RFC 3651 section 3.2).
//!
//! Each format parses borrowed and strictly (nothing may be left behind the last field) and encodes to the same bytes again.
//! Types not listed here hold text or bytes only their users understand.

mod admin;
mod list;
mod permissions;
mod service;
mod site;
mod site_buf;
mod value_list;

pub use admin::AdminRecord;
pub use list::{Items, List, ListItem};
pub use permissions::{AdminPermissions, PermissionTextError};
pub use service::{alias_target, service_handle};
pub use site::{Address, Attribute, Interface, InterfaceKind, InterfaceProtocol, Server, Site, SiteFlags};
pub use site_buf::{ServerBuf, SiteBuf};
pub use value_list::ValueList;

/// Who may administer the handle; see [`AdminRecord`].
pub const HS_ADMIN: &[u8] = b"HS_ADMIN";
/// A list of references, a group of administrators for instance; see [`ValueList`].
pub const HS_VLIST: &[u8] = b"HS_VLIST";
/// A site of the service that resolves the handles of a prefix; see [`Site`].
pub const HS_SITE: &[u8] = b"HS_SITE";
/// A site of the service for prefixes derived from this one; see [`Site`].
pub const HS_SITE_PREFIX: &[u8] = b"HS_SITE.PREFIX";
/// An HS_SITE for clients that speak IPv6; see [`Site`].
pub const HS_SITE_6: &[u8] = b"HS_SITE.6";
/// The older name of HS_SITE.PREFIX.
pub const HS_NA_DELEGATE: &[u8] = b"HS_NA_DELEGATE";
/// The handle of the service that resolves the handles of a prefix; see [`service_handle`].
pub const HS_SERV: &[u8] = b"HS_SERV";
/// The handle of the service for prefixes derived from this one; see [`service_handle`].
pub const HS_SERV_PREFIX: &[u8] = b"HS_SERV.PREFIX";
/// The handle this one stands for; see [`alias_target`].
pub const HS_ALIAS: &[u8] = b"HS_ALIAS";
/// A public key.
pub const HS_PUBKEY: &[u8] = b"HS_PUBKEY";
/// A secret shared with the server.
pub const HS_SECKEY: &[u8] = b"HS_SECKEY";
/// XML text about a prefix.
pub const HS_NAMESPACE: &[u8] = b"HS_NAMESPACE";
/// A certificate, as compact JWS text.
pub const HS_CERT: &[u8] = b"HS_CERT";
/// A signature over other values, as compact JWS text.
pub const HS_SIGNATURE: &[u8] = b"HS_SIGNATURE";
/// A web address.
pub const URL: &[u8] = b"URL";
/// An electronic mail address.
pub const EMAIL: &[u8] = b"EMAIL";
/// A description for people.
pub const DESC: &[u8] = b"DESC";

/// Whether values of this type say which site or service resolves the handles of a prefix.
#[must_use]
pub fn is_service_type(kind: &[u8]) -> bool {
    is_one_of(kind, &[HS_SITE, HS_SITE_6, HS_SERV])
}

/// Whether values of this type say which site or service resolves prefixes derived from this one.
#[must_use]
pub fn is_prefix_delegation_type(kind: &[u8]) -> bool {
    is_one_of(kind, &[HS_SITE_PREFIX, HS_NA_DELEGATE, HS_SERV_PREFIX])
}

/// Whether values of this type hold a [`Site`].
#[must_use]
pub fn is_site_type(kind: &[u8]) -> bool {
    is_one_of(kind, &[HS_SITE, HS_SITE_6, HS_SITE_PREFIX, HS_NA_DELEGATE])
}

/// Type names compare without regard to ASCII case.
fn is_one_of(kind: &[u8], names: &[&[u8]]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_are_told_apart_without_regard_to_case() {
        assert!(is_site_type(b"hs_site.prefix") && is_site_type(b"HS_NA_DELEGATE") && !is_site_type(b"HS_SERV"));
        assert!(is_service_type(b"Hs_Serv") && is_service_type(HS_SITE_6) && !is_service_type(HS_SITE_PREFIX));
        assert!(is_prefix_delegation_type(b"hs_serv.prefix") && !is_prefix_delegation_type(HS_SITE));
        assert!(!is_site_type(b"HS_SITE.OTHER") && !is_site_type(b"HS_SIT"));
    }
}
