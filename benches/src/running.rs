//! Real nodes that benchmarks start, and end with themselves.

use std::{
    error::Error,
    fs,
    io::{self, BufRead as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use waymark_node::listen::Listening;

use crate::side_by_side::processor;

/// A process that ends with its owner.
#[derive(Debug)]
pub struct Server {
    /// It.
    pub child: Child,
    /// Where its gRPC service is.
    pub url: String,
    /// The operator's token, where it wants one.
    pub token: Option<String>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Starts a node on a new folder, with one prefix homed, gRPC without TLS on loopback, all of it on one processor.
///
/// # Errors
/// A program that does not start, or does not say where it listens.
pub fn start_node(binaries: &Path, scratch: &Path, prefix: &str, on: usize) -> Result<Server, Box<dyn Error>> {
    let (config, data) = (scratch.join("waymark.toml"), scratch.join("data"));
    fs::write(
        &config,
        "[listen]\nudp = [\"127.0.0.1:0\"]\ntcp = []\nquic = []\nhttp = []\ngrpc = [\"127.0.0.1:0\"]\n\
         [registration]\nplaintext = true\n[access]\nrate_per_second = 10000000\n[store]\nresident_mib = 4096\n",
    )?;
    let mut home = Command::new(binaries.join("waymark"));
    let homed = home.args(["prefix", "home", prefix, "--data"]).arg(&data).stdout(Stdio::null()).status()?;
    if !homed.success() {
        return Err(format!("waymark prefix home ended with {homed}").into());
    }
    let mut command = Command::new(binaries.join("waymarkd"));
    command.arg("--config").arg(&config).arg("--data").arg(&data).stdout(Stdio::piped());
    let mut child = processor::on(on, || command.spawn())?;
    first_line(&mut child)?;
    let listening = Listening::read(&data)?.ok_or("the node did not say where it listens")?;
    let address = listening.grpc.first().ok_or("the node has no gRPC door")?;
    let token = fs::read_to_string(data.join("operator-token"))?.trim().to_owned();
    Ok(Server { child, url: format!("http://{address}"), token: Some(token) })
}

/// The folder of the built programs: the one given, or where this program is.
///
/// # Errors
/// The system does not say where that is.
pub fn binaries(given: Option<&Path>) -> io::Result<PathBuf> {
    match given {
        Some(folder) => Ok(folder.to_owned()),
        None => Ok(std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default()),
    }
}

/// The first line a process prints.
///
/// # Errors
/// It prints none.
pub fn first_line(child: &mut Child) -> io::Result<String> {
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut line = String::new();
    io::BufReader::new(stdout).read_line(&mut line)?;
    if line.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
}
