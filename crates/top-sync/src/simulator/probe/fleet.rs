//! The probers: they ask, and note what they found. What that means is in [`rule`](super::rule).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use waymark_client::{Client, Options, Server, Transport};
use waymark_wire::limits::ResponseLimits;
use waymark_wire::request::RequestWriter;
use waymark_wire::response::Response;
use waymark_wire::{Head, OpFlags, ResponseCode};

use super::{Door, Family, Probes, RouteDoor, Sample, Target};
use crate::check::Set;
use crate::simulator::config::{PROBED_NODES, ROUTE_ROWS};
use crate::simulator::ledger::After;
use crate::simulator::{Shared, begun};

/// The service whose health is asked for: writing identifiers.
const REGISTRATION: &str = "waymark.registration.v1.Registration";

/// Suffix of the name that is asked for. Nobody need have registered it.
const SUFFIX: &str = "0.PROBE";

/// Asks until stopping begins.
pub(in crate::simulator) async fn run(shared: Arc<Shared>, probes: Arc<Probes>, mut stopping: watch::Receiver<bool>) {
    let mut probers = JoinSet::new();
    probers.spawn(follow_routes(Arc::clone(&shared), Arc::clone(&probes)));
    for number in 0..probes.fleet.probers {
        probers.spawn(prober(Arc::clone(&shared), Arc::clone(&probes), number));
    }
    begun(&mut stopping).await;
    probers.shutdown().await;
}

/// One prober. They begin one after the other, so that a window is filled evenly.
async fn prober(shared: Arc<Shared>, probes: Arc<Probes>, number: u32) {
    let fleet = probes.fleet;
    tokio::time::sleep(fleet.every.mul_f64(f64::from(number) / f64::from(fleet.probers.max(1)))).await;
    let mut turn = interval(fleet.every);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let mut asking = JoinSet::new();
        for target in probes.targets() {
            let (shared, probes) = (Arc::clone(&shared), Arc::clone(&probes));
            asking.spawn(async move {
                let Target { node, family, routes, doors } = target;
                let (resolution, registration) = tokio::join!(
                    timeout(fleet.patience, resolves(&node, &routes, fleet.patience)),
                    timeout(fleet.patience, registers(&doors)),
                );
                let resolution = (!routes.is_empty()).then_some(resolution.unwrap_or(false));
                let registration = (!doors.is_empty()).then_some(registration.unwrap_or(false));
                probes.note(&node, Sample { at: (shared.clock)(), family, resolution, registration });
            });
        }
        while asking.join_next().await.is_some() {}
    }
}

/// Whether one of the addresses answers for the node's prefix.
async fn resolves(node: &str, routes: &[RouteDoor], patience: Duration) -> bool {
    let head = Head::request(0, OpFlags::USUAL, u32::MAX >> 1);
    let name = format!("{node}/{SUFFIX}");
    let request = RequestWriter::new(Vec::new(), head).resolution(name.as_bytes(), &[], &[], None);
    let client = Client::new(Options { order: vec![Transport::Udp, Transport::Tcp], ..Options::default() });
    for route in routes {
        let server = Server { udp: route.udp, tcp: route.tcp, ..Server::default() };
        let Ok(answer) = client.ask(&server, &request, patience).await else { continue };
        let Ok(response) = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE) else { continue };
        // It answers for its prefix where it gives values or says that there are none. That it is too busy, failed, or answers for others is no service.
        if [ResponseCode::SUCCESS, ResponseCode::HANDLE_NOT_FOUND, ResponseCode::VALUES_NOT_FOUND]
            .contains(&response.code)
        {
            return true;
        }
    }
    false
}

/// Whether one of the addresses takes registrations.
async fn registers(doors: &[Door]) -> bool {
    for door in doors {
        let Ok(channel) = door.endpoint.channel() else { continue };
        let request = HealthCheckRequest { service: REGISTRATION.to_owned() };
        let answered = HealthClient::new(channel).check(request).await;
        if answered.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving) {
            return true;
        }
    }
    false
}

/// Keeps up with the addresses nodes tell.
async fn follow_routes(shared: Arc<Shared>, probes: Arc<Probes>) {
    let mut turn = interval(probes.fleet.every);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        let reading = Arc::clone(&shared);
        let Ok(told) = tokio::task::spawn_blocking(move || read_routes(&reading)).await else { return };
        for (node, routes) in told {
            probes.routes(&node, routes);
        }
    }
}

fn read_routes(shared: &Shared) -> Vec<(String, Vec<RouteDoor>)> {
    let nodes = shared.ledgers.nodes().into_iter().take(PROBED_NODES);
    let of = |node: String| {
        let (rows, _) = shared.ledgers.held(&node, Set::T2, After::default(), ROUTE_ROWS).ok()?;
        let is_own = |content: &Value| {
            let prefix = content.get("prefix").and_then(Value::as_str);
            prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(&node))
        };
        let own = rows.iter().filter(|row| is_own(&row.content));
        let routes = own.filter_map(|row| row.content.get("routes")?.as_array());
        let routes = routes.flatten().filter_map(route).collect();
        Some((node, routes))
    };
    nodes.filter_map(of).collect()
}

/// A route as the row of T2 tells it.
fn route(route: &Value) -> Option<RouteDoor> {
    let ip: IpAddr = route.get("ip")?.as_str()?.parse().ok()?;
    let port = |name: &str| {
        let port = u16::try_from(route.get(name)?.as_u64()?).ok()?;
        Some(SocketAddr::new(ip, port))
    };
    let family = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
    let door = RouteDoor { family, udp: port("udp"), tcp: port("tcp") };
    (door.udp.is_some() || door.tcp.is_some()).then_some(door)
}
