//! All enterprises and cases, the node's own record and all applications, as an immutable table that doors and the writer load.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use waymark_store::{Serial, Timestamp};

use super::application::{Application, ApplicationId};
use super::deed::NotedDeed;
use super::enterprise::{DocumentKind, Enterprise, EnterpriseId};
use super::file::{FileAt, FileKind};
use super::operator::OperatorRecord;
use super::owner::Owner;
use super::plan::KeptPlan;
use super::prefix_case::PrefixCase;
use crate::access::{Rights, Role, Verb};
use crate::vault::People;

/// The enterprises and cases of this node at one serial. Never changed once published.
///
/// A change of a published table copies the map it is in, which holds names and pointers; the other maps are shared.
#[derive(Clone, Debug, Default)]
pub struct Business {
    enterprises: Shared<EnterpriseId, Arc<Enterprise>>,
    documents: Shared<(DocumentKind, Arc<str>), EnterpriseId>,
    principals: Shared<Arc<str>, EnterpriseId>,
    cases: Shared<Arc<[u8]>, Arc<PrefixCase>>,
    /// How many cases of an enterprise are not over.
    open_cases: Shared<EnterpriseId, usize>,
    operator: Option<Arc<OperatorRecord>>,
    applications: Shared<ApplicationId, Arc<Application>>,
    /// Whose which applications are.
    owned: Arc<BTreeSet<(Owner, ApplicationId)>>,
    disclosures: Shared<Owner, Arc<Disclosure>>,
    /// The last one noted.
    deed: Option<Arc<NotedDeed>>,
    /// By year.
    plans: Shared<u16, Arc<KeptPlan>>,
    files: Shared<(Owner, FileKind), FileAt>,
    /// The greatest name ever given.
    last_id: u32,
    /// Prefixes whose cases the disk does not give: nothing is decided about them.
    unreadable: BTreeSet<Box<[u8]>>,
    /// The disk does not give the node's own record: nothing is decided about it.
    operator_unreadable: bool,
}

/// A map that is copied when it is changed while others hold it.
type Shared<K, V> = Arc<BTreeMap<K, V>>;

/// The last time somebody read what an enterprise or the node said of its people.
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

    /// Number of cases of an enterprise that are not over.
    #[must_use]
    pub fn open_case_count(&self, enterprise: EnterpriseId) -> usize {
        self.open_cases.get(&enterprise).copied().unwrap_or(0)
    }

    /// What the node says of itself.
    #[must_use]
    pub const fn operator(&self) -> Option<&Arc<OperatorRecord>> {
        self.operator.as_ref()
    }

    /// An application.
    #[must_use]
    pub fn application(&self, id: ApplicationId) -> Option<&Arc<Application>> {
        self.applications.get(&id)
    }

    /// All applications, in the order they were made in.
    pub fn applications(&self) -> impl DoubleEndedIterator<Item = &Arc<Application>> {
        self.applications.values()
    }

    /// The applications made after one, in the order they were made in.
    pub fn applications_after(&self, id: ApplicationId) -> impl Iterator<Item = &Arc<Application>> {
        self.applications.range((Bound::Excluded(id), Bound::Unbounded)).map(|(_, each)| each)
    }

    /// The applications of an owner made after one, in the order they were made in; not many, see
    /// [`APPLICATIONS_PER_OWNER`](crate::config::APPLICATIONS_PER_OWNER).
    pub fn applications_of(&self, owner: Owner, after: ApplicationId) -> impl Iterator<Item = &Arc<Application>> {
        let span = (Bound::Excluded((owner, after)), Bound::Included((owner, ApplicationId(u64::MAX))));
        // A range that ends where it begins, both left out, is none.
        let ids = (after < ApplicationId(u64::MAX)).then(|| self.owned.range(span));
        ids.into_iter().flatten().filter_map(|(_, id)| self.applications.get(id))
    }

    /// The application an owner has under a name, which no other of its has.
    #[must_use]
    pub fn application_named(&self, owner: Owner, name: &str) -> Option<&Arc<Application>> {
        self.applications_of(owner, ApplicationId(0)).find(|each| each.profile.name == name)
    }

    /// Number of applications of an owner.
    #[must_use]
    pub fn application_count(&self, owner: Owner) -> usize {
        self.applications_of(owner, ApplicationId(0)).count()
    }

    /// The last time somebody read what an enterprise or the node said of its people.
    #[must_use]
    pub fn disclosure(&self, owner: Owner) -> Option<&Disclosure> {
        self.disclosures.get(&owner).map(|last| &**last)
    }

    /// The last thing somebody noted that was done beside the catalog.
    #[must_use]
    pub fn deed(&self) -> Option<&NotedDeed> {
        self.deed.as_deref()
    }

    /// The plan of a year.
    #[must_use]
    pub fn plan(&self, year: u16) -> Option<&KeptPlan> {
        self.plans.get(&year).map(|plan| &**plan)
    }

    /// Whose keys the record of an enterprise or of the node knows of.
    #[must_use]
    pub fn people(&self, owner: Owner) -> People {
        let known = match owner {
            Owner::Node => self.operator.as_ref().map(|record| (&record.personal, &record.forgotten)),
            Owner::Enterprise(id) => self.enterprise(id).map(|known| (&known.personal, &known.forgotten)),
        };
        known.map_or_else(People::default, |(personal, forgotten)| People {
            held: personal.as_ref().map(|sealed| sealed.subject),
            forgotten: forgotten.as_ref().map(|forgotten| forgotten.subject),
        })
    }

    /// A file of an enterprise or of the node.
    #[must_use]
    pub fn file(&self, owner: Owner, kind: FileKind) -> Option<FileAt> {
        self.files.get(&(owner, kind)).copied()
    }

    /// The files there are of an enterprise or of the node, where its people were not forgotten.
    pub fn files(&self, owner: Owner) -> impl Iterator<Item = FileKind> {
        let all = if self.people(owner).held.is_some() { FileKind::ALL } else { &[] };
        all.iter().copied().filter(move |kind| self.file(owner, *kind).is_some())
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
        let former = self.enterprises.get(&id);
        let (old, new) = (former.map(|former| document_of(former)), document_of(&enterprise));
        if old.as_ref() != Some(&new) {
            let documents = Arc::make_mut(&mut self.documents);
            old.and_then(|old| documents.remove(&old));
            documents.insert(new, id);
        }
        let old = former.map_or(&[][..], |former| &former.principals);
        if *old != *enterprise.principals {
            let principals = Arc::make_mut(&mut self.principals);
            for principal in old {
                principals.remove(principal);
            }
            principals.extend(enterprise.principals.iter().map(|principal| (Arc::clone(principal), id)));
        }
        Arc::make_mut(&mut self.enterprises).insert(id, Arc::new(enterprise));
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
        let (prefix, new) = (Arc::from(&*case.prefix), Arc::new(case));
        let former = Arc::make_mut(&mut self.cases).insert(prefix, Arc::clone(&new));
        let is_open = |case: &PrefixCase| !case.state.is_over();
        let (was, is) = (former.filter(|former| is_open(former)), Some(&new).filter(|new| is_open(new)));
        if was.as_ref().map(|was| was.enterprise) == is.map(|is| is.enterprise) {
            return;
        }
        let open = Arc::make_mut(&mut self.open_cases);
        if let Some(count) = was.and_then(|was| open.get_mut(&was.enterprise)) {
            *count = count.saturating_sub(1);
        }
        if let Some(is) = is {
            *open.entry(is.enterprise).or_default() += 1;
        }
    }

    /// Puts in what the node says of itself, over what it said before.
    pub(crate) fn put_operator(&mut self, record: OperatorRecord) {
        self.operator = Some(Arc::new(record));
    }

    /// Notes that the node's own record cannot be read.
    pub(crate) const fn note_operator_unreadable(&mut self) {
        self.operator_unreadable = true;
    }

    /// Whether there is a record of the node's own that cannot be read.
    pub(crate) const fn is_operator_unreadable(&self) -> bool {
        self.operator_unreadable
    }

    /// Puts an application in, over the one of its number.
    pub(crate) fn put_application(&mut self, application: Application) {
        let key = (application.owner, application.id);
        if !self.owned.contains(&key) {
            self.remove_application(application.id);
            Arc::make_mut(&mut self.owned).insert(key);
        }
        Arc::make_mut(&mut self.applications).insert(application.id, Arc::new(application));
    }

    /// Takes an application out.
    pub(crate) fn remove_application(&mut self, id: ApplicationId) {
        if self.applications.contains_key(&id)
            && let Some(former) = Arc::make_mut(&mut self.applications).remove(&id)
        {
            Arc::make_mut(&mut self.owned).remove(&(former.owner, id));
        }
    }

    /// Notes that there is a file, or that there is none.
    pub(crate) fn put_file(&mut self, owner: Owner, kind: FileKind, file: Option<FileAt>) {
        let files = Arc::make_mut(&mut self.files);
        match file {
            Some(file) => drop(files.insert((owner, kind), file)),
            None => drop(files.remove(&(owner, kind))),
        }
    }

    /// Notes who read last.
    pub(crate) fn put_disclosure(&mut self, owner: Owner, disclosure: Disclosure) {
        Arc::make_mut(&mut self.disclosures).insert(owner, Arc::new(disclosure));
    }

    /// Notes what was done last.
    pub(crate) fn put_deed(&mut self, deed: NotedDeed) {
        self.deed = Some(Arc::new(deed));
    }

    /// Puts the plan of a year in, over the one there was.
    pub(crate) fn put_plan(&mut self, plan: KeptPlan) {
        Arc::make_mut(&mut self.plans).insert(plan.year, Arc::new(plan));
    }
}

/// Whether somebody may know of an enterprise and its cases: those who review or audit everywhere, and the principals that act for it.
#[must_use]
pub fn visible(rights: &Rights, enterprise: &Enterprise) -> bool {
    rights.has(Verb::Read) && (sees_all(rights) || enterprise.is_of(&rights.principal.name))
}

/// Whether somebody may know of the applications of an owner: who sees everything, and of an enterprise's the principals that act for it.
#[must_use]
pub fn visible_applications(rights: &Rights, owner: Owner, business: &Business) -> bool {
    match owner {
        Owner::Node => rights.has(Verb::Read) && sees_all(rights),
        Owner::Enterprise(id) => business.enterprise(id).is_some_and(|enterprise| visible(rights, enterprise)),
    }
}

/// Whether somebody may know what the node says of itself: operators and auditors.
#[must_use]
pub fn visible_operator(rights: &Rights) -> bool {
    rights.has_everywhere(Verb::Audit)
}

fn sees_all(rights: &Rights) -> bool {
    matches!(rights.role(), Role::Operator | Role::Reviewer | Role::Auditor) && rights.is_everywhere()
}

fn document_of(enterprise: &Enterprise) -> (DocumentKind, Arc<str>) {
    document(enterprise.profile.document_kind, &enterprise.profile.document_number)
}

/// Numbers that differ in case or blanks are one.
fn document(kind: DocumentKind, number: &str) -> (DocumentKind, Arc<str>) {
    let folded: String = number.chars().filter(|each| !each.is_whitespace()).collect();
    (kind, folded.to_ascii_uppercase().into())
}

#[cfg(test)]
mod tests {
    use super::super::{CaseState, Placement, Wish};
    use super::*;

    #[test]
    fn open_cases_are_counted_as_their_states_say_whosever_they_become() {
        let mut table = Business::default();
        let case = |prefix: &[u8], enterprise: u32, state| PrefixCase {
            prefix: prefix.into(),
            enterprise: EnterpriseId(enterprise),
            state,
            wish: Wish::Hosted,
            placement: Placement::Nowhere,
            steps: Vec::new(),
            serial: Serial(1),
        };
        for (prefix, enterprise, state, counts) in [
            (&b"88.1"[..], 1, CaseState::AwaitingReview, [1, 0]),
            (b"88.2", 1, CaseState::Active, [2, 0]),
            (b"88.1", 1, CaseState::Rejected, [1, 0]),
            (b"88.1", 2, CaseState::AwaitingReview, [1, 1]),
            (b"88.1", 2, CaseState::Active, [1, 1]),
            (b"88.2", 1, CaseState::Deleted, [0, 1]),
            (b"88.2", 1, CaseState::Deleted, [0, 1]),
        ] {
            table.put_case(case(prefix, enterprise, state));
            assert_eq!([1, 2].map(|id| table.open_case_count(EnterpriseId(id))), counts, "{enterprise} {state:?}");
        }
    }

    #[test]
    fn a_change_shares_every_map_it_does_not_touch() {
        let mut table = Business::default();
        table.put_file(Owner::Node, FileKind::Document, Some(FileAt { serial: Serial(1) }));
        let published = table.clone();
        table.put_file(Owner::Node, FileKind::Document, None);
        assert!(published.file(Owner::Node, FileKind::Document).is_some(), "what is published stays");
        assert!(Arc::ptr_eq(&published.enterprises, &table.enterprises) && Arc::ptr_eq(&published.cases, &table.cases));
        assert!(!Arc::ptr_eq(&published.files, &table.files));
    }
}
