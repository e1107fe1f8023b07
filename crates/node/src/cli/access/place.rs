//! Where an operator's command works: on a server, or on the data folder of a stopped node.

use std::path::PathBuf;

use clap::Args;
use waymark_catalog::{Actor, Catalog, Command, Receipt, Submission};
use waymark_client::registration::Registrar;

use crate::{
    cli::{
        Folder,
        run::folder_config,
        server::connection::Connection,
        store::{self, close_after_looking, data_failed, existing, open},
    },
    daemon::chain,
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// A server or a data folder, and how to print.
#[derive(Debug, Args)]
pub(crate) struct Where {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[arg(long)]
    pub(crate) json: bool,
}

/// What was named.
pub(crate) enum Place {
    /// A server.
    Server(Registrar),
    /// A data folder, open.
    Folder(Opened),
}

/// An open data folder.
pub(crate) struct Opened {
    catalog: Catalog,
    data: PathBuf,
}

impl Where {
    /// Prepares the server named, or opens the data folder named.
    pub(crate) async fn open(&self, texts: &Texts) -> Result<Place, Problems> {
        if self.connection.is_meant_or_runs(&self.folder)? || self.folder.data.is_none() {
            return Ok(Place::Server(self.connection.open(texts)?));
        }
        Ok(Place::Folder(Opened::open(&self.folder, texts).await?))
    }
}

impl Opened {
    /// Opens a data folder that exists.
    pub(crate) async fn open(folder: &Folder, texts: &Texts) -> Result<Self, Problems> {
        let config = folder_config(folder)?;
        let data = existing(&config)?;
        let (catalog, _) = open(&config, &data, store::Folder::MustExist, texts).await?;
        Ok(Self { catalog, data })
    }

    /// The catalog, for looking.
    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Carries out one command as the local operator, and closes the folder.
    pub(crate) async fn write(self, command: Command) -> Result<Receipt, Problem> {
        let Self { catalog, data } = self;
        let writer = catalog.writer();
        let done = tokio::task::spawn_blocking(move || {
            let ticket =
                writer.submit(Submission::new(&Actor::operator(), [command])).map_err(|error| chain(&error))?;
            let results = ticket.wait().map_err(|error| chain(&error))?;
            catalog.shutdown().map_err(|error| chain(&error))?;
            Ok::<_, String>(results)
        })
        .await
        .map_err(|cause| data_failed(&data, &cause.to_string()))?;
        let result = done.map_err(|cause| data_failed(&data, &cause))?.into_iter().next();
        let Some(result) = result else { return Err(data_failed(&data, "no answer")) };
        result.map_err(|refusal| {
            let exit = if matches!(refusal, waymark_catalog::Refusal::NotFound) { Exit::Absent } else { Exit::Refused };
            Problem::new("refused-locally", exit).with("code", refusal.code().as_str()).with("cause", refusal)
        })
    }

    /// Closes the folder after looking.
    pub(crate) async fn close(self, texts: &Texts) {
        close_after_looking(self.catalog, texts).await;
    }
}
