//! Packing and unpacking in a group being formed: one command that writes many records, all of them or none.

use std::collections::HashSet;
use std::sync::Arc;

use waymark_ident::Handle;

use super::{ENTRY_FRAME_BYTES, Forming, GROUP_CEILING_BYTES, Terms};
use crate::access::permit::Permit;
use crate::actor::Actor;
use crate::audit::most_item_bytes_about;
use crate::command::{Order, Outcome, Receipt, Refusal};
use crate::decide::{Current, Decision, Version};
use crate::link::LinkCommand;
use crate::link::change::Packing;
use crate::locate::Locator;
use crate::prefixes::key_of;
use crate::record::Stored;

impl Forming {
    /// Decides about every child by what is known before any of them is written, then writes all of them.
    pub(super) fn change_links(
        &mut self,
        permit: Permit,
        command: &LinkCommand,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        let packing = Packing::new(command, terms.rule)?;
        let mut seen = HashSet::with_capacity(packing.handles.len());
        let mut kept = None;
        let mut written = Vec::new();
        for handle in packing.handles {
            let of_child = |refusal| of_child(handle, refusal);
            let key = Handle::new(handle).map_err(|error| of_child(Refusal::InvalidHandle(error)))?;
            let key = key_of(&key, terms.rule);
            // Said twice is said once: what follows may rest on every child being another record.
            if !seen.insert(key.clone()) {
                continue;
            }
            match self.decide_child(permit, &packing, handle, &key, terms).map_err(of_child)? {
                Decision::Write { body, .. } => written.push((key, body)),
                Decision::Keep { serial, time, .. } => kept = Some((serial, time)),
                Decision::Delete => {} // packing deletes nothing
            }
        }
        if !written.is_empty() {
            self.count_writes(u64::try_from(written.len()).unwrap_or(u64::MAX), permit, actor, terms)?;
        }
        let first = self.drafts.len();
        let mut last = None;
        for (key, body) in written {
            last = Some(self.draft_record(key, body, actor));
        }
        match (last, kept) {
            (Some(serial), _) => {
                self.several.insert(self.drafts.len().saturating_sub(1), first);
                let outcome = if packing.packs() { Outcome::Aggregated } else { Outcome::Disaggregated };
                Ok(self.plain_receipt(serial, outcome))
            }
            (None, Some((serial, time))) => Ok(Receipt { time, ..self.plain_receipt(serial, Outcome::Same) }),
            (None, None) => Err(Refusal::NotFound),
        }
    }

    fn decide_child(
        &self,
        permit: Permit,
        packing: &Packing<'_>,
        handle: &[u8],
        key: &[u8],
        terms: Terms<'_>,
    ) -> Result<Decision, Refusal> {
        // Whoever changes values changes what a code has from its package too.
        let probe = crate::command::Command::RemoveValues { handle: handle.to_vec(), indexes: Vec::new() };
        let inherited = self.inherited(&probe, key)?;
        let current = match inherited.as_ref().map_or_else(|| self.overlay.current(key), Current::Live) {
            Current::Unreadable => return Err(Refusal::Unreadable),
            Current::Absent => None,
            Current::Live(version) => Some(version),
        };
        let values = current.map(values_of).transpose()?;
        match packing.of_child(handle, key, values, terms.rule)? {
            Some(command) => self.decide_record(permit, &Order::from(command), key, terms),
            None => {
                let (serial, time) = current.map_or_else(Default::default, |version| (version.serial, version.time));
                let content = crate::values::ContentHash::of(values.unwrap_or_default());
                Ok(Decision::Keep { serial, time, content })
            }
        }
    }

    /// Loads the children, and counts the most bytes their entries and items can take; no further than what no group holds.
    pub(super) fn most_link_bytes(
        &mut self,
        command: &LinkCommand,
        actor: &Actor,
        terms: Terms<'_>,
        locator: &mut Locator,
    ) -> usize {
        let mut total = most_item_bytes_about(command.parent());
        // One with too many children is refused by their number.
        let within = command.children().len() <= crate::config::AGGREGATED;
        for child in command.children().iter().filter(|_| within) {
            let Ok(handle) = Handle::new(child) else { continue };
            let key = key_of(&handle, terms.rule);
            self.overlay.load(&key, locator);
            let body = self.most_body_bytes(&key, &[]) + command.link_bytes();
            total += body + key.len() + actor.name().len() + ENTRY_FRAME_BYTES + most_item_bytes_about(child);
            if total > GROUP_CEILING_BYTES {
                break;
            }
        }
        total
    }
}

fn of_child(handle: &[u8], refusal: Refusal) -> Refusal {
    match refusal {
        // They say which.
        refusal @ (Refusal::AlreadyAggregated { .. } | Refusal::NotAggregated { .. }) => refusal,
        refusal => Refusal::OfChild { child: handle.into(), refusal: Box::new(refusal) },
    }
}

fn values_of(version: &Version) -> Result<waymark_wire::Values<'_>, Refusal> {
    let stored = Stored::parse(&version.body).map_err(|_| Refusal::Unreadable)?;
    stored.values().map_err(|_| Refusal::Unreadable)
}
