//! A template as the columns of a spreadsheet.

use waymark_catalog::template::{self, ColumnRole, DataType, DateFormat, Definition, Visibility};
use waymark_sheet::{Column, DataKind, Layout, MOST_DECIMALS};

use super::language;
use crate::{
    problem::{Exit, Problem},
    texts::Texts,
};

/// Headings of the identifiers' column; the first that is none of the template's is taken.
const HANDLE_TITLES: [&str; 3] = ["标识", "标识编码", "标识（前缀/后缀）"];

/// Characters of a date in six digits, as GS1 has them.
const SHORT_DATE_CHARS: u32 = 6;
/// Characters of a day.
const DAY_CHARS: u32 = 10;

/// The columns of a template that new identifiers may have.
pub(super) fn layout(definition: &Definition, texts: &Texts) -> Result<Layout, Problem> {
    let columns: Vec<Column> = definition.columns.iter().filter(|column| column.enabled).map(column).collect();
    let is_taken = |title: &str| columns.iter().any(|column| column.name_zh == title || column.kind == title);
    let handle_title = HANDLE_TITLES.into_iter().find(|title| !is_taken(title)).unwrap_or(HANDLE_TITLES[0]);
    Layout::new(&definition.code, &definition.version, handle_title, columns).map_err(|error| {
        Problem::new("sheet-layout", Exit::Failed)
            .with("template", format_args!("{}-{}", definition.code, definition.version))
            .with("cause", error.text(language(texts)))
    })
}

fn column(column: &template::Column) -> Column {
    let (data, min_chars, max_chars) = kind(column);
    Column {
        index: column.index,
        name_zh: column.name.trim().to_owned(),
        kind: column.kind.clone(),
        data,
        required: column.required,
        min_chars,
        max_chars,
        unit: (!column.unit.is_empty()).then(|| column.unit.clone()),
        is_public: column.visibility == Visibility::Public,
    }
}

/// What a column holds, and its least and most characters.
fn kind(column: &template::Column) -> (DataKind, u32, u32) {
    let kind = match column.data {
        // Codes of six digits: spreadsheet programs take the zeros before them away too.
        DataType::Date if column.form == DateFormat::Gs1 => {
            return (DataKind::String, SHORT_DATE_CHARS, SHORT_DATE_CHARS);
        }
        DataType::Date if column.max <= DAY_CHARS || column.role == Some(ColumnRole::Expiry) => DataKind::Date,
        DataType::Date => DataKind::Moment,
        DataType::String => DataKind::String,
        DataType::Number => {
            DataKind::Number { decimals: column.decimals.map_or(MOST_DECIMALS, u32::from).min(MOST_DECIMALS) }
        }
        DataType::Enum => DataKind::Enum(column.values.clone()),
        DataType::Reference => DataKind::Reference,
        DataType::Hash => DataKind::FileHash,
    };
    (kind, column.min, column.max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    fn definition(columns: &str) -> Definition {
        let text = format!(
            r#"{{"code":"T","version":"1","title":"t","object_type":2,"industry":{{"category":"C"}},"columns":[{columns}]}}"#
        );
        Definition::from_json(&text).unwrap()
    }

    fn of(columns: &str) -> Result<Layout, Problem> {
        layout(&definition(columns), &Texts::new(Language::English))
    }

    #[test]
    fn every_starter_template_becomes_a_sheet() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/templates");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let definition = Definition::from_json(&std::fs::read_to_string(&path).unwrap()).unwrap();
                let layout = layout(&definition, &Texts::new(Language::English));
                assert_eq!(layout.unwrap().columns().len(), definition.columns.len(), "{}", path.display());
                count += 1;
            }
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn dates_are_days_moments_or_six_digits_as_the_template_says() {
        let layout = of(r#"{"index":2000,"name":"甲","type":"a","data":"date","max":10},
               {"index":2001,"name":"乙","type":"b","data":"date","max":35},
               {"index":2002,"name":"丙","type":"c","data":"date","max":35,"role":"expiry"},
               {"index":2003,"name":"丁","type":"d","data":"date","min":1,"max":10,"form":"gs1"}"#)
        .unwrap();
        let kinds: Vec<_> = layout.columns().iter().map(|it| (it.data.clone(), it.min_chars, it.max_chars)).collect();
        assert_eq!(
            kinds,
            [(DataKind::Date, 0, 10), (DataKind::Moment, 0, 35), (DataKind::Date, 0, 35), (DataKind::String, 6, 6),]
        );
    }

    #[test]
    fn disabled_columns_are_left_out_and_the_identifier_keeps_a_heading_of_its_own() {
        let layout = of(r#"{"index":2000,"name":"标识","type":"a","data":"string","max":9},
               {"index":2001,"name":"乙","type":"b","data":"number","max":35,"enabled":false},
               {"index":2002,"name":"丙","type":"c","data":"number","max":38,"decimals":38}"#)
        .unwrap();
        assert_eq!(layout.handle_title(waymark_sheet::Language::Chinese), "标识编码");
        let columns: Vec<_> = layout.columns().iter().map(|column| (column.index, column.data.clone())).collect();
        assert_eq!(columns, [(2000, DataKind::String), (2002, DataKind::Number { decimals: 37 })]);
    }

    #[test]
    fn a_template_that_no_sheet_can_have_is_told() {
        let refused = of(r#"{"index":2000,"name":"甲","type":"Handle","data":"string","max":9}"#).unwrap_err();
        assert_eq!(refused.code(), "sheet-layout");
    }
}
