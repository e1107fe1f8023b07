//! Item 12: floods of questions, of packets that are none, and of registrations: the node goes on answering.

use std::{net::UdpSocket, time::Duration};

use rand::RngExt as _;

use super::registering::{BATCH, FIRST, batch};
use super::stage::{Stage, text};
use super::tried::Item;

/// Packets that are none.
const MALFORMED: usize = 20_000;

/// Seconds of the flood of questions.
const SECONDS: &str = "4";

/// Questions asked beside the flood, and how many of them have to be answered.
const BESIDE: (usize, usize) = (10, 8);

/// Tries it.
pub(super) fn try_out(stage: &Stage) -> Item {
    Item::of_steps(12, |item| {
        let Some(server) = stage.door("udp", false) else {
            item.tell("query-flood", "questions over UDP", "the node does not listen there", false);
            return;
        };
        let file = batch(stage, "FLOOD", BATCH);
        let address = server.trim_start_matches("udp://").to_owned();
        std::thread::scope(|scope| {
            let flood = scope.spawn(|| {
                let pattern = "88.990.701/BATCH{:05}";
                let count = BATCH.to_string();
                stage.plain(&[
                    "load",
                    "--server",
                    &server,
                    "--pattern",
                    pattern,
                    "--count",
                    &count,
                    "--seconds",
                    SECONDS,
                    "--json",
                ])
            });
            let malformed = scope.spawn(|| send_malformed(&address));
            let registered = scope.spawn(|| stage.by("writer", &["import", text(&file), "--json"]));
            let answered = (0..BESIDE.0).filter(|_| stage.resolve(&server, FIRST, &[]).code == 0).count();
            let seen = format!("{answered} of {} questions beside the floods were answered", BESIDE.0);
            item.tell("beside", "resolve while all of it goes on", seen, answered >= BESIDE.1);
            if let Ok(flood) = flood.join() {
                let answers = flood.at("/answered").as_u64().unwrap_or(0);
                item.tell("query-flood", flood.words.clone(), flood.seen(), answers > 0);
            }
            if let Ok(sent) = malformed.join() {
                item.tell(
                    "malformed",
                    "packets of random bytes and cut ones over UDP",
                    format!("{sent} sent"),
                    sent > 0,
                );
            }
            if let Ok(registered) = registered.join() {
                item.tell("registration-flood", "import beside it", registered.seen(), registered.code == 0);
            }
        });
        let after = stage.resolve(&server, FIRST, &[]);
        item.tell("after", after.words.clone(), after.seen(), after.code == 0 && stage.is_alive());
        let ready = stage.page("/readyz");
        let held = matches!(ready, Ok((200, _)));
        item.tell("ready", "GET /readyz", format!("{ready:?}"), held);
    })
}

/// Sends packets that are no messages; how many went out.
fn send_malformed(address: &str) -> usize {
    /// Bytes of one: more than an envelope, less than a packet may have.
    const LONGEST: usize = 512;
    let Ok(socket) = UdpSocket::bind("127.0.0.1:0") else { return 0 };
    let mut random = rand::rng();
    let mut packet = [0; LONGEST];
    let mut sent = 0;
    for number in 0..MALFORMED {
        random.fill(&mut packet);
        if number % 2 == 0 {
            // The envelope of version 2.10, and nothing that belongs behind it.
            packet[..2].copy_from_slice(&[2, 10]);
        }
        let length = random.random_range(0..LONGEST);
        sent += usize::from(socket.send_to(packet.get(..length).unwrap_or_default(), address).is_ok());
        if number % 500 == 0 {
            // Spread over some seconds, so that it goes on beside the rest.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    sent
}
