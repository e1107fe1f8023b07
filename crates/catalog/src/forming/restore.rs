//! Objects put back as they were, in a group being formed.

use std::sync::Arc;

use waymark_store::Serial;

use super::{ENTRY_FRAME_BYTES, Forming, Terms};
use crate::access::Principal;
use crate::access::change::AccessChange;
use crate::access::permit::Permit;
use crate::actor::Actor;
use crate::business::change::BusinessChange;
use crate::business::{Application, Enterprise, FileKind, OperatorRecord, Owner, PrefixCase, Problem, StoredFile};
use crate::command::{Command, Outcome, Receipt, Refusal};
use crate::moment::Restore;
use crate::range::change::RangeChange;
use crate::range::pieces::PieceChange;
use crate::range::{Piece, Range};
use crate::reserved::ReservedKey;
use crate::template::{Template, TemplateCommand};

impl Forming {
    /// Puts an object back or takes it away; `key` is that of the record it writes.
    pub(super) fn restore(
        &mut self,
        permit: Permit,
        restore: &Restore,
        key: Option<&[u8]>,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        if !permit.is_local() {
            return Err(Refusal::NotPermitted);
        }
        match restore {
            Restore::Remove(name) => match self.take_away(permit, name.key(), actor, terms) {
                // It may have gone with something else, or was made and deleted between two deposits.
                Err(Refusal::NotFound | Refusal::TemplateNotFound { .. }) => {
                    Ok(self.plain_receipt(Serial::NONE, Outcome::Same))
                }
                outcome => outcome,
            },
            Restore::Put(object) => {
                let body = object.to_body().ok_or(UNKNOWN_FORM)?;
                self.put_back(permit, object.name().key(), &body, key, actor, terms)
            }
        }
    }

    fn put_back(
        &mut self,
        permit: Permit,
        object: &ReservedKey,
        body: &[u8],
        key: Option<&[u8]>,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        let serial = match object {
            ReservedKey::Home(name) => return self.home(name, actor, terms),
            ReservedKey::Principal(name) => {
                let (principal, by) = Principal::from_body(name, body).map_err(|_| UNKNOWN_FORM)?;
                self.draft_access(AccessChange::PutPrincipal(principal, by), actor, terms.store)
            }
            ReservedKey::Template(_, name) => {
                let former = self.templates.get(name);
                let number = former.map_or_else(|| self.templates.next_number(), |former| former.number());
                let template =
                    Template::from_body(name.clone(), number, body, Serial::NONE).map_err(|_| UNKNOWN_FORM)?;
                return match key.filter(|_| template.is_published()) {
                    Some(key) => self.publish(permit, template, key, Outcome::Changed, actor, terms),
                    None => {
                        let serial = self.draft_template(template, actor);
                        Ok(self.plain_receipt(serial, Outcome::Stored))
                    }
                };
            }
            ReservedKey::Range(name) => {
                let range = Range::from_body(name.clone(), body, Serial::NONE).map_err(|_| UNKNOWN_FORM)?;
                match self.ranges.get(name) {
                    Some(known) if known.to_body() == body => {
                        return Ok(self.plain_receipt(known.serial, Outcome::Same));
                    }
                    Some(_) => return Err(Problem::new("range", "is there already, and is another one").into()),
                    None => self.draft_range(RangeChange::New(Box::new(range)), actor),
                }
            }
            ReservedKey::Piece(name, layer, first) => {
                let range = self.ranges.get(name).ok_or(Refusal::NotFound)?;
                let piece = Piece::from_body(range, *layer, *first, body, Serial::NONE).map_err(|_| UNKNOWN_FORM)?;
                self.draft_range(RangeChange::Piece(name.clone(), PieceChange::Put(piece)), actor)
            }
            _ => {
                let change = self.business_change(object, body)?;
                self.draft_business(change, actor)
            }
        };
        Ok(self.plain_receipt(serial, Outcome::Stored))
    }

    fn business_change(&self, object: &ReservedKey, body: &[u8]) -> Result<BusinessChange, Refusal> {
        let business = &self.business;
        Ok(match object {
            ReservedKey::Enterprise(id) => {
                let former = business.enterprise(*id).map_or(Serial::NONE, |former| former.serial);
                let enterprise = Enterprise::from_body(*id, body, former).map_err(|_| UNKNOWN_FORM)?;
                let profile = &enterprise.profile;
                let other = business.of_document(profile.document_kind, &profile.document_number);
                if other.is_some_and(|other| other != *id) {
                    return Err(Problem::new("document_number", "is that of another enterprise").into());
                }
                BusinessChange::Enterprise(Box::new(enterprise))
            }
            ReservedKey::Case(prefix) => {
                let former = business.case(prefix).map_or(Serial::NONE, |former| former.serial);
                let case = PrefixCase::from_body(prefix, body, former).map_err(|_| UNKNOWN_FORM)?;
                business.enterprise(case.enterprise).ok_or(Refusal::NotFound)?;
                BusinessChange::Case(Box::new(case))
            }
            ReservedKey::Operator => {
                let former = business.operator().map_or(Serial::NONE, |former| former.serial);
                BusinessChange::Operator(Box::new(OperatorRecord::from_body(body, former).map_err(|_| UNKNOWN_FORM)?))
            }
            ReservedKey::Application(id) => {
                let former = business.application(*id).map_or(Serial::NONE, |former| former.serial);
                let application = Application::from_body(*id, body, former).map_err(|_| UNKNOWN_FORM)?;
                BusinessChange::Application(Box::new(application))
            }
            ReservedKey::File(owner, kind) => {
                let file = StoredFile::from_body(body).ok_or(UNKNOWN_FORM)?;
                let sealed = match owner {
                    Owner::Node => business.operator().and_then(|record| record.personal.as_ref()),
                    Owner::Enterprise(id) => business.enterprise(*id).and_then(|each| each.personal.as_ref()),
                };
                // Sealed with another key it would outlive its being forgotten.
                if sealed.is_none_or(|sealed| sealed.subject != file.sealed.subject) {
                    return Err(Problem::new("file", "was sealed for another record").into());
                }
                BusinessChange::File(*owner, *kind, Some(file))
            }
            _ => return Err(UNKNOWN_FORM.into()),
        })
    }

    fn take_away(
        &mut self,
        permit: Permit,
        object: &ReservedKey,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        let serial = match object {
            ReservedKey::Home(name) => return self.unhome(name, actor),
            ReservedKey::Principal(name) => {
                let command = Command::RemovePrincipal { name: name.to_string() };
                return self.change_access(permit, &command, actor, terms);
            }
            ReservedKey::Template(_, name) => {
                let command = TemplateCommand::DeleteDraft { template: name.clone() };
                return self.change_templates(permit, &command, None, actor, terms);
            }
            ReservedKey::Application(id) => {
                let former = self.business.application(*id).ok_or(Refusal::NotFound)?.serial;
                self.draft_business(BusinessChange::NoApplication(*id, former), actor)
            }
            ReservedKey::File(owner, kind) => {
                self.business.file(*owner, *kind).ok_or(Refusal::NotFound)?;
                self.draft_business(BusinessChange::File(*owner, *kind, None), actor)
            }
            ReservedKey::Piece(name, layer, first) => {
                if !self.ranges.piece_entry(name, *layer, *first).is_some() {
                    return Err(Refusal::NotFound);
                }
                self.draft_range(RangeChange::Piece(name.clone(), PieceChange::Remove(*layer, *first)), actor)
            }
            _ => return Err(Problem::new("object", "is of a kind that never goes").into()),
        };
        Ok(self.plain_receipt(serial, Outcome::Deleted))
    }

    /// The most bytes the entries of a restoration can take: its own, that of the record of a template, and one for each file that goes with
    /// what was forgotten.
    pub(super) fn most_restore_bytes(&self, restore: &Restore, actor: &Actor) -> usize {
        let frame = ENTRY_FRAME_BYTES + actor.name().len() + KEY_BYTES;
        let tokens = match restore.name().key() {
            ReservedKey::Principal(name) => self.access.tokens_of(name).map(|token| token.weight_bytes() + frame).sum(),
            _ => 0,
        };
        2 * restore.weight_bytes() + (2 + FileKind::ALL.len()) * frame + tokens
    }
}

/// What was put into a deposit by another version of this program.
const UNKNOWN_FORM: Problem = Problem::new("object", "is in no form this program knows");

/// The longest key of an object, generously.
const KEY_BYTES: usize = 512;
