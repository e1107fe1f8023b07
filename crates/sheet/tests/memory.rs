//! Memory does not grow with a file, but for the hashes of identifiers that are remembered and the texts that cells share.
//!
//! A binary of its own with a single test: the counts are those of the whole process.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an allocator cannot be written without; tests fail by panicking"
)]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fmt::Write as _,
    io::Cursor,
    sync::atomic::{AtomicUsize, Ordering},
};

use common::{MADE, at, begin, headings, layout};
use rust_xlsxwriter::{Format, Workbook};
use waymark_sheet::{FailedRows, Item, Language, Options, read};

/// Bytes allocated and not freed, and the most there ever were.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counting;

// SAFETY: every call is handed to the system's allocator as it came; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `work` had at a time, beyond what was there before.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

/// A workbook of good rows whose texts are in its cells, as this library and databases write them.
fn workbook(rows: u32) -> Vec<u8> {
    let mut workbook = Workbook::new();
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let sheet = workbook.add_worksheet_with_constant_memory().unwrap();
    headings(sheet, &layout());
    for row in 1..=rows {
        begin(sheet, row);
        sheet.write_number_with_format(row, at(MADE), 46_091.0, &date).unwrap();
    }
    workbook.save_to_buffer().unwrap()
}

fn csv(rows: u32) -> Vec<u8> {
    let mut text = String::from("标识,产品名称,型号,商品条码,出厂日期\n");
    for row in 1..=rows {
        writeln!(text, "88.990.10001/XE.{row:07},履带式液压挖掘机,XE215X,{row:013},2026-03-10").unwrap();
    }
    encoding_rs::GB18030.encode(&text).0.into_owned()
}

fn read_all(file: &[u8], expected: u32) -> usize {
    let layout = layout();
    peak(|| {
        let mut count = 0;
        for item in read(Cursor::new(file), &layout, &Options::default()).unwrap() {
            assert!(matches!(item, Ok(Item::Row(_))), "{item:?}");
            count += 1;
        }
        assert_eq!(count, expected);
    })
}

#[test]
fn reading_and_giving_back_take_memory_for_hashes_alone() {
    const MIB: usize = 1 << 20;
    // Two tables of 2^18 places with 17 bytes each, however many rows there are, and half of one while it grows.
    const HASHES: usize = 11 * MIB;
    for (form, make) in [("workbook", workbook as fn(u32) -> Vec<u8>), ("CSV", csv)] {
        let (few, many) = (read_all(&make(2_000), 2_000), read_all(&make(200_000), 200_000));
        println!("{form}: {few} bytes for 2,000 rows, {many} for 200,000");
        assert!(few < 6 * MIB, "{form}: {few}");
        assert!(many - few < HASHES, "{form}: {few} {many}");
    }

    // Rows that fail go to a temporary file.
    let layout = layout();
    let bad = csv(5_000).iter().map(|byte| if *byte == b'-' { b'x' } else { *byte }).collect::<Vec<_>>();
    let push = |repeats: usize| {
        peak(|| {
            let mut failed = FailedRows::new(&layout, Language::Chinese, Language::Chinese, None).unwrap();
            for item in read(Cursor::new(&bad), &layout, &Options::default()).unwrap() {
                let Ok(Item::Bad(row)) = item else { panic!("{item:?}") };
                (0..repeats).for_each(|_| failed.push(&row).unwrap());
            }
            assert_eq!(usize::try_from(failed.count()).unwrap(), 5_000 * repeats);
            failed.finish(Cursor::new(Vec::with_capacity(2 * MIB))).unwrap();
        })
    };
    let (few, many) = (push(1), push(5));
    println!("failed rows: {few} bytes for 5,000, {many} for 25,000");
    assert!(many < few + MIB, "{few} {many}");
}
