//! What the node above is told by the nodes of the topology: their routes, the enterprise, and where its prefix is answered for.

use std::net::SocketAddr;

use serde_json::Value;
use waymark_api::operator::v1::{self as operator, step_request::Step};
use waymark_client::registration::Registrar;

use super::{
    business::give_out,
    registering::{Checks, failed, say},
};
use crate::{
    problem::Problem,
    process::Process,
    texts::Texts,
    top_process::{TopNode, until},
};

/// The prefix of the enterprise.
pub(super) const ENTERPRISE: &str = "88.990.10001";

/// The prefixes of the secondary nodes.
pub(super) const SECONDARY: &str = "88.990";
pub(super) const OTHER: &str = "88.991";

/// The settings that dock a node with the one above.
pub(super) fn settings(prefix: &str, above: &TopNode) -> String {
    format!("\n[sync]\nprefix = \"{prefix}\"\nserver = \"{}\"\n", above.grpc)
}

/// Gives the enterprise its prefix, for which its own node answers.
///
/// # Errors
/// A step is refused, or the node of the enterprise has no door.
pub(super) async fn delegate(secondary: &Registrar, enterprise: &Process) -> Result<(), Problem> {
    let listening = enterprise.listening();
    let port = |addresses: &[SocketAddr]| addresses.first().map_or(0, |address| u32::from(address.port()));
    let address = listening.udp.first().ok_or_else(|| failed(&"the node of the enterprise has no door"))?;
    let site = operator::OwnSite {
        ip: address.ip().to_string(),
        tcp_port: port(&listening.tcp),
        udp_port: port(&listening.udp),
        ..operator::OwnSite::default()
    };
    give_out(secondary, ENTERPRISE, Step::Delegate(operator::DelegateStep { sites: vec![site] })).await?;
    Ok(())
}

/// Waits for what is told, and shows it.
///
/// # Errors
/// The node above does not answer.
pub(super) async fn told(
    above: &TopNode,
    secondary: &Process,
    other: &Process,
    enterprise: &Process,
    texts: &Texts,
) -> Result<Checks, Problem> {
    let mut routes = true;
    for (prefix, node) in [(SECONDARY, secondary), (OTHER, other)] {
        routes &= until(|| is_routed(above, prefix, "T2", prefix, node)).await;
        show(above, prefix, "T2", texts).await?;
    }
    let known = until(|| knows_enterprise(above)).await;
    let placed = until(|| is_routed(above, SECONDARY, "T7", ENTERPRISE, enterprise)).await;
    show(above, SECONDARY, "T6", texts).await?;
    show(above, SECONDARY, "T7", texts).await?;
    let udp = enterprise.listening().udp.first().copied();
    let resolved = until(async || above.server_of(ENTERPRISE).await.is_some_and(|server| server.udp == udp)).await;
    Ok(vec![
        ("demo-check-told-routes", routes),
        ("demo-check-told-enterprise", known && placed),
        ("demo-check-told-resolved", resolved),
    ])
}

/// Rows the node above holds of a set of a node.
async fn rows(above: &TopNode, node: &str, set: &str) -> Result<Vec<Value>, Problem> {
    let page = above.page(&format!("/held/{set}?node={node}&limit=100")).await?;
    let rows = page.get("rows").and_then(Value::as_array).into_iter().flatten();
    Ok(rows.filter_map(|row| row.get("content").cloned()).collect())
}

/// Whether a prefix is known to be answered for where a node listens.
async fn is_routed(above: &TopNode, of: &str, set: &str, prefix: &str, node: &Process) -> bool {
    let rows = rows(above, of, set).await.unwrap_or_default();
    let (udp, tcp) = (node.listening().udp.first(), node.listening().tcp.first());
    let is = |route: &Value, name: &str, address: Option<&SocketAddr>| {
        route.get(name).and_then(Value::as_u64) == address.map(|address| u64::from(address.port()))
    };
    rows.iter().filter(|row| row.get("prefix").and_then(Value::as_str) == Some(prefix)).any(|row| {
        let routes = row.get("routes").and_then(Value::as_array);
        routes.into_iter().flatten().any(|route| is(route, "udp", udp) && is(route, "tcp", tcp))
    })
}

/// Whether the enterprise is known with its prefix.
async fn knows_enterprise(above: &TopNode) -> bool {
    let rows = rows(above, SECONDARY, "T6").await.unwrap_or_default();
    rows.iter().any(|row| {
        let prefixes = row.get("prefixes").and_then(Value::as_array);
        prefixes.into_iter().flatten().any(|prefix| prefix.as_str() == Some(ENTERPRISE))
    })
}

/// Shows what is held: of each row the fields that name it, nothing of people.
async fn show(above: &TopNode, node: &str, set: &str, texts: &Texts) -> Result<(), Problem> {
    for row in rows(above, node, set).await? {
        let fields = ["enterprise", "prefix", "prefixes", "routes"];
        let shown = fields.iter().filter_map(|name| Some(format!("{name} {}", row.get(*name)?)));
        let row = shown.collect::<Vec<_>>().join("  ");
        say(texts, "demo-topology-told", &[("set", set.to_owned()), ("node", node.to_owned()), ("row", row)]);
    }
    Ok(())
}
