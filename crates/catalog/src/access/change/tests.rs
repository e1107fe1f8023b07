use std::time::Duration;

use super::*;
use crate::access::permit::authorize;
use crate::access::{Role, TokenText, Verb};
use crate::actor::Actor;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

/// A table that commands change, each by an entry of its own.
struct Desk {
    access: Access,
    limits: AccessLimits,
    now: Timestamp,
    serial: u64,
}

impl Desk {
    fn new() -> Self {
        let mut desk = Self { access: Access::default(), limits: AccessLimits::DEFAULT, now: NOW, serial: 0 };
        desk.ask(&put(principal("acme"))).unwrap();
        desk
    }

    /// The outcome and the number of entries.
    fn ask(&mut self, command: &Command) -> Result<(Outcome, usize), Refusal> {
        let permit = authorize(&Actor::operator(), command, &self.access, self.now)?;
        match decide_access(permit, command, &self.access, &self.limits, self.now)? {
            AccessDecision::Keep(entry) => {
                assert!(entry.0.is_some() && entry.1 <= self.now);
                Ok((Outcome::Same, 0))
            }
            AccessDecision::Change(changes, outcome) => {
                let count = changes.len();
                for change in changes {
                    self.serial += 1;
                    self.access.apply(change, (Serial(self.serial), self.now));
                }
                Ok((outcome, count))
            }
        }
    }

    fn refuses(&mut self, command: &Command, field: &str) {
        match self.ask(command) {
            Err(Refusal::InvalidAccess { field: found, .. }) => assert_eq!(found, field, "{command:?}"),
            other => panic!("{other:?} for {command:?}"),
        }
    }
}

fn principal(name: &str) -> Principal {
    Principal {
        name: name.into(),
        role: Role::Writer,
        scope: Scope::parse(["88.990"]).unwrap(),
        disabled: false,
        rate_per_second: None,
        daily_quota: None,
        certificates: Vec::new(),
        note: String::new(),
    }
}

fn token() -> Token {
    Token::new(&TokenText::generate().unwrap(), "acme", NOW, DAY)
}

fn put(principal: Principal) -> Command {
    Command::PutPrincipal { principal }
}

fn issue(token: Token) -> Command {
    Command::IssueToken { token }
}

fn remove(name: &str) -> Command {
    Command::RemovePrincipal { name: name.into() }
}

fn revoke(id: TokenId, reason: &str) -> Command {
    Command::RevokeToken { id, reason: reason.into() }
}

#[test]
fn a_principal_is_stored_kept_changed_and_removed() {
    let mut desk = Desk::new();
    let certificates = vec![[2; 32], [1; 32], [2; 32]];
    assert_eq!(desk.ask(&put(principal("acme"))), Ok((Outcome::Same, 0)));
    let changed = Principal { certificates, ..principal("acme") };
    assert_eq!(desk.ask(&put(changed.clone())), Ok((Outcome::Stored, 1)));
    assert_eq!(desk.ask(&put(changed)), Ok((Outcome::Same, 0)), "whatever the order of certificates");
    assert_eq!(desk.access.principal("acme").unwrap().certificates, [[1; 32], [2; 32]]);
    assert_eq!(desk.ask(&remove("acme")), Ok((Outcome::Deleted, 1)));
    assert_eq!(desk.ask(&remove("acme")), Err(Refusal::NotFound));
    assert!(desk.access.check_certificate(&[1; 32]).is_err());
}

#[test]
fn names_are_held_to_their_form() {
    let mut desk = Desk::new();
    for name in ["a", "Line-3.plant_2@acme", &"x".repeat(64)] {
        assert_eq!(desk.ask(&put(principal(name))), Ok((Outcome::Stored, 1)), "{name}");
    }
    for name in ["", &"x".repeat(65), "a b", "a/b", "a:b", "工业", "a\u{0}", "import"] {
        desk.refuses(&put(principal(name)), "name");
    }
}

#[test]
fn every_limit_of_a_principal_holds_at_its_edge() {
    let mut desk = Desk::new();
    desk.limits = AccessLimits { principals: 2, prefixes: 2, certificates: 1, ..AccessLimits::DEFAULT };
    let scope = |texts: &[&str]| Scope::parse(texts.iter().copied()).unwrap();
    let acme = || principal("acme");
    for (fits, refused, field) in [
        (
            Principal { scope: scope(&["1", "2"]), ..acme() },
            Principal { scope: scope(&["1", "2", "3"]), ..acme() },
            "prefixes",
        ),
        (
            Principal { scope: scope(&[&"8".repeat(255)]), ..acme() },
            Principal { scope: scope(&[&"8".repeat(256)]), ..acme() },
            "prefixes",
        ),
        (
            Principal { certificates: vec![[1; 32], [1; 32]], ..acme() },
            Principal { certificates: vec![[1; 32], [2; 32]], ..acme() },
            "certificates",
        ),
        (Principal { note: "n".repeat(200), ..acme() }, Principal { note: "n".repeat(201), ..acme() }, "note"),
        (Principal { note: "a b".into(), ..acme() }, Principal { note: "a\nb".into(), ..acme() }, "note"),
        (Principal { rate_per_second: Some(1), ..acme() }, Principal { rate_per_second: Some(0), ..acme() }, "rate"),
        (principal("second"), principal("third"), "name"),
    ] {
        assert_eq!(desk.ask(&put(fits)), Ok((Outcome::Stored, 1)));
        desk.refuses(&put(refused), field);
    }
}

#[test]
fn a_certificate_belongs_to_one_principal() {
    let mut desk = Desk::new();
    let with = |name: &str| Principal { certificates: vec![[1; 32]], ..principal(name) };
    desk.ask(&put(with("acme"))).unwrap();
    desk.refuses(&put(with("rival")), "certificates");
    desk.ask(&put(principal("acme"))).unwrap();
    assert_eq!(desk.ask(&put(with("rival"))), Ok((Outcome::Stored, 1)));
    assert_eq!(&*desk.access.check_certificate(&[1; 32]).unwrap().principal.name, "rival");
}

#[test]
fn a_token_is_issued_revoked_and_still_known() {
    let mut desk = Desk::new();
    let text = TokenText::generate().unwrap();
    assert_eq!(desk.ask(&issue(Token::new(&text, "acme", NOW, DAY))), Ok((Outcome::Stored, 1)));
    assert!(desk.access.check_token(&text, NOW).is_ok());
    desk.now = Timestamp(NOW.0 + 5);
    assert_eq!(desk.ask(&revoke(text.id(), "lost")), Ok((Outcome::Stored, 1)));
    let stored = desk.access.token(text.id()).unwrap();
    assert_eq!((stored.revoked, stored.revoke_reason.as_str()), (Some(desk.now), "lost"));
    assert_eq!(desk.access.check_token(&text, NOW), Err(crate::access::Denied::Revoked));
    assert_eq!(desk.ask(&revoke(text.id(), "again")), Ok((Outcome::Same, 0)));
    assert_eq!(desk.access.token(text.id()).unwrap().revoke_reason, "lost");
    assert_eq!(desk.ask(&revoke(TokenId([9; 8]), "")), Err(Refusal::NotFound));
}

#[test]
fn what_a_token_may_not_be_is_refused_field_by_field() {
    let mut desk = Desk::new();
    let life = |days: u32| Timestamp(NOW.0 + u64::from(days) * 86_400_000);
    desk.ask(&issue(Token { expires: life(400), ..token() })).unwrap();
    desk.ask(&issue(Token { expires: Timestamp(NOW.0 + 1), ..token() })).unwrap();
    let taken = token();
    desk.ask(&issue(taken.clone())).unwrap();
    let all = Some(Verb::ALL.into_iter().collect());
    let many: Vec<String> = (0..300).map(|n| format!("88.990.{n}")).collect();
    for (wrong, field) in [
        (Token { principal: "nobody".into(), ..token() }, "principal"),
        (Token { expires: Timestamp(life(400).0 + 1), ..token() }, "expires"),
        (Token { expires: NOW, ..token() }, "expires"),
        (Token { created: Timestamp(NOW.0 + TOKEN_AHEAD_MS + 1), ..token() }, "created"),
        (Token { id: taken.id, ..token() }, "id"),
        (Token { scope: Some(Scope::All), ..token() }, "token"),
        (Token { scope: Some(Scope::parse(["88.991"]).unwrap()), ..token() }, "token"),
        (Token { scope: Some(Scope::parse(many.iter().map(String::as_str)).unwrap()), ..token() }, "prefixes"),
        (Token { verbs: all, ..token() }, "token"),
        (Token { revoked: Some(NOW), ..token() }, "token"),
        (Token { note: "n".repeat(201), ..token() }, "note"),
    ] {
        desk.refuses(&issue(wrong), field);
    }
    desk.refuses(&revoke(taken.id, &"r".repeat(1_025)), "reason");
    desk.refuses(&revoke(taken.id, "a\u{7f}"), "reason");
    assert_eq!(desk.ask(&revoke(taken.id, &"r".repeat(1_024))), Ok((Outcome::Stored, 1)));
}

#[test]
fn tokens_of_a_removed_principal_do_not_work_for_the_next_of_its_name() {
    let mut desk = Desk::new();
    let (used, ended) = (TokenText::generate().unwrap(), TokenText::generate().unwrap());
    desk.ask(&issue(Token::new(&used, "acme", NOW, DAY))).unwrap();
    desk.ask(&issue(Token::new(&ended, "acme", NOW, DAY))).unwrap();
    desk.ask(&revoke(ended.id(), "lost")).unwrap();
    assert_eq!(desk.ask(&remove("acme")), Ok((Outcome::Deleted, 2)));
    desk.ask(&put(principal("acme"))).unwrap();
    assert!(desk.access.check_token(&used, NOW).is_err());
    assert_eq!(desk.access.token(used.id()).unwrap().revoke_reason, "principal removed");
    assert_eq!(desk.access.token(ended.id()).unwrap().revoke_reason, "lost");
}

#[test]
fn a_token_made_while_its_group_was_formed_is_taken() {
    let mut desk = Desk::new();
    let created = Timestamp(NOW.0 + 5);
    let longest = Timestamp(created.0 + desk.limits.token_lifetime_ms());
    let ahead = Token { created, expires: longest, ..token() };
    assert_eq!(desk.ask(&issue(ahead)), Ok((Outcome::Stored, 1)));
    desk.refuses(&issue(Token { created, expires: Timestamp(longest.0 + 1), ..token() }), "expires");
}

#[test]
fn a_principal_has_only_so_many_tokens_and_the_oldest_finished_are_forgotten() {
    let mut desk = Desk::new();
    desk.limits = AccessLimits { tokens: 2, finished_tokens: 2, ..AccessLimits::DEFAULT };
    let mut finished = Vec::new();
    for _ in 0..3 {
        let token = token();
        desk.now = Timestamp(desk.now.0 + 1);
        desk.ask(&issue(token.clone())).unwrap();
        desk.ask(&revoke(token.id, "done")).unwrap();
        finished.push(token.id);
    }
    assert_eq!(desk.ask(&issue(token())), Ok((Outcome::Stored, 2)), "one is forgotten");
    assert!(desk.access.token(finished[0]).is_none() && desk.access.token(finished[1]).is_some());
    assert_eq!(desk.ask(&issue(token())), Ok((Outcome::Stored, 1)));
    desk.refuses(&issue(token()), "principal");
    desk.now = Timestamp(desk.now.0 + 86_400_000);
    let later = Token { expires: Timestamp(desk.now.0 + 1), ..token() };
    assert_eq!(desk.ask(&issue(later)), Ok((Outcome::Stored, 3)), "two have expired");
    assert_eq!(desk.access.tokens_of("acme").count(), 3);
}
