//! The audit as JSON lines: one object for each item, oldest first.
//!
//! | field | |
//! |---|---|
//! | `note` | number of the note |
//! | `time` | time of the note, as `2026-11-22T05:49:03.123Z` |
//! | `actor`, `proof`, `door` | who, how known (`token:…`), which way |
//! | `source` | address; absent where there is none |
//! | `verb`, `outcome` | what for, what came of it |
//! | `key` | what it was about; absent where there is nothing. `key_hex` stands for it where it is no text |
//! | `serial`, `before`, `after` | of what was done: serial of its entry, hashes of the content |
//! | `count`, `first`, `last` | of what changed nothing: how often, and when |
//! | `upto`, `until` | of a pruning: serial of the last note, and the time before which notes were pruned |

use std::io::{self, Write};
use std::ops::ControlFlow;

use serde::Serialize;
use waymark_store::{FollowError, Store, Timestamp};

use crate::config::FeedLimits;
use crate::form::iso;

use super::item::Deed;
use super::search::{Cursor, Filter, Told, search};

/// Writes everything a filter lets through; gives the number of lines.
///
/// # Errors
/// See [`ExportError`].
pub fn export(store: &dyn Store, filter: &Filter, out: &mut dyn Write) -> Result<u64, ExportError> {
    let (mut lines, mut failed) = (0, None);
    let mut cursor = Some(Cursor::default());
    while let Some(from) = cursor {
        cursor =
            search(store, filter, from, FeedLimits::DEFAULT, &mut |told| match writeln!(out, "{}", told.to_json()) {
                Ok(()) => {
                    lines += 1;
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            })?;
        if let Some(error) = failed {
            return Err(ExportError::Output(error));
        }
    }
    out.flush().map_err(ExportError::Output)?;
    Ok(lines)
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The output cannot be written.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// The log cannot be read.
    #[error("the log cannot be read")]
    Log(#[from] FollowError),
}

impl Told<'_> {
    /// The item as one line of JSON, without its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (actor, origin) = (&self.item.actor, self.item.actor.origin());
        let mut line = Line {
            note: self.note,
            time: moment(self.time),
            actor: actor.name(),
            proof: actor.proof().to_string(),
            door: origin.door.as_str(),
            source: origin.source.map(|source| source.to_string()),
            verb: self.item.verb.name(),
            outcome: self.item.deed.outcome(),
            ..Line::default()
        };
        match std::str::from_utf8(&self.item.key) {
            Ok(key) => line.key = (!key.is_empty()).then_some(key),
            Err(_) => line.key_hex = Some(hex::encode(&self.item.key)),
        }
        match &self.item.deed {
            Deed::Done { serial, before, after, .. } => {
                line.serial = Some(serial.0);
                line.before = before.map(|hash| hash.to_string());
                line.after = after.map(|hash| hash.to_string());
            }
            Deed::Counted { count, first, last, .. } => {
                line.count = Some(*count);
                (line.first, line.last) = (Some(moment(*first)), Some(moment(*last)));
            }
            Deed::Pruned { upto, before } => {
                (line.upto, line.until) = (Some(upto.0), Some(moment(*before)));
            }
        }
        // Text and numbers: cannot fail.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// A time with its milliseconds.
fn moment(time: Timestamp) -> String {
    let seconds = iso::format(i64::try_from(time.0 / 1000).unwrap_or(i64::MAX));
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), time.0 % 1000)
}

#[derive(Default, Serialize)]
struct Line<'a> {
    note: u64,
    time: String,
    actor: &'a str,
    proof: String,
    door: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    verb: std::borrow::Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_hex: Option<String>,
    outcome: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upto: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::{Actor, Door, Origin};
    use crate::audit::Digest;
    use crate::audit::item::Item;
    use crate::audit::words::{Done, Verb};
    use waymark_store::Serial;

    fn line(actor: Actor, key: &[u8], verb: Verb, deed: Deed) -> String {
        let item = Item { actor, verb, key: key.to_vec(), deed };
        Told { note: 3, serial: Serial(9), time: Timestamp(1_790_000_000_007), item: &item }.to_json()
    }

    #[test]
    fn lines_have_the_fields_that_are_documented() {
        let done = Deed::Done { done: Done(1), serial: Serial(8), before: None, after: Some(Digest([1; 32])) };
        assert_eq!(
            line(Actor::operator(), "88.1/产".as_bytes(), Verb::CREATE, done),
            "{\"note\":3,\"time\":\"2026-09-21T14:13:20.007Z\",\"actor\":\"operator\",\"proof\":\"local\",\
             \"door\":\"local\",\"verb\":\"create\",\"key\":\"88.1/产\",\"outcome\":\"created\",\"serial\":8,\
             \"after\":\"0101010101010101010101010101010101010101010101010101010101010101\"}"
        );
        let (first, last) = (Timestamp(0), Timestamp(59_999));
        let counted = Deed::Counted { code: "rate-limited".into(), count: 5, first, last };
        let stranger = Actor::unknown(Origin { door: Door::Grpc, source: "2001:db8::1".parse().ok() });
        assert_eq!(
            line(stranger, b"\xff", Verb::ANY, counted),
            "{\"note\":3,\"time\":\"2026-09-21T14:13:20.007Z\",\"actor\":\"unknown\",\"proof\":\"nothing\",\
             \"door\":\"grpc\",\"source\":\"2001:db8::1\",\"verb\":\"any\",\"key_hex\":\"ff\",\
             \"outcome\":\"rate-limited\",\"count\":5,\"first\":\"1970-01-01T00:00:00.000Z\",\
             \"last\":\"1970-01-01T00:00:59.999Z\"}"
        );
    }
}
