//! `waymark recall`: calling back what carries an identifier, a batch, or codes of a package; and lifting that.

use clap::Args;
use uuid::Uuid;
use waymark_api::registration::v1::{self, change::Action};

use super::range::SerialRange;
use super::{answer, change::apply, connection::Connection};
use crate::{
    cli::Shown,
    problem::{Exit, Problem},
    texts::Texts,
};

/// What is called back, and why.
#[derive(Debug, Args)]
pub(crate) struct Recall {
    #[arg(value_name = "HANDLE")]
    subject: String,
    #[arg(long, value_name = "BATCH", conflicts_with = "serials")]
    batch: Option<String>,
    #[arg(long, value_name = "SERIALS")]
    serials: Option<SerialRange>,
    #[arg(long, value_name = "TEXT", required_unless_present = "lift", conflicts_with = "lift")]
    reason: Option<String>,
    #[arg(long)]
    lift: bool,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Carries it out and shows the receipt.
pub(crate) async fn run(arguments: &Recall, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let reason = arguments.reason.clone().unwrap_or_default();
    let registrar = arguments.connection.open(texts)?;
    let (name, receipt) = if let Some(serials) = arguments.serials {
        let request = v1::RecallCodesRequest {
            package: arguments.subject.clone(),
            serials: Some(serials.0),
            reason,
            lift: arguments.lift,
            request_id: answer::text_of(arguments.request_id),
        };
        let answered = registrar.recall_codes(request).await;
        let answered = answered.map_err(|error| answer::problem(&error, arguments.json))?;
        (arguments.subject.clone(), answered.receipt.unwrap_or_default())
    } else {
        let handle = arguments.handle();
        let action =
            if arguments.lift { Action::LiftRecall(v1::LiftRecall {}) } else { Action::Recall(v1::Recall { reason }) };
        let change = v1::Change { handle: handle.clone(), action: Some(action), expect: None };
        let receipt = apply(&registrar, change, arguments.request_id, arguments.json, texts).await?;
        (handle, receipt)
    };
    answer::show_receipt(&name, &receipt, arguments.json, texts, shown);
    Ok(Exit::Done)
}

impl Recall {
    /// The identifier that is recalled: that of the batch under a prefix, where one is named.
    fn handle(&self) -> String {
        match &self.batch {
            None => self.subject.clone(),
            Some(batch) => {
                let handle = waymark_catalog::recall::batch_handle(self.subject.as_bytes(), batch);
                String::from_utf8_lossy(&handle).into_owned()
            }
        }
    }
}
