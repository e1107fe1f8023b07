//! The command that puts an object back as it was, with its times and whoever wrote it.

use waymark_ident::{CaseRule, Handle};
use waymark_store::Serial;

use super::kind::ObjectName;
use super::object::Object;
use crate::catalog::Catalog;
use crate::import::least_home;
use crate::prefixes::{HomeName, Prefixes, key_of};

/// What is put back, or taken away again. For whoever may open the data folder alone: nothing is decided anew, since it was decided when it was first
/// so. What is there already is replaced.
#[derive(Clone, Debug)]
pub enum Restore {
    /// The object stands so from now on.
    Put(Object),
    /// There is none of that name from now on. Enterprises, cases, code packages and the node's own record never go.
    Remove(ObjectName),
}

impl Restore {
    /// Which object it is about.
    #[must_use]
    pub const fn name(&self) -> &ObjectName {
        match self {
            Self::Put(object) => object.name(),
            Self::Remove(name) => name,
        }
    }

    /// What it weighs in queue and group limits, in bytes: no less than its entry.
    pub(crate) fn weight_bytes(&self) -> usize {
        match self {
            Self::Put(object) => object.weight_bytes(),
            Self::Remove(_) => NAME_BYTES,
        }
    }
}

/// The prefixes that live here while records are put back, those of orders under way too.
#[derive(Debug)]
pub struct Homes {
    prefixes: Prefixes,
    rule: CaseRule,
}

impl Homes {
    /// Those of now.
    #[must_use]
    pub fn of(catalog: &Catalog) -> Self {
        Self { prefixes: (*catalog.prefixes()).clone(), rule: catalog.case_rule() }
    }

    /// Notes that a prefix is about to live here; `false` where it does already.
    pub fn add(&mut self, name: &HomeName) -> bool {
        let is_new = self.prefixes.homed_at(name).is_none();
        self.prefixes.insert(name.clone(), Serial::NONE);
        is_new
    }

    /// Notes that a prefix is about to live here no more.
    pub fn remove(&mut self, name: &HomeName) {
        self.prefixes.remove(name);
    }

    /// What has to live here so that a record can be put back; `None` where it can already.
    #[must_use]
    pub fn missing_for(&self, handle: &Handle<'_>) -> Option<HomeName> {
        let key = key_of(handle, self.rule);
        if self.prefixes.serves(&key) { None } else { least_home(&key) }
    }
}

/// What a name takes in a key, generously.
const NAME_BYTES: usize = 512;
