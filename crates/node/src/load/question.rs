//! Questions under way: numbered slots, so that an answer finds its question by its request id.

use std::time::Duration;

use waymark_wire::{Head, OpFlags, request::RequestWriter};

use super::names::Chooser;

/// Bits of a request id that name the slot; the rest counts how often the slot was used, so that a late answer to an earlier
/// question of the slot is not taken for this one.
const SLOT_BITS: u32 = 16;

/// Most questions under way at once on one socket.
pub(crate) const MOST_SLOTS: usize = 1 << SLOT_BITS;

/// Makes the questions of one socket and knows which are under way.
#[derive(Debug)]
pub(crate) struct Questions {
    chooser: Chooser,
    slots: Vec<Slot>,
    free: Vec<usize>,
    name: String,
    keep_open: bool,
}

/// One question under way.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    uses: u32,
    /// When it was to be sent, since the start of the run; `None` for a free slot.
    since: Option<Duration>,
    exists: bool,
    /// Bytes of the answer's message that have arrived.
    arrived: usize,
}

/// A question that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// When it was to be sent.
    pub(crate) since: Duration,
    /// Whether its name exists.
    pub(crate) exists: bool,
}

impl Questions {
    /// Up to `slots` questions at once. `keep_open` asks servers to keep a stream open after the answer.
    pub(crate) fn new(chooser: Chooser, slots: usize, keep_open: bool) -> Self {
        let slots = slots.clamp(1, MOST_SLOTS);
        Self {
            chooser,
            slots: vec![Slot::default(); slots],
            free: (0..slots).rev().collect(),
            name: String::new(),
            keep_open,
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// Appends the next question to `into`; `false` when every slot is taken.
    pub(crate) fn write_next(&mut self, since: Duration, into: &mut Vec<u8>) -> bool {
        let Some(at) = self.free.pop() else { return false };
        let exists = self.chooser.next(&mut self.name);
        let Some(slot) = self.slots.get_mut(at) else { return false };
        *slot = Slot { uses: slot.uses.wrapping_add(1), since: Some(since), exists, arrived: 0 };
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        // Never 0 and never all ones, which mean "none" and "unreadable" to some clients.
        let id = (slot.uses.max(1) << SLOT_BITS) ^ at;
        let flags = if self.keep_open { OpFlags::USUAL.with(OpFlags::KPAL) } else { OpFlags::USUAL };
        // Servers do not check the expiration of a request.
        RequestWriter::new(into, Head::request(id, flags, u32::MAX >> 1)).resolution(
            self.name.as_bytes(),
            &[],
            &[],
            None,
        );
        true
    }

    /// Takes note of `payload` bytes of an answer of `length` bytes; gives the question when its answer is whole.
    pub(crate) fn arrived(&mut self, id: u32, payload: usize, length: usize) -> Option<Closed> {
        let at = usize::try_from(id & ((1 << SLOT_BITS) - 1)).ok()?;
        let slot = self.slots.get_mut(at)?;
        if slot.uses.max(1) << SLOT_BITS != id & !((1 << SLOT_BITS) - 1) {
            return None;
        }
        let since = slot.since?;
        slot.arrived += payload;
        if slot.arrived < length {
            return None;
        }
        slot.since = None;
        self.free.push(at);
        Some(Closed { since, exists: slot.exists })
    }

    /// Gives up questions that were to be sent before `before`; says how many.
    pub(crate) fn give_up(&mut self, before: Duration) -> u64 {
        let mut given_up = 0;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.since.is_some_and(|since| since < before) {
                slot.since = None;
                self.free.push(at);
                given_up += 1;
            }
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::names::Names;

    fn questions(slots: usize) -> Questions {
        Questions::new(Chooser::new(Names::pattern("88.1/{}", 10).unwrap(), None, 0, 1).unwrap(), slots, false)
    }

    fn id_of(message: &[u8]) -> u32 {
        u32::from_be_bytes(message[8..12].try_into().unwrap())
    }

    #[test]
    fn a_slot_is_taken_until_its_whole_answer_came() {
        let mut questions = questions(1);
        let mut message = Vec::new();
        assert!(questions.write_next(Duration::from_secs(3), &mut message));
        assert!(!questions.write_next(Duration::ZERO, &mut Vec::new()));
        let id = id_of(&message);
        assert_eq!(questions.arrived(id, 492, 700), None);
        assert_eq!(questions.arrived(id, 208, 700), Some(Closed { since: Duration::from_secs(3), exists: true }));
        assert!(questions.is_idle());
    }

    #[test]
    fn late_answers_to_earlier_questions_do_not_count() {
        let mut questions = questions(1);
        let mut first = Vec::new();
        questions.write_next(Duration::ZERO, &mut first);
        assert_eq!(questions.give_up(Duration::from_secs(1)), 1);
        questions.write_next(Duration::from_secs(1), &mut Vec::new());
        assert_eq!(questions.arrived(id_of(&first), 100, 100), None);
    }

    #[test]
    fn unknown_slots_are_ignored() {
        assert_eq!(questions(1).arrived(u32::MAX, 1, 1), None);
        assert_eq!(questions(1).arrived(0, 1, 1), None);
    }
}
