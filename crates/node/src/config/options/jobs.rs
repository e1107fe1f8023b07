//! Section `jobs`: uploads the node imports by itself.

use waymark_registration::config as registration;

use super::{count, mebibytes, option};
use crate::config::schema::{Kind, Spec};

/// Bytes of a KiB.
const KIBI: u64 = 1 << 10;

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "jobs.largest_mib",
        mebibytes(registration::JOB_BYTES.default, registration::JOB_BYTES.min, registration::JOB_BYTES.max),
        "MiB",
        "Largest file a job may have.",
    ),
    option(
        "jobs.folder_mib",
        mebibytes(
            registration::JOB_FOLDER_BYTES.default,
            registration::JOB_FOLDER_BYTES.min,
            registration::JOB_FOLDER_BYTES.max,
        ),
        "MiB",
        "All jobs on the disk; finished ones go, oldest first, before one is refused.",
    ),
    option(
        "jobs.upload_kib_per_second",
        Kind::Number {
            default: registration::JOB_UPLOAD_RATE.default / KIBI,
            min: registration::JOB_UPLOAD_RATE.min / KIBI,
            max: registration::JOB_UPLOAD_RATE.max / KIBI,
        },
        "KiB a second",
        "Slowest upload of a file, over all of it and with a minute given beside: one that falls behind gives its place to others.",
    ),
    option("jobs.kept", count(registration::JOBS), "jobs", "Jobs kept, finished ones included."),
    option("jobs.per_principal", count(registration::JOBS_PER_PRINCIPAL), "jobs", "Unfinished jobs of one principal."),
    option(
        "jobs.kept_days",
        Kind::Number {
            default: registration::JOB_KEPT.default.as_secs() / 86_400,
            min: 1,
            max: registration::JOB_KEPT.max.as_secs() / 86_400,
        },
        "days",
        "How long a finished job and its list of failed lines are kept.",
    ),
];
