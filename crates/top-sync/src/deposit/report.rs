//! The report of a deposit: what it says of itself, how much it holds, and each of its parts with its hash. It holds nothing of the contents, is not
//! encrypted, and is signed like a part: with it a deposit can be checked by whoever cannot open it.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, Event};
use waymark_catalog::Timestamp;
use waymark_catalog::moment::Kind;

use super::config::PARTS;
use super::head::{Counts, DepositId, Head, IDENTIFIER, day_of, parse_time, time_text, watermark};
use super::name::{Extension, Extent, FileName};
use super::parts::Part;
use super::tokens::{DocumentError, Element, Token, Tokens, schema};

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the deposit says of itself.
    pub head: Head,
    /// How much it holds.
    pub counts: Counts,
    /// Its parts in order.
    pub parts: Vec<Part>,
}

impl Report {
    /// Its bytes.
    pub(super) fn to_xml(&self) -> io::Result<Vec<u8>> {
        let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let head = &self.head;
        let mut root = BytesStart::new("report");
        let previous = head.previous.map(|id| id.to_string()).unwrap_or_default();
        for (name, value) in [
            ("xmlns", NAMESPACE.to_owned()),
            ("version", VERSION.to_owned()),
            ("type", head.extent.as_str().to_owned()),
            ("id", head.id.to_string()),
            ("previous", previous),
            ("resend", head.resend.to_string()),
            ("prefix", head.prefix.clone()),
            ("watermark", time_text(head.watermark().0 / 1_000)),
            ("created", time_text(head.created_seconds)),
            ("since", head.since.to_string()),
            ("serial", head.serial.to_string()),
        ] {
            root.push_attribute((name, value.as_str()));
        }
        xml.write_event(Event::Start(root))?;
        let counts = &self.counts;
        let of_identifiers = (IDENTIFIER, counts.identifiers, counts.identifiers_gone, counts.values);
        let of_kinds = Kind::ALL.into_iter().map(|kind| (kind.as_str(), counts.of(kind), counts.gone(kind), 0));
        for (kind, contents, deletes, values) in std::iter::once(of_identifiers).chain(of_kinds) {
            let mut count = BytesStart::new("count");
            count.push_attribute(("kind", kind));
            for (name, value) in [("contents", contents), ("deletes", deletes), ("values", values)] {
                count.push_attribute((name, value.to_string().as_str()));
            }
            xml.write_event(Event::Empty(count))?;
        }
        for part in &self.parts {
            let mut element = BytesStart::new("part");
            element.push_attribute(("name", part.name.to_string().as_str()));
            element.push_attribute(("bytes", part.bytes.to_string().as_str()));
            element.push_attribute(("sm3", hex::encode(part.sm3).as_str()));
            xml.write_event(Event::Empty(element))?;
        }
        xml.write_event(Event::End(BytesEnd::new("report")))?;
        let mut bytes = xml.into_inner();
        bytes.write_all(b"\n")?;
        Ok(bytes)
    }

    /// Reads a report.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut tokens = Tokens::new(bytes);
        let Token::Start(root) = tokens.next()? else { return Err(schema("the report is empty")) };
        if root.name != "report" || root.need("xmlns")? != NAMESPACE {
            return Err(schema("it is no report of a deposit"));
        }
        let version = root.need("version")?;
        if version != VERSION {
            return Err(DocumentError::Version { found: version.chars().take(16).collect() });
        }
        let (head, mut counts, mut parts, mut seen) = (head(&root)?, Counts::default(), Vec::new(), Vec::new());
        loop {
            let element = match tokens.next()? {
                Token::End => break,
                Token::Start(element) => element,
                Token::Eof => return Err(schema("it ends early")),
            };
            tokens.end()?;
            match element.name.as_str() {
                "count" => count(&element, &mut counts, &mut seen)?,
                "part" if parts.len() < usize::try_from(PARTS).unwrap_or(usize::MAX) => parts.push(part(&element)?),
                _ => return Err(schema("an element is none of a report")),
            }
        }
        match tokens.next()? {
            Token::Eof => Ok(Self { head, counts, parts }),
            _ => Err(schema("something stands behind its end")),
        }
    }
}

fn head(root: &Element) -> Result<Head, DocumentError> {
    let id = |text: &str| DepositId::parse(text).ok_or(schema("an id is none"));
    let seconds = parse_time(root.need("watermark")?).ok_or(schema("the watermark is no time"))?;
    let date = day_of(Timestamp(seconds.saturating_mul(1_000)));
    if watermark(date).0 / 1_000 != seconds {
        return Err(schema("the watermark is no beginning of a day in UTC"));
    }
    let previous = root.need("previous")?;
    Ok(Head {
        id: id(root.need("id")?)?,
        previous: if previous.is_empty() { None } else { Some(id(previous)?) },
        extent: Extent::from_name(root.need("type")?).ok_or(schema("the type is neither FULL nor DIFF"))?,
        resend: root.number("resend")?,
        prefix: root.text("prefix").filter(|prefix| !prefix.is_empty()).ok_or(DocumentError::NoPrefix)?.to_owned(),
        date,
        created_seconds: parse_time(root.need("created")?).ok_or(schema("the creation is no time"))?,
        since: root.number("since")?,
        serial: root.number("serial")?,
    })
}

fn count(element: &Element, counts: &mut Counts, seen: &mut Vec<String>) -> Result<(), DocumentError> {
    let name = element.need("kind")?;
    if seen.iter().any(|known| known == name) {
        return Err(DocumentError::DuplicateCount);
    }
    let (contents, deletes) = (element.number("contents")?, element.number("deletes")?);
    if name == IDENTIFIER {
        (counts.identifiers, counts.identifiers_gone, counts.values) = (contents, deletes, element.number("values")?);
    } else {
        let kind = Kind::from_name(name).ok_or(schema("a count is of no kind there is"))?;
        counts.add(kind, contents, false);
        counts.add(kind, deletes, true);
    }
    // No more of them than there are kinds.
    seen.push(name.to_owned());
    Ok(())
}

fn part(element: &Element) -> Result<Part, DocumentError> {
    let name: FileName = element.need("name")?.parse().map_err(|_| schema("a part is called as none is"))?;
    let mut sm3 = [0; 32];
    hex::decode_to_slice(element.need("sm3")?, &mut sm3).map_err(|_| schema("a hash is none"))?;
    if name.extension != Extension::Data {
        return Err(schema("a part is called as none is"));
    }
    Ok(Part { name, bytes: element.number("bytes")?, sm3 })
}

/// The namespace of reports.
const NAMESPACE: &str = "urn:waymark:deposit-report:1";

/// Version of the form.
const VERSION: &str = "1";
