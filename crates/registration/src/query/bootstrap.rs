//! Which service answers for a prefix that is not ours: the bootstrap file the top-level node keeps.
//!
//! ```json
//! {"version": "1.0", "publication": "2026-11-30T00:00:00Z", "description": "…",
//!  "services": [[["88.104", "88.990.5"], ["https://query.example.cn/"]]]}
//! ```
//! Who matches longest answers, label by label: `88.990.5` before `88.990`, and neither for `88.9905`. A file is taken whole or not at all; members
//! that are not known are left alone, as a later edition may have more.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::Uri;
use serde::Deserialize;
use waymark_ident::parent_prefix;

use super::prefix::{self, PrefixError};
use crate::config::{BOOTSTRAP_BYTES, BOOTSTRAP_PREFIXES, BOOTSTRAP_URL_BYTES};

/// A bootstrap file that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bootstrap {
    publication: String,
    services: HashMap<Box<str>, Arc<str>>,
}

/// Why a text is no bootstrap file. Whoever wrote it is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// More than is read.
    #[error("it has more than {limit} bytes")]
    TooLarge {
        /// The most it may have.
        limit: u64,
    },
    /// No JSON, or none of that shape.
    #[error("it is not what a bootstrap file holds")]
    Form(#[from] serde_json::Error),
    /// Of an edition that is not known.
    #[error("version {version:?} is not known; 1.0 is")]
    Version {
        /// Its beginning.
        version: String,
    },
    /// The time of publication.
    #[error("publication {publication:?} is no time such as 2026-11-30T00:00:00Z")]
    Publication {
        /// Its beginning.
        publication: String,
    },
    /// More prefixes than are kept.
    #[error("it holds more than {limit} prefixes")]
    TooMany {
        /// The most it may hold.
        limit: usize,
    },
    /// A prefix.
    #[error("services[{service}] names {prefix:?}, which is no prefix")]
    Prefix {
        /// Which service, from 0.
        service: usize,
        /// Its beginning.
        prefix: String,
        /// What is wrong with it.
        source: PrefixError,
    },
    /// A prefix that two services answer for.
    #[error("services[{service}] names {prefix}, which another has")]
    Twice {
        /// Which service, from 0.
        service: usize,
        /// The prefix.
        prefix: String,
    },
    /// An address.
    #[error("services[{service}] has the address {url:?}, which is no http or https URL that ends with a slash")]
    Url {
        /// Which service, from 0.
        service: usize,
        /// Its beginning.
        url: String,
    },
    /// No address, or no prefix.
    #[error("services[{service}] has no prefix or no address")]
    Empty {
        /// Which service, from 0.
        service: usize,
    },
}

/// Why a bootstrap file is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapFileError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is none.
    #[error("{} is no bootstrap file", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BootstrapError,
    },
}

/// The file as it is written.
#[derive(Deserialize)]
struct Written {
    version: String,
    publication: String,
    #[serde(default, rename = "description")]
    _description: String,
    services: Vec<(Vec<String>, Vec<String>)>,
}

impl Bootstrap {
    /// Reads a text.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, BootstrapError> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > BOOTSTRAP_BYTES {
            return Err(BootstrapError::TooLarge { limit: BOOTSTRAP_BYTES });
        }
        let Written { version, publication, services, .. } = serde_json::from_slice(text)?;
        if version.split('.').next() != Some("1") {
            return Err(BootstrapError::Version { version: cut(&version) });
        }
        if publication.parse::<prost_types::Timestamp>().is_err() {
            return Err(BootstrapError::Publication { publication: cut(&publication) });
        }
        let mut read = Self { publication, services: HashMap::new() };
        for (service, (prefixes, urls)) in services.into_iter().enumerate() {
            let url = chosen(&urls, service)?;
            if prefixes.is_empty() {
                return Err(BootstrapError::Empty { service });
            }
            for prefix in prefixes {
                read.add(service, &prefix, &url)?;
            }
        }
        Ok(read)
    }

    fn add(&mut self, service: usize, prefix: &str, url: &Arc<str>) -> Result<(), BootstrapError> {
        let folded =
            prefix::folded(prefix).map_err(|source| BootstrapError::Prefix { service, prefix: cut(prefix), source })?;
        if self.services.len() >= BOOTSTRAP_PREFIXES {
            return Err(BootstrapError::TooMany { limit: BOOTSTRAP_PREFIXES });
        }
        match self.services.insert(folded.into(), Arc::clone(url)) {
            None => Ok(()),
            Some(_) => Err(BootstrapError::Twice { service, prefix: prefix.to_owned() }),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(path: &Path) -> Result<Self, BootstrapFileError> {
        let unread = |source| BootstrapFileError::Read { path: path.to_owned(), source };
        // What is no file might never end, or never begin.
        if !path.metadata().map_err(unread)?.is_file() {
            return Err(unread(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")));
        }
        let mut text = Vec::new();
        let file = File::open(path).map_err(unread)?;
        file.take(BOOTSTRAP_BYTES.saturating_add(1)).read_to_end(&mut text).map_err(unread)?;
        Self::parse(&text).map_err(|source| BootstrapFileError::Unusable { path: path.to_owned(), source })
    }

    /// When it was published.
    #[must_use]
    pub fn publication(&self) -> &str {
        &self.publication
    }

    /// Prefixes in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The longest entry that a folded prefix is, or is derived from, and the address of its service.
    #[must_use]
    pub fn find<'p>(&self, folded: &'p str) -> Option<(&'p str, &str)> {
        let mut name = Some(folded);
        while let Some(current) = name {
            if let Some(url) = self.services.get(current) {
                return Some((current, url));
            }
            name = parent_prefix(current.as_bytes()).and_then(|parent| current.get(..parent.len()));
        }
        None
    }
}

/// The address of a service to send people to: one with TLS before others.
fn chosen(urls: &[String], service: usize) -> Result<Arc<str>, BootstrapError> {
    if let Some(wrong) = urls.iter().find(|url| !is_base(url)) {
        return Err(BootstrapError::Url { service, url: cut(wrong) });
    }
    let chosen = urls.iter().find(|url| url.starts_with("https://")).or_else(|| urls.first());
    chosen.map(|url| Arc::from(&**url)).ok_or(BootstrapError::Empty { service })
}

/// Whether an address may stand in front of a path: it goes into a header of answers.
pub(crate) fn is_base(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else { return false };
    let is_plain =
        url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'@' | b'\\' | b'"'));
    let has_host = !rest.starts_with('/') && url.parse::<Uri>().is_ok_and(|uri| uri.host().is_some());
    url.len() <= BOOTSTRAP_URL_BYTES && url.ends_with('/') && is_plain && has_host
}

/// The beginning of a text of somebody else, for a message.
fn cut(text: &str) -> String {
    const TOLD_CHARS: usize = 64;
    text.chars().take(TOLD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(services: &str) -> Result<Bootstrap, BootstrapError> {
        let text = format!(
            "{{\"version\":\"1.0\",\"publication\":\"2026-11-30T00:00:00Z\",\"description\":\"d\",\"services\":{services}}}"
        );
        Bootstrap::parse(text.as_bytes())
    }

    #[test]
    fn the_longest_match_by_label_answers() {
        let read = with(
            "[[[\"88.990\",\"20.500.a\"],[\"http://one.example/\",\"https://one.example/q/\"]],[[\"88.990.5\"],[\"http://two.example/\"]]]",
        )
        .unwrap();
        assert_eq!((read.len(), read.publication()), (3, "2026-11-30T00:00:00Z"));
        assert_eq!(read.find("88.990"), Some(("88.990", "https://one.example/q/")), "TLS before none");
        assert_eq!(read.find("88.990.7.1"), Some(("88.990", "https://one.example/q/")));
        assert_eq!(read.find("88.990.5.1"), Some(("88.990.5", "http://two.example/")));
        assert_eq!(read.find("20.500.A"), Some(("20.500.A", "https://one.example/q/")), "prefixes fold");
        for none in ["88.9905", "88", "88.99", "20.500"] {
            assert_eq!(read.find(none), None, "{none}");
        }
    }

    #[test]
    fn a_file_with_anything_wrong_is_refused_whole() {
        let of = |services: &str| with(services).unwrap_err().to_string();
        assert!(of("[[[\"88 1\"],[\"https://x/\"]]]").contains("services[0]"));
        assert!(of("[[[\"88.1/x\"],[\"https://x/\"]]]").contains("no prefix"));
        assert!(of("[[[\"88.1\"],[\"https://x/\"]],[[\"88.1\"],[\"https://y/\"]]]").contains("services[1]"));
        assert!(of("[[[\"88.1\"],[]]]").contains("no address"));
        assert!(of("[[[],[\"https://x/\"]]]").contains("no prefix"));
        for url in [
            "https://x",
            "ftp://x/",
            "https://",
            "https:///",
            "https://u@x/",
            "https://x/\\r\\nA: b/",
            "//x/",
            "https://x/?a=/",
        ] {
            assert!(of(&format!("[[[\"88.1\"],[\"{url}\"]]]")).contains("services[0]"), "{url}");
        }
        assert!(matches!(with("[[[\"88.1\"]]]"), Err(BootstrapError::Form(_))));
        for (text, what) in [
            ("", "bootstrap file holds"),
            ("{\"version\":\"2.0\",\"publication\":\"2026-11-30T00:00:00Z\",\"services\":[]}", "version"),
            ("{\"version\":\"1.0\",\"publication\":\"yesterday\",\"services\":[]}", "publication"),
        ] {
            assert!(Bootstrap::parse(text.as_bytes()).unwrap_err().to_string().contains(what), "{text}");
        }
        let deep = format!("[{}", "[".repeat(100_000));
        assert!(matches!(with(&deep), Err(BootstrapError::Form(_))));
    }

    #[test]
    fn a_file_that_is_too_large_or_none_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap.json");
        assert!(matches!(Bootstrap::read(&path), Err(BootstrapFileError::Read { .. })));
        assert!(matches!(Bootstrap::read(folder.path()), Err(BootstrapFileError::Read { .. })));
        let file = File::create(&path).unwrap();
        file.set_len(BOOTSTRAP_BYTES + 1).unwrap();
        let refused = Bootstrap::read(&path);
        assert!(
            matches!(refused, Err(BootstrapFileError::Unusable { source: BootstrapError::TooLarge { .. }, .. })),
            "{refused:?}"
        );
    }
}
