//! All enterprises and cases, as an immutable table that doors and the writer load.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waymark_store::{Serial, Timestamp};

use super::enterprise::{DocumentKind, Enterprise, EnterpriseId};
use super::file::{FileAt, FileKind};
use super::prefix_case::PrefixCase;
use crate::access::{Rights, Role, Verb};
use crate::vault::Subject;

/// The enterprises and cases of this node at one serial. Never changed once published.
#[derive(Clone, Debug, Default)]
pub struct Business {
    enterprises: BTreeMap<EnterpriseId, Arc<Enterprise>>,
    documents: BTreeMap<(DocumentKind, Box<str>), EnterpriseId>,
    principals: BTreeMap<Arc<str>, EnterpriseId>,
    cases: BTreeMap<Box<[u8]>, Arc<PrefixCase>>,
    disclosures: BTreeMap<EnterpriseId, Disclosure>,
    images: BTreeMap<(EnterpriseId, FileKind), FileAt>,
    /// The greatest name ever given.
    last_id: u32,
    /// Prefixes whose cases the disk does not give: nothing is decided about them.
    unreadable: BTreeSet<Box<[u8]>>,
}

/// The last time somebody read what an enterprise said of its people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// How often that was.
    pub times: u64,
    /// By whom.
    pub by: Arc<str>,
    /// What for.
    pub purpose: String,
    /// When.
    pub time: Timestamp,
    /// Its entry of the log.
    pub serial: Serial,
}

impl Business {
    /// An enterprise.
    #[must_use]
    pub fn enterprise(&self, id: EnterpriseId) -> Option<&Arc<Enterprise>> {
        self.enterprises.get(&id)
    }

    /// All enterprises, in order of their names.
    pub fn enterprises(&self) -> impl DoubleEndedIterator<Item = &Arc<Enterprise>> {
        self.enterprises.values()
    }

    /// The enterprise a principal acts for.
    #[must_use]
    pub fn of_principal(&self, principal: &str) -> Option<&Arc<Enterprise>> {
        self.enterprises.get(self.principals.get(principal)?)
    }

    /// The enterprise that has a document.
    #[must_use]
    pub fn of_document(&self, kind: DocumentKind, number: &str) -> Option<EnterpriseId> {
        self.documents.get(&document(kind, number)).copied()
    }

    /// The case of a prefix, folded.
    #[must_use]
    pub fn case(&self, prefix: &[u8]) -> Option<&Arc<PrefixCase>> {
        self.cases.get(prefix)
    }

    /// All cases, in order of their prefixes.
    pub fn cases(&self) -> impl DoubleEndedIterator<Item = &Arc<PrefixCase>> {
        self.cases.values()
    }

    /// The last time somebody read what an enterprise said of its people.
    #[must_use]
    pub fn disclosure(&self, id: EnterpriseId) -> Option<&Disclosure> {
        self.disclosures.get(&id)
    }

    /// An image of a document of an enterprise.
    #[must_use]
    pub fn image(&self, id: EnterpriseId, kind: FileKind) -> Option<FileAt> {
        self.images.get(&(id, kind)).copied()
    }

    /// The images there are of an enterprise whose people were not forgotten.
    pub fn images(&self, enterprise: &Enterprise) -> impl Iterator<Item = FileKind> {
        let id = enterprise.personal.as_ref().map(|_| enterprise.id);
        FileKind::ALL.iter().copied().filter(move |kind| id.is_some_and(|id| self.image(id, *kind).is_some()))
    }

    /// Number of enterprises.
    #[must_use]
    pub fn enterprise_count(&self) -> usize {
        self.enterprises.len()
    }

    /// Number of cases, those that are over too.
    #[must_use]
    pub fn case_count(&self) -> usize {
        self.cases.len()
    }

    /// The name for the next enterprise: none is ever taken away.
    pub(crate) fn next_id(&self) -> Option<EnterpriseId> {
        self.last_id.checked_add(1).map(EnterpriseId)
    }

    /// Puts an enterprise in, over the one of its name.
    pub(crate) fn put_enterprise(&mut self, enterprise: Enterprise) {
        let id = enterprise.id;
        self.note_id(id);
        if let Some(former) = self.enterprises.get(&id) {
            self.documents.remove(&document_of(former));
            for principal in &former.principals {
                self.principals.remove(principal);
            }
        }
        self.documents.insert(document_of(&enterprise), id);
        self.principals.extend(enterprise.principals.iter().map(|principal| (Arc::clone(principal), id)));
        self.enterprises.insert(id, Arc::new(enterprise));
    }

    /// Notes that a name was given, whether or not its entry can be read.
    pub(crate) fn note_id(&mut self, id: EnterpriseId) {
        self.last_id = self.last_id.max(id.0);
    }

    /// Notes that the case of a prefix cannot be read.
    pub(crate) fn note_unreadable(&mut self, prefix: Box<[u8]>) {
        self.unreadable.insert(prefix);
    }

    /// Whether there is a case of this prefix that cannot be read.
    pub(crate) fn is_unreadable(&self, prefix: &[u8]) -> bool {
        self.unreadable.contains(prefix)
    }

    /// Puts a case in, over the one of its prefix.
    pub(crate) fn put_case(&mut self, case: PrefixCase) {
        self.cases.insert(case.prefix.clone(), Arc::new(case));
    }

    /// Notes that there is an image, or that there is none.
    pub(crate) fn put_image(&mut self, id: EnterpriseId, kind: FileKind, image: Option<FileAt>) {
        match image {
            Some(image) => drop(self.images.insert((id, kind), image)),
            None => drop(self.images.remove(&(id, kind))),
        }
    }

    /// Notes who read last.
    pub(crate) fn put_disclosure(&mut self, id: EnterpriseId, disclosure: Disclosure) {
        self.disclosures.insert(id, disclosure);
    }
}

impl Enterprise {
    /// Whose key opens, or opened, what it said of its people.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        let forgotten = self.forgotten.as_ref().map(|forgotten| forgotten.subject);
        self.personal.as_ref().map(|sealed| sealed.subject).or(forgotten)
    }
}

/// Whether somebody may know of an enterprise and its cases: those who review or audit everywhere, and the principals that act for it.
#[must_use]
pub fn visible(rights: &Rights, enterprise: &Enterprise) -> bool {
    let sees_all = matches!(rights.role(), Role::Operator | Role::Reviewer | Role::Auditor) && rights.is_everywhere();
    rights.has(Verb::Read) && (sees_all || enterprise.is_of(&rights.principal.name))
}

fn document_of(enterprise: &Enterprise) -> (DocumentKind, Box<str>) {
    document(enterprise.profile.document_kind, &enterprise.profile.document_number)
}

/// Numbers that differ in case or blanks are one.
fn document(kind: DocumentKind, number: &str) -> (DocumentKind, Box<str>) {
    let folded: String = number.chars().filter(|each| !each.is_whitespace()).collect();
    (kind, folded.to_ascii_uppercase().into())
}
