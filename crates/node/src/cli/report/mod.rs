//! `waymark report`: what a node tells of itself, for people, programs and authorities.

pub(super) mod indicators;
mod month;
mod security;

use clap::Subcommand;

use super::Shown;
use crate::{
    problem::{Exit, Problems},
    texts::Texts,
};

/// `waymark report …`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReportVerb {
    /// The indicators the administration watches, on a day.
    Indicators(indicators::Indicators),
    /// A month: availability, times, incidents.
    Month(month::MonthArguments),
    /// Events of security, for the provincial administration.
    Security(security::Security),
}

/// Runs a verb.
pub(crate) async fn run(verb: &ReportVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match verb {
        ReportVerb::Indicators(arguments) => Ok(indicators::run(arguments, texts, shown).await?),
        ReportVerb::Month(arguments) => Ok(month::run(arguments, texts).await?),
        ReportVerb::Security(arguments) => security::run(arguments, texts, shown).await,
    }
}
