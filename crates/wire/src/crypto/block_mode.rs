//! Block ciphers over whole messages: CBC and ECB with the padding of PKCS#7 (PKCS#5 for blocks of 8 bytes).

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipher, BlockDecryptMut, BlockEncryptMut, KeyInit, KeyIvInit};
use zeroize::Zeroizing;

/// Why nothing was encrypted or decrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BlockModeError {
    /// The key or the initialisation vector has not the length the cipher needs.
    Lengths,
    /// The ciphertext is no whole number of blocks or does not end in padding.
    Padding,
}

/// Encrypts in CBC mode.
pub(super) fn encrypt_cbc<C>(key: &[u8], iv: &[u8], plain: &[u8]) -> Result<Vec<u8>, BlockModeError>
where
    C: BlockCipher + BlockEncryptMut + KeyInit,
{
    let mode = cbc::Encryptor::<C>::new_from_slices(key, iv).map_err(|_| BlockModeError::Lengths)?;
    Ok(mode.encrypt_padded_vec_mut::<Pkcs7>(plain))
}

/// Decrypts CBC mode.
pub(super) fn decrypt_cbc<C>(key: &[u8], iv: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BlockModeError>
where
    C: BlockCipher + BlockDecryptMut + KeyInit,
{
    let mode = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| BlockModeError::Lengths)?;
    mode.decrypt_padded_vec_mut::<Pkcs7>(sealed).map(Zeroizing::new).map_err(|_| BlockModeError::Padding)
}

/// Encrypts in ECB mode.
pub(super) fn encrypt_ecb<C>(key: &[u8], plain: &[u8]) -> Result<Vec<u8>, BlockModeError>
where
    C: BlockCipher + BlockEncryptMut + KeyInit,
{
    let mode = ecb::Encryptor::<C>::new_from_slice(key).map_err(|_| BlockModeError::Lengths)?;
    Ok(mode.encrypt_padded_vec_mut::<Pkcs7>(plain))
}

/// Decrypts ECB mode.
pub(super) fn decrypt_ecb<C>(key: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BlockModeError>
where
    C: BlockCipher + BlockDecryptMut + KeyInit,
{
    let mode = ecb::Decryptor::<C>::new_from_slice(key).map_err(|_| BlockModeError::Lengths)?;
    mode.decrypt_padded_vec_mut::<Pkcs7>(sealed).map(Zeroizing::new).map_err(|_| BlockModeError::Padding)
}

#[cfg(test)]
mod tests {
    use aes::Aes128;
    use des::Des;

    use super::*;

    #[test]
    fn whole_blocks_get_a_block_of_padding() {
        let sealed = encrypt_cbc::<Aes128>(&[1; 16], &[2; 16], &[3; 32]).unwrap();
        assert_eq!(sealed.len(), 48);
        assert_eq!(decrypt_cbc::<Aes128>(&[1; 16], &[2; 16], &sealed).unwrap().as_slice(), [3; 32]);
    }

    #[test]
    fn wrong_lengths_and_padding_are_told_apart() {
        assert_eq!(encrypt_ecb::<Des>(&[0; 7], b"x"), Err(BlockModeError::Lengths));
        assert_eq!(decrypt_cbc::<Des>(&[0; 8], &[0; 7], &[0; 8]), Err(BlockModeError::Lengths));
        assert_eq!(decrypt_ecb::<Des>(&[0; 8], &[0; 7]), Err(BlockModeError::Padding));
        assert_eq!(decrypt_ecb::<Des>(&[0; 8], &[]), Err(BlockModeError::Padding));
    }
}
