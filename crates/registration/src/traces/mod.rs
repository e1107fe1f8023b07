//! Links followed, for whom the rights allow: up, the way they lead, and down, back to whoever holds them.
//!
//! A trace up reads identifiers and follows the links the caller may read in them. A trace down asks the index of links, then reads each identifier it
//! names and tells of it only when the link is there and for the caller. Names found backwards are names the caller may not have known, so they are told
//! to those only who may list them; names in readable values are told to everybody.

pub(crate) mod packing;
mod walk;
pub(crate) mod ways;

use std::time::Duration;

use tokio::time::timeout;
use waymark_api::registration::v1;
use waymark_catalog::access::Verb;
use waymark_catalog::link::Relation;
use waymark_ident::{Handle, MAX_KEY_BYTES};

use self::walk::{Again, Limits, More, Node, walk};
use self::ways::{Direction, Question as Asked, State, Ways};
use crate::config::{LINKS_FED, PAGE, PAGE_MAX, TRACE_DEPTH, TRACE_DEPTH_MAX, TRACE_NODES, TRACE_NODES_MAX};
use crate::convert::Faults;
use crate::convert::page::Question;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reading::check_handle;
use crate::reasons::Reason;

/// Follows links from one identifier.
pub(crate) async fn trace(
    edge: &Edge,
    caller: &Caller,
    request: v1::TraceRequest,
    direction: Direction,
) -> Result<v1::Trace, Failure> {
    check_handle(&request.handle)?;
    if direction == Direction::Down && !caller.rights.has(Verb::List) {
        return Err(edge.deny(caller, Verb::List, request.handle.as_bytes()));
    }
    let limits = limits(&request, edge.limits.page_bytes)?;
    let relations = relations(&request)?;
    let is_current = links_are_fed(edge, LINKS_FED).await;
    let v1::TraceRequest { handle, page_token, .. } = request;
    let asked = Asked {
        direction,
        relations,
        rights: caller.rights.clone(),
        ranges: edge.catalog.ranges(),
        rule: edge.catalog.case_rule(),
        scan: edge.limits.page_scan,
    };
    edge.reading
        .read(move |cold| {
            let start = Handle::new(handle.as_bytes())
                .map_err(|error| Failure::new(Reason::InvalidHandle).with("detail", error))?;
            let mut room = [0; MAX_KEY_BYTES];
            let key = start.to_key(asked.rule, &mut room);
            let after = question(&asked, key).cursor(&page_token)?;
            let as_of_serial = cold.links_upto().0;
            let mut ways = Ways::new(cold, &asked);
            let nodes = walk(ways.look(&start, &handle), after, &limits, &mut ways)?;
            Ok(v1::Trace {
                truncated: nodes.iter().any(|node| node.more.is_some()),
                has_cycle: nodes.iter().any(|node| node.again == Some(Again::Cycle)),
                nodes: nodes.into_iter().map(|node| shown(&asked, node)).collect(),
                as_of_serial,
                is_behind: !is_current,
            })
        })
        .await
}

/// Waits until what was visible when the call came is in the index of links; false when that takes longer than `most`.
pub(crate) async fn links_are_fed(edge: &Edge, most: Duration) -> bool {
    let serial = edge.catalog.serial();
    let mut fed = edge.catalog.fed();
    let fed = timeout(most, fed.wait_for(|fed| *fed >= serial)).await;
    matches!(fed, Ok(Ok(_)))
}

fn limits(request: &v1::TraceRequest, bytes: usize) -> Result<Limits, Failure> {
    let mut faults = Faults::default();
    let mut within = |asked: u32, field: &str, default: usize, most: usize| {
        let asked = usize::try_from(asked).unwrap_or(usize::MAX);
        if asked > most {
            faults.note(|| field.to_owned(), format!("must be at most {most}"));
        }
        if asked == 0 { default } else { asked.min(most) }
    };
    let depth = |depth: u32| usize::try_from(depth).unwrap_or(usize::MAX);
    let limits = Limits {
        depth: within(request.depth, "depth", depth(TRACE_DEPTH), depth(TRACE_DEPTH_MAX)),
        nodes: within(request.nodes, "nodes", TRACE_NODES, TRACE_NODES_MAX),
        children: within(request.children, "children", PAGE, PAGE_MAX),
        bytes,
    };
    faults.finish()?;
    Ok(limits)
}

fn relations(request: &v1::TraceRequest) -> Result<Vec<Relation>, Failure> {
    let mut relations = Vec::new();
    for relation in &request.relations {
        let relation = match v1::Relation::try_from(*relation) {
            Ok(v1::Relation::PartOf) => Relation::PartOf,
            Ok(v1::Relation::MadeFrom) => Relation::MadeFrom,
            Ok(v1::Relation::PackedIn) => Relation::PackedIn,
            Ok(v1::Relation::Unspecified) | Err(_) => {
                return Err(Failure::invalid_field("relations", "must be of part-of, made-from and packed-in"));
            }
        };
        relations.push(relation);
    }
    relations.sort_unstable();
    relations.dedup();
    Ok(if relations.is_empty() { Relation::ALL.to_vec() } else { relations })
}

/// What page tokens of the links of one identifier belong to.
fn question(asked: &Asked, key: &[u8]) -> Question {
    let direction: &[u8] = match asked.direction {
        Direction::Up => b"links up",
        Direction::Down => b"links down",
    };
    let relations: Vec<&str> = asked.relations.iter().map(|relation| relation.as_str()).collect();
    Question::of(&[direction, relations.join(" ").as_bytes(), key])
}

fn shown(asked: &Asked, node: Node) -> v1::TraceNode {
    let Node { found, from, relation, depth, again, more, next, withheld } = node;
    let next_page_token = if next.is_empty() { String::new() } else { question(asked, &found.key).token(&next) };
    v1::TraceNode {
        handle: found.handle,
        from: u32::try_from(from).unwrap_or(u32::MAX),
        relation: relation.map_or(v1::Relation::Unspecified, relation_of).into(),
        depth: u32::try_from(depth).unwrap_or(u32::MAX),
        state: match found.state {
            State::Active => v1::TraceState::Active,
            State::Suspended => v1::TraceState::Suspended,
            State::Revoked => v1::TraceState::Revoked,
            State::Recalled => v1::TraceState::Recalled,
            State::NotHere => v1::TraceState::NotHere,
            State::Unreadable => v1::TraceState::Unreadable,
        }
        .into(),
        state_reason: found.reason,
        again: match again {
            None => v1::Again::Unspecified,
            Some(Again::Shown) => v1::Again::Shown,
            Some(Again::Cycle) => v1::Again::Cycle,
        }
        .into(),
        more: match more {
            None => v1::More::Unspecified,
            Some(More::Depth) => v1::More::Depth,
            Some(More::Nodes) => v1::More::Nodes,
            Some(More::Children) => v1::More::Children,
        }
        .into(),
        next_page_token,
        withheld,
    }
}

const fn relation_of(relation: Relation) -> v1::Relation {
    match relation {
        Relation::PartOf => v1::Relation::PartOf,
        Relation::MadeFrom => v1::Relation::MadeFrom,
        Relation::PackedIn => v1::Relation::PackedIn,
    }
}
