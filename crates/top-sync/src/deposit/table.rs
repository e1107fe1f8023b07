//! The table of deposits that were made: a file of the data folder, replaced whole.
//!
//! ```text
//! waymark deposits 2 8-hexadecimal-digits      version, CRC-32C of what follows
//! [{"prefix":"88.990","watermark":"2026-11-29T00:00:00Z",...}, ...]
//! ```
//! That a deposit was made here, that it is with the platform, and that the platform took it are three things, and each has its own state. A table of
//! version 1, which knew of the first and the last only, is read as one of deposits that people carried.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use waymark_catalog::Timestamp;
use waymark_ident::Date;

use super::config::{ROWS, TABLE_BYTES};
use super::head::{DepositId, day_of, parse_time, time_text, watermark};
use super::name::Extent;

/// What became of a deposit on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Local {
    /// It is being made.
    Running,
    /// Its files are there.
    Success,
    /// It was not made.
    Fail,
}

/// What the platform said of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Nothing yet.
    Unknown,
    /// It is valid.
    Accepted,
    /// It is not, and is to be sent again.
    Rejected,
}

/// How a deposit gets to the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// By whoever made it.
    #[default]
    Hand,
    /// By this node, which has not brought all of it yet.
    Waiting,
    /// By this node, and it is there.
    Sent,
    /// It was to be brought by this node, and a later one is brought instead.
    Dropped,
}

impl Delivery {
    /// Its name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Dropped => "dropped",
        }
    }
}

/// One deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Of which prefix, folded.
    pub prefix: String,
    /// The day at whose beginning, in UTC, all was so.
    pub date: Date,
    /// How often it was made before.
    pub resend: u32,
    /// Everything, or what changed.
    pub extent: Extent,
    /// When making it began, in milliseconds since 1970.
    pub started: u64,
    /// When it ended; `None` while it runs.
    pub ended: Option<u64>,
    /// What became of it here.
    pub local: Local,
    /// What the platform said.
    pub platform: Platform,
    /// For people.
    pub remark: String,
    /// Its name.
    pub id: DepositId,
    /// The deposit it says the changes since; `None` of a full one, and where that was not noted.
    pub previous: Option<DepositId>,
    /// How it gets to the platform.
    pub delivery: Delivery,
    /// When all of it was there, in milliseconds since 1970.
    pub sent: Option<u64>,
    /// When the platform's word was noted, in milliseconds since 1970.
    pub judged: Option<u64>,
    /// The platform's result code.
    pub code: Option<u16>,
}

impl Row {
    /// Whether the platform has it, as far as is known here.
    #[must_use]
    pub fn is_with_platform(&self) -> bool {
        self.platform == Platform::Accepted || self.delivery == Delivery::Sent
    }
}

/// The table, and where it lies.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    rows: Vec<Row>,
}

/// Why the table cannot be used. It is not made anew: that would lose what the next deposit says the changes since.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// It cannot be read or written.
    #[error("the table of deposits {path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is damaged, or of another version of this program.
    #[error("the table of deposits {path} is damaged or of another version; move it aside, and make a full deposit")]
    Form {
        /// The file.
        path: PathBuf,
    },
}

impl Table {
    /// Reads the table of a data folder; an empty one where there is none.
    ///
    /// # Errors
    /// See [`TableError`].
    pub fn open(data: &Path) -> Result<Self, TableError> {
        let path = data.join(FILE);
        let rows = read(&path)?;
        Ok(Self { path, rows })
    }

    /// Notes that what is said to run has failed: its process died.
    fn settle(&mut self) {
        for row in self.rows.iter_mut().filter(|row| row.local == Local::Running) {
            row.local = Local::Fail;
            row.ended = Some(row.started);
            "interrupted".clone_into(&mut row.remark);
        }
    }

    /// All deposits, oldest first.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The last deposit of a prefix before a day that was made and not rejected: what the next one says the changes since. For one this node brings
    /// itself, the platform must have it, and all it goes back to.
    #[must_use]
    pub fn base(&self, prefix: &str, before: Date, delivery: Delivery) -> Option<&Row> {
        let usable = |row: &&Row| {
            row.prefix == prefix
                && row.date < before
                && row.local == Local::Success
                && row.platform != Platform::Rejected
                && (delivery == Delivery::Hand || row.is_with_platform() && !self.is_broken(row))
        };
        // Of those of one day the last that was made.
        self.rows.iter().filter(usable).max_by_key(|row| row.date)
    }

    /// Whether a deposit goes back to one that the platform rejected, and so is of no use to it.
    #[must_use]
    pub fn is_broken(&self, row: &Row) -> bool {
        let mut at = row;
        // Each goes back to an earlier one; a table that says otherwise is followed no longer than it is.
        for _ in 0..self.rows.len() {
            let before = at.previous.and_then(|id| self.rows.iter().rfind(|row| row.id == id));
            let Some(before) = before.filter(|_| at.platform != Platform::Accepted) else { return false };
            if before.platform == Platform::Rejected {
                return true;
            }
            at = before;
        }
        false
    }

    /// How often a deposit was made already.
    #[must_use]
    pub fn made(&self, prefix: &str, date: Date) -> u32 {
        let of_day = self.rows.iter().filter(|row| row.prefix == prefix && row.date == date);
        of_day.map(|row| row.resend.saturating_add(1)).max().unwrap_or(0)
    }

    /// Adds a deposit that is about to be made, and notes that what is said to run has failed: for whoever makes the next one, which nobody else does
    /// meanwhile. Durable on return.
    ///
    /// # Errors
    /// See [`TableError`].
    pub fn begin(&mut self, row: Row) -> Result<(), TableError> {
        self.update(|table| {
            table.settle();
            table.rows.push(row);
            let extra = table.rows.len().saturating_sub(ROWS);
            table.rows.drain(..extra);
        })
    }

    /// Changes the row of a deposit; durable on return. One that is not there is left so.
    ///
    /// # Errors
    /// See [`TableError`].
    pub fn change(&mut self, id: DepositId, change: impl FnOnce(&mut Row)) -> Result<(), TableError> {
        self.update(|table| {
            if let Some(row) = table.rows.iter_mut().find(|row| row.id == id) {
                change(row);
            }
        })
    }

    /// Changes what is in the file now: somebody may have noted what the platform said meanwhile. Others who change it wait.
    fn update(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), TableError> {
        let failed = |source| TableError::File { path: self.path.clone(), source };
        let lock = File::create(self.path.with_extension("lock")).map_err(failed)?;
        // Held until the file is dropped.
        lock.lock().map_err(failed)?;
        self.rows = read(&self.path)?;
        change(self);
        self.save()
    }

    fn save(&self) -> Result<(), TableError> {
        let failed = |source| TableError::File { path: self.path.clone(), source };
        let fresh = self.path.with_extension("new");
        let rows: Vec<RowForm> = self.rows.iter().map(RowForm::of).collect();
        let body = serde_json::to_vec(&rows).map_err(|error| failed(io::Error::other(error)))?;
        let mut file = File::create(&fresh).map_err(failed)?;
        let head = format!("{HEAD}{:08x}\n", crc32c::crc32c(&body));
        file.write_all(head.as_bytes()).and_then(|()| file.write_all(&body)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&fresh, &self.path).map_err(failed)?;
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// A row as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowForm {
    prefix: String,
    watermark: String,
    resend: u32,
    #[serde(rename = "type")]
    extent: String,
    started: u64,
    ended: Option<u64>,
    local: Local,
    platform: Platform,
    remark: String,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(default)]
    delivery: Delivery,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    judged: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
}

impl RowForm {
    fn of(row: &Row) -> Self {
        Self {
            prefix: row.prefix.clone(),
            watermark: time_text(watermark(row.date).0 / 1_000),
            resend: row.resend,
            extent: row.extent.as_str().to_owned(),
            started: row.started,
            ended: row.ended,
            local: row.local,
            platform: row.platform,
            remark: row.remark.clone(),
            id: row.id.to_string(),
            previous: row.previous.map(|id| id.to_string()),
            delivery: row.delivery,
            sent: row.sent,
            judged: row.judged,
            code: row.code,
        }
    }

    fn read(self) -> Option<Row> {
        Some(Row {
            date: day_of(Timestamp(parse_time(&self.watermark)?.checked_mul(1_000)?)),
            extent: Extent::from_name(&self.extent)?,
            id: DepositId::parse(&self.id)?,
            prefix: self.prefix,
            resend: self.resend,
            started: self.started,
            ended: self.ended,
            local: self.local,
            platform: self.platform,
            remark: self.remark,
            previous: self.previous.map(|id| DepositId::parse(&id).ok_or(())).transpose().ok()?,
            delivery: self.delivery,
            sent: self.sent,
            judged: self.judged,
            code: self.code,
        })
    }
}

/// The rows of a file; none where there is no file.
fn read(path: &Path) -> Result<Vec<Row>, TableError> {
    let mut bytes = Vec::new();
    let read = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file.and_then(|file| file.take(TABLE_BYTES + 1).read_to_end(&mut bytes)),
    };
    read.map_err(|source| TableError::File { path: path.to_owned(), source })?;
    parse(&bytes).ok_or_else(|| TableError::Form { path: path.to_owned() })
}

fn parse(bytes: &[u8]) -> Option<Vec<Row>> {
    let rest = [HEAD, HEAD_1].iter().find_map(|head| bytes.strip_prefix(head.as_bytes()))?;
    let (sum, body) = rest.split_at_checked(9)?;
    let sum = str::from_utf8(sum.strip_suffix(b"\n")?).ok()?;
    if sum != format!("{:08x}", crc32c::crc32c(body)) {
        return None;
    }
    let rows: Vec<RowForm> = serde_json::from_slice(body).ok()?;
    rows.into_iter().map(RowForm::read).collect()
}

/// The file of the table.
const FILE: &str = "deposits";

/// What it begins with.
const HEAD: &str = "waymark deposits 2 ";

/// What one of version 1 begins with.
const HEAD_1: &str = "waymark deposits 1 ";

#[cfg(test)]
mod tests {
    use super::super::name::parse_date;
    use super::*;

    fn row(day: &str, id: u8) -> Row {
        Row {
            prefix: "88.990".into(),
            date: parse_date(day).unwrap(),
            resend: 0,
            extent: Extent::Full,
            started: 1_800_000_000_000,
            ended: None,
            local: Local::Running,
            platform: Platform::Unknown,
            remark: String::new(),
            id: DepositId([id; 16]),
            previous: None,
            delivery: Delivery::Hand,
            sent: None,
            judged: None,
            code: None,
        }
    }

    #[test]
    fn rows_outlive_the_process_and_what_ran_has_failed() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        table.begin(row("2026-11-29", 1)).unwrap();
        table.change(DepositId([1; 16]), |row| (row.local, row.ended) = (Local::Success, Some(7))).unwrap();
        table.begin(row("2026-11-30", 2)).unwrap();
        let mut again = Table::open(folder.path()).unwrap();
        assert_eq!(again.rows()[1].local, Local::Running, "whoever looks does not know better");
        again.begin(row("2026-12-01", 3)).unwrap();
        again.rows.pop();
        let states: Vec<_> = again.rows().iter().map(|row| (row.local, row.platform, row.ended)).collect();
        let unknown = Platform::Unknown;
        assert_eq!(states, [(Local::Success, unknown, Some(7)), (Local::Fail, unknown, Some(1_800_000_000_000))]);
        assert_eq!(again.rows()[1].remark, "interrupted");
    }

    #[test]
    fn changes_are_told_since_the_last_deposit_that_was_not_rejected() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        let base = |table: &Table| {
            table.base("88.990", parse_date("2026-12-01").unwrap(), Delivery::Hand).map(|row| row.id.0[0])
        };
        for (day, id) in [("2026-11-28", 1), ("2026-11-29", 2), ("2026-11-30", 3)] {
            table.begin(row(day, id)).unwrap();
            assert_eq!(table.made("88.990", parse_date(day).unwrap()), 1);
        }
        assert_eq!(base(&table), None, "none was made");
        for id in 1..=3 {
            table.change(DepositId([id; 16]), |row| row.local = Local::Success).unwrap();
        }
        assert_eq!(base(&table), Some(3));
        table.change(DepositId([3; 16]), |row| row.platform = Platform::Rejected).unwrap();
        assert_eq!(base(&table), Some(2));
        let of_sunday = table.base("88.990", parse_date("2026-11-29").unwrap(), Delivery::Hand);
        assert_eq!(of_sunday.map(|row| row.id.0[0]), Some(1));
        assert_eq!(
            (
                table.made("88.990", parse_date("2026-11-30").unwrap()),
                table.made("88.1", parse_date("2026-11-30").unwrap())
            ),
            (1, 0)
        );
    }

    #[test]
    fn what_this_node_brings_goes_back_to_what_the_platform_has() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        for (day, id) in [("2026-11-29", 1), ("2026-11-30", 2), ("2026-12-01", 3)] {
            let previous = (id > 1).then(|| DepositId([id - 1; 16]));
            table.begin(Row { local: Local::Success, delivery: Delivery::Sent, previous, ..row(day, id) }).unwrap();
        }
        table.begin(Row { local: Local::Success, ..row("2026-12-01", 4) }).unwrap();
        let base = |table: &Table| {
            table.base("88.990", parse_date("2026-12-02").unwrap(), Delivery::Waiting).map(|row| row.id.0[0])
        };
        assert_eq!(base(&table), Some(3), "nobody knows whether the one made by hand got there");
        table.change(DepositId([2; 16]), |row| row.platform = Platform::Rejected).unwrap();
        assert!(table.is_broken(&table.rows()[2]));
        assert_eq!(base(&table), Some(1));
        table.change(DepositId([3; 16]), |row| row.platform = Platform::Accepted).unwrap();
        assert_eq!(base(&table), Some(3), "the platform knows better");
        table.change(DepositId([1; 16]), |row| row.previous = Some(DepositId([1; 16]))).unwrap();
        assert!(!table.is_broken(&table.rows()[0]), "one that goes back to itself ends");
    }

    #[test]
    fn a_table_of_version_1_is_read_as_one_of_deposits_carried_by_hand() {
        let body = concat!(
            r#"[{"prefix":"88.990","watermark":"2026-11-29T00:00:00Z","resend":0,"type":"FULL","started":5,"ended":7,"#,
            r#""local":"success","platform":"accepted","remark":"","id":"01010101010101010101010101010101"}]"#
        );
        let folder = tempfile::tempdir().unwrap();
        let file = format!("waymark deposits 1 {:08x}\n{body}", crc32c::crc32c(body.as_bytes()));
        fs::write(folder.path().join("deposits"), file).unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        let known = Row {
            local: Local::Success,
            platform: Platform::Accepted,
            started: 5,
            ended: Some(7),
            ..row("2026-11-29", 1)
        };
        assert_eq!(table.rows(), [known]);
        table.change(DepositId([1; 16]), |row| row.delivery = Delivery::Sent).unwrap();
        assert!(fs::read(folder.path().join("deposits")).unwrap().starts_with(b"waymark deposits 2 "));
    }

    #[test]
    fn a_damaged_table_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        Table::open(folder.path()).unwrap().begin(row("2026-11-29", 1)).unwrap();
        let path = folder.path().join(FILE);
        let good = fs::read(&path).unwrap();
        for place in 0..good.len() {
            let mut changed = good.clone();
            changed[place] ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(matches!(Table::open(folder.path()), Err(TableError::Form { .. })), "byte {place}");
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(matches!(Table::open(folder.path()), Err(TableError::Form { .. })));
    }
}
