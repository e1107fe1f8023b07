//! The file a node keeps its cache in from one run to the next.

use std::time::Duration;

use waymark_recursive_cache::cache::{Cache, CacheLimits, Entry, EntryKind, Known};
use waymark_recursive_cache::knowledge::{Knowledge, Now, Scope};
use waymark_wire::{DecodeError, Reader};

use super::script::{piece, put_piece};

/// The first byte says whether the rest is a file, or a script of entries that get their checksums.
///
/// Loading ends, within the budget, and what was taken can be used: values can be walked, sites decoded, nothing is good for longer than was written.
/// What was loaded is written, and is the same when it is loaded again, only that much nearer to its end.
pub fn cache_dump(input: &[u8]) {
    let Some((shape, rest)) = input.split_first() else { return };
    let file = if shape & 1 == 0 { rest.to_vec() } else { sealed(rest) };
    let cache = small();
    let loaded = match cache.load(&mut &file[..], NOW) {
        Ok(loaded) => loaded,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!(cache.stats().entries, 0);
            return;
        }
    };
    let stats = cache.stats();
    assert!(stats.bytes <= stats.budget_bytes && stats.entries <= loaded.taken);
    let entries = cache.entries();
    entries.iter().for_each(|entry| use_it(&cache, entry));

    let mut written = Vec::new();
    assert_eq!(cache.dump(&mut written, NOW).expect("memory takes everything"), stats.entries);
    let again = small();
    let loaded = again.load(&mut &written[..], LATER).expect("its own form");
    assert_eq!((loaded.taken + loaded.expired, loaded.cut), (stats.entries, false));
    assert_eq!(told(&again.entries()), told(&entries));
}

/// The moment of loading.
const NOW: Now = Now { elapsed: Duration::from_secs(9), unix_seconds: 1_800_000_000 };

/// When the next run of the node loads what this one wrote.
const LATER: Now = Now { elapsed: Duration::from_secs(19), unix_seconds: NOW.unix_seconds + 10 };

/// How files begin.
const MAGIC: &[u8] = b"WMCACHE\x02";

fn small() -> Cache {
    Cache::new(CacheLimits { budget_bytes: 1 << 20, ..CacheLimits::default() })
}

/// An entry of a script: its bytes without the checksum, and whether it gets one.
pub(crate) fn put_entry(script: &mut Vec<u8>, is_sealed: bool, entry: &[u8]) {
    script.push(u8::from(is_sealed));
    put_piece(script, entry);
}

/// The file of a script: when it was made, then entries.
fn sealed(script: &[u8]) -> Vec<u8> {
    let mut script = Reader::new(script);
    let mut file = MAGIC.to_vec();
    // A script that ends early makes a file that does.
    let _ = put_all(&mut script, &mut file);
    file
}

fn put_all(script: &mut Reader<'_>, file: &mut Vec<u8>) -> Result<(), DecodeError> {
    file.extend_from_slice(&script.array::<4>()?);
    loop {
        let is_sealed = script.u8()? & 1 != 0;
        let entry = piece(script)?;
        file.extend_from_slice(entry);
        if is_sealed {
            file.extend_from_slice(&crc32c::crc32c(entry).to_be_bytes());
        }
    }
}

/// Does with an entry what a node does.
fn use_it(cache: &Cache, entry: &Entry) {
    let limits = cache.limits();
    let most = match entry.kind() {
        EntryKind::Absent | EntryKind::NoValues => limits.absent,
        EntryKind::AbsentPrefix => limits.absent_prefix,
        _ => limits.ceiling,
    };
    let left = entry.seconds_left(Cache::seconds(NOW));
    assert!(left > 0 && Duration::from_secs(left.into()) <= most);
    if let Some(Known::Values(values)) = entry.known() {
        assert_eq!(values.iter().count(), values.len());
    }
    let _ = cache.find(entry.key(), entry.is_certified(), NOW);
    for scope in [Scope::Handles, Scope::DerivedPrefixes] {
        if let Some(service) = cache.service(entry.key(), scope, entry.is_certified(), NOW) {
            assert!(!service.sites.is_empty());
        }
    }
}

/// What can be told later of entries that are good then, in an order of its own.
fn told(entries: &[Entry]) -> Vec<String> {
    let tell = |entry: &Entry| {
        let (left, certified) = (entry.seconds_left(Cache::seconds(LATER)), entry.is_certified());
        let values = match entry.known() {
            Some(Known::Values(values)) => values.wire(),
            _ => &[],
        };
        (left > 0).then(|| format!("{:?} {:?} {left} {certified} {values:?}", entry.kind(), entry.key()))
    };
    let mut told: Vec<String> = entries.iter().filter_map(tell).collect();
    told.sort();
    told
}
