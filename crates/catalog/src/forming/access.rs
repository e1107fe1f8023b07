//! Principals and tokens in a group being formed.

use std::sync::Arc;

use waymark_store::{EntryKind, Serial, Store};

use super::{ENTRY_FRAME_BYTES, Forming, Terms};
use crate::access::Token;
use crate::access::change::{AccessChange, AccessDecision, decide_access};
use crate::access::permit::Permit;
use crate::actor::Actor;
use crate::command::{Command, Outcome, Receipt, Refusal};
use crate::config::AccessLimits;
use crate::overlay::Previous;
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
                let mut serials = changes.into_iter().map(|change| self.draft_access(change, actor, terms.store));
                let first = serials.next().unwrap_or(Serial::NONE);
                serials.for_each(drop);
                Ok(self.plain_receipt(first, outcome))
            }
        }
    }

    pub(super) fn draft_access(&mut self, change: AccessChange, actor: &Arc<str>, store: &dyn Store) -> Serial {
        let (kind, key, body) = match &change {
            AccessChange::PutPrincipal(principal, by) => {
                (EntryKind::PUT, ReservedKey::Principal((*principal.name).into()), principal.to_body(*by))
            }
            AccessChange::RemovePrincipal(name) => {
                (EntryKind::DELETE, ReservedKey::Principal((**name).into()), Vec::new())
            }
            AccessChange::PutToken(token) => (EntryKind::PUT, ReservedKey::Token(token.id), token.to_body()),
            AccessChange::RemoveToken(id) => (EntryKind::DELETE, ReservedKey::Token(*id), Vec::new()),
        };
        let live = match &key {
            ReservedKey::Principal(name) => self.access.principal_entry(name),
            ReservedKey::Token(id) => self.access.token_entry(*id),
            _ => None,
        };
        let key = key.to_bytes();
        let previous = live.map_or_else(|| self.deletion_of(&key, store), |(serial, _)| serial.into());
        let (_, serial) = self.draft(kind, key, previous, body, actor);
        Arc::make_mut(&mut self.access).apply(change, (serial, self.time));
        self.access_changed = true;
        serial
    }

    /// The deletion of a principal that is made again, so that its history does not break. One the disk does not give is left out.
    fn deletion_of(&self, key: &[u8], store: &dyn Store) -> Previous {
        let here = self.entries().filter(|(_, draft)| draft.key == key).last().map(|(serial, _)| serial);
        let stored = || store.read(store.find(key).ok()??, &mut Vec::new()).ok().map(|entry| entry.serial);
        let serial = here.or_else(stored).unwrap_or(Serial::NONE);
        Previous { serial, is_deletion: serial.is_some() }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use waymark_ident::CaseRule;
    use waymark_store::{MemoryStore, Timestamp};

    use super::*;
    use crate::access::{Principal, Role, Scope, TokenId, TokenText, Verb};
    use crate::actor::{Door, Origin, Proof};
    use crate::command::{PutMode, Submission, Timestamps};
    use crate::config::{RangeLimits, RecordLimits, RequestLimits};
    use crate::forming::{Marks, Tables};
    use crate::locate::Locator;
    use crate::overlay::Draft;
    use crate::prefixes::{HomeName, Prefixes};
    use crate::requests::Requests;
    use crate::usage::Usage;
    use crate::values::ValueSet;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    /// As long as it can be, and longer where JSON escapes it.
    fn wide() -> Scope {
        let texts: Vec<String> = (0..256).map(|n| format!("{n}{}", "\"".repeat(250))).collect();
        Scope::parse(texts.iter().map(String::as_str)).unwrap()
    }

    fn principal(name: u8, scope: Scope) -> Principal {
        Principal {
            name: name.to_string().into(),
            role: Role::Writer,
            scope,
            disabled: false,
            rate_per_second: Some(u32::MAX),
            daily_quota: Some(u64::MAX),
            certificates: vec![[name; 32]; 16],
            note: "\"".repeat(200),
        }
    }

    fn token(id: u8, principal: u8, is_wide: bool) -> Token {
        let text = TokenText::generate().unwrap();
        let verbs = Some([Verb::Create, Verb::Modify, Verb::Delete].into_iter().collect());
        let note = "\\".repeat(200);
        let token = Token::new(&text, &principal.to_string(), NOW, Duration::from_secs(9));
        Token { id: TokenId([id; 8]), scope: is_wide.then(wide), verbs, note, ..token }
    }

    fn command() -> impl Strategy<Value = Command> {
        let name = 0_u8..3;
        prop_oneof![
            (name.clone(), any::<bool>()).prop_map(|(name, all)| Command::PutPrincipal {
                principal: principal(name, if all { Scope::All } else { wide() })
            }),
            name.clone().prop_map(|name| Command::RemovePrincipal { name: name.to_string() }),
            (0_u8..40, name, any::<bool>())
                .prop_map(|(id, name, is_wide)| Command::IssueToken { token: token(id, name, is_wide) }),
            (0_u8..40).prop_map(|id| Command::RevokeToken { id: TokenId([id; 8]), reason: "\"".repeat(1_024) }),
        ]
    }

    /// A group that submissions of several actors go into.
    struct Desk {
        store: Arc<dyn Store>,
        locator: Locator,
        marks: Marks,
        limits: AccessLimits,
        usage: Usage,
        requests: Requests,
        forming: Forming,
    }

    impl Desk {
        fn new() -> Self {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::for_tests());
            let index = waymark_index::Options {
                hash_key: waymark_index::HashKey::new([1; 16]),
                resident_budget_bytes: 0,
                expected_entries: 0,
            };
            let mut prefixes = Prefixes::default();
            prefixes.insert(HomeName::parse(b"88.1").unwrap(), Serial(1));
            let tables = Tables {
                prefixes: Arc::new(prefixes),
                access: Arc::default(),
                ranges: Arc::default(),
                templates: Arc::default(),
                business: Arc::default(),
            };
            Self {
                locator: Locator::new(Arc::clone(&store), waymark_index::new(index).1.reader()),
                marks: Marks::new(Arc::clone(&store)),
                limits: AccessLimits { finished_tokens: 2, ..AccessLimits::DEFAULT },
                usage: Usage::default(),
                requests: Requests::new(RequestLimits::DEFAULT),
                forming: Forming::new(Serial(1), NOW, tables),
                store,
            }
        }

        fn ask(&mut self, actor: &Actor, commands: Vec<Command>) -> Option<Vec<Result<Outcome, Refusal>>> {
            let codes = crate::business::CodeTables::shipped();
            let terms = Terms {
                business: &crate::config::BusinessLimits::DEFAULT,
                codes: &codes,
                rule: CaseRule::Insensitive,
                limits: &RecordLimits::DEFAULT,
                access: &self.limits,
                ranges: &RangeLimits::DEFAULT,
                usage: &self.usage,
                requests: &self.requests,
                store: self.store.as_ref(),
            };
            let submission = Submission::new(actor, commands);
            let results = self.forming.decide(&submission, terms, &mut self.locator, &mut self.marks).ok()?;
            Some(results.into_iter().map(|result| result.map(|receipt| receipt.outcome)).collect())
        }
    }

    fn actor(name: u8, proof: Proof) -> Actor {
        Actor::principal(&name.to_string(), proof, Origin { door: Door::Grpc, source: None })
    }

    fn create(handle: &str) -> Command {
        let (values, timestamps) = (ValueSet::default(), Timestamps::Now);
        Command::Put { handle: handle.into(), values, timestamps, mode: PutMode::Create }
    }

    #[test]
    fn a_revocation_holds_for_submissions_behind_it_in_the_same_group() {
        let mut desk = Desk::new();
        let issued = token(1, 7, false);
        let put = Command::PutPrincipal { principal: principal(7, Scope::All) };
        let holder = actor(7, Proof::Token(issued.id));
        let operator = Actor::operator();
        let revoke = Command::RevokeToken { id: issued.id, reason: String::new() };
        let setup = desk.ask(&operator, vec![put, Command::IssueToken { token: issued }]).unwrap();
        assert_eq!(setup, [Ok(Outcome::Stored), Ok(Outcome::Stored)]);
        assert_eq!(desk.ask(&holder, vec![create("88.1/a")]).unwrap(), [Ok(Outcome::Created)]);
        assert_eq!(desk.ask(&operator, vec![revoke]).unwrap(), [Ok(Outcome::Stored)]);
        assert_eq!(desk.ask(&holder, vec![create("88.1/b")]).unwrap(), [Err(Refusal::NotPermitted)]);
    }

    #[test]
    fn a_quota_is_shared_by_all_submissions_of_a_group() {
        let mut desk = Desk::new();
        let limited = Principal { daily_quota: Some(3), ..principal(7, Scope::All) };
        desk.ask(&Actor::operator(), vec![Command::PutPrincipal { principal: limited }]).unwrap();
        let (job, certificate) = (actor(7, Proof::Job), actor(7, Proof::Certificate([7; 32])));
        let created = || Ok(Outcome::Created);
        assert_eq!(desk.ask(&job, vec![create("88.1/a"), create("88.1/b")]).unwrap(), [created(), created()]);
        let over = Err(Refusal::QuotaExceeded { quota: 3, until: Timestamp(1_800_028_800_000) });
        let rest = desk.ask(&certificate, vec![create("88.1/c"), create("88.1/d")]).unwrap();
        assert_eq!(rest, [created(), over]);
        assert_eq!(desk.forming.written().values().sum::<u64>(), 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn entries_never_take_more_than_was_counted_for_them(
            submissions in proptest::collection::vec(proptest::collection::vec(command(), 1..12), 1..12),
        ) {
            let mut desk = Desk::new();
            for commands in submissions {
                if desk.ask(&Actor::operator(), commands).is_none() {
                    break;
                }
                let drafted = |(_, draft): (Serial, &Draft)| {
                    ENTRY_FRAME_BYTES + "operator".len() + draft.key.len() + draft.body.len()
                };
                let (bytes, counted): (usize, usize) = (desk.forming.entries().map(drafted).sum(), desk.forming.bytes());
                prop_assert!(bytes <= counted, "{bytes} > {counted}");
            }
        }
    }
}
