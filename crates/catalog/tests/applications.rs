//! Applications of the node and of enterprises by the one write path; the same after every kind of start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod common;
mod enterprise;

use std::collections::BTreeSet;

use common::{ENGINES, copy_folder, lose_state, write};
use waymark_catalog::access::{Role, rights_of};
use waymark_catalog::business::{
    ApplicationCommand, ApplicationId, ApplicationKind, ApplicationProfile, EnterpriseId, Month, MonthlyUsers, Owner,
    visible_applications,
};
use waymark_catalog::{Command, Outcome, Receipt, Refusal, Request, Submission, Timestamp, command_digest};
use waymark_store::Engine;

use enterprise::{Node, actor, principal};

const ACME: Owner = Owner::Enterprise(EnterpriseId(1));
const RIVAL: Owner = Owner::Enterprise(EnterpriseId(2));

fn profile(name: &str) -> ApplicationProfile {
    ApplicationProfile {
        name: name.into(),
        kind: ApplicationKind::MiniProgram,
        description: "scan and see".into(),
        recursive_node: "recursor 1".into(),
        developer: "样例软件".into(),
    }
}

fn put(name: &str) -> ApplicationCommand {
    ApplicationCommand::Put { id: None, owner: None, profile: Box::new(profile(name)), users: None }
}

fn put_of(owner: Owner, name: &str) -> ApplicationCommand {
    ApplicationCommand::Put { id: None, owner: Some(owner), profile: Box::new(profile(name)), users: None }
}

fn users(month: &str, users: u64) -> MonthlyUsers {
    MonthlyUsers { month: Month(month.into()), users }
}

/// Two enterprises, acme and rival.
fn begun(dir: &std::path::Path, engine: Engine) -> Node {
    let node = Node::begun(dir, engine);
    node.done("acme", node.put("D1"));
    node.done("rival", node.put("D2"));
    node
}

fn id_of(receipt: Receipt) -> ApplicationId {
    ApplicationId(receipt.serial.0)
}

fn by(node: &Node, who: &str, command: &ApplicationCommand) -> Result<Receipt, Refusal> {
    node.by(who, command.clone())
}

#[test]
fn applications_are_written_counted_and_deleted_and_survive_every_start() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let node = begun(dir.path(), engine);
        let own = id_of(by(&node, "op", &put("portal")).unwrap());
        let theirs = id_of(by(&node, "acme", &put("portal")).unwrap());
        let gone = id_of(by(&node, "rival", &put("gone")).unwrap());
        let count = |id, month: &str, number| ApplicationCommand::CountUsers { id, users: users(month, number) };
        assert_eq!(by(&node, "acme", &count(theirs, "2026-10", 5)).unwrap().outcome, Outcome::Stored);
        assert_eq!(by(&node, "acme", &count(theirs, "2026-11", 7)).unwrap().outcome, Outcome::Stored);
        assert_eq!(by(&node, "acme", &count(theirs, "2026-11", 7)).unwrap().outcome, Outcome::Same);
        assert_eq!(by(&node, "acme", &count(theirs, "2026-10", 6)).unwrap().outcome, Outcome::Stored, "corrected");
        assert_eq!(by(&node, "rival", &ApplicationCommand::Delete { id: gone }).unwrap().outcome, Outcome::Deleted);
        let told = |node: &Node| {
            let business = node.business();
            business.applications().map(|each| format!("{each:?}")).collect::<Vec<_>>()
        };
        let before = told(&node);
        let business = node.business();
        assert_eq!(business.application(own).unwrap().owner, Owner::Node);
        let known = business.application(theirs).unwrap();
        assert_eq!((known.owner, known.profile.clone()), (ACME, profile("portal")));
        assert_eq!(known.users.values().copied().collect::<Vec<_>>(), [6, 7]);
        assert_eq!((before.len(), business.application(gone)), (2, None));
        let crashed = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), crashed.path());
        assert_eq!(told(&Node::open(crashed.path(), engine)), before);
        node.catalog.shutdown().unwrap();
        drop(node);
        lose_state(&dir.path().join("data"));
        let node = Node::open(dir.path(), engine);
        assert_eq!(told(&node), before);
        // A name that was given is never given again.
        let new = id_of(by(&node, "rival", &put("gone")).unwrap());
        assert!(new > gone);
    }
}

#[test]
fn a_name_leads_to_one_application_of_an_owner() {
    let dir = tempfile::tempdir().unwrap();
    let node = begun(dir.path(), Engine::Log);
    let first = by(&node, "acme", &put("a")).unwrap();
    let again = by(&node, "acme", &put("a")).unwrap();
    assert_eq!((again.outcome, again.serial), (Outcome::Same, first.serial));
    let mut other = profile("a");
    other.kind = ApplicationKind::Pc;
    let change = |id, profile: ApplicationProfile| ApplicationCommand::Put {
        id,
        owner: None,
        profile: Box::new(profile),
        users: Some(users("2026-11", 1)),
    };
    assert_eq!(by(&node, "acme", &change(None, other.clone())).unwrap().outcome, Outcome::Stored);
    let known = node.business().application(id_of(first)).unwrap().clone();
    assert_eq!((known.profile.kind, known.users.len()), (ApplicationKind::Pc, 1));
    // A new name keeps number and users; one that is another's is refused.
    other.name = "b".into();
    assert_eq!(by(&node, "acme", &change(Some(known.id), other)).unwrap().outcome, Outcome::Stored);
    let second = id_of(by(&node, "acme", &put("a")).unwrap());
    assert_ne!(second, known.id);
    let taken = by(&node, "acme", &change(Some(second), profile("b")));
    assert!(matches!(taken, Err(Refusal::InvalidBusiness { field: "name", .. })), "{taken:?}");
    let business = node.business();
    let named = |name| business.application_named(ACME, name).map(|each| each.id);
    assert_eq!((named("b"), named("a"), business.application_count(ACME)), (Some(known.id), Some(second), 2));
}

#[test]
fn an_enterprise_touches_and_sees_its_own_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = begun(dir.path(), Engine::Log);
    write(&node.catalog, vec![Command::PutPrincipal { principal: principal("part", Role::Operator, &["88.1"]) }]);
    let own = id_of(by(&node, "op", &put("portal")).unwrap());
    let theirs = id_of(by(&node, "acme", &put("portal")).unwrap());
    let mine = id_of(by(&node, "rival", &put("portal")).unwrap());
    let before = format!("{:?}", node.business());
    for id in [own, theirs, ApplicationId(99_999)] {
        for command in [
            ApplicationCommand::Put { id: Some(id), owner: None, profile: Box::new(profile("x")), users: None },
            ApplicationCommand::CountUsers { id, users: users("2026-10", 1) },
            ApplicationCommand::Delete { id },
        ] {
            for stranger in ["rival", "w", "aud", "near", "part", "nobody"] {
                assert_eq!(by(&node, stranger, &command), Err(Refusal::NotPermitted), "{stranger}: {command:?}");
            }
        }
    }
    for (who, owner) in [
        ("rival", ACME),
        ("rival", Owner::Node),
        ("rev", Owner::Node),
        ("part", Owner::Node),
        ("w", ACME),
        ("aud", ACME),
    ] {
        assert_eq!(by(&node, who, &put_of(owner, "x")), Err(Refusal::NotPermitted), "{who} {owner}");
    }
    let count = |id| ApplicationCommand::CountUsers { id, users: users("2026-10", 1) };
    assert_eq!(by(&node, "rev", &count(own)), Err(Refusal::NotPermitted), "the node's are for operators");
    assert_eq!(format!("{:?}", node.business()), before);
    // Reviewers and operators act for every enterprise.
    assert_eq!(by(&node, "rev", &count(theirs)).unwrap().outcome, Outcome::Stored);
    assert_eq!(by(&node, "op", &put_of(RIVAL, "by the operator")).unwrap().outcome, Outcome::Stored);
    assert_eq!(by(&node, "op", &ApplicationCommand::Delete { id: ApplicationId(99_999) }), Err(Refusal::NotFound));
    assert_eq!(by(&node, "op", &put_of(Owner::Enterprise(EnterpriseId(9)), "x")), Err(Refusal::NotFound));
    let business = node.business();
    let access = node.catalog.access();
    let sees = |name: &str| {
        let rights = rights_of(&actor(name), &access, Timestamp(1)).unwrap();
        let seen = business.applications().filter(|each| visible_applications(&rights, each.owner, &business));
        seen.map(|each| each.id).collect::<BTreeSet<_>>()
    };
    for all in ["op", "rev", "aud"] {
        assert_eq!(sees(all).len(), 4, "{all}");
    }
    assert_eq!(sees("acme"), BTreeSet::from([theirs]));
    assert!(sees("rival").contains(&mine) && sees("rival").len() == 2);
    for none in ["w", "near"] {
        assert!(sees(none).is_empty(), "{none}");
    }
}

#[test]
fn what_is_not_what_it_may_be_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let node = begun(dir.path(), Engine::Log);
    let field = |command: ApplicationCommand| match node.by("acme", command) {
        Err(Refusal::InvalidBusiness { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let with = |change: &dyn Fn(&mut ApplicationProfile)| {
        let mut profile = profile("a");
        change(&mut profile);
        ApplicationCommand::Put { id: None, owner: None, profile: Box::new(profile), users: None }
    };
    assert_eq!(field(with(&|profile| profile.name = " ".into())), "name");
    assert_eq!(field(with(&|profile| profile.name = "长".repeat(256))), "name");
    assert_eq!(field(with(&|profile| profile.description = "x".repeat(1_025))), "description");
    assert_eq!(field(with(&|profile| profile.recursive_node = "a\u{7}".into())), "recursive_node");
    assert_eq!(field(with(&|profile| profile.developer = "x".repeat(256))), "developer");
    let told = |month: &str| ApplicationCommand::Put {
        id: None,
        owner: None,
        profile: Box::new(profile("a")),
        users: Some(users(month, 1)),
    };
    assert_eq!((field(told("2026-13")), field(told("9999-01"))), ("month", "month"));
    assert_eq!(node.business().applications().count(), 0);
    let id = id_of(by(&node, "acme", &put("a")).unwrap());
    let elsewhere =
        ApplicationCommand::Put { id: Some(id), owner: Some(RIVAL), profile: Box::new(profile("a")), users: None };
    assert_eq!(field(elsewhere), "owner");
    for number in 1..64 {
        assert_eq!(by(&node, "acme", &put(&format!("a{number}"))).unwrap().outcome, Outcome::Stored);
    }
    assert_eq!(field(put("one more")), "applications");
    assert_eq!(by(&node, "rival", &put("one more")).unwrap().outcome, Outcome::Stored, "each owner has its own");
}

#[test]
fn many_at_their_longest_fit_one_submission_and_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let node = begun(dir.path(), Engine::Log);
    let long = |number: u64| {
        let profile = ApplicationProfile {
            description: "\"".repeat(1_024),
            developer: "\"".repeat(255),
            recursive_node: "\"".repeat(255),
            ..profile("a")
        };
        Command::Business(Box::new(waymark_catalog::business::BusinessCommand::Application(Box::new(
            ApplicationCommand::Put {
                id: None,
                owner: Some(ACME),
                profile: Box::new(profile),
                users: Some(users(&format!("{}-{:02}", 2024 + number / 12, number % 12 + 1), number)),
            },
        ))))
    };
    let receipts = write(&node.catalog, (0..36).map(long).collect());
    assert!(receipts.iter().all(|receipt| receipt.outcome == Outcome::Stored));
    assert_eq!(node.business().application_named(ACME, "a").unwrap().users.len(), 36);
}

#[test]
fn a_request_sent_again_is_one_request() {
    let dir = tempfile::tempdir().unwrap();
    let node = begun(dir.path(), Engine::Log);
    let id = uuid::Builder::from_unix_timestamp_millis(node.catalog.now().0, &[7; 10]).into_uuid();
    let send = |command: ApplicationCommand| {
        let order = command.into();
        let digest = command_digest(&order);
        let submission = Submission::new(&actor("acme"), [order]).as_request(Request { id, digest });
        node.catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    };
    let first = send(put("a")).unwrap();
    assert_eq!(by(&node, "acme", &ApplicationCommand::Delete { id: id_of(first) }).unwrap().outcome, Outcome::Deleted);
    let again = send(put("a")).unwrap();
    assert_eq!((again.serial, again.repeated), (first.serial, true));
    assert_eq!(node.business().applications().count(), 0, "nothing is made anew");
    assert_eq!(send(put("b")), Err(Refusal::RequestReused));
    let (profile, number) = (Box::new(profile("a")), ApplicationId(3));
    let commands = [
        put("a"),
        put_of(ACME, "a"),
        put_of(Owner::Node, "a"),
        ApplicationCommand::Put { id: Some(number), owner: None, profile: profile.clone(), users: None },
        ApplicationCommand::Put { id: None, owner: None, profile, users: Some(users("2026-10", 1)) },
        ApplicationCommand::CountUsers { id: number, users: users("2026-10", 1) },
        ApplicationCommand::CountUsers { id: number, users: users("2026-10", 2) },
        ApplicationCommand::CountUsers { id: number, users: users("2026-11", 1) },
        ApplicationCommand::Delete { id: number },
    ];
    let digests: BTreeSet<_> = commands.iter().map(|command| command_digest(&command.clone().into())).collect();
    assert_eq!(digests.len(), commands.len());
}
