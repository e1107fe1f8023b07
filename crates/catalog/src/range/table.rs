//! All ranges, and which of them a name belongs to. Never changed once published.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use waymark_store::Serial;

use super::coder::Reading;
use super::pattern::{Code, Pattern};
use super::pieces::{CodeState, PieceChange, Span};
use super::{Coder, Range, RangeName};
use crate::prefixes::prefix_of_key;

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    prefixes: HashMap<Box<[u8]>, Arc<OfPrefix>>,
    count: usize,
}

/// The ranges under one prefix.
#[derive(Clone, Debug, Default)]
struct OfPrefix {
    ranges: BTreeMap<u32, Arc<Range>>,
    /// By length of the suffix: what is not as long as a code is none.
    lengths: BTreeMap<usize, Stems>,
}

/// The stems of codes of one length.
#[derive(Clone, Debug, Default)]
struct Stems {
    /// Lengths of the stems, each once.
    lengths: Vec<usize>,
    stems: HashMap<Box<[u8]>, OfStem>,
}

/// The ranges of one stem whose codes are of one length, and so of one width: others would be in the way.
#[derive(Clone, Debug, Default)]
struct OfStem {
    width: u8,
    /// Last serial and number of each range, by its first serial.
    ranges: BTreeMap<u64, (u64, u32)>,
}

/// What a name without a record of its own is.
#[derive(Clone, Copy, Debug)]
pub enum Finding<'a> {
    /// No range has such codes.
    None,
    /// It has the form of a range's codes, but was never made: its check characters are wrong.
    NeverIssued(&'a Range),
    /// The code of a serial.
    Code(&'a Range, u64),
}

impl Ranges {
    /// The range of that name.
    #[must_use]
    pub fn get(&self, name: &RangeName) -> Option<&Arc<Range>> {
        self.prefixes.get(name.prefix())?.ranges.get(&name.number())
    }

    /// All ranges, by prefix and number.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Range>> {
        let mut prefixes: Vec<_> = self.prefixes.iter().collect();
        prefixes.sort_unstable_by_key(|(prefix, _)| *prefix);
        prefixes.into_iter().flat_map(|(_, of_prefix)| of_prefix.ranges.values())
    }

    /// The ranges under a prefix, folded, by number.
    pub fn of_prefix(&self, prefix: &[u8]) -> impl DoubleEndedIterator<Item = &Arc<Range>> {
        self.prefixes.get(prefix).into_iter().flat_map(|of_prefix| of_prefix.ranges.values())
    }

    /// Number of ranges.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What a name is by its canonical key. Allocates nothing; costs a hash when there is no range under its prefix.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Finding<'_> {
        let prefix = prefix_of_key(key);
        let Some(of_prefix) = self.prefixes.get(prefix) else { return Finding::None };
        let suffix = key.get(prefix.len() + 1..).unwrap_or_default();
        let Some(stems) = of_prefix.lengths.get(&suffix.len()) else { return Finding::None };
        let mut finding = Finding::None;
        for length in &stems.lengths {
            let Some(stem) = suffix.get(..*length) else { continue };
            match of_prefix.find_in(stems, stem, key) {
                Finding::None => {}
                // Ranges do not overlap, so a right code is the only one.
                code @ Finding::Code(..) => return code,
                never @ Finding::NeverIssued(_) => finding = never,
            }
        }
        finding
    }

    /// Where in a name, as it was asked, the serial of a range's code stands.
    #[must_use]
    pub fn code<'n>(range: &Range, name: &'n [u8]) -> Code<'n> {
        let suffix_at = range.name.prefix().len() + 1;
        Code::new(name, suffix_at, suffix_at + range.coder.stem().len(), usize::from(range.coder.width()))
    }

    /// The values a code is answered with; `None` for one that does not resolve.
    #[must_use]
    pub fn pattern(range: &Range, serial: u64) -> Option<&Pattern> {
        range.state(serial).resolves().then(|| range.pattern(serial))
    }

    /// The range whose codes would be in the way of new ones: of the same length, with the same serials behind the same stem, or with a stem that
    /// begins or goes on as theirs, so that only check characters would tell them apart.
    pub(crate) fn in_the_way(&self, prefix: &[u8], coder: &Coder, span: Span) -> Option<&RangeName> {
        let of_prefix = self.prefixes.get(prefix)?;
        let stems = of_prefix.lengths.get(&coder.suffix_bytes())?;
        let stem = coder.stem().as_bytes();
        let related = stems.stems.iter().filter(|(other, _)| other.starts_with(stem) || stem.starts_with(other));
        let number = related.into_iter().find_map(|(other, of_stem)| {
            if **other == *stem && of_stem.width == coder.width() {
                let (first, (last, number)) = of_stem.ranges.range(..=span.last).next_back()?;
                return span.meets(Span { first: *first, last: *last }).then_some(number);
            }
            of_stem.ranges.values().map(|(_, number)| number).next()
        });
        of_prefix.ranges.get(number?).map(|range| &range.name)
    }

    /// The serial behind the last range of the same stem and width; 0 when there is none.
    pub(crate) fn next_serial(&self, prefix: &[u8], coder: &Coder) -> u64 {
        let stems = self.prefixes.get(prefix).and_then(|of_prefix| of_prefix.lengths.get(&coder.suffix_bytes()));
        let of_stem = stems.and_then(|stems| stems.stems.get(coder.stem().as_bytes()));
        let last = of_stem
            .filter(|of_stem| of_stem.width == coder.width())
            .and_then(|of_stem| of_stem.ranges.values().next_back());
        last.map_or(0, |(last, _)| last.saturating_add(1))
    }

    /// The number of the next range under a prefix.
    pub(crate) fn next_number(&self, prefix: &[u8]) -> u32 {
        self.of_prefix(prefix).next_back().map_or(1, |range| range.name.number().saturating_add(1))
    }

    /// The most bytes the values of a code under a prefix can take.
    pub(crate) fn most_inherited_bytes(&self, prefix: &[u8]) -> usize {
        let bytes = |range: &Arc<Range>| {
            let bound = range.pieces.all(super::Layer::Bound).map(|piece| match &piece.kind {
                super::PieceKind::Bound { values, .. } => super::change::filled_bytes(values),
                _ => 0,
            });
            super::change::filled_bytes(&range.values) + bound.max().unwrap_or(0)
        };
        self.of_prefix(prefix).map(bytes).max().unwrap_or(0)
    }

    /// Puts a new range in.
    pub(crate) fn put(&mut self, range: Range) {
        let of_prefix = Arc::make_mut(self.prefixes.entry(range.name.prefix().into()).or_default());
        let stems = of_prefix.lengths.entry(range.coder.suffix_bytes()).or_default();
        let stem = range.coder.stem().as_bytes();
        if !stems.lengths.contains(&stem.len()) {
            stems.lengths.push(stem.len());
        }
        let of_stem = stems.stems.entry(stem.into()).or_default();
        of_stem.width = range.coder.width();
        of_stem.ranges.insert(range.span.first, (range.span.last, range.name.number()));
        if of_prefix.ranges.insert(range.name.number(), Arc::new(range)).is_none() {
            self.count += 1;
        }
    }

    /// Takes in a change of a range's pieces.
    pub(crate) fn change_piece(&mut self, name: &RangeName, change: PieceChange) {
        let Some(of_prefix) = self.prefixes.get_mut(name.prefix()) else { return };
        if let Some(range) = Arc::make_mut(of_prefix).ranges.get_mut(&name.number()) {
            Arc::make_mut(range).pieces.apply(change);
        }
    }

    /// The entry of the log that a piece of a range has now; none when there is no such piece.
    pub(crate) fn piece_entry(&self, name: &RangeName, layer: super::Layer, first: u64) -> Serial {
        let piece = self.get(name).and_then(|range| range.pieces.at(layer, first));
        piece.filter(|piece| piece.span.first == first).map_or(Serial::NONE, |piece| piece.serial)
    }
}

impl OfPrefix {
    /// Reads the serial first, then asks the one range that has it: however many packages a factory ordered, a name costs one check.
    fn find_in<'a>(&'a self, stems: &Stems, stem: &[u8], key: &[u8]) -> Finding<'a> {
        let range = stems.stems.get(stem).and_then(|of_stem| {
            let (_, range) = of_stem.ranges.first_key_value()?;
            let (_, number) = range;
            let serial = self.ranges.get(number)?.coder.serial_in(key)?;
            let (_, (last, number)) = of_stem.ranges.range(..=serial).next_back()?;
            self.ranges.get(number).filter(|_| serial <= *last)
        });
        let Some(range) = range else { return Finding::None };
        match range.coder.read(key) {
            Reading::Serial(serial) => Finding::Code(range, serial),
            Reading::WrongCheck => Finding::NeverIssued(range),
            Reading::Other => Finding::None,
        }
    }
}

impl<'a> Finding<'a> {
    /// The range and serial of a code that resolves.
    #[must_use]
    pub fn resolving(self) -> Option<(&'a Range, u64)> {
        match self {
            Finding::Code(range, serial) if range.state(serial).resolves() => Some((range, serial)),
            _ => None,
        }
    }

    /// Why a name cannot be registered: it was never made, or is over.
    #[must_use]
    pub fn obstacle(self) -> Option<Option<CodeState>> {
        match self {
            Finding::NeverIssued(_) => Some(None),
            Finding::Code(range, serial) => Some(range.state(serial)).filter(|state| !state.resolves()).map(Some),
            Finding::None => None,
        }
    }
}
