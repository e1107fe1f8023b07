//! What people read of a rehearsal: an item on a terminal, all of them on a page.

use std::fmt::Write as _;

use super::tried::{Item, State, Step};
use crate::{
    cli::terminal::{Tone, toned},
    texts::Texts,
};

const fn tone(state: State) -> Tone {
    match state {
        State::Pass => Tone::Good,
        State::NotBuilt => Tone::Faint,
        State::Fail => Tone::Bad,
    }
}

fn state_text(state: State, texts: &Texts) -> String {
    texts.text(&format!("rehearsal-state-{}", state.as_str()), &[])
}

fn title(item: &Item, texts: &Texts) -> String {
    texts.text(&format!("rehearsal-item-{}", item.number), &[])
}

/// An item: one line, and a line for each step that is no pass.
pub(super) fn item(item: &Item, texts: &Texts, colours: bool) -> String {
    let state = item.state();
    let passed = item.steps.iter().filter(|step| step.state == State::Pass).count();
    let mut text = format!(
        "{:>2} {} {} ({passed}/{})",
        item.number,
        toned(&state_text(state, texts), tone(state), colours),
        title(item, texts),
        item.steps.len()
    );
    for step in item.steps.iter().filter(|step| step.state != State::Pass) {
        let state = toned(&state_text(step.state, texts), tone(step.state), colours);
        // Writing to a text cannot fail.
        let _ = write!(text, "\n     {state} {}: {} -> {}", step.step, step.asked, step.seen);
    }
    text
}

/// The page of all items, in Markdown.
pub(super) fn page(items: &[Item], texts: &Texts) -> String {
    let mut page = format!(
        "# {}\n\n{}\n\nwaymark {}\n\n",
        texts.text("rehearsal-title", &[]),
        texts.text("rehearsal-note", &[]),
        env!("CARGO_PKG_VERSION")
    );
    for item in items {
        let _ = writeln!(page, "## {}. {}: {}\n", item.number, title(item, texts), state_text(item.state(), texts));
        let heads = ["step", "state", "asked", "seen"].map(|head| texts.text(&format!("rehearsal-head-{head}"), &[]));
        let _ = writeln!(page, "| {} |\n|---|---|---|---|", heads.join(" | "));
        for Step { step, state, asked, seen } in &item.steps {
            let cells = [cell(step), state_text(*state, texts), cell(asked), cell(seen)];
            let _ = writeln!(page, "| {} |", cells.join(" | "));
        }
        page.push('\n');
    }
    page
}

/// A text within a table of Markdown.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn every_item_and_state_has_a_title_in_both_languages() {
        for language in [Language::English, Language::Chinese] {
            let texts = Texts::new(language);
            for number in 1..=12 {
                assert!(texts.find(&format!("rehearsal-item-{number}"), &[]).is_some(), "{number}");
            }
            for state in [State::Pass, State::NotBuilt, State::Fail] {
                assert!(texts.find(&format!("rehearsal-state-{}", state.as_str()), &[]).is_some());
            }
        }
    }

    #[test]
    fn what_was_seen_breaks_no_table() {
        let item = Item::of_steps(3, |item| item.tell("udp-ipv4", "resolve x", "a | b\n<script>", false));
        let page = page(&[item], &Texts::new(Language::English));
        assert!(page.contains("| udp-ipv4 | ") && page.contains("a \\| b &lt;script>"), "{page}");
    }
}
