//! Names that live elsewhere, answered from what is known of them.
//!
//! What is known is the public record as its authority gave it. From it the index and type lists select, times to live are counted down on the way
//! out, and nothing claims authority.

use rand::rngs::StdRng;
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_recursive_cache::cache::{Cache, Entry, Found, Known};
use waymark_recursive_cache::knowledge::{Fact, KEY_RULE};
use waymark_recursive_cache::plan;
use waymark_recursive_cache::recursor::Resolved;
use waymark_wire::dialect::Age;
use waymark_wire::limits::ResponseLimits;
use waymark_wire::request::ResolutionBody;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{EncodeValue, NoRoom, ResponseCode, Sink, Ttl, Values};

use super::reply::{Frame, Reply, Written, write_reply};
use super::select::Filter;
use super::texts;
use super::understand::Asked;
use crate::config::FAST_COMPARISONS;
use crate::question::Now;
use crate::settings::Settings;

/// A resolution of a name that lives elsewhere.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    /// The request.
    pub(crate) asked: &'q Asked<'q>,
    /// The handle as asked.
    pub(crate) handle: Handle<'q>,
    /// Index and type lists.
    pub(crate) body: &'q ResolutionBody<'q>,
}

/// Values of an authority, as they go out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) handle: &'a [u8],
    pub(crate) values: Values<'a>,
    pub(crate) filter: Filter<'a>,
    /// Seconds since the authority gave them.
    pub(crate) age_seconds: u32,
    /// Longest time to live to give out.
    pub(crate) most_ttl_seconds: u32,
    /// Told behind the values, to clients that can read it.
    pub(crate) told_age: Option<Age>,
}

impl<'a> Given<'a> {
    /// The values that were asked for. Whole records go out as one piece, in which each value then changes its time to live.
    pub(crate) fn chosen(self) -> impl Iterator<Item = Aged<'a>> {
        let Self { values, filter, .. } = self;
        let wire = values.wire();
        let is_whole = filter.is_open();
        let whole = values.starts().enumerate().map(move |(at, start)| {
            let (bytes, ttl) = (if at == 0 { wire } else { &[] }, wire.get(start..).unwrap_or_default());
            self.aged(bytes, ttl, wire.len().saturating_sub(start))
        });
        let selected = values.into_iter().filter(move |value| filter.selects(value.index, value.kind));
        let selected = selected.map(move |value| self.aged(value.wire, value.wire, value.wire.len()));
        whole.take(if is_whole { usize::MAX } else { 0 }).chain(selected.take(if is_whole { 0 } else { usize::MAX }))
    }

    /// A value whose wire form begins `back` bytes before where `bytes` end.
    fn aged(&self, bytes: &'a [u8], value: &'a [u8], back: usize) -> Aged<'a> {
        let relative = match value.get(TTL_AT..).and_then(<[u8]>::first_chunk::<5>) {
            Some([kind, seconds @ ..]) => match Ttl::from_wire(*kind, i32::from_be_bytes(*seconds)) {
                Ttl::Relative(seconds) => Some(seconds),
                _ => None,
            },
            None => None,
        };
        let most = i32::try_from(self.most_ttl_seconds).unwrap_or(i32::MAX);
        let age = i32::try_from(self.age_seconds).unwrap_or(i32::MAX);
        let seconds = relative.map(|seconds| seconds.saturating_sub(age).clamp(0, most).cast_unsigned());
        Aged { bytes, seconds, back: back.saturating_sub(TTL_AT + 1) }
    }
}

/// A value whose time to live has gone on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aged<'a> {
    /// What goes out: the value, the whole record, or nothing since that went out before.
    bytes: &'a [u8],
    /// Its time to live from now on; none where that is no number of seconds.
    seconds: Option<u32>,
    /// How far before the end of what went out that number stands.
    back: usize,
}

/// Where the time to live stands in the wire form of a value: its kind, then the number.
const TTL_AT: usize = 8;

impl EncodeValue for Aged<'_> {
    fn put_value(&self, out: &mut (impl Sink + ?Sized)) {
        out.put(self.bytes);
        if let Some(seconds) = self.seconds {
            out.patch_u32(out.position().saturating_sub(self.back), seconds);
        }
    }
}

impl Question<'_> {
    /// What the cache knows of the name; `None` when it is not to be asked. Allocates nothing and waits for nothing.
    pub(crate) fn look_up(&self, settings: &Settings, now: Now, key_room: &mut [u8; MAX_KEY_BYTES]) -> Option<Found> {
        if self.asked.passes_over_cache() {
            return None;
        }
        let cache = settings.recursion.as_ref()?.recursor.cache();
        Some(cache.find(self.handle.to_key(KEY_RULE, key_room), false, now.into()))
    }

    /// Answers from what the cache knows, if that is enough. Allocates nothing.
    pub(crate) fn answer(
        &self,
        found: &Found,
        now: Now,
        frame: &Frame,
        random: &mut StdRng,
        room: &mut [u8],
    ) -> Option<Result<Written, NoRoom>> {
        let frame = frame.without_authority();
        let reply = match found {
            Found::Fresh(entry) => of_entry(self, entry, now, None, FAST_COMPARISONS)?,
            Found::AbsentPrefix => Reply::code_alone(ResponseCode::HANDLE_NOT_FOUND),
            Found::Stale(_) | Found::Missing | Found::Busy => return None,
        };
        Some(write_reply(&reply, self.asked, &frame, random, room))
    }
}

/// What an entry of the cache says to a question; `None` when selecting takes more comparisons than allowed. `most_ttl_seconds` is there
/// when the entry is past its time.
fn of_entry<'a>(
    question: &Question<'a>,
    entry: &'a Entry,
    now: Now,
    most_ttl_seconds: Option<u32>,
    comparisons: usize,
) -> Option<Reply<'a>> {
    let age_seconds = entry.age_seconds(Cache::seconds(now.into()));
    let age = Age { seconds: age_seconds, is_stale: most_ttl_seconds.is_some() };
    match entry.known()? {
        Known::Values(values) => {
            // Past its time, a value says no time to live of its own.
            let (counted, most) = most_ttl_seconds.map_or((age_seconds, u32::MAX), |most| (0, most));
            of_values(question, values, counted, most, age, comparisons)
        }
        Known::NoValues => Some(Reply::code_alone(ResponseCode::VALUES_NOT_FOUND)),
        Known::Absent => Some(Reply::code_alone(ResponseCode::HANDLE_NOT_FOUND)),
    }
}

fn of_values<'a>(
    question: &Question<'a>,
    values: Values<'a>,
    age_seconds: u32,
    most_ttl_seconds: u32,
    age: Age,
    comparisons: usize,
) -> Option<Reply<'a>> {
    let filter = Filter::of(question.body);
    if filter.comparisons(values.len()) > comparisons {
        return None;
    }
    if values.is_empty() || !filter.is_open() && !values.iter().any(|value| filter.selects(value.index, value.kind)) {
        return Some(Reply::code_alone(ResponseCode::VALUES_NOT_FOUND));
    }
    let told_age = question.asked.reads_ages().then_some(age);
    let handle = question.handle.as_bytes();
    Some(Reply::Foreign(Given { handle, values, filter, age_seconds, most_ttl_seconds, told_age }))
}

/// What the end of a resolution says to a question.
pub(crate) fn of_resolved<'a>(
    question: &Question<'a>,
    resolved: &'a Resolved,
    now: Now,
    stale_ttl_seconds: u32,
    comparisons: usize,
) -> Reply<'a> {
    let too_long = Reply::error(ResponseCode::PROTOCOL_ERROR, texts::FILTER_TOO_LONG);
    let fresh = Age { seconds: 0, is_stale: false };
    match resolved {
        Resolved::Known(entry) => of_entry(question, entry, now, None, comparisons).unwrap_or(too_long),
        Resolved::Stale(entry) => {
            of_entry(question, entry, now, Some(stale_ttl_seconds), comparisons).unwrap_or(too_long)
        }
        Resolved::Fact(fact) => match &**fact {
            Fact::Values(record) => {
                let values = Values::checked_before(record.count, &record.wire);
                of_values(question, values, 0, u32::MAX, fresh, comparisons).unwrap_or(too_long)
            }
            Fact::NoValues => Reply::code_alone(ResponseCode::VALUES_NOT_FOUND),
            Fact::Absent => Reply::code_alone(ResponseCode::HANDLE_NOT_FOUND),
        },
        Resolved::AbsentPrefix => Reply::code_alone(ResponseCode::HANDLE_NOT_FOUND),
        Resolved::Passed(message) => of_passed(question, message, comparisons).unwrap_or(too_long),
        Resolved::Refused(code) => Reply::code_alone(*code),
        Resolved::TooDeep => Reply::error(ResponseCode::RECURSION_LIMIT_EXCEEDED, texts::TOO_DEEP),
        Resolved::Busy => Reply::error(ResponseCode::SERVER_TOO_BUSY, texts::UPSTREAM_BUSY),
        Resolved::UpstreamDown(_) => Reply::UpstreamDown,
    }
}

/// The authority's own message, as far as it is for this asker: values and codes, no challenge that could not be answered through us.
fn of_passed<'a>(question: &Question<'a>, message: &'a [u8], comparisons: usize) -> Option<Reply<'a>> {
    let Ok(response) = Response::parse(message, ResponseLimits::WHOLE_MESSAGE) else {
        return Some(Reply::UpstreamDown);
    };
    match response.body {
        ResponseBody::Resolution { values, .. } => {
            let fresh = Age { seconds: 0, is_stale: false };
            of_values(question, values, 0, u32::MAX, fresh, comparisons)
        }
        ResponseBody::Challenge { .. } => Some(Reply::error(ResponseCode::ACCESS_DENIED, texts::NOT_FOR_THE_PUBLIC)),
        _ => Some(Reply::code_alone(response.code)),
    }
}

/// The question as the plan takes it.
pub(crate) fn to_plan(asked: &Asked<'_>, handle: &Handle<'_>, body: &ResolutionBody<'_>) -> plan::Asked {
    plan::Asked {
        handle: handle.as_bytes().into(),
        indexes: body.indexes.iter().collect(),
        types: body.types.iter().map(Into::into).collect(),
        authority: asked.wants_authority(),
        certified: asked.is_certified(),
        anew: false,
        no_referral: asked.refuses_referral(),
        public_only: asked.public_only(),
        identity: asked.passes_identity().then(|| body.extra.unwrap_or_default().into()),
        recursion_count: asked.head.header.recursion_count,
    }
}

#[cfg(test)]
mod tests {
    use waymark_wire::value::put_values;
    use waymark_wire::{Reader, ReferenceBuf, StrList, U32List, ValueBuf};

    use super::*;

    const TTLS: [Ttl; 5] = [
        Ttl::Relative(100),
        Ttl::Relative(7),
        Ttl::Absolute(1_800_000_000),
        Ttl::Relative(-5),
        Ttl::Relative(i32::MAX),
    ];

    /// Values with these times to live.
    fn values(ttls: &[Ttl]) -> Vec<u8> {
        let mut wire = Vec::new();
        for (index, ttl) in (1..).zip(ttls) {
            let references = vec![ReferenceBuf { handle: b"88.1/x".to_vec(), index: 1 }; index % 3];
            let index = u32::try_from(index).unwrap();
            ValueBuf { ttl: *ttl, references, ..ValueBuf::new(index, b"URL", b"data") }.encode_into(&mut wire);
        }
        wire
    }

    /// What goes out of values that were known for ten seconds, when these indexes are asked for.
    fn written(ttls: &[Ttl], indexes: &[u32], most_ttl_seconds: u32) -> Vec<u8> {
        let mut lists = Vec::new();
        lists.put_length(indexes.len());
        indexes.iter().for_each(|index| lists.put_u32(*index));
        lists.put_length(0);
        let mut reader = Reader::new(&lists);
        let indexes = U32List::parse(&mut reader).unwrap();
        let body =
            ResolutionBody { handle: b"10.1/a", indexes, types: StrList::parse(&mut reader).unwrap(), extra: None };
        let wire = values(ttls);
        let values = Values::from_wire(u32::try_from(ttls.len()).unwrap(), &wire).unwrap();
        let filter = Filter::of(&body);
        let given = Given { handle: b"", values, filter, age_seconds: 10, most_ttl_seconds, told_age: None };
        let mut out = b"before".to_vec();
        put_values(&mut out, given.chosen());
        out.split_off(10)
    }

    #[test]
    fn times_to_live_go_on_and_nothing_else_changes() {
        let later = [Ttl::Relative(90), Ttl::Relative(0), TTLS[2], Ttl::Relative(0), Ttl::Relative(i32::MAX - 10)];
        assert_eq!(written(&TTLS, &[], u32::MAX), values(&later));
        let bounded = [Ttl::Relative(30), Ttl::Relative(0), TTLS[2], Ttl::Relative(0), Ttl::Relative(30)];
        assert_eq!(written(&TTLS, &[], 30), values(&bounded));
    }

    #[test]
    fn a_selection_is_written_as_the_same_values_of_the_whole_record() {
        assert_eq!(written(&TTLS, &[5, 4, 3, 2, 1], 50), written(&TTLS, &[], 50));
        let whole = values(&[Ttl::Relative(90), Ttl::Relative(0)]);
        let first = values(&[Ttl::Relative(90)]);
        assert_eq!(written(&TTLS, &[1], u32::MAX), first);
        assert_eq!(written(&TTLS, &[2], u32::MAX), whole[first.len()..]);
    }
}
