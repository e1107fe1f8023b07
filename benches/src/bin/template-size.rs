//! Bytes on the disk per identifier, made from templates and in free form: the same identifiers twice, into two stores.
//!
//! `cargo run --release -p waymark-benches --bin template-size`; `--help` lists the rest.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Parser;
use waymark_catalog::import::{self, Format, ImportOptions};
use waymark_catalog::template::{Definition, FieldValue, Template, TemplateCommand, TemplateName};
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Options, PutMode, Submission, Ticket, Timestamps, Warm, open,
};

/// Measures what templates save on the disk.
#[derive(Debug, Parser)]
struct Arguments {
    /// Generated identifiers.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// The sample identifiers.
    #[arg(long, default_value = "tests/data/identifiers.jsonl")]
    samples: PathBuf,
    /// The starter templates.
    #[arg(long, default_value = "config/templates")]
    templates: PathBuf,
    /// Folder for the data (default: the system's folder for such).
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What some identifiers take.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes {
    identifiers: u64,
    /// Their records as they are stored.
    records: u64,
    /// The log that grew by them: records, keys, frames, and the notes of the audit.
    log: u64,
}

impl Bytes {
    /// Mean bytes of a record, and of log.
    #[expect(clippy::cast_precision_loss, reason = "means, for people")]
    fn means(self) -> [f64; 2] {
        [self.records, self.log].map(|bytes| bytes as f64 / self.identifiers.max(1) as f64)
    }
}

/// Commands in one submission, and submissions under way.
const SUBMISSION: usize = 512;
const IN_FLIGHT: usize = 8;

fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let starters = starters(&arguments.templates)?;
    let lines = fs::read_to_string(&arguments.samples)?;
    let samples = [false, true].map(|by_template| of_samples(&arguments, &starters, &lines, by_template));
    let rows = [false, true].map(|by_template| of_rows(&arguments, &starters, by_template));
    let mut told = serde_json::Map::new();
    for (what, [free, made]) in [("samples", samples), ("generated", rows)] {
        let (free, made) = (free?, made?);
        let ([free_record, free_log], [made_record, made_log]) = (free.means(), made.means());
        let (of_records, of_log) = (free_record / made_record, free_log / made_log);
        if arguments.json {
            let figures = serde_json::json!({
                "identifiers": free.identifiers,
                "record_bytes": { "free": free_record, "template": made_record, "ratio": of_records },
                "log_bytes": { "free": free_log, "template": made_log, "ratio": of_log },
            });
            told.insert(what.to_owned(), figures);
        } else {
            println!("{what}: {} identifiers", free.identifiers);
            println!(
                "  record, bytes        free {free_record:8.1}   template {made_record:8.1}   {of_records:.2} times smaller"
            );
            println!(
                "  log with audit       free {free_log:8.1}   template {made_log:8.1}   {of_log:.2} times smaller"
            );
        }
    }
    if arguments.json {
        println!("{}", serde_json::Value::Object(told));
    }
    Ok(())
}

fn starters(folder: &Path) -> Outcome<Vec<Definition>> {
    let mut definitions = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            definitions.push(Definition::from_json(&fs::read_to_string(path)?)?);
        }
    }
    Ok(definitions)
}

/// The samples that name a starter template, imported where those are published or are not.
fn of_samples(arguments: &Arguments, starters: &[Definition], lines: &str, by_template: bool) -> Outcome<Bytes> {
    let (folder, catalog) = begun(arguments)?;
    let (mut input, mut names) = (String::new(), BTreeSet::new());
    for line in lines.lines() {
        let sample: serde_json::Value = serde_json::from_str(line)?;
        let values = sample.get("values").and_then(serde_json::Value::as_array).map_or(&[][..], Vec::as_slice);
        let named = values.iter().find(|value| value.get("type").is_some_and(|kind| kind == "TEMPLATE"));
        let named = named.and_then(|value| value.pointer("/data/value")?.as_str()).unwrap_or_default();
        let prefix = sample
            .get("handle")
            .and_then(|it| it.as_str())
            .and_then(|handle| handle.split('/').next())
            .unwrap_or_default();
        let Ok(name) = TemplateName::parse_in(prefix.as_bytes(), named) else { continue };
        if starters.iter().any(|it| it.code == name.code() && it.version == name.version()) {
            input.push_str(line);
            input.push('\n');
            names.insert(name);
        }
    }
    for name in &names {
        write(&catalog, vec![Command::Home { name: HomeName::parse(name.prefix())? }])?;
        if by_template {
            publish(&catalog, name, starters)?;
        }
    }
    let before = catalog.store().statistics().log_bytes;
    let options = ImportOptions::new(Format::JsonLines);
    let summary = import::run(&catalog, input.as_bytes(), &options, None, &mut |_| ControlFlow::Continue(()))?;
    let log = catalog.store().statistics().log_bytes - before;
    drop(summary);
    finished(folder, catalog, log)
}

/// Machines as the samples of that industry have them, numbered.
fn of_rows(arguments: &Arguments, starters: &[Definition], by_template: bool) -> Outcome<Bytes> {
    let name: TemplateName = "88.990.10001/META_EXC-1.2".parse()?;
    let home = || HomeName::parse(name.prefix());
    // What the free form says is what the template makes, in a store without one.
    let (maker_folder, maker) = begun(arguments)?;
    write(&maker, vec![Command::Home { name: home()? }])?;
    publish(&maker, &name, starters)?;
    let templates = maker.templates();
    let template = templates.get(&name).ok_or("the template is not there")?;
    let (folder, catalog) = begun(arguments)?;
    write(&catalog, vec![Command::Home { name: home()? }])?;
    if by_template {
        publish(&catalog, &name, starters)?;
    }
    let before = catalog.store().statistics().log_bytes;
    let mut under_way: std::collections::VecDeque<Ticket> = std::collections::VecDeque::new();
    let mut number = 0;
    while number < arguments.rows {
        let end = arguments.rows.min(number + SUBMISSION as u64);
        let commands: Outcome<Vec<Command>> =
            (number..end).map(|number| machine(template, number, by_template)).collect();
        number = end;
        under_way.push_back(catalog.writer().submit_when_room(Submission::new(&Actor::operator(), commands?))?);
        if under_way.len() >= IN_FLIGHT
            && let Some(ticket) = under_way.pop_front()
        {
            settle(ticket)?;
        }
    }
    under_way.into_iter().try_for_each(settle)?;
    let log = catalog.store().statistics().log_bytes - before;
    maker.shutdown()?;
    drop(maker_folder);
    finished(folder, catalog, log)
}

fn machine(template: &Template, number: u64, by_template: bool) -> Outcome<Command> {
    let (month, day) = (1 + number / 28 % 12, 1 + number % 28);
    let serial = format!("XE215X{number:08}");
    let fields = [
        (2000, "履带式液压挖掘机".to_owned()),
        (2001, "XE215X".to_owned()),
        (2002, serial.clone()),
        (2003, "21.5t".to_owned()),
        (2004, format!("88.990.10002/ENG.WP4.{number:08}")),
        (2005, format!("2026-{month:02}-{day:02}")),
        (2006, "江苏徐州(示例)".to_owned()),
        (2007, format!("2028-{month:02}-{day:02}")),
        (2008, format!("C{:06}", number % 1_000_000)),
        (2009, format!("T{number:010}")),
        (2010, format!("https://example.invalid/m/{serial}")),
    ];
    let fields: Vec<FieldValue> =
        fields.into_iter().map(|(index, text)| FieldValue { index, kind: String::new(), text }).collect();
    let handle = format!("88.990.10001/XE215X.2026.{serial}").into_bytes();
    let (name, mode) = (template.name.clone(), PutMode::Create);
    if by_template {
        return Ok(Command::PutFromTemplate { handle, template: name, fields, mode });
    }
    let values = template.values(name.prefix(), &fields).map_err(|problems| format!("{problems:?}"))?;
    Ok(Command::Put { handle, values, timestamps: Timestamps::Now, mode })
}

fn begun(arguments: &Arguments) -> Outcome<(tempfile::TempDir, Catalog)> {
    let folder = match &arguments.scratch {
        Some(scratch) => tempfile::tempdir_in(scratch)?,
        None => tempfile::tempdir()?,
    };
    let options = Options { warm: Warm::Off, ..Options::new(waymark_store::Options::new(folder.path())) };
    let catalog = open(&options)?.catalog;
    Ok((folder, catalog))
}

fn publish(catalog: &Catalog, name: &TemplateName, starters: &[Definition]) -> Outcome<()> {
    let definition = starters.iter().find(|it| it.code == name.code() && it.version == name.version());
    let definition = definition.ok_or_else(|| format!("there is no starter template {name}"))?;
    let draft = TemplateCommand::PutDraft { prefix: name.prefix().to_vec(), definition: Box::new(definition.clone()) };
    write(catalog, vec![draft.into(), TemplateCommand::Publish { template: name.clone() }.into()])
}

fn write(catalog: &Catalog, commands: Vec<Command>) -> Outcome<()> {
    settle(catalog.writer().submit(Submission::new(&Actor::operator(), commands))?)
}

fn settle(ticket: Ticket) -> Outcome<()> {
    for result in ticket.wait()? {
        result?;
    }
    Ok(())
}

/// Ends the catalog and counts the records as they are stored, those of templates aside.
fn finished(folder: tempfile::TempDir, catalog: Catalog, log: u64) -> Outcome<Bytes> {
    catalog.shutdown()?;
    drop(catalog);
    let (store, _) = waymark_store::open(&waymark_store::Options::new(folder.path()))?;
    let mut bytes = Bytes { log, ..Bytes::default() };
    // Reserved keys begin with a zero byte.
    store.scan_keys(&[0, u8::MAX], b"", &mut |met| {
        if let Ok(entry) = met
            && !entry.key.windows(6).any(|part| part == b"/META_")
        {
            bytes.identifiers += 1;
            bytes.records += u64::try_from(entry.body.len()).unwrap_or_default();
        }
        ControlFlow::Continue(())
    })?;
    store.close()?;
    folder.close().map_err(|error: io::Error| error)?;
    Ok(bytes)
}
