//! What the simulator holds, and how its audits go.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// What an audit comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ruling {
    /// At once: code 1000.
    #[default]
    Approve,
    /// Code 1001, and a message that it was not passed.
    Reject(String),
    /// Code 1001, until somebody decides.
    Pend,
    /// Code 1001, and after so many polls a message: passed or not, and why.
    Later {
        /// Polls until then.
        polls: u32,
        /// Whether it is passed.
        passed: bool,
        /// What the message says.
        reason: String,
    },
}

/// How audits go.
#[derive(Clone, Debug)]
pub struct Script {
    /// Of enterprises.
    pub enterprises: Ruling,
    /// Of prefixes that are not named.
    pub prefixes: Ruling,
    /// Of prefixes by name.
    pub named: BTreeMap<String, Ruling>,
    /// Whether a command that comes again under its identifier gets the answer it had.
    pub remembers: bool,
    /// Whether what was approved at once is told by a message too.
    pub announces: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            enterprises: Ruling::Approve,
            prefixes: Ruling::Approve,
            named: BTreeMap::new(),
            remembers: true,
            announces: false,
        }
    }
}

/// An enterprise that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HeldEnterprise {
    /// `approved`, `pending` or `refused`.
    pub state: &'static str,
    /// Fields by path; images as their SHA-256.
    #[serde(skip)]
    pub fields: BTreeMap<String, String>,
    /// How often it was made; more than once is a fault of whoever sends.
    pub made: u32,
    /// Full updates that were taken.
    pub replaced: u32,
    /// Partial updates that were taken.
    pub amended: u32,
}

/// A prefix that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HeldPrefix {
    /// `approved`, `pending` or `refused`.
    pub state: &'static str,
    /// Whose it is.
    pub ent_id: String,
    /// How often it was made.
    pub made: u32,
    /// Under how many identifiers it was asked for while it was there.
    pub asked_for_under: BTreeSet<String>,
}

/// What is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Enterprises, by what they are called.
    pub enterprises: BTreeMap<String, HeldEnterprise>,
    /// Prefixes.
    pub prefixes: BTreeMap<String, HeldPrefix>,
    /// Messages in the queue.
    pub messages: usize,
    /// Commands that were read, by kind of result code.
    pub answered: BTreeMap<u16, u64>,
}
