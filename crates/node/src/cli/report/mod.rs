//! `waymark report`: what an operator hands on to others.

mod security;

use clap::Subcommand;

use super::Shown;
use crate::{
    problem::{Exit, Problems},
    texts::Texts,
};

/// `waymark report …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Events of security, for the provincial administration.
    Security(security::Security),
}

/// Makes a report.
pub(crate) async fn run(report: &Report, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match report {
        Report::Security(arguments) => security::run(arguments, texts, shown).await,
    }
}
