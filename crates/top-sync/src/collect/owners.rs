//! Which prefixes are given to nodes of enterprises' own, now and at a moment before.

use waymark_catalog::Timestamp;
use waymark_catalog::business::{Business, CaseState, Placement, PrefixCase, StepKind};
use waymark_ident::parent_prefix;

/// Whether a prefix, folded, is active and answered for by a node of its enterprise's own.
#[must_use]
pub fn is_delegated(business: &Business, prefix: &str) -> bool {
    business.case(prefix.as_bytes()).is_some_and(|case| is_away(case))
}

/// Whether a case is active and its prefix is answered for elsewhere.
pub(crate) fn is_away(case: &PrefixCase) -> bool {
    case.state == CaseState::Active && matches!(case.placement, Placement::Sites(_))
}

/// Whether the owner of a prefix, folded, or of one it is derived from reported for it at a moment: then the node does not.
#[must_use]
pub fn was_reported(business: &Business, prefix: &[u8], at: Timestamp) -> bool {
    let mut next = Some(prefix);
    while let Some(prefix) = next {
        let case = business.case(prefix);
        if case.is_some_and(|case| was_active(case, at) && placed(case, at) == Some(StepKind::Delegate)) {
            return true;
        }
        next = parent_prefix(prefix);
    }
    false
}

/// Whether this node answered for the prefix of a case at a moment.
pub(crate) fn was_here(case: &PrefixCase, at: Timestamp) -> bool {
    was_active(case, at) && placed(case, at) == Some(StepKind::Host)
}

/// The step by which a prefix was where it was at a moment.
fn placed(case: &PrefixCase, at: Timestamp) -> Option<StepKind> {
    let is_placing = |kind: &StepKind| matches!(kind, StepKind::Host | StepKind::Delegate);
    let mut placings = case.steps.iter().rev().filter(|step| is_placing(&step.kind)).peekable();
    if placings.peek().is_none() {
        // Steps long ago are not kept.
        return match case.placement {
            Placement::Nowhere => None,
            Placement::Here => Some(StepKind::Host),
            Placement::Sites(_) => Some(StepKind::Delegate),
        };
    }
    placings.find(|step| step.time < at).map(|step| step.kind)
}

/// Whether a case was active at a moment, by the steps taken before.
pub(crate) fn was_active(case: &PrefixCase, at: Timestamp) -> bool {
    let mut state = CaseState::AwaitingReview;
    for step in case.steps.iter().filter(|step| step.time < at) {
        state = match step.kind {
            StepKind::Apply => CaseState::AwaitingReview,
            kind => state.after(kind).unwrap_or(state),
        };
    }
    state == CaseState::Active
}
