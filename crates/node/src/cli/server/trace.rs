//! `waymark trace-up` and `trace-down`: links between identifiers as a tree.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use waymark_api::registration::v1;

use super::{answer, connection::Connection};
use crate::{
    cli::{
        Shown,
        present::safe,
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// How identifiers are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RelationFlag {
    /// A part of the other.
    PartOf,
    /// Made from the other.
    MadeFrom,
    /// Packed in the other.
    PackedIn,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// As links lead.
    Up,
    /// Back.
    Down,
}

/// `waymark trace-up` and `trace-down`.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[arg(value_name = "HANDLE")]
    handle: String,
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=64))]
    depth: u32,
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    children: u32,
    #[arg(long, value_enum, value_name = "RELATION")]
    relation: Vec<RelationFlag>,
    #[arg(long, value_name = "TOKEN", default_value = "")]
    page_token: String,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Follows links and shows what they lead to.
pub(crate) async fn run(arguments: &Trace, way: Direction, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let relation = |flag: &RelationFlag| match flag {
        RelationFlag::PartOf => v1::Relation::PartOf.into(),
        RelationFlag::MadeFrom => v1::Relation::MadeFrom.into(),
        RelationFlag::PackedIn => v1::Relation::PackedIn.into(),
    };
    let request = v1::TraceRequest {
        handle: arguments.handle.clone(),
        depth: arguments.depth,
        nodes: arguments.limit,
        children: arguments.children,
        page_token: arguments.page_token.clone(),
        relations: arguments.relation.iter().map(relation).collect(),
    };
    let registrar = arguments.connection.open(texts)?;
    let traced = match way {
        Direction::Up => registrar.trace_up(&request).await,
        Direction::Down => registrar.trace_down(&request).await,
    };
    let trace = traced.map_err(|error| answer::problem(&error, arguments.json))?;
    if arguments.json {
        terminal::line(trace_json(&trace));
    } else {
        tree(&trace, way, texts, shown.colours).iter().for_each(terminal::line);
        let said = [
            (trace.truncated, "trace-truncated"),
            (trace.has_cycle, "trace-has-cycle"),
            (trace.is_behind, "trace-behind"),
        ];
        said.into_iter().filter(|(so, _)| *so).for_each(|(_, code)| terminal::remark(texts.text(code, &[])));
    }
    let absent = matches!(&trace.nodes[..], [only] if only.state() == v1::TraceState::NotHere);
    Ok(if absent { Exit::Absent } else { Exit::Done })
}

/// The trace as lines, each identifier behind a branch from the one it was found from.
fn tree(trace: &v1::Trace, way: Direction, texts: &Texts, colours: bool) -> Vec<String> {
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); trace.nodes.len()];
    for (at, node) in trace.nodes.iter().enumerate().skip(1) {
        // A node stands behind the one it was found from; what a server says otherwise is not followed round.
        let from = usize::try_from(node.from).ok().filter(|from| *from < at);
        if let Some(children) = from.and_then(|from| below.get_mut(from)) {
            children.push(at);
        }
    }
    let mut lines = Vec::with_capacity(trace.nodes.len());
    // What is still to be shown, the next one last: place, what stands before its name, what stands before those below it.
    let mut left = vec![(0, String::new(), String::new())];
    while let Some((at, before, below_it)) = left.pop() {
        let (Some(node), Some(children)) = (trace.nodes.get(at), below.get(at)) else { continue };
        lines.push(format!("{before}{}", node_line(node, way, texts, colours)));
        for (number, child) in children.iter().enumerate().rev() {
            let (branch, rest) = if number + 1 == children.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            left.push((*child, format!("{below_it}{branch}"), format!("{below_it}{rest}")));
        }
    }
    lines
}

fn node_line(node: &v1::TraceNode, way: Direction, texts: &Texts, colours: bool) -> String {
    let handle = safe(&node.handle);
    let relation = answer::name_of(node.relation().as_str_name(), "RELATION_");
    let mut line = match (node.relation(), way) {
        (v1::Relation::Unspecified, _) => handle,
        (_, Direction::Up) => format!("{relation} {handle}"),
        (_, Direction::Down) => format!("{handle} {relation}"),
    };
    let state = answer::name_of(node.state().as_str_name(), "TRACE_STATE_");
    let tone = match node.state() {
        v1::TraceState::Active => Tone::Good,
        v1::TraceState::NotHere => Tone::Faint,
        _ => Tone::Bad,
    };
    let said = texts.find(&format!("trace-state-{state}"), &[]).unwrap_or(state);
    line = format!("{line}  {}", toned(&said, tone, colours));
    if !node.state_reason.is_empty() {
        line = format!("{line} ({})", safe(&node.state_reason));
    }
    let remarks = [
        match node.again() {
            v1::Again::Unspecified => None,
            v1::Again::Shown => Some("trace-again-shown"),
            v1::Again::Cycle => Some("trace-again-cycle"),
        },
        match node.more() {
            v1::More::Unspecified => None,
            v1::More::Depth => Some("trace-more-depth"),
            v1::More::Nodes => Some("trace-more-nodes"),
            v1::More::Children => Some("trace-more-children"),
        },
        node.withheld.then_some("trace-withheld"),
    ];
    for code in remarks.into_iter().flatten() {
        line = format!("{line}  [{}]", texts.text(code, &[("token", safe(&node.next_page_token).into())]));
    }
    line
}

fn trace_json(trace: &v1::Trace) -> Value {
    let nodes: Vec<Value> = trace.nodes.iter().map(node_json).collect();
    json!({
        "nodes": nodes, "truncated": trace.truncated, "has_cycle": trace.has_cycle, "as_of_serial": trace.as_of_serial,
        "is_behind": trace.is_behind,
    })
}

fn node_json(node: &v1::TraceNode) -> Value {
    let named = |name: &str, lead: &str| {
        let name = answer::name_of(name, lead);
        (name != "unspecified").then_some(name)
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "handle": node.handle, "from": node.from, "depth": node.depth,
        "relation": named(node.relation().as_str_name(), "RELATION_"),
        "state": named(node.state().as_str_name(), "TRACE_STATE_"),
        "state_reason": some(&node.state_reason),
        "again": named(node.again().as_str_name(), "AGAIN_"),
        "more": named(node.more().as_str_name(), "MORE_"),
        "next_page_token": some(&node.next_page_token),
        "withheld": node.withheld,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    fn node(handle: &str, from: u32, depth: u32) -> v1::TraceNode {
        let relation = if depth == 0 { v1::Relation::Unspecified } else { v1::Relation::PackedIn };
        let state = v1::TraceState::Active.into();
        v1::TraceNode {
            handle: handle.into(),
            from,
            depth,
            relation: relation.into(),
            state,
            ..v1::TraceNode::default()
        }
    }

    fn lines(nodes: Vec<v1::TraceNode>, way: Direction) -> Vec<String> {
        let trace = v1::Trace { nodes, ..v1::Trace::default() };
        tree(&trace, way, &Texts::new(Language::English), false)
    }

    #[test]
    fn what_was_found_from_an_identifier_stands_below_it() {
        let again = v1::TraceNode { again: v1::Again::Cycle.into(), ..node("p", 3, 3) };
        let nodes = vec![node("p", 0, 0), node("a", 0, 1), node("b", 0, 1), node("a1", 1, 2), node("b1", 2, 2), again];
        assert_eq!(
            lines(nodes, Direction::Down),
            [
                "p  active",
                "├─ a packed-in  active",
                "│  └─ a1 packed-in  active",
                "│     └─ p packed-in  active  [a cycle: it is above already]",
                "└─ b packed-in  active",
                "   └─ b1 packed-in  active",
            ]
        );
        let nodes = vec![node("a", 0, 0), node("p", 0, 1)];
        assert_eq!(lines(nodes, Direction::Up), ["a  active", "└─ packed-in p  active"]);
    }

    #[test]
    fn an_answer_that_goes_round_in_itself_ends() {
        let nodes = vec![node("a", 7, 0), node("b", 1, 1), node("c", 9, 1), node("d", 2, 1)];
        assert_eq!(lines(nodes, Direction::Up), ["a  active"]);
        assert!(lines(Vec::new(), Direction::Up).is_empty());
    }

    #[test]
    fn a_terminal_gets_no_control_characters_of_a_name() {
        let nodes = vec![node("88.1/\u{1b}[31m", 0, 0)];
        assert_eq!(lines(nodes, Direction::Up), ["88.1/\\u{1b}[31m  active"]);
    }
}
