//! Code packages by the one write path: ordered, resolved by inheritance, bound, marked, exported, leased; the same after every kind of start.
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

use common::{ENGINES, add, copy_folder, create, data, delete, home, lose_state, open_at, try_write, write};
use waymark_catalog::access::{Principal, Role, Scope};
use waymark_catalog::range::{CodeState, FormRequest, Layer, MacKey, Part, RangeCommand, RangeName, Span};
use waymark_catalog::{
    Actor, Catalog, Command, Door, Inherited, Origin, Outcome, Proof, PutMode, Receipt, Refusal, Request, Submission,
    ValueSet, command_digest,
};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_wire::ValueBuf;

const DAY: u64 = 86_400_000;

fn values(pairs: &[(u32, &str)]) -> ValueSet {
    let bufs: Vec<ValueBuf> =
        pairs.iter().map(|(index, data)| ValueBuf::new(*index, b"DESC", data.as_bytes())).collect();
    ValueSet::from_bufs(&bufs).unwrap()
}

fn allocate(stem: &str, form: FormRequest, first: Option<u64>, count: u64) -> RangeCommand {
    RangeCommand::Allocate {
        prefix: b"88.1".to_vec(),
        stem: stem.into(),
        width: 8,
        form,
        key: MacKey::generate().unwrap(),
        first,
        count,
        values: values(&[(1, "https://x/{code}"), (2, "n {serial}")]),
        note: String::new(),
    }
}

fn span(first: u64, last: u64) -> Span {
    Span::new(first, last).unwrap()
}

fn name(number: u32) -> RangeName {
    RangeName::new(b"88.1", number).unwrap()
}

fn mark(number: u32, part: Span, state: CodeState) -> RangeCommand {
    RangeCommand::Mark { range: name(number), span: part, state, reason: String::new() }
}

fn bind(number: u32, part: Span, pairs: &[(u32, &str)]) -> RangeCommand {
    RangeCommand::Bind { range: name(number), span: part, values: values(pairs) }
}

fn export(number: u32, part: Span, again: &str) -> RangeCommand {
    RangeCommand::Export { range: name(number), part: Part::These(part), roll_codes: 20_000, again: again.into() }
}

fn ask(catalog: &Catalog, command: impl Into<Command>) -> Result<Receipt, Refusal> {
    try_write(catalog, vec![command.into()]).unwrap().remove(0)
}

fn done(catalog: &Catalog, command: RangeCommand) -> Outcome {
    ask(catalog, command).unwrap().outcome
}

/// What a name without a record is answered with.
fn inherited(catalog: &Catalog, handle: &str) -> Result<Vec<String>, &'static str> {
    let handle = Handle::new(handle.as_bytes()).unwrap();
    let mut reader = catalog.reader();
    let view = reader.pin();
    let mut room = [0; MAX_KEY_BYTES];
    match view.inherited(view.key(&handle, &mut room).bytes, handle.as_bytes()) {
        Inherited::Nothing => Err("nothing"),
        Inherited::NeverIssued => Err("never issued"),
        Inherited::Over => Err("over"),
        Inherited::Values(pattern, code) => {
            let mut wire = Vec::new();
            pattern.filled(code).for_each(|value| waymark_wire::EncodeValue::put_value(&value, &mut wire));
            let values = waymark_wire::Values::from_wire(pattern.count() as u32, &wire).unwrap();
            Ok(values.iter().map(|value| String::from_utf8(value.data.to_vec()).unwrap()).collect())
        }
    }
}

fn code(catalog: &Catalog, number: u32, serial: u64) -> String {
    let mut code = Vec::new();
    catalog.ranges().get(&name(number)).unwrap().coder.write(serial, &mut code);
    String::from_utf8(code).unwrap()
}

fn begun(dir: &tempfile::TempDir) -> Catalog {
    let catalog = open_at(dir.path(), waymark_store::Engine::Log).catalog;
    home(&catalog, "88.1");
    catalog
}

#[test]
fn ten_million_codes_are_one_entry_and_each_resolves() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        home(&catalog, "88.1");
        let before = catalog.serial();
        let receipt = ask(&catalog, allocate("XE26.", FormRequest::Plain, None, 10_000_000)).unwrap();
        assert_eq!(receipt.outcome, Outcome::Allocated);
        assert_eq!(catalog.serial().0 - before.0, 2, "the package and the audit's note");
        for serial in [0, 4_711, 9_999_999] {
            let code = format!("88.1/XE26.{serial:08}");
            let told = inherited(&catalog, &code).unwrap();
            assert_eq!(told, [format!("https://x/XE26.{serial:08}"), format!("n {serial:08}")]);
            assert_eq!(
                inherited(&catalog, &code.to_lowercase()).unwrap(),
                told,
                "asked in any case, printed in capitals"
            );
        }
        for other in [
            "88.1/XE26.10000000",
            "88.1/XE26.0000471",
            "88.1/XE26.0000471X",
            "88.1/XE27.00004711",
            "88.2/XE26.00004711",
        ] {
            assert_eq!(inherited(&catalog, other), Err("nothing"), "{other}");
        }
    }
}

#[test]
fn a_wrong_check_is_never_issued_in_every_form() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    let forms = [("69", FormRequest::Mod10), ("M.", FormRequest::Mod37), ("S", FormRequest::Mac { chars: 6 })];
    for (number, (stem, form)) in (1..).zip(forms) {
        done(&catalog, allocate(stem, form, Some(5), 1_000));
        let right = code(&catalog, number, 77);
        assert!(inherited(&catalog, &right).is_ok(), "{right}");
        let mut wrong = right.into_bytes();
        let last = wrong.last_mut().unwrap();
        *last = if *last == b'0' { b'1' } else { b'0' };
        let wrong = String::from_utf8(wrong).unwrap();
        assert_eq!(inherited(&catalog, &wrong), Err("never issued"));
        assert_eq!(ask(&catalog, create(&wrong, "x")), Err(Refusal::NeverIssued), "nor can it be registered");
        assert_eq!(inherited(&catalog, &code(&catalog, number, 4)), Err("nothing"), "before the first");
        assert_eq!(inherited(&catalog, &code(&catalog, number, 1_005)), Err("nothing"), "behind the last");
    }
}

#[test]
fn packages_follow_on_each_other_and_never_overlap() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    done(&catalog, allocate("A", FormRequest::Plain, None, 100));
    done(&catalog, allocate("A", FormRequest::Plain, None, 50));
    assert_eq!(catalog.ranges().get(&name(2)).unwrap().span, span(100, 149));
    let refused = ask(&catalog, allocate("A", FormRequest::Plain, Some(120), 1));
    assert_eq!(refused, Err(Refusal::RangeOverlaps { range: name(2) }));
    // Only a check character would tell these from A's.
    let RangeCommand::Allocate { prefix, values, .. } = allocate("", FormRequest::Plain, None, 1) else { panic!() };
    let other = |stem: &str, width, form| RangeCommand::Allocate {
        prefix: prefix.clone(),
        stem: stem.into(),
        width,
        form,
        key: MacKey::new([1; 32]),
        first: Some(9_000),
        count: 1,
        values: values.clone(),
        note: String::new(),
    };
    assert_eq!(ask(&catalog, other("A1", 7, FormRequest::Plain)), Err(Refusal::RangeOverlaps { range: name(1) }));
    assert_eq!(ask(&catalog, other("A", 7, FormRequest::Mod37)), Err(Refusal::RangeOverlaps { range: name(1) }));
    assert_eq!(done(&catalog, other("B", 8, FormRequest::Plain)), Outcome::Allocated);
    assert_eq!(done(&catalog, other("A1", 8, FormRequest::Plain)), Outcome::Allocated, "of another length");
}

#[test]
fn what_is_registered_is_not_ordered_again_and_the_other_way_round() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        home(&catalog, "88.1");
        write(&catalog, vec![create("88.1/a00000150", "1"), create("88.1/a00000149", "1"), delete("88.1/a00000149")]);
        let holds = Err(Refusal::RangeHoldsHandle { handle: b"88.1/A00000150".to_vec() });
        assert_eq!(ask(&catalog, allocate("A", FormRequest::Plain, Some(100), 51)), holds);
        assert_eq!(done(&catalog, allocate("A", FormRequest::Plain, Some(100), 50)), Outcome::Allocated);
        // Registered and ordered in one group.
        let group = vec![create("88.1/B00000001", "x"), allocate("B", FormRequest::Plain, None, 9).into()];
        let results = try_write(&catalog, group).unwrap();
        assert!(matches!(results[1], Err(Refusal::RangeHoldsHandle { .. })), "{results:?}");
        let group = vec![delete("88.1/B00000001"), allocate("B", FormRequest::Plain, None, 9).into()];
        assert!(try_write(&catalog, group).unwrap().iter().all(Result::is_ok));
        assert_eq!(ask(&catalog, create("88.1/B00000002", "own")).unwrap().outcome, Outcome::Created);
    }
}

#[test]
fn values_are_bound_to_one_code_or_many_later() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    done(&catalog, allocate("A", FormRequest::Plain, None, 1_000));
    done(&catalog, bind(1, span(10, 19), &[(2, "batch B{serial}"), (3, "new")]));
    assert_eq!(inherited(&catalog, "88.1/A00000009").unwrap()[1], "n 00000009");
    assert_eq!(inherited(&catalog, "88.1/A00000010").unwrap(), ["https://x/A00000010", "batch B00000010", "new"]);
    // One of them gets a record of its own, which begins with what it inherits.
    let changed = ask(&catalog, add("88.1/a00000012", 7, "sold")).unwrap();
    assert_eq!(changed.outcome, Outcome::Changed);
    assert_eq!(data(&catalog, "88.1/A00000012").unwrap(), ["https://x/A00000012", "batch B00000012", "new", "sold"]);
    // Deleting it gives the code back to its package.
    write(&catalog, vec![delete("88.1/A00000012")]);
    assert_eq!(data(&catalog, "88.1/A00000012"), None);
    assert_eq!(inherited(&catalog, "88.1/A00000012").unwrap().len(), 3);
    // No values take away what was bound.
    done(&catalog, RangeCommand::Bind { range: name(1), span: span(12, 19), values: ValueSet::default() });
    assert_eq!(inherited(&catalog, "88.1/A00000012").unwrap()[1], "n 00000012");
    assert_eq!(inherited(&catalog, "88.1/A00000011").unwrap()[1], "batch B00000011");
}

#[test]
fn one_code_is_suspended_and_revoked_like_any_identifier() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    done(&catalog, allocate("A", FormRequest::Plain, None, 1_000));
    let handle = "88.1/A00000012";
    let reason = || "recall".to_owned();
    let suspend = Command::Suspend { handle: handle.into(), reason: reason() };
    assert_eq!(ask(&catalog, suspend).unwrap().outcome, Outcome::Suspended);
    assert_eq!(data(&catalog, handle).unwrap().len(), 2, "it has a record of its own now, with what it inherited");
    assert_eq!(ask(&catalog, Command::Resume { handle: handle.into() }).unwrap().outcome, Outcome::Resumed);
    let revoke = Command::Revoke { handle: handle.into(), reason: reason() };
    assert_eq!(ask(&catalog, revoke).unwrap().outcome, Outcome::Revoked);
    assert_eq!(ask(&catalog, create(handle, "x")), Err(Refusal::Withdrawn { revoked: true }));
}

#[test]
fn states_count_and_what_is_over_stays_over() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    done(&catalog, allocate("A", FormRequest::Plain, None, 100));
    use CodeState::{Issued, Spoiled, Used, Withdrawn};
    done(&catalog, mark(1, span(0, 49), Used));
    done(&catalog, mark(1, span(40, 44), Spoiled));
    done(&catalog, mark(1, span(90, 99), Withdrawn));
    let range = catalog.ranges().get(&name(1)).unwrap().clone();
    let count = |state| (0..100).filter(|serial| range.state(*serial) == state).count();
    assert_eq!((count(Issued), count(Used), count(Spoiled), count(Withdrawn)), (40, 45, 5, 10));
    for over in [42, 95] {
        let handle = format!("88.1/A{over:08}");
        assert_eq!(inherited(&catalog, &handle), Err("over"));
        let state = range.state(over);
        assert_eq!(
            ask(&catalog, create(&handle, "x")),
            Err(Refusal::CodesNotUsable { range: name(1), span: span(over, over), state })
        );
    }
    assert!(inherited(&catalog, "88.1/A00000000").is_ok(), "what is on a product resolves");
    for (part, state, at_fault) in [
        (span(0, 9), Withdrawn, (span(0, 9), Used)),
        (span(30, 60), Withdrawn, (span(30, 39), Used)),
        (span(85, 99), Used, (span(90, 99), Withdrawn)),
        (span(40, 44), Used, (span(40, 44), Spoiled)),
    ] {
        let (span, found) = at_fault;
        let refused = Refusal::CodesNotUsable { range: name(1), span, state: found };
        assert_eq!(ask(&catalog, mark(1, part, state)), Err(refused));
    }
    assert_eq!(done(&catalog, mark(1, span(92, 95), Withdrawn)), Outcome::Same);
    assert!(matches!(ask(&catalog, mark(1, span(99, 100), Used)), Err(Refusal::InvalidRange { field: "serials", .. })));
    assert_eq!(ask(&catalog, mark(2, span(0, 1), Used)), Err(Refusal::NotFound));
}

#[test]
fn a_roll_is_given_out_once_unless_somebody_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    done(&catalog, allocate("A", FormRequest::Plain, None, 100_000));
    assert_eq!(done(&catalog, export(1, span(0, 39_999), "")), Outcome::Exported);
    let refused = ask(&catalog, export(1, span(20_000, 59_999), ""));
    let Err(Refusal::AlreadyExported { span: given, by, times, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!((given, &*by, times), (span(0, 39_999), "operator", 1));
    assert_eq!(done(&catalog, export(1, span(20_000, 39_999), "the roll was torn")), Outcome::Exported);
    let range = catalog.ranges().get(&name(1)).unwrap().clone();
    let parts: Vec<Span> = range.pieces.all(Layer::Exported).map(|piece| piece.span).collect();
    assert_eq!(parts, [span(0, 19_999), span(20_000, 39_999)]);
    let next = RangeCommand::Export { range: name(1), part: Part::Next(9), roll_codes: 3, again: String::new() };
    done(&catalog, next);
    assert_eq!(
        catalog.ranges().get(&name(1)).unwrap().pieces.at(Layer::Exported, 40_000).unwrap().span,
        span(40_000, 40_008)
    );
    done(&catalog, mark(1, span(50_000, 50_000), CodeState::Withdrawn));
    assert!(matches!(ask(&catalog, export(1, span(40_009, 59_999), "")), Err(Refusal::CodesNotUsable { .. })));
}

#[test]
fn a_station_accounts_for_every_code_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    done(&catalog, allocate("A", FormRequest::Plain, None, 1_000));
    done(&catalog, export(1, span(0, 99), ""));
    let lease =
        |count, lifetime_ms| RangeCommand::Lease { range: name(1), station: "line-3".into(), count, lifetime_ms };
    assert_eq!(done(&catalog, lease(500, DAY)), Outcome::Leased);
    let leased = |catalog: &Catalog| {
        let ranges = catalog.ranges();
        let range = ranges.get(&name(1)).unwrap();
        range.pieces.all(Layer::Leased).map(|piece| piece.span).collect::<Vec<_>>()
    };
    assert_eq!(leased(&catalog), [span(100, 599)]);
    assert_eq!(ask(&catalog, lease(500, DAY)), Err(Refusal::TooFewCodes { free: 400 }));
    assert!(matches!(ask(&catalog, lease(1, 0)), Err(Refusal::InvalidRange { field: "lifetime", .. })));
    let taken = Refusal::CodesLeased { range: name(1), span: span(100, 599), station: "line-3".into() };
    assert_eq!(ask(&catalog, export(1, span(550, 650), "")), Err(taken.clone()));
    assert_eq!(ask(&catalog, mark(1, span(100, 100), CodeState::Used)), Err(taken));
    let told = |printed: &[Span], spoiled: &[Span], blank: &[Span]| RangeCommand::Reconcile {
        range: name(1),
        first: 100,
        printed: printed.to_vec(),
        spoiled: spoiled.to_vec(),
        blank: blank.to_vec(),
    };
    for (printed, spoiled, blank, sum) in [
        (vec![span(100, 299)], vec![], vec![], 200),
        (vec![span(100, 299)], vec![span(299, 299)], vec![span(300, 599)], 501),
        (vec![span(100, 299)], vec![span(301, 301)], vec![span(302, 600)], 500),
    ] {
        let refused = ask(&catalog, told(&printed, &spoiled, &blank));
        assert_eq!(refused, Err(Refusal::NotReconciled { leased: span(100, 599), told: sum }));
    }
    let printed = [span(100, 299), span(302, 400)];
    assert_eq!(done(&catalog, told(&printed, &[span(300, 301)], &[span(401, 599)])), Outcome::Reconciled);
    let range = catalog.ranges().get(&name(1)).unwrap().clone();
    let states = [(299, CodeState::Used), (300, CodeState::Spoiled), (302, CodeState::Used), (401, CodeState::Issued)];
    assert!(states.into_iter().all(|(serial, state)| range.state(serial) == state));
    assert_eq!(leased(&catalog), []);
    assert_eq!(done(&catalog, lease(599, DAY)), Outcome::Leased, "blank ones can be given out again");
    assert_eq!(leased(&catalog), [span(401, 999)]);
}

#[test]
fn everything_known_of_packages_survives_every_kind_of_start() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let opened = open_at(dir.path(), engine);
        let catalog = opened.catalog;
        home(&catalog, "88.1");
        done(&catalog, allocate("S", FormRequest::Mac { chars: 7 }, Some(10), 10_000));
        done(&catalog, allocate("P", FormRequest::Mod37, None, 500));
        done(&catalog, bind(1, span(100, 199), &[(5, "x {handle}")]));
        done(&catalog, mark(1, span(150, 160), CodeState::Withdrawn));
        done(&catalog, export(1, span(200, 299), ""));
        done(&catalog, RangeCommand::Lease { range: name(2), station: "s".into(), count: 10, lifetime_ms: DAY });
        let codes: Vec<String> = [10, 120, 155, 10_009].map(|serial| code(&catalog, 1, serial)).to_vec();
        let shown = |catalog: &Catalog| {
            let ranges = catalog.ranges();
            let pieces = |number| {
                let range = ranges.get(&name(number)).unwrap();
                let all = Layer::ALL.into_iter().flat_map(|layer| range.pieces.all(layer));
                all.map(|piece| format!("{piece:?}")).collect::<Vec<_>>()
            };
            let told: Vec<_> = codes.iter().map(|code| inherited(catalog, code)).collect();
            (ranges.len(), pieces(1), pieces(2), told)
        };
        let before = shown(&catalog);
        assert_eq!(before.3[2], Err("over"));
        // As a crash leaves it, closed in order, and without its state.
        let crashed = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), crashed.path());
        catalog.shutdown().unwrap();
        drop(catalog);
        for (dir, lost) in [(crashed.path(), false), (dir.path(), false), (dir.path(), true)] {
            if lost {
                lose_state(dir);
            }
            let opened = open_at(dir, engine);
            assert_eq!(opened.recovery.ranges, 2);
            assert_eq!(shown(&opened.catalog), before);
            opened.catalog.shutdown().unwrap();
        }
    }
}

#[test]
fn only_whoever_may_order_and_print_under_a_prefix_does() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    home(&catalog, "88.2");
    let principal = |name: &str, role, prefix: &str| Command::PutPrincipal {
        principal: Principal {
            name: name.into(),
            role,
            scope: Scope::parse([prefix]).unwrap(),
            disabled: false,
            rate_per_second: None,
            daily_quota: None,
            certificates: vec![[name.len() as u8; 32]],
            note: String::new(),
        },
    };
    write(
        &catalog,
        vec![
            principal("w", Role::Writer, "88.1"),
            principal("other", Role::Writer, "88.2"),
            principal("rd", Role::Reader, "88.1"),
        ],
    );
    let by = |name: &str, command: RangeCommand| {
        let actor = Actor::principal(
            name,
            Proof::Certificate([name.len() as u8; 32]),
            Origin { door: Door::Grpc, source: None },
        );
        let submission = Submission::new(&actor, [Command::from(command)]);
        catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    };
    let order = || allocate("A", FormRequest::Plain, None, 10);
    assert_eq!(by("other", order()), Err(Refusal::NotPermitted));
    assert_eq!(by("rd", order()), Err(Refusal::NotPermitted));
    assert_eq!(by("w", order()).unwrap().outcome, Outcome::Allocated);
    for command in [
        bind(1, span(0, 1), &[(1, "x")]),
        mark(1, span(0, 1), CodeState::Used),
        export(1, span(2, 3), ""),
        RangeCommand::Lease { range: name(1), station: "s".into(), count: 1, lifetime_ms: DAY },
    ] {
        for stranger in ["other", "rd"] {
            assert_eq!(by(stranger, command.clone()), Err(Refusal::NotPermitted));
        }
        assert!(by("w", command).is_ok());
    }
}

#[test]
fn an_order_sent_again_is_one_order_though_its_secret_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    let send = |form| {
        let order = allocate("S", form, None, 100).into();
        let id = uuid::Builder::from_unix_timestamp_millis(catalog.now().0, &[7; 10]).into_uuid();
        (id, order)
    };
    let (id, order) = send(FormRequest::Mac { chars: 6 });
    let ask = |order: waymark_catalog::Order| {
        let digest = command_digest(&order);
        let submission = Submission::new(&Actor::operator(), [order]).as_request(Request { id, digest });
        catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    };
    let first = ask(order).unwrap();
    let (_, again) = send(FormRequest::Mac { chars: 6 });
    let repeated = ask(again).unwrap();
    assert_eq!((repeated.serial, repeated.repeated), (first.serial, true));
    let (_, other) = send(FormRequest::Mac { chars: 7 });
    assert_eq!(ask(other), Err(Refusal::RequestReused));
    assert_eq!(catalog.ranges().len(), 1);
}

#[test]
fn bad_orders_are_refused_with_the_field_at_fault() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir);
    let bad = |change: &dyn Fn(&mut RangeCommand)| {
        let mut command = allocate("A", FormRequest::Plain, None, 10);
        change(&mut command);
        ask(&catalog, command).unwrap_err()
    };
    let field = |refusal| match refusal {
        Refusal::InvalidRange { field, .. } => field,
        other => panic!("{other:?}"),
    };
    macro_rules! set {
        ($field:ident = $value:expr) => {
            &|command| {
                if let RangeCommand::Allocate { $field, .. } = command {
                    *$field = $value;
                }
            }
        };
    }
    let large = values(&[(1, &"{code}".repeat(5_000))]);
    assert_eq!(field(bad(set!(count = 0))), "count");
    assert_eq!(field(bad(set!(count = u64::MAX))), "count");
    assert_eq!(field(bad(set!(count = 100_000_001))), "width");
    assert_eq!(field(bad(set!(first = Some(u64::MAX)))), "width");
    assert_eq!(field(bad(set!(width = 0))), "width");
    assert_eq!(field(bad(set!(stem = "a".into()))), "stem");
    assert_eq!(field(bad(set!(stem = "A/".into()))), "stem");
    assert_eq!(field(bad(set!(form = FormRequest::Mac { chars: 3 }))), "check_chars");
    assert_eq!(field(bad(set!(prefix = b"".to_vec()))), "prefix");
    assert_eq!(field(bad(set!(prefix = b"88/1".to_vec()))), "prefix");
    assert_eq!(field(bad(set!(note = "x\u{7}".into()))), "note");
    assert_eq!(bad(set!(prefix = b"88.9".to_vec())), Refusal::NotServed { prefix: b"88.9".to_vec() });
    assert!(matches!(bad(set!(values = large.clone())), Refusal::RecordTooLarge { .. }));
    let create = Command::Put {
        handle: b"88.1/A00000001".to_vec(),
        values: ValueSet::default(),
        timestamps: waymark_catalog::Timestamps::Now,
        mode: PutMode::Create,
    };
    assert!(ask(&catalog, create).is_ok(), "nothing was ordered by any of these");
}

#[test]
fn followers_learn_which_names_and_prefixes_a_change_touched() {
    use std::ops::ControlFlow;
    use waymark_catalog::{FeedLimits, Touched};
    use waymark_store::Serial;
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let mut after = Serial::NONE;
        let mut touched = |catalog: &Catalog| {
            let mut seen = Vec::new();
            let upto = catalog.touched(after, FeedLimits::DEFAULT, &mut |_, touched| {
                seen.push(match touched {
                    Touched::Record(key) => format!("record {}", String::from_utf8_lossy(key)),
                    Touched::Prefix(prefix) => format!("prefix {}", String::from_utf8_lossy(prefix)),
                    Touched::Unknown => "anything".to_owned(),
                });
                ControlFlow::Continue(())
            });
            after = upto.unwrap();
            seen.dedup();
            seen
        };
        home(&catalog, "88.1");
        assert_eq!(touched(&catalog), ["prefix 88.1"]);
        write(&catalog, vec![create("88.1/a", "x")]);
        assert_eq!(touched(&catalog), ["record 88.1/A"]);
        write(&catalog, vec![Command::Range(Box::new(allocate("", FormRequest::Plain, None, 100)))]);
        assert_eq!(touched(&catalog), ["prefix 88.1"]);
        write(&catalog, vec![Command::Range(Box::new(mark(1, span(3, 4), CodeState::Spoiled)))]);
        assert_eq!(touched(&catalog), ["prefix 88.1"]);
        write(&catalog, vec![Command::Range(Box::new(bind(1, span(5, 6), &[(3, "bound")])))]);
        assert_eq!(touched(&catalog), ["prefix 88.1"]);
        // Who prints codes changes nothing about how they resolve.
        let lease = RangeCommand::Lease { range: name(1), station: "s".into(), count: 5, lifetime_ms: DAY };
        assert_eq!(done(&catalog, lease), Outcome::Leased);
        assert_eq!(done(&catalog, export(1, span(50, 60), "")), Outcome::Exported);
        assert!(touched(&catalog).is_empty());
        write(&catalog, vec![delete("88.1/a")]);
        assert_eq!(touched(&catalog), ["record 88.1/A"]);
        assert!(touched(&catalog).is_empty());
        catalog.shutdown().unwrap();
    }
}
