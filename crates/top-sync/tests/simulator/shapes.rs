//! What holds of every field of every row: it is there, once, alone, of its type, and what it holds is never repeated in a complaint.

use serde_json::{Value, json};
use waymark_top_sync::check::Set;

use crate::golden::{complaints, lines, part, rows};

/// A pointer of JSON as complaints write it.
pub(crate) fn path(pointer: &str) -> String {
    let mut path = String::new();
    for segment in pointer.split('/').skip(1) {
        match segment.parse::<usize>() {
            Ok(item) => path.push_str(&format!("[{item}]")),
            Err(_) if path.is_empty() => path.push_str(segment),
            Err(_) => path.push_str(&format!(".{segment}")),
        }
    }
    path
}

/// Every value below a value, by its pointer.
fn walk(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| walk(value, format!("{pointer}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| walk(value, format!("{pointer}/{at}"), found));
        }
        _ => {}
    }
    found.push(pointer);
}

/// Every place in the golden rows: set, row, pointer.
fn places() -> Vec<(Set, usize, String)> {
    let mut all = Vec::new();
    for set in Set::ALL {
        for (row, value) in rows(set).iter().enumerate() {
            let mut found = Vec::new();
            walk(value, String::new(), &mut found);
            all.extend(found.into_iter().map(|pointer| (set, row, pointer)));
        }
    }
    assert!(all.len() > 400);
    all
}

/// The golden rows with another value at one place.
fn changed(set: Set, row: usize, pointer: &str, change: impl FnOnce(&mut Value)) -> Vec<Value> {
    let mut rows = rows(set);
    change(rows[row].pointer_mut(pointer).unwrap());
    rows
}

fn assert_complains(set: Set, row: usize, field: &str, problem: &str, rows: &[Value]) {
    let told = complaints(set, &part(set, 1, &lines(rows)));
    let is_told =
        told.iter().any(|told| told.row == row as u64 + 1 && told.field == field && told.problem.contains(problem));
    assert!(is_told, "{set} row {row} {field}: {problem:?} is not in {told:?}");
}

#[test]
fn every_field_has_to_be_there() {
    for (set, row, pointer) in places() {
        let (above, name) = pointer.rsplit_once('/').unwrap_or_default();
        let is_object = rows(set)[row].pointer(above).is_some_and(Value::is_object);
        // A file is told from a record by its field `file`.
        if !is_object || name.is_empty() || pointer == "/file" {
            continue;
        }
        let rows = changed(set, row, above, |value| {
            value.as_object_mut().unwrap().remove(name).unwrap();
        });
        assert_complains(set, row, &path(&pointer), "is missing", &rows);
    }
}

#[test]
fn no_other_field_is_taken() {
    for (set, row, pointer) in places() {
        if rows(set)[row].pointer(&pointer).is_some_and(Value::is_object) {
            let rows = changed(set, row, &pointer, |value| value["张三"] = json!(1));
            assert_complains(set, row, &path(&pointer), "does not belong here", &rows);
        }
    }
}

#[test]
fn a_field_is_there_once() {
    for set in Set::ALL {
        let row = rows(set)[0].to_string();
        let first = row.trim_start_matches('{').split_once(':').unwrap().0.trim_matches('"').to_owned();
        let content = format!("{{\"{first}\":null,{}\n", row.trim_start_matches('{'));
        let told = complaints(set, &part(set, 1, &content));
        assert!(told.iter().any(|told| told.field == first && told.problem == "is there twice"), "{set} {told:?}");
    }
}

#[test]
fn a_value_of_another_type_is_complained_of_where_it_stands() {
    for (set, row, pointer) in places() {
        if pointer.is_empty() || pointer == "/file" {
            continue;
        }
        for wrong in [json!({"x": 1}), json!(-1), json!(1.5), json!("\u{7}"), json!([[]])] {
            let rows = changed(set, row, &pointer, |value| *value = wrong.clone());
            let told = complaints(set, &part(set, 1, &lines(&rows)));
            let field = path(&pointer);
            let is_told = told.iter().any(|told| told.row == row as u64 + 1 && told.field.starts_with(&field));
            assert!(is_told, "{set} row {row} {field} = {wrong}: {told:?}");
        }
    }
}

#[test]
fn nothing_that_was_given_is_repeated() {
    const GIVEN: &str = "330106197001010011";
    let mut told_of = 0;
    for (set, row, pointer) in places() {
        let given = changed(set, row, &pointer, |value| *value = json!(GIVEN.repeat(100)));
        let named = changed(set, row, "", |value| value[GIVEN] = json!(1));
        for rows in [given, named] {
            let told = complaints(set, &part(set, 1, &lines(&rows)));
            told_of += told.len();
            assert!(!format!("{told:?}").contains(GIVEN), "{set} {pointer}");
        }
    }
    assert!(told_of > 400);
}
