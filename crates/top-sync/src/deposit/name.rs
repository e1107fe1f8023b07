//! How the files of a deposit are called: `{node}_{YYYY-MM-DD}_{full|diff}_S{part}_R{rev}.{inde|sig|rep}`.

use std::fmt;
use std::str::FromStr;

use waymark_ident::Date;

use super::config::PARTS;

/// Whether a deposit holds everything or what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// Everything.
    Full,
    /// What changed since the deposit before.
    Diff,
}

impl Extent {
    /// Its name in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Diff => "DIFF",
        }
    }

    /// The one of a name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Full, Self::Diff].into_iter().find(|extent| extent.as_str().eq_ignore_ascii_case(name))
    }
}

/// What a file of a deposit holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extension {
    /// A part of the data.
    Data,
    /// The signature of a part.
    Signature,
    /// The report, which is that of the whole deposit and is called as its first part.
    Report,
    /// The signature of the report.
    ReportSignature,
}

impl Extension {
    const ALL: [Self; 4] = [Self::ReportSignature, Self::Data, Self::Signature, Self::Report];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "inde",
            Self::Signature => "sig",
            Self::Report => "rep",
            Self::ReportSignature => "rep.sig",
        }
    }
}

/// The name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// The prefix, which stands for the node.
    pub node: String,
    /// The day whose beginning in UTC is the watermark.
    pub date: Date,
    /// Everything, or what changed.
    pub extent: Extent,
    /// Number of the part, from 1.
    pub part: u32,
    /// How often the deposit was made before.
    pub revision: u32,
    /// What it holds.
    pub extension: Extension,
}

/// A name that is none of a deposit's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not called as a file of a deposit is, such as 88.990_2026-11-29_full_S1_R0.inde")]
pub struct FileNameError;

impl FileName {
    /// The same of another part.
    #[must_use]
    pub fn of_part(&self, part: u32, extension: Extension) -> Self {
        Self { part, extension, ..self.clone() }
    }

    /// Whether two files belong to one deposit.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        (&self.node, self.date, self.extent, self.revision) == (&other.node, other.date, other.extent, other.revision)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, date, extent, part, revision, extension } = self;
        let extent = if *extent == Extent::Full { "full" } else { "diff" };
        write!(f, "{node}_{date}_{extent}_S{part}_R{revision}.{}", extension.as_str())
    }
}

impl FromStr for FileName {
    type Err = FileNameError;

    fn from_str(text: &str) -> Result<Self, FileNameError> {
        let ending = |extension: &Extension| text.strip_suffix(extension.as_str())?.strip_suffix('.');
        let found = Extension::ALL.into_iter().find_map(|extension| Some((ending(&extension)?, extension)));
        let (stem, extension) = found.ok_or(FileNameError)?;
        let mut fields = stem.rsplitn(5, '_');
        let mut next = || fields.next().ok_or(FileNameError);
        let (revision, part, extent, date, node) = (next()?, next()?, next()?, next()?, next()?);
        let revision = revision.strip_prefix('R').and_then(number).ok_or(FileNameError)?;
        let part = part.strip_prefix('S').and_then(number).filter(|part| (1..=PARTS).contains(part));
        let extent = match extent {
            "full" => Extent::Full,
            "diff" => Extent::Diff,
            _ => return Err(FileNameError),
        };
        let is_node = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if node.is_empty() || !node.bytes().all(is_node) {
            return Err(FileNameError);
        }
        let (date, part) = (parse_date(date).ok_or(FileNameError)?, part.ok_or(FileNameError)?);
        Ok(Self { node: node.to_owned(), date, extent, part, revision, extension })
    }
}

/// A number as it is written here: no sign, no zero in front.
fn number(text: &str) -> Option<u32> {
    let sound = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if sound { text.parse().ok() } else { None }
}

/// A day such as `2026-11-29`, of 1970 or later.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let mut fields = text.splitn(3, '-');
    let mut next = |digits: usize| {
        let field = fields.next()?;
        let sound = field.len() == digits && field.bytes().all(|byte| byte.is_ascii_digit());
        if sound { field.parse::<u16>().ok() } else { None }
    };
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let date = Date::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)?;
    (date.days() >= 0).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for text in [
            "88.990_2026-11-29_full_S1_R0.inde",
            "88.990_2026-11-30_diff_S12_R3.sig",
            "88.990_2026-11-29_full_S1_R0.rep",
            "88.990_2026-11-29_full_S1_R0.rep.sig",
            "88.a_b_2024-02-29_full_S9999_R0.inde",
        ] {
            assert_eq!(text.parse::<FileName>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for text in [
            "",
            "88.990_2026-11-29_full_S1_R0",
            "88.990_2026-11-29_full_S0_R0.inde",
            "88.990_2026-11-29_full_S01_R0.inde",
            "88.990_2026-11-29_full_S10000_R0.inde",
            "88.990_2026-11-29_FULL_S1_R0.inde",
            "88.990_2026-02-29_full_S1_R0.inde",
            "88.990_1969-12-31_full_S1_R0.inde",
            "_2026-11-29_full_S1_R0.inde",
            "../88_2026-11-29_full_S1_R0.inde",
            "88.990_2026-11-29_full_S1_R+0.inde",
        ] {
            assert_eq!(text.parse::<FileName>(), Err(FileNameError), "{text}");
        }
    }
}
