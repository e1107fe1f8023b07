//! What the node says of itself: the operator's own record, of which a node has exactly one.
//!
//! It is the record of an enterprise ([`Profile`], what is said of people sealed) and what only a node says ([`NodeItems`], the files of
//! [`FileKind`]). The fields are those of the report to the top-level node; a test counts them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::Problem;
use super::codes::CodeTables;
use super::enterprise::{Forgotten, Operation, Party, Profile, check_operation};
use super::file::FileKind;
use crate::vault::{Personal, Sealed, check_email, check_phone};

/// What a node says of itself beyond what an enterprise does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeItems {
    /// Who verifies the real names of enterprises; its sources of data and contract are files.
    pub verification: Operation,
    /// Whether whoever hosts the data is in the country.
    #[serde(default)]
    pub data_hosting_domestic: bool,
    /// Whether whoever hosts the service is in the country.
    #[serde(default)]
    pub service_hosting_domestic: bool,
}

impl NodeItems {
    /// Checks every field against its limits, and against the profile it belongs to.
    ///
    /// # Errors
    /// The first field that is not what it may be.
    pub fn check(&self, profile: &Profile) -> Result<(), Problem> {
        check_operation("verification", &self.verification)?;
        for (field, domestic, hosting) in [
            ("data_hosting_domestic", self.data_hosting_domestic, &profile.data_hosting),
            ("service_hosting_domestic", self.service_hosting_domestic, &profile.service_hosting),
        ] {
            if domestic && hosting.is_empty() {
                return Err(Problem::new(field, "is said of nobody: no hosting organisation is named"));
            }
        }
        Ok(())
    }
}

/// How to reach the legal representative. Never printed, and wiped when it is dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// Telephone.
    pub phone: String,
    /// E-mail.
    pub email: String,
    /// Fax; may be empty.
    #[serde(default)]
    pub fax: String,
}

/// The people of the operator. Never printed, and wiped when it is dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct OperatorPersonal {
    /// What an enterprise says too.
    pub people: Personal,
    /// How to reach its legal representative.
    pub representative: Reach,
}

impl OperatorPersonal {
    /// Checks every field against its limits. What is wrong never holds what was given.
    ///
    /// # Errors
    /// The first field that is not what it may be.
    pub fn check(&self) -> Result<(), Problem> {
        self.people.check()?;
        let Reach { phone, email, fax } = &self.representative;
        check_phone("representative_phone", phone)?;
        check_email("representative_email", email)?;
        if fax.is_empty() { Ok(()) } else { check_phone("representative_fax", fax) }
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reach(..)")
    }
}

impl fmt::Debug for OperatorPersonal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorPersonal(..)")
    }
}

/// The node's own record as it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRecord {
    /// What any organisation says of itself.
    pub profile: Profile,
    /// What only a node says.
    pub node: NodeItems,
    /// What it says of its people; `None` when it was forgotten.
    pub personal: Option<Sealed>,
    /// That what it said of its people was forgotten, when it was and nothing was given since.
    pub forgotten: Option<Forgotten>,
    /// When it was first written.
    pub created: Timestamp,
    /// By whom it was written last.
    pub by: Arc<str>,
    /// Its entry of the log.
    pub serial: Serial,
    /// When that was written.
    pub time: Timestamp,
}

impl OperatorRecord {
    /// Checks what is said in clear.
    ///
    /// # Errors
    /// The first field that is not what it may be.
    pub(crate) fn check(profile: &Profile, node: &NodeItems, codes: &CodeTables) -> Result<(), Problem> {
        profile.check(codes)?;
        node.check(profile)
    }

    /// What the report still wants, by name, given which files there are.
    #[must_use]
    pub fn missing(&self, has: &dyn Fn(FileKind) -> bool) -> Vec<&'static str> {
        let profile = &self.profile;
        let is_entrusted =
            |operation: Option<&Operation>| operation.is_some_and(|operation| operation.party == Party::Entrusted);
        let contracts = [
            (FileKind::VerificationContract, is_entrusted(Some(&self.node.verification))),
            (FileKind::BuildContract, is_entrusted(profile.build.as_ref())),
            (FileKind::OperationContract, is_entrusted(profile.operation.as_ref())),
            (FileKind::DataHostingContract, !profile.data_hosting.is_empty()),
            (FileKind::ServiceHostingContract, !profile.service_hosting.is_empty()),
        ];
        let images = FileKind::IMAGES.into_iter().map(|kind| (kind, true));
        let files = images.chain(contracts).filter(|(kind, wanted)| *wanted && !has(*kind));
        let mut missing: Vec<_> = [
            ("personal", self.personal.is_none()),
            ("build", profile.build.is_none()),
            ("operation", profile.operation.is_none()),
        ]
        .into_iter()
        .filter_map(|(name, is_missing)| is_missing.then_some(name))
        .collect();
        missing.extend(files.map(|(kind, _)| kind.as_str()));
        if !FileKind::SOURCES.into_iter().any(has) {
            missing.push("verification-source");
        }
        missing
    }
}
