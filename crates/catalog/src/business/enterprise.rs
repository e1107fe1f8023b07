//! The record of an enterprise: the fields reported to the top-level node, and what this node keeps beside them.
//!
//! What tells of people (legal representative, contact) is not in the [`Profile`]: it is [`Personal`](crate::vault::Personal), and lies here sealed.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};

use super::Problem;
use super::codes::CodeTables;
use crate::config::{
    ADDRESS_CHARS, DESCRIPTION_CHARS, DOCUMENT_NUMBER_CHARS, LISTED_ITEMS, ORGANISATION_NAME_CHARS, SHORT_TEXT_CHARS,
};
use crate::vault::{Sealed, Subject};

/// Names an enterprise on this node; given by the node, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnterpriseId(pub u32);

impl fmt::Display for EnterpriseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{}", self.0)
    }
}

/// The text is not `E` and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an enterprise, such as E7")]
pub struct EnterpriseIdError;

impl FromStr for EnterpriseId {
    type Err = EnterpriseIdError;

    fn from_str(text: &str) -> Result<Self, EnterpriseIdError> {
        let digits = text.strip_prefix(['E', 'e']).ok_or(EnterpriseIdError)?;
        let sound = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let number = digits.parse().map_err(|_| EnterpriseIdError)?;
        if sound { Ok(Self(number)) } else { Err(EnterpriseIdError) }
    }
}

/// An enumeration with a name for each value, stored and shown alike.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name; never changes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|each| each.as_str() == name)
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What an organisation is.
    Nature {
        /// A part of the government.
        Government = "government",
        /// A public institution.
        PublicInstitution = "public-institution",
        /// A company.
        Company = "company",
        /// A social organisation.
        SocialOrganisation = "social-organisation",
        /// Anything else.
        Other = "other",
    }
}

named! {
    /// The document an organisation is told by.
    DocumentKind {
        /// The unified social credit code, 18 characters (GB 32100).
        CreditCode = "credit-code",
        /// Anything else.
        Other = "other",
    }
}

named! {
    /// Who builds or runs a system.
    Party {
        /// The organisation itself.
        Own = "own",
        /// Somebody entrusted with it.
        Entrusted = "entrusted",
    }
}

named! {
    /// A licence for domain names or telecommunications.
    LicenceKind {
        /// Operation of a root server or registry of domain names.
        DomainRegistry = "domain-registry",
        /// Registration of domain names.
        DomainRegistrar = "domain-registrar",
        /// Basic telecommunications.
        BasicTelecom = "basic-telecom",
        /// Value-added telecommunications.
        ValueAddedTelecom = "value-added-telecom",
    }
}

/// A licence and its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// What it allows.
    pub kind: LicenceKind,
    /// Its number.
    pub number: String,
}

/// Who builds or runs the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The organisation or another.
    pub party: Party,
    /// The other; empty for its own.
    #[serde(default)]
    pub organisation: String,
}

/// Where a system stands: at an address, or with a cloud provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// The provider; empty for a place of the organisation's own.
    #[serde(default)]
    pub cloud_provider: String,
    /// The place.
    #[serde(default)]
    pub place: String,
    /// Its address, where it has one.
    #[serde(default)]
    pub ip: Option<IpAddr>,
    /// Its port, where it has one.
    #[serde(default)]
    pub port: Option<u16>,
}

/// A day, as `2026-11-29`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Date(pub String);

/// What an enterprise says of itself, but for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the report, by name; limits stand in `check`")]
pub struct Profile {
    pub name: String,
    #[serde(default)]
    pub name_en: String,
    pub nature: Nature,
    /// GB/T 2260, six digits.
    pub province: String,
    /// GB/T 2260; empty where the province has none.
    #[serde(default)]
    pub city: String,
    /// GB/T 2260; may be empty.
    #[serde(default)]
    pub county: String,
    pub address: String,
    #[serde(default)]
    pub address_en: String,
    pub document_kind: DocumentKind,
    pub document_number: String,
    #[serde(default)]
    pub description: String,
    /// GB/T 4754: a letter.
    pub industry_section: String,
    /// GB/T 4754: two digits.
    pub industry_division: String,
    /// GB/T 4754: three digits; may be empty.
    #[serde(default)]
    pub industry_group: String,
    /// GB/T 4754: four digits; may be empty.
    #[serde(default)]
    pub industry_class: String,
    #[serde(default)]
    pub website: String,
    /// The authority that keeps the organisation's own registration.
    #[serde(default)]
    pub registrar: String,
    /// Registered capital, with its unit.
    #[serde(default)]
    pub capital: String,
    #[serde(default)]
    pub founded: Option<Date>,
    /// `None` for no end.
    #[serde(default)]
    pub expires: Option<Date>,
    #[serde(default)]
    pub licences: Vec<Licence>,
    #[serde(default)]
    pub build: Option<Operation>,
    #[serde(default)]
    pub operation: Option<Operation>,
    #[serde(default)]
    pub registration_system: Location,
    #[serde(default)]
    pub registration_data: Location,
    #[serde(default)]
    pub backup: Location,
    #[serde(default)]
    pub resolution_servers: Location,
    #[serde(default)]
    pub system_backup: Location,
    #[serde(default)]
    pub data_hosting: String,
    #[serde(default)]
    pub service_hosting: String,
    #[serde(default)]
    pub naming_compliant: bool,
    /// GB/T 4754, any level.
    #[serde(default)]
    pub industries_served: Vec<String>,
    #[serde(default)]
    pub site_name: String,
    #[serde(default)]
    pub site_domain: String,
    #[serde(default)]
    pub site_ips: Vec<IpAddr>,
}

impl Profile {
    /// Checks every field against its limits and the tables of codes.
    ///
    /// # Errors
    /// The first field that is not what it may be.
    pub fn check(&self, codes: &CodeTables) -> Result<(), Problem> {
        let needed = [
            ("name", &self.name, ORGANISATION_NAME_CHARS),
            ("address", &self.address, ADDRESS_CHARS),
            ("document_number", &self.document_number, DOCUMENT_NUMBER_CHARS),
        ];
        needed.into_iter().try_for_each(|(field, text, most)| needed_text(field, text, most))?;
        let optional = [
            ("name_en", &self.name_en, ORGANISATION_NAME_CHARS),
            ("address_en", &self.address_en, ADDRESS_CHARS),
            ("description", &self.description, DESCRIPTION_CHARS),
            ("website", &self.website, SHORT_TEXT_CHARS),
            ("registrar", &self.registrar, SHORT_TEXT_CHARS),
            ("capital", &self.capital, SHORT_TEXT_CHARS),
            ("data_hosting", &self.data_hosting, ORGANISATION_NAME_CHARS),
            ("service_hosting", &self.service_hosting, ORGANISATION_NAME_CHARS),
            ("site_name", &self.site_name, SHORT_TEXT_CHARS),
            ("site_domain", &self.site_domain, SHORT_TEXT_CHARS),
        ];
        optional.into_iter().try_for_each(|(field, text, most)| text_within(field, text, most))?;
        if self.document_kind == DocumentKind::CreditCode && !is_credit_code(&self.document_number) {
            return Err(Problem::new("document_number", "is no unified social credit code (GB 32100)"));
        }
        codes.check_region([("province", &self.province), ("city", &self.city), ("county", &self.county)])?;
        codes.check_industry([
            ("industry_section", &self.industry_section),
            ("industry_division", &self.industry_division),
            ("industry_group", &self.industry_group),
            ("industry_class", &self.industry_class),
        ])?;
        self.check_dates()?;
        self.check_systems()?;
        self.check_lists(codes)
    }

    fn check_dates(&self) -> Result<(), Problem> {
        for (field, date) in [("founded", &self.founded), ("expires", &self.expires)] {
            if date.as_ref().is_some_and(|Date(text)| !is_date(text)) {
                return Err(Problem::new(field, "is no date such as 2026-11-29"));
            }
        }
        match (&self.founded, &self.expires) {
            (Some(founded), Some(expires)) if founded.0 > expires.0 => {
                Err(Problem::new("expires", "is before founded"))
            }
            _ => Ok(()),
        }
    }

    fn check_systems(&self) -> Result<(), Problem> {
        for (field, operation) in [("build", &self.build), ("operation", &self.operation)] {
            let Some(operation) = operation else { continue };
            check_operation(field, operation)?;
        }
        for (field, location) in [
            ("registration_system", &self.registration_system),
            ("registration_data", &self.registration_data),
            ("backup", &self.backup),
            ("resolution_servers", &self.resolution_servers),
            ("system_backup", &self.system_backup),
        ] {
            text_within(field, &location.cloud_provider, SHORT_TEXT_CHARS)?;
            text_within(field, &location.place, ADDRESS_CHARS)?;
            if location.port == Some(0) {
                return Err(Problem::new(field, "has port 0"));
            }
        }
        Ok(())
    }

    fn check_lists(&self, codes: &CodeTables) -> Result<(), Problem> {
        for (field, count) in [
            ("licences", self.licences.len()),
            ("industries_served", self.industries_served.len()),
            ("site_ips", self.site_ips.len()),
        ] {
            if count > LISTED_ITEMS {
                return Err(Problem::new(field, "has more than 32 items"));
            }
        }
        for licence in &self.licences {
            needed_text("licences", &licence.number, SHORT_TEXT_CHARS)?;
        }
        self.industries_served.iter().try_for_each(|code| codes.check_any_industry("industries_served", code))?;
        if self.industries_served.iter().collect::<BTreeSet<_>>().len() < self.industries_served.len() {
            return Err(Problem::new("industries_served", "holds a code twice"));
        }
        Ok(())
    }
}

/// Who does something: an organisation is named when it is not one's own.
pub(crate) fn check_operation(field: &'static str, operation: &Operation) -> Result<(), Problem> {
    text_within(field, &operation.organisation, ORGANISATION_NAME_CHARS)?;
    if (operation.party == Party::Entrusted) == operation.organisation.is_empty() {
        return Err(Problem::new(field, "names an organisation when it is entrusted, and none otherwise"));
    }
    Ok(())
}

/// A text that may be empty, without control characters.
pub(crate) fn text_within(field: &'static str, text: &str, most_chars: usize) -> Result<(), Problem> {
    if text.chars().count() > most_chars {
        return Err(Problem::new(field, "is longer than it may be"));
    }
    if text.chars().any(|each| each.is_control() && each != '\n') {
        return Err(Problem::new(field, "holds control characters"));
    }
    Ok(())
}

/// A text that must not be empty.
pub(crate) fn needed_text(field: &'static str, text: &str, most_chars: usize) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err(Problem::new(field, "is missing"));
    }
    text_within(field, text, most_chars)
}

/// Whether a text has the form and the check character of GB 32100.
fn is_credit_code(text: &str) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let value = |byte: u8| ALPHABET.iter().position(|known| *known == byte);
    let Some(values) = text.bytes().map(value).collect::<Option<Vec<usize>>>() else { return false };
    let Some((check, values)) = values.split_last() else { return false };
    if values.len() != 17 {
        return false;
    }
    let (sum, _) = values.iter().fold((0, 1), |(sum, weight), value| ((sum + value * weight) % 31, weight * 3 % 31));
    (31 - sum) % 31 == *check
}

/// Whether a text is a day of the calendar.
pub(crate) fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-').map(|part| (part.len(), part.parse::<u32>().ok()));
    let (Some((4, Some(year))), Some((2, Some(month))), Some((2, Some(day)))) =
        (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && (1..=days).contains(&day)
}

named! {
    /// What verifying an enterprise came to.
    RealNameResult {
        /// Its documents are right.
        Verified = "verified",
        /// They are not.
        Failed = "failed",
    }
}

/// The result of a real-name verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealName {
    /// What it came to.
    pub result: RealNameResult,
    /// Where the data came from that it was compared with.
    pub source: String,
    /// Who did it.
    pub reviewer: String,
    /// When it was told to this node, in milliseconds since 1970.
    pub time: u64,
}

/// What is left of data that was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Whose key was dropped, or is to be dropped should that have failed.
    pub subject: Subject,
    /// Why.
    pub reason: String,
}

/// An enterprise as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enterprise {
    /// What it is called here.
    pub id: EnterpriseId,
    /// What it says of itself.
    pub profile: Profile,
    /// What it says of its people; `None` when it was never given or was forgotten.
    pub personal: Option<Sealed>,
    /// That what it said of its people was forgotten, when it was and nothing was given since.
    pub forgotten: Option<Forgotten>,
    /// What verifying it came to; `None` when that is still to be done.
    pub real_name: Option<RealName>,
    /// The principals that act for it, sorted.
    pub principals: Vec<Arc<str>>,
    /// When it was first written.
    pub created: Timestamp,
    /// By whom it was written last.
    pub by: Arc<str>,
    /// Its entry of the log.
    pub serial: Serial,
    /// When that was written.
    pub time: Timestamp,
}

impl Enterprise {
    /// Whether this principal acts for it.
    #[must_use]
    pub fn is_of(&self, principal: &str) -> bool {
        self.principals.iter().any(|known| **known == *principal)
    }

    /// Whether its documents were found right, and have not changed since.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.real_name.as_ref().is_some_and(|real_name| real_name.result == RealNameResult::Verified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_enterprises_come_back() {
        assert_eq!("E7".parse(), Ok(EnterpriseId(7)));
        assert_eq!(EnterpriseId(7).to_string(), "E7");
        for wrong in ["", "E", "7", "E07", "E-1", "E+1", "E99999999999"] {
            assert_eq!(wrong.parse::<EnterpriseId>(), Err(EnterpriseIdError), "{wrong}");
        }
    }

    #[test]
    fn credit_codes_are_told_by_their_check_character() {
        assert!(is_credit_code("91350100M000100Y43"));
        for wrong in ["91350100M000100Y44", "91350100M000100Y4", "91350100I000100Y43", "", "91350100m000100Y43"] {
            assert!(!is_credit_code(wrong), "{wrong}");
        }
    }

    #[test]
    fn dates_are_days_of_the_calendar() {
        assert!(is_date("2024-02-29") && is_date("1999-12-31"));
        for wrong in ["2023-02-29", "2024-13-01", "2024-1-01", "2024-01-00", "2024-01-32", "", "20240101", "+024-01-01"]
        {
            assert!(!is_date(wrong), "{wrong}");
        }
    }
}
