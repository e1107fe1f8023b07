//! Tokens of a document, as much of XML as the form needs. What anybody may have written is read here, so there is a limit to each token, to depth, and
//! no document type: entities are those of XML itself.

use std::io::{self, BufRead, Read};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::config::{DEPTH, EVENT_BYTES};

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is not in the form of a deposit: result code 2001.
    #[error("not in the form of a deposit: {what}")]
    Schema {
        /// What is wrong.
        what: &'static str,
    },
    /// It is no XML.
    #[error("no XML")]
    Xml(#[source] quick_xml::Error),
    /// It is of another version: result code 2003.
    #[error("a deposit of version {found}, this program knows version 1")]
    Version {
        /// The version found.
        found: String,
    },
    /// It says no prefix: result code 2203.
    #[error("a deposit that says no prefix")]
    NoPrefix,
    /// It counts a kind twice: result code 2204.
    #[error("a deposit that counts a kind twice")]
    DuplicateCount,
    /// It holds another number of a kind than it counts.
    #[error("a deposit that holds another number of {kind} than it counts")]
    Count {
        /// The kind.
        kind: &'static str,
    },
    /// It cannot be read.
    #[error("the deposit cannot be read")]
    Io(#[source] io::Error),
}

/// What is not in the form.
pub(super) const fn schema(what: &'static str) -> DocumentError {
    DocumentError::Schema { what }
}

/// A token.
#[derive(Debug)]
pub(super) enum Token {
    /// An element begins.
    Start(Element),
    /// The element that began last and has not ended ends.
    End,
    /// The document ends.
    Eof,
}

/// The begin of an element.
#[derive(Debug)]
pub(super) struct Element {
    /// What it is called.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// An attribute.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// An attribute there has to be.
    pub(super) fn need(&self, name: &'static str) -> Result<&str, DocumentError> {
        self.text(name).ok_or_else(|| schema("an attribute is missing"))
    }

    /// A number there has to be, spelled as numbers are.
    pub(super) fn number<N: std::str::FromStr + ToString>(&self, name: &'static str) -> Result<N, DocumentError> {
        let text = self.need(name)?;
        let number: N = text.parse().map_err(|_| schema("an attribute is no number"))?;
        if number.to_string() == text { Ok(number) } else { Err(schema("a number is spelled otherwise")) }
    }

    /// Bytes there have to be: text under the name, or base64 under the name and `-base64`.
    pub(super) fn bytes(&self, name: &'static str) -> Result<Vec<u8>, DocumentError> {
        use base64ct::{Base64, Encoding};
        let coded = self.attributes.iter().find(|(known, _)| known.strip_suffix("-base64") == Some(name));
        match coded {
            Some((_, text)) => Base64::decode_vec(text).map_err(|_| schema("an attribute is no base64")),
            None => self.need(name).map(|text| text.as_bytes().to_vec()),
        }
    }
}

/// Reads tokens. Holds one of them.
pub(super) struct Tokens<R: BufRead> {
    xml: quick_xml::Reader<Bounded<R>>,
    buffer: Vec<u8>,
    depth: usize,
}

impl<R: BufRead> Tokens<R> {
    pub(super) fn new(from: R) -> Self {
        let mut xml = quick_xml::Reader::from_reader(Bounded { inner: from, left: EVENT_BYTES });
        xml.config_mut().expand_empty_elements = true;
        Self { xml, buffer: Vec::new(), depth: 0 }
    }

    /// The next token; between elements there is nothing but blanks.
    pub(super) fn next(&mut self) -> Result<Token, DocumentError> {
        loop {
            let depth = self.depth;
            match self.event()? {
                Event::Start(start) => {
                    if depth >= DEPTH {
                        return Err(schema("elements lie too deep"));
                    }
                    let element = element(&start)?;
                    self.depth += 1;
                    return Ok(Token::Start(element));
                }
                Event::End(_) => {
                    self.depth = depth.saturating_sub(1);
                    return Ok(Token::End);
                }
                Event::Text(text) if text.xml10_content().trim_ascii().is_empty() => {}
                Event::Decl(_) if depth == 0 => {}
                Event::Eof if depth == 0 => return Ok(Token::Eof),
                Event::Eof => return Err(schema("it ends early")),
                _ => return Err(schema("something stands where nothing should")),
            }
        }
    }

    /// The text of the element that began last, up to its end.
    pub(super) fn text(&mut self) -> Result<String, DocumentError> {
        let mut text = String::new();
        loop {
            match self.event()? {
                Event::Text(words) => text.push_str(&words.xml10_content()),
                Event::GeneralRef(name) => text.push(character(&name)?),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(text);
                }
                _ => return Err(schema("something stands where text should")),
            }
            if u64::try_from(text.len()).unwrap_or(u64::MAX) > EVENT_BYTES {
                return Err(schema("a text is longer than any may be"));
            }
        }
    }

    /// The data of the element that began last: its text, or what is base64 there.
    pub(super) fn data(&mut self, element: &Element) -> Result<Vec<u8>, DocumentError> {
        use base64ct::{Base64, Encoding};
        let text = self.text()?;
        match element.text("form") {
            None => Ok(text.into_bytes()),
            Some("base64") => Base64::decode_vec(&text).map_err(|_| schema("data is no base64")),
            Some(_) => Err(schema("data is of a form that is not known")),
        }
    }

    /// The element that began last ends here.
    pub(super) fn end(&mut self) -> Result<(), DocumentError> {
        match self.next()? {
            Token::End => Ok(()),
            _ => Err(schema("an element has more in it than it may")),
        }
    }

    /// What the tokens are read from.
    pub(super) fn into_inner(self) -> R {
        self.xml.into_inner().inner
    }

    fn event(&mut self) -> Result<Event<'_>, DocumentError> {
        self.buffer.clear();
        self.xml.get_mut().left = EVENT_BYTES;
        self.xml.read_event_into(&mut self.buffer).map_err(|error| match error {
            quick_xml::Error::Io(cause) => {
                let kind = cause.kind();
                if kind == io::ErrorKind::FileTooLarge && cause.get_ref().is_none() {
                    return schema("a tag or text is longer than any may be");
                }
                DocumentError::Io(std::sync::Arc::try_unwrap(cause).unwrap_or_else(|shared| {
                    // Shared by the reader with nobody; said again should that change.
                    io::Error::new(kind, shared)
                }))
            }
            other => DocumentError::Xml(other),
        })
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, DocumentError> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| DocumentError::Xml(error.into()))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(DocumentError::Xml)?;
        if attributes.len() >= MOST_ATTRIBUTES {
            return Err(schema("an element has more attributes than any may have"));
        }
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(Element { name: start.name().as_ref().to_owned(), attributes })
}

/// The character an entity stands for.
fn character(name: &BytesRef<'_>) -> Result<char, DocumentError> {
    if let Some(character) = name.resolve_char_ref().map_err(DocumentError::Xml)? {
        return Ok(character);
    }
    match &**name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(schema("an entity is not defined")),
    }
}

/// Attributes of an element.
const MOST_ATTRIBUTES: usize = 16;

/// A reader that gives no more than so many bytes before somebody says that they were enough.
struct Bounded<B> {
    inner: B,
    left: u64,
}

impl<B: BufRead> BufRead for Bounded<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let bytes = self.inner.fill_buf()?;
        Ok(bytes.get(..most).unwrap_or(bytes))
    }

    fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.inner.consume(bytes);
    }
}

impl<B: BufRead> Read for Bounded<B> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let taken = bytes.len().min(into.len());
        for (to, from) in into.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.consume(taken);
        Ok(taken)
    }
}
