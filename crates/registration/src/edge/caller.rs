//! Who is calling: from a credential to rights. The credential itself goes no further than this file.

use std::net::IpAddr;

use tokio::time::sleep;
use tonic::codegen::http::HeaderMap;
use waymark_catalog::access::{Denied, Rights, TokenText, Verb, prefix_of};
use waymark_catalog::audit::{RefusalNote, Verb as AuditVerb};
use waymark_catalog::{Actor, Door, Order, Origin, Proof};

use super::Edge;
use crate::convert::identifier::tells_content;
use crate::counters::Event;
use crate::door::Peer;
use crate::failure::{Failure, Retry};
use crate::reasons::{Language, Reason};

/// Somebody whose credential was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who it is, for the writer and the audit.
    pub(crate) actor: Actor,
    /// What it may do, as of the beginning of the call.
    pub(crate) rights: Rights,
    /// What its texts are written in.
    pub(crate) language: Language,
}

impl Caller {
    /// Whether the caller is told the content of what contradicts an order's expectation.
    pub(crate) fn tells_content(&self, order: &Order) -> bool {
        let told = |handle| tells_content(&self.rights, &prefix_of(handle));
        order.expect.is_none() || order.command.handle().is_some_and(told)
    }
}

/// The parts of a request that say who calls.
pub(crate) struct Credentials<'a> {
    /// `authorization`.
    pub(crate) authorization: Option<&'a str>,
    /// Whose the token has to be, where the caller says so.
    pub(crate) user: Option<&'a str>,
    /// Language of the answers.
    pub(crate) language: Language,
    /// Who is at the other end of the connection.
    pub(crate) peer: Option<&'a Peer>,
    /// The door.
    pub(crate) door: Door,
}

impl<'a> Credentials<'a> {
    /// Those of a gRPC call.
    pub(crate) fn of_call(headers: &'a HeaderMap, peer: Option<&'a Peer>) -> Self {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            authorization: header("authorization"),
            user: None,
            language: header("accept-language").map_or_else(Language::default, Language::preferred),
            peer,
            door: Door::Grpc,
        }
    }
}

impl Edge {
    /// Says who is calling, or holds the answer back and refuses.
    pub(crate) async fn caller(&self, credentials: &Credentials<'_>) -> Result<Caller, Failure> {
        let source = credentials.peer.map(|peer| peer.address.ip().to_canonical());
        match self.known(credentials, source) {
            Ok(caller) => Ok(caller),
            Err(denied) => Err(self.refuse(denied, Origin { door: credentials.door, source }).await),
        }
    }

    fn known(&self, credentials: &Credentials<'_>, source: Option<IpAddr>) -> Result<Caller, Denied> {
        let access = self.catalog.access();
        let (proof, rights) = if let Some(header) = credentials.authorization {
            let token = bearer(header).and_then(TokenText::parse).ok_or(Denied::UnknownCredential)?;
            (Proof::Token(token.id()), access.check_token(&token, self.now())?)
        } else {
            let fingerprint = credentials.peer.and_then(|peer| peer.certificate).ok_or(Denied::UnknownCredential)?;
            (Proof::Certificate(fingerprint), access.check_certificate(&fingerprint)?)
        };
        if credentials.user.is_some_and(|user| *user != *rights.principal.name) {
            return Err(Denied::UnknownCredential);
        }
        let origin = Origin { door: credentials.door, source };
        let actor = Actor::principal(&rights.principal.name, proof, origin);
        Ok(Caller { actor, rights, language: credentials.language })
    }

    /// Counts and notes the failure; a source with many waits for its answer.
    async fn refuse(&self, denied: Denied, origin: Origin) -> Failure {
        self.counters.add(Event::Unauthenticated, 1);
        let (reason, code) = match denied {
            Denied::Expired => (Reason::TokenExpired, "token-expired"),
            Denied::Revoked => (Reason::TokenRevoked, "token-revoked"),
            Denied::Disabled => (Reason::PrincipalDisabled, "principal-disabled"),
            _ => (Reason::Unauthenticated, "unauthenticated"),
        };
        let actor = Actor::unknown(origin);
        self.catalog.writer().note_refusal(RefusalNote {
            actor: &actor,
            verb: AuditVerb::AUTHENTICATE,
            code,
            key: b"",
        });
        let failure = Failure::new(reason);
        let Some(after) = origin.source.and_then(|source| self.failures.take(source)) else { return failure };
        sleep(self.limits.failure_delay).await;
        let at = self.after(after);
        Failure::new(Reason::TooManyFailures).retry(Retry { after, at })
    }

    /// Counts `count` calls or items of a caller against its rate.
    pub(crate) fn within_rate(&self, caller: &Caller, count: u32) -> Result<(), Failure> {
        self.rates.take(&caller.rights.principal, count).map_err(|(rate, after)| {
            self.counters.add(Event::RateLimited, 1);
            Failure::new(Reason::RateLimited).with("rate", rate).retry(Retry { after, at: self.after(after) })
        })
    }

    /// The time that is `delay` from now.
    pub(crate) fn after(&self, delay: std::time::Duration) -> waymark_catalog::Timestamp {
        let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        waymark_catalog::Timestamp(self.now().0.saturating_add(millis))
    }
}

impl Edge {
    /// Refuses a caller something that is no command, and notes it for the audit; `about` is the name it was about.
    pub(crate) fn deny(&self, caller: &Caller, verb: Verb, about: &[u8]) -> Failure {
        let verb = match verb {
            Verb::Read => AuditVerb::READ,
            Verb::List => AuditVerb::LIST,
            Verb::Watch => AuditVerb::WATCH,
            Verb::Audit => AuditVerb::AUDIT,
            Verb::Job => AuditVerb::JOB,
            Verb::ManageAccess => AuditVerb::MANAGE_ACCESS,
            _ => AuditVerb::ANY,
        };
        let note = RefusalNote { actor: &caller.actor, verb, code: "not-permitted", key: about };
        self.catalog.writer().note_refusal(note);
        Failure::new(Reason::NotPermitted)
    }
}

/// The credential of a bearer header (RFC 6750 section 2.1); the scheme's name is compared as RFC 9110 section 11.1 says.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn only_bearer_credentials_are_read() {
        assert_eq!(bearer("Bearer x"), Some("x"));
        assert_eq!(bearer("bearer  x "), Some("x"));
        assert_eq!(bearer("Basic x"), None);
        assert_eq!(bearer("Bearer"), None);
    }
}
