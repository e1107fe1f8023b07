//! Which sheets a workbook has, and where their parts are.

use std::io::{Read, Seek};

use quick_xml::events::Event;

use super::{
    package::Package,
    xml::{Xml, attribute},
};
use crate::{Code, Problem, failure::ReadError, limits::Limits};

/// What is needed to know of a workbook.
#[derive(Debug, Default)]
pub(super) struct Workbook {
    /// Whether days are counted from 1904 on.
    pub(super) is_from_1904: bool,
    /// Sheets with cells, in the order of the tabs.
    pub(super) sheets: Vec<Sheet>,
    /// Part of the texts that cells share.
    pub(super) strings: Option<String>,
    /// Part of the formats.
    pub(super) styles: Option<String>,
}

/// A sheet with cells.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) is_hidden: bool,
    pub(super) part: String,
}

/// From one part to another.
struct Relation {
    id: String,
    kind: String,
    part: String,
}

const ROOT_RELATIONS: &str = "_rels/.rels";

/// Reads what a workbook says of itself.
pub(super) fn read<R: Read + Seek>(package: &mut Package<R>) -> Result<Workbook, ReadError> {
    let not = || {
        Problem::new(Code::NotAWorkbook).with_words("detail", "the container holds something else", "容器内是其他内容")
    };
    if !package.has(ROOT_RELATIONS) {
        return Err(not().into());
    }
    let root = relations(package, "", ROOT_RELATIONS)?;
    let part = root.into_iter().find(|relation| relation.is("/officeDocument")).map(|relation| relation.part);
    let part = part.filter(|part| package.has(part)).ok_or_else(not)?;
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", &part));
    let relations = relations(package, folder, &join(folder, &format!("_rels/{file}.rels")))?;
    let mut workbook = sheets(package, &part, &relations)?.ok_or_else(not)?;
    let part_of = |kind| relations.iter().find(|relation| relation.is(kind)).map(|relation| relation.part.clone());
    workbook.strings = part_of("/sharedStrings");
    workbook.styles = part_of("/styles");
    Ok(workbook)
}

/// The sheets; none if this is no workbook but, for instance, a text document.
fn sheets<R: Read + Seek>(
    package: &mut Package<R>,
    part: &str,
    relations: &[Relation],
) -> Result<Option<Workbook>, ReadError> {
    let mut xml = small(package, part)?;
    let mut workbook = Workbook::default();
    let mut is_workbook = false;
    loop {
        match xml.next()? {
            Event::Start(element) => match element.local_name().as_ref() {
                "workbook" => is_workbook = true,
                "workbookPr" => {
                    let value = attribute(&element, "date1904", part)?;
                    workbook.is_from_1904 = matches!(value.as_deref(), Some("1" | "true"));
                }
                "sheet" => {
                    let name = attribute(&element, "name", part)?.unwrap_or_default();
                    let state = attribute(&element, "state", part)?;
                    let id = attribute(&element, "id", part)?.unwrap_or_default();
                    let relation = relations.iter().find(|relation| relation.id == id);
                    // Charts are sheets too, of another kind.
                    if let Some(relation) = relation.filter(|relation| relation.is("/worksheet")) {
                        let is_hidden = state.is_some_and(|state| state != "visible");
                        workbook.sheets.push(Sheet { name, is_hidden, part: relation.part.clone() });
                    }
                }
                _ => {}
            },
            Event::Eof => return Ok(is_workbook.then_some(workbook)),
            _ => {}
        }
    }
}

/// The relations a part has, their targets as names of parts.
fn relations<R: Read + Seek>(package: &mut Package<R>, folder: &str, part: &str) -> Result<Vec<Relation>, ReadError> {
    let mut relations = Vec::new();
    if !package.has(part) {
        return Ok(relations);
    }
    let mut xml = small(package, part)?;
    loop {
        match xml.next()? {
            Event::Start(element) if element.local_name().as_ref() == "Relationship" => {
                let get = |name| attribute(&element, name, part).map(Option::unwrap_or_default);
                if get("TargetMode")? == "External" {
                    continue;
                }
                let target = get("Target")?;
                relations.push(Relation { id: get("Id")?, kind: get("Type")?, part: join(folder, &target) });
            }
            Event::Eof => return Ok(relations),
            _ => {}
        }
    }
}

impl Relation {
    /// Whether it is of this kind. The beginnings differ between the transitional and the strict form of workbooks.
    fn is(&self, kind: &str) -> bool {
        self.kind.ends_with(kind)
    }
}

/// Name of the part a target means, seen from a folder.
fn join(folder: &str, target: &str) -> String {
    let full = match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => format!("{folder}/{target}"),
    };
    let mut names: Vec<&str> = Vec::new();
    for name in full.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names.join("/")
}

/// A part that is small in every workbook there is.
pub(super) fn small<'p, R: Read + Seek>(package: &'p mut Package<R>, part: &str) -> Result<Xml<&'p mut R>, ReadError> {
    let most_event_bytes = usize::try_from(Limits::SMALL_PART_BYTES).unwrap_or(usize::MAX);
    Ok(Xml::new(package.part(part, Limits::SMALL_PART_BYTES)?, most_event_bytes))
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn targets_are_seen_from_their_folder() {
        assert_eq!(join("xl", "worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml");
        assert_eq!(join("xl", "/xl/worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml");
        assert_eq!(join("", "xl/workbook.xml"), "xl/workbook.xml");
        assert_eq!(join("xl/a", "../b/./c.xml"), "xl/b/c.xml");
        assert_eq!(join("", "../../c.xml"), "c.xml");
    }
}
