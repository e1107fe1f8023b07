//! From the text of a file to checked values: everything wrong is found in one pass and reported together.

use std::{collections::BTreeMap, net::IpAddr, net::SocketAddr};

use waymark_resolver::policy::Network;

use super::schema::{Item, Kind, Spec, Value};
use crate::problem::{Exit, Problem};

/// Checked values by key; every key of the table is present.
#[derive(Clone, Debug)]
pub struct Values {
    values: BTreeMap<&'static str, Value>,
}

impl Values {
    /// The defaults of all options.
    pub fn defaults(options: &'static [Spec]) -> Self {
        Self { values: options.iter().map(|option| (option.key, default_value(option))).collect() }
    }

    /// A flag's value; `false` for a key that is no flag (a test reads every key once).
    pub fn flag(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(Value::Flag(true)))
    }

    /// A number's value; 0 for a key that is no number (a test reads every key once).
    pub fn number(&self, key: &str) -> u64 {
        match self.values.get(key) {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    /// A text's value; empty for a key that is no text (a test reads every key once).
    pub fn text(&self, key: &str) -> &str {
        match self.values.get(key) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A list's items; empty for a key that is no list (a test reads every key once).
    pub fn list(&self, key: &str) -> &[String] {
        match self.values.get(key) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    /// Puts a value that did not come from the file, such as a flag of the command line.
    pub fn set(&mut self, key: &'static str, value: Value) {
        self.values.insert(key, value);
    }
}

fn default_value(option: &Spec) -> Value {
    match option.kind {
        Kind::Flag { default } => Value::Flag(default),
        Kind::Number { default, .. } => Value::Number(default),
        Kind::Choice { default, .. } | Kind::Text { default } => Value::Text(default.to_owned()),
        Kind::List { default, .. } => Value::List(default.iter().map(|&item| item.to_owned()).collect()),
    }
}

/// Reads a file's text against the table of options. Keys that are wrong keep their defaults; everything wrong is returned beside.
pub fn read(options: &'static [Spec], text: &str) -> (Values, Vec<Problem>) {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return (Values::defaults(options), vec![syntax_problem(text, &error)]),
    };
    let mut values = Values::defaults(options);
    let mut problems = Vec::new();
    for (section, content) in &table {
        let toml::Value::Table(entries) = content else {
            problems.push(unknown(options, section));
            continue;
        };
        for (name, given) in entries {
            let key = format!("{section}.{name}");
            let Some(option) = options.iter().find(|option| option.key == key) else {
                problems.push(unknown(options, &key));
                continue;
            };
            match check(option, given) {
                Ok(value) => values.set(option.key, value),
                Err(found) => problems.extend(found),
            }
        }
    }
    (values, problems)
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let offset = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..offset).unwrap_or_default();
    Problem::new("config-syntax", Exit::Usage)
        .with("line", before.matches('\n').count() + 1)
        .with("cause", error.message())
}

fn unknown(options: &[Spec], key: &str) -> Problem {
    let nearest = options.iter().min_by_key(|option| distance(option.key, key)).map_or("", |option| option.key);
    Problem::new("config-unknown-key", Exit::Usage).with("key", key).with("nearest", nearest)
}

/// Number of single-character edits between two keys.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, to) in row.iter().skip(1).zip(&b) {
            let changed = diagonal + usize::from(from != *to);
            left = changed.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

fn check(option: &Spec, given: &toml::Value) -> Result<Value, Vec<Problem>> {
    let wrong = |code: &'static str, value: &str| {
        Problem::new(code, Exit::Usage)
            .with("key", option.key)
            .with("value", value)
            .with("range", option.range_text())
            .with("unit", option.unit)
    };
    let wrong_type = || vec![wrong("config-wrong-type", &given.to_string())];
    match (option.kind, given) {
        (Kind::Flag { .. }, toml::Value::Boolean(flag)) => Ok(Value::Flag(*flag)),
        (Kind::Number { min, max, .. }, toml::Value::Integer(number)) => match u64::try_from(*number) {
            Ok(number) if (min..=max).contains(&number) => Ok(Value::Number(number)),
            _ => Err(vec![wrong("config-out-of-range", &number.to_string())]),
        },
        (Kind::Choice { choices, .. }, toml::Value::String(word)) => {
            if choices.contains(&word.as_str()) {
                Ok(Value::Text(word.clone()))
            } else {
                Err(vec![wrong("config-out-of-range", word)])
            }
        }
        (Kind::Text { .. }, toml::Value::String(text)) => Ok(Value::Text(text.clone())),
        (Kind::List { item, .. }, toml::Value::Array(items)) => {
            let mut texts = Vec::with_capacity(items.len());
            let mut problems = Vec::new();
            for given in items {
                match given.as_str() {
                    Some(text) if fits(item, text) => texts.push(text.to_owned()),
                    Some(text) => problems.push(wrong("config-out-of-range", text)),
                    None => problems.push(wrong("config-wrong-type", &given.to_string())),
                }
            }
            if problems.is_empty() { Ok(Value::List(texts)) } else { Err(problems) }
        }
        _ => Err(wrong_type()),
    }
}

fn fits(item: Item, text: &str) -> bool {
    match item {
        Item::SocketAddress => text.parse::<SocketAddr>().is_ok(),
        Item::Address => text.parse::<IpAddr>().is_ok(),
        Item::Network => text.parse::<Network>().is_ok(),
        Item::Text => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static OPTIONS: &[Spec] = &[
        Spec { key: "a.flag", kind: Kind::Flag { default: true }, unit: "", reason: "r" },
        Spec { key: "a.number", kind: Kind::Number { default: 5, min: 1, max: 9 }, unit: "s", reason: "r" },
        Spec { key: "a.word", kind: Kind::Choice { default: "x", choices: &["x", "y"] }, unit: "", reason: "r" },
        Spec { key: "b.text", kind: Kind::Text { default: "t" }, unit: "", reason: "r" },
        Spec {
            key: "b.at",
            kind: Kind::List { default: &["[::1]:1"], item: Item::SocketAddress },
            unit: "",
            reason: "r",
        },
    ];

    #[test]
    fn absent_keys_take_their_defaults() {
        let (values, problems) = read(OPTIONS, "[a]\nnumber = 9\n");
        assert!(problems.is_empty());
        assert!(values.flag("a.flag"));
        assert_eq!(values.number("a.number"), 9);
        assert_eq!(values.text("a.word"), "x");
        assert_eq!(values.list("b.at"), ["[::1]:1".to_owned()]);
    }

    #[test]
    fn reports_everything_wrong_at_once() {
        let text =
            "[a]\nflag = 1\nnumber = 10\nword = \"z\"\nnumbr = 1\n[b]\nat = [\"x\", \"1.2.3.4:5\", 7]\n[c]\nd = 1\n";
        let (_, problems) = read(OPTIONS, text);
        let codes: Vec<_> = problems.iter().map(Problem::code).collect();
        assert_eq!(codes.iter().filter(|code| **code == "config-unknown-key").count(), 2);
        assert_eq!(codes.iter().filter(|code| **code == "config-wrong-type").count(), 2);
        assert_eq!(codes.iter().filter(|code| **code == "config-out-of-range").count(), 3);
    }

    #[test]
    fn names_the_line_of_a_syntax_error() {
        let (_, problems) = read(OPTIONS, "[a]\nflag = true\nnumber = = 3\n");
        assert!(format!("{problems:?}").contains("\"line\", \"3\""), "{problems:?}");
    }

    #[test]
    fn refuses_negative_numbers() {
        assert_eq!(read(OPTIONS, "[a]\nnumber = -1\n").1.len(), 1);
    }

    #[test]
    fn suggests_the_nearest_key() {
        let (_, problems) = read(OPTIONS, "[a]\nnumbr = 1\n");
        assert!(format!("{problems:?}").contains("a.number"));
    }
}
