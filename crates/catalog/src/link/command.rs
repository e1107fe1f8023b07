//! What may be asked of many links at once.

/// Puts identifiers into another or takes them out: all of them or none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkCommand {
    /// Packs every child in the parent, which need not be registered here. Children that are in it already are left as they are; one that is in another
    /// parent makes the whole refused.
    Aggregate {
        /// What they are packed in, in the case it shall be kept in.
        parent: Vec<u8>,
        /// What is packed: at least one, at most [`AGGREGATED`](crate::config::AGGREGATED), each once.
        children: Vec<Vec<u8>>,
    },
    /// Takes every child out of the parent; one that is not in it makes the whole refused.
    Disaggregate {
        /// What they are packed in, in any case.
        parent: Vec<u8>,
        /// What is taken out.
        children: Vec<Vec<u8>>,
    },
}

impl LinkCommand {
    /// What the children are packed in, or taken out of.
    #[must_use]
    pub fn parent(&self) -> &[u8] {
        match self {
            Self::Aggregate { parent, .. } | Self::Disaggregate { parent, .. } => parent,
        }
    }

    /// What is packed or taken out.
    #[must_use]
    pub fn children(&self) -> &[Vec<u8>] {
        match self {
            Self::Aggregate { children, .. } | Self::Disaggregate { children, .. } => children,
        }
    }

    /// What the link to the parent takes in each child at most: a value and what frames it.
    pub(crate) fn link_bytes(&self) -> usize {
        self.parent().len() + VALUE_BYTES
    }

    /// What it weighs in queue and group limits, in bytes.
    pub(crate) fn weight_bytes(&self) -> usize {
        let of_child = |child: &Vec<u8>| child.len() + self.link_bytes();
        self.parent().len() + self.children().iter().map(of_child).sum::<usize>()
    }
}

/// A link without its target in wire form, generously: index, times, permissions, type, relation, lengths.
const VALUE_BYTES: usize = 64;
