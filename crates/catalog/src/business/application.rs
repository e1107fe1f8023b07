//! Applications of identifiers, of the node itself and of its enterprises, and how many people use each.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};

use super::Problem;
use super::enterprise::{is_date, named, needed_text, text_within};
use super::owner::Owner;
use crate::config::{APPLICATION_MONTHS, DESCRIPTION_CHARS, ORGANISATION_NAME_CHARS, SHORT_TEXT_CHARS};
use crate::verdict::Zone;

/// Names an application on this node: the serial of the entry that made it, so that none is ever used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationId(pub u64);

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A{}", self.0)
    }
}

/// The text is not `A` and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an application, such as A7")]
pub struct ApplicationIdError;

impl FromStr for ApplicationId {
    type Err = ApplicationIdError;

    fn from_str(text: &str) -> Result<Self, ApplicationIdError> {
        let digits = text.strip_prefix(['A', 'a']).ok_or(ApplicationIdError)?;
        let sound = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
        let number = digits.parse().map_err(|_| ApplicationIdError)?;
        if sound { Ok(Self(number)) } else { Err(ApplicationIdError) }
    }
}

named! {
    /// What an application is.
    ApplicationKind {
        /// Installed on telephones.
        App = "app",
        /// Within another application.
        MiniProgram = "mini-program",
        /// In a browser.
        Web = "web",
        /// Installed on computers.
        Pc = "pc",
        /// Anything else.
        Other = "other",
    }
}

impl ApplicationKind {
    /// Its number in the report.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::App => 1,
            Self::MiniProgram => 2,
            Self::Web => 3,
            Self::Pc => 4,
            Self::Other => 5,
        }
    }
}

/// A month of China Standard Time, as `2026-11`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Month(pub String);

impl Month {
    /// Checks that it is a month, and has begun.
    ///
    /// # Errors
    /// It is no month, or one to come.
    fn check(&self, now: Timestamp) -> Result<(), Problem> {
        if !is_date(&format!("{}-01", self.0)) {
            return Err(Problem::new("month", "is no month such as 2026-11"));
        }
        let today = Zone::CHINA.day_of(now).to_string();
        if today.get(..7).is_some_and(|current| self.0.as_str() > current) {
            return Err(Problem::new("month", "has not begun"));
        }
        Ok(())
    }
}

/// What is said of an application, but for its users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationProfile {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: ApplicationKind,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// The recursive node it resolves with.
    #[serde(default)]
    pub recursive_node: String,
    /// Who made it.
    #[serde(default)]
    pub developer: String,
}

impl ApplicationProfile {
    /// Checks every field against its limits.
    ///
    /// # Errors
    /// The first field that is not what it may be.
    pub fn check(&self) -> Result<(), Problem> {
        needed_text("name", &self.name, SHORT_TEXT_CHARS)?;
        text_within("description", &self.description, DESCRIPTION_CHARS)?;
        text_within("recursive_node", &self.recursive_node, SHORT_TEXT_CHARS)?;
        text_within("developer", &self.developer, ORGANISATION_NAME_CHARS)
    }
}

/// How many people used an application in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthlyUsers {
    /// The month.
    pub month: Month,
    /// How many.
    pub users: u64,
}

/// An application as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// What it is called here.
    pub id: ApplicationId,
    /// Whose it is.
    pub owner: Owner,
    /// What is said of it.
    pub profile: ApplicationProfile,
    /// How many people used it, by month; the latest months.
    pub users: BTreeMap<Month, u64>,
    /// When it was first written.
    pub created: Timestamp,
    /// By whom it was written last.
    pub by: Arc<str>,
    /// Its entry of the log.
    pub serial: Serial,
    /// When that was written.
    pub time: Timestamp,
}

impl Application {
    /// Notes the users of a month, at `now`; the oldest month goes when there are too many.
    ///
    /// # Errors
    /// The month is not one that may be told of.
    pub(crate) fn count_users(&mut self, told: &MonthlyUsers, now: Timestamp) -> Result<(), Problem> {
        told.month.check(now)?;
        self.users.insert(told.month.clone(), told.users);
        if self.users.len() > APPLICATION_MONTHS
            && let Some((gone, _)) = self.users.pop_first()
            && gone == told.month
        {
            return Err(Problem::new("month", "lies before the 36 that are kept"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-29 16:00 UTC, which is the last day of the month before 2026-12 in China only from 2026-11-30 16:00 on.
    const NOW: Timestamp = Timestamp(1_795_968_000_000);

    fn application() -> Application {
        Application {
            id: ApplicationId(7),
            owner: Owner::Node,
            profile: ApplicationProfile {
                name: "trace".into(),
                kind: ApplicationKind::Web,
                description: String::new(),
                recursive_node: String::new(),
                developer: String::new(),
            },
            users: BTreeMap::new(),
            created: NOW,
            by: "op".into(),
            serial: Serial(7),
            time: NOW,
        }
    }

    fn told(month: &str, users: u64) -> MonthlyUsers {
        MonthlyUsers { month: Month(month.into()), users }
    }

    #[test]
    fn names_of_applications_come_back() {
        assert_eq!(ApplicationId(7).to_string().parse(), Ok(ApplicationId(7)));
        for wrong in ["", "A", "7", "A07", "A+1", "E7", "A99999999999999999999"] {
            assert_eq!(wrong.parse::<ApplicationId>(), Err(ApplicationIdError), "{wrong}");
        }
    }

    #[test]
    fn kinds_have_the_numbers_of_the_report() {
        let numbers: Vec<u8> = ApplicationKind::ALL.iter().map(|kind| kind.number()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn users_are_told_of_months_that_have_begun() {
        let mut application = application();
        for month in ["2026-13", "2026-1", "2026", "2026-11-01", "", "２０２６-11"] {
            let refused = application.count_users(&told(month, 1), NOW).unwrap_err();
            assert_eq!(refused.problem, "is no month such as 2026-11", "{month}");
        }
        application.count_users(&told("2026-11", 5), NOW).unwrap();
        let last_moment = Timestamp(1_796_054_399_999);
        assert_eq!(application.count_users(&told("2026-12", 1), last_moment).unwrap_err().problem, "has not begun");
        application.count_users(&told("2026-12", 6), Timestamp(last_moment.0 + 1)).unwrap();
        assert_eq!(application.users.values().copied().collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn the_latest_months_are_kept() {
        let mut application = application();
        let months = (2023..2026).flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}")));
        months.for_each(|month| application.count_users(&told(&month, 1), NOW).unwrap());
        assert_eq!(application.users.len(), APPLICATION_MONTHS);
        assert!(application.clone().count_users(&told("2022-12", 1), NOW).is_err());
        application.count_users(&told("2026-01", 2), NOW).unwrap();
        assert_eq!((application.users.len(), application.users.keys().next()), (36, Some(&Month("2023-02".into()))));
    }
}
