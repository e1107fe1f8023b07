//! Probes as a top-level node makes them, from as many places as there are probers, and the rule by which it takes over.
//!
//! Each prober asks each node at each interval, over both address families apart: *resolution* over the binary protocol, at the addresses the node told
//! in set T2, for a name of the node's own prefix (that there is no such name is an answer); and *registration*, the standard health service, at the
//! addresses its operator entered where the node above keeps those (the guide names no set that tells them). Each asks over connections of its own, as
//! probers in different places do. A node that told no address in a family is not probed there.
//!
//! How often a real top-level node asks, and over how long it counts, is not public; the share of 51 % is (requirement ESC-2).

mod fleet;
mod rule;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use waymark_catalog::Timestamp;
use waymark_client::registration::{Endpoint, GrpcUrl, ServerTrust};

pub(super) use fleet::run;
pub use rule::{Counts, Family, Gauge, Rule, Sample, Share, Standing, State};

use super::config::{PROBED_NODES, REGISTRATION_DOORS};

/// How probes are made.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// How many probers there are.
    pub probers: u32,
    /// How often each asks.
    pub every: Duration,
    /// How long an answer may take.
    pub patience: Duration,
    /// When a node is out of service.
    pub rule: Rule,
}

/// Where a node takes registrations, as its operator told the node above.
#[derive(Clone, Debug)]
struct Door {
    family: Family,
    endpoint: Endpoint,
}

/// Where a node answers, in one family.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RouteDoor {
    family: Family,
    udp: Option<SocketAddr>,
    tcp: Option<SocketAddr>,
}

/// One node that is probed.
#[derive(Debug, Default)]
struct Probed {
    routes: Vec<RouteDoor>,
    doors: Vec<Door>,
    gauge: Option<Gauge>,
}

/// The probes of all nodes.
#[derive(Debug)]
pub struct Probes {
    fleet: Fleet,
    nodes: Mutex<BTreeMap<String, Probed>>,
}

/// Why registration addresses are not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// Not the JSON it should be.
    #[error(
        "the body is {{\"registration\": {{\"88.990\": [{{\"url\": \"grpcs://192.0.2.1:2643\", \"pin\": SHA-256 of its certificate}}]}}}}"
    )]
    Form(#[source] serde_json::Error),
    /// An address that cannot be asked.
    #[error(
        "{url} cannot be asked: it is grpc:// or grpcs:// with an address, not a name, and a certificate to believe where it is encrypted"
    )]
    Address {
        /// What was given.
        url: String,
    },
    /// Too many.
    #[error("more than {PROBED_NODES} nodes, or {REGISTRATION_DOORS} addresses of one")]
    Many,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    registration: BTreeMap<String, Vec<ToldDoor>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToldDoor {
    url: String,
    pin: Option<String>,
}

impl Probes {
    /// Probes that are to be made; nobody is probed yet.
    #[must_use]
    pub fn new(fleet: Fleet) -> Self {
        Self { fleet, nodes: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Probed>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes where nodes take registrations, from JSON; it replaces what was noted of them.
    ///
    /// # Errors
    /// See [`DoorError`]; nothing is noted then.
    pub fn tell(&self, json: &[u8]) -> Result<(), DoorError> {
        let told: Told = serde_json::from_slice(json).map_err(DoorError::Form)?;
        let mut all = Vec::new();
        for (node, doors) in told.registration {
            if doors.len() > REGISTRATION_DOORS {
                return Err(DoorError::Many);
            }
            let doors: Result<Vec<_>, _> = doors.into_iter().map(Door::read).collect();
            all.push((node, doors?));
        }
        let mut nodes = self.lock();
        for (node, doors) in all {
            if !nodes.contains_key(&node) && nodes.len() >= PROBED_NODES {
                return Err(DoorError::Many);
            }
            nodes.entry(node).or_default().doors = doors;
        }
        Ok(())
    }

    /// How a node stands; `None` where it is not probed.
    #[must_use]
    pub fn standing(&self, node: &str, now: Timestamp) -> Option<Standing> {
        let mut nodes = self.lock();
        Some(nodes.get_mut(node)?.gauge.as_mut()?.judge(now))
    }

    /// Notes where a node answers.
    fn routes(&self, node: &str, routes: Vec<RouteDoor>) {
        let mut nodes = self.lock();
        if nodes.contains_key(node) || nodes.len() < PROBED_NODES {
            nodes.entry(node.to_owned()).or_default().routes = routes;
        }
    }

    /// What is to be asked: each node in each family it told.
    fn targets(&self) -> Vec<Target> {
        let nodes = self.lock();
        let of = |(node, probed): (&String, &Probed)| {
            [Family::V4, Family::V6].map(|family| Target {
                node: node.clone(),
                family,
                routes: probed.routes.iter().filter(|route| route.family == family).cloned().collect(),
                doors: probed.doors.iter().filter(|door| door.family == family).cloned().collect(),
            })
        };
        nodes.iter().flat_map(of).filter(|target| !target.routes.is_empty() || !target.doors.is_empty()).collect()
    }

    fn note(&self, node: &str, sample: Sample) {
        if let Some(probed) = self.lock().get_mut(node) {
            probed.gauge.get_or_insert_with(|| Gauge::new(self.fleet.rule)).note(sample);
        }
    }

    /// Everything, as the page shows it.
    pub(super) fn page(&self, now: Timestamp) -> Value {
        let Fleet { probers, every, rule, .. } = self.fleet;
        let mut nodes = self.lock();
        let nodes = nodes.iter_mut().map(|(node, probed)| {
            let standing = probed.gauge.as_mut().map(|gauge| gauge.judge(now)).unwrap_or_default();
            let families = standing.share.families.iter().map(|(family, counts)| {
                json!({
                    "family": family.number(), "probes": counts.probes, "unavailable": counts.unavailable,
                    "resolution_unavailable": counts.resolution, "registration_unavailable": counts.registration,
                })
            });
            let all = standing.share.all();
            json!({
                "node": node, "state": standing.state.as_str(), "since_ms": standing.since.map(|since| since.0),
                "probes": all.probes, "unavailable": all.unavailable, "percent": all.percent(),
                "families": families.collect::<Vec<_>>(),
                "resolution_told": probed.routes.len(), "registration_told": probed.doors.len(),
            })
        });
        json!({
            "probers": probers, "every_ms": ms(every), "window_ms": ms(rule.window), "due_percent": rule.due_percent,
            "ends_percent": rule.ends_percent, "nodes": nodes.collect::<Vec<_>>(),
        })
    }
}

/// One node in one family.
#[derive(Clone, Debug)]
struct Target {
    node: String,
    family: Family,
    routes: Vec<RouteDoor>,
    doors: Vec<Door>,
}

impl Door {
    fn read(told: ToldDoor) -> Result<Self, DoorError> {
        let ToldDoor { url, pin } = told;
        let wrong = || DoorError::Address { url: url.clone() };
        let parsed: GrpcUrl = url.parse().map_err(|_| wrong())?;
        let address: std::net::IpAddr = parsed.host.parse().map_err(|_| wrong())?;
        let trust = match pin {
            Some(pin) => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(&pin, &mut bytes).map_err(|_| wrong())?;
                Some(ServerTrust::Pin(bytes))
            }
            None => None,
        };
        if parsed.is_encrypted != trust.is_some() {
            return Err(wrong());
        }
        let family = if address.is_ipv4() { Family::V4 } else { Family::V6 };
        Ok(Self { family, endpoint: Endpoint { trust, ..Endpoint::new(parsed) } })
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probes() -> Probes {
        let second = Duration::from_secs(1);
        Probes::new(Fleet { probers: 1, every: second, patience: second, rule: Rule::default() })
    }

    #[test]
    fn registration_addresses_are_of_one_family_and_say_whom_to_believe() {
        let probes = probes();
        let pin = "ab".repeat(32);
        let told = format!(
            r#"{{"registration":{{"88.990":[{{"url":"grpcs://192.0.2.1:2643","pin":"{pin}"}},{{"url":"grpc://[::1]:2643"}}]}}}}"#
        );
        probes.tell(told.as_bytes()).unwrap();
        let families: Vec<_> = probes.targets().iter().map(|target| (target.family, target.doors.len())).collect();
        assert_eq!(families, [(Family::V4, 1), (Family::V6, 1)]);
        for wrong in [
            r#"{"registration":{"88.990":[{"url":"grpcs://192.0.2.1:2643"}]}}"#,
            r#"{"registration":{"88.990":[{"url":"grpc://node.example:2643"}]}}"#,
            r#"{"registration":{"88.990":[{"url":"grpc://192.0.2.1:2643","pin":"ab"}]}}"#,
            r#"{"registration":{"88.990":[{"url":"http://192.0.2.1:2643"}]}}"#,
            r#"{"doors":{}}"#,
            "",
        ] {
            assert!(probes.tell(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(probes.targets().len(), 2, "what was noted stays");
    }

    #[test]
    fn a_family_that_was_not_told_is_not_probed() {
        let probes = probes();
        let route = RouteDoor { family: Family::V6, udp: Some("[::1]:2641".parse().unwrap()), tcp: None };
        probes.routes("88.990", vec![route]);
        let targets = probes.targets();
        assert_eq!((targets.len(), targets[0].family), (1, Family::V6));
        assert!(probes.standing("88.990", Timestamp(0)).is_none(), "no probe was made yet");
    }
}
