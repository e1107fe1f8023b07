//! Deposits of a node that runs: made in a folder of its own, sent file by file to the operator who asked, and taken away again.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use waymark_api::operator::v1::{self, make_deposit_response::Told};
use waymark_catalog::{Catalog, machine_time};
use waymark_registration::deposits::{self, Deposits};
use waymark_top_sync::deposit::{
    self, Courier, Delivery, Extension, Extent, Made, MakeError, Table, Wanted,
    config::{GROUP_BYTES, PART_BYTES},
    keys, parse_date,
};
use waymark_wire::crypto::{PrivateKey, PublicKey};

use crate::{
    cli::deposit::{key_problem, make_problem},
    config::Config,
    daemon::chain,
    deposit_courier::{self, DepositKeeper, Workbench},
    problem::{Exit, Problem},
};

/// Folder of the data folder deposits are made in. Nothing in it outlives a call.
const FOLDER: &str = "deposit.making";

/// Bytes of a file sent at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks on their way to somebody slow.
const CHUNKS: usize = 4;

/// Makes deposits with the keys of the configuration.
struct Maker {
    catalog: Catalog,
    data: PathBuf,
    platform: PublicKey,
    own: PrivateKey,
    /// One is made at a time: they share the folder and the table.
    turn: Arc<Mutex<()>>,
    /// Who brings deposits to the platform, where the node does.
    courier: Option<Arc<Courier>>,
}

/// What operators ask of deposits, and who brings them to the platform.
pub(crate) type Started = (Option<Arc<dyn Deposits>>, Option<DepositKeeper>);

/// The deposits of a node, where it has the keys for them.
///
/// # Errors
/// A key file that is named cannot be used, or what is said of the platform.
pub(crate) fn start(config: &Config, data: &Path, catalog: &Catalog) -> Result<Started, Problem> {
    let paths = (config.path("deposit.platform_key"), config.path("deposit.node_key"));
    let (Some(platform), Some(own)) = paths else { return Ok((None, None)) };
    let platform = keys::read_public(&platform).map_err(|cause| key_problem(&cause))?;
    let own = keys::read_private(&own).map_err(|cause| key_problem(&cause))?;
    let turn = Arc::new(Mutex::new(()));
    let workbench = Workbench { platform: platform.clone(), own: own.clone(), turn: Arc::clone(&turn) };
    let keeper = DepositKeeper::start(config, data, catalog, workbench)?;
    let courier = keeper.as_ref().map(|keeper| Arc::clone(keeper.courier()));
    let maker = Maker { catalog: catalog.clone(), data: data.to_owned(), platform, own, turn, courier };
    Ok((Some(Arc::new(Asked(Arc::new(maker)))), keeper))
}

/// What the service asks.
struct Asked(Arc<Maker>);

impl Deposits for Asked {
    fn make(&self, request: v1::MakeDepositRequest) -> deposits::Told {
        let (sender, told): (Sender<v1::MakeDepositResponse>, Receiver<_>) = channel(CHUNKS);
        let maker = Arc::clone(&self.0);
        // Ends by itself when nobody listens any more.
        drop(tokio::task::spawn_blocking(move || maker.answer(&request, &sender)));
        Box::pin(ReceiverStream::new(told))
    }

    fn status(&self) -> Option<Result<v1::DepositStatus, String>> {
        self.0.courier.as_deref().map(deposit_courier::status)
    }

    fn send(&self, request: &v1::SendDepositRequest) -> Option<v1::SendDepositResponse> {
        self.0.courier.as_deref().map(|courier| deposit_courier::send(courier, request))
    }
}

impl Maker {
    fn answer(&self, request: &v1::MakeDepositRequest, sender: &Sender<v1::MakeDepositResponse>) {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.data.join(FOLDER);
        let outcome = self.make(request, &folder).and_then(|made| {
            let sent = send_all(&folder, &made, sender);
            sent.map_err(|cause| Problem::new("deposit-not-made", Exit::Unavailable).with("cause", cause))
        });
        if let Err(problem) = outcome {
            tracing::warn!(%problem, "deposit not made");
            let values = problem.values().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let failed = v1::DepositFailed { code: problem.code().to_owned(), values };
            // Whoever asked may be gone.
            let _ = send(sender, Told::Failed(failed));
        }
        let _ = fs::remove_dir_all(&folder);
        drop(turn);
    }

    fn make(&self, request: &v1::MakeDepositRequest, folder: &Path) -> Result<Made, Problem> {
        let date = Some(request.date.as_str()).filter(|date| !date.is_empty());
        let unread = |date: &str| Problem::new("deposit-date", Exit::Usage).with("date", date);
        let date = date.map(|date| parse_date(date).ok_or_else(|| unread(date))).transpose()?;
        let extent = match request.extent() {
            v1::DepositExtent::Unspecified => None,
            v1::DepositExtent::Full => Some(Extent::Full),
            v1::DepositExtent::Diff => Some(Extent::Diff),
        };
        let failed = |cause: MakeError| make_problem(&cause);
        let emptied = fs::remove_dir_all(folder).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        });
        emptied.and_then(|()| fs::create_dir(folder)).map_err(|cause| failed(cause.into()))?;
        let part_bytes = if request.part_bytes == 0 { PART_BYTES.default } else { request.part_bytes };
        let wanted = Wanted {
            prefix: &request.prefix,
            extent,
            date,
            folder,
            platform: &self.platform,
            own: &self.own,
            part_bytes,
            group_bytes: GROUP_BYTES.default,
            delivery: Delivery::Hand,
            halt: None,
        };
        let mut table = Table::open(&self.data).map_err(|cause| failed(cause.into()))?;
        deposit::make(&self.catalog, &mut table, &wanted, machine_time()).map_err(failed)
    }
}

/// Tells what was made, then sends every file; the report last. Takes each away when it was sent.
fn send_all(folder: &Path, made: &Made, sender: &Sender<v1::MakeDepositResponse>) -> Result<(), String> {
    send(sender, Told::Made(told(made)))?;
    let parts = made.parts.iter().flat_map(|part| {
        let name = &part.name;
        [name.clone(), name.of_part(name.part, Extension::Signature)]
    });
    let report = [made.report.of_part(1, Extension::ReportSignature), made.report.clone()];
    for name in parts.chain(report) {
        let path = folder.join(name.to_string());
        let read = |cause: io::Error| chain(&cause);
        let mut file = File::open(&path).map_err(read)?;
        let bytes = file.metadata().map_err(read)?.len();
        send(sender, Told::File(v1::DepositFile { name: name.to_string(), bytes }))?;
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let length = file.read(&mut chunk).map_err(read)?;
            if length == 0 {
                break;
            }
            chunk.truncate(length);
            send(sender, Told::Bytes(chunk))?;
        }
        fs::remove_file(&path).map_err(read)?;
    }
    Ok(())
}

fn send(sender: &Sender<v1::MakeDepositResponse>, told: Told) -> Result<(), String> {
    let response = v1::MakeDepositResponse { told: Some(told) };
    sender.blocking_send(response).map_err(|_| "whoever asked is gone".to_owned())
}

fn told(made: &Made) -> v1::DepositMade {
    let (head, counts) = (&made.head, &made.counts);
    let extent = match head.extent {
        Extent::Full => v1::DepositExtent::Full,
        Extent::Diff => v1::DepositExtent::Diff,
    };
    v1::DepositMade {
        id: head.id.to_string(),
        previous: head.previous.map(|id| id.to_string()).unwrap_or_default(),
        prefix: head.prefix.clone(),
        extent: extent.into(),
        date: head.date.to_string(),
        resend: head.resend,
        since: head.since,
        serial: head.serial,
        identifiers: counts.identifiers,
        values: counts.values,
        objects: counts.objects(),
        deletions: counts.deletions(),
        parts: u32::try_from(made.parts.len()).unwrap_or(u32::MAX),
        bytes: made.parts.iter().map(|part| part.bytes).sum(),
    }
}
