//! Deciding without writing: what an import would do.

use std::sync::Arc;

use waymark_store::{Store, Timestamp};

use crate::business::CodeTables;
use crate::catalog::Catalog;
use crate::command::Submission;
use crate::config::{AccessLimits, BusinessLimits, RangeLimits, RecordLimits, RequestLimits};
use crate::forming::{Forming, Marks, Terms, TooMuch};
use crate::locate::Locator;
use crate::queue::Results;
use crate::requests::Requests;
use crate::usage::Usage;

/// Decides commands as the writer would, one after the other, and writes nothing.
///
/// What a command changes is remembered for those after it until the memory of a group is used up; then it is forgotten,
/// except for homed prefixes. So a record that stands twice in a large input, far apart, passes here and is seen in the
/// import itself.
pub(super) struct DryRun {
    store: Arc<dyn Store>,
    locator: Locator,
    marks: Marks,
    forming: Forming,
    rule: waymark_ident::CaseRule,
    limits: RecordLimits,
    codes: Arc<CodeTables>,
    usage: Usage,
    /// None: imports do not come under request ids.
    requests: Requests,
    time: Timestamp,
}

impl DryRun {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let store = Arc::clone(catalog.store());
        let last = store.last();
        Self {
            locator: catalog.locator(),
            marks: Marks::new(Arc::clone(&store)),
            forming: Forming::new(last.serial, last.time, catalog.tables()),
            rule: catalog.case_rule(),
            limits: catalog.record_limits(),
            codes: catalog.codes(),
            usage: Usage::default(),
            requests: Requests::new(RequestLimits::DEFAULT),
            time: last.time,
            store,
        }
    }

    /// What the writer would answer.
    pub(super) fn decide(&mut self, submission: Submission) -> Results {
        let mut all = Results::with_capacity(submission.orders.len());
        let mut left = vec![submission];
        while let Some(mut part) = left.pop() {
            let results = self.try_decide(&part).or_else(|_| {
                self.forget();
                self.try_decide(&part)
            });
            match results {
                Ok(results) => all.extend(results),
                Err(TooMuch { fits, .. }) => {
                    left.push(part.split_off(fits));
                    left.push(part);
                }
            }
        }
        all
    }

    /// Forgets what commands changed, except prefixes, access and packages.
    fn forget(&mut self) {
        self.forming = Forming::new(self.store.last().serial, self.time, self.forming.tables());
    }

    fn try_decide(&mut self, submission: &Submission) -> Result<Results, TooMuch> {
        let terms = Terms {
            rule: self.rule,
            limits: &self.limits,
            store: self.store.as_ref(),
            // A dry run is a local command: no quota, and it changes no principals, tokens or enterprises.
            access: &AccessLimits::DEFAULT,
            business: &BusinessLimits::DEFAULT,
            codes: &self.codes,
            ranges: &RangeLimits::DEFAULT,
            usage: &self.usage,
            requests: &self.requests,
        };
        self.forming.decide(submission, terms, &mut self.locator, &mut self.marks)
    }
}
