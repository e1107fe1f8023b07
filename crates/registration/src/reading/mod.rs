//! Reading, for every door: one identifier, lists, histories, who the caller is. Watching is in [`watch`].

pub(crate) mod feed;
pub(crate) mod verdicts;
pub(crate) mod watch;

use std::fmt;
use std::ops::ControlFlow;

use prost::Message as _;
use prost_types::Timestamp as ProtoTime;
use waymark_api::registration::v1::{self, get_request};
use waymark_catalog::access::{Rights, Verb, prefix_of};
use waymark_catalog::range::{Finding, Ranges};
use waymark_catalog::{
    At, ChangedWithin, Damaged, FeedLimits, HistoryError, Proof, RecordError, Seen, Serial, Timestamp,
};
use waymark_ident::{CaseRule, Handle, MAX_HANDLE_BYTES, MAX_KEY_BYTES};

use crate::convert::identifier::{Shown, Wanted};
use crate::convert::page::{Question, size};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::{Failure, proto_time};
use crate::reasons::Reason;

/// One identifier, as it is or as it was.
pub(crate) async fn get(edge: &Edge, caller: &Caller, request: v1::GetRequest) -> Result<v1::Identifier, Failure> {
    let v1::GetRequest { handle, at, indexes, types } = request;
    check_handle(&handle)?;
    let at = match at {
        None => None,
        Some(get_request::At::Serial(serial)) => Some(At::Serial(Serial(serial))),
        Some(get_request::At::Time(time)) => Some(At::Time(catalog_time(&time, "time")?)),
    };
    let reads = caller.rights.allows(Verb::Read, &prefix_of(handle.as_bytes()));
    if at.is_some() && !reads {
        return Err(edge.deny(caller, Verb::Read, handle.as_bytes()));
    }
    let (rights, wanted) = (caller.rights.clone(), Wanted { no_values: false, indexes, types });
    let (ranges, rule) = (edge.catalog.ranges(), edge.catalog.case_rule());
    edge.reading
        .read(move |cold| {
            let not_found = || Failure::new(Reason::NotFound).with("what", "identifier");
            let parsed = parse(&handle)?;
            let version = cold.fetch_at(&parsed, at.unwrap_or(At::Serial(Serial::MAX))).map_err(|e| of_history(&e))?;
            let Some(version) = version.filter(|version| at.is_some() || version.record.is_some()) else {
                let mut room = [0; MAX_KEY_BYTES];
                let key = parsed.to_key(rule, &mut room);
                let inherited = if at.is_none() { of_package(&ranges, key, &rights, &wanted)? } else { None };
                return inherited.ok_or_else(not_found);
            };
            let shown = Shown::of_version(&version, handle.as_bytes()).and_then(|shown| shown.show(&rights, &wanted));
            shown.map_err(|_: RecordError| Failure::unreadable(Serials(version.serial)))?.ok_or_else(not_found)
        })
        .await
}

/// What a name without a record has from the package it is a code of. How it was at another time is not kept.
fn of_package(
    ranges: &Ranges,
    key: &[u8],
    rights: &Rights,
    wanted: &Wanted,
) -> Result<Option<v1::Identifier>, Failure> {
    let Finding::Code(range, serial) = ranges.find(key) else { return Ok(None) };
    let record = range.record(serial, key);
    let unreadable = |_: RecordError| Failure::new(Reason::Unreadable);
    let stored = Some(record.stored().map_err(unreadable)?);
    let shown = Shown { handle: key, stored, serial: record.serial, time: record.time, actor: &range.by };
    let shown = shown.show(rights, wanted).map_err(unreadable)?;
    Ok(shown.map(|shown| v1::Identifier { package: range.name.to_string(), ..shown }))
}

/// The versions of one identifier, newest first.
pub(crate) async fn history(
    edge: &Edge,
    caller: &Caller,
    request: v1::HistoryRequest,
) -> Result<v1::HistoryResponse, Failure> {
    let v1::HistoryRequest { handle, page_size, page_token, with_values } = request;
    check_handle(&handle)?;
    if !caller.rights.allows(Verb::Read, &prefix_of(handle.as_bytes())) {
        return Err(edge.deny(caller, Verb::Read, handle.as_bytes()));
    }
    let question = Question::of(&[b"history", handle.to_ascii_uppercase().as_bytes()]);
    let before = question.number(&page_token)?.map(Serial);
    let (rights, wanted, limit) = (caller.rights.clone(), Wanted::values(with_values), size(page_size));
    edge.reading
        .read(move |cold| {
            let versions = cold.history(&parse(&handle)?, before, limit).map_err(|error| of_history(&error))?;
            let last = versions.last().filter(|last| last.previous.is_some()).map(|last| last.serial.0);
            let shown = versions.iter().map(|version| {
                let shown = Shown::of_version(version, handle.as_bytes());
                let shown = shown.and_then(|shown| shown.show(&rights, &wanted));
                shown.map_err(|_| Failure::unreadable(Serials(version.serial)))
            });
            let shown: Result<Vec<_>, _> = shown.filter_map(Result::transpose).collect();
            Ok(v1::HistoryResponse {
                versions: shown?,
                next_page_token: last.map_or_else(String::new, |serial| question.token(&serial.to_be_bytes())),
            })
        })
        .await
}

/// Identifiers by key or by the time of their last change.
pub(crate) async fn list(edge: &Edge, caller: &Caller, request: v1::ListRequest) -> Result<v1::ListResponse, Failure> {
    let v1::ListRequest { prefix, page_size, page_token, changed_from, changed_until, with_values } = request;
    let filter = KeyFilter::new(edge, caller, Verb::List, &prefix)?;
    let time = |time: Option<ProtoTime>, field| time.map(|time| catalog_time(&time, field)).transpose();
    let span = (time(changed_from, "changed_from")?, time(changed_until, "changed_until")?);
    let page = Page {
        filter,
        rights: caller.rights.clone(),
        wanted: Wanted::values(with_values),
        items: size(page_size),
        bytes: edge.limits.page_bytes,
        scan: edge.limits.page_scan,
        answer: v1::ListResponse::default(),
    };
    match span {
        (None, None) => list_by_key(edge, page, &page_token).await,
        (from, until) => {
            let (from, until) = (from.unwrap_or_default(), until.unwrap_or(Timestamp::MAX));
            list_by_time(edge, page, &page_token, from, until).await
        }
    }
}

async fn list_by_key(edge: &Edge, mut page: Page, token: &str) -> Result<v1::ListResponse, Failure> {
    let question = Question::of(&[b"keys", &page.filter.prefix]);
    let after = question.cursor(token)?;
    edge.reading
        .read(move |cold| {
            let mut last = None;
            let prefix = page.filter.prefix.clone();
            cold.list(&after, &prefix, &mut |seen| {
                let flow = page.take(seen);
                if flow.is_break() {
                    last = key_of(seen).map(<[u8]>::to_vec);
                }
                flow
            })?;
            Ok(page.finish(last.map(|key| question.token(&key))))
        })
        .await
}

async fn list_by_time(
    edge: &Edge,
    mut page: Page,
    token: &str,
    from: Timestamp,
    until: Timestamp,
) -> Result<v1::ListResponse, Failure> {
    let span = [from.0.to_be_bytes(), until.0.to_be_bytes()].concat();
    let question = Question::of(&[b"times", &page.filter.prefix, &span]);
    let after = Serial(question.number(token)?.unwrap_or(0));
    edge.reading
        .read(move |cold| {
            let prefix = page.filter.prefix.clone();
            let within = ChangedWithin { prefix: &prefix, from, until };
            let limits = FeedLimits { entries: page.scan, ..FeedLimits::default() };
            let progress = cold.list_changed(&within, after, limits, &mut |seen| page.take(seen));
            let progress = progress.map_err(|error| watch::of_follow(&error))?;
            Ok(page.finish((!progress.end).then(|| question.token(&progress.upto.0.to_be_bytes()))))
        })
        .await
}

/// A page while it fills.
struct Page {
    filter: KeyFilter,
    rights: Rights,
    wanted: Wanted,
    /// What may still come.
    items: usize,
    bytes: usize,
    scan: usize,
    answer: v1::ListResponse,
}

impl Page {
    /// Takes a record, or what cannot be read, into the page. Break: nothing more may come.
    fn take(&mut self, seen: &Seen<'_>) -> ControlFlow<()> {
        self.scan = self.scan.saturating_sub(1);
        match shown_of(seen, &self.filter, &self.rights, &self.wanted) {
            Some(Ok(shown)) => {
                self.items = self.items.saturating_sub(1);
                self.bytes = self.bytes.saturating_sub(shown.encoded_len());
                self.answer.identifiers.push(shown);
            }
            Some(Err(damage)) => {
                self.items = self.items.saturating_sub(1);
                self.answer.damaged.push(damage);
            }
            None => {}
        }
        let full = self.items == 0 || self.bytes == 0 || self.scan == 0;
        if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn finish(self, next: Option<String>) -> v1::ListResponse {
        v1::ListResponse { next_page_token: next.unwrap_or_default(), ..self.answer }
    }
}

/// What a caller is shown of what a visit meets: an identifier, or where something cannot be read. `None`: it is not the caller's.
pub(crate) fn shown_of(
    seen: &Seen<'_>,
    filter: &KeyFilter,
    rights: &Rights,
    wanted: &Wanted,
) -> Option<Result<v1::Identifier, v1::Damage>> {
    // Whose it is is not known where the key is not: whoever follows must know that something is missing.
    if key_of(seen).is_some_and(|key| !filter.lets_through(rights, key)) {
        return None;
    }
    match seen {
        Seen::Change(change) => match Shown::of_change(change).and_then(|shown| shown.show(rights, wanted)) {
            Ok(shown) => shown.map(Ok),
            Err(_) => {
                let damaged = Damaged { first: change.serial, last: change.serial, key: Some(change.key) };
                Some(Err(damage(&damaged)))
            }
        },
        Seen::Damaged(damaged) => Some(Err(damage(damaged))),
    }
}

fn damage(damaged: &Damaged<'_>) -> v1::Damage {
    v1::Damage {
        first_serial: damaged.first.0,
        last_serial: damaged.last.0,
        handle: damaged.key.map_or_else(String::new, |key| String::from_utf8_lossy(key).into_owned()),
    }
}

/// The key of what a visit meets, where it is known.
const fn key_of<'a>(seen: &Seen<'a>) -> Option<&'a [u8]> {
    match seen {
        Seen::Change(change) => Some(change.key),
        Seen::Damaged(damaged) => damaged.key,
    }
}

/// A place in the log, for people.
pub(crate) struct Serials(pub(crate) Serial);

impl fmt::Display for Serials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "serial {}", self.0)
    }
}

/// Which keys a caller asks for and may be shown.
#[derive(Clone, Debug)]
pub(crate) struct KeyFilter {
    verb: Verb,
    /// As canonical keys begin.
    pub(crate) prefix: Vec<u8>,
    /// The prefix that every key that begins so lies under, where there is one.
    within: Option<Vec<u8>>,
}

impl KeyFilter {
    /// Reads a filter. Who may not look everywhere must say where: at least a prefix it works under.
    pub(crate) fn new(edge: &Edge, caller: &Caller, verb: Verb, text: &str) -> Result<Self, Failure> {
        let rights = &caller.rights;
        if text.len() > MAX_HANDLE_BYTES {
            return Err(Failure::invalid_field("prefix", format!("must have at most {MAX_HANDLE_BYTES} bytes")));
        }
        let prefix = begin_of_key(text, edge.catalog.case_rule());
        let named = text.split('/').next().unwrap_or_default().to_ascii_uppercase();
        let within = text.contains('/').then(|| prefix_of(text.as_bytes()));
        let all = rights.is_everywhere() || within.as_ref().is_some_and(|within| rights.covers(within));
        let allowed = rights.has(verb) && (all || (!named.is_empty() && rights.covers(named.as_bytes())));
        // Records of prefixes are told apart one by one.
        let within = within.filter(|_| named != "0.NA");
        if allowed { Ok(Self { verb, prefix, within }) } else { Err(edge.deny(caller, verb, text.as_bytes())) }
    }

    /// Whether a caller may be shown a key that begins with the prefix. `rights` may be others than when the filter was made.
    pub(crate) fn lets_through(&self, rights: &Rights, key: &[u8]) -> bool {
        let all = rights.is_everywhere() || self.within.as_ref().is_some_and(|within| rights.covers(within));
        rights.has(self.verb) && (all || rights.covers(&prefix_of(key)))
    }
}

/// How the canonical keys of handles begin that begin with this text.
pub(crate) fn begin_of_key(text: &str, rule: CaseRule) -> Vec<u8> {
    let mut room = [0; MAX_KEY_BYTES];
    match Handle::new(text.as_bytes()) {
        Ok(handle) if text.contains('/') => handle.to_key(rule, &mut room).to_vec(),
        _ => text.to_ascii_uppercase().into_bytes(),
    }
}

/// Who the node takes the caller for, and what it may do.
pub(crate) fn who_am_i(edge: &Edge, caller: &Caller) -> v1::WhoAmIResponse {
    let principal = &caller.rights.principal;
    let expires = match caller.actor.proof() {
        Proof::Token(id) => edge.catalog.access().token(*id).map(|token| proto_time(token.expires)),
        _ => None,
    };
    v1::WhoAmIResponse {
        principal: principal.name.to_string(),
        role: principal.role.to_string(),
        prefixes: caller.rights.scope_texts(),
        verbs: caller.rights.verbs.iter().map(|verb| verb.to_string()).collect(),
        expires,
        daily_quota: principal.daily_quota,
        daily_left: principal.daily_quota.map(|quota| quota.saturating_sub(edge.catalog.usage(&principal.name))),
    }
}

/// Refuses a handle that cannot be one by its length.
pub(crate) fn check_handle(handle: &str) -> Result<(), Failure> {
    if handle.is_empty() || handle.len() > MAX_HANDLE_BYTES {
        return Err(Failure::invalid_field("handle", format!("must have between 1 and {MAX_HANDLE_BYTES} bytes")));
    }
    Ok(())
}

fn parse(handle: &str) -> Result<Handle<'_>, Failure> {
    Handle::new(handle.as_bytes()).map_err(|error| Failure::new(Reason::InvalidHandle).with("detail", error))
}

/// A time of the interface.
pub(crate) fn catalog_time(time: &ProtoTime, field: &str) -> Result<Timestamp, Failure> {
    let wrong = || Failure::invalid_field(field, "must be a time from 1970 on");
    let seconds = u64::try_from(time.seconds).map_err(|_| wrong())?;
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000).ok_or_else(wrong)?;
    let millis = seconds.checked_mul(1000).and_then(|millis| millis.checked_add(u64::from(nanos / 1_000_000)));
    Ok(Timestamp(millis.ok_or_else(wrong)?).min(Timestamp::MAX))
}

fn of_history(error: &HistoryError) -> Failure {
    match error {
        HistoryError::Follow(error) => watch::of_follow(error),
        HistoryError::TooMany { limit } => Failure::new(Reason::TooManyVersions).with("limit", limit),
        HistoryError::Record { serial, .. } | HistoryError::Broken { serial } => Failure::unreadable(Serials(*serial)),
        _ => Failure::unreadable("the history of the identifier"),
    }
}
