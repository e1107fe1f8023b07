//! Items of the list and their steps: what was asked, what was seen, and whether that is what was wanted.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// Characters of what was seen that are kept of one step.
const SEEN_CHARS: usize = 400;

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// As wanted.
    Pass,
    /// There is nothing here to try, or nothing to try it with.
    NotBuilt,
    /// Not as wanted.
    Fail,
}

impl State {
    /// Its name: the end of the code of its text.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NotBuilt => "not-built",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was tried.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    /// Its name; never changes.
    pub(super) step: Cow<'static, str>,
    pub(super) state: State,
    /// What was done, as words of a command or of a protocol.
    pub(super) asked: String,
    /// What came of it.
    pub(super) seen: String,
}

/// One item of the list.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its number, from 1.
    pub(super) number: u8,
    pub(super) steps: Vec<Step>,
}

impl Item {
    pub(super) const fn new(number: u8) -> Self {
        Self { number, steps: Vec::new() }
    }

    /// An item whose steps are taken by `take`.
    pub(super) fn of_steps(number: u8, take: impl FnOnce(&mut Self)) -> Self {
        let mut item = Self::new(number);
        take(&mut item);
        item
    }

    /// The worst of its steps. One without any was never tried, which is no pass.
    pub(super) fn state(&self) -> State {
        self.steps.iter().map(|step| step.state).max().unwrap_or(State::Fail)
    }

    /// Notes a step; `held`: what was seen is what was wanted.
    pub(super) fn tell(
        &mut self,
        step: impl Into<Cow<'static, str>>,
        asked: impl Into<String>,
        seen: impl Into<String>,
        held: bool,
    ) {
        let state = if held { State::Pass } else { State::Fail };
        self.push(step.into(), state, asked.into(), &seen.into());
    }

    /// Notes that there is nothing to try.
    pub(super) fn not_built(&mut self, step: &'static str, asked: impl Into<String>, why: impl Into<String>) {
        self.push(Cow::Borrowed(step), State::NotBuilt, asked.into(), &why.into());
    }

    fn push(&mut self, step: Cow<'static, str>, state: State, asked: String, seen: &str) {
        let seen = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        self.steps.push(Step { step, state, asked, seen: seen.chars().take(SEEN_CHARS).collect() });
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            item: u8,
            state: State,
            steps: &'a [Step],
        }
        Told { item: self.number, state: self.state(), steps: &self.steps }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_as_good_as_its_worst_step_and_one_without_steps_has_failed() {
        assert_eq!(Item::new(1).state(), State::Fail);
        let mut item = Item::new(1);
        item.tell("a", "x", "y", true);
        assert_eq!(item.state(), State::Pass);
        item.not_built("b", "x", "y");
        assert_eq!(item.state(), State::NotBuilt);
        item.tell("c", "x", "y", false);
        item.tell("d", "x", "y", true);
        assert_eq!(item.state(), State::Fail);
    }

    #[test]
    fn what_was_seen_is_one_line_of_bounded_length() {
        let mut item = Item::new(1);
        item.tell("a", "x", format!("one\n\ttwo {}", "z".repeat(1_000)), true);
        let seen = &item.steps[0].seen;
        assert!(seen.starts_with("one two zzz") && seen.chars().count() == SEEN_CHARS, "{seen}");
    }
}
