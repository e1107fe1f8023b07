//! Which processor a process runs on, and how much of it it used.

use std::{fs, io};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// Runs `action` with this thread on one processor, so that a process started in it stays there, then goes back to where it was.
///
/// # Errors
/// The processor does not exist or is not allowed.
pub fn on<T>(processor: usize, action: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this)?;
    let mut one = CpuSet::new();
    one.set(processor)?;
    sched_setaffinity(this, &one)?;
    let result = action();
    sched_setaffinity(this, &before)?;
    result
}

/// Nanoseconds of processor time all threads of a process have used, from the scheduler's own accounting.
///
/// Threads that ended are no longer counted: measure processes whose threads stay.
///
/// # Errors
/// The process is gone, or the kernel keeps no such account.
pub fn used_nanos(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let account = fs::read_to_string(task?.path().join("schedstat"))?;
        let nanos: u64 =
            account.split(' ').next().and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        total += nanos;
    }
    Ok(total)
}
