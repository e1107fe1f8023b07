//! What is wrong with a part: row, field and problem, never what was given.

use waymark_api::toplevel::v1::Complaint;

use super::COMPLAINTS;

/// The first complaints of a part.
#[derive(Clone, Debug, Default)]
pub struct Complaints {
    told: Vec<Complaint>,
}

impl Complaints {
    /// One complaint about a part as a whole.
    pub(crate) fn of_part(field: &str, problem: impl Into<String>) -> Self {
        let mut complaints = Self::default();
        complaints.add(0, field.to_owned(), problem.into());
        complaints
    }

    /// Adds one, unless there are enough; row 0 is the part as a whole.
    pub(crate) fn add(&mut self, row: u64, field: String, problem: String) {
        if self.told.len() < COMPLAINTS {
            self.told.push(Complaint { row, field, problem });
        }
    }

    /// Adds one about the part as a whole.
    pub(crate) fn add_of_part(&mut self, field: &str, problem: impl Into<String>) {
        self.add(0, field.to_owned(), problem.into());
    }

    /// Whether there is nothing to complain of.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Whether more would not be told.
    pub(crate) const fn is_full(&self) -> bool {
        self.told.len() >= COMPLAINTS
    }

    /// The first of them.
    #[must_use]
    pub fn told(&self) -> &[Complaint] {
        &self.told
    }

    /// The first of them, to be sent.
    #[must_use]
    pub fn into_told(self) -> Vec<Complaint> {
        self.told
    }
}

/// Of a part whose sender says that it is settled otherwise.
pub(crate) fn withdrawn() -> Complaints {
    Complaints::of_part("withdrawn", "says that its sender settled it otherwise")
}
