//! `waymark whoami`: who the server takes the caller for.

use clap::Args;
use serde_json::json;

use super::{answer, connection::Connection};
use crate::{
    cli::{
        present::safe,
        terminal::{self, grouped},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark whoami`.
#[derive(Debug, Args)]
pub(crate) struct WhoAmI {
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Asks and shows.
pub(crate) async fn run(arguments: &WhoAmI, texts: &Texts) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let who = registrar.who_am_i().await.map_err(|error| answer::problem(&error, arguments.json))?;
    let expires = answer::time(who.expires.as_ref());
    if arguments.json {
        terminal::line(json!({
            "principal": who.principal, "role": who.role, "prefixes": who.prefixes, "verbs": who.verbs,
            "expires": (!expires.is_empty()).then_some(expires), "daily_quota": who.daily_quota, "daily_left": who.daily_left,
        }));
        return Ok(Exit::Done);
    }
    let line = |code: &str, value: String| terminal::line(format_args!("{:<16} {value}", texts.text(code, &[])));
    line("access-principal", safe(&who.principal));
    line("access-role", safe(&who.role));
    line("access-prefixes", safe(&who.prefixes.join(" ")));
    line("access-verbs", safe(&who.verbs.join(" ")));
    if !expires.is_empty() {
        line("access-expires", expires);
    }
    if let (Some(quota), Some(left)) = (who.daily_quota, who.daily_left) {
        line("access-quota", format!("{} / {}", grouped(left), grouped(quota)));
    }
    Ok(Exit::Done)
}
