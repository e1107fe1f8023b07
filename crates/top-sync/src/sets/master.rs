//! T9: what became of identifiers on a day, told once for each with what is so at the day's end.
//!
//! The day is read from the change log twice: first for which changes were followed by another of the same identifier on that day, then for the
//! changes that were not. Memory grows with the former alone, eight bytes and some for each.
//!
//! | at the start of the day | at its end | told as |
//! |---|---|---|
//! | not there | there | 1 add |
//! | there | not there | 2 delete |
//! | there | there | 3 modify |
//! | not there | not there | nothing |
//!
//! What the fields hold is found by the types of the values, see `FIELDS`; the expiry also by the column a template marks as such.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;

use waymark_catalog::template::{DEFINITION_TYPE, ObjectType, TEMPLATE_INDEX, TEMPLATE_TYPE, Templates};
use waymark_catalog::{
    Catalog, Change, ColdReader, FeedLimits, FollowError, HistoryError, RecordError, Seen, Serial, Stored,
};
use waymark_ident::Handle;
use waymark_wire::Values;

use super::rows::{CarrierRow, MasterRow};
use crate::calendar::Day;

/// Types of values by the field they fill, in order of preference; compared without regard to case. The fields in the order of
/// [`Looked::fields`].
const FIELDS: [&[&str]; 6] = [
    &["productType", "category", "model"],
    &["brand"],
    &["productName", "name", "partName", "assetName"],
    &["maker", "manufacturer", "producer", "factory"],
    &["productionDate", "madeDate", "manufactureDate"],
    &["expiryDate"],
];

/// Characters of a field at most; longer texts are cut.
const FIELD_CHARS: usize = 255;

/// Versions of an identifier looked at for the day it was created; of one that was changed more often, the oldest of these counts.
const CREATION_STEPS: usize = 10_000;

/// Versions read at a time.
const HISTORY_PAGE: usize = 64;

/// What is read of the log at once: a group that a limit falls into is read again, so much at a time that this does not matter.
const FEED: FeedLimits = FeedLimits { entries: 1 << 17, bytes: 64 << 20 };

/// What became of the identifiers of a prefix on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Registered, those included that were deleted later that day.
    pub created: u64,
    /// Deleted.
    pub deleted: u64,
}

/// Identifiers by prefix, folded.
pub type Counts = BTreeMap<Box<[u8]>, Count>;

/// Why a day cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// The log cannot be read, or the day is compacted.
    #[error("the change log")]
    Follow(#[from] FollowError),
    /// What was before a change cannot be read.
    #[error("the history of an identifier")]
    History(#[from] HistoryError),
    /// A record was written by another version of this program.
    #[error("a record at serial {serial}")]
    Record {
        /// Where.
        serial: Serial,
        /// What is wrong with it.
        source: RecordError,
    },
    /// Changes cannot be read: it is not known what was changed there.
    #[error("serials {first} to {last} are damaged; what changed there is told only after a repair")]
    Damaged {
        /// First of them.
        first: Serial,
        /// Last of them.
        last: Serial,
    },
    /// Whoever takes the rows does not take more.
    #[error("the rows cannot be kept")]
    Taker(#[source] std::io::Error),
}

/// Takes the rows.
pub type Taker<'t> = dyn FnMut(&MasterRow<'_>) -> std::io::Result<()> + 't;

/// Tells the changes after `after` up to `upto`, all of one day, in the order of the last change of each identifier.
///
/// # Errors
/// See [`WalkError`]; rows may have been taken before it.
pub fn tell_day(
    catalog: &Catalog,
    day: Day,
    after: Serial,
    upto: Serial,
    take: &mut Taker<'_>,
) -> Result<Counts, WalkError> {
    let mut followed = HashSet::new();
    each_change(catalog, after, upto, &mut |change| {
        if change.previous > after {
            followed.insert(change.previous);
        }
        Ok(())
    })?;
    let cold = catalog.cold();
    let mut teller = Teller {
        templates: &catalog.templates(),
        cold: &cold,
        types: FieldTypes::new(),
        day: day.to_string(),
        after,
        followed,
        was_there: HashMap::new(),
        is_there: HashMap::new(),
        counts: Counts::new(),
        take,
    };
    each_change(catalog, after, upto, &mut |change| teller.tell(change))?;
    Ok(teller.counts)
}

/// Visits the changes of identifiers: of records of prefixes and of templates nothing is told here.
fn each_change(
    catalog: &Catalog,
    after: Serial,
    upto: Serial,
    visit: &mut dyn FnMut(&Change<'_>) -> Result<(), WalkError>,
) -> Result<(), WalkError> {
    let mut at = after;
    let mut ended = Ok(());
    while at < upto && ended.is_ok() {
        at = catalog.changes(at, b"", FEED, &mut |seen| {
            let next = match seen {
                Seen::Change(change) if change.serial > upto => return ControlFlow::Break(()),
                Seen::Change(change) if is_identifier(change.key) => visit(change),
                Seen::Change(_) => Ok(()),
                Seen::Damaged(damaged) if damaged.first > upto => return ControlFlow::Break(()),
                Seen::Damaged(damaged) => Err(WalkError::Damaged { first: damaged.first, last: damaged.last }),
            };
            match next {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    ended = Err(error);
                    ControlFlow::Break(())
                }
            }
        })?;
    }
    ended
}

/// Whether a canonical key is that of something with a name below a prefix.
fn is_identifier(key: &[u8]) -> bool {
    prefix_of(key).is_some() && !key.starts_with(b"0.")
}

fn prefix_of(key: &[u8]) -> Option<&[u8]> {
    key.iter().position(|byte| *byte == b'/').and_then(|slash| key.get(..slash))
}

struct Teller<'w, 't> {
    templates: &'w Templates,
    cold: &'w ColdReader,
    types: FieldTypes,
    day: String,
    /// Serial the day begins behind.
    after: Serial,
    /// Changes that were followed by another of the same identifier.
    followed: HashSet<Serial>,
    /// Of those that were passed: whether the identifier was there when the day began.
    was_there: HashMap<Serial, bool>,
    /// And whether it was there behind that change.
    is_there: HashMap<Serial, bool>,
    counts: Counts,
    take: &'w mut Taker<'t>,
}

impl Teller<'_, '_> {
    fn tell(&mut self, change: &Change<'_>) -> Result<(), WalkError> {
        let unread = |source| WalkError::Record { serial: change.serial, source };
        let stored = change.stored().map_err(unread)?;
        let looked = match &stored {
            Some(stored) => Looked::at(stored, &self.types).map_err(unread)?,
            None => Looked::default(),
        };
        if looked.is_definition {
            return Ok(());
        }
        let before = if change.previous > self.after {
            let was = self.was_there.remove(&change.previous).unwrap_or(false);
            (was, self.is_there.remove(&change.previous).unwrap_or(false))
        } else {
            let was = self.is_live(change)?;
            (was, was)
        };
        let (was_there, was_just_there) = before;
        let prefix = prefix_of(change.key).unwrap_or_default();
        self.count(prefix, was_just_there, stored.is_some());
        if !self.followed.is_empty() && self.followed.remove(&change.serial) {
            self.was_there.insert(change.serial, was_there);
            self.is_there.insert(change.serial, stored.is_some());
            return Ok(());
        }
        let operation = match (was_there, stored.is_some()) {
            (false, false) => return Ok(()),
            (false, true) => 1,
            (true, false) => 2,
            (true, true) => 3,
        };
        let created = if was_there { Cow::Owned(self.created(change)?) } else { Cow::Borrowed(self.day.as_str()) };
        let row = match &stored {
            Some(stored) => {
                let row = MasterRow { code: text(stored.handle()), created, operation, ..MasterRow::default() };
                self.filled(row, prefix, stored, looked).map_err(unread)?
            }
            None => MasterRow { code: self.last_name(change)?, created, operation, ..MasterRow::default() },
        };
        (self.take)(&row).map_err(WalkError::Taker)
    }

    /// Counts a change of an identifier of a prefix that was there before it, or was not, and is there behind it, or is not.
    fn count(&mut self, prefix: &[u8], was: bool, is: bool) {
        let more = Count { created: u64::from(!was && is), deleted: u64::from(was && !is) };
        // Looked up first: a key is made once for a prefix, and there are millions of changes.
        match self.counts.get_mut(prefix) {
            Some(count) => {
                count.created += more.created;
                count.deleted += more.deleted;
            }
            None => {
                self.counts.insert(prefix.into(), more);
            }
        }
    }

    /// Whether the identifier was there before a change that is its first of the day.
    fn is_live(&self, change: &Change<'_>) -> Result<bool, WalkError> {
        if change.previous == Serial::NONE {
            return Ok(false);
        }
        let Some(handle) = handle(change.key) else { return Ok(false) };
        let before = self.cold.history(&handle, Some(change.serial), 1)?;
        // What is compacted away was something.
        Ok(before.first().is_none_or(|version| version.record.is_some()))
    }

    /// The day the identifier was registered, before this change.
    fn created(&self, change: &Change<'_>) -> Result<String, WalkError> {
        let Some(handle) = handle(change.key) else { return Ok(self.day.clone()) };
        let (mut before, mut oldest) = (change.serial, change.time);
        for _ in 0..CREATION_STEPS / HISTORY_PAGE {
            let versions = self.cold.history(&handle, Some(before), HISTORY_PAGE)?;
            let Some(last) = versions.last() else { break };
            before = last.serial;
            let live: Vec<_> = versions.iter().take_while(|version| version.record.is_some()).collect();
            oldest = live.last().map_or(oldest, |version| version.time);
            if live.len() < versions.len() || last.previous == Serial::NONE {
                break;
            }
        }
        Ok(Day::of(oldest).to_string())
    }

    /// The identifier in its own case, as it was before it was deleted.
    fn last_name(&self, change: &Change<'_>) -> Result<Cow<'static, str>, WalkError> {
        let Some(handle) = handle(change.key) else { return Ok(Cow::Borrowed("")) };
        let before = self.cold.history(&handle, Some(change.serial), 1)?;
        let record = before.first().and_then(|version| version.record.as_ref());
        let name = record.and_then(|record| record.stored().ok().map(|stored| text(stored.handle()).into_owned()));
        Ok(name.unwrap_or_else(|| text(change.key).into_owned()).into())
    }

    /// The row with what the values say.
    fn filled<'v>(
        &self,
        row: MasterRow<'v>,
        prefix: &[u8],
        stored: &Stored<'v>,
        looked: Looked<'v>,
    ) -> Result<MasterRow<'v>, RecordError> {
        let [product_type, brand, name, maker, produced, expires] = looked.fields();
        let row = MasterRow { product_type, brand, name, maker, produced, expires, ..row };
        let Some(named) = looked.template else { return Ok(row) };
        let values = stored.values()?;
        let template = self.templates.named(prefix, named);
        let marked = self.templates.marked(prefix, values).expiry.map(|date| cut(Cow::Borrowed(date.text)));
        let is_carrier = template.is_some_and(|it| it.definition.object_type == ObjectType::ActiveCarrier);
        Ok(MasterRow {
            template: template.map_or_else(String::new, |it| text(&it.name.handle()).into_owned()),
            expires: marked.unwrap_or(row.expires),
            carrier: is_carrier.then(|| CarrierRow {
                terminal_type: first_of(values, &["terminalType"]),
                owner: first_of(values, &["owner"]),
                purpose: first_of(values, &["use", "purpose"]),
                imei: first_of(values, &["imei", "serialNo"]),
                licence: first_of(values, &["netAccessLicence"]),
                mark_code: first_of(values, &["netAccessCode"]),
                mark_serial: first_of(values, &["netAccessSerial"]),
            }),
            ..row
        })
    }
}

/// The types of [`FIELDS`] by their length: most types of a record are found or not with one comparison.
struct FieldTypes([Vec<FieldType>; LONGEST_TYPE + 1]);

/// A type that fills a field, and how many are preferred to it.
struct FieldType {
    name: &'static [u8],
    field: usize,
    rank: usize,
}

/// Bytes of the longest type of [`FIELDS`].
const LONGEST_TYPE: usize = 15;

impl FieldTypes {
    fn new() -> Self {
        let mut types = std::array::from_fn(|_| Vec::new());
        for (field, names) in FIELDS.iter().enumerate() {
            for (rank, name) in names.iter().enumerate() {
                let of_length: Option<&mut Vec<FieldType>> = types.get_mut(name.len());
                debug_assert!(of_length.is_some(), "{name} is longer than the longest");
                of_length.into_iter().for_each(|them| them.push(FieldType { name: name.as_bytes(), field, rank }));
            }
        }
        Self(types)
    }

    /// The fields that values of a type fill.
    fn of(&self, kind: &[u8]) -> impl Iterator<Item = &FieldType> {
        let of_length = self.0.get(kind.len()).map_or(&[][..], Vec::as_slice);
        of_length.iter().filter(move |one| one.name == kind || one.name.eq_ignore_ascii_case(kind))
    }
}

/// What one look at the values of a record finds: there are millions of records a day.
#[derive(Default)]
struct Looked<'v> {
    /// It defines a template, and is no identifier.
    is_definition: bool,
    /// The template it was made from, as the record names it.
    template: Option<&'v str>,
    /// The value that fills each field, and the rank of its type.
    found: [Option<(usize, &'v [u8])>; FIELDS.len()],
}

impl<'v> Looked<'v> {
    fn at(stored: &Stored<'v>, types: &FieldTypes) -> Result<Self, RecordError> {
        let mut looked = Self::default();
        let values = stored.values_as_walked();
        let (mut count, mut bytes) = (0, 0);
        for value in values.iter() {
            (count, bytes) = (count + 1, bytes + value.wire.len());
            looked.is_definition |= value.kind == DEFINITION_TYPE.as_bytes();
            if value.index == TEMPLATE_INDEX && value.kind == TEMPLATE_TYPE.as_bytes() && looked.template.is_none() {
                looked.template = std::str::from_utf8(value.data).ok();
            }
            for FieldType { field, rank, .. } in types.of(value.kind) {
                let Some(best) = looked.found.get_mut(*field) else { continue };
                if best.is_none_or(|(known, _)| *rank < known) {
                    *best = Some((*rank, value.data));
                }
            }
        }
        let is_whole = count == values.len() && bytes == values.wire().len();
        if is_whole { Ok(looked) } else { Err(RecordError::Values) }
    }

    /// What the fields hold: product type, brand, name, maker, production date, expiry.
    fn fields(&self) -> [Cow<'v, str>; FIELDS.len()] {
        self.found.map(|best| best.map_or(Cow::Borrowed(""), |(_, data)| cut(text(data))))
    }
}

fn handle(key: &[u8]) -> Option<Handle<'_>> {
    Handle::new(key).ok()
}

/// The data of the first value there is of these types.
fn first_of<'v>(values: Values<'v>, types: &[&str]) -> Cow<'v, str> {
    let of_type = |kind: &&str| values.iter().find(|value| value.kind.eq_ignore_ascii_case(kind.as_bytes()));
    types.iter().find_map(of_type).map_or(Cow::Borrowed(""), |value| cut(text(value.data)))
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    // Nearly all of it is UTF-8, and finding that out alone is quicker.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// A text as a field may hold it: no control characters, and not too long.
fn cut(text: Cow<'_, str>) -> Cow<'_, str> {
    // Control characters of more than a byte begin with 0xc2. All bytes are looked at, which is quicker than to stop at the first.
    let may_be_control = |byte: u8| byte < b' ' || byte == 0x7f || byte == 0xc2;
    let is_short = text.len() <= FIELD_CHARS;
    let is_plain = !text.bytes().fold(false, |any, byte| any | may_be_control(byte));
    if is_short && (is_plain || !text.chars().any(char::is_control)) {
        return text;
    }
    text.chars().filter(|each| !each.is_control()).take(FIELD_CHARS).collect::<String>().into()
}
