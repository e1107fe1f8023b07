//! `waymark prefix apply`, `review`, …: how prefixes become those of enterprises.

use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;
use waymark_api::operator::v1::{self, step_request::Step};
use waymark_catalog::business::Wish;

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

/// Cases asked for at once.
const PAGE: u32 = 500;

/// The part of `waymark prefix …` that is about enterprises.
#[derive(Debug, Subcommand)]
pub(crate) enum PrefixCase {
    /// Ask for a prefix.
    Apply(Apply),
    /// Take an application into review.
    Review(Plain),
    /// Approve an application for this node.
    Approve(Plain),
    /// Refuse an application for this node.
    Reject(Reasoned),
    /// Say what the top-level node said.
    Confirm(Confirm),
    /// Serve the prefix of an enterprise here.
    Host(Plain),
    /// Have the enterprise's own sites answer for its prefix.
    Delegate(Delegate),
    /// Stop the prefix of an enterprise.
    Suspend(Reasoned),
    /// Go on with it.
    Resume(Plain),
    /// End it.
    Delete(Reasoned),
    /// Show the case of a prefix.
    #[command(name = "case")]
    Show(CaseOf),
    /// List the cases of prefixes.
    Cases(Cases),
}

/// `waymark prefix apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[arg(value_name = "PREFIX")]
    case_prefix: String,
    #[arg(long, value_name = "ENTERPRISE", default_value = "")]
    enterprise: String,
    #[arg(long, value_name = "WISH", default_value = "hosted", value_parser = PossibleValuesParser::new(Wish::ALL.iter().map(|wish| wish.as_str())))]
    wish: String,
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// A step that says nothing more.
#[derive(Debug, Args)]
pub(crate) struct Plain {
    #[arg(value_name = "PREFIX")]
    case_prefix: String,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// A step that says why.
#[derive(Debug, Args)]
pub(crate) struct Reasoned {
    #[command(flatten)]
    plain: Plain,
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `waymark prefix confirm`.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    #[command(flatten)]
    plain: Plain,
    #[arg(long, requires = "reason")]
    refused: bool,
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

/// `waymark prefix delegate`.
#[derive(Debug, Args)]
pub(crate) struct Delegate {
    #[command(flatten)]
    plain: Plain,
    #[arg(long = "site", value_name = "SITE", required = true, action = ArgAction::Append, value_parser = parse_site)]
    sites: Vec<v1::OwnSite>,
}

/// `waymark prefix case`.
#[derive(Debug, Args)]
pub(crate) struct CaseOf {
    #[arg(value_name = "PREFIX")]
    case_prefix: String,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark prefix cases`.
#[derive(Debug, Args)]
pub(crate) struct Cases {
    #[arg(long, value_name = "STATE", default_value = "")]
    state: String,
    #[command(flatten)]
    asked: Asked,
}

/// Reads a site: `192.0.2.1 tcp=2641 udp=2641 http=80`.
fn parse_site(text: &str) -> Result<v1::OwnSite, String> {
    let wrong = || "must be an address and ports, such as \"192.0.2.1 tcp=2641 udp=2641\"".to_owned();
    let mut words = text.split_whitespace();
    let ip: std::net::IpAddr = words.next().and_then(|word| word.parse().ok()).ok_or_else(wrong)?;
    let mut site = v1::OwnSite { ip: ip.to_string(), ..v1::OwnSite::default() };
    for word in words {
        let (kind, port) = word.split_once('=').ok_or_else(wrong)?;
        let port = u32::from(port.parse::<u16>().map_err(|_| wrong())?);
        match kind {
            "tcp" => site.tcp_port = port,
            "udp" => site.udp_port = port,
            "http" => site.http_port = port,
            _ => return Err(wrong()),
        }
    }
    Ok(site)
}

/// Runs a command about the cases of prefixes.
pub(crate) async fn run(command: &PrefixCase, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let (plain, step) = match command {
        PrefixCase::Apply(apply) => return Ok(ask(apply, texts, shown).await?),
        PrefixCase::Show(named) => return Ok(show(named, texts).await?),
        PrefixCase::Cases(cases) => return Ok(list(cases, texts).await?),
        PrefixCase::Review(plain) => (plain, Step::Review(v1::ReviewStep {})),
        PrefixCase::Approve(plain) => (plain, Step::Approve(v1::ApproveStep {})),
        PrefixCase::Reject(Reasoned { plain, reason }) => {
            (plain, Step::Reject(v1::RejectStep { reason: reason.clone() }))
        }
        PrefixCase::Confirm(Confirm { plain, refused, reason }) => {
            (plain, Step::Confirm(v1::ConfirmStep { approved: !refused, reason: reason.clone() }))
        }
        PrefixCase::Host(plain) => (plain, Step::Host(v1::HostStep {})),
        PrefixCase::Delegate(Delegate { plain, sites }) => {
            (plain, Step::Delegate(v1::DelegateStep { sites: sites.clone() }))
        }
        PrefixCase::Suspend(Reasoned { plain, reason }) => {
            (plain, Step::Suspend(v1::SuspendStep { reason: reason.clone() }))
        }
        PrefixCase::Resume(plain) => (plain, Step::Resume(v1::ResumeStep {})),
        PrefixCase::Delete(Reasoned { plain, reason }) => {
            (plain, Step::Delete(v1::DeleteStep { reason: reason.clone() }))
        }
    };
    let Plain { case_prefix, request_id, asked } = plain;
    let request = v1::StepRequest { prefix: case_prefix.clone(), step: Some(step), request_id: text_of(*request_id) };
    let done = asked.connection.open(texts)?.step(request).await;
    let done = done.map_err(|error| answer::problem(&error, asked.json))?;
    answer::show_receipt(case_prefix, &done.receipt.unwrap_or_default(), asked.json, texts, shown);
    Ok(Exit::Done)
}

async fn ask(apply: &Apply, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let request = v1::ApplyForPrefixRequest {
        prefix: apply.case_prefix.clone(),
        enterprise: apply.enterprise.clone(),
        wish: apply.wish.clone(),
        note: apply.note.clone(),
        request_id: text_of(apply.request_id),
    };
    let done = apply.asked.connection.open(texts)?.apply_for_prefix(request).await;
    let done = done.map_err(|error| answer::problem(&error, apply.asked.json))?;
    let receipt = done.receipt.unwrap_or_default();
    answer::show_receipt(&apply.case_prefix, &receipt, apply.asked.json, texts, shown);
    Ok(Exit::Done)
}

async fn show(named: &CaseOf, texts: &Texts) -> Result<Exit, Problem> {
    let request = v1::GetPrefixCaseRequest { prefix: named.case_prefix.clone() };
    let found = named.asked.connection.open(texts)?.prefix_case(&request).await;
    let found = found.map_err(|error| answer::problem(&error, named.asked.json))?;
    show_fields(&to_json(&found), named.asked.json, texts);
    Ok(Exit::Done)
}

async fn list(cases: &Cases, texts: &Texts) -> Result<Exit, Problem> {
    let registrar = cases.asked.connection.open(texts)?;
    let state = cases.state.clone();
    let mut request = v1::ListPrefixCasesRequest { state, page_size: PAGE, page_token: String::new() };
    let mut rows = Vec::new();
    loop {
        let page = registrar.prefix_cases(&request).await;
        let page = page.map_err(|error| answer::problem(&error, cases.asked.json))?;
        for case in page.cases {
            if cases.asked.json {
                terminal::line(to_json(&case));
            } else {
                let fields = [&case.prefix, &case.enterprise, &case.state, &case.placement];
                rows.push(fields.map(|text| safe(text)).into());
            }
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if !cases.asked.json {
        let head = ["case-prefix", "enterprise-id", "case-state", "case-placement"];
        terminal::line(table(&head.map(|code| texts.text(code, &[])), &rows));
    }
    Ok(Exit::Done)
}

/// A case for programs.
fn to_json(case: &v1::PrefixCase) -> Value {
    let step = |step: &v1::CaseStep| json!({ "kind": step.kind, "time": time(step.time.as_ref()), "by": step.by, "reason": step.reason });
    let site = |site: &v1::OwnSite| {
        let port = |port: u32| (port > 0).then_some(port);
        json!({
            "ip": site.ip, "tcp": port(site.tcp_port), "udp": port(site.udp_port), "http": port(site.http_port),
        })
    };
    json!({
        "prefix": case.prefix, "enterprise": case.enterprise, "state": case.state, "state_number": case.state_number,
        "wish": case.wish, "placement": case.placement, "sites": case.sites.iter().map(site).collect::<Vec<_>>(),
        "hosting_number": case.hosting_number, "effective_ms": case.effective_ms, "serial": case.serial,
        "steps": case.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_an_address_and_its_ports() {
        let site = parse_site("2001:db8::1 tcp=2641 http=80").unwrap();
        assert_eq!((&site.ip[..], site.tcp_port, site.udp_port, site.http_port), ("2001:db8::1", 2641, 0, 80));
        for wrong in ["", "host tcp=1", "192.0.2.1 2641", "192.0.2.1 ftp=1", "192.0.2.1 tcp=70000"] {
            assert!(parse_site(wrong).unwrap_err().contains("192.0.2.1"), "{wrong}");
        }
    }
}
