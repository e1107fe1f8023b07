//! Serials as a person types them: `4711`, `100-199`, `0-99,120,130-139`; rolls as `500x20000`.

use std::str::FromStr;

use waymark_api::registration::v1;

/// One serial or consecutive ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SerialRange(pub(crate) v1::Serials);

/// Several of them; none is an empty text.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct SerialList(pub(crate) Vec<v1::Serials>);

/// So many rolls of so many codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rolls {
    /// Codes of each.
    pub(crate) codes: u64,
    /// Codes of all.
    pub(crate) all: u64,
}

/// Why a text is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SerialError {
    /// Not serials.
    #[error("serials are written as 4711 or 100-199, several of them with commas between")]
    Serials,
    /// Not rolls.
    #[error("rolls are written as 500x20000: how many, and codes of each")]
    Rolls,
}

impl FromStr for SerialRange {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| SerialError::Serials);
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(text)?, number(text)?),
        };
        if first <= last { Ok(Self(v1::Serials { first, last })) } else { Err(SerialError::Serials) }
    }
}

impl FromStr for SerialList {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split(',').map(|part| part.parse().map(|SerialRange(serials)| serials)).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Rolls {
    type Err = SerialError;

    fn from_str(text: &str) -> Result<Self, SerialError> {
        let (rolls, codes) = text.split_once(['x', 'X', '×']).ok_or(SerialError::Rolls)?;
        let number = |text: &str| text.trim().parse::<u64>().ok().filter(|number| *number > 0);
        let (rolls, codes) = (number(rolls).ok_or(SerialError::Rolls)?, number(codes).ok_or(SerialError::Rolls)?);
        Ok(Self { codes, all: rolls.checked_mul(codes).ok_or(SerialError::Rolls)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_and_rolls_are_read_as_they_are_written() {
        let serials = |first, last| v1::Serials { first, last };
        assert_eq!("7".parse(), Ok(SerialRange(serials(7, 7))));
        assert_eq!("10-19".parse(), Ok(SerialRange(serials(10, 19))));
        assert_eq!("0-9, 12,14-15".parse(), Ok(SerialList(vec![serials(0, 9), serials(12, 12), serials(14, 15)])));
        assert_eq!("".parse(), Ok(SerialList::default()));
        assert_eq!("500x20000".parse(), Ok(Rolls { codes: 20_000, all: 10_000_000 }));
        for wrong in ["", "9-1", "a", "-5", "1-2-3", "18446744073709551616"] {
            assert_eq!(wrong.parse::<SerialRange>(), Err(SerialError::Serials), "{wrong}");
        }
        for wrong in ["", "500", "0x1", "1x0", "18446744073709551615x2"] {
            assert_eq!(wrong.parse::<Rolls>(), Err(SerialError::Rolls), "{wrong}");
        }
    }
}
