//! Documents with an entry of each kind, in the clear and in a container, a report, and names of files.

use super::Seed;

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><deposit xmlns="urn:waymark:deposit:1" version="1" type="DIFF" "#,
    r#"id="00112233445566778899aabbccddeeff" previous="ffeeddccbbaa99887766554433221100" resend="1" prefix="88.990" "#,
    r#"created="2026-11-01T00:00:00Z" since="3" serial="9"><watermark>2026-11-30T00:00:00Z</watermark>"#,
    r#"<menu><object uri="urn:waymark:deposit:1:identifier"/></menu><deletes><delete kind="identifier" name="88.990/GONE"/>"#,
    r#"<delete kind="piece" name="88.990#3 state 4711"/></deletes><contents>"#,
);

const OBJECTS: [(&str, &str, &str); 4] = [
    ("home", "0.NA/88.990", ""),
    ("case", "88.990.1", r#"{"v":1,"enterprise":7,"state":"active","wish":"hosted","placement":"here","steps":[]}"#),
    ("template", "88.990/META_EXC-1", r#"{"v":1,"state":"draft"}"#),
    ("piece", "88.990#3 leased 0", r#"{"v":1,"last":9,"by":"a","since":1,"station":"s","until":2}"#),
];

const IDENTIFIER: &str = concat!(
    r#"<identifier handle="88.990/x &amp; y" status="revoked" since="5" reason="r">"#,
    r#"<value index="1" type="URL" ttl="60" permissions="14" timestamp="7"><data>a&lt;b&#10;</data>"#,
    r#"<reference index="300" handle-base64="/w=="/></value>"#,
    r#"<value index="2" type="BIN" expires="9" permissions="8" timestamp="8"><data form="base64">AP8=</data></value>"#,
    "</identifier></contents><counts>",
    r#"<count kind="identifier" contents="1" deletes="1" values="2"/>"#,
);

const KINDS: [(&str, u8, u8); 10] = [
    ("home", 1, 0),
    ("principal", 0, 0),
    ("operator", 0, 0),
    ("enterprise", 0, 0),
    ("case", 1, 0),
    ("file", 0, 0),
    ("application", 0, 0),
    ("template", 1, 0),
    ("range", 0, 0),
    ("piece", 1, 1),
];

const REPORT: &str = concat!(
    r#"<report xmlns="urn:waymark:deposit-report:1" version="1" type="FULL" id="00112233445566778899aabbccddeeff" previous="" "#,
    r#"resend="0" prefix="88.990" watermark="2026-11-29T00:00:00Z" created="2026-11-01T00:00:00Z" since="0" serial="9">"#,
    r#"<count kind="identifier" contents="1" deletes="0" values="2"/><part name="88.990_2026-11-29_full_S1_R0.inde" bytes="700" "#,
    r#"sm3="00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"/></report>"#,
);

pub(super) fn seeds() -> Vec<Seed> {
    let objects = OBJECTS
        .map(|(kind, name, text)| format!(r#"<object kind="{kind}" name="{name}"><text>{text}</text></object>"#))
        .concat();
    let counts = KINDS
        .map(|(kind, contents, deletes)| format!(r#"<count kind="{kind}" contents="{contents}" deletes="{deletes}"/>"#))
        .concat();
    let document = format!("{HEAD}{objects}{IDENTIFIER}{counts}</counts></deposit>");
    let name = "88.990_2026-11-29_full_S1_R0.rep.sig";
    [
        ("document", 0, document.as_bytes().to_vec()),
        ("container", 1, stored(document.as_bytes())),
        ("report", 2, REPORT.as_bytes().to_vec()),
        ("name", 3, name.as_bytes().to_vec()),
    ]
    .map(|(name, shape, bytes)| ("deposit", name.to_owned(), [&[shape], &bytes[..]].concat()))
    .to_vec()
}

/// An archive whose entry is deflated without compressing anything, so that a fuzzer can change the document in it.
fn stored(document: &[u8]) -> Vec<u8> {
    let length = u16::try_from(document.len()).expect("a short document");
    let deflated = [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), document].concat();
    let (packed, clear) = (u32::try_from(deflated.len()).expect("short"), u32::from(length));
    let name = b"deposit.xml";
    let crc = crc32(document);
    let sizes = [crc.to_le_bytes(), packed.to_le_bytes(), clear.to_le_bytes()].concat();
    let version = [20, 0, 8, 0, 8, 0, 0, 0, 0, 0];
    let lengths = [11, 0, 0, 0];
    let local = [&b"PK\x03\x04"[..], &version, &[0; 12], &lengths, name].concat();
    let behind = [&b"PK\x07\x08"[..], &sizes].concat();
    let central = [&b"PK\x01\x02\x14\0"[..], &version, &sizes, &lengths, &[0; 14], name].concat();
    let at = u32::try_from(local.len() + deflated.len() + behind.len()).expect("short");
    let length = u32::try_from(central.len()).expect("short");
    let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &length.to_le_bytes(), &at.to_le_bytes(), &[0; 2]].concat();
    [local, deflated, behind, central, end].concat()
}

/// CRC-32 of ISO 3309, a bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
