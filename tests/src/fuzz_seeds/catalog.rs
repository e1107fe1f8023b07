//! What a catalog has stored after a bit of everything.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use waymark_catalog::access::{Principal, Role, Scope, Token, TokenId, TokenText, Verb};
use waymark_catalog::form::line;
use waymark_catalog::stored_forms::Form;
use waymark_catalog::{
    Actor, AddMode, Catalog, Command, HomeName, Options, Order, PutMode, Request, Serial, StreamStep, Submission,
    Timestamp, Timestamps, ValueSet, Warm, WithdrawalBuf, command_digest,
};
use waymark_store::{EntryKind, MemoryStore, Recovery, Store};
use waymark_wire::ValueBuf;

use super::{Seed, samples};
use crate::fuzz_bodies::catalog_open::Script;

/// Milliseconds of all that happens here.
const NOW: u64 = 1_800_000_000_000;

pub(super) fn seeds() -> Vec<Seed> {
    let store = Arc::new(MemoryStore::for_tests());
    let catalog = open(&store);
    fill(&catalog);
    catalog.rebuild_snapshot().expect("memory takes everything");
    // While it is open: its end would tell what was refused, in no certain order.
    let mut seeds = forms(store.as_ref());
    seeds.extend(scripts(store.as_ref()).into_iter().map(|(name, script)| ("catalog_open", name, script)));
    seeds
}

fn open(store: &Arc<MemoryStore>) -> Catalog {
    let mut options = Options::new(waymark_store::Options::new("unused"));
    (options.warm, options.clock) = (Warm::Off, || Timestamp(NOW));
    (options.resident_budget_bytes, options.expected_entries) = (1 << 20, 0);
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(store);
    waymark_catalog::open_over(store, Recovery::default(), &options).expect("memory opens").catalog
}

fn submit(catalog: &Catalog, submission: Submission) {
    catalog.writer().submit(submission).expect("the queue is empty").wait().expect("memory takes every write");
}

fn values(values: &[ValueBuf]) -> ValueSet {
    ValueSet::from_bufs(values).expect("a set")
}

fn create(handle: &str) -> Command {
    let (handle, values) =
        (handle.as_bytes().to_vec(), values(&[ValueBuf::new(1, b"URL", b"https://example.invalid/1")]));
    Command::Put { handle, values, timestamps: Timestamps::Now, mode: PutMode::CreateOrSame }
}

fn fill(catalog: &Catalog) {
    let operator = Actor::operator();
    let all = |commands: Vec<Command>| submit(catalog, Submission::new(&operator, commands));
    let home = |name: &[u8]| Command::Home { name: HomeName::parse(name).expect("a prefix") };
    all(vec![home(b"88.990.10001"), home(b"0.NA/0.NA/88.990"), home(b"88.1")]);
    let records = samples().take(2).map(|text| line::read(text.as_bytes()).expect("a sample"));
    all(records
        .map(|record| Command::Put {
            handle: record.handle.into_bytes(),
            values: record.values,
            timestamps: Timestamps::Keep,
            mode: PutMode::Create,
        })
        .collect());
    all(["88.1/a", "88.1/b", "88.1/c", "88.1/d"].map(create).into());
    statuses(catalog);
    all(vec![
        Command::AddValues {
            handle: b"88.1/a".to_vec(),
            values: values(&[ValueBuf::new(2, b"EMAIL", b"a@example.invalid")]),
            timestamps: Timestamps::Now,
            mode: AddMode::New,
        },
        Command::Delete { handle: b"88.1/b".to_vec() },
        Command::Unhome { name: HomeName::parse(b"88.990.10001").expect("a prefix") },
    ]);
    streams(catalog);
    access(catalog);
}

fn statuses(catalog: &Catalog) {
    let reason = || "召回 recall".to_owned();
    let status = WithdrawalBuf { revoked: true, since_seconds: Some(1_790_000_000), reason: reason() };
    let commands = [
        Command::Suspend { handle: b"88.1/c".to_vec(), reason: reason() },
        Command::Suspend { handle: b"88.1/d".to_vec(), reason: String::new() },
        Command::Resume { handle: b"88.1/d".to_vec() },
        Command::Revoke { handle: b"88.1/d".to_vec(), reason: reason() },
        Command::PutWithdrawn {
            handle: b"88.1/gone".to_vec(),
            values: ValueSet::default(),
            timestamps: Timestamps::Keep,
            mode: PutMode::Create,
            status,
        },
    ];
    submit(catalog, Submission::new(&Actor::operator(), commands));
}

/// A stream that counts orders, in two steps, one that counts bytes, and a request of its own.
fn streams(catalog: &Catalog) {
    let operator = Actor::operator();
    let step = |after, position, counts_orders| StreamStep { stream: [5; 16], after, position, counts_orders };
    let orders = ["88.1/s1", "88.1/a", "elsewhere/x", "88.1/s2", "88.1/s2"].map(create);
    submit(catalog, Submission::new(&operator, orders).as_step(step(0, 5, true)));
    submit(catalog, Submission::new(&operator, [create("88.1/s3")]).as_step(step(5, 6, true)));
    let bytes = StreamStep { stream: [6; 16], ..step(0, 4_711, false) };
    submit(catalog, Submission::new(&operator, [create("88.1/s4")]).as_step(bytes));
    let order = Order::from(create("88.1/r1"));
    let id = Uuid::from_u128(u128::from(NOW) << 80 | 7 << 76 | 0b10 << 62 | 1);
    let request = Request { id, digest: command_digest(&order) };
    submit(catalog, Submission::new(&operator, [order]).as_request(request));
}

fn access(catalog: &Catalog) {
    let scope = Scope::parse(["88.990", "20.500.A"]).expect("prefixes");
    let writer = Principal {
        name: "acme".into(),
        role: Role::Writer,
        scope: scope.clone(),
        disabled: false,
        rate_per_second: Some(100),
        daily_quota: Some(1_000),
        certificates: vec![[0xab; 32]],
        note: "Acme \"工业\"".into(),
    };
    let operator = Principal {
        name: "operator".into(),
        role: Role::Operator,
        scope: Scope::All,
        rate_per_second: None,
        daily_quota: None,
        certificates: Vec::new(),
        ..writer.clone()
    };
    let text = TokenText::parse(&format!("wm1_{}_{}", "01".repeat(8), "02".repeat(32))).expect("a token");
    let whole = Token::new(&text, "acme", Timestamp(NOW), Duration::from_secs(86_400));
    let narrow = Token {
        id: TokenId([2; 8]),
        scope: Some(scope),
        verbs: Some([Verb::Create, Verb::Read].into_iter().collect()),
        note: "for one machine".into(),
        ..whole.clone()
    };
    let commands = [
        Command::PutPrincipal { principal: writer },
        Command::PutPrincipal { principal: operator },
        Command::IssueToken { token: whole },
        Command::IssueToken { token: narrow },
        Command::RevokeToken { id: TokenId([2; 8]), reason: "lost".to_owned() },
    ];
    submit(catalog, Submission::new(&Actor::operator(), commands));
}

/// Each stored form by itself, as it came into the store for the first time.
fn forms(store: &MemoryStore) -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut add = |name: &str, form: Form, bytes: &[u8]| {
        let count = counts.entry(name.to_owned()).or_default();
        *count += 1;
        let number = Form::ALL.iter().position(|each| *each == form).and_then(|at| u8::try_from(at).ok());
        let input = [&[number.expect("a few")], bytes].concat();
        if *count <= 3 && form.reread(bytes).is_some() {
            seeds.push(("catalog_forms", format!("{name}_{count}"), input));
        }
    };
    let followed = store.follow(Serial::NONE, &mut |entry| {
        match *entry.key {
            [0, b'C'] => add("case_rule", Form::CaseRule, entry.body),
            [0, b'M', ..] => add("mark", Form::Mark, entry.body),
            [0, b'I', ref place @ ..] => {
                add("request_place", Form::RequestPlace, place);
                add("request_note", Form::RequestNote, entry.body);
            }
            [0, b'P', ..] => add("principal", Form::Principal, entry.body),
            [0, b'T', ..] => add("token", Form::Token, entry.body),
            [0, ..] => {}
            _ if entry.body.get(1).is_some_and(|flags| flags & 8 != 0) => add("withdrawn", Form::Record, entry.body),
            _ => add("record", Form::Record, entry.body),
        }
        if let [0, kind, ..] = *entry.key {
            add(&format!("key_{}", char::from(kind)), Form::Key, entry.key);
        }
        ControlFlow::Continue(())
    });
    followed.expect("memory gives everything");
    for (name, form) in [("index", Form::Snapshot), ("deletions", Form::Deletions)] {
        let blob = store.blobs().read_verified(name).expect("memory gives everything");
        add(name, form, &blob.expect("just written").1);
    }
    seeds
}

/// The whole store as scripts: its log alone, with its snapshot, and with values of the small state.
fn scripts(store: &MemoryStore) -> Vec<(String, Vec<u8>)> {
    let log = |shape: u8| {
        let mut script = Script::new(shape);
        let followed = store.follow(Serial::NONE, &mut |entry| {
            let previous = u8::try_from(entry.previous.0).unwrap_or(0);
            let hours = if entry.kind == EntryKind::NOTE { 0 } else { 1 };
            script.entry(entry.kind, hours, previous, entry.actor, entry.key, entry.body);
            ControlFlow::Continue(())
        });
        followed.expect("memory gives everything");
        script
    };
    let mut whole = log(2);
    for (number, name) in [(0, "index"), (1, "deletions")] {
        let blob = store.blobs().read_verified(name).expect("memory gives everything");
        whole.blob(number, 1, &blob.expect("just written").1);
    }
    let mut fed = log(0);
    fed.state(11, 0, b"Pacme", &NOW.to_be_bytes());
    fed.state(5, 1, &[&20_833_u32.to_be_bytes()[..], b"acme"].concat(), &7_u64.to_be_bytes());
    fed.state(10, 2, &[0xee; 20], b"no note");
    fed.state(3, 3, b"88.1", b"no count");
    vec![
        ("log".to_owned(), log(0).into_bytes()),
        ("log_with_snapshot".to_owned(), whole.into_bytes()),
        ("log_with_state".to_owned(), fed.into_bytes()),
        ("other_case_rule".to_owned(), log(1).into_bytes()),
        ("nothing".to_owned(), Script::new(0).into_bytes()),
    ]
}
