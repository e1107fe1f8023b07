//! Smallest, median and largest of repeated measurements.

/// The spread of a few numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// Median (the lower of the two middle ones where there are two).
    pub median: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// The spread of the numbers; all zero without any.
    pub fn of(numbers: &[f64]) -> Self {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        let median = sorted.get(sorted.len().saturating_sub(1) / 2);
        Self {
            min: sorted.first().copied().unwrap_or_default(),
            median: median.copied().unwrap_or_default(),
            max: sorted.last().copied().unwrap_or_default(),
        }
    }

    /// `min / median / max` with so many decimals.
    pub fn text(&self, decimals: usize) -> String {
        format!("{:.*} / {:.*} / {:.*}", decimals, self.min, decimals, self.median, decimals, self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_middle() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(Spread::of(&[]), Spread { min: 0.0, median: 0.0, max: 0.0 });
    }
}
