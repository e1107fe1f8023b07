//! What a command about templates means for the table: changes, nothing, or a refusal. Pure: no IO, no clock, no randomness.

use std::sync::Arc;

use waymark_store::{Serial, Timestamp};

use super::check::{checked, invalid};
use super::definition::Definition;
use super::{Template, TemplateName, TemplateNameError, TemplateState, Templates};
use crate::access::permit::Permit;
use crate::command::{Outcome, Refusal};
use crate::config::{RecordLimits, TEMPLATE_BYTES, TEMPLATES_PER_PREFIX};
use crate::limits::{check_handle, check_record, check_values};

/// One change of templates.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TemplateCommand {
    /// Writes a draft whole, or in the place of the one that is there.
    PutDraft {
        /// Under which prefix, in any case.
        prefix: Vec<u8>,
        /// What it says.
        definition: Box<Definition>,
    },
    /// Makes a draft a template that is made from and never changes.
    Publish {
        /// Which one.
        template: TemplateName,
    },
    /// Says whether new identifiers may have a column. What was made before keeps its values.
    EnableColumn {
        /// Which template; a published one.
        template: TemplateName,
        /// Index of the column.
        index: u32,
        /// Whether they may.
        enabled: bool,
    },
    /// Takes a draft away.
    DeleteDraft {
        /// Which one.
        template: TemplateName,
    },
}

impl TemplateCommand {
    /// The prefix it is about, in the case it was given.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        match self {
            Self::PutDraft { prefix, .. } => prefix,
            Self::Publish { template } | Self::EnableColumn { template, .. } | Self::DeleteDraft { template } => {
                template.prefix()
            }
        }
    }

    /// The template whose record it writes, should it be carried out.
    pub(crate) const fn record(&self) -> Option<&TemplateName> {
        match self {
            Self::Publish { template } | Self::EnableColumn { template, .. } => Some(template),
            Self::PutDraft { .. } | Self::DeleteDraft { .. } => None,
        }
    }

    /// What it weighs in queue and group limits, in bytes: no less than its entries.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        match self {
            Self::PutDraft { prefix, definition } => prefix.len() + definition.to_json().len() + FRAME_BYTES,
            // The definition stands in the entry of the template and in its record.
            Self::Publish { .. } | Self::EnableColumn { .. } => 2 * (TEMPLATE_BYTES + FRAME_BYTES),
            Self::DeleteDraft { template } => template.handle_bytes() + FRAME_BYTES,
        }
    }
}

/// What the entry of a template takes beside its definition, generously: names, actor, head and frame.
const FRAME_BYTES: usize = 1_024;

/// What becomes of a command.
#[derive(Debug)]
pub(crate) enum TemplateDecision {
    /// All is as asked, by this entry.
    Keep(Serial, Timestamp),
    /// It stands so from now on; a published one is written to its record too.
    Put(Box<Template>, Outcome),
    /// The draft is gone.
    Delete(TemplateName),
}

/// What decisions rest on.
pub(crate) struct TemplateFacts<'a> {
    pub(crate) templates: &'a Templates,
    pub(crate) records: &'a RecordLimits,
    pub(crate) now: Timestamp,
    pub(crate) actor: &'a Arc<str>,
    /// Whether this node answers for names under a prefix, folded.
    pub(crate) serves: &'a dyn Fn(&[u8]) -> bool,
}

/// Decides about a command on templates.
///
/// # Errors
/// The first reason against it.
pub(crate) fn decide_template(
    _permit: Permit,
    command: &TemplateCommand,
    facts: &TemplateFacts<'_>,
) -> Result<TemplateDecision, Refusal> {
    match command {
        TemplateCommand::PutDraft { prefix, definition } => put_draft(prefix, definition, facts),
        TemplateCommand::Publish { template } => {
            let template = known(template, facts)?;
            if template.is_published() {
                return Ok(keep(template));
            }
            check_fits(template, facts)?;
            Ok(put(template, template.definition.clone(), TemplateState::Published, Outcome::Published, facts))
        }
        TemplateCommand::EnableColumn { template, index, enabled } => {
            let template = known(template, facts)?;
            if !template.is_published() {
                return Err(Refusal::TemplateNotPublished { template: template.name.clone() });
            }
            let mut definition = template.definition.clone();
            let column = definition.columns.iter_mut().find(|column| column.index == *index);
            let column = column.ok_or_else(|| invalid("index", *index, "is that of no column of the template"))?;
            if column.enabled == *enabled {
                return Ok(keep(template));
            }
            column.enabled = *enabled;
            Ok(put(template, definition, TemplateState::Published, Outcome::Changed, facts))
        }
        TemplateCommand::DeleteDraft { template } => {
            let template = known(template, facts)?;
            check_draft(template)?;
            Ok(TemplateDecision::Delete(template.name.clone()))
        }
    }
}

fn put_draft(prefix: &[u8], definition: &Definition, facts: &TemplateFacts<'_>) -> Result<TemplateDecision, Refusal> {
    let name = TemplateName::new(prefix, &definition.code, &definition.version).map_err(|error| match error {
        TemplateNameError::Prefix => invalid("prefix", 0, "is no prefix"),
        TemplateNameError::Code => {
            invalid("code", 0, "is not a letter or digit followed by up to 47 more, hyphens, underscores and points")
        }
        TemplateNameError::Version => invalid("version", 0, "is not up to four numbers with points between them"),
    })?;
    check_served(&name, facts)?;
    check_handle(&name.handle(), facts.records)?;
    let named = Definition { code: name.code().to_owned(), version: name.version().to_owned(), ..definition.clone() };
    let definition = checked(named)?;
    if definition.to_json().len() > TEMPLATE_BYTES {
        return Err(invalid("columns", 0, "say more than 61440 bytes in JSON"));
    }
    let former = facts.templates.get(&name);
    if let Some(former) = former {
        if former.definition == definition {
            return Ok(keep(former));
        }
        check_draft(former)?;
    } else if facts.templates.of_prefix(name.prefix()).count() >= TEMPLATES_PER_PREFIX {
        return Err(invalid("prefix", 0, "has as many templates as one may have; delete drafts nobody needs"));
    }
    let (number, outcome) = match former {
        Some(former) => (former.number(), Outcome::Changed),
        None => (facts.templates.next_number(), Outcome::Drafted),
    };
    let template = Template::new(name, number, definition, TemplateState::Draft);
    check_fits(&template, facts)?;
    Ok(stamped(template, outcome, facts))
}

/// The template of a name, under a prefix that lives here.
fn known<'a>(name: &TemplateName, facts: &TemplateFacts<'a>) -> Result<&'a Arc<Template>, Refusal> {
    check_served(name, facts)?;
    facts.templates.get(name).ok_or_else(|| Refusal::TemplateNotFound { template: name.clone() })
}

fn check_served(name: &TemplateName, facts: &TemplateFacts<'_>) -> Result<(), Refusal> {
    if (facts.serves)(&name.handle()) { Ok(()) } else { Err(Refusal::NotServed { prefix: name.prefix().to_vec() }) }
}

fn check_draft(template: &Template) -> Result<(), Refusal> {
    if template.is_published() { Err(Refusal::TemplatePublished { template: template.name.clone() }) } else { Ok(()) }
}

/// Makes sure that the record of a template keeps the limits records are held to.
fn check_fits(template: &Template, facts: &TemplateFacts<'_>) -> Result<(), Refusal> {
    let values = template.resolved(0);
    check_values(values.values(), facts.records)?;
    check_record(&values, facts.records).map(drop)
}

fn keep(template: &Template) -> TemplateDecision {
    TemplateDecision::Keep(template.serial, template.since)
}

fn put(
    former: &Template,
    definition: Definition,
    state: TemplateState,
    outcome: Outcome,
    facts: &TemplateFacts<'_>,
) -> TemplateDecision {
    stamped(Template::new(former.name.clone(), former.number(), definition, state), outcome, facts)
}

fn stamped(template: Template, outcome: Outcome, facts: &TemplateFacts<'_>) -> TemplateDecision {
    let template = Template { since: facts.now, by: Arc::clone(facts.actor), ..template };
    TemplateDecision::Put(Box::new(template), outcome)
}
