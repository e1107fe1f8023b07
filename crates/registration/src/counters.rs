//! What the doors count. The list is closed; names are fit for metric labels.

use std::sync::atomic::{AtomicU64, Ordering};

/// Declares the events with their names, so that neither can be left out of [`Event::ALL`].
macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:literal,)*) => {
        /// Something the doors count.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        pub enum Event {
            $($(#[$doc])* $event,)*
        }

        impl Event {
            /// Every event, in the order of its counter.
            pub const ALL: &[Self] = &[$(Self::$event,)*];

            /// Its name in metrics and logs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$event => $name,)*
                }
            }
        }

        const EVENTS: usize = [$(Event::$event,)*].len();
    };
}

events! {
    /// Connections taken.
    ConnectionsOpened = "connections_opened",
    /// Connections that ended.
    ConnectionsClosed = "connections_closed",
    /// Connections refused: the door has as many as it may.
    RefusedConnections = "refused_connections",
    /// Connections refused: their source has as many as it may.
    RefusedConnectionsOfSource = "refused_connections_of_source",
    /// TLS handshakes that failed or took too long.
    HandshakesFailed = "handshakes_failed",
    /// Errors of accepting that the system reported.
    AcceptErrors = "accept_errors",
    /// Calls begun.
    Calls = "calls",
    /// Calls that ended with an error.
    CallsFailed = "calls_failed",
    /// Calls whose credential was not accepted.
    Unauthenticated = "unauthenticated",
    /// Calls and stream items held back or refused because their principal asks too often.
    RateLimited = "rate_limited",
    /// Single writes refused because the writer has no room.
    Busy = "busy",
    /// Changes that were carried out.
    ChangesAccepted = "changes_accepted",
    /// Changes that were refused.
    ChangesRefused = "changes_refused",
    /// Items of streams that had been decided before.
    ItemsRepeated = "items_repeated",
    /// Streams of changes begun.
    Uploads = "uploads",
    /// Streams and watches ended because the client does not read.
    CutSlowReader = "cut_slow_reader",
    /// Watches begun.
    Watches = "watches",
    /// Changes sent to watchers.
    ChangesWatched = "changes_watched",
    /// Questions for registration data.
    Queries = "queries",
    /// Of these, answered with a refusal or not at all.
    QueriesFailed = "queries_failed",
    /// Of these, refused because their source asks too often.
    QueriesLimited = "queries_limited",
}

/// The counters of one door. Anybody may add.
#[derive(Debug)]
pub struct Counters([AtomicU64; EVENTS]);

impl Counters {
    /// All zero.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { AtomicU64::new(0) }; EVENTS])
    }

    /// Counts `count` more.
    pub(crate) fn add(&self, event: Event, count: usize) {
        if let Some(cell) = self.0.get(event as usize)
            && count > 0
        {
            cell.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }

    /// The number of an event as it is now.
    #[must_use]
    pub fn get(&self, event: Event) -> u64 {
        self.0.get(event as usize).map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    /// All numbers as they are now.
    pub fn all(&self) -> impl Iterator<Item = (Event, u64)> + '_ {
        Event::ALL.iter().map(|event| (*event, self.get(*event)))
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}
