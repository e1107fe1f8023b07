//! Answers of a top-level node, and scripts of what it answers.

use super::Seed;

/// Answers, by name.
const ANSWERS: &[(&str, &str)] = &[
    (
        "done",
        "<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response><result code=\"1000\"><msg>Command completed successfully</msg></result><trID><clTRID>WM-1</clTRID><svTRID>SV-1</svTRID></trID></response></epp>",
    ),
    (
        "pending",
        "<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response><result code=\"1001\"><msg lang=\"zh\">&#24453;审</msg></result><trID><clTRID>WM-1</clTRID><svTRID>SV-1</svTRID></trID></response></epp>",
    ),
    (
        "enterprise_known",
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?><epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response><result code=\"1000\"/><resData><ent:chkData xmlns:ent=\"urn:ietf:params:xml:ns:idis-ent-1.0\"><ent:cd><ent:entCrtCode avail=\"0\">91350100M000100Y43</ent:entCrtCode><ent:entId>ENT-7</ent:entId></ent:cd></ent:chkData></resData><trID><clTRID>WM-1</clTRID></trID></response></epp>",
    ),
    (
        "prefix_free",
        "<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response><result code=\"1000\"/><resData><chkData xmlns=\"urn:ietf:params:xml:ns:prefix-1.0\"><cd><prefix avail=\"true\">88.104.1</prefix></cd></chkData></resData></response></epp>",
    ),
    (
        "created",
        "<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response><result code=\"1000\"/><resData><ent:creData xmlns:ent=\"urn:ietf:params:xml:ns:idis-ent-1.0\"><ent:entId>ENT-7</ent:entId></ent:creData></resData></response></epp>",
    ),
    (
        "message",
        "<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response><result code=\"1301\"><msg>ack to dequeue</msg></result><msgQ count=\"2\" id=\"M-1\"><qDate>2026-11-30T00:00:00.0Z</qDate></msgQ><resData><p:pollData xmlns:p=\"urn:ietf:params:xml:ns:idis-entprefix-1.0\"><p:clTRID>WM-1</p:clTRID><p:svTRID>SV-1</p:svTRID><p:entId>ENT-7</p:entId><p:prefix>88.104.1</p:prefix><p:state>1</p:state><p:auditResult>2</p:auditResult><p:auditResultMsg><![CDATA[证照 <模糊> 13800138000 a@b.cn]]></p:auditResultMsg></p:pollData></resData></response></epp>",
    ),
    (
        "empty_queue",
        "<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response><result code=\"1300\"/><msgQ count=\"0\"/></response></epp>",
    ),
    (
        "bomb",
        "<!DOCTYPE epp [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><epp><response><result code=\"1000\"><msg>&b;</msg></result></response></epp>",
    ),
    ("external", "<!DOCTYPE epp SYSTEM \"file:///etc/passwd\"><epp/>"),
    (
        "deep",
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a></a>",
    ),
    ("instruction", "<?php exit ?><epp/>"),
    ("no_prefix", "<epp><response><result code=\"1000\"/><resData><x:chkData avail=\"1\"/></resData></response></epp>"),
];

/// Words of scripts: what is done, and two details.
const WANT: u8 = 0;
const WAIT: u8 = 1;
const RESTART: u8 = 2;
const STEP: u8 = 3;

/// Answers of scripts, as two details: a code by its place in the body's list, and data.
const FREE: [u8; 2] = [0, 0];
const CREATED: [u8; 2] = [48, 1];
const OK: [u8; 2] = [180, 1];
const PENDING: [u8; 2] = [181, 1];
const EMPTY: [u8; 2] = [182, 1];
const LOST: [u8; 2] = [190, 1];
const EXISTS: [u8; 2] = [185, 1];
const PASSED: [u8; 2] = [99, 8];
const PASSED_LATER: [u8; 2] = [99, 6];

pub(super) fn seeds() -> Vec<Seed> {
    let answer = |(name, text): &(&str, &str)| ("docking", format!("answer_{name}"), [&[0], text.as_bytes()].concat());
    let mut seeds: Vec<Seed> = ANSWERS.iter().map(answer).collect();
    let step = |answer: [u8; 2]| vec![STEP, answer[0], answer[1]];
    let mut script = |name: &str, parts: &[Vec<u8>]| {
        seeds.push(("docking", format!("script_{name}"), [vec![1], parts.concat()].concat()));
    };
    let want = vec![WANT, 0];
    let (restart, wait) = (vec![RESTART, 0], vec![WAIT, 200]);
    let settle = vec![STEP, 1, 0];
    script("passed_at_once", &[want.clone(), step(EMPTY), step(FREE), step(CREATED), step(OK), settle.clone()]);
    script(
        "pending_then_passed",
        &[
            want.clone(),
            step(EMPTY),
            step(FREE),
            step(CREATED),
            step(PENDING),
            wait.clone(),
            step(PASSED),
            step(OK),
            settle.clone(),
        ],
    );
    script(
        "lost_and_found",
        &[
            want.clone(),
            step(EMPTY),
            step(FREE),
            step(LOST),
            wait.clone(),
            step(EMPTY),
            step(FREE),
            step(CREATED),
            step(LOST),
            wait.clone(),
            restart.clone(),
            step(EMPTY),
            step(FREE),
            step(EXISTS),
            wait.clone(),
            step(EMPTY),
            step(OK),
            settle.clone(),
        ],
    );
    let begun =
        [want, restart.clone(), step(EMPTY), step(FREE), restart.clone(), step(EMPTY), step(FREE), step(CREATED)];
    let decided =
        [restart.clone(), step(EMPTY), step(PENDING), restart.clone(), wait, step(PASSED_LATER), restart, settle];
    script("killed_everywhere", &[begun, decided].concat());
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz_bodies::docking::run;

    #[test]
    fn each_script_comes_to_a_verdict_that_the_catalog_takes() {
        let scripts: Vec<_> = seeds().into_iter().filter(|(_, name, _)| name.starts_with("script_")).collect();
        assert_eq!(scripts.len(), 4);
        for (_, name, script) in scripts {
            assert_eq!(run(&script[1..]), 1, "{name}");
        }
    }
}
