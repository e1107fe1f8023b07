//! Several real nodes, one above the other, on loopback: a top-level node, a secondary node, and one that resolves for others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};
use waymark_wire::limits::ResponseLimits;
use waymark_wire::request::RequestWriter;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{Head, OpFlags};

use crate::process::{Bench, Daemon, Ended, PATIENCE, run, tool};

/// A node with its folder.
#[derive(Debug)]
pub struct Placed {
    /// Its folder.
    pub bench: Bench,
    /// The process.
    pub daemon: Daemon,
}

/// A record as a line of an import file. Values are index, type, text, and time to live in seconds.
pub fn record(handle: &str, values: &[(u32, &str, &str, i64)]) -> String {
    let values: Vec<Value> =
        values.iter().map(|(index, kind, text, ttl)| value(*index, kind, "string", text, *ttl)).collect();
    json!({ "handle": handle, "values": values }).to_string()
}

/// A prefix record that says where the handles of the prefix live and where those of prefixes derived from it.
pub fn delegation(prefix: &str, site: &str, ttl: i64) -> String {
    let values = [value(1, "HS_SITE", "hex", site, ttl), value(2, "HS_SITE.PREFIX", "hex", site, ttl)];
    json!({ "handle": format!("0.NA/{prefix}"), "values": values }).to_string()
}

fn value(index: u32, kind: &str, format: &str, text: &str, ttl: i64) -> Value {
    json!({
        "index": index, "type": kind, "ttl": ttl, "permissions": "1110", "timestamp": 1_790_000_000,
        "data": { "format": format, "value": text },
    })
}

impl Placed {
    /// A node with these records, which serves their prefixes and, for each of `above`, the records of prefixes derived from it.
    #[track_caller]
    pub fn start(more: &str, records: &[String], above: &[&str]) -> Self {
        let bench = Bench::new(more);
        for prefix in above {
            bench.run(&["prefix", "home", &format!("0.NA/0.NA/{prefix}")]).expect(0);
        }
        if !records.is_empty() {
            let file = bench.put("records.jsonl", records.join("\n") + "\n");
            bench.run(&["import", text(&file), "--home"]).expect(0);
        }
        let daemon = bench.serve();
        Self { bench, daemon }
    }

    /// A node that resolves for this machine, beginning with `root`.
    #[track_caller]
    pub fn recursive(root: &Self, more: &str) -> Self {
        let roots = root.daemon.address("udp");
        // UDP and TCP of the root are on ports of their own; one of them is enough to begin with.
        let settings = format!(
            "recursion.sources = [\"127.0.0.0/8\"]\nrecursion.roots = [\"{roots}\"]\nrecursion.private_servers = true\n{more}"
        );
        Self::start(&settings, &[], &[])
    }

    /// The HS_SITE data it announces for a prefix it serves, in hexadecimal.
    #[track_caller]
    pub fn site(&self, prefix: &str) -> String {
        let asked = self.ask(prefix, &["--type", "HS_SITE"]).expect(0);
        let answer = asked.json().pop().expect("a line");
        answer["values"][0]["data"]["value"].as_str().expect("bytes in hexadecimal").to_owned()
    }

    /// The HS_SITE data it says of itself (operation 2), asked on a connection.
    #[track_caller]
    pub fn site_data(&self) -> Vec<u8> {
        let head = Head::request(1, OpFlags::NONE, u32::MAX >> 1);
        let request = RequestWriter::new(Vec::new(), head).site_info();
        let mut stream = TcpStream::connect(self.daemon.address("tcp")).expect("the door is open");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.write_all(&request).expect("it is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it is answered, and the connection closed");
        let response = Response::parse(&answer, ResponseLimits::WHOLE_MESSAGE).expect("an answer");
        match response.body {
            ResponseBody::SiteInfo { site } => site.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    /// Asks it over UDP; the answer as JSON on standard output.
    #[track_caller]
    pub fn ask(&self, handle: &str, more: &[&str]) -> Ended {
        self.ask_over("udp", handle, more)
    }

    /// Asks it over a transport.
    #[track_caller]
    pub fn ask_over(&self, scheme: &str, handle: &str, more: &[&str]) -> Ended {
        let url = self.daemon.url(scheme);
        let mut words = vec!["resolve", handle, "--server", &url, "--json", "--timeout", "60000"];
        let pin = self.daemon.pin();
        if scheme == "quic" {
            words.extend(["--pin", &pin]);
        }
        words.extend(more);
        run(tool(words))
    }

    /// Runs a command as its operator.
    #[track_caller]
    pub fn operate(&self, words: &[&str]) -> Ended {
        run(self.daemon.tool(words, &self.bench.data().join("operator-token")))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("test folders have plain names")
}
