//! What is asked upstream.

use waymark_wire::request::RequestWriter;
use waymark_wire::{Head, OpFlags};

use super::delegation::DELEGATION_TYPES;
use super::search::{Search, Wanted};
use super::{Asked, REQUEST_ID};
use crate::config::REQUEST_EXPIRY_SECONDS;
use crate::knowledge::Now;

/// The question of the search on top, for the server itself: no recursion is asked for, since the next step is ours to choose, and
/// referrals are always welcome, since they tell an absent name from one that lives elsewhere. What the client said of referrals is
/// applied to what comes back.
pub(super) fn request(asked: &Asked, search: &Search, now: Now) -> Vec<u8> {
    let expiration = now.unix_seconds.saturating_add(REQUEST_EXPIRY_SECONDS);
    let identity = asked.identity.as_deref().filter(|_| search.is_question());
    let mut head = Head::request(REQUEST_ID, flags(asked, search, identity.is_some()), expiration);
    head.header.recursion_count = asked.recursion_count.saturating_add(1);
    let own_types: Vec<&[u8]> = asked.types.iter().map(AsRef::as_ref).collect();
    let (indexes, types): (&[u32], &[&[u8]]) = match search.wanted {
        Wanted::Whole if identity.is_none() => (&[], &[]),
        _ if search.is_question() => (&asked.indexes, &own_types),
        _ => (&[], &DELEGATION_TYPES),
    };
    RequestWriter::new(Vec::new(), head).resolution(search.name(), indexes, types, identity)
}

/// Only what everybody may read is asked for, unless the server is to decide by the identity passed on. A certified answer must carry the
/// digest of the request: it then cannot be the answer to another one. Streams are to stay open for the next question; in datagrams that
/// says nothing.
fn flags(asked: &Asked, search: &Search, passes_identity: bool) -> OpFlags {
    let when = |is_set: bool, flags| if is_set { flags } else { OpFlags::NONE };
    when(!passes_identity || asked.public_only, OpFlags::PUBL)
        .with(when(passes_identity, OpFlags::IDENTITY_TOKEN))
        .with(when(asked.authority && search.is_question(), OpFlags::AUTH))
        .with(when(asked.certified, OpFlags::CERT.with(OpFlags::RRDG)))
        .with(OpFlags::KPAL)
}
