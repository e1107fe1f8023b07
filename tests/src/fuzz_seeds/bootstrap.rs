//! Bootstrap files, and names that are looked for in them.

use super::Seed;

/// Files, by name.
const FILES: &[(&str, &str)] = &[
    (
        "three",
        "{\"version\":\"1.0\",\"publication\":\"2026-11-30T00:00:00Z\",\"description\":\"d\",\"services\":[[[\"88\"],[\"https://top.example/\"]],[[\"88.990\",\"20.500.a\"],[\"http://one.example/\",\"https://one.example/q/\"]],[[\"88.990.5\"],[\"https://two.example/\"]]]}",
    ),
    ("none", "{\"version\":\"1.0\",\"publication\":\"2026-11-30T00:00:00Z\",\"services\":[]}"),
    (
        "header",
        "{\"version\":\"1.0\",\"publication\":\"2026-11-30T00:00:00Z\",\"services\":[[[\"88\"],[\"https://x/\\r\\nSet-Cookie: a/\"]]]}",
    ),
    (
        "twice",
        "{\"version\":\"1.0\",\"publication\":\"2026-11-30T00:00:00Z\",\"services\":[[[\"88\",\"88\"],[\"https://x/\"]]]}",
    ),
    ("version", "{\"version\":\"2.0\",\"publication\":\"2026-11-30T00:00:00Z\",\"services\":[]}"),
    ("list", "[[[[[[[[[[]]]]]]]]]]"),
];

pub(super) fn seeds() -> Vec<Seed> {
    let seed = |(name, file): &(&str, &str), prefix: &str| {
        let length = u16::try_from(prefix.len()).expect("prefixes are short").to_be_bytes();
        ("bootstrap", format!("{name}_{prefix}"), [&length[..], prefix.as_bytes(), file.as_bytes()].concat())
    };
    let names = ["88.990.5.1", "88.9905", "20.500.a"];
    FILES.iter().flat_map(|file| names.map(|name| seed(file, name))).collect()
}
