//! A template as a person names it for a spreadsheet: with its version, or without, which is the newest.

use std::str::FromStr;

use waymark_api::registration::v1;
use waymark_catalog::template::{TemplateName, TemplateNameError};
use waymark_client::registration::Registrar;

use crate::{
    cli::{
        access::place::{Place, Where},
        server::answer,
        template,
    },
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// What stands before the code in the handle of a template; it may be left out.
const MARK: &str = "META_";

/// A template, of one version or the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Of this version: `88.1000.1/META_EXC-1.2`, or `88.1000.1/EXC@1.2`.
    Exact(TemplateName),
    /// The newest that is published: `88.1000.1/EXC`.
    Newest {
        /// Its prefix, folded.
        prefix: String,
        /// Its code, in capitals.
        code: String,
    },
}

impl FromStr for Wanted {
    type Err = TemplateNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (prefix, suffix) = text.split_once('/').ok_or(TemplateNameError::Prefix)?;
        let marked = suffix.get(..MARK.len()).is_some_and(|front| front.eq_ignore_ascii_case(MARK));
        let name = suffix.get(if marked { MARK.len() } else { 0 }..).unwrap_or_default();
        if let Some((code, version)) = name.split_once('@') {
            return TemplateName::new(prefix.as_bytes(), code, version).map(Self::Exact);
        }
        // A handle within the name would be taken for another template.
        if name.is_empty() || name.contains('/') {
            return Err(TemplateNameError::Code);
        }
        if let Ok(name) = TemplateName::parse_in(prefix.as_bytes(), name) {
            return Ok(Self::Exact(name));
        }
        // Any version will do to see whether the rest is sound.
        let sound = TemplateName::new(prefix.as_bytes(), name, "0")?;
        let prefix = String::from_utf8_lossy(sound.prefix()).into_owned();
        Ok(Self::Newest { prefix, code: sound.code().to_owned() })
    }
}

impl Wanted {
    /// Finds it on a server.
    pub(crate) async fn on(&self, registrar: &Registrar, json: bool) -> Result<v1::Template, Problem> {
        let failed = |error| answer::problem(&error, json);
        let name = match self {
            Self::Exact(name) => name.to_string(),
            // A list tells names and states, no columns.
            Self::Newest { prefix, .. } => {
                let found = template::pages(registrar, prefix).await.map_err(failed)?;
                self.newest(found).ok_or_else(|| self.absent())?.name
            }
        };
        registrar.template(&v1::GetTemplateRequest { name }).await.map_err(failed)
    }

    /// Finds it on a server or in a data folder.
    pub(crate) async fn at(&self, place: &Where, texts: &Texts) -> Result<v1::Template, Problems> {
        match (place.open(texts).await?, self) {
            (Place::Server(registrar), _) => Ok(self.on(&registrar, place.json).await?),
            (Place::Folder(opened), Self::Exact(name)) => template::in_folder(opened, name, texts).await,
            (Place::Folder(opened), Self::Newest { prefix, .. }) => {
                let found = template::all(opened, prefix, texts).await;
                Ok(self.newest(found).ok_or_else(|| self.absent())?)
            }
        }
    }

    fn newest(&self, templates: Vec<v1::Template>) -> Option<v1::Template> {
        let Self::Newest { code, .. } = self else { return None };
        let published = templates.into_iter().filter(|template| template.state() == v1::TemplateState::Published);
        let versions = published.filter_map(|template| {
            let name: TemplateName = template.name.parse().ok()?;
            (name.code() == code).then(|| (numbers(name.version()), template))
        });
        versions.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, template)| template)
    }

    fn absent(&self) -> Problem {
        let name = match self {
            Self::Exact(name) => name.to_string(),
            Self::Newest { prefix, code } => format!("{prefix}/{MARK}{code}"),
        };
        Problem::new("template-absent", Exit::Absent).with("name", name)
    }
}

/// A version in numbers, so that 1.10 is after 1.9.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_named_with_or_without_mark_and_version() {
        let exact = Wanted::Exact(TemplateName::new(b"88.1", "BAT-PACK", "2.0").unwrap());
        for text in ["88.1/META_BAT-PACK-2.0", "88.1/meta_bat-pack@2.0", "88.1/BAT-PACK@2.0", "88.1/BAT-PACK-2.0"] {
            assert_eq!(text.parse(), Ok(exact.clone()), "{text}");
        }
        let newest = Wanted::Newest { prefix: "88.1".to_owned(), code: "BAT-PACK".to_owned() };
        for text in ["88.1/META_BAT-PACK", "88.1/bat-pack"] {
            assert_eq!(text.parse(), Ok(newest.clone()), "{text}");
        }
        for text in ["BAT-PACK-2.0", "88.1/", "88.1/META_", "88.1/a/b", "88.1/A@x", "88.1/A@", "/A-1", "88.1/产品"] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_newest_is_the_published_one_of_the_highest_version() {
        let template = |name: &str, state: v1::TemplateState| v1::Template {
            name: name.to_owned(),
            state: state.into(),
            ..v1::Template::default()
        };
        let (published, draft) = (v1::TemplateState::Published, v1::TemplateState::Draft);
        let templates = vec![
            template("88.1/META_EXC-1.9", published),
            template("88.1/META_EXC-1.10", published),
            template("88.1/META_EXC-1.11", draft),
            template("88.1/META_EXCAVATOR-7", published),
        ];
        let wanted: Wanted = "88.1/EXC".parse().unwrap();
        assert_eq!(wanted.newest(templates.clone()).unwrap().name, "88.1/META_EXC-1.10");
        assert_eq!("88.1/NOTHING".parse::<Wanted>().unwrap().newest(templates), None);
    }
}
