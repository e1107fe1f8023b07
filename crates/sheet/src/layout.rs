//! The columns a sheet has: a template, as plainly as spreadsheets need it.

use std::collections::HashMap;
use std::fmt;

use crate::{Language, Text};

/// What headings of columns begin with that are for people and are not read.
pub const REMARK: char = '#';

/// Least index of a template's values.
pub const LEAST_INDEX: u32 = 2000;
/// Most columns besides the identifier's.
pub const MOST_COLUMNS: usize = 1000;
/// Longest value, in characters: what a cell of a workbook holds.
pub const MOST_CHARS: u32 = 32_767;
/// Most digits behind the point.
pub const MOST_DECIMALS: u32 = 37;

/// What a column holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DataKind {
    /// Any text.
    String,
    /// A decimal number.
    Number {
        /// Most digits behind the point.
        decimals: u32,
    },
    /// A day, `2026-03-10`.
    Date,
    /// A day, or a moment as RFC 3339 writes it, `2026-05-02T03:14:00+08:00`.
    Moment,
    /// One of these texts.
    Enum(Vec<String>),
    /// Another identifier, `prefix/suffix`.
    Reference,
    /// A hash of a file in hexadecimal: 32, 40, 64, 96 or 128 digits.
    FileHash,
}

/// A column of a sheet: one value of each identifier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Index of the value, 2000 or more.
    pub index: u32,
    /// Its name in Chinese.
    pub name_zh: String,
    /// Its type, in English.
    pub kind: String,
    /// What it holds.
    pub data: DataKind,
    /// Whether every identifier has it.
    pub required: bool,
    /// Least characters of a value. Not for dates and lists.
    pub min_chars: u32,
    /// Most characters of a value. Not for dates and lists.
    pub max_chars: u32,
    /// What its numbers are measured in.
    pub unit: Option<String>,
    /// Whether everybody may read it.
    pub is_public: bool,
}

impl Column {
    /// Its heading in a language.
    #[must_use]
    pub fn title(&self, language: Language) -> &str {
        match language {
            Language::English => &self.kind,
            Language::Chinese => &self.name_zh,
        }
    }

    /// Characters of every value, where there is but one possibility.
    pub(crate) fn fixed_chars(&self) -> Option<u32> {
        (self.min_chars == self.max_chars).then_some(self.max_chars)
    }

    /// Whether values are codes, whose zeros and digits all count, rather than quantities.
    pub(crate) fn is_code(&self) -> bool {
        match self.data {
            DataKind::Number { decimals } => decimals == 0 && self.fixed_chars().is_some(),
            DataKind::Date | DataKind::Moment => false,
            DataKind::String | DataKind::Enum(_) | DataKind::Reference | DataKind::FileHash => true,
        }
    }
}

/// The columns of a sheet, checked: nothing ambiguous, nothing a workbook cannot hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    template: String,
    version: String,
    handle_title: String,
    columns: Vec<Column>,
}

/// English heading of the identifiers' column.
const HANDLE_TITLE: &str = "Handle";

impl Layout {
    /// A layout for a template and version, with the Chinese heading of the identifiers' column (the English one is `Handle`).
    ///
    /// # Errors
    ///
    /// Names or indices that are not unique, and everything out of range.
    pub fn new(
        template: impl Into<String>,
        version: impl Into<String>,
        handle_title: impl Into<String>,
        columns: Vec<Column>,
    ) -> Result<Self, LayoutError> {
        let layout =
            Self { template: template.into(), version: version.into(), handle_title: handle_title.into(), columns };
        layout.check()?;
        Ok(layout)
    }

    /// The template's name.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The columns behind the identifier's.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Heading of the identifiers' column in a language.
    #[must_use]
    pub fn handle_title(&self, language: Language) -> &str {
        match language {
            Language::English => HANDLE_TITLE,
            Language::Chinese => &self.handle_title,
        }
    }

    fn check(&self) -> Result<(), LayoutError> {
        for text in [&self.template, &self.version, &self.handle_title] {
            check_name(text)?;
        }
        if self.columns.len() > MOST_COLUMNS {
            return Err(LayoutError::TooManyColumns { columns: self.columns.len() });
        }
        let mut indices = HashMap::new();
        // Each heading, in either language, means one column.
        let mut titles: HashMap<&str, Option<u32>> = HashMap::new();
        titles.insert(&self.handle_title, None);
        titles.insert(HANDLE_TITLE, None);
        for column in &self.columns {
            check_column(column)?;
            if indices.insert(column.index, ()).is_some() {
                return Err(LayoutError::SameIndex { index: column.index });
            }
            for title in [&column.name_zh, &column.kind] {
                if titles.insert(title, Some(column.index)).is_some_and(|other| other != Some(column.index)) {
                    return Err(LayoutError::SameTitle { title: title.clone() });
                }
            }
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), LayoutError> {
    let is_fit = !name.is_empty()
        && name.trim() == name
        && !name.starts_with(REMARK)
        && !name.chars().any(char::is_control)
        && name.chars().count() <= 255;
    if is_fit { Ok(()) } else { Err(LayoutError::Name { name: name.to_owned() }) }
}

fn check_column(column: &Column) -> Result<(), LayoutError> {
    check_name(&column.name_zh)?;
    check_name(&column.kind)?;
    let index = column.index;
    if index < LEAST_INDEX {
        return Err(LayoutError::Index { index });
    }
    if column.min_chars > column.max_chars || column.max_chars == 0 || column.max_chars > MOST_CHARS {
        return Err(LayoutError::Chars { index, min: column.min_chars, max: column.max_chars });
    }
    match &column.data {
        DataKind::Number { decimals } if *decimals > MOST_DECIMALS => {
            Err(LayoutError::Decimals { index, decimals: *decimals })
        }
        DataKind::Enum(values) => check_list(index, values),
        _ => Ok(()),
    }
}

fn check_list(index: u32, values: &[String]) -> Result<(), LayoutError> {
    let is_fit = |value: &String| {
        value.trim() == value
            && !value.is_empty()
            && value.chars().count() <= 255
            && !value.chars().any(char::is_control)
    };
    let mut sorted: Vec<&String> = values.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    if values.is_empty() || values.len() > 10_000 || sorted.len() < values.len() || !values.iter().all(is_fit) {
        return Err(LayoutError::List { index });
    }
    Ok(())
}

/// Why columns cannot be those of a sheet. Whoever made the template is to mend it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LayoutError {
    /// A name that cannot be a heading.
    Name {
        /// The name.
        name: String,
    },
    /// Too many columns.
    TooManyColumns {
        /// How many.
        columns: usize,
    },
    /// An index that is reserved.
    Index {
        /// The index.
        index: u32,
    },
    /// Two columns of one index.
    SameIndex {
        /// The index.
        index: u32,
    },
    /// One heading for two columns.
    SameTitle {
        /// The heading.
        title: String,
    },
    /// Lengths that no value has.
    Chars {
        /// Index of the column.
        index: u32,
        /// Least characters.
        min: u32,
        /// Most characters.
        max: u32,
    },
    /// Too many digits behind the point.
    Decimals {
        /// Index of the column.
        index: u32,
        /// How many.
        decimals: u32,
    },
    /// A list to choose from that is empty, too long, or holds a text twice or one that cannot be chosen.
    List {
        /// Index of the column.
        index: u32,
    },
}

impl LayoutError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "layout-name",
            Self::TooManyColumns { .. } => "layout-too-many-columns",
            Self::Index { .. } => "layout-index",
            Self::SameIndex { .. } => "layout-same-index",
            Self::SameTitle { .. } => "layout-same-title",
            Self::Chars { .. } => "layout-chars",
            Self::Decimals { .. } => "layout-decimals",
            Self::List { .. } => "layout-list",
        }
    }

    /// What is wrong and what to do, in a language.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let text = match self {
            Self::Name { .. } => Text {
                en: "{name} cannot be a heading; use 1 to 255 characters without control characters and spaces around, not beginning with #",
                zh: "{name} 不能作表头；请使用 1 至 255 个字符，不含控制字符，首尾无空格，不以 # 开头",
            },
            Self::TooManyColumns { .. } => {
                Text { en: "{count} columns are too many; use at most 1000", zh: "{count} 列太多；最多 1000 列" }
            }
            Self::Index { .. } => Text {
                en: "index {index} is reserved; values of a template begin with 2000",
                zh: "索引 {index} 已保留；模板的值从 2000 开始",
            },
            Self::SameIndex { .. } => Text {
                en: "two columns have index {index}; give each its own",
                zh: "两列同用索引 {index}；请各用其一",
            },
            Self::SameTitle { .. } => Text {
                en: "{name} would be the heading of two columns; names and types must differ from those of other columns",
                zh: "{name} 会成为两列的表头；名称和类型须与其他列不同",
            },
            Self::Chars { .. } => Text {
                en: "values of index {index} cannot have {min} to {max} characters; the most is 1 to 32767, the least not above it",
                zh: "索引 {index} 的值不能为 {min} 至 {max} 个字符；上限为 1 至 32767，下限不得高于上限",
            },
            Self::Decimals { .. } => Text {
                en: "numbers of index {index} cannot have {count} decimals; use at most 37",
                zh: "索引 {index} 的数字不能有 {count} 位小数；最多 37 位",
            },
            Self::List { .. } => Text {
                en: "the list of index {index} must have 1 to 10000 different texts of 1 to 255 characters without spaces around",
                zh: "索引 {index} 的选项须为 1 至 10000 个互不相同的文本，每个 1 至 255 个字符，首尾无空格",
            },
        };
        self.fill(text.of(language))
    }

    fn fill(&self, text: &str) -> String {
        match self {
            Self::Name { name } | Self::SameTitle { title: name } => text.replace("{name}", &format!("{name:?}")),
            Self::TooManyColumns { columns } => text.replace("{count}", &columns.to_string()),
            Self::Index { index } | Self::SameIndex { index } | Self::List { index } => {
                text.replace("{index}", &index.to_string())
            }
            Self::Chars { index, min, max } => text
                .replace("{index}", &index.to_string())
                .replace("{min}", &min.to_string())
                .replace("{max}", &max.to_string()),
            Self::Decimals { index, decimals } => {
                text.replace("{index}", &index.to_string()).replace("{count}", &decimals.to_string())
            }
        }
    }
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Language::English))
    }
}

impl std::error::Error for LayoutError {}
