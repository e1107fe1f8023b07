//! The document of a deposit, read as a stream. Gives out entries in their order, and at the end that they were as many as was counted.

use std::fmt;
use std::io::BufRead;

use waymark_catalog::moment::{Kind, ObjectName};
use waymark_catalog::{ValueSet, WithdrawalBuf};
use waymark_wire::{Permissions, ReferenceBuf, Ttl, ValueBuf};
use zeroize::Zeroizing;

use super::config::RECORD_BYTES;
use super::head::{Counts, DepositId, Head, IDENTIFIER, NAMESPACE, VERSION, day_of, parse_time, watermark};
use super::name::Extent;
use super::tokens::{DocumentError, Element, Token, Tokens, schema};
use waymark_catalog::Timestamp;

/// One entry of a document.
pub enum Entry {
    /// An identifier is gone: its canonical key.
    IdentifierGone(Vec<u8>),
    /// An object is gone.
    ObjectGone(ObjectName),
    /// An object: its name, its text, and what was sealed of it, in the clear.
    Object(ObjectName, String, Option<Zeroizing<Vec<u8>>>),
    /// An identifier.
    Identifier(Identifier),
}

/// Shows nothing of what was sealed.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdentifierGone(key) => f.debug_tuple("IdentifierGone").field(key).finish(),
            Self::ObjectGone(name) => f.debug_tuple("ObjectGone").field(name).finish(),
            Self::Object(name, text, _) => f.debug_tuple("Object").field(name).field(text).finish_non_exhaustive(),
            Self::Identifier(identifier) => f.debug_tuple("Identifier").field(identifier).finish(),
        }
    }
}

/// An identifier as a deposit has it.
#[derive(Debug)]
pub struct Identifier {
    /// In the case it was registered in.
    pub handle: Vec<u8>,
    /// All its values.
    pub values: ValueSet,
    /// That it is suspended or revoked.
    pub status: Option<WithdrawalBuf>,
}

/// Reads a document. Holds one entry.
pub struct DocumentReader<R: BufRead> {
    tokens: Tokens<R>,
    head: Head,
    counts: Counts,
    state: State,
}

/// Where in a document a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Deletes,
    Contents,
    Ended,
}

impl<R: BufRead> DocumentReader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn new(from: R) -> Result<Self, DocumentError> {
        let mut tokens = Tokens::new(from);
        let root = start(&mut tokens, "deposit")?;
        let version = root.need("version")?;
        if version != VERSION.to_string() {
            return Err(DocumentError::Version { found: version.chars().take(MOST_SHOWN).collect() });
        }
        if root.need("xmlns")? != NAMESPACE {
            return Err(schema("it is of another namespace"));
        }
        start(&mut tokens, "watermark")?;
        let seconds = parse_time(&tokens.text()?).ok_or(schema("the watermark is no time"))?;
        let head = head(&root, seconds)?;
        menu(&mut tokens)?;
        start(&mut tokens, "deletes")?;
        Ok(Self { tokens, head, counts: Counts::default(), state: State::Deletes })
    }

    /// What the deposit says of itself.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// What was read so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The next entry; `None` behind the last one, when the counts were right and nothing stands behind them.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn next_entry(&mut self) -> Result<Option<Entry>, DocumentError> {
        loop {
            match (self.state, self.tokens.next()?) {
                (State::Deletes, Token::Start(element)) if element.name == "delete" => {
                    return self.deleted(&element).map(Some);
                }
                (State::Deletes, Token::End) => {
                    start(&mut self.tokens, "contents")?;
                    self.state = State::Contents;
                }
                (State::Contents, Token::Start(element)) if element.name == "object" => {
                    return self.object(&element).map(Some);
                }
                (State::Contents, Token::Start(element)) if element.name == IDENTIFIER => {
                    return self.identifier(&element).map(Some);
                }
                (State::Contents, Token::End) => {
                    self.check_counts()?;
                    self.state = State::Ended;
                    return Ok(None);
                }
                (State::Ended, Token::Eof) => return Ok(None),
                _ => return Err(schema("an element is none of a deposit, or out of order")),
            }
        }
    }

    /// What the document is read from, behind its end.
    pub(super) fn into_inner(self) -> R {
        self.tokens.into_inner()
    }

    fn deleted(&mut self, element: &Element) -> Result<Entry, DocumentError> {
        self.tokens.end()?;
        if element.need("kind")? == IDENTIFIER {
            self.counts.identifiers_gone += 1;
            return Ok(Entry::IdentifierGone(element.bytes("name")?));
        }
        let name = object_name(element)?;
        self.counts.add(name.kind(), 1, true);
        Ok(Entry::ObjectGone(name))
    }

    fn object(&mut self, element: &Element) -> Result<Entry, DocumentError> {
        let name = object_name(element)?;
        let text = start(&mut self.tokens, "text")?;
        let text = String::from_utf8(self.tokens.data(&text)?).map_err(|_| schema("the text of an object is none"))?;
        let sealed = match self.tokens.next()? {
            Token::End => None,
            Token::Start(sealed) if sealed.name == "sealed" => {
                let sealed = Zeroizing::new(self.tokens.data(&sealed)?);
                self.tokens.end()?;
                Some(sealed)
            }
            _ => return Err(schema("an object has more in it than it may")),
        };
        self.counts.add(name.kind(), 1, false);
        Ok(Entry::Object(name, text, sealed))
    }

    fn identifier(&mut self, element: &Element) -> Result<Entry, DocumentError> {
        let handle = element.bytes("handle")?;
        let status = match element.text("status") {
            None => None,
            Some(status @ ("suspended" | "revoked")) => Some(WithdrawalBuf {
                revoked: status == "revoked",
                since_seconds: Some(element.number("since")?),
                reason: String::from_utf8(element.bytes("reason")?).map_err(|_| schema("a reason is no text"))?,
            }),
            Some(_) => return Err(schema("a status is none there is")),
        };
        let (mut values, mut bytes) = (Vec::new(), handle.len());
        loop {
            match self.tokens.next()? {
                Token::End => break,
                Token::Start(element) if element.name == "value" => {
                    let value = self.value(&element)?;
                    bytes += value.data.len() + value.kind.len() + VALUE_BYTES;
                    if bytes > RECORD_BYTES {
                        return Err(schema("an identifier is larger than any may be"));
                    }
                    values.push(value);
                }
                _ => return Err(schema("an identifier has something in it that is no value")),
            }
        }
        self.counts.identifiers += 1;
        self.counts.values += u64::try_from(values.len()).unwrap_or(u64::MAX);
        let values = ValueSet::from_bufs(&values).map_err(|_| schema("an identifier has values it cannot have"))?;
        Ok(Entry::Identifier(Identifier { handle, values, status }))
    }

    fn value(&mut self, element: &Element) -> Result<ValueBuf, DocumentError> {
        let ttl = match (element.text("expires"), element.text("ttl"), element.text("ttl-kind")) {
            (None, Some(_), None) => Ttl::Relative(element.number("ttl")?),
            (Some(_), None, None) => Ttl::Absolute(element.number("expires")?),
            (None, Some(_), Some(_)) => Ttl::Other { kind: element.number("ttl-kind")?, value: element.number("ttl")? },
            _ => return Err(schema("a value does not live for one time")),
        };
        let data = start(&mut self.tokens, "data")?;
        let data = self.tokens.data(&data)?;
        let mut references = Vec::new();
        loop {
            match self.tokens.next()? {
                Token::End => break,
                Token::Start(reference) if reference.name == "reference" && references.len() < MOST_REFERENCES => {
                    self.tokens.end()?;
                    let (handle, index) = (reference.bytes("handle")?, reference.number("index")?);
                    references.push(ReferenceBuf { handle, index });
                }
                _ => return Err(schema("a value has more in it than it may")),
            }
        }
        Ok(ValueBuf {
            index: element.number("index")?,
            timestamp: element.number("timestamp")?,
            ttl,
            permissions: Permissions(element.number("permissions")?),
            kind: element.bytes("type")?,
            data,
            references,
        })
    }

    /// Reads the counts, and that nothing stands behind them.
    fn check_counts(&mut self) -> Result<(), DocumentError> {
        start(&mut self.tokens, "counts")?;
        let mut seen = Vec::new();
        loop {
            let element = match self.tokens.next()? {
                Token::End => break,
                Token::Start(element) if element.name == "count" => element,
                _ => return Err(schema("a count is none")),
            };
            self.tokens.end()?;
            let name = element.need("kind")?;
            let kind = Kind::from_name(name);
            let known = kind.map(Kind::as_str).or_else(|| (name == IDENTIFIER).then_some(IDENTIFIER));
            let known = known.ok_or(schema("a count is of no kind there is"))?;
            if seen.contains(&known) {
                return Err(DocumentError::DuplicateCount);
            }
            seen.push(known);
            let counted = (element.number("contents")?, element.number("deletes")?);
            let held = match kind {
                Some(kind) => (self.counts.of(kind), self.counts.gone(kind)),
                None => (self.counts.identifiers, self.counts.identifiers_gone),
            };
            let values_differ = kind.is_none() && element.number::<u64>("values")? != self.counts.values;
            if counted != held || values_differ {
                return Err(DocumentError::Count { kind: known });
            }
        }
        if seen.len() != Kind::ALL.len() + 1 {
            return Err(schema("a kind is not counted"));
        }
        self.tokens.end()?;
        match self.tokens.next()? {
            Token::Eof => Ok(()),
            _ => Err(schema("something stands behind its end")),
        }
    }
}

fn start<R: BufRead>(tokens: &mut Tokens<R>, name: &str) -> Result<Element, DocumentError> {
    match tokens.next()? {
        Token::Start(element) if element.name == name => Ok(element),
        _ => Err(schema("an element is missing, or another stands in its place")),
    }
}

fn head(root: &Element, seconds: u64) -> Result<Head, DocumentError> {
    let id = |name| root.text(name).map(|text| DepositId::parse(text).ok_or(schema("an id is none"))).transpose();
    let extent = root.need("type")?;
    let extent = [Extent::Full, Extent::Diff].into_iter().find(|known| known.as_str() == extent);
    let extent = extent.ok_or(schema("the type is neither FULL nor DIFF"))?;
    let date = day_of(Timestamp(seconds.saturating_mul(1_000)));
    if watermark(date).0 / 1_000 != seconds {
        return Err(schema("the watermark is no beginning of a day in UTC"));
    }
    let head = Head {
        id: id("id")?.ok_or(schema("an id is missing"))?,
        previous: id("previous")?,
        extent,
        resend: root.number("resend")?,
        prefix: root.text("prefix").filter(|prefix| !prefix.is_empty()).ok_or(DocumentError::NoPrefix)?.to_owned(),
        date,
        created_seconds: parse_time(root.need("created")?).ok_or(schema("the creation is no time"))?,
        since: root.number("since")?,
        serial: root.number("serial")?,
    };
    if (head.extent == Extent::Diff) != head.previous.is_some() {
        return Err(schema("a DIFF names the deposit before it, and a FULL none"));
    }
    Ok(head)
}

/// Reads the menu, which is the same in every deposit of a version.
fn menu<R: BufRead>(tokens: &mut Tokens<R>) -> Result<(), DocumentError> {
    start(tokens, "menu")?;
    for _ in 0..=MOST_MENU {
        match tokens.next()? {
            Token::End => return Ok(()),
            Token::Start(element) if element.name == "object" => tokens.end()?,
            _ => break,
        }
    }
    Err(schema("the menu holds something else than objects"))
}

fn object_name(element: &Element) -> Result<ObjectName, DocumentError> {
    let kind = Kind::from_name(element.need("kind")?).ok_or(schema("an object is of no kind there is"))?;
    ObjectName::parse(kind, element.need("name")?).map_err(|_| schema("an object has a name none can have"))
}

/// What a value takes beside data and type, generously.
const VALUE_BYTES: usize = 64;

/// References of a value, as the protocol has them at most in what a node stores.
const MOST_REFERENCES: usize = 2_048;

/// Objects of the menu.
const MOST_MENU: usize = 64;

/// Characters shown of a version that is none.
const MOST_SHOWN: usize = 16;
