//! Every vector of `tests/data/gs1_vectors.json` that is about check characters, dates and what a scan says.
//!
//! The vectors were made with public tools; what each group expects of this crate is said at its test. Those of the later
//! front door are counted and named in [`LEFT`].
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failing step fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use waymark_ident::Date;
use waymark_ident::check::{gmn, mod10};
use waymark_ident::gs1::date::ShortDate;
use waymark_ident::gs1::{Scan, ScanError};

/// Elements that are read.
const READ: [&str; 9] = ["00", "01", "10", "11", "15", "16", "17", "21", "8013"];

/// Groups run here in full or in part, how many vectors each has, and for those in part, what is left to the front door.
const RUN: &[(&str, usize, &str)] = &[
    ("check_digit", 32, ""),
    ("check_pair_gmn", 7, ""),
    ("yymmdd", 40, ""),
    ("scan_to_elements", 124, "elements that a till does not read; writing links, brackets and print lines"),
    ("elements_to_dl", 115, "elements that a till does not read; writing links and symbols"),
    ("dl_to_elements", 500, "keys and elements that a till does not read; writing other forms; walking up"),
    ("ai_bracketed", 20, "which elements must and must not stand together; values of other elements"),
    ("scan_data", 9, "refusing element strings without symbology identifier"),
    (
        "dl_uri",
        169,
        "which elements must and must not stand together; values of other elements; unknown numbers in the query",
    ),
];

/// Groups left to other places, and why.
const LEFT: &[(&str, usize, &str)] = &[
    ("compression", 133, "a till gets no compressed links; the front door reads and writes them"),
    ("checkout", 66, "what may be sold is decided in the catalog: its test verdict_vectors runs them all"),
];

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/gs1_vectors.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn group(name: &str) -> Vec<Value> {
    let vectors: Vec<Value> = vectors().into_iter().filter(|vector| vector["group"] == name).collect();
    let (_, count, left) = RUN.iter().find(|(group, ..)| *group == name).unwrap();
    assert_eq!(vectors.len(), *count, "{name}");
    println!("{name}: {count} vectors; left to the front door: {}", if left.is_empty() { "nothing" } else { left });
    vectors
}

fn text<'v>(vector: &'v Value, field: &str) -> &'v str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field} of {vector}"))
}

/// The elements of a scan that are read, as the vectors write them; order is of no account.
fn elements(scan: &Scan) -> BTreeSet<(String, String)> {
    let values = [
        scan.sscc.map(|text| text.to_string()),
        scan.gtin.map(|gtin| gtin.to_string()),
        scan.lot.map(|text| text.to_string()),
        scan.production.map(|date| date.to_string()),
        scan.best_before.map(|date| date.to_string()),
        scan.sell_by.map(|date| date.to_string()),
        scan.expiry.map(|date| date.to_string()),
        scan.serial.map(|text| text.to_string()),
        scan.gmn.map(|text| text.to_string()),
    ];
    READ.into_iter().zip(values).filter_map(|(ai, value)| Some((ai.to_owned(), value?))).collect()
}

/// The same of a vector's pairs.
fn expected(vector: &Value) -> BTreeSet<(String, String)> {
    let pairs = vector["pairs"].as_array().unwrap().iter();
    let pairs = pairs.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()));
    pairs.filter(|(ai, _)| READ.contains(&ai.as_str())).collect()
}

/// Runs one form of a vector: what is read must be the vector's pairs, and without any key that is read, nothing.
fn check(vector: &Value, form: &str) -> bool {
    let expected = expected(vector);
    let has_key = expected.iter().any(|(ai, _)| matches!(ai.as_str(), "00" | "01" | "8013"));
    match Scan::parse(form.as_bytes()) {
        Ok(scan) => assert_eq!(elements(&scan), expected, "{form:?} of {vector}"),
        Err(error) => assert!(!has_key && error == ScanError::NoKey, "{form:?}: {error} of {vector}"),
    }
    has_key
}

#[test]
fn every_group_is_run_or_named_as_left() {
    let mut found = BTreeMap::<String, usize>::new();
    for vector in vectors() {
        *found.entry(text(&vector, "group").to_owned()).or_default() += 1;
    }
    let named = RUN.iter().chain(LEFT).map(|(group, count, _)| ((*group).to_owned(), *count)).collect();
    assert_eq!(found, named);
    for (group, count, reason) in LEFT {
        println!("{group}: {count} vectors left: {reason}");
    }
}

#[test]
fn check_digits_compute_and_verify() {
    for vector in group("check_digit") {
        let check = text(&vector, "check").as_bytes()[0];
        assert_eq!(mod10::compute(text(&vector, "body").as_bytes()), Some(check), "{vector}");
        assert_eq!(Value::Bool(mod10::verify(text(&vector, "full").as_bytes())), vector["valid"], "{vector}");
    }
}

#[test]
fn check_pairs_compute_and_verify() {
    for vector in group("check_pair_gmn") {
        let pair = gmn::compute(text(&vector, "body").as_bytes()).unwrap();
        assert_eq!(pair, text(&vector, "check").as_bytes(), "{vector}");
        assert_eq!(Value::Bool(gmn::verify(text(&vector, "full").as_bytes())), vector["valid"], "{vector}");
    }
}

#[test]
fn short_dates_are_the_days_meant() {
    for vector in group("yymmdd") {
        let numbers: Vec<u16> = text(&vector, "today").split('-').map(|number| number.parse().unwrap()).collect();
        let [year, month, day] = numbers[..] else { panic!("{vector}") };
        let today = Date::new(year, month.try_into().unwrap(), day.try_into().unwrap()).unwrap();
        let date = ShortDate::parse(text(&vector, "input").as_bytes()).unwrap().to_date(today);
        assert_eq!(date.to_string(), text(&vector, "date"), "{vector}");
        assert_eq!(Value::Bool(date < today), vector["expired"], "{vector}");
        assert_eq!(vector["valid"], true);
    }
}

#[test]
fn scans_of_symbols_are_read() {
    let mut read = 0;
    for vector in group("scan_to_elements") {
        let input = text(&vector, "input");
        match text(&vector, "tag") {
            // The vectors give no elements of plain numbers and plain texts.
            "edge:ean13" | "edge:ean8" => {
                let scan = Scan::parse(input.as_bytes()).unwrap();
                assert_eq!(scan.gtin.unwrap().to_string(), format!("{:0>14}", &input[3..]));
            }
            "edge:plain" => assert_eq!(Scan::parse(input.as_bytes()), Err(ScanError::NotGs1)),
            _ => {
                read += usize::from(check(&vector, input));
                check(&vector, text(&vector, "data"));
                check(&vector, text(&vector, "ai_bracketed"));
                vector["dl_uri"].as_str().map(|uri| check(&vector, uri));
            }
        }
    }
    println!("scan_to_elements: {read} scans of products, containers and models");
    assert_eq!(read, 121);
}

#[test]
fn elements_in_brackets_and_symbols_are_read() {
    let mut read = 0;
    for vector in group("elements_to_dl") {
        for form in ["input", "data", "scan_gs1_datamatrix", "scan_gs1_qr", "scan_gs1_128"] {
            read += usize::from(check(&vector, text(&vector, form)));
        }
    }
    println!("elements_to_dl: {read} forms of products, containers and models");
    assert_eq!(read, 52 * 5);
}

#[test]
fn digital_links_are_read() {
    let mut read = 0;
    for vector in group("dl_to_elements") {
        let key = text(&vector, "primary_key");
        if matches!(key, "00" | "01" | "8013") {
            for form in ["dl_uri", "dl_on_id_gs1_org", "ai_bracketed", "element_string", "scan_data_gs1_datamatrix"] {
                check(&vector, text(&vector, form));
            }
            read += 1;
        } else {
            assert_eq!(Scan::parse(text(&vector, "dl_uri").as_bytes()), Err(ScanError::NoKey), "{vector}");
        }
    }
    println!("dl_to_elements: {read} links of products, containers and models");
    assert_eq!(read, 446);
}

/// Runs the invalid vectors of a group and returns how many of each kind are read all the same.
fn read_all_the_same(name: &str) -> BTreeMap<String, usize> {
    let mut read = BTreeMap::new();
    for vector in group(name) {
        assert_eq!(vector["valid"], false, "{vector}");
        if Scan::parse(text(&vector, "input").as_bytes()).is_ok() {
            *read.entry(text(&vector, "error_kind").to_owned()).or_default() += 1;
        }
    }
    println!("{name}: read all the same: {read:?}");
    read
}

fn kinds(kinds: &[(&str, usize)]) -> BTreeMap<String, usize> {
    kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

#[test]
fn invalid_brackets_are_refused_unless_other_elements_are_to_blame() {
    let expected = kinds(&[("day", 1), ("missing_required_ai", 3), ("mutually_exclusive", 2)]);
    assert_eq!(read_all_the_same("ai_bracketed"), expected);
}

#[test]
fn invalid_symbols_are_refused_but_need_no_symbology_identifier() {
    assert_eq!(read_all_the_same("scan_data"), kinds(&[("symbology_identifier", 1)]));
}

#[test]
fn invalid_links_are_refused_unless_other_elements_are_to_blame() {
    let expected = kinds(&[
        ("country_code", 1),
        ("currency_code", 1),
        ("day", 1),
        ("hour", 1),
        ("minute", 1),
        ("missing_required_ai", 41),
        ("mutually_exclusive", 3),
        ("non_digit", 2),
        ("unknown_ai_in_query", 9),
    ]);
    assert_eq!(read_all_the_same("dl_uri"), expected);
}
