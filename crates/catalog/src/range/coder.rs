//! From a serial to a code and back.
//!
//! ```text
//! 88.990.10001/XE26.00004711            plain: the serial in digits, zeros in front up to the width
//! 88.990.10001/690123400004711 5        mod10: the check digit of GS1 over the digits of stem and serial
//! 88.990.10001/XE26.00004711 T          mod37: a check character of ISO/IEC 7064 MOD 37-36 over their letters and digits
//! 88.990.10001/XE26.00004711 K7QM9A     mac: characters made with a secret of the range
//! ```
//! The characters of the form `mac` are the first bits of HMAC-SHA-256, keyed with 32 random bytes of the range, over everything before them, five
//! bits a character: whoever does not know the key guesses one right with a chance of 1 to 32 to the power of their number, and no two
//! serials make the same code, since the serial stands in it. Letters are capitals only, as names fold.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use waymark_ident::check::{mod10, mod37_36};
use zeroize::Zeroizing;

use super::pieces::Span;
use crate::config::{MAC_CHARS, STEM_BYTES, usize_of};

/// The characters of a code that nobody can guess: digits and capitals without I, L, O and U, which people take for others.
pub const MAC_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Most digits of a serial: numbers of 64 bits have all values of so many.
const MOST_WIDTH: u8 = 18;

/// Most characters behind the serial.
const MOST_CHECK: usize = usize_of(MAC_CHARS.max);

/// The secret of a range whose codes nobody can guess. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MacKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

impl MacKey {
    /// A key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new key, from the operating system's random numbers.
    ///
    /// # Errors
    /// The system gives none.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key)?;
        Ok(Self(key))
    }

    /// The bytes, for what is stored.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What stands behind the serial.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// Nothing.
    Plain,
    /// The check digit of GS1, over the digits of stem and serial.
    Mod10,
    /// A check character of ISO/IEC 7064 MOD 37-36, over letters and digits of stem and serial.
    Mod37,
    /// Characters made with a secret.
    Mac {
        /// How many.
        chars: u8,
        /// The secret.
        key: MacKey,
    },
}

/// The form of a range to be, as it is asked for. A secret is drawn where one is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormRequest {
    /// See [`Form::Plain`].
    Plain,
    /// See [`Form::Mod10`].
    Mod10,
    /// See [`Form::Mod37`].
    Mod37,
    /// See [`Form::Mac`].
    Mac {
        /// How many characters.
        chars: u8,
    },
}

impl Form {
    /// Its name in messages and stored bytes; never changes.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Mod10 => "mod10",
            Self::Mod37 => "mod37",
            Self::Mac { .. } => "mac",
        }
    }

    /// Characters behind the serial.
    #[must_use]
    pub const fn check_chars(&self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Mod10 | Self::Mod37 => 1,
            Self::Mac { chars, .. } => *chars,
        }
    }
}

/// Makes the codes of a range, and reads them.
#[derive(Clone, Debug)]
pub struct Coder {
    /// Prefix, slash and stem, folded.
    head: Box<[u8]>,
    stem_at: usize,
    width: u8,
    form: Form,
    /// The keyed hash before its first byte.
    mac: Option<Hmac<Sha256>>,
}

/// Why no codes can be made like this: the field at fault, and what is wrong with it.
pub(crate) type CoderError = (&'static str, &'static str);

/// What a name is to a range whose stem and length it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The code of this serial, its check characters right.
    Serial(u64),
    /// Where the serial should be are other characters: it is none of this range.
    Other,
    /// The check characters of its serial are others.
    WrongCheck,
}

impl Coder {
    /// A coder for the codes of `stem` under `prefix`, with serials of `width` digits.
    pub(crate) fn new(prefix: &[u8], stem: &str, width: u8, form: Form) -> Result<Self, CoderError> {
        check_stem(stem)?;
        if !(1..=MOST_WIDTH).contains(&width) {
            return Err(("width", "is not between 1 and 18 digits"));
        }
        if matches!(form, Form::Mod10) && !stem.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(("stem", "holds something else than digits, which a GS1 check digit does not cover"));
        }
        let mac = match &form {
            Form::Mac { chars, .. } if !(MAC_CHARS.min..=MAC_CHARS.max).contains(&u64::from(*chars)) => {
                return Err(("check_chars", "are not between 4 and 16"));
            }
            // Cannot fail: a key of any length will do.
            Form::Mac { key, .. } => Hmac::new_from_slice(key.bytes()).ok(),
            _ => None,
        };
        let mut head = [prefix, b"/", stem.as_bytes()].concat().into_boxed_slice();
        waymark_ident::fold_in_place(&mut head);
        Ok(Self { head, stem_at: prefix.len() + 1, width, form, mac })
    }

    /// What stands between the slash and the serial.
    #[must_use]
    pub fn stem(&self) -> &str {
        // Made of a text, whose letters were folded.
        self.head.get(self.stem_at..).and_then(|stem| std::str::from_utf8(stem).ok()).unwrap_or_default()
    }

    /// Digits of a serial.
    #[must_use]
    pub const fn width(&self) -> u8 {
        self.width
    }

    /// What stands behind the serial.
    #[must_use]
    pub const fn form(&self) -> &Form {
        &self.form
    }

    /// Prefix, slash and stem, folded: what every code begins with.
    pub(crate) const fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes of every whole code, prefix included.
    #[must_use]
    pub fn code_bytes(&self) -> usize {
        self.head.len() + usize::from(self.width) + usize::from(self.form.check_chars())
    }

    /// Bytes of a code behind its slash.
    pub(crate) fn suffix_bytes(&self) -> usize {
        self.code_bytes().saturating_sub(self.stem_at)
    }

    /// The largest serial the width can carry.
    #[must_use]
    pub fn last_serial(&self) -> u64 {
        10_u64.saturating_pow(u32::from(self.width)) - 1
    }

    /// Adds the code of a serial, prefix and slash in front. A serial the width cannot carry makes a longer one, which is none.
    pub fn write(&self, serial: u64, out: &mut Vec<u8>) {
        let start = out.len();
        self.write_front(serial, out);
        let mut room = [0; MOST_CHECK];
        let check = self.check(out.get(start..).unwrap_or_default(), &mut room);
        out.extend_from_slice(check);
    }

    /// Adds what stands before the check characters in the code of a serial.
    pub(crate) fn write_front(&self, serial: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        let mut digits = [b'0'; 20];
        let mut rest = serial;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        let from = digits.len() - usize::from(self.width);
        out.extend_from_slice(digits.get(from..).unwrap_or_default());
    }

    /// Whether a canonical name is a code of one of these serials, its check characters right.
    pub(crate) fn is_code_within(&self, key: &[u8], span: Span) -> bool {
        let candidate = key.len() == self.code_bytes() && key.starts_with(&self.head);
        candidate && matches!(self.read(key), Reading::Serial(serial) if span.holds(serial))
    }

    /// The serial in a canonical name that has the length of this range's codes and begins with its head, whatever its check characters.
    pub(crate) fn serial_in(&self, key: &[u8]) -> Option<u64> {
        let digits = key.get(self.head.len()..self.head.len() + usize::from(self.width))?;
        digits.iter().try_fold(0_u64, |serial, digit| {
            digit.is_ascii_digit().then(|| serial.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
        })
    }

    /// Reads a canonical name that has the length of this range's codes and begins with its head. Allocates nothing.
    pub(crate) fn read(&self, key: &[u8]) -> Reading {
        let Some(serial) = self.serial_in(key) else { return Reading::Other };
        let Some((before, check)) = key.split_at_checked(self.head.len() + usize::from(self.width)) else {
            return Reading::Other;
        };
        let mut room = [0; MOST_CHECK];
        // Compared as a whole, so that how long it takes says nothing about how much of it is right.
        let right = subtle::ConstantTimeEq::ct_eq(self.check(before, &mut room), check);
        if bool::from(right) { Reading::Serial(serial) } else { Reading::WrongCheck }
    }

    /// The check characters behind prefix, stem and digits.
    fn check<'r>(&self, before: &[u8], room: &'r mut [u8; MOST_CHECK]) -> &'r [u8] {
        let covered = before.get(self.stem_at..).unwrap_or_default();
        let [first, ..] = room;
        match &self.form {
            Form::Plain => return &[],
            Form::Mod10 => *first = mod10::compute(covered).unwrap_or_default(),
            Form::Mod37 => *first = mod37_of(covered),
            Form::Mac { .. } => {
                let Some(mac) = &self.mac else { return &[] };
                let tag = mac.clone().chain_update(before).finalize().into_bytes();
                write_base32(&tag, room);
            }
        }
        room.get(..usize::from(self.form.check_chars())).unwrap_or_default()
    }
}

/// The check character over the letters and digits of stem and serial; what else a stem may hold is passed over.
fn mod37_of(covered: &[u8]) -> u8 {
    let mut room = [0; usize_of(STEM_BYTES.max) + MOST_WIDTH as usize];
    let mut count = 0;
    let taken = covered.iter().filter(|byte| byte.is_ascii_alphanumeric());
    for (room, byte) in room.iter_mut().zip(taken) {
        *room = *byte;
        count += 1;
    }
    mod37_36::compute(room.get(..count).unwrap_or_default()).unwrap_or_default()
}

/// Writes five bits of `bits` a character, the highest first.
fn write_base32(bits: &[u8], out: &mut [u8]) {
    for (at, out) in out.iter_mut().enumerate() {
        let bit = at * 5;
        let pair = |at: usize| u16::from(bits.get(at).copied().unwrap_or_default());
        let word = pair(bit / 8) << 8 | pair(bit / 8 + 1);
        let five = word >> (11 - bit % 8) & 31;
        *out = MAC_ALPHABET.get(usize::from(five)).copied().unwrap_or_default();
    }
}

fn check_stem(stem: &str) -> Result<(), CoderError> {
    if u64::try_from(stem.len()).map_or(true, |bytes| bytes > STEM_BYTES.max) {
        return Err(("stem", "is longer than 64 bytes"));
    }
    let sound = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase() || b"-._*+".contains(&byte);
    if stem.bytes().all(sound) {
        Ok(())
    } else {
        Err(("stem", "holds something else than capitals, digits, and - . _ * +"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn coder(stem: &str, width: u8, form: Form) -> Coder {
        Coder::new(b"88.990.1", stem, width, form).unwrap()
    }

    fn code(coder: &Coder, serial: u64) -> Vec<u8> {
        let mut code = Vec::new();
        coder.write(serial, &mut code);
        code
    }

    fn mac(chars: u8) -> Form {
        Form::Mac { chars, key: MacKey::new([7; 32]) }
    }

    #[test]
    fn codes_have_the_forms_that_are_documented() {
        assert_eq!(code(&coder("XE26.", 8, Form::Plain), 4711), b"88.990.1/XE26.00004711");
        // The check digit of GTIN-13 6901234567892.
        assert_eq!(code(&coder("690123", 6, Form::Mod10), 456_789), b"88.990.1/6901234567892");
        let made = code(&coder("XE26.", 8, mac(6)), 4711);
        assert_eq!((made.len(), &made[..22]), (28, &b"88.990.1/XE26.00004711"[..]));
        // Made with Python's hmac module: HMAC-SHA-256, key 32 times 07, over the 22 bytes before.
        assert_eq!(&made[22..], MAC_OF_4711);
    }

    const MAC_OF_4711: &[u8] = b"H7W9JN";

    #[test]
    fn what_is_no_code_of_the_range_is_told_from_a_forged_one() {
        let coder = coder("A", 4, mac(5));
        let right = code(&coder, 12);
        assert_eq!(coder.read(&right), Reading::Serial(12));
        let mut forged = right.clone();
        *forged.last_mut().unwrap() = if right.ends_with(b"0") { b'1' } else { b'0' };
        assert_eq!(coder.read(&forged), Reading::WrongCheck);
        assert_eq!(coder.read(&[&right[..10], b"x12", &right[13..]].concat()), Reading::Other);
        assert_eq!(coder.read(b"88.990.1/A"), Reading::Other);
    }

    #[test]
    fn codes_of_another_key_or_prefix_are_forged() {
        let one = coder("A", 4, mac(8));
        let other = coder("A", 4, Form::Mac { chars: 8, key: MacKey::new([8; 32]) });
        assert_eq!(other.read(&code(&one, 3)), Reading::WrongCheck);
        let elsewhere = Coder::new(b"88.990.2", "A", 4, mac(8)).unwrap();
        assert_ne!(code(&one, 3)[14..], code(&elsewhere, 3)[14..]);
    }

    #[test]
    fn refuses_what_cannot_be_printed_or_checked() {
        let refused = |stem, width, form| Coder::new(b"88.1", stem, width, form).unwrap_err().0;
        assert_eq!(refused("a", 4, Form::Plain), "stem");
        assert_eq!(refused("A/", 4, Form::Plain), "stem");
        assert_eq!(refused("A", 4, Form::Mod10), "stem");
        assert_eq!((refused("A", 0, Form::Plain), refused("A", 19, Form::Plain)), ("width", "width"));
        assert_eq!((refused("A", 4, mac(3)), refused("A", 4, mac(17))), ("check_chars", "check_chars"));
    }

    #[test]
    fn the_widest_serial_is_carried() {
        let coder = coder("", 18, mac(16));
        let last = coder.last_serial();
        assert_eq!((last, coder.read(&code(&coder, last))), (999_999_999_999_999_999, Reading::Serial(last)));
    }

    proptest! {
        #[test]
        fn every_code_is_read_back_and_no_other_of_its_length(
            serial in 0_u64..1_000_000,
            at in 0_usize..30,
            other in prop::sample::select(MAC_ALPHABET.to_vec()),
            form in prop::sample::select(vec![Form::Mod10, Form::Mod37, mac(4), mac(9)]),
        ) {
            let coder = coder("26", 6, form);
            let right = code(&coder, serial);
            prop_assert_eq!(right.len(), coder.code_bytes());
            prop_assert_eq!(coder.read(&right), Reading::Serial(serial));
            let mut wrong = right.clone();
            let at = 11 + at % (right.len() - 11);
            wrong[at] = other;
            if wrong != right {
                let read = coder.read(&wrong);
                // Two of these in a million pass a check of four characters by chance; the serial tells them apart.
                prop_assert!(read != Reading::Serial(serial), "{:?}", read);
            }
        }
    }
}
