//! Keys of the log that are not handles: the case rule, homed prefixes, marks of streams, principals, tokens, ranges, templates,
//! enterprises, cases of prefixes, the node's own record, applications and notes of the audit.
//!
//! They begin with a zero byte. No record can have such a key: handles with control characters are refused on writing,
//! and reading never looks a key up that begins with one. They are `PUT` and `DELETE` entries like records, so
//! compaction, backups and followers treat them alike.
//!
//! ```text
//! case rule     key   00 'C'
//!               body  01 rule(1: 0 whole handles fold, 1 prefixes fold only)
//! homed prefix  key   00 'H' kind(1: 'P' prefix, 'D' derived prefixes of) prefix, folded
//!               body  01                            format version
//! stream's mark key   00 'M' stream(16)
//!               body  01 position(8, big-endian)    format version, position within the stream
//!               or    02 position after first run*  for a stream that counts orders; numbers as LEB128
//! request       key   00 'I' id(16) principal         of entries of kind NOTE, behind what the request wrote
//!               body  01 outcome(1) warnings(1) serial(8) time(8) content(32) digest(32)
//! principal     key   00 'P' name                     body  see `access::stored`
//! token         key   00 'T' id(8)                    body  see `access::stored`
//! range         key   00 'R' number(4, big-endian) prefix, folded         body  see `range::stored`
//! piece of one  key   00 'G' layer(1) number(4) first(8) prefix, folded   body  see `range::stored`
//! template      key   00 'F' number(4, big-endian) handle                 body  see `template::stored`
//! enterprise    key   00 'E' 'R' number(4)        body  see `business::stored`
//! its people read     00 'E' 'D' number(4)        body  see `business::stored`
//! image of it   key   00 'E' 'I' number(4) kind   body  see `business::file`
//! node's record key   00 'O' 'R'                  body  see `business::stored`
//! its people read     00 'O' 'D'                  body  see `business::stored`
//! done beside    key   00 'O' 'N'                 body  see `business::stored`
//! plan of a year key  00 'O' 'P' year(2)          body  see `business::stored`
//! file of it    key   00 'O' 'I' kind             body  see `business::file`
//! application   key   00 'O' 'A' number(8)        body  see `business::stored`
//! case          key   00 'X' prefix, folded       body  see `business::stored`
//! audit         key   00 'A'                        of entries of kind NOTE
//!               body  see [`crate::audit`]
//! ```
//!
//! The second form of a mark tells the step it ends: the stream went from `after` to `position`, so `position - after` orders were decided. `first` is
//! the serial of the step's first entry. The runs say what became of the orders, in order, each of one kind:
//! ```text
//! run  kind(1) count (warnings(1)) then, by kind:
//!      1..63 outcome number       gap     count entries, the first of them gap entries behind that of the run before (at first: behind `first`)
//!      5 same as it was           serial* serial of the existing entry, count times
//!      80 refused                 code(1) number of the refusal
//! kind + 40                               as kind, with the bits of its warnings behind the count
//! ```
//! Numbers of outcomes, warnings and refusals are those of [`Outcome::number`](crate::Outcome::number), [`Warnings::bits`](crate::Warnings::bits) and
//! [`RefusalCode::number`](crate::RefusalCode::number).

use waymark_ident::CaseRule;

use crate::access::TokenId;
use crate::business::{ApplicationId, EnterpriseId, FileKind, Owner};
use crate::prefixes::HomeName;
use crate::range::{Layer, RangeName};
use crate::template::TemplateName;

/// A reserved key, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReservedKey {
    /// The case rule the keys of this store were made by.
    CaseRule,
    /// A homed prefix or marker.
    Home(HomeName),
    /// The progress of a stream.
    Mark([u8; 16]),
    /// An accepted request: id and principal, as [`crate::requests::note`] puts them together.
    Request(Box<[u8]>),
    /// A principal.
    Principal(Box<str>),
    /// A token.
    Token(TokenId),
    /// A range of codes.
    Range(RangeName),
    /// What is known of a part of one, from this serial on.
    Piece(RangeName, Layer, u64),
    /// A template, by its number.
    Template(u32, TemplateName),
    /// An enterprise.
    Enterprise(EnterpriseId),
    /// What the node says of itself.
    Operator,
    /// An application, of an enterprise or of the node.
    Application(ApplicationId),
    /// The last time somebody read what an enterprise or the node said of its people.
    Disclosure(Owner),
    /// The last thing somebody noted that was done beside the catalog.
    Deed,
    /// What is planned for a year.
    Plan(u16),
    /// A file of an enterprise or of the node.
    File(Owner, FileKind),
    /// The case of a prefix, folded.
    Case(Box<[u8]>),
    /// A note of the audit.
    Audit,
}

/// Tells whether a key is not that of a record.
pub(crate) fn is_reserved(key: &[u8]) -> bool {
    key.first() == Some(&0)
}

impl ReservedKey {
    /// Reads a reserved key; `None` for records and for kinds this version does not know.
    pub(crate) fn parse(key: &[u8]) -> Option<Self> {
        match key {
            [0, b'C'] => Some(Self::CaseRule),
            [0, b'H', b'P', prefix @ ..] => Some(Self::Home(HomeName::Prefix(prefix.into()))),
            [0, b'H', b'D', prefix @ ..] => Some(Self::Home(HomeName::DerivedFrom(prefix.into()))),
            [0, b'M', stream @ ..] => stream.try_into().ok().map(Self::Mark),
            [0, b'I', place @ ..] => Some(Self::Request(place.into())),
            [0, b'P', name @ ..] => std::str::from_utf8(name).ok().map(|name| Self::Principal(name.into())),
            [0, b'T', id @ ..] => id.try_into().ok().map(|id| Self::Token(TokenId(id))),
            [0, b'R', rest @ ..] => {
                let (number, prefix) = rest.split_first_chunk()?;
                RangeName::new(prefix, u32::from_be_bytes(*number)).ok().map(Self::Range)
            }
            [0, b'G', layer, rest @ ..] => {
                let (number, rest) = rest.split_first_chunk()?;
                let (first, prefix) = rest.split_first_chunk()?;
                let name = RangeName::new(prefix, u32::from_be_bytes(*number)).ok()?;
                Some(Self::Piece(name, Layer::from_letter(*layer)?, u64::from_be_bytes(*first)))
            }
            [0, b'F', rest @ ..] => {
                let (number, handle) = rest.split_first_chunk()?;
                Some(Self::Template(u32::from_be_bytes(*number), TemplateName::of_key(handle)?))
            }
            [0, b'E', b'R', id @ ..] => Some(Self::Enterprise(EnterpriseId(u32::from_be_bytes(id.try_into().ok()?)))),
            [0, b'E', b'D', id @ ..] => {
                let id = EnterpriseId(u32::from_be_bytes(id.try_into().ok()?));
                Some(Self::Disclosure(id.into()))
            }
            [0, b'E', b'I', id @ .., kind] => {
                let id = EnterpriseId(u32::from_be_bytes(id.try_into().ok()?));
                Some(Self::File(id.into(), FileKind::from_number(*kind)?))
            }
            [0, b'O', b'R'] => Some(Self::Operator),
            [0, b'O', b'D'] => Some(Self::Disclosure(Owner::Node)),
            [0, b'O', b'N'] => Some(Self::Deed),
            [0, b'O', b'P', year @ ..] => Some(Self::Plan(u16::from_be_bytes(year.try_into().ok()?))),
            [0, b'O', b'I', kind] => Some(Self::File(Owner::Node, FileKind::from_number(*kind)?)),
            [0, b'O', b'A', id @ ..] => Some(Self::Application(ApplicationId(u64::from_be_bytes(id.try_into().ok()?)))),
            [0, b'X', prefix @ ..] => Some(Self::Case(prefix.into())),
            [0, b'A'] => Some(Self::Audit),
            _ => None,
        }
    }

    /// The bytes of the key.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::CaseRule => vec![0, b'C'],
            Self::Home(HomeName::Prefix(prefix)) => [&[0, b'H', b'P'], &prefix[..]].concat(),
            Self::Home(HomeName::DerivedFrom(prefix)) => [&[0, b'H', b'D'], &prefix[..]].concat(),
            Self::Mark(stream) => [&[0, b'M'], &stream[..]].concat(),
            Self::Request(place) => [&[0, b'I'], &place[..]].concat(),
            Self::Principal(name) => [&[0, b'P'], name.as_bytes()].concat(),
            Self::Token(TokenId(id)) => [&[0, b'T'], &id[..]].concat(),
            Self::Range(name) => [&[0, b'R'], &name.number().to_be_bytes()[..], name.prefix()].concat(),
            Self::Piece(name, layer, first) => {
                let number = name.number().to_be_bytes();
                [&[0, b'G', layer.letter()], &number[..], &first.to_be_bytes(), name.prefix()].concat()
            }
            Self::Template(number, name) => [&[0, b'F'], &number.to_be_bytes()[..], &name.handle()].concat(),
            Self::Enterprise(EnterpriseId(id)) => [&[0, b'E', b'R'], &id.to_be_bytes()[..]].concat(),
            Self::Disclosure(Owner::Enterprise(EnterpriseId(id))) => [&[0, b'E', b'D'], &id.to_be_bytes()[..]].concat(),
            Self::File(Owner::Enterprise(EnterpriseId(id)), kind) => {
                [&[0, b'E', b'I'], &id.to_be_bytes()[..], &[kind.number()]].concat()
            }
            Self::Operator => vec![0, b'O', b'R'],
            Self::Disclosure(Owner::Node) => vec![0, b'O', b'D'],
            Self::Deed => vec![0, b'O', b'N'],
            Self::Plan(year) => [&[0, b'O', b'P'], &year.to_be_bytes()[..]].concat(),
            Self::File(Owner::Node, kind) => vec![0, b'O', b'I', kind.number()],
            Self::Application(ApplicationId(id)) => [&[0, b'O', b'A'], &id.to_be_bytes()[..]].concat(),
            Self::Case(prefix) => [&[0, b'X'], &prefix[..]].concat(),
            Self::Audit => vec![0, b'A'],
        }
    }
}

/// The body of a homed prefix.
pub(crate) const HOME_BODY: &[u8] = &[VERSION];

/// The body of the case rule.
pub(crate) const fn case_rule_body(rule: CaseRule) -> [u8; 2] {
    match rule {
        CaseRule::Insensitive => [VERSION, 0],
        CaseRule::SuffixSensitive => [VERSION, 1],
    }
}

/// Reads the body of the case rule; `None` when it is not of this version.
pub(crate) const fn parse_case_rule_body(body: &[u8]) -> Option<CaseRule> {
    match body {
        [VERSION, 0] => Some(CaseRule::Insensitive),
        [VERSION, 1] => Some(CaseRule::SuffixSensitive),
        _ => None,
    }
}

/// Version of the bodies made here.
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_went() {
        for key in [
            ReservedKey::Home(HomeName::parse(b"88.1").unwrap()),
            ReservedKey::Home(HomeName::parse(b"0.NA/0.NA/88").unwrap()),
            ReservedKey::Mark([7; 16]),
            ReservedKey::CaseRule,
            ReservedKey::Request([&[7; 16][..], b"acme"].concat().into()),
            ReservedKey::Principal("acme".into()),
            ReservedKey::Token(TokenId([9; 8])),
            ReservedKey::Range("88.1#7".parse().unwrap()),
            ReservedKey::Piece("88.1#7".parse().unwrap(), Layer::Exported, 1 << 40),
            ReservedKey::Template(7, "88.1/META_EXC-1.2".parse().unwrap()),
            ReservedKey::Enterprise(EnterpriseId(7)),
            ReservedKey::Disclosure(EnterpriseId(1 << 30).into()),
            ReservedKey::File(EnterpriseId(1 << 30).into(), FileKind::ContactBack),
            ReservedKey::Operator,
            ReservedKey::Disclosure(Owner::Node),
            ReservedKey::Deed,
            ReservedKey::Plan(2027),
            ReservedKey::File(Owner::Node, FileKind::VerificationSource5),
            ReservedKey::Application(ApplicationId(1 << 40)),
            ReservedKey::Case((*b"88.1.2").into()),
            ReservedKey::Audit,
        ] {
            assert!(is_reserved(&key.to_bytes()));
            assert_eq!(ReservedKey::parse(&key.to_bytes()), Some(key));
        }
        assert_eq!(ReservedKey::parse(b"88.1/X"), None);
        assert_eq!(ReservedKey::parse(b"\0M123"), None);
    }

    #[test]
    fn case_rules_come_back_as_they_went() {
        for rule in [CaseRule::Insensitive, CaseRule::SuffixSensitive] {
            assert_eq!(parse_case_rule_body(&case_rule_body(rule)), Some(rule));
        }
        assert_eq!(parse_case_rule_body(&[1, 2]), None);
    }
}
