//! Code packages, for every door: ordering, showing, giving out.

mod lines;

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_stream::wrappers::ReceiverStream;
use waymark_api::registration::v1::{self, code_lines::Part};
use waymark_catalog::access::Verb;
use waymark_catalog::range::{Layer, PieceKind, Range, RangeCommand, RangeName};
use waymark_catalog::{Order, Receipt};

use self::lines::{Layout, Lines};
use crate::convert::answer::{Same, receipt};
use crate::convert::page::{Question, size};
use crate::convert::{Faults, package, request_id};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// Pieces of lines made ahead of the receiver.
const PIECES_AHEAD: usize = 4;

/// Carries a command out and shows the package it is about.
pub(crate) async fn change(
    edge: &Edge,
    caller: &Caller,
    command: RangeCommand,
    request: &str,
) -> Result<v1::PackageResponse, Failure> {
    let name = name_of(&command);
    let done = apply(edge, caller, command, request).await?;
    let ranges = edge.catalog.ranges();
    let range = match name {
        Some(name) => ranges.get(&name),
        // A new package is known by the entry that the receipt names.
        None => ranges.iter().find(|range| range.serial == done.serial),
    };
    let package = match range {
        Some(range) => shown(edge, vec![Arc::clone(range)], false).await?.pop(),
        None => None,
    };
    Ok(v1::PackageResponse { receipt: Some(receipt(&done, Same::Unchanged)), package })
}

/// Packages as the interface shows them.
async fn shown(edge: &Edge, ranges: Vec<Arc<Range>>, with_parts: bool) -> Result<Vec<v1::Package>, Failure> {
    let show = move |cold: &mut waymark_catalog::ColdReader| {
        let packages = ranges.iter().map(|range| {
            let own = cold.own_record_count(&range.name).map_err(|_| Failure::new(Reason::Unreadable))?;
            Ok(package::show(range, own, with_parts))
        });
        packages.collect()
    };
    edge.reading.read(show).await
}

async fn apply(edge: &Edge, caller: &Caller, command: RangeCommand, request: &str) -> Result<Receipt, Failure> {
    let order: Order = command.into();
    let request = request_id::request(request, &order)?;
    edge.apply(caller, order, request).await
}

fn name_of(command: &RangeCommand) -> Option<RangeName> {
    match command {
        RangeCommand::Bind { range, .. }
        | RangeCommand::Mark { range, .. }
        | RangeCommand::Export { range, .. }
        | RangeCommand::Lease { range, .. }
        | RangeCommand::Reconcile { range, .. } => Some(range.clone()),
        _ => None,
    }
}

/// One package, for those who may list identifiers under its prefix.
pub(crate) async fn get(edge: &Edge, caller: &Caller, request: &v1::GetPackageRequest) -> Result<v1::Package, Failure> {
    let name = package::name(&request.name, &mut Faults::default())?;
    if !caller.rights.allows(Verb::List, name.prefix()) {
        return Err(edge.deny(caller, Verb::List, request.name.as_bytes()));
    }
    let not_found = || Failure::new(Reason::NotFound).with("what", "package");
    let range = edge.catalog.ranges().get(&name).cloned().ok_or_else(not_found)?;
    shown(edge, vec![range], request.with_parts).await?.pop().ok_or_else(not_found)
}

/// Packages in order of prefix and number.
pub(crate) async fn list(
    edge: &Edge,
    caller: &Caller,
    request: &v1::ListPackagesRequest,
) -> Result<v1::ListPackagesResponse, Failure> {
    let prefix = request.prefix.to_ascii_uppercase().into_bytes();
    let allowed =
        if prefix.is_empty() { caller.rights.has(Verb::List) } else { caller.rights.allows(Verb::List, &prefix) };
    if !allowed {
        return Err(edge.deny(caller, Verb::List, &prefix));
    }
    let question = Question::of(&[b"packages", &prefix]);
    let after = String::from_utf8_lossy(&question.cursor(&request.page_token)?).parse::<RangeName>().ok();
    let ranges = edge.catalog.ranges();
    let wanted = |range: &&Arc<Range>| {
        (prefix.is_empty() || range.name.prefix() == prefix)
            && caller.rights.covers(range.name.prefix())
            && after.as_ref().is_none_or(|after| range.name > *after)
    };
    let most = size(request.page_size);
    let mut page: Vec<Arc<Range>> = ranges.iter().filter(wanted).take(most + 1).cloned().collect();
    let more = page.len() > most;
    page.truncate(most);
    let last = page.last().filter(|_| more);
    Ok(v1::ListPackagesResponse {
        next_page_token: last.map_or_else(String::new, |last| question.token(last.name.to_string().as_bytes())),
        packages: shown(edge, page, false).await?,
    })
}

/// Codes on their way out.
pub(crate) type GivenOut = BoxStream<'static, Result<v1::CodeLines, Failure>>;

/// Gives codes out for printing.
pub(crate) async fn export(edge: &Edge, caller: &Caller, request: v1::ExportCodesRequest) -> Result<GivenOut, Failure> {
    let layout = Layout::new(&request.payload, request.format())?;
    let command = package::export(&request)?;
    give_out(edge, caller, command, &request.request_id, layout, Layer::Exported).await
}

/// Gives codes to a printing station.
pub(crate) async fn lease(edge: &Edge, caller: &Caller, request: v1::LeaseCodesRequest) -> Result<GivenOut, Failure> {
    let layout = Layout::new(&request.payload, request.format())?;
    let command = package::lease(&request)?;
    give_out(edge, caller, command, &request.request_id, layout, Layer::Leased).await
}

/// Carries the command out, then sends the codes of the piece it made. What is sent rests on an entry that is durable: a list cut short is sent again
/// to whoever repeats the request.
async fn give_out(
    edge: &Edge,
    caller: &Caller,
    command: RangeCommand,
    request: &str,
    layout: Layout,
    layer: Layer,
) -> Result<GivenOut, Failure> {
    let name = name_of(&command);
    let done = apply(edge, caller, command, request).await?;
    let ranges = edge.catalog.ranges();
    let range = name.and_then(|name| ranges.get(&name).cloned());
    let range = range.ok_or_else(|| Failure::new(Reason::NotFound).with("what", "package"))?;
    // What was repeated may have been changed since: given out again, reported on.
    let piece = range.pieces.all(layer).find(|piece| piece.serial == done.serial);
    let gone = || Failure::new(Reason::NotFound).with("what", "export or lease of that request");
    let piece = piece.cloned().ok_or_else(gone)?;
    let roll_codes = match piece.kind {
        PieceKind::Exported { roll_codes, .. } => roll_codes,
        _ => piece.span.count(),
    };
    let header = package::header(receipt(&done, Same::Unchanged), &range, piece.span, roll_codes);
    let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
    let lines = Lines::new(range, layout, piece.span, roll_codes);
    spawn_blocking(move || {
        for piece in lines {
            if sender.blocking_send(Ok(piece)).is_err() {
                // Nobody takes them any more.
                return;
            }
        }
    });
    let header = stream::once(async { Ok(v1::CodeLines { part: Some(Part::Header(header)) }) });
    Ok(header.chain(ReceiverStream::new(pieces)).boxed())
}
