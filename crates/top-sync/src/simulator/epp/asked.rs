//! Which command came, before anything in it is believed.

use sha2::{Digest as _, Sha256};

use super::fault::Kind;
use super::fields::Wrong;
use crate::epp::message::xml::Element;

/// Namespace of enterprises.
pub(super) const ENT: &str = "urn:ietf:params:xml:ns:idis-ent-1.0";

/// Namespace of prefixes.
pub(super) const PREFIX: &str = "urn:ietf:params:xml:ns:idis-entprefix-1.0";

/// Namespace of EPP.
pub(super) const EPP: &str = "urn:ietf:params:xml:ns:epp-1.0";

/// A command as far as it must be known before it is carried out.
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) object: Element,
    pub(super) body: [u8; 32],
}

impl Asked {
    /// Reads a command. What cannot be read has kind [`Kind::Other`], and the identifier as far as there is one.
    pub(super) fn read(body: &[u8]) -> Result<Self, Wrong> {
        let wrong = |problem: &str| (2001, problem.to_owned());
        let root = Element::read(body, 4 << 20).map_err(|error| wrong(&error.to_string()))?;
        if (&*root.space, &*root.name) != (EPP, "epp") {
            return Err(wrong("not EPP"));
        }
        let command = root.child("command").ok_or_else(|| wrong("no command"))?;
        let id = command.child_text("clTRID").unwrap_or_default().to_owned();
        let verb = command.children.first().ok_or_else(|| wrong("no verb"))?;
        let object = verb.children.first();
        let of = |space: &str, name: &str| object.is_some_and(|it| (&*it.space, &*it.name) == (space, name));
        let chosen = |name: &str| object.and_then(|it| it.child(name)).cloned();
        let (kind, object) = match &*verb.name {
            "check" if of(ENT, "check") => (Kind::CheckEnterprise, object.cloned()),
            "check" if of(PREFIX, "check") => (Kind::CheckPrefix, object.cloned()),
            "create" if of(ENT, "create") => (Kind::CreateEnterprise, object.cloned()),
            "create" if of(PREFIX, "create") => (Kind::CreatePrefix, object.cloned()),
            "update" if of(ENT, "update") && chosen("chgAll").is_some() => (Kind::ReplaceEnterprise, chosen("chgAll")),
            "update" if of(ENT, "update") && chosen("chg").is_some() => (Kind::AmendEnterprise, chosen("chg")),
            "poll" if verb.attribute("op") == Some("req") => (Kind::Poll, Some(verb.clone())),
            "poll" if verb.attribute("op") == Some("ack") => (Kind::Acknowledge, Some(verb.clone())),
            _ => (Kind::Other, Some(verb.clone())),
        };
        Ok(Self { kind, id, object: object.unwrap_or_default(), body: Sha256::digest(body).into() })
    }
}
