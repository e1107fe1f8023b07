//! A file of T1: its size, its hash, and that it is what it says it is.

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};

use super::Whole;
use crate::check::checker::Checker;
use crate::check::json::Json;

/// Most bytes of an image.
const IMAGE_BYTES: u64 = 1 << 20;

/// Most bytes of any file.
const FILE_BYTES: u64 = 5 << 20;

/// Formats and what their files begin with.
const FORMATS: [(&str, &[u8]); 4] =
    [("jpeg", b"\xff\xd8\xff"), ("png", b"\x89PNG\r\n\x1a\n"), ("bmp", b"BM"), ("pdf", b"%PDF-")];

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let names = ["prefix", "file", "format", "bytes", "sha256", "content"];
    let Some(row) = checker.object(json, &names) else { return };
    whole.prefix(checker, row.at("prefix"));
    checker.text(row.at("file"), 1, 255);
    let format = checker.word(row.at("format"), &FORMATS.map(|(name, _)| name));
    let most = if format == Some("pdf") { FILE_BYTES } else { IMAGE_BYTES };
    let bytes = checker.between(row.at("bytes"), 1, most);
    let digest = row.at("sha256").value.and_then(Json::as_text).filter(|text| is_digest(text));
    if row.at("sha256").value.is_some() && digest.is_none() {
        checker.complain(row.at("sha256"), "is not 64 hexadecimal digits");
    }
    let Some(content) = row.at("content").value else { return };
    let Some(content) = content.as_text().and_then(|text| Base64::decode_vec(text).ok()) else {
        checker.complain(row.at("content"), "is no base64");
        return;
    };
    if bytes.is_some_and(|bytes| u64::try_from(content.len()) != Ok(bytes)) {
        checker.complain(row.at("bytes"), "is not the size of the content");
    }
    let is_other = |digest: &str| !digest.eq_ignore_ascii_case(&format!("{:x}", Sha256::digest(&content)));
    if digest.is_some_and(is_other) {
        checker.complain(row.at("sha256"), "is not that of the content");
    }
    let magic = FORMATS.iter().find(|(name, _)| Some(*name) == format);
    if magic.is_some_and(|(_, magic)| !content.starts_with(magic)) {
        checker.complain(row.at("format"), "is not what the content begins like");
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
