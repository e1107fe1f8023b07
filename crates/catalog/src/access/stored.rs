//! Principals and tokens as they stand in the log: JSON, since they are small, rare, and read by people too.
//!
//! ```text
//! key   00 'P' name             body  {"v":2,"role":"writer","prefixes":["88.990"],"disabled_by":null,"rate_per_second":null,
//!                                      "daily_quota":1000,"certificates":["64 hexadecimal digits"],"note":""}
//! key   00 'T' id(8)            body  {"v":1,"principal":"acme","secret_hash":"64 hexadecimal digits","prefixes":null,"verbs":["create"],
//!                                      "created":1800000000000,"expires":1802592000000,"revoked":null,"revoke_reason":"","note":""}
//! ```
//! `v` is the version. Fields stand in this order, every one is there, and others are refused: what a program does not know might take rights
//! away. `prefixes` is `["*"]` for all. Times are milliseconds since 1970. In tokens, `null` for `prefixes` or `verbs` means those of the principal.
//! `disabled_by` is `null` for principals that are not, else `"operator"` or `"enterprise-administrator"`. Version 1 of principals, which is read too,
//! has `"disabled":true` in its place; by whom was not kept, so that an operator has to enable them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use waymark_store::Timestamp;

use super::rights::Scope;
use super::role::{Role, Verb, Verbs};
use super::token::{Token, TokenId};
use super::{Disabler, Principal};

/// Version of the body of a principal.
const PRINCIPAL_VERSION: u32 = 2;

/// Version of the body of a token.
const TOKEN_VERSION: u32 = 1;

/// Why a stored principal or token cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredAccessError {
    /// Written by a newer version of this program.
    #[error("version {found}, which this program does not know")]
    Version {
        /// The version found.
        found: u32,
    },
    /// Not in the form of its version.
    #[error("not in the form of its version")]
    Form,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrincipalBody {
    v: u32,
    role: String,
    prefixes: Vec<String>,
    #[serde(deserialize_with = "present")]
    disabled_by: Option<String>,
    #[serde(deserialize_with = "present")]
    rate_per_second: Option<u32>,
    #[serde(deserialize_with = "present")]
    daily_quota: Option<u64>,
    certificates: Vec<String>,
    note: String,
}

/// Version 1.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstPrincipalBody {
    v: u32,
    role: String,
    prefixes: Vec<String>,
    disabled: bool,
    #[serde(deserialize_with = "present")]
    rate_per_second: Option<u32>,
    #[serde(deserialize_with = "present")]
    daily_quota: Option<u64>,
    certificates: Vec<String>,
    note: String,
}

impl From<FirstPrincipalBody> for PrincipalBody {
    fn from(first: FirstPrincipalBody) -> Self {
        let FirstPrincipalBody { v, role, prefixes, disabled, rate_per_second, daily_quota, certificates, note } =
            first;
        let disabled_by = disabled.then(|| Disabler::Operator.as_str().to_owned());
        Self { v, role, prefixes, disabled_by, rate_per_second, daily_quota, certificates, note }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    v: u32,
    principal: String,
    secret_hash: String,
    #[serde(deserialize_with = "present")]
    prefixes: Option<Vec<String>>,
    #[serde(deserialize_with = "present")]
    verbs: Option<Vec<String>>,
    created: u64,
    expires: u64,
    #[serde(deserialize_with = "present")]
    revoked: Option<u64>,
    revoke_reason: String,
    note: String,
}

/// Reads an option that must be given: a lost `prefixes` would widen a token.
fn present<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

impl Principal {
    /// The body of its entry; of a disabled one by whoever disabled it.
    pub(crate) fn to_body(&self, by: Disabler) -> Vec<u8> {
        write(&PrincipalBody {
            v: PRINCIPAL_VERSION,
            role: self.role.as_str().to_owned(),
            prefixes: self.scope.texts(),
            disabled_by: self.disabled.then(|| by.as_str().to_owned()),
            rate_per_second: self.rate_per_second,
            daily_quota: self.daily_quota,
            certificates: self.certificates.iter().map(hex::encode).collect(),
            note: self.note.clone(),
        })
    }

    /// Reads the entry of the principal `name`, and who disabled it; for one that is not disabled that means nothing.
    ///
    /// # Errors
    /// See [`StoredAccessError`].
    pub(crate) fn from_body(name: &str, body: &[u8]) -> Result<(Self, Disabler), StoredAccessError> {
        let body: PrincipalBody = match version(body)? {
            1 => read::<FirstPrincipalBody>(body)?.into(),
            PRINCIPAL_VERSION => read(body)?,
            found => return Err(StoredAccessError::Version { found }),
        };
        let by = body.disabled_by.as_deref().map(|name| Disabler::from_name(name).ok_or(StoredAccessError::Form));
        let by = by.transpose()?;
        let principal = Self {
            name: name.into(),
            role: Role::from_name(&body.role).ok_or(StoredAccessError::Form)?,
            scope: scope(&body.prefixes)?,
            disabled: by.is_some(),
            rate_per_second: body.rate_per_second,
            daily_quota: body.daily_quota,
            certificates: body.certificates.iter().map(|text| hash(text)).collect::<Result<_, _>>()?,
            note: body.note,
        };
        Ok((principal, by.unwrap_or(Disabler::Operator)))
    }
}

impl Token {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        write(&TokenBody {
            v: TOKEN_VERSION,
            principal: self.principal.as_ref().to_owned(),
            secret_hash: hex::encode(self.secret_hash),
            prefixes: self.scope.as_ref().map(Scope::texts),
            verbs: self.verbs.map(|verbs| verbs.iter().map(|verb| verb.as_str().to_owned()).collect()),
            created: self.created.0,
            expires: self.expires.0,
            revoked: self.revoked.map(|time| time.0),
            revoke_reason: self.revoke_reason.clone(),
            note: self.note.clone(),
        })
    }

    /// Reads the entry of the token `id`.
    ///
    /// # Errors
    /// See [`StoredAccessError`].
    pub(crate) fn from_body(id: TokenId, body: &[u8]) -> Result<Self, StoredAccessError> {
        let body: TokenBody = match version(body)? {
            TOKEN_VERSION => read(body)?,
            found => return Err(StoredAccessError::Version { found }),
        };
        Ok(Self {
            id,
            principal: Arc::from(body.principal),
            secret_hash: hash(&body.secret_hash)?,
            scope: body.prefixes.map(|prefixes| scope(&prefixes)).transpose()?,
            verbs: body.verbs.map(|names| verbs(&names)).transpose()?,
            created: Timestamp(body.created),
            expires: Timestamp(body.expires),
            revoked: body.revoked.map(Timestamp),
            revoke_reason: body.revoke_reason,
            note: body.note,
        })
    }
}

impl Principal {
    /// No less than the bytes of its body.
    pub(crate) fn weight_bytes(&self) -> usize {
        BODY_BYTES + self.scope.weight_bytes() + self.certificates.len() * CERTIFICATE_BYTES + 2 * self.note.len()
    }
}

impl Token {
    /// No less than the bytes of its body.
    pub(crate) fn weight_bytes(&self) -> usize {
        let texts = self.principal.len() + self.note.len() + self.revoke_reason.len();
        BODY_BYTES + self.scope.as_ref().map_or(0, Scope::weight_bytes) + 2 * texts
    }
}

impl Scope {
    /// Every byte may need a backslash, every prefix has quotes and a comma.
    fn weight_bytes(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Prefixes(prefixes) => prefixes.iter().map(|prefix| 2 * prefix.len() + 3).sum(),
        }
    }
}

/// What a body takes beside its lists and texts, generously: names of fields, numbers, hashes, all verbs.
const BODY_BYTES: usize = 512;

/// A certificate's hexadecimal digits, quotes and comma.
const CERTIFICATE_BYTES: usize = 67;

fn write(body: &impl Serialize) -> Vec<u8> {
    // Cannot fail: strings, numbers, and lists of them.
    serde_json::to_vec(body).unwrap_or_default()
}

/// The version of a body, looked at first: a body of another one is told from a damaged one.
fn version(body: &[u8]) -> Result<u32, StoredAccessError> {
    let Versioned { v } = serde_json::from_slice(body).map_err(|_| StoredAccessError::Form)?;
    Ok(v)
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, StoredAccessError> {
    serde_json::from_slice(body).map_err(|_| StoredAccessError::Form)
}

fn scope(texts: &[String]) -> Result<Scope, StoredAccessError> {
    Scope::parse(texts.iter().map(String::as_str)).map_err(|_| StoredAccessError::Form)
}

fn verbs(names: &[String]) -> Result<Verbs, StoredAccessError> {
    names.iter().map(|name| Verb::from_name(name).ok_or(StoredAccessError::Form)).collect()
}

fn hash(text: &str) -> Result<[u8; 32], StoredAccessError> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).map_err(|_| StoredAccessError::Form)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn principal() -> Principal {
        Principal {
            name: "acme".into(),
            role: Role::Writer,
            scope: Scope::parse(["88.990", "20.500.a"]).unwrap(),
            disabled: false,
            rate_per_second: None,
            daily_quota: Some(1000),
            certificates: vec![[0xab; 32]],
            note: "Acme \"工业\"".into(),
        }
    }

    fn token() -> Token {
        Token {
            id: TokenId([1; 8]),
            principal: "acme".into(),
            secret_hash: [0xcd; 32],
            scope: Some(Scope::parse(["88.990.1"]).unwrap()),
            verbs: Some([Verb::Create, Verb::Read].into_iter().collect()),
            created: Timestamp(1_800_000_000_000),
            expires: Timestamp(1_802_592_000_000),
            revoked: Some(Timestamp(1_800_000_060_000)),
            revoke_reason: "lost".into(),
            note: String::new(),
        }
    }

    #[test]
    fn a_principal_has_golden_bytes() {
        let golden = format!(
            r#"{{"v":2,"role":"writer","prefixes":["20.500.A","88.990"],"disabled_by":null,"rate_per_second":null,"daily_quota":1000,"certificates":["{}"],"note":"Acme \"工业\""}}"#,
            "ab".repeat(32)
        );
        assert_eq!(String::from_utf8(principal().to_body(BOSS)).unwrap(), golden);
        assert_eq!(back(golden.as_bytes()), Ok(principal()));
        let disabled = Principal { disabled: true, ..principal() };
        for by in [BOSS, Disabler::Operator] {
            let golden = golden.replace("\"disabled_by\":null", &format!("\"disabled_by\":\"{}\"", by.as_str()));
            assert_eq!(String::from_utf8(disabled.to_body(by)).unwrap(), golden);
            assert_eq!(Principal::from_body("acme", golden.as_bytes()), Ok((disabled.clone(), by)));
        }
    }

    /// As version 1 wrote them. Never changed.
    #[test]
    fn a_principal_of_the_first_version_is_read_and_disabled_ones_are_an_operator_s() {
        let body = |disabled: bool| {
            format!(
                r#"{{"v":1,"role":"writer","prefixes":["20.500.A","88.990"],"disabled":{disabled},"rate_per_second":null,"daily_quota":1000,"certificates":["{}"],"note":"Acme \"工业\""}}"#,
                "ab".repeat(32)
            )
        };
        assert_eq!(back(body(false).as_bytes()), Ok(principal()));
        let disabled = Principal { disabled: true, ..principal() };
        assert_eq!(Principal::from_body("acme", body(true).as_bytes()), Ok((disabled, Disabler::Operator)));
        let mixed = body(true).replace("\"v\":1", "\"v\":2");
        assert_eq!(back(mixed.as_bytes()), Err(StoredAccessError::Form));
    }

    const BOSS: Disabler = Disabler::EnterpriseAdministrator;

    fn back(body: &[u8]) -> Result<Principal, StoredAccessError> {
        Principal::from_body("acme", body).map(|(principal, _)| principal)
    }

    #[test]
    fn a_token_has_golden_bytes() {
        let golden = format!(
            r#"{{"v":1,"principal":"acme","secret_hash":"{}","prefixes":["88.990.1"],"verbs":["create","read"],"created":1800000000000,"expires":1802592000000,"revoked":1800000060000,"revoke_reason":"lost","note":""}}"#,
            "cd".repeat(32)
        );
        assert_eq!(String::from_utf8(token().to_body()).unwrap(), golden);
        assert_eq!(Token::from_body(TokenId([1; 8]), golden.as_bytes()), Ok(token()));
    }

    #[test]
    fn everything_that_can_be_absent_comes_back_absent() {
        let bare = Token { scope: None, verbs: None, revoked: None, revoke_reason: String::new(), ..token() };
        assert_eq!(Token::from_body(bare.id, &bare.to_body()), Ok(bare));
        let all = Principal { scope: Scope::All, daily_quota: None, rate_per_second: Some(5), ..principal() };
        assert_eq!(back(&all.to_body(BOSS)), Ok(all));
        let none = Principal { scope: Scope::parse([]).unwrap(), ..principal() };
        assert_eq!(back(&none.to_body(BOSS)), Ok(none));
    }

    #[test]
    fn no_body_is_larger_than_its_weight() {
        let texts: Vec<String> = (0..200).map(|n| format!("88.{n}\"\\")).collect();
        let scope = Scope::parse(texts.iter().map(String::as_str)).unwrap();
        let note = "\"".repeat(200);
        let wide = Principal {
            scope: scope.clone(),
            certificates: vec![[0xff; 32]; 16],
            rate_per_second: Some(u32::MAX),
            daily_quota: Some(u64::MAX),
            role: Role::EnterpriseAdministrator,
            disabled: true,
            note: note.clone(),
            ..principal()
        };
        let long = Token {
            scope: Some(scope),
            verbs: Some(Verb::ALL.into_iter().collect()),
            created: Timestamp(u64::MAX),
            expires: Timestamp(u64::MAX),
            revoked: Some(Timestamp(u64::MAX)),
            revoke_reason: "\\".repeat(1024),
            note,
            ..token()
        };
        assert!(wide.to_body(BOSS).len() <= wide.weight_bytes());
        assert!(long.to_body().len() <= long.weight_bytes());
        assert!(principal().to_body(BOSS).len() <= principal().weight_bytes());
        assert!(token().to_body().len() <= token().weight_bytes());
    }

    #[test]
    fn another_version_is_told_from_a_damaged_body() {
        let newer = br#"{"v":3,"roles":["writer"]}"#;
        assert_eq!(back(newer), Err(StoredAccessError::Version { found: 3 }));
        assert_eq!(Token::from_body(TokenId([1; 8]), newer), Err(StoredAccessError::Version { found: 3 }));
        let text = String::from_utf8(token().to_body()).unwrap();
        let damaged = [
            text.replace(r#""note":"""#, r#""note":"","more":1"#),
            text.replace(r#""prefixes":["88.990.1"],"#, ""),
            text.replace(r#""verbs":["create","read"],"#, ""),
            text.replace(r#""revoked":1800000060000,"#, ""),
            text.replace("create", "everything"),
            text.replace("cdcd", "cd"),
            text.replace("88.990.1", "88/990"),
            text.replace("\"v\":1,", ""),
            text[..text.len() - 1].to_owned(),
        ];
        for body in damaged {
            assert_eq!(Token::from_body(TokenId([1; 8]), body.as_bytes()), Err(StoredAccessError::Form), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Principal::from_body("acme", &body);
            let _ = Token::from_body(TokenId([1; 8]), &body);
        }

        #[test]
        fn a_mutated_body_is_refused_or_comes_back_as_it_was_read(
            at in any::<proptest::sample::Index>(), with in proptest::collection::vec(any::<u8>(), 0..4), cut in 0_usize..8,
        ) {
            let mutate = |mut body: Vec<u8>| {
                let at = at.index(body.len());
                let end = (at + cut).min(body.len());
                body.splice(at..end, with.iter().copied());
                body
            };
            if let Ok((read, by)) = Principal::from_body("acme", &mutate(principal().to_body(BOSS))) {
                prop_assert_eq!(Principal::from_body("acme", &read.to_body(by)), Ok((read, by)));
            }
            if let Ok(read) = Token::from_body(TokenId([1; 8]), &mutate(token().to_body())) {
                prop_assert_eq!(Token::from_body(TokenId([1; 8]), &read.to_body()), Ok(read));
            }
        }
    }
}
