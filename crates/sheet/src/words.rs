//! Words of sheets that are not about problems.

use crate::Text;

/// How the identifier of the example row begins. No identifier does.
pub(crate) const EXAMPLE_MARKS: [&str; 2] = ["#EXAMPLE", "#示例"];
/// The whole of it.
pub(crate) const EXAMPLE_HANDLE: Text = Text { en: "#EXAMPLE 88.1000.1/ABC.001", zh: "#示例 88.1000.1/ABC.001" };
/// Headings of the columns that say what was wrong with a row; they begin with `#`, so they are not read.
pub(crate) const REASON_TITLE: Text = Text { en: "#Reason", zh: "#原因" };
pub(crate) const ROW_TITLE: Text = Text { en: "#Row", zh: "#原行号" };
/// Names of the sheets.
pub(crate) const DATA_SHEET: Text = Text { en: "Data", zh: "数据" };
/// What is said when a cell was too long for a workbook.
pub(crate) const CELL_CUT: Text = Text {
    en: "a cell was longer than a workbook can hold and is cut here",
    zh: "有单元格超出工作簿可容纳的长度，此处已截断",
};
