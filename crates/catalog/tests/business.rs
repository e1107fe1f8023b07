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

use std::path::Path;
use std::sync::Arc;

use common::{ENGINES, copy_folder, data, fetch, home, lose_state, open_at, options, put, try_write, write};
use waymark_catalog::access::{Access, Principal, Rights, Role, Scope, Verb, rights_of};
use waymark_catalog::business::{
    Business, BusinessCommand, CaseState, CaseStep, DocumentKind, EnterpriseId, Location, Nature, OwnSite, Placement,
    Profile, RealNameResult, StepKind, Wish, visible,
};
use waymark_catalog::vault::{Fresh, Person, Personal, Vault};
use waymark_catalog::{
    Actor, BusinessLimits, Catalog, Command, Door, HomeName, Order, Origin, Outcome, Proof, PutMode, Receipt, Refusal,
    Request, Submission, command_digest,
};
use waymark_store::Engine;
use waymark_wire::types::Site;

const PREFIX: &str = "88.1.701";

fn profile(number: &str) -> Profile {
    Profile {
        name: "杭州样例食品有限公司".into(),
        name_en: "Sample Foods".into(),
        nature: Nature::Company,
        province: "330000".into(),
        city: "330100".into(),
        county: "330106".into(),
        address: "文三路 1 号".into(),
        address_en: String::new(),
        document_kind: DocumentKind::Other,
        document_number: number.into(),
        description: String::new(),
        industry_section: "C".into(),
        industry_division: "14".into(),
        industry_group: "145".into(),
        industry_class: String::new(),
        website: "https://example.cn".into(),
        registrar: String::new(),
        capital: "100 万元".into(),
        founded: None,
        expires: None,
        licences: Vec::new(),
        build: None,
        operation: None,
        registration_system: Location::default(),
        registration_data: Location::default(),
        backup: Location::default(),
        resolution_servers: Location::default(),
        system_backup: Location::default(),
        data_hosting: String::new(),
        service_hosting: String::new(),
        naming_compliant: true,
        industries_served: vec!["14".into(), "F".into()],
        site_name: String::new(),
        site_domain: String::new(),
        site_ips: Vec::new(),
    }
}

fn personal() -> Personal {
    let person = |name: &str, number: &str| Person {
        name: name.into(),
        document_kind: "identity-card".into(),
        document_number: number.into(),
    };
    Personal {
        legal_person: person("欧阳明月", "330106197001017771"),
        contact: person("司马流云", "330106198002028882"),
        phone: "13800138777".into(),
        email: "sima.liuyun@example.cn".into(),
    }
}

/// A catalog with its keys beside it.
struct Node {
    catalog: Catalog,
    vault: Vault,
}

impl Node {
    fn open(dir: &Path, engine: Engine) -> Self {
        let catalog = open_at(&dir.join("data"), engine).catalog;
        Self { catalog, vault: Vault::open(&dir.join("personal.keys")).unwrap() }
    }

    /// Prefix 88.1 lives here with the records of what is derived from it, and these principals call.
    fn begun(dir: &Path, engine: Engine) -> Self {
        let node = Self::open(dir, engine);
        home(&node.catalog, "88.1");
        let marker = HomeName::parse(b"0.NA/0.NA/88.1").unwrap();
        let mut commands = vec![Command::Home { name: marker }];
        for (name, role, scope) in [
            ("op", Role::Operator, &["*"][..]),
            ("rev", Role::Reviewer, &["*"]),
            ("aud", Role::Auditor, &["*"]),
            ("acme", Role::EnterpriseAdministrator, &["88.1.701"]),
            ("rival", Role::EnterpriseAdministrator, &["88.1.702"]),
            ("w", Role::Writer, &["88.1.701"]),
            ("near", Role::Reviewer, &["88.1.9"]),
        ] {
            commands.push(Command::PutPrincipal { principal: principal(name, role, scope) });
        }
        write(&node.catalog, commands);
        node
    }

    fn by(&self, name: &str, command: impl Into<Order>) -> Result<Receipt, Refusal> {
        let submission = Submission::new(&actor(name), [command.into()]);
        self.catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    }

    fn done(&self, name: &str, command: BusinessCommand) -> Outcome {
        self.by(name, command).unwrap().outcome
    }

    fn business(&self) -> Arc<Business> {
        self.catalog.business()
    }

    fn fresh(&self) -> Option<Box<Fresh>> {
        Some(Box::new(self.vault.seal(None, &personal()).unwrap()))
    }

    fn put(&self, number: &str) -> BusinessCommand {
        BusinessCommand::PutEnterprise {
            id: None,
            profile: Box::new(profile(number)),
            personal: self.fresh(),
            principals: None,
        }
    }

    fn state(&self) -> CaseState {
        self.business().case(PREFIX.as_bytes()).unwrap().state
    }

    /// An enterprise that is verified, and its prefix at a state.
    fn upto(&self, state: CaseState) {
        let steps: &[(&str, CaseStep)] = &[
            ("rev", CaseStep::Review),
            ("rev", CaseStep::Approve),
            ("op", CaseStep::ConfirmTopLevel { approved: true, reason: String::new() }),
            ("rev", CaseStep::Suspend { reason: "audit".into() }),
            ("op", CaseStep::Delete { reason: "closed".into() }),
        ];
        assert_eq!(self.done("acme", self.put("D1")), Outcome::Stored);
        assert_eq!(self.done("rev", verified(1)), Outcome::Stored);
        assert_eq!(self.done("acme", apply(PREFIX)), Outcome::Applied);
        if state == CaseState::Rejected {
            self.done("rev", step(CaseStep::Review));
            self.done("rev", step(CaseStep::Reject { reason: "no".into() }));
        }
        for (who, each) in steps {
            if self.state() == state {
                break;
            }
            self.done(who, step(each.clone()));
        }
        assert_eq!(self.state(), state);
    }
}

fn principal(name: &str, role: Role, scope: &[&str]) -> Principal {
    Principal {
        name: name.into(),
        role,
        scope: Scope::parse(scope.iter().copied()).unwrap(),
        disabled: false,
        rate_per_second: None,
        daily_quota: None,
        certificates: vec![certificate(name)],
        note: String::new(),
    }
}

fn certificate(name: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

fn actor(name: &str) -> Actor {
    Actor::principal(name, Proof::Certificate(certificate(name)), Origin { door: Door::Grpc, source: None })
}

fn apply(prefix: &str) -> BusinessCommand {
    BusinessCommand::Apply { prefix: prefix.into(), enterprise: None, wish: Wish::Hosted, note: String::new() }
}

fn step(step: CaseStep) -> BusinessCommand {
    BusinessCommand::Step { prefix: PREFIX.into(), step }
}

fn verified(id: u32) -> BusinessCommand {
    let (source, reviewer) = ("credit registry".into(), String::new());
    BusinessCommand::SetRealName { id: EnterpriseId(id), result: RealNameResult::Verified, source, reviewer }
}

fn site(ip: &str) -> OwnSite {
    OwnSite { ip: ip.parse().unwrap(), tcp: Some(2641), udp: Some(2641), http: None }
}

fn delegate(ips: &[&str]) -> CaseStep {
    CaseStep::Delegate { sites: ips.iter().map(|ip| site(ip)).collect() }
}

/// The steps, one of each kind.
fn all_steps() -> Vec<CaseStep> {
    let reason = || "because".to_owned();
    vec![
        CaseStep::Review,
        CaseStep::Approve,
        CaseStep::Reject { reason: reason() },
        CaseStep::ConfirmTopLevel { approved: true, reason: String::new() },
        CaseStep::ConfirmTopLevel { approved: false, reason: reason() },
        CaseStep::Host,
        delegate(&["192.0.2.1"]),
        CaseStep::Suspend { reason: reason() },
        CaseStep::Resume,
        CaseStep::Delete { reason: reason() },
    ]
}

fn is_homed(node: &Node) -> bool {
    node.catalog.prefixes().is_homed(PREFIX.as_bytes())
}

/// Addresses the record of the prefix refers to, with their types, in order.
fn sites(node: &Node) -> Vec<String> {
    let Some(record) = fetch(&node.catalog, &format!("0.NA/{PREFIX}")) else { return Vec::new() };
    let stored = record.stored().unwrap();
    let values = stored.values().unwrap();
    let sites = values.iter().filter(|value| value.kind.starts_with(b"HS_SITE"));
    sites
        .map(|value| {
            let site = Site::parse(value.data).unwrap();
            let kind = String::from_utf8(value.kind.to_vec()).unwrap();
            format!("{kind} {} #{}", site.servers.iter().next().unwrap().address.ip(), site.serial)
        })
        .collect()
}

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
            let read = format!("{:?}", business.disclosure(EnterpriseId(1)));
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
        let last = node.business().disclosure(id).unwrap().clone();
        assert_eq!((last.times, &*last.by, &last.purpose[..]), (2, "rev", "call"));
        // A change goes under the same key; a seal of another record is not taken.
        let change = |fresh: Fresh| BusinessCommand::PutEnterprise {
            id: Some(id),
            profile: Box::new(profile("D1")),
            personal: Some(Box::new(fresh)),
            principals: None,
        };
        assert_eq!(
            node.done("acme", change(node.vault.seal(Some(sealed.subject), &personal()).unwrap())),
            Outcome::Stored
        );
        let other = node.by("acme", change(node.vault.seal(None, &personal()).unwrap()));
        assert!(matches!(other, Err(Refusal::InvalidBusiness { field: "personal", .. })));
        assert!(node.vault.unseal(&sealed).unwrap().is_some());
        let forget = || BusinessCommand::Forget { id, reason: "asked".into() };
        assert_eq!(node.done("acme", forget()), Outcome::Forgotten);
        assert_eq!(node.business().enterprise(id).unwrap().subject(), Some(sealed.subject));
        assert!(node.vault.forget(&sealed.subject).unwrap());
        assert_eq!(node.done("acme", forget()), Outcome::Same, "so that the key can be dropped again");
        assert!(matches!(read("acme"), Err(Refusal::InvalidBusiness { field: "personal", .. })));
        let told = format!("{:?}", node.business());
        node.catalog.shutdown().unwrap();
        let mut bytes = told.into_bytes();
        gather(dir.path(), &mut bytes);
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn gather(dir: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            gather(&entry.path(), into);
        } else {
            into.extend(std::fs::read(entry.path()).unwrap());
        }
    }
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
