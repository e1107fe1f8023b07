//! What a search tells the cache.

use std::sync::Arc;

use waymark_wire::Values;

use super::Action;
use super::delegation::{Delegation, delegation};
use super::search::{Search, Wanted};
use super::walk::{Found, Served, Turn};
use crate::knowledge::{Fact, Learned, Scope, What};

/// Tells what the record found teaches, unless it was known: about itself and, being the record of a prefix, about whom to ask for the
/// handles under it and the prefixes derived from it.
pub(super) fn learn(search: &Search, found: &Found, certified: bool, turn: &mut Turn<'_>) {
    if found.from.is_none() {
        return;
    }
    let lifetime_seconds = found.lifetime_seconds;
    if search.wanted == Wanted::Whole {
        let what = What::Fact { key: search.key.clone(), fact: Arc::clone(&found.fact) };
        turn.actions.push(Action::Learn(Learned { what, certified, lifetime_seconds }));
    }
    let Some(prefix) = search.prefix_target() else { return };
    match &*found.fact {
        Fact::Absent => {
            let what = What::AbsentPrefix { prefix: prefix.into() };
            turn.actions.push(Action::Learn(Learned { what, certified, lifetime_seconds }));
        }
        Fact::NoValues => {}
        Fact::Values(record) => {
            let values = Values::from_wire(record.count, &record.wire).unwrap_or_default();
            for scope in [Scope::Handles, Scope::DerivedPrefixes] {
                if let Some((Delegation::Sites(service), seconds)) = delegation(&values, scope, turn.now) {
                    let served = Served { service, lifetime_seconds: Some(seconds) };
                    learn_service(prefix, scope, &served, certified, turn.actions);
                }
            }
        }
    }
}

/// Tells whom to ask, unless nobody can say for how long.
pub(super) fn learn_service(prefix: &[u8], scope: Scope, served: &Served, certified: bool, actions: &mut Vec<Action>) {
    if served.lifetime_seconds.is_some() {
        let what = What::Service { prefix: prefix.into(), scope, service: Arc::clone(&served.service) };
        actions.push(Action::Learn(Learned { what, certified, lifetime_seconds: served.lifetime_seconds }));
    }
}
