//! Reading XML into a tree that is bounded in size, depth and number of elements. No document types, no entities but the five of XML itself, no
//! processing instructions, UTF-8 alone: what is refused is refused before anything is made of it.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::epp::config::{XML_DEPTH, XML_ELEMENTS};

/// An element: its namespace and name, its attributes without namespaces, its own text, and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its namespace; empty for none.
    pub space: Box<str>,
    /// Its name, without a prefix.
    pub name: Box<str>,
    /// Attributes by name, but for declarations of namespaces.
    pub attributes: Vec<(Box<str>, Box<str>)>,
    /// All its text, without that of the elements within, and without blanks around it.
    pub text: String,
    /// The elements within, in order.
    pub children: Vec<Self>,
}

/// Why something is not read. Says nothing of what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// More bytes than are taken.
    #[error("more than {most} bytes")]
    TooLarge {
        /// How many are.
        most: usize,
    },
    /// The bytes are not UTF-8, or say that they are something else.
    #[error("not UTF-8")]
    NotUtf8,
    /// A document type: nothing here needs one, and attacks do.
    #[error("a document type declaration, which is never accepted")]
    DocType,
    /// An instruction to a program.
    #[error("a processing instruction, which is never accepted")]
    Instruction,
    /// An entity that is not one of XML itself.
    #[error("an entity that is not defined")]
    Entity,
    /// Elements within elements within elements.
    #[error("elements more than {XML_DEPTH} deep")]
    TooDeep,
    /// More elements or attributes than anything here has.
    #[error("more than {XML_ELEMENTS} elements or attributes")]
    TooMany,
    /// A prefix no namespace was declared for.
    #[error("a prefix without namespace")]
    Prefix,
    /// No XML, or not all of it.
    #[error("malformed XML near byte {at}")]
    Malformed {
        /// How many bytes were read before.
        at: u64,
    },
}

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// See [`XmlError`].
    pub fn read(bytes: &[u8], most_bytes: usize) -> Result<Self, XmlError> {
        if bytes.len() > most_bytes {
            return Err(XmlError::TooLarge { most: most_bytes });
        }
        let text = str::from_utf8(bytes).map_err(|_| XmlError::NotUtf8)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        let mut tree = Tree::default();
        loop {
            let at = reader.buffer_position();
            let (space, event) = reader.read_resolved_event().map_err(|_| XmlError::Malformed { at })?;
            match event {
                Event::Start(start) => tree.begin(&space, &start, at)?,
                Event::End(_) => tree.end(at)?,
                Event::Text(text) => tree.text(&text.xml10_content(), at)?,
                Event::CData(text) => tree.text(&text.xml10_content(), at)?,
                Event::GeneralRef(name) => tree.character(&name, at)?,
                Event::Comment(_) => {}
                Event::Decl(declaration) => check_encoding(&declaration)?,
                Event::PI(_) => return Err(XmlError::Instruction),
                Event::DocType(_) => return Err(XmlError::DocType),
                Event::Eof => return tree.done(at),
                Event::Empty(_) => return Err(XmlError::Malformed { at }),
            }
        }
    }

    /// The first element within of a name, whatever its namespace.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| *child.name == *name)
    }

    /// The text of the first element within of a name.
    #[must_use]
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// An attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| **own == *name).map(|(_, value)| &**value)
    }

    /// This element and all within it, each before what it holds.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        let mut left = vec![self];
        std::iter::from_fn(move || {
            let next = left.pop()?;
            left.extend(next.children.iter().rev());
            Some(next)
        })
    }
}

/// The tree while it is read: the elements that were begun and not ended, outermost first.
#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    count: usize,
}

impl Tree {
    fn begin(&mut self, space: &ResolveResult<'_>, start: &BytesStart<'_>, at: u64) -> Result<(), XmlError> {
        if self.root.is_some() {
            return Err(XmlError::Malformed { at });
        }
        if self.open.len() >= XML_DEPTH {
            return Err(XmlError::TooDeep);
        }
        let space = match space {
            ResolveResult::Bound(namespace) => namespace.as_ref().into(),
            ResolveResult::Unbound => "".into(),
            ResolveResult::Unknown(_) => return Err(XmlError::Prefix),
        };
        self.counted()?;
        let mut element = Element { space, name: start.local_name().as_ref().into(), ..Element::default() };
        for attribute in start.attributes() {
            self.counted()?;
            let attribute = attribute.map_err(|_| XmlError::Malformed { at })?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| XmlError::Entity)?;
            element.attributes.push((attribute.key.local_name().as_ref().into(), value.into()));
        }
        self.open.push(element);
        Ok(())
    }

    const fn counted(&mut self) -> Result<(), XmlError> {
        self.count += 1;
        if self.count > XML_ELEMENTS { Err(XmlError::TooMany) } else { Ok(()) }
    }

    fn end(&mut self, at: u64) -> Result<(), XmlError> {
        let mut element = self.open.pop().ok_or(XmlError::Malformed { at })?;
        let trimmed = element.text.trim();
        if trimmed.len() < element.text.len() {
            element.text = trimmed.to_owned();
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, at: u64) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(XmlError::Malformed { at }),
        }
        Ok(())
    }

    /// The character an entity stands for. There are no others than those of XML itself, as there is no document type.
    fn character(&mut self, name: &BytesRef<'_>, at: u64) -> Result<(), XmlError> {
        let character = match name.resolve_char_ref().map_err(|_| XmlError::Entity)? {
            Some(character) => character,
            None => match &**name {
                "lt" => '<',
                "gt" => '>',
                "amp" => '&',
                "apos" => '\'',
                "quot" => '"',
                _ => return Err(XmlError::Entity),
            },
        };
        self.text(character.encode_utf8(&mut [0; 4]), at)
    }

    fn done(self, at: u64) -> Result<Element, XmlError> {
        if self.open.is_empty() { self.root.ok_or(XmlError::Malformed { at }) } else { Err(XmlError::Malformed { at }) }
    }
}

fn check_encoding(declaration: &BytesDecl<'_>) -> Result<(), XmlError> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("us-ascii") => Ok(()),
        Some(_) => Err(XmlError::NotUtf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Element, XmlError> {
        Element::read(text.as_bytes(), 64 << 10)
    }

    #[test]
    fn namespaces_attributes_and_text_are_read() {
        let root = read(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a --><a xmlns='urn:a' xmlns:b='urn:b'><b:c d='1 &lt; 2'> x<![CDATA[<]]>&#x4ea7;&amp; </b:c><e/></a>\n",
        )
        .unwrap();
        assert_eq!((&*root.space, &*root.name), ("urn:a", "a"));
        let c = root.child("c").unwrap();
        assert_eq!((&*c.space, c.attribute("d"), c.text.as_str()), ("urn:b", Some("1 < 2"), "x<产&"));
        assert_eq!(root.child_text("e"), Some(""));
        assert_eq!(root.all().map(|each| &*each.name).collect::<Vec<_>>(), ["a", "c", "e"]);
    }

    #[test]
    fn what_attacks_need_is_refused_by_name() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;&b;\">]><a>&c;</a>";
        assert_eq!(read(bomb), Err(XmlError::DocType));
        assert_eq!(read("<a>&c;</a>"), Err(XmlError::Entity));
        assert_eq!(read("<a b='&c;'/>"), Err(XmlError::Entity));
        assert_eq!(read("<?php 1 ?><a/>"), Err(XmlError::Instruction));
        assert_eq!(read("<?xml version=\"1.0\" encoding=\"GBK\"?><a/>"), Err(XmlError::NotUtf8));
        assert_eq!(read("<b:a/>"), Err(XmlError::Prefix));
        assert_eq!(Element::read(b"<a>\xff</a>", 100), Err(XmlError::NotUtf8));
        assert_eq!(Element::read(b"<a></a>", 6), Err(XmlError::TooLarge { most: 6 }));
    }

    #[test]
    fn depth_and_number_are_bounded_to_the_element() {
        let nested = |depth: usize| read(&("<a>".repeat(depth) + &"</a>".repeat(depth)));
        assert!(nested(XML_DEPTH).is_ok());
        assert_eq!(nested(XML_DEPTH + 1), Err(XmlError::TooDeep));
        let many = |count: usize| read(&format!("<a>{}</a>", "<b/>".repeat(count)));
        assert!(many(XML_ELEMENTS - 1).is_ok());
        assert_eq!(many(XML_ELEMENTS), Err(XmlError::TooMany));
    }

    #[test]
    fn what_is_not_whole_is_malformed() {
        for wrong in [
            "",
            " ",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "x<a/>",
            "<a/>x",
            "<a b=1/>",
            "<a><b></a></b>",
            "<a>&#0;</a",
        ] {
            assert!(
                matches!(read(wrong), Err(XmlError::Malformed { .. } | XmlError::Entity)),
                "{wrong}: {:?}",
                read(wrong)
            );
        }
        let whole = "<a xmlns='urn:a'><b>c</b></a>";
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "{cut}");
        }
    }
}
