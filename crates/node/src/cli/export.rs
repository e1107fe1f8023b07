//! `waymark export`: gives identifiers of a data folder back.

use std::{
    fs::File,
    io::{BufWriter, Write},
    ops::ControlFlow,
};

use waymark_catalog::export::{self, ExportError, ExportOptions};
use waymark_catalog::import::Format;
use waymark_ident::fold;

use super::{
    Export, FileForm,
    present::safe,
    run::folder_config,
    store::{self, close_after_looking, data_failed, existing, open},
    terminal::{self, grouped},
};
use crate::{
    daemon::chain,
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

pub(crate) async fn run(arguments: &Export, texts: &Texts) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.folder)?;
    let data = existing(&config)?;
    let mut options = ExportOptions::new(match arguments.form {
        FileForm::Batch => Format::Batch,
        FileForm::Jsonl | FileForm::Auto => Format::JsonLines,
    });
    if let Some(prefix) = &arguments.prefix {
        options.key_prefix = prefix.bytes().map(fold).chain([b'/']).collect();
    }
    options.files.clone_from(&arguments.files_to);
    let to_file = arguments.file.clone().filter(|path| path.as_os_str() != "-");
    let out: Box<dyn Write + Send> = match &to_file {
        Some(path) => Box::new(File::create(path).map_err(|cause| {
            Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
        })?),
        None => Box::new(std::io::stdout()),
    };
    let (catalog, damaged) = open(&config, &data, store::Folder::MustExist, texts).await?;
    let (catalog, summary, flushed) = tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(1 << 20, out);
        let summary = export::run(&catalog, &mut out, &options, &mut |_| ControlFlow::Continue(()));
        (catalog, summary, out.flush())
    })
    .await
    .map_err(|cause| data_failed(&data, &cause.to_string()))?;
    close_after_looking(catalog, texts).await;
    let failed = |exit, cause: &dyn std::error::Error| Problem::new("export-failed", exit).with("cause", chain(cause));
    let summary = summary.map_err(|error| {
        let exit = if matches!(error, ExportError::Record(_)) { Exit::Damaged } else { Exit::Failed };
        failed(exit, &error)
    })?;
    flushed.map_err(|error| failed(Exit::Failed, &error))?;
    // Standard output may be the export itself.
    let values = [("records", grouped(summary.records).into()), ("values", grouped(summary.values).into())];
    terminal::remark(texts.text("export-done", &values));
    for handle in &summary.omitted_handles {
        terminal::remark(format_args!("  {}", safe(handle)));
    }
    if summary.withdrawn > 0 {
        terminal::remark(texts.text("export-withdrawn", &[("count", grouped(summary.withdrawn).into())]));
    }
    if summary.omitted > 0 {
        terminal::remark(texts.text("export-omitted", &[("count", grouped(summary.omitted).into())]));
    }
    if summary.omitted + summary.withdrawn > 0 {
        return Ok(Exit::Partly);
    }
    Ok(if damaged { Exit::Damaged } else { Exit::Done })
}
