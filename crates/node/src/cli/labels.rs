//! `waymark labels`: the codes of a list that was given out for printing, as pages of labels or as an image each.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use waymark_codes::{CodeError, Label, Length, Sheet, Size};

use super::{
    label::{Form, Look, drawn, refused},
    sheet::file::{not_written, write_whole},
    terminal::{self, grouped},
};
use crate::{
    problem::{Exit, Problem},
    texts::Texts,
};

/// How the heading of a list begins that has more than the payload on a line.
const HEADING: [&str; 5] = ["roll", "number", "serial", "code", "payload"];

/// `waymark labels`.
#[derive(Debug, Args)]
pub(crate) struct DrawList {
    #[arg(value_name = "LIST")]
    list: PathBuf,
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[arg(long, value_name = "ROLL")]
    roll: Option<u64>,
    #[arg(long, value_enum, value_name = "FORM", conflicts_with_all = ["page", "grid", "margin", "gap"])]
    singly: Option<Form>,
    #[arg(long, value_name = "MMxMM", default_value = "210x297")]
    page: Pair<Length>,
    #[arg(long, value_name = "ROWSxCOLUMNS", default_value = "8x5")]
    grid: Pair<u32>,
    #[arg(long, value_name = "MM", default_value = "10")]
    margin: String,
    #[arg(long, value_name = "MM", default_value = "2")]
    gap: String,
    #[command(flatten)]
    look: Look,
}

/// Two of a kind, with an x between them.
#[derive(Clone, Copy, Debug)]
struct Pair<T>(T, T);

impl<T: FromStr> FromStr for Pair<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('x').and_then(|(one, other)| Some(Self(one.parse().ok()?, other.parse().ok()?)));
        parts.ok_or_else(|| "two numbers are written as 210x297".to_owned())
    }
}

/// One code of a list.
struct Line {
    payload: String,
    caption: String,
}

/// Draws the codes of a list into a folder.
pub(crate) fn run(arguments: &DrawList, texts: &Texts) -> Result<Exit, Problem> {
    let lines = Lines::open(&arguments.list, arguments.roll)?;
    fs::create_dir_all(&arguments.folder).map_err(|cause| not_written(&arguments.folder, &cause))?;
    let (codes, files) = match arguments.singly {
        Some(form) => singly(arguments, form, lines, texts)?,
        None => pages(arguments, lines, texts)?,
    };
    if codes == 0 {
        return Err(Problem::new("labels-none", Exit::Absent).with("path", arguments.list.display()));
    }
    let folder = arguments.folder.display().to_string();
    let said = [("codes", grouped(codes).into()), ("files", grouped(files).into()), ("path", folder.into())];
    terminal::remark(texts.text("labels-written", &said));
    Ok(Exit::Done)
}

/// One file a code, numbered as in the list.
fn singly(arguments: &DrawList, form: Form, lines: Lines, texts: &Texts) -> Result<(u64, u64), Problem> {
    let ending = match form {
        Form::Svg => "svg",
        Form::Png => "png",
    };
    let mut count = 0;
    for line in lines {
        let (at, line) = line?;
        let label = label(arguments, &line, at, texts)?;
        let (bytes, _) = drawn(&label, form, arguments.look.dpi).map_err(|error| refused(&error, texts))?;
        count += 1;
        write(&arguments.folder.join(format!("code-{count:08}.{ending}")), &bytes)?;
    }
    Ok((count, count))
}

/// Pages of labels; no more than one is held.
fn pages(arguments: &DrawList, lines: Lines, texts: &Texts) -> Result<(u64, u64), Problem> {
    let refuse = |error: CodeError| refused(&error, texts);
    let (Pair(width, height), Pair(rows, columns)) = (arguments.page, arguments.grid);
    let margin = arguments.margin.parse().map_err(refuse)?;
    let gap = arguments.gap.parse().map_err(refuse)?;
    let sheet = Sheet::new(Size { width, height }, (rows, columns), margin, gap).map_err(refuse)?;
    let (mut page, mut codes, mut files) = (Vec::new(), 0, 0);
    let mut put = |page: &mut Vec<Label>| {
        let mut bytes = Vec::new();
        sheet.write_page(page, &mut bytes).map_err(refuse)?;
        page.clear();
        files += 1;
        write(&arguments.folder.join(format!("page-{files:06}.svg")), &bytes).map(|()| files)
    };
    let mut written = 0;
    for line in lines {
        let (at, line) = line?;
        page.push(label(arguments, &line, at, texts)?);
        codes += 1;
        if page.len() == sheet.places() {
            written = put(&mut page)?;
        }
    }
    if !page.is_empty() {
        written = put(&mut page)?;
    }
    Ok((codes, written))
}

fn label(arguments: &DrawList, line: &Line, at: u64, texts: &Texts) -> Result<Label, Problem> {
    arguments.look.label(&line.payload, &line.caption).map_err(|error| refused(&error, texts).with("line", at))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    write_whole(path, true, |file| file.write_all(bytes).map(Some).map_err(|cause| not_written(path, &cause))).map(drop)
}

/// The codes of a list: CSV as `waymark range export` writes it, or a payload a line.
struct Lines {
    records: csv::StringRecordsIntoIter<fs::File>,
    path: PathBuf,
    /// Fields of each kind are found by their heading; a list without one has payloads alone.
    has_heading: bool,
    roll: Option<u64>,
    /// The first record, where it is no heading.
    first: Option<csv::StringRecord>,
}

impl Lines {
    fn open(path: &Path, roll: Option<u64>) -> Result<Self, Problem> {
        let file = fs::File::open(path).map_err(|cause| unreadable(path, &cause))?;
        // Payloads alone may hold anything but line ends, commas and quotes too.
        let mut begin = [0; 5];
        let has_heading = {
            use std::io::{Read as _, Seek as _};
            let mut file = &file;
            let got = file.read(&mut begin).map_err(|cause| unreadable(path, &cause))?;
            file.rewind().map_err(|cause| unreadable(path, &cause))?;
            begin.get(..got) == Some(b"roll,")
        };
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).quoting(has_heading).delimiter(if has_heading { b',' } else { 0 });
        let mut records = reader.from_reader(file).into_records();
        let first = records.next().transpose().map_err(|cause| unreadable(path, &cause))?;
        let has_heading = has_heading && first.as_ref().is_some_and(|first| first.iter().eq(HEADING));
        let first = first.filter(|_| !has_heading);
        Ok(Self { records, path: path.to_owned(), has_heading, roll, first })
    }

    fn line(&self, record: &csv::StringRecord) -> Option<Line> {
        let field = |at: usize| record.get(at).unwrap_or_default();
        if !self.has_heading {
            let payload = field(0).to_owned();
            return Some(Line { caption: String::new(), payload });
        }
        let wanted = self.roll.is_none_or(|roll| field(0).parse() == Ok(roll));
        wanted.then(|| Line { payload: field(4).to_owned(), caption: field(3).to_owned() })
    }
}

impl Iterator for Lines {
    type Item = Result<(u64, Line), Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = match self.first.take() {
                Some(first) => first,
                None => match self.records.next()? {
                    Ok(record) => record,
                    Err(cause) => return Some(Err(unreadable(&self.path, &cause))),
                },
            };
            let at = record.position().map_or(0, csv::Position::line);
            if let Some(line) = self.line(&record) {
                return Some(Ok((at, line)));
            }
        }
    }
}

fn unreadable(path: &Path, cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("file-unreadable", Exit::Failed).with("path", path.display()).with("cause", cause)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::texts::Language;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        draw: DrawList,
    }

    fn draw(words: &[&str]) -> Result<Exit, Problem> {
        let line = Line::try_parse_from([&["labels"], words].concat()).unwrap();
        run(&line.draw, &Texts::new(Language::English))
    }

    fn files(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_list_becomes_pages_or_files_and_a_roll_of_it_too() {
        let root = tempfile::tempdir().unwrap();
        let list = root.path().join("rolls.csv");
        let lines: String =
            (0..90).map(|at| format!("{},{at},{at},A{at:03},\"https://x/?a=1,{at}\"\r\n", at / 30 + 1)).collect();
        fs::write(&list, format!("roll,number,serial,code,payload\r\n{lines}")).unwrap();
        let list = list.to_str().unwrap();
        let folder = |name: &str| root.path().join(name);
        let pages = folder("pages");
        assert_eq!(draw(&[list, pages.to_str().unwrap()]).unwrap(), Exit::Done);
        assert_eq!(files(&pages), ["page-000001.svg", "page-000002.svg", "page-000003.svg"]);
        let last = fs::read_to_string(pages.join("page-000003.svg")).unwrap();
        assert!(last.contains("A089") && !last.contains("A079"), "codes are in their order, with their text");
        let roll = folder("roll");
        draw(&[list, roll.to_str().unwrap(), "--roll", "2", "--grid", "6x5"]).unwrap();
        assert_eq!(files(&roll), ["page-000001.svg"]);
        let single = folder("single");
        draw(&[list, single.to_str().unwrap(), "--roll", "3", "--singly", "png"]).unwrap();
        assert_eq!(files(&single).len(), 30);
        assert_eq!(draw(&[list, folder("none").to_str().unwrap(), "--roll", "4"]).unwrap_err().code(), "labels-none");
    }

    #[test]
    fn a_list_of_payloads_is_taken_as_it_stands() {
        let root = tempfile::tempdir().unwrap();
        let list = root.path().join("codes.txt");
        fs::write(&list, "https://x/\"a\",b\n88.1/产品\n").unwrap();
        let mut lines = Lines::open(&list, None).unwrap();
        let payload = |line: Option<Result<(u64, super::Line), Problem>>| line.map(|line| line.unwrap().1.payload);
        assert_eq!(payload(lines.next()).as_deref(), Some("https://x/\"a\",b"));
        assert_eq!(payload(lines.next()).as_deref(), Some("88.1/产品"));
        assert!(lines.next().is_none());
    }

    #[test]
    fn what_cannot_be_drawn_or_read_is_said() {
        let root = tempfile::tempdir().unwrap();
        let list = root.path().join("codes.txt");
        fs::write(&list, "88.1/a\n").unwrap();
        let (path, folder) = (list.to_str().unwrap(), root.path().join("out"));
        let folder = folder.to_str().unwrap();
        assert_eq!(draw(&["no/such/list", folder]).unwrap_err().code(), "file-unreadable");
        assert_eq!(draw(&[path, "/dev/null/x"]).unwrap_err().code(), "file-not-written");
        for words in [&["--grid", "0x5"][..], &["--page", "20x20"], &["--module", "9"], &["--margin", "wide"]] {
            assert_eq!(draw(&[&[path, folder], words].concat()).unwrap_err().code(), "label-refused", "{words:?}");
        }
        assert!(Line::try_parse_from(["labels", path, folder, "--page", "210"]).is_err());
    }
}
