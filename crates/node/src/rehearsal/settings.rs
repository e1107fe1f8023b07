//! The configuration the node is run with: the operator's own, with doors on loopback, the simulator above it, and no file that is not the rehearsal's.
//!
//! A door the operator closed stays closed: then what needs it fails, as it would.

use std::{fmt::Write as _, path::Path};

use toml::{Table, Value};

use crate::{
    config::{Config, OPTIONS, schema},
    problem::{Exit, Problem, Problems},
};

/// Sections that say where the node is docked and who it is: the rehearsal has its own.
const OWN_SECTIONS: [&str; 5] = ["sync", "docking", "deposit", "site", "recursion"];

/// Options of which nothing is shown: an application's id is one half of what it is known by.
const SECRET: [&str; 1] = ["docking.application"];

/// What is shown in the place of something secret.
const WITHHELD: &str = "(withheld)";

/// The operator's configuration, checked; `None` without one.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub(super) fn read(path: Option<&Path>) -> Result<Option<String>, Problems> {
    let Some(path) = path else { return Ok(None) };
    Config::load(Some(path)).map_err(Problems::from)?;
    let text = std::fs::read_to_string(path).map_err(|cause| {
        Problem::new("config-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    })?;
    Ok(Some(text))
}

/// What the rehearsal sets, over what the operator's file says.
///
/// # Errors
/// One of the two is no TOML, which was checked for the first.
pub(super) fn merged(operators: Option<&str>, ours: &str) -> Result<String, toml::de::Error> {
    let mut merged: Table = operators.unwrap_or_default().parse()?;
    for section in OWN_SECTIONS {
        merged.remove(section);
    }
    // Files of the operator's are not touched: neither keys nor places that are written to.
    for option in OPTIONS.iter().filter(|option| option.unit == "path") {
        change(&mut merged, option.section(), |section| drop(section.remove(option.name())));
    }
    change(&mut merged, "registration", |section| drop(section.remove("plaintext")));
    merged.remove("node");
    let ours: Table = ours.parse()?;
    for (name, values) in ours {
        let Value::Table(values) = values else { continue };
        change(&mut merged, &name, |section| {
            for (key, value) in values {
                let is_closed = section.get(&key).and_then(Value::as_array).is_some_and(Vec::is_empty);
                if name != "listen" || !is_closed {
                    section.insert(key, value);
                }
            }
        });
    }
    merged.retain(|_, values| values.as_table().is_none_or(|values| !values.is_empty()));
    Ok(merged.to_string())
}

/// Changes a section, made where there is none.
fn change(table: &mut Table, name: &str, change: impl FnOnce(&mut Table)) {
    let mut section = match table.remove(name) {
        Some(Value::Table(section)) => section,
        _ => Table::new(),
    };
    change(&mut section);
    table.insert(name.to_owned(), Value::Table(section));
}

/// Every option with its value, but for what is secret: of files neither place nor content, of addresses nobody's name and password.
pub(super) fn shown(config: &Config) -> String {
    let (mut text, mut current) = (String::new(), "");
    for option in OPTIONS {
        if option.section() != current {
            current = option.section();
            // Writing to a text cannot fail.
            let _ = writeln!(text, "\n[{current}]");
        }
        let _ = writeln!(text, "{} = {}", option.name(), value(option, config));
    }
    text.trim_start().to_owned()
}

fn value(option: &schema::Spec, config: &Config) -> String {
    let values = config.values();
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    match option.kind {
        schema::Kind::Flag { .. } => values.flag(option.key).to_string(),
        schema::Kind::Number { .. } => values.number(option.key).to_string(),
        schema::Kind::Choice { .. } | schema::Kind::Text { .. } => {
            let text = values.text(option.key);
            let is_secret = option.unit == "path" || SECRET.contains(&option.key);
            if is_secret && !text.is_empty() { quoted(WITHHELD) } else { quoted(&without_user(text)) }
        }
        schema::Kind::List { .. } => {
            let items: Vec<_> = values.list(option.key).iter().map(|item| quoted(&without_user(item))).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// An address without whoever is named in it, and without what is behind a question mark.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "[listen]\nudp = [\"127.0.0.1:0\"]\ntcp = [\"127.0.0.1:0\"]\n[docking]\npoll_seconds = 1\n";

    #[test]
    fn what_the_operator_set_stays_and_doors_that_are_closed_stay_closed() {
        let operators = "node.data = \"/var/lib/waymark\"\nlisten.tcp = []\nlisten.udp = [\"0.0.0.0:2641\"]\n[names]\nmax_handle_bytes = 100\n\
            [docking]\naddress = \"https://top.example/epp\"\n[registration]\nprivate_key = \"/etc/key.pem\"\nplaintext = true\n";
        let merged = merged(Some(operators), OURS).unwrap();
        let table: Table = merged.parse().unwrap();
        assert_eq!(table["names"]["max_handle_bytes"].as_integer(), Some(100));
        assert_eq!(table["listen"]["tcp"].as_array().unwrap().len(), 0);
        assert_eq!(table["listen"]["udp"][0].as_str(), Some("127.0.0.1:0"));
        for gone in ["/var/lib/waymark", "top.example", "key.pem", "plaintext"] {
            assert!(!merged.contains(gone), "{gone} in {merged}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let mut config = Config::defaults();
        let text = |text: &str| schema::Value::Text(text.to_owned());
        config.set("docking.address", text("https://operator:hunter2@top.example/epp?token=s3cret"));
        config.set("docking.application", text("app-id-4711"));
        config.set("docking.key_file", text("/etc/waymark/application.key"));
        config.set("sync.server", text("grpcs://n0de:pa55@top.example:2649"));
        let shown = shown(&config);
        for secret in ["hunter2", "s3cret", "app-id-4711", "application.key", "pa55", "n0de"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        assert!(shown.contains("address = \"https://top.example/epp\""), "{shown}");
        assert!(shown.contains("key_file = \"(withheld)\""));
        assert_eq!(shown.lines().filter(|line| line.contains(" = ")).count(), OPTIONS.len());
    }
}
