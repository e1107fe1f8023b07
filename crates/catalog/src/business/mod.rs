//! Enterprises and their prefixes: who they are, whether that was verified, and how a prefix becomes theirs; what the node says of itself in the
//! same words, and the applications of both.
//!
//! An enterprise is written by the principals that act for it, or by a reviewer. It asks for a prefix; each prefix that was asked for has a *case*, whose
//! steps are commands of the one write path, each kept with its time, its actor and its reason:
//!
//! | from | step | to | who |
//! |---|---|---|---|
//! | awaiting-review | review | in-review | reviewer |
//! | in-review | approve | awaiting-top-level | reviewer |
//! | in-review | reject | rejected | reviewer |
//! | awaiting-top-level | confirm | active | operator, or the top-level node |
//! | awaiting-top-level | refuse | rejected | operator, or the top-level node |
//! | active | host | active | operator |
//! | active | delegate | active | operator |
//! | active | suspend | suspended | reviewer |
//! | suspended | resume | active | reviewer |
//! | active | delete | deleted | operator |
//! | suspended | delete | deleted | operator |
//! | rejected | apply | awaiting-review | any enterprise |
//! | deleted | apply | awaiting-review | the enterprise that had it, since its identifiers are still stored |
//!
//! The first application makes the case. Numbers of states as they are published (PFX-2):
//!
//! | state | suspended | active | deleted | rejected | awaiting-review | in-review, awaiting-top-level |
//! |---|---|---|---|---|---|---|
//! | number | 0 | 1 | 2 | 3 | 4 | 5 |
//!
//! What an active case says is so in the same group: `host` homes the prefix, `delegate` writes the sites of the enterprise into the record
//! `0.NA/<prefix>`, so that resolvers refer to them; `suspend` and `delete` take both away, and `resume` puts back what was. Approval needs an
//! enterprise whose documents were verified.
//!
//! | file | holds |
//! |---|---|
//! | `enterprise` | the record of an enterprise, its limits |
//! | `operator`, `operator_change` | what the node says of itself, and what a command means for it |
//! | `application`, `application_change` | applications, and what a command means for them |
//! | `plan` | what is planned for a year |
//! | `deed` | what was done beside the catalog, noted for the audit |
//! | `owner` | the node or an enterprise |
//! | `sealed` | reading what is said of people, keeping files |
//! | `file` | images and other files of documents |
//! | `codes` | the tables of industries and regions |
//! | `prefix_case` | the case of a prefix, its states and steps, sites as values |
//! | `table` | all of them, and who may see which |
//! | `change` | what a command means for the table: changes, nothing, or a refusal |
//! | `stored` | enterprises and cases as they stand in the log |
//! | `load` | reading them at start |

mod application;
mod application_change;
pub(crate) mod change;
mod codes;
mod deed;
mod enterprise;
mod file;
pub(crate) mod load;
mod operator;
mod operator_change;
mod owner;
mod plan;
mod prefix_case;
mod sealed;
pub(crate) mod stored;
mod table;

pub use application::{
    Application, ApplicationId, ApplicationIdError, ApplicationKind, ApplicationProfile, Month, MonthlyUsers,
};
pub use application_change::ApplicationCommand;
pub use change::BusinessCommand;
pub use codes::{CodeTable, CodeTableError, CodeTables};
pub use deed::{Deed, NotedDeed};
pub use enterprise::{
    Date, DocumentKind, Enterprise, EnterpriseId, EnterpriseIdError, Forgotten, Licence, LicenceKind, Location, Nature,
    Operation, Party, Profile, RealName, RealNameResult,
};
pub(crate) use enterprise::{needed_text, text_within};
pub use file::{FileAt, FileFormat, FileKind, FreshFile, StoredFile};
pub use load::BusinessLoadError;
pub use operator::{NodeItems, OperatorPersonal, OperatorRecord, Reach};
pub use operator_change::OperatorCommand;
pub use owner::Owner;
pub use plan::{KeptPlan, YearPlan};
pub(crate) use prefix_case::site_values;
pub use prefix_case::{CaseState, CaseStep, OwnSite, Placement, PrefixCase, Step, StepKind, Wish};
pub use stored::StoredBusinessError;
pub use table::{Business, Disclosure, visible, visible_applications, visible_operator};

use crate::refusal::Refusal;

/// A field that is not what it may be. Holds names, never what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct Problem {
    /// Which field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl Problem {
    pub(crate) const fn new(field: &'static str, problem: &'static str) -> Self {
        Self { field, problem }
    }
}

impl From<Problem> for Refusal {
    fn from(Problem { field, problem }: Problem) -> Self {
        Self::InvalidBusiness { field, problem }
    }
}
