//! Who asks, by what proof, and from where.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::access::TokenId;
use crate::config::ACTOR_BYTES;

/// Who asks; its name stands in every entry of the log, the rest in the audit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    name: Arc<str>,
    proof: Proof,
    origin: Origin,
}

/// How an actor is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// Whoever may open the data folder: the operator's own commands.
    Local,
    /// A token of a principal.
    Token(TokenId),
    /// A client certificate of a principal: SHA-256 of its DER form.
    Certificate([u8; 32]),
    /// A job that a principal submitted by a credential nothing is known of; its rights are the principal's at the time of each write.
    Job,
    /// A key of the binary protocol (`index:handle`).
    Identity,
    /// None: a caller that was refused before it was known. May do nothing.
    Nothing,
}

/// The way a command came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The door.
    pub door: Door,
    /// Address the command came from; `None` for local ones.
    pub source: Option<IpAddr>,
}

/// The door a command came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Door {
    /// A command on this machine.
    Local,
    /// The gRPC service.
    Grpc,
    /// The HTTP service.
    Http,
    /// A job of the node.
    Job,
    /// The binary protocol.
    Binary,
}

impl Door {
    /// Its name in audits and metrics; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::Job => "job",
            Self::Binary => "binary",
        }
    }
}

impl Actor {
    /// The operator, by command on this machine.
    #[must_use]
    pub fn operator() -> Self {
        Self::local("operator")
    }

    /// The node itself, on its own schedule.
    #[must_use]
    pub fn node() -> Self {
        Self::local("node")
    }

    /// The top-level node, as this node heard it over its own connection.
    #[must_use]
    pub fn top_level() -> Self {
        Self::local("top-level")
    }

    /// An import the operator started.
    #[must_use]
    pub fn import() -> Self {
        Self::local("import")
    }

    fn local(name: &str) -> Self {
        Self { name: name.into(), proof: Proof::Local, origin: Origin { door: Door::Local, source: None } }
    }

    /// A principal that proved itself.
    #[must_use]
    pub fn principal(name: &str, proof: Proof, origin: Origin) -> Self {
        Self { name: cut(name).into(), proof, origin }
    }

    /// An identity of the binary protocol; names longer than [`ACTOR_BYTES`] are cut at a character.
    #[must_use]
    pub fn identity(name: &str) -> Self {
        let origin = Origin { door: Door::Binary, source: None };
        Self { name: cut(name).into(), proof: Proof::Identity, origin }
    }

    /// Whoever came this way without proving anything.
    #[must_use]
    pub fn unknown(origin: Origin) -> Self {
        Self { name: "unknown".into(), proof: Proof::Nothing, origin }
    }

    /// The name that is logged.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, shared.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// How the actor is known.
    #[must_use]
    pub const fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The way its commands come.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }
}

impl fmt::Display for Proof {
    /// As audits show it: the token's id, never its secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Token(id) => write!(f, "token:{id}"),
            Self::Certificate(hash) => write!(f, "certificate:{}", hex::encode(hash)),
            Self::Job => f.write_str("job"),
            Self::Identity => f.write_str("identity"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(ACTOR_BYTES)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_actor_names_are_cut_at_a_character() {
        let actor = Actor::identity(&"产".repeat(100));
        assert_eq!(actor.name().len(), 126);
    }
}
