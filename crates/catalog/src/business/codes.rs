//! The codes of industries (GB/T 4754) and of regions (GB/T 2260), as tables that can be replaced by newer ones.
//!
//! ```text
//! # a remark
//! code <tab> code of the one it belongs to, or nothing <tab> name
//! ```
//! The shipped tables lie in `config/codes`. They hold the upper two levels; what lies below is held to the table as far as the table goes.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;

/// Codes of one kind and their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeTable {
    codes: BTreeMap<Box<str>, Code>,
    /// Codes that others belong to.
    parents: BTreeSet<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Code {
    parent: Box<str>,
    name: Box<str>,
}

/// The tables enterprise records are held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeTables {
    /// GB/T 4754: sections, divisions, and what a newer table adds below.
    pub industries: CodeTable,
    /// GB/T 2260: provinces, prefectures, and what a newer table adds below.
    pub regions: CodeTable,
}

/// Why a text is no table of codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {problem}")]
pub struct CodeTableError {
    /// Counted from 1; 0 for the whole.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// Longest code in bytes.
const CODE_BYTES: usize = 16;

/// Longest name in bytes.
const NAME_BYTES: usize = 255;

/// Most codes of a table: all counties of GB/T 2260 are some 3,000, all classes of GB/T 4754 some 1,900.
const MOST_CODES: usize = 65_536;

const SHIPPED_INDUSTRIES: &str = include_str!("../../../../config/codes/gbt4754.tsv");
const SHIPPED_REGIONS: &str = include_str!("../../../../config/codes/gbt2260.tsv");

impl CodeTable {
    /// Reads a table.
    ///
    /// # Errors
    /// [`CodeTableError`] for the first line that does not fit; a code must stand behind the one it belongs to.
    pub fn parse(text: &str) -> Result<Self, CodeTableError> {
        let mut table = Self { codes: BTreeMap::new(), parents: BTreeSet::new() };
        for (at, line) in text.lines().enumerate() {
            let wrong = |problem| CodeTableError { line: at + 1, problem };
            let line = line.trim_end_matches('\r');
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut fields = line.split('\t');
            let (Some(code), Some(parent), Some(name), None) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                return Err(wrong("has not the three fields code, parent, name"));
            };
            if code.is_empty() || code.len() > CODE_BYTES || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(wrong("has a code that is not of 1 to 16 letters and digits"));
            }
            if name.is_empty() || name.len() > NAME_BYTES {
                return Err(wrong("has no name, or one of more than 255 bytes"));
            }
            if !parent.is_empty() {
                if !table.codes.contains_key(parent) {
                    return Err(wrong("belongs to a code that does not stand before it"));
                }
                table.parents.insert(parent.into());
            }
            let entry = Code { parent: parent.into(), name: name.into() };
            if table.codes.insert(code.into(), entry).is_some() {
                return Err(wrong("has a code that stands before it already"));
            }
            if table.codes.len() > MOST_CODES {
                return Err(wrong("is one more than the 65,536 codes a table may have"));
            }
        }
        if table.codes.is_empty() { Err(CodeTableError { line: 0, problem: "holds no code" }) } else { Ok(table) }
    }

    /// The name of a code.
    #[must_use]
    pub fn name(&self, code: &str) -> Option<&str> {
        self.codes.get(code).map(|code| &*code.name)
    }

    /// Number of codes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is none; a table that was read has some.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    fn belongs(&self, code: &str, parent: &str) -> bool {
        self.codes.get(code).is_some_and(|code| *code.parent == *parent)
    }

    fn has_children(&self, code: &str) -> bool {
        self.parents.contains(code)
    }
}

impl CodeTables {
    /// The tables this program comes with.
    #[must_use]
    pub fn shipped() -> Self {
        let read = |text| {
            // A test reads both.
            CodeTable::parse(text).unwrap_or_else(|_| CodeTable { codes: BTreeMap::new(), parents: BTreeSet::new() })
        };
        Self { industries: read(SHIPPED_INDUSTRIES), regions: read(SHIPPED_REGIONS) }
    }

    /// Checks section, division, group and class of an industry; the latter two may be empty.
    pub(super) fn check_industry(&self, levels: [(&'static str, &str); 4]) -> Result<(), Problem> {
        let [section, division, group, class] = levels;
        let table = &self.industries;
        known(table, section, "")?;
        known(table, division, section.1)?;
        if group.1.is_empty() {
            return if class.1.is_empty() {
                Ok(())
            } else {
                Err(Problem::new(class.0, "needs the group of the industry too"))
            };
        }
        below(table, group, division.1, 3)?;
        if class.1.is_empty() { Ok(()) } else { below(table, class, group.1, 4) }
    }

    /// Checks province, prefecture and county of an address. A province without prefectures in the table has none; the county may be empty.
    pub(super) fn check_region(&self, levels: [(&'static str, &str); 3]) -> Result<(), Problem> {
        let [province, prefecture, county] = levels;
        let table = &self.regions;
        known(table, province, "")?;
        if prefecture.1.is_empty() && county.1.is_empty() && !table.has_children(province.1) {
            return Ok(());
        }
        known(table, prefecture, province.1)?;
        if county.1.is_empty() {
            return Ok(());
        }
        if table.has_children(prefecture.1) {
            return known(table, county, prefecture.1);
        }
        let digits = county.1.len() == 6 && county.1.bytes().all(|byte| byte.is_ascii_digit());
        let within = digits && county.1.get(..4) == prefecture.1.get(..4) && county.1 != prefecture.1;
        if within { Ok(()) } else { Err(Problem::new(county.0, "is no GB/T 2260 code within the prefecture")) }
    }

    /// Checks a code of any level of GB/T 4754.
    pub(super) fn check_any_industry(&self, field: &'static str, code: &str) -> Result<(), Problem> {
        if self.industries.name(code).is_some() { Ok(()) } else { Err(Problem::new(field, UNKNOWN)) }
    }
}

/// What is said of a code the tables do not hold.
const UNKNOWN: &str = "holds a code that is not in the table in use";

/// A code that must be in the table, under the one above it.
fn known(table: &CodeTable, (field, code): (&'static str, &str), parent: &str) -> Result<(), Problem> {
    if table.name(code).is_none() {
        return Err(Problem::new(field, UNKNOWN));
    }
    if table.belongs(code, parent) { Ok(()) } else { Err(Problem::new(field, "does not belong to the code above it")) }
}

/// A code of so many digits below another: in the table where it goes so far, and beginning with the other otherwise.
fn below(table: &CodeTable, code: (&'static str, &str), parent: &str, digits: usize) -> Result<(), Problem> {
    if table.has_children(parent) {
        return known(table, code, parent);
    }
    let sound = code.1.len() == digits && code.1.bytes().all(|byte| byte.is_ascii_digit());
    if sound && code.1.starts_with(parent) {
        Ok(())
    } else {
        Err(Problem::new(code.0, "does not belong to the code above it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_tables_are_whole() {
        for text in [SHIPPED_INDUSTRIES, SHIPPED_REGIONS] {
            CodeTable::parse(text).unwrap();
        }
        let tables = CodeTables::shipped();
        let count = |table: &CodeTable, bytes| table.codes.keys().filter(|code| code.len() == bytes).count();
        assert_eq!((count(&tables.industries, 1), count(&tables.industries, 2)), (20, 97));
        let provinces = tables.regions.codes.values().filter(|code| code.parent.is_empty()).count();
        assert_eq!(provinces, 34);
        assert_eq!(tables.regions.name("330100"), Some("杭州市"));
        assert_eq!(tables.industries.name("39"), Some("计算机、通信和其他电子设备制造业"));
    }

    #[test]
    fn lines_that_do_not_fit_are_told_by_number() {
        for (text, line) in [
            ("", 0),
            ("# only a remark\n", 0),
            ("A\t\tx\n\n01\tB\ty\n", 3),
            ("A\t\tx\nA\t\ty\n", 2),
            ("A\tx\n", 1),
            ("A\t\tx\tmore\n", 1),
            ("A B\t\tx\n", 1),
            ("A\t\t\n", 1),
        ] {
            assert_eq!(CodeTable::parse(text).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn what_lies_below_is_held_to_the_table_as_far_as_it_goes() {
        let shipped = CodeTables::shipped();
        let industry = |tables: &CodeTables, levels: [&str; 4]| {
            let [a, b, c, d] = levels;
            tables.check_industry([("section", a), ("division", b), ("group", c), ("class", d)])
        };
        assert_eq!(industry(&shipped, ["C", "39", "", ""]), Ok(()));
        assert_eq!(industry(&shipped, ["C", "39", "391", "3912"]), Ok(()));
        for (levels, field) in [
            (["Z", "39", "", ""], "section"),
            (["A", "39", "", ""], "division"),
            (["C", "", "", ""], "division"),
            (["C", "39", "401", ""], "group"),
            (["C", "39", "391", "3812"], "class"),
            (["C", "39", "", "3912"], "class"),
        ] {
            assert_eq!(industry(&shipped, levels).unwrap_err().field, field, "{levels:?}");
        }
        let newer = CodeTables { industries: CodeTable::parse("C\t\tx\n39\tC\ty\n391\t39\tz\n").unwrap(), ..shipped };
        assert_eq!(industry(&newer, ["C", "39", "391", ""]), Ok(()));
        assert_eq!(industry(&newer, ["C", "39", "392", ""]).unwrap_err().field, "group");
        let region = |levels: [&str; 3]| {
            let [a, b, c] = levels;
            newer.check_region([("province", a), ("city", b), ("county", c)])
        };
        assert_eq!(region(["330000", "330100", "330106"]), Ok(()));
        assert_eq!(region(["810000", "", ""]), Ok(()));
        for (levels, field) in [
            (["990000", "330100", ""], "province"),
            (["320000", "330100", ""], "city"),
            (["330000", "", ""], "city"),
            (["330000", "330100", "330206"], "county"),
            (["330000", "330100", "330100"], "county"),
        ] {
            assert_eq!(region(levels).unwrap_err().field, field, "{levels:?}");
        }
    }
}
