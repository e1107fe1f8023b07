//! XML of a workbook's part, event by event, with limits on everything a file decides.

use std::io::{self, BufRead, BufReader, Read};

use quick_xml::{
    XmlVersion,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};

use super::part::PartReader;
use crate::{
    Code, Problem,
    failure::{ReadError, damaged, stop},
    limits::Limits,
};

const BUFFER_BYTES: usize = 64 << 10;

/// Reads the XML of a part.
pub(super) struct Xml<R: Read> {
    reader: quick_xml::Reader<Bounded<BufReader<PartReader<R>>>>,
    name: String,
    buffer: Vec<u8>,
    depth: u32,
}

impl<R: Read> Xml<R> {
    /// Over a part, with no event of more bytes than these.
    pub(super) fn new(part: PartReader<R>, most_event_bytes: usize) -> Self {
        let name = part.name().to_owned();
        let bounded = Bounded { inner: BufReader::with_capacity(BUFFER_BYTES, part), left: 0, most: most_event_bytes };
        let mut reader = quick_xml::Reader::from_reader(bounded);
        // One kind of event less to think of.
        reader.config_mut().expand_empty_elements = true;
        Self { reader, name, buffer: Vec::new(), depth: 0 }
    }

    /// Name of the part.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Result<Event<'_>, ReadError> {
        self.buffer.clear();
        let bounded = self.reader.get_mut();
        bounded.left = bounded.most;
        let event = self.reader.read_event_into(&mut self.buffer).map_err(|error| of_xml(&error, &self.name))?;
        match &event {
            Event::Start(_) => {
                self.depth += 1;
                if self.depth > Limits::XML_DEPTH {
                    return Err(hostile(&self.name, "elements nested without end", "无尽嵌套的元素"));
                }
            }
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::DocType(_) => return Err(hostile(&self.name, "a document type", "文档类型声明")),
            Event::Decl(declaration) => check_encoding(declaration, &self.name)?,
            // The reader below sees only bytes; that all elements were ended is seen here.
            Event::Eof if self.depth > 0 => return Err(damaged(&self.name, "the XML ends early")),
            _ => {}
        }
        Ok(event)
    }
}

fn check_encoding(declaration: &BytesDecl<'_>, part: &str) -> Result<(), ReadError> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("us-ascii") => Ok(()),
        Some(_) => Err(hostile(part, "an encoding other than UTF-8", "UTF-8 以外的编码")),
    }
}

fn hostile(part: &str, en: &'static str, zh: &'static str) -> ReadError {
    Problem::new(Code::Hostile).with("part", part).with_words("detail", en, zh).into()
}

fn of_xml(error: &quick_xml::Error, part: &str) -> ReadError {
    match error {
        quick_xml::Error::Io(cause) => ReadError::of_shared_io(cause, part),
        other => damaged(part, other),
    }
}

/// Adds what an event says to a text.
pub(super) fn add_text(event: &Event<'_>, text: &mut String, part: &str) -> Result<(), ReadError> {
    match event {
        Event::Text(words) => text.push_str(&words.xml10_content()),
        Event::CData(words) => text.push_str(&words.xml10_content()),
        Event::GeneralRef(name) => text.push(character(name, part)?),
        _ => {}
    }
    Ok(())
}

/// The character an entity stands for. There are no others than those of XML itself, as there is no document type.
fn character(name: &BytesRef<'_>, part: &str) -> Result<char, ReadError> {
    match name.resolve_char_ref() {
        Ok(Some(character)) => return Ok(character),
        Ok(None) => {}
        Err(error) => return Err(of_xml(&error, part)),
    }
    match &**name {
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "amp" => Ok('&'),
        "apos" => Ok('\''),
        "quot" => Ok('"'),
        _ => Err(damaged(part, "an entity that is not defined")),
    }
}

/// An attribute by its name without namespace.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str, part: &str) -> Result<Option<String>, ReadError> {
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| damaged(part, error))?;
        if attribute.key.local_name().as_ref() == name {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| of_xml(&error, part))?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// A reader that gives no more than so many bytes before somebody says that they were enough.
struct Bounded<B> {
    inner: B,
    left: usize,
    most: usize,
}

impl<B: BufRead> BufRead for Bounded<B> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(stop(Problem::new(Code::RowTooLarge).with("limit", self.most)));
        }
        let bytes = self.inner.fill_buf()?;
        Ok(bytes.get(..self.left).unwrap_or(bytes))
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.inner.consume(count);
    }
}

impl<B: BufRead> Read for Bounded<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }
}
