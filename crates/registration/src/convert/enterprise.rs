//! Enterprises, both ways.

use std::net::IpAddr;
use std::sync::Arc;

use waymark_api::operator::v1;
use waymark_catalog::business::{
    Business, Date, DocumentKind, Enterprise, EnterpriseId, Licence, LicenceKind, Location, Nature, Operation, Party,
    Problem, Profile, RealNameResult,
};
use waymark_catalog::vault::{Person, Personal};

use super::Faults;
use crate::failure::{Failure, proto_time};

/// Reads the name of an enterprise; `None` for an empty one.
pub(crate) fn read_id(field: &'static str, id: &str) -> Result<Option<EnterpriseId>, Failure> {
    if id.is_empty() {
        return Ok(None);
    }
    id.parse().map(Some).map_err(|_| Failure::invalid_field(field, "must be the name of an enterprise, such as E7"))
}

/// Reads the name of an enterprise that must be given.
pub(crate) fn needed_id(id: &str) -> Result<EnterpriseId, Failure> {
    read_id("id", id)?.ok_or_else(|| Failure::invalid_field("id", "is missing"))
}

/// Reads what verifying came to.
pub(crate) fn real_name_result(result: &str) -> Result<RealNameResult, Failure> {
    RealNameResult::from_name(result).ok_or_else(|| Failure::invalid_field("result", "must be verified or failed"))
}

/// Reads a profile. Whether texts and codes are fit is the writer's to say.
///
/// # Errors
/// The fields that are not what they may be.
pub fn read_profile(profile: v1::EnterpriseProfile) -> Result<Profile, Failure> {
    let mut faults = Faults::default();
    let nature = word("profile.nature", &profile.nature, Nature::from_name, Nature::Other, &mut faults);
    let (kind, other) = (&profile.document_kind, DocumentKind::Other);
    let document_kind = word("profile.document_kind", kind, DocumentKind::from_name, other, &mut faults);
    let licences = profile.licences.into_iter().map(|licence| Licence {
        kind: word(
            "profile.licences.kind",
            &licence.kind,
            LicenceKind::from_name,
            LicenceKind::BasicTelecom,
            &mut faults,
        ),
        number: licence.number,
    });
    let licences = licences.collect();
    let build = operation("profile.build", profile.build, &mut faults);
    let run = operation("profile.operation", profile.operation, &mut faults);
    let mut place = |field, location| read_location(field, location, &mut faults);
    let registration_system = place("profile.registration_system", profile.registration_system);
    let registration_data = place("profile.registration_data", profile.registration_data);
    let backup = place("profile.backup", profile.backup);
    let resolution_servers = place("profile.resolution_servers", profile.resolution_servers);
    let system_backup = place("profile.system_backup", profile.system_backup);
    let site_ips = profile.site_ips.iter().filter_map(|text| ip("profile.site_ips", text, &mut faults)).collect();
    faults.finish()?;
    let date = |text: String| Some(text).filter(|text| !text.is_empty()).map(Date);
    Ok(Profile {
        name: profile.name,
        name_en: profile.name_en,
        nature,
        province: profile.province,
        city: profile.city,
        county: profile.county,
        address: profile.address,
        address_en: profile.address_en,
        document_kind,
        document_number: profile.document_number,
        description: profile.description,
        industry_section: profile.industry_section,
        industry_division: profile.industry_division,
        industry_group: profile.industry_group,
        industry_class: profile.industry_class,
        website: profile.website,
        registrar: profile.registrar,
        capital: profile.capital,
        founded: date(profile.founded),
        expires: date(profile.expires),
        licences,
        build,
        operation: run,
        registration_system,
        registration_data,
        backup,
        resolution_servers,
        system_backup,
        data_hosting: profile.data_hosting,
        service_hosting: profile.service_hosting,
        naming_compliant: profile.naming_compliant,
        industries_served: profile.industries_served,
        site_name: profile.site_name,
        site_domain: profile.site_domain,
        site_ips,
    })
}

/// One of the words of an enumeration; `other` and a fault for anything else.
pub(super) fn word<T>(field: &str, text: &str, read: impl Fn(&str) -> Option<T>, other: T, faults: &mut Faults) -> T {
    read(text).unwrap_or_else(|| {
        faults.note(|| field.to_owned(), "is none of the words for it");
        other
    })
}

pub(super) fn operation(field: &str, given: Option<v1::SystemOperation>, faults: &mut Faults) -> Option<Operation> {
    given.map(|given| Operation {
        party: word(field, &given.party, Party::from_name, Party::Own, faults),
        organisation: given.organisation,
    })
}

fn read_location(field: &str, given: Option<v1::SystemLocation>, faults: &mut Faults) -> Location {
    let Some(given) = given else { return Location::default() };
    let address = if given.ip.is_empty() { None } else { ip(field, &given.ip, faults) };
    let port = read_port(field, given.port, faults);
    Location { cloud_provider: given.cloud_provider, place: given.place, ip: address, port }
}

/// A port; 0 is none.
pub(super) fn read_port(field: &str, port: u32, faults: &mut Faults) -> Option<u16> {
    let read = u16::try_from(port);
    if read.is_err() {
        faults.note(|| field.to_owned(), "has a port past 65535");
    }
    read.ok().filter(|port| *port > 0)
}

/// An address.
pub(super) fn ip(field: &str, text: &str, faults: &mut Faults) -> Option<IpAddr> {
    let read = text.parse();
    if read.is_err() {
        faults.note(|| field.to_owned(), "holds something that is no IP address");
    }
    read.ok()
}

/// Shows a profile.
#[must_use]
pub fn show_profile(profile: &Profile) -> v1::EnterpriseProfile {
    let date = |date: &Option<Date>| date.as_ref().map_or_else(String::new, |date| date.0.clone());
    let licence = |licence: &Licence| v1::BusinessLicence {
        kind: licence.kind.as_str().to_owned(),
        number: licence.number.clone(),
    };
    v1::EnterpriseProfile {
        name: profile.name.clone(),
        name_en: profile.name_en.clone(),
        nature: profile.nature.as_str().to_owned(),
        province: profile.province.clone(),
        city: profile.city.clone(),
        county: profile.county.clone(),
        address: profile.address.clone(),
        address_en: profile.address_en.clone(),
        document_kind: profile.document_kind.as_str().to_owned(),
        document_number: profile.document_number.clone(),
        description: profile.description.clone(),
        industry_section: profile.industry_section.clone(),
        industry_division: profile.industry_division.clone(),
        industry_group: profile.industry_group.clone(),
        industry_class: profile.industry_class.clone(),
        website: profile.website.clone(),
        registrar: profile.registrar.clone(),
        capital: profile.capital.clone(),
        founded: date(&profile.founded),
        expires: date(&profile.expires),
        licences: profile.licences.iter().map(licence).collect(),
        build: profile.build.as_ref().map(show_operation),
        operation: profile.operation.as_ref().map(show_operation),
        registration_system: show_location(&profile.registration_system),
        registration_data: show_location(&profile.registration_data),
        backup: show_location(&profile.backup),
        resolution_servers: show_location(&profile.resolution_servers),
        system_backup: show_location(&profile.system_backup),
        data_hosting: profile.data_hosting.clone(),
        service_hosting: profile.service_hosting.clone(),
        naming_compliant: profile.naming_compliant,
        industries_served: profile.industries_served.clone(),
        site_name: profile.site_name.clone(),
        site_domain: profile.site_domain.clone(),
        site_ips: profile.site_ips.iter().map(ToString::to_string).collect(),
    }
}

/// Shows who does something.
pub(super) fn show_operation(operation: &Operation) -> v1::SystemOperation {
    v1::SystemOperation { party: operation.party.as_str().to_owned(), organisation: operation.organisation.clone() }
}

fn show_location(location: &Location) -> Option<v1::SystemLocation> {
    (*location != Location::default()).then(|| v1::SystemLocation {
        cloud_provider: location.cloud_provider.clone(),
        place: location.place.clone(),
        ip: location.ip.map_or_else(String::new, |ip| ip.to_string()),
        port: location.port.map_or(0, u32::from),
    })
}

/// Reads personal data, and refuses what is not fit: the writer sees it sealed.
pub(crate) fn read_personal(personal: v1::PersonalData) -> Result<Personal, Failure> {
    let read = people(personal);
    read.check().map_err(|problem| unfit(&problem))?;
    Ok(read)
}

/// Personal data as it was given.
pub(super) fn people(personal: v1::PersonalData) -> Personal {
    let person = |person: Option<v1::Person>| {
        let v1::Person { name, document_kind, document_number } = person.unwrap_or_default();
        Person { name, document_kind, document_number }
    };
    let v1::PersonalData { legal_person, contact, phone, email } = personal;
    Personal { legal_person: person(legal_person), contact: person(contact), phone, email }
}

/// What is wrong with personal data; never what was given.
pub(super) fn unfit(problem: &Problem) -> Failure {
    Failure::invalid_field(format!("personal.{}", problem.field), problem.problem)
}

/// Shows personal data.
#[must_use]
pub fn show_personal(personal: &Personal) -> v1::PersonalData {
    let person = |person: &Person| v1::Person {
        name: person.name.clone(),
        document_kind: person.document_kind.clone(),
        document_number: person.document_number.clone(),
    };
    v1::PersonalData {
        legal_person: Some(person(&personal.legal_person)),
        contact: Some(person(&personal.contact)),
        phone: personal.phone.clone(),
        email: personal.email.clone(),
    }
}

/// Shows an enterprise.
pub(crate) fn show(enterprise: &Enterprise, business: &Business) -> v1::Enterprise {
    let disclosure = business.disclosure(enterprise.id.into());
    let real_name = enterprise.real_name.as_ref().map(|real_name| v1::RealName {
        result: real_name.result.as_str().to_owned(),
        source: real_name.source.clone(),
        reviewer: real_name.reviewer.clone(),
        time: Some(proto_time(waymark_catalog::Timestamp(real_name.time))),
    });
    v1::Enterprise {
        id: enterprise.id.to_string(),
        profile: Some(show_profile(&enterprise.profile)),
        real_name,
        principals: enterprise.principals.iter().map(|name: &Arc<str>| name.as_ref().to_owned()).collect(),
        has_personal_data: enterprise.personal.is_some(),
        forgotten_reason: enterprise.forgotten.as_ref().map_or_else(String::new, |forgotten| forgotten.reason.clone()),
        created: Some(proto_time(enterprise.created)),
        changed: Some(proto_time(enterprise.time)),
        changed_by: enterprise.by.as_ref().to_owned(),
        serial: enterprise.serial.0,
        disclosures: disclosure.map_or(0, |disclosure| disclosure.times),
        disclosed_to: disclosure.map_or_else(String::new, |disclosure| disclosure.by.as_ref().to_owned()),
        disclosed: disclosure.map(|disclosure| proto_time(disclosure.time)),
        images: business.files(enterprise.id.into()).map(|kind| kind.as_str().to_owned()).collect(),
    }
}
