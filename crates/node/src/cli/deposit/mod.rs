//! `waymark deposit`: what the top-level node keeps for an emergency, made, checked, restored.

mod asked;
mod sending;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use waymark_catalog::{Catalog, machine_time};
use waymark_ident::Date;
use waymark_top_sync::deposit::{
    self, Counts, Delivery, DepositId, Extent, Files, Head, Held, Local, MakeError, Platform, RestoreError, Row, Table,
    VerifyError, Wanted,
    config::{GROUP_BYTES, PART_BYTES},
    keys::{self, KeyError},
};

use super::{
    Folder, Shown,
    run::folder_config,
    server::connection::Connection,
    store::{self, data_failed, existing},
    terminal::{self, Tone, grouped, toned},
};
use crate::{
    daemon::{chain, close},
    problem::{Exit, Problem, Problems},
    restored::Restored,
    texts::Texts,
};

/// `waymark deposit …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Deposit {
    /// Make the deposit of a prefix.
    Make(Box<Make>),
    /// Check a deposit.
    Verify(Verify),
    /// Restore deposits into an empty data folder.
    Restore(Restore),
    /// Make a key pair.
    Keys(Keys),
    /// Show the deposits that were made.
    List(List),
    /// Note what the platform said of a deposit.
    Mark(Mark),
    /// Show how the deposits stand that a node brings to the platform.
    Status(sending::Status),
    /// Have deposits made and brought at once.
    Send(sending::Send),
}

/// `waymark deposit make`.
#[derive(Debug, Args)]
pub(crate) struct Make {
    #[arg(long, value_name = "PREFIX")]
    prefix: String,
    #[arg(long, conflicts_with = "diff")]
    full: bool,
    #[arg(long)]
    diff: bool,
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[arg(long, value_name = "FILE")]
    platform_key: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    node_key: Option<PathBuf>,
    #[arg(long, value_name = "N", default_value_t = PART_BYTES.default, value_parser = part_bytes())]
    part_bytes: u64,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark deposit verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[arg(long, value_name = "FILE")]
    node_key: PathBuf,
    #[arg(long, value_name = "FILE")]
    platform_key: Option<PathBuf>,
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    #[arg(long)]
    json: bool,
}

/// `waymark deposit restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[arg(long, value_name = "FILE")]
    node_key: PathBuf,
    #[arg(long, value_name = "FILE")]
    platform_key: PathBuf,
    #[command(flatten)]
    folder: Folder,
    #[arg(long)]
    json: bool,
}

/// `waymark deposit keys`.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    #[arg(long, value_name = "NAME", default_value = "deposit")]
    name: String,
}

/// `waymark deposit list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    folder: Folder,
    #[arg(long)]
    json: bool,
}

/// `waymark deposit mark`.
#[derive(Debug, Args)]
pub(crate) struct Mark {
    #[arg(value_name = "ID")]
    id: String,
    #[arg(long, required_unless_present = "rejected", conflicts_with = "rejected")]
    accepted: bool,
    #[arg(long)]
    rejected: bool,
    #[arg(long, value_name = "TEXT", default_value = "")]
    remark: String,
    #[command(flatten)]
    folder: Folder,
}

fn part_bytes() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(PART_BYTES.min..=PART_BYTES.max)
}

/// Runs a command about deposits.
pub(crate) async fn run(command: &Deposit, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Deposit::Make(arguments) if arguments.connection.is_meant_or_runs(&arguments.folder)? => {
            Ok(asked::make(arguments, texts).await?)
        }
        Deposit::Make(arguments) => make(arguments, texts).await,
        Deposit::Verify(arguments) => Ok(verify(arguments, texts, shown).await?),
        Deposit::Restore(arguments) => restore(arguments, texts).await,
        Deposit::Keys(arguments) => Ok(make_keys(arguments, texts)?),
        Deposit::List(arguments) => list(arguments, texts),
        Deposit::Mark(arguments) => mark(arguments, texts),
        Deposit::Status(arguments) => Ok(sending::status(arguments, texts, shown).await?),
        Deposit::Send(arguments) => Ok(sending::send(arguments, texts).await?),
    }
}

async fn make(arguments: &Make, texts: &Texts) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.folder)?;
    let data = existing(&config)?;
    let date = arguments.date.as_deref().map(read_date).transpose()?;
    let extent = match (arguments.full, arguments.diff) {
        (true, _) => Some(Extent::Full),
        (_, true) => Some(Extent::Diff),
        _ => None,
    };
    let key = |given: &Option<PathBuf>, option: &'static str| {
        let missing = || Problem::new("deposit-key-missing", Exit::Usage).with("option", option);
        given.clone().or_else(|| config.path(option)).ok_or_else(missing)
    };
    let platform = key(&arguments.platform_key, "deposit.platform_key")?;
    let platform = keys::read_public(&platform).map_err(|cause| key_problem(&cause))?;
    let own =
        keys::read_private(&key(&arguments.node_key, "deposit.node_key")?).map_err(|cause| key_problem(&cause))?;
    let (catalog, _) = store::open(&config, &data, store::Folder::MustExist, texts).await?;
    let (prefix, folder, bytes) = (arguments.prefix.clone(), arguments.out.clone(), arguments.part_bytes);
    let (catalog, made) = apart(&data, catalog, move |catalog, data| {
        let wanted = Wanted {
            prefix: &prefix,
            extent,
            date,
            folder: &folder,
            platform: &platform,
            own: &own,
            part_bytes: bytes,
            group_bytes: GROUP_BYTES.default,
            delivery: Delivery::Hand,
            halt: None,
        };
        deposit::make(catalog, &mut Table::open(data)?, &wanted, machine_time())
    })
    .await?;
    close(catalog).await?;
    let made = made.map_err(|cause| make_problem(&cause))?;
    let bytes = made.parts.iter().map(|part| part.bytes).sum();
    if arguments.json {
        terminal::line(told(&made.head, &made.counts, made.parts.len(), bytes));
    } else {
        terminal::line(said("deposit-made", &made.head, &made.counts, (made.parts.len(), bytes), texts));
    }
    Ok(Exit::Done)
}

/// Does something with an open catalog where waiting is allowed.
async fn apart<T: Send + 'static>(
    data: &Path,
    catalog: Catalog,
    work: impl FnOnce(&Catalog, &Path) -> T + Send + 'static,
) -> Result<(Catalog, T), Problem> {
    let folder = data.to_owned();
    let done = tokio::task::spawn_blocking(move || {
        let done = work(&catalog, &folder);
        (catalog, done)
    });
    done.await.map_err(|cause| data_failed(data, &cause.to_string()))
}

async fn verify(arguments: &Verify, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let node = keys::read_public(&arguments.node_key).map_err(|cause| key_problem(&cause))?;
    let platform = arguments.platform_key.as_deref().map(keys::read_private).transpose();
    let platform = platform.map_err(|cause| key_problem(&cause))?;
    let (paths, prefix) =
        (arguments.files.clone(), arguments.prefix.as_ref().map(|prefix| prefix.to_ascii_uppercase()));
    let checked = tokio::task::spawn_blocking(move || {
        let held = Held { node: &node, platform: platform.as_ref(), prefix: prefix.as_deref(), now: machine_time() };
        deposit::verify(&Files::of(&paths)?, &held)
    });
    let checked = checked.await.map_err(|cause| Problem::new("runtime", Exit::Failed).with("cause", cause))?;
    match checked {
        Ok(good) if arguments.json => {
            let mut told = told(&good.head, &good.counts, good.parts, good.bytes);
            if let Value::Object(told) = &mut told {
                told.insert("opened".to_owned(), json!(good.opened));
            }
            terminal::line(told);
            Ok(Exit::Done)
        }
        Ok(good) => {
            let code = if good.opened { "deposit-good" } else { "deposit-good-closed" };
            let said = said(code, &good.head, &good.counts, (good.parts, good.bytes), texts);
            terminal::line(toned(&said, Tone::Good, shown.colours));
            Ok(Exit::Done)
        }
        Err(cause) => {
            let (code, cause) = (result_code(&cause), chain(&cause));
            if arguments.json {
                terminal::line(json!({ "valid": false, "result_code": code, "cause": cause }));
            } else {
                let said = texts.text("deposit-bad", &[("code", code.into()), ("cause", cause.into())]);
                terminal::line(toned(&said, Tone::Bad, shown.colours));
            }
            Ok(Exit::CheckFailed)
        }
    }
}

async fn restore(arguments: &Restore, texts: &Texts) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.folder)?;
    let data = config.data();
    let node = keys::read_public(&arguments.node_key).map_err(|cause| key_problem(&cause))?;
    let platform = keys::read_private(&arguments.platform_key).map_err(|cause| key_problem(&cause))?;
    let invalid = |number, source: &VerifyError| {
        Problem::new("deposit-invalid", Exit::CheckFailed)
            .with("number", number)
            .with("code", result_code(source))
            .with("cause", chain(source))
    };
    let deposits = Files::of_several(&arguments.files).map_err(|source| invalid(1, &source))?;
    let (catalog, _) = store::open(&config, &data, store::Folder::MayBeMade, texts).await?;
    let (catalog, restored) = apart(&data, catalog, move |catalog, _| {
        let held = Held { node: &node, platform: Some(&platform), prefix: None, now: machine_time() };
        deposit::restore(catalog, &deposits, &held)
    })
    .await?;
    let serial = catalog.serial().0;
    close(catalog).await?;
    let restored = restored.map_err(|cause| match &cause {
        RestoreError::NotEmpty => Problem::new("deposit-not-empty", Exit::Usage).with("path", data.display()),
        RestoreError::Order { number } => Problem::new("deposit-order", Exit::Usage).with("number", number),
        RestoreError::Verify { number, source } => invalid(*number, source),
        other => Problem::new("deposit-not-restored", Exit::Unavailable)
            .with("path", data.display())
            .with("cause", chain(other)),
    })?;
    Restored::of(&restored.head, serial).write(&data)?;
    let sum = |count: fn(&Counts) -> u64| restored.deposits.iter().map(count).sum::<u64>();
    let (identifiers, values) = (sum(|counts| counts.identifiers), sum(|counts| counts.values));
    if arguments.json {
        let (id, date) = (restored.head.id.to_string(), restored.head.date.to_string());
        let deposits = restored.deposits.len();
        terminal::line(
            json!({ "deposits": deposits, "last": id, "date": date, "identifiers": identifiers, "values": values }),
        );
    } else {
        let said = [
            ("deposits", restored.deposits.len().to_string().into()),
            ("date", restored.head.date.to_string().into()),
            ("identifiers", grouped(identifiers).into()),
            ("values", grouped(values).into()),
        ];
        terminal::line(texts.text("deposit-restored", &said));
    }
    Ok(Exit::Done)
}

fn make_keys(arguments: &Keys, texts: &Texts) -> Result<Exit, Problem> {
    let made = keys::make_pair(&arguments.out, &arguments.name).map_err(|cause| key_problem(&cause))?;
    let (private, public) = (made.0.display().to_string(), made.1.display().to_string());
    terminal::line(texts.text("deposit-keys-made", &[("private", private.into()), ("public", public.into())]));
    Ok(Exit::Done)
}

fn list(arguments: &List, texts: &Texts) -> Result<Exit, Problems> {
    let table = open_table(&arguments.folder)?;
    if arguments.json {
        table.rows().iter().for_each(|row| terminal::line(row_told(row)));
    } else if table.rows().is_empty() {
        terminal::remark(texts.text("deposit-none", &[]));
    } else {
        let heads = ["id", "prefix", "date", "extent", "resend", "local", "platform", "remark"];
        let head: Vec<String> = heads.iter().map(|head| texts.text(&format!("deposit-head-{head}"), &[])).collect();
        let rows: Vec<Vec<String>> = table.rows().iter().map(|row| row_texts(row, texts).to_vec()).collect();
        terminal::line(terminal::table(&head, &rows));
    }
    Ok(Exit::Done)
}

fn mark(arguments: &Mark, texts: &Texts) -> Result<Exit, Problems> {
    let mut table = open_table(&arguments.folder)?;
    let known = DepositId::parse(&arguments.id).filter(|id| table.rows().iter().any(|row| row.id == *id));
    let unknown = || Problem::new("deposit-unknown", Exit::Absent).with("id", &arguments.id);
    let id = known.ok_or_else(unknown)?;
    let platform = if arguments.accepted { Platform::Accepted } else { Platform::Rejected };
    let changed = table.change(id, |row| {
        row.platform = platform;
        row.remark.clone_from(&arguments.remark);
        row.judged = Some(machine_time().0);
    });
    changed.map_err(|cause| table_problem(&cause))?;
    let state = texts.text(platform_text(platform), &[]);
    terminal::line(texts.text("deposit-marked", &[("id", arguments.id.clone().into()), ("state", state.into())]));
    Ok(Exit::Done)
}

/// The table of a data folder that is there.
fn open_table(folder: &Folder) -> Result<Table, Problems> {
    let data = existing(&folder_config(folder)?)?;
    Ok(Table::open(&data).map_err(|cause| table_problem(&cause))?)
}

fn read_date(text: &str) -> Result<Date, Problem> {
    deposit::parse_date(text).ok_or_else(|| Problem::new("deposit-date", Exit::Usage).with("date", text))
}

pub(crate) fn key_problem(cause: &KeyError) -> Problem {
    Problem::new("deposit-key-file", Exit::Usage).with("cause", chain(cause))
}

fn table_problem(cause: &deposit::TableError) -> Problem {
    let exit = if matches!(cause, deposit::TableError::Form { .. }) { Exit::Damaged } else { Exit::Unavailable };
    Problem::new("deposit-table", exit).with("cause", chain(cause))
}

/// Ends with 1 where the prefix does not live here, and with more for everything else, as the platform's own client does.
pub(crate) fn make_problem(cause: &MakeError) -> Problem {
    let of_day = |code, date: &Date| Problem::new(code, Exit::Usage).with("date", date);
    match cause {
        MakeError::NotHomed { prefix } => Problem::new("deposit-prefix", Exit::Failed).with("prefix", prefix),
        MakeError::PrefixName { prefix } => Problem::new("deposit-prefix-name", Exit::Usage).with("prefix", prefix),
        MakeError::Future { date } => of_day("deposit-future", date),
        MakeError::BeforeCreation { date } => of_day("deposit-before-creation", date),
        MakeError::DiffOnSunday { date } => of_day("deposit-sunday", date),
        MakeError::NoBase { date } => of_day("deposit-no-base", date),
        MakeError::NoVault => Problem::new("deposit-no-personal-keys", Exit::Usage),
        MakeError::Table(cause) => table_problem(cause),
        MakeError::Moment(_) | MakeError::Follow(_) | MakeError::Vault(_) => {
            Problem::new("deposit-not-made", Exit::Damaged).with("cause", chain(cause))
        }
        _ => Problem::new("deposit-not-made", Exit::Unavailable).with("cause", chain(cause)),
    }
}

/// The problems of a deposit that a node which runs may tell, and how the command ends with each.
const FAILURES: [(&str, Exit); 11] = [
    ("deposit-account", Exit::Failed),
    ("deposit-prefix", Exit::Failed),
    ("deposit-prefix-name", Exit::Usage),
    ("deposit-future", Exit::Usage),
    ("deposit-before-creation", Exit::Usage),
    ("deposit-sunday", Exit::Usage),
    ("deposit-no-base", Exit::Usage),
    ("deposit-no-personal-keys", Exit::Usage),
    ("deposit-date", Exit::Usage),
    ("deposit-table", Exit::Damaged),
    ("deposit-not-made", Exit::Unavailable),
];

/// The code of the platform's drafts, or a dash.
fn result_code(cause: &VerifyError) -> String {
    cause.result_code().map_or_else(|| "-".to_owned(), |code| code.to_string())
}

fn said(code: &str, head: &Head, counts: &Counts, (parts, bytes): (usize, u64), texts: &Texts) -> String {
    let values = [
        ("extent", head.extent.as_str().into()),
        ("prefix", head.prefix.clone().into()),
        ("date", head.date.to_string().into()),
        ("id", head.id.to_string().into()),
        ("identifiers", grouped(counts.identifiers).into()),
        ("values", grouped(counts.values).into()),
        ("objects", grouped(counts.objects()).into()),
        ("deletions", grouped(counts.deletions()).into()),
        ("parts", parts.to_string().into()),
        ("bytes", grouped(bytes).into()),
    ];
    texts.text(code, &values)
}

fn told(head: &Head, counts: &Counts, parts: usize, bytes: u64) -> Value {
    json!({
        "id": head.id.to_string(), "previous": head.previous.map(|id| id.to_string()), "type": head.extent.as_str(),
        "prefix": head.prefix, "date": head.date.to_string(), "resend": head.resend, "since": head.since,
        "serial": head.serial, "identifiers": counts.identifiers, "values": counts.values, "objects": counts.objects(),
        "deletions": counts.deletions(), "parts": parts, "bytes": bytes,
    })
}

fn row_told(row: &Row) -> Value {
    json!({
        "id": row.id.to_string(), "prefix": row.prefix, "date": row.date.to_string(), "type": row.extent.as_str(),
        "resend": row.resend, "started": row.started, "ended": row.ended, "local": row.local, "platform": row.platform,
        "delivery": row.delivery, "sent": row.sent, "judged": row.judged, "code": row.code, "remark": row.remark,
    })
}

fn row_texts(row: &Row, texts: &Texts) -> [String; 8] {
    [
        row.id.to_string(),
        row.prefix.clone(),
        row.date.to_string(),
        row.extent.as_str().to_owned(),
        row.resend.to_string(),
        texts.text(local_text(row.local), &[]),
        texts.text(platform_text(row.platform), &[]),
        row.remark.clone(),
    ]
}

const fn local_text(local: Local) -> &'static str {
    match local {
        Local::Running => "deposit-local-running",
        Local::Success => "deposit-local-success",
        Local::Fail => "deposit-local-fail",
    }
}

const fn platform_text(platform: Platform) -> &'static str {
    match platform {
        Platform::Unknown => "deposit-platform-unknown",
        Platform::Accepted => "deposit-platform-accepted",
        Platform::Rejected => "deposit-platform-rejected",
    }
}
