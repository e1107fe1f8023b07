//! Requests of the gRPC services.

use std::ops::RangeInclusive;

use prost::Message;
use waymark_api::operator::v1 as operator;
use waymark_api::registration::v1::{self, change::Action, submit_job_request, upload_request};
use waymark_catalog::access::{Token, TokenText};
use waymark_catalog::config::REASON_BYTES;
use waymark_catalog::{Command, MAX_INDEX, Order, Timestamp, ValueSet};
use waymark_ident::{CaseRule, MAX_HANDLE_BYTES};
use waymark_registration::config::{JOB_TITLE_BYTES, VIOLATIONS};
use waymark_registration::failure::Failure;
use waymark_registration::reasons::Language;
use waymark_registration::request_forms as forms;

/// The first byte chooses a request message of the services, the rest is read as it, as a door does.
///
/// What is wrong is told by its field, in bounded space. What is taken obeys the limits that hold for every door, and what a change brings is shown
/// again as it was brought.
pub fn grpc_requests(input: &[u8]) {
    let Some((which, bytes)) = input.split_first() else { return };
    let readers = READERS;
    readers[usize::from(*which) % readers.len()].1(bytes);
}

/// Reads bytes as one of the messages.
type Read = fn(&[u8]);

/// Every message that somebody may send, in the order of their numbers in inputs.
const READERS: &[(&str, Read)] = &[
    ("ApplyRequest", apply),
    ("UploadRequest", upload),
    ("GetStreamRequest", |bytes| drop(v1::GetStreamRequest::decode(bytes))),
    ("GetRequest", get),
    ("ListRequest", list),
    ("HistoryRequest", history),
    ("WatchRequest", watch),
    ("WhoAmIRequest", |bytes| drop(v1::WhoAmIRequest::decode(bytes))),
    ("SubmitJobRequest", submit_job),
    ("ShowJobRequest", |bytes| drop(v1::ShowJobRequest::decode(bytes))),
    ("ListJobsRequest", |bytes| drop(v1::ListJobsRequest::decode(bytes))),
    ("CancelJobRequest", |bytes| drop(v1::CancelJobRequest::decode(bytes))),
    ("JobResultRequest", |bytes| drop(v1::JobResultRequest::decode(bytes))),
    ("PutPrincipalRequest", put_principal),
    ("GetPrincipalRequest", |bytes| drop(operator::GetPrincipalRequest::decode(bytes))),
    ("ListPrincipalsRequest", list_principals),
    ("RemovePrincipalRequest", |bytes| drop(operator::RemovePrincipalRequest::decode(bytes))),
    ("IssueTokenRequest", issue_token),
    ("ListTokensRequest", |bytes| drop(operator::ListTokensRequest::decode(bytes))),
    ("RevokeTokenRequest", |bytes| drop(operator::RevokeTokenRequest::decode(bytes))),
    ("HomeRequest", home),
    ("UnhomeRequest", |bytes| drop(operator::UnhomeRequest::decode(bytes))),
    ("ListPrefixesRequest", |bytes| drop(operator::ListPrefixesRequest::decode(bytes))),
    ("SearchAuditRequest", search_audit),
    ("AuditHeadRequest", |bytes| drop(operator::AuditHeadRequest::decode(bytes))),
    ("VerifyAuditRequest", |bytes| drop(operator::VerifyAuditRequest::decode(bytes))),
    // Kept by a node, not sent by anybody.
    ("job.json", kept_job),
];

/// The names of the messages, in the order of their numbers in inputs.
pub fn messages() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|(name, _)| *name)
}

fn decoded<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    M::decode(bytes).ok()
}

fn apply(bytes: &[u8]) {
    let Some(request) = decoded::<v1::ApplyRequest>(bytes) else { return };
    let Some(change) = request.change else { return };
    let Some(order) = read_change(change) else { return };
    let request = judged(forms::request_id(&request.request_id, &order));
    assert!(request.flatten().is_none_or(|request| request.id.get_version_num() == 7));
}

fn upload(bytes: &[u8]) {
    let Some(request) = decoded::<v1::UploadRequest>(bytes) else { return };
    let sent = match &request.message {
        Some(upload_request::Message::Items(v1::Items { changes, .. })) => changes.clone(),
        _ => Vec::new(),
    };
    let Some((_, items)) = judged(forms::items(request)) else { return };
    assert_eq!(items.len(), sent.len(), "each item has its outcome");
    for (change, item) in sent.into_iter().zip(items) {
        assert_eq!(read_change(change).is_some(), judged(item).is_some());
    }
}

fn get(bytes: &[u8]) {
    let Some(request) = decoded::<v1::GetRequest>(bytes) else { return };
    if let Some(v1::get_request::At::Time(time)) = &request.at {
        read_time(time);
    }
    handle(&request.handle);
}

fn history(bytes: &[u8]) {
    let Some(request) = decoded::<v1::HistoryRequest>(bytes) else { return };
    handle(&request.handle);
    page_token(&[b"history", request.handle.as_bytes()], &request.page_token);
}

fn list(bytes: &[u8]) {
    let Some(request) = decoded::<v1::ListRequest>(bytes) else { return };
    key_filter(&request.prefix);
    page_token(&[b"keys", request.prefix.as_bytes()], &request.page_token);
    [request.changed_from, request.changed_until].iter().flatten().for_each(read_time);
}

fn watch(bytes: &[u8]) {
    let Some(request) = decoded::<v1::WatchRequest>(bytes) else { return };
    key_filter(&request.prefix);
}

fn submit_job(bytes: &[u8]) {
    let Some(request) = decoded::<v1::SubmitJobRequest>(bytes) else { return };
    let Some(submit_job_request::Message::Header(header)) = request.message else { return };
    if judged(forms::job(header.clone())).is_some() {
        assert!(header.title.len() <= JOB_TITLE_BYTES && header.total_bytes > 0);
        assert!(matches!(header.sha256.len(), 0 | 32));
    }
}

fn put_principal(bytes: &[u8]) {
    let Some(request) = decoded::<operator::PutPrincipalRequest>(bytes) else { return };
    let Some(sent) = request.principal else { return };
    let Some(principal) = judged(forms::principal(sent.clone())) else { return };
    assert_eq!(principal.certificates.len(), sent.certificates.len());
    let shown = forms::shown_principal(&principal);
    assert_eq!((&shown.name, shown.role, shown.disabled), (&sent.name, sent.role, sent.disabled));
    assert_eq!((shown.rate_per_second, shown.daily_quota), (sent.rate_per_second, sent.daily_quota));
    assert_eq!((&shown.note, &shown.certificates), (&sent.note, &sent.certificates));
    assert_eq!(forms::principal(shown).as_ref(), Ok(&principal));
}

fn list_principals(bytes: &[u8]) {
    let Some(request) = decoded::<operator::ListPrincipalsRequest>(bytes) else { return };
    page_token(&[b"principals"], &request.page_token);
}

fn issue_token(bytes: &[u8]) {
    let Some(request) = decoded::<operator::IssueTokenRequest>(bytes) else { return };
    let text = TokenText::parse(&format!("wm1_{}_{}", "01".repeat(8), "02".repeat(32))).expect("a token");
    let now = Timestamp(1_800_000_000_000);
    let sent = request.clone();
    let Some(token) = judged(forms::token(request, &text, now)) else { return };
    assert!(token.expires > now && token.is_live(now), "whatever its lifetime");
    let shown = forms::shown_token(&token);
    assert_eq!((&shown.principal, &shown.note), (&sent.principal, &sent.note));
    // A list that names everything is no narrowing, and none is not the same as an empty one.
    let Token { scope, verbs, .. } = &token;
    assert_eq!((scope.is_none(), verbs.is_none()), (sent.prefixes.is_empty(), sent.verbs.is_empty()));
    assert!(sent.verbs.iter().all(|verb| shown.verbs.contains(verb)));
}

fn home(bytes: &[u8]) {
    let Some(request) = decoded::<operator::HomeRequest>(bytes) else { return };
    if let Some(name) = judged(forms::home_name(&request.prefix)) {
        assert!(!name.prefix().is_empty() && !name.prefix().contains(&b'/'));
    }
}

fn search_audit(bytes: &[u8]) {
    let Some(request) = decoded::<operator::SearchAuditRequest>(bytes) else { return };
    let (actor, verb) = (request.actor.clone(), request.verb.clone());
    if let Some(filter) = judged(forms::audit_filter(request)) {
        assert_eq!((filter.actor.unwrap_or_default(), filter.verb.unwrap_or_default()), (actor, verb));
    }
}

fn kept_job(bytes: &[u8]) {
    let Some((shown, kept)) = forms::kept_job(bytes) else { return };
    let again = forms::kept_job(&kept).expect("what was written can be read");
    assert_eq!(again, (shown, kept));
}

fn handle(text: &str) {
    assert_eq!(judged(forms::handle(text)).is_some(), LENGTHS.contains(&text.len()));
}

/// Bytes of a handle.
const LENGTHS: RangeInclusive<usize> = 1..=MAX_HANDLE_BYTES;

fn key_filter(text: &str) {
    if text.len() <= MAX_HANDLE_BYTES {
        let folded = forms::begin_of_key(text, CaseRule::Insensitive);
        assert_eq!(folded, text.to_ascii_uppercase().as_bytes());
        assert!(forms::begin_of_key(text, CaseRule::SuffixSensitive).eq_ignore_ascii_case(&folded));
    }
}

/// A page token is taken by its own question only.
fn page_token(question: &[&[u8]], token: &str) {
    let Some(cursor) = judged(forms::page_cursor(question, token)).filter(|cursor| !cursor.is_empty()) else { return };
    assert_eq!(forms::page_token(question, &cursor), token.to_ascii_lowercase());
    let other = forms::page_token(&[b"another question"], &cursor);
    assert!(forms::page_cursor(question, &other).is_err());
}

fn read_time(time: &prost_types::Timestamp) {
    let read = judged(forms::time(time));
    assert!(read.is_none_or(|read| time.seconds >= 0 && read <= Timestamp::MAX));
}

/// What came of reading something. A failure is told in every way a door tells it, in bounded space.
pub(super) fn judged<T>(read: Result<T, Failure>) -> Option<T> {
    let failure = match read {
        Ok(read) => return Some(read),
        Err(failure) => failure,
    };
    assert!(failure.violations().len() <= VIOLATIONS);
    for language in [Language::English, Language::Chinese] {
        assert!(!failure.cause(language).is_empty() && !failure.remedy(language).is_empty());
        let refusal = failure.refusal(language);
        assert_eq!(refusal.violations.len(), failure.violations().len());
        assert_eq!(i32::from(failure.status(language).code()), refusal.code);
        let problem: serde_json::Value = serde_json::from_str(&forms::problem_json(&failure, language)).expect("JSON");
        assert_eq!(problem["reason"], *refusal.reason);
    }
    None
}

/// Reads a change; what is taken obeys the limits, and is shown as it was brought.
fn read_change(change: v1::Change) -> Option<Order> {
    let sent = change.clone();
    let order = judged(forms::order(change))?;
    obeys_limits(&order);
    if let (Some(values), Some(set)) = (sent_values(sent.action.as_ref()), values_of(&order.command)) {
        shown_as_sent(values, set);
    }
    Some(order)
}

fn sent_values(action: Option<&Action>) -> Option<&[v1::Value]> {
    match action? {
        Action::Create(v1::Create { values, .. })
        | Action::Replace(v1::Replace { values, .. })
        | Action::AddValues(v1::AddValues { values, .. })
        | Action::ModifyValues(v1::ModifyValues { values, .. }) => Some(values),
        _ => None,
    }
}

/// The values a command brings.
pub(super) fn values_of(command: &Command) -> Option<&ValueSet> {
    match command {
        Command::Put { values, .. } | Command::AddValues { values, .. } | Command::ModifyValues { values, .. } => {
            Some(values)
        }
        _ => None,
    }
}

/// What every door promises of a change before the writer sees it.
pub(super) fn obeys_limits(order: &Order) {
    let handle = match &order.command {
        Command::Put { handle, .. }
        | Command::AddValues { handle, .. }
        | Command::ModifyValues { handle, .. }
        | Command::RemoveValues { handle, .. }
        | Command::Delete { handle }
        | Command::Suspend { handle, .. }
        | Command::Resume { handle }
        | Command::Revoke { handle, .. } => handle,
        other => panic!("no change of an identifier: {other:?}"),
    };
    assert!(LENGTHS.contains(&handle.len()));
    match &order.command {
        Command::Suspend { reason, .. } | Command::Revoke { reason, .. } => assert!(reason.len() <= REASON_BYTES),
        Command::RemoveValues { indexes, .. } => {
            assert!(!indexes.is_empty() && indexes.iter().all(|index| (1..=MAX_INDEX).contains(index)));
        }
        Command::AddValues { values, .. } | Command::ModifyValues { values, .. } => assert!(!values.is_empty()),
        _ => {}
    }
    if let Some(values) = values_of(&order.command) {
        let mut last = 0;
        for value in values.values() {
            assert!(value.index > last && value.index <= MAX_INDEX && !value.kind.is_empty());
            last = value.index;
        }
    }
}

/// Values are shown in order of their indexes, and otherwise as they came, with what they did not say filled in. Shown values are read as the same.
fn shown_as_sent(sent: &[v1::Value], set: &ValueSet) {
    assert_eq!(sent.len(), set.values().len());
    let shown: Vec<v1::Value> = set.values().iter().map(|value| forms::shown_value(&value)).collect();
    for shown in &shown {
        let sent = sent.iter().find(|sent| sent.index == shown.index).expect("it was sent");
        assert_eq!((&shown.r#type, &shown.see), (&sent.r#type, &sent.see));
        assert_eq!(shown.timestamp_seconds, sent.timestamp_seconds);
        assert_eq!(shown.permissions, Some(sent.permissions.unwrap_or(14)));
        assert_eq!(shown.keep_until_seconds, sent.keep_until_seconds);
        let day = sent.keep_until_seconds.is_none().then_some(86_400);
        assert_eq!(shown.ttl_seconds, sent.ttl_seconds.or(day));
    }
    assert_eq!(read_again(shown), *set, "what is shown is read as the same");
}

/// Values that were shown, brought back.
pub(super) fn read_again(shown: Vec<v1::Value>) -> ValueSet {
    let create = v1::Create { values: shown, keep_timestamps: true };
    let change = v1::Change { handle: "1/x".to_owned(), action: Some(Action::Create(create)), expect: None };
    let order = forms::order(change).expect("what was shown can be brought");
    values_of(&order.command).expect("a record").clone()
}
