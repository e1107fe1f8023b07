use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use waymark_ident::CaseRule;
use waymark_store::Serial;

use super::*;
use crate::access::TokenText;
use crate::actor::{Door, Origin};
use crate::command::{AddMode, Timestamps};
use crate::prefixes::{HomeName, key_of, prefix_of_key};
use crate::values::ValueSet;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const AT: (Serial, Timestamp) = (Serial(1), NOW);
const LIFE: Duration = Duration::from_secs(3600);

fn scope(texts: &[&str]) -> Scope {
    Scope::parse(texts.iter().copied()).unwrap()
}

fn principal(name: &str, role: Role, prefixes: &[&str]) -> Principal {
    Principal {
        name: name.into(),
        role,
        scope: scope(prefixes),
        disabled: false,
        rate_per_second: None,
        daily_quota: None,
        certificates: Vec::new(),
        note: String::new(),
    }
}

fn token(principal: &str) -> Token {
    Token::new(&TokenText::generate().unwrap(), principal, NOW, LIFE)
}

/// A table of these principals, and everybody's actor with a token that is not narrowed.
struct Node {
    access: Access,
}

impl Node {
    fn new(principals: &[Principal]) -> Self {
        let mut access = Access::default();
        for principal in principals {
            access.put_principal(principal.clone(), Disabler::Operator, AT);
        }
        Self { access }
    }

    /// One principal of every role under 88.990, another enterprise beside it, and an operator.
    fn usual() -> Self {
        Self::new(&[
            principal("root", Role::Operator, &["*"]),
            principal("reviewer", Role::Reviewer, &["88.990"]),
            principal("auditor", Role::Auditor, &["88.990"]),
            principal("admin", Role::EnterpriseAdministrator, &["88.990"]),
            principal("writer", Role::Writer, &["88.990"]),
            principal("reader", Role::Reader, &["88.990"]),
            principal("other-admin", Role::EnterpriseAdministrator, &["88.99", "20.500"]),
            principal("other-writer", Role::Writer, &["88.99"]),
        ])
    }

    fn holder(&mut self, token: Token) -> Actor {
        let actor = by(&token.principal, Proof::Token(token.id));
        self.access.put_token(token, AT);
        actor
    }

    fn of(&mut self, name: &str) -> Actor {
        self.holder(token(name))
    }

    fn may(&self, actor: &Actor, command: &Command) -> bool {
        match authorize(actor, command, &self.access, NOW) {
            Ok(_) => true,
            Err(Refusal::NotPermitted) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    fn name_may(&mut self, name: &str, command: &Command) -> bool {
        let actor = self.of(name);
        self.may(&actor, command)
    }
}

fn by(name: &str, proof: Proof) -> Actor {
    Actor::principal(name, proof, Origin { door: Door::Grpc, source: None })
}

fn put(handle: &str, mode: PutMode) -> Command {
    Command::Put { handle: handle.into(), values: ValueSet::default(), timestamps: Timestamps::Now, mode }
}

fn create(handle: &str) -> Command {
    put(handle, PutMode::Create)
}

fn put_principal(principal: Principal) -> Command {
    Command::PutPrincipal { principal }
}

fn remove_principal(name: &str) -> Command {
    Command::RemovePrincipal { name: name.into() }
}

fn issue(token: Token) -> Command {
    Command::IssueToken { token }
}

fn revoke_token(id: TokenId) -> Command {
    Command::RevokeToken { id, reason: String::new() }
}

/// Every command on a record or prefix, and the roles that may use it.
fn commands(handle: &str) -> Vec<(Command, &'static [Role])> {
    use Role::{EnterpriseAdministrator, Operator, Reviewer, Writer};
    const WRITERS: &[Role] = &[Operator, EnterpriseAdministrator, Writer];
    const HOLDERS: &[Role] = &[Operator, EnterpriseAdministrator, Reviewer];
    let values = ValueSet::default;
    let name = || HomeName::parse(b"88.990").unwrap();
    let handle = || handle.as_bytes().to_vec();
    let timestamps = Timestamps::Now;
    vec![
        (Command::Put { handle: handle(), values: values(), timestamps, mode: PutMode::Create }, WRITERS),
        (Command::Put { handle: handle(), values: values(), timestamps, mode: PutMode::CreateOrSame }, WRITERS),
        (Command::Put { handle: handle(), values: values(), timestamps, mode: PutMode::Replace }, WRITERS),
        (Command::AddValues { handle: handle(), values: values(), timestamps, mode: AddMode::New }, WRITERS),
        (Command::ModifyValues { handle: handle(), values: values(), timestamps }, WRITERS),
        (Command::RemoveValues { handle: handle(), indexes: vec![1] }, WRITERS),
        (Command::Delete { handle: handle() }, WRITERS),
        (Command::Suspend { handle: handle(), reason: String::new() }, HOLDERS),
        (Command::Resume { handle: handle() }, HOLDERS),
        (Command::Revoke { handle: handle(), reason: String::new() }, HOLDERS),
        (Command::Home { name: name() }, &[Operator]),
        (Command::Unhome { name: name() }, &[Operator]),
    ]
}

#[test]
fn every_role_may_use_its_commands_and_no_others() {
    for role in Role::ALL {
        let mut node = Node::new(&[principal("p", role, &["88.990"])]);
        for (command, allowed) in commands("88.990/x") {
            assert_eq!(node.name_may("p", &command), allowed.contains(&role), "{role} {command:?}");
        }
    }
}

#[test]
fn no_role_reaches_beyond_its_scope() {
    for role in Role::ALL {
        let mut node = Node::new(&[principal("p", role, &["88.99"])]);
        for (command, _) in commands("88.990/x") {
            assert!(!node.name_may("p", &command), "{role} {command:?}");
        }
    }
}

#[test]
fn a_token_narrows_to_its_verbs_command_by_command() {
    for (command, allowed) in commands("88.990/x") {
        let needed = verbs_of(&command);
        for verb in needed.iter() {
            let mut node = Node::new(&[principal("p", Role::Operator, &["*"])]);
            let without: Verbs = Verb::ALL.into_iter().filter(|other| *other != verb).collect();
            let lacking = node.holder(Token { verbs: Some(without), ..token("p") });
            let exact = node.holder(Token { verbs: Some(needed), ..token("p") });
            assert!(!node.may(&lacking, &command), "{verb} {command:?}");
            assert!(node.may(&exact, &command) && allowed.contains(&Role::Operator), "{verb} {command:?}");
        }
    }
}

#[test]
fn replacing_needs_the_right_to_create_too_since_it_may() {
    let mut node = Node::usual();
    let only = |verb: Verb| Token { verbs: Some([verb].into_iter().collect()), ..token("writer") };
    let (creator, modifier) = (node.holder(only(Verb::Create)), node.holder(only(Verb::Modify)));
    assert!(node.may(&creator, &create("88.990/x")) && !node.may(&modifier, &create("88.990/x")));
    let replace = put("88.990/x", PutMode::Replace);
    assert!(!node.may(&creator, &replace) && !node.may(&modifier, &replace));
}

#[test]
fn prefix_records_lie_in_the_scope_of_their_prefix() {
    let mut node = Node::usual();
    let within =
        ["88.990/x", "88.990.1/x", "88.990", "88.990.1", "0.NA/88.990", "0.na/88.990.1", "88.990/", "88.990/0.NA/88"];
    let beyond = [
        "88.99/x",
        "88.9901/x",
        "88/x",
        "88",
        "88.99",
        "88.9901",
        "0.NA/88",
        "0.NA/88.99",
        "0.NA/88.9901",
        "/88.990",
        "0.NA/88.990/x",
        "0.NA/88.990.x/y",
        "0.NA/0.NA/88.990",
        "0.NA/",
        "0.NA",
        "",
        "x/88.990",
        "0.NA/x/88.990",
    ];
    for handle in within {
        assert!(node.name_may("writer", &create(handle)), "{handle}");
    }
    for handle in beyond {
        assert!(!node.name_may("writer", &create(handle)), "{handle}");
    }
    let mut letters = Node::new(&[principal("p", Role::Writer, &["20.abc"])]);
    assert!(letters.name_may("p", &create("20.aBC.d/x")) && letters.name_may("p", &create("0.Na/20.ABc")));
}

#[test]
fn a_handle_that_is_too_long_is_judged_by_its_front() {
    let mut node = Node::usual();
    let long = |prefix: &str| create(&format!("{prefix}/{}", "x".repeat(5_000)));
    assert!(node.name_may("writer", &long("88.990")) && !node.name_may("writer", &long("88.99")));
}

#[test]
fn home_names_lie_in_the_scope_of_their_prefix() {
    let mut node = Node::new(&[principal("p", Role::Operator, &["88.990"])]);
    for (name, expected) in
        [("88.990", true), ("88.990.1", true), ("0.NA/0.NA/88.990", true), ("88", false), ("0.NA/0.NA/88", false)]
    {
        let command = Command::Home { name: HomeName::parse(name.as_bytes()).unwrap() };
        assert_eq!(node.name_may("p", &command), expected, "{name}");
    }
}

#[test]
fn only_a_sound_credential_gives_rights() {
    let mut node = Node::usual();
    let command = create("88.990/x");
    let sound = node.of("writer");
    assert!(node.may(&sound, &command));
    let expired = node.holder(Token { expires: NOW, ..token("writer") });
    let revoked = node.holder(Token { revoked: Some(NOW), ..token("writer") });
    let nobodys = node.holder(token("nobody"));
    let unknown = by("writer", Proof::Token(TokenId([9; 8])));
    let id = token("reader");
    let borrowed = by("writer", Proof::Token(id.id));
    node.holder(id);
    for actor in [expired, revoked, nobodys, unknown, borrowed] {
        assert!(!node.may(&actor, &command), "{actor:?}");
    }
    node.access.put_principal(
        Principal { disabled: true, ..principal("writer", Role::Writer, &["88.990"]) },
        Disabler::Operator,
        AT,
    );
    assert!(!node.may(&sound, &command) && !node.may(&by("writer", Proof::Job), &command));
    node.access.remove_principal("writer");
    assert!(!node.may(&sound, &command) && !node.may(&by("writer", Proof::Job), &command));
}

#[test]
fn a_certificate_counts_while_its_principal_lists_it() {
    let with = |certificates: Vec<[u8; 32]>| Principal { certificates, ..principal("p", Role::Writer, &["88.990"]) };
    let mut node = Node::new(&[with(vec![[1; 32], [2; 32]]), principal("q", Role::Writer, &["88.990"])]);
    let command = create("88.990/x");
    assert!(node.may(&by("p", Proof::Certificate([2; 32])), &command));
    assert!(!node.may(&by("p", Proof::Certificate([3; 32])), &command));
    assert!(!node.may(&by("q", Proof::Certificate([2; 32])), &command));
    node.access.put_principal(with(vec![[1; 32]]), Disabler::Operator, AT);
    assert!(!node.may(&by("p", Proof::Certificate([2; 32])), &command));
}

#[test]
fn jobs_have_the_rights_of_their_principal_local_actors_all_and_identities_none() {
    let node = Node::usual();
    assert!(node.may(&by("writer", Proof::Job), &create("88.990/x")));
    assert!(!node.may(&by("writer", Proof::Job), &create("88.99/x")));
    for (command, _) in commands("1/x") {
        assert!(node.may(&Actor::operator(), &command) && node.may(&Actor::import(), &command));
        assert!(!node.may(&Actor::identity("300:0.NA/88.990"), &command));
    }
    assert!(!node.may(&Actor::identity("root"), &create("88.990/x")));
    assert!(node.may(&Actor::operator(), &put_principal(principal("x", Role::Operator, &["*"]))));
}

#[test]
fn operators_manage_everybody() {
    let mut node = Node::usual();
    for role in Role::ALL {
        assert!(node.name_may("root", &put_principal(principal("new", role, &["*"]))));
    }
    for name in ["root", "admin", "other-writer", "nobody"] {
        assert!(node.name_may("root", &remove_principal(name)), "{name}");
        assert!(node.name_may("root", &issue(token(name))), "{name}");
    }
    assert!(node.name_may("root", &revoke_token(TokenId([7; 8]))));
}

#[test]
fn nobody_but_operators_and_enterprise_administrators_manages_anybody() {
    let mut node = Node::usual();
    let tokens = ["reviewer", "auditor", "writer", "reader"].map(|name| (name, token(name)));
    for (name, own) in tokens {
        node.holder(own.clone());
        let commands = [
            put_principal(principal("new", Role::Reader, &["88.990"])),
            put_principal(principal(name, Role::Reader, &["88.990"])),
            remove_principal("reader"),
            issue(token(name)),
            issue(token("reader")),
            revoke_token(own.id),
        ];
        for command in commands {
            assert!(!node.name_may(name, &command), "{name} {command:?}");
        }
    }
}

#[test]
fn an_enterprise_administrator_manages_writers_and_readers_within_its_scope() {
    let mut node = Node::usual();
    for (role, prefixes, expected) in [
        (Role::Writer, &["88.990"][..], true),
        (Role::Reader, &["88.990.1", "88.990.2"], true),
        (Role::Writer, &["88.990", "88.991"], false),
        (Role::Writer, &["88.99"], false),
        (Role::Writer, &["88.9901"], false),
        (Role::Writer, &["88"], false),
        (Role::Reader, &["*"], false),
        (Role::Writer, &[], false),
        (Role::EnterpriseAdministrator, &["88.990.1"], false),
        (Role::Operator, &["88.990"], false),
        (Role::Reviewer, &["88.990"], false),
        (Role::Auditor, &["88.990"], false),
    ] {
        let new = principal("new", role, prefixes);
        assert_eq!(node.name_may("admin", &put_principal(new.clone())), expected, "{role} {prefixes:?}");
        node.access.put_principal(new, Disabler::Operator, AT);
        assert_eq!(node.name_may("admin", &remove_principal("new")), expected, "{role} {prefixes:?}");
        assert_eq!(node.name_may("admin", &issue(token("new"))), expected, "{role} {prefixes:?}");
        let held = token("new");
        node.holder(held.clone());
        assert_eq!(node.name_may("admin", &revoke_token(held.id)), expected, "{role} {prefixes:?}");
        node.access.remove_principal("new");
    }
}

#[test]
fn an_enterprise_administrator_cannot_take_over_a_stronger_or_foreign_principal() {
    let mut node = Node::usual();
    // Harmless as they would be afterwards, it is what they are before that counts.
    for name in ["root", "admin", "reviewer", "auditor", "other-admin", "other-writer"] {
        let weak = put_principal(principal(name, Role::Reader, &["88.990"]));
        assert!(!node.name_may("admin", &weak), "{name}");
        assert!(!node.name_may("admin", &remove_principal(name)), "{name}");
    }
    // The operator keeps a name for later: an empty scope is not up for grabs.
    node.access.put_principal(principal("later", Role::Writer, &[]), Disabler::Operator, AT);
    assert!(!node.name_may("admin", &put_principal(principal("later", Role::Writer, &["88.990"]))));
    assert!(!node.name_may("admin", &issue(token("later"))));
    assert!(!node.name_may("admin", &remove_principal("later")));
}

#[test]
fn an_enterprise_administrator_issues_no_token_for_anybody_elses_principal() {
    let mut node = Node::usual();
    for name in ["root", "reviewer", "auditor", "other-admin", "other-writer", "nobody"] {
        let narrow = Token { scope: Some(scope(&["88.990"])), ..token(name) };
        assert!(!node.name_may("admin", &issue(token(name))), "{name}");
        assert!(!node.name_may("admin", &issue(narrow)), "{name}");
        let held = token(name);
        node.holder(held.clone());
        assert!(!node.name_may("admin", &revoke_token(held.id)), "{name}");
    }
    assert!(!node.name_may("admin", &revoke_token(TokenId([7; 8]))), "unknown");
    assert!(!node.name_may("admin", &remove_principal("nobody")), "unknown");
}

#[test]
fn nobody_issues_a_token_wider_than_its_principal() {
    let mut node = Node::usual();
    let everything = Some(Verb::ALL.into_iter().collect());
    for name in ["admin", "writer"] {
        for wide in [
            Token { scope: Some(Scope::All), ..token(name) },
            Token { scope: Some(scope(&["88.990", "88.99"])), ..token(name) },
            Token { verbs: everything, ..token(name) },
        ] {
            assert!(!node.name_may("admin", &issue(wide)), "{name}");
        }
        assert!(node.name_may("admin", &issue(Token { scope: Some(scope(&["88.990.1"])), ..token(name) })), "{name}");
    }
}

#[test]
fn a_narrowed_credential_gives_no_more_than_it_has() {
    let mut node = Node::usual();
    let narrow = Some(scope(&["88.990.1"]));
    let managing = Some([Verb::ManageAccess, Verb::Read, Verb::List, Verb::Watch].into_iter().collect());
    let by_scope = node.holder(Token { scope: narrow.clone(), ..token("admin") });
    let by_verbs = node.holder(Token { verbs: managing, ..token("admin") });
    let wide_id = token("admin");
    node.holder(wide_id.clone());

    assert!(!node.may(&by_scope, &issue(token("admin"))));
    assert!(!node.may(&by_scope, &issue(token("writer"))), "writer of all 88.990");
    assert!(!node.may(&by_scope, &put_principal(principal("new", Role::Writer, &["88.990"]))));
    assert!(!node.may(&by_scope, &remove_principal("writer")));
    assert!(!node.may(&by_scope, &revoke_token(wide_id.id)));
    assert!(node.may(&by_scope, &issue(Token { scope: narrow.clone(), ..token("admin") })));
    assert!(!node.may(&by_scope, &issue(Token { scope: narrow, ..token("writer") })), "not its to manage");
    assert!(node.may(&by_scope, &put_principal(principal("new", Role::Writer, &["88.990.1"]))));

    assert!(!node.may(&by_verbs, &issue(token("admin"))));
    assert!(!node.may(&by_verbs, &issue(token("writer"))));
    assert!(!node.may(&by_verbs, &put_principal(principal("new", Role::Writer, &["88.990"]))));
    assert!(node.may(&by_verbs, &put_principal(principal("new", Role::Reader, &["88.990"]))));
    assert!(node.may(&by_verbs, &issue(token("reader"))));
    assert!(node.may(&by_verbs, &issue(Token { verbs: managing, ..token("admin") })));
}

#[test]
fn a_credential_as_wide_as_its_principal_today_issues_none_that_grows_with_it() {
    let mut node = Node::usual();
    let same = node.holder(Token { scope: Some(scope(&["88.990"])), ..token("admin") });
    assert!(!node.may(&same, &issue(token("admin"))));
    assert!(node.may(&same, &issue(Token { scope: Some(scope(&["88.990"])), ..token("admin") })));
}

#[test]
fn a_narrowed_operator_is_no_whole_operator() {
    let mut node = Node::usual();
    let narrow = node.holder(Token { scope: Some(scope(&["88.990"])), ..token("root") });
    assert!(!node.may(&narrow, &issue(token("root"))));
    assert!(!node.may(&narrow, &put_principal(principal("new", Role::Operator, &["*"]))));
    assert!(!node.may(&narrow, &put_principal(principal("other-admin", Role::Reader, &["88.990"]))));
    assert!(!node.may(&narrow, &remove_principal("root")));
    assert!(node.may(&narrow, &put_principal(principal("new", Role::EnterpriseAdministrator, &["88.990"]))));
    let managing = Some([Verb::ManageAccess].into_iter().collect());
    let bare = node.holder(Token { verbs: managing, ..token("root") });
    assert!(!node.may(&bare, &issue(token("root"))) && !node.may(&bare, &issue(token("writer"))));
}

#[test]
fn an_enterprise_administrator_gives_no_quota_or_rate_above_its_own() {
    let admin = |quota, rate| Principal {
        daily_quota: quota,
        rate_per_second: rate,
        ..principal("admin", Role::EnterpriseAdministrator, &["88.990"])
    };
    let child = |quota, rate| Principal {
        daily_quota: quota,
        rate_per_second: rate,
        ..principal("child", Role::Writer, &["88.990"])
    };
    let mut node = Node::new(&[admin(Some(100), Some(10))]);
    for (quota, rate, expected) in [
        (Some(100), Some(10), true),
        (Some(99), None, true),
        (Some(101), None, false),
        (None, None, false),
        (Some(1), Some(11), false),
    ] {
        assert_eq!(node.name_may("admin", &put_principal(child(quota, rate))), expected, "{quota:?} {rate:?}");
    }
    // What an operator gave may stay, and may be lowered.
    node.access.put_principal(child(Some(500), Some(50)), Disabler::Operator, AT);
    assert!(node.name_may("admin", &put_principal(child(Some(500), Some(50)))));
    assert!(node.name_may("admin", &put_principal(child(Some(400), Some(50)))));
    assert!(!node.name_may("admin", &put_principal(child(Some(501), Some(50)))));
    assert!(!node.name_may("admin", &put_principal(child(None, Some(50)))));
    assert!(!node.name_may("admin", &put_principal(child(Some(500), Some(51)))));
    let mut free = Node::new(&[admin(None, None)]);
    assert!(free.name_may("admin", &put_principal(child(None, None))));
    assert!(!free.name_may("admin", &put_principal(child(None, Some(1_000_000)))), "the configured rate is below");
}

#[test]
fn two_enterprises_with_prefixes_that_look_alike_do_not_meet() {
    let mut node = Node::usual();
    // other-admin has 88.99, admin has 88.990.
    assert!(!node.name_may("other-admin", &put_principal(principal("new", Role::Writer, &["88.990"]))));
    assert!(!node.name_may("other-admin", &issue(token("writer"))));
    assert!(!node.name_may("other-admin", &create("88.990/x")));
    assert!(!node.name_may("admin", &create("88.99/x")));
    assert!(node.name_may("other-admin", &create("88.99.0/x")));
}

proptest! {
    #[test]
    fn the_prefix_judged_is_that_of_the_record_written(
        parts in proptest::collection::vec("0\\.NA|0\\.na|88\\.9|a|/|\\.|[ -~]", 0..8),
    ) {
        let handle = parts.concat();
        let key = key_of(&Handle::new(handle.as_bytes()).unwrap(), CaseRule::Insensitive);
        let record_prefix = prefix_of_key(&key);
        let judged = prefix_of(handle.as_bytes());
        match key.strip_prefix(b"0.NA/") {
            Some(target) if !target.contains(&b'/') => prop_assert_eq!(judged, target),
            _ => prop_assert_eq!(judged, record_prefix),
        }
    }

    #[test]
    fn what_an_enterprise_administrator_can_make_stays_within_its_rights(
        own in proptest::collection::vec("88(\\.[0-2]){0,2}", 1..3),
        given in proptest::collection::vec("88(\\.[0-2]){0,3}", 0..3),
        role in proptest::sample::select(Role::ALL.to_vec()),
        asked in "88(\\.[0-2]){0,3}",
    ) {
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let mut node = Node::new(&[principal("admin", Role::EnterpriseAdministrator, &own)]);
        let child = principal("child", role, &given);
        if node.name_may("admin", &put_principal(child.clone())) {
            node.access.put_principal(child, Disabler::Operator, AT);
            for (command, _) in commands(&format!("{asked}/x")) {
                if node.name_may("child", &command) {
                    prop_assert!(node.name_may("admin", &command), "{command:?}");
                }
            }
        }
    }
}

#[test]
fn shared_names_do_not_help_an_actor_of_another_kind() {
    let node = Node::usual();
    let binary = by("root", Proof::Identity);
    assert!(!node.may(&binary, &create("88.990/x")));
    let name: Arc<str> = "root".into();
    assert!(node.may(&by(&name, Proof::Job), &create("1/x")));
}
