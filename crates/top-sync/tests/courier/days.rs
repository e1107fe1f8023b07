//! From day to day.

use std::fs;

use waymark_catalog::Command;
use waymark_top_sync::deposit::{
    Delivery, Extent, Files, Held, Judgement, Phase, Platform as Said, SendError, parse_date, restore,
};

use crate::node::{Node, PREFIX, Working, at, clock, opened, set};
use crate::platform::Platform;

const SUNDAY: &str = "2026-11-29";
const MONDAY: &str = "2026-11-30";
const TUESDAY: &str = "2026-12-01";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_deposit_and_then_what_changed_are_accepted_and_restore_the_node() {
    let node = Node::<0>::new();
    node.put("kept", b"1");
    node.put("gone", b"2");
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<0>).await;
    set::<0>(at(SUNDAY, 20));
    let working = Working::start(node.options(&platform));
    let early = working.accepted("2026-11-28").await;
    assert_eq!(early.extent, Extent::Full, "there is none it could go back to");
    set::<0>(at(SUNDAY, 30));
    let full = working.accepted(SUNDAY).await;
    assert_eq!((full.extent, full.resend, full.previous, full.code), (Extent::Full, 0, None, Some(1000)));
    node.put("new", b"3");
    node.write([Command::Delete { handle: b"88.990/gone".to_vec() }]);
    set::<0>(at(MONDAY, 31));
    let diff = working.accepted(MONDAY).await;
    assert_eq!((diff.extent, diff.resend, diff.previous), (Extent::Diff, 0, Some(full.id)));
    working.stop().await;

    platform.until_empty("node990").await;
    let report = fs::read(platform.folder.join("node990/report/88.990_2026-11-30_diff_S1_R0.rep")).unwrap();
    let judgement = Judgement::read(&report).unwrap();
    assert_eq!((judgement.id, judgement.code), (Some(diff.id), 1000));
    let chain = platform.desk.chain("88.990").unwrap();
    assert_eq!(chain.heads.iter().map(|head| head.id).collect::<Vec<_>>(), [full.id, diff.id]);
    let (own, now) = (node.own.public_key(), clock::<0>());
    let held = Held { node: &own, platform: Some(&platform.key), prefix: Some(PREFIX), now };
    let fresh = opened::<0>(&node.folder.path().join("restored"));
    let restored = restore(&fresh, &Files::of_several(&chain.files()).unwrap(), &held).unwrap();
    assert_eq!(restored.head.id, diff.id);
    let counts: Vec<_> = restored.deposits.iter().map(|counts| (counts.identifiers, counts.identifiers_gone)).collect();
    assert_eq!(counts, [(2, 0), (1, 1)]);
    platform.desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_deposit_is_made_again_with_a_higher_number() {
    let node = Node::<1>::new();
    node.put("kept", b"1");
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<1>).await;
    set::<1>(at(SUNDAY, 40));
    platform.desk.refuse(&[2001]);
    let working = Working::start(node.options(&platform));
    let accepted = working.accepted(SUNDAY).await;
    assert_eq!((accepted.resend, accepted.code), (1, Some(1000)));
    let rows = node.rows();
    assert_eq!((rows.len(), rows[0].platform, rows[0].code, rows[0].resend), (2, Said::Rejected, Some(2001), 0));
    assert_ne!(rows[0].id, rows[1].id);
    assert!(platform.names("report").contains(&"88.990_2026-11-29_full_S1_R1.rep".to_owned()));
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_again_and_again_is_given_up_until_an_operator_or_the_next_day_asks() {
    let node = Node::<2>::new();
    node.put("kept", b"1");
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<2>).await;
    set::<2>(at(SUNDAY, 40));
    platform.desk.refuse(&[2001; 4]);
    let working = Working::start(node.options(&platform));
    let standing = working.until("given up", |standing| standing.phase == Phase::GivenUp).await;
    assert!(standing.is_late() && standing.accepted.is_none());
    assert_eq!(node.rows().len(), 3, "once, and twice more");
    assert_eq!(working.courier.send(Some("88.990"), None).unwrap(), [PREFIX]);
    working.until("a fourth", |_| node.rows().iter().filter(|row| row.platform == Said::Rejected).count() == 4).await;
    set::<2>(at(MONDAY, 40));
    let accepted = working.accepted(MONDAY).await;
    assert_eq!((accepted.resend, accepted.extent), (0, Extent::Full), "the platform has none it could go back to");
    // The table knows a moment before whoever works says so.
    working.until("in order again", |standing| !standing.is_late()).await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_lost_what_a_deposit_goes_back_to_gets_everything() {
    let node = Node::<3>::new();
    node.put("kept", b"1");
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<3>).await;
    set::<3>(at(SUNDAY, 40));
    let working = Working::start(node.options(&platform));
    working.accepted(SUNDAY).await;
    fs::remove_dir_all(platform.folder.join("node990/chain")).unwrap();
    fs::create_dir(platform.folder.join("node990/chain")).unwrap();
    set::<3>(at(MONDAY, 40));
    let accepted = working.accepted(MONDAY).await;
    assert_eq!((accepted.resend, accepted.extent), (1, Extent::Full));
    let refused: Vec<_> = node.rows().iter().filter_map(|row| row.code.filter(|code| *code != 1000)).collect();
    assert_eq!(refused, [2004]);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_were_missed_are_caught_up_by_one_deposit_and_jumps_of_the_clock_make_no_second_one() {
    let node = Node::<4>::new();
    node.put("kept", b"1");
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<4>).await;
    set::<4>(at(SUNDAY, 40));
    let working = Working::start(node.options(&platform));
    working.accepted(SUNDAY).await;
    working.stop().await;
    set::<4>(at("2026-12-05", 600));
    let working = Working::start(node.options(&platform));
    let saturday = working.accepted("2026-12-05").await;
    assert_eq!((saturday.extent, node.rows().len()), (Extent::Diff, 2));
    for (day, minutes) in [("2026-12-04", 100), ("2026-12-05", 0), ("2026-12-05", 700), ("2026-12-04", 1)] {
        set::<4>(at(day, minutes));
        // Two turns and more.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let days: Vec<String> = node.rows().iter().map(|row| row.date.to_string()).collect();
    assert_eq!(days, ["2026-11-29", "2026-12-05"]);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_before_its_time_and_what_cannot_be_is_said() {
    let node = Node::<5>::new();
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<5>).await;
    set::<5>(at("2026-11-25", 700));
    let working = Working::start(node.options(&platform));
    let refused = |prefix: Option<&str>, day: Option<&str>| {
        working.courier.send(prefix, day.map(|day| parse_date(day).unwrap())).unwrap_err()
    };
    assert!(matches!(refused(None, None), SendError::BeforeCreation { .. }), "the node was made today");
    assert!(matches!(refused(None, Some(TUESDAY)), SendError::Future { .. }));
    set::<5>(at("2026-11-26", 29));
    assert!(matches!(refused(Some("88.1"), None), SendError::Prefix { .. }));
    assert_eq!((working.standing().phase, node.rows().len()), (Phase::None, 0));
    working.courier.send(Some(PREFIX), None).unwrap();
    let row = working.accepted("2026-11-26").await;
    assert_eq!(row.delivery, Delivery::Sent);
    working.stop().await;
}
