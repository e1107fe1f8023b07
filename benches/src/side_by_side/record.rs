//! The identifiers the runs resolve.

use std::io::{self, Write};

/// Prefix of the generated identifiers.
pub const PREFIX: &str = "88.111.1";
/// Pattern of their names, for the load generator.
pub const PATTERN: &str = "88.111.1/item-{:07}";

/// Bytes of an answer besides handle and values: envelope, header, two counts, credential length.
const ANSWER_OVERHEAD: usize = 20 + 24 + 4 + 4 + 4;
/// Bytes of a value besides type and data.
const VALUE_OVERHEAD: usize = 26;
/// What every URL begins with.
const URL_HEAD: &str = "https://id.example.org/item/";

/// Writes `count` identifiers, one JSON object a line, each with one URL value as long as makes its answer `answer_bytes` long.
///
/// # Errors
/// The writer's.
pub fn write_lines(count: u64, answer_bytes: usize, into: &mut impl Write) -> io::Result<()> {
    for number in 0..count {
        let handle = format!("{PREFIX}/item-{number:07}");
        let data_bytes = answer_bytes.saturating_sub(ANSWER_OVERHEAD + handle.len() + VALUE_OVERHEAD + "URL".len());
        let tail = data_bytes.saturating_sub(URL_HEAD.len());
        writeln!(
            into,
            r#"{{"handle":"{handle}","values":[{{"index":1,"type":"URL","ttl":86400,"permissions":"1110","timestamp":1700000000,"data":"{URL_HEAD}{number:0tail$}"}}]}}"#,
        )?;
    }
    Ok(())
}
