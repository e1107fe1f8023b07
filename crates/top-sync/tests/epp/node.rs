//! A node with enterprises whose prefixes this node has approved.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use waymark_catalog::business::{
    Business, BusinessCommand, CaseState, CaseStep, DocumentKind, EnterpriseId, FileFormat, FileKind, FreshFile,
    Location, Nature, Owner, Profile, RealNameResult, Wish,
};
use waymark_catalog::vault::{People, Person, Personal, Vault};
use waymark_catalog::{
    Actor, BusinessLimits, Catalog, Command, HomeName, Options, Order, Receipt, Refusal, Submission, Timestamp, Warm,
    open,
};

pub(crate) const OWN_PREFIX: &str = "88.104";

/// A clock that goes on by a millisecond whenever it is read.
fn ticking() -> Timestamp {
    static TICKS: AtomicU64 = AtomicU64::new(1_800_000_000_000);
    Timestamp(TICKS.fetch_add(1, Ordering::Relaxed))
}

/// A credit code that holds, by number (GB 32100).
pub(crate) fn credit_code(number: u32) -> String {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let body = format!("91350100M{number:08}");
    let value = |byte: u8| ALPHABET.iter().position(|known| *known == byte).unwrap();
    let (sum, _) =
        body.bytes().fold((0, 1), |(sum, weight), byte| ((sum + value(byte) * weight) % 31, weight * 3 % 31));
    format!("{body}{}", char::from(ALPHABET[(31 - sum) % 31]))
}

pub(crate) fn profile(number: u32) -> Profile {
    Profile {
        name: format!("杭州样例食品{number}有限公司"),
        name_en: "Sample Foods <& Co>".into(),
        nature: Nature::Company,
        province: "330000".into(),
        city: "330100".into(),
        county: "330106".into(),
        address: "文三路 1 号".into(),
        address_en: String::new(),
        document_kind: DocumentKind::CreditCode,
        document_number: credit_code(number),
        description: "做食品\n和饮料".into(),
        industry_section: "C".into(),
        industry_division: "14".into(),
        industry_group: "145".into(),
        industry_class: String::new(),
        website: "https://example.cn".into(),
        registrar: String::new(),
        capital: String::new(),
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
        industries_served: Vec::new(),
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

/// An image of so many bytes that differ from those of others.
pub(crate) fn png(mark: u8) -> Vec<u8> {
    [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[mark; 300]].concat()
}

pub(crate) struct Node {
    pub(crate) catalog: Catalog,
}

impl Node {
    /// Opened in a folder; the first time, this node's own prefix is homed.
    pub(crate) fn open(dir: &Path) -> Self {
        let mut store = waymark_store::Options::new(dir.join("data"));
        store.segment_bytes = 64 << 10;
        let options = Options {
            warm: Warm::Off,
            clock: ticking,
            expected_entries: 0,
            personal_keys: Some(dir.join("personal.keys")),
            // What the top-level node decides is nobody else's to say.
            business: BusinessLimits { operator_confirms: false, ..BusinessLimits::default() },
            ..Options::new(store)
        };
        let node = Self { catalog: open(&options).unwrap().catalog };
        if node.catalog.prefixes().is_empty() {
            for name in [OWN_PREFIX.to_owned(), format!("0.NA/0.NA/{OWN_PREFIX}")] {
                node.done(Command::Home { name: HomeName::parse(name.as_bytes()).unwrap() });
            }
        }
        node
    }

    pub(crate) fn by(&self, command: impl Into<Order>) -> Result<Receipt, Refusal> {
        let submission = Submission::new(&Actor::operator(), [command.into()]);
        self.catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    }

    pub(crate) fn done(&self, command: impl Into<Order>) {
        self.by(command).unwrap();
    }

    pub(crate) fn business(&self) -> Arc<Business> {
        self.catalog.business()
    }

    fn vault(&self) -> &Vault {
        self.catalog.vault().unwrap()
    }

    /// A verified enterprise with its images.
    pub(crate) fn enterprise(&self, number: u32) -> EnterpriseId {
        let id = self.put(None, profile(number), Some(&personal()));
        self.image(id, FileKind::Document, &png(1));
        self.image(id, FileKind::LegalPersonFront, &png(2));
        self.done(BusinessCommand::SetRealName {
            id,
            result: RealNameResult::Verified,
            source: "registry".into(),
            reviewer: String::new(),
        });
        id
    }

    /// Writes an enterprise.
    pub(crate) fn put(&self, id: Option<EnterpriseId>, profile: Profile, people: Option<&Personal>) -> EnterpriseId {
        let former = id.map_or_else(People::default, |id| self.business().people(Owner::Enterprise(id)));
        let fresh = people.map(|people| Box::new(self.vault().seal(former, people).unwrap()));
        let number = profile.document_number.clone();
        self.done(BusinessCommand::PutEnterprise { id, profile: Box::new(profile), personal: fresh, principals: None });
        self.business().of_document(DocumentKind::CreditCode, &number).unwrap()
    }

    pub(crate) fn image(&self, id: EnterpriseId, kind: FileKind, bytes: &[u8]) {
        let subject = self.business().people(Owner::Enterprise(id));
        let fresh = self.vault().seal_bytes(subject, bytes).unwrap();
        let image = FreshFile { format: FileFormat::of(kind, bytes).unwrap(), fresh };
        self.done(BusinessCommand::PutImage { id: Some(id), kind, image: Some(Box::new(image)) });
    }

    /// Asks for a prefix and approves it here.
    pub(crate) fn approve(&self, enterprise: EnterpriseId, prefix: &str) {
        self.done(BusinessCommand::Apply {
            prefix: prefix.as_bytes().to_vec(),
            enterprise: Some(enterprise),
            wish: Wish::Hosted,
            note: String::new(),
        });
        for step in [CaseStep::Review, CaseStep::Approve] {
            self.done(BusinessCommand::Step { prefix: prefix.as_bytes().to_vec(), step });
        }
    }

    pub(crate) fn state(&self, prefix: &str) -> CaseState {
        self.business().case(prefix.as_bytes()).unwrap().state
    }

    /// Who took the last step of a case, and why.
    pub(crate) fn last_step(&self, prefix: &str) -> (String, String) {
        let business = self.business();
        let last = business.case(prefix.as_bytes()).unwrap().steps.last().unwrap();
        (last.by.to_string(), last.reason.clone())
    }

    pub(crate) fn awaits_nothing(&self) -> bool {
        self.business().cases().all(|case| case.state != CaseState::AwaitingTopLevel)
    }
}
