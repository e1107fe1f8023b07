//! What a stream's mark says: where the stream is, and, for streams that count orders, what became of each order of the last step.
//!
//! The bytes are described in [`crate::reserved`].

use waymark_store::Serial;

use crate::command::{Outcome, Receipt, Refusal, RefusalCode, StreamStep};
use crate::varint;
use crate::warnings::Warnings;

/// A mark, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark<'a> {
    /// Only where the stream is.
    Position(u64),
    /// A step of a stream that counts orders.
    Step(Step<'a>),
}

/// One step of a stream, as its mark tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step<'a> {
    /// Where the stream is after it.
    pub(crate) position: u64,
    /// Where it was before.
    pub(crate) after: u64,
    /// Serial the first entry of the step has, or would have had.
    pub(crate) first: Serial,
    runs: &'a [u8],
}

/// What became of one order of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepItem {
    /// It was carried out: serial of its entry, or of the entry that already was as asked.
    Accepted { serial: Serial, outcome: Outcome, warnings: Warnings },
    /// It was refused.
    Refused(RefusalCode),
}

impl StepItem {
    fn of(result: &Result<Receipt, Refusal>) -> Self {
        match result {
            Ok(Receipt { serial, outcome, warnings, .. }) => {
                Self::Accepted { serial: *serial, outcome: *outcome, warnings: *warnings }
            }
            Err(refusal) => Self::Refused(refusal.code()),
        }
    }

    /// The serial of the entry the order wrote.
    fn written(&self) -> Option<Serial> {
        match self {
            Self::Accepted { serial, outcome, .. } if *outcome != Outcome::Same => Some(*serial),
            _ => None,
        }
    }
}

/// The bytes are not of a form this version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownForm;

impl<'a> Mark<'a> {
    /// Reads the body of a mark.
    ///
    /// # Errors
    /// [`UnknownForm`]. What becomes of single orders is read by [`Step::items`].
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, UnknownForm> {
        let (&version, mut rest) = body.split_first().ok_or(UnknownForm)?;
        match version {
            POSITION_ONLY => {
                rest.try_into().map(|bytes| Self::Position(u64::from_be_bytes(bytes))).map_err(|_| UnknownForm)
            }
            STEP => {
                let mut number = || varint::take(&mut rest).ok_or(UnknownForm);
                let (position, after, first) = (number()?, number()?, Serial(number()?));
                Ok(Self::Step(Step { position, after, first, runs: rest }))
            }
            _ => Err(UnknownForm),
        }
    }

    /// Where the stream is.
    pub(crate) const fn position(&self) -> u64 {
        match self {
            Self::Position(position) => *position,
            Self::Step(step) => step.position,
        }
    }
}

impl<'a> Step<'a> {
    /// What became of each order, in order.
    pub(crate) const fn items(&self) -> Items<'a> {
        Items { runs: self.runs, next: self.first, kind: 0, code: 0, left: 0 }
    }
}

/// Walks the orders of a step. After an error there is nothing more.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a> {
    runs: &'a [u8],
    /// Serial the next entry has.
    next: Serial,
    /// Kind of the present run.
    kind: u8,
    /// Number of its refusal, or its warnings.
    code: u8,
    left: u64,
}

impl Iterator for Items<'_> {
    type Item = Result<StepItem, UnknownForm>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 && self.runs.is_empty() {
            return None;
        }
        let item = self.item();
        if item.is_none() {
            (self.runs, self.left) = (&[], 0);
        }
        Some(item.ok_or(UnknownForm))
    }
}

impl Items<'_> {
    fn item(&mut self) -> Option<StepItem> {
        while self.left == 0 {
            self.begin_run()?;
        }
        self.left -= 1;
        if self.kind == REFUSED {
            return RefusalCode::from_number(self.code).map(StepItem::Refused);
        }
        let outcome = Outcome::from_number(self.kind & !WARNED)?;
        let serial = if outcome == Outcome::Same {
            Serial(varint::take(&mut self.runs)?)
        } else {
            let next = self.next.next();
            std::mem::replace(&mut self.next, next)
        };
        Some(StepItem::Accepted { serial, outcome, warnings: Warnings::from_bits(self.code) })
    }

    fn begin_run(&mut self) -> Option<()> {
        let (&kind, rest) = self.runs.split_first()?;
        self.runs = rest;
        self.left = varint::take(&mut self.runs)?;
        (self.kind, self.code) = (kind, 0);
        if kind == REFUSED || kind & WARNED != 0 {
            let (&code, rest) = self.runs.split_first()?;
            (self.code, self.runs) = (code, rest);
        }
        if kind != REFUSED && Outcome::from_number(kind & !WARNED)? != Outcome::Same {
            self.next = Serial(self.next.0.checked_add(varint::take(&mut self.runs)?)?);
        }
        Some(())
    }
}

/// The body of a mark that says only where the stream is.
pub(crate) fn position_body(position: u64) -> Vec<u8> {
    [&[POSITION_ONLY][..], &position.to_be_bytes()].concat()
}

/// The body of the mark of a step that counts orders; `first` is the serial its first entry has.
pub(crate) fn step_body(step: &StreamStep, first: Serial, results: &[Result<Receipt, Refusal>]) -> Vec<u8> {
    write_step((step.position, step.after, first), results.iter().map(StepItem::of))
}

/// The body of the mark of a step: where the stream is after it and before it, the serial its first entry has, and what became of its orders.
pub(crate) fn write_step(
    (position, after, first): (u64, u64, Serial),
    items: impl IntoIterator<Item = StepItem>,
) -> Vec<u8> {
    let mut body = vec![STEP];
    for number in [position, after, first.0] {
        varint::put(&mut body, number);
    }
    let mut next = first;
    let mut run = Run::default();
    for item in items {
        let (kind, code) = match item {
            StepItem::Accepted { outcome, warnings: Warnings::NONE, .. } => (outcome.number(), 0),
            StepItem::Accepted { outcome, warnings, .. } => (outcome.number() | WARNED, warnings.bits()),
            StepItem::Refused(code) => (REFUSED, code.number()),
        };
        let written = item.written();
        let gap = written.map_or(0, |serial| serial.0.saturating_sub(next.0));
        if (run.kind, run.code) != (kind, code) || gap > 0 {
            run.end(&mut body);
            run = Run { kind, code, gap, ..Run::default() };
        }
        run.count += 1;
        match (item, written) {
            (_, Some(serial)) => next = serial.next(),
            (StepItem::Accepted { serial, .. }, None) => varint::put(&mut run.serials, serial.0),
            (StepItem::Refused(_), None) => {}
        }
    }
    run.end(&mut body);
    body
}

/// Orders in a row that ended alike.
#[derive(Default)]
struct Run {
    kind: u8,
    code: u8,
    count: u64,
    gap: u64,
    serials: Vec<u8>,
}

impl Run {
    fn end(&self, body: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        body.push(self.kind);
        varint::put(body, self.count);
        if self.kind == REFUSED || self.kind & WARNED != 0 {
            body.push(self.code);
        }
        match self.kind {
            REFUSED => {}
            kind if kind & !WARNED == Outcome::Same.number() => body.extend_from_slice(&self.serials),
            _ => varint::put(body, self.gap),
        }
    }
}

/// Most bytes a mark takes beside its orders: its key, its body's version and three numbers, and their frame, generously.
pub(crate) const MARK_BYTES: usize = 256;

/// Most bytes of a body for each order: kind, count, warnings, and a serial of 48 bits.
pub(crate) const ITEM_BYTES: usize = 10;

/// Version that says only where the stream is.
const POSITION_ONLY: u8 = 1;
/// Version that tells a step.
const STEP: u8 = 2;
/// Kind of a run that was refused.
const REFUSED: u8 = 0x80;
/// Added to the kind of a run that was carried out with warnings.
const WARNED: u8 = Outcome::NUMBERS_END;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{ContentHash, ValueSet};
    use crate::warnings::Warning;
    use proptest::prelude::*;
    use waymark_store::Timestamp;

    fn accepted(serial: u64, outcome: Outcome, is_long: bool) -> Result<Receipt, Refusal> {
        let content = ContentHash::of(ValueSet::default().values());
        let warnings = if is_long { Warnings::NONE.with(Warning::LongHandle) } else { Warnings::NONE };
        Ok(Receipt { serial: Serial(serial), time: Timestamp(1), content, outcome, warnings, repeated: false })
    }

    fn step(after: u64, count: usize) -> StreamStep {
        let position = after + u64::try_from(count).unwrap();
        StreamStep { stream: [1; 16], after, position, counts_orders: true }
    }

    fn results() -> Vec<Result<Receipt, Refusal>> {
        vec![
            accepted(300, Outcome::Created, false),
            accepted(301, Outcome::Created, false),
            Err(Refusal::NotFound),
            Err(Refusal::NotFound),
            accepted(302, Outcome::Created, true),
            accepted(7, Outcome::Same, false),
            accepted(301, Outcome::Same, false),
            accepted(305, Outcome::Deleted, false),
        ]
    }

    #[test]
    fn steps_have_golden_bytes() {
        let body = step_body(&step(1_000, 8), Serial(300), &results());
        let expected = [
            &[2][..],               // version
            &[0xf0, 0x07],          // position 1,008
            &[0xe8, 0x07],          // after 1,000
            &[0xac, 0x02],          // first serial 300
            &[1, 2, 0],             // two created, without a gap
            &[0x80, 2, 3],          // two refused as not found
            &[0x41, 1, 0x01, 0],    // one created with a long handle
            &[5, 2, 7, 0xad, 0x02], // two the same as entries 7 and 301
            &[4, 1, 2],             // one deleted, behind a gap of two entries
        ]
        .concat();
        assert_eq!(body, expected);
    }

    #[test]
    fn what_became_of_each_order_comes_back() {
        let results = results();
        let body = step_body(&step(1_000, results.len()), Serial(300), &results);
        let Ok(Mark::Step(read)) = Mark::parse(&body) else { panic!("no step") };
        assert_eq!((read.position, read.after), (1_008, 1_000));
        let items: Vec<StepItem> = read.items().map(Result::unwrap).collect();
        assert_eq!(items, items_of(&results));
    }

    fn items_of(results: &[Result<Receipt, Refusal>]) -> Vec<StepItem> {
        results.iter().map(StepItem::of).collect()
    }

    #[test]
    fn a_body_is_never_larger_than_was_counted() {
        for outcome in [Outcome::Created, Outcome::Same] {
            let last = Serial::MAX.0;
            let results: Vec<_> = (0..100).map(|n| accepted(last - 300 + n * 3, outcome, n % 2 == 0)).collect();
            let body = step_body(&step(u64::MAX - 100, 100), Serial(last - 300), &results);
            assert!(body.len() <= 31 + results.len() * ITEM_BYTES, "{}", body.len());
        }
    }

    #[test]
    fn positions_have_golden_bytes() {
        assert_eq!(position_body(0x0102), [1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(Mark::parse(&position_body(u64::MAX)), Ok(Mark::Position(u64::MAX)));
        assert_eq!(Mark::parse(&[1, 0]), Err(UnknownForm));
    }

    #[test]
    fn unknown_and_cut_bodies_are_refused() {
        let results = results();
        let body = step_body(&step(1_000, results.len()), Serial(300), &results);
        for end in 0..body.len() {
            let read = match Mark::parse(&body[..end]) {
                Ok(Mark::Step(read)) => read.items().filter(|item| item.is_ok()).count(),
                Ok(Mark::Position(_)) => panic!("cut to {end}"),
                Err(UnknownForm) => 0,
            };
            assert!(read < results.len(), "cut to {end}");
        }
        assert_eq!(Mark::parse(&[3, 1, 1, 1]), Err(UnknownForm));
        for run in [&[63, 1, 0][..], &[0x80, 1, 255], &[0, 1, 0], &[1]] {
            let unknown = [&[2, 1, 0, 1][..], run].concat();
            let Ok(Mark::Step(read)) = Mark::parse(&unknown) else { panic!("no step") };
            assert_eq!(read.items().collect::<Vec<_>>(), [Err(UnknownForm)], "{run:?}");
        }
    }

    /// One order: the gap before its entry, outcome and warnings, or the refusal.
    fn drawn() -> impl Strategy<Value = Result<(u64, u8, u8), Refusal>> {
        let accepted = (0..4_u64, 1..=11_u8, prop::sample::select(vec![0, 0, 0, 1, 4]));
        let refused = prop::sample::select(vec![Refusal::NotFound, Refusal::NotPermitted, Refusal::Unreadable]);
        prop_oneof![2 => accepted.prop_map(Ok), 1 => refused.prop_map(Err)]
    }

    proptest! {
        #[test]
        fn whatever_became_of_orders_comes_back(
            drawn in prop::collection::vec(drawn(), 0..60),
            first in 1..=Serial::MAX.0 / 2,
        ) {
            let mut next = first;
            let mut receipt = |(gap, outcome, warnings)| {
                let outcome = Outcome::from_number(outcome).unwrap();
                let mut serial = next + gap;
                if outcome == Outcome::Same {
                    serial = first / (gap + 1);
                } else {
                    next = serial + 1;
                }
                let receipt = accepted(serial, outcome, false)?;
                Ok(Receipt { warnings: Warnings::from_bits(warnings), ..receipt })
            };
            let results: Vec<Result<Receipt, Refusal>> = drawn.into_iter().map(|drawn| drawn.and_then(&mut receipt)).collect();
            let body = step_body(&step(5, results.len()), Serial(first), &results);
            prop_assert!(body.len() <= 31 + results.len() * ITEM_BYTES);
            let Ok(Mark::Step(read)) = Mark::parse(&body) else { panic!("no step") };
            prop_assert_eq!(read.items().collect::<Result<Vec<_>, _>>(), Ok(items_of(&results)));
        }

        #[test]
        fn any_bytes_are_read_to_an_end_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), version in 1..4_u8) {
            for body in [&bytes[..], &[&[version], &bytes[..]].concat()] {
                if let Ok(Mark::Step(step)) = Mark::parse(body) {
                    // A run may claim any number of orders; each is told without memory, and the first error is the last word.
                    let mut items = step.items().take(10_000).skip_while(Result::is_ok);
                    prop_assert!(items.nth(1).is_none());
                }
            }
        }
    }
}
