//! One record being looked for: a question is a stack of these.

use std::net::IpAddr;
use std::sync::Arc;

use waymark_ident::{Handle, HandleError, MAX_HANDLE_BYTES, MAX_KEY_BYTES, PREFIX_RECORDS, parent_prefix};

use super::{Candidate, QueryId, Why};
use crate::config::ANCESTORS;
use crate::knowledge::{KEY_RULE, Service};

/// A record being looked for, and how far that has come.
#[derive(Debug)]
pub(super) struct Search {
    /// What for.
    pub(super) purpose: Purpose,
    /// Canonical key of the record.
    pub(super) key: Box<[u8]>,
    /// Where handles are split: the folded prefix is in front of it in the key.
    prefix_bytes: usize,
    /// The forms the handle is asked in, one after the other.
    names: Names,
    /// The form being asked.
    form: Form,
    /// How much of the record is asked for.
    pub(super) wanted: Wanted,
    /// Whom to ask, once known.
    pub(super) origin: Option<Origin>,
    /// The query under way.
    pub(super) round: Option<Round>,
    /// Service handles being tried; the search of one of them is above this one.
    pub(super) pending: Option<Pending>,
    /// Whether what is known of this record, and of whom to ask for it, is passed over: it turned out to be out of date.
    pub(super) doubts_knowledge: bool,
    /// Ancestors, nearest first, whose service is passed over for the same reason.
    pub(super) doubted_ancestors: usize,
    /// What was said in the first form, while the second is asked.
    pub(super) said: Said,
}

/// Definite words of a service, kept until it has been asked in each form.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Said {
    /// Code 100, and who said so.
    pub(super) absent: Option<IpAddr>,
    /// Code 102.
    pub(super) invalid: bool,
    /// Code 301.
    pub(super) not_responsible: bool,
    /// A code that says neither yes nor no.
    pub(super) unable: bool,
    /// An answer that was none.
    pub(super) wrong: bool,
    /// An answer that was not certified.
    pub(super) uncertified: bool,
    /// An answer of more than is accepted.
    pub(super) too_large: bool,
}

impl Said {
    /// Why there is no record, as far as that was said.
    pub(super) fn reason(&self) -> Option<Why> {
        let reasons = [
            (self.invalid, Why::NoService),
            (self.uncertified, Why::Uncertified),
            (self.too_large, Why::TooLarge),
            (self.wrong, Why::WrongAnswer),
            (self.unable, Why::Unable),
        ];
        reasons.iter().find(|(was_said, _)| *was_said).map(|(_, why)| *why)
    }
}

/// What a record is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Purpose {
    /// It is the question.
    Question,
    /// It is the record of the prefix of the handle below.
    Prefix,
    /// It is the record of a service handle that the search below needs.
    ServiceHandle,
}

/// How much of a record is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// All that is public.
    Whole,
    /// What the client asked for or, where it is a step on the way, what delegates.
    Filtered,
}

/// The forms of a handle.
#[derive(Debug)]
struct Names {
    first: Box<[u8]>,
    /// The bare prefix of a prefix record: some servers know only this form.
    second: Option<Box<[u8]>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    First,
    Second,
}

/// A service, and why it is the one to ask.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) service: Arc<Service>,
    pub(super) by: By,
}

/// Who says that a service is the one to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// The configuration: these are the roots.
    Roots,
    /// Knowledge of the service for prefixes derived from this ancestor, counted from the nearest.
    KnownAncestor(usize),
    /// Knowledge of the service for handles under the prefix, or of a record that led to it.
    KnownPrefix,
    /// The prefix record, and the service handle in it if there is one, both read for this question.
    PrefixRecord,
    /// A referral for prefixes derived from an ancestor (303).
    PrefixReferral,
    /// A referral for this handle alone (302).
    ServiceReferral,
}

impl By {
    /// Whether the service may say who answers for further derived prefixes: whoever answers for some may, and who answers for one
    /// handle may not.
    pub(super) const fn speaks_for_derived_prefixes(self) -> bool {
        matches!(self, Self::Roots | Self::KnownAncestor(_) | Self::PrefixReferral)
    }
}

/// Service handles left to be tried, the last one first.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) handles: Vec<Box<[u8]>>,
    /// Seconds the values that named them may be used; `None` when they were known before, so that nobody can say.
    pub(super) lifetime_seconds: Option<u32>,
    /// What the service is, once found.
    pub(super) by: By,
}

/// A query under way.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) query: QueryId,
    pub(super) candidates: Arc<[Candidate]>,
    /// The request, kept when answers must carry its digest.
    pub(super) request: Option<Box<[u8]>>,
}

impl Search {
    /// A search for the record of this handle.
    pub(super) fn new(handle: &[u8], purpose: Purpose) -> Result<Self, HandleError> {
        let handle = Handle::new(handle)?;
        let mut room = [0; MAX_KEY_BYTES];
        let key: Box<[u8]> = handle.to_key(KEY_RULE, &mut room).into();
        let prefix_bytes = key.iter().position(|byte| *byte == b'/').unwrap_or(key.len());
        Ok(Self {
            purpose,
            prefix_bytes,
            names: Names::of(&handle),
            key,
            form: Form::First,
            wanted: Wanted::Whole,
            origin: None,
            round: None,
            pending: None,
            doubts_knowledge: false,
            doubted_ancestors: 0,
            said: Said::default(),
        })
    }

    /// A search for the record of this prefix.
    pub(super) fn of_prefix(prefix: &[u8]) -> Result<Self, HandleError> {
        Self::new(&[PREFIX_RECORDS, prefix].concat(), Purpose::Prefix)
    }

    /// Exactly this handle, in no other form.
    pub(super) fn as_asked(handle: &[u8], purpose: Purpose) -> Result<Self, HandleError> {
        let names = Names { first: handle.into(), second: None };
        Ok(Self { names, ..Self::new(handle, purpose)? })
    }

    /// Whether this is the question itself.
    pub(super) fn is_question(&self) -> bool {
        self.purpose == Purpose::Question
    }

    /// The handle in the form being asked.
    pub(super) fn name(&self) -> &[u8] {
        match (self.form, &self.names.second) {
            (Form::Second, Some(name)) => name,
            _ => &self.names.first,
        }
    }

    /// Turns to the other form; `false` when there is none that was not asked.
    pub(super) fn take_other_form(&mut self) -> bool {
        let has_other = self.form == Form::First && self.names.second.is_some();
        if has_other {
            self.form = Form::Second;
        }
        has_other
    }

    /// Turns to another service, which has not been asked in any form.
    pub(super) fn turn_to(&mut self, service: Arc<Service>, by: By) {
        self.origin = Some(Origin { service, by });
        self.round = None;
        self.pending = None;
        self.form = Form::First;
        self.said = Said::default();
    }

    /// The folded prefix of the handle; `0.NA` for prefix records.
    pub(super) fn prefix(&self) -> &[u8] {
        self.key.get(..self.prefix_bytes).unwrap_or_default()
    }

    /// The folded prefix whose record this is, `None` for other handles. It may hold slashes, and is then not a prefix of handles.
    pub(super) fn target(&self) -> Option<&[u8]> {
        self.key.strip_prefix(PREFIX_RECORDS)
    }

    /// As [`target`](Self::target), but only prefixes that handles can have.
    pub(super) fn prefix_target(&self) -> Option<&[u8]> {
        self.target().filter(|target| !target.contains(&b'/'))
    }

    /// The prefixes this prefix record is derived from, nearest first.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.prefix_target().and_then(parent_prefix);
        let all = std::iter::successors(first, |prefix| parent_prefix(prefix));
        all.take_while(|prefix| !prefix.is_empty()).take(ANCESTORS)
    }
}

impl Names {
    /// `0.NA/x` and then `x` for a prefix record, whichever was asked; other handles only as they are.
    fn of(handle: &Handle<'_>) -> Self {
        let bytes = handle.as_bytes();
        let target = handle.prefix_record_target().filter(|target| !target.is_empty() && !target.contains(&b'/'));
        match target {
            None => Self { first: bytes.into(), second: None },
            Some(bare) if !handle.is_bare() => Self { first: bytes.into(), second: Some(bare.into()) },
            Some(bare) if bare.len() + PREFIX_RECORDS.len() > MAX_HANDLE_BYTES => {
                Self { first: bare.into(), second: None }
            }
            Some(bare) => Self { first: [PREFIX_RECORDS, bare].concat().into(), second: Some(bare.into()) },
        }
    }
}
