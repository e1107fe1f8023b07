//! Code packages, both ways.

use waymark_api::registration::v1::{self, code_part::What};
use waymark_catalog::config::MAC_CHARS;
use waymark_catalog::range::{
    CodeState, Form, FormRequest, Layer, MacKey, Part, Piece, PieceKind, Range, RangeCommand, RangeName, Span,
};
use waymark_catalog::recall;

use super::change::value_set;
use super::{Faults, value};
use crate::failure::{Failure, proto_time};
use crate::reasons::Reason;

/// Parts of a package shown at most.
const SHOWN_PARTS: usize = 10_000;

/// Milliseconds of a lease unless another time is asked for: a day.
const LEASE_MS: u64 = 86_400_000;

/// Reads an order for codes; draws the secret it may need.
pub(crate) fn allocate(request: v1::AllocateRequest) -> Result<RangeCommand, Failure> {
    let mut faults = Faults::default();
    let form = match request.form() {
        v1::CodeForm::Plain => FormRequest::Plain,
        v1::CodeForm::Mod10 => FormRequest::Mod10,
        v1::CodeForm::Mod37 => FormRequest::Mod37,
        v1::CodeForm::Mac => FormRequest::Mac { chars: check_chars(request.check_chars, &mut faults) },
        v1::CodeForm::Unspecified => {
            faults.note(|| "form".to_owned(), "must be one of plain, mod10, mod37, mac");
            FormRequest::Plain
        }
    };
    let width = u8::try_from(request.width).unwrap_or_else(|_| {
        faults.note(|| "width".to_owned(), "must be between 1 and 18");
        1
    });
    let values = value_set(request.values, "", &mut faults);
    faults.finish()?;
    let key = MacKey::generate().map_err(|_| Failure::new(Reason::Internal).with("detail", "no random numbers"))?;
    Ok(RangeCommand::Allocate {
        prefix: request.prefix.into_bytes(),
        stem: request.stem,
        width,
        form,
        key,
        first: request.first,
        count: request.count,
        values,
        note: request.note,
    })
}

fn check_chars(asked: u32, faults: &mut Faults) -> u8 {
    let chars = if asked == 0 { MAC_CHARS.default } else { asked.into() };
    u8::try_from(chars).unwrap_or_else(|_| {
        faults.note(|| "check_chars".to_owned(), "must be between 4 and 16");
        0
    })
}

/// Reads the binding of values.
pub(crate) fn bind(request: v1::BindCodesRequest) -> Result<RangeCommand, Failure> {
    let mut faults = Faults::default();
    let range = name(&request.package, &mut faults);
    let span = serials(request.serials, "serials", &mut faults);
    let values = value_set(request.values, "", &mut faults);
    faults.finish()?;
    Ok(RangeCommand::Bind { range: range?, span, values })
}

/// Reads what became of codes.
pub(crate) fn mark(request: v1::MarkCodesRequest) -> Result<RangeCommand, Failure> {
    let mut faults = Faults::default();
    let range = name(&request.package, &mut faults);
    let span = serials(request.serials, "serials", &mut faults);
    let state = match request.state() {
        v1::CodeState::Used => CodeState::Used,
        v1::CodeState::Spoiled => CodeState::Spoiled,
        v1::CodeState::Withdrawn => CodeState::Withdrawn,
        v1::CodeState::Issued | v1::CodeState::Unspecified => {
            faults.note(|| "state".to_owned(), "must be used, spoiled or withdrawn");
            CodeState::Used
        }
    };
    faults.finish()?;
    Ok(RangeCommand::Mark { range: range?, span, state, reason: request.reason })
}

/// Reads a recall of codes, or the end of one.
pub(crate) fn recall(request: v1::RecallCodesRequest) -> Result<RangeCommand, Failure> {
    let mut faults = Faults::default();
    let range = name(&request.package, &mut faults);
    let span = serials(request.serials, "serials", &mut faults);
    if request.lift && !request.reason.is_empty() {
        faults.note(|| "reason".to_owned(), "must be empty where a recall ends");
    }
    faults.finish()?;
    let range = range?;
    Ok(if request.lift {
        RangeCommand::LiftRecall { range, span }
    } else {
        RangeCommand::Recall { range, span, reason: request.reason }
    })
}

/// Reads an order to give codes out.
pub(crate) fn export(request: &v1::ExportCodesRequest) -> Result<RangeCommand, Failure> {
    let mut faults = Faults::default();
    let range = name(&request.package, &mut faults);
    let count = request.count;
    let part = match request.first {
        None => Part::Next(count),
        Some(first) => {
            let last = count.checked_sub(1).and_then(|more| first.checked_add(more));
            let span = last.and_then(|last| Span::new(first, last));
            Part::These(span.unwrap_or_else(|| {
                faults.note(|| "count".to_owned(), "must be at least 1, and no more than serials there can be");
                Span { first, last: first }
            }))
        }
    };
    faults.finish()?;
    let roll_codes = if request.roll_codes == 0 { count } else { request.roll_codes };
    Ok(RangeCommand::Export { range: range?, part, roll_codes, again: request.again.clone() })
}

/// Reads an order to lease codes.
pub(crate) fn lease(request: &v1::LeaseCodesRequest) -> Result<RangeCommand, Failure> {
    let mut faults = Faults::default();
    let range = name(&request.package, &mut faults);
    faults.finish()?;
    let lifetime_ms = match request.lifetime_seconds {
        0 => LEASE_MS,
        seconds => seconds.saturating_mul(1000),
    };
    Ok(RangeCommand::Lease { range: range?, station: request.station.clone(), count: request.count, lifetime_ms })
}

/// Reads the report on a lease.
pub(crate) fn reconcile(request: v1::ReconcileCodesRequest) -> Result<RangeCommand, Failure> {
    let mut faults = Faults::default();
    let range = name(&request.package, &mut faults);
    let mut all = |list: Vec<v1::Serials>, field: &str| -> Vec<Span> {
        let spans = list.into_iter().enumerate();
        spans.map(|(at, each)| serials(Some(each), &format!("{field}[{at}]"), &mut faults)).collect()
    };
    let (printed, spoiled) = (all(request.printed, "printed"), all(request.spoiled, "spoiled"));
    let blank = all(request.blank, "blank");
    faults.finish()?;
    Ok(RangeCommand::Reconcile { range: range?, first: request.first, printed, spoiled, blank })
}

/// Reads the name of a package; a fault is noted too, so that all are told together.
pub(crate) fn name(text: &str, faults: &mut Faults) -> Result<RangeName, Failure> {
    text.parse().map_err(|error: waymark_catalog::range::RangeNameError| {
        faults.note(|| "package".to_owned(), error.to_string());
        Failure::invalid_field("package", error.to_string())
    })
}

fn serials(serials: Option<v1::Serials>, field: &str, faults: &mut Faults) -> Span {
    let v1::Serials { first, last } = serials.unwrap_or_else(|| {
        faults.note(|| field.to_owned(), "is missing");
        v1::Serials::default()
    });
    Span::new(first, last).unwrap_or_else(|| {
        faults.note(|| field.to_owned(), "must not end before it begins");
        Span { first, last: first }
    })
}

/// A package as the interface shows it.
pub(crate) fn show(range: &Range, own_records: u64, with_parts: bool) -> v1::Package {
    let code = |serial| {
        let mut code = Vec::new();
        range.coder.write(serial, &mut code);
        String::from_utf8_lossy(&code).into_owned()
    };
    let parts = Layer::ALL.into_iter().flat_map(|layer| range.pieces.all(layer));
    v1::Package {
        name: range.name.to_string(),
        prefix: String::from_utf8_lossy(range.name.prefix()).into_owned(),
        stem: range.coder.stem().to_owned(),
        width: range.coder.width().into(),
        form: form(range.coder.form()).into(),
        check_chars: range.coder.form().check_chars().into(),
        serials: Some(show_span(range.span)),
        values: range.values.values().iter().map(|each| value::show(&each)).collect(),
        note: range.note.clone(),
        created: Some(proto_time(range.created)),
        by: range.by.as_ref().to_owned(),
        serial: range.serial.0,
        first_code: code(range.span.first),
        last_code: code(range.span.last),
        counts: Some(v1::CodeCounts { own_records, ..counts(range) }),
        parts: if with_parts { parts.take(SHOWN_PARTS).map(show_part).collect() } else { Vec::new() },
    }
}

const fn form(form: &Form) -> v1::CodeForm {
    match form {
        Form::Plain => v1::CodeForm::Plain,
        Form::Mod10 => v1::CodeForm::Mod10,
        Form::Mod37 => v1::CodeForm::Mod37,
        Form::Mac { .. } => v1::CodeForm::Mac,
        _ => v1::CodeForm::Unspecified,
    }
}

const fn show_state(state: CodeState) -> v1::CodeState {
    match state {
        CodeState::Issued => v1::CodeState::Issued,
        CodeState::Used => v1::CodeState::Used,
        CodeState::Spoiled => v1::CodeState::Spoiled,
        CodeState::Withdrawn => v1::CodeState::Withdrawn,
        _ => v1::CodeState::Unspecified,
    }
}

fn counts(range: &Range) -> v1::CodeCounts {
    let sum = |layer| range.pieces.all(layer).map(|piece| piece.span.count()).sum();
    let of = |wanted| {
        let pieces = range.pieces.all(Layer::State);
        let pieces = pieces.filter(|piece| matches!(piece.kind, PieceKind::State { state, .. } if state == wanted));
        pieces.map(|piece| piece.span.count()).sum::<u64>()
    };
    let bound = |counts: &dyn Fn(u32, u32) -> bool| {
        let pieces = range.pieces.all(Layer::Bound).filter(|piece| match &piece.kind {
            PieceKind::Bound { values, .. } => {
                counts(values.count(), u32::from(recall::notice_in(values.values()).is_some()))
            }
            _ => false,
        });
        pieces.map(|piece| piece.span.count()).sum()
    };
    let ordered = range.issued();
    let (used, spoiled, withdrawn) = (of(CodeState::Used), of(CodeState::Spoiled), of(CodeState::Withdrawn));
    v1::CodeCounts {
        ordered,
        issued: ordered.saturating_sub(used).saturating_sub(spoiled).saturating_sub(withdrawn),
        used,
        spoiled,
        withdrawn,
        // The notice of a recall is no value of theirs.
        bound: bound(&|values, notices| values > notices),
        recalled: bound(&|_, notices| notices > 0),
        exported: sum(Layer::Exported),
        leased: sum(Layer::Leased),
        own_records: 0,
    }
}

const fn show_span(span: Span) -> v1::Serials {
    v1::Serials { first: span.first, last: span.last }
}

fn show_part(piece: &Piece) -> v1::CodePart {
    let what = match &piece.kind {
        PieceKind::Bound { values, .. } => {
            let values = values.values().iter().map(|each| value::show(&each)).collect();
            Some(What::Bound(v1::BoundCodes { values }))
        }
        PieceKind::State { state, reason } => {
            Some(What::Marked(v1::MarkedCodes { state: show_state(*state).into(), reason: reason.clone() }))
        }
        PieceKind::Exported { roll_codes, times, reason } => {
            let (roll_codes, times, reason) = (*roll_codes, *times, reason.clone());
            Some(What::Exported(v1::ExportedCodes { roll_codes, times, reason }))
        }
        PieceKind::Leased { station, until } => {
            Some(What::Leased(v1::LeasedCodes { station: station.clone(), until: Some(proto_time(*until)) }))
        }
        _ => None,
    };
    v1::CodePart {
        serials: Some(show_span(piece.span)),
        by: piece.by.as_ref().to_owned(),
        since: Some(proto_time(piece.since)),
        what,
    }
}

/// The header of codes that are sent.
pub(crate) fn header(receipt: v1::Receipt, range: &Range, span: Span, roll_codes: u64) -> v1::CodeLinesHeader {
    v1::CodeLinesHeader {
        receipt: Some(receipt),
        package: range.name.to_string(),
        serials: Some(show_span(span)),
        roll_codes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(result: Result<RangeCommand, Failure>) -> Vec<String> {
        result.unwrap_err().violations().iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn everything_wrong_is_named() {
        let request = v1::AllocateRequest { width: 300, ..v1::AllocateRequest::default() };
        assert_eq!(fields(allocate(request)), ["form", "width"]);
        let mac = v1::AllocateRequest {
            form: v1::CodeForm::Mac.into(),
            check_chars: 300,
            values: vec![v1::Value::default()],
            ..v1::AllocateRequest::default()
        };
        assert_eq!(fields(allocate(mac)), ["check_chars", ".values[0].index", ".values[0].type"]);
        assert_eq!(fields(bind(v1::BindCodesRequest::default())), ["package", "serials"]);
        let backwards = Some(v1::Serials { first: 2, last: 1 });
        let request = v1::MarkCodesRequest { package: "88.1#1".into(), serials: backwards, ..Default::default() };
        assert_eq!(fields(mark(request)), ["serials", "state"]);
        let request =
            v1::ExportCodesRequest { package: "88.1".into(), first: Some(u64::MAX), count: 2, ..Default::default() };
        assert_eq!(fields(export(&request)), ["package", "count"]);
        let request = v1::ReconcileCodesRequest {
            package: "88.1#1".into(),
            spoiled: vec![v1::Serials { first: 1, last: 1 }, v1::Serials { first: 2, last: 1 }],
            ..Default::default()
        };
        assert_eq!(fields(reconcile(request)), ["spoiled[1]"]);
    }

    #[test]
    fn what_is_left_out_has_its_usual_value() {
        let request = v1::AllocateRequest { form: v1::CodeForm::Mac.into(), width: 8, ..Default::default() };
        let Ok(RangeCommand::Allocate { form, first, .. }) = allocate(request) else { panic!("an order") };
        assert_eq!((form, first), (FormRequest::Mac { chars: 6 }, None));
        let request = v1::ExportCodesRequest { package: "88.1#1".into(), count: 7, ..Default::default() };
        let Ok(RangeCommand::Export { part, roll_codes, .. }) = export(&request) else { panic!("an export") };
        assert_eq!((part, roll_codes), (Part::Next(7), 7));
        let request = v1::LeaseCodesRequest { package: "88.1#1".into(), ..Default::default() };
        let Ok(RangeCommand::Lease { lifetime_ms, .. }) = lease(&request) else { panic!("a lease") };
        assert_eq!(lifetime_ms, LEASE_MS);
    }
}
