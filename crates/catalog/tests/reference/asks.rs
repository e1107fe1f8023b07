//! What a test asks of the catalog, in words of its own, and how it comes about at random.

use proptest::prelude::*;

/// One thing to do with one handle, or with its prefix.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) handle: &'static str,
    pub(crate) verb: Verb,
    pub(crate) hope: Option<Hope>,
}

/// What to do.
#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Create(Vec<Value>),
    Replace(Vec<Value>),
    CreateOrSame(Vec<Value>),
    Add(Vec<Value>),
    AddOver(Vec<Value>),
    AddOrSame(Vec<Value>),
    Modify(Vec<Value>),
    Remove(Vec<u32>),
    Delete,
    Suspend(&'static str),
    Resume,
    Revoke(&'static str),
    Recall(&'static str),
    LiftRecall,
    Home,
    Unhome,
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Value {
    pub(crate) index: u32,
    pub(crate) data: &'static str,
    /// Administrators may not change it.
    pub(crate) fixed: bool,
}

/// What the record is expected to be.
#[derive(Clone, Debug)]
pub(crate) enum Hope {
    Absent,
    /// As it was when the submission was made.
    Latest,
    /// As it was before that.
    Older,
    /// Of the content it had when the submission was made.
    SameContent,
    /// Of this content.
    Content(Vec<Value>),
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// May do everything.
    Operator,
    /// May write where it is admitted, as often as it is admitted.
    Guest,
}

/// What the guest may do.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    pub(crate) prefixes: Vec<&'static str>,
    pub(crate) disabled: bool,
    pub(crate) daily_quota: Option<u64>,
}

/// What is handed to the writer together.
#[derive(Clone, Debug)]
pub(crate) enum Submit {
    Plain(Who, Vec<Ask>),
    /// A step of one of two streams.
    Step {
        who: Who,
        stream: usize,
        from: From,
        asks: Vec<Ask>,
    },
}

/// Where a step says its stream is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// Where it is.
    Here,
    /// So many items before.
    Before(u64),
    /// So many items further.
    Behind(u64),
}

/// What a request id is used for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    /// The id is new.
    New,
    /// That of an earlier request, for the same.
    Again(prop::sample::Index),
    /// That of an earlier request, for something else.
    Other(prop::sample::Index),
}

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Submissions one after the other, without waiting in between.
    Burst(Vec<Submit>),
    /// A single order under a request id; who asks again is who asked at first.
    Request(Who, Use, Ask),
    /// The guest is admitted, or otherwise than before, or no longer.
    Admit(Option<Admission>),
    /// An orderly end and a new start.
    Restart,
    /// The same, with the small state deleted in between.
    LoseState,
    /// The same, with everything derived made anew in between.
    Rebuild,
    /// The power fails after so many changes of the disk, during a submission; so many bytes that were not flushed survive.
    PowerCut { changes: u64, survive: u64, submit: Submit },
}

/// Few, so that they meet often; the last one cannot be registered.
const HANDLES: [(u32, &str); 6] =
    [(6, "88.1/a"), (3, "88.1/A"), (6, "88.1/b"), (4, "88.2/a"), (3, "88.2/B"), (1, "88.2/\u{1}")];

fn value() -> impl Strategy<Value = Value> {
    (1..4_u32, prop::sample::select(vec!["x", "y"]), prop::bool::weighted(0.15))
        .prop_map(|(index, data, fixed)| Value { index, data, fixed })
}

/// At most one value of each index.
fn values() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(value(), 0..4).prop_map(|mut values| {
        values.sort();
        values.dedup_by_key(|value| value.index);
        values
    })
}

fn verb() -> impl Strategy<Value = Verb> {
    let indexes = prop::collection::vec(1..4_u32, 0..3);
    let reason = || prop::sample::select(vec!["recalled", "forged"]);
    prop_oneof![
        10 => values().prop_map(Verb::Create),
        6 => values().prop_map(Verb::Replace),
        6 => values().prop_map(Verb::CreateOrSame),
        4 => values().prop_map(Verb::Add),
        4 => values().prop_map(Verb::AddOver),
        4 => values().prop_map(Verb::AddOrSame),
        6 => values().prop_map(Verb::Modify),
        4 => indexes.prop_map(Verb::Remove),
        6 => Just(Verb::Delete),
        3 => reason().prop_map(Verb::Suspend),
        3 => Just(Verb::Resume),
        1 => reason().prop_map(Verb::Revoke),
        3 => reason().prop_map(Verb::Recall),
        2 => Just(Verb::LiftRecall),
        4 => Just(Verb::Home),
        1 => Just(Verb::Unhome),
    ]
}

fn hope() -> impl Strategy<Value = Hope> {
    prop_oneof![
        1 => Just(Hope::Absent),
        3 => Just(Hope::Latest),
        1 => Just(Hope::Older),
        2 => Just(Hope::SameContent),
        1 => values().prop_map(Hope::Content),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let handle = prop::strategy::Union::new_weighted(HANDLES.map(|(weight, handle)| (weight, Just(handle))).to_vec());
    (handle, verb(), prop::option::weighted(0.2, hope())).prop_map(|(handle, verb, hope)| Ask { handle, verb, hope })
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![3 => Just(Who::Operator), 1 => Just(Who::Guest)]
}

fn admission() -> impl Strategy<Value = Admission> {
    let prefixes = prop::sample::subsequence(vec!["88.1", "88.2"], 0..=2);
    let quota = prop::option::weighted(0.8, 0..20_u64);
    (prefixes, prop::bool::weighted(0.1), quota).prop_map(|(prefixes, disabled, daily_quota)| Admission {
        prefixes,
        disabled,
        daily_quota,
    })
}

fn submit() -> impl Strategy<Value = Submit> {
    let from = prop_oneof![
        5 => Just(From::Here),
        1 => (1..4_u64).prop_map(From::Before),
        1 => (1..3_u64).prop_map(From::Behind),
    ];
    let asks = || prop::collection::vec(ask(), 1..5);
    prop_oneof![
        3 => (who(), asks()).prop_map(|(who, asks)| Submit::Plain(who, asks)),
        2 => (who(), 0..2_usize, from, asks())
            .prop_map(|(who, stream, from, asks)| Submit::Step { who, stream, from, asks }),
    ]
}

/// What happens from the beginning: both prefixes are made to live here and the guest is admitted, mostly.
pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    let home = |handle| Ask { handle, verb: Verb::Home, hope: None };
    let homes = Event::Burst(vec![Submit::Plain(Who::Operator, vec![home("88.1/a"), home("88.2/a")])]);
    let guest = Admission { prefixes: vec!["88.1", "88.2"], disabled: false, daily_quota: Some(8) };
    let begin = prop::option::weighted(0.8, Just([homes, Event::Admit(Some(guest))]));
    (begin, prop::collection::vec(event(), 1..80))
        .prop_map(|(begin, events)| begin.into_iter().flatten().chain(events).collect())
}

fn event() -> impl Strategy<Value = Event> {
    let earlier = any::<prop::sample::Index>;
    let use_of = prop_oneof![
        3 => Just(Use::New),
        3 => earlier().prop_map(Use::Again),
        1 => earlier().prop_map(Use::Other),
    ];
    let cut = (0..9_u64, 0..2_000_u64, submit());
    prop_oneof![
        12 => prop::collection::vec(submit(), 1..4).prop_map(Event::Burst),
        8 => (who(), use_of, ask()).prop_map(|(who, use_of, ask)| Event::Request(who, use_of, ask)),
        2 => prop::option::weighted(0.9, admission()).prop_map(Event::Admit),
        1 => Just(Event::Restart),
        1 => Just(Event::LoseState),
        1 => Just(Event::Rebuild),
        2 => cut.prop_map(|(changes, survive, submit)| Event::PowerCut { changes, survive, submit }),
    ]
}
