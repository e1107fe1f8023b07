//! `waymark takeover import`: registers at a node what a file of changes holds.
//!
//! 1. The file is read to its end; what is not whole, or names what is not the node's, changes nothing.
//! 2. Each identifier is taken as its last change left it, and held against what the node has: one after the other in the order of those changes.
//! 3. What is decided is on disk before it is carried out, by the ordinary registration, each change under the condition that nobody changed the identifier
//!    meanwhile.

use std::{
    collections::BTreeMap,
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use waymark_api::registration::v1::{self, change::Action, expectation::Condition};
use waymark_catalog::machine_time;
use waymark_client::registration::{CallError, Registrar, ServerError};
use waymark_top_sync::takeover::{
    Change, Conflict, Decision, FileError, Head, Place, Reader, Side, Status, There, Winner, Written, config::AHEAD_MS,
    decide, reread,
};

use super::{
    Import,
    export::{beyond, newest},
    file_problem,
    journal::{Journal, Known},
    key_of,
    looking::{Version, look, told, was_there},
    steps::steps,
};
use crate::{
    cli::{
        Shown,
        import::beside,
        present::safe,
        server::answer,
        terminal::{self, Tone, grouped, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Identifiers under way at a time: so that their commits share flushes. What is planned and not done after a kill is no more than these.
const TOGETHER: usize = 64;

/// Reason of the refusal of a change because somebody changed the identifier meanwhile.
const UNEXPECTED: &str = "UNEXPECTED";

/// A whole file: for each identifier where its last change stands, in the order of those.
struct Whole {
    head: Head,
    written: Written,
    last: Vec<Place>,
}

/// What became of the identifiers of a file.
#[derive(Debug, Default)]
struct Counts {
    done: u64,
    created: u64,
    changed: u64,
    deleted: u64,
    same: u64,
    kept: u64,
    conflicts: u64,
    refused: u64,
}

/// What is decided of one identifier.
struct Decided {
    change: Change,
    version: Option<Version>,
    decision: Decision,
}

/// What came of carrying it out.
enum Outcome {
    Written {
        outcome: String,
        serial: u64,
    },
    /// `begun`: some of its changes were made before.
    Refused {
        reason: String,
        cause: String,
        begun: bool,
    },
}

pub(super) async fn run(arguments: &Import, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let path = &arguments.file;
    let (whole, file) = read(path).await?;
    let (made, now) = (whole.head.made_ms, machine_time().0);
    if made > now.saturating_add(AHEAD_MS) {
        return Err(Problem::new("takeover-clock", Exit::Usage).with("seconds", made.saturating_sub(now) / 1_000));
    }
    let registrar = arguments.connection.open(texts)?;
    let base = arguments.base.unwrap_or(whole.head.watermark);
    let newest = newest(&registrar).await?;
    if whole.head.side == Side::Emergency && base > newest {
        return Err(beyond(base, newest));
    }
    let journal = match arguments.dry_run {
        true => None,
        false => Some(Journal::open(&journal_path(path), &whole.written.sha256, &whole.head, base)?),
    };
    let show = Show { json: arguments.json, texts, shown };
    let mut run = Run { registrar, base, file, path: path.clone(), journal, counts: Counts::default(), show };
    for places in whole.last.chunks(TOGETHER) {
        run.take(&whole.head, places).await?;
    }
    run.conclude(&whole, arguments.dry_run);
    Ok(if run.counts.refused > 0 { Exit::Partly } else { Exit::Done })
}

fn journal_path(file: &Path) -> PathBuf {
    beside(file, ".import.jsonl")
}

/// Reads a file to its end. What is given out of it is only where things stand.
async fn read(path: &Path) -> Result<(Whole, BufReader<File>), Problem> {
    let opened = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let file = File::open(&opened)?;
        let mut reader = Reader::open(BufReader::with_capacity(1 << 20, file.try_clone()?))?;
        let (mut places, mut last) = (BTreeMap::new(), BTreeMap::new());
        while let Some(change) = reader.next_change()? {
            let key = key_of(&change.handle, reader.head().case_sensitive);
            if let Some(before) = last.insert(key, change.serial) {
                places.remove(&before);
            }
            places.insert(change.serial, reader.place());
        }
        let written = reader.written().cloned().unwrap_or(Written { changes: 0, sha256: String::new() });
        let whole = Whole { head: reader.head().clone(), written, last: places.into_values().collect() };
        Ok::<_, FileError>((whole, BufReader::new(file)))
    });
    let read = read.await.map_err(|cause| Problem::new("runtime", Exit::Failed).with("cause", cause))?;
    read.map_err(|error| file_problem(path, &error))
}

/// An import under way.
struct Run<'a> {
    registrar: Registrar,
    base: u64,
    file: BufReader<File>,
    path: PathBuf,
    /// `None`: nothing is changed.
    journal: Option<Journal>,
    counts: Counts,
    show: Show<'a>,
}

impl Run<'_> {
    /// Decides some identifiers, notes that, and carries it out.
    async fn take(&mut self, head: &Head, places: &[Place]) -> Result<(), Problem> {
        let mut looking = JoinSet::new();
        for (number, place) in places.iter().enumerate() {
            let change = reread(&mut self.file, *place).map_err(|error| file_problem(&self.path, &error))?;
            let known = self.journal.as_ref().and_then(|journal| journal.known(&change.handle));
            if known == Some(Known::Done) {
                self.counts.done += 1;
                continue;
            }
            let takes = known == Some(Known::Planned) || head.side == Side::Returned;
            let (registrar, base) = (self.registrar.clone(), self.base);
            looking.spawn(async move { (number, decided(&registrar, base, change, takes).await) });
        }
        let all = in_order(looking).await?;
        if let Some(journal) = &mut self.journal {
            let plans: Vec<Value> = all.iter().map(|decided| decided.plan()).collect();
            journal.put(&plans)?;
        }
        self.carry_out(all).await
    }

    async fn carry_out(&mut self, all: Vec<Decided>) -> Result<(), Problem> {
        let is_dry = self.journal.is_none();
        let mut doing = JoinSet::new();
        let mut lines = Vec::new();
        for (number, decided) in all.into_iter().enumerate() {
            if let Decision::Conflict(conflict) = decided.decision {
                self.counts.conflicts += 1;
                self.show.conflict(&decided, conflict);
            }
            if decided.takes() {
                let registrar = self.registrar.clone();
                doing.spawn(async move {
                    let outcome = carry_out(&registrar, &decided, is_dry).await;
                    (number, outcome.map(|outcome| (decided, outcome)))
                });
                continue;
            }
            let is_same = decided.decision == Decision::Same;
            *(if is_same { &mut self.counts.same } else { &mut self.counts.kept }) += 1;
            let outcome = if is_same { "same" } else { "kept" };
            lines.push(json!({ "done": decided.change.handle, "outcome": outcome }));
        }
        for (decided, outcome) in in_order(doing).await? {
            let handle = &decided.change.handle;
            match outcome {
                Outcome::Written { outcome, serial } => {
                    self.count(&decided);
                    lines.push(json!({ "done": handle, "outcome": outcome, "serial": serial }));
                }
                Outcome::Refused { reason, cause, begun } => {
                    self.counts.refused += 1;
                    self.show.refused(handle, &reason, &cause);
                    // What nothing was done to is decided anew when the import is repeated, by what the node has then.
                    if !begun || reason == UNEXPECTED {
                        lines.push(json!({ "undecided": handle }));
                    }
                    lines.push(json!({ "refused": handle, "reason": reason, "cause": cause }));
                }
            }
        }
        self.journal.as_mut().map_or(Ok(()), |journal| journal.put(&lines))
    }

    fn count(&mut self, decided: &Decided) {
        let is_there = decided.version.as_ref().is_some_and(|version| version.here.status != Status::Deleted);
        let counter = match (decided.change.status, is_there) {
            (Status::Deleted, _) => &mut self.counts.deleted,
            (_, true) => &mut self.counts.changed,
            (_, false) => &mut self.counts.created,
        };
        *counter += 1;
    }

    fn conclude(&self, whole: &Whole, is_dry: bool) {
        let Counts { done, created, changed, deleted, same, kept, conflicts, refused } = self.counts;
        let journal = self.journal.as_ref().map(|journal| journal.path().display().to_string());
        if self.show.json {
            terminal::line(json!({
                "event": "done", "dry_run": is_dry, "side": whole.head.side, "node": whole.head.node, "base": self.base,
                "changes": whole.written.changes, "identifiers": whole.last.len(), "done_before": done,
                "created": created, "changed": changed, "deleted": deleted, "same": same, "kept": kept,
                "conflicts": conflicts, "refused": refused, "journal": journal,
            }));
            return;
        }
        let code = if is_dry { "takeover-checked" } else { "takeover-imported" };
        let identifiers = u64::try_from(whole.last.len()).unwrap_or(u64::MAX);
        let values = [
            ("identifiers", grouped(identifiers).into()),
            ("created", grouped(created).into()),
            ("changed", grouped(changed).into()),
            ("deleted", grouped(deleted).into()),
            ("same", grouped(same).into()),
            ("kept", grouped(kept).into()),
            ("conflicts", grouped(conflicts).into()),
            ("refused", grouped(refused).into()),
            ("done", grouped(done).into()),
        ];
        terminal::line(self.show.texts.text(code, &values));
        if let Some(journal) = journal {
            terminal::line(self.show.texts.text("takeover-journal-kept", &[("path", journal.into())]));
        }
    }
}

impl Decided {
    /// Whether the node takes what the file says.
    fn takes(&self) -> bool {
        match self.decision {
            Decision::Same => false,
            Decision::Apply => true,
            Decision::Conflict(conflict) => conflict.winner == Winner::Takeover,
        }
    }

    /// The line of the journal: with both contents where they conflict.
    fn plan(&self) -> Value {
        let handle = &self.change.handle;
        match self.decision {
            Decision::Same => json!({ "plan": handle, "takes": false, "decision": "same" }),
            Decision::Apply => json!({ "plan": handle, "takes": true, "decision": "apply" }),
            Decision::Conflict(conflict) => {
                let mut line = self.conflict(conflict);
                if let Value::Object(fields) = &mut line {
                    fields.insert("plan".to_owned(), json!(handle));
                    fields.insert("takes".to_owned(), json!(self.takes()));
                    fields.insert("decision".to_owned(), json!("conflict"));
                }
                line
            }
        }
    }

    fn conflict(&self, conflict: Conflict) -> Value {
        let Change { handle, time_ms, status, reason, values, .. } = &self.change;
        let here = self.version.as_ref().map(|version| {
            let Version { here, reason, values } = version;
            told(handle, here.time_ms, here.status, reason, values)
        });
        json!({
            "handle": handle, "kind": conflict.kind.as_str(), "holds": conflict.winner.as_str(),
            "why": conflict.why.as_str(), "here": here, "there": told(handle, *time_ms, *status, reason, values),
        })
    }
}

/// What was found or done of each, in the order it was begun in.
async fn in_order<T: 'static>(mut tasks: JoinSet<(usize, Result<T, Problem>)>) -> Result<Vec<T>, Problem> {
    let mut all = BTreeMap::new();
    let mut failed = None;
    while let Some(ended) = tasks.join_next().await {
        let (number, result) = ended.map_err(|cause| Problem::new("runtime", Exit::Failed).with("cause", cause))?;
        match result {
            Ok(found) => {
                all.insert(number, found);
            }
            // The others are waited for: what they did is done.
            Err(problem) => failed = Some(problem),
        }
    }
    failed.map_or_else(|| Ok(all.into_values().collect()), Err)
}

/// Holds a change against what the node has. With `takes` it holds as it is.
async fn decided(registrar: &Registrar, base: u64, change: Change, takes: bool) -> Result<Decided, Problem> {
    let version = look(registrar, &change.handle).await?;
    let here = version.as_ref().map(|version| &version.here);
    let there = There::from(&change);
    let decision = match decide(base, here, &there, true) {
        Decision::Same => Decision::Same,
        _ if takes => Decision::Apply,
        Decision::Conflict(_) => {
            let was_there = was_there(registrar, &change.handle, base).await?;
            decide(base, here, &there, was_there)
        }
        Decision::Apply => Decision::Apply,
    };
    Ok(Decided { change, version, decision })
}

/// Makes an identifier what its change says, one ordinary change after the other. With `is_dry` the first is checked and none made.
async fn carry_out(registrar: &Registrar, decided: &Decided, is_dry: bool) -> Result<Outcome, Problem> {
    let Decided { change, version, .. } = decided;
    let refused = |reason: &str, cause: String| Outcome::Refused { reason: reason.into(), cause, begun: false };
    let actions = match steps(version.as_ref(), change) {
        Ok(actions) => actions,
        Err(error) => return Ok(refused("NOT_SAYABLE", format!("{}: {}", error.field, error.cause))),
    };
    let is_there = version.as_ref().filter(|version| version.here.status != Status::Deleted);
    let mut expect = is_there.map_or(Condition::Absent(true), |version| Condition::Serial(version.here.serial));
    let mut last = Outcome::Written { outcome: "unchanged".to_owned(), serial: 0 };
    for (number, action) in actions.into_iter().enumerate() {
        let request = request(&change.handle, action, expect);
        let answered = match is_dry {
            true => registrar.validate(request).await,
            false => registrar.apply(request, None).await,
        };
        let receipt = match answered {
            Ok(receipt) => receipt,
            Err(CallError::Refused { error, .. }) => {
                let ServerError { reason, cause, .. } = *error;
                return Ok(Outcome::Refused { reason, cause, begun: number > 0 });
            }
            Err(error) => return Err(answer::problem(&error, false)),
        };
        expect = Condition::Serial(receipt.serial);
        let outcome = answer::name_of(receipt.outcome().as_str_name(), "OUTCOME_");
        last = Outcome::Written { outcome, serial: receipt.serial };
        if is_dry {
            break;
        }
    }
    Ok(last)
}

fn request(handle: &str, action: Action, expect: Condition) -> v1::Change {
    let expect = Some(v1::Expectation { condition: Some(expect) });
    v1::Change { handle: handle.to_owned(), action: Some(action), expect }
}

/// How an import shows what it meets.
struct Show<'a> {
    json: bool,
    texts: &'a Texts,
    shown: Shown,
}

impl Show<'_> {
    fn conflict(&self, decided: &Decided, conflict: Conflict) {
        if self.json {
            let mut line = decided.conflict(conflict);
            if let Value::Object(fields) = &mut line {
                fields.insert("event".to_owned(), json!("conflict"));
            }
            terminal::line(line);
            return;
        }
        let word = |code: String| self.texts.find(&code, &[]).unwrap_or(code);
        let values = [
            ("handle", safe(&decided.change.handle).into()),
            ("kind", word(format!("takeover-kind-{}", conflict.kind.as_str())).into()),
            ("holds", word(format!("takeover-holds-{}", conflict.winner.as_str())).into()),
            ("why", word(format!("takeover-why-{}", conflict.why.as_str())).into()),
        ];
        let said = self.texts.text("takeover-conflict", &values);
        terminal::line(toned(&said, Tone::Doubtful, self.shown.colours));
        let here = decided.version.as_ref().map(|version| {
            told(&decided.change.handle, version.here.time_ms, version.here.status, &version.reason, &version.values)
        });
        let Change { handle, time_ms, status, reason, values, .. } = &decided.change;
        let there = told(handle, *time_ms, *status, reason, values);
        for (code, content) in [("takeover-side-node", here.unwrap_or_default()), ("takeover-side-takeover", there)] {
            terminal::line(format_args!("  {}: {}", self.texts.text(code, &[]), safe(&content.to_string())));
        }
    }

    fn refused(&self, handle: &str, reason: &str, cause: &str) {
        if self.json {
            terminal::line(json!({ "event": "refused", "handle": handle, "reason": reason, "cause": cause }));
            return;
        }
        let values = [("handle", safe(handle).into()), ("reason", reason.into()), ("cause", safe(cause).into())];
        terminal::line(toned(&self.texts.text("takeover-refused", &values), Tone::Bad, self.shown.colours));
    }
}
