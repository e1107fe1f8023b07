//! The kinds of objects, and their names as text.

use std::fmt;

use crate::business::{EnterpriseId, FileKind, Owner};
use crate::prefixes::HomeName;
use crate::range::Layer;
use crate::reserved::ReservedKey;

/// What an object is. In the order they are restored in: what others rest on comes first. Code packages come behind the records, since codes that
/// are over may have records of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A prefix that lives here, or a marker.
    Home,
    /// Somebody or some program that may call.
    Principal,
    /// The node's own record.
    Operator,
    /// An enterprise.
    Enterprise,
    /// The case of a prefix.
    Case,
    /// A file of an enterprise or of the node.
    File,
    /// An application.
    Application,
    /// A template.
    Template,
    /// A code package.
    Range,
    /// What is known of a part of one.
    Piece,
}

impl Kind {
    /// All of them, in the order they are restored in.
    pub const ALL: [Self; 10] = [
        Self::Home,
        Self::Principal,
        Self::Operator,
        Self::Enterprise,
        Self::Case,
        Self::File,
        Self::Application,
        Self::Template,
        Self::Range,
        Self::Piece,
    ];

    /// Its name; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Principal => "principal",
            Self::Operator => "operator",
            Self::Enterprise => "enterprise",
            Self::Case => "case",
            Self::File => "file",
            Self::Application => "application",
            Self::Template => "template",
            Self::Range => "range",
            Self::Piece => "piece",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether objects of it are restored behind the records.
    #[must_use]
    pub const fn is_behind_records(self) -> bool {
        matches!(self, Self::Range | Self::Piece)
    }

    /// First bytes of the keys of its objects.
    pub(super) const fn key_starts(self) -> &'static [&'static [u8]] {
        match self {
            Self::Home => &[b"\0H"],
            Self::Principal => &[b"\0P"],
            Self::Operator => &[b"\0OR"],
            Self::Enterprise => &[b"\0ER"],
            Self::Case => &[b"\0X"],
            Self::File => &[b"\0EI", b"\0OI"],
            Self::Application => &[b"\0OA"],
            Self::Template => &[b"\0F"],
            Self::Range => &[b"\0R"],
            Self::Piece => &[b"\0G"],
        }
    }

    fn of(key: &ReservedKey) -> Option<Self> {
        Some(match key {
            ReservedKey::Home(_) => Self::Home,
            ReservedKey::Principal(_) => Self::Principal,
            ReservedKey::Operator => Self::Operator,
            ReservedKey::Enterprise(_) => Self::Enterprise,
            ReservedKey::Case(_) => Self::Case,
            ReservedKey::File(..) => Self::File,
            ReservedKey::Application(_) => Self::Application,
            ReservedKey::Template(..) => Self::Template,
            ReservedKey::Range(_) => Self::Range,
            ReservedKey::Piece(..) => Self::Piece,
            ReservedKey::CaseRule
            | ReservedKey::Mark(_)
            | ReservedKey::Request(_)
            | ReservedKey::Token(_)
            | ReservedKey::Disclosure(_)
            | ReservedKey::Deed
            | ReservedKey::Plan(_)
            | ReservedKey::Audit => return None,
        })
    }
}

/// Which object: its kind and what it is called among those of its kind.
///
/// | kind | name |
/// |---|---|
/// | home | `0.NA/88.990.1`, `0.NA/0.NA/88.990` |
/// | principal | `acme` |
/// | operator | `node` |
/// | enterprise | `E7` |
/// | case | `88.990.1` |
/// | file | `E7 document`, `node verification-source-1` |
/// | application | `A7` |
/// | template | `88.990.1/META_EXC-1.2` |
/// | range | `88.990.1#3` |
/// | piece | `88.990.1#3 state 4711` |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    kind: Kind,
    key: ReservedKey,
}

/// The text names no object of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no name of an object of this kind")]
pub struct ObjectNameError;

impl ObjectName {
    /// The object of a key of the log; `None` for keys of anything else.
    pub(crate) fn of_key(key: &[u8]) -> Option<Self> {
        let key = ReservedKey::parse(key)?;
        Some(Self { kind: Kind::of(&key)?, key })
    }

    /// The object of a kind that is called so. The number of a template is its store's own and no part of its name: it is 0.
    ///
    /// # Errors
    /// No object of the kind can be called so.
    pub fn parse(kind: Kind, name: &str) -> Result<Self, ObjectNameError> {
        let wrong = ObjectNameError;
        let key = match kind {
            Kind::Home => ReservedKey::Home(HomeName::parse(name.as_bytes()).map_err(|_| wrong)?),
            Kind::Principal => ReservedKey::Principal(name.into()),
            Kind::Operator if name == "node" => ReservedKey::Operator,
            Kind::Operator => return Err(wrong),
            Kind::Enterprise => ReservedKey::Enterprise(name.parse::<EnterpriseId>().map_err(|_| wrong)?),
            Kind::Case => ReservedKey::Case(name.as_bytes().into()),
            Kind::File => {
                let (owner, file) = name.split_once(' ').ok_or(wrong)?;
                let owner: Owner = owner.parse().map_err(|_| wrong)?;
                ReservedKey::File(owner, FileKind::from_name(file).ok_or(wrong)?)
            }
            Kind::Application => ReservedKey::Application(name.parse().map_err(|_| wrong)?),
            Kind::Template => ReservedKey::Template(0, name.parse().map_err(|_| wrong)?),
            Kind::Range => ReservedKey::Range(name.parse().map_err(|_| wrong)?),
            Kind::Piece => {
                let mut parts = name.splitn(3, ' ');
                let (range, layer, first) = (parts.next(), parts.next(), parts.next());
                let layer = layer.and_then(layer_of).ok_or(wrong)?;
                let first = first.and_then(|first| first.parse().ok()).ok_or(wrong)?;
                ReservedKey::Piece(range.and_then(|range| range.parse().ok()).ok_or(wrong)?, layer, first)
            }
        };
        Ok(Self { kind, key })
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The prefix that lives here, where it is one.
    #[must_use]
    pub const fn home(&self) -> Option<&HomeName> {
        if let ReservedKey::Home(name) = &self.key { Some(name) } else { None }
    }

    /// Whose it is, of a file; the enterprise or the node, of their records.
    #[must_use]
    pub const fn owner(&self) -> Option<Owner> {
        match &self.key {
            ReservedKey::File(owner, _) => Some(*owner),
            ReservedKey::Enterprise(id) => Some(Owner::Enterprise(*id)),
            ReservedKey::Operator => Some(Owner::Node),
            _ => None,
        }
    }

    /// Its key in the log.
    pub(crate) const fn key(&self) -> &ReservedKey {
        &self.key
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            ReservedKey::Home(name) => name.fmt(f),
            ReservedKey::Principal(name) => f.write_str(name),
            ReservedKey::Enterprise(id) => id.fmt(f),
            ReservedKey::Case(prefix) => f.write_str(&String::from_utf8_lossy(prefix)),
            ReservedKey::File(owner, file) => write!(f, "{owner} {}", file.as_str()),
            ReservedKey::Application(id) => id.fmt(f),
            ReservedKey::Template(_, name) => name.fmt(f),
            ReservedKey::Range(name) => name.fmt(f),
            ReservedKey::Piece(range, layer, first) => write!(f, "{range} {} {first}", layer_name(*layer)),
            _ => f.write_str("node"),
        }
    }
}

/// The name of a layer of pieces; never changes.
const fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::Bound => "bound",
        Layer::State => "state",
        Layer::Exported => "exported",
        Layer::Leased => "leased",
    }
}

fn layer_of(name: &str) -> Option<Layer> {
    Layer::ALL.into_iter().find(|layer| layer_name(*layer) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_keys_begin_as_their_kind_says() {
        let names = [
            (Kind::Home, "0.NA/88.990.1"),
            (Kind::Home, "0.NA/0.NA/88.990"),
            (Kind::Principal, "acme"),
            (Kind::Operator, "node"),
            (Kind::Enterprise, "E7"),
            (Kind::Case, "88.990.1"),
            (Kind::File, "E7 document"),
            (Kind::File, "node verification-source-1"),
            (Kind::Application, "A7"),
            (Kind::Template, "88.990.1/META_EXC-1.2"),
            (Kind::Range, "88.990.1#3"),
            (Kind::Piece, "88.990.1#3 state 4711"),
        ];
        for (kind, text) in names {
            let name = ObjectName::parse(kind, text).unwrap();
            assert_eq!((name.kind(), name.to_string()), (kind, text.to_owned()));
            let key = name.key().to_bytes();
            assert_eq!(ObjectName::of_key(&key), Some(name), "{text}");
            assert!(kind.key_starts().iter().any(|start| key.starts_with(start)), "{text}");
            assert_eq!(Kind::from_name(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn what_names_nothing_of_its_kind_is_refused() {
        let wrong = [
            (Kind::Home, "88/1"),
            (Kind::Operator, "nodes"),
            (Kind::Enterprise, "7"),
            (Kind::File, "E7"),
            (Kind::File, "E7 passport"),
            (Kind::Application, "E7"),
            (Kind::Template, "88.990.1"),
            (Kind::Range, "88.990.1"),
            (Kind::Piece, "88.990.1#3 state"),
            (Kind::Piece, "88.990.1#3 colour 1"),
        ];
        for (kind, text) in wrong {
            assert_eq!(ObjectName::parse(kind, text), Err(ObjectNameError), "{text}");
        }
    }
}
