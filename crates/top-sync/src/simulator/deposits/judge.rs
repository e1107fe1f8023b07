//! Judges deposits as the platform would, one after the other.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::Desk;
use super::chain::{self, Chain};
use super::config::JUDGEMENTS;
use super::room::{Folder, Room, names};
use crate::deposit::{ACCEPTED, Extension, Extent, FileName, Files, Head, Held, Judgement, VerifyError, verify};
use crate::simulator::begun;

/// Judges whatever is complete until stopping begins.
pub(super) async fn run(desk: Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = begun(&mut stopping) => return,
            () = desk.complete.notified() => {}
        }
        let judging = Arc::clone(&desk);
        let done = tokio::task::spawn_blocking(move || {
            judging.rooms.iter().for_each(|room| judge_all(&judging, room));
        });
        if done.await.is_err() {
            tracing::error!("deposits could not be judged");
        }
    }
}

/// Judges the deposits of a user that are complete.
fn judge_all(desk: &Desk, room: &Room) {
    // Those that were accepted and whose judgement was not written before a kill.
    for (name, report) in Chain::newest(&room.chains()).map(|chain| chain::reports(&chain.folder)).unwrap_or_default() {
        if !room.folder(Folder::Report).join(name.to_string()).exists() {
            tell(desk, room, &name, Some(&report.head), &Verdict { code: ACCEPTED, reason: String::new() });
        }
    }
    let complete = names(&room.folder(Folder::Upload)).into_iter().filter_map(|name| name.parse::<FileName>().ok());
    for name in complete.filter(|name| name.extension == Extension::Report) {
        judge(desk, room, &name);
    }
}

/// What is said of a deposit.
struct Verdict {
    code: u16,
    reason: String,
}

impl Verdict {
    fn refused(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

fn judge(desk: &Desk, room: &Room, name: &FileName) {
    let upload = room.folder(Folder::Upload);
    let files = files_of(&upload, name);
    let head = chain::report(&upload.join(name.to_string())).map(|report| report.head);
    let verdict = match examine(desk, room, &upload, &files) {
        Ok(Some(head)) => {
            let taken = chain::take(&room.chains(), &upload, &files, &head);
            taken.err().map_or(Verdict { code: ACCEPTED, reason: String::new() }, |error| {
                tracing::error!(%error, "an accepted deposit could not be put aside");
                Verdict::refused(0, "the platform could not keep it")
            })
        }
        Ok(None) => Verdict { code: ACCEPTED, reason: String::new() },
        Err(verdict) => verdict,
    };
    tell(desk, room, name, head.as_ref(), &verdict);
    // What was judged is not looked at again. What cannot be taken away is, to the same end.
    for file in files_of(&upload, name).into_iter().chain(begun_of(&upload, name)) {
        let _ = fs::remove_file(upload.join(file));
    }
    room.count();
    tracing::info!(user = room.user.name, file = %name, code = verdict.code, reason = verdict.reason, "deposit judged");
}

/// Looks at a deposit: whether it is valid, and follows what was accepted before. `None` where it is what was accepted last, brought once more.
fn examine(desk: &Desk, room: &Room, upload: &Path, files: &[String]) -> Result<Option<Head>, Verdict> {
    let of = |error: &VerifyError| Verdict::refused(error.result_code().unwrap_or(0), told(error));
    let paths: Vec<PathBuf> = files.iter().map(|name| upload.join(name)).collect();
    let held = Held {
        node: &room.user.node,
        platform: Some(&desk.platform),
        prefix: Some(&room.user.prefix),
        now: (desk.clock)(),
    };
    let verified = Files::of(&paths).and_then(|files| verify(&files, &held)).map_err(|error| of(&error))?;
    let (head, chain) = (verified.head, Chain::newest(&room.chains()));
    let last = chain.as_ref().and_then(Chain::last);
    if chain.as_ref().is_some_and(|chain| chain.heads.iter().any(|known| known.id == head.id)) {
        return Ok(None);
    }
    if let Some(last) = last.filter(|last| (last.date.days(), last.resend) >= (head.date.days(), head.resend)) {
        return Err(Verdict::refused(MISMATCH, format!("{} of {} was accepted before", last.id, last.date)));
    }
    if head.extent == Extent::Diff {
        let follows = last.is_some_and(|last| head.previous == Some(last.id) && head.since == last.serial);
        if !follows {
            let known = last.map_or_else(|| "none".to_owned(), |last| last.id.to_string());
            return Err(Verdict::refused(
                MISMATCH,
                format!("it does not follow the last one that was accepted: {known}"),
            ));
        }
    }
    match desk.next_refusal() {
        Some(code) => Err(Verdict::refused(code, "refused because the simulator was told to")),
        None => Ok(Some(head)),
    }
}

/// Writes what is said of a deposit where its user finds it.
fn tell(desk: &Desk, room: &Room, name: &FileName, head: Option<&Head>, verdict: &Verdict) {
    let judgement = Judgement {
        id: head.map(|head| head.id),
        prefix: name.node.clone(),
        date: name.date,
        extent: name.extent,
        resend: name.revision,
        code: verdict.code,
        at_seconds: (desk.clock)().0 / 1_000,
        reason: verdict.reason.clone(),
    };
    let folder = room.folder(Folder::Report);
    if let Err(error) = judgement.to_xml().and_then(|bytes| write(&folder, &name.to_string(), &bytes)) {
        tracing::error!(%error, "a judgement could not be written");
    }
    let known = names(&folder);
    let extra = known.len().saturating_sub(JUDGEMENTS);
    // Their names begin with the prefix and go on with the day.
    for old in known.iter().take(extra) {
        let _ = fs::remove_file(folder.join(old));
    }
}

/// Writes a file that is whole as soon as it can be seen.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    // A name that begins so is shown to nobody.
    let fresh = folder.join(format!(".{name}"));
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// The files of a deposit.
fn files_of(upload: &Path, deposit: &FileName) -> Vec<String> {
    let is_of = |name: &String| name.parse::<FileName>().is_ok_and(|file| file.is_beside(deposit));
    names(upload).into_iter().filter(is_of).collect()
}

/// Files of a deposit that were begun under another name, as this node's do: with a mark and `part` behind it.
fn begun_of(upload: &Path, deposit: &FileName) -> Vec<String> {
    let is_of = |name: &String| {
        let stem = name.strip_suffix(".part").and_then(|stem| stem.rsplit_once('.'));
        stem.and_then(|(stem, _)| stem.parse::<FileName>().ok()).is_some_and(|file| file.is_beside(deposit))
    };
    names(upload).into_iter().filter(is_of).collect()
}

fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An id is not what it should be.
const MISMATCH: u16 = 2004;
