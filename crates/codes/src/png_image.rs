//! Codes as PNG: one bit a pixel, whole pixels a module, and the resolution in the file.

use std::io;

use font8x8::legacy::BASIC_LEGACY;
use png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};

use crate::{Caption, CodeError, Label, Length};

/// Lowest and highest resolution.
pub const DOTS_PER_INCH: (u32, u32) = (72, 4800);
/// Most pixels of an image; one takes a bit.
const MOST_PIXELS: u64 = 1 << 26;
/// Micrometres of an inch.
const INCH: u64 = 25_400;
/// Pixels of a glyph, in both directions, before it is enlarged; and between lines.
const GLYPH: usize = 8;
const LINE: usize = 10;

/// What became of the wished sizes in whole pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Printed {
    /// Width of the image, quiet zone included.
    pub width_pixels: u32,
    /// Its height, text included.
    pub height_pixels: u32,
    /// Pixels of a module, in both directions.
    pub module_pixels: u32,
    /// Side of a module on paper.
    pub module: Length,
    /// Whether that is, to the micrometre, what was asked for.
    pub is_exact: bool,
}

impl Label {
    /// Writes the label as a PNG file for a printer of so many dots an inch (72 to 4800), and says what size it has.
    ///
    /// # Errors
    ///
    /// A resolution out of range or too low for the modules, an image of more than 67,108,864 pixels, a caption outside printable ASCII or
    /// of too many lines, and what the writer says.
    pub fn write_png(&self, dots_per_inch: u32, writer: impl io::Write) -> Result<Printed, CodeError> {
        let printed = self.printed(dots_per_inch)?;
        let (canvas, printed) = self.paint(dots_per_inch, printed)?;
        let mut encoder = Encoder::new(writer, printed.width_pixels, printed.height_pixels);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::One);
        // 10,000 dots per metre are 254 dots per inch.
        let per_metre = (u64::from(dots_per_inch) * 10_000 + 127) / 254;
        let per_metre = u32::try_from(per_metre).unwrap_or(u32::MAX);
        encoder.set_pixel_dims(Some(PixelDimensions { xppu: per_metre, yppu: per_metre, unit: Unit::Meter }));
        let mut image = encoder.write_header().map_err(io_error)?;
        image.write_image_data(&canvas.bytes).map_err(io_error)?;
        image.finish().map_err(io_error)?;
        Ok(printed)
    }

    /// Sizes without text.
    fn printed(&self, dots_per_inch: u32) -> Result<Printed, CodeError> {
        let (least, most) = DOTS_PER_INCH;
        if dots_per_inch < least || dots_per_inch > most {
            return Err(CodeError::DotsPerInch { given: dots_per_inch, least, most });
        }
        let micrometres = u64::from(self.module.in_micrometres());
        let dots = u64::from(dots_per_inch);
        let module_pixels = (micrometres * dots + INCH / 2) / INCH;
        if module_pixels == 0 {
            // The lowest that rounds to one pixel.
            let needed = (INCH / 2).div_ceil(micrometres.max(1));
            return Err(CodeError::ModuleBelowPixel { least_dots_per_inch: u32::try_from(needed).unwrap_or(most) });
        }
        let (width, height) = self.modules();
        let as_u32 = |pixels: u64| u32::try_from(pixels).unwrap_or(u32::MAX);
        Ok(Printed {
            width_pixels: as_u32(u64::from(width) * module_pixels),
            height_pixels: as_u32(u64::from(height) * module_pixels),
            module_pixels: as_u32(module_pixels),
            module: Length::micrometres(as_u32((module_pixels * INCH + dots / 2) / dots)),
            is_exact: module_pixels * INCH == micrometres * dots,
        })
    }

    /// Paints code and text.
    fn paint(&self, dots_per_inch: u32, mut printed: Printed) -> Result<(Canvas, Printed), CodeError> {
        let text = match &self.caption {
            Some(caption) => Some(Text::of(caption, dots_per_inch, printed.width_pixels)?),
            None => None,
        };
        let code_pixels = printed.height_pixels;
        let text_pixels = text.as_ref().map_or(0, Text::height);
        printed.height_pixels = code_pixels.saturating_add(u32::try_from(text_pixels).unwrap_or(u32::MAX));
        let pixels = u64::from(printed.width_pixels) * u64::from(printed.height_pixels);
        if pixels > MOST_PIXELS {
            return Err(CodeError::ImageTooLarge { pixels, most: MOST_PIXELS });
        }
        // All of them fit: they are at most 2^26.
        let size = |pixels: u32| usize::try_from(pixels).unwrap_or(usize::MAX);
        let mut canvas = Canvas::light(size(printed.width_pixels), size(printed.height_pixels));
        let (module, edge) = (size(printed.module_pixels), size(self.quiet_modules * printed.module_pixels));
        for (y, row) in self.symbol.rows().enumerate() {
            for (x, _) in row.iter().enumerate().filter(|(_, is_dark)| **is_dark) {
                canvas.darken(edge + x * module, edge + y * module, module);
            }
        }
        if let Some(text) = text {
            text.paint(&mut canvas, size(code_pixels));
        }
        Ok((canvas, printed))
    }
}

fn io_error(error: png::EncodingError) -> CodeError {
    CodeError::Write(match error {
        png::EncodingError::IoError(cause) => cause,
        other => io::Error::other(other),
    })
}

/// The lines below a code, and the pixels of a dot of a glyph.
struct Text<'a> {
    lines: Vec<&'a str>,
    dot: usize,
}

impl<'a> Text<'a> {
    fn of(caption: &'a Caption, dots_per_inch: u32, width_pixels: u32) -> Result<Self, CodeError> {
        if let Some(character) = caption.text.chars().find(|c| !matches!(c, ' '..='~')) {
            return Err(CodeError::CaptionCharacter { character, only_in_png: true });
        }
        let height_pixels = u64::from(caption.height.in_micrometres()) * u64::from(dots_per_inch) / INCH;
        // The nearest whole enlargement, so that the dots of a glyph are whole pixels too.
        let dot = (usize::try_from(height_pixels).unwrap_or(usize::MAX).saturating_add(GLYPH / 2) / GLYPH).max(1);
        let advance = u64::try_from(dot * GLYPH).unwrap_or(u64::MAX);
        Ok(Self { lines: caption.lines(u64::from(width_pixels), |_| advance)?, dot })
    }

    /// Pixels of all lines; the space between lines is below each.
    fn height(&self) -> usize {
        self.lines.len() * LINE * self.dot
    }

    /// Paints the lines in the middle, from `top` down.
    fn paint(&self, canvas: &mut Canvas, top: usize) {
        for (number, line) in self.lines.iter().enumerate() {
            let left = canvas.width.saturating_sub(line.len() * GLYPH * self.dot) / 2;
            for (place, byte) in line.bytes().enumerate() {
                let glyph = BASIC_LEGACY.get(usize::from(byte)).copied().unwrap_or_default();
                let corner = (left + place * GLYPH * self.dot, top + number * LINE * self.dot);
                self.paint_glyph(canvas, glyph, corner);
            }
        }
    }

    fn paint_glyph(&self, canvas: &mut Canvas, glyph: [u8; GLYPH], (left, top): (usize, usize)) {
        for (y, row) in glyph.into_iter().enumerate() {
            // The lowest bit is leftmost.
            for x in (0..GLYPH).filter(|x| row >> x & 1 == 1) {
                canvas.darken(left + x * self.dot, top + y * self.dot, self.dot);
            }
        }
    }
}

/// One bit a pixel, 1 for light; rows begin with a byte.
struct Canvas {
    width: usize,
    row_bytes: usize,
    bytes: Vec<u8>,
}

impl Canvas {
    fn light(width: usize, height: usize) -> Self {
        let row_bytes = width.div_ceil(8);
        Self { width, row_bytes, bytes: vec![0xff; row_bytes * height] }
    }

    /// Darkens a square; what lies outside is left out.
    fn darken(&mut self, left: usize, top: usize, side: usize) {
        for y in top..top + side {
            for x in (left..left + side).take_while(|x| *x < self.width) {
                if let Some(byte) = self.bytes.get_mut(y * self.row_bytes + x / 8) {
                    *byte &= !(0x80 >> (x % 8));
                }
            }
        }
    }
}
