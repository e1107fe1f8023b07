//! What is sealed, of an enterprise and of the node alike: that it is read, and its files.

use std::sync::Arc;

use waymark_store::{Serial, Timestamp};

use super::Problem;
use super::change::{BusinessChange, BusinessDecision, BusinessFacts, check_reason};
use super::enterprise::{Forgotten, needed_text};
use super::file::{FileKind, FreshFile, StoredFile};
use super::owner::Owner;
use super::table::Disclosure;
use crate::command::{Outcome, Refusal};
use crate::config::SHORT_TEXT_CHARS;
use crate::vault::{Fresh, Sealed};

/// What a record holds of its people once it is written: what is sealed for it now, else what its `former` version held or had forgotten.
pub(super) fn people_after(
    former: Option<(Option<&Sealed>, Option<&Forgotten>)>,
    fresh: Option<&Fresh>,
) -> Result<(Option<Sealed>, Option<Forgotten>), Refusal> {
    let Some(fresh) = fresh else {
        let (held, forgotten) = former.ok_or(Problem::new("personal", "is missing"))?;
        return Ok((held.cloned(), forgotten.cloned()));
    };
    // Keys that one record was sealed with would otherwise outlive its being forgotten, and what was sealed before that would come back behind it.
    let (held, forgotten) = former.unwrap_or_default();
    let fits = match held {
        Some(held) => held.subject == fresh.sealed.subject,
        None => fresh.is_first && fresh.dropped == forgotten.map(|forgotten| forgotten.subject),
    };
    if !fits {
        return Err(Problem::new("personal", "was sealed for another record; ask again").into());
    }
    Ok((Some(fresh.sealed.clone()), None))
}

/// How what is held of people is forgotten; `None` where nothing is held.
pub(super) fn forgotten(held: Option<&Sealed>, reason: &str) -> Result<Option<Forgotten>, Refusal> {
    check_reason(reason, true)?;
    Ok(held.map(|held| Forgotten { subject: held.subject, reason: reason.to_owned() }))
}

/// Notes that the caller is about to read what is said of people.
pub(super) fn note_reading(
    owner: Owner,
    personal: Option<&Sealed>,
    purpose: &str,
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    needed_text("purpose", purpose, SHORT_TEXT_CHARS)?;
    if personal.is_none() {
        return Err(Problem::new("personal", "is not there: it was forgotten").into());
    }
    let times = facts.business.disclosure(owner).map_or(0, |last| last.times).saturating_add(1);
    let (by, purpose) = (Arc::clone(facts.actor), purpose.to_owned());
    let disclosure = Disclosure { times, by, purpose, time: facts.now, serial: Serial::NONE };
    let change = BusinessChange::Disclosure(owner, disclosure);
    Ok(BusinessDecision::Change { change, effect: None, outcome: Outcome::Disclosed })
}

/// Keeps a file, or takes away the one that is kept; `at` is the entry of the record it belongs to.
pub(super) fn keep_file(
    (owner, kind): (Owner, FileKind),
    file: Option<&FreshFile>,
    personal: Option<&Sealed>,
    at: (Serial, Timestamp),
    facts: &BusinessFacts<'_>,
) -> Result<BusinessDecision, Refusal> {
    let stored = match file {
        None if facts.business.file(owner, kind).is_none() => return Ok(BusinessDecision::Keep(at.0, at.1)),
        None => None,
        Some(FreshFile { format, fresh }) => {
            let field = if kind.is_image() { "image" } else { "document" };
            // Sealed with the key that is dropped when the people are forgotten, so that the file is forgotten with them.
            let subject = personal.map(|sealed| sealed.subject);
            if subject.is_none() {
                return Err(Problem::new(field, "needs what is said of people first").into());
            }
            if subject != Some(fresh.sealed.subject) {
                return Err(Problem::new(field, "was sealed for another record; ask again").into());
            }
            Some(StoredFile { format: *format, sealed: fresh.sealed.clone() })
        }
    };
    let outcome = if stored.is_some() { Outcome::Stored } else { Outcome::Deleted };
    let change = BusinessChange::File(owner, kind, stored);
    Ok(BusinessDecision::Change { change, effect: None, outcome })
}
