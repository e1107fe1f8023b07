//! Principals and tokens, both ways.

use std::time::Duration;

use waymark_api::operator::v1;
use waymark_catalog::Timestamp;
use waymark_catalog::access::{Disabler, Principal, Role, Scope, Token, TokenText, Verb, Verbs};

use super::Faults;
use crate::failure::{Failure, proto_time};

/// How long a token lives when nothing is said.
const TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Reads a principal. Whether its name and note are fit is the writer's to say.
pub(crate) fn read(principal: v1::Principal) -> Result<Principal, Failure> {
    let mut faults = Faults::default();
    let role = match v1::Role::try_from(principal.role) {
        Ok(v1::Role::Operator) => Some(Role::Operator),
        Ok(v1::Role::Reviewer) => Some(Role::Reviewer),
        Ok(v1::Role::Auditor) => Some(Role::Auditor),
        Ok(v1::Role::EnterpriseAdministrator) => Some(Role::EnterpriseAdministrator),
        Ok(v1::Role::Writer) => Some(Role::Writer),
        Ok(v1::Role::Reader) => Some(Role::Reader),
        Ok(v1::Role::Unspecified) | Err(_) => {
            faults.note(|| "principal.role".to_owned(), "must be one of the roles");
            None
        }
    };
    let scope = read_scope(&principal.prefixes, "principal.prefixes", &mut faults);
    let mut certificates = Vec::new();
    for (at, fingerprint) in principal.certificates.iter().enumerate() {
        match <[u8; 32]>::try_from(fingerprint.as_slice()) {
            Ok(fingerprint) => certificates.push(fingerprint),
            Err(_) => faults.note(|| format!("principal.certificates[{at}]"), "must be a SHA-256 of 32 bytes"),
        }
    }
    faults.finish()?;
    Ok(Principal {
        name: principal.name.into(),
        // Without faults there is a role.
        role: role.unwrap_or(Role::Reader),
        scope,
        disabled: principal.disabled,
        rate_per_second: Some(principal.rate_per_second).filter(|rate| *rate > 0),
        daily_quota: Some(principal.daily_quota).filter(|quota| *quota > 0),
        certificates,
        note: principal.note,
    })
}

fn read_scope(prefixes: &[String], path: &str, faults: &mut Faults) -> Scope {
    Scope::parse(prefixes.iter().map(String::as_str)).unwrap_or_else(|error| {
        faults.note(|| path.to_owned(), error.to_string());
        Scope::All
    })
}

/// Shows a principal.
pub(crate) fn show(principal: &Principal, disabler: Option<Disabler>, written_today: u64) -> v1::Principal {
    let role = match principal.role {
        Role::Operator => v1::Role::Operator,
        Role::Reviewer => v1::Role::Reviewer,
        Role::Auditor => v1::Role::Auditor,
        Role::EnterpriseAdministrator => v1::Role::EnterpriseAdministrator,
        Role::Writer => v1::Role::Writer,
        Role::Reader => v1::Role::Reader,
        _ => v1::Role::Unspecified,
    };
    v1::Principal {
        name: principal.name.to_string(),
        role: role.into(),
        prefixes: principal.scope.texts(),
        disabled: principal.disabled,
        rate_per_second: principal.rate_per_second.unwrap_or_default(),
        daily_quota: principal.daily_quota.unwrap_or_default(),
        certificates: principal.certificates.iter().map(|fingerprint| fingerprint.to_vec()).collect(),
        note: principal.note.clone(),
        written_today,
        disabled_by: disabler.map_or_else(String::new, |disabler| disabler.as_str().to_owned()),
    }
}

/// Makes the token that is asked for.
pub(crate) fn token(request: v1::IssueTokenRequest, text: &TokenText, now: Timestamp) -> Result<Token, Failure> {
    let v1::IssueTokenRequest { principal, prefixes, verbs, lifetime_seconds, note } = request;
    let mut faults = Faults::default();
    let scope = (!prefixes.is_empty()).then(|| read_scope(&prefixes, "prefixes", &mut faults));
    let verbs = (!verbs.is_empty()).then(|| read_verbs(&verbs, &mut faults));
    faults.finish()?;
    let lifetime = if lifetime_seconds == 0 { TOKEN_LIFETIME } else { Duration::from_secs(lifetime_seconds) };
    Ok(Token { scope, verbs, note, ..Token::new(text, &principal, now, lifetime) })
}

fn read_verbs(names: &[String], faults: &mut Faults) -> Verbs {
    let mut verbs = Vec::new();
    for (at, name) in names.iter().enumerate() {
        match Verb::from_name(name) {
            Some(verb) => verbs.push(verb),
            None => {
                let known = Verb::ALL.map(Verb::as_str).join(", ");
                faults.note(|| format!("verbs[{at}]"), format!("must be one of {known}"));
            }
        }
    }
    verbs.into_iter().collect()
}

/// Shows a token, without anything secret.
pub(crate) fn show_token(token: &Token) -> v1::Token {
    v1::Token {
        id: token.id.to_string(),
        principal: token.principal.to_string(),
        prefixes: token.scope.as_ref().map_or_else(Vec::new, Scope::texts),
        verbs: token.verbs.map_or_else(Vec::new, |verbs| verbs.iter().map(|verb| verb.to_string()).collect()),
        created: Some(proto_time(token.created)),
        expires: Some(proto_time(token.expires)),
        revoked: token.revoked.map(proto_time),
        note: token.note.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_comes_back_as_it_was() {
        let principal = v1::Principal {
            name: "line-1".into(),
            role: v1::Role::Writer.into(),
            prefixes: vec!["88.1".into(), "88.2".into()],
            disabled: true,
            rate_per_second: 5,
            daily_quota: 7,
            certificates: vec![vec![3; 32]],
            note: "n".into(),
            written_today: 2,
            disabled_by: "operator".into(),
        };
        assert_eq!(show(&read(principal.clone()).unwrap(), Some(Disabler::Operator), 2), principal);
    }

    #[test]
    fn wrong_fields_are_named() {
        let principal =
            v1::Principal { prefixes: vec!["88.1/x".into()], certificates: vec![vec![1]], ..v1::Principal::default() };
        let failure = read(principal).unwrap_err();
        let fields: Vec<&str> = failure.violations().iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["principal.role", "principal.prefixes", "principal.certificates[0]"]);
        let request = v1::IssueTokenRequest { verbs: vec!["create".into(), "all".into()], ..Default::default() };
        let failure = token(request, &TokenText::generate().unwrap(), Timestamp(0)).unwrap_err();
        assert_eq!(failure.violations()[0].field, "verbs[1]");
    }
}
