//! The standard health service: serving while writes have a chance. Reads go on in every state.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::health_reporter;

use crate::edge::Edge;

/// How often the state of the catalog is looked at: what asks for health does so every few seconds.
const LOOK: Duration = Duration::from_millis(500);

/// Services whose health is told: all of the node (the empty name), and writing identifiers.
const NAMES: [&str; 2] = ["", "waymark.registration.v1.Registration"];

/// The service, and the task that keeps it up to date until the door stops.
pub(crate) fn service(edge: &Arc<Edge>) -> (HealthServer<impl Health>, impl Future<Output = ()> + Send + use<>) {
    let (reporter, service) = health_reporter();
    let edge = Arc::clone(edge);
    let reporting = async move {
        let mut stopping = edge.stopping.clone();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stops = tokio::select! {
                () = stopping.begun() => true,
                _ = look.tick() => false,
            };
            let serving = !stops && edge.catalog.health().writable;
            let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
            for name in NAMES {
                reporter.set_service_status(name, status).await;
            }
            if stops {
                return;
            }
        }
    };
    (service, reporting)
}
