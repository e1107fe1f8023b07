//! `waymark report`: what a node tells people about itself, made of what it counted and told.

mod indicators;

use clap::Subcommand;

use super::Shown;
use crate::{
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark report …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportVerb {
    /// The indicators the administration watches, on a day.
    Indicators(indicators::Indicators),
}

/// Runs a verb.
pub(crate) async fn run(verb: &ReportVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    match verb {
        ReportVerb::Indicators(arguments) => indicators::run(arguments, texts, shown).await,
    }
}
