//! Whatever a scanner hands over, reading it ends with a scan or an error.

use proptest::prelude::*;
use waymark_ident::Date;
use waymark_ident::check::{gmn, mod10, mod37_36};
use waymark_ident::gs1::date::ShortDate;
use waymark_ident::gs1::{Gtin, Scan};

/// Texts near to scans: the beginning of one, or none, and pieces of all forms in any order.
fn nearly_a_scan() -> impl Strategy<Value = Vec<u8>> {
    let beginnings = [
        "",
        "https://a.example/01/09506000134352",
        "HTTP://a/b/00/569445915102255221",
        "(01)09506000134352",
        "(8013)9506000FQDCRTRM",
        "]d20109506000134352",
        "]Q1https://a/01/09506000134352",
        "^00569445915102255221",
    ];
    let pieces = [
        "https://",
        "/",
        "?",
        "&",
        "=",
        "#",
        "%2F",
        "%",
        "(",
        ")",
        "\\(",
        "]d2",
        "\u{1d}",
        "^",
        "01",
        "10",
        "235",
        "8013",
        "09506000134352",
        "569445915102255221",
        "9506000FQDCRTRM",
        "270228",
        "A7",
        "/10/A7",
        "/21/%2f",
        "?17=270200",
        "&11=260101",
        "(10)A\\(7",
        "(21)S",
        "(17)270228",
        "10A7\u{1d}",
        "17270228",
        "15270200",
        "3103001750",
        "批",
        "\r\n",
        "\0",
    ];
    let piece = prop_oneof![
        8 => proptest::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ];
    let beginning = proptest::sample::select(beginnings.to_vec()).prop_map(|text| text.as_bytes().to_vec());
    (beginning, proptest::collection::vec(piece, 0..8))
        .prop_map(|(beginning, pieces)| [beginning, pieces.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Scan::parse(&bytes);
        let _ = (Gtin::new(&bytes), ShortDate::parse(&bytes));
        let _ = (mod10::verify(&bytes), mod37_36::verify(&bytes), gmn::verify(&bytes));
    }

    #[test]
    fn what_is_read_is_about_something_and_reads_back(bytes in nearly_a_scan()) {
        if let Ok(scan) = Scan::parse(&bytes) {
            let mut elements = String::new();
            for (ai, value) in [
                ("00", scan.sscc.map(|text| text.to_string())),
                ("01", scan.gtin.map(|gtin| gtin.to_string())),
                ("8013", scan.gmn.map(|text| text.to_string())),
                ("10", scan.lot.map(|text| text.to_string())),
                ("11", scan.production.map(|date| date.to_string())),
                ("15", scan.best_before.map(|date| date.to_string())),
                ("16", scan.sell_by.map(|date| date.to_string())),
                ("17", scan.expiry.map(|date| date.to_string())),
                ("21", scan.serial.map(|text| text.to_string())),
            ] {
                if let Some(value) = value {
                    elements += &format!("({ai}){}", value.replace('(', "\\("));
                }
            }
            prop_assert!(scan.sscc.is_some() || scan.gtin.is_some() || scan.gmn.is_some());
            prop_assert_eq!(Scan::parse(elements.as_bytes()), Ok(scan));
        }
    }

    #[test]
    fn a_date_has_the_digits_it_was_read_from(year in 0u8..100, month in 1u8..13, day in 1u8..29, today in 0i64..40_000) {
        let digits = format!("{year:02}{month:02}{day:02}");
        let date = ShortDate::parse(digits.as_bytes()).unwrap().to_date(Date::from_days(today));
        prop_assert_eq!(format!("{:02}{:02}{:02}", date.year() % 100, date.month(), date.day()), digits);
    }
}
