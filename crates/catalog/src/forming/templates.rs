//! Templates in a group being formed, and records made from them.

use std::sync::Arc;

use waymark_store::{EntryKind, Serial};

use super::{ENTRY_FRAME_BYTES, Forming, Terms};
use crate::access::permit::Permit;
use crate::actor::Actor;
use crate::command::{Command, Order, Outcome, Receipt, Refusal, Timestamps};
use crate::decide::{Current, Version};
use crate::overlay::Previous;
use crate::prefixes::prefix_of_key;
use crate::record::{Stored, encode};
use crate::reserved::ReservedKey;
use crate::template::change::{TemplateDecision, TemplateFacts, decide_template};
use crate::template::narrow::template_of;
use crate::template::{Edit, Template, TemplateCommand, held};

impl Forming {
    /// Decides a command on templates; commands behind it are decided by what it did. `key` is that of the record it writes.
    pub(super) fn change_templates(
        &mut self,
        permit: Permit,
        command: &TemplateCommand,
        key: Option<&[u8]>,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        let (templates, prefixes) = (Arc::clone(&self.templates), Arc::clone(&self.prefixes));
        let facts = TemplateFacts {
            templates: &templates,
            records: terms.limits,
            now: self.time,
            actor,
            serves: &|name| prefixes.serves(name),
        };
        match decide_template(permit, command, &facts)? {
            TemplateDecision::Keep(serial, time) => Ok(Receipt { time, ..self.plain_receipt(serial, Outcome::Same) }),
            TemplateDecision::Put(template, outcome) => match key.filter(|_| template.is_published()) {
                Some(key) => self.publish(permit, *template, key, outcome, actor, terms),
                None => {
                    let serial = self.draft_template(*template, actor);
                    Ok(self.plain_receipt(serial, outcome))
                }
            },
            TemplateDecision::Delete(name) => {
                let (number, previous) = templates.get(&name).map_or((0, Serial::NONE), |it| (it.number(), it.serial));
                let key = ReservedKey::Template(number, name.clone()).to_bytes();
                let (_, serial) = self.draft(EntryKind::DELETE, key, previous, Vec::new(), actor);
                Arc::make_mut(&mut self.templates).remove(&name);
                self.templates_changed = true;
                Ok(self.plain_receipt(serial, Outcome::Deleted))
            }
        }
    }

    pub(super) fn draft_template(&mut self, mut template: Template, actor: &Arc<str>) -> Serial {
        let previous: Previous = self.templates.get(&template.name).map_or(Serial::NONE, |former| former.serial).into();
        let key = ReservedKey::Template(template.number(), template.name.clone()).to_bytes();
        let (_, serial) = self.draft(EntryKind::PUT, key, previous, template.to_body(), actor);
        template.serial = serial;
        Arc::make_mut(&mut self.templates).put(template);
        self.templates_changed = true;
        serial
    }

    /// Writes a published template and its record, which is as old as the template. The receipt is that of the record, which everybody can read.
    pub(super) fn publish(
        &mut self,
        permit: Permit,
        template: Template,
        key: &[u8],
        outcome: Outcome,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        let values = template.resolved(u32::try_from(template.since.0 / 1000).unwrap_or(u32::MAX));
        let content = values.content();
        match self.overlay.current(key) {
            Current::Unreadable => return Err(Refusal::Unreadable),
            // A record of the same content came with an import; it is the template's from now on.
            Current::Live(version) if outcome == Outcome::Published => {
                let stored = Stored::parse(&version.body).map_err(|_| Refusal::Unreadable)?;
                let same = stored.values().map_err(|_| Refusal::Unreadable)?;
                if crate::values::ContentHash::of(same) != content || stored.is_withdrawn() {
                    return Err(Refusal::TemplateHandleTaken { template: template.name });
                }
            }
            Current::Live(_) | Current::Absent => {}
        }
        self.count_writes(1, permit, actor, terms)?;
        let body = encode(&template.name.handle(), None, &values);
        self.draft_template(template, actor);
        let previous = self.overlay.previous(key);
        let (entry, serial) = self.draft(EntryKind::PUT, key.to_vec(), previous, body.clone(), actor);
        self.overlay.change(key, entry, Version { serial, time: self.time, body });
        Ok(Receipt { content, ..self.plain_receipt(serial, outcome) })
    }

    /// The order that an order to register by a template comes to: a record with the values of that.
    ///
    /// # Errors
    /// There is no such template to make identifiers from, or the fields are not what it says.
    pub(super) fn made_from_template(&self, order: &Order, key: &[u8]) -> Result<Option<Order>, Refusal> {
        let Command::PutFromTemplate { handle, template, fields, mode } = &order.command else { return Ok(None) };
        let found = self.templates.get(template);
        let found = found.ok_or_else(|| Refusal::TemplateNotFound { template: template.clone() })?;
        if !found.is_published() {
            return Err(Refusal::TemplateNotPublished { template: template.clone() });
        }
        let values = found
            .values(prefix_of_key(key), fields)
            .map_err(|problems| Refusal::FieldsWrong { template: template.clone(), problems })?;
        let command = Command::Put { handle: handle.clone(), values, timestamps: Timestamps::Now, mode: *mode };
        Ok(Some(Order { command, expect: order.expect }))
    }

    /// Refuses an edit of single values that goes against the template the identifier was made from.
    pub(super) fn hold_to_template(&self, command: &Command, current: Current<'_>, key: &[u8]) -> Result<(), Refusal> {
        let edit = match command {
            Command::AddValues { values, .. } | Command::ModifyValues { values, .. } => Edit::Put(values.values()),
            Command::RemoveValues { indexes, .. } => Edit::Remove(indexes),
            _ => return Ok(()),
        };
        let Current::Live(version) = current else { return Ok(()) };
        if self.templates.is_empty() {
            return Ok(());
        }
        let stored = Stored::parse(&version.body).map_err(|_| Refusal::Unreadable)?;
        let values = stored.values().map_err(|_| Refusal::Unreadable)?;
        let Some(template) = template_of(key, values, &self.templates) else { return Ok(()) };
        held(template, values, edit)
            .map_err(|problems| Refusal::FieldsWrong { template: template.name.clone(), problems })
    }
}

/// The most bytes the entries of a command on templates can take: that of the template and that of its record.
pub(super) fn most_template_bytes(command: &TemplateCommand, actor: &Actor) -> usize {
    command.weight_bytes() + 2 * (ENTRY_FRAME_BYTES + actor.name().len())
}
