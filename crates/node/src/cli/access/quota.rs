//! `waymark quota`: how much a principal may write in a day, and how much it has written today.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    place::Where,
    principal::{all, find, write},
};
use crate::{
    cli::{
        Shown,
        present::safe,
        terminal::{self, grouped, table},
    },
    problem::{Exit, Problems},
    texts::Texts,
};

/// `waymark quota …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Quota {
    /// Set the quota of a principal.
    Set(Set),
    /// Show quotas and what was written today.
    Show(Show),
}

/// `waymark quota set`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[arg(value_name = "NAME")]
    name: String,
    #[arg(value_name = "PER_DAY")]
    quota: u64,
    #[command(flatten)]
    place: Where,
}

/// `waymark quota show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    place: Where,
}

/// Runs a command about quotas.
pub(crate) async fn run(command: &Quota, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Quota::Set(Set { name, quota, place }) => {
            let mut principal = find(place, name, texts).await?;
            principal.daily_quota = *quota;
            write(place, principal, texts, shown).await
        }
        Quota::Show(Show { name, place }) => {
            let principals = match name {
                Some(name) => vec![find(place, name, texts).await?],
                None => all(place, texts).await?,
            };
            if place.json {
                for principal in &principals {
                    let quota = Some(principal.daily_quota).filter(|quota| *quota != 0);
                    let left = quota.map(|quota| quota.saturating_sub(principal.written_today));
                    terminal::line(json!({
                        "name": principal.name, "daily_quota": quota, "written_today": principal.written_today,
                        "daily_left": left,
                    }));
                }
                return Ok(Exit::Done);
            }
            let rows = principals.iter().map(|principal| {
                let quota = if principal.daily_quota == 0 { "-".to_owned() } else { grouped(principal.daily_quota) };
                vec![safe(&principal.name), quota, grouped(principal.written_today)]
            });
            let head = ["principal", "quota", "written"].map(|code| texts.text(&format!("access-{code}"), &[]));
            terminal::line(table(&head, &rows.collect::<Vec<_>>()));
            Ok(Exit::Done)
        }
    }
}
