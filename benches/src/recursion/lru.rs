//! The ideal least-recently-used cache: exact, by bytes, one list for everything.

use std::collections::HashMap;

/// It.
#[derive(Debug)]
pub struct Lru {
    budget: u64,
    used: u64,
    places: HashMap<u64, usize>,
    nodes: Vec<Node>,
    free: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    key: u64,
    weight: u64,
    before: usize,
    behind: usize,
}

/// The node that stands between the end and the beginning.
const ANCHOR: usize = 0;

impl Lru {
    /// An empty one for so many bytes.
    pub fn new(budget: u64) -> Self {
        let anchor = Node { key: 0, weight: 0, before: ANCHOR, behind: ANCHOR };
        Self { budget, used: 0, places: HashMap::new(), nodes: vec![anchor], free: Vec::new() }
    }

    /// Whether it is there; then it is the newest.
    pub fn find(&mut self, key: u64) -> bool {
        let Some(place) = self.places.get(&key).copied() else { return false };
        self.unlink(place);
        self.link(place);
        true
    }

    /// Puts in what is not there, and lets go of the oldest until it fits.
    pub fn insert(&mut self, key: u64, weight: u64) {
        let node = Node { key, weight, before: ANCHOR, behind: ANCHOR };
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(old) = self.nodes.get_mut(place) {
                    *old = node;
                }
                place
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        self.places.insert(key, place);
        self.link(place);
        self.used += weight;
        while self.used > self.budget {
            let oldest = self.node(ANCHOR).before;
            if oldest == ANCHOR {
                return;
            }
            let gone = self.node(oldest);
            self.unlink(oldest);
            self.places.remove(&gone.key);
            self.used -= gone.weight;
            self.free.push(oldest);
        }
    }

    fn node(&self, place: usize) -> Node {
        self.nodes.get(place).copied().unwrap_or(Node { key: 0, weight: 0, before: ANCHOR, behind: ANCHOR })
    }

    fn change(&mut self, place: usize, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(place) {
            change(node);
        }
    }

    fn unlink(&mut self, place: usize) {
        let Node { before, behind, .. } = self.node(place);
        self.change(before, |node| node.behind = behind);
        self.change(behind, |node| node.before = before);
    }

    /// Makes it the newest.
    fn link(&mut self, place: usize) {
        let first = self.node(ANCHOR).behind;
        self.change(place, |node| (node.before, node.behind) = (ANCHOR, first));
        self.change(ANCHOR, |node| node.behind = place);
        self.change(first, |node| node.before = place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first_and_what_was_asked_for_is_new() {
        let mut lru = Lru::new(30);
        for key in [1, 2, 3] {
            lru.insert(key, 10);
        }
        assert!(lru.find(1));
        lru.insert(4, 10);
        assert!(!lru.find(2) && lru.find(3) && lru.find(1) && lru.find(4));
        lru.insert(5, 25);
        assert!(lru.find(5) && [1, 3, 4].into_iter().all(|key| !lru.find(key)));
    }
}
