//! Limits on enterprises, their prefixes, and what they say.

use super::{Limit, usize_of};

/// Enterprises of a node: each is held in memory, some 3 KiB, and a group that changes one copies their names and pointers.
pub const ENTERPRISES: Limit = Limit { default: 20_000, min: 1, max: 200_000 };

/// Prefixes an enterprise may ask for and have at a time.
pub const PREFIXES_PER_ENTERPRISE: Limit = Limit { default: 64, min: 1, max: 4_096 };

/// Principals that may act for an enterprise.
pub const PRINCIPALS_PER_ENTERPRISE: usize = 64;

/// Characters of the name of an organisation (RN-4).
pub const ORGANISATION_NAME_CHARS: usize = 255;

/// Characters of an address (RN-4).
pub const ADDRESS_CHARS: usize = 255;

/// Characters of a description (RN-4).
pub const DESCRIPTION_CHARS: usize = 1_024;

/// Characters of the number of a document (RN-4).
pub const DOCUMENT_NUMBER_CHARS: usize = 32;

/// Characters of the name of a person (RN-4).
pub const CONTACT_NAME_CHARS: usize = 128;

/// Characters of a telephone number (RN-4).
pub const PHONE_CHARS: usize = 16;

/// Characters of an e-mail address (RN-4).
pub const EMAIL_CHARS: usize = 128;

/// Bytes of the prefix of an enterprise (RN-4).
pub const ENTERPRISE_PREFIX_BYTES: usize = 64;

/// Characters of other texts about an enterprise.
pub const SHORT_TEXT_CHARS: usize = 255;

/// Items of a list in the record of an enterprise.
pub const LISTED_ITEMS: usize = 32;

/// Sites of its own an enterprise may have a prefix answered by.
pub const SITES_PER_PREFIX: usize = 8;

/// Steps of a case that are kept with it, those of its beginning always. The log has them all.
pub const CASE_STEPS: usize = 64;

/// Bytes of the image of a document (RN-5).
pub const IMAGE_BYTES: usize = 1 << 20;

/// Bytes of a PDF document (RN-5). One is an entry of the log: well below the longest body the store takes.
pub const PDF_BYTES: usize = 5 << 20;

/// Applications the node or an enterprise may have at a time.
pub const APPLICATIONS_PER_OWNER: usize = 64;

/// Months whose users are kept of an application: three years of reports.
pub const APPLICATION_MONTHS: usize = 36;

/// Limits on enterprises and cases that are written. What is already stored stays in force whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusinessLimits {
    /// See [`ENTERPRISES`].
    pub enterprises: usize,
    /// See [`PREFIXES_PER_ENTERPRISE`].
    pub prefixes_per_enterprise: usize,
    /// Whether an operator may say what the top-level node said. Not when a top-level node is configured, which says so itself.
    pub operator_confirms: bool,
}

impl BusinessLimits {
    /// The defaults of all limits.
    pub const DEFAULT: Self = Self {
        enterprises: usize_of(ENTERPRISES.default),
        prefixes_per_enterprise: usize_of(PREFIXES_PER_ENTERPRISE.default),
        operator_confirms: true,
    };
}

impl Default for BusinessLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Years there may be a plan of: those a plan can be about, so that a slip of the hand is seen.
pub const PLAN_YEARS: std::ops::RangeInclusive<u16> = 2000..=2999;

/// Most industries in the plan of a year: GB/T 4754 has sections from A to T.
pub const PLAN_INDUSTRIES: usize = 20;
