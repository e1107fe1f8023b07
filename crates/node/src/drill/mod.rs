//! `waymark drill`: practises what has to work in an emergency, with real processes in a folder of its own.
//!
//! | file | holds |
//! |---|---|
//! | `stage` | the processes, and how they are asked |
//! | `takeover` | the takeover of a node and its return |
//!
//! A drill says of each step whether it went as it should and how long it took, and ends with a failure where one did not.

mod stage;
mod takeover;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    cli::{
        Shown,
        present::safe,
        terminal::{self, Tone, grouped, toned},
    },
    problem::{Exit, Problem},
    texts::{Argument, Texts},
};

/// `waymark drill …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Drill {
    /// A node fails, the node above takes over, the node returns.
    Takeover(DrillTakeover),
}

/// `waymark drill takeover`.
#[derive(Debug, Args)]
pub(crate) struct DrillTakeover {
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

/// Runs a drill.
pub(crate) async fn run(drill: &Drill, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    match drill {
        Drill::Takeover(arguments) => {
            let mut report = Report { json: arguments.json, texts, shown, since: Instant::now(), failed: 0 };
            takeover::run(arguments.keep.as_deref(), &mut report).await?;
            Ok(if report.failed == 0 { Exit::Done } else { Exit::CheckFailed })
        }
    }
}

/// Tells the steps of a drill.
struct Report<'a> {
    json: bool,
    texts: &'a Texts,
    shown: Shown,
    /// The end of the step before.
    since: Instant,
    failed: u64,
}

impl Report<'_> {
    /// A step that has ended, with what belongs to its text. Its time is that since the step before.
    fn step(&mut self, code: &'static str, good: bool, values: &[(&'static str, String)]) {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since = Instant::now();
        self.failed += u64::from(!good);
        if self.json {
            let values: serde_json::Map<String, Value> =
                values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            terminal::line(json!({ "step": code, "good": good, "ms": ms, "values": values }));
            return;
        }
        let arguments: Vec<Argument<'_>> = values.iter().map(|(name, value)| (*name, safe(value).into())).collect();
        let (mark, tone) = if good { ("✓", Tone::Good) } else { ("✗", Tone::Bad) };
        let time = toned(&format!("({} ms)", grouped(ms)), Tone::Faint, self.shown.colours);
        let said = self.texts.text(code, &arguments);
        terminal::line(format_args!("{} {said} {time}", toned(mark, tone, self.shown.colours)));
    }

    /// What a word of programs is called for people; programs get the word.
    fn word(&self, lead: &str, word: &str) -> String {
        let said = if self.json { None } else { self.texts.find(&format!("{lead}{word}"), &[]) };
        said.unwrap_or_else(|| word.to_owned())
    }

    /// Something to know beside the steps.
    fn remark(&self, code: &'static str, values: &[(&'static str, String)]) {
        if self.json {
            let values: serde_json::Map<String, Value> =
                values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            terminal::line(json!({ "remark": code, "values": values }));
            return;
        }
        let arguments: Vec<Argument<'_>> = values.iter().map(|(name, value)| (*name, safe(value).into())).collect();
        terminal::line(format_args!("  {}", self.texts.text(code, &arguments)));
    }
}
