//! What the tests about enterprises build with: a node with callers of every kind, an enterprise, the steps of a case.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::Path;
use std::sync::Arc;

use crate::common::{fetch, home, open_at, write};
use waymark_catalog::access::{Principal, Role, Scope};
use waymark_catalog::business::{
    Business, BusinessCommand, CaseState, CaseStep, DocumentKind, EnterpriseId, Location, Nature, OwnSite, Profile,
    RealNameResult, Wish,
};
use waymark_catalog::vault::{Fresh, People, Person, Personal, Vault};
use waymark_catalog::{
    Actor, Catalog, Command, Door, HomeName, Order, Origin, Outcome, Proof, Receipt, Refusal, Submission,
};
use waymark_store::Engine;
use waymark_wire::types::Site;

pub(crate) const PREFIX: &str = "88.1.701";

pub(crate) fn profile(number: &str) -> Profile {
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

pub(crate) fn personal() -> Personal {
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
pub(crate) struct Node {
    pub(crate) catalog: Catalog,
    pub(crate) vault: Vault,
}

impl Node {
    pub(crate) fn open(dir: &Path, engine: Engine) -> Self {
        let catalog = open_at(&dir.join("data"), engine).catalog;
        Self { catalog, vault: Vault::open(&dir.join("personal.keys")).unwrap() }
    }

    /// Prefix 88.1 lives here with the records of what is derived from it, and these principals call.
    pub(crate) fn begun(dir: &Path, engine: Engine) -> Self {
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

    pub(crate) fn by(&self, name: &str, command: impl Into<Order>) -> Result<Receipt, Refusal> {
        let submission = Submission::new(&actor(name), [command.into()]);
        self.catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    }

    pub(crate) fn done(&self, name: &str, command: BusinessCommand) -> Outcome {
        self.by(name, command).unwrap().outcome
    }

    pub(crate) fn business(&self) -> Arc<Business> {
        self.catalog.business()
    }

    pub(crate) fn fresh(&self) -> Option<Box<Fresh>> {
        Some(Box::new(self.vault.seal(People::default(), &personal()).unwrap()))
    }

    pub(crate) fn put(&self, number: &str) -> BusinessCommand {
        BusinessCommand::PutEnterprise {
            id: None,
            profile: Box::new(profile(number)),
            personal: self.fresh(),
            principals: None,
        }
    }

    pub(crate) fn state(&self) -> CaseState {
        self.business().case(PREFIX.as_bytes()).unwrap().state
    }

    /// An enterprise that is verified, and its prefix at a state.
    pub(crate) fn upto(&self, state: CaseState) {
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

pub(crate) fn principal(name: &str, role: Role, scope: &[&str]) -> Principal {
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

pub(crate) fn certificate(name: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

pub(crate) fn actor(name: &str) -> Actor {
    Actor::principal(name, Proof::Certificate(certificate(name)), Origin { door: Door::Grpc, source: None })
}

pub(crate) fn apply(prefix: &str) -> BusinessCommand {
    BusinessCommand::Apply { prefix: prefix.into(), enterprise: None, wish: Wish::Hosted, note: String::new() }
}

pub(crate) fn step(step: CaseStep) -> BusinessCommand {
    BusinessCommand::Step { prefix: PREFIX.into(), step }
}

pub(crate) fn verified(id: u32) -> BusinessCommand {
    let (source, reviewer) = ("credit registry".into(), String::new());
    BusinessCommand::SetRealName { id: EnterpriseId(id), result: RealNameResult::Verified, source, reviewer }
}

pub(crate) fn site(ip: &str) -> OwnSite {
    OwnSite { ip: ip.parse().unwrap(), tcp: Some(2641), udp: Some(2641), http: None }
}

pub(crate) fn delegate(ips: &[&str]) -> CaseStep {
    CaseStep::Delegate { sites: ips.iter().map(|ip| site(ip)).collect() }
}

/// The steps, one of each kind.
pub(crate) fn all_steps() -> Vec<CaseStep> {
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

pub(crate) fn is_homed(node: &Node) -> bool {
    node.catalog.prefixes().is_homed(PREFIX.as_bytes())
}

/// Addresses the record of the prefix refers to, with their types, in order.
pub(crate) fn sites(node: &Node) -> Vec<String> {
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
