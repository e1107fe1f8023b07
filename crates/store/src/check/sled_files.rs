//! Checking what lies in sled, on a copy.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::bytes::offset;
use crate::check::{Checker, Finding, Part, Remedy};
use crate::config::{RECORD_CACHE_BYTES, STATE_CACHE_BYTES};
use crate::engine::Engine;
use crate::error::{Damage, OpenError, StateError};
use crate::folder::paths;
use crate::format::frame::{Seed, parse_entry};
use crate::records::{END_KEY, ENTRY_MARK, KEY_MARK, Latest, decode_end, serial_in};
use crate::sled_disk::{SLED_FILE, gone_back, open_sled};
use crate::state::verify;
use crate::types::{Place, Position, Serial};

/// Folder of the copies, removed afterwards.
const COPY: &str = "check.tmp";

/// Checks the small state, and the records where sled keeps them.
pub(super) fn check_sled(checker: &mut Checker<'_>, engine: Engine) -> Result<(), OpenError> {
    if engine == Engine::Sled {
        let dir = paths::records(checker.dir);
        on_copy(checker, &dir, Part::Records, RECORD_CACHE_BYTES.default, check_records)?;
    }
    let dir = paths::state(checker.dir);
    on_copy(checker, &dir, Part::State, STATE_CACHE_BYTES.default, check_state)
}

/// A damage in sled: key concerned, serial, kind.
type Wrong = (Option<Vec<u8>>, Option<Serial>, Damage);

/// Copies sled's folder and runs `look` on the copy, which returns the serial it holds; what it finds is reported under the original's name.
fn on_copy(
    checker: &mut Checker<'_>,
    dir: &Path,
    part: Part,
    cache_bytes: u64,
    look: fn(&mut Checker<'_>, &sled::Db, &mut Vec<Wrong>) -> Serial,
) -> Result<(), OpenError> {
    if !dir.is_dir() {
        return Ok(());
    }
    let copy = checker.dir.join(COPY);
    let remove = || match fs::remove_dir_all(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::io(&copy, error)),
        _ => Ok(()),
    };
    remove()?;
    checker.summary.bytes += copy_dir(dir, &copy).map_err(|error| OpenError::io(&copy, error))?;
    let mut wrong = Vec::new();
    match open_sled(&copy, cache_bytes) {
        Ok(db) => {
            // sled panics on some damage.
            let looked = catch_unwind(AssertUnwindSafe(|| look(checker, &db, &mut wrong)));
            match looked {
                Ok(serial) => {
                    let lost = gone_back(dir, serial, part).map_err(|error| OpenError::io(dir, error))?;
                    lost.into_iter().for_each(|finding| checker.found(finding));
                }
                Err(_) => wrong.push((None, None, Damage::Sled)),
            }
            drop(catch_unwind(AssertUnwindSafe(move || drop(db))));
        }
        Err(_) => wrong.push((None, None, Damage::Sled)),
    }
    for (key, serial, what) in wrong {
        let file = dir.join(SLED_FILE);
        checker.found(Finding { file, offset: 0, part, what, serial, key, remedy: Remedy::of(part) });
    }
    remove()
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<u64> {
    fs::create_dir_all(to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target: PathBuf = to.join(entry.file_name());
        bytes += if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target)?
        };
    }
    Ok(bytes)
}

fn check_state(checker: &mut Checker<'_>, db: &sled::Db, wrong: &mut Vec<Wrong>) -> Serial {
    let mut keys = Vec::new();
    let verified = verify(db, &mut |key, what| keys.push((Some(key.to_vec()), None, what)));
    checker.summary.state_values += offset(db.len());
    match verified {
        Ok(summary) => {
            if summary.applied > checker.summary.last {
                wrong.push((None, Some(summary.applied), Damage::Disagrees));
            }
            return summary.applied;
        }
        Err(StateError::Damaged(what)) if keys.is_empty() => wrong.push((None, None, what)),
        Err(StateError::Damaged(_)) => wrong.append(&mut keys),
        Err(_) => wrong.push((None, None, Damage::Sled)),
    }
    // Damaged anyhow: nothing to add about what it lost.
    Serial::MAX
}

/// Checks that entries are whole and without holes, and that keys name the latest of theirs.
fn check_records(checker: &mut Checker<'_>, db: &sled::Db, wrong: &mut Vec<Wrong>) -> Serial {
    let end = match db.get(END_KEY) {
        Ok(Some(stored)) => decode_end(&stored),
        Ok(None) if db.is_empty() => Ok(Position::default()),
        Ok(None) => Err(Damage::Missing),
        Err(_) => Err(Damage::Sled),
    };
    let end = end.unwrap_or_else(|what| {
        wrong.push((Some(END_KEY.to_vec()), None, what));
        Position { serial: Serial(offset(db.scan_prefix([ENTRY_MARK]).count())), ..Position::default() }
    });
    checker.summary.last = end.serial;
    let seed = Seed::of_store(&checker.store_id);
    let mut latest: HashMap<Vec<u8>, Latest> = HashMap::new();
    let mut expected = Serial(1);
    for item in db.scan_prefix([ENTRY_MARK]) {
        let Ok((key, stored)) = item else {
            wrong.push((None, Some(expected), Damage::Sled));
            // What lies behind is unknown, not missing.
            expected = Serial::MAX;
            break;
        };
        let Some(serial) = serial_in(&key).filter(|serial| *serial <= end.serial) else { continue };
        if serial > expected {
            // One for the whole hole.
            wrong.push((None, Some(expected), Damage::Missing));
        }
        expected = serial.next();
        match parse_entry(&stored, seed, Place(serial.0)) {
            Ok(entry) if entry.serial != serial => wrong.push((None, Some(serial), Damage::SerialOrder)),
            Ok(entry) => {
                checker.summary.entries += 1;
                if entry.kind.is_of_key() {
                    latest.insert(entry.key.to_vec(), Latest { serial, kind: entry.kind });
                }
            }
            Err(what) => wrong.push((None, Some(serial), what)),
        }
    }
    if expected <= end.serial {
        wrong.push((None, Some(expected), Damage::Missing));
    }
    check_keys(db, latest, wrong);
    end.serial
}

fn check_keys(db: &sled::Db, mut latest: HashMap<Vec<u8>, Latest>, wrong: &mut Vec<Wrong>) {
    for item in db.scan_prefix([KEY_MARK]) {
        let Ok((stored_key, stored)) = item else {
            wrong.push((None, None, Damage::Sled));
            return;
        };
        let key = stored_key.get(1..).unwrap_or_default().to_vec();
        let expected = latest.remove(&key);
        match Latest::decode(&stored_key, &stored) {
            Ok(found) if Some(found) == expected => {}
            Ok(found) => wrong.push((Some(key), Some(found.serial), Damage::Disagrees)),
            Err(what) => wrong.push((Some(key), None, what)),
        }
    }
    wrong.extend(latest.into_iter().map(|(key, latest)| (Some(key), Some(latest.serial), Damage::Missing)));
}
