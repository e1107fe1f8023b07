//! `waymark job`: large uploads the node imports by itself.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_catalog::import::Format;

use super::{answer, connection::Connection};
use crate::{
    cli::{
        FileForm, import,
        present::safe,
        sheet::is_spreadsheet,
        terminal::{self, grouped, table},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Bytes of the file in one message.
const CHUNK_BYTES: u64 = 1 << 20;

/// Jobs asked for at once.
const PAGE: u32 = 100;

/// Time between two looks at a job that is waited for.
const LOOK: Duration = Duration::from_secs(1);

/// `waymark job …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Upload a file and leave the node to import it.
    Submit(Submit),
    /// Show a job.
    Show(Show),
    /// List jobs, newest first.
    List(List),
    /// Stop a job; what was registered stays.
    Cancel(Named),
    /// Get the failed lines of a job.
    Result(Fetch),
}

/// `waymark job submit`.
#[derive(Debug, Args)]
pub(crate) struct Submit {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_enum, value_name = "FORM", default_value_t = FileForm::Auto)]
    form: FileForm,
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    #[arg(long)]
    replace: bool,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// A job by its id.
#[derive(Debug, Args)]
pub(crate) struct Named {
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark job show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    job: Named,
    #[arg(long)]
    wait: bool,
}

/// `waymark job list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark job result`.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    #[arg(value_name = "ID")]
    id: String,
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// Runs a command about jobs.
pub(crate) async fn run(command: &Job, texts: &Texts) -> Result<Exit, Problem> {
    match command {
        Job::Submit(arguments) => submit(arguments, texts).await,
        Job::Show(arguments) => show(arguments, texts).await,
        Job::List(arguments) => list(arguments, texts).await,
        Job::Cancel(arguments) => {
            let cancelled = arguments.connection.open(texts)?.cancel_job(&arguments.id).await;
            let job = cancelled.map_err(|error| answer::problem(&error, arguments.json))?;
            print(&[job], arguments.json, texts);
            Ok(Exit::Done)
        }
        Job::Result(arguments) => result(arguments, texts).await,
    }
}

async fn submit(arguments: &Submit, texts: &Texts) -> Result<Exit, Problem> {
    let unreadable = |cause: io::Error| {
        Problem::new("file-unreadable", Exit::Usage).with("path", arguments.file.display()).with("cause", cause)
    };
    let mut file = File::open(&arguments.file).map_err(unreadable)?;
    let total_bytes = file.metadata().map_err(unreadable)?.len();
    if total_bytes == 0 {
        return Err(Problem::new("file-empty", Exit::Usage).with("path", arguments.file.display()));
    }
    let format = match import::form(arguments.form, &mut file).map_err(unreadable)? {
        Format::JsonLines => v1::JobFormat::JsonLines,
        Format::Batch => v1::JobFormat::Batch,
    };
    if arguments.form == FileForm::Auto && is_spreadsheet(&arguments.file, &mut file).map_err(unreadable)? {
        return Err(Problem::new("sheet-without-template", Exit::Usage).with("path", arguments.file.display()));
    }
    let name = || arguments.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let header = v1::JobHeader {
        title: arguments.title.clone().or_else(name).unwrap_or_default(),
        format: format.into(),
        replace: arguments.replace,
        total_bytes,
        sha256: Vec::new(),
        request_id: arguments.request_id.unwrap_or_else(Uuid::now_v7).to_string(),
    };
    let registrar = arguments.connection.open(texts)?;
    let submitted = registrar.submit_job(header, Chunks { file }).await;
    let job = submitted.map_err(|error| answer::problem(&error, arguments.json))?;
    print(&[job], arguments.json, texts);
    Ok(Exit::Done)
}

/// A file in parts. A file that cannot be read further ends early, and the server refuses it for its length.
struct Chunks {
    file: File,
}

impl Iterator for Chunks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut chunk = Vec::new();
        (&self.file).take(CHUNK_BYTES).read_to_end(&mut chunk).ok()?;
        (!chunk.is_empty()).then_some(chunk)
    }
}

async fn show(arguments: &Show, texts: &Texts) -> Result<Exit, Problem> {
    let Named { id, connection, json } = &arguments.job;
    let registrar = connection.open(texts)?;
    let job = loop {
        let job = registrar.job(id).await.map_err(|error| answer::problem(&error, *json))?;
        if !arguments.wait || is_over(&job) {
            break job;
        }
        tokio::time::sleep(LOOK).await;
    };
    let exit = exit(&job);
    print(&[job], *json, texts);
    Ok(exit)
}

fn is_over(job: &v1::Job) -> bool {
    !matches!(job.state(), v1::JobState::Queued | v1::JobState::Running)
}

/// How a command ends that shows this job.
fn exit(job: &v1::Job) -> Exit {
    match job.state() {
        v1::JobState::Failed | v1::JobState::Stopped => Exit::Failed,
        _ if is_over(job) && job.refused > 0 => Exit::Partly,
        _ => Exit::Done,
    }
}

async fn list(arguments: &List, texts: &Texts) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let mut request = v1::ListJobsRequest { page_size: PAGE, page_token: String::new() };
    let mut jobs = Vec::new();
    loop {
        let page = registrar.jobs(&request).await.map_err(|error| answer::problem(&error, arguments.json))?;
        jobs.extend(page.jobs);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    print(&jobs, arguments.json, texts);
    Ok(Exit::Done)
}

async fn result(arguments: &Fetch, texts: &Texts) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let mut chunks = registrar.job_result(&arguments.id).await.map_err(|error| answer::problem(&error, false))?;
    let not_written = |cause: io::Error| {
        let path = arguments.file.as_ref().map_or_else(|| "-".to_owned(), |path| path.display().to_string());
        Problem::new("file-not-written", Exit::Failed).with("path", path).with("cause", cause)
    };
    let mut out: Box<dyn io::Write + Send> = match arguments.file.as_ref().filter(|path| path.as_os_str() != "-") {
        Some(path) => Box::new(File::create(path).map_err(not_written)?),
        None => Box::new(io::stdout()),
    };
    loop {
        match chunks.message().await {
            Ok(Some(part)) => out.write_all(&part.chunk).map_err(not_written)?,
            Ok(None) => break,
            Err(status) => return Err(Problem::new("no-answer", Exit::NoAnswer).with("cause", status.message())),
        }
    }
    out.flush().map_err(not_written)?;
    Ok(Exit::Done)
}

fn print(jobs: &[v1::Job], json: bool, texts: &Texts) {
    if json {
        jobs.iter().for_each(|job| terminal::line(job_json(job)));
        return;
    }
    let codes = ["id", "title", "state", "progress", "created", "changed", "same", "refused", "submitted"];
    let head = codes.map(|code| texts.text(&format!("job-{code}"), &[]));
    terminal::line(table(&head, &jobs.iter().map(|job| row(job, texts)).collect::<Vec<_>>()));
    for job in jobs.iter().filter(|job| !job.failure.is_empty()) {
        terminal::line(format_args!("  {}: {}", safe(&job.id), safe(&job.failure)));
    }
}

fn row(job: &v1::Job, texts: &Texts) -> Vec<String> {
    let state = answer::name_of(job.state().as_str_name(), "JOB_STATE_");
    let percent = u128::from(job.bytes_done) * 100 / u128::from(job.bytes_total.max(1));
    vec![
        safe(&job.id),
        safe(&job.title),
        texts.find(&format!("job-state-{state}"), &[]).unwrap_or(state),
        format!("{percent} %"),
        grouped(job.created),
        grouped(job.changed),
        grouped(job.unchanged),
        grouped(job.refused),
        answer::time(job.submitted.as_ref()),
    ]
}

fn job_json(job: &v1::Job) -> Value {
    json!({
        "id": job.id, "title": job.title, "owner": job.owner,
        "state": answer::name_of(job.state().as_str_name(), "JOB_STATE_"),
        "submitted": answer::time(job.submitted.as_ref()), "ended": answer::time(job.ended.as_ref()),
        "bytes_done": job.bytes_done, "bytes_total": job.bytes_total, "lines": job.lines, "created": job.created,
        "changed": job.changed, "same": job.unchanged, "refused": job.refused, "failure": job.failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_sent_whole_in_parts_that_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content: Vec<u8> = (0..2_500_000_u32).map(|number| number.to_be_bytes()[3]).collect();
        std::fs::write(&path, &content).unwrap();
        let chunks: Vec<_> = Chunks { file: File::open(&path).unwrap() }.collect();
        assert!(chunks.iter().all(|chunk| chunk.len() <= 1 << 20));
        assert_eq!(chunks.concat(), content);
    }

    #[test]
    fn the_exit_tells_failed_jobs_from_failed_lines() {
        let job = |state: v1::JobState, refused| v1::Job { state: state.into(), refused, ..v1::Job::default() };
        assert_eq!(exit(&job(v1::JobState::Done, 0)), Exit::Done);
        assert_eq!(exit(&job(v1::JobState::Done, 2)), Exit::Partly);
        assert_eq!(exit(&job(v1::JobState::Running, 2)), Exit::Done);
        assert_eq!(exit(&job(v1::JobState::Failed, 0)), Exit::Failed);
        assert_eq!(exit(&job(v1::JobState::Stopped, 0)), Exit::Failed);
    }
}
