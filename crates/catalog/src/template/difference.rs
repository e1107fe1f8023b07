//! What changed from one template to another, line by line.

use std::fmt::Display;

use super::definition::{Column, Definition};

/// What has to be said of `to` to somebody who knows `from`: a line for each thing that differs, none when nothing does. Columns are told apart by
/// their index. The words are those of the JSON form, the same in every language.
///
/// ```text
/// title: 工程机械整机 -> 工程机械
/// + 2011 recycler (回收责任方): string, max 64
/// - 2003 ratedMass (额定质量)
/// ~ 2005 madeDate: required false -> true, max 10 -> 32
/// ```
#[must_use]
pub fn difference(from: &Definition, to: &Definition) -> Vec<String> {
    let mut lines = Vec::new();
    for (field, [before, after]) in
        heads(from).into_iter().zip(heads(to)).map(|((field, one), (_, other))| (field, [one, other]))
    {
        if before != after {
            lines.push(format!("{field}: {before} -> {after}"));
        }
    }
    let mut indexes: Vec<u32> = from.columns.iter().chain(&to.columns).map(|column| column.index).collect();
    indexes.sort_unstable();
    indexes.dedup();
    for index in indexes {
        match (from.column(index), to.column(index)) {
            (Some(before), Some(after)) => lines.extend(changed(before, after)),
            (Some(before), None) => lines.push(format!("- {index} {} ({})", before.kind, before.name)),
            (None, Some(after)) => lines.push(format!("+ {index} {} ({}): {}", after.kind, after.name, told(after))),
            (None, None) => {}
        }
    }
    lines
}

fn heads(definition: &Definition) -> [(&'static str, String); 6] {
    let Definition { code, version, title, object_type, industry, administrator, .. } = definition;
    let industry = [&industry.category, &industry.division, &industry.group, &industry.class];
    let industry = industry.map(String::as_str).join("/");
    let administrator = administrator.as_ref().map(|it| format!("{} at {}", it.handle, it.index));
    [
        ("code", code.clone()),
        ("version", version.clone()),
        ("title", title.clone()),
        ("object_type", u8::from(*object_type).to_string()),
        ("industry", industry.trim_end_matches('/').to_owned()),
        ("administrator", administrator.unwrap_or_else(nothing)),
    ]
}

/// Each property of a column with its text; the same ones, in the same order, for every column.
fn properties(column: &Column) -> [(&'static str, String); 14] {
    let text = |shown: &dyn Display| shown.to_string();
    let or_nothing = |shown: Option<String>| shown.filter(|text| !text.is_empty()).unwrap_or_else(nothing);
    [
        ("name", column.name.clone()),
        ("type", column.kind.clone()),
        ("data", text(&column.data.as_str())),
        ("required", text(&column.required)),
        ("min", text(&column.min)),
        ("max", text(&column.max)),
        ("decimals", or_nothing(column.decimals.map(|decimals| decimals.to_string()))),
        ("form", text(&column.form.as_str())),
        ("values", or_nothing(Some(column.values.join("|")))),
        ("unit", or_nothing(Some(column.unit.clone()))),
        ("visibility", text(&column.visibility.as_str())),
        ("role", or_nothing(column.role.map(|role| role.as_str().to_owned()))),
        ("ttl", text(&column.ttl)),
        ("enabled", text(&column.enabled)),
    ]
}

fn nothing() -> String {
    "none".into()
}

fn changed(before: &Column, after: &Column) -> Option<String> {
    let pairs = properties(before).into_iter().zip(properties(after));
    let differing: Vec<String> = pairs
        .filter(|((_, one), (_, other))| one != other)
        .map(|((property, one), (_, other))| format!("{property} {one} -> {other}"))
        .collect();
    (!differing.is_empty()).then(|| format!("~ {} {}: {}", before.index, before.kind, differing.join(", ")))
}

/// A new column in a few words.
fn told(column: &Column) -> String {
    let mut words = vec![column.data.as_str().to_owned()];
    if column.required {
        words.push("required".into());
    }
    words.push(format!("max {}", column.max));
    if !column.unit.is_empty() {
        words.push(column.unit.clone());
    }
    if column.visibility == super::Visibility::Administrators {
        words.push("administrators".into());
    }
    words.extend(column.role.map(|role| role.as_str().to_owned()));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::testing::definition;

    #[test]
    fn whatever_differs_has_a_line_and_nothing_else_does() {
        assert_eq!(difference(&definition(), &definition()), Vec::<String>::new());
        let mut to = definition();
        to.version = "1.3".into();
        to.title = "工程机械".into();
        to.industry.class = String::new();
        to.administrator = None;
        let removed = to.columns.remove(2);
        to.columns[2].values.push("待检".into());
        to.columns[3].required = true;
        to.columns[3].max = 40;
        to.columns.push(Column {
            index: 2009,
            name: "回收方".into(),
            kind: "recycler".into(),
            required: true,
            ..removed
        });
        let expected = [
            "version: 1.2 -> 1.3",
            "title: 工程机械整机 -> 工程机械",
            "industry: C/35/351/3514 -> C/35/351",
            "administrator: {prefix}/0.ADMIN at 300 -> none",
            "- 2002 ratedMass (额定质量)",
            "~ 2003 inspection: values 合格|不合格 -> 合格|不合格|待检",
            "~ 2004 warrantyEnd: required false -> true, max 32 -> 40",
            "+ 2009 recycler (回收方): number, required, max 12, t",
        ];
        assert_eq!(difference(&definition(), &to), expected);
    }
}
