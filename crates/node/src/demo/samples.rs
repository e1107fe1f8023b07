//! The sample identifiers: what the demo imports, and what it may expect back, read from the file itself.

use serde::Deserialize;

/// The file, part of the program so that the demo needs nothing else.
pub(crate) const LINES: &str = include_str!("../../../../tests/data/identifiers.jsonl");

/// One identifier of the file, as far as the demo looks at it.
#[derive(Debug, Deserialize)]
pub(crate) struct Sample {
    /// The identifier.
    pub(crate) handle: String,
    /// Its values.
    pub(crate) values: Vec<SampleValue>,
}

/// One value of the file.
#[derive(Debug, Deserialize)]
pub(crate) struct SampleValue {
    /// Its index.
    pub(crate) index: u32,
    /// Its type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Four characters: admin read, admin write, public read, public write.
    permissions: String,
    /// Its data, in one of several forms.
    data: serde_json::Value,
}

impl SampleValue {
    /// Whether everybody may read it.
    pub(crate) fn is_public(&self) -> bool {
        self.permissions.chars().nth(2) == Some('1')
    }

    /// Its text, where it is a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.data {
            serde_json::Value::String(text) => Some(text),
            data if data.get("format")? == "string" => data.get("value")?.as_str(),
            _ => None,
        }
    }
}

/// Reads the file.
pub(crate) fn all() -> Result<Vec<Sample>, serde_json::Error> {
    LINES.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_what_the_demo_shows() {
        let samples = all().unwrap();
        assert_eq!(samples.len(), 60);
        assert!(
            samples.iter().any(|sample| sample.values.iter().any(|value| !value.is_public() && value.text().is_some()))
        );
        assert!(samples.iter().all(|sample| !sample.values.is_empty()));
    }
}
