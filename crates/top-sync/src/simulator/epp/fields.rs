//! The fields of each command, as the drafts and the field's limits list them: what must be there, and what may stand in it.

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};

use crate::epp::message::xml::Element;

/// What may stand in a field.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Any text of at most so many characters.
    Text(usize),
    /// Text of exactly so many characters.
    Exactly(usize),
    /// A region of GB/T 2260: six digits.
    Region,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A mail address of at most 128 characters.
    Mail,
    /// An image in base64, of at most 1 MiB when decoded. Its kind stands in the field named.
    Image(&'static str),
    /// A group of fields.
    Group(&'static [Field]),
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    name: &'static str,
    is_needed: bool,
    form: Form,
}

const fn needed(name: &'static str, form: Form) -> Field {
    Field { name, is_needed: true, form }
}

const fn optional(name: &'static str, form: Form) -> Field {
    Field { name, is_needed: false, form }
}

const IMAGE_TYPES: &[&str] = &["jpeg", "png", "bmp"];
const OWN_PREFIX: Field = needed("shrPrefix", Form::Text(64));
const USER: Field = needed("shrUserId", Form::Text(64));
const ENT_ID: Field = needed("entId", Form::Text(64));

/// Of `ent create`, and of the full update but for its key.
const ENTERPRISE: &[Field] = &[
    needed("entType", Form::OneOf(&["1", "2", "3", "4", "5"])),
    needed("entCrCode", Form::Exactly(18)),
    needed("entCrtImgType", Form::OneOf(IMAGE_TYPES)),
    needed("entCrtImg", Form::Image("entCrtImgType")),
    needed("entNameCn", Form::Text(255)),
    needed("province", Form::Region),
    optional("city", Form::Region),
    optional("county", Form::Region),
    needed("entAddrCn", Form::Text(255)),
    optional("entNameEn", Form::Text(255)),
    optional("entAddrEn", Form::Text(255)),
    optional("entWebSite", Form::Text(255)),
    optional("entDesc", Form::Text(1_024)),
    needed(
        "contact",
        Form::Group(&[needed("name", Form::Text(128)), needed("email", Form::Mail), needed("phone", Form::Text(16))]),
    ),
    needed(
        "legalPerson",
        Form::Group(&[
            needed("name", Form::Text(128)),
            needed("idType", Form::OneOf(&["1", "2", "3", "4", "5", "6"])),
            needed("idNo", Form::Text(32)),
            needed("idImgType", Form::OneOf(IMAGE_TYPES)),
            needed("idImg", Form::Image("idImgType")),
        ]),
    ),
];

/// Of `ent check`: the document is a credit code (1) or another (3).
pub(super) const ENT_CHECK: &[&[Field]] =
    &[&[USER, needed("entCrtType", Form::OneOf(&["1", "3"])), needed("entCrtCode", Form::Text(32))]];

/// Of `ent create`.
pub(super) const ENT_CREATE: &[&[Field]] = &[&[OWN_PREFIX], ENTERPRISE];

/// Of the full update.
pub(super) const ENT_REPLACE: &[&[Field]] = &[&[OWN_PREFIX, ENT_ID], ENTERPRISE];

/// Of the partial update: what is named is changed.
pub(super) const ENT_AMEND: &[&[Field]] = &[&[
    USER,
    ENT_ID,
    optional("entAddrCn", Form::Text(255)),
    optional("entAddrEn", Form::Text(255)),
    optional(
        "contact",
        Form::Group(&[needed("name", Form::Text(128)), needed("email", Form::Mail), needed("phone", Form::Text(16))]),
    ),
    optional("entWebSite", Form::Text(255)),
    optional("entDesc", Form::Text(1_024)),
]];

/// Of `prefix check`.
pub(super) const PREFIX_CHECK: &[&[Field]] = &[&[OWN_PREFIX, needed("prefix", Form::Text(64))]];

/// Of `prefix create`.
pub(super) const PREFIX_CREATE: &[&[Field]] = &[&[OWN_PREFIX, ENT_ID, needed("prefix", Form::Text(64))]];

/// What is wrong with a command: a code of RFC 5730 section 3, and the field.
pub(super) type Wrong = (u16, String);

/// Checks the fields of an object, and gives what it holds by path: images as their SHA-256.
pub(super) fn check(object: &Element, fields: &[&[Field]]) -> Result<Vec<(String, String)>, Wrong> {
    let mut held = Vec::new();
    check_into(object, fields, "", &mut held)?;
    Ok(held)
}

fn check_into(
    object: &Element,
    fields: &[&[Field]],
    path: &str,
    held: &mut Vec<(String, String)>,
) -> Result<(), Wrong> {
    for child in &object.children {
        if !fields.iter().copied().flatten().any(|field| *field.name == *child.name) {
            return Err((2001, format!("{path}{} is not known", child.name)));
        }
    }
    for field in fields.iter().copied().flatten() {
        let name = format!("{path}{}", field.name);
        let mut found = object.children.iter().filter(|child| *child.name == *field.name);
        let first = found.next();
        if found.next().is_some() {
            return Err((2001, format!("{name} stands twice")));
        }
        let first = first.filter(|child| !child.text.is_empty() || !child.children.is_empty() || !field.is_needed);
        match first {
            None if field.is_needed => return Err((2003, format!("{name} is missing"))),
            None => {}
            Some(child) => match field.form {
                Form::Group(inner) => check_into(child, &[inner], &format!("{name}/"), held)?,
                form => held.push((name.clone(), check_text(object, &name, &child.text, form)?)),
            },
        }
    }
    Ok(())
}

fn check_text(object: &Element, name: &str, text: &str, form: Form) -> Result<String, Wrong> {
    let chars = text.chars().count();
    let range = |problem: &str| Err((2004, format!("{name} {problem}")));
    let syntax = |problem: &str| Err((2005, format!("{name} {problem}")));
    match form {
        Form::Text(most) if chars > most => range("is too long"),
        Form::Exactly(count) if chars != count => syntax("has another length"),
        Form::Region if chars != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) => syntax("is no region"),
        Form::OneOf(words) if !words.contains(&text) => range("is none of the values there are"),
        Form::Mail if chars > 128 => range("is too long"),
        Form::Mail if !text.contains('@') => syntax("is no mail address"),
        Form::Image(kind) => check_image(name, text, object.child_text(kind).unwrap_or_default()),
        _ => Ok(text.to_owned()),
    }
}

fn check_image(name: &str, text: &str, kind: &str) -> Result<String, Wrong> {
    let Ok(bytes) = Base64::decode_vec(text) else { return Err((2005, format!("{name} is no base64"))) };
    if bytes.len() > 1 << 20 {
        return Err((2004, format!("{name} is larger than 1 MiB")));
    }
    let sound = match kind {
        "jpeg" => bytes.starts_with(b"\xff\xd8\xff"),
        "png" => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        _ => bytes.starts_with(b"BM"),
    };
    if !sound {
        return Err((2005, format!("{name} is no {kind}")));
    }
    Ok(format!("sha256:{}", hex::encode(Sha256::digest(&bytes))))
}
