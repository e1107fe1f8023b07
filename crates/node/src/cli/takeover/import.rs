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
use uuid::Uuid;
use waymark_catalog::machine_time;
use waymark_client::registration::Registrar;
use waymark_top_sync::takeover::{
    Change, Conflict, Decision, FileError, Head, Place, Reader, Side, Status, There, Winner, Written, config::AHEAD_MS,
    decide, reread,
};

use super::{
    Import,
    doing::{Outcome, Traced, UNEXPECTED, carry_out, request_for, retrace},
    export::{beyond, newest},
    file_problem,
    journal::{Journal, Known, Planned},
    key_of,
    looking::{Version, look, told, was_there},
    naming, target,
};
use crate::{
    cli::{
        Shown,
        import::beside,
        present::safe,
        terminal::{self, Tone, grouped, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Identifiers under way at a time: so that their commits share flushes. What is planned and not done after a kill is no more than these.
const TOGETHER: usize = 64;

/// A whole file: for each identifier where its last change stands, in the order of those.
pub(super) struct Whole {
    pub(super) head: Head,
    pub(super) written: Written,
    last: Vec<Place>,
    /// Two spellings of what is one name by the rule of the file: one that was written anew, or two that are not told apart.
    respelled: Option<(String, String)>,
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
    /// Under which it is carried out.
    request: Uuid,
}

/// What is found of one identifier.
enum Found {
    Decided(Decided),
    /// An earlier run decided it, and it is carried out since.
    Traced(Decided, Outcome),
}

pub(super) async fn run(arguments: &Import, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let path = &arguments.file;
    let (whole, mut file) = read(path).await?;
    let (made, now) = (whole.head.made_ms, machine_time().0);
    if made > now.saturating_add(AHEAD_MS) {
        return Err(Problem::new("takeover-clock", Exit::Usage).with("seconds", made.saturating_sub(now) / 1_000));
    }
    let restored = target::restored(arguments)?;
    let registrar = arguments.connection.or_of(arguments.data.as_deref()).open(texts)?;
    let rule = naming::rule(&registrar, &whole.head.node).await?;
    naming::check(rule, whole.head.case_sensitive, path)?;
    if let (None, Some((one, other))) = (rule, &whole.respelled) {
        let problem = Problem::new("takeover-spellings", Exit::Usage).with("path", path.display());
        return Err(problem.with("one", safe(one)).with("other", safe(other)));
    }
    if whole.head.side == Side::Returned {
        target::check_emergency(&registrar, &whole.head, restored.as_ref(), path, &mut file, &whole.last).await?;
    }
    let base = match whole.head.side {
        Side::Emergency => target::base_of(arguments.base, &whole.head, restored.as_ref())?,
        Side::Returned => arguments.base.unwrap_or(whole.head.watermark),
    };
    let newest = newest(&registrar).await?;
    if whole.head.side == Side::Emergency && base > newest {
        return Err(beyond(base, newest));
    }
    if whole.head.side == Side::Emergency && arguments.base.is_none() && base == whole.head.watermark {
        target::check_moment(&registrar, &whole.head, base).await?;
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

/// Where the journal of a file lies.
pub(super) fn journal_path(file: &Path) -> PathBuf {
    beside(file, ".import.jsonl")
}

/// Reads a file to its end. What is given out of it is only where things stand.
pub(super) async fn read(path: &Path) -> Result<(Whole, BufReader<File>), Problem> {
    let opened = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let file = File::open(&opened)?;
        let mut reader = Reader::open(BufReader::with_capacity(1 << 20, file.try_clone()?))?;
        let (mut places, mut last) = (BTreeMap::new(), BTreeMap::new());
        let mut respelled = None;
        while let Some(change) = reader.next_change()? {
            let key = key_of(&change.handle, reader.head().case_sensitive);
            // A deletion is told by the name as look-ups compare it, and what follows it may be spelled anew.
            let spelling = (change.status != Status::Deleted).then_some(change.handle);
            places.insert(change.serial, reader.place());
            let Some((before, spelled)) = last.insert(key, (change.serial, spelling.clone())) else { continue };
            places.remove(&before);
            if let (None, Some(one), Some(other)) = (&respelled, spelled, spelling)
                && one != other
            {
                respelled = Some((one, other));
            }
        }
        let written = reader.written().cloned().unwrap_or(Written { changes: 0, sha256: String::new() });
        let whole = Whole { head: reader.head().clone(), written, last: places.into_values().collect(), respelled };
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
            let planned = known.and_then(|known| known.planned());
            let (registrar, base, takes) = (self.registrar.clone(), self.base, head.side == Side::Returned);
            looking.spawn(async move { (number, found(&registrar, base, change, takes, planned).await) });
        }
        let (all, failed) = in_order(looking).await;
        let (mut decided, mut lines) = (Vec::new(), Vec::new());
        for found in all {
            match found {
                Found::Decided(each) => decided.push(each),
                Found::Traced(each, outcome) => lines.push(self.settle(&each, outcome)),
            }
        }
        let lines: Vec<Value> = lines.into_iter().flatten().collect();
        self.put(&lines)?;
        failed.map_or(Ok(()), Err)?;
        let plans: Vec<Value> = decided.iter().map(Decided::plan).collect();
        self.put(&plans)?;
        self.carry_out(decided).await
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
                    let Decided { change, version, request, .. } = &decided;
                    let outcome = carry_out(&registrar, version.as_ref(), change, *request, is_dry).await;
                    (number, outcome.map(|outcome| (decided, outcome)))
                });
                continue;
            }
            let is_same = decided.decision == Decision::Same;
            *(if is_same { &mut self.counts.same } else { &mut self.counts.kept }) += 1;
            let outcome = if is_same { "same" } else { "kept" };
            lines.push(json!({ "done": decided.change.handle, "outcome": outcome }));
        }
        let (all, failed) = in_order(doing).await;
        lines.extend(all.into_iter().flat_map(|(decided, outcome)| self.settle(&decided, outcome)));
        // What is done is noted though another got no answer.
        self.put(&lines)?;
        failed.map_or(Ok(()), Err)
    }

    /// Counts what came of one, shows it where it was refused, and gives the lines of the journal.
    fn settle(&mut self, decided: &Decided, outcome: Outcome) -> Vec<Value> {
        let handle = &decided.change.handle;
        match outcome {
            Outcome::Written { outcome, serial, again } => {
                if again {
                    self.counts.done += 1;
                } else {
                    self.count(decided);
                }
                vec![json!({ "done": handle, "outcome": outcome, "serial": serial })]
            }
            Outcome::Refused { reason, cause, begun } => {
                self.counts.refused += 1;
                self.show.refused(handle, &reason, &cause);
                let refused = json!({ "refused": handle, "reason": reason, "cause": cause });
                // What nothing was done to is decided anew when the import is repeated, by what the node has then.
                let is_open = begun.is_none() || reason == UNEXPECTED;
                is_open.then(|| json!({ "undecided": handle })).into_iter().chain([refused]).collect()
            }
        }
    }

    fn put(&mut self, lines: &[Value]) -> Result<(), Problem> {
        match &mut self.journal {
            Some(journal) if !lines.is_empty() => journal.put(lines),
            _ => Ok(()),
        }
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

    /// The serial it begins at: 0 where there never was one.
    fn at(&self) -> u64 {
        self.version.as_ref().map_or(0, |version| version.here.serial)
    }

    /// The line of the journal: with both contents where they conflict.
    fn plan(&self) -> Value {
        let handle = &self.change.handle;
        if self.decision == Decision::Same {
            return json!({ "plan": handle, "takes": false, "decision": "same" });
        }
        let mut line = json!({
            "plan": handle, "takes": self.takes(), "decision": "apply", "at": self.at(),
            "request": self.request.to_string(),
        });
        if let (Decision::Conflict(conflict), Value::Object(fields)) = (self.decision, &mut line) {
            fields.insert("decision".to_owned(), json!("conflict"));
            if let Value::Object(both) = self.conflict(conflict) {
                fields.extend(both);
            }
        }
        line
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

/// What was found or done of each, in the order it was begun in, and why not all was. All are waited for: what they did is done.
async fn in_order<T: 'static>(mut tasks: JoinSet<(usize, Result<T, Problem>)>) -> (Vec<T>, Option<Problem>) {
    let mut all = BTreeMap::new();
    let mut failed = None;
    while let Some(ended) = tasks.join_next().await {
        match ended {
            Ok((number, Ok(found))) => {
                all.insert(number, found);
            }
            Ok((_, Err(problem))) => failed = Some(problem),
            Err(cause) => failed = Some(Problem::new("runtime", Exit::Failed).with("cause", cause)),
        }
    }
    (all.into_values().collect(), failed)
}

/// Goes on with what an earlier run planned, or holds a change against what the node has. With `takes` it holds as it is.
async fn found(
    registrar: &Registrar,
    base: u64,
    change: Change,
    takes: bool,
    planned: Option<Planned>,
) -> Result<Found, Problem> {
    let mut version = look(registrar, &change.handle).await?;
    if let Some(planned) = planned {
        if let Some(Traced { version, outcome }) = retrace(registrar, &change, planned, version.as_ref()).await? {
            let decided = Decided { change, version, decision: Decision::Apply, request: planned.request };
            return Ok(Found::Traced(decided, outcome));
        }
        version = look(registrar, &change.handle).await?;
    }
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
    let request = request_for(planned, here.map_or(0, |here| here.serial));
    Ok(Found::Decided(Decided { change, version, decision, request }))
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
