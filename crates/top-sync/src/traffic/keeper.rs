//! Counts, and sees to it that what was counted is on the disk: opens days, saves, and recovers after a kill.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use waymark_catalog::Timestamp;

use super::accumulator::{Accumulator, NotOpen, day_of};
use super::config::Limits;
use super::day::{Answer, DayTally, Gap, Lost, Missing, Registered};
use super::folder::{Folder, MovedAside, ReadError};
use super::prefixes::KnownPrefixes;
use super::replay;
use super::saver::{Job, Saver, Written};
use super::stored::{Current, encode_day, encode_days};
use crate::calendar::Day;

/// What was found when the statistics were opened.
#[derive(Debug, Default)]
pub struct Opened {
    /// Answers counted again from their records.
    pub counted_again: u64,
    /// The time of which figures may be missing.
    pub gap: Option<Gap>,
    /// Files that cannot be read.
    pub moved_aside: Vec<MovedAside>,
}

/// Days being counted, and where they are kept.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) accumulator: Accumulator,
    limits: Limits,
    folder: Folder,
    log: Option<(Arc<File>, u64)>,
    saver: Saver,
    /// When the last saving began.
    saved_at: Timestamp,
    pub(super) failures: u64,
    is_failing: bool,
    /// Answers and registrations for whose day there was no room, since the start.
    pub(super) uncounted: u64,
}

impl Keeper {
    /// Reads what was counted, counts again what was not saved, and saves.
    pub(super) fn open(
        folder: Folder,
        limits: Limits,
        log_path: &Path,
        log: Option<(Arc<File>, u64)>,
        known: &impl KnownPrefixes,
        now: Timestamp,
    ) -> Result<(Self, Opened), ReadError> {
        let failed = |source| ReadError::Io { path: folder.current_path(), source };
        let saver = Saver::start(folder.clone(), limits.kept_days).map_err(failed)?;
        let accumulator = Accumulator::new(limits);
        let mut keeper = Self {
            accumulator,
            limits,
            folder: folder.clone(),
            log,
            saver,
            saved_at: now,
            failures: 0,
            is_failing: false,
            uncounted: 0,
        };
        let mut opened = Opened::default();
        let (current, is_damaged) = match folder.current() {
            Ok(current) => (current, false),
            Err(ReadError::Format { path, source }) => {
                opened.moved_aside.push(folder.move_aside(&path, source, seconds(now)).map_err(failed)?);
                (None, true)
            }
            Err(error) => return Err(error),
        };
        let unread = |source| ReadError::Io { path: log_path.to_owned(), source };
        match current {
            Some(current) => keeper.resume(current, log_path, known, now, &mut opened).map_err(unread)?,
            None => keeper.begin(is_damaged, log_path, known, now, &mut opened).map_err(unread)?,
        }
        if let Some(gap) = opened.gap {
            keeper.note(&gap);
        }
        keeper.save(now, false);
        keeper.settle_waiting().map_err(failed)?;
        // Behind the saving: what is missing is noted for good.
        if folder.is_paused() {
            folder.end_pause().map_err(failed)?;
        }
        Ok((keeper, opened))
    }

    /// Goes on where the last life of the node ended.
    fn resume(
        &mut self,
        current: Current,
        log: &Path,
        known: &impl KnownPrefixes,
        now: Timestamp,
        opened: &mut Opened,
    ) -> io::Result<()> {
        let Current { place, saved_at, is_clean, days } = current;
        for day in days {
            self.accumulator.open(day);
        }
        let rest = place.map(|place| replay::behind(place, log)).transpose()?.flatten();
        let gap = |from, missing| Some(Gap { from, until: seconds(now).max(from), missing });
        if self.folder.is_paused() {
            // What was recorded meanwhile is counted all the same, but nobody knows whether all was.
            opened.gap = gap(saved_at, Missing::Everything);
            self.count_again(rest.unwrap_or_default(), known, saved_at, |_| true, opened)?;
            return Ok(());
        }
        let Some(rest) = rest else {
            // Either no record is kept, or it was turned over more than once since.
            if !is_clean || place.is_some() {
                opened.gap = gap(saved_at, Missing::Everything);
            }
            return Ok(());
        };
        let last = self.count_again(rest, known, saved_at, |_| true, opened)?;
        if !is_clean {
            opened.gap = gap(saved_at, Missing::Registrations);
            // Answers whose records were still in the queue when the node ended.
            let queued = Gap { from: last.unwrap_or(saved_at), until: seconds(now), missing: Missing::Everything };
            self.note(&queued);
        }
        Ok(())
    }

    /// Begins with nothing counted, but for what a record of earlier answers tells and no file of a day does.
    fn begin(
        &mut self,
        is_damaged: bool,
        log: &Path,
        known: &impl KnownPrefixes,
        now: Timestamp,
        opened: &mut Opened,
    ) -> io::Result<()> {
        let folder = self.folder.clone();
        let mut has_file: HashMap<Day, bool> = HashMap::new();
        let mut first = None;
        let rest = replay::everything(log)?;
        self.count_again(
            rest,
            known,
            seconds(now),
            |answer| {
                let day = day_of(answer.unix_seconds);
                let is_wanted = !*has_file.entry(day).or_insert_with(|| folder.has_day(day));
                if is_wanted && first.is_none() {
                    first = Some(answer.unix_seconds);
                }
                is_wanted
            },
            opened,
        )?;
        let now = seconds(now);
        let begin_of = |at| u32::try_from(day_of(at).start().0 / 1_000).unwrap_or(at);
        match first {
            // Of registrations there is no record, and of answers none before the first.
            Some(first) => {
                self.note(&Gap { from: begin_of(first), until: first, missing: Missing::Everything });
                opened.gap =
                    Some(Gap { from: begin_of(first), until: now.max(first), missing: Missing::Registrations });
            }
            None if is_damaged => {
                opened.gap = Some(Gap { from: begin_of(now), until: now, missing: Missing::Everything });
            }
            None => {}
        }
        Ok(())
    }

    /// Counts what stands in files of the record; gives the time of the last answer. A line that cannot be read is of the time of the one before,
    /// the first of `since`.
    fn count_again(
        &mut self,
        rest: replay::Rest,
        known: &impl KnownPrefixes,
        since: u32,
        mut is_wanted: impl FnMut(&Answer<'_>) -> bool,
        opened: &mut Opened,
    ) -> io::Result<Option<u32>> {
        let mut last = None;
        for (file, from) in rest {
            replay::lines(file, from, |line| match line {
                Some(line) => {
                    let answer = line.answer();
                    if is_wanted(&answer) {
                        last = Some(answer.unix_seconds);
                        opened.counted_again += 1;
                        self.answered(&answer, known);
                    }
                }
                None => self.lost(last.unwrap_or(since), Lost::Lines(1)),
            })?;
        }
        Ok(last)
    }

    /// Notes a gap in the days it begins and ends in; of those between there are no figures at all.
    fn note(&mut self, gap: &Gap) {
        self.lost(gap.from, Lost::Gap(*gap));
        if day_of(gap.from) != day_of(gap.until) {
            self.lost(gap.until, Lost::Gap(*gap));
        }
    }

    pub(super) fn answered(&mut self, answer: &Answer<'_>, known: &impl KnownPrefixes) {
        self.counting(|accumulator| accumulator.answered(answer, known));
    }

    pub(super) fn registered(&mut self, registered: &Registered<'_>, known: &impl KnownPrefixes) {
        self.counting(|accumulator| accumulator.registered(registered, known));
    }

    pub(super) fn lost(&mut self, unix_seconds: u32, lost: Lost) {
        self.counting(|accumulator| accumulator.lost(unix_seconds, lost));
    }

    /// Counts; opens the day first where it is not open.
    fn counting(&mut self, mut count: impl FnMut(&mut Accumulator) -> Result<(), NotOpen>) {
        let Err(NotOpen(day)) = count(&mut self.accumulator) else { return };
        if !self.accumulator.has_room() {
            self.make_room();
        }
        if self.accumulator.has_room() {
            let known = self.read_day(day);
            self.accumulator.open(known);
        }
        if count(&mut self.accumulator).is_err() {
            self.uncounted = self.uncounted.saturating_add(1);
        }
    }

    /// Writes and closes a day, and waits for that: many days are open, since the clock jumps.
    fn make_room(&mut self) {
        let _earlier = self.settle_waiting();
        // No clock is read here: what is said of the time is what was said last, and a gap the longer for it.
        self.save(self.saved_at, false);
        let _now = self.settle_waiting();
    }

    /// What is known of a day that is not open.
    fn read_day(&mut self, day: Day) -> DayTally {
        let (error, path) = match self.folder.day(day) {
            Ok(known) => return known.unwrap_or_else(|| DayTally::new(day)),
            Err(ReadError::Format { path, source }) => {
                let at = u32::try_from(day.start().0 / 1_000).unwrap_or(u32::MAX);
                let error = source.to_string();
                match self.folder.move_aside(&path, source, at) {
                    Ok(moved) => (error, moved.path),
                    Err(cause) => (cause.to_string(), path),
                }
            }
            Err(ReadError::Io { path, source }) => (source.to_string(), path),
        };
        tracing::error!(%error, path = %path.display(), %day, "figures of requests cannot be read; the day begins anew");
        let mut anew = DayTally::new(day);
        let whole = |time: Timestamp| u32::try_from(time.0 / 1_000).unwrap_or(u32::MAX);
        anew.lose(Lost::Gap(Gap { from: whole(day.start()), until: whole(day.end()), missing: Missing::Everything }));
        anew
    }

    /// Where the record of every answer is after what was counted so far.
    pub(super) fn logged(&mut self, log: Option<(Arc<File>, u64)>) {
        self.log = log;
    }

    /// Saves when it is time to.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if let Some(written) = self.saver.poll() {
            self.settle(written);
        }
        let interval = u64::from(self.limits.save_seconds).saturating_mul(1_000);
        let is_due = now < self.saved_at || now.0.saturating_sub(self.saved_at.0) >= interval;
        if is_due && !self.saver.is_busy() {
            self.save(now, false);
        }
    }

    /// Saves for the last time, and waits for that.
    pub(super) fn stop(&mut self, now: Timestamp) -> io::Result<()> {
        // A failure of this one is followed by another attempt, which tells.
        let _earlier = self.settle_waiting();
        self.save(now, true);
        self.settle_waiting()
    }

    fn save(&mut self, now: Timestamp, is_clean: bool) {
        self.saved_at = now;
        match self.job(now, is_clean) {
            Ok(job) => self.saver.begin(job),
            Err(cause) => self.settle(Err(io::Error::other(cause))),
        }
    }

    fn job(&self, now: Timestamp, is_clean: bool) -> Result<Job, postcard::Error> {
        let mut days = Vec::new();
        for (day, changed) in self.accumulator.closable(now) {
            if let Some(tally) = self.accumulator.day(day) {
                days.push((day, changed, encode_day(tally)?));
            }
        }
        let open_days = encode_days(self.accumulator.days())?;
        Ok(Job { days, open_days, log: self.log.clone(), saved_at: seconds(now), is_clean })
    }

    fn settle_waiting(&mut self) -> io::Result<()> {
        match self.saver.wait() {
            None => Ok(()),
            Some(Err(cause)) => {
                let told = io::Error::new(cause.kind(), cause.to_string());
                self.settle(Err(cause));
                Err(told)
            }
            Some(written) => {
                self.settle(written);
                Ok(())
            }
        }
    }

    fn settle(&mut self, written: Written) {
        match written {
            Ok(days) => {
                for (day, changed) in days {
                    self.accumulator.close(day, changed);
                }
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("figures of requests are saved again");
                }
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::error!(%error, "figures of requests cannot be saved; it is tried again");
                }
            }
        }
    }
}

/// A moment in seconds.
pub(super) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.0 / 1_000).unwrap_or(u32::MAX)
}
