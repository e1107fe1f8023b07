//! What the catalog wants of the top-level node: read from its table of enterprises and cases, nothing else.

use std::collections::{BTreeMap, BTreeSet};

use waymark_catalog::business::{
    Business, CaseState, DocumentKind, Enterprise, EnterpriseId, FileKind, PrefixCase, StepKind,
};

use crate::epp::exchange::{Content, ContentHash, EnterpriseWant, PrefixWant, Wants};

/// The image of an enterprise's own document.
pub(super) const DOCUMENT: FileKind = FileKind::Document;

/// The one image of its legal representative's document there is room for.
pub(super) const PERSON: FileKind = FileKind::LegalPersonFront;

/// What a node with this `own` prefix wants: every prefix that awaits the top-level node, the enterprises of these, and those the top-level node `knows`.
pub(super) fn wants(business: &Business, own: &str, knows: impl Iterator<Item = u32>) -> Wants {
    let mut prefixes: Vec<PrefixWant> = business.cases().filter_map(|case| prefix_want(case, own)).collect();
    prefixes.sort_by_key(|want| (want.since, want.case));
    let needed: BTreeSet<u32> = prefixes.iter().map(|want| want.enterprise).chain(knows).collect();
    let enterprises: BTreeMap<u32, EnterpriseWant> = needed
        .into_iter()
        .filter_map(|id| Some((id, enterprise_want(business, business.enterprise(EnterpriseId(id))?))))
        .collect();
    Wants { prefixes, enterprises }
}

fn prefix_want(case: &PrefixCase, own: &str) -> Option<PrefixWant> {
    if case.state != CaseState::AwaitingTopLevel {
        return None;
    }
    let prefix = String::from_utf8(case.prefix.to_vec()).ok()?;
    let since = case.last(StepKind::Approve).map_or(0, |step| step.time.0);
    let head = prefix.split_at_checked(own.len());
    let is_beneath = head.is_some_and(|(head, rest)| head.eq_ignore_ascii_case(own) && rest.starts_with('.'));
    Some(PrefixWant { prefix: prefix.into(), enterprise: case.enterprise.0, case: case.serial.0, since, is_beneath })
}

/// What an enterprise says. Significant, and so a full update (`chgAll`), is everything but the fields of [`Amendment`](crate::epp::message::Amendment):
/// what it is and is called, its region, its document, its people and the images of their documents.
fn enterprise_want(business: &Business, enterprise: &Enterprise) -> EnterpriseWant {
    let profile = &enterprise.profile;
    let serial = |kind| business.file(enterprise.id.into(), kind).map_or(0, |file| file.serial.0).to_be_bytes();
    let (document, person) = (serial(DOCUMENT), serial(PERSON));
    // The sealed form of what is said of people: another one whenever they say something else.
    let (nonce, sealed) = enterprise.personal.as_ref().map_or((&[][..], &[][..]), |it| (&it.nonce[..], &it.bytes[..]));
    let significant = ContentHash::of([
        profile.name.as_bytes(),
        profile.name_en.as_bytes(),
        profile.nature.as_str().as_bytes(),
        profile.province.as_bytes(),
        profile.city.as_bytes(),
        profile.county.as_bytes(),
        profile.document_kind.as_str().as_bytes(),
        profile.document_number.as_bytes(),
        &document,
        &person,
        nonce,
        sealed,
    ]);
    let small = ContentHash::of([
        profile.address.as_bytes(),
        profile.address_en.as_bytes(),
        profile.website.as_bytes(),
        profile.description.as_bytes(),
    ]);
    let missing = if profile.document_kind != DocumentKind::CreditCode {
        // `entCrCode` takes no other number.
        Some("document_number")
    } else if enterprise.personal.is_none() {
        Some("personal")
    } else if business.file(enterprise.id.into(), DOCUMENT).is_none() {
        Some(DOCUMENT.as_str())
    } else if business.file(enterprise.id.into(), PERSON).is_none() {
        Some(PERSON.as_str())
    } else {
        None
    };
    EnterpriseWant { content: Content { significant, small }, missing, since: enterprise.time.0 }
}
