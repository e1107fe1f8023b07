//! Killed between any two steps: before a command leaves, behind its being carried out, behind its answer being noted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use waymark_top_sync::epp::driver::transport::{Exchanged, HttpTransport, Transport};
use waymark_top_sync::simulator::epp::{EppSimulator, Ruling};
use zeroize::Zeroizing;

use crate::link::{Link, assert_equal, driver, simulator, transport, until};
use crate::node::Node;

/// Where a kill strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    /// The command is noted, and never leaves.
    BeforeSending,
    /// It was carried out, and the answer is not read.
    BeforeReading,
    /// The answer is noted, and nothing after it happens.
    BehindNoting,
}

/// A transport that is struck at one command: it never comes back from it.
struct Struck {
    inner: HttpTransport,
    strike: Strike,
    left: Arc<AtomicUsize>,
}

impl Transport for Struck {
    fn send(&self, command: Zeroizing<Vec<u8>>) -> Exchanged<'_> {
        Box::pin(async move {
            let is_last = self.left.fetch_sub(1, Ordering::Relaxed) == 1;
            if is_last && self.strike == Strike::BeforeSending {
                return std::future::pending().await;
            }
            let answer = self.inner.send(command).await;
            if is_last && self.strike == Strike::BeforeReading { std::future::pending().await } else { answer }
        })
    }
}

fn fill(node: &Node, simulator: &EppSimulator) {
    simulator.script(|script| {
        script.enterprises = Ruling::Later { polls: 1, passed: true, reason: String::new() };
        let later = |polls, passed| Ruling::Later { polls, passed, reason: "said".into() };
        script.named.insert("88.104.2".into(), later(1, true));
        script.named.insert("88.104.3".into(), later(1, false));
    });
    let enterprise = node.enterprise(1);
    for prefix in ["88.104.1", "88.104.2", "88.104.3"] {
        node.approve(enterprise, prefix);
    }
}

/// Runs up to a command and kills there; `false` when everything was done before.
async fn killed_at(node: &Node, dir: &std::path::Path, simulator: &EppSimulator, at: usize, strike: Strike) -> bool {
    let left = Arc::new(AtomicUsize::new(at));
    let struck = Struck { inner: transport(&simulator.url(), None), strike, left: Arc::clone(&left) };
    let mut driver = driver(node, dir, Box::new(struck));
    loop {
        let is_struck = || left.load(Ordering::Relaxed) == 0;
        tokio::select! {
            wait = driver.step() => match wait.unwrap() {
                _ if is_struck() => return true,
                Some(_) if node.awaits_nothing() && simulator.holdings().messages == 0 => return false,
                Some(wait) => tokio::time::sleep(wait.min(std::time::Duration::from_millis(20))).await,
                None => {}
            },
            () = until("the strike, or a step", is_struck) => {
                // The step hangs in the command that was struck: wait until it was carried out, where it is to be.
                if strike == Strike::BeforeReading {
                    let seen = simulator.seen().len();
                    let _ = tokio::time::timeout(std::time::Duration::from_millis(100), async {
                        while simulator.seen().len() == seen { tokio::task::yield_now().await; }
                    }).await;
                }
                return true;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_is_killed_both_sides_come_to_the_same() {
    for strike in [Strike::BeforeSending, Strike::BeforeReading, Strike::BehindNoting] {
        for at in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let (node, simulator) = (Node::open(dir.path()), simulator().await);
            fill(&node, &simulator);
            let was_killed = killed_at(&node, dir.path(), &simulator, at, strike).await;
            let link = Link::start(&node, dir.path(), &simulator);
            until("all decided", || node.awaits_nothing()).await;
            until("all acknowledged", || simulator.holdings().messages == 0).await;
            assert_equal(&node, &simulator);
            link.stop().await;
            if !was_killed {
                assert!(at > 10, "a run has more than ten commands, this one had {at}");
                break;
            }
        }
    }
}
