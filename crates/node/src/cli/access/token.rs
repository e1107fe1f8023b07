//! `waymark token`: bearer tokens, shown once when they are made.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Subcommand};
use serde_json::json;
use waymark_api::operator::v1;
use waymark_catalog::{
    Command,
    access::{Token as Stored, TokenId, TokenText, Verb},
};

use super::{
    form::{self, parse_verb},
    place::{Opened, Place, Where},
};
use crate::{
    certificate::write_private,
    cli::{
        Shown,
        server::answer,
        terminal::{self, table},
    },
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Tokens asked for at once.
const PAGE: u32 = 500;

/// Seconds of a day.
const DAY_SECONDS: u64 = 86_400;

/// `waymark token …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token and show it, this once.
    Issue(Issue),
    /// List tokens, without their text.
    List(List),
    /// End a token at once.
    Revoke(Revoke),
}

/// `waymark token issue`.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    #[arg(value_name = "PRINCIPAL")]
    principal: String,
    #[arg(long = "prefix", value_name = "PREFIX", action = ArgAction::Append)]
    prefixes: Vec<String>,
    #[arg(long = "verb", value_name = "VERB", action = ArgAction::Append, value_parser = parse_verb)]
    verbs: Vec<Verb>,
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=400))]
    days: u64,
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

/// `waymark token list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(value_name = "PRINCIPAL")]
    principal: Option<String>,
    #[command(flatten)]
    place: Where,
}

/// `waymark token revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[arg(value_name = "ID")]
    id: String,
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    place: Where,
}

/// Runs a command about tokens.
pub(crate) async fn run(command: &Token, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Token::Issue(arguments) => issue(arguments, texts).await,
        Token::List(arguments) => list(arguments, texts).await,
        Token::Revoke(arguments) => revoke(arguments, texts, shown).await,
    }
}

async fn issue(arguments: &Issue, texts: &Texts) -> Result<Exit, Problems> {
    let place = &arguments.place;
    if let Some(path) = arguments.to.as_ref().filter(|path| path.exists()) {
        // A token that is lost because its file is in the way would have to be revoked.
        return Err(Problem::new("token-file-exists", Exit::Usage).with("path", path.display()).into());
    }
    let (token, text) = match place.open(texts).await? {
        Place::Server(registrar) => {
            let request = v1::IssueTokenRequest {
                principal: arguments.principal.clone(),
                prefixes: arguments.prefixes.clone(),
                verbs: arguments.verbs.iter().map(|verb| verb.as_str().to_owned()).collect(),
                lifetime_seconds: arguments.days * DAY_SECONDS,
                note: arguments.note.clone(),
            };
            let answered = registrar.issue_token(&request).await;
            let issued = answered.map_err(|error| answer::problem(&error, place.json))?;
            (issued.token.unwrap_or_default(), issued.text)
        }
        Place::Folder(opened) => issue_locally(arguments, opened).await?,
    };
    if let Some(path) = &arguments.to {
        write_private(path, format!("{text}\n").as_bytes()).map_err(|cause| {
            Problem::new("token-not-kept", Exit::Failed)
                .with("path", path.display())
                .with("id", &token.id)
                .with("cause", cause)
        })?;
    }
    let file = arguments.to.as_ref().map(|path| path.display().to_string());
    if place.json {
        let shown = arguments.to.is_none().then_some(&text);
        terminal::line(json!({ "token": form::token_json(&token), "text": shown, "file": file }));
        return Ok(Exit::Done);
    }
    let expires = answer::time(token.expires.as_ref());
    let values = [("id", token.id.into()), ("principal", token.principal.into()), ("expires", expires.into())];
    let code = if file.is_some() { "token-written" } else { "token-issued" };
    terminal::remark(texts.text(code, &values));
    terminal::line(file.unwrap_or(text));
    Ok(Exit::Done)
}

async fn issue_locally(arguments: &Issue, opened: Opened) -> Result<(v1::Token, String), Problem> {
    let text =
        TokenText::generate().map_err(|cause| Problem::new("token-not-made", Exit::Failed).with("cause", cause))?;
    let lifetime = Duration::from_secs(arguments.days * DAY_SECONDS);
    let mut token = Stored::new(&text, &arguments.principal, opened.catalog().now(), lifetime);
    if !arguments.prefixes.is_empty() {
        token.scope = Some(form::scope(&arguments.prefixes)?);
    }
    if !arguments.verbs.is_empty() {
        token.verbs = Some(arguments.verbs.iter().copied().collect());
    }
    token.note.clone_from(&arguments.note);
    let shown = form::show_token(&token);
    opened.write(Command::IssueToken { token }).await?;
    Ok((shown, text.reveal().to_string()))
}

async fn list(arguments: &List, texts: &Texts) -> Result<Exit, Problems> {
    let place = &arguments.place;
    let tokens = match place.open(texts).await? {
        Place::Server(registrar) => {
            let mut request = v1::ListTokensRequest {
                principal: arguments.principal.clone().unwrap_or_default(),
                page_size: PAGE,
                page_token: String::new(),
            };
            let mut found = Vec::new();
            loop {
                let answered = registrar.tokens(&request).await;
                let page = answered.map_err(|error| answer::problem(&error, place.json))?;
                found.extend(page.tokens);
                if page.next_page_token.is_empty() {
                    break found;
                }
                request.page_token = page.next_page_token;
            }
        }
        Place::Folder(opened) => {
            let access = opened.catalog().access();
            let wanted = |owner: &str| arguments.principal.as_deref().is_none_or(|name| name == owner);
            let mut found: Vec<_> =
                access.tokens().filter(|token| wanted(&token.principal)).map(|token| form::show_token(token)).collect();
            found.sort_by(|one, other| (&one.principal, &one.id).cmp(&(&other.principal, &other.id)));
            opened.close(texts).await;
            found
        }
    };
    if place.json {
        tokens.iter().for_each(|token| terminal::line(form::token_json(token)));
    } else {
        let rows: Vec<_> = tokens.iter().map(form::token_row).collect();
        terminal::line(table(&form::token_head(texts), &rows));
    }
    Ok(Exit::Done)
}

async fn revoke(arguments: &Revoke, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let place = &arguments.place;
    let (text, reason) = (&arguments.id, arguments.reason.clone());
    let id: TokenId = text.parse().map_err(|_| Problem::new("token-id-malformed", Exit::Usage).with("id", text))?;
    let receipt = match place.open(texts).await? {
        Place::Server(registrar) => {
            let request = v1::RevokeTokenRequest { id: text.clone(), reason };
            let answered = registrar.revoke_token(&request).await;
            answered.map_err(|error| answer::problem(&error, place.json))?.receipt.unwrap_or_default()
        }
        Place::Folder(opened) => form::show_receipt(&opened.write(Command::RevokeToken { id, reason }).await?),
    };
    answer::show_receipt(text, &receipt, place.json, texts, shown);
    Ok(Exit::Done)
}
