//! `waymark watch`: the changes of a node, as they happen.

use std::{ops::ControlFlow, time::Duration};

use clap::Args;
use serde_json::json;
use waymark_api::registration::v1;
use waymark_client::{
    config::PATIENCE,
    registration::{Watch as Follow, Watched},
};

use super::{answer, connection::Connection};
use crate::{
    cli::{Shown, terminal},
    daemon::{Signals, stop_asked},
    problem::{Exit, Problem},
    texts::Texts,
};

/// Where a watch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// Behind this serial.
    Serial(u64),
    /// With what happens from now on.
    Now,
}

fn parse_from(text: &str) -> Result<From, String> {
    match text {
        "now" => Ok(From::Now),
        _ => text.parse().map(From::Serial).map_err(|_| "a serial, or `now`".to_owned()),
    }
}

/// `waymark watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[arg(long, value_name = "SERIAL|now", default_value = "now", value_parser = parse_from)]
    from: From,
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    #[arg(long)]
    values: bool,
    #[arg(long)]
    until_now: bool,
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.default.as_secs(), value_parser = clap::value_parser!(u64).range(1..=604_800))]
    patience: u64,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Shows changes until there are no more, or until it is stopped.
pub(crate) async fn run(arguments: &Watch, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let request = v1::WatchRequest {
        after_serial: match arguments.from {
            From::Serial(serial) => serial,
            From::Now => 0,
        },
        from_now: arguments.from == From::Now,
        prefix: arguments.prefix.clone(),
        with_values: arguments.values,
        until_now: arguments.until_now,
    };
    let follow = Follow { request, patience: Duration::from_secs(arguments.patience) };
    let mut signals = Signals::take().map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
    let (mut unreadable, mut seen, mut exit) = (None, None, Exit::Done);
    let mut see = |event: Watched<'_>| match event {
        Watched::Change(change) => match answer::show_identifier(&change, arguments.json, texts, shown) {
            Ok(()) => {
                seen = Some(change.serial);
                ControlFlow::Continue(())
            }
            Err(problem) => {
                unreadable = Some(problem);
                ControlFlow::Break(())
            }
        },
        Watched::Damaged(damage) => {
            answer::show_damage(&damage, arguments.json, texts);
            exit = Exit::Damaged;
            ControlFlow::Continue(())
        }
        Watched::Progress(serial) => {
            seen = Some(serial);
            ControlFlow::Continue(())
        }
        Watched::Interrupted { cause, wait } => {
            let (cause, wait) = (cause.message().to_owned(), format!("{:.1}", wait.as_secs_f64()));
            let said = texts.text("upload-interrupted", &[("cause", cause.into()), ("wait", wait.into())]);
            terminal::remark(said);
            ControlFlow::Continue(())
        }
        _ => ControlFlow::Continue(()),
    };
    let ended = tokio::select! {
        ended = follow.run(&registrar, &mut see) => Some(ended.map_err(|error| answer::problem(&error, arguments.json))?),
        // The way a watch usually ends.
        () = stop_asked(&mut signals) => None,
    };
    if let Some(problem) = unreadable {
        return Err(problem);
    }
    let from = match arguments.from {
        From::Serial(serial) => Some(serial),
        From::Now => None,
    };
    let serial = ended.or(seen).or(from);
    if arguments.json {
        terminal::line(json!({ "event": "end", "serial": serial }));
    } else if let Some(serial) = serial {
        terminal::remark(texts.text("watch-ended", &[("serial", serial.to_string().into())]));
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_begins_behind_a_serial_or_now() {
        assert_eq!(parse_from("now"), Ok(From::Now));
        assert_eq!(parse_from("0"), Ok(From::Serial(0)));
        assert!(parse_from("-1").is_err() && parse_from("yesterday").is_err());
    }
}
