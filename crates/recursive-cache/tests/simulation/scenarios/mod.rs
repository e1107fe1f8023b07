//! One rule each, quoted from the protocol page or the plan's own rules. A scenario fails when its rule is taken out of the plan.

mod answers;
mod flags;
mod limits;
mod trust;
mod walk;

use waymark_recursive_cache::knowledge::{Scope, What};
use waymark_recursive_cache::plan::{Conclusion, Why};
use waymark_wire::{ResponseCode, ValueBuf};

use crate::scene::Scene;
use crate::world::{ROOTS, Said, ServiceId, Signer, World, value, write};

/// Roots of two sites, and a service for the handles of 88.1: a site of two servers and one of a single server.
fn two_levels() -> (Scene, ServiceId) {
    let mut world = World::new(&[1, 1]);
    let node = world.add(&[2, 1]);
    world.delegate(ROOTS, b"88.1", node);
    world.put(node, b"88.1/a", url("a"));
    (Scene::new(world), node)
}

/// Roots, a service for the records of prefixes derived from 88, and beneath it one for the handles of 88.1.
fn three_levels() -> (Scene, ServiceId, ServiceId) {
    let mut world = World::new(&[1]);
    let (middle, node) = (world.add(&[1]), world.add(&[1]));
    world.delegate_derived(ROOTS, b"88", middle);
    world.delegate(middle, b"88.1", node);
    world.put(node, b"88.1/a", url("a"));
    (Scene::new(world), middle, node)
}

/// A record with a web address.
fn url(data: &str) -> Vec<ValueBuf> {
    vec![value(1, b"URL", data.as_bytes())]
}

/// The message with which a server says something, unsigned.
fn say(request: &[u8], said: &Said) -> Option<Vec<u8>> {
    Some(write(request, said, true, &Signer(None)))
}

/// Prefix and scope of each service that was learned.
fn learned_services(scene: &Scene) -> Vec<(String, Scope)> {
    let service = |what: &What| match what {
        What::Service { prefix, scope, .. } => Some((crate::scene::text(prefix), *scope)),
        _ => None,
    };
    scene.learned.iter().filter_map(|learned| service(&learned.what)).collect()
}

/// Why a question found nobody.
#[track_caller]
fn why(conclusion: &Conclusion) -> Why {
    match conclusion {
        Conclusion::Unreachable { why, .. } => *why,
        other => panic!("{other:?}"),
    }
}

const BUSY: Said = Said::Code(ResponseCode::SERVER_TOO_BUSY);
