//! Every checkout of `tests/data/gs1_vectors.json`: what was scanned, what is stopped, what the till does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::BTreeMap;

use serde_json::Value;
use waymark_catalog::verdict::{DateForm, DateText, Reason, Rules, Sale, Stop, Stopped, checkout};
use waymark_ident::gs1::{Gtin, Scan};

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value[field].as_str()
}

fn stop(value: &Value) -> Stop<'_> {
    let stopped = match (text(value, "lot"), text(value, "serial")) {
        (Some(lot), None) => Stopped::Lot(lot),
        (None, Some(serial)) => Stopped::Serial(serial),
        (None, None) if value["all"] == true => Stopped::All,
        _ => panic!("{value}"),
    };
    let gtin = Gtin::new(text(value, "gtin").unwrap().as_bytes()).unwrap();
    Stop { gtin, stopped, reason: text(value, "reason").unwrap() }
}

/// The scan of a vector, which must say what the vector does.
fn scan(vector: &Value) -> Scan {
    let scan = Scan::parse(text(vector, "scan").unwrap().as_bytes()).unwrap();
    let said = [
        scan.gtin.map(|gtin| gtin.to_string()),
        scan.lot.map(|lot| lot.to_string()),
        scan.serial.map(|serial| serial.to_string()),
        scan.expiry.map(|expiry| expiry.to_string()),
    ];
    let fields = ["gtin", "lot", "serial", "expiry"].map(|field| text(vector, field).map(str::to_owned));
    assert_eq!(said, fields, "{vector}");
    scan
}

#[test]
fn every_checkout_is_decided_as_the_vectors_have_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/gs1_vectors.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut run = BTreeMap::<&str, usize>::new();
    for vector in file["vectors"].as_array().unwrap().iter().filter(|vector| vector["group"] == "checkout") {
        let today = DateText { text: text(vector, "today").unwrap(), form: DateForm::Iso };
        let today = today.read(waymark_ident::Date::MIN).unwrap();
        let stops: Vec<Stop<'_>> = vector["stop"].as_array().unwrap().iter().map(stop).collect();
        let rules = Rules {
            warn_days: u16::try_from(vector["warn_days"].as_u64().unwrap()).unwrap(),
            expiry_required: vector["expiry_required"].as_bool().unwrap(),
        };
        let decision = checkout(&scan(vector), &stops, rules, today);
        let sale = match decision.sale {
            Sale::Allow => "ALLOW",
            Sale::Warn => "WARN",
            Sale::Deny => "DENY",
        };
        let reason = match decision.reason {
            Reason::Ok => "ok",
            Reason::NearExpiry => "near_expiry",
            Reason::Expired => "expired",
            Reason::ExpiryMissing => "expiry_missing",
            Reason::NotAProduct => "not_a_product",
            Reason::Stopped(reason) => reason,
        };
        assert_eq!((Some(sale), Some(reason)), (text(vector, "decision"), text(vector, "reason")), "{vector}");
        *run.entry(text(vector, "reason").unwrap()).or_default() += 1;
    }
    println!("checkout: {run:?}");
    assert_eq!(run.values().sum::<usize>(), 66);
}
