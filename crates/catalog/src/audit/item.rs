//! What a note says about one command, and the bytes of it.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use waymark_store::{Serial, Timestamp};

use crate::access::TokenId;
use crate::actor::{Actor, Door, Origin, Proof};
use crate::varint;

use super::hash::Digest;
use super::note::NoteError;
use super::words::{Done, Verb};

/// One command, or many of a kind that were refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Who asked.
    pub actor: Actor,
    /// What for.
    pub verb: Verb,
    /// What it was about: a handle as asked, the handle of a prefix, the name of a principal, the id of a token.
    pub key: Vec<u8>,
    /// What came of it.
    pub deed: Deed,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deed {
    /// It was carried out.
    Done {
        /// What happened.
        done: Done,
        /// Serial of the entry that holds the result.
        serial: Serial,
        /// Content before, where there was a record.
        before: Option<Digest>,
        /// Content after, where there is a record, principal or token.
        after: Option<Digest>,
    },
    /// It changed nothing, this often since the last count.
    Counted {
        /// Why: name of the refusal; `same` when all was as asked; `others` for what is not told apart.
        code: String,
        /// How often.
        count: u64,
        /// When first; the item's key is what it was about then.
        first: Timestamp,
        /// When last.
        last: Timestamp,
    },
    /// The items of notes were about to be taken away, since they are past their keep time.
    Pruned {
        /// Serial of the last entry that may be such a note.
        upto: Serial,
        /// The notes were written before this.
        before: Timestamp,
    },
}

impl Deed {
    /// Its name: that of what was done, the reason why nothing was, or `pruned`.
    #[must_use]
    pub fn outcome(&self) -> Cow<'_, str> {
        match self {
            Self::Done { done, .. } => done.name(),
            Self::Counted { code, .. } => Cow::Borrowed(code),
            Self::Pruned { .. } => Cow::Borrowed("pruned"),
        }
    }
}

/// Reads the items of a note; `first` is the serial of its group's first entry.
pub(super) fn read_items(bytes: &[u8], first: Serial) -> Result<Vec<Item>, NoteError> {
    let mut input = Input(bytes);
    // A count may claim anything: memory follows what is there.
    let mut actors = Vec::new();
    for _ in 0..input.varint()? {
        actors.push(input.actor()?);
    }
    let mut items = Vec::new();
    for _ in 0..input.varint()? {
        items.push(input.item(&actors, first)?);
    }
    if input.0.is_empty() { Ok(items) } else { Err(NoteError::Items) }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], NoteError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(NoteError::Items)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NoteError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(NoteError::Items)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, NoteError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn varint(&mut self) -> Result<u64, NoteError> {
        varint::take(&mut self.0).ok_or(NoteError::Items)
    }

    fn text(&mut self) -> Result<&'a [u8], NoteError> {
        let length = usize::try_from(self.varint()?).map_err(|_| NoteError::Items)?;
        self.take(length)
    }

    fn actor(&mut self) -> Result<Actor, NoteError> {
        let name = std::str::from_utf8(self.text()?).map_err(|_| NoteError::Items)?;
        let proof = match self.byte()? {
            0 => Proof::Local,
            1 => Proof::Token(TokenId(self.array()?)),
            2 => Proof::Certificate(self.array()?),
            3 => Proof::Job,
            4 => Proof::Identity,
            5 => Proof::Nothing,
            _ => return Err(NoteError::Items),
        };
        let door = match self.byte()? {
            0 => Door::Local,
            1 => Door::Grpc,
            2 => Door::Http,
            3 => Door::Job,
            4 => Door::Binary,
            _ => return Err(NoteError::Items),
        };
        let source = match self.byte()? {
            0 => None,
            4 => Some(IpAddr::V4(Ipv4Addr::from(self.array::<4>()?))),
            6 => Some(IpAddr::V6(Ipv6Addr::from(self.array::<16>()?))),
            _ => return Err(NoteError::Items),
        };
        Ok(Actor::principal(name, proof, Origin { door, source }))
    }

    fn item(&mut self, actors: &[Actor], first: Serial) -> Result<Item, NoteError> {
        let kind = self.byte()?;
        let verb = Verb(self.byte()?);
        let actor = usize::try_from(self.varint()?).ok().and_then(|number| actors.get(number));
        let actor = actor.ok_or(NoteError::Items)?.clone();
        let key = self.text()?.to_vec();
        let deed = match kind & !(HAS_BEFORE | HAS_AFTER) {
            KIND_DONE => Deed::Done {
                done: Done(self.byte()?),
                serial: Serial(first.0.checked_add(self.varint()?).ok_or(NoteError::Items)?),
                before: self.digest(kind & HAS_BEFORE != 0)?,
                after: self.digest(kind & HAS_AFTER != 0)?,
            },
            KIND_COUNTED => {
                let code = std::str::from_utf8(self.text()?).map_err(|_| NoteError::Items)?.to_owned();
                let (count, first, span) = (self.varint()?, self.varint()?, self.varint()?);
                let last = Timestamp(first.checked_add(span).ok_or(NoteError::Items)?);
                Deed::Counted { code, count, first: Timestamp(first), last }
            }
            KIND_PRUNED => Deed::Pruned { upto: Serial(self.varint()?), before: Timestamp(self.varint()?) },
            _ => return Err(NoteError::Items),
        };
        Ok(Item { actor, verb, key, deed })
    }

    fn digest(&mut self, there: bool) -> Result<Option<Digest>, NoteError> {
        there.then(|| self.array().map(Digest)).transpose()
    }
}

/// Writes an actor of the table.
pub(super) fn write_actor(actor: &Actor, out: &mut Vec<u8>) {
    write_text(actor.name().as_bytes(), out);
    match actor.proof() {
        Proof::Local => out.push(0),
        Proof::Token(id) => {
            out.push(1);
            out.extend_from_slice(&id.0);
        }
        Proof::Certificate(hash) => {
            out.push(2);
            out.extend_from_slice(hash);
        }
        Proof::Job => out.push(3),
        Proof::Identity => out.push(4),
        Proof::Nothing => out.push(5),
    }
    let Origin { door, source } = actor.origin();
    out.push(match door {
        Door::Local => 0,
        Door::Grpc => 1,
        Door::Http => 2,
        Door::Job => 3,
        Door::Binary => 4,
    });
    match source {
        None => out.push(0),
        Some(IpAddr::V4(address)) => {
            out.push(4);
            out.extend_from_slice(&address.octets());
        }
        Some(IpAddr::V6(address)) => {
            out.push(6);
            out.extend_from_slice(&address.octets());
        }
    }
}

/// A command that was carried out, as it is written.
#[derive(Clone, Copy)]
pub(super) struct DoneItem<'a> {
    pub(super) verb: Verb,
    /// Number of the actor in the table.
    pub(super) actor: u64,
    pub(super) key: &'a [u8],
    pub(super) done: Done,
    /// Serial less that of the group's first entry.
    pub(super) offset: u64,
    pub(super) before: Option<[u8; 32]>,
    pub(super) after: Option<[u8; 32]>,
}

impl DoneItem<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let flag = |hash: &Option<_>, bit| if hash.is_some() { bit } else { 0 };
        out.push(KIND_DONE | flag(&self.before, HAS_BEFORE) | flag(&self.after, HAS_AFTER));
        out.push(self.verb.0);
        varint::put(out, self.actor);
        write_text(self.key, out);
        out.push(self.done.0);
        varint::put(out, self.offset);
        for hash in [self.before, self.after].into_iter().flatten() {
            out.extend_from_slice(&hash);
        }
    }
}

/// What changed nothing, as it is written.
#[derive(Clone, Copy)]
pub(super) struct CountedItem<'a> {
    pub(super) verb: Verb,
    /// Number of the actor in the table.
    pub(super) actor: u64,
    pub(super) key: &'a [u8],
    pub(super) code: &'a str,
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl CountedItem<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let code = self.code.get(..self.code.floor_char_boundary(CODE_BYTES)).unwrap_or_default();
        out.extend_from_slice(&[KIND_COUNTED, self.verb.0]);
        varint::put(out, self.actor);
        write_text(self.key, out);
        write_text(code.as_bytes(), out);
        for number in [self.count, self.first.0, self.last.0.saturating_sub(self.first.0)] {
            varint::put(out, number);
        }
    }
}

/// A pruning that is about to begin, as it is written.
#[derive(Clone, Copy)]
pub(super) struct PrunedItem {
    pub(super) actor: u64,
    pub(super) upto: Serial,
    pub(super) before: Timestamp,
}

impl PrunedItem {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[KIND_PRUNED, Verb::PRUNE.0]);
        varint::put(out, self.actor);
        write_text(b"", out);
        varint::put(out, self.upto.0);
        varint::put(out, self.before.0);
    }
}

pub(super) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    varint::put(out, u64::try_from(text.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(text);
}

const KIND_DONE: u8 = 1;
const KIND_COUNTED: u8 = 2;
const KIND_PRUNED: u8 = 3;
const HAS_BEFORE: u8 = 0x10;
const HAS_AFTER: u8 = 0x20;

/// Bytes of a reason that are kept.
const CODE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn actors() -> Vec<Actor> {
        let origin = |door, source: &str| Origin { door, source: source.parse().ok() };
        vec![
            Actor::operator(),
            Actor::principal("p", Proof::Token(TokenId([7; 8])), origin(Door::Grpc, "192.0.2.1")),
            Actor::principal("产", Proof::Certificate([8; 32]), origin(Door::Http, "2001:db8::1")),
            Actor::principal("p", Proof::Job, origin(Door::Job, "")),
            Actor::identity("300:0.NA/88.1"),
            Actor::unknown(origin(Door::Grpc, "192.0.2.2")),
        ]
    }

    /// One item of each actor, the last of them counted, and a pruning.
    fn section() -> Vec<u8> {
        let mut out = Vec::new();
        varint::put(&mut out, 6);
        actors().iter().for_each(|actor| write_actor(actor, &mut out));
        varint::put(&mut out, 7);
        for actor in 0..5_u8 {
            let hash = |odd: u8| (actor % 2 == odd).then_some([actor; 32]);
            let item = DoneItem {
                verb: Verb(actor),
                actor: actor.into(),
                key: b"88.1/x",
                done: Done(1),
                offset: 200,
                before: hash(0),
                after: hash(1),
            };
            item.write(&mut out);
        }
        let (first, last) = (Timestamp(1_800_000_000_000), Timestamp(1_800_000_059_999));
        let code = "unauthenticated";
        CountedItem { verb: Verb::AUTHENTICATE, actor: 5, key: b"", code, count: 1 << 40, first, last }.write(&mut out);
        PrunedItem { actor: 0, upto: Serial(1 << 40), before: first }.write(&mut out);
        out
    }

    #[test]
    fn items_come_back_as_they_went() {
        let items = read_items(&section(), Serial(1000)).unwrap();
        assert_eq!(items[..6].iter().map(|item| item.actor.clone()).collect::<Vec<_>>(), actors());
        let Deed::Done { done, serial, before, after } = items[1].deed.clone() else { panic!("{items:?}") };
        assert_eq!((done, serial, before, after), (Done(1), Serial(1200), None, Some(Digest([1; 32]))));
        assert_eq!((items[4].verb, &items[4].key[..]), (Verb(4), &b"88.1/x"[..]));
        let (first, last) = (Timestamp(1_800_000_000_000), Timestamp(1_800_000_059_999));
        let counted = Deed::Counted { code: "unauthenticated".into(), count: 1 << 40, first, last };
        assert_eq!((items[5].verb, &items[5].deed), (Verb::AUTHENTICATE, &counted));
        let pruned = Deed::Pruned { upto: Serial(1 << 40), before: first };
        assert_eq!((items[6].verb, &items[6].deed), (Verb::PRUNE, &pruned));
    }

    #[test]
    fn items_cut_short_or_with_bytes_behind_them_are_refused() {
        let whole = section();
        for length in 0..whole.len() {
            assert_eq!(read_items(&whole[..length], Serial(1)), Err(NoteError::Items), "{length} bytes");
        }
        assert_eq!(read_items(&[&whole[..], &[0]].concat(), Serial(1)), Err(NoteError::Items));
    }

    #[test]
    fn an_item_of_an_actor_that_is_not_in_the_table_is_refused() {
        let mut out = vec![0, 1];
        let item =
            DoneItem { verb: Verb::CREATE, actor: 0, key: b"k", done: Done(1), offset: 0, before: None, after: None };
        item.write(&mut out);
        assert_eq!(read_items(&out, Serial(1)), Err(NoteError::Items));
    }
}
