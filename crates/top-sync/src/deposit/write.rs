//! The document of a deposit, written as a stream. The form is described in [`super`].

use std::fmt::Display;
use std::io::{self, Write};

use base64ct::{Base64, Encoding};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use waymark_catalog::Stored;
use waymark_catalog::moment::{Gone, Kind, Object};
use waymark_wire::{Ttl, ValueRef};

use super::head::{Counts, Head, IDENTIFIER, NAMESPACE, VERSION, time_text};

/// Writes a document: a head, what is gone, what there is, and the counts.
pub(super) struct DocumentWriter<W: Write> {
    xml: Writer<W>,
    counts: Counts,
}

impl<W: Write> DocumentWriter<W> {
    /// Writes the head, and begins the list of what is gone.
    pub(super) fn begin(out: W, head: &Head) -> io::Result<Self> {
        let mut writer = Self { xml: Writer::new(out), counts: Counts::default() };
        writer.xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let mut root = BytesStart::new("deposit");
        put(&mut root, "xmlns", NAMESPACE);
        put(&mut root, "version", VERSION);
        put(&mut root, "type", head.extent.as_str());
        put(&mut root, "id", head.id);
        if let Some(previous) = head.previous {
            put(&mut root, "previous", previous);
        }
        put(&mut root, "resend", head.resend);
        put(&mut root, "prefix", &head.prefix);
        put(&mut root, "created", time_text(head.created_seconds));
        put(&mut root, "since", head.since);
        put(&mut root, "serial", head.serial);
        writer.start(root)?;
        writer.start(BytesStart::new("watermark"))?;
        writer.text(&time_text(head.watermark().0 / 1_000))?;
        writer.end("watermark")?;
        writer.menu()?;
        writer.start(BytesStart::new("deletes"))?;
        Ok(writer)
    }

    fn menu(&mut self) -> io::Result<()> {
        self.start(BytesStart::new("menu"))?;
        for kind in [IDENTIFIER].into_iter().chain(Kind::ALL.into_iter().map(Kind::as_str)) {
            let mut object = BytesStart::new("object");
            put(&mut object, "uri", format_args!("{NAMESPACE}:{kind}"));
            self.xml.write_event(Event::Empty(object))?;
        }
        self.end("menu")
    }

    /// Writes what is gone.
    pub(super) fn delete(&mut self, gone: Gone<'_>) -> io::Result<()> {
        let mut element = BytesStart::new("delete");
        match gone {
            Gone::Record(key) => {
                put(&mut element, "kind", IDENTIFIER);
                put_bytes(&mut element, "name", key);
                self.counts.identifiers_gone += 1;
            }
            Gone::Object(name) => {
                put(&mut element, "kind", name.kind().as_str());
                put(&mut element, "name", name);
                self.counts.add(name.kind(), 1, true);
            }
        }
        self.xml.write_event(Event::Empty(element))
    }

    /// Ends the list of what is gone, and begins that of what there is.
    pub(super) fn contents(&mut self) -> io::Result<()> {
        self.end("deletes")?;
        self.start(BytesStart::new("contents"))
    }

    /// Writes an object, with what was sealed of it in the clear.
    pub(super) fn object(&mut self, object: &Object, opened: Option<&[u8]>) -> io::Result<()> {
        let mut element = BytesStart::new("object");
        put(&mut element, "kind", object.name().kind().as_str());
        put(&mut element, "name", object.name());
        self.start(element)?;
        self.data("text", object.text().as_bytes())?;
        if let Some(opened) = opened {
            self.data("sealed", opened)?;
        }
        self.counts.add(object.name().kind(), 1, false);
        self.end("object")
    }

    /// Writes an identifier with its values.
    pub(super) fn record(&mut self, stored: &Stored<'_>) -> io::Result<()> {
        let mut element = BytesStart::new(IDENTIFIER);
        put_bytes(&mut element, "handle", stored.handle());
        if let Some(status) = stored.status() {
            put(&mut element, "status", if status.revoked { "revoked" } else { "suspended" });
            put(&mut element, "since", status.since_seconds);
            put_bytes(&mut element, "reason", status.reason.as_bytes());
        }
        self.start(element)?;
        let values = stored.values().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        for value in values {
            self.value(&value)?;
            self.counts.values += 1;
        }
        self.counts.identifiers += 1;
        self.end(IDENTIFIER)
    }

    fn value(&mut self, value: &ValueRef<'_>) -> io::Result<()> {
        let mut element = BytesStart::new("value");
        put(&mut element, "index", value.index);
        put_bytes(&mut element, "type", value.kind);
        match value.ttl {
            Ttl::Relative(seconds) => put(&mut element, "ttl", seconds),
            Ttl::Absolute(time) => put(&mut element, "expires", time),
            Ttl::Other { kind, value } => {
                put(&mut element, "ttl-kind", kind);
                put(&mut element, "ttl", value);
            }
        }
        put(&mut element, "permissions", value.permissions.0);
        put(&mut element, "timestamp", value.timestamp);
        self.start(element)?;
        self.data("data", value.data)?;
        for reference in value.references.iter() {
            let mut element = BytesStart::new("reference");
            put(&mut element, "index", reference.index);
            put_bytes(&mut element, "handle", reference.handle);
            self.xml.write_event(Event::Empty(element))?;
        }
        self.end("value")
    }

    /// Writes the counts, and ends the document.
    pub(super) fn finish(mut self) -> io::Result<(W, Counts)> {
        self.end("contents")?;
        self.start(BytesStart::new("counts"))?;
        let counts = self.counts;
        self.count(IDENTIFIER, counts.identifiers, counts.identifiers_gone, Some(counts.values))?;
        for kind in Kind::ALL {
            self.count(kind.as_str(), counts.of(kind), counts.gone(kind), None)?;
        }
        self.end("counts")?;
        self.end("deposit")?;
        let mut out = self.xml.into_inner();
        out.flush()?;
        Ok((out, counts))
    }

    fn count(&mut self, kind: &str, contents: u64, deletes: u64, values: Option<u64>) -> io::Result<()> {
        let mut element = BytesStart::new("count");
        put(&mut element, "kind", kind);
        put(&mut element, "contents", contents);
        put(&mut element, "deletes", deletes);
        if let Some(values) = values {
            put(&mut element, "values", values);
        }
        self.xml.write_event(Event::Empty(element))
    }

    /// An element of data: text as it is, anything else in base64.
    fn data(&mut self, name: &str, data: &[u8]) -> io::Result<()> {
        let mut element = BytesStart::new(name);
        match plain(data, true) {
            Some(text) => {
                self.start(element)?;
                self.text(text)?;
            }
            None => {
                put(&mut element, "form", "base64");
                self.start(element)?;
                self.text(&Base64::encode_string(data))?;
            }
        }
        self.end(name)
    }

    fn start(&mut self, element: BytesStart<'_>) -> io::Result<()> {
        self.xml.write_event(Event::Start(element))
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() { Ok(()) } else { self.xml.write_event(Event::Text(BytesText::new(text))) }
    }

    fn end(&mut self, name: &str) -> io::Result<()> {
        self.xml.write_event(Event::End(BytesEnd::new(name)))
    }
}

fn put(element: &mut BytesStart<'_>, name: &str, value: impl Display) {
    element.push_attribute((name, value.to_string().as_str()));
}

/// An attribute of any bytes: text as it is under the name, anything else in base64 under the name and `-base64`.
fn put_bytes(element: &mut BytesStart<'_>, name: &str, bytes: &[u8]) {
    match plain(bytes, false) {
        Some(text) => element.push_attribute((name, text)),
        None => element.push_attribute((format!("{name}-base64").as_str(), Base64::encode_string(bytes).as_str())),
    }
}

/// Bytes that XML can say as they are and every reader gives back so; line ends within texts alone, since readers make blanks of them elsewhere.
fn plain(bytes: &[u8], may_have_lines: bool) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    let sound = |each: char| match each {
        '\n' => may_have_lines,
        '\u{fffe}' | '\u{ffff}' => false,
        other => !other.is_control(),
    };
    text.chars().all(sound).then_some(text)
}
