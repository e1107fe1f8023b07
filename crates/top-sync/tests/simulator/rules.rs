//! Rules of single fields and between fields, each broken by one bad row.

use serde_json::{Value, json};
use waymark_top_sync::simulator::sets::Set;

use crate::golden::{complaints, lines, part, rows};
use crate::shapes::path;

/// A value of a golden row, what it becomes, and what is said then. Where the complaint stands elsewhere, the problem begins with `@` and the field.
type Case = (Set, usize, &'static str, Value, &'static str);

fn assert_each_is_refused(cases: &[Case]) {
    for (set, row, pointer, value, problem) in cases {
        let mut rows = rows(*set);
        *rows[*row].pointer_mut(pointer).unwrap_or_else(|| panic!("{set} has no {pointer}")) = value.clone();
        let told = complaints(*set, &part(*set, 1, &lines(&rows)));
        let own = path(pointer);
        let (field, problem) = match problem.strip_prefix('@') {
            Some(other) => other.split_once(' ').unwrap(),
            None => (own.as_str(), *problem),
        };
        let is_told = told
            .iter()
            .any(|told| told.row == *row as u64 + 1 && told.field == field && told.problem.contains(problem));
        assert!(is_told, "{set} row {row} {pointer} = {value}: {problem:?} at {field:?} is not in {told:?}");
    }
}

fn assert_each_is_taken(cases: &[(Set, usize, &str, Value)]) {
    for (set, row, pointer, value) in cases {
        let mut rows = rows(*set);
        *rows[*row].pointer_mut(pointer).unwrap() = value.clone();
        let told = complaints(*set, &part(*set, 1, &lines(&rows)));
        assert!(told.is_empty(), "{set} row {row} {pointer} = {value}: {told:?}");
    }
}

fn long(characters: usize) -> Value {
    json!("标".repeat(characters))
}

#[test]
fn lengths_count_characters() {
    let limits: [(Set, usize, &str, usize, usize); 47] = [
        (Set::T1, 0, "/profile/name", 1, 255),
        (Set::T1, 0, "/profile/name_en", 0, 255),
        (Set::T1, 0, "/profile/address", 1, 255),
        (Set::T1, 0, "/profile/address_en", 0, 255),
        (Set::T6, 1, "/profile/document_number", 1, 32),
        (Set::T1, 0, "/profile/description", 0, 1024),
        (Set::T1, 0, "/profile/website", 0, 255),
        (Set::T1, 0, "/profile/registrar", 0, 255),
        (Set::T1, 0, "/profile/capital", 0, 255),
        (Set::T1, 0, "/profile/licences/0/number", 1, 255),
        (Set::T1, 0, "/profile/operation/organisation", 1, 255),
        (Set::T1, 0, "/profile/backup/cloud_provider", 0, 255),
        (Set::T1, 0, "/profile/backup/place", 0, 255),
        (Set::T1, 0, "/profile/data_hosting", 0, 255),
        (Set::T1, 0, "/profile/service_hosting", 0, 255),
        (Set::T1, 0, "/profile/site_name", 0, 255),
        (Set::T1, 0, "/profile/site_domain", 0, 255),
        (Set::T1, 0, "/personal/people/legal_person/name", 1, 128),
        (Set::T1, 0, "/personal/people/contact/document_number", 1, 32),
        (Set::T1, 0, "/personal/people/phone", 1, 32),
        (Set::T1, 0, "/personal/people/email", 1, 128),
        (Set::T1, 0, "/personal/representative/phone", 1, 32),
        (Set::T1, 0, "/personal/representative/email", 1, 128),
        (Set::T1, 0, "/personal/representative/fax", 0, 32),
        (Set::T4, 0, "/code", 1, 64),
        (Set::T4, 0, "/version", 1, 32),
        (Set::T4, 0, "/title", 0, 255),
        (Set::T4, 0, "/items/0/name", 1, 128),
        (Set::T4, 0, "/items/0/alias", 1, 128),
        (Set::T4, 0, "/items/0/type", 1, 32),
        (Set::T5, 0, "/name", 1, 255),
        (Set::T5, 0, "/description", 0, 1024),
        (Set::T5, 0, "/recursive_node", 0, 255),
        (Set::T10, 0, "/developer", 0, 255),
        (Set::T6, 0, "/real_name/source", 0, 255),
        (Set::T6, 0, "/personal/contact/name", 1, 128),
        (Set::T9, 0, "/product_type", 0, 255),
        (Set::T9, 0, "/brand", 0, 255),
        (Set::T9, 0, "/maker", 0, 255),
        (Set::T9, 0, "/expires", 0, 255),
        (Set::T9, 1, "/carrier/imei", 0, 255),
        (Set::T9, 1, "/carrier/mark_serial", 0, 255),
        (Set::Incident, 0, "/event", 1, 64),
        (Set::Incident, 0, "/cause", 0, 1024),
        (Set::Report, 0, "/maintenance/0/reason", 0, 1024),
        (Set::Report, 0, "/emergencies/0/remedy", 0, 1024),
        (Set::Report, 0, "/emergencies/1/event", 1, 64),
    ];
    for (set, row, pointer, least, most) in limits {
        assert_each_is_refused(&[(set, row, pointer, long(most + 1), "characters")]);
        assert_each_is_taken(&[(set, row, pointer, long(most)), (set, row, pointer, long(least.max(1)))]);
        if least > 0 && pointer != "/profile/operation/organisation" {
            assert_each_is_refused(&[(set, row, pointer, json!(""), "characters")]);
        }
    }
}

#[test]
fn line_feeds_stand_in_descriptions_only() {
    assert_each_is_taken(&[
        (Set::T1, 0, "/profile/description", json!("a\nb")),
        (Set::T10, 0, "/description", json!("\n")),
    ]);
    assert_each_is_refused(&[
        (Set::T1, 0, "/profile/description", json!("a\tb"), "control characters"),
        (Set::T1, 0, "/profile/address", json!("a\nb"), "control characters"),
        (Set::T9, 0, "/name", json!("a\u{7f}b"), "control characters"),
        (Set::T9, 0, "/name", json!("a\u{85}b"), "control characters"),
        (Set::Incident, 0, "/cause", json!("a\nb"), "control characters"),
    ]);
}

#[test]
fn numbers_stay_within_what_json_keeps_exact() {
    let most: u64 = (1 << 53) - 1;
    assert_each_is_taken(&[(Set::T3, 0, "/total_prefixes", json!(most)), (Set::T4, 0, "/items/1/length", json!(0))]);
    assert_each_is_refused(&[
        (Set::T3, 0, "/total_prefixes", json!(most + 1), "no whole number"),
        (Set::T3, 0, "/new_prefixes", json!(-1), "no whole number"),
        (Set::T8, 0, "/new_identifiers", json!(1.0), "no whole number"),
        (Set::T8, 0, "/total_identifiers", json!("7"), "no whole number"),
        (Set::T5, 0, "/users", json!(1e20), "no whole number"),
    ]);
}

#[test]
fn the_record_of_an_organisation_is_what_the_reference_says() {
    let p = |field: &str| -> &'static str { format!("/profile/{field}").leak() };
    for (set, row) in [(Set::T1, 0), (Set::T6, 0)] {
        assert_each_is_refused(&[
            (set, row, p("nature"), json!("firm"), "none of government"),
            (set, row, p("province"), json!(""), "6 digits"),
            (set, row, p("province"), json!("33"), "6 digits"),
            (set, row, p("city"), json!("33010x"), "6 digits"),
            (set, row, p("county"), json!("3301061"), "6 digits"),
            (set, row, p("document_kind"), json!("passport"), "none of credit-code"),
            (set, row, p("document_number"), json!("91330106MA2EXAMPL"), "18 characters"),
            (set, row, p("industry_section"), json!("CC"), "letter of a section"),
            (set, row, p("industry_section"), json!("c"), "letter of a section"),
            (set, row, p("industry_division"), json!("6"), "2 digits"),
            (set, row, p("industry_division"), json!(""), "2 digits"),
            (set, row, p("industry_group"), json!("65"), "3 digits"),
            (set, row, p("industry_group"), json!("391"), "not below the division"),
            (set, row, p("industry_class"), json!("65310"), "4 digits"),
            (set, row, p("industry_class"), json!("6511"), "not below the group"),
            (set, row, p("industry_group"), json!(""), "@profile.industry_class not below the group"),
            (set, row, p("expires"), json!("2027-02-29"), "no day"),
            (set, row, p("founded"), json!(""), "no day"),
            (set, row, p("licences"), json!([{"kind": "isp", "number": "1"}]), "@profile.licences[0].kind none of"),
            (set, row, p("licences"), json!(vec![json!({"kind": "basic-telecom", "number": "1"}); 33]), "more than 32"),
            (set, row, p("build"), json!({"party": "own", "organisation": "x"}), "@profile.build.organisation own"),
            (
                set,
                row,
                p("operation"),
                json!({"party": "entrusted", "organisation": ""}),
                "@profile.operation.organisation own",
            ),
            (
                set,
                row,
                p("operation"),
                json!({"party": "both", "organisation": ""}),
                "@profile.operation.party none of own",
            ),
            (set, row, p("registration_system/ip"), json!("192.0.2.256"), "no address"),
            (set, row, p("registration_system/ip"), json!(""), "no address"),
            (set, row, p("registration_system/port"), json!(0), "from 1 to 65535"),
            (set, row, p("registration_system/port"), json!(65_536), "from 1 to 65535"),
            (set, row, p("naming_compliant"), json!("yes"), "neither true nor false"),
            (set, row, p("industries_served"), json!(["C", "C"]), "@profile.industries_served[1] before"),
            (set, row, p("industries_served"), json!(["C39"]), "@profile.industries_served[0] GB/T 4754"),
            (set, row, p("site_ips"), json!(["example.cn"]), "@profile.site_ips[0] no address"),
            (set, row, p("site_ips"), json!(vec!["192.0.2.1"; 33]), "more than 32"),
        ]);
    }
    assert_each_is_refused(&[
        (Set::T1, 0, "/prefix", json!("88.991"), "not the node's"),
        (
            Set::T1,
            0,
            "/node/verification",
            json!({"party": "entrusted", "organisation": ""}),
            "@node.verification.organisation own",
        ),
        (Set::T1, 0, "/node/data_hosting_domestic", json!(null), "neither true nor false"),
        (Set::T1, 0, "/node/service_hosting_domestic", json!(1), "neither true nor false"),
        (Set::T1, 0, "/personal/people/contact/document_kind", json!("Id 1"), "no kind of document"),
    ]);
    assert_each_is_taken(&[(Set::T1, 0, "/personal", json!(null)), (Set::T1, 0, "/profile/founded", json!(null))]);
}

#[test]
fn files_are_what_they_say() {
    assert_each_is_refused(&[
        (Set::T1, 1, "/prefix", json!("88.990.1"), "not the node's"),
        (Set::T1, 1, "/file", json!(""), "characters"),
        (Set::T1, 1, "/format", json!("gif"), "none of jpeg"),
        (Set::T1, 1, "/format", json!("jpeg"), "begins like"),
        (Set::T1, 1, "/format", json!("bmp"), "begins like"),
        (Set::T1, 2, "/format", json!("png"), "begins like"),
        (Set::T1, 1, "/bytes", json!(71), "size of the content"),
        (Set::T1, 1, "/bytes", json!(0), "from 1 to 1048576"),
        (Set::T1, 1, "/bytes", json!(1_048_577), "from 1 to 1048576"),
        (Set::T1, 2, "/bytes", json!(5_242_881), "from 1 to 5242880"),
        (Set::T1, 1, "/sha256", json!("00".repeat(32)), "that of the content"),
        (Set::T1, 1, "/sha256", json!("00"), "64 hexadecimal digits"),
        (Set::T1, 1, "/content", json!("iVBORw0KGgo*"), "no base64"),
        (Set::T1, 1, "/content", json!("iVBORw0KGgoA"), "@sha256 that of the content"),
    ]);
}

#[test]
fn a_record_comes_first_and_once() {
    let [record, image, pdf] = rows(Set::T1).try_into().unwrap();
    let told = |rows: &[Value], place| {
        let mut sent = part(Set::T1, 1, &lines(rows));
        (sent.part, sent.parts) = place;
        complaints(Set::T1, &sent)
    };
    assert!(told(std::slice::from_ref(&image), (1, 1))[0].problem.contains("no record before it"));
    assert!(told(&[record.clone(), record.clone()], (1, 1))[0].problem.contains("only files"));
    assert!(told(std::slice::from_ref(&record), (2, 2))[0].problem.contains("only files"));
    assert_eq!(told(&[image.clone(), pdf], (2, 2)), []);
    assert!(told(&[record, image.clone(), image], (1, 1))[0].problem.contains("what row 2 is about"));
}

#[test]
fn routes_can_be_gone_to() {
    assert_each_is_refused(&[
        (Set::T2, 0, "/prefix", json!("88.990.10001"), "not the node's"),
        (Set::T7, 0, "/prefix", json!("88.990"), "is the node's"),
        (Set::T7, 0, "/prefix", json!("88.990.10001/x"), "no prefix"),
        (Set::T7, 0, "/prefix", json!("88..1"), "no prefix"),
        (Set::T7, 0, "/prefix", json!("88.990.标识"), "no prefix"),
        (Set::T7, 0, "/prefix", json!("8".repeat(256)), "no prefix"),
        (Set::T2, 0, "/code_type", json!("handle"), "none of Handle"),
        (Set::T2, 0, "/routes/0/ip_type", json!(5), "neither 4 nor 6"),
        (Set::T2, 0, "/routes/0/ip", json!("2001:db8::1"), "other family"),
        (Set::T2, 0, "/routes/1/ip", json!("192.0.2.1"), "other family"),
        (Set::T2, 0, "/routes/1/ip", json!("localhost"), "no address"),
        (Set::T2, 0, "/routes/0/tcp", json!(0), "from 1 to 65535"),
        (Set::T2, 0, "/routes/0/udp", json!(65_536), "from 1 to 65535"),
        (Set::T7, 0, "/routes/0/udp", json!(null), "@routes[0] no port"),
        (Set::T7, 0, "/routes", json!(vec![rows(Set::T7)[0]["routes"][0].clone(); 9]), "more than 8"),
    ]);
    assert_each_is_taken(&[(Set::T7, 1, "/prefix", json!("did:bid:ef")), (Set::T7, 1, "/prefix", json!("1.2.156.1"))]);
}

#[test]
fn statistics_agree_with_themselves() {
    assert_each_is_refused(&[
        (Set::T3, 0, "/prefix", json!("88.990.10001"), "not the node's"),
        (Set::T8, 0, "/prefix", json!("88.990"), "is the node's"),
        (Set::T3, 0, "/day", json!("2026-11-28"), "not the day of the part"),
        (Set::T8, 0, "/day", json!("2026-11-31"), "no day"),
        (Set::T3, 0, "/successes", json!(1001), "more than requests"),
        (Set::T8, 0, "/successes", json!(801), "more than requests"),
        (Set::T3, 0, "/sources/0/ip", json!("here"), "no address"),
        (Set::T3, 0, "/sources/2/ip", json!("2001:0db8:0::7"), "before too"),
        (Set::T3, 0, "/sources/2/count", json!(151), "more than that before it"),
        (Set::T3, 0, "/other_sources", json!(99), "@sources sum up"),
        (Set::T3, 0, "/requests", json!(1001), "@sources sum up"),
        (Set::T3, 0, "/error", json!(1), "every count is exact"),
        (Set::T3, 0, "/exact", json!("true"), "neither true nor false"),
    ]);
    // Where counts are not exact, they need not sum up: those of the golden row do not.
    assert_each_is_taken(&[(Set::T8, 0, "/other_sources", json!(7))]);
}

#[test]
fn templates_are_those_of_an_industry() {
    assert_each_is_refused(&[
        (Set::T4, 0, "/prefix", json!("88.990.10001"), "not the node's"),
        (Set::T11, 0, "/prefix", json!("88.990"), "is the node's"),
        (Set::T4, 0, "/template", json!("META_PUMP"), "no identifier"),
        (Set::T4, 0, "/template", json!("88.990/"), "no identifier"),
        (Set::T4, 0, "/industry", json!(["34"]), "@industry[0] of this level"),
        (Set::T4, 0, "/industry", json!(["C", "344"]), "@industry[1] of this level"),
        (Set::T4, 0, "/industry", json!(["C", "34", "354"]), "@industry[2] below the one before"),
        (Set::T4, 0, "/industry", json!(["C", "34", "344", "3451"]), "@industry[3] below the one before"),
        (Set::T4, 0, "/industry", json!(["C", "34", "344", "3441", "1"]), "more than 4"),
        (Set::T4, 0, "/industry", json!("C3441"), "no list"),
        (Set::T11, 0, "/industry", json!(["C"]), "no text"),
        (Set::T11, 0, "/industry", json!("3441"), "no section"),
        (Set::T11, 0, "/industry", json!("C3"), "no section"),
        (Set::T11, 0, "/active_carrier", json!(1), "neither true nor false"),
        (Set::T11, 0, "/items", json!(vec![rows(Set::T11)[0]["items"][0].clone(); 1001]), "more than 1000"),
    ]);
    let most = json!(vec![rows(Set::T11)[0]["items"][0].clone(); 1000]);
    assert_each_is_taken(&[
        (Set::T4, 0, "/industry", json!([])),
        (Set::T11, 0, "/industry", json!("C")),
        (Set::T11, 0, "/industry", json!("C34")),
        (Set::T11, 0, "/items", most),
    ]);
}

#[test]
fn applications_are_of_the_month() {
    assert_each_is_refused(&[
        (Set::T5, 0, "/prefix", json!("88.990.10001"), "not the node's"),
        (Set::T10, 0, "/prefix", json!("88.990"), "is the node's"),
        (Set::T5, 0, "/month", json!("2026-10"), "not the month of the part"),
        (Set::T5, 0, "/month", json!("2026-11-01"), "not the month of the part"),
        (Set::T5, 0, "/type", json!(0), "from 1 to 5"),
        (Set::T10, 0, "/type", json!(6), "from 1 to 5"),
        (Set::T5, 1, "/name", json!("标识查询"), "@ what row 1 is about"),
    ]);
}

#[test]
fn enterprises_are_named_and_verified_before_it_is_told() {
    assert_each_is_refused(&[
        (Set::T6, 0, "/enterprise", json!("7"), "no enterprise"),
        (Set::T6, 0, "/enterprise", json!("E07"), "no enterprise"),
        (Set::T6, 0, "/enterprise", json!("E"), "no enterprise"),
        (Set::T6, 0, "/prefixes/1", json!("88.990"), "is the node's"),
        (Set::T6, 0, "/real_name/result", json!("maybe"), "none of verified"),
        (Set::T6, 0, "/real_name/time", json!("2026-11-29T08:00:00Z"), "no time"),
        (Set::T6, 0, "/real_name/time", json!("2026-11-29T08:00:00.001Z"), "not within the period"),
        (Set::T6, 1, "/enterprise", json!("E7"), "@ what row 1 is about"),
    ]);
}

#[test]
fn master_data_tells_of_each_identifier_once() {
    let longest = format!("88.990.10001/{}", "x".repeat(242));
    assert_each_is_refused(&[
        (Set::T9, 0, "/code", json!(format!("{longest}x")), "no identifier"),
        (Set::T9, 0, "/code", json!(format!("88.990.10001/{}", "标".repeat(81))), "no identifier"),
        (Set::T9, 0, "/code", json!("88.990.10001"), "no identifier"),
        (Set::T9, 0, "/code", json!("/x"), "no identifier"),
        (Set::T9, 0, "/created", json!("2026-11-30"), "behind the day"),
        (Set::T9, 0, "/created", json!("2026-11-29T00:00:00.000Z"), "no day"),
        (Set::T9, 0, "/template", json!("PUMP"), "no identifier"),
        (Set::T9, 0, "/operation", json!(0), "from 1 to 3"),
        (Set::T9, 0, "/operation", json!(4), "from 1 to 3"),
        (Set::T9, 2, "/template", json!("88.990.10001/META_PUMP-1.0"), "was deleted"),
        (Set::T9, 2, "/brand", json!("x"), "was deleted"),
        (Set::T9, 1, "/operation", json!(2), "@carrier was deleted"),
        (Set::T9, 1, "/code", json!("88.990.10001/XE215.0001"), "@ what row 1 is about"),
    ]);
    assert_each_is_taken(&[(Set::T9, 0, "/code", json!(longest)), (Set::T9, 0, "/template", json!(""))]);
}

#[test]
fn figures_of_a_day_fit_together() {
    assert_each_is_refused(&[
        (Set::Monitoring, 0, "/prefix", json!("?"), "no prefix"),
        (Set::Monitoring, 0, "/day", json!("2026-11-30"), "not the day"),
        (Set::Monitoring, 0, "/resolution/average_us", json!(9001), "not between"),
        (Set::Monitoring, 0, "/registration/minimum_us", json!(801), "@registration.average_us not between"),
        (Set::Monitoring, 0, "/resolution/average_us", json!(null), "@resolution leaves out"),
        (Set::Monitoring, 0, "/registration/maximum_at", json!(null), "@registration leaves out"),
        (Set::Monitoring, 0, "/resolution/maximum_at", json!("2026-11-28T15:59:59.999Z"), "not within the period"),
        (Set::Monitoring, 0, "/resolution/minimum_at", json!("2026-11-29T16:00:00.000Z"), "not within the period"),
        (Set::Monitoring, 0, "/resolution/peak_at", json!("2026-11-27T00:00:00.000Z"), "not within the period"),
        (Set::Monitoring, 0, "/resolution/peak_at", json!(null), "do not say the same"),
        (Set::Monitoring, 0, "/resolution/peak_per_second", json!(0), "@resolution.peak_at do not say the same"),
        (Set::Monitoring, 1, "/prefix", json!("88.990"), "@ what row 1 is about"),
    ]);
}

#[test]
fn incidents_name_what_they_end() {
    assert_each_is_refused(&[
        (Set::Incident, 0, "/state", json!("down"), "none of fault"),
        (Set::Incident, 0, "/related", json!("88.990-2026-0"), "this is a fault"),
        (Set::Incident, 1, "/related", json!(""), "which event is over"),
        (Set::Incident, 1, "/related", json!("88.990-2026-2"), "the event itself"),
        (Set::Incident, 0, "/time", json!("2026-11-29T08:00:00.001Z"), "not within the period"),
        (Set::Incident, 0, "/type", json!(0), "from 1 to 4"),
        (Set::Incident, 0, "/type", json!(5), "from 1 to 4"),
        (Set::Incident, 0, "/prefix", json!(""), "no prefix"),
        (Set::Incident, 1, "/event", json!("88.990-2026-1"), "@ what row 1 is about"),
    ]);
}

#[test]
fn a_report_says_what_was_measured_and_no_more() {
    assert_each_is_taken(&[
        (Set::Report, 0, "/service_level_ppm", json!(null)),
        (Set::Report, 0, "/resolution/ipv4_ppm", json!(1_000_000)),
        (Set::Report, 0, "/operating_s", json!(2_592_000)),
        (Set::Report, 0, "/maintenance", json!([])),
        (Set::Report, 0, "/emergencies", json!([])),
    ]);
    assert_each_is_refused(&[
        (Set::Report, 0, "/prefix", json!("88.990.10001"), "not the node's"),
        (Set::Report, 0, "/month", json!("2026-10"), "not the month of the part"),
        (Set::Report, 0, "/service_level_ppm", json!(1_000_001), "from 0 to 1000000"),
        (Set::Report, 0, "/registration/ipv6_ppm", json!(-1), "from 0 to 1000000"),
        (Set::Report, 0, "/registration/average_us", json!(0.5), "no whole number"),
        (Set::Report, 0, "/effective_average_s", json!(null), "do not say the same"),
        (Set::Report, 0, "/effective_longest_s", json!(3_599), "@effective_average_s is more than effective_longest_s"),
        (Set::Report, 0, "/operating_s", json!(2_592_001), "more than measured_s"),
        (Set::Report, 0, "/operating_s", json!(null), "though something was measured"),
        (Set::Report, 0, "/measured_s", json!(0), "@service_level_ppm though nothing was measured"),
        (Set::Report, 0, "/maintenance/0/from", json!("2026-11-30T16:00:00.000Z"), "after the month"),
        (Set::Report, 0, "/maintenance/0/until", json!("2026-11-10T15:59:59.999Z"), "before from"),
        (Set::Report, 0, "/emergencies/0/until", json!("2026-10-31T15:59:59.500Z"), "before the month"),
        (Set::Report, 0, "/emergencies/0/type", json!(5), "from 1 to 4"),
        (Set::Report, 0, "/emergencies/0/prefix", json!(""), "no prefix"),
    ]);
}
