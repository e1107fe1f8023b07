//! What packing and unpacking mean for one child: a change of its values, nothing, or a refusal. Pure.

use waymark_wire::{ValueBuf, Values};

use super::{LINK_TYPE, Link, LinkError, Relation, links_of};
use crate::command::{AddMode, Command, Timestamps};
use crate::config::AGGREGATED;
use crate::refusal::Refusal;
use crate::values::{MAX_INDEX, ValueSet};
use waymark_ident::CaseRule;

use super::command::LinkCommand;

/// The first index a link that is made by packing may have; the lowest free one from here on is taken.
pub(crate) const FIRST_INDEX: u32 = 800;

/// A command that can be about something: its link is sound, and children are within limits.
pub(crate) struct Packing<'a> {
    pub(crate) handles: &'a [Vec<u8>],
    link: Link,
    /// Canonical key of the parent.
    parent: Vec<u8>,
    packs: bool,
}

impl<'a> Packing<'a> {
    /// Holds a command to its limits.
    ///
    /// # Errors
    /// [`Refusal::InvalidAggregation`].
    pub(crate) fn new(command: &'a LinkCommand, rule: CaseRule) -> Result<Self, Refusal> {
        let refuse = |field, problem: String| Err(Refusal::InvalidAggregation { field, problem: problem.into() });
        let handles = command.children();
        if handles.is_empty() {
            return refuse("children", "names nothing; name at least one child".to_owned());
        }
        if handles.len() > AGGREGATED {
            let problem =
                format!("names {} identifiers, more than {AGGREGATED}; name fewer, in several commands", handles.len());
            return refuse("children", problem);
        }
        let data = [Relation::PackedIn.as_str().as_bytes(), b" ", command.parent()].concat();
        let link = match Link::parse(&data) {
            Ok(link) => link,
            Err(LinkError::Target(error)) => return refuse("parent", format!("cannot be an identifier: {error}")),
            Err(_) => return refuse("parent", "is empty, not UTF-8, or begins or ends with a space".to_owned()),
        };
        let parent = link.target_key(rule);
        Ok(Self { handles, link, parent, packs: matches!(command, LinkCommand::Aggregate { .. }) })
    }

    /// Whether children are packed rather than taken out.
    pub(crate) const fn packs(&self) -> bool {
        self.packs
    }

    /// What has to be done to a child of these values; `None` when it is as asked. A child that has no values is one that has no record: what is
    /// asked of that is refused by whoever knows why there is none.
    ///
    /// # Errors
    /// It is the parent itself, is in another one, or, to be taken out, is not in it.
    pub(crate) fn of_child(
        &self,
        handle: &[u8],
        key: &[u8],
        values: Option<Values<'_>>,
        rule: CaseRule,
    ) -> Result<Option<Command>, Refusal> {
        if key == self.parent {
            let problem = "is the parent itself".into();
            return Err(Refusal::InvalidAggregation { field: "children", problem });
        }
        let packed = |(index, link): (u32, Link)| (link.relation == Relation::PackedIn).then_some((index, link));
        let (here, elsewhere): (Vec<_>, Vec<_>) = values
            .map(links_of)
            .into_iter()
            .flatten()
            .filter_map(packed)
            .partition(|(_, link)| link.target_key(rule) == self.parent);
        if !self.packs {
            let indexes: Vec<u32> = here.into_iter().map(|(index, _)| index).collect();
            if values.is_some() && indexes.is_empty() {
                return Err(Refusal::NotAggregated { child: handle.into(), parent: self.link.target.clone() });
            }
            // What has no record is refused as that, whatever it is asked for.
            let indexes = if indexes.is_empty() { vec![FIRST_INDEX] } else { indexes };
            return Ok(Some(Command::RemoveValues { handle: handle.to_vec(), indexes }));
        }
        if let Some((_, other)) = elsewhere.into_iter().next() {
            return Err(Refusal::AlreadyAggregated { child: handle.into(), parent: other.target });
        }
        if !here.is_empty() {
            return Ok(None);
        }
        let index = free_index(values.unwrap_or_default());
        let value = ValueBuf::new(index, LINK_TYPE.as_bytes(), self.link.to_string().as_bytes());
        let values = ValueSet::from_bufs(&[value])?;
        let (timestamps, mode) = (Timestamps::Now, AddMode::New);
        Ok(Some(Command::AddValues { handle: handle.to_vec(), values, timestamps, mode }))
    }
}

/// The lowest index from [`FIRST_INDEX`] on that no value has.
fn free_index(values: Values<'_>) -> u32 {
    let mut free = FIRST_INDEX;
    for value in values {
        if value.index == free {
            free += 1;
        }
    }
    free.min(MAX_INDEX)
}
