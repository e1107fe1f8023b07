//! Names that live elsewhere: for whom they are resolved, and what this node itself delegated.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use waymark_catalog::{Catalog, ColdReader, Lookup, Reader, Stored};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_recursive_cache::knowledge::{Scope, Service};
use waymark_recursive_cache::plan;
use waymark_recursive_cache::recursor::{Delegations, Recursor};
use waymark_wire::types::{Site, is_prefix_delegation_type, is_service_type};

use crate::answer::foreign;
use crate::answer::understand::{Understood, understand};
use crate::policy::SourceLists;
use crate::question::OwnedQuestion;
use crate::settings::Settings;

/// Recursion, as this node offers it.
#[derive(Debug)]
pub struct Recursion {
    /// What resolves.
    pub recursor: Arc<Recursor>,
    /// The sources it resolves for, as the allowed of these lists. All others are told what is told without recursion.
    pub sources: SourceLists,
}

impl Recursion {
    /// Whether names are resolved for this source.
    #[must_use]
    pub fn serves(&self, source: IpAddr) -> bool {
        self.sources.allows(source)
    }
}

/// What a question asks of the plan. `None` for what is no resolution.
pub(crate) fn to_plan(question: &OwnedQuestion, settings: &Settings) -> Option<plan::Asked> {
    match understand(&question.request, &question.origin, settings) {
        Understood::Resolve(asked, handle, body) => Some(foreign::to_plan(&asked, &handle, &body)),
        Understood::Drop(_) | Understood::Reply(..) => None,
    }
}

/// What the records of this node's own prefixes say of where others live: those it delegated are asked without asking above first.
#[derive(Debug)]
pub struct OwnDelegations {
    /// Data of our own sites: they are no other service.
    own_sites: Vec<Box<[u8]>>,
    data: Mutex<(Reader, ColdReader)>,
}

impl OwnDelegations {
    /// Over this data. `own_sites` are the data of this node's own HS_SITE values.
    #[must_use]
    pub fn new(catalog: &Catalog, own_sites: Vec<Box<[u8]>>) -> Self {
        Self { own_sites, data: Mutex::new((catalog.reader(), catalog.cold())) }
    }

    fn service_of(&self, record: &Stored<'_>, scope: Scope) -> Option<Service> {
        let fits = match scope {
            Scope::Handles => is_service_type,
            Scope::DerivedPrefixes => is_prefix_delegation_type,
        };
        let values = record.values().ok()?;
        let is_site = |data: &[u8]| Site::parse(data).is_ok() && self.own_sites.iter().all(|own| **own != *data);
        let sites: Box<[Box<[u8]>]> = values
            .iter()
            .filter(|value| fits(value.kind) && value.permissions.is_public_read() && is_site(value.data))
            .map(|value| value.data.into())
            .collect();
        (!sites.is_empty()).then_some(Service { sites })
    }
}

impl Delegations for OwnDelegations {
    fn service(&self, prefix: &[u8], scope: Scope) -> Option<Arc<Service>> {
        let handle = Handle::new(prefix).ok().filter(Handle::is_bare)?;
        let mut data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let (reader, cold) = &mut *data;
        let fetched;
        let view = reader.pin();
        if !view.serves(&handle) {
            return None;
        }
        let mut room = [0; MAX_KEY_BYTES];
        let stored = match view.find_one(view.key(&handle, &mut room)) {
            Lookup::Absent => return None,
            Lookup::Record(stored) => stored,
            Lookup::Cold => {
                fetched = cold.fetch(&handle).ok()??;
                fetched.stored().ok()?
            }
        };
        Some(stored)
            .filter(|stored| !stored.is_withdrawn())
            .and_then(|stored| self.service_of(&stored, scope))
            .map(Arc::new)
    }
}
