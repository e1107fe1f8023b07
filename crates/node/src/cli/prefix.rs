//! `waymark prefix`: which prefixes a node serves, on a server or in a data folder.

use serde_json::json;
use waymark_api::operator::v1;
use waymark_catalog::{Actor, Command as Change, HomeName, Submission};
use waymark_client::registration::CallError;

use super::{
    Prefix, Shown,
    access::place::Where,
    prefix_case, present,
    run::folder_config,
    server::answer,
    store::{self, data_failed, existing, open},
    terminal,
};
use crate::{
    daemon::chain,
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Prefixes asked for at once.
const PAGE: u32 = 500;

pub(crate) async fn run(command: &Prefix, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let place = match command {
        Prefix::List(place) => place,
        Prefix::Home(change) | Prefix::Unhome(change) => &change.place,
        Prefix::Case(command) => return prefix_case::run(command, texts, shown).await,
    };
    if place.connection.is_meant_or_runs(&place.folder)? {
        return Ok(on_server(command, place, texts, shown).await?);
    }
    match command {
        Prefix::List(arguments) => {
            let config = folder_config(&arguments.folder)?;
            let data = existing(&config)?;
            let (catalog, damaged) = open(&config, &data, store::Folder::MustExist, texts).await?;
            let mut names: Vec<Vec<u8>> = catalog.prefixes().iter().map(|name| name.handle()).collect();
            names.sort_unstable();
            for name in names {
                let name = String::from_utf8_lossy(&name).into_owned();
                if arguments.json {
                    terminal::line(json!({ "prefix": name }))
                } else {
                    terminal::line(format_args!("{name}"))
                }
            }
            store::close_after_looking(catalog, texts).await;
            Ok(if damaged { Exit::Damaged } else { Exit::Done })
        }
        Prefix::Home(arguments) => change(arguments, true, texts).await,
        Prefix::Unhome(arguments) => change(arguments, false, texts).await,
        Prefix::Case(command) => prefix_case::run(command, texts, shown).await,
    }
}

async fn on_server(command: &Prefix, place: &Where, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = place.connection.open(texts)?;
    let failed = |error: CallError| answer::problem(&error, place.json);
    let (prefixes, home) = match command {
        Prefix::List(_) => {
            let mut request = v1::ListPrefixesRequest { page_size: PAGE, page_token: String::new() };
            loop {
                let page = registrar.prefixes_served(&request).await.map_err(failed)?;
                for prefix in page.prefixes {
                    if place.json {
                        let (serial, identifiers) = (prefix.serial, prefix.identifiers);
                        terminal::line(
                            json!({ "prefix": prefix.handle, "serial": serial, "identifiers": identifiers }),
                        );
                    } else {
                        terminal::line(present::safe(&prefix.handle));
                    }
                }
                if page.next_page_token.is_empty() {
                    return Ok(Exit::Done);
                }
                request.page_token = page.next_page_token;
            }
        }
        Prefix::Home(change) => (&change.prefixes, true),
        Prefix::Unhome(change) => (&change.prefixes, false),
        // Cases go their own way to the server.
        Prefix::Case(_) => return Ok(Exit::Done),
    };
    for prefix in prefixes {
        let name = prefix.clone();
        let done = if home {
            registrar.home(&v1::HomeRequest { prefix: name }).await
        } else {
            registrar.unhome(&v1::UnhomeRequest { prefix: name }).await
        };
        let receipt = done.map_err(failed)?.receipt.unwrap_or_default();
        answer::show_receipt(prefix, &receipt, place.json, texts, shown);
    }
    Ok(Exit::Done)
}

async fn change(arguments: &super::PrefixChange, home: bool, texts: &Texts) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.place.folder)?;
    let data = config.data();
    let mut changes = Vec::new();
    for prefix in &arguments.prefixes {
        let name = HomeName::parse(prefix.as_bytes()).map_err(|cause| {
            Problem::new("prefix-malformed", Exit::Usage).with("prefix", prefix).with("cause", cause)
        })?;
        changes.push(if home { Change::Home { name } } else { Change::Unhome { name } });
    }
    let (catalog, _) = open(&config, &data, store::Folder::MayBeMade, texts).await?;
    let writer = catalog.writer();
    let done = tokio::task::spawn_blocking(move || {
        let ticket = writer.submit(Submission::new(&Actor::operator(), changes)).map_err(|error| chain(&error))?;
        let results = ticket.wait().map_err(|error| chain(&error))?;
        catalog.shutdown().map_err(|error| chain(&error))?;
        Ok::<_, String>(results)
    })
    .await
    .map_err(|cause| data_failed(&data, &cause.to_string()))?;
    let results = done.map_err(|cause| data_failed(&data, &cause))?;
    let mut exit = Exit::Done;
    for (prefix, result) in arguments.prefixes.iter().zip(results) {
        match result {
            Ok(receipt) if arguments.place.json => {
                terminal::line(json!({ "prefix": prefix, "serial": receipt.serial.0 }));
            }
            Ok(receipt) => terminal::line(format_args!(
                "{}",
                texts.text(
                    "prefix-changed",
                    &[("prefix", prefix.into()), ("serial", receipt.serial.to_string().into())]
                )
            )),
            Err(refusal) => {
                exit = Exit::Partly;
                let values = [("prefix", prefix.into()), ("cause", refusal.to_string().into())];
                terminal::remark(texts.text("prefix-refused", &values));
            }
        }
    }
    Ok(exit)
}
