//! Made-up identifiers in the form `waymark export` writes, so that what went in and what comes out can be compared as text.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

/// The prefix of all of them.
pub const PREFIX: &str = "88.111.1";

/// The name of a number. Names in the order of their numbers are in the order of an export.
pub fn name(number: usize) -> String {
    format!("{PREFIX}/ITEM-{number:07}")
}

/// The number of a line's name.
pub fn number(line: &str) -> usize {
    let digits = line.split_once("/ITEM-").and_then(|(_, rest)| rest.get(..7));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no name of ours: {line}"))
}

/// The line of a number, with data of up to `most` bytes: the same for the same number, different for every other.
pub fn line(number: usize, most: usize) -> String {
    let mut random = StdRng::seed_from_u64(number as u64);
    let length = random.random_range(most / 4..=most);
    let letter = char::from(b'a' + random.random_range(0..26));
    let (name, filler) = (name(number), letter.to_string().repeat(length));
    let time = 1_700_000_000 + number;
    format!(
        "{{\"handle\":\"{name}\",\"values\":[\
         {{\"index\":1,\"type\":\"URL\",\"ttl\":86400,\"permissions\":\"1110\",\"timestamp\":{time},\
         \"data\":{{\"format\":\"string\",\"value\":\"https://example.invalid/{number}\"}}}},\
         {{\"index\":2,\"type\":\"TEXT\",\"ttl\":3600,\"permissions\":\"1110\",\"timestamp\":{time},\
         \"data\":{{\"format\":\"string\",\"value\":\"{filler}{number}\"}}}}]}}"
    )
}

/// The lines of all numbers up to `count`.
pub fn lines(count: usize, most: usize) -> Vec<String> {
    (0..count).map(|number| line(number, most)).collect()
}

/// Lines as the text of a file.
pub fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// The values of a line as an answer has them: index, type and data.
pub fn values(line: &str) -> Vec<(u32, String, Vec<u8>)> {
    let record: Value = serde_json::from_str(line).expect("a line of ours");
    let value = |value: &Value| {
        let text = |field: &Value| field.as_str().expect("a text").to_owned();
        let index = value["index"].as_u64().and_then(|index| u32::try_from(index).ok()).expect("an index");
        (index, text(&value["type"]), text(&value["data"]["value"]).into_bytes())
    };
    record["values"].as_array().expect("a list").iter().map(value).collect()
}
