//! `waymark deposit make` of a node that runs: it makes the deposit with its own keys and sends the files.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tonic::Streaming;
use waymark_api::operator::v1::{self, make_deposit_response::Told};
use waymark_top_sync::deposit::FileName;

use super::Make;
use crate::{
    cli::{
        server::answer,
        terminal::{self, grouped},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Has the node make the deposit, and keeps its files.
pub(super) async fn make(arguments: &Make, texts: &Texts) -> Result<Exit, Problem> {
    let extent = match (arguments.full, arguments.diff) {
        (true, _) => v1::DepositExtent::Full,
        (_, true) => v1::DepositExtent::Diff,
        _ => v1::DepositExtent::Unspecified,
    };
    let request = v1::MakeDepositRequest {
        prefix: arguments.prefix.clone(),
        extent: extent.into(),
        date: arguments.date.clone().unwrap_or_default(),
        part_bytes: arguments.part_bytes,
    };
    let registrar = arguments.connection.open(texts)?;
    let opened = registrar.make_deposit(&request).await;
    let told = opened.map_err(|error| answer::problem(&error, arguments.json))?;
    let made = receive(told, &arguments.out).await?;
    if arguments.json {
        terminal::line(shown(&made));
    } else {
        let values = [
            ("extent", extent_name(&made).into()),
            ("prefix", made.prefix.clone().into()),
            ("date", made.date.clone().into()),
            ("id", made.id.clone().into()),
            ("identifiers", grouped(made.identifiers).into()),
            ("values", grouped(made.values).into()),
            ("objects", grouped(made.objects).into()),
            ("deletions", grouped(made.deletions).into()),
            ("parts", made.parts.to_string().into()),
            ("bytes", grouped(made.bytes).into()),
        ];
        terminal::line(texts.text("deposit-made", &values));
    }
    Ok(Exit::Done)
}

/// Keeps the files of a deposit; they have their names only when the last of them is whole.
async fn receive(mut told: Streaming<v1::MakeDepositResponse>, folder: &Path) -> Result<v1::DepositMade, Problem> {
    let (mut made, mut kept): (Option<v1::DepositMade>, Vec<PathBuf>) = (None, Vec::new());
    let mut open: Option<(BufWriter<File>, u64)> = None;
    loop {
        let next = told.message().await.map_err(|status| cut(&status.message()))?;
        match next.map(|response| response.told) {
            Some(Some(Told::Failed(failed))) => return Err(problem(&failed)),
            Some(Some(Told::Made(told))) if made.is_none() => made = Some(told),
            Some(Some(Told::File(file))) if made.is_some() => {
                finish(&mut open)?;
                // What a server says shall lead nowhere but into this folder.
                let name: FileName = file.name.parse().map_err(|cause| cut(&cause))?;
                let path = folder.join(format!("{name}.new"));
                open =
                    Some((BufWriter::new(File::create(&path).map_err(|cause| unwritten(&path, &cause))?), file.bytes));
                kept.push(folder.join(name.to_string()));
            }
            Some(Some(Told::Bytes(bytes))) if let Some((file, left)) = &mut open => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                *left = left.checked_sub(length).ok_or_else(|| cut(&"a file is longer than was said"))?;
                file.write_all(&bytes).map_err(|cause| unwritten(folder, &cause))?;
            }
            None => break,
            Some(_) => return Err(cut(&"the answer is out of order")),
        }
    }
    finish(&mut open)?;
    let made = made.filter(|_| !kept.is_empty()).ok_or_else(|| cut(&"the answer ends early"))?;
    for path in &kept {
        let fresh = path.with_file_name(format!("{}.new", path.file_name().unwrap_or_default().to_string_lossy()));
        fs::rename(fresh, path).map_err(|cause| unwritten(path, &cause))?;
    }
    Ok(made)
}

/// Ends a file, which must be as long as was said.
fn finish(open: &mut Option<(BufWriter<File>, u64)>) -> Result<(), Problem> {
    let Some((file, left)) = open.take() else { return Ok(()) };
    if left > 0 {
        return Err(cut(&"a file is shorter than was said"));
    }
    let synced = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    synced.map_err(|cause| cut(&cause))
}

fn unwritten(path: &Path, cause: &io::Error) -> Problem {
    Problem::new("file-not-written", Exit::Unavailable).with("path", path.display()).with("cause", cause)
}

fn cut(cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("deposit-not-made", Exit::Unavailable).with("cause", cause)
}

/// What a node says of a deposit it did not make. A code this version does not know is told as the cause.
pub(super) fn problem(failed: &v1::DepositFailed) -> Problem {
    let Some((code, exit)) = super::FAILURES.iter().find(|(code, _)| *code == failed.code) else {
        return cut(&failed.code);
    };
    let value = |problem: Problem, name: &'static str| match failed.values.get(name) {
        Some(value) => problem.with(name, value),
        None => problem,
    };
    ["prefix", "date", "cause"].into_iter().fold(Problem::new(code, *exit), value)
}

fn extent_name(made: &v1::DepositMade) -> &'static str {
    if made.extent() == v1::DepositExtent::Diff { "DIFF" } else { "FULL" }
}

fn shown(made: &v1::DepositMade) -> Value {
    let previous = (!made.previous.is_empty()).then_some(&made.previous);
    json!({
        "id": made.id, "previous": previous, "type": extent_name(made), "prefix": made.prefix, "date": made.date,
        "resend": made.resend, "since": made.since, "serial": made.serial, "identifiers": made.identifiers,
        "values": made.values, "objects": made.objects, "deletions": made.deletions, "parts": made.parts,
        "bytes": made.bytes,
    })
}
