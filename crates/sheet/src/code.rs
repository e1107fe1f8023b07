//! The one table of everything that can be wrong with a file or a row: a stable name for programs, and what to tell people.
//!
//! `docs/PROBLEMS.md` is made from it. Words in braces are filled in with values.

use crate::Text;

/// What is known of a code.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// Its name: what programs compare. Never changes once published.
    pub name: &'static str,
    /// Whether it is about the whole file, which then gives no rows or no more of them.
    pub is_of_file: bool,
    /// What is wrong.
    pub cause: Text,
    /// What to do.
    pub remedy: Text,
}

/// Declares the codes with their explanations, so that neither can be without the other.
macro_rules! problems {
    ($($scope:ident { $($code:ident $name:literal
        { $cause_en:literal $cause_zh:literal } { $remedy_en:literal $remedy_zh:literal })* })*) => {
        /// What is wrong with a file or a row.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $cause_en] $code,)*)*
        }

        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &[Self] = &[$($(Self::$code,)*)*];

            /// What is known of it.
            #[must_use]
            pub const fn explanation(self) -> Explanation {
                match self {
                    $($(Self::$code => Explanation {
                        name: $name,
                        is_of_file: matches!(Scope::$scope, Scope::File),
                        cause: Text { en: $cause_en, zh: $cause_zh },
                        remedy: Text { en: $remedy_en, zh: $remedy_zh },
                    },)*)*
                }
            }
        }
    };
}

/// What a code is about.
enum Scope {
    File,
    Row,
}

problems! {
    File {
        NotAWorkbook "NOT_A_WORKBOOK"
            { "this is no workbook: {detail}" "这不是工作簿：{detail}" }
            { "save it as .xlsx (Excel workbook) or .csv and give that file" "请另存为 .xlsx（Excel 工作簿）或 .csv 后再提供" }
        OldOrEncrypted "OLD_OR_ENCRYPTED"
            { "this is a workbook of the old .xls form, or one with a password" "这是旧的 .xls 格式，或带有密码的工作簿" }
            { "open it, remove the password, and save it as .xlsx" "请打开文件，取消密码，另存为 .xlsx" }
        Damaged "DAMAGED"
            { "{part} of the file is damaged: {detail}" "文件的 {part} 已损坏：{detail}" }
            { "transfer the file again, or open it and save it under another name" "请重新传输文件，或打开后另存为新文件" }
        Hostile "HOSTILE"
            { "{part} of the file holds what no spreadsheet program writes: {detail}" "文件的 {part} 含有任何表格软件都不会写出的内容：{detail}" }
            { "open the file in a spreadsheet program and save it under another name" "请用表格软件打开并另存为新文件" }
        TooLarge "TOO_LARGE"
            { "{part} of the file is larger than {limit} bytes" "文件的 {part} 超过 {limit} 字节" }
            { "split the file, or save it as CSV" "请拆分文件，或另存为 CSV" }
        TooMany "TOO_MANY"
            { "the file has more than {limit} {what}" "文件中的{what}超过 {limit} 个" }
            { "split the file, or save it as CSV" "请拆分文件，或另存为 CSV" }
        TooManyRows "TOO_MANY_ROWS"
            { "the file has more than {limit} rows" "文件超过 {limit} 行" }
            { "split the file; the rows before this one were read" "请拆分文件；此前的行已读取" }
        RowTooLarge "ROW_TOO_LARGE"
            { "the row, or a part of it, is larger than {limit} bytes" "该行或其中一部分超过 {limit} 字节" }
            { "look for a quotation mark that is never closed, or shorten the texts" "请检查是否有未闭合的引号，或缩短文本" }
        NoSheet "NO_SHEET"
            { "the workbook has no visible sheet with cells" "工作簿中没有可见的数据表" }
            { "unhide the sheet with the data" "请取消隐藏数据所在的工作表" }
        UnknownEncoding "UNKNOWN_ENCODING"
            { "the text is neither UTF-8, nor UTF-16, nor GB18030: {detail}" "文本既不是 UTF-8、UTF-16，也不是 GB18030：{detail}" }
            { "save the file as “CSV UTF-8”" "请将文件另存为“CSV UTF-8”" }
        WrongTemplate "WRONG_TEMPLATE"
            { "the sheet was made for template {found}, not {wanted}" "该表是为模板 {found} 制作的，而不是 {wanted}" }
            { "import it with its own template, or fill in the sheet of {wanted}" "请用其对应的模板导入，或填写 {wanted} 的表" }
        WrongVersion "WRONG_VERSION"
            { "the sheet was made for version {found} of the template, not {wanted}" "该表是为模板版本 {found} 制作的，而不是 {wanted}" }
            { "copy the rows to a new sheet of version {wanted}" "请将数据行复制到版本 {wanted} 的新表中" }
        NoHeading "NO_HEADING"
            { "the sheet is empty: there is no row of headings" "表是空的：没有表头行" }
            { "put the headings of the template in the first row" "请在第一行填写模板的表头" }
        MergedHeading "MERGED_HEADING"
            { "cells of the headings are merged" "表头中有合并单元格" }
            { "unmerge the cells and give every column a heading" "请取消合并，并为每列填写表头" }
        UnknownColumn "UNKNOWN_COLUMN"
            { "the template has no column of this name" "模板中没有此名称的列" }
            { "correct the heading, delete the column, or put # before its name to keep it unread" "请更正表头或删除该列；若要保留而不读取，请在名称前加 #" }
        MissingColumn "MISSING_COLUMN"
            { "a column that the template requires is missing" "缺少模板要求的列" }
            { "add the column, with this heading" "请添加以此为表头的列" }
        DuplicateHeading "DUPLICATE_HEADING"
            { "the column stands twice; the first is column {other}" "该列出现两次；第一次在 {other} 列" }
            { "delete one of the two" "请删除其中一列" }
    }
    Row {
        LeadingZeros "LEADING_ZEROS"
            { "{value} has fewer than the {limit} digits of this column: zeros at its beginning were probably lost" "{value} 少于此列的 {limit} 位：开头的零可能已丢失" }
            { "format the column as text and enter the code again, with its zeros" "请将该列设为文本格式，连同开头的零重新输入" }
        Scientific "SCIENTIFIC"
            { "{value} is a code that was turned into a power of ten; its last digits are lost" "{value} 是被转成科学记数的编码，末尾数字已丢失" }
            { "format the column as text and enter the code again from its source" "请将该列设为文本格式，并按来源重新输入编码" }
        DigitsLost "DIGITS_LOST"
            { "{value} is kept as a number of more than 15 digits, of which spreadsheet programs keep only 15" "{value} 以超过 15 位的数字保存，而表格软件只保留 15 位" }
            { "format the column as text and enter the number again from its source" "请将该列设为文本格式，并按来源重新输入" }
        NumberInText "NUMBER_IN_TEXT"
            { "{value} is kept as a number with a fraction in a column of text: a text such as 1.10 would have become 1.1" "文本列中的 {value} 以小数保存：如 1.10 会变成 1.1" }
            { "format the column as text and enter the value again" "请将该列设为文本格式并重新输入" }
        DateSerial "DATE_SERIAL"
            { "{value} is the number of a day, perhaps {date}, not a date" "{value} 是日期的序号（可能是 {date}），不是日期" }
            { "format the column as a date, or write the date as 2026-03-10" "请将该列设为日期格式，或按 2026-03-10 的形式填写" }
        DateNotWanted "DATE_NOT_WANTED"
            { "the cell was turned into a date, {value}; what was typed is lost" "单元格被转成了日期 {value}，原来的输入已丢失" }
            { "format the column as text and enter the value again" "请将该列设为文本格式并重新输入" }
        BadDate "BAD_DATE"
            { "{value} is no date" "{value} 不是日期" }
            { "write the date as 2026-03-10, without a time" "请按 2026-03-10 的形式填写，不含时间" }
        BadMoment "BAD_MOMENT"
            { "{value} is neither a date nor a moment" "{value} 既不是日期，也不是带时区的时间" }
            { "write 2026-03-10, or with time and offset 2026-05-02T03:14:00+08:00, in a cell of text" "请在文本格式的单元格中填写 2026-03-10，或带时间和时区的 2026-05-02T03:14:00+08:00" }
        MergedCells "MERGED_CELLS"
            { "cells of the row are merged" "该行有合并单元格" }
            { "unmerge the cells and give every row its own values" "请取消合并，并为每行填写各自的值" }
        HiddenRow "HIDDEN_ROW"
            { "the row is hidden" "该行被隐藏" }
            { "clear the filter or unhide the row, then delete it or keep it" "请清除筛选或取消隐藏，然后删除或保留该行" }
        Formula "FORMULA"
            { "the cell holds a formula" "单元格中是公式" }
            { "copy the column and paste it as values" "请复制该列并选择性粘贴为数值" }
        CellError "CELL_ERROR"
            { "the cell shows the error {value}" "单元格显示错误 {value}" }
            { "enter the value" "请填写值" }
        NotInList "NOT_IN_LIST"
            { "{value} is not one of: {list}" "{value} 不在选项中：{list}" }
            { "choose one of the list" "请从选项中选择" }
        Required "REQUIRED"
            { "the value is missing" "缺少必填值" }
            { "fill in the cell" "请填写该单元格" }
        TooShort "TOO_SHORT"
            { "{value} has {count} characters, at least {limit} are needed" "{value} 有 {count} 个字符，至少需要 {limit} 个" }
            { "complete the value" "请补全该值" }
        TooLong "TOO_LONG"
            { "{value} has {count} characters, at most {limit} are allowed" "{value} 有 {count} 个字符，最多允许 {limit} 个" }
            { "shorten the value" "请缩短该值" }
        NotANumber "NOT_A_NUMBER"
            { "{value} is no number" "{value} 不是数字" }
            { "write digits with a point, without separators of thousands and units" "请只写数字和小数点，不带千位分隔符和单位" }
        TooManyDecimals "TOO_MANY_DECIMALS"
            { "{value} has {count} decimals, at most {limit} are allowed" "{value} 有 {count} 位小数，最多允许 {limit} 位" }
            { "round the number" "请四舍五入" }
        NotAReference "NOT_A_REFERENCE"
            { "{value} is no identifier" "{value} 不是标识" }
            { "write prefix/suffix" "请填写“前缀/后缀”" }
        NotAHash "NOT_A_HASH"
            { "{value} is no hash of a file" "{value} 不是文件摘要" }
            { "write 32, 40, 64, 96 or 128 hexadecimal digits and nothing else" "请只填写 32、40、64、96 或 128 位十六进制数" }
        DuplicateHandle "DUPLICATE_HANDLE"
            { "{value} stands in row {other} already" "{value} 已在第 {other} 行出现" }
            { "delete one of the rows, or correct the identifier" "请删除其中一行，或更正标识" }
        CellWithoutHeading "CELL_WITHOUT_HEADING"
            { "{count} cells of the row are in columns without a heading, the first is {value}" "该行有 {count} 个单元格所在的列没有表头，第一个是 {value}" }
            { "give the column a heading, or empty the cells" "请为该列填写表头，或清空这些单元格" }
        UnclosedQuote "UNCLOSED_QUOTE"
            { "a quotation mark is not closed before the end of the file" "直到文件末尾引号仍未闭合" }
            { "close it, or double quotation marks inside texts" "请闭合引号；文本内的引号须写成两个" }
        ExampleMark "EXAMPLE_MARK"
            { "the identifier still begins with the mark of the example row" "标识仍以示例行的标记开头" }
            { "delete the mark if the row is yours, or else the row" "若该行是您的数据，请删除标记；否则请删除该行" }
        EmptyRows "EMPTY_ROWS"
            { "rows {first} to {last} are empty" "第 {first} 至 {last} 行为空" }
            { "nothing needs to be done if nothing is missing" "如无遗漏，无须处理" }
    }
}

/// The page of all problems, for `docs/PROBLEMS.md`.
#[must_use]
pub fn problems_page() -> String {
    use std::fmt::Write as _;
    let mut page = String::from(
        "# Problems\n\nEverything that can be wrong with a spreadsheet carries one of these names, which never change. A problem of a file ends \
         its reading; one of a row keeps the row back, and the rest is read. `EMPTY_ROWS` is only a remark. Words in braces are filled in. This \
         page is made from `src/code.rs`.\n\n\
         | Problem | Of | Cause | Remedy | 原因 | 办法 |\n|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let Explanation { name, is_of_file, cause, remedy } = code.explanation();
        let of = if is_of_file { "file" } else { "row" };
        // Writing to a text cannot fail.
        let _ = writeln!(page, "| `{name}` | {of} | {} | {} | {} | {} |", cause.en, remedy.en, cause.zh, remedy.zh);
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_upper_snake() {
        let mut seen = HashSet::new();
        for code in Code::ALL {
            let name = code.explanation().name;
            assert!(seen.insert(name), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{name}");
        }
    }

    #[test]
    fn both_languages_fill_in_the_same_values() {
        let slots = |text: &str| -> HashSet<String> {
            text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect()
        };
        for code in Code::ALL {
            let Explanation { name, cause, remedy, .. } = code.explanation();
            assert_eq!(slots(cause.en), slots(cause.zh), "{name}");
            assert_eq!(slots(remedy.en), slots(remedy.zh), "{name}");
        }
    }

    #[test]
    fn the_page_in_docs_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PROBLEMS.md");
        if std::env::var_os("WAYMARK_WRITE_DOCS").is_some() {
            std::fs::write(path, problems_page()).unwrap();
        }
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text == problems_page(),
            "run `WAYMARK_WRITE_DOCS=1 cargo test -p waymark-sheet --lib` and commit docs/PROBLEMS.md"
        );
    }
}
