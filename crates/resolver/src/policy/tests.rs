//! Whole floods and whole shops, simulated: a clock that is a number, no sockets.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

const REQUEST_BYTES: usize = 70;
const ANSWER_BYTES: usize = 650;
/// No busy reply is larger than its request.
const BUSY_BYTES: usize = REQUEST_BYTES;

fn policy(config: PolicyConfig) -> SourcePolicy {
    SourcePolicy::new(config, [9; 16])
}

fn at(milliseconds: u64) -> Moment {
    Moment::after(Duration::from_millis(milliseconds))
}

/// Bytes that leave for one request, and whether it was served.
fn ask(policy: &SourcePolicy, now: Moment, peer: IpAddr, request: usize, answer: usize) -> (usize, bool) {
    match policy.admit(now, peer) {
        Admission::Blocked => (0, false),
        Admission::Busy => (BUSY_BYTES.min(request), false),
        Admission::Serve(account) => match policy.charge(now, account, request, answer) {
            Verdict::Send => (answer, true),
            Verdict::Busy => (BUSY_BYTES.min(request), false),
        },
    }
}

#[test]
fn a_shop_of_300_tills_behind_one_network_is_served_for_an_hour() {
    let policy = policy(PolicyConfig::default());
    let mut refused = 0_u32;
    for second in 0..3600_u64 {
        for till in 0..300_u64 {
            let peer = Ipv4Addr::new(203, 0, 113, u8::try_from(till % 4).unwrap()).into();
            let (_, served) = ask(&policy, at(second * 1000 + till * 3), peer, REQUEST_BYTES, ANSWER_BYTES);
            refused += u32::from(!served);
        }
    }
    assert_eq!(refused, 0);
}

#[test]
fn a_shop_whose_tills_all_ask_at_the_same_moment_is_served() {
    let policy = policy(PolicyConfig::default());
    for second in 0..3600_u64 {
        for _ in 0..300 {
            let (_, served) =
                ask(&policy, at(second * 1000), Ipv4Addr::new(203, 0, 113, 1).into(), REQUEST_BYTES, ANSWER_BYTES);
            assert!(served, "second {second}");
        }
    }
}

/// Floods one network at `rate` queries a second for five minutes; gives bytes in and out of every second after the budget was first
/// found spent.
fn flood(config: PolicyConfig, rate: u64, answer: impl Fn(u64) -> usize) -> Vec<(usize, usize)> {
    let policy = policy(config);
    let mut seconds = Vec::new();
    let mut spent = false;
    for second in 0..300_u64 {
        let (mut bytes_in, mut bytes_out) = (0, 0);
        for query in 0..rate {
            let now = at(second * 1000 + query * 1000 / rate);
            let peer = Ipv4Addr::from_bits(0xC633_6400 | (u32::try_from(query % 256).unwrap())).into();
            let (out, served) = ask(&policy, now, peer, REQUEST_BYTES, answer(query));
            spent |= !served;
            if spent {
                bytes_in += REQUEST_BYTES;
                bytes_out += out;
            }
        }
        if spent {
            seconds.push((bytes_in, bytes_out));
        }
    }
    seconds
}

/// The largest bytes out per byte in over any 60 seconds in a row.
fn worst_minute(seconds: &[(usize, usize)]) -> f64 {
    seconds
        .windows(60)
        .map(|minute| {
            let (bytes_in, bytes_out) = minute.iter().fold((0, 0), |sum, second| (sum.0 + second.0, sum.1 + second.1));
            #[expect(clippy::cast_precision_loss, reason = "small numbers of a test")]
            let ratio = bytes_out as f64 / bytes_in as f64;
            ratio
        })
        .fold(0.0, f64::max)
}

#[test]
fn a_spoofed_flood_amplifies_at_most_one_and_a_half_in_any_minute_once_its_budget_is_spent() {
    for rate in [500, 1000, 3000, 10_000, 15_000, 30_000] {
        let seconds = flood(PolicyConfig::default(), rate, |_| ANSWER_BYTES);
        assert!(seconds.len() >= 60, "the flood of {rate} a second is found out early enough to be looked at");
        assert!(worst_minute(&seconds) <= 1.5, "{rate} a second: {}", worst_minute(&seconds));
    }
}

#[test]
fn a_flood_for_answers_of_many_sizes_amplifies_at_most_one_and_a_half() {
    let sizes = [60, 70, 100, 105, 106, 300, 512, 1232, 16_000];
    let seconds = flood(PolicyConfig::default(), 2000, |query| sizes[usize::try_from(query).unwrap() % sizes.len()]);
    assert!(seconds.len() >= 60);
    assert!(worst_minute(&seconds) <= 1.5, "{}", worst_minute(&seconds));
}

#[test]
fn washing_the_table_with_forged_networks_does_not_renew_a_spent_budget() {
    let policy = policy(PolicyConfig { sources: config::SOURCES.min, ..PolicyConfig::default() });
    let victim = Ipv4Addr::new(198, 51, 100, 1).into();
    while ask(&policy, at(0), victim, REQUEST_BYTES, ANSWER_BYTES).1 {}
    for forged in 0..100_000_u32 {
        let peer = Ipv4Addr::from_bits(0x0A00_0000 | (forged << 6)).into();
        let _ = ask(&policy, at(u64::from(forged / 100)), peer, REQUEST_BYTES, ANSWER_BYTES);
    }
    assert!(!ask(&policy, at(1001), victim, REQUEST_BYTES, ANSWER_BYTES).1);
}

#[test]
fn padded_questions_are_served_even_to_a_held_source() {
    let policy = policy(PolicyConfig::default());
    let peer = Ipv4Addr::new(198, 51, 100, 1).into();
    while ask(&policy, at(0), peer, REQUEST_BYTES, ANSWER_BYTES).1 {}
    assert!(ask(&policy, at(1), peer, 1232, ANSWER_BYTES).1);
}

#[test]
fn a_source_that_completed_a_connection_is_exempt_for_a_while_and_no_longer() {
    let policy = policy(PolicyConfig::default());
    let (real, other) = (Ipv4Addr::new(198, 51, 100, 1).into(), Ipv4Addr::new(198, 51, 101, 1).into());
    for peer in [real, other] {
        while ask(&policy, at(0), peer, REQUEST_BYTES, ANSWER_BYTES).1 {}
    }
    policy.exempt(at(1), real);
    assert!(ask(&policy, at(2), real, REQUEST_BYTES, ANSWER_BYTES).1);
    assert!(!ask(&policy, at(2), other, REQUEST_BYTES, ANSWER_BYTES).1);
    let over = config::SOURCE_EXEMPTION.default;
    assert_ne!(policy.admit(at(3).plus(over), real), Admission::Serve(Account::Free));
}

#[test]
fn lists_come_before_everything() {
    let lists = SourceLists::new(&["192.0.2.0/24".parse().unwrap()], &["192.0.2.66".parse().unwrap()]);
    let policy = policy(PolicyConfig { lists, queries_per_second: 1, ..PolicyConfig::default() });
    let (allowed, blocked) = (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 66).into());
    for _ in 0..100_000 {
        assert_eq!(policy.admit(at(0), allowed), Admission::Serve(Account::Free));
    }
    assert_eq!(policy.admit(at(0), blocked), Admission::Blocked);
    assert!(policy.blocks(blocked));
}

#[test]
fn a_source_that_asks_too_often_is_told_so() {
    let policy = policy(PolicyConfig { queries_per_second: 100, ..PolicyConfig::default() });
    let peer = Ipv4Addr::new(192, 0, 2, 1).into();
    let admitted = (0..1000).filter(|_| policy.admit(at(0), peer) != Admission::Busy).count();
    assert_eq!(admitted, 200);
}
