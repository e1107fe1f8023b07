//! How many connections a door has, in all and of one source, and how much memory they may use together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::policy::Source;

/// Counts the connections of one door.
#[derive(Debug)]
pub(crate) struct Connections {
    limit: usize,
    limit_per_source: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    sources: HashMap<Source, usize>,
}

/// Why there is no room for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    Door,
    Source,
}

impl Connections {
    pub(crate) fn new(limit: usize, limit_per_source: usize) -> Arc<Self> {
        Arc::new(Self { limit, limit_per_source, open: Mutex::default() })
    }

    /// Counts a connection until the permit is dropped.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Permit, Full> {
        let source = Source::of(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.limit {
            return Err(Full::Door);
        }
        let of_source = open.sources.entry(source).or_default();
        if *of_source >= self.limit_per_source {
            return Err(Full::Source);
        }
        *of_source = of_source.saturating_add(1);
        open.all = open.all.saturating_add(1);
        Ok(Permit { connections: Arc::clone(self), source })
    }
}

/// One connection, counted while this lives.
#[derive(Debug)]
pub(crate) struct Permit {
    connections: Arc<Connections>,
    source: Source,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(of_source) = open.sources.get_mut(&self.source) {
            *of_source = of_source.saturating_sub(1);
            if *of_source == 0 {
                open.sources.remove(&self.source);
            }
        }
    }
}

/// Memory shared by the connections of a door, in bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    used: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    fn take(&self, bytes: usize) -> bool {
        let add = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }
}

/// One connection's share of a [`Memory`]; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Share {
    pub(crate) fn none(memory: &Arc<Memory>) -> Self {
        Self { memory: Arc::clone(memory), bytes: 0 }
    }

    /// Makes the share `bytes` large. `false`, and no change, when the others leave too little.
    pub(crate) fn resize(&mut self, bytes: usize) -> bool {
        let granted = match bytes.checked_sub(self.bytes) {
            Some(more) => self.memory.take(more),
            None => {
                self.memory.used.fetch_sub(self.bytes.saturating_sub(bytes), Ordering::Relaxed);
                true
            }
        };
        if granted {
            self.bytes = bytes;
        }
        granted
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_door_has_no_more_connections_than_its_limit() {
        let door = Connections::new(2, 2);
        let first = door.admit(peer("192.0.2.1")).unwrap();
        let _second = door.admit(peer("198.51.100.1")).unwrap();
        assert_eq!(door.admit(peer("203.0.113.1")).unwrap_err(), Full::Door);
        drop(first);
        assert!(door.admit(peer("203.0.113.1")).is_ok());
    }

    #[test]
    fn a_source_has_no_more_connections_than_its_share() {
        let door = Connections::new(10, 1);
        let first = door.admit(peer("192.0.2.1")).unwrap();
        assert_eq!(door.admit(peer("192.0.2.200")).unwrap_err(), Full::Source);
        assert!(door.admit(peer("192.0.3.1")).is_ok());
        drop(first);
        assert!(door.admit(peer("192.0.2.200")).is_ok());
    }

    #[test]
    fn sources_without_connections_are_forgotten() {
        let door = Connections::new(10, 1);
        drop(door.admit(peer("192.0.2.1")).unwrap());
        assert!(door.open.lock().unwrap().sources.is_empty());
    }

    #[test]
    fn memory_is_never_given_twice_and_always_comes_back() {
        let memory = Memory::new(100);
        let (mut one, mut two) = (Share::none(&memory), Share::none(&memory));
        assert!(one.resize(70));
        assert!(!two.resize(31));
        assert!(two.resize(30));
        assert!(one.resize(10));
        assert!(two.resize(90));
        drop((one, two));
        assert_eq!(memory.used.load(Ordering::Relaxed), 0);
    }
}
