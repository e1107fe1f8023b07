//! Whose a reading, a file or an application is: the node's own, or that of an enterprise.

use std::fmt;
use std::str::FromStr;

use super::enterprise::{EnterpriseId, EnterpriseIdError};

/// The node itself, or one of its enterprises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The node, which is to say its operator.
    Node,
    /// An enterprise.
    Enterprise(EnterpriseId),
}

impl From<EnterpriseId> for Owner {
    fn from(id: EnterpriseId) -> Self {
        Self::Enterprise(id)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node => f.write_str("node"),
            Self::Enterprise(id) => id.fmt(f),
        }
    }
}

impl FromStr for Owner {
    type Err = EnterpriseIdError;

    fn from_str(text: &str) -> Result<Self, EnterpriseIdError> {
        if text == "node" { Ok(Self::Node) } else { text.parse().map(Self::Enterprise) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_come_back_from_their_names() {
        for owner in [Owner::Node, Owner::Enterprise(EnterpriseId(7))] {
            assert_eq!(owner.to_string().parse(), Ok(owner));
        }
        for wrong in ["", "Node", "7", "E0"] {
            assert!(wrong.parse::<Owner>().is_err(), "{wrong}");
        }
    }
}
