//! The node's own record and its files by the one write path; the same after every kind of start.
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

use std::path::Path;

use common::{ENGINES, bytes_of, copy_folder, lose_state, write};
use serde_json::{Value, json};
use waymark_catalog::access::Role;
use waymark_catalog::business::{
    BusinessCommand, Deed, DocumentKind, FileFormat, FileKind, FreshFile, Licence, LicenceKind, Location, NodeItems,
    Operation, OperatorCommand, OperatorPersonal, Owner, Party, Profile, Reach, YearPlan, visible_operator,
};
use waymark_catalog::vault::{Fresh, People, Vault};
use waymark_catalog::{Command, Outcome, Refusal, Request, Submission, Timestamp, command_digest};
use waymark_store::Engine;

use enterprise::{Node, actor, personal, principal, profile};

/// The 45 fields of the report about a node, in its order, and where this node has each: in `profile`, `node`, `personal` (sealed) or `files`.
/// The list is that of the facts, numbers 42 and 45 as published; a field may have several parts.
const FIELDS: [(&str, &[&str]); 45] = [
    ("organisation", &["profile.name"]),
    ("nature", &["profile.nature"]),
    ("document type", &["profile.document_kind"]),
    ("document number", &["profile.document_number"]),
    ("document image", &["files.document"]),
    ("legal representative", &["personal.people.legal_person.name"]),
    ("their document type", &["personal.people.legal_person.document_kind"]),
    ("their document number", &["personal.people.legal_person.document_number"]),
    ("their document images", &["files.legal-person-front", "files.legal-person-back"]),
    ("description", &["profile.description"]),
    (
        "GB/T 4754 class",
        &["profile.industry_section", "profile.industry_division", "profile.industry_group", "profile.industry_class"],
    ),
    ("contact", &["personal.people.contact.name"]),
    ("contact's document type", &["personal.people.contact.document_kind"]),
    ("contact's document number", &["personal.people.contact.document_number"]),
    ("contact's document images", &["files.contact-front", "files.contact-back"]),
    ("contact's phone", &["personal.people.phone"]),
    ("contact's e-mail", &["personal.people.email"]),
    ("website", &["profile.website"]),
    ("registrar", &["profile.registrar"]),
    ("capital", &["profile.capital"]),
    ("founded", &["profile.founded"]),
    ("expires", &["profile.expires"]),
    ("province", &["profile.province"]),
    ("city", &["profile.city"]),
    ("county", &["profile.county"]),
    ("address", &["profile.address"]),
    ("representative's e-mail", &["personal.representative.email"]),
    ("representative's phone", &["personal.representative.phone"]),
    ("representative's fax", &["personal.representative.fax"]),
    ("kinds of licences", &["profile.licences.0.kind"]),
    ("numbers of licences", &["profile.licences.0.number"]),
    ("system build", &["profile.build.party", "profile.build.organisation", "files.build-contract"]),
    ("system operation", &["profile.operation.party", "profile.operation.organisation", "files.operation-contract"]),
    (
        "location of the registration system",
        &["profile.registration_system.cloud_provider", "profile.registration_system.place"],
    ),
    ("address of the registration system", &["profile.registration_system.ip", "profile.registration_system.port"]),
    ("location of registration data", &["profile.registration_data.place"]),
    ("location of the backup", &["profile.backup.place"]),
    ("location of resolution servers", &["profile.resolution_servers.place"]),
    ("location of the system backup", &["profile.system_backup.place"]),
    ("data hosting", &["profile.data_hosting", "node.data_hosting_domestic", "files.data-hosting-contract"]),
    (
        "service hosting",
        &["profile.service_hosting", "node.service_hosting_domestic", "files.service-hosting-contract"],
    ),
    (
        "real-name verification",
        &[
            "node.verification.party",
            "node.verification.organisation",
            "files.verification-source-1",
            "files.verification-source-5",
            "files.verification-contract",
        ],
    ),
    ("naming compliance", &["profile.naming_compliant"]),
    ("industries served", &["profile.industries_served.0", "profile.industries_served.1"]),
    ("public site", &["profile.site_name", "profile.site_domain", "profile.site_ips.0", "profile.site_ips.1"]),
];

fn full_profile() -> Profile {
    let at = |place: &str| Location { place: place.into(), ..Location::default() };
    let entrusted = |name: &str| Some(Operation { party: Party::Entrusted, organisation: name.into() });
    Profile {
        document_kind: DocumentKind::CreditCode,
        document_number: "91350100M000100Y43".into(),
        description: "runs a node".into(),
        industry_class: "1451".into(),
        registrar: "market supervision".into(),
        founded: Some(waymark_catalog::business::Date("2001-02-03".into())),
        expires: Some(waymark_catalog::business::Date("2051-02-03".into())),
        licences: vec![Licence { kind: LicenceKind::ValueAddedTelecom, number: "B2-1".into() }],
        build: entrusted("builders"),
        operation: entrusted("runners"),
        registration_system: Location {
            cloud_provider: "cloud".into(),
            place: "Hangzhou".into(),
            ip: Some("192.0.2.1".parse().unwrap()),
            port: Some(443),
        },
        registration_data: at("Hangzhou"),
        backup: at("Ningbo"),
        resolution_servers: at("Wenzhou"),
        system_backup: at("Jinhua"),
        data_hosting: "data house".into(),
        service_hosting: "service house".into(),
        site_name: "site".into(),
        site_domain: "example.cn".into(),
        site_ips: vec!["192.0.2.2".parse().unwrap(), "2001:db8::2".parse().unwrap()],
        ..profile("D1")
    }
}

fn node_items() -> NodeItems {
    NodeItems {
        verification: Operation { party: Party::Entrusted, organisation: "verifiers".into() },
        data_hosting_domestic: true,
        service_hosting_domestic: true,
    }
}

fn operator_personal() -> OperatorPersonal {
    let (phone, email) = ("+86571-87654321".into(), "ouyang@example.cn".into());
    OperatorPersonal { people: personal(), representative: Reach { phone, email, fax: "0571-87667777".into() } }
}

fn fresh(node: &Node, people: People) -> Option<Box<Fresh>> {
    Some(Box::new(node.vault.seal(people, &operator_personal()).unwrap()))
}

fn put(node: &Node) -> OperatorCommand {
    let (profile, node_items) = (Box::new(full_profile()), Box::new(node_items()));
    OperatorCommand::Put { profile, node: node_items, personal: fresh(node, people(node)) }
}

fn change(change: impl Fn(&mut Profile, &mut NodeItems)) -> OperatorCommand {
    let (mut profile, mut node) = (Box::new(full_profile()), Box::new(node_items()));
    change(&mut profile, &mut node);
    OperatorCommand::Put { profile, node, personal: None }
}

fn people(node: &Node) -> People {
    node.business().people(Owner::Node)
}

fn pdf(bytes: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.resize(bytes - 6, b'x');
    pdf.extend(b"%%EOF\n");
    pdf
}

fn png() -> Vec<u8> {
    [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[7; 30]].concat()
}

fn put_file(node: &Node, kind: FileKind, bytes: &[u8]) -> OperatorCommand {
    let format = FileFormat::of(kind, bytes).unwrap();
    let fresh = node.vault.seal_bytes(people(node), bytes).unwrap();
    OperatorCommand::PutFile { kind, file: Some(Box::new(FreshFile { format, fresh })) }
}

fn done(node: &Node, who: &str, command: OperatorCommand) -> Outcome {
    node.by(who, command).unwrap().outcome
}

/// The record whole, with every file.
fn filled(dir: &Path, engine: Engine) -> Node {
    let node = Node::begun(dir, engine);
    assert_eq!(done(&node, "op", put(&node)), Outcome::Stored);
    for kind in FileKind::ALL {
        let bytes = if kind.is_image() { png() } else { pdf(100) };
        assert_eq!(done(&node, "op", put_file(&node, *kind, &bytes)), Outcome::Stored);
    }
    node
}

fn read_file(node: &Node, kind: FileKind) -> Option<Vec<u8>> {
    let stored = node.catalog.cold().file(Owner::Node, kind).unwrap()?;
    node.vault.unseal_bytes(&stored.sealed).unwrap().map(|bytes| bytes.to_vec())
}

#[test]
fn all_forty_five_fields_of_the_report_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path(), Engine::Log);
    let business = node.business();
    let record = business.operator().unwrap();
    let told: OperatorPersonal = node.vault.unseal_as(record.personal.as_ref().unwrap()).unwrap().unwrap();
    let files: serde_json::Map<String, Value> =
        business.files(Owner::Node).map(|kind| (kind.as_str().to_owned(), json!("kept"))).collect();
    let all = json!({ "profile": record.profile, "node": record.node, "personal": told, "files": files });
    for (number, (name, paths)) in (1..).zip(FIELDS) {
        for path in paths {
            let found = path.split('.').try_fold(&all, |at, step| {
                at.get(step).or_else(|| step.parse().ok().and_then(|item: usize| at.get(item)))
            });
            let is_there = found.is_some_and(|value| !value.is_null() && value != "" && value != &json!({}));
            assert!(is_there, "field {number}, {name}: nothing at {path}");
        }
    }
    assert_eq!((FIELDS[41].0, FIELDS[44].0), ("real-name verification", "public site"));
    let has = |kind| business.file(Owner::Node, kind).is_some();
    assert!(record.missing(&has).is_empty());
}

#[test]
fn what_the_report_still_wants_is_told_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    done(&node, "op", put(&node));
    let missing = |node: &Node| {
        let business = node.business();
        business.operator().unwrap().missing(&|kind| business.file(Owner::Node, kind).is_some())
    };
    let images = ["document", "legal-person-front", "legal-person-back", "contact-front", "contact-back"];
    let contracts = [
        "verification-contract",
        "build-contract",
        "operation-contract",
        "data-hosting-contract",
        "service-hosting-contract",
    ];
    assert_eq!(missing(&node), [&images[..], &contracts, &["verification-source"]].concat());
    // Nothing is entrusted and nothing hosted: no contract is wanted.
    let own = change(|profile, node| {
        node.verification = Operation { party: Party::Own, organisation: String::new() };
        (node.data_hosting_domestic, node.service_hosting_domestic) = (false, false);
        (profile.build, profile.operation) = (None, None);
        (profile.data_hosting, profile.service_hosting) = (String::new(), String::new());
    });
    done(&node, "op", own);
    assert_eq!(missing(&node), [&["build", "operation"][..], &images, &["verification-source"]].concat());
    done(&node, "op", put_file(&node, FileKind::VerificationSource4, &pdf(64)));
    assert!(!missing(&node).contains(&"verification-source"), "any of the five");
}

#[test]
fn all_of_it_is_there_after_every_kind_of_start() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let node = filled(dir.path(), engine);
        done(&node, "aud", OperatorCommand::Disclose { purpose: "yearly".into() });
        done(&node, "op", OperatorCommand::PutFile { kind: FileKind::ContactBack, file: None });
        let told = |node: &Node| {
            let business = node.business();
            let files: Vec<_> = business.files(Owner::Node).map(|kind| (kind, read_file(node, kind))).collect();
            (format!("{:?}", business.operator()), format!("{:?}", business.disclosure(Owner::Node)), files)
        };
        let before = told(&node);
        assert_eq!((before.2.len(), before.1.contains("yearly")), (FileKind::ALL.len() - 1, true));
        let crashed = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), crashed.path());
        assert_eq!(told(&Node::open(crashed.path(), engine)), before);
        node.catalog.shutdown().unwrap();
        drop(node);
        lose_state(&dir.path().join("data"));
        assert_eq!(told(&Node::open(dir.path(), engine)), before);
    }
}

#[test]
fn there_is_one_record_and_each_change_of_it_is_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let first = node.by("op", put(&node)).unwrap();
    assert_eq!(done(&node, "op", change(|_, _| {})), Outcome::Same);
    let second = node.by("op", change(|profile, _| profile.capital = "200".into())).unwrap();
    let record = node.business().operator().unwrap().clone();
    assert_eq!((record.serial, record.created, &*record.by), (second.serial, first.time, "op"));
    assert!(first.serial < second.serial && record.personal.is_some(), "people stay as they were");
    // An enterprise may have the same document: it is another body's record.
    assert_eq!(node.business().enterprise_count(), 0);
}

#[test]
fn only_operators_write_and_only_they_and_auditors_read() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.done("acme", node.put("D1"));
    write(&node.catalog, vec![Command::PutPrincipal { principal: principal("part", Role::Operator, &["88.1"]) }]);
    let unwritten: [OperatorCommand; 3] = [
        OperatorCommand::PutFile { kind: FileKind::Document, file: None },
        OperatorCommand::Disclose { purpose: "x".into() },
        OperatorCommand::Forget { reason: "x".into() },
    ];
    for command in &unwritten {
        assert_eq!(node.by("op", command.clone()), Err(Refusal::NotFound), "{command:?}");
    }
    done(&node, "op", put(&node));
    let before = format!("{:?}", node.business());
    let (about, reason) = ("T9 4 to 6".to_owned(), String::new());
    let deed = OperatorCommand::NoteDeed { deed: Deed::SyncMark, about, reason };
    let more = [put(&node), put_file(&node, FileKind::Document, &png()), deed, put_plan(2027, plan())];
    let commands = unwritten.into_iter().chain(more);
    for command in commands {
        let auditor_reads = matches!(command, OperatorCommand::Disclose { .. });
        for stranger in ["rev", "aud", "acme", "rival", "w", "near", "part", "nobody"] {
            if stranger == "aud" && auditor_reads {
                continue;
            }
            let refused = node.by(stranger, command.clone());
            assert_eq!(refused, Err(Refusal::NotPermitted), "{stranger}: {command:?}");
        }
    }
    assert_eq!(format!("{:?}", node.business()), before);
    assert_eq!(done(&node, "aud", OperatorCommand::Disclose { purpose: "yearly".into() }), Outcome::Disclosed);
    let sees = |name: &str| {
        let rights = waymark_catalog::access::rights_of(&actor(name), &node.catalog.access(), Timestamp(1)).unwrap();
        visible_operator(&rights)
    };
    let who: Vec<_> =
        ["op", "rev", "aud", "acme", "rival", "w", "near", "part"].into_iter().filter(|name| sees(name)).collect();
    assert_eq!(who, ["op", "aud"]);
}

/// A plan with an industry, and something left out.
fn plan() -> YearPlan {
    let industries = [("C".to_owned(), 12_000)].into();
    YearPlan { enterprises: Some(120), resolution_rate_percent: Some(95), industries, ..YearPlan::default() }
}

fn put_plan(year: u16, plan: YearPlan) -> OperatorCommand {
    OperatorCommand::PutPlan { year, plan: Box::new(plan) }
}

/// Plans need no record of the node; each year has its own, and the last one written holds, also behind a start.
#[test]
fn the_plan_of_a_year_is_kept_until_another_is_written() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::begun(dir.path(), engine);
        assert_eq!(node.business().plan(2027), None);
        assert_eq!(done(&node, "op", put_plan(2027, plan())), Outcome::Stored);
        let first = node.business().plan(2027).unwrap().clone();
        assert_eq!(done(&node, "op", put_plan(2027, plan())), Outcome::Same);
        assert_eq!((node.business().plan(2027), &*first.by), (Some(&first), "op"));
        let more = YearPlan { identifiers: Some(9), ..plan() };
        assert_eq!(done(&node, "op", put_plan(2027, more.clone())), Outcome::Stored);
        assert_eq!(done(&node, "op", put_plan(2028, plan())), Outcome::Stored);
        let kept = [2027, 2028].map(|year| node.business().plan(year).unwrap().clone());
        assert_eq!((&kept[0].plan, &kept[1].plan), (&more, &plan()));
        assert!(first.serial < kept[0].serial && kept[0].serial < kept[1].serial);
        node.catalog.shutdown().unwrap();
        drop(node);
        for is_lost in [false, true] {
            if is_lost {
                lose_state(&dir.path().join("data"));
            }
            let node = Node::open(dir.path(), engine);
            assert_eq!([2027, 2028].map(|year| node.business().plan(year).unwrap().clone()), kept);
            node.catalog.shutdown().unwrap();
        }
    }
}

#[test]
fn plans_that_cannot_be_meant_are_refused_by_the_name_of_the_field() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let industry = |section: &str, count| YearPlan { industries: [(section.to_owned(), count)].into(), ..plan() };
    let many = ('A'..='U').map(|section| (section.to_string(), 1)).collect();
    let wrong = [
        ("year", 1999, plan()),
        ("year", 3000, plan()),
        ("plan", 2027, YearPlan::default()),
        ("enterprises", 2027, YearPlan { enterprises: Some(0), ..plan() }),
        ("identifiers", 2027, YearPlan { identifiers: Some(0), ..plan() }),
        ("resolutions_per_day", 2027, YearPlan { resolutions_per_day: Some(0), ..plan() }),
        ("resolution_rate_percent", 2027, YearPlan { resolution_rate_percent: Some(101), ..plan() }),
        ("industries", 2027, industry("14", 5)),
        ("industries", 2027, industry("Z", 5)),
        ("industries", 2027, industry("C", 0)),
        ("industries", 2027, YearPlan { industries: many, ..plan() }),
    ];
    for (field, year, plan) in wrong {
        let refused = node.by("op", put_plan(year, plan.clone())).unwrap_err();
        let Refusal::InvalidBusiness { field: named, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(named, field, "{plan:?}");
    }
    for (year, percent) in [(2000, 1), (2999, 100)] {
        let plan = YearPlan { resolution_rate_percent: Some(percent), ..plan() };
        assert_eq!(done(&node, "op", put_plan(year, plan)), Outcome::Stored);
    }
}

/// Deeds need no record, and each is an entry of its own, also behind a start.
#[test]
fn what_was_done_beside_the_catalog_is_noted_once_for_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let note = |node: &Node, about: &str| {
        let (deed, about, reason) = (Deed::SyncPause, about.to_owned(), "moving house".to_owned());
        node.by("op", OperatorCommand::NoteDeed { deed, about, reason })
    };
    for about in ["T9", "all sets"] {
        assert_eq!(note(&node, about).unwrap().outcome, Outcome::Stored);
    }
    assert!(note(&node, " ").is_err());
    let last = node.business().deed().unwrap().clone();
    assert_eq!((last.times, &*last.by, last.about.as_str()), (2, "op", "all sets"));
    node.catalog.shutdown().unwrap();
    drop(node);
    lose_state(&dir.path().join("data"));
    assert_eq!(Node::open(dir.path(), Engine::Log).business().deed(), Some(&last));
}

#[test]
fn fields_that_are_not_what_they_may_be_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let field = |command: OperatorCommand| match node.by("op", command) {
        Err(Refusal::InvalidBusiness { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(field(change(|_, _| {})), "personal", "a new record needs its people");
    done(&node, "op", put(&node));
    for (change, name) in [
        (change(|profile, _| profile.industry_class = "9999".into()), "industry_class"),
        (change(|profile, _| profile.county = "330206".into()), "county"),
        (change(|profile, _| profile.document_number = "91350100M000100Y44".into()), "document_number"),
        (change(|_, node| node.verification.organisation = String::new()), "verification"),
        (change(|_, node| node.verification.party = Party::Own), "verification"),
        (change(|profile, _| profile.data_hosting = String::new()), "data_hosting_domestic"),
        (change(|profile, _| profile.service_hosting = String::new()), "service_hosting_domestic"),
        (OperatorCommand::Disclose { purpose: " ".into() }, "purpose"),
        (OperatorCommand::Forget { reason: String::new() }, "reason"),
    ] {
        assert_eq!(field(change), name);
    }
    // What was sealed with another key would outlive its being forgotten.
    let OperatorCommand::Put { profile, node: items, .. } = put(&node) else { panic!() };
    assert_eq!(
        field(OperatorCommand::Put { profile, node: items, personal: fresh(&node, People::default()) }),
        "personal"
    );
    let strange = node.vault.seal_bytes(People::default(), &png()).unwrap();
    let strange = FreshFile { format: FileFormat::Png, fresh: strange };
    assert_eq!(field(OperatorCommand::PutFile { kind: FileKind::Document, file: Some(Box::new(strange)) }), "image");
    let mut wrong = operator_personal();
    wrong.representative.fax = "secret".into();
    let problem = wrong.check().unwrap_err();
    assert!(problem.field == "representative_fax" && !format!("{problem:?} {wrong:?}").contains("secret"));
}

#[test]
fn an_enterprise_has_images_and_no_documents() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.done("acme", node.put("D1"));
    let image = BusinessCommand::PutImage { id: None, kind: FileKind::BuildContract, image: None };
    assert!(matches!(node.by("acme", image), Err(Refusal::InvalidBusiness { field: "kind", .. })));
}

#[test]
fn a_document_of_full_size_is_kept_whole_and_lies_open_nowhere() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::begun(dir.path(), engine);
        done(&node, "op", put(&node));
        let full = pdf(5 << 20);
        assert_eq!(done(&node, "op", put_file(&node, FileKind::VerificationSource1, &full)), Outcome::Stored);
        assert!(read_file(&node, FileKind::VerificationSource1) == Some(full.clone()));
        node.catalog.shutdown().unwrap();
        drop(node);
        let node = Node::open(dir.path(), engine);
        assert!(read_file(&node, FileKind::VerificationSource1) == Some(full));
        node.catalog.shutdown().unwrap();
        let bytes = bytes_of(dir.path());
        for open in
            [&b"xxxxxxxxxxxxxxxx"[..], b"%PDF-", "欧阳明月".as_bytes(), b"571-87654321", b"571-87667777", b"ouyang@"]
        {
            assert!(!bytes.windows(open.len()).any(|window| window == open), "{engine:?}: {open:?}");
        }
    }
}

#[test]
fn forgetting_takes_every_file_and_ends_what_keys_can_do() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path(), Engine::Log);
    let sealed = node.business().operator().unwrap().personal.clone().unwrap();
    let forget = || OperatorCommand::Forget { reason: "new representative".into() };
    assert_eq!(done(&node, "op", forget()), Outcome::Forgotten);
    assert_eq!(done(&node, "op", forget()), Outcome::Same, "so that the key can be dropped again");
    assert!(node.vault.forget(&sealed.subject).unwrap());
    assert_eq!(people(&node).forgotten, Some(sealed.subject));
    for kind in FileKind::ALL {
        assert!(node.business().file(Owner::Node, *kind).is_none() && read_file(&node, *kind).is_none());
    }
    let read = node.by("op", OperatorCommand::Disclose { purpose: "x".into() });
    assert!(matches!(read, Err(Refusal::InvalidBusiness { field: "personal", .. })));
    node.catalog.shutdown().unwrap();
    drop(node);
    let node = Node::open(dir.path(), Engine::Log);
    let again = Vault::open(&dir.path().join("personal.keys")).unwrap();
    assert!(again.unseal_as::<OperatorPersonal>(&sealed).unwrap().is_none());
    assert_eq!(node.business().files(Owner::Node).count(), 0);
    // Who the people are may be said anew.
    assert_eq!(done(&node, "op", put(&node)), Outcome::Stored);
    assert_eq!(node.business().operator().unwrap().forgotten, None);
    assert_eq!(done(&node, "op", put_file(&node, FileKind::Document, &png())), Outcome::Stored);
}

#[test]
fn what_was_sealed_before_the_people_were_forgotten_is_refused_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = filled(dir.path(), Engine::Log);
    let before = people(&node);
    let late = put(&node);
    assert_eq!(done(&node, "op", OperatorCommand::Forget { reason: "moved".into() }), Outcome::Forgotten);
    let refused = node.by("op", late);
    assert!(matches!(refused, Err(Refusal::InvalidBusiness { field: "personal", .. })), "{refused:?}");
    let after = people(&node);
    assert_eq!((after.held, after.forgotten), (None, before.held), "its key is still the one to drop");
    assert_eq!(done(&node, "op", put(&node)), Outcome::Stored, "under another key all may be said anew");
}

#[test]
fn a_request_sent_again_is_one_request_though_it_is_sealed_anew() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let id = uuid::Builder::from_unix_timestamp_millis(node.catalog.now().0, &[7; 10]).into_uuid();
    let send = |command: OperatorCommand| {
        let order = command.into();
        let digest = command_digest(&order);
        let submission = Submission::new(&actor("op"), [order]).as_request(Request { id, digest });
        node.catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    };
    let first = send(put(&node)).unwrap();
    let again = send(put(&node)).unwrap();
    assert_eq!((again.serial, again.repeated), (first.serial, true));
    assert_eq!(send(change(|profile, _| profile.capital = "2".into())), Err(Refusal::RequestReused));
    let digest = |command: OperatorCommand| command_digest(&command.into());
    let file = |kind, bytes: &[u8]| digest(put_file(&node, kind, bytes));
    let (source, contract) = (FileKind::VerificationSource1, FileKind::BuildContract);
    assert_eq!(file(source, &pdf(64)), file(source, &pdf(64)));
    assert_ne!(file(source, &pdf(64)), file(source, &pdf(65)));
    assert_ne!(file(source, &pdf(64)), file(contract, &pdf(64)));
    let text = || "x".to_owned();
    assert_ne!(
        digest(OperatorCommand::Forget { reason: text() }),
        digest(OperatorCommand::Disclose { purpose: text() })
    );
}
