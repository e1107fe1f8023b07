//! What an organisation says of itself and its people, in T1 and T6.

use std::collections::HashSet;

use super::metadata::is_section;
use super::short_texts;
use crate::check::checker::{Checker, Field, Fields};
use crate::check::forms::has_digits;
use crate::check::json::Json;

/// Most items of a list.
const LIST: usize = 32;

/// Characters of a unified social credit code.
const CREDIT_CODE: usize = 18;

const NATURES: [&str; 5] = ["government", "public-institution", "company", "social-organisation", "other"];

const LICENCES: [&str; 4] = ["domain-registry", "domain-registrar", "basic-telecom", "value-added-telecom"];

const SYSTEMS: [&str; 5] =
    ["registration_system", "registration_data", "backup", "resolution_servers", "system_backup"];

const FIELDS: [&str; 35] = [
    "name",
    "name_en",
    "nature",
    "province",
    "city",
    "county",
    "address",
    "address_en",
    "document_kind",
    "document_number",
    "description",
    "industry_section",
    "industry_division",
    "industry_group",
    "industry_class",
    "website",
    "registrar",
    "capital",
    "founded",
    "expires",
    "licences",
    "build",
    "operation",
    "registration_system",
    "registration_data",
    "backup",
    "resolution_servers",
    "system_backup",
    "data_hosting",
    "service_hosting",
    "naming_compliant",
    "industries_served",
    "site_name",
    "site_domain",
    "site_ips",
];

pub(super) fn check(checker: &mut Checker, profile: Field<'_>) {
    checker.within(profile, &FIELDS, |checker, profile| {
        organisation(checker, &profile);
        industry(checker, &profile);
        business(checker, &profile);
        for system in SYSTEMS {
            location(checker, profile.at(system));
        }
        services(checker, &profile);
    });
}

fn organisation(checker: &mut Checker, profile: &Fields<'_>) {
    checker.text(profile.at("name"), 1, 255);
    checker.word(profile.at("nature"), &NATURES);
    checker.digits(profile.at("province"), 6, false);
    checker.digits(profile.at("city"), 6, true);
    checker.digits(profile.at("county"), 6, true);
    checker.text(profile.at("address"), 1, 255);
    short_texts(checker, profile, &["name_en", "address_en"]);
    let kind = checker.word(profile.at("document_kind"), &["credit-code", "other"]);
    let number = checker.text(profile.at("document_number"), 1, 32);
    if kind == Some("credit-code") && number.is_some_and(|number| number.chars().count() != CREDIT_CODE) {
        checker.complain(profile.at("document_number"), "has not the 18 characters of a credit code");
    }
    checker.description(profile.at("description"), 1_024);
}

/// Levels of GB/T 4754, each of the lower ones beginning with the one above it.
fn industry(checker: &mut Checker, profile: &Fields<'_>) {
    let section = profile.at("industry_section");
    if section.value.is_some() && !section.value.and_then(Json::as_text).is_some_and(is_section) {
        checker.complain(section, "is no letter of a section");
    }
    let division = checker.digits(profile.at("industry_division"), 2, false);
    let group = checker.digits(profile.at("industry_group"), 3, true);
    let class = checker.digits(profile.at("industry_class"), 4, true);
    if let (Some(division), Some(group)) = (division, group)
        && !group.is_empty()
        && !group.starts_with(division)
    {
        checker.complain(profile.at("industry_group"), "is not below the division");
    }
    if let (Some(group), Some(class)) = (group, class)
        && !class.is_empty()
        && (group.is_empty() || !class.starts_with(group))
    {
        checker.complain(profile.at("industry_class"), "is not below the group");
    }
}

fn business(checker: &mut Checker, profile: &Fields<'_>) {
    short_texts(checker, profile, &["website", "registrar", "capital"]);
    for name in ["founded", "expires"] {
        if let Some(day) = Checker::unless_null(profile.at(name)) {
            checker.day(day);
        }
    }
    checker.list(profile.at("licences"), LIST, |checker, licence| {
        checker.within(licence, &["kind", "number"], |checker, licence| {
            checker.word(licence.at("kind"), &LICENCES);
            checker.text(licence.at("number"), 1, 255);
        });
    });
    for name in ["build", "operation"] {
        if let Some(operation) = Checker::unless_null(profile.at(name)) {
            check_operation(checker, operation);
        }
    }
}

fn services(checker: &mut Checker, profile: &Fields<'_>) {
    short_texts(checker, profile, &["data_hosting", "service_hosting", "site_name", "site_domain"]);
    checker.flag(profile.at("naming_compliant"));
    let mut seen = HashSet::new();
    checker.list(profile.at("industries_served"), LIST, |checker, item| {
        let code = item.value.and_then(Json::as_text);
        let is_code = |code: &str| is_section(code) || (2..=4).any(|digits| has_digits(code, digits));
        match code.filter(|code| is_code(code)) {
            None => checker.complain(item, "is no code of GB/T 4754"),
            Some(code) if !seen.insert(code.to_owned()) => checker.complain(item, "stands before too"),
            Some(_) => {}
        }
    });
    checker.list(profile.at("site_ips"), LIST, |checker, address| {
        checker.address(address);
    });
}

/// Where a system stands.
fn location(checker: &mut Checker, system: Field<'_>) {
    checker.within(system, &["cloud_provider", "place", "ip", "port"], |checker, system| {
        short_texts(checker, &system, &["cloud_provider", "place"]);
        if let Some(address) = Checker::unless_null(system.at("ip")) {
            checker.address(address);
        }
        checker.port_or_null(system.at("port"));
    });
}

/// Who does something: the organisation itself, or one it entrusted.
pub(super) fn check_operation(checker: &mut Checker, operation: Field<'_>) {
    checker.within(operation, &["party", "organisation"], |checker, operation| {
        let party = checker.word(operation.at("party"), &["own", "entrusted"]);
        let organisation = checker.text(operation.at("organisation"), 0, 255);
        if let (Some(party), Some(organisation)) = (party, organisation)
            && (party == "own") != organisation.is_empty()
        {
            checker.complain(operation.at("organisation"), "is not empty exactly for own");
        }
    });
}

/// The legal representative, the contact, and how to reach them.
pub(super) fn check_people(checker: &mut Checker, people: Field<'_>) {
    checker.within(people, &["legal_person", "contact", "phone", "email"], |checker, people| {
        for name in ["legal_person", "contact"] {
            checker.within(people.at(name), &["name", "document_kind", "document_number"], |checker, person| {
                checker.text(person.at("name"), 1, 128);
                let kind = checker.text(person.at("document_kind"), 1, 32);
                if kind.is_some_and(|kind| !kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')) {
                    checker.complain(person.at("document_kind"), "is no kind of document");
                }
                checker.text(person.at("document_number"), 1, 32);
            });
        }
        checker.text(people.at("phone"), 1, 32);
        checker.text(people.at("email"), 1, 128);
    });
}
