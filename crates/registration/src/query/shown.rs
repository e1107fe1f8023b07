//! Answers as JSON, by the keys of the IIIDAP drafts. What those do not name is ours: `node.privacy`, `identifierSearchResults`, the keys of people
//! within `legalPerson` and `contact`, and the words for types.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use serde::Serialize;
use waymark_api::operator::v1;

use super::found::{AnsweredBy, Found, Holder};
use super::privacy::{OpenItem, Privacy, obscured};
use super::words::{Notice, Words};
use crate::failure::proto_time;
use crate::reasons::Language;

/// What this service says it was made by.
const CONFORMANCE: [&str; 1] = ["iiidap_level_0"];

/// Whatever is answered, with what stands in every answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<T> {
    iiidap_conformance: [&'static str; 1],
    notices: Vec<Notice>,
    lang: &'static str,
    #[serde(flatten)]
    body: T,
}

impl<T: Serialize> Answer<T> {
    pub(super) fn new(language: Language, notices: Vec<Notice>, body: T) -> Self {
        Self { iiidap_conformance: CONFORMANCE, notices, lang: language.tag(), body }
    }
}

/// The answer to a call for help: its notices are all of it.
#[derive(Serialize)]
pub(super) struct Nothing {}

/// What a search found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Results {
    pub(super) identifier_search_results: Vec<Object>,
}

/// Why there is no answer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trouble {
    pub(super) error_code: u16,
    pub(super) title: &'static str,
    pub(super) description: [String; 2],
}

/// A registered prefix.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object {
    identifier: String,
    reg_time: String,
    status: [&'static str; 1],
    country: &'static str,
    node: Node,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<Notice>,
    links: Vec<Link>,
}

/// An address of this service.
#[derive(Serialize)]
pub(super) struct Link {
    rel: &'static str,
    href: String,
    r#type: &'static str,
}

/// Whose it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    name: String,
    nature: &'static str,
    r#type: &'static str,
    sub_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    id_number: String,
    id_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_photo: Option<Photo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    introduction: Option<String>,
    legal_person: Vec<Person>,
    contact: Vec<Person>,
    /// Items that are not as they are held.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    privacy: BTreeMap<&'static str, Privacy>,
}

/// An image.
#[derive(Serialize)]
struct Photo {
    mime: String,
    data: String,
}

/// Somebody.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    name: String,
    id_type: String,
    id_number: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    phone: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
}

/// What is said of people, and the image of the document, for somebody who may know and whose reading was noted.
pub(super) struct Disclosed {
    /// The people.
    pub(super) people: v1::PersonalData,
    /// Format and bytes of the image, where there is one.
    pub(super) photo: Option<(&'static str, Vec<u8>)>,
}

/// How an object is shown.
pub(super) struct View<'a> {
    /// What everybody is shown.
    pub(super) open: &'a [OpenItem],
    /// Whether the organisation's own data is shown whole.
    pub(super) is_whole: bool,
    /// What is shown of people; `None`: nothing.
    pub(super) disclosed: Option<Disclosed>,
    /// In front of paths of links; ends with a slash.
    pub(super) base: &'a str,
    /// Texts.
    pub(super) words: &'a Words,
}

impl View<'_> {
    /// An object; `others` are prefixes of the same organisation.
    pub(super) fn object(self, found: &Found, others: &[Found]) -> Object {
        let link = |rel, prefix: &str| Link {
            rel,
            href: format!("{}identifier/{}", self.base, percent_encoded(prefix)),
            r#type: "application/json",
        };
        let mut links = vec![link("self", &found.prefix)];
        links.extend(others.iter().map(|other| link("related", &other.prefix)));
        let words = self.words;
        let node = self.node(found);
        let remarks = if node.privacy.is_empty() { Vec::new() } else { vec![words.withheld()] };
        Object {
            identifier: found.prefix.clone(),
            reg_time: proto_time(found.since).to_string(),
            status: [if found.is_held { "hold" } else { "ok" }],
            country: "CN",
            node,
            remarks,
            links,
        }
    }

    fn node(self, found: &Found) -> Node {
        let profile = found.holder.profile();
        let mut privacy = BTreeMap::new();
        let mut kept = |item: OpenItem, text: &str| {
            if text.is_empty() {
                return None;
            }
            if self.is_whole || self.open.contains(&item) {
                return Some(text.to_owned());
            }
            privacy.insert(item.as_str(), Privacy::Redacted);
            None
        };
        let address = kept(OpenItem::Address, &profile.address);
        let introduction = kept(OpenItem::Introduction, &profile.description);
        let id_number = if self.is_whole || self.open.contains(&OpenItem::IdNumber) {
            profile.document_number.clone()
        } else {
            privacy.insert(OpenItem::IdNumber.as_str(), Privacy::Obscured);
            obscured(&profile.document_number)
        };
        let (mut legal_person, mut contact, mut id_photo) = (Vec::new(), Vec::new(), None);
        if let Some(Disclosed { people, photo }) = self.disclosed {
            let v1::PersonalData { legal_person: legal, contact: called, phone, email } = people;
            legal_person.extend(legal.map(|legal| person(legal, String::new(), String::new())));
            contact.extend(called.map(|called| person(called, phone, email)));
            id_photo = photo
                .map(|(format, data)| Photo { mime: format!("image/{format}"), data: Base64::encode_string(&data) });
        } else {
            // Said of every organisation alike, so that nothing is told by it.
            privacy.insert("idPhoto", Privacy::Private);
            if found.holder.has_people() {
                privacy.insert("legalPerson", Privacy::Redacted);
                privacy.insert("contact", Privacy::Redacted);
            }
        }
        Node {
            name: profile.name.clone(),
            nature: profile.nature.as_str(),
            r#type: match found.holder {
                Holder::Node(_) => "secondary-node",
                Holder::Enterprise(_) => "enterprise-node",
            },
            sub_type: match found.answered_by {
                AnsweredBy::Here => "hosted",
                AnsweredBy::OwnSite => "own-site",
                AnsweredBy::Nobody => "not-placed",
            },
            address,
            id_number,
            id_type: profile.document_kind.as_str(),
            id_photo,
            introduction,
            legal_person,
            contact,
            privacy,
        }
    }
}

fn person(person: v1::Person, phone: String, email: String) -> Person {
    let v1::Person { name, document_kind, document_number } = person;
    Person { name, id_type: document_kind, id_number: document_number, phone, email }
}

/// A prefix as a segment of a path (RFC 3986 section 3.3): what needs no percent sign stays.
pub(super) fn percent_encoded(prefix: &str) -> String {
    let mut encoded = String::with_capacity(prefix.len());
    for byte in prefix.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex::encode_upper([byte]));
        }
    }
    encoded
}
