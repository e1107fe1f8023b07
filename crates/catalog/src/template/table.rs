//! All templates. Never changed once published.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Template, TemplateName};

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    by_name: BTreeMap<TemplateName, Arc<Template>>,
    by_number: HashMap<u32, TemplateName>,
    /// Every number given out is below this, those of templates that are gone or cannot be read too.
    numbers_end: u32,
}

impl Templates {
    /// The template of that name.
    #[must_use]
    pub fn get(&self, name: &TemplateName) -> Option<&Arc<Template>> {
        self.by_name.get(name)
    }

    /// All templates, by prefix, code and version.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.by_name.values()
    }

    /// The templates under a prefix, folded.
    pub fn of_prefix<'t>(&'t self, prefix: &'t [u8]) -> impl Iterator<Item = &'t Arc<Template>> {
        self.by_name.values().filter(move |template| template.name.prefix() == prefix)
    }

    /// Number of templates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The template an identifier with this value `TEMPLATE` under a prefix, folded, was made from.
    #[must_use]
    pub fn named(&self, prefix: &[u8], text: &str) -> Option<&Arc<Template>> {
        self.get(&TemplateName::parse_in(prefix, text).ok()?)
    }

    /// The template of a number.
    pub(crate) fn by_number(&self, number: u32) -> Option<&Arc<Template>> {
        self.by_name.get(self.by_number.get(&number)?)
    }

    /// Whether a key is that of the record of a published template.
    pub(crate) fn is_record(&self, key: &[u8]) -> bool {
        !self.is_empty()
            && TemplateName::of_key(key)
                .is_some_and(|name| self.get(&name).is_some_and(|template| template.is_published()))
    }

    /// The number of the next template.
    pub(crate) fn next_number(&self) -> u32 {
        self.numbers_end.max(1)
    }

    /// Notes that a number was given out.
    pub(crate) fn note_number(&mut self, number: u32) {
        self.numbers_end = self.numbers_end.max(number.saturating_add(1));
    }

    /// Puts a template in, or in the place of the one of its name.
    pub(crate) fn put(&mut self, template: Template) {
        self.note_number(template.number());
        self.by_number.insert(template.number(), template.name.clone());
        self.by_name.insert(template.name.clone(), Arc::new(template));
    }

    /// Takes a draft out.
    pub(crate) fn remove(&mut self, name: &TemplateName) {
        if let Some(template) = self.by_name.remove(name) {
            self.by_number.remove(&template.number());
        }
    }
}
