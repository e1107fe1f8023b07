//! `waymark prefix`: which prefixes a data folder serves.

use serde_json::json;
use waymark_catalog::{Actor, Command as Change, HomeName, Submission};

use super::{
    Prefix,
    run::folder_config,
    store::{self, data_failed, existing, open},
    terminal,
};
use crate::{
    daemon::chain,
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

pub(crate) async fn run(command: &Prefix, texts: &Texts) -> Result<Exit, Problems> {
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
    }
}

async fn change(arguments: &super::PrefixChange, home: bool, texts: &Texts) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.folder)?;
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
