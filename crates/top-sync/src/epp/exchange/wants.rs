//! What the catalog wants of the top-level node, as the exchange is told it.

use std::collections::BTreeMap;

use super::transaction::Content;

/// Everything that is wanted at one serial of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Prefixes this node approved, whose cases await the top-level node; in order of time.
    pub prefixes: Vec<PrefixWant>,
    /// The enterprises of these, and those the top-level node knows already.
    pub enterprises: BTreeMap<u32, EnterpriseWant>,
}

/// A prefix to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixWant {
    /// The prefix, folded.
    pub prefix: Box<str>,
    /// Whose it is.
    pub enterprise: u32,
    /// The serial of its case.
    pub case: u64,
    /// When this node approved it, in milliseconds since 1970.
    pub since: u64,
    /// Whether it lies beneath the prefix this node is known by above; nothing else is asked for there.
    pub is_beneath: bool,
}

/// An enterprise as the top-level node shall know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnterpriseWant {
    /// What it says.
    pub content: Content,
    /// What has to be sent with it and is not there: the name of a field. Nothing that needs it is sent before it is.
    pub missing: Option<&'static str>,
    /// When it was written last, in milliseconds since 1970.
    pub since: u64,
}
