//! Texts for people: one stable code each, in English and Chinese, kept apart from the code.
//!
//! A text is found by its code (`store-locked`), which never changes its meaning once released; scripts and manuals may
//! rely on it. The texts themselves live in `en.ftl` and `zh.ftl` beside this file and may be improved at any time. Data
//! (handles, paths, values) is put in as it is, in any UTF-8.

use std::borrow::Cow;

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::{LanguageIdentifier, langid};

/// English texts.
const ENGLISH: &str = include_str!("en.ftl");
/// Chinese texts.
const CHINESE: &str = include_str!("zh.ftl");

/// A language users can be addressed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English, also for every language we have no texts for.
    English,
    /// Chinese, simplified characters.
    Chinese,
}

impl Language {
    /// Reads a language tag such as `zh`, `zh-CN`, `zh_CN.UTF-8` or `en`; `None` for a language without texts.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_', '.', '@']).next().unwrap_or_default();
        match language.to_ascii_lowercase().as_str() {
            "zh" | "cn" => Some(Self::Chinese),
            "en" | "c" | "posix" => Some(Self::English),
            _ => None,
        }
    }

    /// The language to use: the flag when given, else the first of `LC_ALL`, `LC_MESSAGES`, `LANG` that is set, else English.
    pub fn choose(flag: Option<Self>, environment: impl Fn(&str) -> Option<String>) -> Self {
        let from_environment = || {
            let set = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().filter_map(|name| environment(name));
            set.filter(|value| !value.is_empty()).map(|value| Self::from_tag(&value)).next().flatten()
        };
        flag.or_else(from_environment).unwrap_or(Self::English)
    }
}

/// One value put into a text.
pub type Argument<'a> = (&'a str, Cow<'a, str>);

/// The texts of one language.
pub struct Texts {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// Loads the texts of a language; they are part of the program.
    pub fn new(language: Language) -> Self {
        let (tag, source): (LanguageIdentifier, &str) = match language {
            Language::English => (langid!("en"), ENGLISH),
            Language::Chinese => (langid!("zh-CN"), CHINESE),
        };
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        bundle.set_use_isolating(false);
        // A test parses both files without errors, so what parsed is everything.
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(parsed, _)| parsed);
        bundle.add_resource_overriding(resource);
        Self { language, bundle }
    }

    /// The language of these texts.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The text of a code with its values put in; the code itself when there is no such text (a test finds those).
    pub fn text(&self, code: &str, arguments: &[Argument<'_>]) -> String {
        self.find(code, arguments).unwrap_or_else(|| code.to_owned())
    }

    /// The text of a code, when there is one.
    pub fn find(&self, code: &str, arguments: &[Argument<'_>]) -> Option<String> {
        let pattern = self.bundle.get_message(code)?.value()?;
        let mut values = FluentArgs::with_capacity(arguments.len());
        for (name, value) in arguments {
            values.set(*name, value.as_ref());
        }
        let mut errors = Vec::new();
        Some(self.bundle.format_pattern(pattern, Some(&values), &mut errors).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Code to the names of the values its text uses, read from the file's own lines.
    fn placeholders(source: &str) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut code = String::new();
        for line in source.lines().filter(|line| !line.starts_with('#')) {
            if !line.starts_with(' ')
                && let Some((name, _)) = line.split_once(" =")
            {
                code = name.to_owned();
                assert!(found.insert(code.clone(), BTreeSet::new()).is_none(), "{code} stands twice");
            }
            for part in line.split("{ $").skip(1) {
                let name = part.split(' ').next().unwrap().to_owned();
                found.get_mut(&code).unwrap().insert(name);
            }
        }
        found
    }

    #[test]
    fn both_languages_hold_the_same_codes_and_values() {
        let (english, chinese) = (placeholders(ENGLISH), placeholders(CHINESE));
        assert!(english.len() > 20);
        assert_eq!(english, chinese);
    }

    #[test]
    fn both_files_parse_without_errors() {
        for source in [ENGLISH, CHINESE] {
            if let Err((_, errors)) = FluentResource::try_new(source.to_owned()) {
                panic!("{errors:?}");
            }
        }
    }

    #[test]
    fn every_code_used_in_the_sources_has_a_text() {
        let known = placeholders(ENGLISH);
        let mut files = Vec::new();
        collect(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
        let mut used = 0;
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for marker in ["Problem::new(\"", ".text(\"", ".say(\"", ".warn(\""] {
                for part in text.split(marker).skip(1) {
                    let code = part.split('"').next().unwrap();
                    // Keys of options have a point, codes never do.
                    if code.contains('.') {
                        continue;
                    }
                    used += 1;
                    assert!(known.contains_key(code), "{} uses {code}, which has no text", file.display());
                }
            }
        }
        assert!(used > 10);
    }

    fn collect(folder: &std::path::Path, into: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("texts/mod.rs") {
                into.push(path);
            }
        }
    }

    #[test]
    fn flag_wins_over_environment() {
        let environment = |name: &str| (name == "LANG").then(|| "zh_CN.UTF-8".to_owned());
        assert_eq!(Language::choose(None, environment), Language::Chinese);
        assert_eq!(Language::choose(Some(Language::English), environment), Language::English);
        assert_eq!(Language::choose(None, |_| None), Language::English);
        assert_eq!(Language::choose(None, |_| Some("fr_FR".into())), Language::English);
    }
}
