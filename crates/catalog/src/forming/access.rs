//! Principals and tokens in a group being formed.

use std::sync::Arc;

use waymark_store::{EntryKind, Serial};

use super::{ENTRY_FRAME_BYTES, Forming, Terms};
use crate::access::Token;
use crate::access::change::{AccessChange, AccessDecision, decide_access};
use crate::access::permit::Permit;
use crate::actor::Actor;
use crate::command::{Command, Outcome, Receipt, Refusal};
use crate::config::AccessLimits;
use crate::reserved::ReservedKey;

impl Forming {
    /// Decides a command on principals or tokens; commands behind it are decided by what it did.
    pub(super) fn change_access(
        &mut self,
        permit: Permit,
        command: &Command,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        match decide_access(permit, command, &self.access, terms.access, self.time)? {
            AccessDecision::Keep((serial, time)) => Ok(Receipt { time, ..self.plain_receipt(serial, Outcome::Same) }),
            AccessDecision::Change(changes, outcome) => {
                let mut serials = changes.into_iter().map(|change| self.draft_access(change, actor));
                let first = serials.next().unwrap_or(Serial::NONE);
                serials.for_each(drop);
                Ok(self.plain_receipt(first, outcome))
            }
        }
    }

    fn draft_access(&mut self, change: AccessChange, actor: &Arc<str>) -> Serial {
        let (kind, key, body) = match &change {
            AccessChange::PutPrincipal(principal) => {
                (EntryKind::PUT, ReservedKey::Principal((*principal.name).into()), principal.to_body())
            }
            AccessChange::RemovePrincipal(name) => {
                (EntryKind::DELETE, ReservedKey::Principal((**name).into()), Vec::new())
            }
            AccessChange::PutToken(token) => (EntryKind::PUT, ReservedKey::Token(token.id), token.to_body()),
            AccessChange::RemoveToken(id) => (EntryKind::DELETE, ReservedKey::Token(*id), Vec::new()),
        };
        let previous = match &key {
            ReservedKey::Principal(name) => self.access.principal_entry(name),
            ReservedKey::Token(id) => self.access.token_entry(*id),
            _ => None,
        };
        let previous = previous.map_or(Serial::NONE, |(serial, _)| serial);
        let (_, serial) = self.draft(kind, key.to_bytes(), previous, body, actor);
        Arc::make_mut(&mut self.access).apply(change, (serial, self.time));
        self.access_changed = true;
        serial
    }

    /// The most bytes the entries of a command about no record can take.
    ///
    /// A removed principal takes its tokens with it: those it has count here, and one issued earlier in the same submission counts twice where it
    /// is issued.
    pub(super) fn most_access_bytes(&self, command: &Command, actor: &Actor, limits: &AccessLimits) -> usize {
        let frame = ENTRY_FRAME_BYTES + actor.name().len() + KEY_BYTES;
        let revoked = |token: &Token| token.weight_bytes() + REASON_ROOM + frame;
        let body = match command {
            Command::IssueToken { token } => {
                let over = self.access.tokens_of(&token.principal).filter(|token| !token.is_live(self.time)).count();
                let forgotten = over.saturating_sub(limits.finished_tokens) + 1;
                revoked(token) + forgotten * frame
            }
            Command::RemovePrincipal { name } => self.access.tokens_of(name).map(|token| revoked(token)).sum(),
            Command::RevokeToken { id, reason } => {
                self.access.token(*id).map_or(0, |token| token.weight_bytes()) + reason.len()
            }
            _ => 0,
        };
        command.weight_bytes() + body + frame
    }
}

/// The longest key of a principal, token or homed prefix, generously.
const KEY_BYTES: usize = 256;

/// What the reason of a revocation that comes with another command takes.
const REASON_ROOM: usize = 64;
