use super::*;
use crate::access::Access;
use crate::access::permit::authorize;
use crate::actor::Actor;
use crate::config::Ruling;
use crate::testing::value;
use crate::warnings::Warning;
use waymark_wire::ValueBuf;

const STAMP: u32 = 1_800_000_000;

struct Desk {
    limits: RecordLimits,
    served: bool,
    current: Option<Version>,
}

impl Desk {
    fn new(values: Option<&[ValueBuf]>) -> Self {
        let current = values.map(|values| Version {
            serial: Serial(7),
            time: Timestamp(9),
            body: encode(b"88.1/x", None, &set(values)),
        });
        Self { limits: RecordLimits::default(), served: true, current }
    }

    fn ask(&self, command: &Command) -> Result<Decision, Refusal> {
        let permit = authorize(&Actor::operator(), command, &Access::default(), Timestamp(0))?;
        let key = record_key(command, CaseRule::Insensitive)?.unwrap();
        let current = self.current.as_ref().map_or(Current::Absent, Current::Live);
        let rule = CaseRule::Insensitive;
        let facts = Facts { current, key: &key, rule, served: self.served, limits: &self.limits, stamp: STAMP };
        decide(permit, &command.clone().into(), &facts)
    }

    fn values_after(&self, command: &Command) -> Vec<(u32, Vec<u8>, u32)> {
        match self.ask(command) {
            Ok(Decision::Write { body, .. }) => {
                let stored = Stored::parse(&body).unwrap();
                stored.values().unwrap().iter().map(|v| (v.index, v.data.to_vec(), v.timestamp)).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

fn set(values: &[ValueBuf]) -> ValueSet {
    ValueSet::from_bufs(values).unwrap()
}

fn put(values: &[ValueBuf], mode: PutMode) -> Command {
    Command::Put { handle: b"88.1/x".to_vec(), values: set(values), timestamps: Timestamps::Now, mode }
}

fn add(values: &[ValueBuf], mode: AddMode) -> Command {
    let values = ValueSet::from_bufs(values).unwrap();
    Command::AddValues { handle: b"88.1/X".to_vec(), values, timestamps: Timestamps::Now, mode }
}

fn modify(values: &[ValueBuf]) -> Command {
    Command::ModifyValues { handle: b"88.1/X".to_vec(), values: set(values), timestamps: Timestamps::Now }
}

fn remove(indexes: &[u32]) -> Command {
    Command::RemoveValues { handle: b"88.1/X".to_vec(), indexes: indexes.to_vec() }
}

const OLD: u32 = 1_790_000_000;

#[test]
fn create_stamps_values_with_the_commit_time_or_keeps_given_ones() {
    let values = [value(1, "URL", b"a"), ValueBuf { timestamp: 0, ..value(2, "URL", b"b") }];
    let desk = Desk::new(None);
    let stamped = desk.values_after(&put(&values, PutMode::Create));
    assert_eq!(stamped, [(1, b"a".to_vec(), STAMP), (2, b"b".to_vec(), STAMP)]);
    let keep = Command::Put {
        handle: b"88.1/x".to_vec(),
        values: set(&values),
        timestamps: Timestamps::Keep,
        mode: PutMode::Create,
    };
    assert_eq!(desk.values_after(&keep), [(1, b"a".to_vec(), OLD), (2, b"b".to_vec(), STAMP)]);
}

#[test]
fn create_of_an_existing_handle_tells_same_content_from_different() {
    let same = [value(1, "URL", b"a")];
    let desk = Desk::new(Some(&same));
    let exists = |same_content| Err(Refusal::AlreadyExists { same_content, serial: Serial(7) });
    assert_eq!(desk.ask(&put(&same, PutMode::Create)), exists(true));
    assert_eq!(desk.ask(&put(&[value(1, "URL", b"b")], PutMode::Create)), exists(false));
    assert_eq!(desk.ask(&put(&[value(1, "URL", b"b")], PutMode::CreateOrSame)), exists(false));
    let kept = desk.ask(&put(&same, PutMode::CreateOrSame)).unwrap();
    assert_eq!(kept, Decision::Keep { serial: Serial(7), time: Timestamp(9), content: set(&same).content() });
}

#[test]
fn replace_keeps_the_time_of_values_that_do_not_change() {
    let desk = Desk::new(Some(&[value(1, "URL", b"a"), value(2, "URL", b"b")]));
    let after = desk.values_after(&put(&[value(2, "URL", b"c"), value(1, "URL", b"a")], PutMode::Replace));
    assert_eq!(after, [(1, b"a".to_vec(), OLD), (2, b"c".to_vec(), STAMP)]);
    let same = put(&[value(1, "URL", b"a"), value(2, "URL", b"b")], PutMode::Replace);
    assert!(matches!(desk.ask(&same), Ok(Decision::Keep { serial: Serial(7), .. })));
}

#[test]
fn add_merges_by_index_and_refuses_a_taken_one() {
    let desk = Desk::new(Some(&[value(1, "URL", b"a"), value(5, "URL", b"e")]));
    let after = desk.values_after(&add(&[value(9, "URL", b"i"), value(3, "URL", b"c")], AddMode::New));
    let indexes: Vec<u32> = after.iter().map(|value| value.0).collect();
    assert_eq!(indexes, [1, 3, 5, 9]);
    let taken = [value(5, "URL", b"e")];
    assert_eq!(desk.ask(&add(&taken, AddMode::New)), Err(Refusal::IndexConflict { index: 5 }));
    assert!(matches!(desk.ask(&add(&taken, AddMode::NewOrSame)), Ok(Decision::Keep { .. })));
    let after = desk.values_after(&add(&[value(5, "URL", b"z")], AddMode::Overwrite));
    assert_eq!(after, [(1, b"a".to_vec(), OLD), (5, b"z".to_vec(), STAMP)]);
    let empty = desk.ask(&add(&[], AddMode::New));
    assert_eq!(empty, Err(Refusal::InvalidValue(InvalidValue::Empty)));
}

#[test]
fn modify_needs_every_index_and_respects_read_only_values() {
    let locked = ValueBuf { permissions: Permissions(0x0a), ..value(2, "URL", b"b") };
    let desk = Desk::new(Some(&[value(1, "URL", b"a"), locked]));
    assert_eq!(desk.values_after(&modify(&[value(1, "URL", b"z")]))[0], (1, b"z".to_vec(), STAMP));
    assert_eq!(desk.ask(&modify(&[value(2, "URL", b"z")])), Err(Refusal::ReadOnlyValue { index: 2 }));
    assert_eq!(desk.ask(&modify(&[value(3, "URL", b"z")])), Err(Refusal::ValuesNotFound { index: 3 }));
}

#[test]
fn remove_takes_all_or_nothing() {
    let desk = Desk::new(Some(&[value(1, "URL", b"a"), value(2, "URL", b"b"), value(4, "URL", b"d")]));
    assert_eq!(desk.values_after(&remove(&[4, 1, 4])), [(2, b"b".to_vec(), OLD)]);
    assert_eq!(desk.values_after(&remove(&[1, 2, 4])), []);
    assert_eq!(desk.ask(&remove(&[1, 3])), Err(Refusal::ValuesNotFound { index: 3 }));
    assert_eq!(desk.ask(&remove(&[5])), Err(Refusal::ValuesNotFound { index: 5 }));
    assert_eq!(desk.ask(&remove(&[])), Err(Refusal::InvalidValue(InvalidValue::Empty)));
}

#[test]
fn absent_handles_are_not_found_and_foreign_ones_not_served() {
    let mut desk = Desk::new(None);
    let delete = Command::Delete { handle: b"88.1/x".to_vec() };
    for command in [&delete, &modify(&[value(1, "A", b"")]), &add(&[value(1, "A", b"")], AddMode::New), &remove(&[1])] {
        assert_eq!(desk.ask(command), Err(Refusal::NotFound));
    }
    desk.served = false;
    let refusal = Refusal::NotServed { prefix: b"88.1".to_vec() };
    assert_eq!(desk.ask(&delete), Err(refusal.clone()));
    assert_eq!(desk.ask(&put(&[], PutMode::Create)), Err(refusal));
}

#[test]
fn long_handles_are_refused_or_taken_with_a_warning() {
    let mut desk = Desk::new(None);
    let long = |bytes: usize| Command::Put {
        handle: [b"88.1/".to_vec(), vec![b'x'; bytes - 5]].concat(),
        values: ValueSet::default(),
        timestamps: Timestamps::Now,
        mode: PutMode::Create,
    };
    assert!(matches!(desk.ask(&long(255)), Ok(Decision::Write { warnings: Warnings::NONE, .. })));
    assert!(matches!(desk.ask(&long(256)), Err(Refusal::InvalidHandle(_))));
    desk.limits.long_handles = Ruling::Warn;
    let Ok(Decision::Write { warnings, .. }) = desk.ask(&long(256)) else { panic!("refused") };
    assert_eq!(warnings, Warnings::NONE.with(Warning::LongHandle));
    assert!(matches!(desk.ask(&long(2049)), Err(Refusal::InvalidHandle(_))));
}

#[test]
fn a_bare_prefix_is_registered_as_its_record_and_keeps_its_spelling() {
    let desk = Desk::new(None);
    let bare = |handle: &[u8]| Command::Put {
        handle: handle.to_vec(),
        values: ValueSet::default(),
        timestamps: Timestamps::Now,
        mode: PutMode::Create,
    };
    assert_eq!(record_key(&bare(b"88.a"), CaseRule::Insensitive), Ok(Some(b"0.NA/88.A".to_vec())));
    let Ok(Decision::Write { body, .. }) = desk.ask(&bare(b"88.a")) else { panic!("refused") };
    assert_eq!(Stored::parse(&body).unwrap().handle(), b"88.a");
    for handle in [&b""[..], b"88\x01", b"88\xff"] {
        assert!(matches!(desk.ask(&bare(handle)), Err(Refusal::InvalidHandle(_))), "{handle:?}");
    }
}

#[test]
fn every_size_limit_holds_at_its_edge() {
    let mut desk = Desk::new(None);
    desk.limits = RecordLimits { value_bytes: 4, values: 2, record_bytes: 66, ..RecordLimits::default() };
    let create = |values: &[ValueBuf]| desk.ask(&put(values, PutMode::Create)).map(drop);
    assert_eq!(create(&[value(1, "URL", b"1234"), value(2, "URL", b"1234")]), Ok(()));
    let too_large = InvalidValue::DataTooLarge { index: 1, bytes: 5, limit: 4 };
    assert_eq!(create(&[value(1, "URL", b"12345")]), Err(Refusal::InvalidValue(too_large)));
    let three = [value(1, "A", b""), value(2, "A", b""), value(3, "A", b"")];
    assert_eq!(create(&three), Err(Refusal::TooManyValues { count: 3, limit: 2 }));
    let wide = [value(1, "URLX", b"1234"), value(2, "URL", b"1234")];
    assert_eq!(create(&wide), Err(Refusal::RecordTooLarge { bytes: 67, limit: 66 }));
}
