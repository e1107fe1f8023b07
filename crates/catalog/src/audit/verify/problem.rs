//! What verifying finds.

use std::fmt;

use waymark_store::Serial;

use crate::audit::checkpoint::SignatureError;
use crate::audit::note::NoteError;

/// Something that is not as it was written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Number of the note it was found at; 0 where there is none.
    pub note: u64,
    /// Serial of the entry.
    pub serial: Serial,
    /// What is wrong.
    pub what: Wrong,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wrong {
    /// The store cannot read entries up to this one.
    Damaged {
        /// The last of them.
        upto: Serial,
    },
    /// The note cannot be read.
    Unreadable(NoteError),
    /// Notes before this one are not there.
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The note stands behind one that it came before.
    OutOfOrder {
        /// Number of that one.
        behind: u64,
    },
    /// The note goes on from another note than the one before it: one of the two was replaced.
    NotChained,
    /// The head of the note was changed.
    Head,
    /// The items of the note were changed.
    Items,
    /// The note was written at another place.
    Moved {
        /// The serial it says.
        says: Serial,
    },
    /// The note, or an entry of its group, was given another time.
    Time,
    /// Entries of the note's group are not there.
    EntriesMissing {
        /// How many it says.
        says: u32,
        /// How many there are.
        found: u32,
    },
    /// Entries of the note's group were changed.
    Entries,
    /// The content is not what the audit says was written.
    Content {
        /// Key of the entry.
        key: Vec<u8>,
    },
    /// No item of the audit tells about this change of a record.
    NoItem {
        /// Key of the entry.
        key: Vec<u8>,
    },
    /// The audit tells of a change that is not there.
    NoEntry {
        /// What the item says it was about.
        key: Vec<u8>,
    },
    /// Entries that no note covers.
    NotCovered {
        /// How many, from this one on.
        entries: u64,
    },
    /// The items were taken away, and no pruning is told of that reached so far.
    NotPruned,
    /// An anchor's note has another chain, serial or time: the chain was written anew.
    AnchorDiffers,
    /// An anchor's note is not there.
    AnchorMissing,
    /// An anchor is about a note behind the end: the tail was cut.
    TailCut {
        /// Number of the last note there is.
        last: u64,
    },
    /// An anchor of another store.
    AnchorOfOtherStore,
    /// An anchor whose signature does not count.
    AnchorSignature(SignatureError),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "note {}, serial {}: {}", self.note, self.serial, self.what)
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = |key: &[u8]| String::from_utf8_lossy(key).into_owned();
        match self {
            Self::Damaged { upto } => write!(f, "entries up to serial {upto} cannot be read"),
            Self::Unreadable(error) => write!(f, "{error}"),
            Self::Missing { from, to } if from == to => write!(f, "note {from} is missing before it"),
            Self::Missing { from, to } => write!(f, "notes {from} to {to} are missing before it"),
            Self::OutOfOrder { behind } => write!(f, "stands behind note {behind}"),
            Self::NotChained => f.write_str("does not go on from the note before it; one of the two was replaced"),
            Self::Head => f.write_str("its head was changed"),
            Self::Items => f.write_str("its items were changed"),
            Self::Moved { says } => write!(f, "was written as serial {says}"),
            Self::Time => f.write_str("its time, or that of an entry of its group, was changed"),
            Self::EntriesMissing { says, found } => write!(f, "{found} of the {says} entries of its group are there"),
            Self::Entries => f.write_str("entries of its group were changed"),
            Self::Content { key: k } => write!(f, "the content of {} is not what the audit says", key(k)),
            Self::NoItem { key: k } => write!(f, "the audit does not tell of this change of {}", key(k)),
            Self::NoEntry { key: k } => write!(f, "the audit tells of a change of {} that is not there", key(k)),
            Self::NotCovered { entries } => write!(f, "no note covers this entry ({entries} of them)"),
            Self::NotPruned => f.write_str("its items are gone, and no pruning reached so far"),
            Self::AnchorDiffers => f.write_str("is not as an anchor says; the chain was written anew"),
            Self::AnchorMissing => f.write_str("an anchor's note is missing"),
            Self::TailCut { last } => {
                write!(f, "an anchor's note is missing: the tail was cut, the last note is {last}")
            }
            Self::AnchorOfOtherStore => f.write_str("the anchor is of another store"),
            Self::AnchorSignature(error) => write!(f, "the anchor does not count: {error}"),
        }
    }
}
