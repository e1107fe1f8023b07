//! `waymark principal`: who may call the node, and what they may do.

use std::path::Path;

use clap::{ArgAction, Args, Subcommand};
use waymark_api::operator::v1;
use waymark_catalog::{Command, access::Role};
use waymark_client::{
    fingerprint,
    registration::{CallError, Registrar},
};

use super::{
    form::{self, parse_role},
    place::{Place, Where},
};
use crate::{
    cli::{
        Shown,
        resolve::parse_pin,
        server::answer,
        terminal::{self, table},
    },
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Principals asked for at once.
const PAGE: u32 = 500;

/// `waymark principal …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Principal {
    /// Make a principal, or set all of one anew.
    Put(Put),
    /// List principals.
    List(Where),
    /// Show one principal.
    Show(Named),
    /// Remove a principal and revoke its tokens.
    Remove(Named),
}

/// A principal by its name.
#[derive(Debug, Args)]
pub(crate) struct Named {
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
}

/// `waymark principal put`.
#[derive(Debug, Args)]
pub(crate) struct Put {
    #[arg(value_name = "NAME")]
    name: String,
    #[arg(long, value_name = "ROLE", value_parser = parse_role)]
    role: Role,
    #[arg(long = "prefix", value_name = "PREFIX", action = ArgAction::Append)]
    prefixes: Vec<String>,
    #[arg(long, value_name = "PER_SECOND", default_value_t = 0)]
    rate: u32,
    #[arg(long, value_name = "PER_DAY", default_value_t = 0)]
    quota: u64,
    #[arg(long = "certificate", value_name = "FILE|SHA256", action = ArgAction::Append)]
    certificates: Vec<String>,
    #[arg(long)]
    disabled: bool,
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    place: Where,
}

/// Runs a command about principals.
pub(crate) async fn run(command: &Principal, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Principal::Put(put) => write(&put.place, put.principal()?, texts, shown).await,
        Principal::List(place) => list(place, texts).await,
        Principal::Show(named) => show(named, texts).await,
        Principal::Remove(named) => remove(named, texts, shown).await,
    }
}

impl Put {
    fn principal(&self) -> Result<v1::Principal, Problem> {
        let certificates = self.certificates.iter().map(|text| certificate(text));
        Ok(v1::Principal {
            name: self.name.clone(),
            role: form::role_number(self.role).into(),
            prefixes: self.prefixes.clone(),
            disabled: self.disabled,
            rate_per_second: self.rate,
            daily_quota: self.quota,
            certificates: certificates.collect::<Result<_, _>>()?,
            note: self.note.clone(),
            ..v1::Principal::default()
        })
    }
}

/// The SHA-256 of a certificate: as it is written, or of the first certificate in a PEM file.
fn certificate(text: &str) -> Result<Vec<u8>, Problem> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    if !Path::new(text).exists() {
        return Ok(parse_pin(text)?.to_vec());
    }
    let certificate = CertificateDer::from_pem_file(text)
        .map_err(|cause| Problem::new("certificate-unreadable", Exit::Usage).with("path", text).with("cause", cause))?;
    Ok(fingerprint(&certificate).to_vec())
}

/// Stores a principal and shows the receipt.
pub(super) async fn write(
    place: &Where,
    principal: v1::Principal,
    texts: &Texts,
    shown: Shown,
) -> Result<Exit, Problems> {
    let name = principal.name.clone();
    let receipt = match place.open(texts).await? {
        Place::Server(registrar) => {
            let request = v1::PutPrincipalRequest { principal: Some(principal) };
            let answered = registrar.put_principal(&request).await;
            answered.map_err(|error| answer::problem(&error, place.json))?.receipt.unwrap_or_default()
        }
        Place::Folder(opened) => {
            let principal = form::principal_of(&principal)?;
            form::show_receipt(&opened.write(Command::PutPrincipal { principal }).await?)
        }
    };
    answer::show_receipt(&name, &receipt, place.json, texts, shown);
    Ok(Exit::Done)
}

async fn remove(named: &Named, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let (name, place) = (named.name.clone(), &named.place);
    let receipt = match place.open(texts).await? {
        Place::Server(registrar) => {
            let request = v1::RemovePrincipalRequest { name };
            let answered = registrar.remove_principal(&request).await;
            answered.map_err(|error| answer::problem(&error, place.json))?.receipt.unwrap_or_default()
        }
        Place::Folder(opened) => form::show_receipt(&opened.write(Command::RemovePrincipal { name }).await?),
    };
    answer::show_receipt(&named.name, &receipt, place.json, texts, shown);
    Ok(Exit::Done)
}

async fn show(named: &Named, texts: &Texts) -> Result<Exit, Problems> {
    print(&[find(&named.place, &named.name, texts).await?], named.place.json, texts);
    Ok(Exit::Done)
}

/// One principal, wherever it is kept.
pub(super) async fn find(place: &Where, name: &str, texts: &Texts) -> Result<v1::Principal, Problems> {
    match place.open(texts).await? {
        Place::Server(registrar) => {
            let request = v1::GetPrincipalRequest { name: name.to_owned() };
            Ok(registrar.principal(&request).await.map_err(|error| answer::problem(&error, place.json))?)
        }
        Place::Folder(opened) => {
            let catalog = opened.catalog();
            let found = catalog.access().principal(name).map(|found| form::show_principal(found, catalog));
            opened.close(texts).await;
            Ok(found.ok_or_else(|| Problem::new("principal-absent", Exit::Absent).with("name", name))?)
        }
    }
}

async fn list(place: &Where, texts: &Texts) -> Result<Exit, Problems> {
    print(&all(place, texts).await?, place.json, texts);
    Ok(Exit::Done)
}

/// All principals, by name.
pub(super) async fn all(place: &Where, texts: &Texts) -> Result<Vec<v1::Principal>, Problems> {
    match place.open(texts).await? {
        Place::Server(registrar) => Ok(pages(&registrar).await.map_err(|error| answer::problem(&error, place.json))?),
        Place::Folder(opened) => {
            let (catalog, access) = (opened.catalog(), opened.catalog().access());
            let mut found: Vec<_> = access.principals().map(|each| form::show_principal(each, catalog)).collect();
            found.sort_by(|one, other| one.name.cmp(&other.name));
            opened.close(texts).await;
            Ok(found)
        }
    }
}

async fn pages(registrar: &Registrar) -> Result<Vec<v1::Principal>, CallError> {
    let mut request = v1::ListPrincipalsRequest { page_size: PAGE, page_token: String::new() };
    let mut found = Vec::new();
    loop {
        let page = registrar.principals(&request).await?;
        found.extend(page.principals);
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        request.page_token = page.next_page_token;
    }
}

fn print(principals: &[v1::Principal], json: bool, texts: &Texts) {
    if json {
        principals.iter().for_each(|principal| terminal::line(form::principal_json(principal)));
        return;
    }
    let rows: Vec<_> = principals.iter().map(form::principal_row).collect();
    terminal::line(table(&form::principal_head(texts), &rows));
}
