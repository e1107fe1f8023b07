//! Which organisation a question is about: by prefix, by name, by the beginning of a name.

use std::collections::BTreeMap;
use std::sync::Arc;

use waymark_catalog::Timestamp;
use waymark_catalog::business::{
    Business, CaseState, Enterprise, OperatorRecord, Placement, PrefixCase, Profile, StepKind,
};

/// A prefix that is registered, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The prefix, folded.
    pub(super) prefix: String,
    /// When it was registered.
    pub(super) since: Timestamp,
    /// Whether it is stopped for a while.
    pub(super) is_held: bool,
    /// Who answers for it.
    pub(super) answered_by: AnsweredBy,
    /// Whose it is.
    pub(super) holder: Holder,
}

/// Who answers for identifiers under a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnsweredBy {
    /// This node.
    Here,
    /// Sites of the enterprise.
    OwnSite,
    /// Nobody yet.
    Nobody,
}

/// Whose a prefix is.
#[derive(Clone, Debug)]
pub(super) enum Holder {
    /// The node's own.
    Node(Arc<OperatorRecord>),
    /// An enterprise's.
    Enterprise(Arc<Enterprise>),
}

impl Holder {
    /// What it says of itself.
    pub(super) fn profile(&self) -> &Profile {
        match self {
            Self::Node(record) => &record.profile,
            Self::Enterprise(enterprise) => &enterprise.profile,
        }
    }

    /// Whether it says that there are people of it.
    pub(super) fn has_people(&self) -> bool {
        match self {
            Self::Node(record) => record.personal.is_some(),
            Self::Enterprise(enterprise) => enterprise.personal.is_some(),
        }
    }
}

/// Answers from the tables of the catalog as they are at one moment.
pub(super) struct Finder<'a> {
    /// The tables.
    pub(super) business: &'a Business,
    /// The node's own prefix, folded; empty where it has none.
    pub(super) own_prefix: &'a str,
}

/// What a search gave.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// In the order of their prefixes.
    pub(super) found: Vec<Found>,
    /// Whether there may be more: the search ended at a limit.
    pub(super) is_cut: bool,
}

/// What a search for an organisation of a name gave.
#[derive(Debug, Default)]
pub(super) struct Oldest {
    /// Its prefixes, oldest first.
    pub(super) found: Vec<Found>,
    /// Whether there are more, all of them younger.
    pub(super) has_more: bool,
    /// Whether the search ended before it had looked at every prefix: there may be more, and older ones.
    pub(super) is_cut: bool,
}

impl Finder<'_> {
    /// The prefix of this name, folded. What was never registered, is not yet, or is not any more, is not there.
    pub(super) fn prefix(&self, prefix: &str) -> Option<Found> {
        if prefix == self.own_prefix {
            return self.own();
        }
        self.of_case(self.business.case(prefix.as_bytes())?)
    }

    /// Prefixes of organisations of which the name `is_meant`, at most `results` of them, looking at no more than `scan` cases.
    pub(super) fn named(&self, is_meant: impl Fn(&Profile) -> bool, results: usize, scan: usize) -> Hits {
        let mut hits = Hits::default();
        hits.found.extend(self.own().filter(|own| is_meant(own.holder.profile())));
        for (looked, case) in self.business.cases().enumerate() {
            if looked >= scan {
                hits.is_cut = true;
                break;
            }
            let enterprise = self.business.enterprise(case.enterprise);
            if !enterprise.is_some_and(|enterprise| is_meant(&enterprise.profile)) {
                continue;
            }
            let Some(found) = self.of_case(case) else { continue };
            if hits.found.len() >= results {
                hits.is_cut = true;
                break;
            }
            hits.found.push(found);
        }
        hits
    }

    /// The prefixes of organisations of which the name `is_meant`, the one registered first at the front: of all that are met, the `results` oldest.
    pub(super) fn oldest_named(&self, is_meant: impl Fn(&Profile) -> bool, results: usize, scan: usize) -> Oldest {
        let mut oldest = Oldest::default();
        let mut kept = BTreeMap::new();
        let mut keep = |found: Found| {
            kept.insert((found.since, found.prefix.clone()), found);
            if kept.len() > results {
                kept.pop_last();
                oldest.has_more = true;
            }
        };
        self.own().filter(|own| is_meant(own.holder.profile())).into_iter().for_each(&mut keep);
        for (looked, case) in self.business.cases().enumerate() {
            if looked >= scan {
                oldest.is_cut = true;
                break;
            }
            let enterprise = self.business.enterprise(case.enterprise);
            if enterprise.is_some_and(|enterprise| is_meant(&enterprise.profile)) {
                self.of_case(case).into_iter().for_each(&mut keep);
            }
        }
        oldest.found = kept.into_values().collect();
        oldest
    }

    fn own(&self) -> Option<Found> {
        if self.own_prefix.is_empty() {
            return None;
        }
        let record = self.business.operator()?;
        Some(Found {
            prefix: self.own_prefix.to_owned(),
            since: record.created,
            is_held: false,
            answered_by: AnsweredBy::Here,
            holder: Holder::Node(Arc::clone(record)),
        })
    }

    fn of_case(&self, case: &PrefixCase) -> Option<Found> {
        let is_held = match case.state {
            CaseState::Active => false,
            CaseState::Suspended => true,
            _ => return None,
        };
        Some(Found {
            prefix: String::from_utf8_lossy(&case.prefix).into_owned(),
            since: case.last(StepKind::Confirm)?.time,
            is_held,
            answered_by: match case.placement {
                Placement::Here => AnsweredBy::Here,
                Placement::Sites(_) => AnsweredBy::OwnSite,
                Placement::Nowhere => AnsweredBy::Nobody,
            },
            holder: Holder::Enterprise(Arc::clone(self.business.enterprise(case.enterprise)?)),
        })
    }
}

/// A name as it is compared: without blanks around it, ASCII letters in one case.
pub(super) fn comparable(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// Whether an organisation has this name, in either language.
pub(super) fn has_name(profile: &Profile, comparable_name: &str) -> bool {
    [&profile.name, &profile.name_en].into_iter().any(|name| comparable(name) == comparable_name)
}

/// Whether the name of an organisation begins so, in either language.
pub(super) fn begins_with(profile: &Profile, comparable_start: &str) -> bool {
    [&profile.name, &profile.name_en].into_iter().any(|name| comparable(name).starts_with(comparable_start))
}
