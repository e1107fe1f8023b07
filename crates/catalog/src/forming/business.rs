//! Enterprises, cases of prefixes, the node's own record and applications in a group being formed, and what an active case does to the prefix.

use std::sync::Arc;

use waymark_ident::{CaseRule, Handle, PREFIX_RECORDS, parent_prefix};
use waymark_store::{EntryKind, Serial};
use waymark_wire::types::{HS_SITE, HS_SITE_6, Site};

use super::{ENTRY_FRAME_BYTES, Forming, STATUS_BYTES, Terms};
use crate::access::permit::Permit;
use crate::actor::Actor;
use crate::business::change::{BusinessChange, BusinessDecision, BusinessFacts, Effect, decide_business};
use crate::business::{BusinessCommand, FileAt, FileKind, OwnSite, Owner, Problem, StepKind, site_values};
use crate::command::{Command, Order, Outcome, Receipt, Refusal};
use crate::config::{APPLICATION_MONTHS, DESCRIPTION_CHARS, ORGANISATION_NAME_CHARS, SHORT_TEXT_CHARS};
use crate::decide::{Current, Version};
use crate::prefixes::{HomeName, key_of};
use crate::record::{Stored, encode};
use crate::reserved::ReservedKey;
use crate::values::ValueSet;

/// What becomes of the record of a prefix.
enum SiteChange {
    Write { key: Vec<u8>, body: Vec<u8> },
    Delete { key: Vec<u8> },
}

impl Forming {
    /// Decides a command on enterprises or cases; what comes with it is drafted with it or refused with it.
    pub(super) fn change_business(
        &mut self,
        permit: Permit,
        command: &BusinessCommand,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        // What is decided owns what it says: were the tables held here any longer, each change would copy them.
        let (prefixes, access) = (&self.prefixes, &self.access);
        let facts = BusinessFacts {
            business: &self.business,
            codes: terms.codes,
            limits: terms.business,
            now: self.time,
            next: self.next_serial(),
            actor,
            is_homed: &|prefix| prefixes.is_homed(prefix),
            is_ours: &|prefix| {
                let mut name = parent_prefix(prefix);
                let under = std::iter::from_fn(|| {
                    let parent = name?;
                    name = parent_prefix(parent);
                    Some(parent)
                })
                .any(|parent| prefixes.is_homed(parent));
                under || prefixes.serves(&[PREFIX_RECORDS, prefix].concat())
            },
            is_principal: &|name| access.principal(name).is_some(),
        };
        match decide_business(permit, command, &facts)? {
            BusinessDecision::Keep(serial, time) => Ok(Receipt { time, ..self.plain_receipt(serial, Outcome::Same) }),
            BusinessDecision::Change { change, effect, outcome } => {
                let prefix = command.folded_prefix().unwrap_or_default();
                // What can be refused comes before anything is drafted.
                let record =
                    effect.as_ref().map(|effect| self.site_change(&prefix, effect, terms)).transpose()?.flatten();
                if record.is_some() {
                    self.count_writes(1, permit, actor, terms)?;
                }
                let serial = self.draft_business(change, actor);
                if let Some(effect) = &effect {
                    self.draft_home(&prefix, *effect == Effect::Home, actor);
                }
                if let Some(record) = record {
                    self.draft_sites(record, actor);
                }
                Ok(self.plain_receipt(serial, outcome))
            }
        }
    }

    pub(super) fn draft_business(&mut self, change: BusinessChange, actor: &Arc<str>) -> Serial {
        self.business_changed = true;
        let serial = self.next_serial();
        match change {
            BusinessChange::Enterprise(mut enterprise) => {
                let key = ReservedKey::Enterprise(enterprise.id).to_bytes();
                self.draft(EntryKind::PUT, key, enterprise.serial, enterprise.to_body(), actor);
                enterprise.serial = serial;
                let (id, is_forgotten) = (enterprise.id, enterprise.personal.is_none());
                Arc::make_mut(&mut self.business).put_enterprise(*enterprise);
                if is_forgotten {
                    self.draft_no_files(id.into(), actor);
                }
            }
            BusinessChange::Case(mut case) => {
                let key = ReservedKey::Case(case.prefix.clone()).to_bytes();
                self.draft(EntryKind::PUT, key, case.serial, case.to_body(), actor);
                case.serial = serial;
                Arc::make_mut(&mut self.business).put_case(*case);
            }
            BusinessChange::Operator(mut record) => {
                let key = ReservedKey::Operator.to_bytes();
                self.draft(EntryKind::PUT, key, record.serial, record.to_body(), actor);
                record.serial = serial;
                let is_forgotten = record.personal.is_none();
                Arc::make_mut(&mut self.business).put_operator(*record);
                if is_forgotten {
                    self.draft_no_files(Owner::Node, actor);
                }
            }
            BusinessChange::Application(mut application) => {
                let key = ReservedKey::Application(application.id).to_bytes();
                self.draft(EntryKind::PUT, key, application.serial, application.to_body(), actor);
                application.serial = serial;
                Arc::make_mut(&mut self.business).put_application(*application);
            }
            BusinessChange::NoApplication(id, last) => {
                let key = ReservedKey::Application(id).to_bytes();
                self.draft(EntryKind::DELETE, key, last, Vec::new(), actor);
                Arc::make_mut(&mut self.business).remove_application(id);
            }
            BusinessChange::Disclosure(owner, mut disclosure) => {
                let key = ReservedKey::Disclosure(owner).to_bytes();
                let previous = self.business.disclosure(owner).map_or(Serial::NONE, |last| last.serial);
                self.draft(EntryKind::PUT, key, previous, disclosure.to_body(), actor);
                disclosure.serial = serial;
                Arc::make_mut(&mut self.business).put_disclosure(owner, disclosure);
            }
            BusinessChange::Deed(mut deed) => {
                let previous = self.business.deed().map_or(Serial::NONE, |last| last.serial);
                self.draft(EntryKind::PUT, ReservedKey::Deed.to_bytes(), previous, deed.to_body(), actor);
                deed.serial = serial;
                Arc::make_mut(&mut self.business).put_deed(deed);
            }
            BusinessChange::Plan(mut plan) => {
                let key = ReservedKey::Plan(plan.year).to_bytes();
                self.draft(EntryKind::PUT, key, plan.serial, plan.to_body(), actor);
                plan.serial = serial;
                Arc::make_mut(&mut self.business).put_plan(plan);
            }
            BusinessChange::File(owner, kind, file) => {
                let key = ReservedKey::File(owner, kind).to_bytes();
                let previous = self.business.file(owner, kind).map_or(Serial::NONE, |file| file.serial);
                let (entry, body) = match &file {
                    Some(file) => (EntryKind::PUT, file.to_body()),
                    None => (EntryKind::DELETE, Vec::new()),
                };
                self.draft(entry, key, previous, body, actor);
                let known = file.map(|_| FileAt { serial });
                Arc::make_mut(&mut self.business).put_file(owner, kind, known);
            }
        }
        serial
    }

    /// Takes away every file of an owner whose people were forgotten: their key goes, and nothing opens them again.
    fn draft_no_files(&mut self, owner: Owner, actor: &Arc<str>) {
        for kind in FileKind::ALL.iter().copied() {
            if self.business.file(owner, kind).is_some() {
                self.draft_business(BusinessChange::File(owner, kind, None), actor);
            }
        }
    }

    /// Makes a prefix live here, or not.
    fn draft_home(&mut self, prefix: &[u8], here: bool, actor: &Arc<str>) {
        let name = HomeName::Prefix(prefix.into());
        match self.prefixes.homed_at(&name) {
            None if here => drop(self.draft_homed(&name, actor)),
            Some(_) if !here => drop(self.unhome(&name, actor)),
            _ => {}
        }
    }

    /// What becomes of the record of a prefix, its values of other types left as they are; `None` when it is as it should be.
    fn site_change(&self, prefix: &[u8], effect: &Effect, terms: Terms<'_>) -> Result<Option<SiteChange>, Refusal> {
        let sites: &[OwnSite] = if let Effect::Delegate(sites) = effect { sites } else { &[] };
        let name = [PREFIX_RECORDS, prefix].concat();
        let handle = Handle::new(&name).map_err(Refusal::InvalidHandle)?;
        let key = key_of(&handle, terms.rule);
        if !sites.is_empty() && !self.prefixes.serves(&key) {
            return Err(Problem::new("sites", NO_RECORDS).into());
        }
        let stored = match self.overlay.current(&key) {
            Current::Absent => None,
            Current::Unreadable => return Err(Refusal::Unreadable),
            Current::Live(version) => Some(Stored::parse(&version.body).map_err(|_| Refusal::Unreadable)?),
        };
        if let Some(status) = stored.as_ref().and_then(Stored::status)
            && !sites.is_empty()
        {
            return Err(Refusal::Withdrawn { revoked: status.revoked });
        }
        let old = stored.as_ref().map(Stored::values).transpose().map_err(|_| Refusal::Unreadable)?.unwrap_or_default();
        let is_site = |kind: &[u8]| kind.eq_ignore_ascii_case(HS_SITE) || kind.eq_ignore_ascii_case(HS_SITE_6);
        let kept: Vec<_> = old.iter().filter(|value| !is_site(value.kind)).collect();
        let named = old.iter().filter(|value| is_site(value.kind));
        let last_serial = named.clone().filter_map(|value| Some(Site::parse(value.data).ok()?.serial)).max();
        if sites.is_empty() && named.count() == 0 {
            return Ok(None);
        }
        let taken: Vec<u32> = kept.iter().map(|value| value.index).collect();
        let free = (1..).filter(|index| !taken.contains(index));
        let mut new = site_values(sites, last_serial.unwrap_or(0).checked_add(1).unwrap_or(1), free);
        let stamp = u32::try_from(self.time.0 / 1000).unwrap_or(u32::MAX);
        new.iter_mut().for_each(|value| value.timestamp = stamp);
        let given = ValueSet::from_bufs(&new)?;
        let given = given.values();
        let values = ValueSet::new(kept.into_iter().chain(given.iter()))?;
        if values.is_empty() {
            return Ok(Some(SiteChange::Delete { key }));
        }
        let (spelling, status) = stored.as_ref().map_or((&name[..], None), |old| (old.handle(), old.status()));
        Ok(Some(SiteChange::Write { key, body: encode(spelling, status, &values) }))
    }

    fn draft_sites(&mut self, record: SiteChange, actor: &Arc<str>) {
        match record {
            SiteChange::Write { key, body } => {
                let previous = self.overlay.previous(&key);
                let (entry, serial) = self.draft(EntryKind::PUT, key.clone(), previous, body.clone(), actor);
                self.overlay.change(&key, entry, Version { serial, time: self.time, body });
            }
            SiteChange::Delete { key } => {
                let previous = self.overlay.previous(&key);
                let (entry, serial) = self.draft(EntryKind::DELETE, key.clone(), previous, Vec::new(), actor);
                self.overlay.delete(&key, entry, serial);
            }
        }
    }

    /// The most bytes the entries of a command on enterprises or cases can take: the entry before, what other commands of the submission add to
    /// it, and the record of the prefix.
    pub(super) fn most_business_bytes(
        &self,
        command: &BusinessCommand,
        orders: &[Order],
        actor: &Actor,
        rule: CaseRule,
    ) -> usize {
        let ordered = orders.iter().map(|order| match &order.command {
            Command::Business(command) => 2 * command.weight_bytes(),
            _ => 0,
        });
        let ordered: usize = ordered.sum();
        let (prefix, id) = (command.folded_prefix(), command.enterprise());
        let own = self.business.of_principal(actor.name());
        let enterprise = id.and_then(|id| self.business.enterprise(id)).or(own);
        let case = prefix.as_deref().and_then(|prefix| self.business.case(prefix));
        let before = match (command, case, enterprise) {
            (BusinessCommand::Operator(_), ..) => self.business.operator().map_or(0, |record| record.to_body().len()),
            // One that is told by its name is no larger than the largest of all.
            (BusinessCommand::Application(_), ..) => APPLICATION_BYTES,
            (_, Some(case), _) => case.to_body().len(),
            (_, None, Some(enterprise)) if prefix.is_none() => enterprise.to_body().len(),
            _ => 0,
        };
        // Resuming writes the sites of the case again.
        let sites = crate::config::SITES_PER_PREFIX * crate::business::change::SITE_BYTES;
        let in_record = orders.iter().map(|order| match record_key_of_put(&order.command) {
            true => order.command.weight_bytes() + STATUS_BYTES,
            false => 0,
        });
        let record = prefix
            .and_then(|prefix| record_key(&prefix, rule))
            .map_or(0, |key| self.overlay.body_bytes(&key) + in_record.sum::<usize>() + sites);
        let frame = ENTRY_FRAME_BYTES + actor.name().len() + KEY_BYTES;
        // Of each file that goes with what is forgotten, an entry.
        before + ordered + record + (3 + FileKind::ALL.len()) * frame
    }
}

/// Whether a command may make the record of a prefix larger.
const fn record_key_of_put(command: &Command) -> bool {
    matches!(
        command,
        Command::Put { .. } | Command::PutWithdrawn { .. } | Command::AddValues { .. } | Command::ModifyValues { .. }
    )
}

/// The key of the record a command writes sites into, where it may.
pub(super) fn site_record_key(command: &Command, rule: CaseRule) -> Option<Vec<u8>> {
    let Command::Business(command) = command else { return None };
    let BusinessCommand::Step { step, .. } = &**command else { return None };
    match step.kind() {
        StepKind::Host | StepKind::Delegate | StepKind::Suspend | StepKind::Resume | StepKind::Delete => {
            record_key(&command.folded_prefix()?, rule)
        }
        _ => None,
    }
}

fn record_key(prefix: &[u8], rule: CaseRule) -> Option<Vec<u8>> {
    let name = [PREFIX_RECORDS, prefix].concat();
    Some(key_of(&Handle::new(&name).ok()?, rule))
}

/// The longest body of an application: its texts, a character of which takes six bytes where it is escaped, its months and what is of fixed size.
const APPLICATION_BYTES: usize =
    6 * (DESCRIPTION_CHARS + 2 * SHORT_TEXT_CHARS + ORGANISATION_NAME_CHARS) + 40 * APPLICATION_MONTHS + 2_048;

/// The longest key of an enterprise, case, homed prefix or prefix record, generously.
const KEY_BYTES: usize = 256;

/// What is said where this node may not refer to a site.
const NO_RECORDS: &str = "cannot be named: the record of this prefix does not live here; home 0.NA/0.NA/ and the prefix it is derived from first";
