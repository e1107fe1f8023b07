//! Principals and tokens between the catalog, the interface and their print.

use serde_json::{Value, json};
use waymark_api::{operator::v1, registration};
use waymark_catalog::{
    Catalog, Receipt, Timestamp,
    access::{Principal, Role, Scope, Token, Verb, Verbs},
};

use crate::{
    cli::{present::safe, server::answer, terminal::grouped},
    problem::{Exit, Problem},
    texts::Texts,
};

/// Roles and their numbers in the interface.
const ROLES: [(Role, v1::Role); 6] = [
    (Role::Operator, v1::Role::Operator),
    (Role::Reviewer, v1::Role::Reviewer),
    (Role::Auditor, v1::Role::Auditor),
    (Role::EnterpriseAdministrator, v1::Role::EnterpriseAdministrator),
    (Role::Writer, v1::Role::Writer),
    (Role::Reader, v1::Role::Reader),
];

/// Reads the name of a role.
pub(crate) fn parse_role(name: &str) -> Result<Role, String> {
    Role::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
        format!("a role is one of {}", names.join(", "))
    })
}

/// Reads the name of a verb.
pub(crate) fn parse_verb(name: &str) -> Result<Verb, String> {
    Verb::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
        format!("a verb is one of {}", names.join(", "))
    })
}

/// The role's number in the interface.
pub(crate) fn role_number(role: Role) -> v1::Role {
    ROLES.iter().find(|(own, _)| *own == role).map_or(v1::Role::Unspecified, |(_, number)| *number)
}

/// The role's name; the number's own for one this program does not know.
pub(crate) fn role_name(number: v1::Role) -> String {
    let known = ROLES.iter().find(|(_, other)| *other == number).map(|(role, _)| role.as_str().to_owned());
    known.unwrap_or_else(|| answer::name_of(number.as_str_name(), "ROLE_"))
}

fn malformed(cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("access-malformed", Exit::Usage).with("cause", cause)
}

/// Reads prefixes; none means none.
pub(crate) fn scope(prefixes: &[String]) -> Result<Scope, Problem> {
    Scope::parse(prefixes.iter().map(String::as_str)).map_err(|cause| malformed(&cause))
}

/// A principal for the catalog.
pub(crate) fn principal_of(shown: &v1::Principal) -> Result<Principal, Problem> {
    let role = ROLES.iter().find(|(_, number)| *number == shown.role()).map(|(role, _)| *role);
    let certificates = shown.certificates.iter().map(|hash| <[u8; 32]>::try_from(hash.as_slice()));
    Ok(Principal {
        name: shown.name.as_str().into(),
        role: role.ok_or_else(|| malformed(&"no role"))?,
        scope: scope(&shown.prefixes)?,
        disabled: shown.disabled,
        rate_per_second: Some(shown.rate_per_second).filter(|rate| *rate != 0),
        daily_quota: Some(shown.daily_quota).filter(|quota| *quota != 0),
        certificates: certificates
            .collect::<Result<_, _>>()
            .map_err(|_| malformed(&"a certificate hash has 32 bytes"))?,
        note: shown.note.clone(),
    })
}

/// A principal of the catalog as the interface shows it.
pub(crate) fn show_principal(principal: &Principal, catalog: &Catalog) -> v1::Principal {
    v1::Principal {
        name: principal.name.to_string(),
        role: role_number(principal.role).into(),
        prefixes: principal.scope.texts(),
        disabled: principal.disabled,
        rate_per_second: principal.rate_per_second.unwrap_or_default(),
        daily_quota: principal.daily_quota.unwrap_or_default(),
        certificates: principal.certificates.iter().map(|hash| hash.to_vec()).collect(),
        note: principal.note.clone(),
        written_today: catalog.usage(&principal.name),
        disabled_by: catalog.access().disabler(&principal.name).map_or_else(String::new, |by| by.as_str().to_owned()),
    }
}

/// A token of the catalog as the interface shows it.
pub(crate) fn show_token(token: &Token) -> v1::Token {
    let verbs = |verbs: &Verbs| verbs.iter().map(|verb| verb.as_str().to_owned()).collect();
    v1::Token {
        id: token.id.to_string(),
        principal: token.principal.to_string(),
        prefixes: token.scope.as_ref().map(Scope::texts).unwrap_or_default(),
        verbs: token.verbs.as_ref().map(verbs).unwrap_or_default(),
        created: Some(moment(token.created)),
        expires: Some(moment(token.expires)),
        revoked: token.revoked.map(moment),
        note: token.note.clone(),
    }
}

/// A receipt of the catalog as the interface shows it.
pub(crate) fn show_receipt(receipt: &Receipt) -> registration::v1::Receipt {
    use registration::v1::Outcome as Shown;
    use waymark_catalog::Outcome;
    let outcome = match receipt.outcome {
        Outcome::Created => Shown::Created,
        Outcome::Replaced => Shown::Replaced,
        Outcome::Deleted => Shown::Deleted,
        Outcome::Stored => Shown::Stored,
        Outcome::Homed => Shown::Homed,
        Outcome::Unhomed => Shown::Unhomed,
        Outcome::Same => Shown::Unchanged,
        _ => Shown::Changed,
    };
    registration::v1::Receipt {
        outcome: outcome.into(),
        serial: receipt.serial.0,
        time: Some(moment(receipt.time)),
        ..registration::v1::Receipt::default()
    }
}

fn moment(time: Timestamp) -> prost_types::Timestamp {
    let seconds = i64::try_from(time.0 / 1_000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(time.0 % 1_000).unwrap_or_default() * 1_000_000;
    prost_types::Timestamp { seconds, nanos }
}

/// A principal for programs.
pub(crate) fn principal_json(principal: &v1::Principal) -> Value {
    json!({
        "name": principal.name, "role": role_name(principal.role()), "prefixes": principal.prefixes,
        "disabled": principal.disabled, "rate_per_second": principal.rate_per_second,
        "daily_quota": principal.daily_quota, "written_today": principal.written_today,
        "certificates": principal.certificates.iter().map(hex::encode).collect::<Vec<_>>(), "note": principal.note,
    })
}

/// A principal as a row of [`principal_head`].
pub(crate) fn principal_row(principal: &v1::Principal) -> Vec<String> {
    let some = |number: u64| if number == 0 { "-".to_owned() } else { grouped(number) };
    let name = if principal.disabled { format!("{} (-)", principal.name) } else { principal.name.clone() };
    vec![
        safe(&name),
        role_name(principal.role()),
        safe(&principal.prefixes.join(" ")),
        some(u64::from(principal.rate_per_second)),
        some(principal.daily_quota),
        grouped(principal.written_today),
        safe(&principal.note),
    ]
}

/// Names of the columns.
pub(crate) fn principal_head(texts: &Texts) -> Vec<String> {
    let codes = ["principal", "role", "prefixes", "rate", "quota", "written", "note"];
    codes.map(|code| texts.text(&format!("access-{code}"), &[])).to_vec()
}

/// A token for programs, without its text.
pub(crate) fn token_json(token: &v1::Token) -> Value {
    let time = |time: Option<&prost_types::Timestamp>| time.map(ToString::to_string);
    json!({
        "id": token.id, "principal": token.principal, "prefixes": token.prefixes, "verbs": token.verbs,
        "created": time(token.created.as_ref()), "expires": time(token.expires.as_ref()),
        "revoked": time(token.revoked.as_ref()), "note": token.note,
    })
}

/// A token as a row of [`token_head`].
pub(crate) fn token_row(token: &v1::Token) -> Vec<String> {
    vec![
        safe(&token.id),
        safe(&token.principal),
        safe(&token.prefixes.join(" ")),
        safe(&token.verbs.join(" ")),
        answer::time(token.expires.as_ref()),
        answer::time(token.revoked.as_ref()),
        safe(&token.note),
    ]
}

/// Names of the columns.
pub(crate) fn token_head(texts: &Texts) -> Vec<String> {
    let codes = ["token", "principal", "prefixes", "verbs", "expires", "revoked", "note"];
    codes.map(|code| texts.text(&format!("access-{code}"), &[])).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_number_and_its_name() {
        for role in Role::ALL {
            let number = role_number(role);
            assert_ne!(number, v1::Role::Unspecified, "{role}");
            assert_eq!(role_name(number), role.as_str());
            assert_eq!(parse_role(role.as_str()), Ok(role));
        }
        assert!(parse_role("king").unwrap_err().contains("enterprise-administrator"));
        assert!(parse_verb("rule").unwrap_err().contains("manage-access"));
    }

    #[test]
    fn a_principal_of_the_interface_is_checked_before_it_is_stored() {
        let good = v1::Principal {
            name: "factory-7".into(),
            role: v1::Role::Writer.into(),
            prefixes: vec!["88.990.10001".into()],
            daily_quota: 5,
            ..v1::Principal::default()
        };
        let principal = principal_of(&good).unwrap();
        assert_eq!((principal.role, principal.daily_quota, principal.rate_per_second), (Role::Writer, Some(5), None));
        assert!(principal_of(&v1::Principal { role: 0, ..good.clone() }).is_err());
        assert!(principal_of(&v1::Principal { certificates: vec![vec![1]], ..good }).is_err());
    }
}
