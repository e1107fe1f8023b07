//! The decision at a till.

use waymark_ident::Date;
use waymark_ident::gs1::{Gtin, Scan};

use super::rules::{Rules, Sale, Shelf};

/// Something that must not be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop<'a> {
    /// Of this product.
    pub gtin: Gtin,
    /// How much of it.
    pub stopped: Stopped<'a>,
    /// Why, for the till; a code or a text.
    pub reason: &'a str,
}

/// How much of a product must not be sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped<'a> {
    /// All of it.
    All,
    /// One lot.
    Lot(&'a str),
    /// One item.
    Serial(&'a str),
}

/// What the till does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'a> {
    /// Sell or not.
    pub sale: Sale,
    /// Why.
    pub reason: Reason<'a>,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    /// Nothing speaks against it.
    Ok,
    /// Its last day is near.
    NearExpiry,
    /// Its last day is over.
    Expired,
    /// It has no date and must have one.
    ExpiryMissing,
    /// It is on the list of stops, for this reason.
    Stopped(&'a str),
    /// What was scanned is nothing that is sold.
    NotAProduct,
}

/// Decides about a scan by the rules of the [module page](super). Of several stops the widest gives the reason, of
/// equally wide ones the first. Takes time linear in `stops`.
#[must_use]
pub fn checkout<'a>(scan: &Scan, stops: &[Stop<'a>], rules: Rules, today: Date) -> Decision<'a> {
    let Some(gtin) = scan.gtin else {
        return Decision { sale: Sale::Deny, reason: Reason::NotAProduct };
    };
    let stop = stops
        .iter()
        .filter(|stop| stop.gtin == gtin && stop.stopped.holds(scan))
        .min_by_key(|stop| stop.stopped.rank());
    if let Some(stop) = stop {
        return Decision { sale: Sale::Deny, reason: Reason::Stopped(stop.reason) };
    }
    let (sale, reason) = match rules.shelf(last_day(scan, today), today) {
        Shelf::Over => (Sale::Deny, Reason::Expired),
        Shelf::Missing => (Sale::Deny, Reason::ExpiryMissing),
        Shelf::Near => (Sale::Warn, Reason::NearExpiry),
        Shelf::Fine => (Sale::Allow, Reason::Ok),
    };
    Decision { sale, reason }
}

/// The earliest of the dates told that end sale.
pub(super) fn last_day(scan: &Scan, today: Date) -> Option<Date> {
    [scan.expiry, scan.sell_by, scan.best_before].into_iter().flatten().map(|date| date.to_date(today)).min()
}

impl Stopped<'_> {
    fn holds(self, scan: &Scan) -> bool {
        match self {
            Self::All => true,
            Self::Lot(lot) => scan.lot.is_some_and(|scanned| scanned.as_str() == lot),
            Self::Serial(serial) => scan.serial.is_some_and(|scanned| scanned.as_str() == serial),
        }
    }

    /// Wider first.
    const fn rank(self) -> u8 {
        match self {
            Self::All => 0,
            Self::Lot(_) => 1,
            Self::Serial(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCT: &str = "(01)06942499556696";

    fn gtin() -> Gtin {
        Gtin::new(b"06942499556696").unwrap()
    }

    fn decide<'a>(elements: &str, stops: &[Stop<'a>], rules: Rules) -> Decision<'a> {
        let scan = Scan::parse(elements.as_bytes()).unwrap();
        checkout(&scan, stops, rules, Date::new(2026, 11, 21).unwrap())
    }

    fn stop<'a>(stopped: Stopped<'a>, reason: &'a str) -> Stop<'a> {
        Stop { gtin: gtin(), stopped, reason }
    }

    #[test]
    fn the_widest_stop_gives_the_reason_whatever_its_place() {
        let stops = [
            stop(Stopped::Serial("S1"), "item"),
            stop(Stopped::Lot("A7"), "lot"),
            stop(Stopped::Lot("A7"), "lot again"),
            stop(Stopped::All, "all"),
        ];
        let item = format!("{PRODUCT}(10)A7(21)S1(17)200101");
        for (stops, reason) in [(&stops[..], "all"), (&stops[..3], "lot"), (&stops[..1], "item")] {
            let denied = Decision { sale: Sale::Deny, reason: Reason::Stopped(reason) };
            assert_eq!(decide(&item, stops, Rules::default()), denied);
        }
    }

    #[test]
    fn stops_hold_for_their_product_lot_and_item_only() {
        let other = Gtin::new(b"9506000134352").unwrap();
        let stops = [
            Stop { gtin: other, stopped: Stopped::All, reason: "other product" },
            stop(Stopped::Lot("a7"), "other case"),
            stop(Stopped::Lot("A"), "beginning of the lot"),
            stop(Stopped::Serial("A7"), "a serial, not a lot"),
            stop(Stopped::Lot(""), "no lot"),
        ];
        for elements in ["(10)A7(21)S1", "(10)A7", ""] {
            let allowed = Decision { sale: Sale::Allow, reason: Reason::Ok };
            assert_eq!(decide(&format!("{PRODUCT}{elements}"), &stops, Rules::default()), allowed, "{elements}");
        }
    }

    #[test]
    fn the_earliest_date_that_ends_sale_counts() {
        let rules = Rules { warn_days: 3, expiry_required: true };
        for (dates, sale, reason) in [
            ("(17)270101(16)261120", Sale::Deny, Reason::Expired),
            ("(17)270101(15)261120", Sale::Deny, Reason::Expired),
            ("(17)270101(15)261121", Sale::Warn, Reason::NearExpiry),
            ("(15)270101", Sale::Allow, Reason::Ok),
            ("(11)261120", Sale::Deny, Reason::ExpiryMissing),
        ] {
            assert_eq!(decide(&format!("{PRODUCT}{dates}"), &[], rules), Decision { sale, reason }, "{dates}");
        }
    }

    #[test]
    fn a_container_or_a_model_is_not_sold() {
        for elements in ["(00)569445915102255221", "(8013)9506000FQDCRTRM"] {
            let denied = Decision { sale: Sale::Deny, reason: Reason::NotAProduct };
            assert_eq!(decide(elements, &[stop(Stopped::All, "all")], Rules::default()), denied);
        }
    }
}
