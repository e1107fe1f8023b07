//! Packages as people and programs read them.

use serde_json::{Value, json};
use waymark_api::registration::v1::{self, code_part::What};

use super::super::answer;
use crate::{
    cli::{
        present::safe,
        terminal::{self, grouped, table},
    },
    texts::Texts,
};

/// Shows one package, with its parts where it has them.
pub(super) fn package(package: &v1::Package, json: bool, texts: &Texts) {
    packages(std::slice::from_ref(package), json, texts);
    if json || package.parts.is_empty() {
        return;
    }
    let head = ["serials", "part", "detail", "by", "since"].map(|code| texts.text(&format!("range-{code}"), &[]));
    let rows: Vec<Vec<String>> = package.parts.iter().map(|part| part_row(part, texts)).collect();
    terminal::line(table(&head, &rows));
}

/// Shows packages, one a line.
pub(super) fn packages(packages: &[v1::Package], json: bool, texts: &Texts) {
    if json {
        packages.iter().for_each(|package| terminal::line(package_json(package)));
        return;
    }
    let columns = [
        "package",
        "codes",
        "form",
        "ordered",
        "issued",
        "used",
        "spoiled",
        "withdrawn",
        "bound",
        "own",
        "recalled",
        "exported",
        "leased",
    ];
    let head = columns.map(|code| texts.text(&format!("range-{code}"), &[]));
    let rows = packages.iter().map(|package| {
        let counts = package.counts.unwrap_or_default();
        let mut row = vec![
            safe(&package.name),
            format!("{} … {}", safe(&package.first_code), safe(&package.last_code)),
            answer::name_of(package.form().as_str_name(), "CODE_FORM_"),
        ];
        row.extend(numbers(&counts).map(grouped));
        row
    });
    terminal::line(table(&head, &rows.collect::<Vec<_>>()));
}

const fn numbers(counts: &v1::CodeCounts) -> [u64; 10] {
    [
        counts.ordered,
        counts.issued,
        counts.used,
        counts.spoiled,
        counts.withdrawn,
        counts.bound,
        counts.own_records,
        counts.recalled,
        counts.exported,
        counts.leased,
    ]
}

fn part_row(part: &v1::CodePart, texts: &Texts) -> Vec<String> {
    let (name, detail) = match &part.what {
        Some(What::Bound(bound)) => ("bound", bound.values.len().to_string()),
        Some(What::Marked(marked)) => (state_column(marked.state()), safe(&marked.reason)),
        Some(What::Exported(exported)) => {
            ("exported", format!("{} × {} {}", exported.times, grouped(exported.roll_codes), safe(&exported.reason)))
        }
        Some(What::Leased(leased)) => {
            ("leased", format!("{} {}", safe(&leased.station), answer::time(leased.until.as_ref())))
        }
        None => ("part", String::new()),
    };
    vec![
        serials(part.serials),
        texts.text(&format!("range-{name}"), &[]),
        detail.trim_end().to_owned(),
        safe(&part.by),
        answer::time(part.since.as_ref()),
    ]
}

const fn state_column(state: v1::CodeState) -> &'static str {
    match state {
        v1::CodeState::Used => "used",
        v1::CodeState::Spoiled => "spoiled",
        v1::CodeState::Withdrawn => "withdrawn",
        _ => "issued",
    }
}

pub(super) fn serials(serials: Option<v1::Serials>) -> String {
    let v1::Serials { first, last } = serials.unwrap_or_default();
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn package_json(package: &v1::Package) -> Value {
    let counts = package.counts.unwrap_or_default();
    let parts: Vec<Value> = package.parts.iter().map(part_json).collect();
    let (first, last) = package.serials.map_or((0, 0), |serials| (serials.first, serials.last));
    json!({
        "package": package.name, "prefix": package.prefix, "stem": package.stem, "width": package.width,
        "form": answer::name_of(package.form().as_str_name(), "CODE_FORM_"), "check_chars": package.check_chars,
        "first": first, "last": last, "first_code": package.first_code, "last_code": package.last_code,
        "created": answer::time(package.created.as_ref()), "by": package.by, "serial": package.serial,
        "note": package.note,
        "counts": {
            "ordered": counts.ordered, "issued": counts.issued, "used": counts.used, "spoiled": counts.spoiled,
            "withdrawn": counts.withdrawn, "bound": counts.bound, "own_records": counts.own_records,
            "recalled": counts.recalled, "exported": counts.exported, "leased": counts.leased,
        },
        "parts": parts,
    })
}

fn part_json(part: &v1::CodePart) -> Value {
    let v1::Serials { first, last } = part.serials.unwrap_or_default();
    let what = match &part.what {
        Some(What::Bound(bound)) => json!({ "bound": bound.values.len() }),
        Some(What::Marked(marked)) => json!({ "state": state_column(marked.state()), "reason": marked.reason }),
        Some(What::Exported(exported)) => {
            json!({ "exported": exported.times, "roll_codes": exported.roll_codes, "reason": exported.reason })
        }
        Some(What::Leased(leased)) => {
            json!({ "leased": leased.station, "until": answer::time(leased.until.as_ref()) })
        }
        None => Value::Null,
    };
    json!({ "first": first, "last": last, "by": part.by, "since": answer::time(part.since.as_ref()), "what": what })
}
