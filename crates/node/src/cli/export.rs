//! `waymark export`: gives identifiers of a data folder back.

use std::{
    fs::File,
    io::{BufWriter, Write},
    ops::ControlFlow,
};

use waymark_catalog::export::{self, ExportOptions};
use waymark_catalog::import::Format;
use waymark_ident::fold;

use super::{
    Export, FileForm,
    present::safe,
    run::folder_config,
    store::{data_failed, existing},
    terminal::grouped,
};
use crate::{
    daemon::{chain, open_catalog},
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
    let catalog = open_catalog(&config, &data).await?;
    let exported = tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(1 << 20, out);
        let summary = export::run(&catalog, &mut out, &options, &mut |_| ControlFlow::Continue(()));
        let flushed = out.flush();
        let summary = summary.map_err(|error| chain(&error))?;
        flushed.map_err(|error| error.to_string())?;
        catalog.shutdown().map_err(|error| chain(&error))?;
        Ok::<_, String>(summary)
    })
    .await
    .map_err(|cause| data_failed(&data, &cause.to_string()))?;
    let summary = exported.map_err(|cause| Problem::new("export-failed", Exit::Failed).with("cause", cause))?;
    // Standard output may be the export itself.
    let values = [("records", grouped(summary.records).into()), ("values", grouped(summary.values).into())];
    eprintln!("{}", texts.text("export-done", &values));
    for handle in &summary.omitted_handles {
        eprintln!("  {}", safe(handle));
    }
    if summary.omitted > 0 {
        eprintln!("{}", texts.text("export-omitted", &[("count", grouped(summary.omitted).into())]));
        return Ok(Exit::Partly);
    }
    Ok(Exit::Done)
}
