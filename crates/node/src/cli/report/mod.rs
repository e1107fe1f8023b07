//! `waymark report`: reports of a node, for people and programs.

mod month;

use clap::Subcommand;

use crate::{
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark report …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportVerb {
    /// A month: availability, times, incidents.
    Month(month::MonthArguments),
}

/// Runs a verb.
pub(crate) async fn run(verb: &ReportVerb, texts: &Texts) -> Result<Exit, Problem> {
    match verb {
        ReportVerb::Month(arguments) => month::run(arguments, texts).await,
    }
}
