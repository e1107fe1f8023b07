//! The memory of a session for message counters: each is accepted once.

use thiserror::Error;

use super::limits::REPLAY_WINDOW;

/// Remembers the highest counter of a session and which of the 200 before and including it were used.
///
/// Counters start at 1 and may arrive out of order; one that is older than the window counts as used. Ask only after
/// the message's authentication code was found right, or anybody could use up a session's counters.
#[derive(Clone, Debug, Default)]
pub struct ReplayWindow {
    highest: u32,
    /// Bit `n` of the array stands for counter `highest - n`.
    used: [u64; WORDS],
}

impl ReplayWindow {
    /// A window of a new session.
    #[must_use]
    pub const fn new() -> Self {
        Self { highest: 0, used: [0; WORDS] }
    }

    /// Takes a counter.
    ///
    /// # Errors
    /// [`Replayed`] when it is 0, was used before, or is older than the window.
    pub fn accept(&mut self, counter: u32) -> Result<(), Replayed> {
        let refused = Err(Replayed { counter });
        if counter == 0 {
            return refused;
        }
        if let Some(ahead) = counter.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.advance(ahead);
            self.highest = counter;
        }
        let age = self.highest.saturating_sub(counter);
        if age >= REPLAY_WINDOW {
            return refused;
        }
        let Some(word) = self.used.get_mut((age / u64::BITS) as usize) else { return refused };
        let bit = 1_u64 << (age % u64::BITS);
        if *word & bit != 0 {
            return refused;
        }
        *word |= bit;
        Ok(())
    }

    /// Ages all counters by `ahead`.
    fn advance(&mut self, ahead: u32) {
        let (words, bits) = ((ahead / u64::BITS) as usize, ahead % u64::BITS);
        let old = self.used;
        for (place, word) in self.used.iter_mut().enumerate() {
            let from = |back: usize| place.checked_sub(back).and_then(|at| old.get(at)).copied().unwrap_or(0);
            let carried = if bits == 0 { 0 } else { from(words.saturating_add(1)) >> (u64::BITS - bits) };
            *word = (from(words) << bits) | carried;
        }
    }
}

/// A counter that was used before, or is too old to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("session counter {counter} was used before")]
pub struct Replayed {
    /// The counter of the message.
    pub counter: u32,
}

/// Words that hold a bit for each counter of the window.
const WORDS: usize = REPLAY_WINDOW.div_ceil(u64::BITS) as usize;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_counter_is_accepted_once() {
        let mut window = ReplayWindow::new();
        for counter in 1..1000 {
            assert_eq!(window.accept(counter), Ok(()));
            assert_eq!(window.accept(counter), Err(Replayed { counter }));
        }
        assert_eq!(window.accept(0), Err(Replayed { counter: 0 }));
    }

    #[test]
    fn remembers_exactly_200_counters() {
        let mut window = ReplayWindow::new();
        assert_eq!(window.accept(1000), Ok(()));
        assert_eq!(window.accept(801), Ok(()));
        assert_eq!(window.accept(800), Err(Replayed { counter: 800 }));
        assert_eq!(window.accept(801), Err(Replayed { counter: 801 }));
        assert_eq!(window.accept(u32::MAX), Ok(()));
        assert_eq!(window.accept(u32::MAX), Err(Replayed { counter: u32::MAX }));
    }

    proptest! {
        #[test]
        fn behaves_like_a_set_of_recent_counters(counters in prop::collection::vec(1_u32..600, 0..300)) {
            let (mut window, mut seen, mut highest) = (ReplayWindow::new(), HashSet::new(), 0);
            for counter in counters {
                highest = highest.max(counter);
                let expected = highest - counter < REPLAY_WINDOW && seen.insert(counter);
                prop_assert_eq!(window.accept(counter).is_ok(), expected);
            }
        }
    }
}
