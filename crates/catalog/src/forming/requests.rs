//! Request ids in a group being formed.

use std::sync::Arc;

use waymark_store::{EntryKind, Serial};

use super::{Forming, Terms};
use crate::access::permit::authorize;
use crate::command::{Order, Receipt, Refusal, Request, Submission};
use crate::requests::{Remembered, note, number};
use crate::reserved::ReservedKey;

pub(super) use crate::requests::note::NOTE_BYTES;

impl Forming {
    /// What is answered to a submission without deciding anything: it contradicts itself, or its request id was seen before.
    ///
    /// A request of this very group is answered with the receipt it is about to get: no answer goes out before the group is durable.
    pub(super) fn known_before(&self, submission: &Submission, terms: Terms<'_>) -> Result<Option<Receipt>, Refusal> {
        submission.check()?;
        let Some(request) = &submission.request else { return Ok(None) };
        // Whoever may not do it is not told that it was done: the refusal follows from deciding.
        let may = |order: &Order| authorize(&submission.actor, &order.command, &self.access, self.time).is_ok();
        if !submission.orders.iter().all(may) {
            return Ok(None);
        }
        let principal = submission.actor.shared_name();
        if let Some(remembered) = self.requests.get(&(number(request.id), Arc::clone(&principal))) {
            return remembered.repeat(request).map(Some);
        }
        terms.requests.recall(&principal, request, self.time)
    }

    /// Notes in the log what was answered to a request.
    pub(super) fn note_request(&mut self, request: &Request, receipt: Receipt, principal: &Arc<str>) {
        let remembered = Remembered { digest: request.digest, receipt };
        let id = number(request.id);
        let key = ReservedKey::Request(note::place_of(principal, id).into()).to_bytes();
        self.draft(EntryKind::NOTE, key, Serial::NONE, note::body_of(&remembered), principal);
        self.requests.insert((id, Arc::clone(principal)), remembered);
    }

    /// The requests accepted in this group.
    pub(crate) fn remembered(&self) -> impl Iterator<Item = (u128, &str, Remembered)> {
        self.requests.iter().map(|((id, principal), what)| (*id, &**principal, *what))
    }
}
