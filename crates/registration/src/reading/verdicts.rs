//! Verdicts, for every door.

use futures_util::{StreamExt as _, stream};
use tokio::time::sleep;
use waymark_api::registration::v1;
use waymark_catalog::Timestamp;
use waymark_catalog::access::Verb;
use waymark_catalog::verdict::{self, Detail, Sale, Source, Told, Verdict};
use waymark_wire::Values;

use crate::config::{JUDGED_CODE_BYTES, JUDGED_CODES};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::{Failure, proto_time};
use crate::recursion::{Heard, Recursion};

/// Nodes asked at once for one call.
const ASKED_AT_ONCE: usize = 32;

/// The verdicts on codes, in their order.
pub(crate) async fn judge(edge: &Edge, caller: &Caller, codes: Vec<String>) -> Result<v1::JudgeResponse, Failure> {
    if !caller.rights.has(Verb::Read) {
        return Err(edge.deny(caller, Verb::Read, b""));
    }
    if codes.is_empty() || codes.len() > JUDGED_CODES {
        return Err(Failure::invalid_field("codes", format!("must be between 1 and {JUDGED_CODES}")));
    }
    if let Some(at) = codes.iter().position(|code| code.is_empty() || code.len() > JUDGED_CODE_BYTES) {
        let problem = format!("must have between 1 and {JUDGED_CODE_BYTES} bytes");
        return Err(Failure::invalid_field(format!("codes[{at}]"), problem));
    }
    let (catalog, rights) = (edge.catalog.clone(), caller.rights.clone());
    let asks_others = edge.recursion.is_some();
    let read = edge.reading.read(move |cold| {
        let mut desk = catalog.desk(cold);
        let sees = |prefix: &[u8]| rights.allows(Verb::Read, prefix);
        let judgements: Vec<_> = codes.iter().map(|code| shown(desk.tell(code, &sees))).collect();
        let elsewhere = codes.iter().enumerate().filter(|_| asks_others);
        let elsewhere = elsewhere.filter_map(|(at, code)| Some((at, Box::from(desk.elsewhere(code)?.as_bytes()))));
        Ok((judgements, elsewhere.collect::<Vec<(usize, Box<[u8]>)>>()))
    });
    let (mut judgements, elsewhere) = read.await?;
    if let Some(recursion) = edge.recursion.as_deref().filter(|_| !elsewhere.is_empty()) {
        for (at, told) in judge_elsewhere(edge, recursion, elsewhere).await? {
            if let Some(judgement) = judgements.get_mut(at) {
                *judgement = told;
            }
        }
    }
    Ok(v1::JudgeResponse { judgements })
}

/// The verdicts on identifiers of other nodes that were heard in time, by their places in the call.
async fn judge_elsewhere(
    edge: &Edge,
    recursion: &dyn Recursion,
    handles: Vec<(usize, Box<[u8]>)>,
) -> Result<Vec<(usize, v1::Judgement)>, Failure> {
    let asked = handles.into_iter().map(|(at, handle)| {
        let hearing = recursion.hear(&handle);
        async move { (at, hearing.await) }
    });
    let asked = stream::iter(asked).buffer_unordered(ASKED_AT_ONCE);
    // Slow neighbours cost their own codes a verdict, not the whole call its time.
    let heard: Vec<(usize, Heard)> = asked.take_until(sleep(edge.limits.call_time / 2)).collect().await;
    let (catalog, now) = (edge.catalog.clone(), edge.now());
    let read = edge.reading.read(move |cold| {
        let desk = catalog.desk(cold);
        let tell = |heard: &Heard| {
            let (heard, age_seconds) = match heard {
                Heard::Nothing => (verdict::Heard::Nothing, 0),
                Heard::Absent { age_seconds } => (verdict::Heard::Absent, *age_seconds),
                Heard::Values { count, wire, age_seconds } => {
                    (verdict::Heard::Values(Values::checked_before(*count, wire)), *age_seconds)
                }
            };
            shown(desk.tell_heard(heard, Timestamp(now.0.saturating_sub(u64::from(age_seconds) * 1000))))
        };
        Ok(heard.iter().map(|(at, heard)| (*at, tell(heard))).collect())
    });
    read.await
}

fn shown(told: Told) -> v1::Judgement {
    let day = |day: Option<waymark_ident::Date>| day.map(|day| day.to_string()).unwrap_or_default();
    v1::Judgement {
        verdict: verdict_of(told.verdict).into(),
        detail: told.detail.map_or(v1::VerdictDetail::Unspecified, detail).into(),
        sale: match told.sale {
            Sale::Allow => v1::Sale::Allow,
            Sale::Warn => v1::Sale::Warn,
            Sale::Deny => v1::Sale::Deny,
        }
        .into(),
        since: day(told.since),
        reason: told.reason,
        batch: told.batch,
        expiry: day(told.expiry),
        as_of: Some(proto_time(told.as_of)),
        source: match told.source {
            Source::Nothing => v1::VerdictSource::Unspecified,
            Source::Record => v1::VerdictSource::Record,
            Source::Package => v1::VerdictSource::Package,
            Source::Scan => v1::VerdictSource::Scan,
            Source::Elsewhere => v1::VerdictSource::Elsewhere,
        }
        .into(),
    }
}

const fn verdict_of(verdict: Verdict) -> v1::Verdict {
    match verdict {
        Verdict::Valid => v1::Verdict::Valid,
        Verdict::Expired => v1::Verdict::Expired,
        Verdict::Recalled => v1::Verdict::Recalled,
        Verdict::Suspended => v1::Verdict::Suspended,
        Verdict::NeverIssued => v1::Verdict::NeverIssued,
        Verdict::Absent => v1::Verdict::Absent,
        Verdict::UpstreamDown => v1::Verdict::UpstreamDown,
    }
}

const fn detail(detail: Detail) -> v1::VerdictDetail {
    match detail {
        Detail::WrongCheck => v1::VerdictDetail::WrongCheck,
        Detail::NotIssued => v1::VerdictDetail::NotIssued,
        Detail::BatchRecalled => v1::VerdictDetail::BatchRecalled,
        Detail::Revoked => v1::VerdictDetail::Revoked,
        Detail::Withdrawn => v1::VerdictDetail::Withdrawn,
        Detail::NearExpiry => v1::VerdictDetail::NearExpiry,
        Detail::ExpiryMissing => v1::VerdictDetail::ExpiryMissing,
        Detail::ExpiryUnreadable => v1::VerdictDetail::ExpiryUnreadable,
        Detail::NotAProduct => v1::VerdictDetail::NotAProduct,
        Detail::NotJudgedHere => v1::VerdictDetail::NotJudgedHere,
    }
}
