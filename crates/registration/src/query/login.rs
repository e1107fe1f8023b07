//! Who asks, where he says so: a principal by Basic login (RFC 7617), its token as the password, or a token as over the other doors.

use axum::http::{HeaderMap, header};
use base64ct::{Base64, Encoding as _};
use waymark_catalog::Door;

use crate::door::Peer;
use crate::edge::Edge;
use crate::edge::caller::{Caller, Credentials};
use crate::failure::Failure;
use crate::http::request;
use crate::reasons::Language;

/// Bytes of a header that are looked at: more than any name and token have.
const LONGEST: usize = 1_024;

/// Says who asks; `None` for somebody who does not say so.
///
/// # Errors
/// He says so over a connection anybody can read, or it is not so.
pub(super) async fn caller(
    edge: &Edge,
    peer: &Peer,
    headers: &HeaderMap,
    language: Language,
    is_encrypted: bool,
) -> Result<Option<Caller>, Failure> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    if !is_encrypted {
        return Err(Failure::invalid_field("Authorization", "is taken over TLS alone: this connection can be read"));
    }
    // What is no text is a wrong credential like any other.
    let given = request::header(headers, header::AUTHORIZATION).unwrap_or_default();
    let basic = basic(given);
    let (authorization, user) = match &basic {
        Some((user, token)) => (format!("Bearer {token}"), Some(user.as_str())),
        None => (given.to_owned(), None),
    };
    let credentials =
        Credentials { authorization: Some(&authorization), user, language, peer: Some(peer), door: Door::Http };
    let caller = edge.caller(&credentials).await?;
    edge.within_rate(&caller, 1)?;
    Ok(Some(caller))
}

/// Name and password of a Basic login; `None` for another scheme, and empty ones where it cannot be read.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, coded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let coded = Some(coded.trim()).filter(|coded| coded.len() <= LONGEST);
    let text = coded.and_then(|coded| Base64::decode_vec(coded).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = text.as_deref().and_then(|text| text.split_once(':'));
    Some(pair.map_or_else(Default::default, |(user, token)| (user.to_owned(), token.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_login_is_a_name_and_a_token() {
        let read = |text: &str| basic(&format!("Basic {}", Base64::encode_string(text.as_bytes())));
        assert_eq!(read("acme:wm1_x"), Some(("acme".into(), "wm1_x".into())));
        assert_eq!(read("acme:a:b"), Some(("acme".into(), "a:b".into())));
        let nothing = Some((String::new(), String::new()));
        assert_eq!(read("acme"), nothing);
        for wrong in ["Basic", "Bearer YTpi"] {
            assert_eq!(basic(wrong), None, "{wrong}");
        }
        for wrong in ["Basic !!", "Basic //79", &format!("basic {}", "A".repeat(LONGEST + 4))] {
            assert_eq!(basic(wrong), nothing, "{wrong}");
        }
    }
}
