//! Which addresses a node really listens on: one line at start, and `listen.json` in the data folder.
//!
//! The file lets `waymark` find the node of a data folder, also when ports were chosen by the system (port 0). It is removed at a
//! drained stop; after a crash it may be stale, which shows when nobody answers there.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Name of the file within the data folder.
const FILE: &str = "listen.json";

/// Actual addresses of a running node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listening {
    /// Process of the node.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// UDP doors.
    pub udp: Vec<SocketAddr>,
    /// TCP doors.
    pub tcp: Vec<SocketAddr>,
    /// QUIC doors.
    pub quic: Vec<SocketAddr>,
    /// Metrics, health and status over HTTP.
    pub http: Vec<SocketAddr>,
    /// SHA-256 of the QUIC certificate, lower-case hexadecimal.
    pub quic_fingerprint: String,
    /// Registration service over gRPC.
    #[serde(default)]
    pub grpc: Vec<SocketAddr>,
    /// The same over HTTP and JSON.
    #[serde(default)]
    pub api: Vec<SocketAddr>,
    /// Registration data over HTTPS and JSON.
    #[serde(default)]
    pub query: Vec<SocketAddr>,
    /// SHA-256 of the certificate of all of them, lower-case hexadecimal; empty when they are in plain text.
    #[serde(default)]
    pub registration_fingerprint: String,
}

impl Listening {
    /// Where the file of a data folder lies.
    pub fn path(data: &Path) -> PathBuf {
        data.join(FILE)
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let path = Self::path(data);
        let draft = path.with_extension("json.new");
        fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&draft, &path)
    }

    /// Reads the file of a data folder; `None` when there is none.
    pub fn read(data: &Path) -> io::Result<Option<Self>> {
        match fs::read(Self::path(data)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the process that wrote it is there; one that was killed could not remove it. Told from `/proc`, and believed where there is none.
    pub fn is_alive(&self) -> bool {
        let processes = Path::new("/proc");
        !processes.join("self").exists() || processes.join(self.pid.to_string()).exists()
    }

    /// Removes the file; one that is gone already is fine.
    pub fn remove(data: &Path) -> io::Result<()> {
        match fs::remove_file(Self::path(data)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The one line printed at start: what listens where, and the fingerprint a client may pin.
    pub fn line(&self) -> String {
        let mut words = vec!["listening".to_owned()];
        for (scheme, addresses) in [("udp", &self.udp), ("tcp", &self.tcp), ("quic", &self.quic), ("http", &self.http)]
        {
            words.extend(addresses.iter().map(|address| format!("{scheme}://{address}")));
        }
        let secure = if self.registration_fingerprint.is_empty() { "" } else { "s" };
        for (scheme, addresses) in [("grpc", &self.grpc), ("http", &self.api)] {
            words.extend(addresses.iter().map(|address| format!("{scheme}{secure}://{address}")));
        }
        words.extend(self.query.iter().map(|address| format!("query=http{secure}://{address}")));
        if !self.quic.is_empty() {
            words.push(format!("quic-pin={}", self.quic_fingerprint));
        }
        if !self.registration_fingerprint.is_empty() {
            words.push(format!("grpc-pin={}", self.registration_fingerprint));
        }
        words.join(" ")
    }
}

/// The address to ask when a door listens on all addresses: the loopback of the same family.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        let loopback =
            if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Listening {
        Listening {
            pid: 7,
            version: "0".into(),
            udp: vec!["127.0.0.1:1".parse().unwrap()],
            tcp: vec!["[::1]:2".parse().unwrap()],
            quic: vec!["127.0.0.1:3".parse().unwrap()],
            http: vec![],
            quic_fingerprint: "ab".into(),
            grpc: vec!["127.0.0.1:4".parse().unwrap()],
            api: vec![],
            query: vec![],
            registration_fingerprint: "cd".into(),
        }
    }

    #[test]
    fn the_file_gives_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Listening::read(folder.path()).unwrap(), None);
        example().write(folder.path()).unwrap();
        assert_eq!(Listening::read(folder.path()).unwrap(), Some(example()));
        Listening::remove(folder.path()).unwrap();
        Listening::remove(folder.path()).unwrap();
        assert_eq!(Listening::read(folder.path()).unwrap(), None);
    }

    #[test]
    fn the_line_names_every_door() {
        assert_eq!(
            example().line(),
            "listening udp://127.0.0.1:1 tcp://[::1]:2 quic://127.0.0.1:3 grpcs://127.0.0.1:4 quic-pin=ab grpc-pin=cd"
        );
    }

    #[test]
    fn a_door_on_all_addresses_is_asked_on_loopback() {
        assert_eq!(reachable("0.0.0.0:5".parse().unwrap()), "127.0.0.1:5".parse().unwrap());
        assert_eq!(reachable("[::]:5".parse().unwrap()), "[::1]:5".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:5".parse().unwrap()), "10.0.0.1:5".parse().unwrap());
    }
}
