//! Receipts as the interface has them.

use waymark_api::registration::v1;
use waymark_catalog::{Command, Outcome, PutMode, Receipt, Warnings};

use crate::failure::proto_time;

/// The codes of warnings.
pub(crate) fn warnings(warnings: Warnings) -> Vec<String> {
    warnings.iter().map(|warning| warning.as_str().to_owned()).collect()
}

/// Whether "nothing to do" means for a command that the identifier was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Same {
    /// It exists with the same content.
    Exists,
    /// All was already as asked.
    Unchanged,
}

impl Same {
    pub(crate) const fn of(command: &Command) -> Self {
        match command {
            Command::Put { mode: PutMode::Create | PutMode::CreateOrSame, .. }
            | Command::PutFromTemplate { mode: PutMode::Create | PutMode::CreateOrSame, .. } => Self::Exists,
            _ => Self::Unchanged,
        }
    }
}

/// A receipt.
pub(crate) fn receipt(receipt: &Receipt, same: Same) -> v1::Receipt {
    v1::Receipt {
        outcome: outcome(receipt.outcome, same).into(),
        serial: receipt.serial.0,
        time: Some(proto_time(receipt.time)),
        content_hash: receipt.content.0.to_vec(),
        warnings: warnings(receipt.warnings),
        repeated_request: receipt.repeated,
    }
}

pub(crate) const fn outcome(outcome: Outcome, same: Same) -> v1::Outcome {
    match outcome {
        Outcome::Created => v1::Outcome::Created,
        Outcome::Replaced => v1::Outcome::Replaced,
        Outcome::Changed => v1::Outcome::Changed,
        Outcome::Deleted => v1::Outcome::Deleted,
        Outcome::Homed => v1::Outcome::Homed,
        Outcome::Unhomed => v1::Outcome::Unhomed,
        Outcome::Suspended => v1::Outcome::Suspended,
        Outcome::Resumed => v1::Outcome::Resumed,
        Outcome::Revoked => v1::Outcome::Revoked,
        Outcome::Stored => v1::Outcome::Stored,
        Outcome::Allocated => v1::Outcome::Allocated,
        Outcome::Exported => v1::Outcome::Exported,
        Outcome::Leased => v1::Outcome::Leased,
        Outcome::Reconciled => v1::Outcome::Reconciled,
        Outcome::Drafted => v1::Outcome::Drafted,
        Outcome::Published => v1::Outcome::Published,
        Outcome::Applied => v1::Outcome::Applied,
        Outcome::InReview => v1::Outcome::InReview,
        Outcome::Approved => v1::Outcome::Approved,
        Outcome::Rejected => v1::Outcome::Rejected,
        Outcome::Confirmed => v1::Outcome::Confirmed,
        Outcome::Hosted => v1::Outcome::Hosted,
        Outcome::Delegated => v1::Outcome::Delegated,
        Outcome::Forgotten => v1::Outcome::Forgotten,
        Outcome::Recalled => v1::Outcome::Recalled,
        Outcome::RecallLifted => v1::Outcome::RecallLifted,
        Outcome::Aggregated => v1::Outcome::Aggregated,
        Outcome::Disaggregated => v1::Outcome::Disaggregated,
        Outcome::Same => match same {
            Same::Exists => v1::Outcome::ExistsSame,
            Same::Unchanged => v1::Outcome::Unchanged,
        },
        _ => v1::Outcome::Unspecified,
    }
}
