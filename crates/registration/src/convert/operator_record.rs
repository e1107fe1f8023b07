//! What the node says of itself, both ways.

use waymark_api::operator::v1;
use waymark_catalog::business::{
    Business, FileKind, NodeItems, Operation, OperatorPersonal, OperatorRecord, Owner, Party, Reach,
};

use super::Faults;
use super::enterprise::{operation, people, show_operation, show_personal, show_profile, unfit};
use crate::failure::{Failure, proto_time};

/// Reads what only a node says. Whether texts are fit is the writer's to say.
///
/// # Errors
/// The fields that are not what they may be.
pub fn read_node_items(items: v1::NodeItems) -> Result<NodeItems, Failure> {
    let mut faults = Faults::default();
    let verification = operation("node.verification", items.verification, &mut faults).unwrap_or_else(|| {
        faults.note(|| "node.verification".to_owned(), "is missing");
        Operation { party: Party::Own, organisation: String::new() }
    });
    faults.finish()?;
    let v1::NodeItems { data_hosting_domestic, service_hosting_domestic, .. } = items;
    Ok(NodeItems { verification, data_hosting_domestic, service_hosting_domestic })
}

/// Shows what only a node says.
#[must_use]
pub fn show_node_items(items: &NodeItems) -> v1::NodeItems {
    v1::NodeItems {
        verification: Some(show_operation(&items.verification)),
        data_hosting_domestic: items.data_hosting_domestic,
        service_hosting_domestic: items.service_hosting_domestic,
    }
}

/// Reads what is said of people, and refuses what is not fit: the writer sees it sealed.
pub(crate) fn read_operator_personal(personal: v1::OperatorPersonalData) -> Result<OperatorPersonal, Failure> {
    let v1::OperatorPersonalData { people: known, representative_phone, representative_email, representative_fax } =
        personal;
    let representative = Reach { phone: representative_phone, email: representative_email, fax: representative_fax };
    let read = OperatorPersonal { people: people(known.unwrap_or_default()), representative };
    read.check().map_err(|problem| unfit(&problem))?;
    Ok(read)
}

/// Shows what is said of people.
#[must_use]
pub fn show_operator_personal(personal: &OperatorPersonal) -> v1::OperatorPersonalData {
    v1::OperatorPersonalData {
        people: Some(show_personal(&personal.people)),
        representative_phone: personal.representative.phone.clone(),
        representative_email: personal.representative.email.clone(),
        representative_fax: personal.representative.fax.clone(),
    }
}

/// Reads what a file shows or says.
pub(crate) fn file_kind(kind: &str) -> Result<FileKind, Failure> {
    FileKind::from_name(kind).ok_or_else(|| {
        let names: Vec<&str> = FileKind::ALL.iter().map(|kind| kind.as_str()).collect();
        Failure::invalid_field("kind", format!("must be one of {}", names.join(", ")))
    })
}

/// Shows the record.
pub(crate) fn show(record: &OperatorRecord, business: &Business) -> v1::OperatorRecord {
    let disclosure = business.disclosure(Owner::Node);
    let files: Vec<FileKind> = business.files(Owner::Node).collect();
    let missing = record.missing(&|kind| files.contains(&kind));
    v1::OperatorRecord {
        profile: Some(show_profile(&record.profile)),
        node: Some(show_node_items(&record.node)),
        has_personal_data: record.personal.is_some(),
        forgotten_reason: record.forgotten.as_ref().map_or_else(String::new, |forgotten| forgotten.reason.clone()),
        files: files.iter().map(|kind| kind.as_str().to_owned()).collect(),
        missing: missing.into_iter().map(str::to_owned).collect(),
        created: Some(proto_time(record.created)),
        changed: Some(proto_time(record.time)),
        changed_by: record.by.as_ref().to_owned(),
        serial: record.serial.0,
        disclosures: disclosure.map_or(0, |disclosure| disclosure.times),
        disclosed_to: disclosure.map_or_else(String::new, |disclosure| disclosure.by.as_ref().to_owned()),
        disclosed: disclosure.map(|disclosure| proto_time(disclosure.time)),
    }
}
