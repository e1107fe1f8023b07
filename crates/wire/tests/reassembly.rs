//! Reassembly keeps its promises: whole messages come back, memory stays bounded, every refusal has its reason.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;
use waymark_wire::frame::{
    DatagramSplitter, Outcome, Peer, Reassembly, ReassemblyLimits, Refusal, TruncatedBit, config, is_part_of_request,
    is_part_of_response,
};
use waymark_wire::{Envelope, EnvelopeFlags, Version};

const START: Duration = Duration::from_secs(1000);

/// An envelope with `bytes` bytes behind it.
fn message(request_id: u32, bytes: usize) -> Vec<u8> {
    let envelope = Envelope {
        version: Version::CURRENT,
        flags: EnvelopeFlags::NONE,
        suggested: Version::CURRENT,
        session_id: 0,
        request_id,
        sequence: 0,
        message_length: u32::try_from(bytes).unwrap(),
    };
    let seed = usize::try_from(request_id % 199).unwrap();
    let mut message = envelope.to_bytes().to_vec();
    message.extend((0..bytes).map(|at| u8::try_from((at + seed) % 251).unwrap()));
    message
}

fn datagrams(message: &[u8], datagram_bytes: usize) -> Vec<Vec<u8>> {
    DatagramSplitter::new(message, datagram_bytes, TruncatedBit::WhenSplit)
        .unwrap()
        .map(|datagram| [&datagram.envelope[..], &message[datagram.payload]].concat())
        .collect()
}

fn peer(source: u64, port: u16) -> Peer {
    Peer { source, address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port) }
}

fn changed(datagram: &[u8], change: impl FnOnce(&mut Envelope)) -> Vec<u8> {
    let mut envelope = Envelope::parse(datagram).unwrap();
    change(&mut envelope);
    [&envelope.to_bytes()[..], &datagram[Envelope::LEN..]].concat()
}

fn refused(reassembly: &mut Reassembly, datagram: &[u8]) -> Option<Refusal> {
    match reassembly.push(START, peer(1, 1), datagram) {
        Outcome::Refused(reason) => Some(reason),
        _ => None,
    }
}

#[test]
fn parts_in_any_order_make_the_message_with_the_last_missing_one() {
    let whole = message(9, 3000);
    let mut parts = datagrams(&whole, 512);
    parts.reverse();
    parts.swap(0, 3);
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    let (last, before) = parts.split_last().unwrap();
    for part in before {
        assert_eq!(reassembly.push(START, peer(1, 1), part), Outcome::Pending);
    }
    let Outcome::Complete(complete) = reassembly.push(START, peer(1, 1), last) else { panic!("incomplete") };
    assert_eq!(complete.message, whole);
    assert_eq!((complete.largest_datagram, complete.received_bytes), (512, 3000 + 7 * 20));
    assert_eq!((reassembly.incomplete(), reassembly.memory_bytes(), reassembly.counts().completed), (0, 0, 1));
}

#[test]
fn repeated_parts_are_tolerated_and_counted() {
    let whole = message(9, 1000);
    let parts = datagrams(&whole, 512);
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    for part in [&parts[0], &parts[0], &parts[2], &parts[2]] {
        assert_eq!(reassembly.push(START, peer(1, 1), part), Outcome::Pending);
    }
    assert!(matches!(reassembly.push(START, peer(1, 1), &parts[1]), Outcome::Complete(c) if c.message == whole));
    assert_eq!(reassembly.counts().duplicates, 2);
}

#[test]
fn of_a_repeated_part_the_newer_bytes_stay() {
    let (first, second) = (message(9, 900), message(9, 900).iter().map(|byte| byte ^ 1).collect::<Vec<_>>());
    let second = [&first[..20], &second[20..]].concat();
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    reassembly.push(START, peer(1, 1), &datagrams(&first, 512)[0]);
    reassembly.push(START, peer(1, 1), &datagrams(&second, 512)[0]);
    let outcome = reassembly.push(START, peer(1, 1), &datagrams(&second, 512)[1]);
    assert!(matches!(outcome, Outcome::Complete(complete) if complete.message == second));
}

#[test]
fn padding_behind_the_last_part_is_cut_off_and_counts_as_room() {
    let whole = message(9, 1300);
    let mut parts = datagrams(&whole, 512);
    parts[2].resize(1200, 0);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut reassembly = Reassembly::new(ReassemblyLimits::default());
        reassembly.push(START, peer(1, 1), &parts[order[0]]);
        reassembly.push(START, peer(1, 1), &parts[order[1]]);
        let Outcome::Complete(complete) = reassembly.push(START, peer(1, 1), &parts[order[2]]) else {
            panic!("incomplete")
        };
        assert_eq!(complete.message, whole);
        assert_eq!((complete.largest_datagram, complete.received_bytes), (1200, 512 + 512 + 1200));
    }
}

#[test]
fn a_message_in_a_single_part_is_complete_at_once() {
    let whole = message(9, 100);
    let part = changed(&whole, |envelope| envelope.flags = EnvelopeFlags::TRUNCATED);
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    assert!(matches!(reassembly.push(START, peer(1, 1), &part), Outcome::Complete(c) if c.message == whole));
    assert_eq!(reassembly.memory_bytes(), 0);
}

#[test]
fn messages_of_other_addresses_or_request_ids_are_kept_apart() {
    let (one, two) = (message(1, 800), message(2, 800));
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    for (port, whole) in [(1, &one), (1, &two), (2, &one)] {
        assert_eq!(reassembly.push(START, peer(1, port), &datagrams(whole, 512)[0]), Outcome::Pending);
    }
    for (port, whole) in [(1, &one), (1, &two), (2, &one)] {
        let outcome = reassembly.push(START, peer(1, port), &datagrams(whole, 512)[1]);
        assert!(matches!(outcome, Outcome::Complete(complete) if complete.message == *whole));
    }
}

#[test]
fn an_incomplete_message_is_given_up_after_its_time() {
    let whole = message(9, 900);
    let parts = datagrams(&whole, 512);
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    let time = reassembly.limits().time;
    reassembly.push(START, peer(1, 1), &parts[0]);
    assert_eq!(reassembly.next_expiry(), Some(START + time));
    reassembly.expire(START + time - Duration::from_millis(1));
    assert_eq!(reassembly.incomplete(), 1);
    assert_eq!(reassembly.push(START + time, peer(1, 1), &parts[1]), Outcome::Pending);
    assert_eq!(reassembly.counts().expired, 1);
    reassembly.expire(START + time + time);
    assert_eq!((reassembly.incomplete(), reassembly.memory_bytes(), reassembly.next_expiry()), (0, 0, None));
}

#[test]
fn a_clock_set_back_gives_nothing_up() {
    let parts = datagrams(&message(9, 900), 512);
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    reassembly.push(START, peer(1, 1), &parts[0]);
    assert!(matches!(reassembly.push(Duration::ZERO, peer(1, 1), &parts[1]), Outcome::Complete(_)));
}

#[test]
fn contradicting_parts_are_refused_and_leave_the_message_alone() {
    let whole = message(9, 1300);
    let parts = datagrams(&whole, 512);
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    reassembly.push(START, peer(1, 1), &parts[0]);
    let other_length = changed(&parts[1], |envelope| envelope.message_length = 1301);
    let other_session = changed(&parts[1], |envelope| envelope.session_id = 7);
    let other_version = changed(&parts[1], |envelope| envelope.version = Version::new(2, 10));
    let encrypted = changed(&parts[1], |envelope| envelope.flags = envelope.flags.with(EnvelopeFlags::ENCRYPTED));
    let shorter_repetition = parts[0][..400].to_vec();
    for datagram in [other_length, other_session, other_version, encrypted, shorter_repetition] {
        assert_eq!(refused(&mut reassembly, &datagram), Some(Refusal::Conflict));
    }
    assert_eq!(reassembly.counts().refused(Refusal::Conflict), 5);
    reassembly.push(START, peer(1, 1), &parts[1]);
    assert!(matches!(reassembly.push(START, peer(1, 1), &parts[2]), Outcome::Complete(c) if c.message == whole));
}

#[test]
fn parts_longer_than_their_message_are_refused() {
    let parts = datagrams(&message(9, 900), 512);
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    reassembly.push(START, peer(1, 1), &parts[0]);
    let full_and_not_last = changed(&parts[0], |envelope| envelope.sequence = 1);
    assert!(matches!(reassembly.push(START, peer(1, 2), &parts[0]), Outcome::Pending));
    let third = changed(&parts[1], |envelope| envelope.sequence = 2);
    assert_eq!(refused(&mut reassembly, &third), None);
    assert_eq!(refused(&mut reassembly, &full_and_not_last), Some(Refusal::Overrun));
}

#[test]
fn what_cannot_be_a_part_is_refused_by_reason() {
    let part = &datagrams(&message(9, 900), 512)[1];
    let mut reassembly = Reassembly::new(ReassemblyLimits::default());
    let limits = *reassembly.limits();
    let announcing = |length: u32| changed(part, |envelope| envelope.message_length = length);
    let parts = u32::try_from(limits.parts).unwrap();
    let largest = u32::try_from(limits.message_bytes).unwrap();
    for (datagram, reason) in [
        (part[..19].to_vec(), Some(Refusal::NoEnvelope)),
        (part[..20].to_vec(), Some(Refusal::Empty)),
        (announcing(23), Some(Refusal::Undersized)),
        (announcing(0), Some(Refusal::Undersized)),
        (announcing(largest + 1), Some(Refusal::Oversized)),
        (announcing(u32::MAX), Some(Refusal::Oversized)),
        (changed(part, |envelope| envelope.sequence = parts), Some(Refusal::TooManyParts)),
        (changed(part, |envelope| envelope.sequence = parts - 1), None),
    ] {
        assert_eq!(refused(&mut reassembly, &datagram), reason);
    }
    for reason in Refusal::ALL {
        let expected = match reason {
            Refusal::Undersized | Refusal::Oversized => 2,
            Refusal::NoEnvelope | Refusal::Empty | Refusal::TooManyParts => 1,
            _ => 0,
        };
        assert_eq!(reassembly.counts().refused(reason), expected, "{reason}");
    }
}

#[test]
fn announced_lengths_cost_nothing() {
    let mut reassembly = Reassembly::new(ReassemblyLimits::for_responses());
    let tiny = &datagrams(&message(9, 262_144), 512)[0][..21];
    reassembly.push(START, peer(1, 1), tiny);
    assert!(reassembly.memory_bytes() < 2048);
}

#[test]
fn one_source_cannot_take_more_than_its_share_and_loses_its_own_oldest() {
    let limits = ReassemblyLimits { source_bytes: config::REASSEMBLY_SOURCE_BYTES.min, ..ReassemblyLimits::default() };
    let mut reassembly = Reassembly::new(limits);
    reassembly.push(START, peer(2, 9999), &datagrams(&message(1, 900), 512)[0]);
    for port in 0..1000 {
        reassembly.push(START, peer(1, port), &datagrams(&message(1, 900), 512)[0]);
        assert!(reassembly.memory_bytes() <= limits.source_bytes + 2000);
    }
    assert!(reassembly.counts().displaced > 900);
    let newest = reassembly.push(START, peer(1, 999), &datagrams(&message(1, 900), 512)[1]);
    assert!(matches!(newest, Outcome::Complete(_)));
    let oldest = reassembly.push(START, peer(1, 0), &datagrams(&message(1, 900), 512)[1]);
    assert_eq!(oldest, Outcome::Pending);
    let other_source = reassembly.push(START, peer(2, 9999), &datagrams(&message(1, 900), 512)[1]);
    assert!(matches!(other_source, Outcome::Complete(_)));
}

#[test]
fn a_flood_from_everywhere_stays_in_bounds_and_adjacent_parts_still_meet() {
    let limits = ReassemblyLimits { total_bytes: config::REASSEMBLY_TOTAL_BYTES.min, ..ReassemblyLimits::default() };
    let mut reassembly = Reassembly::new(limits);
    let honest = message(7, 900);
    for port in 0..5000 {
        reassembly.push(START, peer(port.into(), port), &datagrams(&message(1, 900), 512)[0]);
        assert!(reassembly.memory_bytes() <= limits.total_bytes);
    }
    reassembly.push(START, peer(9999, 9999), &datagrams(&honest, 512)[0]);
    for port in 0..20 {
        reassembly.push(START, peer(port.into(), port), &datagrams(&message(1, 900), 512)[0]);
    }
    let outcome = reassembly.push(START, peer(9999, 9999), &datagrams(&honest, 512)[1]);
    assert!(matches!(outcome, Outcome::Complete(complete) if complete.message == honest));
}

#[test]
fn a_message_that_can_never_fit_displaces_nobody() {
    let limits = ReassemblyLimits {
        message_bytes: config::MAX_MESSAGE_BYTES,
        source_bytes: config::REASSEMBLY_SOURCE_BYTES.min,
        ..ReassemblyLimits::default()
    };
    let mut reassembly = Reassembly::new(limits);
    reassembly.push(START, peer(1, 2), &datagrams(&message(1, 900), 512)[0]);
    let large = datagrams(&message(9, 50_000), 65_000 / 2);
    assert_eq!(refused(&mut reassembly, &large[0]), Some(Refusal::NoRoom));
    assert_eq!((reassembly.incomplete(), reassembly.counts().displaced), (1, 0));
}

#[test]
fn the_largest_response_comes_back_in_classic_datagrams() {
    let whole = message(3, config::MAX_MESSAGE_BYTES);
    let parts = datagrams(&whole, 512);
    let mut reassembly = Reassembly::new(ReassemblyLimits::for_responses());
    let (last, before) = parts.split_last().unwrap();
    for part in before.iter().rev() {
        assert_eq!(reassembly.push(START, peer(1, 1), part), Outcome::Pending);
    }
    assert!(matches!(reassembly.push(START, peer(1, 1), last), Outcome::Complete(c) if c.message == whole));
}

#[test]
fn requests_are_parts_by_their_bit_and_responses_by_their_length() {
    let mut envelope = Envelope::parse(&message(1, 900)).unwrap();
    assert!(!is_part_of_request(&envelope) && is_part_of_response(&envelope, 512));
    assert!(!is_part_of_response(&envelope, 920) && !is_part_of_response(&envelope, 1232));
    envelope.flags = EnvelopeFlags::TRUNCATED;
    assert!(is_part_of_request(&envelope) && !is_part_of_response(&envelope, 920));
    envelope.sequence = 1;
    assert!(is_part_of_response(&envelope, 920));
}

#[test]
fn limits_out_of_range_are_moved_into_it() {
    let silly = ReassemblyLimits {
        time: Duration::MAX,
        message_bytes: usize::MAX,
        parts: 0,
        source_bytes: 0,
        total_bytes: usize::MAX,
    };
    let limits = *Reassembly::new(silly).limits();
    assert_eq!(limits.time, config::REASSEMBLY_TIME.max);
    assert_eq!(limits.message_bytes, config::MAX_MESSAGE_BYTES);
    assert_eq!((limits.parts, limits.source_bytes), (2, config::REASSEMBLY_SOURCE_BYTES.min));
    assert_eq!(limits.total_bytes, config::REASSEMBLY_TOTAL_BYTES.max);
}

proptest! {
    /// Interleaved messages, shuffled and repeated parts, any datagram size: each message comes back exactly once, unchanged.
    #[test]
    fn every_message_comes_back_once_whatever_the_order(
        lengths in prop::collection::vec(24_usize..6000, 1..5),
        datagram_bytes in 512_usize..1300,
        order in any::<u64>(),
    ) {
        let wholes: Vec<_> = (1..).zip(&lengths).map(|(id, bytes)| message(id, *bytes)).collect();
        let mut parts: Vec<_> = wholes.iter().flat_map(|whole| datagrams(whole, datagram_bytes)).collect();
        let mut random = order | 1;
        for at in (1..parts.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            parts.swap(at, usize::try_from(random >> 33).unwrap() % (at + 1));
        }
        let mut reassembly = Reassembly::new(ReassemblyLimits::default());
        let mut complete = Vec::new();
        for part in &parts {
            if let Outcome::Complete(whole) = reassembly.push(START, peer(1, 1), part) {
                complete.push(whole.message.to_vec());
            }
        }
        complete.sort();
        let mut expected = wholes;
        expected.sort();
        prop_assert_eq!(complete, expected);
        prop_assert_eq!(reassembly.memory_bytes(), 0);
    }
}
