//! `waymark verdict`: are these codes good?

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use waymark_api::registration::v1;

use super::{answer, connection::Connection};
use crate::{
    cli::{
        Shown, input,
        present::safe,
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Codes asked for at once: what the server takes in one call.
const BATCH: usize = 200;

/// Bytes of a file of codes.
const FILE_BYTES: u64 = 64 << 20;

/// Codes to be judged.
#[derive(Debug, Args)]
pub(crate) struct Judge {
    #[arg(value_name = "CODE", required_unless_present = "file")]
    codes: Vec<String>,
    #[arg(long, value_name = "FILE", conflicts_with = "codes")]
    file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Asks, shows each verdict as its answer comes, and ends with 0 only where all may be sold.
pub(crate) async fn run(arguments: &Judge, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let codes = match &arguments.file {
        Some(file) => read(file)?,
        None => arguments.codes.clone(),
    };
    let registrar = arguments.connection.open(texts)?;
    let mut is_good = true;
    for codes in codes.chunks(BATCH) {
        let answered = registrar.judge(&v1::JudgeRequest { codes: codes.to_vec() }).await;
        let answered = answered.map_err(|error| answer::problem(&error, arguments.json))?;
        for (code, judgement) in codes.iter().zip(&answered.judgements) {
            is_good &= judgement.sale() != v1::Sale::Deny;
            if arguments.json {
                terminal::line(as_json(code, judgement));
            } else {
                terminal::line(line(code, judgement, texts, shown));
            }
        }
    }
    Ok(if is_good { Exit::Done } else { Exit::CheckFailed })
}

/// The codes of a file, one a line; `-` is the standard input.
fn read(file: &Path) -> Result<Vec<String>, Problem> {
    let text = input::text(file, FILE_BYTES, Exit::Failed)?;
    let lines = text.lines().map(|line| line.trim_start_matches('\u{feff}').trim_end_matches('\r'));
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The name of a verdict, as programs see it.
fn name(judgement: &v1::Judgement) -> &'static str {
    judgement.verdict().as_str_name().strip_prefix("VERDICT_").unwrap_or_default()
}

fn detail(judgement: &v1::Judgement) -> Option<&'static str> {
    let detail = judgement.detail();
    (detail != v1::VerdictDetail::Unspecified)
        .then(|| detail.as_str_name().strip_prefix("VERDICT_DETAIL_").unwrap_or_default())
}

/// `RECALLED  88.1/x  deny  since 2026-11-29  "cracks"  batch B26`.
fn line(code: &str, judgement: &v1::Judgement, texts: &Texts, shown: Shown) -> String {
    let tone = match judgement.sale() {
        v1::Sale::Allow => Tone::Good,
        v1::Sale::Warn => Tone::Doubtful,
        v1::Sale::Deny | v1::Sale::Unspecified => Tone::Bad,
    };
    let mut line = format!("{}  {}", toned(name(judgement), tone, shown.colours), safe(code));
    let mut add = |text: String| {
        line.push_str("  ");
        line.push_str(&text);
    };
    add(texts.text(&format!("verdict-sale-{}", sale(judgement)), &[]));
    if let Some(detail) = detail(judgement) {
        add(texts.text(&format!("verdict-detail-{}", detail.to_ascii_lowercase().replace('_', "-")), &[]));
    }
    let said = [
        ("verdict-since", &judgement.since),
        ("verdict-reason", &judgement.reason),
        ("verdict-batch", &judgement.batch),
        ("verdict-expiry", &judgement.expiry),
    ];
    for (key, value) in said.into_iter().filter(|(_, value)| !value.is_empty()) {
        add(texts.text(key, &[("value", safe(value).into())]));
    }
    line
}

fn sale(judgement: &v1::Judgement) -> String {
    judgement.sale().as_str_name().strip_prefix("SALE_").unwrap_or_default().to_ascii_lowercase()
}

fn as_json(code: &str, judgement: &v1::Judgement) -> serde_json::Value {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let source = judgement.source();
    let source = source.as_str_name().strip_prefix("VERDICT_SOURCE_").filter(|source| *source != "UNSPECIFIED");
    json!({
        "code": code,
        "verdict": name(judgement),
        "detail": detail(judgement),
        "sale": judgement.sale().as_str_name().strip_prefix("SALE_"),
        "since": text(&judgement.since),
        "reason": text(&judgement.reason),
        "batch": text(&judgement.batch),
        "expiry": text(&judgement.expiry),
        "as_of": judgement.as_of.map(|time| time.to_string()),
        "source": source,
    })
}
