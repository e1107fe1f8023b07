//! Applications, both ways.

use waymark_api::operator::v1;
use waymark_catalog::business::{
    Application, ApplicationId, ApplicationKind, ApplicationProfile, Month, MonthlyUsers, Owner,
};

use super::Faults;
use super::enterprise::word;
use crate::failure::{Failure, proto_time};

/// Reads the name of an application; `None` for an empty one.
pub(crate) fn read_id(id: &str) -> Result<Option<ApplicationId>, Failure> {
    if id.is_empty() {
        return Ok(None);
    }
    id.parse().map(Some).map_err(|_| Failure::invalid_field("id", "must be the name of an application, such as A7"))
}

/// Reads the name of an application that must be given.
pub(crate) fn needed_id(id: &str) -> Result<ApplicationId, Failure> {
    read_id(id)?.ok_or_else(|| Failure::invalid_field("id", "is missing"))
}

/// Reads whose it is; `None` for an empty one.
pub(crate) fn read_owner(owner: &str) -> Result<Option<Owner>, Failure> {
    if owner.is_empty() {
        return Ok(None);
    }
    let wrong = || Failure::invalid_field("owner", "must be `node`, or the name of an enterprise, such as E7");
    owner.parse().map(Some).map_err(|_| wrong())
}

/// Reads what is said of an application. Whether texts are fit is the writer's to say.
pub(crate) fn read_profile(profile: v1::ApplicationProfile) -> Result<ApplicationProfile, Failure> {
    let mut faults = Faults::default();
    let (given, other) = (&profile.kind, ApplicationKind::Other);
    let kind = word("profile.kind", given, ApplicationKind::from_name, other, &mut faults);
    faults.finish()?;
    let v1::ApplicationProfile { name, description, recursive_node, developer, .. } = profile;
    Ok(ApplicationProfile { name, kind, description, recursive_node, developer })
}

/// Reads the users of a month.
pub(crate) fn read_users(users: v1::MonthlyUsers) -> MonthlyUsers {
    MonthlyUsers { month: Month(users.month), users: users.users }
}

/// Shows an application.
pub(crate) fn show(application: &Application) -> v1::Application {
    let ApplicationProfile { name, kind, description, recursive_node, developer } = &application.profile;
    let users = application.users.iter();
    v1::Application {
        id: application.id.to_string(),
        owner: application.owner.to_string(),
        profile: Some(v1::ApplicationProfile {
            name: name.clone(),
            kind: kind.as_str().to_owned(),
            description: description.clone(),
            recursive_node: recursive_node.clone(),
            developer: developer.clone(),
        }),
        users: users.map(|(Month(month), users)| v1::MonthlyUsers { month: month.clone(), users: *users }).collect(),
        created: Some(proto_time(application.created)),
        changed: Some(proto_time(application.time)),
        changed_by: application.by.as_ref().to_owned(),
        serial: application.serial.0,
        kind_number: u32::from(kind.number()),
    }
}
