//! Prefix, site, server, answer.

use crate::scene::{Scene, fact_of, found};
use crate::world::{ROOTS, World, value};

/// Roots, and a service of two sites, the first of two servers, for the handles of 88.1.
fn two_levels() -> (Scene, usize) {
    let mut world = World::new(&[1, 1]);
    world.services[ROOTS].derived.insert(Vec::new());
    let node = world.add(&[2, 1]);
    world.delegate(ROOTS, b"88.1", node);
    world.put(node, b"88.1/a", vec![value(1, b"URL", b"http://a")]);
    (Scene::new(world), node)
}

/// "0.NA/prefix -> HS_SITE -> the site's server by request hash -> answer."
#[test]
fn the_prefix_record_says_whom_to_ask() {
    let (mut scene, _) = two_levels();
    let conclusion = scene.ask("88.1/a");
    assert_eq!(*found(&conclusion), fact_of(&[value(1, b"URL", b"http://a")]));
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "88.1/a"]);
    let expected = scene.world.place(scene.sent[1].server).0;
    assert_eq!(expected, 1);
}
