//! `waymark range`: code packages on a registration server.

mod given_out;
mod present;
mod serials;

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};
use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_client::registration::{CallError, Registrar};

pub(crate) use self::serials::SerialRange;
use self::serials::{Rolls, SerialList};
use super::{answer, connection::Connection, register};
use crate::{
    cli::Shown,
    problem::{Exit, Problem},
    texts::Texts,
};

/// Packages asked for at once.
const PAGE: u32 = 500;

/// `waymark range …`.
#[derive(Debug, Subcommand)]
pub(crate) enum RangeVerb {
    /// Order codes.
    Allocate(Allocate),
    /// Show a package.
    Show(Show),
    /// List packages.
    List(List),
    /// Bind values to codes.
    Bind(Bind),
    /// Say what became of codes.
    Mark(Mark),
    /// Take unused codes back.
    Withdraw(Withdraw),
    /// Give codes out for printing.
    Export(Export),
    /// Give codes to a printing station.
    Lease(Lease),
    /// Account for leased codes.
    Reconcile(Reconcile),
}

/// What stands behind the serial of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormFlag {
    /// Nothing.
    Plain,
    /// The check digit of GS1.
    Mod10,
    /// A check character of ISO/IEC 7064 MOD 37-36.
    Mod37,
    /// Characters nobody can guess.
    Mac,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateFlag {
    /// On a product.
    Used,
    /// Destroyed before.
    Spoiled,
    /// Taken back.
    Withdrawn,
}

/// What all of them share.
#[derive(Debug, Args)]
pub(crate) struct At {
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// What changes share.
#[derive(Debug, Args)]
pub(crate) struct Under {
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    at: At,
}

/// `waymark range allocate`.
#[derive(Debug, Args)]
pub(crate) struct Allocate {
    #[arg(value_name = "PREFIX")]
    prefix: String,
    #[arg(long, value_name = "TEXT", default_value = "")]
    stem: String,
    #[arg(long, value_name = "DIGITS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=18))]
    width: u32,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    #[arg(long, value_enum, value_name = "FORM", default_value_t = FormFlag::Plain)]
    form: FormFlag,
    #[arg(long, value_name = "N", default_value_t = 0)]
    check_chars: u32,
    #[arg(long, value_name = "SERIAL")]
    first: Option<u64>,
    #[arg(long = "value", value_name = "INDEX TYPE DATA", action = ArgAction::Append)]
    values: Vec<String>,
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    under: Under,
}

/// `waymark range show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[arg(value_name = "PACKAGE")]
    package: String,
    #[arg(long)]
    parts: bool,
    #[command(flatten)]
    at: At,
}

/// `waymark range list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(value_name = "PREFIX", default_value = "")]
    prefix: String,
    #[command(flatten)]
    at: At,
}

/// `waymark range bind`.
#[derive(Debug, Args)]
pub(crate) struct Bind {
    #[arg(value_name = "PACKAGE")]
    package: String,
    #[arg(value_name = "SERIALS")]
    serials: SerialRange,
    #[arg(long = "value", value_name = "INDEX TYPE DATA", action = ArgAction::Append, required_unless_present = "clear")]
    values: Vec<String>,
    #[arg(long, conflicts_with = "values")]
    clear: bool,
    #[command(flatten)]
    under: Under,
}

/// `waymark range mark`.
#[derive(Debug, Args)]
pub(crate) struct Mark {
    #[arg(value_name = "PACKAGE")]
    package: String,
    #[arg(value_name = "SERIALS")]
    serials: SerialRange,
    #[arg(value_enum, value_name = "STATE")]
    state: StateFlag,
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    under: Under,
}

/// `waymark range withdraw`.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    #[arg(value_name = "PACKAGE")]
    package: String,
    #[arg(value_name = "SERIALS")]
    serials: SerialRange,
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    under: Under,
}

/// `waymark range export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[arg(value_name = "PACKAGE")]
    package: String,
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "TEXT", default_value = "{handle}")]
    payload: String,
    #[arg(long, value_name = "ROLLSxCODES", required_unless_present = "count", conflicts_with = "count")]
    rolls: Option<Rolls>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    #[arg(long, value_name = "SERIAL")]
    first: Option<u64>,
    #[arg(long, value_name = "REASON", default_value = "")]
    again: String,
    #[command(flatten)]
    under: Under,
}

/// `waymark range lease`.
#[derive(Debug, Args)]
pub(crate) struct Lease {
    #[arg(value_name = "PACKAGE")]
    package: String,
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "NAME")]
    station: String,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=9_600))]
    hours: u64,
    #[arg(long, value_name = "TEXT", default_value = "{handle}")]
    payload: String,
    #[command(flatten)]
    under: Under,
}

/// `waymark range reconcile`.
#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    #[arg(value_name = "PACKAGE")]
    package: String,
    #[arg(long, value_name = "SERIAL")]
    first: u64,
    #[arg(long, value_name = "SERIALS", default_value = "")]
    printed: SerialList,
    #[arg(long, value_name = "SERIALS", default_value = "")]
    spoiled: SerialList,
    #[arg(long, value_name = "SERIALS", default_value = "")]
    blank: SerialList,
    #[command(flatten)]
    under: Under,
}

/// Runs a command about code packages.
pub(crate) async fn run(verb: &RangeVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    match verb {
        RangeVerb::Allocate(arguments) => {
            let request = allocation(arguments)?;
            let registrar = arguments.under.open(texts)?;
            arguments.under.show(registrar.allocate(request).await, texts, shown)
        }
        RangeVerb::Show(Show { package, parts, at }) => {
            let request = v1::GetPackageRequest { name: package.clone(), with_parts: *parts };
            let found = at.connection.open(texts)?.package(&request).await;
            let found = found.map_err(|error| answer::problem(&error, at.json))?;
            present::package(&found, at.json, texts);
            Ok(Exit::Done)
        }
        RangeVerb::List(List { prefix, at }) => list(prefix, at, texts).await,
        RangeVerb::Bind(Bind { package, serials, values, under, .. }) => {
            let request = v1::BindCodesRequest {
                package: package.clone(),
                serials: Some(serials.0),
                values: register::values(values)?,
                request_id: under.id(),
            };
            under.show(under.open(texts)?.bind_codes(request).await, texts, shown)
        }
        RangeVerb::Mark(Mark { package, serials, state, reason, under }) => {
            mark(package, *serials, *state, reason, under, texts, shown).await
        }
        RangeVerb::Withdraw(Withdraw { package, serials, reason, under }) => {
            mark(package, *serials, StateFlag::Withdrawn, reason, under, texts, shown).await
        }
        RangeVerb::Export(arguments) => given_out::export(arguments, texts, shown).await,
        RangeVerb::Lease(arguments) => given_out::lease(arguments, texts, shown).await,
        RangeVerb::Reconcile(Reconcile { package, first, printed, spoiled, blank, under }) => {
            let request = v1::ReconcileCodesRequest {
                package: package.clone(),
                first: *first,
                printed: printed.0.clone(),
                spoiled: spoiled.0.clone(),
                blank: blank.0.clone(),
                request_id: under.id(),
            };
            under.show(under.open(texts)?.reconcile_codes(request).await, texts, shown)
        }
    }
}

fn allocation(arguments: &Allocate) -> Result<v1::AllocateRequest, Problem> {
    let form = match arguments.form {
        FormFlag::Plain => v1::CodeForm::Plain,
        FormFlag::Mod10 => v1::CodeForm::Mod10,
        FormFlag::Mod37 => v1::CodeForm::Mod37,
        FormFlag::Mac => v1::CodeForm::Mac,
    };
    Ok(v1::AllocateRequest {
        prefix: arguments.prefix.clone(),
        stem: arguments.stem.clone(),
        width: arguments.width,
        form: form.into(),
        check_chars: arguments.check_chars,
        first: arguments.first,
        count: arguments.count,
        values: register::values(&arguments.values)?,
        note: arguments.note.clone(),
        request_id: arguments.under.id(),
    })
}

async fn mark(
    package: &str,
    serials: SerialRange,
    state: StateFlag,
    reason: &str,
    under: &Under,
    texts: &Texts,
    shown: Shown,
) -> Result<Exit, Problem> {
    let state = match state {
        StateFlag::Used => v1::CodeState::Used,
        StateFlag::Spoiled => v1::CodeState::Spoiled,
        StateFlag::Withdrawn => v1::CodeState::Withdrawn,
    };
    let request = v1::MarkCodesRequest {
        package: package.to_owned(),
        serials: Some(serials.0),
        state: state.into(),
        reason: reason.to_owned(),
        request_id: under.id(),
    };
    under.show(under.open(texts)?.mark_codes(request).await, texts, shown)
}

async fn list(prefix: &str, at: &At, texts: &Texts) -> Result<Exit, Problem> {
    let registrar = at.connection.open(texts)?;
    let mut request = v1::ListPackagesRequest { prefix: prefix.to_owned(), page_size: PAGE, page_token: String::new() };
    let mut packages = Vec::new();
    loop {
        let page = registrar.packages(&request).await.map_err(|error| answer::problem(&error, at.json))?;
        packages.extend(page.packages);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    present::packages(&packages, at.json, texts);
    Ok(Exit::Done)
}

impl Under {
    fn open(&self, texts: &Texts) -> Result<Registrar, Problem> {
        self.at.connection.open(texts)
    }

    fn id(&self) -> String {
        answer::text_of(self.request_id)
    }

    fn show(
        &self,
        answered: Result<v1::PackageResponse, CallError>,
        texts: &Texts,
        shown: Shown,
    ) -> Result<Exit, Problem> {
        let json = self.at.json;
        let answered = answered.map_err(|error| answer::problem(&error, json))?;
        let package = answered.package.unwrap_or_default();
        answer::show_receipt(&package.name, &answered.receipt.unwrap_or_default(), json, texts, shown);
        present::package(&package, json, texts);
        Ok(Exit::Done)
    }
}
