//! Enterprises and the cases of their prefixes by the one write path; the same after every kind of start.
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

use common::{ENGINES, bytes_of, copy_folder, data, lose_state, put, try_write, write};
use waymark_catalog::access::Role;
use waymark_catalog::business::{BusinessCommand, CaseState, CaseStep, EnterpriseId, Placement, StepKind, Wish};
use waymark_catalog::vault::{Fresh, People, Vault};
use waymark_catalog::{Command, HomeName, Order, Outcome, PutMode, Refusal, Request, Submission, command_digest};
use waymark_store::Engine;

use enterprise::{
    Node, PREFIX, actor, all_steps, apply, delegate, is_homed, personal, principal, profile, sites, step,
};

#[test]
fn a_prefix_goes_from_application_to_hosting_and_every_step_is_timed() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::begun(dir.path(), engine);
        node.upto(CaseState::Active);
        let before = node.business().case(PREFIX.as_bytes()).unwrap().clone();
        assert_eq!((before.state.number(), before.hosting_number(), before.effective_ms()), (1, 2, None));
        assert!(!is_homed(&node), "approved is not answered for");
        assert_eq!(node.done("op", step(CaseStep::Host)), Outcome::Hosted);
        assert!(is_homed(&node));
        let case = node.business().case(PREFIX.as_bytes()).unwrap().clone();
        assert_eq!((case.hosting_number(), case.placement.clone()), (4, Placement::Here));
        let kinds: Vec<StepKind> = case.steps.iter().map(|step| step.kind).collect();
        assert_eq!(kinds, [StepKind::Apply, StepKind::Review, StepKind::Approve, StepKind::Confirm, StepKind::Host]);
        assert!(case.steps.is_sorted_by(|one, other| one.time < other.time));
        let who: Vec<&str> = case.steps.iter().map(|step| &*step.by).collect();
        assert_eq!(who, ["acme", "rev", "rev", "op", "op"]);
        assert_eq!(case.effective_ms(), Some(case.steps[4].time.0 - case.steps[3].time.0));
        assert_eq!(node.done("op", step(CaseStep::Host)), Outcome::Same);
        // The enterprise registers there at once: its principal has the scope.
        assert_eq!(node.by("acme", put("88.1.701/A", "x", PutMode::Create)).unwrap().outcome, Outcome::Created);
    }
}

#[test]
fn all_of_it_is_there_after_every_kind_of_start() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::begun(dir.path(), engine);
        node.upto(CaseState::Active);
        node.done("op", step(delegate(&["192.0.2.7", "2001:db8::7"])));
        node.done("acme", BusinessCommand::Disclose { id: EnterpriseId(1), purpose: "own".into() });
        node.done("rival", node.put("D2"));
        node.done("rival", BusinessCommand::Forget { id: EnterpriseId(2), reason: "asked".into() });
        let told = |node: &Node| {
            let business = node.business();
            let all: Vec<_> = business.enterprises().map(|each| format!("{each:?}")).collect();
            let cases: Vec<_> = business.cases().map(|each| format!("{each:?}")).collect();
            let read = format!("{:?}", business.disclosure(EnterpriseId(1).into()));
            (all, cases, read, sites(node), is_homed(node))
        };
        let before = told(&node);
        assert_eq!((before.0.len(), before.1.len(), before.3.len()), (2, 1, 2));
        let crashed = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), crashed.path());
        let after_crash = Node::open(crashed.path(), engine);
        assert_eq!(told(&after_crash), before);
        node.catalog.shutdown().unwrap();
        drop(node);
        let node = Node::open(dir.path(), engine);
        assert_eq!(told(&node), before);
        node.catalog.shutdown().unwrap();
        drop(node);
        lose_state(&dir.path().join("data"));
        let node = Node::open(dir.path(), engine);
        assert_eq!(told(&node), before);
        let opened = node.business().enterprise(EnterpriseId(1)).unwrap().personal.clone().unwrap();
        assert!(node.vault.unseal(&opened).unwrap() == Some(personal()));
        // Names go on where they were.
        write(
            &node.catalog,
            vec![Command::PutPrincipal { principal: principal("third", Role::EnterpriseAdministrator, &["88.3"]) }],
        );
        node.done("third", node.put("D3"));
        assert_eq!(node.business().of_principal("third").unwrap().id, EnterpriseId(3));
    }
}

#[test]
fn every_step_is_taken_from_where_it_begins_and_refused_from_everywhere_else() {
    for from in CaseState::ALL {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::begun(dir.path(), Engine::Log);
        node.upto(*from);
        for each in all_steps() {
            let kind = each.kind();
            if from.after(kind).is_some() {
                continue;
            }
            let refused = Err(Refusal::WrongStep { state: *from, step: kind });
            assert_eq!(node.by("op", step(each)), refused, "{from:?}");
            assert_eq!(node.state(), *from);
        }
        let again = node.by("acme", apply(PREFIX));
        if from.is_over() {
            assert_eq!(again.unwrap().outcome, Outcome::Applied);
            assert_eq!(node.business().case(PREFIX.as_bytes()).unwrap().steps.len(), 1);
        } else {
            assert_eq!(again, Err(Refusal::PrefixTaken));
        }
    }
}

#[test]
fn a_step_leads_where_the_table_says() {
    for from in CaseState::ALL {
        for each in all_steps() {
            let Some(to) = from.after(each.kind()) else { continue };
            let dir = tempfile::tempdir().unwrap();
            let node = Node::begun(dir.path(), Engine::Log);
            node.upto(*from);
            let receipt = node.by("op", step(each.clone())).unwrap();
            let business = node.business();
            let case = business.case(PREFIX.as_bytes()).unwrap();
            assert_eq!((case.state, case.serial), (to, receipt.serial), "{each:?}");
            let last = case.steps.last().unwrap();
            assert_eq!((last.kind, &last.reason[..], &*last.by), (each.kind(), each.reason(), "op"));
        }
    }
}

#[test]
fn sites_of_the_enterprise_are_named_replaced_and_taken_out() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::begun(dir.path(), engine);
        node.upto(CaseState::Active);
        let record = format!("0.NA/{PREFIX}");
        // Somebody else's values in the record stay.
        write(&node.catalog, vec![put(&record, "https://x", PutMode::Create)]);
        assert_eq!(node.done("op", step(CaseStep::Host)), Outcome::Hosted);
        assert_eq!(node.done("op", step(delegate(&["2001:db8::7", "192.0.2.7"]))), Outcome::Delegated);
        assert_eq!(sites(&node), ["HS_SITE 192.0.2.7 #1", "HS_SITE.6 2001:db8::7 #1"]);
        assert!(!is_homed(&node), "what is delegated is not answered for here");
        assert_eq!(data(&node.catalog, &record).unwrap()[0], "https://x");
        assert_eq!(node.done("op", step(delegate(&["192.0.2.8"]))), Outcome::Delegated);
        assert_eq!(sites(&node), ["HS_SITE 192.0.2.8 #2"]);
        assert_eq!(node.done("rev", step(CaseStep::Suspend { reason: "x".into() })), Outcome::Suspended);
        assert_eq!((sites(&node), data(&node.catalog, &record).unwrap().len()), (vec![], 1));
        assert_eq!(node.done("rev", step(CaseStep::Resume)), Outcome::Resumed);
        assert_eq!(sites(&node), ["HS_SITE 192.0.2.8 #1"]);
        assert_eq!(node.done("op", step(CaseStep::Host)), Outcome::Hosted);
        assert_eq!((sites(&node), is_homed(&node)), (vec![], true));
        assert_eq!(node.done("rev", step(CaseStep::Suspend { reason: "x".into() })), Outcome::Suspended);
        assert!(!is_homed(&node));
        assert_eq!(node.done("rev", step(CaseStep::Resume)), Outcome::Resumed);
        assert!(is_homed(&node));
        assert_eq!(node.done("op", step(CaseStep::Delete { reason: "x".into() })), Outcome::Deleted);
        assert!(!is_homed(&node));
    }
}

#[test]
fn a_record_that_only_named_sites_goes_with_them_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.upto(CaseState::Active);
    let record = format!("0.NA/{PREFIX}");
    let group: Vec<BusinessCommand> = vec![
        step(delegate(&["192.0.2.7"])),
        step(CaseStep::Suspend { reason: "x".into() }),
        step(CaseStep::Resume),
        step(CaseStep::Suspend { reason: "y".into() }),
    ];
    let outcomes: Vec<Outcome> = write(&node.catalog, group.into_iter().map(Command::from).collect())
        .into_iter()
        .map(|receipt| receipt.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Delegated, Outcome::Suspended, Outcome::Resumed, Outcome::Suspended]);
    assert_eq!(data(&node.catalog, &record), None);
    node.done("rev", step(CaseStep::Resume));
    assert_eq!(sites(&node), ["HS_SITE 192.0.2.7 #1"]);
}

#[test]
fn a_prefix_whose_record_lives_elsewhere_cannot_be_delegated_and_nothing_of_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.upto(CaseState::Active);
    write(&node.catalog, vec![Command::Unhome { name: HomeName::parse(b"0.NA/0.NA/88.1").unwrap() }]);
    let before = node.catalog.serial();
    let refused = node.by("op", step(delegate(&["192.0.2.1"])));
    assert!(matches!(refused, Err(Refusal::InvalidBusiness { field: "sites", .. })), "{refused:?}");
    assert_eq!(node.catalog.serial(), before);
    assert_eq!(node.done("op", step(CaseStep::Host)), Outcome::Hosted);
    // A suspended record would hide the sites.
    write(&node.catalog, vec![Command::Home { name: HomeName::parse(b"0.NA/0.NA/88.1").unwrap() }]);
    let record = format!("0.NA/{PREFIX}");
    let suspend = Command::Suspend { handle: record.clone().into(), reason: "x".into() };
    write(&node.catalog, vec![put(&record, "x", PutMode::Create), suspend]);
    assert_eq!(node.by("op", step(delegate(&["192.0.2.1"]))), Err(Refusal::Withdrawn { revoked: false }));
    assert!(is_homed(&node));
}

#[test]
fn a_request_sent_again_is_one_request_though_it_is_sealed_anew() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let id = uuid::Builder::from_unix_timestamp_millis(node.catalog.now().0, &[7; 10]).into_uuid();
    let send = |order: Order| {
        let digest = command_digest(&order);
        let submission = Submission::new(&actor("acme"), [order]).as_request(Request { id, digest });
        node.catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    };
    let first = send(node.put("D1").into()).unwrap();
    let again = send(node.put("D1").into()).unwrap();
    assert_eq!((again.serial, again.repeated), (first.serial, true));
    assert_eq!(send(node.put("D2").into()), Err(Refusal::RequestReused));
    let mut digests: Vec<_> = all_steps().into_iter().map(|each| command_digest(&step(each).into())).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), all_steps().len());
}

#[test]
fn no_stored_byte_and_no_text_tells_of_people_and_forgetting_ends_what_keys_can_do() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::begun(dir.path(), engine);
        node.done("acme", node.put("D1"));
        let id = EnterpriseId(1);
        let sealed = node.business().enterprise(id).unwrap().personal.clone().unwrap();
        // Each read is an entry, and so an item of the audit.
        let read = |who: &str| node.by(who, BusinessCommand::Disclose { id, purpose: "call".into() });
        assert_eq!(read("acme").unwrap().outcome, Outcome::Disclosed);
        assert_eq!(read("rev").unwrap().outcome, Outcome::Disclosed);
        let last = node.business().disclosure(id.into()).unwrap().clone();
        assert_eq!((last.times, &*last.by, &last.purpose[..]), (2, "rev", "call"));
        // A change goes under the same key; a seal of another record is not taken.
        let change = |fresh: Fresh| BusinessCommand::PutEnterprise {
            id: Some(id),
            profile: Box::new(profile("D1")),
            personal: Some(Box::new(fresh)),
            principals: None,
        };
        assert_eq!(
            node.done("acme", change(node.vault.seal(node.business().people(id.into()), &personal()).unwrap())),
            Outcome::Stored
        );
        let other = node.by("acme", change(node.vault.seal(People::default(), &personal()).unwrap()));
        assert!(matches!(other, Err(Refusal::InvalidBusiness { field: "personal", .. })));
        assert!(node.vault.unseal(&sealed).unwrap().is_some());
        let forget = || BusinessCommand::Forget { id, reason: "asked".into() };
        assert_eq!(node.done("acme", forget()), Outcome::Forgotten);
        assert_eq!(node.business().people(id.into()).forgotten, Some(sealed.subject));
        assert!(node.vault.forget(&sealed.subject).unwrap());
        assert_eq!(node.done("acme", forget()), Outcome::Same, "so that the key can be dropped again");
        assert!(matches!(read("acme"), Err(Refusal::InvalidBusiness { field: "personal", .. })));
        let told = format!("{:?}", node.business());
        node.catalog.shutdown().unwrap();
        let mut bytes = told.into_bytes();
        bytes.extend(bytes_of(dir.path()));
        let told = personal();
        for secret in
            [&told.legal_person.name, &told.contact.name, &told.phone, &told.email, &told.contact.document_number]
        {
            let forms = [secret.clone().into_bytes(), hex(secret.as_bytes()).into_bytes()];
            for form in &forms {
                assert!(!bytes.windows(form.len()).any(|window| window == form), "{engine:?}");
            }
        }
        let found = b"\xe6\x9d\xad\xe5\xb7\x9e\xe6\xa0\xb7\xe4\xbe\x8b";
        assert!(bytes.windows(found.len()).any(|window| window == found), "what is not of people is found");
        // Every ciphertext ever made of it is still there, and opens no more.
        let again = Vault::open(&dir.path().join("personal.keys")).unwrap();
        assert!(again.unseal(&sealed).unwrap().is_none());
    }
}

#[test]
fn what_was_sealed_before_the_people_were_forgotten_is_refused_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.done("acme", node.put("D1"));
    let id = EnterpriseId(1);
    let before = node.business().people(id.into());
    let put = |people| BusinessCommand::PutEnterprise {
        id: Some(id),
        profile: Box::new(profile("D1")),
        personal: Some(Box::new(node.vault.seal(people, &personal()).unwrap())),
        principals: None,
    };
    let late = put(before);
    assert_eq!(node.done("acme", BusinessCommand::Forget { id, reason: "asked".into() }), Outcome::Forgotten);
    let refused = node.by("acme", late);
    assert!(matches!(refused, Err(Refusal::InvalidBusiness { field: "personal", .. })), "{refused:?}");
    let people = node.business().people(id.into());
    assert_eq!((people.held, people.forgotten), (None, before.held), "its key is still to be dropped");
    // What was sealed by somebody who did not know of it would leave the key of what was forgotten, with nothing to tell of it.
    let unaware = node.by("acme", put(People::default()));
    assert!(matches!(unaware, Err(Refusal::InvalidBusiness { field: "personal", .. })), "{unaware:?}");
    assert_eq!(node.done("acme", put(people)), Outcome::Stored, "under another key all may be said anew");
    assert!(!node.vault.has(&before.held.unwrap()), "which took the former with it");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn commands_of_the_node_itself_reach_every_enterprise() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let created = try_write(&node.catalog, vec![Command::from(node.put("D1"))]).unwrap().remove(0).unwrap();
    let business = node.business();
    let enterprise = business.enterprise(EnterpriseId(1)).unwrap();
    assert_eq!((enterprise.serial, enterprise.principals.len()), (created.serial, 0), "an operator acts for none");
    assert!(try_write(&node.catalog, vec![Command::from(apply(PREFIX))]).unwrap()[0].is_err(), "for whom?");
    let by_name = BusinessCommand::Apply {
        prefix: PREFIX.into(),
        enterprise: Some(EnterpriseId(1)),
        wish: Wish::OwnSite,
        note: "by letter".into(),
    };
    assert_eq!(write(&node.catalog, vec![by_name.into()])[0].outcome, Outcome::Applied);
}
