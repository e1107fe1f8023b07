//! Entries of the log: numbered, found, scanned, followed, replaced, refused.

use std::ops::ControlFlow;

use waymark_store::{CommitError, EntryKind, Group, Health, Place, ReadError, RedactError, Serial, Timestamp};

use crate::common::{Plain, Subject, body_of, live, puts, sequence};

suite!(
    numbers_entries_without_holes,
    gives_back_every_field_of_an_entry,
    finds_the_latest_entry_of_a_key,
    keeps_tombstones_findable_and_out_of_scans,
    leaves_notes_out_of_keys_and_in_the_sequence,
    scans_in_key_order_by_prefix_and_after_a_key,
    follows_from_any_serial_and_stops_when_told,
    reads_any_entry_by_its_serial,
    tells_the_first_serial_of_a_time,
    replaces_bodies_of_older_notes_and_nothing_else,
    refuses_a_replacement_that_is_too_long,
    keeps_time_when_the_clock_is_set_back,
    clamps_times_beyond_what_can_be_stored,
    refuses_an_empty_group,
    refuses_places_nothing_lies_at,
    loads_each_latest_key_once_since_a_serial,
    keeps_large_bodies_and_long_keys,
    refuses_commits_after_close_and_reads_on,
);

fn numbers_entries_without_holes(mut subject: Subject) {
    let first = subject.store.commit(Timestamp(5), &puts(&[("a", "1"), ("b", "2")])).unwrap();
    assert_eq!((first.first, first.last, first.time), (Serial(1), Serial(2), Timestamp(5)));
    assert_eq!(first.places.len(), 2);
    assert!(first.places.iter().all(|place| place.0 < Place::END));
    subject.reopen();
    let second = subject.store.commit(Timestamp(6), &puts(&[("c", "3")])).unwrap();
    assert_eq!((second.first, second.last), (Serial(3), Serial(3)));
    assert_eq!(subject.store.last().serial, Serial(3));
    let serials: Vec<_> = sequence(&*subject.store).iter().map(|entry| entry.serial).collect();
    assert_eq!(serials, [1, 2, 3]);
}

fn gives_back_every_field_of_an_entry(mut subject: Subject) {
    let mut group = Group::new();
    group.push(EntryKind::PUT, b"\x00key\xff", b"", Serial::NONE, b"").unwrap();
    group.push(EntryKind::new(77).unwrap(), b"", b"someone", Serial(1), b"\x00\x01\x02").unwrap();
    let committed = subject.store.commit(Timestamp(1_700_000_000_123), &group).unwrap();
    subject.reopen();
    let mut buffer = Vec::new();
    let entry = subject.store.read(committed.places[1], &mut buffer).unwrap();
    let expected = Plain {
        serial: 2,
        time: 1_700_000_000_123,
        kind: 77,
        previous: 1,
        actor: b"someone".to_vec(),
        key: Vec::new(),
        body: vec![0, 1, 2],
    };
    assert_eq!(Plain::of(&entry), expected);
    assert_eq!(entry.place, committed.places[1]);
    assert_eq!(sequence(&*subject.store)[1], expected);
    assert_eq!(body_of(&*subject.store, b"\x00key\xff"), Some(Vec::new()));
}

fn finds_the_latest_entry_of_a_key(mut subject: Subject) {
    for round in 0..200 {
        let body = format!("body {round} {}", "x".repeat(60));
        let own = format!("own {round}");
        subject.store.commit(Timestamp(round), &puts(&[("same", &body), (&own, "own")])).unwrap();
        assert_eq!(body_of(&*subject.store, b"same").unwrap(), body.as_bytes());
    }
    subject.reopen();
    assert!(body_of(&*subject.store, b"same").unwrap().starts_with(b"body 199 "));
    for round in 0..200 {
        assert_eq!(body_of(&*subject.store, format!("own {round}").as_bytes()).unwrap(), b"own");
    }
    assert_eq!(subject.store.find(b"absent").unwrap(), None);
    assert_eq!(subject.store.find(b"").unwrap(), None);
}

fn keeps_tombstones_findable_and_out_of_scans(mut subject: Subject) {
    subject.store.commit(Timestamp(1), &puts(&[("gone", "1"), ("here", "2")])).unwrap();
    let mut group = Group::new();
    group.push(EntryKind::DELETE, b"gone", b"", Serial(1), b"why").unwrap();
    let deleted = subject.store.commit(Timestamp(2), &group).unwrap();
    for _ in 0..2 {
        assert_eq!(subject.store.find(b"gone").unwrap(), Some(deleted.places[0]));
        let mut buffer = Vec::new();
        let entry = subject.store.read(deleted.places[0], &mut buffer).unwrap();
        assert_eq!((entry.kind, entry.previous, entry.body), (EntryKind::DELETE, Serial(1), b"why".as_slice()));
        assert_eq!(live(&*subject.store), [(b"here".to_vec(), b"2".to_vec())]);
        subject.reopen();
    }
}

fn leaves_notes_out_of_keys_and_in_the_sequence(mut subject: Subject) {
    let mut group = Group::new();
    group.push(EntryKind::NOTE, b"key", b"", Serial::NONE, b"note").unwrap();
    subject.store.commit(Timestamp(1), &group).unwrap();
    subject.reopen();
    assert_eq!(subject.store.find(b"key").unwrap(), None);
    assert!(live(&*subject.store).is_empty());
    assert_eq!(sequence(&*subject.store).len(), 1);
}

fn scans_in_key_order_by_prefix_and_after_a_key(mut subject: Subject) {
    // Enough to spread over several segments, in an order that is not that of the keys.
    for number in 0..300_u32 {
        let number = number * 7919 % 300;
        let key = format!("p{}/{number:03}", number % 3);
        subject.store.commit(Timestamp(1), &puts(&[(&key, &"b".repeat(50))])).unwrap();
    }
    subject.reopen();
    let keys = |after: &str, prefix: &str| {
        let mut keys = Vec::new();
        subject
            .store
            .scan_keys(after.as_bytes(), prefix.as_bytes(), &mut |entry| {
                keys.push(String::from_utf8(entry.unwrap().key.to_vec()).unwrap());
                if keys.len() < 50 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .unwrap();
        keys
    };
    let p1: Vec<_> = (0..300).filter(|n| n % 3 == 1).map(|n| format!("p1/{n:03}")).collect();
    assert_eq!(keys("", "p1/"), p1[..50]);
    assert_eq!(keys("p1/148", "p1/"), p1[50..]);
    assert_eq!(keys("p1/147x", "p1/"), p1[49..99]);
    assert_eq!(keys("p0", "p1/")[..3], p1[..3]);
    assert_eq!(keys("p2", "p1/"), Vec::<String>::new());
    assert_eq!(keys("", "q"), Vec::<String>::new());
    assert_eq!(keys("", "")[0], "p0/000");
    assert_eq!(live(&*subject.store).len(), 300);
}

fn follows_from_any_serial_and_stops_when_told(mut subject: Subject) {
    for number in 0..120_u64 {
        let body = "z".repeat(usize::try_from(number).unwrap());
        subject.store.commit(Timestamp(number), &puts(&[("a", &body), ("b", &body), ("c", "")])).unwrap();
    }
    for _ in 0..2 {
        for after in (0..=360).step_by(7) {
            let mut seen = Vec::new();
            let last = subject
                .store
                .follow(Serial(after), &mut |entry| {
                    seen.push(entry.serial.0);
                    if seen.len() < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })
                .unwrap();
            let expected: Vec<_> = (after + 1..=360).take(10).collect();
            assert_eq!(last, Serial(expected.last().copied().unwrap_or(after)));
            assert_eq!(seen, expected);
        }
        subject.reopen();
    }
    assert_eq!(subject.store.follow(Serial(999), &mut |_| panic!("nothing follows")).unwrap(), Serial(999));
}

fn reads_any_entry_by_its_serial(mut subject: Subject) {
    let mut buffer = Vec::new();
    for serial in [0, 1, u64::MAX] {
        assert_eq!(subject.store.read_serial(Serial(serial), &mut buffer).unwrap(), None);
    }
    // Groups of one entry and of many, small and larger than a read.
    for number in 0..90_u64 {
        let body = "z".repeat(usize::try_from(number * 37 % 1500).unwrap());
        let mut group = Group::new();
        for part in 0..=number % 5 {
            let kind = [EntryKind::PUT, EntryKind::DELETE, EntryKind::NOTE][usize::try_from(part % 3).unwrap()];
            group.push(kind, format!("key {part}").as_bytes(), b"actor", Serial(number), body.as_bytes()).unwrap();
        }
        subject.store.commit(Timestamp(number), &group).unwrap();
    }
    for round in 0..3 {
        let all = sequence(&*subject.store);
        let mut order: Vec<_> = (0..all.len()).collect();
        match round {
            0 => order.reverse(),
            1 => order.sort_by_key(|index| index * 7919 % all.len()),
            _ => {}
        }
        for index in order {
            let serial = Serial(index as u64 + 1);
            let entry = subject.store.read_serial(serial, &mut buffer).unwrap().unwrap();
            assert_eq!(Plain::of(&entry), all[index]);
            let place = entry.place;
            assert_eq!(subject.store.read(place, &mut buffer).unwrap().serial, serial);
        }
        for behind in [all.len() as u64 + 1, all.len() as u64 + 100, Serial::MAX.0, u64::MAX] {
            assert_eq!(subject.store.read_serial(Serial(behind), &mut buffer).unwrap(), None);
        }
        subject.reopen();
    }
    // What is committed is found at once, before and behind entries looked for earlier.
    for _ in 0..20 {
        let committed = subject.store.commit(Timestamp(99), &puts(&[("new", &"n".repeat(900))])).unwrap();
        let entry = subject.store.read_serial(committed.last, &mut buffer).unwrap().unwrap();
        assert_eq!((entry.key, entry.time, entry.place), (b"new".as_slice(), Timestamp(99), committed.places[0]));
    }
}

fn tells_the_first_serial_of_a_time(mut subject: Subject) {
    let at = |subject: &Subject, time| subject.store.serial_at(Timestamp(time)).unwrap().0;
    assert_eq!((at(&subject, 0), at(&subject, 5), at(&subject, u64::MAX)), (1, 1, 1));
    // Several groups share a time, and some times have none.
    let mut times = Vec::new();
    for number in 0..150_u64 {
        let time = 100 + number / 4 * 3;
        let pairs = [("a", "x"), ("b", "y"), ("c", "z")];
        let pairs = pairs.get(..usize::try_from(number % 3 + 1).unwrap()).unwrap();
        let committed = subject.store.commit(Timestamp(time), &puts(pairs)).unwrap();
        times.resize(usize::try_from(committed.last.0).unwrap(), time);
    }
    for _ in 0..2 {
        for time in (90..=220).chain([0, u64::MAX]) {
            let before = times.iter().filter(|found| **found < time).count();
            assert_eq!(at(&subject, time), before as u64 + 1, "time {time}");
        }
        subject.reopen();
    }
    subject.store.commit(Timestamp(0), &puts(&[("back", "in time")])).unwrap();
    assert_eq!(at(&subject, times[times.len() - 1] + 1), times.len() as u64 + 2);
}

/// Puts and notes with bodies that tell them apart.
fn puts_and_notes(subject: &Subject) {
    for number in 0..100_u64 {
        let mut group = Group::new();
        for (part, kind) in
            [EntryKind::PUT, EntryKind::NOTE, EntryKind::DELETE, EntryKind::NOTE].into_iter().enumerate()
        {
            let body = format!("{number} {part} ").repeat(10);
            group.push(kind, format!("key {part}").as_bytes(), b"actor", Serial(number), body.as_bytes()).unwrap();
        }
        subject.store.commit(Timestamp(number), &group).unwrap();
    }
}

fn replaces_bodies_of_older_notes_and_nothing_else(mut subject: Subject) {
    puts_and_notes(&subject);
    let mut expected = sequence(&*subject.store);
    let mut asked = 0;
    let mut replace = |entry: &waymark_store::Entry<'_>| {
        asked += 1;
        assert_eq!(entry.kind, EntryKind::NOTE);
        assert!(entry.serial > Serial(50) && entry.serial <= Serial(350));
        entry.serial.0.is_multiple_of(4).then(|| b"gone".to_vec())
    };
    let redacted = subject.store.redact(Serial(50), Serial(350), &mut replace).unwrap();
    // The log stops at the end of a segment.
    assert!(redacted.upto > Serial(300) && redacted.upto <= Serial(350), "{redacted:?}");
    assert_eq!((asked, redacted.damaged), (redacted.upto.0 / 2 - 25, 0));
    let mut bytes = 0;
    for plain in &mut expected[50..redacted.upto.0 as usize] {
        if plain.serial.is_multiple_of(4) {
            bytes += plain.body.len() as u64;
            let length = plain.body.len();
            plain.body = b"gone".to_vec();
            plain.body.resize(length, 0);
        }
    }
    assert_eq!((redacted.entries, redacted.bytes), (redacted.upto.0 / 4 - 12, bytes));
    for _ in 0..2 {
        assert_eq!(sequence(&*subject.store), expected);
        let mut buffer = Vec::new();
        for plain in &expected {
            let entry = subject.store.read_serial(Serial(plain.serial), &mut buffer).unwrap().unwrap();
            assert_eq!(Plain::of(&entry), *plain);
        }
        assert_eq!(subject.store.find(b"key 1").unwrap(), None);
        assert!(body_of(&*subject.store, b"key 0").unwrap().starts_with(b"99 0 "));
        subject.reopen();
    }
    // Going on from where it stopped asks for nothing twice, and the sequence goes on.
    let again = subject.store.redact(redacted.upto, Serial(350), &mut |_| Some(Vec::new())).unwrap();
    assert_eq!((again.entries <= 25, again.upto >= redacted.upto), (true, true));
    let committed = subject.store.commit(Timestamp(500), &puts(&[("after", "it")])).unwrap();
    assert_eq!(committed.first, Serial(401));
    assert_eq!(subject.store.redact(Serial(900), Serial(1000), &mut |_| None).unwrap().upto, Serial(900));
    subject.store.close().unwrap();
    assert!(subject.store.redact(Serial::NONE, Serial(9), &mut |_| None).is_err() || subject.is_in_memory());
}

fn refuses_a_replacement_that_is_too_long(mut subject: Subject) {
    puts_and_notes(&subject);
    let before = sequence(&*subject.store);
    let refused = subject.store.redact(Serial::NONE, Serial::MAX, &mut |entry| Some(vec![1; entry.body.len() + 1]));
    assert!(matches!(refused, Err(RedactError::TooLong { serial: Serial(2), bytes: 41, room: 40 })), "{refused:?}");
    assert_eq!(sequence(&*subject.store), before);
    subject.reopen();
    assert_eq!(sequence(&*subject.store), before);
}

fn keeps_time_when_the_clock_is_set_back(mut subject: Subject) {
    subject.store.commit(Timestamp(5_000), &puts(&[("a", "1")])).unwrap();
    let back = subject.store.commit(Timestamp(10), &puts(&[("b", "2")])).unwrap();
    assert_eq!((back.first, back.time), (Serial(2), Timestamp(5_000)));
    subject.reopen();
    let again = subject.store.commit(Timestamp(20), &puts(&[("c", "3")])).unwrap();
    assert_eq!((again.first, again.time), (Serial(3), Timestamp(5_000)));
    let later = subject.store.commit(Timestamp(6_000), &puts(&[("d", "4")])).unwrap();
    assert_eq!(later.time, Timestamp(6_000));
    assert_eq!(subject.store.last().time, Timestamp(6_000));
}

fn clamps_times_beyond_what_can_be_stored(subject: Subject) {
    let committed = subject.store.commit(Timestamp(u64::MAX), &puts(&[("a", "1")])).unwrap();
    assert_eq!(committed.time, Timestamp::MAX);
    assert_eq!(sequence(&*subject.store)[0].time, Timestamp::MAX.0);
}

fn refuses_an_empty_group(subject: Subject) {
    assert!(matches!(subject.store.commit(Timestamp(1), &Group::new()), Err(CommitError::EmptyGroup)));
    assert_eq!(subject.store.last().serial, Serial::NONE);
}

fn refuses_places_nothing_lies_at(subject: Subject) {
    let committed = subject.store.commit(Timestamp(1), &puts(&[("a", "1")])).unwrap();
    let mut buffer = Vec::new();
    for place in [0, 1, committed.places[0].0 + 1, 4095, 4096, 1 << 40, Place::END - 1, u64::MAX] {
        if Place(place) == committed.places[0] {
            continue;
        }
        let read = subject.store.read(Place(place), &mut buffer);
        assert!(
            matches!(read, Err(ReadError::NoSuchPlace(_) | ReadError::Damaged { .. })),
            "place {place} gave {read:?}"
        );
    }
    assert!(subject.store.read(committed.places[0], &mut buffer).is_ok());
}

fn loads_each_latest_key_once_since_a_serial(mut subject: Subject) {
    let filler = "f".repeat(100);
    for number in 0..150_u32 {
        let key = format!("key {:02}", number % 50);
        subject.store.commit(Timestamp(1), &puts(&[(&key, &filler)])).unwrap();
    }
    let mut group = Group::new();
    group.push(EntryKind::DELETE, b"key 07", b"", Serial(108), b"").unwrap();
    subject.store.commit(Timestamp(2), &group).unwrap();
    for _ in 0..2 {
        for since in [0, 100, 120, 150, 151] {
            let mut seen = Vec::new();
            subject
                .store
                .scan_latest(Serial(since), &mut |record| {
                    assert_eq!(subject.store.find(record.key).unwrap(), Some(record.place));
                    seen.push((record.key.to_vec(), record.serial.0, record.kind));
                    ControlFlow::Continue(())
                })
                .unwrap();
            let expected: Vec<_> = (0..50_u64)
                .map(|key| match key {
                    7 => (b"key 07".to_vec(), 151, EntryKind::DELETE),
                    key => (format!("key {key:02}").into_bytes(), 101 + key, EntryKind::PUT),
                })
                .filter(|(_, serial, _)| *serial > since)
                .collect();
            assert_eq!(seen, expected);
        }
        subject.reopen();
    }
}

fn keeps_large_bodies_and_long_keys(mut subject: Subject) {
    let key = vec![b'k'; waymark_store::config::MAX_KEY_BYTES];
    let body: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 251) as u8).collect();
    let mut group = Group::new();
    group.push(EntryKind::PUT, &key, &[b'a'; 255], Serial::NONE, &body).unwrap();
    group.push(EntryKind::PUT, b"small", b"", Serial::NONE, b"s").unwrap();
    subject.store.commit(Timestamp(1), &group).unwrap();
    subject.store.commit(Timestamp(2), &puts(&[("after", "it")])).unwrap();
    subject.reopen();
    assert_eq!(body_of(&*subject.store, &key).unwrap(), body);
    assert_eq!(body_of(&*subject.store, b"small").unwrap(), b"s");
    assert_eq!(body_of(&*subject.store, b"after").unwrap(), b"it");
    assert_eq!(sequence(&*subject.store).len(), 3);
}

fn refuses_commits_after_close_and_reads_on(mut subject: Subject) {
    subject.store.commit(Timestamp(1), &puts(&[("a", "1")])).unwrap();
    subject.store.close().unwrap();
    subject.store.close().unwrap();
    assert!(matches!(subject.store.commit(Timestamp(2), &puts(&[("b", "2")])), Err(CommitError::Closed)));
    assert_eq!(body_of(&*subject.store, b"a").unwrap(), b"1");
    subject.reopen();
    assert_eq!(subject.store.last().serial, Serial(1));
    assert_eq!(subject.store.health(), Health::Writable);
}
