//! Protocol versions, and what depends on them.

use core::fmt;

/// A protocol version, ordered by major and then minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Major number. Only the low five bits travel where a version is suggested.
    pub major: u8,
    /// Minor number.
    pub minor: u8,
}

impl Version {
    /// The newest version we speak, that of the reference.
    pub const CURRENT: Self = Self::new(2, 11);

    /// What Teleinfo's clients send, and nobody else who is known.
    pub const TELEINFO: Self = Self::new(2, 10);

    /// What a client sends before it knows the server.
    pub const FIRST_CONTACT: Self = Self::new(2, 3);

    /// Sent by very old clients that meant 2.0.
    pub const LEGACY_FIVE: Self = Self::new(5, 0);

    /// A version of these numbers.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// The version whose formats a message of this version uses: 5.0 meant 2.0, all others mean themselves.
    #[must_use]
    pub const fn formats(self) -> Self {
        match self {
            Self { major: 5, minor: 0 } => Self::new(2, 0),
            other => other,
        }
    }

    /// Tells whether the formats are those of 2.`minor` or later.
    #[must_use]
    pub const fn at_least_2(self, minor: u8) -> bool {
        let formats = self.formats();
        formats.major > 2 || (formats.major == 2 && formats.minor >= minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The version of the answer to a message of `version` whose sender suggests `suggested`, by a server that speaks up
/// to `own`: the lower of the two. 5.0 is answered as 5.0, with the formats of 2.0.
///
/// Versions are not validated: whatever a client claims, it is answered.
#[must_use]
pub fn negotiate(version: Version, suggested: Version, own: Version) -> Version {
    if version == Version::LEGACY_FIVE {
        return version;
    }
    suggested.min(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_the_lower_version() {
        let answer = |version: (u8, u8), suggested: (u8, u8)| {
            let v =
                negotiate(Version::new(version.0, version.1), Version::new(suggested.0, suggested.1), Version::CURRENT);
            (v.major, v.minor)
        };
        assert_eq!(answer((2, 3), (2, 3)), (2, 3));
        assert_eq!(answer((2, 1), (2, 11)), (2, 11));
        assert_eq!(answer((2, 10), (2, 10)), (2, 10));
        assert_eq!(answer((2, 11), (3, 0)), (2, 11));
        assert_eq!(answer((5, 0), (5, 0)), (5, 0));
    }

    #[test]
    fn five_means_two() {
        assert!(!Version::LEGACY_FIVE.at_least_2(1));
        assert!(Version::new(3, 0).at_least_2(11));
        assert!(Version::new(2, 11).at_least_2(11));
        assert!(!Version::new(2, 10).at_least_2(11));
        assert!(!Version::new(0, 0).at_least_2(0));
    }
}
