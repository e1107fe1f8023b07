//! `waymark aggregate` and `disaggregate`: packing identifiers in another and taking them out.

use std::path::{Path, PathBuf};

use clap::Args;
use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_client::registration::CallError;

use super::{answer, connection::Connection};
use crate::{
    cli::{Shown, input},
    daemon::{Signals, stop_asked},
    problem::{Exit, Problem},
    texts::Texts,
};

/// Largest file of children in bytes: more than a node takes in one command, so that it is the node that refuses.
const FILE_BYTES: u64 = 32 << 20;

/// `waymark aggregate`.
#[derive(Debug, Args)]
pub(crate) struct Aggregate {
    #[arg(value_name = "PARENT")]
    parent: String,
    #[arg(value_name = "CHILD", required_unless_present = "from")]
    children: Vec<String>,
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    at: At,
}

/// `waymark disaggregate`.
#[derive(Debug, Args)]
pub(crate) struct Disaggregate {
    #[arg(value_name = "PARENT")]
    parent: String,
    #[arg(value_name = "CHILD", required_unless_present_any = ["from", "all"])]
    children: Vec<String>,
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[arg(long, conflicts_with_all = ["children", "from"])]
    all: bool,
    #[command(flatten)]
    at: At,
}

/// Where it is asked, and how it is shown.
#[derive(Debug, Args)]
pub(crate) struct At {
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Packs identifiers in another.
pub(crate) async fn aggregate(arguments: &Aggregate, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let Aggregate { parent, children, from, at } = arguments;
    let id = at.id();
    let request = v1::AggregateRequest {
        parent: parent.clone(),
        children: with_file(children, from.as_deref())?,
        request_id: id.to_string(),
    };
    let registrar = at.connection.open(texts)?;
    at.show(parent, id, registrar.aggregate(request), texts, shown).await
}

/// Takes identifiers out of another.
pub(crate) async fn disaggregate(arguments: &Disaggregate, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let Disaggregate { parent, children, from, all, at } = arguments;
    let id = at.id();
    let request = v1::DisaggregateRequest {
        parent: parent.clone(),
        children: with_file(children, from.as_deref())?,
        all: *all,
        request_id: id.to_string(),
    };
    let registrar = at.connection.open(texts)?;
    at.show(parent, id, registrar.disaggregate(request), texts, shown).await
}

impl At {
    fn id(&self) -> Uuid {
        self.request_id.unwrap_or_else(Uuid::now_v7)
    }

    /// Waits for the receipt and shows it; who ends the waiting with a signal is told under which id to ask again.
    async fn show(
        &self,
        parent: &str,
        id: Uuid,
        asked: impl Future<Output = Result<v1::AggregationResponse, CallError>>,
        texts: &Texts,
        shown: Shown,
    ) -> Result<Exit, Problem> {
        let signals = Signals::take();
        let mut signals = signals.map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
        let answered = tokio::select! {
            answered = asked => answered.map_err(|error| answer::problem(&error, self.json))?,
            () = stop_asked(&mut signals) => {
                return Err(answer::unknown(id, &texts.text("given-up", &[]), self.json));
            }
        };
        answer::show_receipt(parent, &answered.receipt.unwrap_or_default(), self.json, texts, shown);
        Ok(Exit::Done)
    }
}

/// The children of the command line, and those of a file, one a line; `-` is standard input.
fn with_file(children: &[String], file: Option<&Path>) -> Result<Vec<String>, Problem> {
    let mut all = children.to_vec();
    let Some(path) = file else { return Ok(all) };
    let text = input::text(path, FILE_BYTES, Exit::Usage)?;
    all.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    Ok(all)
}
