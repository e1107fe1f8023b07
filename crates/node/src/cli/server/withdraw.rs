//! `waymark suspend`, `resume`, `revoke` and `delete`: taking identifiers out of resolution, and putting them back.

use clap::Args;
use uuid::Uuid;
use waymark_api::registration::v1::{self, change::Action, expectation::Condition};

use super::{answer, change::apply, connection::Connection};
use crate::{
    cli::Shown,
    problem::{Exit, Problem},
    texts::Texts,
};

/// An identifier and what shall be so of it before.
#[derive(Debug, Args)]
pub(crate) struct Subject {
    #[arg(value_name = "HANDLE")]
    handle: String,
    #[arg(long, value_name = "SERIAL")]
    expect_serial: Option<u64>,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// An identifier to take out of resolution, and why.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    pub(crate) subject: Subject,
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

/// Carries out one action on an identifier and shows the receipt.
pub(crate) async fn run(subject: &Subject, action: Action, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let expect = subject.expect_serial.map(|serial| v1::Expectation { condition: Some(Condition::Serial(serial)) });
    let change = v1::Change { handle: subject.handle.clone(), action: Some(action), expect };
    let registrar = subject.connection.open(texts)?;
    let receipt = apply(&registrar, change, subject.request_id, subject.json, texts).await?;
    answer::show_receipt(&subject.handle, &receipt, subject.json, texts, shown);
    Ok(Exit::Done)
}

impl Withdraw {
    /// Suspending.
    pub(crate) fn suspend(&self) -> Action {
        Action::Suspend(v1::Suspend { reason: self.reason.clone() })
    }

    /// Revoking.
    pub(crate) fn revoke(&self) -> Action {
        Action::Revoke(v1::Revoke { reason: self.reason.clone() })
    }
}
