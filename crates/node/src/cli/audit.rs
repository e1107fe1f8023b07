//! `waymark audit`: what was done, by whom, and whether the record of it is whole.
//!
//! On a server the node does the looking. On a data folder (of a stopped node, or a copy) this program does, without trusting the node.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use waymark_api::operator::v1;
use waymark_catalog::{
    FeedLimits, Timestamp,
    audit::{self, Checkpoint, Cursor, Filter, PublicKey},
};
use waymark_client::registration::Registrar;
use waymark_store::Store;

use super::{
    Folder, Shown,
    access::place::{Opened, Where},
    present::safe,
    run::folder_config,
    server::{answer, look_up::parse_time},
    store::{data_failed, existing},
    terminal::{self, Tone, grouped, toned},
};
use crate::{
    daemon::{chain, data_problem},
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Most entries a search shows unless told otherwise.
const LIMIT: u32 = 1_000;

/// `waymark audit …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Go through the whole chain and say what is wrong with it.
    Verify(Verify),
    /// Show entries.
    Search(Search),
    /// Write entries as JSON lines.
    Export(Export),
    /// Take away what is past its keep time.
    Prune(Prune),
}

/// `waymark audit verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

/// What entries are looked for.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<prost_types::Timestamp>,
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<prost_types::Timestamp>,
    #[arg(long, value_name = "NAME", default_value = "")]
    actor: String,
    #[arg(long, value_name = "TEXT", default_value = "")]
    key: String,
    #[arg(long, value_name = "VERB", default_value = "")]
    verb: String,
    #[arg(long, value_name = "OUTCOME", default_value = "")]
    outcome: String,
}

/// `waymark audit search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    wanted: Wanted,
    #[arg(long, value_name = "N", default_value_t = LIMIT, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    place: Where,
}

/// `waymark audit export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    place: Where,
}

/// `waymark audit prune`.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    #[command(flatten)]
    folder: Folder,
    #[arg(long)]
    json: bool,
}

/// Runs a command about the audit.
pub(crate) async fn run(command: &Audit, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Audit::Verify(arguments) if is_local(&arguments.place)? => verify_here(arguments, texts, shown).await,
        Audit::Verify(arguments) => Ok(verify_there(arguments, texts, shown).await?),
        Audit::Search(Search { wanted, limit, place }) => {
            let (json, limit) = (place.json, u64::from(*limit));
            let print = move |entry: &Value| {
                terminal::line(if json { entry.to_string() } else { line(entry) });
                Ok(())
            };
            let count = look(place, wanted, limit, Box::new(print), texts).await?;
            if !json {
                let code = if count < limit { "audit-found" } else { "audit-found-first" };
                terminal::remark(texts.text(code, &[("count", grouped(count).into())]));
            }
            Ok(Exit::Done)
        }
        Audit::Export(arguments) => export(arguments, texts).await,
        Audit::Prune(arguments) => prune(arguments, texts).await,
    }
}

/// Whether a data folder is meant; without a server named it must be.
fn is_local(place: &Where) -> Result<bool, Problem> {
    Ok(place.folder.data.is_some() && !place.connection.is_meant_or_runs(&place.folder)?)
}

impl Wanted {
    /// All between two moments, the second left out.
    pub(crate) fn between(from: Timestamp, until: Timestamp) -> Self {
        let told = |time: Timestamp| prost_types::Timestamp {
            seconds: i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX),
            nanos: i32::try_from(time.0 % 1_000).unwrap_or(0) * 1_000_000,
        };
        let [actor, key, verb, outcome] = [const { String::new() }; 4];
        Self { from: Some(told(from)), until: Some(told(until)), actor, key, verb, outcome }
    }

    fn filter(&self) -> Filter {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Filter {
            from: self.from.as_ref().map(moment),
            until: self.until.as_ref().map(moment),
            actor: some(&self.actor),
            key: self.key.clone().into_bytes(),
            verb: some(&self.verb),
            outcome: some(&self.outcome),
            source: None,
        }
    }

    fn request(&self, limit: u64) -> v1::SearchAuditRequest {
        v1::SearchAuditRequest {
            from: self.from,
            until: self.until,
            actor: self.actor.clone(),
            key: self.key.clone(),
            verb: self.verb.clone(),
            outcome: self.outcome.clone(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            page_token: String::new(),
        }
    }
}

/// A time for the catalog; one before 1970 is its beginning.
fn moment(time: &prost_types::Timestamp) -> Timestamp {
    let seconds = u64::try_from(time.seconds).unwrap_or_default();
    let milliseconds = u64::try_from(time.nanos / 1_000_000).unwrap_or_default();
    Timestamp(seconds.saturating_mul(1_000).saturating_add(milliseconds))
}

/// The store of a data folder, open for looking; nothing is made where there is none.
fn open_store(folder: &Folder) -> Result<(Arc<dyn Store>, PathBuf), Problems> {
    let config = folder_config(folder)?;
    let data = existing(&config)?;
    let mut options = config.catalog(&data);
    options.store.create = false;
    let (store, _) = waymark_store::open(&options.store).map_err(|cause| data_problem(&data, &cause.into()))?;
    let store = waymark_catalog::template::widened(store).map_err(|cause| data_failed(&data, &chain(&cause)))?;
    Ok((store, data))
}

/// What going through the chain came to.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Sound {
    /// Notes of the chain.
    pub(crate) notes: u64,
    /// Entries they tell of.
    pub(crate) entries: u64,
    /// What is wrong with them.
    pub(crate) problems: u64,
}

/// Goes through the chain, wherever it is, and says what it came to.
///
/// # Errors
/// It cannot be read.
pub(crate) async fn sound(place: &Where, texts: &Texts) -> Result<Sound, Problems> {
    if is_local(place)? {
        let (store, data) = open_store(&place.folder)?;
        let verifying = move || audit::verify(store.as_ref(), &[], None, &mut |_| ControlFlow::Continue(()));
        let verified = tokio::task::spawn_blocking(verifying).await;
        let verified = verified.map_err(|cause| data_failed(&data, &cause.to_string()))?;
        let verified = verified.map_err(|cause| data_failed(&data, &chain(&cause)))?;
        return Ok(Sound { notes: verified.notes, entries: verified.entries, problems: verified.problems });
    }
    let verified = place.connection.open(texts)?.verify_audit(&v1::VerifyAuditRequest {}).await;
    let verified = verified.map_err(|error| answer::problem(&error, place.json))?;
    let problems = u64::try_from(verified.problems.len()).unwrap_or(u64::MAX);
    Ok(Sound { notes: verified.notes, entries: verified.entries, problems })
}

async fn verify_here(arguments: &Verify, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let anchors = arguments.anchor.as_deref().map(read_anchors).transpose()?.unwrap_or_default();
    let key = arguments.key.as_deref().map(read_key).transpose()?;
    let (store, data) = open_store(&arguments.place.folder)?;
    let json = arguments.place.json;
    let verified = tokio::task::spawn_blocking(move || {
        audit::verify(store.as_ref(), &anchors, key.as_ref(), &mut |problem| {
            show_problem(problem.note, problem.serial.0, &problem.what.to_string(), json);
            ControlFlow::Continue(())
        })
    });
    let verified = verified.await.map_err(|cause| data_failed(&data, &cause.to_string()))?;
    let verified = verified.map_err(|cause| data_failed(&data, &chain(&cause)))?;
    if json {
        terminal::line(json!({
            "event": "verified", "notes": verified.notes, "items": verified.items, "entries": verified.entries,
            "pruned": verified.pruned, "anchors": verified.anchors, "problems": verified.problems,
            "head": { "note": verified.head.note, "serial": verified.head.serial.0, "chain": verified.head.chain.to_string() },
        }));
    } else {
        conclude(verified.notes, verified.entries, verified.problems, Some(verified.anchors), texts, shown);
    }
    Ok(if verified.problems == 0 { Exit::Done } else { Exit::Damaged })
}

async fn verify_there(arguments: &Verify, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    for (given, option) in [(arguments.anchor.is_some(), "--anchor"), (arguments.key.is_some(), "--key")] {
        if given {
            return Err(Problem::new("local-only", Exit::Usage).with("option", option));
        }
    }
    let json = arguments.place.json;
    let registrar = arguments.place.connection.open(texts)?;
    let verified = registrar.verify_audit(&v1::VerifyAuditRequest {}).await;
    let verified = verified.map_err(|error| answer::problem(&error, json))?;
    let problems = verified.problems.len() as u64;
    for problem in &verified.problems {
        show_problem(problem.note, problem.serial, &problem.what, json);
    }
    if json {
        let head = verified.head.unwrap_or_default();
        terminal::line(json!({
            "event": "verified", "notes": verified.notes, "entries": verified.entries, "problems": problems,
            "head": { "note": head.note, "serial": head.serial, "chain": hex::encode(&head.chain) },
        }));
    } else {
        conclude(verified.notes, verified.entries, problems, None, texts, shown);
    }
    Ok(if problems == 0 { Exit::Done } else { Exit::Damaged })
}

fn show_problem(note: u64, serial: u64, what: &str, json: bool) {
    if json {
        terminal::line(json!({ "event": "problem", "note": note, "serial": serial, "what": what }));
    } else {
        terminal::line(format_args!("note {note}, serial {serial}: {}", safe(what)));
    }
}

fn conclude(notes: u64, entries: u64, problems: u64, anchors: Option<u64>, texts: &Texts, shown: Shown) {
    let (code, tone) = if problems == 0 { ("audit-sound", Tone::Good) } else { ("audit-unsound", Tone::Bad) };
    let values = [
        ("notes", grouped(notes).into()),
        ("entries", grouped(entries).into()),
        ("problems", grouped(problems).into()),
    ];
    terminal::line(toned(&texts.text(code, &values), tone, shown.colours));
    if let Some(anchors) = anchors {
        let code = if anchors == 0 { "audit-no-anchor" } else { "audit-anchors" };
        terminal::line(texts.text(code, &[("count", grouped(anchors).into())]));
    }
}

/// Reads checkpoints, one a line. A line a power cut left incomplete is refused with its number: what counts must be certain.
fn read_anchors(path: &Path) -> Result<Vec<Checkpoint>, Problem> {
    let file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
    let mut anchors = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|cause| unreadable(path, &cause))?;
        if line.trim().is_empty() {
            continue;
        }
        let anchor = Checkpoint::parse(&line)
            .map_err(|cause| unreadable(path, &format_args!("line {}: {}", at + 1, chain(&cause))))?;
        anchors.push(anchor);
    }
    Ok(anchors)
}

fn read_key(path: &Path) -> Result<PublicKey, Problem> {
    let text = fs::read_to_string(path).map_err(|cause| unreadable(path, &cause))?;
    text.trim().parse().map_err(|cause| unreadable(path, &cause))
}

fn unreadable(path: &Path, cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
}

/// Takes entries as JSON; what it fails with ends the search.
pub(crate) type Take = Box<dyn FnMut(&Value) -> io::Result<()> + Send>;

/// Goes through what is wanted, wherever it is.
pub(crate) async fn look(
    place: &Where,
    wanted: &Wanted,
    limit: u64,
    take: Take,
    texts: &Texts,
) -> Result<u64, Problems> {
    if is_local(place)? {
        let (store, data) = open_store(&place.folder)?;
        let filter = wanted.filter();
        let found = tokio::task::spawn_blocking(move || search_here(store.as_ref(), &filter, limit, take)).await;
        let found = found.map_err(|cause| data_failed(&data, &cause.to_string()))?;
        return Ok(found.map_err(|cause| Problem::new("audit-not-read", Exit::Failed).with("cause", cause))?);
    }
    let registrar = place.connection.open(texts)?;
    Ok(search_there(&registrar, &wanted.request(limit), place.json, take).await?)
}

fn search_here(store: &dyn Store, filter: &Filter, limit: u64, mut take: Take) -> Result<u64, String> {
    let (mut count, mut failed) = (0, None);
    let mut cursor = Some(Cursor::default());
    while let Some(from) = cursor {
        if count >= limit {
            break;
        }
        let found = audit::search(store, filter, from, FeedLimits::DEFAULT, &mut |told| {
            let entry: Value = serde_json::from_str(&told.to_json()).unwrap_or_default();
            if let Err(error) = take(&entry) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
            count += 1;
            if count >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        cursor = found.map_err(|cause| chain(&cause))?;
        if let Some(error) = failed {
            return Err(error.to_string());
        }
    }
    Ok(count)
}

async fn search_there(
    registrar: &Registrar,
    request: &v1::SearchAuditRequest,
    json: bool,
    mut take: Take,
) -> Result<u64, Problem> {
    let not_read = |cause: &dyn std::fmt::Display| Problem::new("audit-not-read", Exit::Failed).with("cause", cause);
    let mut request = request.clone();
    let mut count = 0;
    loop {
        let mut entries = registrar.search_audit(&request).await.map_err(|error| answer::problem(&error, json))?;
        request.page_token = String::new();
        let mut found = 0;
        while let Some(entry) = entries.message().await.map_err(|status| not_read(&status.message()))? {
            if entry.next_page_token.is_empty() {
                take(&entry_json(&entry)).map_err(|cause| not_read(&cause))?;
                found += 1;
            } else {
                request.page_token = entry.next_page_token;
            }
        }
        count += u64::from(found);
        request.limit = request.limit.saturating_sub(found);
        // 0 would be "as many as usual".
        if request.page_token.is_empty() || request.limit == 0 {
            return Ok(count);
        }
    }
}

/// An entry in the form of the export.
fn entry_json(entry: &v1::AuditEntry) -> Value {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let hash = |bytes: &[u8]| (!bytes.is_empty()).then(|| hex::encode(bytes));
    let number = |number: u64| (number != 0).then_some(number);
    let mut object = json!({
        "note": entry.note, "time": answer::time(entry.time.as_ref()), "actor": entry.actor, "proof": entry.credential,
        "door": entry.door, "source": some(&entry.source), "verb": entry.verb, "outcome": entry.outcome,
        "key": some(&entry.key), "serial": number(entry.serial), "before": hash(&entry.before), "after": hash(&entry.after),
        "count": number(entry.count), "first": entry.first.map(|time| time.to_string()),
        "last": entry.last.map(|time| time.to_string()),
    });
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

/// An entry as a person reads it.
fn line(entry: &Value) -> String {
    let word = |name: &str| match entry.get(name) {
        Some(Value::String(text)) => safe(text),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let count = entry.get("count").and_then(Value::as_u64).map_or_else(String::new, |count| format!(" x{count}"));
    format!(
        "{}  {}  {} {}  {} {}  {}{count}  {}",
        word("time"),
        word("actor"),
        word("door"),
        word("source"),
        word("verb"),
        word("key"),
        word("outcome"),
        word("serial"),
    )
}

async fn export(arguments: &Export, texts: &Texts) -> Result<Exit, Problems> {
    let path = arguments.file.clone().filter(|path| path.as_os_str() != "-");
    let out: Box<dyn Write + Send> = match &path {
        Some(path) => Box::new(File::create(path).map_err(|cause| {
            Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
        })?),
        None => Box::new(io::stdout()),
    };
    let count = if is_local(&arguments.place)? {
        let (store, data) = open_store(&arguments.place.folder)?;
        let filter = arguments.wanted.filter();
        let export = move || audit::export(store.as_ref(), &filter, &mut BufWriter::new(out));
        let exported = tokio::task::spawn_blocking(export).await;
        let exported = exported.map_err(|cause| data_failed(&data, &cause.to_string()))?;
        exported.map_err(|cause| Problem::new("audit-not-read", Exit::Failed).with("cause", chain(&cause)))?
    } else {
        let mut out = io::LineWriter::new(out);
        let take: Take = Box::new(move |entry| writeln!(out, "{entry}"));
        look(&arguments.place, &arguments.wanted, u64::MAX, take, texts).await?
    };
    terminal::remark(texts.text("audit-exported", &[("count", grouped(count).into())]));
    Ok(Exit::Done)
}

async fn prune(arguments: &Prune, texts: &Texts) -> Result<Exit, Problems> {
    let opened = Opened::open(&arguments.folder, texts).await?;
    let catalog = opened.catalog().clone();
    let pruned = tokio::task::spawn_blocking(move || catalog.prune_audit(catalog.now())).await;
    opened.close(texts).await;
    let failed = |cause: String| Problem::new("audit-not-pruned", Exit::Failed).with("cause", cause);
    let pruned = pruned.map_err(|cause| failed(cause.to_string()))?.map_err(|cause| failed(chain(&cause)))?;
    if arguments.json {
        terminal::line(json!({
            "notes": pruned.notes, "bytes": pruned.bytes, "upto_serial": pruned.upto.0, "damaged": pruned.damaged,
        }));
    } else {
        let values = [("notes", grouped(pruned.notes).into()), ("serial", pruned.upto.0.to_string().into())];
        terminal::line(texts.text("audit-pruned", &values));
    }
    Ok(if pruned.damaged == 0 { Exit::Done } else { Exit::Damaged })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_a_server_have_the_form_of_the_export() {
        let entry = v1::AuditEntry {
            note: 3,
            time: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            actor: "factory-7".into(),
            door: "grpc".into(),
            verb: "create".into(),
            key: "88.1/x\u{7}".into(),
            outcome: "created".into(),
            serial: 9,
            after: vec![0xab],
            ..v1::AuditEntry::default()
        };
        let json = entry_json(&entry);
        assert_eq!((&json["serial"], &json["after"], json.get("count")), (&json!(9), &json!("ab"), None));
        assert_eq!(line(&json), "1970-01-01T00:00:00Z  factory-7  grpc -  create 88.1/x\\u{7}  created  9");
    }

    #[test]
    fn anchors_that_cannot_be_read_are_refused_with_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchors");
        fs::write(&path, "\n{\"version\":1}\n").unwrap();
        assert_eq!(read_anchors(&path).unwrap_err().code(), "file-unreadable");
        fs::write(&path, "\n").unwrap();
        assert_eq!(read_anchors(&path).unwrap(), []);
        assert_eq!(read_key(&path).unwrap_err().exit(), Exit::Usage);
    }
}
