//! Which values a request asks for by type.

/// Tells whether a value of type `actual` is asked for by `requested`.
///
/// Types compare without regard to ASCII case. A requested type that ends in a dot also means all sub-types: `URL.`
/// matches `URL` and `URL.ALT`, not `URLX`. An empty type and a lone dot match nothing.
#[must_use]
pub fn type_matches(requested: &[u8], actual: &[u8]) -> bool {
    match requested.split_last() {
        None => false,
        Some((b'.', [])) => false,
        Some((b'.', family)) => is_in_family(family, actual),
        Some(_) => requested.eq_ignore_ascii_case(actual),
    }
}

/// Tells whether values of this type name administrators: `HS_ADMIN` and its sub-types.
#[must_use]
pub fn is_admin_type(kind: &[u8]) -> bool {
    is_in_family(b"HS_ADMIN", kind)
}

/// Tells whether `kind` is `family` or begins with it and a dot.
fn is_in_family(family: &[u8], kind: &[u8]) -> bool {
    match kind.split_at_checked(family.len()) {
        Some((front, rest)) => front.eq_ignore_ascii_case(family) && matches!(rest.first(), None | Some(b'.')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_types_without_case() {
        assert!(type_matches(b"url", b"URL"));
        assert!(type_matches(b"HS_Site", b"HS_SITE"));
        assert!(!type_matches(b"URL", b"URL.ALT"));
        assert!(!type_matches("é".as_bytes(), "É".as_bytes()));
    }

    #[test]
    fn a_final_dot_asks_for_the_family() {
        assert!(type_matches(b"URL.", b"URL"));
        assert!(type_matches(b"url.", b"Url.Alt"));
        assert!(type_matches(b"URL.", b"URL."));
        assert!(type_matches(b"URL.ALT.", b"URL.ALT.2"));
        assert!(!type_matches(b"URL.", b"URLX"));
        assert!(!type_matches(b"URL.", b"UR"));
    }

    #[test]
    fn nothing_asks_for_nothing() {
        assert!(!type_matches(b"", b"URL"));
        assert!(!type_matches(b"", b""));
        assert!(!type_matches(b".", b"URL"));
        assert!(!type_matches(b".", b""));
        assert!(!type_matches(b".", b".x"));
    }

    #[test]
    fn admin_values_are_hs_admin_and_below() {
        assert!(is_admin_type(b"HS_ADMIN") && is_admin_type(b"hs_admin.extra"));
        assert!(!is_admin_type(b"HS_ADMINX") && !is_admin_type(b"HS_ADMI"));
    }
}
