//! Texts that cells share: the one table of a workbook that is held in memory.

use std::io::Read;

use quick_xml::events::Event;

use super::{
    escapes::unescape,
    xml::{Xml, add_text},
};
use crate::{Code, Problem, failure::ReadError, limits::Limits};

/// The texts, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    /// Reads them.
    pub(super) fn read<R: Read>(mut xml: Xml<R>, limits: Limits) -> Result<Self, ReadError> {
        let part = xml.name().to_owned();
        let mut strings = Self::default();
        let mut one = String::new();
        let mut place = Within::Nothing;
        loop {
            match xml.next()? {
                Event::Start(element) => {
                    place = place.start(element.local_name().as_ref());
                    if place == Within::Text && one.len() > limits.row_bytes {
                        return Err(Problem::new(Code::RowTooLarge).with("limit", limits.row_bytes).into());
                    }
                }
                Event::End(element) => {
                    let name = element.local_name();
                    place = place.end(name.as_ref());
                    if name.as_ref() == "si" {
                        strings.push(&unescape(&one), &part, limits)?;
                        one.clear();
                    }
                }
                Event::Eof => {
                    strings.text.shrink_to_fit();
                    strings.ends.shrink_to_fit();
                    return Ok(strings);
                }
                event if place == Within::Text => add_text(&event, &mut one, &part)?,
                _ => {}
            }
        }
    }

    fn push(&mut self, text: &str, part: &str, limits: Limits) -> Result<(), ReadError> {
        if self.text.len() + text.len() > limits.shared_text_bytes {
            return Err(Problem::new(Code::TooLarge).with("part", part).with("limit", limits.shared_text_bytes).into());
        }
        if self.ends.len() == Limits::SHARED_TEXTS {
            let problem = Problem::new(Code::TooMany).with("limit", Limits::SHARED_TEXTS);
            return Err(problem.with_words("what", "shared texts", "共享文本").into());
        }
        self.text.push_str(text);
        // The limit of their bytes is below 4 GiB.
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    /// A text by its number.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let end = usize::try_from(*self.ends.get(number)?).ok()?;
        let begin = match number.checked_sub(1) {
            Some(before) => usize::try_from(*self.ends.get(before)?).ok()?,
            None => 0,
        };
        self.text.get(begin..end)
    }
}

/// Where in a text of several runs: `si` holds runs with `t`, and `rPh` with `t` that tell how to pronounce it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Within {
    Nothing,
    Text,
    Pronunciation,
}

impl Within {
    pub(super) fn start(self, name: &str) -> Self {
        match (self, name) {
            (Self::Pronunciation, _) | (_, "rPh") => Self::Pronunciation,
            (_, "t") => Self::Text,
            (other, _) => other,
        }
    }

    pub(super) fn end(self, name: &str) -> Self {
        match (self, name) {
            (Self::Pronunciation, "rPh") | (Self::Text, "t") => Self::Nothing,
            (other, _) => other,
        }
    }
}
