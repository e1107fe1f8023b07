//! The questions of the demo and what must come back, judged by the sample file.

use std::collections::BTreeMap;

use waymark_wire::{
    Head, OpFlags,
    limits::ResponseLimits,
    request::RequestWriter,
    response::{Response, ResponseBody},
};

use super::samples::{Sample, SampleValue};

/// What must come back.
#[derive(Debug)]
pub(crate) enum Expected<'s> {
    /// All public values of the sample and nothing else.
    Public(&'s Sample),
    /// A challenge: the values exist and are not public.
    Withheld,
    /// "No such handle".
    Absent,
    /// "Not a valid handle".
    Invalid,
}

/// A question.
#[derive(Debug)]
pub(crate) struct Question<'s> {
    /// The name asked for.
    pub(crate) handle: Vec<u8>,
    /// Indexes asked for; none is all.
    pub(crate) indexes: Vec<u32>,
    /// Whether only public values are asked for.
    pub(crate) public_only: bool,
    /// What must come back.
    pub(crate) expected: Expected<'s>,
}

/// How an answer is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Values came.
    Found,
    /// The node refused.
    Refused,
    /// There is no such name.
    Absent,
}

impl Question<'_> {
    /// The request; the client numbers it.
    pub(crate) fn request(&self, keep_open: bool) -> Vec<u8> {
        let mut flags = OpFlags::USUAL;
        if !self.public_only {
            flags = flags.without(OpFlags::PUBL);
        }
        if keep_open {
            flags = flags.with(OpFlags::KPAL);
        }
        // Servers do not check the expiration of a request.
        let head = Head::request(1, flags, u32::MAX >> 1);
        RequestWriter::new(Vec::new(), head).resolution(&self.handle, &self.indexes, &[], None)
    }

    /// Counts an answer and says whether it is what must come back.
    pub(crate) fn judge(&self, answer: &[u8]) -> (Outcome, bool) {
        let Ok(response) = Response::parse(answer, ResponseLimits::WHOLE_MESSAGE) else {
            return (Outcome::Refused, false);
        };
        let code = response.code.0;
        let outcome = match code {
            1 => Outcome::Found,
            100 | 200 => Outcome::Absent,
            _ => Outcome::Refused,
        };
        let as_expected = match (&self.expected, &response.body) {
            (Expected::Public(sample), ResponseBody::Resolution { handle, values }) => {
                *handle == self.handle && same_values(sample, values.iter())
            }
            (Expected::Withheld, _) => code == 402,
            (Expected::Absent, _) => code == 100,
            (Expected::Invalid, _) => code == 102,
            _ => false,
        };
        (outcome, as_expected)
    }
}

/// Whether the values are the public ones of the sample, each with its type and, where it is text, its text.
fn same_values<'a>(sample: &Sample, values: impl Iterator<Item = waymark_wire::ValueRef<'a>>) -> bool {
    let mut wanted: BTreeMap<u32, &SampleValue> =
        sample.values.iter().filter(|value| value.is_public()).map(|value| (value.index, value)).collect();
    for value in values {
        let Some(known) = wanted.remove(&value.index) else { return false };
        let same_text = known.text().is_none_or(|text| text.as_bytes() == value.data);
        if known.kind.as_bytes() != value.kind || !same_text {
            return false;
        }
    }
    wanted.is_empty()
}

/// Every sample, one restricted value, one absent name, one bad name.
pub(crate) fn all(samples: &[Sample]) -> Vec<Question<'_>> {
    let mut questions: Vec<Question<'_>> = samples
        .iter()
        .map(|sample| Question {
            handle: sample.handle.as_bytes().to_vec(),
            indexes: Vec::new(),
            public_only: true,
            expected: Expected::Public(sample),
        })
        .collect();
    if let Some((handle, index)) = restricted(samples) {
        questions.push(Question {
            handle: handle.as_bytes().to_vec(),
            indexes: vec![index],
            public_only: false,
            expected: Expected::Withheld,
        });
    }
    if let Some(sample) = samples.first() {
        let absent = absent(sample);
        questions.push(Question {
            handle: absent.into_bytes(),
            indexes: Vec::new(),
            public_only: true,
            expected: Expected::Absent,
        });
        let prefix = sample.handle.split('/').next().unwrap_or_default();
        let mut bad = format!("{prefix}/").into_bytes();
        bad.resize(waymark_ident::MAX_HANDLE_BYTES + 1, b'x');
        questions.push(Question { handle: bad, indexes: Vec::new(), public_only: true, expected: Expected::Invalid });
    }
    questions
}

/// A name of a served prefix that does not exist.
pub(crate) fn absent(sample: &Sample) -> String {
    format!("{}.MISPRINTED", sample.handle)
}

/// The first value that is not public, with its identifier.
pub(crate) fn restricted(samples: &[Sample]) -> Option<(&str, u32)> {
    samples.iter().find_map(|sample| {
        let value = sample.values.iter().find(|value| !value.is_public())?;
        Some((sample.handle.as_str(), value.index))
    })
}
