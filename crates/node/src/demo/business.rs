//! The demo's enterprise: it applies for a prefix, is verified and approved, has its prefix hosted here, publishes a template, registers by it, and calls
//! a batch and an identifier back, which the resolver says with its next answer.

use tokio::time::Instant;
use waymark_api::{
    operator::v1::{self as operator, step_request::Step},
    registration::v1::{self, change::Action},
};
use waymark_client::registration::Registrar;
use waymark_client::{Server, Transport};

use super::{
    Way,
    asking::Asking,
    registering::{Checks, done, failed, say},
};
use crate::{cli::enterprise, problem::Problem, texts::Texts};

/// Whose prefixes are given out here, and the one the enterprise asks for.
const ABOVE: &str = "88.990";
const PREFIX: &str = "88.990.20002";
/// The enterprise, and the template it registers by.
const ENTERPRISE: &[u8] = include_bytes!("../../../../config/enterprise.json");
const TEMPLATE: &str = include_str!("../../../../config/templates/drug-trace-1.0.json");
const TEMPLATE_NAME: &str = "88.990.20002/META_DRUG-TRACE-1.0";
/// What is registered: name, batch, last day.
const GOODS: [(&str, &str, &str); 2] =
    [("88.990.20002/BOX.1", "B2026-11", "2099-12-31"), ("88.990.20002/BOX.2", "B2019-01", "2020-12-31")];

/// What showed: the code of a check's text, and whether it held.
pub(super) async fn run(operator: &Registrar, server: &Server, texts: &Texts) -> Result<Checks, Problem> {
    let hosted = prefix(operator, texts).await?;
    let registered = goods(operator, texts).await?;
    let mut asking = Asking { way: Way::open(server, Transport::Udp).await? };
    let recalled = recall(operator, &mut asking, texts).await?;
    Ok(vec![("demo-check-prefix", hosted), ("demo-check-template", registered), ("demo-check-recall", recalled)])
}

/// From the application to the prefix that is served.
async fn prefix(operator: &Registrar, texts: &Texts) -> Result<bool, Problem> {
    done(operator.home(&operator::HomeRequest { prefix: ABOVE.to_owned() }).await)?;
    let (known, state) = give_out(operator, PREFIX, Step::Host(operator::HostStep {})).await?;
    let name = known.profile.unwrap_or_default().name;
    say(
        texts,
        "demo-prefix",
        &[("enterprise", known.id), ("name", name), ("prefix", PREFIX.to_owned()), ("state", state.clone())],
    );
    Ok(state == "active")
}

/// The enterprise applies for a prefix, is verified, reviewed and approved; `last` says where the prefix is answered for. Gives the enterprise and the
/// state of the case.
///
/// # Errors
/// A step is refused.
pub(super) async fn give_out(
    operator: &Registrar,
    prefix: &str,
    last: Step,
) -> Result<(operator::Enterprise, String), Problem> {
    let request = enterprise::request_of(ENTERPRISE).map_err(|cause| failed(&cause))?;
    let known = done(operator.put_enterprise(request).await)?.enterprise.unwrap_or_default();
    let application = operator::ApplyForPrefixRequest {
        prefix: prefix.to_owned(),
        enterprise: known.id.clone(),
        ..operator::ApplyForPrefixRequest::default()
    };
    done(operator.apply_for_prefix(application).await)?;
    let verified = operator::SetRealNameRequest {
        id: known.id.clone(),
        result: "verified".to_owned(),
        source: "demo".to_owned(),
        ..operator::SetRealNameRequest::default()
    };
    done(operator.set_real_name(&verified).await)?;
    let mut state = String::new();
    for step in [
        Step::Review(operator::ReviewStep {}),
        Step::Approve(operator::ApproveStep {}),
        Step::Confirm(operator::ConfirmStep { approved: true, reason: String::new() }),
        last,
    ] {
        let request =
            operator::StepRequest { prefix: prefix.to_owned(), step: Some(step), ..operator::StepRequest::default() };
        state = done(operator.step(request).await)?.case.unwrap_or_default().state;
    }
    Ok((known, state))
}

/// A template, and two identifiers made from it.
async fn goods(operator: &Registrar, texts: &Texts) -> Result<bool, Problem> {
    let draft = v1::PutTemplateDraftRequest { prefix: PREFIX.to_owned(), definition: TEMPLATE.to_owned() };
    done(operator.put_template_draft(&draft).await)?;
    done(operator.publish_template(&v1::PublishTemplateRequest { name: TEMPLATE_NAME.to_owned() }).await)?;
    let mut created = true;
    for (handle, batch, expiry) in GOODS {
        let field =
            |index, text: &str| v1::TemplateField { index, text: text.to_owned(), ..v1::TemplateField::default() };
        let fields = vec![
            field(2000, handle),
            field(2001, "样例片"),
            field(2002, "H20260001"),
            field(2003, batch),
            field(2004, "2019-01-01"),
            field(2005, expiry),
        ];
        let made = v1::FromTemplate { template: TEMPLATE_NAME.to_owned(), fields, replace: false };
        created &= change(operator, handle, Action::FromTemplate(made)).await? == v1::Outcome::Created;
    }
    say(texts, "demo-template", &[("template", TEMPLATE_NAME.to_owned()), ("count", GOODS.len().to_string())]);
    Ok(created)
}

/// An identifier is recalled and then its batch; the resolver and the verdicts say so.
async fn recall(operator: &Registrar, asking: &mut Asking, texts: &Texts) -> Result<bool, Problem> {
    let [(good, batch, _), (old, ..)] = GOODS;
    let before = verdicts(operator, &[good, old]).await?;
    let reason = "裂片".to_owned();
    let began = Instant::now();
    change(operator, good, Action::Recall(v1::Recall { reason: reason.clone() })).await?;
    let told = asking.told(good).await?.contains(&reason);
    let took = format!("{:.1}", began.elapsed().as_secs_f64() * 1_000.0);
    let after = verdicts(operator, &[good]).await?;
    say(
        texts,
        "demo-recall",
        &[("handle", good.to_owned()), ("reason", reason), ("milliseconds", took), ("verdict", after.join(" "))],
    );
    change(operator, good, Action::LiftRecall(v1::LiftRecall {})).await?;
    let of_batch = format!("{PREFIX}/RECALL_{batch}");
    change(operator, &of_batch, Action::Recall(v1::Recall { reason: "batch".to_owned() })).await?;
    let by_batch = verdicts(operator, &[good, old]).await?;
    let lifted = !asking.told(good).await?.contains(&"裂片".to_owned());
    Ok(told && lifted && before == ["VALID", "EXPIRED"] && after == ["RECALLED"] && by_batch == ["RECALLED", "EXPIRED"])
}

async fn change(operator: &Registrar, handle: &str, action: Action) -> Result<v1::Outcome, Problem> {
    let change = v1::Change { handle: handle.to_owned(), action: Some(action), expect: None };
    Ok(done(operator.apply(change, None).await)?.outcome())
}

async fn verdicts(operator: &Registrar, codes: &[&str]) -> Result<Vec<String>, Problem> {
    let codes = codes.iter().map(|code| (*code).to_owned()).collect();
    let judged = done(operator.judge(&v1::JudgeRequest { codes }).await)?.judgements;
    let name = |judged: &v1::Judgement| judged.verdict().as_str_name().trim_start_matches("VERDICT_").to_owned();
    Ok(judged.iter().map(name).collect())
}
