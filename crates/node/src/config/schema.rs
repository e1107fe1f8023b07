//! What an option is: its key, its kind with default and range, its unit, and why it is as it is.
//!
//! The one table of options ([`super::options::OPTIONS`]) is the only place a default stands. The shipped
//! `config/waymark.toml`, the README's table, the checks and their messages are all made from it.

/// What an option takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Flag {
        /// Used when the key is absent.
        default: bool,
    },
    /// A whole number within a range, both ends allowed.
    Number {
        /// Used when the key is absent.
        default: u64,
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
    /// One word out of a few.
    Choice {
        /// Used when the key is absent.
        default: &'static str,
        /// All words.
        choices: &'static [&'static str],
    },
    /// Text, possibly empty.
    Text {
        /// Used when the key is absent.
        default: &'static str,
    },
    /// A list of texts of one form.
    List {
        /// Used when the key is absent.
        default: &'static [&'static str],
        /// What each item must look like.
        item: Item,
    },
}

/// The form of a list's items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// `127.0.0.1:2641` or `[::1]:2641`; port 0 takes a free one.
    SocketAddress,
    /// `192.0.2.0/24`, `2001:db8::/32` or one address.
    Network,
    /// An IP address.
    Address,
    /// Any text.
    Text,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Section and name, `udp.threads`.
    pub key: &'static str,
    /// Kind, default, range.
    pub kind: Kind,
    /// Unit of a number, or the form of a text; empty where there is none.
    pub unit: &'static str,
    /// Why one would change it, in one or two sentences.
    pub reason: &'static str,
}

impl Spec {
    /// The section of the file the option stands in.
    pub fn section(&self) -> &'static str {
        self.key.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name within its section.
    pub fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }

    /// The default in the form the file takes it.
    pub fn default_text(&self) -> String {
        match self.kind {
            Kind::Flag { default } => default.to_string(),
            Kind::Number { default, .. } => default.to_string(),
            Kind::Choice { default, .. } | Kind::Text { default } => format!("{default:?}"),
            Kind::List { default, .. } => format!("{default:?}"),
        }
    }

    /// The allowed range in words both languages share: numbers, words, forms.
    pub fn range_text(&self) -> String {
        match self.kind {
            Kind::Flag { .. } => "true | false".to_owned(),
            Kind::Number { min, max, .. } => format!("{min} .. {max}"),
            Kind::Choice { choices, .. } => choices.join(" | "),
            Kind::Text { .. } => "\"...\"".to_owned(),
            Kind::List { item, .. } => match item {
                Item::SocketAddress => "[\"ADDRESS:PORT\", ...]",
                Item::Network => "[\"ADDRESS/BITS\", ...]",
                Item::Address => "[\"ADDRESS\", ...]",
                Item::Text => "[\"...\", ...]",
            }
            .to_owned(),
        }
    }
}

/// A checked value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a flag.
    Flag(bool),
    /// Of a number.
    Number(u64),
    /// Of a choice or text.
    Text(String),
    /// Of a list.
    List(Vec<String>),
}
