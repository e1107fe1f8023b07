//! Recalls: what carries an identifier was called back, and whoever asks is told; verdicts on it and on everything else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::ops::ControlFlow;

use common::{ENGINES, add, create, data, delete, fetch, home, lose_state, open_at, options, put, try_write, write};
use waymark_catalog::access::{Principal, Role, Scope};
use waymark_catalog::export::{self, ExportOptions};
use waymark_catalog::import::{self, Format, ImportOptions};
use waymark_catalog::range::{CodeState, FormRequest, MacKey, RangeCommand, RangeName, Span};
use waymark_catalog::recall::{RECALL_INDEX, RECALL_TYPE, batch_handle, notice, recall_in};
use waymark_catalog::template::{
    Column, ColumnRole, DataType, DateFormat, Definition, FieldValue, Industry, ObjectType, TemplateCommand,
    TemplateName, Visibility,
};
use waymark_catalog::verdict::{Detail, Sale, Source, Told, Verdict, VerdictOptions};
use waymark_catalog::{
    Actor, AddMode, Catalog, Command, Door, InvalidValue, Opened, Origin, Outcome, Proof, PutMode, Receipt, Refusal,
    Submission, Timestamps, ValueSet, open,
};
use waymark_ident::Handle;
use waymark_store::Engine;
use waymark_wire::ValueBuf;

const A: &str = "88.1/a";

fn recall(handle: &str, reason: &str) -> Command {
    Command::Recall { handle: handle.into(), reason: reason.into() }
}

fn lift(handle: &str) -> Command {
    Command::LiftRecall { handle: handle.into() }
}

fn ask(catalog: &Catalog, command: impl Into<Command>) -> Result<Receipt, Refusal> {
    try_write(catalog, vec![command.into()]).unwrap().remove(0)
}

fn done(catalog: &Catalog, command: impl Into<Command>) -> Outcome {
    ask(catalog, command).unwrap().outcome
}

/// What a record says of a recall: since when, and why.
fn recalled(catalog: &Catalog, handle: &str) -> Option<(u32, String)> {
    let record = fetch(catalog, handle).unwrap();
    let values = record.stored().unwrap().values().unwrap();
    recall_in(values).map(|recall| (recall.since_seconds, recall.reason.to_owned()))
}

fn tell(catalog: &Catalog, code: &str) -> Told {
    let mut cold = catalog.cold();
    catalog.desk(&mut cold).tell(code, &|_| true)
}

fn verdict(catalog: &Catalog, code: &str) -> (Verdict, Option<Detail>, String) {
    let told = tell(catalog, code);
    (told.verdict, told.detail, told.reason)
}

/// A catalog with one record, on an engine.
fn begun(dir: &tempfile::TempDir, engine: Engine) -> Catalog {
    let catalog = open_at(dir.path(), engine).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create(A, "1")]);
    catalog
}

#[test]
fn a_recalled_record_says_so_until_the_recall_is_lifted() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = begun(&dir, engine);
        let first = ask(&catalog, recall("88.1/A", "裂纹")).unwrap();
        let since = u32::try_from(first.time.0 / 1000).unwrap();
        assert_eq!((first.outcome, recalled(&catalog, A)), (Outcome::Recalled, Some((since, "裂纹".into()))));
        assert_eq!(done(&catalog, recall(A, "裂纹")), Outcome::Same);
        assert_eq!(done(&catalog, recall(A, "cracks")), Outcome::Recalled);
        assert_eq!(recalled(&catalog, A), Some((since, "cracks".into())), "it is recalled since then");
        drop(catalog);
        lose_state(dir.path());
        let catalog = open_at(dir.path(), engine).catalog;
        assert_eq!(recalled(&catalog, A), Some((since, "cracks".into())));
        assert_eq!(verdict(&catalog, A), (Verdict::Recalled, None, "cracks".into()));
        assert_eq!((done(&catalog, lift(A)), done(&catalog, lift(A))), (Outcome::RecallLifted, Outcome::Same));
        assert_eq!((recalled(&catalog, A), data(&catalog, A)), (None, Some(vec!["1".into()])));
        assert_eq!(verdict(&catalog, A).0, Verdict::Valid);
    }
}

#[test]
fn no_other_change_takes_the_notice_away() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    write(&catalog, vec![recall(A, "r")]);
    let known = recalled(&catalog, A);
    assert_eq!(done(&catalog, put(A, "1", PutMode::CreateOrSame)), Outcome::Same, "as it was registered");
    assert_eq!(done(&catalog, put(A, "new", PutMode::Replace)), Outcome::Replaced);
    assert_eq!(data(&catalog, A), Some(vec!["new".into(), "r".into()]));
    assert_eq!(done(&catalog, add(A, 7, "x")), Outcome::Changed);
    assert_eq!(ask(&catalog, delete(A)), Err(Refusal::Recalled));
    let remove = Command::RemoveValues { handle: A.into(), indexes: vec![7, RECALL_INDEX] };
    assert_eq!(ask(&catalog, remove), Err(Refusal::Recalled));
    let other = ValueSet::from_bufs(&[notice("all is well", 0)]).unwrap();
    let (handle, timestamps) = (A.as_bytes().to_vec(), Timestamps::Now);
    let modify = Command::ModifyValues { handle: handle.clone(), values: other.clone(), timestamps };
    assert_eq!(ask(&catalog, modify), Err(Refusal::ReadOnlyValue { index: RECALL_INDEX }));
    let mode = AddMode::Overwrite;
    let overwrite = Command::AddValues { handle, values: other, timestamps, mode };
    assert_eq!(ask(&catalog, overwrite), Err(Refusal::ReadOnlyValue { index: RECALL_INDEX }));
    for change in [Command::Suspend { handle: A.into(), reason: String::new() }, Command::Resume { handle: A.into() }] {
        done(&catalog, change);
        assert_eq!(recalled(&catalog, A), known);
    }
}

#[test]
fn values_that_only_look_like_a_notice_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    let odd = ValueBuf::new(7, RECALL_TYPE.as_bytes(), b"r");
    let values = ValueSet::from_bufs(&[odd]).unwrap();
    let mode = PutMode::Create;
    let put = Command::Put { handle: b"88.1/b".to_vec(), values, timestamps: Timestamps::Now, mode };
    assert_eq!(ask(&catalog, put), Err(Refusal::InvalidValue(InvalidValue::Notice { index: 7 })));
    // Another value at the place of the notice stands in its way, and stays.
    write(&catalog, vec![add(A, RECALL_INDEX, "x")]);
    assert_eq!(ask(&catalog, recall(A, "r")), Err(Refusal::IndexConflict { index: RECALL_INDEX }));
    assert_eq!(ask(&catalog, recall("88.1/nobody", "r")), Err(Refusal::NotFound));
    let long = "x".repeat(1_025);
    assert!(matches!(ask(&catalog, recall(A, &long)), Err(Refusal::InvalidAccess { field: "reason", .. })));
}

#[test]
fn a_recall_travels_through_export_and_import() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    write(&catalog, vec![recall(A, "r")]);
    let known = recalled(&catalog, A);
    let mut out = Vec::new();
    let options = ExportOptions::new(Format::JsonLines);
    export::run(&catalog, &mut out, &options, &mut |_| ControlFlow::Continue(())).unwrap();
    let there = tempfile::tempdir().unwrap();
    let other = open_at(there.path(), ENGINES[0]).catalog;
    home(&other, "88.1");
    let options = ImportOptions::new(Format::JsonLines);
    let summary = import::run(&other, &*out, &options, None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((summary.created, recalled(&other, A)), (1, known));
}

/// An actor that may do what a role may under `88.1`.
fn actor_of(catalog: &Catalog, role: Role) -> Actor {
    let name = format!("{role:?}").to_lowercase();
    let principal = Principal {
        name: name.as_str().into(),
        role,
        scope: Scope::parse(["88.1"]).unwrap(),
        disabled: false,
        rate_per_second: None,
        daily_quota: None,
        certificates: Vec::new(),
        note: String::new(),
    };
    done(catalog, Command::PutPrincipal { principal });
    Actor::principal(&name, Proof::Job, Origin { door: Door::Grpc, source: None })
}

fn by(catalog: &Catalog, actor: &Actor, command: Command) -> Result<Receipt, Refusal> {
    let submission = Submission::new(actor, [command]);
    catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
}

#[test]
fn whoever_may_not_suspend_may_not_recall_by_any_way() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    let (writer, reviewer) = (actor_of(&catalog, Role::Writer), actor_of(&catalog, Role::Reviewer));
    let values = ValueSet::from_bufs(&[notice("r", 0)]).unwrap();
    let timestamps = Timestamps::Now;
    let put = |mode| Command::Put { handle: b"88.1/b".to_vec(), values: values.clone(), timestamps, mode };
    let add = Command::AddValues { handle: A.into(), values: values.clone(), timestamps, mode: AddMode::New };
    for command in [recall(A, "r"), lift(A), put(PutMode::Create), put(PutMode::Replace), add] {
        assert_eq!(by(&catalog, &writer, command.clone()), Err(Refusal::NotPermitted), "{command:?}");
    }
    assert_eq!(by(&catalog, &reviewer, recall(A, "r")).unwrap().outcome, Outcome::Recalled);
    assert_eq!(by(&catalog, &writer, lift(A)), Err(Refusal::NotPermitted));
}

fn package(count: u64) -> RangeCommand {
    RangeCommand::Allocate {
        prefix: b"88.1".to_vec(),
        stem: "XE".into(),
        width: 8,
        form: FormRequest::Mac { chars: 6 },
        key: MacKey::generate().unwrap(),
        first: Some(0),
        count,
        values: ValueSet::from_bufs(&[ValueBuf::new(1, b"DESC", b"{code}")]).unwrap(),
        note: String::new(),
    }
}

fn name() -> RangeName {
    RangeName::new(b"88.1", 1).unwrap()
}

fn span(first: u64, last: u64) -> Span {
    Span::new(first, last).unwrap()
}

fn code(catalog: &Catalog, serial: u64) -> String {
    let mut code = Vec::new();
    catalog.ranges().get(&name()).unwrap().coder.write(serial, &mut code);
    String::from_utf8(code).unwrap()
}

fn bind(part: Span, data: &str) -> RangeCommand {
    let values = ValueSet::from_bufs(&[ValueBuf::new(2, b"LOT", data.as_bytes())]).unwrap();
    RangeCommand::Bind { range: name(), span: part, values }
}

fn recall_codes(part: Span, reason: &str) -> RangeCommand {
    RangeCommand::Recall { range: name(), span: part, reason: reason.into() }
}

/// What is bound to the code of a serial, and the reason it is recalled for.
fn bound(catalog: &Catalog, serial: u64) -> (Vec<String>, Option<String>) {
    let key = code(catalog, serial);
    let record = catalog.ranges().get(&name()).unwrap().record(serial, key.as_bytes());
    let values = record.stored().unwrap().values().unwrap();
    let others = values.iter().filter(|value| value.index == 2);
    let others = others.map(|value| String::from_utf8(value.data.to_vec()).unwrap()).collect();
    (others, recall_in(values).map(|recall| recall.reason.to_owned()))
}

#[test]
fn codes_of_a_package_are_recalled_without_losing_what_is_bound_to_them() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = begun(&dir, engine);
        done(&catalog, package(10_000_000));
        done(&catalog, bind(span(100, 199), "L1"));
        done(&catalog, bind(span(300, 399), "L2"));
        assert_eq!(done(&catalog, recall_codes(span(150, 349), "r")), Outcome::Recalled);
        assert_eq!(done(&catalog, recall_codes(span(150, 349), "r")), Outcome::Same);
        assert_eq!(ask(&catalog, bind(span(349, 360), "L3")), Err(Refusal::Recalled));
        assert_eq!(ask(&catalog, create(&code(&catalog, 200), "own")), Err(Refusal::Recalled));
        done(
            &catalog,
            RangeCommand::Mark {
                range: name(),
                span: span(160, 160),
                state: CodeState::Spoiled,
                reason: "torn".into(),
            },
        );
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        let why = || Some("r".to_owned());
        let expected = [
            (99, vec![], None),
            (149, vec!["L1"], None),
            (150, vec!["L1"], why()),
            (199, vec!["L1"], why()),
            (200, vec![], why()),
            (299, vec![], why()),
            (300, vec!["L2"], why()),
            (349, vec!["L2"], why()),
            (350, vec!["L2"], None),
            (400, vec![], None),
        ];
        for (serial, others, reason) in expected {
            let others: Vec<String> = others.into_iter().map(str::to_owned).collect();
            assert_eq!(bound(&catalog, serial), (others, reason), "{serial}");
        }
        assert_eq!(verdict(&catalog, &code(&catalog, 200)), (Verdict::Recalled, None, "r".into()));
        assert_eq!(verdict(&catalog, &code(&catalog, 160)).0, Verdict::Recalled, "the graver news");
        // One code alone gets a record of its own.
        assert_eq!(done(&catalog, recall(&code(&catalog, 5_000), "one")), Outcome::Recalled);
        assert_eq!(verdict(&catalog, &code(&catalog, 5_000)), (Verdict::Recalled, None, "one".into()));
        let lift = |part| RangeCommand::LiftRecall { range: name(), span: part };
        assert_eq!(done(&catalog, lift(span(0, 9_999_999))), Outcome::RecallLifted);
        assert_eq!(done(&catalog, lift(span(0, 9_999_999))), Outcome::Same);
        for (serial, others, _) in [(149, "L1", ()), (150, "L1", ()), (349, "L2", ()), (350, "L2", ())] {
            assert_eq!(bound(&catalog, serial), (vec![others.to_owned()], None), "{serial}");
        }
        assert_eq!(bound(&catalog, 250), (vec![], None));
    }
}

#[test]
fn a_recall_over_too_many_parts_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    done(&catalog, package(1_000_000));
    for at in 0..501 {
        done(&catalog, bind(span(at * 10, at * 10), "L"));
    }
    let refused = ask(&catalog, recall_codes(span(0, 999_999), "r"));
    assert!(matches!(refused, Err(Refusal::InvalidRange { field: "serials", .. })), "{refused:?}");
    assert_eq!(bound(&catalog, 0).1, None);
    assert_eq!(done(&catalog, recall_codes(span(0, 4_000), "r")), Outcome::Recalled);
    assert_eq!((bound(&catalog, 4_000).1, bound(&catalog, 4_001).1), (Some("r".into()), None));
}

#[test]
fn codes_that_are_recalled_are_so_for_those_with_a_record_of_their_own_too() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = begun(&dir, ENGINES[0]);
    done(&catalog, package(1_000));
    let own = code(&catalog, 7);
    done(&catalog, create(&own, "own"));
    done(&catalog, recall_codes(span(0, 9), "r"));
    let told = tell(&catalog, &own);
    assert_eq!((told.verdict, told.source, &*told.reason), (Verdict::Recalled, Source::Record, "r"));
}

fn column(index: u32, kind: &str, data: DataType, role: Option<ColumnRole>, visibility: Visibility) -> Column {
    Column {
        index,
        name: kind.into(),
        kind: kind.into(),
        data,
        required: false,
        min: 0,
        max: 64,
        decimals: None,
        form: DateFormat::Iso,
        values: Vec::new(),
        unit: String::new(),
        visibility,
        role,
        ttl: 86_400,
        enabled: true,
    }
}

fn template() -> TemplateName {
    TemplateName::new(b"88.1", "FOOD", "1.0").unwrap()
}

/// A catalog with a template whose columns say batch and expiry, and goods made from it.
fn with_goods(dir: &tempfile::TempDir, rules: impl FnOnce(&mut VerdictOptions)) -> Catalog {
    let mut options = options(dir.path(), ENGINES[0]);
    rules(&mut options.verdicts);
    let Opened { catalog, .. } = open(&options).unwrap();
    home(&catalog, "88.1");
    let definition = Definition {
        code: "FOOD".into(),
        version: "1.0".into(),
        title: "食品".into(),
        object_type: ObjectType::Other,
        industry: Industry { category: "C".into(), division: "14".into(), group: "141".into(), class: "1411".into() },
        administrator: None,
        columns: vec![
            column(2000, "name", DataType::String, None, Visibility::Public),
            column(2001, "batch", DataType::String, Some(ColumnRole::Batch), Visibility::Administrators),
            column(2002, "expiry", DataType::Date, Some(ColumnRole::Expiry), Visibility::Public),
        ],
    };
    done(&catalog, TemplateCommand::PutDraft { prefix: b"88.1".to_vec(), definition: Box::new(definition) });
    done(&catalog, TemplateCommand::Publish { template: template() });
    for (suffix, batch, expiry) in
        [("old", "B1", "2020-02-29"), ("new", "B1", "2099-12-31"), ("other", "b1", "2099-12-31")]
    {
        let field = |index, text: &str| FieldValue { index, kind: String::new(), text: text.into() };
        let fields = vec![field(2000, "饼干"), field(2001, batch), field(2002, expiry)];
        let handle = format!("88.1/{suffix}").into_bytes();
        let mode = PutMode::Create;
        done(&catalog, Command::PutFromTemplate { handle, template: template(), fields, mode });
    }
    catalog
}

#[test]
fn goods_made_from_a_template_are_judged_by_their_expiry_and_their_batch() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = with_goods(&dir, |_| ());
    let told = tell(&catalog, "88.1/OLD");
    assert_eq!((told.verdict, told.sale, told.source), (Verdict::Expired, Sale::Deny, Source::Record));
    assert_eq!(told.since.map(|day| day.to_string()), Some("2020-03-01".into()));
    let told = tell(&catalog, "88.1/new");
    assert_eq!((told.verdict, told.sale, &*told.batch), (Verdict::Valid, Sale::Allow, "B1"));
    assert_eq!(told.expiry.map(|day| day.to_string()), Some("2099-12-31".into()));
    // The batch is recalled: by a record that scanners can ask for as well.
    let batch = String::from_utf8(batch_handle(b"88.1", "B1")).unwrap();
    assert_eq!(done(&catalog, recall(&batch, "salmonella")), Outcome::Recalled);
    assert_eq!(done(&catalog, recall(&batch, "salmonella")), Outcome::Same);
    assert_eq!(ask(&catalog, recall("88.1/RECALL_", "r")), Err(Refusal::NotFound));
    assert!(matches!(ask(&catalog, recall("88.2/RECALL_B1", "r")), Err(Refusal::NotServed { .. })));
    let recalled = (Verdict::Recalled, Some(Detail::BatchRecalled), "salmonella".to_owned());
    assert_eq!((verdict(&catalog, "88.1/new"), verdict(&catalog, "88.1/old")), (recalled.clone(), recalled));
    assert_eq!(verdict(&catalog, "88.1/other").0, Verdict::Valid, "a batch that differs in case is another");
    assert_eq!(verdict(&catalog, &batch).0, Verdict::Recalled);
    done(&catalog, lift(&batch));
    assert_eq!(done(&catalog, recall(&batch, "again")), Outcome::Recalled);
    done(&catalog, lift(&batch));
    assert_eq!((verdict(&catalog, "88.1/new").0, verdict(&catalog, "88.1/old").0), (Verdict::Valid, Verdict::Expired));
}

#[test]
fn what_is_not_good_is_told_apart_and_strangers_learn_no_more_than_the_public() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = with_goods(&dir, |_| ());
    done(&catalog, package(1_000));
    let known = code(&catalog, 7);
    let forged = {
        let last = known.chars().last().unwrap();
        let other = if last == '0' { '1' } else { '0' };
        format!("{}{other}", &known[..known.len() - 1])
    };
    assert_eq!(verdict(&catalog, &known).0, Verdict::Valid);
    assert_eq!(verdict(&catalog, &forged), (Verdict::NeverIssued, Some(Detail::WrongCheck), String::new()));
    assert_eq!(verdict(&catalog, "88.1/nobody").0, Verdict::Absent);
    assert_eq!(verdict(&catalog, "88.2/x").0, Verdict::UpstreamDown, "others know, and cannot be asked");
    for odd in ["", "\u{1}", "88.1", "/", "88.1/\u{0}", "(01)", "(01)06942499556696(99"] {
        assert!(matches!(tell(&catalog, odd).verdict, Verdict::Absent | Verdict::UpstreamDown), "{odd:?}");
    }
    done(
        &catalog,
        RangeCommand::Mark { range: name(), span: span(8, 8), state: CodeState::Withdrawn, reason: "misprint".into() },
    );
    let gone = code(&catalog, 8);
    assert_eq!(verdict(&catalog, &gone), (Verdict::Suspended, Some(Detail::Withdrawn), "misprint".into()));
    done(&catalog, Command::Suspend { handle: b"88.1/new".to_vec(), reason: "check".into() });
    done(&catalog, Command::Revoke { handle: b"88.1/other".to_vec(), reason: "stolen".into() });
    assert_eq!(verdict(&catalog, "88.1/new"), (Verdict::Suspended, None, "check".into()));
    assert_eq!(verdict(&catalog, "88.1/other"), (Verdict::Suspended, Some(Detail::Revoked), "stolen".into()));
    let stranger = |code: &str| {
        let mut cold = catalog.cold();
        catalog.desk(&mut cold).tell(code, &|prefix| prefix != b"88.1")
    };
    for hidden in [&gone, "88.1/new", "88.1/other"] {
        let told = stranger(hidden);
        assert_eq!((told.verdict, &*told.reason, &*told.batch), (Verdict::Absent, "", ""), "{hidden}");
    }
    let told = stranger("88.1/old");
    let expiry = told.expiry.map(|day| day.to_string());
    assert_eq!((told.verdict, &*told.batch, expiry), (Verdict::Expired, "", Some("2020-02-29".into())));
}

#[test]
fn what_the_operator_decides_about_dates_holds() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = with_goods(&dir, |options| options.rules.expiry_required = true);
    done(&catalog, create(A, "1"));
    let told = tell(&catalog, A);
    assert_eq!((told.verdict, told.detail, told.sale), (Verdict::Valid, Some(Detail::ExpiryMissing), Sale::Deny));
}

#[test]
fn gs1_bar_codes_are_judged_by_what_they_say_and_the_recalls_of_what_they_name() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = with_goods(&dir, |options| options.gs1_prefix = Some(b"88.1"[..].into()));
    let good = "(01)06942499556696(17)471231(10)Ab1(21)S1";
    assert_eq!(tell(&catalog, good).source, Source::Scan);
    assert_eq!(verdict(&catalog, good).0, Verdict::Valid);
    assert_eq!(verdict(&catalog, "(01)06942499556696(17)200229").0, Verdict::Expired);
    assert_eq!(
        verdict(&catalog, "(00)106141412345678908"),
        (Verdict::Absent, Some(Detail::NotAProduct), String::new())
    );
    for (suffix, reason) in
        [("0106942499556696.21S1", "item"), ("0106942499556696.10Ab1", "lot"), ("0106942499556696", "product")]
    {
        let handle = format!("88.1/{suffix}");
        done(&catalog, create(&handle, "x"));
        assert_eq!(done(&catalog, recall(&handle, reason)), Outcome::Recalled);
        assert_eq!(verdict(&catalog, good), (Verdict::Recalled, None, reason.into()), "the widest gives the reason");
        if reason == "lot" {
            let other_case = good.replace("Ab1", "AB1").replace("S1", "S2");
            assert_eq!(verdict(&catalog, &other_case).0, Verdict::Valid);
        }
    }
    let other = Handle::new(b"88.1/0106942499556696").unwrap();
    assert!(catalog.cold().fetch(&other).unwrap().is_some());
}

#[test]
fn whatever_is_scanned_gets_a_verdict() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    let dir = tempfile::tempdir().unwrap();
    let catalog = with_goods(&dir, |options| options.gs1_prefix = Some(b"88.1"[..].into()));
    done(&catalog, package(1_000));
    let codes = prop_oneof![
        any::<String>(),
        "88\\.1/.{0,40}",
        "\\((01|10|17|21)\\)[0-9A-Za-z]{0,20}(\\((01|10|17|21|00)\\)[0-9A-Za-z]{0,20}){0,3}",
        "88\\.1/XE[0-9]{8}[0-9A-Z]{6}",
        "https://[a-z.]{1,9}/01/[0-9]{8,14}(/10/.{0,20})?(\\?17=[0-9]{0,8})?",
    ];
    let mut runner = TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() });
    let judged = runner.run(&codes, |code| {
        let told = tell(&catalog, &code);
        // Of records, those alone that there are.
        let made = ["88.1/OLD", "88.1/NEW", "88.1/OTHER"].contains(&&*code.to_ascii_uppercase());
        let is_ours = told.source == Source::Record && told.verdict == Verdict::Valid;
        prop_assert!(made || !is_ours || code.to_ascii_uppercase().starts_with("88.1/META_"), "{code}: {told:?}");
        let may_be_sold = told.sale != Sale::Deny;
        prop_assert_eq!(may_be_sold, told.verdict == Verdict::Valid, "{}: {:?}", code, told);
        Ok(())
    });
    judged.unwrap();
}
