//! The items of a stream that are under way: kept until they are answered, so that they can be sent again.

use std::collections::VecDeque;

use waymark_api::registration::v1::{Change, Items};

/// Changes that travel in one message.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The changes, at least one.
    pub(crate) changes: Vec<Change>,
    /// Their bytes as sent.
    pub(crate) bytes: usize,
}

/// Items without an answer, in order.
#[derive(Debug)]
pub(crate) struct Window {
    /// Number of the first item of each batch, and the batch.
    batches: VecDeque<(u64, Batch)>,
    /// Batches at the front that were sent on this connection.
    sent: usize,
    /// Number of the last item that was sent on any.
    sent_up_to: u64,
    /// Number of the first item without an answer.
    unanswered: u64,
    /// Number of the next new item.
    next: u64,
    bytes: usize,
    most_items: usize,
    most_bytes: usize,
}

impl Window {
    /// A window whose first item has this number.
    pub(crate) const fn new(first: u64, most_items: usize, most_bytes: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            sent: 0,
            sent_up_to: first.saturating_sub(1),
            unanswered: first,
            next: first,
            bytes: 0,
            most_items,
            most_bytes,
        }
    }

    /// Number of the first item without an answer.
    pub(crate) const fn unanswered(&self) -> u64 {
        self.unanswered
    }

    /// Number of the last item that was sent, on this connection or one before.
    pub(crate) const fn sent_up_to(&self) -> u64 {
        self.sent_up_to
    }

    /// Whether every item was answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Whether another batch of up to `items` may come in. The bound is one of items, whole: whoever goes on after a break asks again for
    /// that many before the mark, and misses no outcome.
    pub(crate) fn has_room(&self, items: usize) -> bool {
        let under_way = usize::try_from(self.next - self.unanswered).unwrap_or(usize::MAX);
        under_way.saturating_add(items) <= self.most_items && self.bytes < self.most_bytes
    }

    /// Takes new items in.
    pub(crate) fn push(&mut self, batch: Batch) {
        let count = u64::try_from(batch.changes.len()).unwrap_or(u64::MAX);
        self.bytes += batch.bytes;
        let first = self.next;
        self.next = self.next.saturating_add(count);
        self.batches.push_back((first, batch));
    }

    /// Whether there is something to send.
    pub(crate) fn has_unsent(&self) -> bool {
        self.sent < self.batches.len()
    }

    /// The next message, without the items of it that were answered.
    pub(crate) fn send(&mut self) -> Option<Items> {
        let (first, batch) = self.batches.get(self.sent)?;
        self.sent += 1;
        let answered = self.unanswered.saturating_sub(*first);
        let changes = batch.changes.get(usize::try_from(answered).ok()?..)?.to_vec();
        let after = self.batches.get(self.sent).map_or(self.next, |(first, _)| *first);
        self.sent_up_to = self.sent_up_to.max(after.saturating_sub(1));
        Some(Items { first_number: first + answered, changes })
    }

    /// Everything without an answer is to be sent again: the connection is another one.
    pub(crate) const fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Lets go of the items that were never sent: nobody can have carried them out.
    pub(crate) fn forget_unsent(&mut self) {
        while let Some((first, batch)) = self.batches.pop_back_if(|(first, _)| *first > self.sent_up_to) {
            self.next = first;
            self.bytes -= batch.bytes;
        }
    }

    /// Takes an answer in; `false` for one that is not the next to be answered.
    pub(crate) fn answer(&mut self, number: u64) -> bool {
        if number != self.unanswered || self.sent == 0 {
            return false;
        }
        self.unanswered += 1;
        let after = self.batches.get(1).map_or(self.next, |(first, _)| *first);
        if self.unanswered == after
            && let Some((_, batch)) = self.batches.pop_front()
        {
            self.bytes -= batch.bytes;
            self.sent -= 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(count: usize) -> Batch {
        Batch { changes: vec![Change::default(); count], bytes: count * 10 }
    }

    #[test]
    fn what_is_not_answered_is_sent_again_from_the_first_of_it() {
        let mut window = Window::new(5, 100, 1_000);
        window.push(batch(3));
        window.push(batch(2));
        let sent = |items: Option<Items>| items.map(|items| (items.first_number, items.changes.len()));
        assert_eq!(sent(window.send()), Some((5, 3)));
        assert!(window.answer(5) && window.answer(6));
        window.rewind();
        assert_eq!(sent(window.send()), Some((7, 1)), "the part of the batch that is left");
        assert_eq!(sent(window.send()), Some((8, 2)));
        assert_eq!(sent(window.send()), None);
        assert!(window.answer(7) && window.answer(8) && window.answer(9));
        assert!(window.is_empty() && window.unanswered() == 10);
    }

    #[test]
    fn answers_come_in_order_and_only_to_what_was_sent() {
        let mut window = Window::new(1, 100, 1_000);
        window.push(batch(2));
        assert!(!window.answer(1), "not sent yet");
        window.send();
        assert!(!window.answer(2) && window.answer(1) && !window.answer(1) && window.answer(2));
        assert!(!window.answer(3), "never sent");
    }

    #[test]
    fn what_was_never_sent_can_be_forgotten_and_what_was_sent_before_a_break_cannot() {
        let mut window = Window::new(1, 100, 1_000);
        (0..3).for_each(|_| window.push(batch(2)));
        window.send();
        window.send();
        window.rewind();
        window.forget_unsent();
        assert_eq!((window.sent_up_to(), window.has_unsent()), (4, true));
        assert!(window.send().is_some() && window.send().is_some() && window.send().is_none());
        assert!((1..=4).all(|number| window.answer(number)) && window.is_empty());
        let mut unsent = Window::new(1, 100, 1_000);
        unsent.push(batch(2));
        unsent.forget_unsent();
        assert!(unsent.is_empty() && unsent.unanswered() == 1);
    }

    #[test]
    fn room_is_bounded_by_items_and_bytes() {
        let mut window = Window::new(1, 4, 1_000);
        window.push(batch(3));
        assert!(window.has_room(1) && !window.has_room(2));
        window.push(batch(1));
        assert!(!window.has_room(1));
        window.send();
        assert!(window.answer(1) && window.has_room(1));
        let mut window = Window::new(1, 100, 20);
        window.push(batch(2));
        assert!(!window.has_room(1));
    }
}
