//! Verbs and outcomes as notes carry them: numbers that never change, and their names.

use std::borrow::Cow;
use std::fmt;

use crate::business::{ApplicationCommand, BusinessCommand, CaseStep, Deed, OperatorCommand};
use crate::command::{AddMode, Command, Outcome, PutMode};
use crate::link::LinkCommand;
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
    /// Write an enterprise.
    pub const ENTERPRISE_PUT: Self = Self(90);
    /// Note what verifying it came to.
    pub const ENTERPRISE_REAL_NAME: Self = Self(91);
    /// Forget what it said of people.
    pub const ENTERPRISE_FORGET: Self = Self(92);
    /// Read what it said of people.
    pub const ENTERPRISE_DISCLOSE: Self = Self(93);
    /// Ask for a prefix.
    pub const PREFIX_APPLY: Self = Self(94);
    /// Take that into review.
    pub const PREFIX_REVIEW: Self = Self(95);
    /// Approve it for this node.
    pub const PREFIX_APPROVE: Self = Self(96);
    /// Refuse it for this node.
    pub const PREFIX_REJECT: Self = Self(97);
    /// Say what the top-level node said.
    pub const PREFIX_CONFIRM: Self = Self(98);
    /// Make it live here.
    pub const PREFIX_HOST: Self = Self(99);
    /// Make the enterprise's own sites answer for it.
    pub const PREFIX_DELEGATE: Self = Self(100);
    /// Stop it.
    pub const PREFIX_SUSPEND: Self = Self(101);
    /// Go on with it.
    pub const PREFIX_RESUME: Self = Self(102);
    /// End it.
    pub const PREFIX_DELETE: Self = Self(103);
    /// Keep an image of a document, or take it away.
    pub const ENTERPRISE_IMAGE: Self = Self(104);
    /// Write what the node says of itself.
    pub const OPERATOR_PUT: Self = Self(130);
    /// Forget what it said of people.
    pub const OPERATOR_FORGET: Self = Self(131);
    /// Read what it said of people, or a file.
    pub const OPERATOR_DISCLOSE: Self = Self(132);
    /// Keep a file of it, or take it away.
    pub const OPERATOR_FILE: Self = Self(133);
    /// Write an application.
    pub const APPLICATION_PUT: Self = Self(134);
    /// Say how many used it.
    pub const APPLICATION_USERS: Self = Self(135);
    /// Take it away.
    pub const APPLICATION_DELETE: Self = Self(136);
    /// Put back, as it was, what is no record.
    pub const RESTORE: Self = Self(140);
    /// Have parts of sets sent upward again.
    pub const SYNC_RESEND: Self = Self(150);
    /// Settle parts of sets by hand.
    pub const SYNC_MARK: Self = Self(151);
    /// Hold sets back.
    pub const SYNC_PAUSE: Self = Self(152);
    /// Let them go on.
    pub const SYNC_RESUME: Self = Self(153);
    /// Write the plan of a year.
    pub const PLAN_PUT: Self = Self(154);
    /// Report a fault.
    pub const INCIDENT_REPORT: Self = Self(155);
    /// Say that it is over, or what was done about it.
    pub const INCIDENT_RECOVER: Self = Self(156);
    /// Declare a time without service.
    pub const MAINTENANCE_BEGIN: Self = Self(157);
    /// End it.
    pub const MAINTENANCE_END: Self = Self(158);
    /// Make a deposit.
    pub const DEPOSIT_MAKE: Self = Self(159);
    /// Make and send deposits at once.
    pub const DEPOSIT_SEND: Self = Self(160);
    /// Recall a record.
    pub const RECALL: Self = Self(110);
    /// Lift that.
    pub const RECALL_LIFT: Self = Self(111);
    /// Recall codes.
    pub const RANGE_RECALL: Self = Self(112);
    /// Lift that.
    pub const RANGE_RECALL_LIFT: Self = Self(113);
    /// Pack identifiers in another.
    pub const AGGREGATE: Self = Self(120);
    /// Take them out.
    pub const DISAGGREGATE: Self = Self(121);

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
            Command::Recall { .. } => Self::RECALL,
            Command::LiftRecall { .. } => Self::RECALL_LIFT,
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
                RangeCommand::Recall { .. } => Self::RANGE_RECALL,
                RangeCommand::LiftRecall { .. } => Self::RANGE_RECALL_LIFT,
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
            Command::Business(command) => Self::of_business(command),
            Command::Restore(_) => Self::RESTORE,
            Command::Link(command) => match **command {
                LinkCommand::Aggregate { .. } => Self::AGGREGATE,
                LinkCommand::Disaggregate { .. } => Self::DISAGGREGATE,
            },
        }
    }

    fn of_business(command: &BusinessCommand) -> Self {
        match command {
            BusinessCommand::PutEnterprise { .. } => Self::ENTERPRISE_PUT,
            BusinessCommand::SetRealName { .. } => Self::ENTERPRISE_REAL_NAME,
            BusinessCommand::Forget { .. } => Self::ENTERPRISE_FORGET,
            BusinessCommand::Disclose { .. } => Self::ENTERPRISE_DISCLOSE,
            BusinessCommand::PutImage { .. } => Self::ENTERPRISE_IMAGE,
            BusinessCommand::Apply { .. } => Self::PREFIX_APPLY,
            BusinessCommand::Step { step, .. } => match step {
                CaseStep::Review => Self::PREFIX_REVIEW,
                CaseStep::Approve => Self::PREFIX_APPROVE,
                CaseStep::Reject { .. } => Self::PREFIX_REJECT,
                CaseStep::ConfirmTopLevel { .. } => Self::PREFIX_CONFIRM,
                CaseStep::Host => Self::PREFIX_HOST,
                CaseStep::Delegate { .. } => Self::PREFIX_DELEGATE,
                CaseStep::Suspend { .. } => Self::PREFIX_SUSPEND,
                CaseStep::Resume => Self::PREFIX_RESUME,
                CaseStep::Delete { .. } => Self::PREFIX_DELETE,
            },
            BusinessCommand::Operator(command) => match command {
                OperatorCommand::Put { .. } => Self::OPERATOR_PUT,
                OperatorCommand::Forget { .. } => Self::OPERATOR_FORGET,
                OperatorCommand::Disclose { .. } => Self::OPERATOR_DISCLOSE,
                OperatorCommand::PutFile { .. } => Self::OPERATOR_FILE,
                OperatorCommand::NoteDeed { deed, .. } => Self::of_deed(*deed),
                OperatorCommand::PutPlan { .. } => Self::PLAN_PUT,
            },
            BusinessCommand::Application(command) => match **command {
                ApplicationCommand::Put { .. } => Self::APPLICATION_PUT,
                ApplicationCommand::CountUsers { .. } => Self::APPLICATION_USERS,
                ApplicationCommand::Delete { .. } => Self::APPLICATION_DELETE,
            },
        }
    }

    /// The verb of what was done beside the catalog.
    pub(crate) const fn of_deed(deed: Deed) -> Self {
        match deed {
            Deed::SyncResend => Self::SYNC_RESEND,
            Deed::SyncMark => Self::SYNC_MARK,
            Deed::SyncPause => Self::SYNC_PAUSE,
            Deed::SyncResume => Self::SYNC_RESUME,
            Deed::IncidentReport => Self::INCIDENT_REPORT,
            Deed::IncidentRecover => Self::INCIDENT_RECOVER,
            Deed::MaintenanceBegin => Self::MAINTENANCE_BEGIN,
            Deed::MaintenanceEnd => Self::MAINTENANCE_END,
            Deed::DepositMake => Self::DEPOSIT_MAKE,
            Deed::DepositSend => Self::DEPOSIT_SEND,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        let name = match self.0 {
            64.. => numbered(BUSINESS_VERBS, self.0),
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
        numbered(DONE, self.0).map_or_else(|| Cow::Owned(format!("done-{}", self.0)), Cow::Borrowed)
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

/// Names and the numbers they stand for.
type Numbered = &'static [(u8, &'static str)];

/// What enterprises and their operator do with each other.
const BUSINESS_VERBS: Numbered = &[
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
    (90, "enterprise-put"),
    (91, "enterprise-real-name"),
    (92, "enterprise-forget"),
    (93, "enterprise-disclose"),
    (94, "prefix-apply"),
    (95, "prefix-review"),
    (96, "prefix-approve"),
    (97, "prefix-reject"),
    (98, "prefix-confirm"),
    (99, "prefix-host"),
    (100, "prefix-delegate"),
    (101, "prefix-suspend"),
    (102, "prefix-resume"),
    (103, "prefix-delete"),
    (104, "enterprise-image"),
    (110, "recall"),
    (111, "recall-lift"),
    (112, "range-recall"),
    (113, "range-recall-lift"),
    (120, "aggregate"),
    (121, "disaggregate"),
    (130, "operator-put"),
    (131, "operator-forget"),
    (132, "operator-disclose"),
    (133, "operator-file"),
    (134, "application-put"),
    (135, "application-users"),
    (136, "application-delete"),
    (140, "restore"),
    (150, "sync-resend"),
    (151, "sync-mark"),
    (152, "sync-pause"),
    (153, "sync-resume"),
    (154, "plan-put"),
    (155, "incident-report"),
    (156, "incident-recover"),
    (157, "maintenance-begin"),
    (158, "maintenance-end"),
    (159, "deposit-make"),
    (160, "deposit-send"),
];

const DONE: Numbered = &[
    (1, "created"),
    (2, "replaced"),
    (3, "changed"),
    (4, "deleted"),
    (5, "same"),
    (6, "homed"),
    (7, "unhomed"),
    (8, "suspended"),
    (9, "resumed"),
    (10, "revoked"),
    (11, "stored"),
    (12, "allocated"),
    (13, "exported"),
    (14, "leased"),
    (15, "reconciled"),
    (16, "drafted"),
    (17, "published"),
    (20, "applied"),
    (21, "in-review"),
    (22, "approved"),
    (23, "rejected"),
    (24, "confirmed"),
    (25, "hosted"),
    (26, "delegated"),
    (27, "forgotten"),
    (28, "disclosed"),
    (29, "recalled"),
    (30, "recall-lifted"),
    (32, "aggregated"),
    (33, "disaggregated"),
];

fn name(names: Names, number: u8) -> Option<&'static str> {
    names.get(usize::from(number).checked_sub(1)?).copied()
}

fn numbered(names: Numbered, number: u8) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
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
        assert_eq!(
            (Verb::ENTERPRISE_PUT.name(), Verb::PREFIX_DELETE.name()),
            ("enterprise-put".into(), "prefix-delete".into())
        );
        assert_eq!(
            (Verb(70).name(), Done(18).name(), Done(28).name()),
            ("verb-70".into(), "done-18".into(), "disclosed".into())
        );
        assert_eq!(
            (Verb::AGGREGATE.name(), Verb::DISAGGREGATE.name(), Done(33).name()),
            ("aggregate".into(), "disaggregate".into(), "disaggregated".into())
        );
        assert_eq!(
            (Verb::OPERATOR_PUT.name(), Verb::OPERATOR_FILE.name(), Verb::APPLICATION_DELETE.name()),
            ("operator-put".into(), "operator-file".into(), "application-delete".into())
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
