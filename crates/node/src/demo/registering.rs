//! The demo's registration: the samples come in through the gRPC service, as an enterprise's program brings them in.
//!
//! The operator of the first start homes the prefixes, makes a writer for them and issues it a token. The writer streams the samples; the
//! stream is cut in the middle and continued from the node's mark. Then what an enterprise and an operator want to see: a refusal with its
//! remedy, a watch over everything, the audit.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    ops::ControlFlow,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use waymark_api::{operator::v1 as operator, registration::v1};
use waymark_catalog::form::line;
use waymark_client::registration::{
    CallError, Counts, Endpoint, Event, Exchange, ExchangeError, GrpcUrl, Registrar, ServerTrust, Watch, Watched,
};

use crate::{
    cli::{
        present::safe,
        resolve::parse_pin,
        server::{answer, form},
        terminal::{self, grouped},
    },
    listen::Listening,
    problem::{Exit, Problem},
    registration::OPERATOR_TOKEN,
    texts::{Language, Texts},
};

/// The enterprise's program.
const WRITER: &str = "demo-writer";
/// Name of its stream.
const STREAM: &str = "samples";
/// Outcomes after which the stream is cut.
const CUT_AFTER: u64 = 25;
/// Items in one message, and under way: few, so that the cut leaves something to continue.
const BATCH: usize = 6;
/// Life of the writer's token.
const TOKEN_SECONDS: u64 = 24 * 60 * 60;

/// What the registration showed: the code of a check's text, and whether it held.
pub(super) type Checks = Vec<(&'static str, bool)>;

/// What the registration leaves: what it showed, and with whose credentials to go on.
pub(super) struct Registered {
    pub(super) checks: Checks,
    pub(super) writer: Registrar,
    pub(super) operator: Registrar,
}

/// Registers the samples, a line of JSON each, and shows what there is around it. The writer's token goes to `token_file`.
///
/// # Errors
/// A call fails that has to succeed.
pub(super) async fn run(
    listening: &Listening,
    data: &Path,
    token_file: &Path,
    lines: &str,
    texts: &Texts,
) -> Result<Registered, Problem> {
    let changes = changes(lines)?;
    let url = url(listening)?;
    let operator_token = read(&data.join(OPERATOR_TOKEN))?;
    let operator = connect(listening, &url, operator_token, texts)?;
    let prefixes: BTreeSet<&str> = changes.iter().map(|change| prefix_of(&change.handle)).collect();
    // A name without a suffix is the record of a prefix; those of all prefixes derived from one are homed together.
    let records = changes.iter().filter(|change| !change.handle.contains('/'));
    let records = records.filter_map(|change| Some(format!("0.NA/0.NA/{}", change.handle.rsplit_once('.')?.0)));
    for prefix in prefixes.iter().map(|prefix| (*prefix).to_owned()).chain(records) {
        done(operator.home(&operator::HomeRequest { prefix }).await)?;
    }
    let token = make_writer(&operator, &prefixes).await?;
    crate::certificate::write_private(token_file, format!("{token}\n").as_bytes()).map_err(|cause| {
        Problem::new("file-not-written", Exit::Failed).with("path", token_file.display()).with("cause", cause)
    })?;
    say(
        texts,
        "demo-registering",
        &[("count", changes.len().to_string()), ("url", url.to_string()), ("principal", WRITER.to_owned())],
    );
    let writer = connect(listening, &url, token, texts)?;
    let streamed = stream(&writer, &changes, texts).await?;
    let refused = show_refusals(&writer, &changes, texts).await?;
    let watched = watch(&operator, changes.len(), texts).await?;
    let audited = audit(&operator, texts).await?;
    let checks = vec![
        ("demo-check-stream", streamed),
        ("demo-check-refusals", refused),
        ("demo-check-watch", watched),
        ("demo-check-audit", audited),
    ];
    Ok(Registered { checks, writer, operator })
}

pub(super) fn prefix_of(handle: &str) -> &str {
    handle.split_once('/').map_or(handle, |(prefix, _)| prefix)
}

pub(crate) fn url(listening: &Listening) -> Result<GrpcUrl, Problem> {
    let address = listening.grpc.first().ok_or_else(|| failed(&"the node has no gRPC door"))?;
    format!("grpcs://{address}").parse().map_err(|cause| failed(&cause))
}

pub(crate) fn connect(
    listening: &Listening,
    url: &GrpcUrl,
    token: String,
    texts: &Texts,
) -> Result<Registrar, Problem> {
    let pin = parse_pin(&listening.registration_fingerprint)?;
    let mut endpoint = Endpoint::new(url.clone());
    endpoint.trust = Some(ServerTrust::Pin(pin));
    endpoint.token = Some(token);
    endpoint.language = if texts.language() == Language::Chinese { "zh-CN" } else { "en" };
    Registrar::connect(&endpoint).map_err(|cause| failed(&cause))
}

fn changes(lines: &str) -> Result<Arc<[v1::Change]>, Problem> {
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    let change = |text: &str| {
        let record = line::read(text.as_bytes()).map_err(|error| error.cause.to_string())?;
        let values = form::to_interface(&record.values).map_err(|error| format!("{error:?}"))?;
        let create = v1::Create { values, keep_timestamps: true };
        Ok::<_, String>(v1::Change {
            handle: record.handle,
            action: Some(v1::change::Action::Create(create)),
            expect: None,
        })
    };
    lines
        .map(change)
        .collect::<Result<_, _>>()
        .map_err(|cause| Problem::new("demo-samples", Exit::Failed).with("cause", cause))
}

/// The enterprise's program: may write under its prefixes, by a token that lives a day.
async fn make_writer(operator: &Registrar, prefixes: &BTreeSet<&str>) -> Result<String, Problem> {
    let principal = operator::Principal {
        name: WRITER.to_owned(),
        role: operator::Role::Writer.into(),
        prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        ..operator::Principal::default()
    };
    done(operator.put_principal(&operator::PutPrincipalRequest { principal: Some(principal) }).await)?;
    let request = operator::IssueTokenRequest {
        principal: WRITER.to_owned(),
        lifetime_seconds: TOKEN_SECONDS,
        ..operator::IssueTokenRequest::default()
    };
    Ok(done(operator.issue_token(&request).await)?.text)
}

/// Streams the samples, cuts the stream in the middle, continues it. True when every item was answered, each once, as created.
async fn stream(writer: &Registrar, changes: &Arc<[v1::Change]>, texts: &Texts) -> Result<bool, Problem> {
    let answered = Arc::new(AtomicU64::new(0));
    let enough = Arc::new(Notify::new());
    let cut = tokio::spawn({
        let (writer, changes) = (writer.clone(), Arc::clone(changes));
        let (answered, enough) = (Arc::clone(&answered), Arc::clone(&enough));
        async move {
            let mut event = |event: Event<'_>| {
                if matches!(event, Event::Outcome(_)) && answered.fetch_add(1, Ordering::Relaxed) + 1 >= CUT_AFTER {
                    enough.notify_one();
                }
                ControlFlow::Continue(())
            };
            send(&writer, &changes, &mut event).await
        }
    });
    // The connection is dropped with items under way.
    enough.notified().await;
    cut.abort();
    // Either it was aborted or it was faster; both are looked at through the mark.
    let _ended = cut.await;
    let mark = done(writer.stream(STREAM).await)?.mark;
    let answered = answered.load(Ordering::Relaxed);
    say(texts, "demo-stream-cut", &[("answered", answered.to_string()), ("mark", mark.to_string())]);
    // What was under way when the connection broke is decided a moment later: the stream says where it goes on.
    let mut begun = 0;
    let mut event = |event: Event<'_>| {
        if let Event::Opened { first, .. } = event {
            begun = first;
        }
        ControlFlow::Continue(())
    };
    let (counts, ended) = send(writer, changes, &mut event).await;
    ended.map_err(|cause| failed(&cause))?;
    say(
        texts,
        "demo-stream-continued",
        &[("first", begun.to_string()), ("count", counts.created.to_string()), ("last", counts.last.to_string())],
    );
    let all = changes.len() as u64;
    Ok(mark >= answered && begun > mark && begun + counts.created == all + 1 && counts.refused == 0)
}

async fn send(
    writer: &Registrar,
    changes: &Arc<[v1::Change]>,
    event: &mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
) -> (Counts, Result<(), ExchangeError<Infallible>>) {
    let exchange = Exchange { batch_items: BATCH, window_items: 2 * BATCH, ..Exchange::new(STREAM) };
    let changes = Arc::clone(changes);
    let source = move |first: u64| {
        let skipped = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX);
        (skipped..changes.len()).map_while(move |at| changes.get(at).cloned().map(Ok))
    };
    exchange.run(writer, source, event).await
}

/// What an enterprise sees that makes a mistake: the same name with other content, and a name of somebody else.
async fn show_refusals(writer: &Registrar, changes: &[v1::Change], texts: &Texts) -> Result<bool, Problem> {
    let Some(first) = changes.first() else { return Ok(false) };
    let value = v1::Value {
        index: 1,
        r#type: "URL".to_owned(),
        data: Some(v1::value::Data::Text("https://example.invalid/other".to_owned())),
        ..v1::Value::default()
    };
    let other = |handle: &str| v1::Change {
        handle: handle.to_owned(),
        action: Some(v1::change::Action::Create(v1::Create { values: vec![value.clone()], keep_timestamps: false })),
        expect: None,
    };
    let mut held = true;
    for (handle, reason) in [(&*first.handle, "ALREADY_EXISTS_DIFFERENT"), ("88.1000.1/NOT.OURS", "NOT_PERMITTED")] {
        let said = match writer.apply(other(handle), None).await {
            Err(CallError::Refused { error, .. }) => error,
            Err(error) => return Err(answer::problem(&error, false)),
            Ok(_) => {
                held = false;
                continue;
            }
        };
        say(
            texts,
            "demo-refusal",
            &[
                ("handle", handle.to_owned()),
                ("reason", said.reason.clone()),
                ("cause", said.cause.clone()),
                ("remedy", said.remedy.clone()),
            ],
        );
        held &= said.reason == reason;
    }
    Ok(held)
}

/// Follows everything from the beginning to now.
async fn watch(operator: &Registrar, expected: usize, texts: &Texts) -> Result<bool, Problem> {
    let request = v1::WatchRequest { until_now: true, ..v1::WatchRequest::default() };
    let watch = Watch { request, patience: Duration::from_secs(10) };
    let mut serials = Vec::new();
    let mut event = |seen: Watched<'_>| {
        if let Watched::Change(change) = seen {
            serials.push(change.serial);
        }
        ControlFlow::Continue(())
    };
    let until = done(watch.run(operator, &mut event).await)?;
    say(texts, "demo-watch", &[("count", serials.len().to_string()), ("serial", grouped(until))]);
    Ok(serials.len() == expected && serials.is_sorted())
}

/// The end of the audit, and whether its chain holds.
async fn audit(operator: &Registrar, texts: &Texts) -> Result<bool, Problem> {
    let request = operator::SearchAuditRequest { actor: WRITER.to_owned(), ..operator::SearchAuditRequest::default() };
    let mut entries = done(operator.search_audit(&request).await)?;
    let (mut count, mut last) = (0_u64, None);
    while let Some(entry) = entries.message().await.map_err(|cause| failed(&cause))? {
        last = Some(entry);
        count += 1;
    }
    if let Some(entry) = &last {
        say(
            texts,
            "demo-audit-entry",
            &[
                ("count", count.to_string()),
                ("actor", entry.actor.clone()),
                ("credential", entry.credential.clone()),
                ("door", entry.door.clone()),
                ("verb", entry.verb.clone()),
                ("key", entry.key.clone()),
                ("outcome", entry.outcome.clone()),
            ],
        );
    }
    let verified = done(operator.verify_audit(&operator::VerifyAuditRequest {}).await)?;
    say(
        texts,
        "demo-audit-chain",
        &[
            ("notes", verified.notes.to_string()),
            ("entries", verified.entries.to_string()),
            ("problems", verified.problems.len().to_string()),
        ],
    );
    Ok(last.is_some() && verified.problems.is_empty())
}

pub(crate) fn say(texts: &Texts, code: &str, values: &[(&str, String)]) {
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, safe(value).to_string().into())).collect();
    terminal::line(texts.text(code, &values));
}

pub(crate) fn read(path: &Path) -> Result<String, Problem> {
    let text = std::fs::read_to_string(path).map_err(|cause| {
        Problem::new("file-unreadable", Exit::Failed).with("path", path.display()).with("cause", cause)
    })?;
    Ok(text.trim().to_owned())
}

pub(crate) fn done<T>(answer: Result<T, CallError>) -> Result<T, Problem> {
    answer.map_err(|error| answer::problem(&error, false))
}

pub(crate) fn failed(cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("demo-registration", Exit::Failed).with("cause", cause)
}
