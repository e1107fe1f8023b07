//! What of an organisation everybody is shown, and what stands in the place of the rest.
//!
//! What is said of people, and the image of the document, are never shown to somebody who has not said who he is: no option opens them.

use serde::Serialize;

/// Something of an organisation that the operator may show to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenItem {
    /// Its address.
    Address,
    /// The number of its document, such as the unified social credit code.
    IdNumber,
    /// What it says of itself.
    Introduction,
}

impl OpenItem {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Address, Self::IdNumber, Self::Introduction];

    /// Its name: the key of the answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::IdNumber => "idNumber",
            Self::Introduction => "introduction",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == name)
    }
}

/// What an item of an answer is, where it is not what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Privacy {
    /// Shown to nobody by this service who has not said who he is, whether it is held or not.
    Private,
    /// Held, and left out.
    Redacted,
    /// Held, and shown in part.
    Obscured,
}

/// A number of which the ends alone can be read. How long it is cannot.
pub(super) fn obscured(number: &str) -> String {
    const END_CHARS: usize = 2;
    /// Shorter ones are hidden wholly: their ends would be most of them.
    const SHORTEST: usize = 4 * END_CHARS;
    const HIDDEN: &str = "****";
    let chars: Vec<char> = number.chars().collect();
    if chars.len() < SHORTEST {
        return HIDDEN.to_owned();
    }
    let (first, last) = (chars.iter().take(END_CHARS), chars.iter().skip(chars.len() - END_CHARS));
    first.chain(HIDDEN.chars().collect::<Vec<_>>().iter()).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_obscured_number_shows_its_ends_and_not_its_length() {
        assert_eq!(obscured("91350100M000100Y43"), "91****43");
        assert_eq!(obscured("12345678"), "12****78");
        for short in ["", "1", "1234567"] {
            assert_eq!(obscured(short), "****");
        }
        assert_eq!(obscured("证照编号一二三四五六"), "证照****五六");
    }

    #[test]
    fn items_come_back_from_their_names() {
        for item in OpenItem::ALL {
            assert_eq!(OpenItem::from_name(item.as_str()), Some(item));
        }
        assert_eq!(OpenItem::from_name("legalPerson"), None, "what is said of people cannot be opened");
        assert_eq!(OpenItem::from_name("idPhoto"), None);
    }
}
