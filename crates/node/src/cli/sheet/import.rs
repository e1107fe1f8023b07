//! `waymark import FILE --template TEMPLATE`: the rows of a spreadsheet as a stream of identifiers made from a template.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_catalog::template::Definition;
use waymark_client::{
    config::WINDOW_ITEMS,
    registration::{Exchange, ExchangeError, Registrar, ServerError, Start, Stop},
};
use waymark_sheet::{Language, Layout, ReadError};

use super::{
    check,
    failed::{Made, Workbook},
    form, language,
    layout::layout,
    reading::{Reading, problems, show},
    rows::{Changes, Remarks},
};
use crate::{
    cli::{
        Import,
        import::{Display, bar, stop_on_signal},
        present::safe,
        server::{
            rows::Open,
            upload::{Upload, failed_rows, refuse_local},
        },
        terminal::{self, grouped},
    },
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// How rows are read and numbered: a part of the stream's name, changed with anything that lets other rows pass.
const READING: u8 = 1;

/// How the path of a column begins, in what a server says of it: its index and type follow.
const FIELD: &str = "from_template.fields[";

/// Bytes of the file that are hashed at a time.
const HASHED_BYTES: usize = 1 << 20;

/// Streams the rows of a spreadsheet, or only checks them, and shows what became of them.
pub(crate) async fn run(arguments: &Import, texts: &Texts) -> Result<Exit, Problems> {
    refuse_local(arguments)?;
    if arguments.folder.data.is_some() && !arguments.connection.is_meant_or_runs(&arguments.folder)? {
        return Err(Problem::new("sheet-server-only", Exit::Usage).into());
    }
    let open = || File::open(&arguments.file).map_err(|cause| unreadable(arguments, &cause));
    // Read, and read again for the workbook of failed rows, each with a place of its own in the file.
    let (file, again) = (open()?, open()?);
    // A check leaves what a run noted that will be continued.
    let endings =
        if arguments.dry_run { [".checked.xlsx", ".checked.jsonl"] } else { [".failed.xlsx", ".rejects.jsonl"] };
    let rejected = failed_rows(arguments, endings)?;
    let (path, list) = (rejected.rows().to_owned(), rejected.reasons().to_owned());

    let registrar = arguments.connection.open(texts)?;
    let (template, definition) = template(arguments, &registrar).await?;
    let layout = Arc::new(layout(&definition, texts)?);
    let reading = Reading::open(file, Arc::clone(&layout)).await;
    let reading = reading.map_err(|error| problems(&error, &arguments.file, Exit::Usage, texts))?;
    show(&reading.about, &arguments.file, arguments.json, texts);

    let (headings, language) = (reading.about.headings, language(texts));
    let changes = Changes {
        rows: reading.rows,
        template,
        replace: arguments.replace,
        language,
        number: 0,
        first: 1,
        open: Arc::new(Mutex::new(Open::new(rejected))),
        remarks: Arc::default(),
    };
    let workbook = Workbook { file: again, layout, headings, language, list, path };
    match arguments.dry_run {
        true => check::run(arguments, changes, workbook, texts).await,
        false => stream(arguments, &registrar, &definition, changes, workbook, texts).await,
    }
}

/// Sends the rows and shows what became of them.
async fn stream(
    arguments: &Import,
    registrar: &Registrar,
    definition: &Definition,
    changes: Changes,
    workbook: Workbook,
    texts: &Texts,
) -> Result<Exit, Problems> {
    let file = File::open(&arguments.file).map_err(|cause| unreadable(arguments, &cause))?;
    let length = file.metadata().map_err(|cause| unreadable(arguments, &cause))?.len();
    let derived = stream_id(file, &changes.template, definition, arguments.replace).await;
    let derived = derived.map_err(|cause| unreadable(arguments, &cause))?;
    let mut stream = arguments.stream.clone().unwrap_or(derived);
    if arguments.from_start {
        // Under the old name, what was decided would stay so.
        stream = format!("{stream}:{}", Uuid::now_v7());
    }
    let mut exchange = Exchange::new(stream.clone());
    // An earlier run may have been stopped between an answer and its place in the list of reasons: those are answered again.
    exchange.start = Start::BeforeMark(WINDOW_ITEMS.default as u64);
    exchange.stop = stop_on_signal()?;
    exchange.finish = Duration::from_secs(arguments.stop_seconds);
    let shown = Display { json: arguments.json, bar: bar(length, arguments.json), started: Instant::now() };
    let (open, remarks) = (Arc::clone(&changes.open), Arc::clone(&changes.remarks));
    let mut upload = Upload::new(Arc::clone(&open), stream, shown, texts);
    let (columns, headings) = (Arc::clone(&workbook.layout), workbook.headings);
    upload.say_in(move |error| in_words(error, &columns, headings, texts));
    let source = move |first| Changes { first, ..changes };
    let (counts, ended) = exchange.run(registrar, source, &mut |event| upload.take(event)).await;

    upload.settle_rest();
    let is_stopped = *exchange.stop.borrow() != Stop::No;
    let made = workbook.make(&open, exchange.stop.clone()).await;
    let Made { rows, is_full } = made.as_ref().copied().unwrap_or_default();
    upload.has_workbook(rows);
    say(&remarks, is_full, arguments.json, texts);
    let (ended, unread) = apart(ended);
    let concluded = upload.conclude(&counts, ended, is_stopped);
    if let Some(error) = unread {
        return Err(problems(&error, &arguments.file, Exit::Failed, texts));
    }
    let exit = concluded?;
    made?;
    Ok(exit)
}

fn unreadable(arguments: &Import, cause: &io::Error) -> Problem {
    Problem::new("file-unreadable", Exit::Usage).with("path", arguments.file.display()).with("cause", cause)
}

/// Puts what is wrong with columns into words: the heading in place of the field, a text in place of the name of the problem.
fn in_words(error: &mut ServerError, layout: &Layout, headings: Language, texts: &Texts) {
    for (field, what) in &mut error.violations {
        let index = field.strip_prefix(FIELD).and_then(|rest| rest.split([' ', ']']).next());
        let index: Option<u32> = index.and_then(|index| index.parse().ok());
        let column = index.and_then(|index| layout.columns().iter().find(|column| column.index == index));
        if let Some(column) = column {
            column.title(headings).clone_into(field);
        }
        if let Some(text) = texts.find(&format!("column-{what}"), &[]) {
            *what = text;
        }
    }
}

/// The template's handle and definition; one that is no draft.
async fn template(arguments: &Import, registrar: &Registrar) -> Result<(String, Definition), Problem> {
    let Some(wanted) = &arguments.template else {
        return Err(Problem::new("sheet-without-template", Exit::Usage).with("path", arguments.file.display()));
    };
    let template = wanted.on(registrar, arguments.json).await?;
    if template.state() != v1::TemplateState::Published {
        return Err(Problem::new("sheet-draft", Exit::Refused).with("name", safe(&template.name)));
    }
    let definition = form::parse(&template.definition)?;
    Ok((template.name, definition))
}

/// The end of a stream, apart from that of its file.
fn apart(ended: Result<(), ExchangeError<ReadError>>) -> (Result<(), ExchangeError<ReadError>>, Option<ReadError>) {
    match ended {
        Err(ExchangeError::Source(error)) => (Ok(()), Some(error)),
        ended => (ended, None),
    }
}

/// What is said of the file besides its failed rows.
pub(super) fn say(remarks: &Mutex<Remarks>, is_full: bool, json: bool, texts: &Texts) {
    let remarks = remarks.lock().unwrap_or_else(PoisonError::into_inner);
    if json {
        return;
    }
    for remark in &remarks.first {
        terminal::line(format_args!("  {}", safe(remark)));
    }
    let more = remarks.count.saturating_sub(u64::try_from(remarks.first.len()).unwrap_or(u64::MAX));
    if more > 0 {
        terminal::line(texts.text("sheet-more-remarks", &[("count", grouped(more).into())]));
    }
    if is_full {
        terminal::line(texts.text("sheet-failed-full", &[]));
    }
}

/// The stream's name: from everything that decides what its items are, the whole file and the columns that are in use among it.
async fn stream_id(mut file: File, template: &str, definition: &Definition, replace: bool) -> io::Result<String> {
    let mut hash = Sha256::new();
    hash.update([READING, u8::from(replace)]);
    for text in [template, &definition.to_json()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    let hashing = tokio::task::spawn_blocking(move || {
        file.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; HASHED_BYTES];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok::<_, io::Error>(hash.finalize());
            }
            hash.update(buffer.get(..count).unwrap_or_default());
        }
    });
    let hash = hashing.await.map_err(io::Error::other)??;
    let short: String = hex::encode(hash).chars().take(32).collect();
    Ok(format!("sheet:{short}"))
}

#[cfg(test)]
mod tests {
    use waymark_catalog::template::FieldProblemCode;

    use super::*;

    #[test]
    fn everything_that_can_be_wrong_with_a_column_has_words_in_both_languages() {
        for language in [crate::texts::Language::English, crate::texts::Language::Chinese] {
            let texts = Texts::new(language);
            for code in FieldProblemCode::ALL {
                assert!(texts.find(&format!("column-{}", code.as_str()), &[]).is_some(), "{language:?} {code:?}");
            }
        }
    }

    #[tokio::test]
    async fn streams_differ_by_anything_that_decides_what_their_items_are() {
        const TEMPLATE: &str = r#"{"code":"T","version":"1","title":"t","object_type":2,"industry":{"category":"C"},
            "columns":[{"index":2000,"name":"名称","type":"name","data":"string","max":9}]}"#;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        // Longer than what is hashed at a time.
        let mut content = vec![b'x'; HASHED_BYTES + 7];
        let definition = Definition::from_json(TEMPLATE).unwrap();
        let mut disabled = definition.clone();
        disabled.columns[0].enabled = false;
        let id = async |content: &[u8], template: &str, definition: &Definition, replace: bool| {
            std::fs::write(&path, content).unwrap();
            stream_id(File::open(&path).unwrap(), template, definition, replace).await.unwrap()
        };
        let own = id(&content, "88.1/META_T-1", &definition, false).await;
        assert_eq!(id(&content, "88.1/META_T-1", &definition, false).await, own);
        assert_ne!(id(&content, "88.2/META_T-1", &definition, false).await, own);
        assert_ne!(id(&content, "88.1/META_T-1", &disabled, false).await, own);
        assert_ne!(id(&content, "88.1/META_T-1", &definition, true).await, own);
        *content.last_mut().unwrap() = b'y';
        assert_ne!(id(&content, "88.1/META_T-1", &definition, false).await, own, "the whole file counts");
    }
}
