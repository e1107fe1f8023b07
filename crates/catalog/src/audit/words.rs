//! Verbs and outcomes as notes carry them: numbers that never change, and their names.

use std::borrow::Cow;
use std::fmt;

use crate::command::{AddMode, Command, Outcome, PutMode};
use crate::range::RangeCommand;
use crate::template::TemplateCommand;

/// What was asked for. Numbers this version does not know keep their number and are called `verb-N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verb(pub u8);

/// What a command did, by [`Outcome::number`]. Numbers this version does not know keep their number and are called `done-N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Done(pub u8);

impl Verb {
    /// Write a record that must not exist.
    pub const CREATE: Self = Self(1);
    /// Write a record whole, whether or not it exists.
    pub const REPLACE: Self = Self(2);
    /// Add values.
    pub const ADD_VALUES: Self = Self(3);
    /// Change values.
    pub const MODIFY_VALUES: Self = Self(4);
    /// Take values out.
    pub const REMOVE_VALUES: Self = Self(5);
    /// Delete a record.
    pub const DELETE: Self = Self(6);
    /// Take a record out of resolution.
    pub const SUSPEND: Self = Self(7);
    /// Put it back.
    pub const RESUME: Self = Self(8);
    /// Take it out for good.
    pub const REVOKE: Self = Self(9);
    /// Home a prefix.
    pub const HOME: Self = Self(10);
    /// Give a prefix up.
    pub const UNHOME: Self = Self(11);
    /// Make or change a principal.
    pub const PRINCIPAL_PUT: Self = Self(12);
    /// Take a principal away.
    pub const PRINCIPAL_REMOVE: Self = Self(13);
    /// Issue a token.
    pub const TOKEN_ISSUE: Self = Self(14);
    /// End a token.
    pub const TOKEN_REVOKE: Self = Self(15);
    /// Take old items of the audit away.
    pub const PRUNE: Self = Self(16);

    /// Prove who one is.
    pub const AUTHENTICATE: Self = Self(32);
    /// Read what is not public.
    pub const READ: Self = Self(33);
    /// List identifiers.
    pub const LIST: Self = Self(34);
    /// Follow changes.
    pub const WATCH: Self = Self(35);
    /// Read the audit.
    pub const AUDIT: Self = Self(36);
    /// Submit or manage a job.
    pub const JOB: Self = Self(37);
    /// Read or manage principals and tokens.
    pub const MANAGE_ACCESS: Self = Self(38);
    /// Any of them, or none in particular.
    pub const ANY: Self = Self(39);

    /// Order codes.
    pub const RANGE_ALLOCATE: Self = Self(64);
    /// Bind values to codes.
    pub const RANGE_BIND: Self = Self(65);
    /// Say what became of codes.
    pub const RANGE_MARK: Self = Self(66);
    /// Give codes out for printing.
    pub const RANGE_EXPORT: Self = Self(67);
    /// Give codes to a printing station.
    pub const RANGE_LEASE: Self = Self(68);
    /// End that.
    pub const RANGE_RECONCILE: Self = Self(69);

    /// Write a draft of a template.
    pub const TEMPLATE_PUT: Self = Self(80);
    /// Publish a template.
    pub const TEMPLATE_PUBLISH: Self = Self(81);
    /// Let no new identifier have a column.
    pub const TEMPLATE_DISABLE: Self = Self(82);
    /// Let new identifiers have it again.
    pub const TEMPLATE_ENABLE: Self = Self(83);
    /// Take a draft away.
    pub const TEMPLATE_DELETE: Self = Self(84);
    /// Write a record from a template.
    pub const CREATE_FROM_TEMPLATE: Self = Self(85);

    /// The verb of a command.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        match command {
            Command::Put { mode, .. } | Command::PutWithdrawn { mode, .. } => match mode {
                PutMode::Create | PutMode::CreateOrSame => Self::CREATE,
                PutMode::Replace => Self::REPLACE,
            },
            Command::AddValues { mode: AddMode::New | AddMode::NewOrSame | AddMode::Overwrite, .. } => Self::ADD_VALUES,
            Command::ModifyValues { .. } => Self::MODIFY_VALUES,
            Command::RemoveValues { .. } => Self::REMOVE_VALUES,
            Command::Delete { .. } => Self::DELETE,
            Command::Suspend { .. } => Self::SUSPEND,
            Command::Resume { .. } => Self::RESUME,
            Command::Revoke { .. } => Self::REVOKE,
            Command::Home { .. } => Self::HOME,
            Command::Unhome { .. } => Self::UNHOME,
            Command::PutPrincipal { .. } => Self::PRINCIPAL_PUT,
            Command::RemovePrincipal { .. } => Self::PRINCIPAL_REMOVE,
            Command::IssueToken { .. } => Self::TOKEN_ISSUE,
            Command::RevokeToken { .. } => Self::TOKEN_REVOKE,
            Command::Range(command) => match **command {
                RangeCommand::Allocate { .. } => Self::RANGE_ALLOCATE,
                RangeCommand::Bind { .. } => Self::RANGE_BIND,
                RangeCommand::Mark { .. } => Self::RANGE_MARK,
                RangeCommand::Export { .. } => Self::RANGE_EXPORT,
                RangeCommand::Lease { .. } => Self::RANGE_LEASE,
                RangeCommand::Reconcile { .. } => Self::RANGE_RECONCILE,
            },
            Command::Template(command) => match **command {
                TemplateCommand::PutDraft { .. } => Self::TEMPLATE_PUT,
                TemplateCommand::Publish { .. } => Self::TEMPLATE_PUBLISH,
                TemplateCommand::EnableColumn { enabled: false, .. } => Self::TEMPLATE_DISABLE,
                TemplateCommand::EnableColumn { .. } => Self::TEMPLATE_ENABLE,
                TemplateCommand::DeleteDraft { .. } => Self::TEMPLATE_DELETE,
            },
            Command::PutFromTemplate { .. } => Self::CREATE_FROM_TEMPLATE,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        let name = match self.0 {
            64.. => BUSINESS_VERBS.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name),
            32.. => DOOR_VERBS.get(usize::from(self.0 - Self::AUTHENTICATE.0)).copied(),
            _ => name(VERBS, self.0),
        };
        name.map_or_else(|| Cow::Owned(format!("verb-{}", self.0)), Cow::Borrowed)
    }
}

impl Done {
    /// What an outcome is in the audit; `None` for what changed nothing.
    #[must_use]
    pub fn of(outcome: Outcome) -> Option<Self> {
        (outcome != Outcome::Same).then(|| Self(outcome.number()))
    }

    /// The outcome, where this version knows it.
    #[must_use]
    pub fn outcome(self) -> Option<Outcome> {
        Outcome::from_number(self.0)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        name(DONE, self.0).map_or_else(|| Cow::Owned(format!("done-{}", self.0)), Cow::Borrowed)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Names by number; position 0 is number 1.
type Names = &'static [&'static str];

const VERBS: Names = &[
    "create",
    "replace",
    "add-values",
    "modify-values",
    "remove-values",
    "delete",
    "suspend",
    "resume",
    "revoke",
    "home",
    "unhome",
    "principal-put",
    "principal-remove",
    "token-issue",
    "token-revoke",
    "prune",
];

/// Names of what only doors refuse; position 0 is number 32.
const DOOR_VERBS: Names = &["authenticate", "read", "list", "watch", "audit", "job", "manage-access", "any"];

/// Names of what enterprises and their operator do with each other, by number.
const BUSINESS_VERBS: &[(u8, &str)] = &[
    (64, "range-allocate"),
    (65, "range-bind"),
    (66, "range-mark"),
    (67, "range-export"),
    (68, "range-lease"),
    (69, "range-reconcile"),
    (80, "template-put"),
    (81, "template-publish"),
    (82, "template-disable"),
    (83, "template-enable"),
    (84, "template-delete"),
    (85, "create-from-template"),
];

const DONE: Names = &[
    "created",
    "replaced",
    "changed",
    "deleted",
    "same",
    "homed",
    "unhomed",
    "suspended",
    "resumed",
    "revoked",
    "stored",
    "allocated",
    "exported",
    "leased",
    "reconciled",
    "drafted",
    "published",
];

fn name(names: Names, number: u8) -> Option<&'static str> {
    names.get(usize::from(number).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_that_were_published() {
        assert_eq!((Verb::CREATE.name(), Verb::TOKEN_REVOKE.name()), ("create".into(), "token-revoke".into()));
        assert_eq!((Verb::HOME.name(), Verb::PRINCIPAL_PUT.name()), ("home".into(), "principal-put".into()));
        assert_eq!((Done(1).name(), Done(11).name()), ("created".into(), "stored".into()));
        assert_eq!((Verb::AUTHENTICATE.name(), Verb::ANY.name()), ("authenticate".into(), "any".into()));
        assert_eq!(
            (Verb::RANGE_ALLOCATE.name(), Verb::RANGE_RECONCILE.name()),
            ("range-allocate".into(), "range-reconcile".into())
        );
        assert_eq!(
            (Verb::TEMPLATE_PUT.name(), Verb::CREATE_FROM_TEMPLATE.name(), Verb(79).name()),
            ("template-put".into(), "create-from-template".into(), "verb-79".into())
        );
        assert_eq!((Verb(40).name(), Verb(63).name()), ("verb-40".into(), "verb-63".into()));
        assert_eq!((Verb(0).name(), Verb(200).name()), ("verb-0".into(), "verb-200".into()));
        assert_eq!(Done(77).to_string(), "done-77");
    }

    #[test]
    fn only_what_changed_nothing_is_not_in_the_list_of_what_was_done() {
        assert_eq!(Done::of(Outcome::Same), None);
        assert_eq!(Done::of(Outcome::Resumed).unwrap().name(), "resumed");
    }
}
