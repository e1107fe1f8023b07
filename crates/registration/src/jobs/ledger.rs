//! What a running job tells: counts, failed lines, and the mark they belong to.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::time::Duration;

use waymark_catalog::import::{Place, Problem, Recorder, Summary};
use waymark_catalog::{Clock, Timestamp};

use super::stored::{Mark, RESULT};
use super::{Job, lock};
use crate::door::Stopping;

/// Keeps the counts and failed lines of one run.
pub(super) struct Ledger<'a> {
    job: &'a Job,
    /// Whether the import shall end before its input does.
    ends: &'a dyn Fn() -> bool,
    stopping: &'a Stopping,
    clock: Clock,
    save_every: Duration,
    saved: Timestamp,
    result: BufWriter<File>,
    line: Vec<u8>,
    /// Bytes of the result, those in the buffer included.
    result_bytes: u64,
    /// As of the beginning of this run.
    before: Mark,
    /// The last place the import can go on from.
    mark: Mark,
    /// Everything that was told, also behind the mark.
    told: Mark,
}

impl<'a> Ledger<'a> {
    /// Goes on from the mark that was kept; failed lines behind it are cut off.
    pub(super) fn open(
        job: &'a Job,
        ends: &'a dyn Fn() -> bool,
        stopping: &'a Stopping,
        clock: Clock,
        save_every: Duration,
    ) -> io::Result<Self> {
        let mark = job.stored().mark;
        let path = job.folder.join(RESULT);
        let mut result = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
        result.set_len(mark.result_bytes)?;
        result.seek(SeekFrom::End(0))?;
        Ok(Self {
            job,
            ends,
            stopping,
            clock,
            save_every,
            saved: clock(),
            result: BufWriter::new(result),
            line: Vec::new(),
            result_bytes: mark.result_bytes,
            before: mark,
            mark,
            told: mark,
        })
    }

    /// Where the import begins.
    pub(super) const fn place(&self) -> Place {
        self.before.place()
    }

    /// Keeps the mark. Failed lines first: the mark must never know of more than there are.
    pub(super) fn save(&mut self) -> io::Result<()> {
        self.flush()?;
        let mark = self.mark;
        self.job.update(|stored| {
            stored.mark = mark;
            stored.failure = None;
        })?;
        self.saved = (self.clock)();
        Ok(())
    }

    /// Everything that was told, for a job that does not go on.
    pub(super) fn finish(&mut self) -> io::Result<Mark> {
        self.flush()?;
        Ok(self.told)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.result.flush()?;
        self.result.get_ref().sync_all()
    }
}

impl Recorder for Ledger<'_> {
    fn failed(&mut self, problem: &Problem) -> io::Result<()> {
        self.line.clear();
        problem.write(&mut self.line)?;
        self.result.write_all(&self.line)?;
        self.result_bytes += u64::try_from(self.line.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn reached(&mut self, place: Option<&Place>, summary: &Summary) -> io::Result<ControlFlow<()>> {
        if self.stopping.is_abandoned() {
            // Nobody waits for this to end well: as little is done as after the end of the process.
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.told = Mark { result_bytes: self.result_bytes, ..self.before.and(summary) }.at(&self.told.place());
        if let Some(place) = place {
            self.told = self.told.at(place);
            self.mark = self.told;
        }
        *lock(&self.job.live) = Some(self.told);
        let now = (self.clock)().0;
        if u128::from(now.saturating_sub(self.saved.0)) >= self.save_every.as_millis() {
            self.save()?;
        }
        let stops = (self.ends)() || self.stopping.has_begun();
        Ok(if stops { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
