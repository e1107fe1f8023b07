//! `waymark enterprise`: who the enterprises of a node are.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use waymark_api::operator::v1;
use waymark_catalog::{
    business::{FileKind, Profile, RealNameResult},
    config::IMAGE_BYTES,
    vault::Personal,
};
use waymark_registration::{read_profile, reasons::Language, show_personal, show_profile};

use super::{
    Shown, files,
    present::safe,
    server::{
        answer::{self, text_of, time},
        connection::Connection,
    },
    terminal::{self, table},
};
use crate::{
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Enterprises asked for at once.
const PAGE: u32 = 200;

/// `waymark enterprise …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Enterprise {
    /// Write an enterprise from a JSON file.
    Put(Put),
    /// Show an enterprise.
    Show(Named),
    /// List enterprises.
    List(Asked),
    /// Say what verifying an enterprise came to.
    RealName(RealName),
    /// Show what an enterprise said of its people.
    Disclose(Disclose),
    /// Keep an image of a document, show it, or take it away.
    Image(Image),
    /// Forget what an enterprise said of its people.
    Forget(Forget),
}

/// Which server, and how to print.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    #[command(flatten)]
    pub(super) connection: Connection,
    #[arg(long)]
    pub(super) json: bool,
}

/// `waymark enterprise put`.
#[derive(Debug, Args)]
pub(crate) struct Put {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "ENTERPRISE", default_value = "")]
    enterprise: String,
    #[arg(long = "principal", value_name = "NAME", action = ArgAction::Append)]
    principals: Vec<String>,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark enterprise show`.
#[derive(Debug, Args)]
pub(crate) struct Named {
    #[arg(value_name = "ENTERPRISE", default_value = "")]
    enterprise: String,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark enterprise real-name`.
#[derive(Debug, Args)]
pub(crate) struct RealName {
    #[arg(value_name = "ENTERPRISE")]
    enterprise: String,
    #[arg(value_name = "RESULT", value_parser = PossibleValuesParser::new(RealNameResult::ALL.iter().map(|result| result.as_str())))]
    result: String,
    #[arg(long, value_name = "TEXT")]
    source: String,
    #[arg(long, value_name = "NAME", default_value = "")]
    reviewer: String,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark enterprise disclose`.
#[derive(Debug, Args)]
pub(crate) struct Disclose {
    #[arg(value_name = "ENTERPRISE")]
    enterprise: String,
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark enterprise forget`.
#[derive(Debug, Args)]
pub(crate) struct Forget {
    #[arg(value_name = "ENTERPRISE")]
    enterprise: String,
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark enterprise image`.
#[derive(Debug, Args)]
pub(crate) struct Image {
    #[arg(value_name = "KIND", value_parser = PossibleValuesParser::new(FileKind::IMAGES.map(FileKind::as_str)))]
    kind: String,
    #[arg(value_name = "FILE", required_unless_present = "remove", conflicts_with = "remove")]
    file: Option<PathBuf>,
    #[arg(long, value_name = "ENTERPRISE", default_value = "")]
    enterprise: String,
    #[arg(long, value_name = "TEXT", requires = "file")]
    purpose: Option<String>,
    #[arg(long)]
    remove: bool,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// What the file of an enterprise holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    profile: Profile,
    personal: Option<Personal>,
}

/// Runs a command about enterprises.
pub(crate) async fn run(command: &Enterprise, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Enterprise::Put(put) => write(put, texts, shown).await?,
        Enterprise::Show(Named { enterprise, asked }) => {
            let request = v1::GetEnterpriseRequest { id: enterprise.clone() };
            let found = asked.connection.open(texts)?.enterprise(&request).await;
            show(&found.map_err(|error| answer::problem(&error, asked.json))?, asked.json, texts)?;
        }
        Enterprise::List(asked) => list(asked, texts).await?,
        Enterprise::RealName(RealName { enterprise, result, source, reviewer, asked }) => {
            let (id, result) = (enterprise.clone(), result.clone());
            let request = v1::SetRealNameRequest { id, result, source: source.clone(), reviewer: reviewer.clone() };
            let done = asked.connection.open(texts)?.set_real_name(&request).await;
            let done = done.map_err(|error| answer::problem(&error, asked.json))?;
            answer::show_receipt(enterprise, &done.receipt.unwrap_or_default(), asked.json, texts, shown);
        }
        Enterprise::Disclose(Disclose { enterprise, purpose, asked }) => {
            let request = v1::DiscloseRequest { id: enterprise.clone(), purpose: purpose.clone() };
            let told = asked.connection.open(texts)?.disclose(&request).await;
            let told = told.map_err(|error| answer::problem(&error, asked.json))?;
            show_fields(&personal_json(&told), asked.json, texts);
        }
        Enterprise::Image(image) => keep_image(image, texts, shown).await?,
        Enterprise::Forget(Forget { enterprise, reason, asked }) => {
            let request = v1::ForgetRequest { id: enterprise.clone(), reason: reason.clone() };
            let done = asked.connection.open(texts)?.forget(&request).await;
            let done = done.map_err(|error| answer::problem(&error, asked.json))?;
            answer::show_receipt(enterprise, &done.receipt.unwrap_or_default(), asked.json, texts, shown);
        }
    }
    Ok(Exit::Done)
}

async fn write(put: &Put, texts: &Texts, shown: Shown) -> Result<(), Problem> {
    let request = v1::PutEnterpriseRequest {
        id: put.enterprise.clone(),
        principals: (!put.principals.is_empty()).then(|| v1::Principals { names: put.principals.clone() }),
        request_id: text_of(put.request_id),
        ..request(files::json(&put.file)?)
    };
    let done = put.asked.connection.open(texts)?.put_enterprise(request).await;
    let done = done.map_err(|error| answer::problem(&error, put.asked.json))?;
    let name = done.enterprise.map_or_else(|| put.enterprise.clone(), |enterprise| enterprise.id);
    answer::show_receipt(&name, &done.receipt.unwrap_or_default(), put.asked.json, texts, shown);
    Ok(())
}

/// Keeps an image, takes it away, or, with a purpose, writes it into a file that only its owner reads.
async fn keep_image(image: &Image, texts: &Texts, shown: Shown) -> Result<(), Problem> {
    let json = image.asked.json;
    let registrar = image.asked.connection.open(texts)?;
    let (id, kind) = (image.enterprise.clone(), image.kind.clone());
    if let (Some(purpose), Some(file)) = (&image.purpose, &image.file) {
        let request = v1::ImageRequest { id, kind, purpose: purpose.clone() };
        let told = registrar.enterprise_image(&request).await.map_err(|error| answer::problem(&error, json))?;
        return files::keep(file, &told.data, told.format, texts);
    }
    let data = image.file.as_deref().map_or_else(|| Ok(Vec::new()), |file| files::bytes(file, IMAGE_BYTES))?;
    let request_id = text_of(image.request_id);
    let done = registrar.put_enterprise_image(v1::PutImageRequest { id, kind, data, request_id }).await;
    let done = done.map_err(|error| answer::problem(&error, json))?;
    let name = done.enterprise.map_or_else(|| image.enterprise.clone(), |enterprise| enterprise.id);
    answer::show_receipt(&format!("{name} {}", image.kind), &done.receipt.unwrap_or_default(), json, texts, shown);
    Ok(())
}

/// The enterprise a file holds, as it is sent.
///
/// # Errors
/// It is not the JSON of an enterprise.
pub(crate) fn request_of(file: &[u8]) -> Result<v1::PutEnterpriseRequest, serde_json::Error> {
    serde_json::from_slice(file).map(request)
}

fn request(File { profile, personal }: File) -> v1::PutEnterpriseRequest {
    v1::PutEnterpriseRequest {
        profile: Some(show_profile(&profile)),
        personal: personal.as_ref().map(show_personal),
        ..v1::PutEnterpriseRequest::default()
    }
}

async fn list(asked: &Asked, texts: &Texts) -> Result<(), Problem> {
    let registrar = asked.connection.open(texts)?;
    let mut request = v1::ListEnterprisesRequest { page_size: PAGE, page_token: String::new() };
    let mut rows = Vec::new();
    loop {
        let page = registrar.enterprises_known(&request).await;
        let page = page.map_err(|error| answer::problem(&error, asked.json))?;
        for enterprise in page.enterprises {
            if asked.json {
                terminal::line(to_json(&enterprise)?);
            } else {
                rows.push(row(&enterprise));
            }
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if !asked.json {
        let head = ["enterprise-id", "enterprise-name", "enterprise-document", "enterprise-real-name"];
        terminal::line(table(&head.map(|code| texts.text(code, &[])), &rows));
    }
    Ok(())
}

fn row(enterprise: &v1::Enterprise) -> Vec<String> {
    let profile = enterprise.profile.clone().unwrap_or_default();
    let real_name = enterprise.real_name.as_ref().map_or("-", |real_name| &real_name.result);
    [&enterprise.id, &profile.name, &profile.document_number, real_name].map(safe).into()
}

fn show(enterprise: &v1::Enterprise, json: bool, texts: &Texts) -> Result<(), Problem> {
    show_fields(&to_json(enterprise)?, json, texts);
    Ok(())
}

/// Shows what has fields: as JSON, or as a table of those that are there.
pub(super) fn show_fields(told: &Value, json: bool, texts: &Texts) {
    if json {
        terminal::line(told);
        return;
    }
    let head = ["enterprise-field", "enterprise-value"].map(|code| texts.text(code, &[]));
    let mut rows = Vec::new();
    flatten("", told, &mut rows);
    terminal::line(table(&head, &rows));
}

/// What is said of people, for programs.
pub(super) fn personal_json(personal: &v1::PersonalData) -> Value {
    let person = |person: &Option<v1::Person>| {
        let person = person.clone().unwrap_or_default();
        json!({
            "name": person.name, "document_kind": person.document_kind, "document_number": person.document_number,
        })
    };
    json!({
        "legal_person": person(&personal.legal_person), "contact": person(&personal.contact),
        "phone": personal.phone, "email": personal.email,
    })
}

/// One row for each value that is there, by its path.
fn flatten(path: &str, value: &Value, rows: &mut Vec<Vec<String>>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            flatten(&path, value, rows);
        }),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), item, rows);
            }
        }
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => rows.push(vec![path.to_owned(), safe(text)]),
        other => rows.push(vec![path.to_owned(), other.to_string()]),
    }
}

/// What is said of an organisation, for programs; it can be given to `put` again.
pub(super) fn profile_json(profile: Option<v1::EnterpriseProfile>) -> Result<Value, Problem> {
    let profile = read_profile(profile.unwrap_or_default());
    let profile = profile.map_err(|failure| answer::unreadable(failure.cause(Language::English)))?;
    serde_json::to_value(profile).map_err(answer::unreadable)
}

/// An enterprise for programs; `profile` can be given to `put` again.
fn to_json(enterprise: &v1::Enterprise) -> Result<Value, Problem> {
    let profile = profile_json(enterprise.profile.clone())?;
    let real_name = enterprise.real_name.as_ref().map(|real_name| {
        json!({
            "result": real_name.result, "source": real_name.source, "reviewer": real_name.reviewer,
            "time": time(real_name.time.as_ref()),
        })
    });
    Ok(json!({
        "id": enterprise.id, "profile": profile, "real_name": real_name, "principals": enterprise.principals,
        "has_personal_data": enterprise.has_personal_data, "forgotten_reason": enterprise.forgotten_reason,
        "created": time(enterprise.created.as_ref()), "changed": time(enterprise.changed.as_ref()),
        "changed_by": enterprise.changed_by, "serial": enterprise.serial, "disclosures": enterprise.disclosures,
        "images": enterprise.images, "disclosed_to": enterprise.disclosed_to, "disclosed": time(enterprise.disclosed.as_ref()),
    }))
}
