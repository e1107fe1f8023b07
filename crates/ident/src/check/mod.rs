//! Check characters: whether a code was mistyped or misread, told from the code alone.
//!
//! | system | over | check | finds |
//! |---|---|---|---|
//! | [`mod10`] | digits | one digit | every single wrong digit; swapped neighbours unless they differ by 5 |
//! | [`mod37_36`] | digits and letters | one character | every single wrong character; nearly all swapped neighbours |
//! | [`gmn`] | the 82 characters of GS1 | two characters | every single wrong character; all swapped neighbours before the pair |
//!
//! What each finds is tested exhaustively over short codes. A right check character says nothing about whether a code
//! was ever issued. All functions take bytes, allocate nothing and refuse characters that do not belong to the system.

pub mod gmn;
pub mod mod10;
pub mod mod37_36;
