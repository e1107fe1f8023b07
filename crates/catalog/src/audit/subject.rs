//! What a command is about, as the audit names it.

use std::borrow::Cow;

use crate::business::{BusinessCommand, OperatorCommand};
use crate::command::Command;
use crate::range::{Part, RangeCommand};
use crate::template::TemplateCommand;

/// The handle as asked, the handle of the parent, the name of the enterprise or the prefix of the case, `node` for its own record, what a deed was about, `plan` with its year, the name of the application, the handle of the prefix, the name of the principal, the id of the token, the name of the package with its serials.
pub(super) fn subject(command: &Command) -> Cow<'_, [u8]> {
    match command {
        Command::Put { handle, .. }
        | Command::PutWithdrawn { handle, .. }
        | Command::AddValues { handle, .. }
        | Command::ModifyValues { handle, .. }
        | Command::RemoveValues { handle, .. }
        | Command::Delete { handle }
        | Command::Suspend { handle, .. }
        | Command::Resume { handle }
        | Command::Revoke { handle, .. }
        | Command::Recall { handle, .. }
        | Command::LiftRecall { handle }
        | Command::PutFromTemplate { handle, .. } => Cow::Borrowed(handle),
        Command::Home { name } | Command::Unhome { name } => Cow::Owned(name.handle()),
        Command::PutPrincipal { principal } => Cow::Borrowed(principal.name.as_bytes()),
        Command::RemovePrincipal { name } => Cow::Borrowed(name.as_bytes()),
        Command::IssueToken { token } => Cow::Owned(token.id.to_string().into_bytes()),
        Command::RevokeToken { id, .. } => Cow::Owned(id.to_string().into_bytes()),
        Command::Range(command) => match &**command {
            RangeCommand::Allocate { prefix, stem, .. } => Cow::Owned([prefix, &b"/"[..], stem.as_bytes()].concat()),
            RangeCommand::Bind { range, span, .. }
            | RangeCommand::Mark { range, span, .. }
            | RangeCommand::Recall { range, span, .. }
            | RangeCommand::LiftRecall { range, span }
            | RangeCommand::Export { range, part: Part::These(span), .. } => {
                Cow::Owned(format!("{range}:{span}").into_bytes())
            }
            RangeCommand::Export { range, part: Part::Next(_), .. } | RangeCommand::Lease { range, .. } => {
                Cow::Owned(range.to_string().into_bytes())
            }
            RangeCommand::Reconcile { range, first, .. } => Cow::Owned(format!("{range}:{first}").into_bytes()),
        },
        Command::Template(command) => match &**command {
            TemplateCommand::PutDraft { prefix, definition } => {
                // As it would be called, were it one: what is refused is told of too.
                let suffix = format!("/META_{}-{}", definition.code, definition.version).into_bytes();
                Cow::Owned([&prefix[..], &suffix[..]].concat())
            }
            TemplateCommand::Publish { template } | TemplateCommand::DeleteDraft { template } => {
                Cow::Owned(template.handle())
            }
            TemplateCommand::EnableColumn { template, index, .. } => {
                Cow::Owned(format!("{template}:{index}").into_bytes())
            }
        },
        Command::Link(command) => Cow::Borrowed(command.parent()),
        Command::Restore(restore) => Cow::Owned(restore.name().to_string().into_bytes()),
        // A new enterprise or application, or the one of the caller, has its name in the entry the item leads to.
        Command::Business(command) => match &**command {
            BusinessCommand::Apply { prefix, .. } | BusinessCommand::Step { prefix, .. } => Cow::Borrowed(prefix),
            BusinessCommand::Operator(OperatorCommand::NoteDeed { about, .. }) => Cow::Borrowed(about.as_bytes()),
            BusinessCommand::Operator(OperatorCommand::PutPlan { year, .. }) => {
                Cow::Owned(format!("plan {year}").into_bytes())
            }
            BusinessCommand::Operator(_) => Cow::Borrowed(b"node"),
            BusinessCommand::Application(command) => {
                let name = command.application().map_or_else(|| "A".to_owned(), |id| id.to_string());
                Cow::Owned(name.into_bytes())
            }
            other => Cow::Owned(other.enterprise().map_or_else(|| "E".to_owned(), |id| id.to_string()).into_bytes()),
        },
    }
}

/// The most bytes the item of a command takes in a note.
pub(crate) fn most_item_bytes(command: &Command) -> usize {
    most_item_bytes_about(&subject(command))
}

/// The most bytes an item about this takes in a note.
pub(crate) const fn most_item_bytes_about(subject: &[u8]) -> usize {
    subject.len() + ITEM_BYTES
}

/// An item without its key: kind, verb, outcome, two hashes, and numbers of at most ten bytes each.
const ITEM_BYTES: usize = 3 + 64 + 40;

/// The most bytes an actor takes in a note, generously.
pub(crate) const MOST_ACTOR_BYTES: usize = 256;
