//! Enterprises, cases, the node's own record and applications as they stand in the log: JSON, since they are small, few, and read by people too.
//!
//! ```text
//! key   00 'E' 'R' number(4)      body  {"v":1,"profile":{...},"personal":{"subject":"hex","nonce":"hex","sealed":"hex"},"forgotten":null,
//!                                        "real_name":{...},"principals":["acme"],"created":1800000000000,"by":"acme","since":1800000000000}
//! key   00 'E' 'D' number(4)      body  {"v":1,"times":1,"by":"operator","purpose":"","since":1800000000000}
//! key   00 'O' 'R'                body  {"v":1,"profile":{...},"node":{...},"personal":{...},"forgotten":null,"created":1800000000000,
//!                                        "by":"operator","since":1800000000000}
//! key   00 'O' 'D'                body  as that of `E` `D`
//! key   00 'O' 'P' year(2)        body  {"v":1,"plan":{"enterprises":120,...},"by":"operator","since":1800000000000}
//! key   00 'O' 'A' number(8)      body  {"v":1,"owner":"E7","application":{...},"users":{"2026-11":120},"created":1800000000000,"by":"acme",
//!                                        "since":1800000000000}
//! key   00 'X' prefix             body  {"v":1,"enterprise":7,"state":"active","wish":"hosted","placement":"here",
//!                                        "steps":[{"kind":"apply","time":1800000000000,"by":"acme","reason":""}]}
//! ```
//! Numbers in keys are big-endian; prefixes are folded. `profile` has the fields of [`Profile`], `node` those of [`NodeItems`],
//! `application` those of [`ApplicationProfile`], `plan` those of [`YearPlan`]. What is said of people is sealed, see
//! [`crate::vault`]; `forgotten` is `{"subject":"hex","reason":""}` when it was. Times are milliseconds since 1970.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};

use super::application::{Application, ApplicationId, ApplicationProfile, Month};
use super::deed::{Deed, NotedDeed};
use super::enterprise::{Enterprise, EnterpriseId, Forgotten, Profile, RealName};
use super::operator::{NodeItems, OperatorRecord};
use super::plan::{KeptPlan, YearPlan};
use super::prefix_case::{CaseState, Placement, PrefixCase, Step, StepKind, Wish};
use super::table::Disclosure;
use crate::vault::Sealed;

/// Version of all bodies.
const VERSION: u32 = 1;

/// Why a stored enterprise or case cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredBusinessError {
    /// Written by a newer version of this program.
    #[error("version {found}, this program knows version 1")]
    Version {
        /// The version found.
        found: u32,
    },
    /// Not in the form of its version.
    #[error("not in the form of version 1")]
    Form,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnterpriseBody {
    v: u32,
    profile: Profile,
    personal: Option<SealedBody>,
    forgotten: Option<ForgottenBody>,
    real_name: Option<RealName>,
    principals: Vec<String>,
    created: u64,
    by: String,
    since: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorBody {
    v: u32,
    profile: Profile,
    node: NodeItems,
    personal: Option<SealedBody>,
    forgotten: Option<ForgottenBody>,
    created: u64,
    by: String,
    since: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApplicationBody {
    v: u32,
    owner: String,
    application: ApplicationProfile,
    users: BTreeMap<Month, u64>,
    created: u64,
    by: String,
    since: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedBody {
    subject: String,
    nonce: String,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForgottenBody {
    subject: String,
    reason: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DisclosureBody {
    v: u32,
    times: u64,
    by: String,
    purpose: String,
    since: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeedBody {
    v: u32,
    times: u64,
    deed: Deed,
    about: String,
    reason: String,
    by: String,
    since: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanBody {
    v: u32,
    plan: YearPlan,
    by: String,
    since: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseBody {
    v: u32,
    enterprise: u32,
    state: CaseState,
    wish: Wish,
    placement: Placement,
    steps: Vec<StepBody>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    kind: StepKind,
    time: u64,
    by: String,
    reason: String,
}

impl SealedBody {
    fn of(sealed: &Sealed) -> Self {
        Self {
            subject: hex::encode(sealed.subject),
            nonce: hex::encode(sealed.nonce),
            sealed: hex::encode(&sealed.bytes),
        }
    }

    fn read(self) -> Result<Sealed, StoredBusinessError> {
        let bytes = hex::decode(&self.sealed).map_err(|_| StoredBusinessError::Form)?;
        Ok(Sealed { subject: array(&self.subject)?, nonce: array(&self.nonce)?, bytes })
    }
}

impl ForgottenBody {
    fn of(forgotten: &Forgotten) -> Self {
        Self { subject: hex::encode(forgotten.subject), reason: forgotten.reason.clone() }
    }

    fn read(self) -> Result<Forgotten, StoredBusinessError> {
        Ok(Forgotten { subject: array(&self.subject)?, reason: self.reason })
    }
}

impl Enterprise {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        write(&EnterpriseBody {
            v: VERSION,
            profile: self.profile.clone(),
            personal: self.personal.as_ref().map(SealedBody::of),
            forgotten: self.forgotten.as_ref().map(ForgottenBody::of),
            real_name: self.real_name.clone(),
            principals: self.principals.iter().map(|name| name.as_ref().to_owned()).collect(),
            created: self.created.0,
            by: self.by.as_ref().to_owned(),
            since: self.time.0,
        })
    }

    /// Reads the entry of the enterprise `id`.
    ///
    /// # Errors
    /// See [`StoredBusinessError`].
    pub(crate) fn from_body(id: EnterpriseId, body: &[u8], serial: Serial) -> Result<Self, StoredBusinessError> {
        let body: EnterpriseBody = read(body)?;
        Ok(Self {
            id,
            profile: body.profile,
            personal: body.personal.map(SealedBody::read).transpose()?,
            forgotten: body.forgotten.map(ForgottenBody::read).transpose()?,
            real_name: body.real_name,
            principals: body.principals.iter().map(|name| name.as_str().into()).collect(),
            created: Timestamp(body.created),
            by: body.by.into(),
            serial,
            time: Timestamp(body.since),
        })
    }
}

impl OperatorRecord {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        write(&OperatorBody {
            v: VERSION,
            profile: self.profile.clone(),
            node: self.node.clone(),
            personal: self.personal.as_ref().map(SealedBody::of),
            forgotten: self.forgotten.as_ref().map(ForgottenBody::of),
            created: self.created.0,
            by: self.by.as_ref().to_owned(),
            since: self.time.0,
        })
    }

    /// Reads its entry.
    ///
    /// # Errors
    /// See [`StoredBusinessError`].
    pub(crate) fn from_body(body: &[u8], serial: Serial) -> Result<Self, StoredBusinessError> {
        let body: OperatorBody = read(body)?;
        Ok(Self {
            profile: body.profile,
            node: body.node,
            personal: body.personal.map(SealedBody::read).transpose()?,
            forgotten: body.forgotten.map(ForgottenBody::read).transpose()?,
            created: Timestamp(body.created),
            by: body.by.into(),
            serial,
            time: Timestamp(body.since),
        })
    }
}

impl Application {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        write(&ApplicationBody {
            v: VERSION,
            owner: self.owner.to_string(),
            application: self.profile.clone(),
            users: self.users.clone(),
            created: self.created.0,
            by: self.by.as_ref().to_owned(),
            since: self.time.0,
        })
    }

    /// Reads the entry of the application `id`.
    ///
    /// # Errors
    /// See [`StoredBusinessError`].
    pub(crate) fn from_body(id: ApplicationId, body: &[u8], serial: Serial) -> Result<Self, StoredBusinessError> {
        let body: ApplicationBody = read(body)?;
        Ok(Self {
            id,
            owner: body.owner.parse().map_err(|_| StoredBusinessError::Form)?,
            profile: body.application,
            users: body.users,
            created: Timestamp(body.created),
            by: body.by.into(),
            serial,
            time: Timestamp(body.since),
        })
    }
}

impl Disclosure {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let (by, purpose) = (self.by.as_ref().to_owned(), self.purpose.clone());
        write(&DisclosureBody { v: VERSION, times: self.times, by, purpose, since: self.time.0 })
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// See [`StoredBusinessError`].
    pub(crate) fn from_body(body: &[u8], serial: Serial) -> Result<Self, StoredBusinessError> {
        let DisclosureBody { times, by, purpose, since, .. } = read(body)?;
        Ok(Self { times, by: by.into(), purpose, time: Timestamp(since), serial })
    }
}

impl NotedDeed {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let Self { times, deed, about, reason, .. } = self.clone();
        write(&DeedBody { v: VERSION, times, deed, about, reason, by: self.by.as_ref().to_owned(), since: self.time.0 })
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// See [`StoredBusinessError`].
    pub(crate) fn from_body(body: &[u8], serial: Serial) -> Result<Self, StoredBusinessError> {
        let DeedBody { times, deed, about, reason, by, since, .. } = read(body)?;
        Ok(Self { times, deed, about, reason, by: by.into(), time: Timestamp(since), serial })
    }
}

impl KeptPlan {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let by = self.by.as_ref().to_owned();
        write(&PlanBody { v: VERSION, plan: self.plan.clone(), by, since: self.time.0 })
    }

    /// Reads the entry of the plan of `year`.
    ///
    /// # Errors
    /// See [`StoredBusinessError`].
    pub(crate) fn from_body(year: u16, body: &[u8], serial: Serial) -> Result<Self, StoredBusinessError> {
        let PlanBody { plan, by, since, .. } = read(body)?;
        Ok(Self { year, plan, by: by.into(), time: Timestamp(since), serial })
    }
}

impl PrefixCase {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let step = |step: &Step| {
            let (by, reason) = (step.by.as_ref().to_owned(), step.reason.clone());
            StepBody { kind: step.kind, time: step.time.0, by, reason }
        };
        write(&CaseBody {
            v: VERSION,
            enterprise: self.enterprise.0,
            state: self.state,
            wish: self.wish,
            placement: self.placement.clone(),
            steps: self.steps.iter().map(step).collect(),
        })
    }

    /// Reads the entry of the case of `prefix`.
    ///
    /// # Errors
    /// See [`StoredBusinessError`].
    pub(crate) fn from_body(prefix: &[u8], body: &[u8], serial: Serial) -> Result<Self, StoredBusinessError> {
        let body: CaseBody = read(body)?;
        let step = |step: StepBody| {
            let (time, by) = (Timestamp(step.time), step.by.into());
            Step { kind: step.kind, time, by, reason: step.reason }
        };
        Ok(Self {
            prefix: prefix.into(),
            enterprise: EnterpriseId(body.enterprise),
            state: body.state,
            wish: body.wish,
            placement: body.placement,
            steps: body.steps.into_iter().map(step).collect(),
            serial,
        })
    }
}

fn array<const N: usize>(text: &str) -> Result<[u8; N], StoredBusinessError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| StoredBusinessError::Form)?;
    Ok(bytes)
}

fn write(body: &impl Serialize) -> Vec<u8> {
    // Cannot fail: texts, numbers and lists of them.
    serde_json::to_vec(body).unwrap_or_default()
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, StoredBusinessError> {
    let Versioned { v } = serde_json::from_slice(body).map_err(|_| StoredBusinessError::Form)?;
    if v != VERSION {
        return Err(StoredBusinessError::Version { found: v });
    }
    serde_json::from_slice(body).map_err(|_| StoredBusinessError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::business::Owner;

    const CASE: &str = r#"{"v":1,"enterprise":7,"state":"active","wish":"own-site","placement":{"sites":[{"ip":"2001:db8::1","tcp":2641,"udp":null,"http":null}]},"steps":[{"kind":"apply","time":5,"by":"acme","reason":"\"x\""}]}"#;

    const APPLICATION: &str = r#"{"v":1,"owner":"node","application":{"name":"溯源","kind":"web","description":"","recursive_node":"88.1","developer":"Li"},"users":{"2026-10":5,"2026-11":6},"created":4,"by":"op","since":5}"#;

    const OPERATOR: &str = r#"{"v":1,"profile":{"name":"n","nature":"company","province":"330000","address":"a","document_kind":"other","document_number":"1","industry_section":"C","industry_division":"14"},"node":{"verification":{"party":"own","organisation":""},"data_hosting_domestic":false,"service_hosting_domestic":false},"personal":{"subject":"00112233445566778899aabbccddeeff","nonce":"00112233445566778899aabb","sealed":"abcd"},"forgotten":null,"created":4,"by":"op","since":5}"#;

    #[test]
    fn bodies_come_back_byte_for_byte() {
        let case = PrefixCase::from_body(b"88.1.2", CASE.as_bytes(), Serial(4)).unwrap();
        assert_eq!((case.serial, case.enterprise, case.state), (Serial(4), EnterpriseId(7), CaseState::Active));
        assert_eq!(String::from_utf8(case.to_body()).unwrap(), CASE);
        let here = CASE.replace(r#"{"sites":[{"ip":"2001:db8::1","tcp":2641,"udp":null,"http":null}]}"#, "\"here\"");
        assert_eq!(PrefixCase::from_body(b"88.1.2", here.as_bytes(), Serial(4)).unwrap().placement, Placement::Here);
        let body = r#"{"v":1,"times":3,"by":"op","purpose":"audit","since":9}"#;
        let disclosure = Disclosure::from_body(body.as_bytes(), Serial(5)).unwrap();
        assert_eq!(String::from_utf8(disclosure.to_body()).unwrap(), body);
        let body = r#"{"v":1,"times":3,"deed":"sync-mark","about":"T9 4 to 6","reason":"by hand","by":"op","since":9}"#;
        let deed = NotedDeed::from_body(body.as_bytes(), Serial(5)).unwrap();
        assert_eq!(String::from_utf8(deed.to_body()).unwrap(), body);
        let body = r#"{"v":1,"plan":{"enterprises":120,"identifiers":null,"resolutions_per_day":9,"resolution_rate_percent":95,"industries":{"C":12000}},"by":"op","since":9}"#;
        let plan = KeptPlan::from_body(2027, body.as_bytes(), Serial(5)).unwrap();
        assert_eq!((plan.year, plan.plan.industries["C"], plan.plan.identifiers), (2027, 12_000, None));
        assert_eq!(String::from_utf8(plan.to_body()).unwrap(), body);
        let application = Application::from_body(ApplicationId(3), APPLICATION.as_bytes(), Serial(9)).unwrap();
        assert_eq!((application.id, application.owner, application.serial), (ApplicationId(3), Owner::Node, Serial(9)));
        assert_eq!(String::from_utf8(application.to_body()).unwrap(), APPLICATION);
        let operator = OperatorRecord::from_body(OPERATOR.as_bytes(), Serial(9)).unwrap();
        assert_eq!(operator.personal.as_ref().unwrap().bytes, [0xab, 0xcd]);
        assert_eq!(OperatorRecord::from_body(&operator.to_body(), Serial(9)).unwrap(), operator);
    }

    #[test]
    fn other_versions_and_forms_are_refused() {
        let read = |body: &str| PrefixCase::from_body(b"88.1.2", body.as_bytes(), Serial(1)).unwrap_err();
        assert_eq!(read(&CASE.replace("\"v\":1", "\"v\":2")), StoredBusinessError::Version { found: 2 });
        let application =
            |body: &str| Application::from_body(ApplicationId(3), body.as_bytes(), Serial(1)).unwrap_err();
        assert_eq!(application(&APPLICATION.replace("\"v\":1", "\"v\":2")), StoredBusinessError::Version { found: 2 });
        for (old, new) in [("\"node\"", "\"E0\""), ("\"web\"", "\"net\""), ("\"users\"", "\"user\"")] {
            assert_eq!(application(&APPLICATION.replacen(old, new, 1)), StoredBusinessError::Form, "{old}");
        }
        for (old, new) in [("abcd", "abc"), ("\"own\"", "\"self\""), ("\"node\"", "\"mode\"")] {
            let body = OPERATOR.replacen(old, new, 1);
            let refused = OperatorRecord::from_body(body.as_bytes(), Serial(1)).unwrap_err();
            assert_eq!(refused, StoredBusinessError::Form, "{old}");
        }
        for (old, new) in [("active", "aktive"), ("\"wish\"", "\"wich\""), ("apply", "ask"), ("2001:db8::1", "x")] {
            assert_eq!(read(&CASE.replacen(old, new, 1)), StoredBusinessError::Form, "{old}");
        }
    }
}
