//! Which names a load run asks for.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// Names to choose from.
#[derive(Clone, Debug)]
pub enum Names {
    /// A list.
    List(Vec<String>),
    /// Text around a counter with leading zeros: `88.111.1/item-{:07}`.
    Pattern {
        /// Before the number.
        head: String,
        /// After the number.
        tail: String,
        /// Digits, filled with zeros.
        width: usize,
        /// Numbers 0 up to this, not included; at least 1.
        count: u64,
    },
}

/// Why names cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// The pattern has no `{}` or `{:0N}`.
    #[error("the pattern needs one {{}} or {{:0N}} for the number")]
    Pattern,
    /// There is no name.
    #[error("there is no name to ask for")]
    Empty,
}

impl Names {
    /// A list without empty lines.
    ///
    /// # Errors
    /// There is none.
    pub fn list(text: &str) -> Result<Self, NamesError> {
        let names: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if names.is_empty() { Err(NamesError::Empty) } else { Ok(Self::List(names)) }
    }

    /// A pattern with one place for the number.
    ///
    /// # Errors
    /// No place for the number, or no numbers.
    pub fn pattern(pattern: &str, count: u64) -> Result<Self, NamesError> {
        let (head, rest) = pattern.split_once('{').ok_or(NamesError::Pattern)?;
        let (form, tail) = rest.split_once('}').ok_or(NamesError::Pattern)?;
        let width = match form {
            "" => 0,
            form => form
                .strip_prefix(":0")
                .and_then(|width| width.parse().ok())
                .filter(|width| *width <= 20)
                .ok_or(NamesError::Pattern)?,
        };
        if count == 0 {
            return Err(NamesError::Empty);
        }
        Ok(Self::Pattern { head: head.to_owned(), tail: tail.to_owned(), width, count })
    }

    /// How many names there are.
    pub fn len(&self) -> u64 {
        match self {
            Self::List(names) => names.len() as u64,
            Self::Pattern { count, .. } => *count,
        }
    }

    /// Whether there is no name; never, once made.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes name number `at` (taken modulo the number of names).
    pub fn write(&self, at: u64, into: &mut String) {
        use std::fmt::Write as _;
        into.clear();
        match self {
            Self::List(names) => {
                let at = usize::try_from(at % self.len()).unwrap_or(0);
                into.push_str(names.get(at).map_or("", String::as_str));
            }
            Self::Pattern { head, tail, width, count } => {
                // Writing to a string cannot fail.
                let _written = write!(into, "{head}{:0width$}{tail}", at % count);
            }
        }
    }
}

/// Chooses names one after the other, the same ones for the same seed.
#[derive(Debug)]
pub struct Chooser {
    names: Names,
    zipf: Option<rand_distr::Zipf<f64>>,
    absent_percent: u8,
    random: StdRng,
}

impl Chooser {
    /// Chooses uniformly, or by a Zipf distribution of this exponent.
    ///
    /// # Errors
    /// An exponent the distribution does not know (negative, or no number).
    pub fn new(
        names: Names,
        exponent: Option<f64>,
        absent_percent: u8,
        seed: u64,
    ) -> Result<Self, rand_distr::ZipfError> {
        #[expect(clippy::cast_precision_loss, reason = "a rank beyond 2^53 is not a name anybody draws")]
        let zipf = exponent.map(|exponent| rand_distr::Zipf::new(names.len() as f64, exponent)).transpose()?;
        Ok(Self { names, zipf, absent_percent, random: StdRng::seed_from_u64(seed) })
    }

    /// Writes the next name; says whether it is one of the names (`true`) or made to be absent.
    pub fn next(&mut self, into: &mut String) -> bool {
        let at = match &self.zipf {
            None => self.random.random_range(0..self.names.len()),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "ranks lie from 1 to the count"
            )]
            Some(zipf) => (self.random.sample(zipf) as u64).saturating_sub(1),
        };
        self.names.write(at, into);
        let exists = self.absent_percent == 0 || self.random.random_range(0..100) >= self.absent_percent;
        if !exists {
            into.push_str(".none-");
            for _ in 0..8 {
                into.push(char::from(self.random.random_range(b'a'..=b'z')));
            }
        }
        exists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fills_with_zeros() {
        let names = Names::pattern("88.1/item-{:07}x", 100).unwrap();
        let mut text = String::new();
        names.write(42, &mut text);
        assert_eq!(text, "88.1/item-0000042x");
        names.write(142, &mut text);
        assert_eq!(text, "88.1/item-0000042x");
    }

    #[test]
    fn refuses_patterns_without_a_place() {
        assert_eq!(Names::pattern("88.1/item", 5).unwrap_err(), NamesError::Pattern);
        assert_eq!(Names::pattern("88.1/{:x}", 5).unwrap_err(), NamesError::Pattern);
        assert_eq!(Names::pattern("88.1/{}", 0).unwrap_err(), NamesError::Empty);
        assert_eq!(Names::list("\n \n").unwrap_err(), NamesError::Empty);
    }

    #[test]
    fn the_same_seed_asks_the_same() {
        let ask = |seed| {
            let mut chooser = Chooser::new(Names::pattern("p/{}", 1000).unwrap(), Some(1.0), 20, seed).unwrap();
            let mut name = String::new();
            (0..50)
                .map(|_| {
                    chooser.next(&mut name);
                    name.clone()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(ask(7), ask(7));
        assert_ne!(ask(7), ask(8));
    }

    #[test]
    fn the_share_of_absent_names_is_kept() {
        let mut chooser = Chooser::new(Names::pattern("p/{}", 10).unwrap(), None, 30, 1).unwrap();
        let mut name = String::new();
        let absent = (0..10_000).filter(|_| !chooser.next(&mut name)).count();
        assert!((2_700..3_300).contains(&absent), "{absent}");
    }

    #[test]
    fn zipf_prefers_few_names() {
        let mut chooser = Chooser::new(Names::pattern("{}", 1_000).unwrap(), Some(1.0), 0, 1).unwrap();
        let mut name = String::new();
        let top = (0..10_000)
            .filter(|_| {
                chooser.next(&mut name);
                name.parse::<u32>().unwrap() < 10
            })
            .count();
        assert!(top > 3_000, "{top}");
    }
}
