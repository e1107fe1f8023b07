//! Where the registration server is, whom to believe and what to show it: the options all its verbs share.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;
use waymark_client::registration::{ClientCertificate, Endpoint, GrpcUrl, Registrar, Retrying, ServerTrust};

use crate::{
    cli::{Folder, resolve::parse_pin, terminal},
    config::DEFAULT_DATA,
    daemon::chain,
    listen::{Listening, reachable},
    problem::{Exit, Problem},
    registration::OPERATOR_TOKEN,
    texts::{Language, Texts},
};

/// The bits of a file's mode for those who neither own it nor are of its group.
const OTHERS: u32 = 0o007;

/// Longest token file in bytes; a token has some 90.
const TOKEN_BYTES: usize = 4_096;

/// A registration server and how to come before it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    #[arg(long, value_name = "URL", env = "WAYMARK_SERVER")]
    pub(crate) server: Option<GrpcUrl>,
    #[arg(long, value_name = "FILE", env = "WAYMARK_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    #[arg(long, value_name = "FILE", env = "WAYMARK_CA")]
    pub(crate) ca: Option<PathBuf>,
    #[arg(long, value_name = "SHA256", env = "WAYMARK_PIN")]
    pub(crate) pin: Option<String>,
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(crate) client_certificate: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    pub(crate) client_key: Option<PathBuf>,
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(10..=3_600_000))]
    pub(crate) timeout: u64,
}

impl Connection {
    /// Prepares to talk to the server named, or else to the node that runs on the usual data folder of this machine; nothing is sent yet.
    pub(crate) fn open(&self, texts: &Texts) -> Result<Registrar, Problem> {
        if let Some(url) = &self.server {
            return self.open_at(url.clone(), texts);
        }
        let own = usual_node().and_then(|listening| own_node(&listening));
        let (url, pin) = own.ok_or_else(|| Problem::new("server-missing", Exit::Usage))?;
        let pin = self.pin.clone().or(pin);
        Self { pin, ..self.clone() }.open_at(url, texts)
    }

    /// The same, or, where no server is named, the node that runs on a data folder, before which its operator's token there is shown.
    pub(crate) fn or_of(&self, data: Option<&Path>) -> Self {
        let Some((data, None)) = data.map(|data| (data, &self.server)) else { return self.clone() };
        let own = Listening::read(data).ok().flatten().as_ref().and_then(own_node);
        let Some((url, pin)) = own else { return self.clone() };
        let token = data.join(OPERATOR_TOKEN);
        let token_file = self.token_file.clone().or_else(|| token.is_file().then_some(token));
        Self { server: Some(url), pin: self.pin.clone().or(pin), token_file, ..self.clone() }
    }

    /// The data folder of the node that is asked, where it is known: the one named, or the usual one of this machine where no server is named.
    pub(crate) fn folder(&self, data: Option<&Path>) -> Option<PathBuf> {
        data.map(Path::to_owned).or_else(|| self.server.is_none().then(usual_folder))
    }

    /// Prepares to talk to a server with these options.
    pub(crate) fn open_at(&self, url: GrpcUrl, texts: &Texts) -> Result<Registrar, Problem> {
        let mut endpoint = Endpoint::new(url);
        endpoint.deadline = Duration::from_millis(self.timeout);
        endpoint.language = match texts.language() {
            Language::English => "en",
            Language::Chinese => "zh-CN",
        };
        endpoint.trust = match (&self.pin, &self.ca) {
            (Some(pin), _) => Some(ServerTrust::Pin(parse_pin(pin)?)),
            (None, Some(path)) => Some(ServerTrust::Authorities(read(path)?)),
            (None, None) => None,
        };
        endpoint.token = self.token_file.as_deref().map(|path| read_token(path, texts)).transpose()?;
        endpoint.retrying = Some(tell_once(texts.language()));
        if let (Some(chain), Some(key)) = (&self.client_certificate, &self.client_key) {
            endpoint.certificate = Some(ClientCertificate { chain: read(chain)?, key: read(key)? });
        }
        let url = endpoint.url.to_string();
        Registrar::connect(&endpoint).map_err(|cause| {
            Problem::new("server-settings", Exit::Usage).with("server", url).with("cause", chain(&cause))
        })
    }

    /// Whether a server is meant, for verbs that also work on a data folder; where none of both is named on the command line, the node that runs
    /// on the usual folder, which has it for itself.
    pub(crate) fn is_meant_or_runs(&self, folder: &Folder) -> Result<bool, Problem> {
        let data = folder.data.as_deref();
        let is_named = folder.config.is_some() || data.is_some_and(|data| !is_usual(data));
        let runs = || usual_node().is_some_and(|listening| listening.is_alive() && !listening.grpc.is_empty());
        Ok(self.is_meant(data)? || (!is_named && runs()))
    }

    /// Whether a server is meant, for verbs that also work on a data folder. What is written on the command line goes before what stands in
    /// the environment; two of the same kind are refused.
    pub(crate) fn is_meant(&self, data: Option<&Path>) -> Result<bool, Problem> {
        let (server, data) = match (&self.server, data) {
            (Some(server), Some(data)) => (server.to_string(), data.as_os_str()),
            (server, _) => return Ok(server.is_some()),
        };
        let is_set = std::env::var_os("WAYMARK_SERVER") == Some(server.clone().into());
        match (is_set, is_usual(Path::new(data))) {
            (false, true) => Ok(true),
            (true, false) => Ok(false),
            _ => {
                let data = Path::new(data).display();
                Err(Problem::new("server-or-data", Exit::Usage).with("server", server).with("data", data))
            }
        }
    }
}

/// Whether a data folder is the one that stands in the environment.
fn is_usual(data: &Path) -> bool {
    std::env::var_os("WAYMARK_DATA").as_deref() == Some(data.as_os_str())
}

/// What the node that runs on the usual data folder of this machine wrote, if there is one.
fn usual_node() -> Option<Listening> {
    Listening::read(&usual_folder()).ok().flatten()
}

/// The usual data folder of this machine.
fn usual_folder() -> PathBuf {
    std::env::var_os("WAYMARK_DATA").map_or_else(|| PathBuf::from(DEFAULT_DATA), PathBuf::from)
}

/// Tells a person, once, that an answer is waited for and why.
fn tell_once(language: Language) -> Retrying {
    let told = AtomicBool::new(false);
    Arc::new(move |cause, left| {
        if !told.swap(true, Ordering::Relaxed) {
            let values = [("cause", cause.to_owned().into()), ("seconds", left.as_secs().to_string().into())];
            terminal::remark(Texts::new(language).text("still-trying", &values));
        }
    })
}

/// The registration service of a node that wrote where it listens, and the fingerprint of its certificate.
fn own_node(listening: &Listening) -> Option<(GrpcUrl, Option<String>)> {
    let address = listening.grpc.first().copied().map(reachable)?;
    let pin = Some(&listening.registration_fingerprint).filter(|pin| !pin.is_empty()).cloned();
    let url = GrpcUrl { is_encrypted: pin.is_some(), host: address.ip().to_string(), port: address.port() };
    Some((url, pin))
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path)
        .map_err(|cause| Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause))
}

/// A token from its file; blanks and line ends around it do not count. It is never shown. Whoever can read the file can use the token: that
/// everybody can is said.
fn read_token(path: &Path, texts: &Texts) -> Result<String, Problem> {
    let bytes = read(path)?;
    if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS != 0) {
        terminal::remark(texts.text("token-file-open", &[("path", path.display().to_string().into())]));
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    if text.is_empty() || text.len() > TOKEN_BYTES || text.contains(char::is_whitespace) {
        return Err(Problem::new("token-malformed", Exit::Usage).with("path", path.display()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        connection: Connection,
    }

    fn connection(words: &[&str]) -> Connection {
        let words = std::iter::once("waymark").chain(words.iter().copied());
        Line::try_parse_from(words).unwrap().connection
    }

    fn refused(words: &[&str]) -> &'static str {
        connection(words).open(&Texts::new(Language::English)).unwrap_err().code()
    }

    #[tokio::test]
    async fn settings_that_do_not_fit_are_refused_before_anything_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, "wm1_id_secret\n").unwrap();
        let token = token.to_str().unwrap();
        let empty = folder.path().join("empty");
        fs::write(&empty, "two words").unwrap();
        assert_eq!(refused(&[]), "server-missing");
        assert_eq!(refused(&["--server", "grpcs://x:1"]), "server-settings", "nobody is trusted");
        assert_eq!(refused(&["--server", "grpcs://x:1", "--pin", "short"]), "pin-malformed");
        assert_eq!(refused(&["--server", "grpcs://x:1", "--ca", "no such file"]), "file-unreadable");
        assert_eq!(refused(&["--server", "grpc://x:1", "--token-file", token]), "server-settings", "in clear");
        assert_eq!(
            refused(&["--server", "grpc://[::1]:1", "--token-file", empty.to_str().unwrap()]),
            "token-malformed"
        );
        let good = connection(&["--server", "grpc://127.0.0.1:1", "--token-file", token]);
        good.open(&Texts::new(Language::English)).unwrap();
    }

    #[test]
    fn a_node_of_this_machine_is_found_by_what_it_wrote() {
        let mut listening = Listening::default();
        assert_eq!(own_node(&listening), None);
        listening.grpc = vec!["[::]:2643".parse().unwrap()];
        let (url, pin) = own_node(&listening).unwrap();
        assert_eq!((url.to_string().as_str(), pin), ("grpc://[::1]:2643", None));
        listening.registration_fingerprint = "ab".repeat(32);
        let (url, pin) = own_node(&listening).unwrap();
        assert_eq!((url.to_string().as_str(), pin), ("grpcs://[::1]:2643", Some("ab".repeat(32))));
    }

    #[test]
    fn a_server_and_a_data_folder_together_are_refused() {
        let both = connection(&["--server", "grpc://x:1"]);
        assert_eq!(both.is_meant(Some(Path::new("d"))).unwrap_err().code(), "server-or-data");
        assert!(both.is_meant(None).unwrap());
        assert!(!connection(&[]).is_meant(Some(Path::new("d"))).unwrap());
    }
}
