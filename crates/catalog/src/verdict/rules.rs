//! What the operator decides, and what dates mean by it.

use waymark_ident::Date;

/// Whether something may be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sale {
    /// It may.
    Allow,
    /// It may, and somebody should look.
    Warn,
    /// It may not.
    Deny,
}

/// What the operator decides. Default: no warnings, no date required.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Days before the last day of sale from which on there are warnings; 0 warns never.
    pub warn_days: u16,
    /// Goods without a date are not sold.
    pub expiry_required: bool,
}

/// How a date stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shelf {
    Fine,
    Near,
    Over,
    Missing,
}

impl Rules {
    /// How goods stand whose last day is `last`.
    pub(super) fn shelf(self, last: Option<Date>, today: Date) -> Shelf {
        let Some(last) = last else {
            return if self.expiry_required { Shelf::Missing } else { Shelf::Fine };
        };
        let ahead = last.days() - today.days();
        if ahead < 0 {
            Shelf::Over
        } else if self.warn_days > 0 && ahead <= i64::from(self.warn_days) {
            Shelf::Near
        } else {
            Shelf::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edge_of_a_date() {
        let today = Date::new(2026, 11, 21).unwrap();
        for (ahead, warn_days, shelf) in [
            (-1, 3, Shelf::Over),
            (0, 3, Shelf::Near),
            (3, 3, Shelf::Near),
            (4, 3, Shelf::Fine),
            (-1, 0, Shelf::Over),
            (0, 0, Shelf::Fine),
        ] {
            let rules = Rules { warn_days, expiry_required: true };
            let last = Date::from_days(today.days() + ahead);
            assert_eq!(rules.shelf(Some(last), today), shelf, "{ahead} days ahead, {warn_days} of warning");
        }
    }

    #[test]
    fn a_date_is_missing_only_where_one_is_required() {
        let today = Date::new(2026, 11, 21).unwrap();
        for (expiry_required, shelf) in [(true, Shelf::Missing), (false, Shelf::Fine)] {
            assert_eq!(Rules { warn_days: 3, expiry_required }.shelf(None, today), shelf);
        }
    }
}
