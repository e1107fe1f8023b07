//! `waymark template`: what the identifiers of an industry say, on a server or, as the local operator, in the data folder of a stopped node.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use waymark_api::registration::v1;
use waymark_catalog::template::{
    Definition, Template as Stored, TemplateCommand, TemplateName, TemplateState, difference,
};
use waymark_client::registration::{CallError, Registrar};

use super::{
    Shown,
    access::{
        form,
        place::{Opened, Place, Where},
    },
    input,
    present::safe,
    server::answer,
    sheet,
    terminal::{self, table},
};
use crate::{
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Templates asked for at once.
const PAGE: u32 = 500;

/// Largest file of a template in bytes: more than the node takes, so that it is the node that refuses.
const FILE_BYTES: u64 = 1 << 20;

/// `waymark template …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Template {
    /// Write a draft from a file.
    Put(Put),
    /// Publish a draft.
    Publish(Named),
    /// Let no new identifier have a column.
    Disable(Switched),
    /// Let new identifiers have a column again.
    Enable(Switched),
    /// Take a draft away.
    Delete(Named),
    /// Show a template.
    Show(Named),
    /// List templates.
    List(List),
    /// Show what changed from one template to another.
    Diff(Diff),
    /// Write a workbook to fill in.
    Xlsx(sheet::form::Form),
}

/// `waymark template put`.
#[derive(Debug, Args)]
pub(crate) struct Put {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "PREFIX")]
    prefix: String,
    #[command(flatten)]
    place: Where,
}

/// A template by its handle.
#[derive(Debug, Args)]
pub(crate) struct Named {
    #[arg(value_name = "TEMPLATE")]
    template: TemplateName,
    #[command(flatten)]
    place: Where,
}

/// A column of a template.
#[derive(Debug, Args)]
pub(crate) struct Switched {
    #[arg(value_name = "TEMPLATE")]
    template: TemplateName,
    #[arg(value_name = "INDEX")]
    column: u32,
    #[command(flatten)]
    place: Where,
}

/// `waymark template list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    #[command(flatten)]
    place: Where,
}

/// `waymark template diff`.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[arg(value_name = "FROM")]
    earlier: TemplateName,
    #[arg(value_name = "TO")]
    later: TemplateName,
    #[command(flatten)]
    place: Where,
}

/// Runs a command about templates.
pub(crate) async fn run(command: &Template, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let (place, subject, change) = match command {
        Template::Show(named) => return show(named, texts).await,
        Template::List(list) => return self::list(list, texts).await,
        Template::Diff(diff) => return self::diff(diff, texts).await,
        Template::Xlsx(form) => return sheet::form::run(form, texts).await,
        Template::Put(put) => {
            let definition = Box::new(read(&put.file)?);
            let subject = format!("{}/META_{}-{}", put.prefix, definition.code, definition.version);
            let prefix = put.prefix.clone().into_bytes();
            (&put.place, subject, TemplateCommand::PutDraft { prefix, definition })
        }
        Template::Publish(Named { template, place }) => {
            (place, template.to_string(), TemplateCommand::Publish { template: template.clone() })
        }
        Template::Delete(Named { template, place }) => {
            (place, template.to_string(), TemplateCommand::DeleteDraft { template: template.clone() })
        }
        Template::Disable(column) => (&column.place, column.template.to_string(), column.switch(false)),
        Template::Enable(column) => (&column.place, column.template.to_string(), column.switch(true)),
    };
    let receipt = match place.open(texts).await? {
        Place::Server(registrar) => send(&registrar, change)
            .await
            .map_err(|error| answer::problem(&error, place.json))?
            .receipt
            .unwrap_or_default(),
        Place::Folder(opened) => form::show_receipt(&opened.write(change.into()).await?),
    };
    answer::show_receipt(&subject, &receipt, place.json, texts, shown);
    Ok(Exit::Done)
}

impl Switched {
    fn switch(&self, enabled: bool) -> TemplateCommand {
        TemplateCommand::EnableColumn { template: self.template.clone(), index: self.column, enabled }
    }
}

/// Asks a server for a change.
async fn send(registrar: &Registrar, change: TemplateCommand) -> Result<v1::TemplateResponse, CallError> {
    match change {
        TemplateCommand::PutDraft { prefix, definition } => {
            let prefix = String::from_utf8_lossy(&prefix).into_owned();
            let request = v1::PutTemplateDraftRequest { prefix, definition: definition.to_json() };
            registrar.put_template_draft(&request).await
        }
        TemplateCommand::Publish { template } => {
            registrar.publish_template(&v1::PublishTemplateRequest { name: template.to_string() }).await
        }
        TemplateCommand::EnableColumn { template, index, enabled } => {
            let request = v1::EnableColumnRequest { name: template.to_string(), index, enabled };
            registrar.enable_column(&request).await
        }
        // The others are all there are.
        other => {
            let name = String::from_utf8_lossy(other.prefix()).into_owned();
            let name = if let TemplateCommand::DeleteDraft { template } = &other { template.to_string() } else { name };
            registrar.delete_template_draft(&v1::DeleteTemplateDraftRequest { name }).await
        }
    }
}

/// Reads the file of a template; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Definition, Problem> {
    let text = input::text(path, FILE_BYTES, Exit::Usage)?;
    let malformed =
        |cause| Problem::new("template-malformed", Exit::Usage).with("path", path.display()).with("cause", cause);
    Definition::from_json(&text).map_err(malformed)
}

/// One template, wherever it is kept.
async fn find(place: &Where, name: &TemplateName, texts: &Texts) -> Result<v1::Template, Problems> {
    match place.open(texts).await? {
        Place::Server(registrar) => {
            let request = v1::GetTemplateRequest { name: name.to_string() };
            Ok(registrar.template(&request).await.map_err(|error| answer::problem(&error, place.json))?)
        }
        Place::Folder(opened) => in_folder(opened, name, texts).await,
    }
}

/// One template of a data folder.
pub(crate) async fn in_folder(opened: Opened, name: &TemplateName, texts: &Texts) -> Result<v1::Template, Problems> {
    let found = opened.catalog().templates().get(name).map(|template| form_of(template));
    opened.close(texts).await;
    Ok(found.ok_or_else(|| absent(name))?)
}

fn absent(name: &TemplateName) -> Problem {
    Problem::new("template-absent", Exit::Absent).with("name", name)
}

async fn show(named: &Named, texts: &Texts) -> Result<Exit, Problems> {
    let template = find(&named.place, &named.template, texts).await?;
    if named.place.json {
        terminal::line(json_of(&template));
        return Ok(Exit::Done);
    }
    terminal::line(table(&heads(texts), &[row(&template)]));
    let definition: Value = serde_json::from_str(&template.definition).map_err(answer::unreadable)?;
    // Cannot fail: it was read from text.
    terminal::line(safe(&serde_json::to_string_pretty(&definition).unwrap_or_default()));
    Ok(Exit::Done)
}

async fn list(list: &List, texts: &Texts) -> Result<Exit, Problems> {
    let found = match list.place.open(texts).await? {
        Place::Server(registrar) => {
            pages(&registrar, &list.prefix).await.map_err(|error| answer::problem(&error, list.place.json))?
        }
        Place::Folder(opened) => all(opened, &list.prefix, texts).await,
    };
    if list.place.json {
        found.iter().for_each(|template| terminal::line(json_of(template)));
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = found.iter().map(row).collect();
    terminal::line(table(&heads(texts), &rows));
    Ok(Exit::Done)
}

/// Templates of a data folder, under a prefix or all.
pub(crate) async fn all(opened: Opened, prefix: &str, texts: &Texts) -> Vec<v1::Template> {
    let (templates, prefix) = (opened.catalog().templates(), prefix.to_ascii_uppercase());
    let of_prefix =
        |template: &&std::sync::Arc<Stored>| prefix.is_empty() || template.name.prefix() == prefix.as_bytes();
    let found = templates.iter().filter(of_prefix).map(|template| form_of(template)).collect();
    opened.close(texts).await;
    found
}

/// Templates of a server, under a prefix or all.
pub(crate) async fn pages(registrar: &Registrar, prefix: &str) -> Result<Vec<v1::Template>, CallError> {
    let mut request =
        v1::ListTemplatesRequest { prefix: prefix.to_owned(), page_size: PAGE, page_token: String::new() };
    let mut found = Vec::new();
    loop {
        let page = registrar.templates(&request).await?;
        found.extend(page.templates);
        if page.next_page_token.is_empty() {
            return Ok(found);
        }
        request.page_token = page.next_page_token;
    }
}

async fn diff(diff: &Diff, texts: &Texts) -> Result<Exit, Problems> {
    let (from, to) = (&diff.earlier, &diff.later);
    let lines = match diff.place.open(texts).await? {
        Place::Server(registrar) => {
            let request = v1::CompareTemplatesRequest { from: from.to_string(), to: to.to_string() };
            let answered = registrar.compare_templates(&request).await;
            answered.map_err(|error| answer::problem(&error, diff.place.json))?.lines
        }
        Place::Folder(opened) => {
            let templates = opened.catalog().templates();
            opened.close(texts).await;
            let find = |name: &TemplateName| templates.get(name).ok_or_else(|| absent(name));
            difference(&find(from)?.definition, &find(to)?.definition)
        }
    };
    if diff.place.json {
        terminal::line(json!({ "from": from.to_string(), "to": to.to_string(), "lines": lines }));
    } else {
        lines.iter().for_each(|line| terminal::line(safe(line)));
    }
    Ok(Exit::Done)
}

/// A template of a data folder as a server tells it.
fn form_of(template: &Stored) -> v1::Template {
    let state = match template.state {
        TemplateState::Draft => v1::TemplateState::Draft,
        TemplateState::Published => v1::TemplateState::Published,
    };
    let (millis, since) = (template.since.0 % 1000, template.since.0 / 1000);
    v1::Template {
        name: template.name.to_string(),
        state: state.into(),
        definition: template.definition.to_json(),
        since: Some(prost_types::Timestamp {
            seconds: i64::try_from(since).unwrap_or(i64::MAX),
            nanos: i32::try_from(millis).unwrap_or(0) * 1_000_000,
        }),
        actor: template.by.to_string(),
    }
}

fn state_of(template: &v1::Template) -> String {
    answer::name_of(template.state().as_str_name(), "TEMPLATE_STATE_")
}

fn json_of(template: &v1::Template) -> Value {
    let definition: Option<Value> = serde_json::from_str(&template.definition).ok();
    json!({
        "name": template.name, "state": state_of(template), "since": answer::time(template.since.as_ref()),
        "actor": template.actor, "definition": definition,
    })
}

fn heads(texts: &Texts) -> Vec<String> {
    ["template-name", "template-state", "template-since", "template-actor"].map(|code| texts.text(code, &[])).into()
}

fn row(template: &v1::Template) -> Vec<String> {
    vec![
        safe(&template.name).to_string(),
        state_of(template),
        answer::time(template.since.as_ref()),
        safe(&template.actor).to_string(),
    ]
}
