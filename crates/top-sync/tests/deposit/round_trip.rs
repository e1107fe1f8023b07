//! What goes into a deposit comes out of it.

use proptest::prelude::*;
use waymark_catalog::business::Owner;
use waymark_catalog::moment::Kind;
use waymark_catalog::{Command, HomeName};
use waymark_store::Engine;
use waymark_top_sync::deposit::{Extent, Local, MakeError, Platform, RestoreError, watermark};
use waymark_wire::ValueBuf;

use crate::node::{Node, day, put};
use crate::workshop::{Workshop, names};

/// 22 November 2026 is a Sunday.
const MADE: &str = "2026-11-20";
const FULL: &str = "2026-11-22";
const DIFF: &str = "2026-11-23";

fn full_and_diff<const N: usize, const M: usize>(engine: Engine) {
    let shop = Workshop::new();
    let node = Node::open::<N>(&shop.path("data"), engine, watermark(day(MADE)));
    node.set(MADE, 5);
    node.fill();
    node.set("2026-11-21", 23);
    let told_on_sunday = node.told();
    node.set(FULL, 1);
    node.change();
    node.set(FULL, 2);
    let full = shop.make(&node, None, FULL).unwrap();
    assert_eq!((full.head.extent, full.head.previous, full.head.resend), (Extent::Full, None, 0));
    assert!(full.parts.len() > 2, "cut into parts");
    node.set(FULL, 23);
    let told_on_monday = node.told();
    assert_ne!(told_on_sunday, told_on_monday);
    node.set(DIFF, 5);
    node.write([put(b"88.990/of tuesday", &[ValueBuf::new(1, b"URL", b"x")])]);
    node.write([Command::Delete { handle: b"88.990/own".to_vec() }]);
    let diff = shop.make(&node, None, DIFF).unwrap();
    assert_eq!((diff.head.extent, diff.head.previous), (Extent::Diff, Some(full.head.id)));
    assert_eq!(diff.head.since, full.head.serial);
    assert!(diff.counts.identifiers < full.counts.identifiers && diff.counts.deletions() > 0);

    let (full, diff) = (shop.files(&full), shop.files(&diff));
    for files in [&full, &diff] {
        assert!(shop.verify(files, node.now()).unwrap().opened);
    }
    let sunday = Node::open::<M>(&shop.path("sunday"), engine, node.now());
    shop.restore(&sunday, std::slice::from_ref(&full)).unwrap();
    assert_eq!(sunday.told(), told_on_sunday, "a deposit is of its watermark, whatever came after it");
    assert_eq!(
        sunday.principals(),
        ["acme", "else", "rival"].into_iter().filter(|name| *name != "else").map(str::to_owned).collect()
    );
    let monday = Node::open::<M>(&shop.path("monday"), engine, node.now());
    let restored = shop.restore(&monday, &[full.clone(), diff.clone()]).unwrap();
    assert_eq!(monday.told(), told_on_monday);
    assert_eq!(restored.deposits.len(), 2);
    assert!(!monday.principals().contains("rival"));
    assert!(matches!(shop.restore(&monday, std::slice::from_ref(&full)), Err(RestoreError::NotEmpty)));
    let other = Node::open::<M>(&shop.path("other"), engine, node.now());
    for (wrong, number) in [(vec![diff.clone()], 1), (vec![full.clone(), full], 2)] {
        let refused = shop.restore(&other, &wrong);
        assert!(matches!(refused, Err(RestoreError::Order { number: found }) if found == number));
    }
    assert!(other.told().is_empty(), "nothing is put back before all is checked");
}

#[test]
fn a_full_deposit_and_the_changes_after_it_make_an_equal_node_on_the_log() {
    full_and_diff::<0, 1>(Engine::Log);
}

#[test]
fn a_full_deposit_and_the_changes_after_it_make_an_equal_node_on_sled() {
    full_and_diff::<2, 3>(Engine::Sled);
}

#[test]
fn a_restored_node_deposits_the_same_and_goes_on_as_an_ordinary_one() {
    let shop = Workshop::new();
    let node = Node::open::<4>(&shop.path("data"), Engine::Log, watermark(day(MADE)));
    node.fill();
    node.set(FULL, 1);
    let first = shop.make(&node, None, FULL).unwrap();
    let again = Node::open::<5>(&shop.path("again"), Engine::Log, node.now());
    shop.restore(&again, &[shop.files(&first)]).unwrap();
    let before = again.told();
    again.change();
    let (names, told) = (before.len(), again.told());
    assert!(told != before && names > 30);
    again.set("2026-11-24", 1);
    let second = shop.make(&again, Some(Extent::Full), "2026-11-24").unwrap();
    let third = Node::open::<5>(&shop.path("third"), Engine::Log, again.now());
    shop.restore(&third, &[shop.files(&second)]).unwrap();
    assert_eq!(third.told(), told);
}

#[test]
fn reading_personal_data_for_a_deposit_is_noted() {
    let shop = Workshop::new();
    let node = Node::open::<6>(&shop.path("data"), Engine::Log, watermark(day(MADE)));
    node.fill();
    node.set(FULL, 1);
    shop.make(&node, None, FULL).unwrap();
    let business = node.catalog.business();
    for enterprise in business.enterprises() {
        let noted = business.disclosure(Owner::Enterprise(enterprise.id)).map(|noted| noted.purpose.clone());
        let of_prefix = enterprise.profile.document_number != "D3";
        assert_eq!(noted, of_prefix.then(|| "deposit of 88.990 for 2026-11-22".to_owned()));
    }
    assert!(business.disclosure(Owner::Node).is_some());
}

#[test]
fn what_cannot_be_deposited_is_refused_and_the_table_tells_the_rest() {
    let shop = Workshop::new();
    let node = Node::open::<7>(&shop.path("data"), Engine::Log, watermark(day(MADE)));
    let refused = |extent, date: &str| shop.make(&node, extent, date).unwrap_err();
    assert!(matches!(refused(None, FULL), MakeError::NotHomed { .. }));
    node.write([Command::Home { name: HomeName::parse(b"88.990").unwrap() }]);
    assert!(matches!(refused(None, FULL), MakeError::Future { .. }));
    assert!(matches!(refused(None, "2026-11-19"), MakeError::BeforeCreation { .. }));
    node.set(DIFF, 0);
    assert!(matches!(refused(Some(Extent::Diff), FULL), MakeError::DiffOnSunday { .. }));
    assert!(matches!(refused(Some(Extent::Diff), DIFF), MakeError::NoBase { .. }));
    assert!(shop.table().rows().is_empty() && names(&shop.path("out")).is_empty());
    let made = [None, None].map(|extent| shop.make(&node, extent, FULL).unwrap());
    assert_eq!(
        made.map(|made| made.report.to_string()),
        [0, 1].map(|rev| format!("88.990_2026-11-22_full_S1_R{rev}.rep"))
    );
    std::fs::remove_dir_all(shop.path("out")).unwrap();
    assert!(matches!(refused(None, DIFF), MakeError::Io(_)));
    let rows: Vec<_> =
        shop.table().rows().iter().map(|row| (row.resend, row.extent, row.local, row.platform)).collect();
    let unknown = Platform::Unknown;
    let full = |resend| (resend, Extent::Full, Local::Success, unknown);
    assert_eq!(rows, [full(0), full(1), (0, Extent::Diff, Local::Fail, unknown)]);
}

#[test]
fn files_are_called_and_cut_as_the_platform_wants_them() {
    let shop = Workshop::new();
    let node = Node::open::<8>(&shop.path("data"), Engine::Log, watermark(day(MADE)));
    node.fill();
    node.set(FULL, 1);
    let made = shop.make(&node, None, FULL).unwrap();
    let mut wanted =
        vec!["88.990_2026-11-22_full_S1_R0.rep".to_owned(), "88.990_2026-11-22_full_S1_R0.rep.sig".to_owned()];
    for part in 1..=made.parts.len() {
        wanted.extend(["inde", "sig"].map(|ending| format!("88.990_2026-11-22_full_S{part}_R0.{ending}")));
    }
    wanted.sort();
    assert_eq!(names(&shop.path("out")), wanted);
    for part in &made.parts {
        let bytes = std::fs::metadata(shop.path("out").join(part.name.to_string())).unwrap().len();
        assert!(bytes == part.bytes && bytes <= shop.part_bytes);
    }
    assert_eq!(made.counts.of(Kind::Enterprise), 2);
    assert_eq!(made.counts.of(Kind::Case), 3);
    let all: Vec<u8> = made
        .parts
        .iter()
        .flat_map(|part| std::fs::read(shop.path("out").join(part.name.to_string())).unwrap())
        .collect();
    for secret in ["13800138777".as_bytes(), "欧阳".as_bytes(), b"deposit.xml", b"88.990"] {
        assert!(!all.windows(secret.len()).any(|window| window == secret), "nothing lies open");
    }
}

/// A change of an identifier, or a day that ends.
#[derive(Clone, Debug)]
enum Step {
    Put(u8, Vec<(u8, Vec<u8>)>),
    Delete(u8),
    Suspend(u8),
    Resume(u8),
    Recall(u8),
    Night,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let values = prop::collection::vec((1..9_u8, prop::collection::vec(any::<u8>(), 0..20)), 0..4);
    let step = prop_oneof![
        4 => (0..6_u8, values).prop_map(|(name, values)| Step::Put(name, values)),
        2 => (0..6_u8).prop_map(Step::Delete),
        1 => (0..6_u8).prop_map(Step::Suspend),
        1 => (0..6_u8).prop_map(Step::Resume),
        1 => (0..6_u8).prop_map(Step::Recall),
        2 => Just(Step::Night),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_days_of_changes_come_back_by_the_deposits_of_their_nights(steps in steps()) {
        let shop = Workshop::new();
        let node = Node::open::<9>(&shop.path("data"), Engine::Log, watermark(day(MADE)));
        node.write([Command::Home { name: HomeName::parse(b"88.990").unwrap() }]);
        let first = day("2026-11-23").days();
        let date = |night: usize| waymark_ident::Date::from_days(first + i64::try_from(night).unwrap()).to_string();
        node.set("2026-11-22", 12);
        let mut deposits = Vec::new();
        for step in steps.into_iter().chain([Step::Night]) {
            let name = |number: u8| format!("88.990/Name {number}").into_bytes();
            let command = match step {
                Step::Put(number, values) => {
                    let mut values: Vec<_> = values.iter().map(|(index, data)| ValueBuf::new((*index).into(), b"T", data)).collect();
                    values.sort_by_key(|value| value.index);
                    values.dedup_by_key(|value| value.index);
                    put(&name(number), &values)
                }
                Step::Delete(number) => Command::Delete { handle: name(number) },
                Step::Suspend(number) => Command::Suspend { handle: name(number), reason: "r".into() },
                Step::Resume(number) => Command::Resume { handle: name(number) },
                Step::Recall(number) => Command::Recall { handle: name(number), reason: "r".into() },
                Step::Night => {
                    // Of one week, so that each but the first is a DIFF.
                    if deposits.len() < 6 {
                        node.set(&date(deposits.len()), 1);
                        deposits.push(shop.files(&shop.make(&node, None, &date(deposits.len())).unwrap()));
                    }
                    continue;
                }
            };
            // What is refused changes nothing, here as there.
            let submission = waymark_catalog::Submission::new(&waymark_catalog::Actor::operator(), [command]);
            node.catalog.writer().submit(submission).unwrap().wait().unwrap();
        }
        if deposits.len() < 6 {
            let again = Node::open::<10>(&shop.path("again"), Engine::Log, node.now());
            shop.restore(&again, &deposits).unwrap();
            prop_assert_eq!(again.told(), node.told());
        }
    }
}
