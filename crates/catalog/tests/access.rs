//! Principals and tokens over the write path: in force at once, in force for the next command of the group, and there after every start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::ops::ControlFlow;
use std::time::Duration;

use common::*;
use waymark_catalog::access::{AccessLoadError, Denied, Disabler, Principal, Role, Scope, Token, TokenText};
use waymark_catalog::{
    Actor, Catalog, Command, Door, FIRST_OPERATOR, FIRST_TOKEN_LIFETIME, FirstOperatorError, OpenError, Origin,
    Outcome, Proof, Refusal, Submission, open, open_over, rebuild,
};
use waymark_store::{Engine, EntryKind, Group, MemoryStore, Serial, Store, Timestamp};

const DAY: Duration = Duration::from_secs(86_400);

fn principal(name: &str, role: Role, prefixes: &[&str]) -> Principal {
    Principal {
        name: name.into(),
        role,
        scope: Scope::parse(prefixes.iter().copied()).unwrap(),
        disabled: false,
        rate_per_second: None,
        daily_quota: None,
        certificates: Vec::new(),
        note: String::new(),
    }
}

fn writer_of(prefix: &str) -> Principal {
    principal("acme", Role::Writer, &[prefix])
}

fn put_principal(principal: Principal) -> Command {
    Command::PutPrincipal { principal }
}

fn issue(text: &TokenText, principal: &str) -> Command {
    // Not after the time of any commit of the test clock.
    Command::IssueToken { token: Token::new(text, principal, Timestamp(1_800_000_000_000), 10 * DAY) }
}

fn revoke(text: &TokenText) -> Command {
    Command::RevokeToken { id: text.id(), reason: "lost".into() }
}

fn by(text: &TokenText) -> Actor {
    Actor::principal("acme", Proof::Token(text.id()), Origin { door: Door::Grpc, source: None })
}

fn ask(catalog: &Catalog, actor: &Actor, commands: Vec<Command>) -> Vec<Result<Outcome, Refusal>> {
    let results = catalog.writer().submit(Submission::new(actor, commands)).unwrap().wait().unwrap();
    results.into_iter().map(|result| result.map(|receipt| receipt.outcome)).collect()
}

/// A catalog that serves 88.1 and knows a writer of it with a token.
fn with_writer(catalog: &Catalog) -> TokenText {
    home(catalog, "88.1");
    let text = TokenText::generate().unwrap();
    write(catalog, vec![put_principal(writer_of("88.1")), issue(&text, "acme")]);
    text
}

#[test]
fn commands_of_one_group_see_what_those_before_them_changed() {
    let catalog = open_at(tempfile::tempdir().unwrap().path(), Engine::Log).catalog;
    home(&catalog, "88.1");
    let (text, second) = (TokenText::generate().unwrap(), TokenText::generate().unwrap());
    let outcomes = ask(
        &catalog,
        &Actor::operator(),
        vec![
            put_principal(writer_of("88.1")),
            put_principal(writer_of("88.1")),
            issue(&text, "acme"),
            issue(&text, "acme"),
            issue(&second, "acme"),
            revoke(&text),
            revoke(&text),
            Command::RemovePrincipal { name: "acme".into() },
            revoke(&second),
            issue(&TokenText::generate().unwrap(), "acme"),
        ],
    );
    let refused = |field, problem| Err(Refusal::InvalidAccess { field, problem });
    assert_eq!(
        outcomes,
        [
            Ok(Outcome::Stored),
            Ok(Outcome::Same),
            Ok(Outcome::Stored),
            refused("id", "is taken; make a new token"),
            Ok(Outcome::Stored),
            Ok(Outcome::Stored),
            Ok(Outcome::Same),
            Ok(Outcome::Deleted),
            Ok(Outcome::Same),
            refused("principal", "does not exist"),
        ]
    );
}

#[test]
fn a_token_works_when_its_issue_is_acknowledged_and_not_after_its_revocation_is() {
    let catalog = open_at(tempfile::tempdir().unwrap().path(), Engine::Log).catalog;
    let text = with_writer(&catalog);
    let rights = catalog.access().check_token(&text, Timestamp(1_800_000_000_000)).unwrap();
    assert_eq!((rights.role(), rights.scope_texts()), (Role::Writer, vec!["88.1".to_owned()]));
    let outcomes = ask(&catalog, &by(&text), vec![create("88.1/a", "a"), create("88.2/a", "a")]);
    assert_eq!(outcomes, [Ok(Outcome::Created), Err(Refusal::NotPermitted)]);
    write(&catalog, vec![revoke(&text)]);
    assert_eq!(catalog.access().check_token(&text, Timestamp(1_800_000_000_000)), Err(Denied::Revoked));
    assert_eq!(ask(&catalog, &by(&text), vec![create("88.1/b", "b")]), [Err(Refusal::NotPermitted)]);
}

#[test]
fn a_changed_scope_is_in_force_for_the_next_command() {
    let catalog = open_at(tempfile::tempdir().unwrap().path(), Engine::Log).catalog;
    let text = with_writer(&catalog);
    home(&catalog, "88.2");
    assert_eq!(ask(&catalog, &by(&text), vec![create("88.2/a", "a")]), [Err(Refusal::NotPermitted)]);
    write(&catalog, vec![put_principal(writer_of("88.2"))]);
    let outcomes = ask(&catalog, &by(&text), vec![create("88.2/a", "a"), create("88.1/a", "a")]);
    assert_eq!(outcomes, [Ok(Outcome::Created), Err(Refusal::NotPermitted)]);
}

/// The principals and tokens, in order.
fn table(catalog: &Catalog) -> (Vec<Principal>, Vec<Token>) {
    let access = catalog.access();
    let principals = access.principals().map(|principal| (**principal).clone()).collect();
    (principals, access.tokens().map(|token| (**token).clone()).collect())
}

#[test]
fn principals_and_tokens_are_there_after_a_start_a_crash_and_a_rebuild() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let crashed = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let (text, lost) = (with_writer(&catalog), TokenText::generate().unwrap());
        let full = Principal {
            rate_per_second: Some(7),
            daily_quota: Some(9),
            certificates: vec![[1; 32]],
            note: "Line 3 \"工业\"".into(),
            ..principal("admin", Role::EnterpriseAdministrator, &["88.1", "20.500.a"])
        };
        write(&catalog, vec![put_principal(full), issue(&lost, "acme"), revoke(&lost)]);
        write(&catalog, vec![put_principal(principal("gone", Role::Reader, &["*"]))]);
        write(&catalog, vec![Command::RemovePrincipal { name: "gone".into() }]);
        let before = table(&catalog);
        assert_eq!((before.0.len(), before.1.len()), (2, 2));
        if engine == Engine::Log {
            copy_folder(dir.path(), &crashed.path().join("data"));
            assert_eq!(table(&open_at(&crashed.path().join("data"), engine).catalog), before);
        }
        catalog.shutdown().unwrap();
        drop(catalog);
        rebuild(&options(dir.path(), engine)).unwrap();
        let opened = open_at(dir.path(), engine);
        assert_eq!((opened.recovery.principals, opened.recovery.unreadable_access.len()), (2, 0));
        assert_eq!(table(&opened.catalog), before);
        assert_eq!(ask(&opened.catalog, &by(&text), vec![create("88.1/z", "z")]), [Ok(Outcome::Created)]);
        assert_eq!(ask(&opened.catalog, &by(&lost), vec![create("88.1/y", "y")]), [Err(Refusal::NotPermitted)]);
        let again = ask(&opened.catalog, &Actor::operator(), vec![put_principal(writer_of("88.1")), revoke(&lost)]);
        assert_eq!(again, [Ok(Outcome::Same), Ok(Outcome::Same)]);
    }
}

#[test]
fn entries_point_back_to_the_one_they_replace() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let text = TokenText::generate().unwrap();
        let made = write(&catalog, vec![put_principal(writer_of("88.1")), issue(&text, "acme")]);
        catalog.shutdown().unwrap();
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        let changed = write(&catalog, vec![put_principal(writer_of("88.2"))]);
        let removed = write(&catalog, vec![Command::RemovePrincipal { name: "acme".into() }]);
        let again = write(&catalog, vec![put_principal(writer_of("88.1"))]);
        let twice = vec![Command::RemovePrincipal { name: "acme".into() }, put_principal(writer_of("88.1"))];
        let twice = write(&catalog, twice);
        let mut found = Vec::new();
        let after = Serial(made[0].serial.0 - 1);
        catalog
            .store()
            .follow(after, &mut |entry| {
                if entry.kind != EntryKind::NOTE {
                    found.push((entry.serial, entry.kind, entry.previous, entry.key[1]));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        let put = EntryKind::PUT;
        assert_eq!(
            found,
            [
                (made[0].serial, put, Serial::NONE, b'P'),
                (made[1].serial, put, Serial::NONE, b'T'),
                (changed[0].serial, put, made[0].serial, b'P'),
                (removed[0].serial, EntryKind::DELETE, changed[0].serial, b'P'),
                (removed[0].serial.next(), put, made[1].serial, b'T'),
                (again[0].serial, put, removed[0].serial, b'P'),
                (twice[0].serial, EntryKind::DELETE, again[0].serial, b'P'),
                (twice[1].serial, put, twice[0].serial, b'P'),
            ]
        );
    }
}

#[test]
fn a_receipt_of_what_was_there_already_names_its_entry() {
    let catalog = open_at(tempfile::tempdir().unwrap().path(), Engine::Log).catalog;
    let first = write(&catalog, vec![put_principal(writer_of("88.1"))])[0];
    let again = write(&catalog, vec![put_principal(writer_of("88.1"))])[0];
    assert_eq!((again.serial, again.time, again.outcome), (first.serial, first.time, Outcome::Same));
}

/// What opening says about a store that holds this entry.
fn open_with(key: &[u8], body: &[u8]) -> Result<Catalog, OpenError> {
    let store = std::sync::Arc::new(MemoryStore::for_tests());
    let mut group = Group::new();
    group.push(EntryKind::PUT, b"\0C", b"node", Serial::NONE, &[1, 0]).unwrap();
    group.push(EntryKind::PUT, key, b"operator", Serial::NONE, body).unwrap();
    store.commit(Timestamp(1), &group).unwrap();
    let options = options(std::path::Path::new("/data"), Engine::Log);
    open_over(store, waymark_store::Recovery::default(), &options).map(|opened| opened.catalog)
}

#[test]
fn a_form_of_another_version_is_refused_at_opening() {
    let principal = r#"{"v":1,"role":"reader","prefixes":["*"],"disabled":false,"rate_per_second":null,"daily_quota":null,"certificates":[],"note":""}"#;
    let opened = open_with(b"\0Pacme", principal.as_bytes()).unwrap();
    assert_eq!(opened.access().principal("acme").unwrap().role, Role::Reader);
    let newer = principal.replace("\"v\":1", "\"v\":3");
    let error = open_with(b"\0Pacme", newer.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "principal acme, written with serial 2, has a form this program does not know; open the store with the version that wrote it"
    );
    let OpenError::Access(AccessLoadError::Form { source, .. }) = error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "version 3, which this program does not know");
    assert!(open_with(b"\0T12345678", b"{}").is_err());
}

/// An enterprise administrator of 88.1.
fn administrator(catalog: &Catalog) -> Actor {
    let text = TokenText::generate().unwrap();
    write(
        catalog,
        vec![put_principal(principal("boss", Role::EnterpriseAdministrator, &["88.1"])), issue(&text, "boss")],
    );
    Actor::principal("boss", Proof::Token(text.id()), Origin { door: Door::Grpc, source: None })
}

#[test]
fn whom_an_operator_has_disabled_only_operators_enable_change_or_remove() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    let text = with_writer(&catalog);
    let boss = administrator(&catalog);
    let disabled = || put_principal(Principal { disabled: true, ..writer_of("88.1") });
    let enabled = || put_principal(writer_of("88.1"));
    let stored = [Ok(Outcome::Stored)];
    let not_permitted = [Err(Refusal::NotPermitted)];
    // Its own disabling an administrator takes back, and so does an operator.
    assert_eq!(ask(&catalog, &boss, vec![disabled()]), stored);
    assert_eq!(catalog.access().disabler("acme"), Some(Disabler::EnterpriseAdministrator));
    assert_eq!(ask(&catalog, &boss, vec![enabled(), disabled()]), [Ok(Outcome::Stored), Ok(Outcome::Stored)]);
    assert_eq!(ask(&catalog, &Actor::operator(), vec![enabled()]), stored);
    assert_eq!(catalog.access().disabler("acme"), None);
    // An operator that finds it disabled may make that its own.
    assert_eq!(ask(&catalog, &boss, vec![disabled(), disabled()]), [Ok(Outcome::Stored), Ok(Outcome::Same)]);
    assert_eq!(
        ask(&catalog, &Actor::operator(), vec![disabled(), disabled()]),
        [Ok(Outcome::Stored), Ok(Outcome::Same)]
    );
    let held = |catalog: &Catalog| {
        assert_eq!(catalog.access().disabler("acme"), Some(Disabler::Operator));
        let noted = put_principal(Principal { disabled: true, note: "mine".into(), ..writer_of("88.1") });
        for command in [enabled(), disabled(), noted, Command::RemovePrincipal { name: "acme".into() }] {
            assert_eq!(ask(catalog, &boss, vec![command]), not_permitted);
        }
        assert_eq!(catalog.access().check_token(&text, Timestamp(1_800_000_000_000)), Err(Denied::Disabled));
    };
    held(&catalog);
    drop(catalog);
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    held(&catalog);
    assert_eq!(ask(&catalog, &Actor::operator(), vec![enabled()]), stored);
    assert!(catalog.access().check_token(&text, Timestamp(1_800_000_000_000)).is_ok());
    assert_eq!(ask(&catalog, &boss, vec![Command::RemovePrincipal { name: "acme".into() }]), [Ok(Outcome::Deleted)]);
}

#[test]
fn whoever_was_disabled_before_it_was_noted_by_whom_is_an_operator_s_to_enable() {
    let body = r#"{"v":1,"role":"reader","prefixes":["88.1"],"disabled":true,"rate_per_second":null,"daily_quota":null,"certificates":[],"note":""}"#;
    let catalog = open_with(b"\0Pacme", body.as_bytes()).unwrap();
    assert!(catalog.access().principal("acme").unwrap().disabled);
    let boss = administrator(&catalog);
    let enabled = || put_principal(principal("acme", Role::Reader, &["88.1"]));
    assert_eq!(ask(&catalog, &boss, vec![enabled()]), [Err(Refusal::NotPermitted)]);
    assert_eq!(ask(&catalog, &Actor::operator(), vec![enabled()]), [Ok(Outcome::Stored)]);
}

#[test]
fn an_enterprise_administrator_makes_no_more_principals_than_it_may_and_leaves_the_others_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path(), Engine::Log);
    options.access.principals_per_administrator = 3;
    let catalog = open(&options).unwrap().catalog;
    let boss = administrator(&catalog);
    let text = TokenText::generate().unwrap();
    let below = principal("below", Role::EnterpriseAdministrator, &["88.1.5", "88.2"]);
    // One that an operator made counts too; those of others do not.
    let made = vec![
        put_principal(below),
        issue(&text, "below"),
        put_principal(principal("one", Role::Writer, &["88.1"])),
        put_principal(principal("foreign", Role::Writer, &["88.2"])),
        put_principal(principal("auditor", Role::Auditor, &["88.1"])),
    ];
    write(&catalog, made);
    let below = Actor::principal("below", Proof::Token(text.id()), Origin { door: Door::Grpc, source: None });
    let new = |name: &str, prefix: &str| put_principal(principal(name, Role::Reader, &[prefix]));
    let too_many = |outcome: &Result<Outcome, Refusal>| matches!(outcome, Err(Refusal::InvalidAccess { field: "name", problem }) if problem.contains("administrator"));
    let outcomes = ask(&catalog, &boss, vec![new("two", "88.1"), new("three", "88.1.5"), new("four", "88.1")]);
    assert_eq!(outcomes[..2], [Ok(Outcome::Stored), Ok(Outcome::Stored)]);
    assert!(too_many(&outcomes[2]), "{outcomes:?}");
    // What is there can be changed and removed, and then there is room.
    assert_eq!(ask(&catalog, &boss, vec![new("two", "88.1.1")]), [Ok(Outcome::Stored)]);
    let outcomes = ask(&catalog, &boss, vec![Command::RemovePrincipal { name: "two".into() }, new("four", "88.1")]);
    assert_eq!(outcomes, [Ok(Outcome::Deleted), Ok(Outcome::Stored)]);
    // Another administrator counts those within its own prefixes, by whomever: "foreign", "three" and this. An operator has no such bound.
    let outcomes = ask(&catalog, &below, vec![new("five", "88.2"), new("six", "88.1.5")]);
    assert_eq!(outcomes[0], Ok(Outcome::Stored));
    assert!(too_many(&outcomes[1]), "{outcomes:?}");
    assert_eq!(ask(&catalog, &Actor::operator(), vec![new("seven", "88.1")]), [Ok(Outcome::Stored)]);
    assert!(too_many(&ask(&catalog, &boss, vec![new("eight", "88.1")])[0]));
}

#[test]
fn a_damaged_principal_has_no_rights_and_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), Engine::Log).catalog;
    let text = with_writer(&catalog);
    write(&catalog, vec![create("88.1/a", "a")]);
    // The segment gets full and its keys a file of their own, which still lists the principal.
    write(&catalog, (0..300).map(|n| create(&format!("88.1/{n}"), &"x".repeat(400))).collect());
    catalog.shutdown().unwrap();
    drop(catalog);
    let role = b"\"prefixes\":[\"88.1\"]";
    let place = |file: &std::path::Path| std::fs::read(file).unwrap().windows(role.len()).position(|w| w == role);
    let mut files = std::fs::read_dir(dir.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let (segment, at) = files.find_map(|file| place(&file).map(|at| (file, at))).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[at + 13] = b'9';
    std::fs::write(&segment, bytes).unwrap();
    let opened = open(&options(dir.path(), Engine::Log)).unwrap();
    assert!(opened.recovery.unreadable_access.contains(&"principal acme".to_owned()), "{:?}", opened.recovery);
    assert_eq!(ask(&opened.catalog, &by(&text), vec![create("98.1/b", "b")]), [Err(Refusal::NotPermitted)]);
    write(&opened.catalog, vec![put_principal(writer_of("88.1"))]);
    assert_eq!(data(&opened.catalog, "88.1/a"), Some(vec!["a".to_owned()]));
}

#[test]
fn a_removed_principal_takes_its_many_tokens_along_in_one_group() {
    let catalog = open_at(tempfile::tempdir().unwrap().path(), Engine::Log).catalog;
    write(&catalog, vec![put_principal(writer_of("88.1"))]);
    let texts: Vec<TokenText> = (0..64).map(|_| TokenText::generate().unwrap()).collect();
    write(&catalog, texts.iter().map(|text| issue(text, "acme")).collect());
    let one_more = ask(&catalog, &Actor::operator(), vec![issue(&TokenText::generate().unwrap(), "acme")]);
    assert!(matches!(one_more[..], [Err(Refusal::InvalidAccess { field: "principal", .. })]));
    write(&catalog, vec![Command::RemovePrincipal { name: "acme".into() }, put_principal(writer_of("88.1"))]);
    let access = catalog.access();
    assert!(texts.iter().all(|text| access.check_token(text, Timestamp(0)) == Err(Denied::Revoked)));
}

#[test]
fn the_first_start_makes_an_operator_and_keeps_its_token_before_it_works() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let full = || Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        let failed = catalog.first_operator_token(DAY, |_| full());
        assert!(matches!(failed, Err(FirstOperatorError::Keep(_))));
        assert!(!catalog.access().has_operator());
        let mut kept = String::new();
        let made = catalog.first_operator_token(FIRST_TOKEN_LIFETIME, |text| {
            assert!(!catalog.access().has_operator());
            kept.push_str(text);
            Ok(())
        });
        let text = TokenText::parse(&kept).unwrap();
        assert_eq!(made.unwrap(), Some(text.id()));
        let rights = catalog.access().check_token(&text, catalog.now()).unwrap();
        assert_eq!((rights.role(), rights.is_everywhere()), (Role::Operator, true));
        let token = catalog.access().token(text.id()).unwrap().clone();
        assert_eq!(token.expires.0 - token.created.0, 7 * 86_400_000);
        catalog.shutdown().unwrap();
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        assert_eq!(catalog.first_operator_token(DAY, |_| panic!("there is one")).unwrap(), None);
    }
}

#[test]
fn the_first_operator_takes_nobodys_name() {
    let catalog = open_at(tempfile::tempdir().unwrap().path(), Engine::Log).catalog;
    write(&catalog, vec![put_principal(principal("operator", Role::Reader, &["*"]))]);
    let refused = catalog.first_operator_token(DAY, |_| panic!("not made"));
    assert!(matches!(refused, Err(FirstOperatorError::NameTaken)));
}

#[test]
fn an_operator_that_lost_all_tokens_is_given_one_on_this_machine() {
    let catalog = open_at(tempfile::tempdir().unwrap().path(), Engine::Log).catalog;
    catalog.first_operator_token(DAY, |_| Ok(())).unwrap();
    let text = TokenText::generate().unwrap();
    let token = Token::new(&text, FIRST_OPERATOR, catalog.now(), 30 * DAY);
    write(&catalog, vec![Command::IssueToken { token }]);
    assert!(catalog.access().check_token(&text, catalog.now()).is_ok());
}
