//! Making a deposit, while the node goes on registering.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use waymark_catalog::business::{BusinessCommand, OperatorCommand, Owner};
use waymark_catalog::moment::{Gone, Item, Kind, Moment, MomentError, Object};
use waymark_catalog::vault::VaultError;
use waymark_catalog::{Actor, Catalog, FollowError, Order, Submission, SubmitError, Timestamp, WriteError};
use waymark_ident::Date;
use waymark_wire::crypto::{PrivateKey, PublicKey};

use super::config::{GROUP_BYTES, PART_BYTES};
use super::head::{Counts, DepositId, Head, day_of, is_sunday, watermark};
use super::name::{Extension, Extent, FileName};
use super::parts::{Part, PartsWriter, give_up, publish, sign, write_fresh};
use super::report::Report;
use super::seal::{SealError, Sealer};
use super::table::{Delivery, Local, Platform, Row, Table, TableError};
use super::write::DocumentWriter;
use super::zip;

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Of which prefix, in any case; it must live here.
    pub prefix: &'a str,
    /// Everything or what changed; `None` for everything on Sundays and where there is no deposit to go on from, and what changed otherwise.
    pub extent: Option<Extent>,
    /// The day at whose beginning, in UTC, all was so; `None` for today.
    pub date: Option<Date>,
    /// Where the files go.
    pub folder: &'a Path,
    /// The platform's key, which it is encrypted to.
    pub platform: &'a PublicKey,
    /// The node's key, which it is signed with.
    pub own: &'a PrivateKey,
    /// Bytes of a part at most, see [`PART_BYTES`].
    pub part_bytes: u64,
    /// Bytes of a group at most, see [`GROUP_BYTES`].
    pub group_bytes: u64,
    /// How it will get to the platform.
    pub delivery: Delivery,
    /// Becomes true where it is not wanted any more, because the node stops.
    pub halt: Option<&'a AtomicBool>,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// What the deposit says of itself.
    pub head: Head,
    /// How much it holds.
    pub counts: Counts,
    /// Its parts.
    pub parts: Vec<Part>,
    /// The name of its report.
    pub report: FileName,
}

/// Why no deposit was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The prefix does not live here.
    #[error("prefix {prefix} does not live here")]
    NotHomed {
        /// The prefix.
        prefix: String,
    },
    /// The prefix cannot stand in the name of a file.
    #[error("prefix {prefix} has characters that cannot stand in the name of a deposit")]
    PrefixName {
        /// The prefix.
        prefix: String,
    },
    /// The day has not begun in UTC, which is eight in the morning in Beijing.
    #[error("{date} has not begun in UTC")]
    Future {
        /// The day.
        date: Date,
    },
    /// The node was made after the beginning of the day.
    #[error("the node was made after {date} began in UTC")]
    BeforeCreation {
        /// The day.
        date: Date,
    },
    /// On Sundays everything is deposited.
    #[error("{date} is a Sunday, whose deposit is a full one")]
    DiffOnSunday {
        /// The day.
        date: Date,
    },
    /// There is no deposit the changes could be told since.
    #[error("there is no deposit before {date} that changes could be told since")]
    NoBase {
        /// The day.
        date: Date,
    },
    /// There is something sealed, and no keys of personal data to open it with.
    #[error("there are no keys of personal data to open what is sealed with")]
    NoVault,
    /// What is sealed does not open.
    #[error("what is sealed does not open")]
    Vault(#[from] VaultError),
    /// That personal data is read cannot be noted.
    #[error("it cannot be noted that personal data is read")]
    Submit(#[from] SubmitError),
    /// That personal data is read cannot be noted.
    #[error("it cannot be noted that personal data is read")]
    Write(#[from] WriteError),
    /// What there was cannot be read.
    #[error("what there was cannot be read")]
    Moment(#[from] MomentError),
    /// The serial of a watermark cannot be found.
    #[error("the serial of a watermark cannot be found")]
    Follow(#[from] FollowError),
    /// A key is none of SM2.
    #[error(transparent)]
    Key(#[from] SealError),
    /// The table of deposits cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The files cannot be written.
    #[error("the deposit cannot be written")]
    Io(#[from] io::Error),
}

/// Makes a deposit, and notes it in the table. Its files have their names only when all of it is on the disk.
///
/// # Errors
/// See [`MakeError`]; the table says that it failed, once it had begun.
pub fn make(catalog: &Catalog, table: &mut Table, wanted: &Wanted<'_>, now: Timestamp) -> Result<Made, MakeError> {
    let plan = Plan::of(catalog, table, wanted, now)?;
    table.begin(Row {
        prefix: plan.head.prefix.clone(),
        date: plan.head.date,
        resend: plan.head.resend,
        extent: plan.head.extent,
        started: now.0,
        ended: None,
        local: Local::Running,
        platform: Platform::Unknown,
        remark: String::new(),
        id: plan.head.id,
        previous: plan.head.previous,
        delivery: wanted.delivery,
        sent: None,
        judged: None,
        code: None,
    })?;
    let made = plan.carry_out(catalog, wanted);
    if made.is_err() {
        give_up(wanted.folder, &plan.name);
    }
    let (local, remark) = match &made {
        Ok(_) => (Local::Success, String::new()),
        Err(error) => (Local::Fail, error.to_string()),
    };
    table.change(plan.head.id, |row| {
        (row.local, row.remark, row.ended) = (local, remark, Some(catalog.now().0.max(now.0)));
    })?;
    made
}

/// A deposit that can be made.
struct Plan {
    head: Head,
    name: FileName,
    moment: Moment,
}

impl Plan {
    fn of(catalog: &Catalog, table: &Table, wanted: &Wanted<'_>, now: Timestamp) -> Result<Self, MakeError> {
        let prefix = wanted.prefix.to_ascii_uppercase();
        if !catalog.prefixes().is_homed(prefix.as_bytes()) {
            return Err(MakeError::NotHomed { prefix });
        }
        let date = wanted.date.unwrap_or_else(|| day_of(now));
        let created = catalog.store().identity().created;
        if watermark(date) > now {
            return Err(MakeError::Future { date });
        }
        if watermark(date) < created {
            return Err(MakeError::BeforeCreation { date });
        }
        // What the writer began before the watermark ends before this is answered; from then on nothing is written with an earlier time.
        submit(catalog, Vec::new())?;
        let base = table.base(&prefix, date, wanted.delivery);
        let usual = if is_sunday(date) || base.is_none() { Extent::Full } else { Extent::Diff };
        let extent = wanted.extent.unwrap_or(usual);
        let base = match extent {
            Extent::Full => None,
            Extent::Diff if is_sunday(date) => return Err(MakeError::DiffOnSunday { date }),
            Extent::Diff => Some(base.ok_or(MakeError::NoBase { date })?),
        };
        let since = base.map(|base| catalog.serial_before(watermark(base.date))).transpose()?;
        let since = since.unwrap_or(waymark_catalog::Serial::NONE);
        let moment = catalog.moment(prefix.as_bytes(), since, catalog.serial_before(watermark(date))?)?;
        let resend = table.made(&prefix, date);
        let text = format!("{prefix}_{date}_{}_S1_R{resend}.inde", extent.as_str().to_ascii_lowercase());
        let name = text.parse().map_err(|_| MakeError::PrefixName { prefix: prefix.clone() })?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(io::Error::other)?;
        let head = Head {
            id: DepositId(id),
            previous: base.map(|base| base.id),
            extent,
            resend,
            prefix,
            date,
            created_seconds: created.0 / 1_000,
            since: since.0,
            serial: moment.serial().0,
        };
        Ok(Self { head, name, moment })
    }

    fn carry_out(&self, catalog: &Catalog, wanted: &Wanted<'_>) -> Result<Made, MakeError> {
        self.note_reading(catalog)?;
        let part_bytes = PART_BYTES.hold(wanted.part_bytes);
        let id = self.head.id.0;
        let parts = PartsWriter::new(wanted.folder, &self.name, wanted.own, id, part_bytes);
        let sealer = Sealer::new(parts, wanted.platform, id, GROUP_BYTES.hold(wanted.group_bytes))?;
        let mut counts = Counts::default();
        let sealer = zip::write(sealer, |out| {
            counts = self.write_document(catalog, &mut Halting { out, halt: wanted.halt })?;
            Ok::<_, MakeError>(())
        })?;
        let parts = sealer.finish()?.finish()?;
        let report = Report { head: self.head.clone(), counts, parts };
        let bytes = report.to_xml()?;
        let name = self.name.of_part(1, Extension::Report);
        write_fresh(wanted.folder, &name, &bytes)?;
        let signature = sign(wanted.own, &super::parts::sm3_of(&bytes))?;
        let signature_name = self.name.of_part(1, Extension::ReportSignature);
        write_fresh(wanted.folder, &signature_name, signature.as_bytes())?;
        let of_part = |part: &Part| [part.name.clone(), part.name.of_part(part.name.part, Extension::Signature)];
        let names = report.parts.iter().flat_map(of_part).chain([signature_name, name.clone()]);
        publish(wanted.folder, &names.collect::<Vec<_>>())?;
        Ok(Made { head: report.head, counts, parts: report.parts, report: name })
    }

    /// Notes in the audit whose personal data is about to be read. Who was forgotten meanwhile has none.
    fn note_reading(&self, catalog: &Catalog) -> Result<(), MakeError> {
        let mut orders: Vec<Order> = Vec::new();
        let purpose = format!("deposit of {} for {}", self.head.prefix, self.head.date);
        let mut failed = None;
        for kind in [Kind::Operator, Kind::Enterprise] {
            self.moment.objects(kind, &mut |item| {
                if let Item::Object(object) = item
                    && object.sealed().is_some()
                {
                    let purpose = purpose.clone();
                    orders.push(match object.name().owner() {
                        Some(Owner::Enterprise(id)) => BusinessCommand::Disclose { id, purpose }.into(),
                        _ => OperatorCommand::Disclose { purpose }.into(),
                    });
                }
                if orders.len() >= NOTED_TOGETHER {
                    failed = submit(catalog, std::mem::take(&mut orders)).err();
                }
                if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        failed.map_or(Ok(()), Err)?;
        if orders.is_empty() { Ok(()) } else { submit(catalog, orders) }
    }

    fn write_document(&self, catalog: &Catalog, out: &mut dyn Write) -> Result<Counts, MakeError> {
        let mut document = DocumentWriter::begin(out, &self.head)?;
        let mut failed: Option<MakeError> = None;
        let mut note = |outcome: Result<(), MakeError>| match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        };
        self.moment.gone(&mut |gone: Gone<'_>| note(document.delete(gone).map_err(MakeError::Io)))?;
        document.contents()?;
        let (before, behind): (Vec<Kind>, Vec<Kind>) =
            Kind::ALL.into_iter().partition(|kind| !kind.is_behind_records());
        let mut objects = |document: &mut DocumentWriter<_>, kinds: &[Kind]| {
            kinds.iter().try_for_each(|kind| {
                self.moment.objects(*kind, &mut |item| match item {
                    Item::Object(object) => note(put_object(catalog, document, object)),
                    Item::Record(_) => ControlFlow::Continue(()),
                })
            })
        };
        objects(&mut document, &before)?;
        let mut refused = None;
        self.moment.records(&mut |item| match item {
            Item::Record(stored) => match document.record(&stored) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    refused = Some(error);
                    ControlFlow::Break(())
                }
            },
            Item::Object(_) => ControlFlow::Continue(()),
        })?;
        refused.map_or(Ok(()), Err)?;
        objects(&mut document, &behind)?;
        failed.map_or(Ok(()), Err)?;
        Ok(document.finish()?.1)
    }
}

/// Writes until it is told to stop.
struct Halting<'a> {
    out: &'a mut dyn Write,
    halt: Option<&'a AtomicBool>,
}

impl Write for Halting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.halt.is_some_and(|halt| halt.load(Ordering::Relaxed)) {
            return Err(io::Error::other("the node stops"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes an object, what is sealed of it opened. A file that cannot be opened any more was forgotten, and is left out.
fn put_object<W: Write>(catalog: &Catalog, document: &mut DocumentWriter<W>, object: &Object) -> Result<(), MakeError> {
    let Some(sealed) = object.sealed() else { return Ok(document.object(object, None)?) };
    let opened = catalog.vault().ok_or(MakeError::NoVault)?.unseal_bytes(sealed)?;
    if opened.is_none() && object.name().kind() == Kind::File {
        return Ok(());
    }
    Ok(document.object(object, opened.as_ref().map(|bytes| bytes.as_slice()))?)
}

/// Has the writer note that personal data is read. What is refused has nothing to be read.
fn submit(catalog: &Catalog, orders: Vec<Order>) -> Result<(), MakeError> {
    catalog.writer().submit_when_room(Submission::new(&Actor::node(), orders))?.wait()?;
    Ok(())
}

/// Readings noted in one submission.
const NOTED_TOGETHER: usize = 200;
