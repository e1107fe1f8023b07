//! What is shown to a person: plain lines, tables, colours and bars, the last two only on a terminal.

use std::{
    fmt::Display,
    io::{self, ErrorKind, IsTerminal, Write},
};

use comfy_table::{CellAlignment, Table, presets};

/// Whether standard output is a terminal that may be coloured (`NO_COLOR` is respected).
pub fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a line to standard output; a reader sees it at once, also through a pipe.
///
/// A reader that has gone (`waymark … | head`) is no failure: the rest is for nobody. Any other failure is said on standard error.
pub fn line(text: impl Display) {
    report(writeln!(io::stdout(), "{text}"));
}

/// Writes text that brings its own line ends to standard output, as [`line`] does.
pub fn text(text: impl Display) {
    report(write!(io::stdout(), "{text}"));
}

/// Writes a line to standard error, where nobody is told when that fails.
pub fn remark(text: impl Display) {
    let _written = writeln!(io::stderr(), "{text}");
}

fn report(written: io::Result<()>) {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => remark(format_args!("standard output: {error}")),
        _ => {}
    }
}

/// Colours of meaning.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    /// As it should be.
    Good,
    /// As it may be, and somebody should look.
    Doubtful,
    /// Not as it should be.
    Bad,
    /// Beside the point.
    Faint,
}

/// Text in a tone, plain where colours do not belong.
pub fn toned(text: &str, tone: Tone, colours: bool) -> String {
    if !colours {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Good => 32,
        Tone::Doubtful => 33,
        Tone::Bad => 31,
        Tone::Faint => 2,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A table with right-aligned columns after the first.
pub fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Digits in groups of three, `1234567` as `1 234 567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_by_three() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234), "1\u{202f}234");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn plain_without_colours() {
        assert_eq!(toned("x", Tone::Bad, false), "x");
        assert!(toned("x", Tone::Bad, true).contains("31m"));
    }
}
