//! Roles, and the verbs each of them may use.

use std::fmt;

/// What somebody is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Runs the node: everything.
    Operator,
    /// Reviews: reads everything, suspends and revokes.
    Reviewer,
    /// Reads everything, the audit too; writes nothing.
    Auditor,
    /// Writes within its prefixes, and manages writers and readers there.
    EnterpriseAdministrator,
    /// Writes within its prefixes.
    Writer,
    /// Reads within its prefixes what is not public.
    Reader,
}

/// Something a caller may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Register identifiers.
    Create,
    /// Replace, add, modify or remove values.
    Modify,
    /// Delete identifiers.
    Delete,
    /// Suspend and resume identifiers.
    Suspend,
    /// Revoke identifiers.
    Revoke,
    /// Home and unhome prefixes.
    Home,
    /// Manage principals and tokens.
    ManageAccess,
    /// Read values that are not public, history and streams of changes.
    Read,
    /// List identifiers.
    List,
    /// Follow changes.
    Watch,
    /// Read the audit.
    Audit,
    /// Submit jobs.
    Job,
    /// Order code packages.
    Allocate,
    /// Have codes printed: export, lease, report.
    Print,
    /// Write and publish templates.
    Template,
    /// Write one's enterprise, ask for prefixes.
    Apply,
    /// Verify enterprises, review what they ask for.
    Review,
}

/// A set of verbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verbs(u32);

impl Verb {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Create,
        Self::Modify,
        Self::Delete,
        Self::Suspend,
        Self::Revoke,
        Self::Home,
        Self::ManageAccess,
        Self::Read,
        Self::List,
        Self::Watch,
        Self::Audit,
        Self::Job,
        Self::Allocate,
        Self::Print,
        Self::Template,
        Self::Apply,
        Self::Review,
    ];

    /// Its name in tokens, audits and messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Modify => "modify",
            Self::Delete => "delete",
            Self::Suspend => "suspend",
            Self::Revoke => "revoke",
            Self::Home => "home",
            Self::ManageAccess => "manage-access",
            Self::Read => "read",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Audit => "audit",
            Self::Job => "job",
            Self::Allocate => "allocate",
            Self::Print => "print",
            Self::Template => "template",
            Self::Apply => "apply",
            Self::Review => "review",
        }
    }

    /// The verb of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == name)
    }

    const fn bit(self) -> u32 {
        1 << self as u16
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Operator, Self::Reviewer, Self::Auditor, Self::EnterpriseAdministrator, Self::Writer, Self::Reader];

    /// Its name in records and messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Reviewer => "reviewer",
            Self::Auditor => "auditor",
            Self::EnterpriseAdministrator => "enterprise-administrator",
            Self::Writer => "writer",
            Self::Reader => "reader",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What it may do.
    #[must_use]
    pub fn verbs(self) -> Verbs {
        use Verb::{
            Allocate, Apply, Audit, Create, Delete, Job, List, ManageAccess, Modify, Print, Read, Review, Revoke,
            Suspend, Template, Watch,
        };
        match self {
            Self::Operator => Verb::ALL.into_iter().collect(),
            Self::Reviewer => [Suspend, Revoke, Read, List, Watch, Apply, Review].into_iter().collect(),
            Self::Auditor => [Audit, Read, List, Watch].into_iter().collect(),
            Self::EnterpriseAdministrator => {
                let all = [
                    Create,
                    Modify,
                    Delete,
                    Suspend,
                    Revoke,
                    ManageAccess,
                    Read,
                    List,
                    Watch,
                    Job,
                    Allocate,
                    Print,
                    Template,
                    Apply,
                ];
                all.into_iter().collect()
            }
            Self::Writer => [Create, Modify, Delete, Read, List, Watch, Job, Allocate, Print].into_iter().collect(),
            Self::Reader => [Read, List, Watch].into_iter().collect(),
        }
    }
}

impl Verbs {
    /// Whether the verb is among them.
    #[must_use]
    pub const fn has(self, verb: Verb) -> bool {
        self.0 & verb.bit() != 0
    }

    /// Those in both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The verbs in the order of [`Verb::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |verb| self.has(*verb))
    }

    /// Whether all of these are among the others.
    #[must_use]
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

impl FromIterator<Verb> for Verbs {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> Self {
        Self(verbs.into_iter().fold(0, |set, verb| set | verb.bit()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.as_str()), Some(role));
        }
        for verb in Verb::ALL {
            assert_eq!(Verb::from_name(verb.as_str()), Some(verb));
        }
        assert_eq!(Verb::from_name("all"), None);
    }

    #[test]
    fn only_operators_home_and_only_operators_and_auditors_read_the_audit() {
        let who = |verb| Role::ALL.into_iter().filter(move |role| role.verbs().has(verb)).collect::<Vec<_>>();
        assert_eq!(who(Verb::Home), [Role::Operator]);
        assert_eq!(who(Verb::Audit), [Role::Operator, Role::Auditor]);
        assert_eq!(who(Verb::Create), [Role::Operator, Role::EnterpriseAdministrator, Role::Writer]);
    }
}
