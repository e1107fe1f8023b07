//! `waymark label`: the code of an identifier as an image, at its size on paper.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use waymark_codes::{
    Caption, CodeError, Drawing, ErrorCorrection, Label, Length, Payload, QuietZone, Shape, Symbol, Symbology,
};

use super::{
    sheet::file::{not_written, write_whole},
    terminal,
};
use crate::{
    problem::{Exit, Problem},
    texts::{Language, Texts},
};

/// `waymark label`.
#[derive(Debug, Args)]
pub(crate) struct Draw {
    #[arg(value_name = "TEXT")]
    payload: String,
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    look: Look,
    #[arg(long, value_name = "TEXT", default_value = "")]
    caption: String,
}

/// What codes look like.
#[derive(Debug, Args)]
pub(super) struct Look {
    #[arg(long, value_enum, value_name = "SYMBOL", default_value_t = SymbolFlag::Qr)]
    symbol: SymbolFlag,
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Correction::Medium)]
    correction: Correction,
    #[arg(long)]
    gs1: bool,
    #[arg(long, value_name = "MM", default_value = "0.508")]
    module: String,
    #[arg(long, value_name = "MODULES")]
    quiet: Option<u32>,
    #[arg(long, value_name = "DOTS_PER_INCH", default_value_t = 600)]
    pub(super) dpi: u32,
    #[arg(long, value_name = "MM", default_value = "2.5")]
    caption_height: String,
}

/// Kind of symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SymbolFlag {
    /// QR Code.
    Qr,
    /// Data Matrix.
    DataMatrix,
    /// A Data Matrix for narrow places.
    DataMatrixRectangle,
}

/// How much of a QR Code may be spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Correction {
    /// About 7 %.
    Low,
    /// About 15 %.
    Medium,
    /// About 25 %.
    Quartile,
    /// About 30 %.
    High,
}

/// What a file is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Lines, at any resolution.
    Svg,
    /// Dots, at the resolution of a printer.
    Png,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        [("svg", Self::Svg), ("png", Self::Png)]
            .into_iter()
            .find_map(|(name, form)| extension.eq_ignore_ascii_case(name).then_some(form))
    }
}

/// Draws a code into a file.
pub(crate) fn run(arguments: &Draw, texts: &Texts) -> Result<Exit, Problem> {
    let path = arguments.file.display();
    let form =
        Form::of(&arguments.file).ok_or_else(|| Problem::new("label-file-kind", Exit::Usage).with("path", &path))?;
    let refused = |error: &CodeError| refused(error, texts);
    let label = arguments.look.label(&arguments.payload, &arguments.caption).map_err(|error| refused(&error))?;
    let (bytes, module) = drawn(&label, form, arguments.look.dpi).map_err(|error| refused(&error))?;
    write_whole(&arguments.file, true, |file| {
        file.write_all(&bytes).map(Some).map_err(|cause| not_written(&arguments.file, &cause))
    })?;
    let size = label.size();
    terminal::remark(texts.text(
        "label-written",
        &[
            ("path", path.to_string().into()),
            ("symbol", label.symbol().symbology().name().into()),
            ("width", size.width.to_string().into()),
            ("height", size.height.to_string().into()),
        ],
    ));
    if let Some(module) = module {
        let arguments = [("module", module.to_string().into()), ("dpi", arguments.look.dpi.to_string().into())];
        terminal::remark(texts.text("label-rounded", &arguments));
    }
    Ok(Exit::Done)
}

/// The bytes of an image, and the side its modules came out with where that is another than asked for.
pub(super) fn drawn(label: &Label, form: Form, dpi: u32) -> Result<(Vec<u8>, Option<Length>), CodeError> {
    match form {
        Form::Svg => Ok((label.to_svg().into_bytes(), None)),
        Form::Png => {
            let mut bytes = Vec::new();
            let printed = label.write_png(dpi, &mut bytes)?;
            Ok((bytes, (!printed.is_exact).then_some(printed.module)))
        }
    }
}

/// Why nothing can be drawn.
pub(super) fn refused(error: &CodeError, texts: &Texts) -> Problem {
    let language = match texts.language() {
        Language::Chinese => waymark_codes::Language::Chinese,
        Language::English => waymark_codes::Language::English,
    };
    Problem::new("label-refused", Exit::Usage).with("code", error.code()).with("cause", error.text(language))
}

impl Look {
    /// A code of this look.
    ///
    /// # Errors
    /// No scanner would read it, or it cannot be drawn so.
    pub(super) fn label(&self, text: &str, caption: &str) -> Result<Label, CodeError> {
        let payload = if self.gs1 { Payload::gs1(text) } else { Payload::text(text) }?;
        let symbology = match (self.symbol, self.correction) {
            (SymbolFlag::Qr, Correction::Low) => Symbology::QrCode(ErrorCorrection::Low),
            (SymbolFlag::Qr, Correction::Medium) => Symbology::QrCode(ErrorCorrection::Medium),
            (SymbolFlag::Qr, Correction::Quartile) => Symbology::QrCode(ErrorCorrection::Quartile),
            (SymbolFlag::Qr, Correction::High) => Symbology::QrCode(ErrorCorrection::High),
            (SymbolFlag::DataMatrix, _) => Symbology::DataMatrix(Shape::Square),
            (SymbolFlag::DataMatrixRectangle, _) => Symbology::DataMatrix(Shape::Rectangle),
        };
        let caption = Caption { text: caption.to_owned(), height: self.caption_height.parse()? };
        let drawing = Drawing {
            module: self.module.parse::<Length>()?,
            quiet_zone: self.quiet.map_or(QuietZone::Standard, QuietZone::Modules),
            caption: Some(caption),
        };
        Label::new(Symbol::encode(symbology, payload)?, drawing)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        draw: Draw,
    }

    fn draw(words: &[&str]) -> Result<Exit, Problem> {
        let line = Line::try_parse_from([&["label"], words].concat()).unwrap();
        run(&line.draw, &Texts::new(Language::English))
    }

    #[test]
    fn the_name_of_the_file_says_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let handle = "88.990.10001/XE215X.2026.0001";
        for (name, starts) in [("a.svg", &b"<?xml"[..]), ("b.PNG", b"\x89PNG")] {
            let file = folder.path().join(name);
            let words = [handle, file.to_str().unwrap(), "--symbol", "data-matrix", "--caption", "XE215X"];
            assert_eq!(draw(&words).unwrap(), Exit::Done);
            let bytes = fs::read(&file).unwrap();
            assert!(bytes.starts_with(starts) || bytes.starts_with(b"<svg"), "{:?}", &bytes[..20]);
        }
        let file = folder.path().join("c.gif");
        let refused = draw(&[handle, file.to_str().unwrap()]).unwrap_err();
        assert_eq!((refused.code(), file.exists()), ("label-file-kind", false));
    }

    #[test]
    fn what_no_reader_would_read_is_refused_and_nothing_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.png");
        let path = file.to_str().unwrap();
        let long = "9".repeat(8_000);
        for words in [
            &["", path][..],
            &["x", path, "--module", "0.01"],
            &["x", path, "--module", "wide"],
            &["x", path, "--quiet", "1"],
            &["x", path, "--dpi", "1"],
            &["(01)06901234567892", path, "--gs1"],
            &[&long, path],
        ] {
            assert_eq!(draw(words).unwrap_err().code(), "label-refused", "{words:?}");
            assert!(!file.exists());
        }
    }
}
