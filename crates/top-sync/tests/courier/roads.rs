//! Lines that break, and others at their ends than there should be.

use std::fs;
use std::time::Duration;

use waymark_top_sync::deposit::Phase;
use waymark_top_sync::sftp::{HostKey, UserKey, UserKeyError, config::OVERLAP_BYTES};

use crate::node::{Node, PREFIX, Working, at, clock, set};
use crate::platform::{Platform, user_key};
use crate::relay::Relay;

const SUNDAY: &str = "2026-11-29";

/// Names of whole files.
fn finished(names: &[String]) -> Vec<&String> {
    names.iter().filter(|name| !name.ends_with(".part")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_goes_on_where_it_was_and_half_a_file_has_no_final_name() {
    let node = Node::<6>::new();
    node.fill(4 << 10);
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<6>).await;
    let relay = Relay::start(platform.desk.address(), 3 << 20, false).await;
    set::<6>(at(SUNDAY, 40));
    let mut options = node.options(&platform);
    options.endpoint.port = relay.port;
    options.part_bytes = 100 << 20;
    // Long enough for the line to be mended before it is tried again.
    options.first_pause = Duration::from_secs(5);
    let working = Working::start(options);
    working.until("a problem", |standing| !standing.problem.is_empty()).await;
    let names = platform.names("upload");
    assert!(finished(&names).is_empty() && names.len() == 1, "{names:?}");
    let part = platform.folder.join("node990/upload").join(&names[0]);
    let there = fs::metadata(&part).unwrap().len();
    assert!(there > 2 << 20, "{there}");
    relay.heal();
    relay.carried();
    let accepted = working.accepted(SUNDAY).await;
    assert_eq!(accepted.resend, 0, "the same deposit");
    let carried = relay.carried();
    let files = platform.desk.chain(PREFIX).unwrap().files();
    let whole: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    // What may not have been written in order is sent once more, the rest of what is there is not.
    let kept = there - OVERLAP_BYTES;
    assert!(carried < whole - kept / 2, "{carried} of {whole} more, with {there} there");
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_stalls_is_given_up_in_time_and_tried_again() {
    let node = Node::<7>::new();
    node.fill(2 << 10);
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<7>).await;
    let relay = Relay::start(platform.desk.address(), 1 << 20, true).await;
    set::<7>(at(SUNDAY, 40));
    let mut options = node.options(&platform);
    (options.endpoint.port, options.endpoint.answer_time) = (relay.port, Duration::from_secs(2));
    let working = Working::start(options);
    let standing = working.until("a problem", |standing| !standing.problem.is_empty()).await;
    assert!(standing.problem.contains("within 2 seconds") || standing.problem.contains("Timeout"), "{standing:?}");
    assert_eq!(standing.phase, Phase::Waiting);
    relay.heal();
    working.accepted(SUNDAY).await;
    assert!(working.standing().problem.is_empty());
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_says_anything_is_given_up_in_time() {
    let node = Node::<8>::new();
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<8>).await;
    let relay = Relay::start(platform.desk.address(), 0, true).await;
    set::<8>(at(SUNDAY, 40));
    let mut options = node.options(&platform);
    (options.endpoint.port, options.endpoint.answer_time) = (relay.port, Duration::from_secs(1));
    let working = Working::start(options);
    let standing = working.until("a problem", |standing| !standing.problem.is_empty()).await;
    assert!(standing.problem.contains("no answer within 1 seconds"), "{standing:?}");
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_not_the_platform_gets_nothing_and_its_fingerprint_is_told() {
    let node = Node::<9>::new();
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<9>).await;
    set::<9>(at(SUNDAY, 40));
    let other = user_key(&node.folder.path().join("other_host"));
    let other = other.public_key().to_openssh().unwrap();
    let others: [(HostKey, &str); 3] = [
        (HostKey::Unknown, "no host key is pinned"),
        ("SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(), "is pinned: it is another machine"),
        (format!("127.0.0.1 {other}").parse().unwrap(), "is pinned: it is another machine"),
    ];
    for (pinned, problem) in others {
        let mut options = node.options(&platform);
        options.endpoint.host_key = pinned;
        let working = Working::start(options);
        let standing = working.until("a problem", |standing| !standing.problem.is_empty()).await;
        assert!(standing.problem.contains(problem), "{}", standing.problem);
        assert!(standing.problem.contains(platform.desk.fingerprint()), "{}", standing.problem);
        working.stop().await;
    }
    assert!(platform.names("upload").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_the_right_key_is_told_and_gets_nowhere() {
    let node = Node::<10>::new();
    let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<10>).await;
    set::<10>(at(SUNDAY, 40));
    let path = node.folder.path().join("other_key");
    user_key(&path);
    for (key, user) in [(UserKey::read(&path).unwrap(), "node990"), (node.options(&platform).endpoint.key, "nobody")] {
        let mut options = node.options(&platform);
        options.endpoint.key = key;
        options.accounts[0].user = user.into();
        let working = Working::start(options);
        let standing = working.until("a problem", |standing| !standing.problem.is_empty()).await;
        assert!(standing.problem.contains(&format!("does not take the key of user {user}")), "{}", standing.problem);
        working.stop().await;
    }
    assert!(platform.names("upload").is_empty());
}

#[test]
fn key_files_that_others_read_or_that_hold_no_key_are_refused_without_showing_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    user_key(&path);
    let text = fs::read_to_string(&path).unwrap();
    let secret: String = text.lines().nth(2).unwrap().chars().take(24).collect();
    let key = UserKey::read(&path).unwrap();
    assert!(!format!("{key:?}").contains(&secret));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(UserKey::read(&path), Err(UserKeyError::Open { .. })));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, text.replace(&secret, "AAAAAAAAAAAAAAAAAAAAAAAA")).unwrap();
    let error = UserKey::read(&path).unwrap_err();
    assert!(matches!(error, UserKeyError::Form { .. }) && !format!("{error:?}").contains(&secret), "{error:?}");
    assert!(matches!(UserKey::read(&folder.path().join("none")), Err(UserKeyError::File { .. })));
}
