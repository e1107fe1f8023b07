//! `waymark template xlsx`: a workbook to fill in.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use waymark_catalog::template::Definition;
use waymark_sheet::write_workbook;

use super::{
    Wanted,
    file::{not_written, write_whole},
    language,
    layout::layout,
};
use crate::{
    cli::{LanguageFlag, access::place::Where, present::safe, server::answer, template, terminal},
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// `waymark template xlsx`.
#[derive(Debug, Args)]
pub(crate) struct Form {
    #[arg(value_name = "TEMPLATE[@VERSION]", required_unless_present = "file", conflicts_with = "file")]
    wanted: Option<Wanted>,
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t = LanguageFlag::Zh)]
    headings: LanguageFlag,
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Where,
}

/// Writes the workbook of a template.
pub(crate) async fn run(arguments: &Form, texts: &Texts) -> Result<Exit, Problems> {
    let (handle, definition) = definition(arguments, texts).await?;
    let layout = layout(&definition, texts)?;
    let template = format!("{}-{}", layout.template(), layout.version());
    let path = arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{template}.xlsx")));
    let headings = match arguments.headings {
        LanguageFlag::En => waymark_sheet::Language::English,
        LanguageFlag::Zh => waymark_sheet::Language::Chinese,
    };
    write_whole(&path, arguments.force, |file| {
        write_workbook(&layout, headings, file)
            .map(Some)
            .map_err(|error| not_written(&path, &error.text(language(texts))))
    })?;
    if arguments.place.json {
        let columns = layout.columns().len();
        terminal::line(json!({ "template": template, "columns": columns, "file": path.display().to_string() }));
    } else {
        // A file does not say the prefix it is for.
        let handle = handle.unwrap_or_else(|| format!("PREFIX/META_{template}"));
        let values = [("path", path.display().to_string().into()), ("template", safe(&handle).to_string().into())];
        terminal::line(texts.text("sheet-written", &values));
    }
    Ok(Exit::Done)
}

/// The handle, where it is known, and the definition.
async fn definition(arguments: &Form, texts: &Texts) -> Result<(Option<String>, Definition), Problems> {
    match (&arguments.file, &arguments.wanted) {
        (Some(file), _) => Ok((None, template::read(file)?)),
        (None, Some(wanted)) => {
            let found = wanted.at(&arguments.place, texts).await?;
            let definition = parse(&found.definition)?;
            Ok((Some(found.name), definition))
        }
        // The command line demands one of them.
        (None, None) => Err(Problem::new("server-missing", Exit::Usage).into()),
    }
}

/// The definition a server told.
pub(super) fn parse(text: &str) -> Result<Definition, Problem> {
    Definition::from_json(text).map_err(answer::unreadable)
}
