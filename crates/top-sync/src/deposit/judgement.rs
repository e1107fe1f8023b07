//! What the platform says of a deposit, as a file in the folder `report` of its user.
//!
//! That there is a report, beside the data and named like it with the ending `rep`, is of the platform's drafts, and so are the codes. What is in it is
//! not published; **this form is our own**:
//!
//! ```xml
//! <judgement xmlns="urn:waymark:deposit-judgement:1" version="1" id="32 hex digits" prefix="88.990" watermark="2026-11-29T00:00:00Z"
//!            type="FULL" resend="0" code="1000" at="2026-11-29T01:12:00Z">what is wrong, for people</judgement>
//! ```
//! It is not signed: it comes over a connection whose other side showed the pinned host key.

use std::io::{self, Write as _};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use waymark_catalog::Timestamp;
use waymark_ident::Date;

use super::config::{JUDGEMENT_BYTES, REMARK_CHARACTERS};
use super::head::{DepositId, day_of, parse_time, time_text, watermark};
use super::name::Extent;
use super::tokens::{DocumentError, Token, Tokens, schema};

/// The code of a deposit that is valid.
pub const ACCEPTED: u16 = 1000;

/// What the platform says of a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Of which; `None` where it could not be told.
    pub id: Option<DepositId>,
    /// Of which prefix.
    pub prefix: String,
    /// Of which day.
    pub date: Date,
    /// Everything, or what changed.
    pub extent: Extent,
    /// How often it was made before.
    pub resend: u32,
    /// The result code: [`ACCEPTED`], or what is wrong. 0 where the drafts have no code for it.
    pub code: u16,
    /// When it was judged, in whole seconds since 1970.
    pub at_seconds: u64,
    /// What is wrong, for people.
    pub reason: String,
}

impl Judgement {
    /// Whether the deposit is valid.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        self.code == ACCEPTED
    }

    /// Its bytes.
    ///
    /// # Errors
    /// Memory that refuses writing, which none does.
    pub fn to_xml(&self) -> io::Result<Vec<u8>> {
        let mut xml = Writer::new(Vec::new());
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let mut root = BytesStart::new(ROOT);
        for (name, value) in [
            ("xmlns", NAMESPACE.to_owned()),
            ("version", VERSION.to_owned()),
            ("id", self.id.map(|id| id.to_string()).unwrap_or_default()),
            ("prefix", self.prefix.clone()),
            ("watermark", time_text(watermark(self.date).0 / 1_000)),
            ("type", self.extent.as_str().to_owned()),
            ("resend", self.resend.to_string()),
            ("code", self.code.to_string()),
            ("at", time_text(self.at_seconds)),
        ] {
            root.push_attribute((name, value.as_str()));
        }
        xml.write_event(Event::Start(root))?;
        xml.write_event(Event::Text(BytesText::new(&plain(&self.reason))))?;
        xml.write_event(Event::End(BytesEnd::new(ROOT)))?;
        let mut bytes = xml.into_inner();
        bytes.write_all(b"\n")?;
        Ok(bytes)
    }

    /// Reads one.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > JUDGEMENT_BYTES {
            return Err(schema("it is longer than any may be"));
        }
        let mut tokens = Tokens::new(bytes);
        let Token::Start(root) = tokens.next()? else { return Err(schema("it is empty")) };
        if root.name != ROOT || root.need("xmlns")? != NAMESPACE {
            return Err(schema("it is no judgement of a deposit"));
        }
        let version = root.need("version")?;
        if version != VERSION {
            return Err(DocumentError::Version { found: version.chars().take(16).collect() });
        }
        let seconds = parse_time(root.need("watermark")?).ok_or(schema("the watermark is no time"))?;
        let id = root.need("id")?;
        let read = Self {
            id: if id.is_empty() { None } else { Some(DepositId::parse(id).ok_or(schema("an id is none"))?) },
            prefix: plain(root.need("prefix")?),
            date: day_of(Timestamp(seconds.saturating_mul(1_000))),
            extent: Extent::from_name(root.need("type")?).ok_or(schema("the type is neither FULL nor DIFF"))?,
            resend: root.number("resend")?,
            code: root.number("code")?,
            at_seconds: parse_time(root.need("at")?).ok_or(schema("the time is none"))?,
            reason: plain(&tokens.text()?),
        };
        match tokens.next()? {
            Token::Eof => Ok(read),
            _ => Err(schema("something stands behind its end")),
        }
    }
}

/// As much of a text as is kept, on one line.
fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(REMARK_CHARACTERS).collect()
}

const ROOT: &str = "judgement";

const NAMESPACE: &str = "urn:waymark:deposit-judgement:1";

/// Version of the form.
const VERSION: &str = "1";

#[cfg(test)]
mod tests {
    use super::super::name::parse_date;
    use super::*;

    fn judgement() -> Judgement {
        Judgement {
            id: Some(DepositId([7; 16])),
            prefix: "88.990".into(),
            date: parse_date("2026-11-30").unwrap(),
            extent: Extent::Diff,
            resend: 2,
            code: 2004,
            at_seconds: 1_796_000_000,
            reason: "previous <id> & id \u{4e0d}\u{7b26}".into(),
        }
    }

    #[test]
    fn a_judgement_comes_back() {
        let text = concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?><judgement xmlns="urn:waymark:deposit-judgement:1" version="1" "#,
            r#"id="07070707070707070707070707070707" prefix="88.990" watermark="2026-11-30T00:00:00Z" type="DIFF" "#,
            r#"resend="2" code="2004" at="2026-11-30T00:53:20Z">previous &lt;id&gt; &amp; id 不符</judgement>"#,
            "\n",
        );
        assert_eq!(String::from_utf8(judgement().to_xml().unwrap()).unwrap(), text);
        assert_eq!(Judgement::read(text.as_bytes()).unwrap(), judgement());
        let unknown = Judgement { id: None, code: 0, ..judgement() };
        assert_eq!(Judgement::read(&unknown.to_xml().unwrap()).unwrap(), unknown);
    }

    #[test]
    fn what_a_platform_says_is_one_short_line() {
        let long = Judgement { reason: format!("a\n\u{1b}[2J{}", "b".repeat(5_000)), ..judgement() };
        let read = Judgement::read(&long.to_xml().unwrap()).unwrap();
        assert_eq!(read.reason.chars().count(), REMARK_CHARACTERS);
        assert!(read.reason.starts_with("a[2Jb"), "{}", read.reason);
    }

    #[test]
    fn other_files_are_refused() {
        let good = String::from_utf8(judgement().to_xml().unwrap()).unwrap();
        for (from, to) in [
            ("version=\"1\" id", "version=\"2\" id"),
            ("deposit-judgement:1", "deposit-report:1"),
            ("code=\"2004\"", "code=\"70000\""),
            ("code=\"2004\"", ""),
            ("type=\"DIFF\"", "type=\"SOME\""),
            ("</judgement>", "</judgement><more/>"),
            ("</judgement>", ""),
            ("2026-11-30T00:53:20Z", "now"),
            ("?>", "?><!DOCTYPE a [<!ENTITY b \"c\">]>"),
        ] {
            assert!(Judgement::read(good.replacen(from, to, 1).as_bytes()).is_err(), "{from} {to}");
        }
        assert!(Judgement::read(&vec![b' '; 1 << 20]).is_err());
        for length in 0..good.len() - 1 {
            assert!(Judgement::read(&good.as_bytes()[..length]).is_err(), "{length}");
        }
    }
}
