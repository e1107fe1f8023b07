//! What can be wrong with a wish for a code, in English and Chinese.

use std::{fmt, io};

use crate::Length;

/// A language texts are in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Chinese as written in China.
    Chinese,
}

/// Why a code cannot be made. Every one but [`CodeError::Write`] is the asker's to mend.
#[derive(Debug)]
#[non_exhaustive]
pub enum CodeError {
    /// Nothing to encode.
    EmptyPayload,
    /// A character that cannot be in a GS1 element string, or not there.
    NotGs1 {
        /// The character.
        character: char,
    },
    /// The payload does not fit the largest symbol of its kind.
    PayloadTooLong {
        /// Kind of code.
        symbology: &'static str,
        /// Bytes of the payload.
        bytes: usize,
        /// Bytes of any content that fit.
        most_bytes: usize,
        /// Digits that fit, if there is nothing else.
        most_digits: usize,
    },
    /// Not millimetres with at most three decimals.
    NotALength {
        /// What was given.
        text: String,
    },
    /// A module of a size nobody prints.
    ModuleSize {
        /// What was given.
        given: Length,
        /// The smallest.
        least: Length,
        /// The largest.
        most: Length,
    },
    /// The quiet zone is smaller than the standard of the code allows.
    QuietZoneTooSmall {
        /// Kind of code.
        symbology: &'static str,
        /// What was given.
        given: Length,
        /// Modules it has to have.
        least_modules: u32,
        /// The same as a length.
        least: Length,
    },
    /// The quiet zone is larger than anybody needs.
    QuietZoneTooLarge {
        /// Modules that were given.
        modules: u32,
        /// The most.
        most_modules: u32,
    },
    /// The text below the code has a character that cannot be drawn.
    CaptionCharacter {
        /// The character.
        character: char,
        /// Whether it could be drawn as SVG.
        only_in_png: bool,
    },
    /// Characters of a size nobody prints.
    CaptionSize {
        /// What was given.
        given: Length,
        /// The smallest.
        least: Length,
        /// The largest.
        most: Length,
    },
    /// The text below the code takes more lines than are allowed.
    CaptionTooLong {
        /// Lines it would take at the width of the code.
        lines: usize,
        /// Lines that are allowed.
        most_lines: usize,
    },
    /// A resolution no printer has.
    DotsPerInch {
        /// What was given.
        given: u32,
        /// The lowest.
        least: u32,
        /// The highest.
        most: u32,
    },
    /// A module would be smaller than a pixel.
    ModuleBelowPixel {
        /// The lowest resolution that shows the module.
        least_dots_per_inch: u32,
    },
    /// The image would have too many pixels.
    ImageTooLarge {
        /// Pixels it would have.
        pixels: u64,
        /// The most.
        most: u64,
    },
    /// Rows and columns of a sheet, or their product, out of range.
    Places {
        /// Rows times columns.
        places: u64,
        /// The most.
        most: u64,
    },
    /// Margins and gaps leave no room for labels.
    NoRoom,
    /// A label is larger than its place on the sheet.
    LabelTooLarge {
        /// Width of the label.
        width: Length,
        /// Its height.
        height: Length,
        /// Width of the place.
        place_width: Length,
        /// Height of the place.
        place_height: Length,
    },
    /// More labels than the sheet has places.
    TooManyLabels {
        /// Labels that were given.
        labels: usize,
        /// Places of the sheet.
        places: usize,
    },
    /// The image could not be written.
    Write(io::Error),
}

impl CodeError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::EmptyPayload => "code-payload-empty",
            Self::NotGs1 { .. } => "code-not-gs1",
            Self::PayloadTooLong { .. } => "code-payload-too-long",
            Self::NotALength { .. } => "code-not-a-length",
            Self::ModuleSize { .. } => "code-module-size",
            Self::QuietZoneTooSmall { .. } => "code-quiet-zone-too-small",
            Self::QuietZoneTooLarge { .. } => "code-quiet-zone-too-large",
            Self::CaptionCharacter { .. } => "code-caption-character",
            Self::CaptionSize { .. } => "code-caption-size",
            Self::CaptionTooLong { .. } => "code-caption-too-long",
            Self::DotsPerInch { .. } => "code-dots-per-inch",
            Self::ModuleBelowPixel { .. } => "code-module-below-pixel",
            Self::ImageTooLarge { .. } => "code-image-too-large",
            Self::Places { .. } => "code-sheet-places",
            Self::NoRoom => "code-sheet-no-room",
            Self::LabelTooLarge { .. } => "code-label-too-large",
            Self::TooManyLabels { .. } => "code-too-many-labels",
            Self::Write(_) => "code-write",
        }
    }

    /// What is wrong and what to do, in a language, with the cause.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        match language {
            Language::English => self.english(),
            Language::Chinese => self.chinese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Self::EmptyPayload => "there is nothing to encode; give a text".to_owned(),
            Self::NotGs1 { character } => format!(
                "{character:?} cannot stand there in a GS1 element string; give identifiers and data without brackets and spaces, in ASCII, \
                 variable elements ended by U+001D unless last"
            ),
            Self::PayloadTooLong { symbology, bytes, most_bytes, most_digits } => format!(
                "{bytes} bytes do not fit a {symbology} of this kind, which holds {most_bytes} bytes of any content, or {most_digits} digits; \
                 shorten the text, or choose another shape or a lower error correction"
            ),
            Self::NotALength { text } => {
                format!("{text:?} is no length; give millimetres with at most three decimals, up to 10000: 0.33")
            }
            Self::ModuleSize { given, least, most } => {
                format!("modules of {given} mm cannot be printed; choose {least} to {most} mm")
            }
            Self::QuietZoneTooSmall { symbology, given, least_modules, least } => format!(
                "a quiet zone of {given} mm is too small for a {symbology}; leave at least {least_modules} modules, here {least} mm"
            ),
            Self::QuietZoneTooLarge { modules, most_modules } => {
                format!("a quiet zone of {modules} modules is too large; leave at most {most_modules}")
            }
            Self::CaptionCharacter { character, only_in_png: true } => {
                format!(
                    "{character:?} cannot be drawn in PNG, which has ASCII only; leave the text out, or make an SVG image"
                )
            }
            Self::CaptionCharacter { character, only_in_png: false } => {
                format!("{character:?} cannot be drawn; leave control characters out of the text")
            }
            Self::CaptionSize { given, least, most } => {
                format!("characters of {given} mm cannot be printed; choose {least} to {most} mm")
            }
            Self::CaptionTooLong { lines, most_lines } => format!(
                "the text takes {lines} lines below the code, at most {most_lines} are allowed; shorten it, choose a lower height or larger modules"
            ),
            Self::DotsPerInch { given, least, most } => {
                format!("{given} dots per inch are no resolution of a printer; choose {least} to {most}")
            }
            Self::ModuleBelowPixel { least_dots_per_inch } => format!(
                "a module would be smaller than a pixel; choose larger modules, or at least {least_dots_per_inch} dots per inch"
            ),
            Self::ImageTooLarge { pixels, most } => {
                format!(
                    "the image would have {pixels} pixels, at most {most} are allowed; choose smaller modules or fewer dots per inch"
                )
            }
            Self::Places { places, most } => {
                format!("a sheet of {places} places cannot be made; choose rows and columns for 1 to {most}")
            }
            Self::NoRoom => {
                "margins and gaps leave no room for labels; make them smaller or the sheet larger".to_owned()
            }
            Self::LabelTooLarge { width, height, place_width, place_height } => format!(
                "a label of {width} x {height} mm does not fit its place of {place_width} x {place_height} mm; choose smaller modules or fewer \
                 rows and columns"
            ),
            Self::TooManyLabels { labels, places } => {
                format!("{labels} labels were given for {places} places; begin another page")
            }
            Self::Write(cause) => format!("the image cannot be written: {cause}"),
        }
    }

    fn chinese(&self) -> String {
        match self {
            Self::EmptyPayload => "没有可编码的内容；请给出文本".to_owned(),
            Self::NotGs1 { character } => format!(
                "GS1 元素串此处不能有字符 {character:?}；请给出不带括号和空格的应用标识符与数据，仅用 ASCII，变长元素除最后一个外以 U+001D 结束"
            ),
            Self::PayloadTooLong { symbology, bytes, most_bytes, most_digits } => format!(
                "{bytes} 字节放不进这种 {symbology}，它最多容纳任意内容 {most_bytes} 字节，或纯数字 {most_digits} 位；请缩短内容，或换用其他形状或较低的纠错等级"
            ),
            Self::NotALength { text } => {
                format!("“{text}”不是长度；请以毫米给出，最多三位小数，不超过 10000，例如 0.33")
            }
            Self::ModuleSize { given, least, most } => {
                format!("模块边长 {given} 毫米无法印制；请选择 {least} 至 {most} 毫米")
            }
            Self::QuietZoneTooSmall { symbology, given, least_modules, least } => {
                format!("静区 {given} 毫米对 {symbology} 太小；请至少留出 {least_modules} 个模块，此处为 {least} 毫米")
            }
            Self::QuietZoneTooLarge { modules, most_modules } => {
                format!("静区 {modules} 个模块太大；请最多留出 {most_modules} 个模块")
            }
            Self::CaptionCharacter { character, only_in_png: true } => {
                format!("PNG 图中的文字仅限 ASCII，无法绘制 {character:?}；请去掉文字，或改用 SVG")
            }
            Self::CaptionCharacter { character, only_in_png: false } => {
                format!("无法绘制 {character:?}；请去掉文字中的控制字符")
            }
            Self::CaptionSize { given, least, most } => {
                format!("字高 {given} 毫米无法印制；请选择 {least} 至 {most} 毫米")
            }
            Self::CaptionTooLong { lines, most_lines } => {
                format!("码下文字需要 {lines} 行，最多允许 {most_lines} 行；请缩短文字、减小字高或增大模块")
            }
            Self::DotsPerInch { given, least, most } => {
                format!("每英寸 {given} 点不是打印机的分辨率；请选择 {least} 至 {most}")
            }
            Self::ModuleBelowPixel { least_dots_per_inch } => {
                format!("模块小于一个像素；请增大模块，或使用至少每英寸 {least_dots_per_inch} 点")
            }
            Self::ImageTooLarge { pixels, most } => {
                format!("图像将有 {pixels} 个像素，最多允许 {most} 个；请减小模块或降低分辨率")
            }
            Self::Places { places, most } => {
                format!("不能制作 {places} 个位置的版面；请使行数乘列数在 1 至 {most} 之间")
            }
            Self::NoRoom => "边距和间距没有给标签留下位置；请减小边距和间距，或加大版面".to_owned(),
            Self::LabelTooLarge { width, height, place_width, place_height } => format!(
                "{width} × {height} 毫米的标签放不进 {place_width} × {place_height} 毫米的位置；请减小模块，或减少行列数"
            ),
            Self::TooManyLabels { labels, places } => format!("{places} 个位置给了 {labels} 个标签；请另起一页"),
            Self::Write(cause) => format!("无法写出图像：{cause}"),
        }
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The cause is the source.
            Self::Write(_) => f.write_str("the image cannot be written"),
            _ => f.write_str(&self.english()),
        }
    }
}

impl std::error::Error for CodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Write(cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<io::Error> for CodeError {
    fn from(cause: io::Error) -> Self {
        Self::Write(cause)
    }
}
