//! A code at its size on paper.

use crate::{Caption, CodeError, Length, Symbol};

/// Smallest and largest module: no printer is finer, and the largest symbol with the largest quiet zone stays below [`Length::MAX`].
const MODULE: (Length, Length) = (Length::micrometres(50), Length::millimetres(20));
/// Largest quiet zone, in modules.
const MOST_QUIET_MODULES: u32 = 100;

/// What stays light around a code, on each side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum QuietZone {
    /// What the standard of the code asks for: 4 modules for QR Code, 1 for Data Matrix.
    #[default]
    Standard,
    /// So many modules.
    Modules(u32),
    /// A length, made up to whole modules.
    Length(Length),
}

/// How a code is drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Drawing {
    /// Side of a module, 0.05 to 20 mm.
    pub module: Length,
    /// What stays light around it, at most 100 modules.
    pub quiet_zone: QuietZone,
    /// The text below.
    pub caption: Option<Caption>,
}

/// Width and height on paper.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Size {
    /// From left to right.
    pub width: Length,
    /// From top to bottom.
    pub height: Length,
}

/// A code with its quiet zone and text, at its size on paper; ready to be drawn.
#[derive(Clone, Debug)]
pub struct Label {
    pub(crate) symbol: Symbol,
    pub(crate) module: Length,
    pub(crate) quiet_modules: u32,
    pub(crate) caption: Option<Caption>,
}

impl Label {
    /// Puts a symbol on paper.
    ///
    /// # Errors
    ///
    /// Modules, quiet zone or caption out of range.
    pub fn new(symbol: Symbol, drawing: Drawing) -> Result<Self, CodeError> {
        let (least, most) = MODULE;
        let Drawing { module, quiet_zone, caption } = drawing;
        if module < least || module > most {
            return Err(CodeError::ModuleSize { given: module, least, most });
        }
        let quiet_modules = quiet_modules(&symbol, module, quiet_zone)?;
        let caption = caption.filter(|caption| !caption.text.is_empty());
        if let Some(caption) = &caption {
            caption.check()?;
        }
        let label = Self { symbol, module, quiet_modules, caption };
        label.lines()?;
        Ok(label)
    }

    /// The code on it.
    #[must_use]
    pub const fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// Modules that stay light on each side.
    #[must_use]
    pub const fn quiet_modules(&self) -> u32 {
        self.quiet_modules
    }

    /// Its size as SVG, quiet zone and text included.
    #[must_use]
    pub fn size(&self) -> Size {
        let (width, height) = self.modules();
        let lines = self.lines().unwrap_or_default().len();
        let caption = self.caption.as_ref().map_or(Length::ZERO, |caption| crate::svg::caption_height(caption, lines));
        Size { width: self.module.times(width), height: self.module.times(height).plus(caption) }
    }

    /// Modules of a row and of a column, with the quiet zone.
    pub(crate) fn modules(&self) -> (u32, u32) {
        let quiet = self.quiet_modules * 2;
        (self.symbol.width() + quiet, self.symbol.height() + quiet)
    }

    /// The lines of the text as SVG.
    pub(crate) fn lines(&self) -> Result<Vec<&str>, CodeError> {
        let Some(caption) = &self.caption else { return Ok(Vec::new()) };
        let width = self.module.times(self.modules().0);
        caption.lines(u64::from(width.in_micrometres()), |character| crate::svg::advance(caption, character))
    }
}

fn quiet_modules(symbol: &Symbol, module: Length, quiet_zone: QuietZone) -> Result<u32, CodeError> {
    let least_modules = symbol.symbology().least_quiet_modules();
    let modules = match quiet_zone {
        QuietZone::Standard => least_modules,
        QuietZone::Modules(modules) => modules,
        QuietZone::Length(length) => length.in_micrometres().div_ceil(module.in_micrometres()),
    };
    if modules < least_modules {
        return Err(CodeError::QuietZoneTooSmall {
            symbology: symbol.symbology().name(),
            given: match quiet_zone {
                QuietZone::Length(length) => length,
                QuietZone::Standard | QuietZone::Modules(_) => module.times(modules),
            },
            least_modules,
            least: module.times(least_modules),
        });
    }
    if modules > MOST_QUIET_MODULES {
        return Err(CodeError::QuietZoneTooLarge { modules, most_modules: MOST_QUIET_MODULES });
    }
    Ok(modules)
}
