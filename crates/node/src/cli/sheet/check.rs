//! `waymark import FILE --template TEMPLATE --dry-run`: the rows checked against the template, and none sent.

use std::sync::{Arc, PoisonError};

use serde_json::json;
use tokio::sync::watch;
use waymark_client::registration::Stop;
use waymark_sheet::ReadError;

use super::{
    failed::{Made, Workbook},
    import::say,
    reading::problems,
    rows::Changes,
};
use crate::{
    cli::{
        Import,
        import::stop_on_signal,
        present::safe,
        server::rows::lock,
        terminal::{self, grouped},
    },
    problem::{Exit, Problems},
    texts::Texts,
};

/// Reads the file to its end and shows which rows would be sent and which would not.
pub(super) async fn run(
    arguments: &Import,
    changes: Changes,
    workbook: Workbook,
    texts: &Texts,
) -> Result<Exit, Problems> {
    let stop = stop_on_signal()?;
    let (open, remarks) = (Arc::clone(&changes.open), Arc::clone(&changes.remarks));
    let path = workbook.path.clone();
    let checking = stop.clone();
    let good = tokio::task::spawn_blocking(move || count(changes, &checking)).await;
    let good = good.unwrap_or_else(|cause| Err(ReadError::Io(std::io::Error::other(cause))));
    let made = workbook.make(&open, stop).await;
    let Made { rows, is_full } = made.as_ref().copied().unwrap_or_default();
    say(&remarks, is_full, arguments.json, texts);
    let good = good.map_err(|error| problems(&error, &arguments.file, Exit::Failed, texts))?;
    made?;
    let open = lock(&open);
    let (line, reasons) = (open.last_line, open.failed.reasons().display().to_string());
    let failed = (rows > 0).then(|| path.display().to_string());
    if arguments.json {
        let empty = remarks.lock().unwrap_or_else(PoisonError::into_inner).count;
        terminal::line(json!({
            "event": "done", "dry_run": true, "lines": line, "good": good, "refused": open.failed.count(),
            "empty_places": empty, "failed": failed, "rejects": failed.as_ref().map(|_| &reasons),
        }));
    } else {
        let values = [
            ("lines", grouped(line).into()),
            ("good", grouped(good).into()),
            ("refused", grouped(open.failed.count()).into()),
        ];
        terminal::line(texts.text("sheet-checked", &values));
        open.failed.first().iter().filter_map(|reason| reason.said.as_ref()).for_each(|said| {
            terminal::line(format_args!("  {}", safe(said)));
        });
        if let Some(failed) = failed {
            terminal::line(texts.text("upload-failed-rows", &[("rows", failed.into()), ("reasons", reasons.into())]));
        }
    }
    Ok(if rows > 0 { Exit::Partly } else { Exit::Done })
}

/// How many rows are good. Those that are not are listed.
fn count(changes: Changes, stop: &watch::Receiver<Stop>) -> Result<u64, ReadError> {
    let open = Arc::clone(&changes.open);
    let mut good = 0;
    for change in changes {
        change?;
        good += 1;
        lock(&open).settle_all().map_err(ReadError::Io)?;
        if *stop.borrow() != Stop::No {
            break;
        }
    }
    lock(&open).settle_all().map_err(ReadError::Io)?;
    Ok(good)
}
