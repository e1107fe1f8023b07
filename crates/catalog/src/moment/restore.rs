//! The command that puts an object back as it was, with its times and whoever wrote it.

use super::kind::ObjectName;
use super::object::Object;

/// What is put back, or taken away again. For whoever may open the data folder alone: nothing is decided anew, since it was decided when it was first
/// so. What is there already is replaced.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "it stands in a box")]
pub enum Restore {
    /// The object stands so from now on.
    Put(Object),
    /// There is none of that name from now on. Enterprises, cases, code packages and the node's own record never go.
    Remove(ObjectName),
}

impl Restore {
    /// Which object it is about.
    #[must_use]
    pub const fn name(&self) -> &ObjectName {
        match self {
            Self::Put(object) => object.name(),
            Self::Remove(name) => name,
        }
    }

    /// What it weighs in queue and group limits, in bytes: no less than its entry.
    pub(crate) fn weight_bytes(&self) -> usize {
        match self {
            Self::Put(object) => object.weight_bytes(),
            Self::Remove(_) => NAME_BYTES,
        }
    }
}

/// What a name takes in a key, generously.
const NAME_BYTES: usize = 512;
