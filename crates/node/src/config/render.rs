//! The shipped configuration file, made from the table of options.

use std::fmt::Write as _;

use super::schema::{Kind, Spec};

/// Width of comment lines.
const WIDTH: usize = 100;

/// The file with every option, commented out at its default.
pub fn file(options: &[Spec]) -> String {
    let mut text = String::from(
        "# Configuration of the Waymark node: every option with its default, its range, its unit and its reason.\n\
         # A line that is commented out shows the default. Check a changed file with: waymarkd --config FILE --check-config\n",
    );
    let mut section = "";
    for option in options {
        if option.section() != section {
            section = option.section();
            let _ = write!(text, "\n[{section}]\n");
        }
        text.push('\n');
        for line in wrapped(option.reason) {
            let _ = writeln!(text, "# {line}");
        }
        let unit = match (option.unit, option.kind) {
            ("", _) | (_, Kind::Choice { .. } | Kind::Flag { .. }) => String::new(),
            (unit, _) => format!(" ({unit})"),
        };
        let _ = writeln!(text, "# Allowed: {}{unit}", option.range_text());
        let _ = writeln!(text, "# {} = {}", option.name(), option.default_text());
    }
    text
}

/// The options as rows of a Markdown table.
pub fn markdown(options: &[Spec]) -> String {
    let mut text = String::from("| option | default | allowed | unit | why |\n|---|---|---|---|---|\n");
    for option in options {
        let allowed = option.range_text().replace('|', "\\|");
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {allowed} | {} | {} |",
            option.key,
            option.default_text(),
            option.unit,
            option.reason
        );
    }
    text
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
