//! Packing identifiers in another and taking them out, each as one command.

use std::ops::ControlFlow;

use waymark_api::registration::v1;
use waymark_catalog::access::{Rights, Verb, prefix_of};
use waymark_catalog::config::AGGREGATED;
use waymark_catalog::link::{LinkCommand, Relation};
use waymark_catalog::{Order, Request};
use waymark_ident::Handle;

use super::links_are_fed;
use crate::config::LINKS_FED;
use crate::convert::answer::{Same, receipt};
use crate::convert::request_id;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// Packs identifiers in another.
pub(crate) async fn aggregate(
    edge: &Edge,
    caller: &Caller,
    request: v1::AggregateRequest,
) -> Result<v1::AggregationResponse, Failure> {
    let v1::AggregateRequest { parent, children, request_id } = request;
    let command = LinkCommand::Aggregate { parent: parent.into_bytes(), children: bytes_of(children) };
    let request = request_id::request(&request_id, &command.clone().into())?;
    apply(edge, caller, command, request).await
}

/// Takes identifiers out of another.
pub(crate) async fn disaggregate(
    edge: &Edge,
    caller: &Caller,
    request: v1::DisaggregateRequest,
) -> Result<v1::AggregationResponse, Failure> {
    let v1::DisaggregateRequest { parent, children, all, request_id } = request;
    if all && !children.is_empty() {
        return Err(Failure::invalid_field("children", "must be empty where `all` is set"));
    }
    let asked = LinkCommand::Disaggregate { parent: parent.clone().into_bytes(), children: bytes_of(children) };
    // What is asked for is the same in every repetition, whatever is in the parent then.
    let request = request_id::request(&request_id, &asked.clone().into())?;
    if !all {
        return apply(edge, caller, asked, request).await;
    }
    let children = packed_in(edge, caller, &parent).await?;
    let is_empty = children.is_empty();
    let command = LinkCommand::Disaggregate { parent: parent.into_bytes(), children };
    match apply(edge, caller, command, request).await {
        // Asked all the same: a repeated request that was carried out left nothing either.
        Err(failure) if is_empty && failure.reason() == Reason::InvalidAggregation => {
            Err(Failure::new(Reason::NotFound).with("what", "child"))
        }
        done => done,
    }
}

async fn apply(
    edge: &Edge,
    caller: &Caller,
    command: LinkCommand,
    request: Option<Request>,
) -> Result<v1::AggregationResponse, Failure> {
    let children = u32::try_from(command.children().len()).unwrap_or(u32::MAX);
    let done = edge.apply(caller, Order::from(command), request).await?;
    Ok(v1::AggregationResponse { receipt: Some(receipt(&done, Same::Unchanged)), children })
}

/// Everything that is packed in an identifier. The writer decides by the children themselves: one that left meanwhile makes it refuse all.
async fn packed_in(edge: &Edge, caller: &Caller, parent: &str) -> Result<Vec<Vec<u8>>, Failure> {
    if !links_are_fed(edge, LINKS_FED).await {
        return Err(Failure::new(Reason::Busy));
    }
    let (about, parent, rights) = (parent, parent.to_owned(), caller.rights.clone());
    let found = edge.reading.read(move |cold| {
        let parsed = Handle::new(parent.as_bytes());
        let parsed = parsed.map_err(|error| Failure::new(Reason::InvalidHandle).with("detail", error))?;
        let (mut children, mut permitted) = (Vec::new(), true);
        let visit = &mut |relation, child: &[u8], _| {
            if relation == Relation::PackedIn {
                permitted &= may_take_out(&rights, child);
                children.push(child.to_vec());
            }
            if children.len() > AGGREGATED || !permitted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let scanned = cold.linked_to(&parsed, None, visit);
        scanned.map_err(|_| Failure::unreadable("the index of links"))?;
        Ok((children, permitted))
    });
    let (children, permitted) = found.await?;
    if !permitted {
        return Err(edge.deny(caller, Verb::Modify, about.as_bytes()));
    }
    if children.len() > AGGREGATED {
        let problem = format!("holds more than {AGGREGATED} identifiers; name them, in several calls");
        return Err(Failure::invalid_field("parent", problem));
    }
    Ok(children)
}

fn may_take_out(rights: &Rights, child: &[u8]) -> bool {
    rights.allows(Verb::Modify, &prefix_of(child))
}

fn bytes_of(children: Vec<String>) -> Vec<Vec<u8>> {
    children.into_iter().map(String::into_bytes).collect()
}
