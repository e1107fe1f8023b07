//! One change, carried out or not: never left open without a word.

use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_client::registration::Registrar;

use super::answer;
use crate::{
    daemon::{Signals, stop_asked},
    problem::{Exit, Problem},
    texts::Texts,
};

/// Carries out one change. Who ends the waiting with a signal is told under which id to ask again, as is who waited to the end.
pub(crate) async fn apply(
    registrar: &Registrar,
    change: v1::Change,
    request_id: Option<Uuid>,
    json: bool,
    texts: &Texts,
) -> Result<v1::Receipt, Problem> {
    let id = request_id.unwrap_or_else(Uuid::now_v7);
    let mut signals = Signals::take().map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
    tokio::select! {
        answered = registrar.apply(change, Some(id)) => answered.map_err(|error| answer::problem(&error, json)),
        () = stop_asked(&mut signals) => Err(answer::unknown(id, &texts.text("given-up", &[]), json)),
    }
}
