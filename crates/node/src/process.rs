//! A node in a process of its own, as a demo, a drill and an emergency need one beside this program.

use std::{
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use waymark_client::{Client, Options, Server, registration::Registrar};
use waymark_wire::{
    Head, OpFlags,
    limits::ResponseLimits,
    request::RequestWriter,
    response::{Response, ResponseBody},
};

use crate::{
    child::Running,
    cli::resolve::of_listening,
    demo::registering::{connect, failed, read, url},
    listen::Listening,
    problem::{Exit, Problem},
    registration::OPERATOR_TOKEN,
    texts::Texts,
};

/// Time one question may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// A node in a process of its own. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    data: PathBuf,
    running: Running,
    listening: Listening,
}

impl Process {
    /// Starts this program as `waymarkd` with these settings and waits until it listens. Settings and log lie in `folder`, called by its name.
    ///
    /// # Errors
    /// A file cannot be written, or it does not start: its log says why.
    pub(crate) async fn start(folder: &Path, name: &str, data: &Path, settings: &str) -> Result<Self, Problem> {
        let config = folder.join(format!("{name}.toml"));
        let written = |cause: std::io::Error| {
            Problem::new("file-not-written", Exit::Failed).with("path", config.display()).with("cause", cause)
        };
        std::fs::write(&config, settings).map_err(written)?;
        let program = std::env::current_exe().map_err(|cause| failed(&cause))?;
        let mut command = Command::new(program);
        command.arg0("waymarkd").arg("--config").arg(&config).arg("--data").arg(data);
        let log = std::fs::File::create(folder.join(format!("{name}.log"))).map_err(written)?;
        let (running, line) = Running::start(&mut command, log).await.map_err(|cause| failed(&cause))?;
        let listening = Listening::read(data).ok().flatten();
        let Some(listening) = listening.filter(|_| line.starts_with("listening ")) else {
            return Err(failed(&format!("{name} did not start")));
        };
        Ok(Self { name: name.to_owned(), data: data.to_owned(), running, listening })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Where it listens.
    pub(crate) const fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Its registration service, for its operator.
    ///
    /// # Errors
    /// It has none, or there is no token of an operator.
    pub(crate) fn operator(&self, texts: &Texts) -> Result<Registrar, Problem> {
        connect(&self.listening, &url(&self.listening)?, read(&self.data.join(OPERATOR_TOKEN))?, texts)
    }

    /// Its doors of the binary protocol.
    ///
    /// # Errors
    /// It has none.
    pub(crate) fn server(&self) -> Result<Server, Problem> {
        Ok(of_listening(&self.listening)?.0)
    }

    /// The HS_SITE data it says of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn site(&self) -> Result<Vec<u8>, Problem> {
        let request = RequestWriter::new(Vec::new(), Head::request(0, OpFlags::NONE, u32::MAX >> 1)).site_info();
        let asked = Client::new(Options::default()).ask(&self.server()?, &request, DEADLINE).await;
        let answer = asked.map_err(|cause| failed(&cause))?;
        let response =
            Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE).map_err(|cause| failed(&cause))?;
        match response.body {
            ResponseBody::SiteInfo { site } => Ok(site.to_vec()),
            _ => Err(failed(&"no site")),
        }
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) {
        self.running.ended().await;
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(&mut self) {
        self.running.stop().await;
    }
}
