//! Spreadsheets at the command line: `waymark template xlsx` writes one for a template, `waymark import --template` takes it in.

mod check;
mod failed;
pub(super) mod file;
pub(crate) mod form;
pub(crate) mod import;
mod layout;
mod reading;
mod rows;
mod wanted;

pub(crate) use file::is_spreadsheet;
pub(crate) use wanted::Wanted;
use waymark_sheet::Language;

use crate::texts::{self, Texts};

/// The language of a person, as spreadsheets have it.
fn language(texts: &Texts) -> Language {
    match texts.language() {
        texts::Language::English => Language::English,
        texts::Language::Chinese => Language::Chinese,
    }
}
