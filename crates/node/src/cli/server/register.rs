//! `waymark register`: one identifier, from the command line or a file.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::{ArgAction, Args};
use uuid::Uuid;
use waymark_api::registration::v1::{self, change::Action, expectation::Condition};
use waymark_catalog::{ValueSet, form::line, import::Cause};
use waymark_wire::{ValueBuf, is_admin_type, types};

use super::{answer, change::apply, connection::Connection, form};
use crate::{
    cli::{Shown, present},
    problem::{Exit, Problem},
    texts::Texts,
};

/// Largest record file in bytes: what a submission of the node may weigh, as text, and more.
const RECORD_BYTES: u64 = 8 << 20;

/// `waymark register`.
#[derive(Debug, Args)]
pub(crate) struct Register {
    #[arg(value_name = "HANDLE", required_unless_present = "file", conflicts_with = "file")]
    handle: Option<String>,
    #[arg(long = "value", value_name = "INDEX TYPE DATA", action = ArgAction::Append, conflicts_with = "file")]
    values: Vec<String>,
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[arg(long, value_name = "TEMPLATE", conflicts_with_all = ["file", "values"])]
    template: Option<String>,
    #[arg(long = "field", value_name = "NAME=TEXT", action = ArgAction::Append, requires = "template")]
    fields: Vec<String>,
    #[arg(long)]
    replace: bool,
    #[arg(long, value_name = "SERIAL", conflicts_with = "expect_absent")]
    expect_serial: Option<u64>,
    #[arg(long)]
    expect_absent: bool,
    #[arg(long, value_name = "UUID", conflicts_with = "validate_only")]
    request_id: Option<Uuid>,
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Registers one identifier and shows the receipt.
pub(crate) async fn run(arguments: &Register, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let change = change(arguments)?;
    let handle = change.handle.clone();
    let registrar = arguments.connection.open(texts)?;
    let answered = if arguments.validate_only {
        registrar.validate(change).await.map_err(|error| answer::problem(&error, arguments.json))
    } else {
        apply(&registrar, change, arguments.request_id, arguments.json, texts).await
    };
    let receipt = answered.map_err(|problem| {
        // Whoever forgot it is told of a prefix nobody has heard of.
        match handle.contains('/') {
            true => problem,
            false => {
                let hint = Problem::new("hint-no-slash", problem.exit()).with("handle", present::safe(&handle));
                problem.note(hint)
            }
        }
    })?;
    answer::show_receipt(&handle, &receipt, arguments.json, texts, shown);
    Ok(Exit::Done)
}

fn change(arguments: &Register) -> Result<v1::Change, Problem> {
    let (handle, action) = match &arguments.template {
        Some(template) => {
            let fields = arguments.fields.iter().map(|text| field(text)).collect::<Result<_, _>>()?;
            let made = v1::FromTemplate { template: template.clone(), fields, replace: arguments.replace };
            (arguments.handle.clone().unwrap_or_default(), Action::FromTemplate(made))
        }
        None => whole(arguments)?,
    };
    let condition = match (arguments.expect_serial, arguments.expect_absent) {
        (Some(serial), _) => Some(Condition::Serial(serial)),
        (None, true) => Some(Condition::Absent(true)),
        (None, false) => None,
    };
    let expect = condition.map(|condition| v1::Expectation { condition: Some(condition) });
    Ok(v1::Change { handle, action: Some(action), expect })
}

/// Reads `NAME=TEXT`, where the name is the type of a column or its index; the text goes to the end.
fn field(text: &str) -> Result<v1::TemplateField, Problem> {
    let wrong = || Problem::new("field-malformed", Exit::Usage).with("field", text);
    let (name, text) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    let text = text.to_owned();
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        let index = name.parse().ok().filter(|index| *index > 0).ok_or_else(wrong)?;
        return Ok(v1::TemplateField { index, text, ..v1::TemplateField::default() });
    }
    Ok(v1::TemplateField { r#type: name.to_owned(), text, ..v1::TemplateField::default() })
}

/// All values, from the command line or a file.
fn whole(arguments: &Register) -> Result<(String, Action), Problem> {
    let (handle, values, keep_timestamps) = match &arguments.file {
        Some(path) => {
            let record = read_record(path)?;
            if record.status.is_some() {
                return Err(malformed("status", &Cause::StatusApart));
            }
            (record.handle, record.values, true)
        }
        None => {
            let values = arguments.values.iter().map(|text| value(text)).collect::<Result<Vec<_>, _>>()?;
            let values = ValueSet::from_bufs(&values).map_err(|cause| malformed("values", &cause))?;
            (arguments.handle.clone().unwrap_or_default(), values, false)
        }
    };
    let values = form::to_interface(&values).map_err(|error| malformed(&error.field, &error.cause))?;
    let action = if arguments.replace {
        Action::Replace(v1::Replace { values, keep_timestamps })
    } else {
        Action::Create(v1::Create { values, keep_timestamps })
    };
    Ok((handle, action))
}

fn malformed(field: &str, cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("record-malformed", Exit::Usage).with("field", field).with("cause", cause)
}

/// Reads values as `--value` takes them, for the interface.
pub(super) fn values(texts: &[String]) -> Result<Vec<v1::Value>, Problem> {
    let values = texts.iter().map(|text| value(text)).collect::<Result<Vec<_>, _>>()?;
    let values = ValueSet::from_bufs(&values).map_err(|cause| malformed("values", &cause))?;
    form::to_interface(&values).map_err(|error| malformed(&error.field, &error.cause))
}

/// Reads `INDEX TYPE DATA`; the data is text and goes to the end.
fn value(text: &str) -> Result<ValueBuf, Problem> {
    let wrong = || Problem::new("value-malformed", Exit::Usage).with("value", text);
    let (index, rest) = text.trim_start().split_once(' ').ok_or_else(wrong)?;
    let (kind, data) = rest.trim_start().split_once(' ').unwrap_or_else(|| (rest.trim_start(), ""));
    let index = index.parse().map_err(|_| wrong())?;
    let kind = kind.as_bytes();
    if kind.is_empty() {
        return Err(wrong());
    }
    if is_admin_type(kind) || kind.eq_ignore_ascii_case(types::HS_VLIST) || types::is_site_type(kind) {
        return Err(Problem::new("value-structured", Exit::Usage).with("value", text));
    }
    Ok(ValueBuf::new(index, kind, data.as_bytes()))
}

/// Reads a file that holds one record; it may stand on several lines.
fn read_record(path: &Path) -> Result<line::Line, Problem> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    };
    let mut text = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(RECORD_BYTES + 1).read_to_end(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(RECORD_BYTES + 1).read_to_end(&mut text))
    };
    let length = read.map_err(|cause| unreadable(&cause))?;
    if length as u64 > RECORD_BYTES {
        return Err(unreadable(&format_args!("more than {RECORD_BYTES} bytes")));
    }
    line::read(&text).map_err(|error| {
        // Without a field the text as a whole is at fault: often there are several records in it.
        let whole =
            || Problem::new("record-file", Exit::Usage).with("path", path.display()).with("cause", &error.cause);
        if error.field.is_empty() { whole() } else { malformed(&error.field, &error.cause) }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        register: Register,
    }

    fn read(words: &[&str]) -> Result<v1::Change, &'static str> {
        let words = std::iter::once("waymark").chain(words.iter().copied());
        let line = Line::try_parse_from(words).map_err(|_| "usage")?;
        change(&line.register).map_err(|problem| problem.code())
    }

    #[test]
    fn values_are_index_type_and_the_rest() {
        let change =
            read(&["88.1/x", "--value", "1 URL https://a b", "--value", "2 EMPTY", "--expect-absent"]).unwrap();
        let Some(Action::Create(create)) = change.action else { panic!("a creation") };
        assert_eq!(create.values[0].data, Some(v1::value::Data::Text("https://a b".into())));
        assert_eq!(
            (create.values[1].r#type.as_str(), &create.values[1].data),
            ("EMPTY", &Some(v1::value::Data::Text(String::new())))
        );
        assert_eq!(change.expect.unwrap().condition, Some(Condition::Absent(true)));
        assert!(!create.keep_timestamps, "the node gives the time");
    }

    #[test]
    fn fields_of_a_template_are_named_by_type_or_index() {
        let change = read(&["88.1/x", "--template", "EXC-1.2", "--field", "a=b=c", "--field", "2001=", "--replace"]);
        let Some(Action::FromTemplate(made)) = change.unwrap().action else { panic!("from a template") };
        let fields: Vec<_> = made.fields.iter().map(|it| (it.index, it.r#type.as_str(), it.text.as_str())).collect();
        assert_eq!((made.template.as_str(), made.replace), ("EXC-1.2", true));
        assert_eq!(fields, [(0, "a", "b=c"), (2001, "", "")]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_reason() {
        let cases: &[(&[&str], &str)] = &[
            (&[], "usage"),
            (&["88.1/x", "--file", "f"], "usage"),
            (&["88.1/x", "--expect-serial", "1", "--expect-absent"], "usage"),
            (&["88.1/x", "--request-id", "7"], "usage"),
            (&["88.1/x", "--value", "URL https://a"], "value-malformed"),
            (&["88.1/x", "--value", "1"], "value-malformed"),
            (&["88.1/x", "--value", "1 "], "value-malformed"),
            (&["88.1/x", "--value", "100 HS_ADMIN 300:88.1/0.ADMIN"], "value-structured"),
            (&["88.1/x", "--value", "1 T a", "--value", "1 T b"], "record-malformed"),
            (&["88.1/x", "--value", "0 T a"], "record-malformed"),
            (&["--file", "no such file"], "file-unreadable"),
            (&["88.1/x", "--field", "a=b"], "usage"),
            (&["88.1/x", "--template", "T-1", "--value", "1 URL u"], "usage"),
            (&["88.1/x", "--template", "T-1", "--field", "a"], "field-malformed"),
            (&["88.1/x", "--template", "T-1", "--field", "=b"], "field-malformed"),
            (&["88.1/x", "--template", "T-1", "--field", "99999999999=b"], "field-malformed"),
        ];
        for (words, code) in cases {
            assert_eq!(read(words).unwrap_err(), *code, "{words:?}");
        }
    }

    #[test]
    fn a_file_holds_one_record_in_the_form_of_the_samples() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        let sample = crate::demo::samples::LINES.lines().next().unwrap();
        std::fs::write(&path, sample).unwrap();
        let change = read(&["--file", path.to_str().unwrap(), "--replace", "--expect-serial", "7"]).unwrap();
        let Some(Action::Replace(replace)) = change.action else { panic!("a replacement") };
        assert!(replace.keep_timestamps && replace.values.len() > 3);
        assert_eq!(change.expect.unwrap().condition, Some(Condition::Serial(7)));
        std::fs::write(&path, "{\"handle\":\"88.1/x\"}").unwrap();
        assert_eq!(read(&["--file", path.to_str().unwrap()]).unwrap_err(), "record-malformed");
        for text in [format!("{sample}\n{sample}\n"), String::new(), "nothing".into()] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&["--file", path.to_str().unwrap()]).unwrap_err(), "record-file");
        }
    }
}
