//! What a stopped process was doing when it was stopped.

use std::fs;

use nix::libc;
use nix::unistd::Pid;

/// Where a kill met the threads that write records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// None of them was in the kernel with them.
    Between,
    /// In the kernel, to write or make room: the commit never returned.
    Writing,
    /// In the kernel, to flush what it had written: the commit never returned.
    Flushing,
}

/// What the kernel shows of a stopped process: whether a thread entered a call that writes or flushes `records`, a part of the paths of the
/// files that hold them, and never came back. `None` where the system does not show it.
///
/// A file that is still being made holds none: a segment is flushed under another name before the first group goes into it, at a time when
/// every group in the one before it may have been acknowledged.
pub fn moment(pid: Pid, records: &str) -> Option<Moment> {
    let writing = [libc::SYS_pwrite64, libc::SYS_fallocate, libc::SYS_sync_file_range];
    let flushing = [libc::SYS_fdatasync, libc::SYS_fsync];
    let mut met = Moment::Between;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // Number of the call, then its arguments in hexadecimal; the first of these calls is a file.
        let call = fs::read_to_string(task.ok()?.path().join("syscall")).ok()?;
        let mut words = call.split(' ');
        let number = words.next().and_then(|word| word.parse::<libc::c_long>().ok());
        let file = words.next().and_then(|word| u32::from_str_radix(word.trim_start_matches("0x"), 16).ok());
        if let (Some(number), Some(file)) = (number, file)
            && let Ok(path) = fs::read_link(format!("/proc/{pid}/fd/{file}"))
            && path.to_string_lossy().contains(records)
            && path.extension().is_none_or(|extension| extension != "new")
        {
            if flushing.contains(&number) {
                met = Moment::Flushing;
            } else if writing.contains(&number) {
                met = met.max(Moment::Writing);
            }
        }
    }
    Some(met)
}
