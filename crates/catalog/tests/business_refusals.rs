//! What enterprises and those who are no part of them are refused, verb by verb and field by field.
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

use common::{home, options};
use waymark_catalog::access::{Access, Rights, Verb, rights_of};
use waymark_catalog::business::{
    BusinessCommand, CaseState, CaseStep, DocumentKind, EnterpriseId, Profile, RealNameResult, Wish, visible,
};
use waymark_catalog::{Actor, BusinessLimits, Command, Outcome, Refusal, Submission};
use waymark_store::Engine;

use enterprise::{Node, PREFIX, actor, all_steps, apply, delegate, profile, step, verified};

#[test]
fn only_an_enterprise_whose_documents_were_verified_is_approved() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.done("acme", node.put("D1"));
    node.done("acme", apply(PREFIX));
    node.done("rev", step(CaseStep::Review));
    let refused = Err(Refusal::NotVerified { enterprise: EnterpriseId(1) });
    assert_eq!(node.by("rev", step(CaseStep::Approve)), refused);
    let failed = BusinessCommand::SetRealName {
        id: EnterpriseId(1),
        result: RealNameResult::Failed,
        source: "registry".into(),
        reviewer: "Li".into(),
    };
    node.done("rev", failed);
    assert_eq!(node.by("rev", step(CaseStep::Approve)), refused);
    node.done("rev", verified(1));
    assert_eq!(node.done("rev", verified(1)), Outcome::Same);
    let told = node.business().enterprise(EnterpriseId(1)).unwrap().real_name.clone().unwrap();
    assert_eq!((&told.source[..], &told.reviewer[..]), ("credit registry", "rev"));
    // Another name is another body to verify; another address is not.
    let change = |change: &dyn Fn(&mut Profile)| {
        let mut profile = profile("D1");
        change(&mut profile);
        BusinessCommand::PutEnterprise { id: None, profile: Box::new(profile), personal: None, principals: None }
    };
    node.done("acme", change(&|profile| profile.address = "elsewhere".into()));
    assert!(node.business().enterprise(EnterpriseId(1)).unwrap().is_verified());
    node.done("acme", change(&|profile| profile.name = "another".into()));
    assert_eq!(node.by("rev", step(CaseStep::Approve)), refused);
    node.done("rev", verified(1));
    assert_eq!(node.done("rev", step(CaseStep::Approve)), Outcome::Approved);
}

#[test]
fn enterprises_are_told_apart_by_their_documents_alone() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.done("acme", node.put("d 1"));
    assert_eq!(node.by("rival", node.put("D1")), Err(Refusal::DocumentTaken));
    node.done("rival", node.put("D2"));
    assert_eq!(node.by("rival", node.put("D1")), Err(Refusal::DocumentTaken), "nor by changing");
    let same =
        BusinessCommand::PutEnterprise { id: None, profile: Box::new(profile("D2")), personal: None, principals: None };
    assert_eq!(node.done("rival", same), Outcome::Same);
    // A document that was given up is free.
    node.done("acme", put_without("D3"));
    assert_eq!(node.done("rival", put_without("D1")), Outcome::Stored);
    assert_eq!(node.business().enterprise_count(), 2);
}

/// Changes an enterprise, its people left as they are.
fn put_without(number: &str) -> BusinessCommand {
    BusinessCommand::PutEnterprise { id: None, profile: Box::new(profile(number)), personal: None, principals: None }
}

#[test]
fn fields_that_are_not_what_they_may_be_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let refused = |change: &dyn Fn(&mut Profile)| {
        let mut profile = profile("D1");
        change(&mut profile);
        let personal = node.fresh();
        let command =
            BusinessCommand::PutEnterprise { id: None, profile: Box::new(profile), personal, principals: None };
        match node.by("acme", command) {
            Err(Refusal::InvalidBusiness { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    macro_rules! check {
        ($field:ident = $value:expr) => {
            assert_eq!(refused(&|profile| profile.$field = $value), stringify!($field));
        };
    }
    check!(name = String::new());
    check!(name = "长".repeat(256));
    check!(name_en = "x".repeat(256));
    check!(province = "990000".into());
    check!(city = "320100".into());
    check!(county = "330206".into());
    check!(address = " ".into());
    check!(document_number = "x".repeat(33));
    check!(description = "x".repeat(1_025));
    check!(website = "a\u{7}".into());
    check!(industry_section = "Z".into());
    check!(industry_division = "01".into());
    check!(industry_group = "151".into());
    check!(industry_class = "15".into());
    check!(industries_served = vec!["999".into()]);
    check!(founded = Some(waymark_catalog::business::Date("2023-02-30".into())));
    assert_eq!(refused(&|profile| profile.document_kind = DocumentKind::CreditCode), "document_number");
    let without = put_without("D1");
    assert!(matches!(node.by("acme", without), Err(Refusal::InvalidBusiness { field: "personal", .. })));
    assert_eq!(node.business().enterprise_count(), 0);
}

#[test]
fn applications_for_what_cannot_be_given_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    assert_eq!(node.by("acme", apply(PREFIX)), Err(Refusal::NotPermitted), "there is no enterprise to ask for");
    node.done("acme", node.put("D1"));
    node.done("rival", node.put("D2"));
    let field = |prefix: &str| match node.by("acme", apply(prefix)) {
        Err(Refusal::InvalidBusiness { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    for prefix in ["", "88.1..2", "88.1.a/b", "88.1.é", "77.1.2", "88", &format!("88.1.{}", "1".repeat(60))] {
        assert_eq!(field(prefix), "prefix", "{prefix}");
    }
    assert_eq!(node.by("acme", apply("88.1")), Err(Refusal::PrefixTaken), "it lives here");
    home(&node.catalog, "88.1.5");
    assert_eq!(node.by("acme", apply("88.1.5")), Err(Refusal::PrefixTaken));
    assert_eq!(node.done("acme", apply("88.1.x7")), Outcome::Applied);
    assert_eq!(node.by("rival", apply("88.1.X7")), Err(Refusal::PrefixTaken), "in any case");
    let step = |step| BusinessCommand::Step { prefix: "88.1.X7".into(), step };
    node.done("rev", step(CaseStep::Review));
    node.done("rev", step(CaseStep::Reject { reason: "no".into() }));
    assert_eq!(node.done("rival", apply("88.1.x7")), Outcome::Applied, "what was refused is free");
    assert_eq!(
        node.by("op", step(CaseStep::Reject { reason: String::new() })).unwrap_err().code().as_str(),
        "invalid-business"
    );
    let unknown = BusinessCommand::Step { prefix: "88.1.9".into(), step: CaseStep::Review };
    assert_eq!(node.by("op", unknown), Err(Refusal::NotFound));
}

#[test]
fn a_deleted_prefix_goes_to_nobody_but_the_enterprise_whose_identifiers_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.upto(CaseState::Deleted);
    node.done("rival", node.put("D2"));
    assert_eq!(node.by("rival", apply(PREFIX)), Err(Refusal::PrefixTaken));
    assert_eq!(node.done("acme", apply(PREFIX)), Outcome::Applied);
}

#[test]
fn an_enterprise_has_no_more_prefixes_and_a_node_no_more_enterprises_than_they_may() {
    let dir = tempfile::tempdir().unwrap();
    let limits = BusinessLimits { enterprises: 1, prefixes_per_enterprise: 1, operator_confirms: false };
    let mut options = options(&dir.path().join("data"), Engine::Log);
    options.business = limits;
    let Node { catalog, vault } = Node::begun(dir.path(), Engine::Log);
    catalog.shutdown().unwrap();
    drop(catalog);
    let node = Node { catalog: waymark_catalog::open(&options).unwrap().catalog, vault };
    node.done("acme", node.put("D1"));
    assert!(matches!(node.by("rival", node.put("D2")), Err(Refusal::InvalidBusiness { field: "enterprises", .. })));
    node.done("acme", apply(PREFIX));
    assert!(matches!(node.by("acme", apply("88.1.702")), Err(Refusal::InvalidBusiness { field: "prefix", .. })));
    // With a top-level node, an operator's word is not enough; the node's own is.
    node.done("rev", verified(1));
    node.done("rev", step(CaseStep::Review));
    node.done("rev", step(CaseStep::Approve));
    let confirm = || step(CaseStep::ConfirmTopLevel { approved: true, reason: String::new() });
    assert!(matches!(node.by("op", confirm()), Err(Refusal::InvalidBusiness { field: "confirm", .. })));
    let submission = Submission::new(&Actor::node(), [Command::from(confirm())]);
    let receipt = node.catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0).unwrap();
    assert_eq!(receipt.outcome, Outcome::Confirmed);
}

#[test]
fn another_enterprise_is_refused_verb_by_verb_and_told_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.upto(CaseState::Active);
    node.done("op", step(CaseStep::Host));
    node.done("rival", node.put("D2"));
    let id = EnterpriseId(1);
    let before = node.catalog.business();
    let mut commands = vec![
        BusinessCommand::PutEnterprise {
            id: Some(id),
            profile: Box::new(profile("D9")),
            personal: node.fresh(),
            principals: None,
        },
        BusinessCommand::PutEnterprise {
            id: None,
            profile: Box::new(profile("D2")),
            personal: None,
            principals: Some(vec!["rival".into(), "acme".into()]),
        },
        verified(1),
        BusinessCommand::Forget { id, reason: "x".into() },
        BusinessCommand::Disclose { id, purpose: "x".into() },
        BusinessCommand::Apply {
            prefix: "88.1.9".into(),
            enterprise: Some(id),
            wish: Wish::Hosted,
            note: String::new(),
        },
    ];
    commands.extend(all_steps().into_iter().map(step));
    for command in &commands {
        for stranger in ["rival", "w", "aud", "nobody"] {
            let refused = node.by(stranger, command.clone());
            assert_eq!(refused, Err(Refusal::NotPermitted), "{stranger}: {command:?}");
        }
        // What there is not is refused in the same words as what is another's.
        let mut unknown = command.clone();
        match &mut unknown {
            BusinessCommand::SetRealName { id, .. }
            | BusinessCommand::Forget { id, .. }
            | BusinessCommand::Disclose { id, .. } => {
                *id = EnterpriseId(99);
            }
            BusinessCommand::PutEnterprise { id: id @ Some(_), .. } | BusinessCommand::Apply { enterprise: id, .. } => {
                *id = Some(EnterpriseId(99));
            }
            BusinessCommand::Step { prefix, .. } => *prefix = b"88.1.99".to_vec(),
            _ => {}
        }
        assert_eq!(node.by("rival", unknown.clone()), Err(Refusal::NotPermitted), "{unknown:?}");
    }
    // Its own steps are not an enterprise's to take either, nor those of a reviewer who works elsewhere.
    for each in all_steps() {
        assert_eq!(node.by("acme", step(each.clone())), Err(Refusal::NotPermitted), "{each:?}");
        assert_eq!(node.by("near", step(each)), Err(Refusal::NotPermitted));
    }
    for each in [CaseStep::Host, CaseStep::Delete { reason: "x".into() }, delegate(&["192.0.2.1"])] {
        assert_eq!(node.by("rev", step(each)), Err(Refusal::NotPermitted), "a reviewer does not place");
    }
    assert_eq!(node.by("acme", verified(1)), Err(Refusal::NotPermitted));
    let after = node.catalog.business();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}

fn rights(access: &Access, name: &str) -> Rights {
    rights_of(&actor(name), access, waymark_catalog::Timestamp(1)).unwrap()
}

#[test]
fn an_enterprise_is_seen_by_its_own_and_by_those_who_see_all() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.done("acme", node.put("D1"));
    let link = BusinessCommand::PutEnterprise {
        id: Some(EnterpriseId(1)),
        profile: Box::new(profile("D1")),
        personal: None,
        principals: Some(vec!["w".into(), "acme".into(), "w".into()]),
    };
    assert_eq!(node.done("rev", link), Outcome::Stored);
    let (business, access) = (node.business(), node.catalog.access());
    let enterprise = business.enterprise(EnterpriseId(1)).unwrap();
    let sees = |name: &str| visible(&rights(&access, name), enterprise);
    let who: Vec<&str> =
        ["op", "rev", "aud", "acme", "rival", "w", "near"].into_iter().filter(|name| sees(name)).collect();
    assert_eq!(who, ["op", "rev", "aud", "acme", "w"]);
    assert!(!rights(&access, "w").has(Verb::Apply));
    // One principal acts for one enterprise.
    node.done("rival", node.put("D2"));
    let steal = |names: &[&str]| BusinessCommand::PutEnterprise {
        id: Some(EnterpriseId(2)),
        profile: Box::new(profile("D2")),
        personal: None,
        principals: Some(names.iter().map(|name| (*name).into()).collect()),
    };
    for names in [&["acme"][..], &["nobody"]] {
        let refused = node.by("rev", steal(names));
        assert!(matches!(refused, Err(Refusal::InvalidBusiness { field: "principals", .. })), "{names:?}");
    }
}
