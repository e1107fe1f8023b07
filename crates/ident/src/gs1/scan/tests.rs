use super::*;

const GTIN: &str = "09506000134352";

fn scan(text: &str) -> Result<Scan, ScanError> {
    Scan::parse(text.as_bytes())
}

/// GTIN, lot, serial number and expiry, as text.
fn read(text: &str) -> [String; 4] {
    let scan = scan(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    [
        scan.gtin.map(|gtin| gtin.to_string()),
        scan.lot.map(|lot| lot.to_string()),
        scan.serial.map(|serial| serial.to_string()),
        scan.expiry.map(|expiry| expiry.to_string()),
    ]
    .map(Option::unwrap_or_default)
}

#[test]
fn all_forms_of_one_item_say_the_same() {
    for form in [
        "https://id.gs1.org/01/09506000134352/10/A7/21/S1?17=270228",
        "HTTP://shop.example:8443/a/b/01/09506000134352/22/V/10/A7/21/S1?linkType=all&17=270228&240=x#top",
        "(01)09506000134352(17)270228(10)A7(21)S1",
        "]d2010950600013435217270228\u{1d}10A7\u{1d}21S1",
        "]Q3010950600013435210A7\u{1d}1727022821S1\u{1d}",
        "]C110A7\u{1d}0109506000134352240any\u{1d}21S1\u{1d}3103001750\u{1d}17270228",
        "010950600013435210A7\u{1d}21S1\u{1d}17270228",
        "\u{1d}010950600013435210A7\u{1d}21S1\u{1d}17270228\r\n",
        "^010950600013435210A7^21S1^17270228",
        "]Q1https://id.gs1.org/01/09506000134352/10/A7/21/S1?17=270228",
    ] {
        assert_eq!(read(form), [GTIN, "A7", "S1", "270228"], "{form}");
    }
}

#[test]
fn numbers_of_plain_bar_codes_are_padded() {
    for (form, gtin) in [
        ("]E09506000134352", GTIN),
        ("]E412345670", "00000012345670"),
        ("9506000134352", GTIN),
        ("614141123452\r\n", "00614141123452"),
        ("12345670", "00000012345670"),
    ] {
        assert_eq!(read(form), [gtin, "", "", ""], "{form}");
    }
}

#[test]
fn every_element_has_its_place() {
    let elements = r"(00)569445915102255221(01)09506000134352(11)260101(15)260600(16)260531(8013)9506000r6\(fm2M";
    let scan = scan(elements).unwrap();
    assert_eq!(scan.sscc.unwrap().as_str(), "569445915102255221");
    assert_eq!(scan.gmn.unwrap().as_str(), "9506000r6(fm2M");
    let dates = [scan.production, scan.best_before, scan.sell_by].map(|date| date.unwrap().to_string());
    assert_eq!((dates, scan.expiry), (["260101", "260600", "260531"].map(String::from), None));
}

#[test]
fn the_key_nearest_to_the_end_of_the_path_counts() {
    for path in ["414/9506000134352/01/09506000134352", "01/01/09506000134352", "10/ABC/01/09506000134352"] {
        assert_eq!(read(&format!("https://id.gs1.org/{path}")), [GTIN, "", "", ""], "{path}");
    }
}

#[test]
fn refuses_links_with_elements_out_of_place() {
    let (lot, serial, expiry) = (Ai::LOT, Ai::SERIAL, Ai::EXPIRY);
    for (tail, error) in [
        ("/21/1/10/A", ScanError::InPath { ai: serial }),
        ("/10/A/10/A", ScanError::InPath { ai: lot }),
        ("/235/A/21/1", ScanError::InPath { ai: Ai::EXTENSION }),
        ("/17/270228", ScanError::InPath { ai: expiry }),
        ("/10/", ScanError::EmptyElement { ai: lot }),
        ("/foo", ScanError::NoKey),
        ("?21=A", ScanError::InQuery { ai: serial }),
        ("?17=", ScanError::EmptyElement { ai: expiry }),
        ("?17=270228&17=270228", ScanError::Repeated { ai: expiry }),
        ("?17=270229", ScanError::Date { ai: expiry }),
        ("?17=2702", ScanError::Length { ai: expiry }),
        ("/10/A B", ScanError::UriCharacter { at: 41 }),
    ] {
        assert_eq!(scan(&format!("https://id.gs1.org/01/{GTIN}{tail}")), Err(error), "{tail}");
    }
}

#[test]
fn refuses_links_to_nowhere_and_other_addresses() {
    for uri in ["https:///01/09506000134352", "https://u@id.gs1.org/01/09506000134352", "ftp://a/01/09506000134352"] {
        assert_eq!(scan(uri), Err(ScanError::NotGs1), "{uri}");
    }
    for uri in ["https://id.gs1.org", "https://id.gs1.org/", "https://id.gs1.org/%30%31/09506000134352"] {
        assert_eq!(scan(uri), Err(ScanError::NoKey), "{uri}");
    }
}

#[test]
fn refuses_broken_element_strings() {
    for (form, error) in [
        ("]d2", ScanError::Empty),
        ("]d2880X", ScanError::UnknownAi { at: 0 }),
        ("]d2\u{1d}0109506000134352", ScanError::UnknownAi { at: 0 }),
        ("]d2010950600013435210A\u{1d}\u{1d}17261231", ScanError::UnknownAi { at: 20 }),
        ("]d201095060001343", ScanError::Length { ai: Ai::GTIN }),
        ("]d20109506000\u{1d}134352", ScanError::Length { ai: Ai::GTIN }),
        ("]d2010950600013435210", ScanError::EmptyElement { ai: Ai::LOT }),
        ("]d210A", ScanError::NoKey),
        ("]I195060001343520", ScanError::Symbology),
        ("]E0950600013435", ScanError::Length { ai: Ai::GTIN }),
        ("]E09506000134353", ScanError::Check { ai: Ai::GTIN }),
        ("]Q1HELLO", ScanError::NotGs1),
        ("(01)9506000134352", ScanError::Length { ai: Ai::GTIN }),
        ("(01)09506000134352(1)A", ScanError::UnknownAi { at: 18 }),
        ("(01)09506000134352(10)A(10)B", ScanError::Repeated { ai: Ai::LOT }),
        ("(00)395060001343520004", ScanError::Check { ai: Ai::SSCC }),
        ("(8013)9506", ScanError::Check { ai: Ai::GMN }),
        ("(8013)95A6000r6fm", ScanError::Character { ai: Ai::GMN }),
        ("HELLO", ScanError::NotGs1),
        ("", ScanError::Empty),
        ("\r\n", ScanError::Empty),
    ] {
        assert_eq!(scan(form), Err(error), "{form:?}");
    }
}

#[test]
fn an_element_told_twice_alike_is_told_once() {
    assert_eq!(read("(01)09506000134352(10)A(10)A"), [GTIN, "A", "", ""]);
}

#[test]
fn a_missing_separator_makes_one_long_lot() {
    assert_eq!(read("]d2010950600013435210A17261231"), [GTIN, "A17261231", "", ""]);
}

#[test]
fn elements_of_predefined_length_are_stepped_over_without_separator() {
    for (first, last, digits) in [
        ("02", "03", 14),
        ("04", "04", 16),
        ("12", "14", 6),
        ("18", "19", 6),
        ("20", "20", 2),
        ("3100", "3699", 6),
        ("410", "419", 13),
    ] {
        for ai in [first, last] {
            let elements = format!("]d2{ai}{}0109506000134352", "7".repeat(digits));
            assert_eq!(read(&elements), [GTIN, "", "", ""], "{ai}");
            let elements = format!("]d20109506000134352{ai}{}", "7".repeat(digits - 1));
            assert!(matches!(scan(&elements), Err(ScanError::Length { .. })), "{ai}");
        }
    }
}

#[test]
fn elements_of_open_length_are_stepped_over_to_their_separator() {
    for ai in [
        "22", "30", "37", "235", "240", "254", "400", "426", "3900", "3959", "4300", "7003", "710", "7230", "8003",
        "8200", "90", "99",
    ] {
        let elements = format!("]d2{ai}0\u{1d}0109506000134352");
        assert_eq!(read(&elements), [GTIN, "", "", ""], "{ai}");
    }
}

#[test]
fn refuses_scans_longer_than_any_symbol() {
    let longest = format!("https://id.gs1.org/01/{GTIN}?{}", "x".repeat(MAX_SCAN_BYTES - 37));
    assert_eq!((longest.len(), read(&longest)), (MAX_SCAN_BYTES, [GTIN, "", "", ""].map(String::from)));
    assert_eq!(scan(&(longest + "x")), Err(ScanError::TooLong { length: MAX_SCAN_BYTES + 1 }));
}
