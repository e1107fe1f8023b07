//! GS1 Digital Link URIs: key and qualifiers in the path, everything else in the query.

use super::ai::Ai;
use super::element::{Coding, Element};
use super::error::ScanError;
use super::scan::Scan;

/// Tells whether a URI of the web begins here, in any case.
pub(super) fn begins(bytes: &[u8]) -> bool {
    behind_scheme(bytes).is_some()
}

/// Reads a URI into `scan`: `https://domain[/any/path]/01/GTIN[/10/lot][/21/serial][?17=YYMMDD&..][#..]`.
pub(super) fn read(uri: &[u8], scan: &mut Scan) -> Result<(), ScanError> {
    if let Some(at) = uri.iter().position(|byte| !is_of_uris(*byte)) {
        return Err(ScanError::UriCharacter { at });
    }
    let rest = behind_scheme(uri).ok_or(ScanError::NotGs1)?;
    let (rest, _fragment) = cut(rest, b'#');
    let (rest, query) = cut(rest, b'?');
    let (domain, path) = cut(rest, b'/');
    if domain.is_empty() || !domain.iter().all(|byte| is_of_domains(*byte)) {
        return Err(ScanError::NotGs1);
    }
    read_path(path, scan)?;
    query.split(|byte| *byte == b'&').try_for_each(|parameter| read_parameter(parameter, scan))
}

/// Reads pairs of identifier and value from the end of the path up to its key; what stands before is the resolver's.
fn read_path(path: &[u8], scan: &mut Scan) -> Result<(), ScanError> {
    let mut segments = path.rsplit(|byte| *byte == b'/');
    let mut behind = Place::End;
    while let (Some(value), Some(name)) = (segments.next(), segments.next()) {
        let ai = Ai::exactly(name).ok_or(ScanError::NoKey)?;
        let place = Place::of(ai).ok_or(ScanError::NoKey)?;
        if !place.may_precede(behind) {
            return Err(ScanError::InPath { ai });
        }
        if value.is_empty() {
            return Err(ScanError::EmptyElement { ai });
        }
        scan.take(Element { ai, value, coding: Coding::Percent })?;
        if matches!(place, Place::Gtin | Place::OtherKey) {
            return Ok(());
        }
        behind = place;
    }
    Err(ScanError::NoKey)
}

/// What may stand where in a path, from the right: each thing needs a place to the left of what was read before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    OtherKey,
    Gtin,
    Extension,
    Variant,
    Lot,
    Serial,
    Attribute,
    End,
}

impl Place {
    /// The place of an element; `None` for those that are not read, whose keys and qualifiers are not known here.
    const fn of(ai: Ai) -> Option<Self> {
        match ai {
            Ai::SSCC | Ai::GMN => Some(Self::OtherKey),
            Ai::GTIN => Some(Self::Gtin),
            Ai::EXTENSION => Some(Self::Extension),
            Ai::VARIANT => Some(Self::Variant),
            Ai::LOT => Some(Self::Lot),
            Ai::SERIAL => Some(Self::Serial),
            Ai::PRODUCTION | Ai::BEST_BEFORE | Ai::SELL_BY | Ai::EXPIRY => Some(Self::Attribute),
            _ => None,
        }
    }

    /// GS1 Digital Link standard, URI syntax, section on key qualifiers: a GTIN is qualified by variant, lot and serial
    /// number in this order, or by a third party's extension alone; the other two keys by nothing.
    fn may_precede(self, behind: Self) -> bool {
        match self {
            Self::Attribute | Self::End => false,
            Self::OtherKey | Self::Extension => behind == Self::End,
            _ => self < behind,
        }
    }
}

/// Reads a parameter of the query. What is no element of ours is somebody else's: `linkType`, tracking, other elements.
fn read_parameter(parameter: &[u8], scan: &mut Scan) -> Result<(), ScanError> {
    let Some(equals) = parameter.iter().position(|byte| *byte == b'=') else {
        return Ok(());
    };
    let (name, value) = parameter.split_at(equals);
    let Some(ai) = Ai::exactly(name) else {
        return Ok(());
    };
    match Place::of(ai) {
        None => Ok(()),
        Some(Place::Attribute) if scan.has_date(ai) => Err(ScanError::Repeated { ai }),
        Some(Place::Attribute) => {
            scan.take(Element { ai, value: value.get(1..).unwrap_or_default(), coding: Coding::Percent })
        }
        Some(_) => Err(ScanError::InQuery { ai }),
    }
}

/// What is before the first `mark`, and what is behind it.
fn cut(bytes: &[u8], mark: u8) -> (&[u8], &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == mark);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn behind_scheme(bytes: &[u8]) -> Option<&[u8]> {
    ["https://", "http://"].iter().find_map(|scheme| {
        let (first, rest) = bytes.split_at_checked(scheme.len())?;
        first.eq_ignore_ascii_case(scheme.as_bytes()).then_some(rest)
    })
}

/// RFC 3986 section 2.
fn is_of_uris(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

/// Names, addresses in brackets, a port; no user.
fn is_of_domains(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte)
}
