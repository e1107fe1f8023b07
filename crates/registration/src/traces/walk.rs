//! A walk along links, nearest identifiers first, within limits. Pure: where links lead is asked of a [`Lead`].

use std::collections::HashMap;

use waymark_catalog::link::Relation;

use super::ways::Found;
use crate::failure::Failure;

/// How far a walk goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Links between the first identifier and the last.
    pub(super) depth: usize,
    /// Identifiers.
    pub(super) nodes: usize,
    /// Links followed of one identifier.
    pub(super) children: usize,
    /// Bytes of names and reasons.
    pub(super) bytes: usize,
}

/// An identifier met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) found: Found,
    /// Place of the one it was found from.
    pub(super) from: usize,
    /// Of the link it was found by; none for the first.
    pub(super) relation: Option<Relation>,
    pub(super) depth: usize,
    /// It was met before.
    pub(super) again: Option<Again>,
    /// Why not all of its links were followed.
    pub(super) more: Option<More>,
    /// The last of its links that was followed; empty for none.
    pub(super) next: Vec<u8>,
    /// Some of its links are not for the caller.
    pub(super) withheld: bool,
}

/// How an identifier was met before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// On another way.
    Shown,
    /// On the way to it.
    Cycle,
}

/// Why links were not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    Depth,
    Nodes,
    Children,
}

/// A link followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) relation: Relation,
    /// Where it leads.
    pub(super) found: Found,
    /// Its place among the links of where it begins.
    pub(super) place: Vec<u8>,
}

/// Some links of one identifier.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) steps: Vec<Step>,
    /// There are others behind them, or may be.
    pub(super) more: bool,
    /// As much was looked at as may be, so that it is not known what else there is.
    pub(super) is_exhausted: bool,
    /// Some are not for the caller.
    pub(super) withheld: bool,
}

/// Says where links lead.
pub(super) trait Lead {
    /// At most `most` links of an identifier, behind a place.
    fn page(&mut self, of: &Found, after: &[u8], most: usize) -> Result<Page, Failure>;
}

/// What a node takes beside its texts, generously.
const NODE_BYTES: usize = 96;

/// Walks from `start`, whose links are followed from behind the place `after`.
pub(super) fn walk(start: Found, after: Vec<u8>, limits: &Limits, lead: &mut impl Lead) -> Result<Vec<Node>, Failure> {
    let mut walk = Walk { nodes: Vec::new(), known: HashMap::new(), bytes: limits.bytes };
    walk.push(start, 0, None);
    let mut at = 0;
    while let Some(node) = walk.nodes.get(at) {
        if node.again.is_none() {
            let (found, depth) = (node.found.clone(), node.depth);
            let after = if at == 0 { &after[..] } else { &[] };
            walk.follow(at, &found, depth, after, limits, lead)?;
        }
        at += 1;
    }
    Ok(walk.nodes)
}

struct Walk {
    nodes: Vec<Node>,
    /// Where each identifier stands first, by key.
    known: HashMap<Vec<u8>, usize>,
    bytes: usize,
}

impl Walk {
    fn follow(
        &mut self,
        at: usize,
        found: &Found,
        depth: usize,
        after: &[u8],
        limits: &Limits,
        lead: &mut impl Lead,
    ) -> Result<(), Failure> {
        let room = if self.bytes == 0 { 0 } else { limits.nodes.saturating_sub(self.nodes.len()) };
        let (most, why) = match () {
            () if depth >= limits.depth => (0, More::Depth),
            () if room < limits.children => (room, More::Nodes),
            () => (limits.children, More::Children),
        };
        let Page { steps, more, is_exhausted, withheld } = lead.page(found, after, most)?;
        let mut ended = more.then_some(if is_exhausted { More::Nodes } else { why });
        let mut next = after.to_vec();
        for Step { relation, found, place } in steps {
            if self.bytes == 0 {
                ended = Some(More::Nodes);
                break;
            }
            self.push(found, at, Some(relation));
            next = place;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.more = ended;
            node.next = if ended.is_some() { next } else { Vec::new() };
            node.withheld = withheld;
        }
        Ok(())
    }

    fn push(&mut self, found: Found, from: usize, relation: Option<Relation>) {
        let at = self.nodes.len();
        let again = match self.known.get(&found.key) {
            None => {
                self.known.insert(found.key.clone(), at);
                None
            }
            Some(first) if self.is_on_way(*first, from) => Some(Again::Cycle),
            Some(_) => Some(Again::Shown),
        };
        let depth = match (relation, self.nodes.get(from)) {
            (Some(_), Some(before)) => before.depth + 1,
            _ => 0,
        };
        self.bytes = self.bytes.saturating_sub(found.handle.len() + found.reason.len() + NODE_BYTES);
        let (more, next, withheld) = (None, Vec::new(), false);
        self.nodes.push(Node { found, from, relation, depth, again, more, next, withheld });
    }

    /// Whether the way to the node at `from` goes over the one at `place`, or ends there.
    fn is_on_way(&self, place: usize, from: usize) -> bool {
        let mut at = from;
        loop {
            if at == place {
                return true;
            }
            // The first stands before all others, each behind the one it was found from.
            match self.nodes.get(at) {
                Some(node) if node.relation.is_some() => at = node.from,
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ways::State;
    use super::*;

    /// Links by name: letters, each leading to others.
    struct Graph(Vec<(&'static str, &'static str)>);

    fn found(name: &str) -> Found {
        Found { key: name.into(), handle: name.into(), state: State::Active, reason: String::new() }
    }

    impl Lead for Graph {
        fn page(&mut self, of: &Found, after: &[u8], most: usize) -> Result<Page, Failure> {
            let all = self.0.iter().filter(|(from, to)| *from == of.handle && to.as_bytes() > after);
            let mut steps: Vec<_> = all
                .map(|(_, to)| Step { relation: Relation::PackedIn, found: found(to), place: to.as_bytes().to_vec() })
                .collect();
            let more = steps.len() > most;
            steps.truncate(most);
            Ok(Page { steps, more, ..Page::default() })
        }
    }

    const LIMITS: Limits = Limits { depth: 16, nodes: 1_000, children: 100, bytes: 1 << 20 };

    /// Each node as `depth name from`, with what else there is to say.
    fn walked(links: &[(&'static str, &'static str)], after: &str, limits: Limits) -> Vec<String> {
        let nodes = walk(found("a"), after.into(), &limits, &mut Graph(links.to_vec())).unwrap();
        let line = |node: &Node| {
            let mut line = format!("{} {} {}", node.depth, node.found.handle, nodes[node.from].found.handle);
            node.again.iter().for_each(|again| line += &format!(" {again:?}"));
            let next = String::from_utf8(node.next.clone()).unwrap();
            node.more.iter().for_each(|more| line += &format!(" {more:?}:{next}"));
            line
        };
        nodes.iter().map(line).collect()
    }

    #[test]
    fn the_nearest_come_first_and_each_once() {
        let links = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e")];
        assert_eq!(walked(&links, "", LIMITS), ["0 a a", "1 b a", "1 c a", "2 d b", "2 d c Shown", "3 e d"]);
    }

    #[test]
    fn what_goes_round_is_told_from_what_is_met_twice() {
        let links = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("c", "c")];
        assert_eq!(
            walked(&links, "", LIMITS),
            ["0 a a", "1 b a", "2 a b Cycle", "2 c b", "3 b c Cycle", "3 c c Cycle"]
        );
        assert_eq!(walked(&[("a", "a")], "", LIMITS), ["0 a a", "1 a a Cycle"]);
    }

    #[test]
    fn each_limit_is_said_where_it_holds() {
        let links = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "e"), ("e", "f")];
        let limits = Limits { depth: 2, ..LIMITS };
        assert_eq!(walked(&links, "", limits).last().unwrap(), "2 e b Depth:");
        let limits = Limits { children: 2, ..LIMITS };
        assert_eq!(walked(&links, "", limits), ["0 a a Children:c", "1 b a", "1 c a", "2 e b", "3 f e"]);
        let limits = Limits { nodes: 3, ..LIMITS };
        assert_eq!(walked(&links, "", limits), ["0 a a Nodes:c", "1 b a Nodes:", "1 c a"]);
        let limits = Limits { nodes: 4, ..LIMITS };
        assert_eq!(walked(&links, "", limits), ["0 a a", "1 b a Nodes:", "1 c a", "1 d a"]);
        let limits = Limits { bytes: 2 * (NODE_BYTES + 1), ..LIMITS };
        assert_eq!(walked(&links, "", limits), ["0 a a Nodes:b", "1 b a Nodes:"]);
    }

    #[test]
    fn a_walk_goes_on_with_the_links_behind_a_place() {
        let links = [("a", "b"), ("a", "c"), ("a", "d"), ("c", "e")];
        assert_eq!(walked(&links, "b", LIMITS), ["0 a a", "1 c a", "1 d a", "2 e c"]);
        assert_eq!(walked(&links, "b", Limits { nodes: 1, ..LIMITS }), ["0 a a Nodes:b"]);
        assert_eq!(walked(&links, "d", LIMITS), ["0 a a"]);
    }

    #[test]
    fn a_long_chain_ends_at_the_depth() {
        let names: Vec<&'static str> = (0..100).map(|n| &*Box::leak(format!("n{n:03}").into_boxed_str())).collect();
        let mut links: Vec<_> = names.windows(2).map(|pair| (pair[0], pair[1])).collect();
        links.push(("a", names[0]));
        let all = walked(&links, "", Limits { depth: 64, ..LIMITS });
        assert_eq!((all.len(), all.last().unwrap().as_str()), (65, "64 n063 n062 Depth:"));
    }
}
