//! `waymark application`: applications of identifiers, of a node and of its enterprises, and how many people use them.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;
use waymark_api::operator::v1;
use waymark_catalog::business::ApplicationKind;

use super::{
    Shown,
    enterprise::{Asked, show_fields},
    present::safe,
    server::answer::{self, text_of, time},
    terminal::{self, table},
};
use crate::{
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Applications asked for at once.
const PAGE: u32 = 500;

/// `waymark application …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Application {
    /// Write an application.
    Set(Set),
    /// Say how many people used an application in a month.
    Users(Users),
    /// Show an application.
    Show(Named),
    /// List applications.
    List(List),
    /// Take an application away.
    Delete(Delete),
}

/// `waymark application set`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[arg(value_name = "NAME")]
    name: String,
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(ApplicationKind::ALL.iter().map(|kind| kind.as_str())))]
    kind: String,
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    #[arg(long, value_name = "TEXT", default_value = "")]
    recursive_node: String,
    #[arg(long, value_name = "NAME", default_value = "")]
    developer: String,
    #[arg(long, value_name = "N", requires = "month")]
    users: Option<u64>,
    #[arg(long, value_name = "YYYY-MM", requires = "users")]
    month: Option<String>,
    #[arg(long, value_name = "OWNER", default_value = "")]
    owner: String,
    #[arg(long, value_name = "APPLICATION", default_value = "")]
    application: String,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark application users`.
#[derive(Debug, Args)]
pub(crate) struct Users {
    #[arg(value_name = "APPLICATION")]
    application: String,
    #[arg(value_name = "N")]
    users: u64,
    #[arg(long, value_name = "YYYY-MM")]
    month: String,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark application show`.
#[derive(Debug, Args)]
pub(crate) struct Named {
    #[arg(value_name = "APPLICATION")]
    application: String,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark application list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(long, value_name = "OWNER", default_value = "")]
    owner: String,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark application delete`.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    #[arg(value_name = "APPLICATION")]
    application: String,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// Runs a command about applications.
pub(crate) async fn run(command: &Application, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Application::Set(set) => {
            let profile = v1::ApplicationProfile {
                name: set.name.clone(),
                kind: set.kind.clone(),
                description: set.description.clone(),
                recursive_node: set.recursive_node.clone(),
                developer: set.developer.clone(),
            };
            let users = set.users.zip(set.month.clone()).map(|(users, month)| v1::MonthlyUsers { month, users });
            let request = v1::PutApplicationRequest {
                id: set.application.clone(),
                owner: set.owner.clone(),
                profile: Some(profile),
                users,
                request_id: text_of(set.request_id),
            };
            let done = set.asked.connection.open(texts)?.put_application(request).await;
            let done = done.map_err(|error| answer::problem(&error, set.asked.json))?;
            let name = done.application.map_or_else(|| set.name.clone(), |application| application.id);
            answer::show_receipt(&name, &done.receipt.unwrap_or_default(), set.asked.json, texts, shown);
        }
        Application::Users(Users { application, users, month, request_id, asked }) => {
            let users = Some(v1::MonthlyUsers { month: month.clone(), users: *users });
            let request = v1::CountUsersRequest { id: application.clone(), users, request_id: text_of(*request_id) };
            let done = asked.connection.open(texts)?.count_users(request).await;
            let done = done.map_err(|error| answer::problem(&error, asked.json))?;
            answer::show_receipt(application, &done.receipt.unwrap_or_default(), asked.json, texts, shown);
        }
        Application::Show(Named { application, asked }) => {
            let request = v1::GetApplicationRequest { id: application.clone() };
            let found = asked.connection.open(texts)?.application(&request).await;
            let found = found.map_err(|error| answer::problem(&error, asked.json))?;
            show_fields(&to_json(&found), asked.json, texts);
        }
        Application::List(list) => self::list(list, texts).await?,
        Application::Delete(Delete { application, request_id, asked }) => {
            let request = v1::DeleteApplicationRequest { id: application.clone(), request_id: text_of(*request_id) };
            let done = asked.connection.open(texts)?.delete_application(request).await;
            let done = done.map_err(|error| answer::problem(&error, asked.json))?;
            answer::show_receipt(application, &done.receipt.unwrap_or_default(), asked.json, texts, shown);
        }
    }
    Ok(Exit::Done)
}

async fn list(List { owner, asked }: &List, texts: &Texts) -> Result<(), Problem> {
    let registrar = asked.connection.open(texts)?;
    let mut request = v1::ListApplicationsRequest { owner: owner.clone(), page_size: PAGE, page_token: String::new() };
    let mut rows = Vec::new();
    loop {
        let page = registrar.applications_known(&request).await;
        let page = page.map_err(|error| answer::problem(&error, asked.json))?;
        for application in page.applications {
            if asked.json {
                terminal::line(to_json(&application));
            } else {
                rows.push(row(&application));
            }
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if !asked.json {
        let head = ["application-id", "application-owner", "application-name", "application-kind", "application-users"];
        terminal::line(table(&head.map(|code| texts.text(code, &[])), &rows));
    }
    Ok(())
}

fn row(application: &v1::Application) -> Vec<String> {
    let profile = application.profile.clone().unwrap_or_default();
    let users = application.users.last();
    let users = users.map_or_else(|| "-".to_owned(), |last| format!("{} ({})", last.users, last.month));
    [&application.id, &application.owner, &profile.name, &profile.kind, &users].map(|text| safe(text)).into()
}

/// An application for programs.
fn to_json(application: &v1::Application) -> Value {
    let profile = application.profile.clone().unwrap_or_default();
    let users: Vec<Value> =
        application.users.iter().map(|counted| json!({ "month": counted.month, "users": counted.users })).collect();
    json!({
        "id": application.id, "owner": application.owner, "name": profile.name, "kind": profile.kind,
        "kind_number": application.kind_number, "description": profile.description,
        "recursive_node": profile.recursive_node, "developer": profile.developer, "users": users,
        "created": time(application.created.as_ref()), "changed": time(application.changed.as_ref()),
        "changed_by": application.changed_by, "serial": application.serial,
    })
}
