//! A node with data of every kind, a clock of its own, and what it tells when it is asked by the ways doors ask.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use waymark_catalog::access::{Principal, Role, Scope};
use waymark_catalog::business::{
    ApplicationCommand, ApplicationKind, ApplicationProfile, BusinessCommand, CaseStep, DocumentKind, EnterpriseId,
    FileFormat, FileKind, FreshFile, Location, Month, MonthlyUsers, Nature, NodeItems, Operation, OperatorCommand,
    OperatorPersonal, OwnSite, Owner, Party, Profile, Reach, RealNameResult, Wish,
};
use waymark_catalog::range::{CodeState, FormRequest, Layer, MacKey, Part, RangeCommand, RangeName, Span};
use waymark_catalog::template::{
    Column, ColumnRole, DataType, DateFormat, Definition, FieldValue, Industry, ObjectType, TemplateCommand, Visibility,
};
use waymark_catalog::vault::{People, Person, Personal};
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Options, Order, PutMode, Submission, Timestamp, Timestamps, ValueSet, Warm, open,
};
use waymark_ident::Date;
use waymark_store::{Engine, Upkeep};
use waymark_top_sync::deposit::{parse_date, watermark};
use waymark_wire::{Permissions, ReferenceBuf, Ttl, ValueBuf};

pub(crate) const ROOT: &str = "88.990";
pub(crate) const HOUR: u64 = 3_600_000;

/// Clocks of tests that run beside each other.
static CLOCKS: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

fn clock<const N: usize>() -> Timestamp {
    // A second passes whenever somebody looks.
    Timestamp(CLOCKS[N].fetch_add(1_000, Ordering::Relaxed))
}

/// A day.
pub(crate) fn day(text: &str) -> Date {
    parse_date(text).unwrap()
}

pub(crate) struct Node {
    pub(crate) catalog: Catalog,
    clock: usize,
}

impl Node {
    /// A node with clock number `N`, made at a time.
    pub(crate) fn open<const N: usize>(dir: &Path, engine: Engine, now: Timestamp) -> Self {
        CLOCKS[N].store(now.0, Ordering::Relaxed);
        let mut store = waymark_store::Options::new(dir);
        (store.engine, store.upkeep, store.segment_bytes, store.now) = (engine, Upkeep::Inline, 64 << 10, now);
        let mut options = Options { warm: Warm::Off, clock: clock::<N>, expected_entries: 0, ..Options::new(store) };
        options.personal_keys = Some(dir.with_extension("keys"));
        Self { catalog: open(&options).unwrap().catalog, clock: N }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(CLOCKS[self.clock].load(Ordering::Relaxed))
    }

    /// It is so many hours after a day began in UTC.
    pub(crate) fn set(&self, date: &str, hours: u64) {
        CLOCKS[self.clock].store(watermark(day(date)).0 + hours * HOUR, Ordering::Relaxed);
    }

    pub(crate) fn write(&self, orders: impl IntoIterator<Item = impl Into<Order>>) {
        let submission = Submission::new(&Actor::operator(), orders);
        for result in self.catalog.writer().submit(submission).unwrap().wait().unwrap() {
            result.unwrap();
        }
    }

    fn enterprise(&self, number: &str, principal: &str) -> EnterpriseId {
        let fresh = self.catalog.vault().unwrap().seal(People::default(), &personal(number)).unwrap();
        self.write([BusinessCommand::PutEnterprise {
            id: None,
            profile: Box::new(profile(number)),
            personal: Some(Box::new(fresh)),
            principals: Some(vec![principal.into()]),
        }]);
        self.catalog.business().of_document(DocumentKind::Other, number).unwrap()
    }

    fn file(&self, id: EnterpriseId, kind: FileKind, bytes: &[u8]) -> BusinessCommand {
        let people = self.catalog.business().people(Owner::Enterprise(id));
        let fresh = self.catalog.vault().unwrap().seal_bytes(people, bytes).unwrap();
        let image = Some(Box::new(FreshFile { format: FileFormat::of(kind, bytes).unwrap(), fresh }));
        BusinessCommand::PutImage { id: Some(id), kind, image }
    }

    /// Fills an empty node: prefixes, two enterprises, the node's own record, cases of several states, templates, packages, records.
    pub(crate) fn fill(&self) {
        let homes = ["88.990", "0.NA/0.NA/88.990", "88.77", "0.NA/88.991"];
        self.write(homes.map(|name| Command::Home { name: HomeName::parse(name.as_bytes()).unwrap() }));
        self.write(
            [("acme", Some("88.990.1")), ("rival", Some("88.990.2")), ("else", Some("88.77")), ("op", None)]
                .map(|(name, prefix)| Command::PutPrincipal { principal: principal(name, prefix) }),
        );
        let (acme, rival, other) =
            (self.enterprise("D1", "acme"), self.enterprise("D2", "rival"), self.enterprise("D3", "else"));
        self.write([acme, rival, other].map(|id| BusinessCommand::SetRealName {
            id,
            result: RealNameResult::Verified,
            source: "register".into(),
            reviewer: "李".into(),
        }));
        self.write([self.file(acme, FileKind::Document, &png(7)), self.file(rival, FileKind::ContactFront, &png(9))]);
        self.case("88.990.1", acme, Wish::Hosted, Some(CaseStep::Host));
        let sites = vec![
            OwnSite { ip: "192.0.2.7".parse().unwrap(), tcp: Some(2641), udp: Some(2641), http: None },
            OwnSite { ip: "2001:db8::7".parse().unwrap(), tcp: Some(2641), udp: None, http: Some(8000) },
        ];
        self.case("88.990.2", rival, Wish::OwnSite, Some(CaseStep::Delegate { sites }));
        self.case("88.990.3", acme, Wish::Hosted, None);
        self.case("88.77.1", other, Wish::Hosted, Some(CaseStep::Host));
        self.operator();
        self.write([
            application(Owner::Node, "查询"),
            application(Owner::Enterprise(acme), "scan & see <1>"),
            application(Owner::Enterprise(other), "elsewhere"),
        ]);
        self.templates();
        self.packages();
        self.records();
    }

    fn case(&self, prefix: &str, enterprise: EnterpriseId, wish: Wish, last: Option<CaseStep>) {
        let prefix = prefix.as_bytes().to_vec();
        self.write([BusinessCommand::Apply {
            prefix: prefix.clone(),
            enterprise: Some(enterprise),
            wish,
            note: "请尽快".into(),
        }]);
        let confirm = CaseStep::ConfirmTopLevel { approved: true, reason: String::new() };
        for step in [CaseStep::Review, CaseStep::Approve, confirm].into_iter().chain(last) {
            self.write([BusinessCommand::Step { prefix: prefix.clone(), step }]);
        }
    }

    fn operator(&self) {
        let people = OperatorPersonal {
            people: personal("node"),
            representative: Reach { phone: "0571-87654321".into(), email: "o@example.cn".into(), fax: String::new() },
        };
        let vault = self.catalog.vault().unwrap();
        let fresh = vault.seal(People::default(), &people).unwrap();
        let held = People { held: Some(fresh.sealed.subject), forgotten: None };
        let node = NodeItems {
            verification: Operation { party: Party::Own, organisation: String::new() },
            data_hosting_domestic: false,
            service_hosting_domestic: false,
        };
        self.write([OperatorCommand::Put {
            profile: Box::new(profile("NODE")),
            node: Box::new(node),
            personal: Some(Box::new(fresh)),
        }]);
        let fresh = vault.seal_bytes(held, b"%PDF-1.7\nsource\n%%EOF\n").unwrap();
        let file = Some(Box::new(FreshFile { format: FileFormat::Pdf, fresh }));
        self.write([OperatorCommand::PutFile { kind: FileKind::VerificationSource1, file }]);
    }

    fn templates(&self) {
        for (version, publish) in [("1.0", true), ("2.0", false)] {
            let definition = Box::new(definition(version));
            let template = format!("88.990.1/META_BIS-{version}").parse().unwrap();
            self.write([TemplateCommand::PutDraft { prefix: b"88.990.1".to_vec(), definition }]);
            if publish {
                self.write([TemplateCommand::Publish { template }]);
            }
        }
        let field = |index, text: &str| FieldValue { index, kind: String::new(), text: text.into() };
        self.write([Command::PutFromTemplate {
            handle: b"88.990.1/Biscuit".to_vec(),
            template: "88.990.1/META_BIS-1.0".parse().unwrap(),
            fields: vec![field(2000, "饼干 \"<&>\""), field(2001, "B1")],
            mode: PutMode::Create,
        }]);
    }

    fn packages(&self) {
        let values = ValueSet::from_bufs(&[ValueBuf::new(1, b"URL", b"https://x/{code}")]).unwrap();
        let allocate = |stem: &str, form| RangeCommand::Allocate {
            prefix: b"88.990.1".to_vec(),
            stem: stem.into(),
            width: 6,
            form,
            key: MacKey::generate().unwrap(),
            first: None,
            count: 1_000,
            values: values.clone(),
            note: "line 3".into(),
        };
        self.write([allocate("MAC.", FormRequest::Mac { chars: 6 }), allocate("P.", FormRequest::Plain)]);
        self.write([
            RangeCommand::Mark { range: package(2), span: span(10, 19), state: CodeState::Used, reason: String::new() },
            RangeCommand::Export { range: package(2), part: Part::Next(100), roll_codes: 50, again: String::new() },
        ]);
    }

    fn records(&self) {
        let value = |index, kind: &[u8], data: &[u8]| ValueBuf::new(index, kind, data);
        let odd = ValueBuf {
            ttl: Ttl::Absolute(1_900_000_000),
            permissions: Permissions(0x0c),
            references: vec![ReferenceBuf { handle: b"88.1/\xff".to_vec(), index: 300 }],
            timestamp: 1_700_000_001,
            ..value(7, b"BIN", b"\0\x01\r\n<>&\xfe")
        };
        self.write([
            put(b"88.990/own", &[value(1, b"URL", "https://例.cn/a?b=1&c=<2>".as_bytes())]),
            put(b"88.990.1/Mixed Case", &[value(2, b"EMPTY", b""), value(3, b"LINES", b"  one\n two\t]]>  "), odd]),
            put(b"88.990.1/suspended", &[value(1, b"URL", b"s")]),
            put(b"88.990.1/revoked", &[value(1, b"URL", b"r")]),
            put(b"88.990.1/recalled", &[value(1, b"URL", b"c")]),
            put(b"88.990.1/gone soon", &[value(1, b"URL", b"g")]),
            put(b"88.990.1/P.000001", &[value(1, b"URL", b"a code with a record of its own")]),
            put(b"88.77/other", &[value(1, b"URL", b"o")]),
            put(b"88.991/neighbour", &[value(1, b"URL", b"n")]),
        ]);
        self.write([
            Command::Suspend { handle: b"88.990.1/suspended".to_vec(), reason: "待查 & <open>".into() },
            Command::Revoke { handle: b"88.990.1/revoked".to_vec(), reason: "for good".into() },
            Command::Recall { handle: b"88.990.1/recalled".to_vec(), reason: "broken".into() },
        ]);
        let used_up = CodeState::Withdrawn;
        self.write([
            RangeCommand::Mark { range: package(2), span: span(0, 5), state: used_up, reason: "misprint".into() },
            RangeCommand::Recall { range: package(2), span: span(15, 16), reason: "glass".into() },
            RangeCommand::Lease { range: package(1), station: "line-3".into(), count: 40, lifetime_ms: HOUR },
        ]);
    }

    /// Changes something of every kind.
    pub(crate) fn change(&self) {
        let value = |index, data: &[u8]| ValueBuf::new(index, b"URL", data);
        self.write([
            put(b"88.990.1/new today", &[value(1, b"new")]),
            put(b"88.990/own", &[value(1, b"changed"), value(2, b"more")]),
            Command::Resume { handle: b"88.990.1/suspended".to_vec() },
            Command::LiftRecall { handle: b"88.990.1/recalled".to_vec() },
            Command::Delete { handle: b"88.990.1/gone soon".to_vec() },
            Command::Suspend { handle: b"88.990.1/Mixed Case".to_vec(), reason: String::new() },
            put(b"88.990.1/came and went", &[value(1, b"x")]),
            Command::Home { name: HomeName::parse(b"88.990.9").unwrap() },
            put(b"88.990.9/x", &[value(1, b"of a prefix that goes again")]),
        ]);
        self.write([
            Command::Delete { handle: b"88.990.1/came and went".to_vec() },
            Command::Unhome { name: HomeName::parse(b"88.990.9").unwrap() },
            Command::RemovePrincipal { name: "rival".into() },
        ]);
        // An enterprise of another prefix comes to this one, unchanged itself.
        if let Some(other) = self.catalog.business().of_document(DocumentKind::Other, "D3") {
            self.case("88.990.4", other, Wish::Hosted, None);
        }
        let acme = self.catalog.business().of_document(DocumentKind::Other, "D1").unwrap();
        let rival = self.catalog.business().of_document(DocumentKind::Other, "D2").unwrap();
        self.write([
            BusinessCommand::Forget { id: rival, reason: "asked to be".into() },
            BusinessCommand::PutImage { id: Some(acme), kind: FileKind::Document, image: None },
            self.file(acme, FileKind::LegalPersonFront, &png(3)),
        ]);
        let gone = self.catalog.business().application_named(Owner::Node, "查询").unwrap().id;
        self.write([ApplicationCommand::Delete { id: gone }, application(Owner::Node, "another")]);
        self.write([
            TemplateCommand::EnableColumn {
                template: "88.990.1/META_BIS-1.0".parse().unwrap(),
                index: 2001,
                enabled: false,
            },
            TemplateCommand::DeleteDraft { template: "88.990.1/META_BIS-2.0".parse().unwrap() },
        ]);
        self.write([
            RangeCommand::LiftRecall { range: package(2), span: span(15, 16) },
            RangeCommand::Mark {
                range: package(2),
                span: span(12, 13),
                state: CodeState::Spoiled,
                reason: "torn".into(),
            },
        ]);
        // From now on the prefix does not live here, and its records are stored all the same.
        let suspend = CaseStep::Suspend { reason: "停".into() };
        self.write([BusinessCommand::Step { prefix: b"88.990.1".to_vec(), step: suspend }]);
    }

    /// Everything of the prefix this node tells, by the ways doors ask it; nothing of the places it lies at.
    pub(crate) fn told(&self) -> BTreeSet<String> {
        let (catalog, business, mut told) = (&self.catalog, self.catalog.business(), BTreeSet::new());
        let is_within =
            |prefix: &[u8]| prefix.strip_prefix(ROOT.as_bytes()).is_some_and(|rest| rest.is_empty() || rest[0] == b'.');
        let scan = catalog.cold().scan(b"", b"", &mut |key, stored| {
            let text = String::from_utf8_lossy(key).into_owned();
            let prefix = text.strip_prefix("0.NA/").unwrap_or(&text).split('/').next().unwrap().to_owned();
            if is_within(prefix.as_bytes()) {
                let handle = String::from_utf8_lossy(stored.handle()).into_owned();
                let values = stored.values().unwrap();
                told.insert(format!("record {handle} {:?} {:?}", stored.status(), values.iter().collect::<Vec<_>>()));
            }
            std::ops::ControlFlow::Continue(())
        });
        scan.unwrap();
        let homes = catalog.prefixes();
        told.extend(homes.iter().filter(|name| is_within(name.prefix())).map(|name| format!("home {name}")));
        let of_prefix = |id: EnterpriseId| {
            let mut cases = business.cases().filter(|case| case.enterprise == id).peekable();
            cases.peek().is_none() || cases.any(|case| is_within(&case.prefix))
        };
        let vault = catalog.vault().unwrap();
        for enterprise in business.enterprises().filter(|each| of_prefix(each.id)) {
            let people = enterprise.personal.as_ref().map(|sealed| vault.unseal(sealed).unwrap().unwrap());
            let people = serde_json::to_string(&people).unwrap();
            let forgotten = enterprise.forgotten.as_ref().map(|forgotten| &forgotten.reason);
            let times = (enterprise.created, enterprise.time, &enterprise.by);
            let (id, profile, real_name) = (enterprise.id, &enterprise.profile, &enterprise.real_name);
            let principals = &enterprise.principals;
            told.insert(format!(
                "enterprise {id} {profile:?} {people} {forgotten:?} {real_name:?} {principals:?} {times:?}"
            ));
            for kind in business.files(id.into()) {
                told.insert(self.told_file(id.into(), kind));
            }
        }
        for case in business.cases().filter(|case| is_within(&case.prefix)) {
            let place = (&case.state, &case.wish, &case.placement, &case.enterprise);
            told.insert(format!("case {case} {place:?} {:?}", case.steps));
        }
        if let Some(record) = business.operator() {
            let sealed = record.personal.as_ref().unwrap();
            let people = vault.unseal_as::<OperatorPersonal>(sealed).unwrap().unwrap();
            let people = serde_json::to_string(&people).unwrap();
            told.insert(format!("operator {:?} {:?} {people} {:?}", record.profile, record.node, record.time));
            told.extend(business.files(Owner::Node).map(|kind| self.told_file(Owner::Node, kind)));
        }
        for application in business.applications() {
            if let Owner::Enterprise(id) = application.owner
                && !of_prefix(id)
            {
                continue;
            }
            let (id, owner, time) = (application.id, application.owner, application.time);
            told.insert(format!("application {id} {owner} {:?} {:?} {time:?}", application.profile, application.users));
        }
        for template in catalog.templates().iter().filter(|template| is_within(template.name.prefix())) {
            let state = (template.state.as_str(), template.since, &template.by);
            told.insert(format!("template {} {state:?} {}", template.name, template.definition.to_json()));
        }
        for range in catalog.ranges().iter().filter(|range| is_within(range.name.prefix())) {
            let mut code = Vec::new();
            range.coder.write(range.span.first + 7, &mut code);
            let code = String::from_utf8(code).unwrap();
            let values = range.values.wire();
            told.insert(format!(
                "range {} {:?} {code} {values:?} {:?} {}",
                range.name, range.span, range.created, range.note
            ));
            for layer in Layer::ALL {
                for serial in range.span.first..=range.span.last {
                    if let Some(piece) = range.pieces.at(layer, serial).filter(|piece| piece.span.first == serial) {
                        let kind = format!("{:?}", piece.kind);
                        told.insert(format!("piece {} {:?} {kind} {:?}", range.name, piece.span, piece.since));
                    }
                }
            }
        }
        told
    }

    fn told_file(&self, owner: Owner, kind: FileKind) -> String {
        let file = self.catalog.cold().file(owner, kind).unwrap().unwrap();
        let bytes = self.catalog.vault().unwrap().unseal_bytes(&file.sealed).unwrap().unwrap();
        format!("file {owner} {} {} {:?}", kind.as_str(), file.format.as_str(), &bytes[..])
    }

    /// Names of the principals there are.
    pub(crate) fn principals(&self) -> BTreeSet<String> {
        self.catalog.access().principals().map(|principal| principal.name.to_string()).collect()
    }
}

pub(crate) fn put(handle: &[u8], values: &[ValueBuf]) -> Command {
    let values = ValueSet::from_bufs(values).unwrap();
    Command::Put { handle: handle.to_vec(), values, timestamps: Timestamps::Keep, mode: PutMode::Replace }
}

fn package(number: u32) -> RangeName {
    RangeName::new(b"88.990.1", number).unwrap()
}

fn span(first: u64, last: u64) -> Span {
    Span::new(first, last).unwrap()
}

/// An image that differs by a byte.
fn png(byte: u8) -> Vec<u8> {
    [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[byte; 300]].concat()
}

fn principal(name: &str, prefix: Option<&str>) -> Principal {
    let scope = match prefix {
        Some(prefix) => Scope::parse([prefix]).unwrap(),
        None => Scope::All,
    };
    let role = if prefix.is_some() { Role::EnterpriseAdministrator } else { Role::Operator };
    Principal {
        name: name.into(),
        role,
        scope,
        disabled: false,
        rate_per_second: None,
        daily_quota: Some(7_000),
        certificates: vec![[name.as_bytes()[0]; 32]],
        note: "自动".into(),
    }
}

fn application(owner: Owner, name: &str) -> ApplicationCommand {
    let profile = Box::new(ApplicationProfile {
        name: name.into(),
        kind: ApplicationKind::MiniProgram,
        description: "扫码".into(),
        recursive_node: String::new(),
        developer: String::new(),
    });
    let users = Some(MonthlyUsers { month: Month("2026-10".into()), users: 120 });
    ApplicationCommand::Put { id: None, owner: Some(owner), profile, users }
}

fn definition(version: &str) -> Definition {
    let column = |index, name: &str, data, role| Column {
        index,
        name: name.into(),
        kind: name.into(),
        data,
        required: false,
        min: 0,
        max: 100,
        decimals: None,
        form: DateFormat::Iso,
        values: Vec::new(),
        unit: String::new(),
        visibility: Visibility::Public,
        role,
        ttl: 86_400,
        enabled: true,
    };
    Definition {
        code: "BIS".into(),
        version: version.into(),
        title: "饼干".into(),
        object_type: ObjectType::Other,
        industry: Industry { category: "C".into(), ..Industry::default() },
        administrator: None,
        columns: vec![
            column(2000, "name", DataType::String, None),
            column(2001, "batch", DataType::String, Some(ColumnRole::Batch)),
        ],
    }
}

pub(crate) fn personal(mark: &str) -> Personal {
    let person = |name: &str| Person {
        name: format!("{name}{mark}"),
        document_kind: "identity-card".into(),
        document_number: "330106197001017771".into(),
    };
    Personal {
        legal_person: person("欧阳明月"),
        contact: person("司马流云"),
        phone: "13800138777".into(),
        email: "sima.liuyun@example.cn".into(),
    }
}

fn profile(number: &str) -> Profile {
    Profile {
        name: "杭州<样例>食品有限公司".into(),
        name_en: "Sample & Foods".into(),
        nature: Nature::Company,
        province: "330000".into(),
        city: "330100".into(),
        county: "330106".into(),
        address: "文三路 1 号".into(),
        address_en: String::new(),
        document_kind: DocumentKind::Other,
        document_number: number.into(),
        description: "a\nb".into(),
        industry_section: "C".into(),
        industry_division: "14".into(),
        industry_group: String::new(),
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
        industries_served: vec!["14".into()],
        site_name: String::new(),
        site_domain: String::new(),
        site_ips: Vec::new(),
    }
}
