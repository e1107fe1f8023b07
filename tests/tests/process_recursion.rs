//! Names that live elsewhere, as scanners and operators meet them: real nodes, one above the other, asked by the real tool.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use serde_json::Value;
use waymark_tests::process::{Bench, Ended, Process, daemon, run, tool};
use waymark_tests::topology::{Placed, delegation, record};

const DAY: i64 = 86_400;

/// What a node answered: the code, the first value's text, and whether it is past its time.
fn said(answer: &Ended) -> (u64, String, bool) {
    let line: Value = answer.json().pop().unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let text = line["values"][0]["data"]["value"].as_str().unwrap_or_default().to_owned();
    (line["response_code"].as_u64().unwrap(), text, line["stale"].as_bool().unwrap())
}

fn found(text: &str) -> (u64, String, bool) {
    (1, text.to_owned(), false)
}

fn message(answer: &Ended) -> String {
    answer.json().pop().unwrap()["message"].as_str().unwrap().to_owned()
}

/// A secondary node with two prefixes.
fn secondary(ttl: i64) -> Placed {
    let records = [
        record("88.990/item", &[(1, "URL", "https://example.invalid/1", ttl)]),
        record("88.990/till", &[(1, "URL", "https://example.invalid/2", ttl), (2, "STATUS", "on sale", ttl)]),
        record("88.990.5/box", &[(1, "DESC", "of an enterprise", ttl)]),
    ];
    Placed::start("", &records, &["88.990"])
}

/// The top-level node above it.
fn top(secondary: &Placed) -> Placed {
    Placed::start("", &[delegation("88.990", &secondary.site("88.990"), DAY)], &["88"])
}

#[test]
fn a_scan_crosses_the_nodes_and_the_next_one_needs_none_of_them() {
    let secondary = secondary(DAY);
    let top = top(&secondary);
    let recursive = Placed::recursive(&top, "");
    assert_eq!(said(&recursive.ask("88.990/item", &[])), found("https://example.invalid/1"));
    // By a prefix that the secondary node derived from its own.
    assert_eq!(said(&recursive.ask_over("quic", "88.990.5/box", &[])), found("of an enterprise"));
    assert_eq!(said(&recursive.ask("88.990/none", &[])).0, 100);
    assert_eq!(said(&recursive.ask("88.991/x", &[])).0, 100, "no such prefix");
    // The record of a prefix, in both its forms.
    for form in ["88.990", "0.NA/88.990"] {
        assert_eq!(said(&recursive.ask(form, &["--type", "HS_SITE"])).0, 1, "{form}");
    }
    top.daemon.stop().expect(0);
    secondary.daemon.stop().expect(0);
    for transport in ["udp", "tcp", "quic"] {
        assert_eq!(said(&recursive.ask_over(transport, "88.990/item", &[])), found("https://example.invalid/1"));
        assert_eq!(said(&recursive.ask_over(transport, "88.990.5/box", &["--index", "1"])), found("of an enterprise"));
        assert_eq!(said(&recursive.ask_over(transport, "88.990.5/box", &["--index", "7"])).0, 200);
        assert_eq!(said(&recursive.ask_over(transport, "88.990/none", &[])).0, 100);
        assert_eq!(said(&recursive.ask_over(transport, "88.991/y", &[])).0, 100, "one entry for all beneath");
    }
    // Nothing is known of this one: that is not the same as knowing that it does not exist.
    let unknown = recursive.ask("88.990/never-asked", &[]);
    assert_eq!(said(&unknown).0, 2);
    assert!(message(&unknown).starts_with("UPSTREAM_DOWN "), "{unknown:?}");
}

#[test]
fn past_its_time_an_answer_beats_none_but_for_what_says_whether_goods_may_be_sold() {
    let secondary = secondary(1);
    let top = top(&secondary);
    let recursive = Placed::recursive(&top, "");
    assert_eq!(said(&recursive.ask("88.990/item", &[])), found("https://example.invalid/1"));
    assert_eq!(said(&recursive.ask("88.990/till", &[])), found("https://example.invalid/2"));
    secondary.daemon.stop().expect(0);
    let mut asked = 0;
    let stale = loop {
        let answer = recursive.ask("88.990/item", &[]);
        asked += 1;
        if said(&answer) != found("https://example.invalid/1") {
            break answer;
        }
        assert!(asked < 10_000, "its time does not end");
    };
    assert_eq!(said(&stale), (1, "https://example.invalid/1".to_owned(), true));
    let line = stale.json().pop().unwrap();
    assert!(line["age_seconds"].as_u64().unwrap() >= 1 && line["values"][0]["ttl"].as_i64().unwrap() <= 30, "{line}");
    let till = recursive.ask("88.990/till", &[]);
    assert_eq!(said(&till).0, 2, "{till:?}");
    assert!(message(&till).starts_with("UPSTREAM_DOWN "));
    // For people.
    let url = recursive.daemon.url("udp");
    let shown = run(tool(["resolve", "88.990/item", "--server", &url])).expect(0);
    assert!(shown.out.contains("STALE age="), "{}", shown.out);
}

#[test]
fn what_lives_elsewhere_is_judged_by_what_its_node_says() {
    let secondary = secondary(1);
    let top = top(&secondary);
    let recursive = Placed::recursive(&top, "");
    // Verdict, detail, sale and reason of each.
    let judged = |codes: &[&str], exit: i32| -> Vec<[String; 4]> {
        let told = recursive.operate(&[&["verdict", "--json"], codes].concat()).expect(exit).json();
        let text = |line: &Value, field: &str| line[field].as_str().unwrap_or_default().to_owned();
        told.iter().map(|line| ["verdict", "detail", "sale", "reason"].map(|field| text(line, field))).collect()
    };
    let verdict = |texts: [&str; 4]| texts.map(str::to_owned);
    let good = verdict(["VALID", "NOT_JUDGED_HERE", "WARN", ""]);
    assert_eq!(judged(&["88.990/item", "88.990.5/box"], 0), [good.clone(), good.clone()]);
    secondary.operate(&["recall", "88.990/item", "--reason", "裂纹"]).expect(0);
    until_text(&recursive, "88.990/item", "裂纹");
    let codes = ["88.990/item", "88.990/none", "88.991/no-such-prefix", "88.990/till", "(01)06942499556696(17)200229"];
    let recalled = verdict(["RECALLED", "", "DENY", "裂纹"]);
    let absent = verdict(["ABSENT", "", "DENY", ""]);
    let expected = [recalled, absent.clone(), absent, good, verdict(["EXPIRED", "", "DENY", ""])];
    assert_eq!(judged(&codes, 9), expected);
    let line = recursive.operate(&["verdict", "88.990/none", "--json"]).expect(9).json().pop().unwrap();
    assert_eq!(line["source"], "ELSEWHERE");
    // An answer past its time is good enough for a scanner. For whoever sells it is not: meanwhile the thing may have been recalled.
    secondary.daemon.stop().expect(0);
    let verdict_of_box = || recursive.operate(&["verdict", "--json", "88.990.5/box"]).json().pop().unwrap();
    let mut asked = 0;
    while verdict_of_box()["verdict"] != "UPSTREAM_DOWN" {
        asked += 1;
        assert!(asked < 1_000, "its time does not end");
    }
    assert_eq!(judged(&["88.990.5/box"], 9), [verdict(["UPSTREAM_DOWN", "", "DENY", ""])]);
    assert!(said(&recursive.ask("88.990.5/box", &[])).2, "a scanner has it still, as stale");
}

/// Asks until one of the values has a text.
#[track_caller]
fn until_text(placed: &Placed, handle: &str, text: &str) {
    for _ in 0..1_000 {
        let answer = placed.ask(handle, &[]).json().pop().unwrap();
        if answer["values"].as_array().unwrap().iter().any(|value| value["data"]["value"] == text) {
            return;
        }
    }
    panic!("{handle} never says {text}");
}

#[test]
fn popular_answers_are_fetched_from_their_node_ahead_of_their_end() {
    let secondary = secondary(2);
    let top = top(&secondary);
    let recursive = Placed::recursive(&top, "cache.popular_hits = 1\n");
    let events = || recursive.operate(&["cache", "stats", "--json"]).expect(0).json().pop().unwrap()["events"].clone();
    let count = |events: &Value, name: &str| events[name].as_u64().unwrap();
    let mut asked = 0;
    let told = loop {
        assert_eq!(said(&recursive.ask("88.990/item", &[])), found("https://example.invalid/1"));
        let told = events();
        if count(&told, "refreshed") >= 5 {
            break told;
        }
        asked += 1;
        assert!(asked < 10_000, "nothing is fetched ahead: {told}");
    };
    // Each of them asked somebody.
    assert!(count(&told, "upstream_questions") >= count(&told, "resolved"), "{told}");
}

#[test]
fn an_answer_is_never_older_than_its_values_allow_while_the_authority_answers() {
    let secondary = secondary(1);
    let top = top(&secondary);
    let recursive = Placed::recursive(&top, "cache.floor_seconds = 0\n");
    for _ in 0..20 {
        let answer = recursive.ask("88.990/item", &[]);
        assert_eq!(said(&answer), found("https://example.invalid/1"));
        let line = answer.json().pop().unwrap();
        assert!(line["age_seconds"].as_u64().unwrap() <= 1, "{line}");
        assert!(!line["authoritative"].as_bool().unwrap(), "nothing claims to be the authority");
    }
}

#[test]
fn names_are_resolved_for_whom_the_operator_names_and_nobody_else() {
    let secondary = secondary(DAY);
    let top = top(&secondary);
    let others = format!(
        "recursion.sources = [\"192.0.2.0/24\"]\nrecursion.roots = [\"{}\"]\nrecursion.private_servers = true\n",
        top.daemon.address("udp")
    );
    let closed = Placed::start(&others, &[], &[]);
    for _ in 0..2 {
        assert_eq!(said(&closed.ask("88.990/item", &[])).0, 301);
    }
    for (settings, cause) in [
        ("recursion.sources = [\"127.0.0.0/8\"]\n", "recursion.roots"),
        ("recursion.sources = [\"0.0.0.0/0\"]\nrecursion.roots = [\"192.0.2.1:2641\"]\n", "recursion.open"),
        ("recursion.roots = [\"192.0.2.1:2641\"]\nrecursion.root_site = \"x\"\n", "recursion.root_site"),
    ] {
        let bench = Bench::new(settings);
        let mut command = daemon(["--check-config", "--config"]);
        command.arg(bench.config());
        run(command).expect(2).says(&[cause]);
    }
    let open = Placed::start(
        "recursion.sources = [\"0.0.0.0/0\"]\nrecursion.roots = [\"192.0.2.1:2641\"]\nrecursion.open = true\n",
        &[],
        &[],
    );
    assert!(open.daemon.stop().expect(0).err.contains("recursion.open"), "an open resolver warns");
}

#[test]
fn addresses_behind_the_firewall_are_asked_only_when_allowed() {
    // Another address than that of the root, which the operator named.
    let records = [record("88.990/item", &[(1, "URL", "https://example.invalid/1", DAY)])];
    let secondary = Placed::start("site.addresses = [\"127.0.0.2\"]\n", &records, &["88.990"]);
    let top = top(&secondary);
    let roots =
        format!("recursion.sources = [\"127.0.0.0/8\"]\nrecursion.roots = [\"{}\"]\n", top.daemon.address("udp"));
    let recursive = Placed::start(&roots, &[], &[]);
    let answer = recursive.ask("88.990/item", &[]);
    assert!(message(&answer).starts_with("UPSTREAM_DOWN "), "{answer:?}");
    let traced = recursive.operate(&["trace", "88.990/item"]);
    assert!(traced.out.contains("may not be asked") && traced.out.contains("recursion.private_servers"), "{traced:?}");
}

#[test]
fn operators_see_each_step_and_make_the_node_forget() {
    let secondary = secondary(DAY);
    let top = top(&secondary);
    let recursive = Placed::recursive(&top, "");
    let traced = recursive.operate(&["trace", "88.990/item", "--json"]).expect(0).json().pop().unwrap();
    assert_eq!((traced["outcome"].as_str(), traced["values"].as_u64()), (Some("FOUND"), Some(1)));
    let servers: Vec<&str> =
        traced["hops"].as_array().unwrap().iter().filter_map(|hop| hop["server"].as_str()).collect();
    assert_eq!(servers.first(), Some(&&*top.daemon.url("udp")), "{traced}");
    assert!(servers.last().is_some_and(|last| last.contains("127.0.0.1") && *last != servers[0]), "{traced}");
    let learned: Vec<&str> = traced["hops"].as_array().unwrap().iter().filter_map(|hop| hop["kind"].as_str()).collect();
    assert!(learned.contains(&"service") && learned.contains(&"values"), "{traced}");
    let again = recursive.operate(&["trace", "88.990/item", "--json"]).expect(0).json().pop().unwrap();
    assert_eq!((again["outcome"].as_str(), again["hops"][0]["step"].as_str()), (Some("KNOWN"), Some("known")));
    let asked_again =
        recursive.operate(&["trace", "88.990/item", "--authority", "--json"]).expect(0).json().pop().unwrap();
    assert_eq!(asked_again["outcome"], "FOUND");

    let names = |placed: &Placed| -> Vec<String> {
        let listed = placed.operate(&["cache", "dump", "--json"]).expect(0).json();
        listed.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names(&recursive).contains(&"88.990/item".to_owned()));
    let flushed = recursive.operate(&["cache", "flush", "88.990/item", "--json"]).expect(0).json().pop().unwrap();
    assert_eq!(flushed["entries"], 1);
    assert!(!names(&recursive).contains(&"88.990/item".to_owned()));
    assert_eq!(said(&recursive.ask("88.990/item", &[])), found("https://example.invalid/1"));
    recursive.operate(&["cache", "flush", "--prefix", "88.990"]).expect(0);
    assert!(!names(&recursive).iter().any(|name| name.contains("88.990")));
    let stats = recursive.operate(&["cache", "stats", "--json"]).expect(0).json().pop().unwrap();
    assert!(stats["events"]["resolved"].as_u64().unwrap() >= 1, "{stats}");
    assert!(stats["bytes"].as_u64().unwrap() <= stats["budget_bytes"].as_u64().unwrap());
    recursive.operate(&["cache", "flush", "--all"]).expect(0);
    assert!(names(&recursive).is_empty());
    // A node without recursion says so, and strangers learn nothing.
    secondary.operate(&["cache", "stats"]).expect(4).says(&["recursion.sources"]);
    let (status, page) = recursive.daemon.page("/metrics");
    assert!(status == 200 && page.contains("waymark_recursion_events_total{event=\"resolved\"}"));
    assert!(page.contains("waymark_cache_entries 0"), "{page}");
}

#[test]
fn what_was_learned_survives_a_restart() {
    let secondary = secondary(DAY);
    let top = top(&secondary);
    let recursive = Placed::recursive(&top, "");
    assert_eq!(said(&recursive.ask("88.990/item", &[])), found("https://example.invalid/1"));
    top.daemon.stop().expect(0);
    secondary.daemon.stop().expect(0);
    let Placed { bench, daemon } = recursive;
    daemon.stop().expect(0);
    let recursive = Placed { daemon: bench.serve(), bench };
    assert_eq!(said(&recursive.ask("88.990/item", &[])), found("https://example.invalid/1"));
    // A file that was damaged costs what it held, and no more.
    let Placed { bench, daemon } = recursive;
    daemon.stop().expect(0);
    let file = bench.data().join("cache.bin");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let recursive = Placed { daemon: bench.serve(), bench };
    let stats = recursive.operate(&["cache", "stats", "--json"]).expect(0).json().pop().unwrap();
    assert!(stats["entries"].as_u64().unwrap() >= 1, "{stats}");
    let Placed { bench, daemon } = recursive;
    daemon.process.kill();
    std::fs::write(&file, b"something else").unwrap();
    let recursive = Placed { daemon: bench.serve(), bench };
    assert_eq!(said(&recursive.ask("88.990/none", &[])).0, 2, "it answers, and knows nothing");
}

#[test]
fn a_secondary_node_resolves_its_own_and_for_its_sources_what_it_delegated_and_what_is_above() {
    let enterprise = Placed::start("", &[record("88.990.7/part", &[(1, "DESC", "at the enterprise", DAY)])], &[]);
    let other = Placed::start("", &[record("88.800/thing", &[(1, "DESC", "at another node", DAY)])], &[]);
    let top = Placed::start("", &[delegation("88.800", &other.site("88.800"), DAY)], &["88"]);
    let settings = format!(
        "recursion.sources = [\"127.0.0.0/8\"]\nrecursion.roots = [\"{}\"]\nrecursion.private_servers = true\n",
        top.daemon.address("udp")
    );
    let own = [
        record("88.990/item", &[(1, "DESC", "its own", DAY)]),
        delegation("88.990.7", &enterprise.site("88.990.7"), DAY),
    ];
    let secondary = Placed::start(&settings, &own, &["88.990"]);
    assert_eq!(said(&secondary.ask("88.990/item", &[])), found("its own"));
    assert_eq!(said(&secondary.ask("88.990.7/part", &[])), found("at the enterprise"));
    assert_eq!(said(&secondary.ask("88.800/thing", &[])), found("at another node"));
    let traced = secondary.operate(&["trace", "88.990.7/part", "--authority"]).expect(0);
    assert!(traced.out.contains("delegated by this node itself"), "{}", traced.out);
    assert!(!traced.out.contains(&top.daemon.url("udp")), "nobody above is asked: {}", traced.out);
}

#[test]
fn a_certified_question_is_answered_from_verified_answers_only() {
    let secondary = secondary(DAY);
    let top = top(&secondary);
    // The root's own site, keys included, as a file.
    let bench = Bench::new("");
    let file = bench.put("root.site", top.site_data());
    let settings = format!(
        "recursion.sources = [\"127.0.0.0/8\"]\nrecursion.root_site = {:?}\nrecursion.private_servers = true\n",
        file.to_str().unwrap()
    );
    let recursive = Placed::start(&settings, &[], &[]);
    let answer = recursive.ask("88.990/item", &["--certified"]);
    assert_eq!(said(&answer), found("https://example.invalid/1"));
    assert!(answer.json().pop().unwrap()["certified"].as_bool().unwrap());
    // Roots without keys: nothing can be verified, and nothing is said.
    let blind = Placed::recursive(&top, "");
    assert_eq!(said(&blind.ask("88.990/item", &[])), found("https://example.invalid/1"));
    let answer = blind.ask("88.990/item", &["--certified"]);
    assert!(message(&answer).starts_with("UPSTREAM_DOWN "), "{answer:?}");
}

/// Asks over and over, until the answer is this one.
fn until(placed: &Placed, handle: &str, wanted: &(u64, String, bool)) {
    let mut last = None;
    for _ in 0..1_000 {
        let said = said(&placed.ask(handle, &[]));
        if said == *wanted {
            return;
        }
        last = Some(said);
    }
    panic!("{handle} never says {wanted:?}, but {last:?}");
}

#[test]
fn what_changes_at_a_node_that_is_followed_is_forgotten_long_before_its_time() {
    let secondary = secondary(DAY);
    let top = top(&secondary);
    let feed = Bench::new("");
    let pin = secondary.daemon.registration_pin();
    let file = feed.put(
        "feed.toml",
        format!(
            "server = {:?}\nname = \"r1\"\nprefixes = [\"88.990\"]\ntoken_file = {:?}\npin = {pin:?}\n",
            secondary.daemon.url("grpcs"),
            secondary.bench.data().join("operator-token"),
        ),
    );
    let recursive = Placed::recursive(&top, &format!("recursion.feeds = [{:?}]\n", file.to_str().unwrap()));
    let followers = || secondary.operate(&["followers", "--json"]).expect(0).json();
    let connected = |wanted: bool| {
        for _ in 0..10_000 {
            if followers().first().is_some_and(|one| one["connected"] == wanted) {
                return;
            }
        }
        panic!("never {wanted}: {:?}", followers());
    };
    connected(true);
    until(&recursive, "88.990/item", &found("https://example.invalid/1"));
    secondary.operate(&["suspend", "88.990/item", "--reason", "recall"]).expect(0);
    until(&recursive, "88.990/item", &(100, String::new(), false));
    secondary.operate(&["resume", "88.990/item"]).expect(0);
    until(&recursive, "88.990/item", &found("https://example.invalid/1"));
    // The publisher knows who has confirmed it.
    let behind =
        |serial: u64| secondary.operate(&["followers", "--behind", &serial.to_string(), "--json"]).expect(0).json();
    let newest = || {
        // Of one answer: the follower goes on confirming between two.
        let one = followers().swap_remove(0);
        one["confirmed"].as_u64().unwrap() + one["behind"].as_u64().unwrap()
    };
    let resumed = newest();
    let mut tries = 0;
    while !behind(resumed).is_empty() {
        tries += 1;
        assert!(tries < 10_000, "never confirmed");
    }
    // Lost, and back late: what happened meanwhile is forgotten first, though the cache of last time has it for a day.
    let Placed { bench, daemon } = recursive;
    daemon.stop().expect(0);
    connected(false);
    let missed = newest() + 1;
    secondary.operate(&["suspend", "88.990/item", "--reason", "recall"]).expect(0);
    assert_eq!(behind(missed).len(), 1, "lost, and not confirmed");
    let recursive = Placed { daemon: bench.serve(), bench };
    connected(true);
    until(&recursive, "88.990/item", &(100, String::new(), false));
}

#[test]
fn a_flood_of_made_up_names_starves_nobody_even_when_all_above_are_killed() {
    const KNOWN: usize = 100;
    let records: Vec<String> = (0..KNOWN)
        .map(|number| record(&format!("88.990/known-{number}"), &[(1, "URL", "https://example.invalid/", DAY)]))
        .collect();
    let secondary = Placed::start("", &records, &["88.990"]);
    let top = top(&secondary);
    // Two servers, each asked a hundred times a second at most, whatever is asked of us.
    let recursive = Placed::recursive(&top, "recursion.per_server_second = 100\ncache.size_mib = 1\n");
    for number in 0..KNOWN {
        until(&recursive, &format!("88.990/known-{number}"), &found("https://example.invalid/"));
    }
    let names: Vec<String> = (0..KNOWN).map(|number| format!("88.990/known-{number}")).collect();
    let file = recursive.bench.put("known.txt", names.join("\n"));
    let server = recursive.daemon.url("tcp");
    #[expect(clippy::disallowed_methods, reason = "how long the servers above could be asked")]
    let began = std::time::Instant::now();
    let flood = Process::start(tool([
        "load",
        "--server",
        &server,
        "--pattern",
        "88.990/made-up-{:09}",
        "--count",
        "1000000000",
        "--seconds",
        "7",
        "--json",
    ]));
    let load = || {
        let names = file.to_str().unwrap();
        let words = ["load", "--server", &server, "--names", names, "--seconds", "2"];
        Process::start(tool([&words[..], &["--sockets", "1", "--outstanding", "8", "--json"]].concat()))
    };
    let before = load().ended();
    let during = load();
    top.daemon.process.kill();
    secondary.daemon.process.kill();
    let during = during.ended();
    let after = load().ended();
    for (when, known) in [("before", before), ("during", during), ("after", after)] {
        let known = known.expect(0).json().pop().unwrap();
        assert!(known["found"].as_u64().unwrap() > 0, "{when}: {known}");
        for other in ["absent", "busy", "refused", "lost", "wrong"] {
            assert_eq!(known[other], 0, "{when}, {other}: {known}");
        }
        println!("known names {when} the kill of all above: {} a second, {known}", known["answered_per_second"]);
    }
    let flood = flood.ended().json().pop().unwrap();
    assert_eq!(flood["found"], 0, "{flood}");
    let seconds = began.elapsed().as_secs() + 2;
    let stats = recursive.operate(&["cache", "stats", "--json"]).expect(0).json().pop().unwrap();
    assert!(stats["events"]["upstream_attempts"].as_u64().unwrap() <= 2 * 100 * seconds + KNOWN as u64 * 3, "{stats}");
    assert!(stats["bytes"].as_u64().unwrap() <= 1 << 20, "{stats}");
    println!("beside {} made-up names a second", flood["answered_per_second"]);
}
