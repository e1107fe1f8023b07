//! `waymark operator-record`: what a node says of itself to the top-level node.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;
use waymark_api::operator::v1;
use waymark_catalog::{
    business::{FileKind, NodeItems, OperatorPersonal, Profile},
    config::{IMAGE_BYTES, PDF_BYTES},
};
use waymark_registration::{read_node_items, reasons::Language, show_node_items, show_operator_personal, show_profile};

use super::{
    Shown,
    enterprise::{Asked, personal_json, profile_json, show_fields},
    files,
    server::answer::{self, text_of, time},
    terminal,
};
use crate::{
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// A record to fill in: every field there is.
const TEMPLATE: &str = include_str!("../../../../config/operator.json");

/// `waymark operator-record …`.
#[derive(Debug, Subcommand)]
pub(crate) enum OperatorRecord {
    /// Write it from a JSON file.
    Set(Set),
    /// Show it.
    Show(Asked),
    /// Print a file to fill in.
    Template,
    /// Keep an image or a PDF document, show it, or take it away.
    File(File),
    /// Show what it says of people.
    Disclose(Disclose),
    /// Forget what it says of people, with every file.
    Forget(Forget),
}

/// `waymark operator-record set`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark operator-record file`.
#[derive(Debug, Args)]
pub(crate) struct File {
    #[arg(value_name = "KIND", value_parser = kinds())]
    kind: String,
    #[arg(value_name = "FILE", required_unless_present = "remove", conflicts_with = "remove")]
    file: Option<PathBuf>,
    #[arg(long, value_name = "TEXT", requires = "file")]
    purpose: Option<String>,
    #[arg(long)]
    remove: bool,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark operator-record disclose`.
#[derive(Debug, Args)]
pub(crate) struct Disclose {
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark operator-record forget`.
#[derive(Debug, Args)]
pub(crate) struct Forget {
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asked: Asked,
}

/// What the file of a record holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    profile: Profile,
    node: NodeItems,
    personal: Option<OperatorPersonal>,
}

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(FileKind::ALL.iter().map(|kind| kind.as_str()))
}

/// What receipts are about.
const SUBJECT: &str = "node";

/// Runs a command about the node's own record.
pub(crate) async fn run(command: &OperatorRecord, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        OperatorRecord::Template => terminal::text(TEMPLATE),
        OperatorRecord::Set(set) => write(set, texts, shown).await?,
        OperatorRecord::Show(asked) => {
            let found = asked.connection.open(texts)?.operator_record(&v1::GetOperatorRecordRequest {}).await;
            let found = found.map_err(|error| answer::problem(&error, asked.json))?;
            show_fields(&to_json(&found)?, asked.json, texts);
        }
        OperatorRecord::File(file) => keep_file(file, texts, shown).await?,
        OperatorRecord::Disclose(Disclose { purpose, asked }) => {
            let request = v1::DiscloseOperatorRequest { purpose: purpose.clone() };
            let told = asked.connection.open(texts)?.disclose_operator(&request).await;
            let told = told.map_err(|error| answer::problem(&error, asked.json))?;
            show_fields(&disclosed_json(&told), asked.json, texts);
        }
        OperatorRecord::Forget(Forget { reason, asked }) => {
            let request = v1::ForgetOperatorRequest { reason: reason.clone() };
            let done = asked.connection.open(texts)?.forget_operator(&request).await;
            let done = done.map_err(|error| answer::problem(&error, asked.json))?;
            answer::show_receipt(SUBJECT, &done.receipt.unwrap_or_default(), asked.json, texts, shown);
        }
    }
    Ok(Exit::Done)
}

async fn write(set: &Set, texts: &Texts, shown: Shown) -> Result<(), Problem> {
    let Content { profile, node, personal } = files::json(&set.file)?;
    let request = v1::SetOperatorRecordRequest {
        profile: Some(show_profile(&profile)),
        node: Some(show_node_items(&node)),
        personal: personal.as_ref().map(show_operator_personal),
        request_id: text_of(set.request_id),
    };
    let done = set.asked.connection.open(texts)?.set_operator_record(request).await;
    let done = done.map_err(|error| answer::problem(&error, set.asked.json))?;
    answer::show_receipt(SUBJECT, &done.receipt.unwrap_or_default(), set.asked.json, texts, shown);
    let missing = done.record.map(|record| record.missing).unwrap_or_default();
    if !missing.is_empty() {
        terminal::remark(texts.text("operator-record-missing", &[("names", missing.join(", ").into())]));
    }
    Ok(())
}

/// Keeps a file, takes it away, or, with a purpose, writes it into one that only its owner reads.
async fn keep_file(asked: &File, texts: &Texts, shown: Shown) -> Result<(), Problem> {
    let (json, kind) = (asked.asked.json, asked.kind.clone());
    let registrar = asked.asked.connection.open(texts)?;
    if let (Some(purpose), Some(file)) = (&asked.purpose, &asked.file) {
        let request = v1::OperatorFileRequest { kind, purpose: purpose.clone() };
        let told = registrar.operator_file(&request).await.map_err(|error| answer::problem(&error, json))?;
        return files::keep(file, &told.data, told.format, texts);
    }
    let is_image = FileKind::from_name(&kind).is_some_and(FileKind::is_image);
    let most = if is_image { IMAGE_BYTES } else { PDF_BYTES };
    let data = asked.file.as_deref().map_or_else(|| Ok(Vec::new()), |file| files::bytes(file, most))?;
    let request_id = text_of(asked.request_id);
    let done = registrar.put_operator_file(v1::PutOperatorFileRequest { kind, data, request_id }).await;
    let done = done.map_err(|error| answer::problem(&error, json))?;
    let subject = format!("{SUBJECT} {}", asked.kind);
    answer::show_receipt(&subject, &done.receipt.unwrap_or_default(), json, texts, shown);
    Ok(())
}

fn disclosed_json(personal: &v1::OperatorPersonalData) -> Value {
    json!({
        "people": personal_json(&personal.people.clone().unwrap_or_default()),
        "representative": {
            "phone": personal.representative_phone, "email": personal.representative_email,
            "fax": personal.representative_fax,
        },
    })
}

/// The record for programs; `profile` and `node` can be given to `set` again.
fn to_json(record: &v1::OperatorRecord) -> Result<Value, Problem> {
    let node = read_node_items(record.node.clone().unwrap_or_default())
        .map_err(|failure| answer::unreadable(failure.cause(Language::English)))?;
    let node = serde_json::to_value(node).map_err(answer::unreadable)?;
    Ok(json!({
        "profile": profile_json(record.profile.clone())?, "node": node, "files": record.files,
        "missing": record.missing, "has_personal_data": record.has_personal_data,
        "forgotten_reason": record.forgotten_reason, "created": time(record.created.as_ref()),
        "changed": time(record.changed.as_ref()), "changed_by": record.changed_by, "serial": record.serial,
        "disclosures": record.disclosures, "disclosed_to": record.disclosed_to,
        "disclosed": time(record.disclosed.as_ref()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_catalog::business::CodeTables;

    #[test]
    fn the_file_to_fill_in_may_be_sent_as_it_is() {
        let Content { profile, node, personal } = serde_json::from_str(TEMPLATE).unwrap();
        profile.check(&CodeTables::shipped()).unwrap();
        node.check(&profile).unwrap();
        personal.unwrap().check().unwrap();
        // Every field stands there, so that nobody has to look for one.
        let whole: Value = serde_json::from_str(TEMPLATE).unwrap();
        let known = serde_json::to_value(&profile).unwrap();
        let unnamed = ["name_en", "address_en"];
        for field in known.as_object().unwrap().keys().filter(|field| !unnamed.contains(&field.as_str())) {
            assert!(whole["profile"].get(field).is_some(), "{field}");
        }
    }
}
