//! Codes as SVG. One user unit is one micrometre, so that every number is whole.

use std::fmt;

use crate::{Caption, Label, Length, Size};

/// Space a character takes in the fonts named below, in thousandths of its height, rounded up.
const ASCII_ADVANCE: u64 = 620;
const WIDE_ADVANCE: u64 = 1000;
/// Distance of lines, in percent of the height of a character, and what is left free below the last.
const LINE_PERCENT: u32 = 125;
const BELOW_PERCENT: u32 = 40;
/// Where a line stands below the top of its space, in percent of the height of a character.
const BASELINE_PERCENT: u32 = 95;
/// Fonts whose ASCII characters are 0.6 of their height wide.
const FONTS: &str = "DejaVu Sans Mono,Liberation Mono,Courier New,monospace";

/// Space a character takes, in micrometres.
pub(crate) fn advance(caption: &Caption, character: char) -> u64 {
    let thousandths = if character.is_ascii() { ASCII_ADVANCE } else { WIDE_ADVANCE };
    (u64::from(caption.height.in_micrometres()) * thousandths).div_ceil(1000)
}

/// Height of so many lines of text.
pub(crate) fn caption_height(caption: &Caption, lines: usize) -> Length {
    let lines = u32::try_from(lines).unwrap_or(u32::MAX);
    percent(caption.height, LINE_PERCENT.saturating_mul(lines).saturating_add(BELOW_PERCENT))
}

fn percent(length: Length, percent: u32) -> Length {
    let micrometres = u64::from(length.in_micrometres()) * u64::from(percent) / 100;
    Length::micrometres(u32::try_from(micrometres).unwrap_or(u32::MAX))
}

impl Label {
    /// The label as an SVG document of its size on paper.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        let size = self.size();
        // Writing to a text cannot fail.
        let _ = open(&mut svg, size).and_then(|()| self.draw(&mut svg)).and_then(|()| close(&mut svg));
        svg
    }

    /// Its elements, for the upper left corner of a picture: light ground, dark modules, text.
    pub(crate) fn draw(&self, svg: &mut impl fmt::Write) -> fmt::Result {
        let Size { width, height } = self.size();
        let (width, height) = (width.in_micrometres(), height.in_micrometres());
        let module = self.module.in_micrometres();
        let edge = self.module.times(self.quiet_modules).in_micrometres();
        writeln!(svg, r##"<rect width="{width}" height="{height}" fill="#fff"/>"##)?;
        write!(
            svg,
            r##"<path transform="translate({edge} {edge}) scale({module})" fill="#000" shape-rendering="crispEdges" d=""##
        )?;
        self.draw_modules(svg)?;
        writeln!(svg, r#""/>"#)?;
        self.draw_caption(svg, width / 2)
    }

    /// Each run of dark modules of a row as a rectangle, in modules.
    fn draw_modules(&self, svg: &mut impl fmt::Write) -> fmt::Result {
        for (y, row) in self.symbol.rows().enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|left, right| left == right) {
                if run.first() == Some(&true) {
                    write!(svg, "M{x} {y}h{0}v1h-{0}z", run.len())?;
                }
                x += run.len();
            }
        }
        Ok(())
    }

    fn draw_caption(&self, svg: &mut impl fmt::Write, middle: u32) -> fmt::Result {
        let Some(caption) = &self.caption else { return Ok(()) };
        let lines = self.lines().unwrap_or_default();
        let mut baseline = self.module.times(self.modules().1).plus(percent(caption.height, BASELINE_PERCENT));
        let height = caption.height.in_micrometres();
        writeln!(svg, r##"<g font-family="{FONTS}" font-size="{height}" text-anchor="middle" fill="#000">"##)?;
        for line in lines {
            write!(svg, r#"<text x="{middle}" y="{}" xml:space="preserve">"#, baseline.in_micrometres())?;
            escape(svg, line)?;
            writeln!(svg, "</text>")?;
            baseline = baseline.plus(percent(caption.height, LINE_PERCENT));
        }
        writeln!(svg, "</g>")
    }
}

/// Begins a document of a size on paper.
pub(crate) fn open(svg: &mut impl fmt::Write, Size { width, height }: Size) -> fmt::Result {
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" viewBox="0 0 {} {}">"#,
        width.in_micrometres(),
        height.in_micrometres()
    )
}

/// Ends it.
pub(crate) fn close(svg: &mut impl fmt::Write) -> fmt::Result {
    writeln!(svg, "</svg>")
}

fn escape(svg: &mut impl fmt::Write, text: &str) -> fmt::Result {
    text.chars().try_for_each(|character| match character {
        '&' => svg.write_str("&amp;"),
        '<' => svg.write_str("&lt;"),
        '>' => svg.write_str("&gt;"),
        _ => svg.write_char(character),
    })
}
