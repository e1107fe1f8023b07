//! The top-level node's own resolution: whoever asks for a prefix is told the sites of the node that answers for it.
//!
//! It is a node as `waymarkd` runs one, small, without registration. What it holds of a prefix is what the node told in sets T2 (its own routes) and T7
//! (those of enterprises), in both address families: HS_SITE for the identifiers, HS_SITE.PREFIX for the records of prefixes derived from it. `88.990`
//! and `0.NA/88.990` are one record. While a node is taken over, the emergency node stands in the place of its routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use waymark_catalog::{Actor, Command, HomeName, PutMode, Submission, Timestamps, ValueSet};
use waymark_ident::{Handle, parent_prefix};
use waymark_top_sync::check::Set;
use waymark_top_sync::simulator::{Observed, ledger::After};
use waymark_wire::{
    ValueBuf,
    types::{Interface, InterfaceKind, InterfaceProtocol, ServerBuf, SiteBuf, SiteFlags},
};

use crate::{
    config::{Config, schema},
    daemon::Node,
    demo::registering::failed,
    listen::Listening,
    problem::Problem,
};

/// How often it is looked whether a node told something else.
const LOOK: Duration = Duration::from_millis(250);

/// Rows of routes of one page, and in all: the mean node has some hundreds of enterprises.
const PAGE: usize = 1_000;
const ROWS: usize = 1_000_000;

/// Index of the first HS_SITE.PREFIX: behind the most routes a row has.
const DERIVED: u32 = 101;

/// How long resolvers may keep where a prefix is, in seconds: short, since a takeover changes it.
const TTL_SECONDS: i32 = 60;

/// An address and ports of the binary protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) ip: IpAddr,
    pub(super) udp: Option<u16>,
    pub(super) tcp: Option<u16>,
}

/// The node that stands in for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Emergency {
    /// For whom.
    pub(super) node: String,
    /// Where it answers.
    pub(super) routes: Vec<Route>,
}

/// Routes by prefix.
type Routes = BTreeMap<String, Vec<Route>>;

/// The resolution of a top-level node.
#[derive(Debug)]
pub(super) struct Resolution {
    node: Node,
    /// What is written of each prefix.
    written: Mutex<Routes>,
}

impl Resolution {
    /// Opens its data folder, or makes it, and its doors.
    ///
    /// # Errors
    /// Either cannot be opened.
    pub(super) async fn start(data: &Path, listen: SocketAddr) -> Result<Self, Problem> {
        let mut config = Config::defaults();
        let list = |addresses: Vec<String>| schema::Value::List(addresses);
        for key in ["listen.udp", "listen.tcp"] {
            config.set(key, list(vec![listen.to_string()]));
        }
        for key in ["listen.quic", "listen.http", "listen.grpc", "listen.api"] {
            config.set(key, list(Vec::new()));
        }
        config.set("node.data", schema::Value::Text(data.display().to_string()));
        config.set("site.description", schema::Value::Text("top-level node for tests".to_owned()));
        config.set("store.segment_mib", schema::Value::Number(4));
        let node = Node::start(&config, data).await?;
        Ok(Self { node, written: Mutex::default() })
    }

    pub(super) fn listening(&self) -> &Listening {
        self.node.listening()
    }

    /// Closes it.
    ///
    /// # Errors
    /// It could not be closed in order.
    pub(super) async fn stop(self) -> Result<(), Problem> {
        self.node.stop(std::future::pending()).await
    }

    /// Keeps up with what nodes tell and who stands in for whom, until it is told to stop.
    pub(super) async fn follow(
        self: Arc<Self>,
        observed: Observed,
        mut emergency: watch::Receiver<Option<Emergency>>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut turn = interval(LOOK);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = None;
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stops| *stops) => return,
                _ = turn.tick() => {}
            }
            let instead = emergency.borrow_and_update().clone();
            let state = (sequences(&observed), instead.clone());
            if seen.as_ref() == Some(&state) {
                continue;
            }
            let (own, observed) = (Arc::clone(&self), observed.clone());
            let written = tokio::task::spawn_blocking(move || own.write(&wanted(&observed, instead.as_ref())?));
            match written.await {
                Ok(Ok(())) => seen = Some(state),
                Ok(Err(problem)) => tracing::error!(%problem, "routes could not be kept up with"),
                Err(_) => return,
            }
        }
    }

    /// Writes what differs from what is written. Blocks.
    fn write(&self, wanted: &Routes) -> Result<(), Problem> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mut commands = Vec::new();
        let gone = written.keys().filter(|prefix| !wanted.contains_key(*prefix));
        commands.extend(gone.map(|prefix| Command::Delete { handle: record(prefix).into_bytes() }));
        let changed = wanted.iter().filter(|(prefix, routes)| written.get(*prefix) != Some(*routes));
        let mut homes = BTreeSet::new();
        for (prefix, routes) in changed {
            // The record of a prefix is one of those derived from the prefix above it.
            homes.extend(parent_prefix(prefix.as_bytes()).map(|above| [b"0.NA/0.NA/", above].concat()));
            let values = ValueSet::from_bufs(&values(routes)).map_err(|cause| failed(&cause))?;
            let (timestamps, mode) = (Timestamps::Now, PutMode::Replace);
            commands.push(Command::Put { handle: record(prefix).into_bytes(), values, timestamps, mode });
        }
        let homes = homes.iter().filter_map(|name| HomeName::parse(name).ok());
        let missing: Vec<Command> = homes.map(|name| Command::Home { name }).collect();
        for (commands, may_be_refused) in [(missing, true), (commands, false)] {
            if commands.is_empty() {
                continue;
            }
            let submission = Submission::new(&Actor::operator(), commands);
            let submitted =
                self.node.catalog().writer().submit_when_room(submission).map_err(|cause| failed(&cause))?;
            let results = submitted.wait().map_err(|cause| failed(&cause))?;
            if let Some(refusal) = results.into_iter().find_map(Result::err).filter(|_| !may_be_refused) {
                tracing::warn!(%refusal, "a route was not taken");
            }
        }
        written.clone_from(wanted);
        Ok(())
    }
}

fn record(prefix: &str) -> String {
    format!("0.NA/{prefix}")
}

/// How far each node told its routes.
fn sequences(observed: &Observed) -> Vec<(String, u64, u64)> {
    let of = |node: String| {
        let status = observed.ledgers().status(&node);
        let of = |set| status.iter().find(|status| status.set == set).map_or(0, |status| status.sequence);
        (node, of(Set::T2), of(Set::T7))
    };
    observed.ledgers().nodes().into_iter().map(of).collect()
}

/// What is to be written: what nodes told, and in the place of one that is taken over the emergency node. Enterprises that answer for themselves go on
/// doing so: a prefix is taken over where its routes are the node's own. Blocks.
fn wanted(observed: &Observed, instead: Option<&Emergency>) -> Result<Routes, Problem> {
    let mut all = Routes::new();
    for node in observed.ledgers().nodes() {
        let own = told(observed, &node, Set::T2)?;
        let below = told(observed, &node, Set::T7)?;
        let replaced = instead.filter(|emergency| emergency.node.eq_ignore_ascii_case(&node));
        let addresses: BTreeSet<Route> = own.values().flatten().cloned().collect();
        for (prefix, routes) in below.into_iter().chain(own) {
            let is_own = routes.iter().any(|route| addresses.contains(route));
            let routes = replaced.filter(|_| is_own).map_or(routes, |emergency| emergency.routes.clone());
            all.insert(prefix, routes);
        }
    }
    Ok(all)
}

fn told(observed: &Observed, node: &str, set: Set) -> Result<Routes, Problem> {
    let (mut routes, mut after, mut count) = (Routes::new(), After::default(), 0);
    loop {
        let (rows, next) = observed.ledgers().held(node, set, after, PAGE).map_err(|cause| failed(&cause))?;
        count += rows.len();
        for row in rows {
            let is_handle = row.content.get("code_type").and_then(Value::as_str) == Some("Handle");
            let prefix = row.content.get("prefix").and_then(Value::as_str).map(str::to_ascii_uppercase);
            let Some(prefix) = prefix.filter(|prefix| is_handle && is_bare(prefix)) else { continue };
            let told = row.content.get("routes").and_then(Value::as_array).into_iter().flatten();
            let told: Vec<Route> = told.filter_map(route).collect();
            if !told.is_empty() {
                routes.insert(prefix, told);
            }
        }
        match next {
            Some(next) if count < ROWS => after = next,
            _ => return Ok(routes),
        }
    }
}

fn is_bare(prefix: &str) -> bool {
    Handle::new(prefix.as_bytes()).is_ok_and(|handle| handle.is_bare())
}

fn route(told: &Value) -> Option<Route> {
    let port = |name: &str| told.get(name).and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let ip = told.get("ip").and_then(Value::as_str)?.parse().ok()?;
    let route = Route { ip, udp: port("udp"), tcp: port("tcp") };
    (route.udp.is_some() || route.tcp.is_some()).then_some(route)
}

/// The record of a prefix: a site for each address, IPv4 first, since clients take the first.
fn values(routes: &[Route]) -> Vec<ValueBuf> {
    let (v4, v6): (Vec<&Route>, Vec<&Route>) = routes.iter().partition(|route| route.ip.is_ipv4());
    let sites: Vec<Vec<u8>> = v4.into_iter().chain(v6).map(site).collect();
    let value = |index, kind: &[u8], data: &[u8]| {
        let ttl = waymark_wire::Ttl::Relative(TTL_SECONDS);
        ValueBuf { ttl, ..ValueBuf::new(index, kind, data) }
    };
    let own = (1..).zip(&sites).map(|(index, site)| value(index, b"HS_SITE", site));
    let derived = (DERIVED..).zip(&sites).map(|(index, site)| value(index, b"HS_SITE.PREFIX", site));
    own.chain(derived).collect()
}

fn site(route: &Route) -> Vec<u8> {
    let interface =
        |port: Option<u16>, kind, protocol| port.map(|port| Interface { kind, protocol, port: u32::from(port) });
    let interfaces = [
        interface(route.udp, InterfaceKind::QUERY, InterfaceProtocol::UDP),
        interface(route.tcp, InterfaceKind::ADMIN_AND_QUERY, InterfaceProtocol::TCP),
    ];
    let interfaces = interfaces.into_iter().flatten().collect();
    let server = ServerBuf { id: 1, address: route.ip.into(), public_key: Vec::new(), interfaces };
    let site = SiteBuf { serial: 1, flags: SiteFlags::PRIMARY, servers: vec![server], ..SiteBuf::default() };
    let mut data = Vec::new();
    site.encode(&mut data);
    data
}

#[cfg(test)]
mod tests {
    use waymark_wire::types::Site;

    use super::*;

    #[test]
    fn each_address_is_a_site_of_its_own_with_ipv4_first() {
        let route = |ip: &str, udp, tcp| Route { ip: ip.parse().unwrap(), udp, tcp };
        let values = values(&[route("::1", Some(1), None), route("192.0.2.1", Some(2641), Some(2642))]);
        let kinds: Vec<_> = values.iter().map(|value| (value.index, value.kind.as_slice())).collect();
        let wanted: [(u32, &[u8]); 4] =
            [(1, b"HS_SITE"), (2, b"HS_SITE"), (101, b"HS_SITE.PREFIX"), (102, b"HS_SITE.PREFIX")];
        assert_eq!(kinds, wanted);
        let first = Site::parse(&values[0].data).unwrap();
        let server = first.servers.iter().next().unwrap();
        assert_eq!(server.address.ip(), "192.0.2.1".parse::<IpAddr>().unwrap());
        let ports: Vec<u32> = server.interfaces.iter().map(|interface| interface.port).collect();
        assert_eq!(ports, [2641, 2642]);
    }

    #[test]
    fn a_route_without_a_port_of_the_protocol_is_none() {
        let told = |text: &str| route(&serde_json::from_str(text).unwrap());
        assert!(told(r#"{"ip":"192.0.2.1","udp":null,"tcp":null,"http":80}"#).is_none());
        assert!(told(r#"{"ip":"x","udp":1}"#).is_none());
        assert_eq!(told(r#"{"ip":"192.0.2.1","udp":70000,"tcp":2}"#).unwrap().udp, None);
    }
}
