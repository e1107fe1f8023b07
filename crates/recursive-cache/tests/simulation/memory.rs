//! Knowledge as hash maps with expiry: the simplest thing that keeps what a plan learned.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use waymark_recursive_cache::knowledge::{Fact, Knowledge, Learned, Now, Scope, Service, What};

/// A prefix and what of it.
type Place = (Box<[u8]>, Scope);

/// Something, until when it may be used, and whether it was certified.
type Kept<T> = (T, Duration, bool);

#[derive(Default, Debug)]
pub struct Memory {
    facts: HashMap<Box<[u8]>, Kept<Arc<Fact>>>,
    services: HashMap<Place, Kept<Arc<Service>>>,
    absent_prefixes: HashMap<Box<[u8]>, Kept<()>>,
}

/// Seconds an absence is kept: it has no time to live of its own.
const ABSENCE_SECONDS: u32 = 30;

impl Memory {
    pub fn learn(&mut self, learned: Learned, now: Now) {
        let seconds = learned.lifetime_seconds.unwrap_or(ABSENCE_SECONDS);
        let end = now.elapsed + Duration::from_secs(u64::from(seconds));
        match learned.what {
            What::Fact { key, fact } => drop(self.facts.insert(key, (fact, end, learned.certified))),
            What::Service { prefix, scope, service } => {
                self.services.insert((prefix, scope), (service, end, learned.certified));
            }
            What::AbsentPrefix { prefix } => drop(self.absent_prefixes.insert(prefix, ((), end, learned.certified))),
            What::Lame { prefix, scope } => drop(self.services.remove(&(prefix, scope))),
        }
    }

    /// Drops who is to be asked, as a full cache may.
    pub fn forget_services(&mut self) {
        self.services.clear();
    }

    /// The services known.
    pub fn services(&self) -> impl Iterator<Item = (&[u8], Scope, &Service)> {
        self.services.iter().map(|((prefix, scope), (service, _, _))| (&**prefix, *scope, &**service))
    }
}

/// What is fresh and certified if need be.
fn usable<T: Clone>(kept: Option<&Kept<T>>, certified: bool, now: Now) -> Option<T> {
    kept.filter(|(_, end, is_certified)| now.elapsed < *end && (*is_certified || !certified))
        .map(|(it, _, _)| it.clone())
}

impl Knowledge for Memory {
    fn fact(&self, key: &[u8], certified: bool, now: Now) -> Option<Arc<Fact>> {
        usable(self.facts.get(key), certified, now)
    }

    fn service(&self, prefix: &[u8], scope: Scope, certified: bool, now: Now) -> Option<Arc<Service>> {
        usable(self.services.get(&(prefix.into(), scope)), certified, now)
    }

    fn is_absent_prefix(&self, prefix: &[u8], certified: bool, now: Now) -> bool {
        usable(self.absent_prefixes.get(prefix), certified, now).is_some()
    }
}
