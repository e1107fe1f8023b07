//! Encryption of session messages: header, body and credential become one ciphertext.

use aes::Aes128;
use des::{Des, TdesEde3};
use rand_core::CryptoRngCore;
use sm4::Sm4;
use zeroize::Zeroizing;

use super::block_mode::{BlockModeError, decrypt_cbc, decrypt_ecb, encrypt_cbc, encrypt_ecb};
use super::session::{SessionCipher, SessionKey, SessionKeyError};
use crate::envelope::{Envelope, EnvelopeFlags};
use crate::limits::MAX_MESSAGE_BYTES;
use crate::version::Version;

impl SessionKey {
    /// Encrypts the content of a message (header, body, credential). For the vector 8 or 16 bytes of the random
    /// source are used, where the cipher and version have one.
    ///
    /// # Errors
    /// [`SessionKeyError::Failed`] never happens with a key this type let pass.
    pub fn encrypt(
        &self,
        version: Version,
        content: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<u8>, SessionKeyError> {
        let mut iv = [0; 16];
        let cbc = version.at_least_2(4);
        let key = self.bytes();
        let (iv_bytes, sealed) = match self.cipher() {
            SessionCipher::Sm4 => (0, encrypt_cbc::<Sm4>(key, key, content)),
            SessionCipher::Aes if cbc => (16, encrypt_cbc::<Aes128>(first_16(key), fill(&mut iv, 16, rng), content)),
            SessionCipher::TripleDes if cbc => (8, encrypt_cbc::<TdesEde3>(key, fill(&mut iv, 8, rng), content)),
            SessionCipher::Des if cbc => (8, encrypt_cbc::<Des>(key, fill(&mut iv, 8, rng), content)),
            SessionCipher::Aes => (0, encrypt_ecb::<Aes128>(first_16(key), content)),
            SessionCipher::TripleDes => (0, encrypt_ecb::<TdesEde3>(key, content)),
            SessionCipher::Des => (0, encrypt_ecb::<Des>(key, content)),
        };
        let mut out = iv.get(..iv_bytes).unwrap_or_default().to_vec();
        out.extend(sealed.map_err(|_: BlockModeError| SessionKeyError::Failed)?);
        Ok(out)
    }

    /// Decrypts the content of a message. All that is wrong with it is one error, so that nothing can be learnt about
    /// the padding.
    ///
    /// # Errors
    /// [`SessionKeyError::Failed`] for what was not encrypted with this key in this version's way.
    pub fn decrypt(&self, version: Version, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SessionKeyError> {
        let cbc = version.at_least_2(4);
        let key = self.bytes();
        let with_iv = |bytes| sealed.split_at_checked(bytes).ok_or(SessionKeyError::Failed);
        let plain = match self.cipher() {
            SessionCipher::Sm4 => decrypt_cbc::<Sm4>(key, key, sealed),
            SessionCipher::Aes if cbc => {
                with_iv(16).map(|(iv, rest)| decrypt_cbc::<Aes128>(first_16(key), iv, rest))?
            }
            SessionCipher::TripleDes if cbc => with_iv(8).map(|(iv, rest)| decrypt_cbc::<TdesEde3>(key, iv, rest))?,
            SessionCipher::Des if cbc => with_iv(8).map(|(iv, rest)| decrypt_cbc::<Des>(key, iv, rest))?,
            SessionCipher::Aes => decrypt_ecb::<Aes128>(first_16(key), sealed),
            SessionCipher::TripleDes => decrypt_ecb::<TdesEde3>(key, sealed),
            SessionCipher::Des => decrypt_ecb::<Des>(key, sealed),
        };
        plain.map_err(|_| SessionKeyError::Failed)
    }

    /// Encrypts a whole message in place: sets the encrypted bit, adapts the message length.
    ///
    /// # Errors
    /// [`SessionKeyError::NotAMessage`] when there is no envelope or the ciphertext gets too long for a message.
    pub fn encrypt_message(&self, message: &mut Vec<u8>, rng: &mut impl CryptoRngCore) -> Result<(), SessionKeyError> {
        let envelope = Envelope::parse(message).map_err(|_| SessionKeyError::NotAMessage)?;
        let content = message.get(Envelope::LEN..).ok_or(SessionKeyError::NotAMessage)?;
        let sealed = self.encrypt(envelope.version, content, rng)?;
        let flags = envelope.flags.with(EnvelopeFlags::ENCRYPTED);
        rebuild(message, Envelope { flags, ..envelope }, &sealed)
    }

    /// Decrypts a whole message in place: clears the encrypted bit, adapts the message length, drops padding of the
    /// datagram.
    ///
    /// # Errors
    /// [`SessionKeyError::NotAMessage`] when the bytes are no encrypted message; [`SessionKeyError::Failed`] when
    /// they were not encrypted with this key.
    pub fn decrypt_message(&self, message: &mut Vec<u8>) -> Result<(), SessionKeyError> {
        let envelope = Envelope::parse(message).map_err(|_| SessionKeyError::NotAMessage)?;
        if !envelope.flags.is_encrypted() || envelope.message_length > MAX_MESSAGE_BYTES {
            return Err(SessionKeyError::NotAMessage);
        }
        let sealed = message.get(Envelope::LEN..).and_then(|rest| rest.get(..envelope.message_length as usize));
        let content = self.decrypt(envelope.version, sealed.ok_or(SessionKeyError::NotAMessage)?)?;
        let flags = envelope.flags.without(EnvelopeFlags::ENCRYPTED);
        rebuild(message, Envelope { flags, ..envelope }, &content)
    }
}

/// Replaces a message's content.
fn rebuild(message: &mut Vec<u8>, envelope: Envelope, content: &[u8]) -> Result<(), SessionKeyError> {
    let length = u32::try_from(content.len()).ok().filter(|length| *length <= MAX_MESSAGE_BYTES);
    let message_length = length.ok_or(SessionKeyError::NotAMessage)?;
    message.clear();
    message.extend_from_slice(&Envelope { message_length, ..envelope }.to_bytes());
    message.extend_from_slice(content);
    Ok(())
}

fn first_16(key: &[u8]) -> &[u8] {
    key.get(..16).unwrap_or(key)
}

/// Fills the first bytes of a vector.
fn fill<'a>(iv: &'a mut [u8; 16], bytes: usize, rng: &mut impl CryptoRngCore) -> &'a [u8] {
    let iv = iv.get_mut(..bytes).unwrap_or_default();
    rng.fill_bytes(iv);
    iv
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    const ALL: [SessionCipher; 4] =
        [SessionCipher::Des, SessionCipher::TripleDes, SessionCipher::Aes, SessionCipher::Sm4];

    #[test]
    fn every_cipher_gives_back_what_it_took() {
        for cipher in ALL {
            let key = SessionKey::generate(cipher, &mut OsRng);
            for (minor, length) in [(3, 0), (3, 16), (4, 0), (4, 31), (11, 16), (11, 4000)] {
                let (version, content) = (Version::new(2, minor), vec![9; length]);
                let sealed = key.encrypt(version, &content, &mut OsRng).unwrap();
                assert_eq!(key.decrypt(version, &sealed).unwrap().as_slice(), content, "{cipher:?} 2.{minor}");
                assert_ne!(key.decrypt(version, &sealed[1..]).map(|plain| plain.to_vec()), Ok(content));
            }
            assert_eq!(key.decrypt(Version::CURRENT, b""), Err(SessionKeyError::Failed));
        }
    }

    #[test]
    fn whole_messages_change_length_and_bit() {
        let key = SessionKey::generate(SessionCipher::Aes, &mut OsRng);
        let mut message = vec![2, 11, 2, 11, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 28];
        message.extend([3; 28]);
        let plain = message.clone();
        assert_eq!(key.decrypt_message(&mut message), Err(SessionKeyError::NotAMessage));
        key.encrypt_message(&mut message, &mut OsRng).unwrap();
        let envelope = Envelope::parse(&message).unwrap();
        assert!(envelope.flags.is_encrypted());
        assert_eq!(envelope.message_length as usize, message.len() - Envelope::LEN);
        message.extend([0; 7]);
        key.decrypt_message(&mut message).unwrap();
        assert_eq!(message, plain);
    }

    #[test]
    fn messages_that_claim_too_much_are_refused() {
        let key = SessionKey::generate(SessionCipher::Aes, &mut OsRng);
        for length in [33, MAX_MESSAGE_BYTES + 1, u32::MAX] {
            let mut message = vec![2, 11, 0x42, 11, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 0];
            message.extend(length.to_be_bytes());
            message.extend([0; 32]);
            assert_eq!(key.decrypt_message(&mut message), Err(SessionKeyError::NotAMessage));
        }
        let mut long = vec![2, 11, 2, 11];
        long.resize(Envelope::LEN + MAX_MESSAGE_BYTES as usize, 0);
        assert_eq!(key.encrypt_message(&mut long, &mut OsRng), Err(SessionKeyError::NotAMessage));
    }
}
