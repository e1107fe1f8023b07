//! What answers of other servers teach, and how it is looked up.
//!
//! The plan asks a [`Knowledge`] before it asks the network and hands over what it [learned](Learned); the cache is one. Keys are
//! canonical keys of handles ([`waymark_ident::Handle::to_key`] with [`KEY_RULE`]); prefixes are folded to upper case and hold no slash.
//!
//! Only what everybody may read is kept: the plan asks with PUBL and passes over values without the public-read bit all the same.

use std::sync::Arc;
use std::time::Duration;

use waymark_ident::{CaseRule, PREFIX_RECORDS};

/// How names of others are compared: their servers may tell cases apart, so the suffix stays as it is. A server that folds costs us an
/// entry for each spelling, never a wrong answer.
pub const KEY_RULE: CaseRule = CaseRule::SuffixSensitive;

/// The prefix whose absence means that of the handle of this key. Keys hold prefixes folded, and those of prefix records the prefix in full.
#[must_use]
pub fn absence_prefix(key: &[u8]) -> &[u8] {
    match key.strip_prefix(PREFIX_RECORDS) {
        Some(target) => target,
        None => key.split(|byte| *byte == b'/').next().unwrap_or_default(),
    }
}

/// The time, read once by the driver for each step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Now {
    /// Time since an arbitrary start; never goes back. Ages and waits are measured with it.
    pub elapsed: Duration,
    /// Seconds since 1970 UTC; may jump. Only absolute times to live and the expiry of messages are compared with it.
    pub unix_seconds: u32,
}

/// What is known about one handle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fact {
    /// Its publicly readable values: at least one.
    Values(Record),
    /// It exists and shows nothing to the public (code 200).
    NoValues,
    /// It does not exist (code 100).
    Absent,
}

/// Values in wire form, back to back, each with the public-read bit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// How many.
    pub count: u32,
    /// Their bytes, without the count, ascending by index.
    pub wire: Box<[u8]>,
}

/// Where handles live: the data of HS_SITE (or HS_SITE.PREFIX) values, each of which can be decoded and lists a server. Sites are
/// replicas of each other; servers within a site share the handles by hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// The sites in the order they were told.
    pub sites: Box<[Box<[u8]>]>,
}

/// Which handles a service answers for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Scope {
    /// The handles under the prefix: HS_SITE and HS_SERV of its record.
    Handles,
    /// The records of prefixes derived from it: HS_SITE.PREFIX and HS_SERV.PREFIX.
    DerivedPrefixes,
}

/// Looks up what is fresh. What was asked with certification is known only from verified certified answers, all the way from the roots.
pub trait Knowledge {
    /// What is known about the handle of this key.
    fn fact(&self, key: &[u8], certified: bool, now: Now) -> Option<Arc<Fact>>;

    /// The service of a prefix.
    fn service(&self, prefix: &[u8], scope: Scope, certified: bool, now: Now) -> Option<Arc<Service>>;

    /// Whether the record of this prefix is known not to exist, so that nothing beneath it does.
    fn is_absent_prefix(&self, prefix: &[u8], certified: bool, now: Now) -> bool;
}

/// Something an answer taught.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Learned {
    /// What.
    pub what: What,
    /// Whether every step from the roots was certified and verified.
    pub certified: bool,
    /// Seconds it may be used, as its values say: the smallest of their times to live. Limits of the cache are not applied yet. `None`
    /// when the answer carries no time to live (absences).
    pub lifetime_seconds: Option<u32>,
}

/// The kinds of things an answer teaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// About the handle of this key.
    Fact {
        /// Canonical key.
        key: Box<[u8]>,
        /// What is known.
        fact: Arc<Fact>,
    },
    /// Whom to ask.
    Service {
        /// Folded prefix.
        prefix: Box<[u8]>,
        /// For what.
        scope: Scope,
        /// Whom.
        service: Arc<Service>,
    },
    /// A prefix without a record.
    AbsentPrefix {
        /// Folded prefix.
        prefix: Box<[u8]>,
    },
    /// The service known for a prefix does not answer for it any more: forget it.
    Lame {
        /// Folded prefix.
        prefix: Box<[u8]>,
        /// For what.
        scope: Scope,
    },
}

#[cfg(test)]
mod tests {
    use waymark_ident::{Handle, MAX_KEY_BYTES};

    use super::*;

    #[test]
    fn the_prefix_whose_absence_tells_is_that_of_the_name_or_of_its_record() {
        for (handle, prefix) in
            [("88.1a/x/y", "88.1A"), ("88.1a", "88.1A"), ("0.na/88.1a", "88.1A"), ("0.na/88/x", "88/X"), ("/x", "")]
        {
            let mut room = [0; MAX_KEY_BYTES];
            let key = Handle::new(handle.as_bytes()).unwrap().to_key(KEY_RULE, &mut room);
            assert_eq!(String::from_utf8_lossy(absence_prefix(key)), prefix, "{handle}");
        }
    }
}
