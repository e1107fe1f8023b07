//! What a command is about, as the audit names it.

use std::borrow::Cow;

use crate::command::Command;

/// The handle as asked, the handle of the prefix, the name of the principal, the id of the token.
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
        | Command::Revoke { handle, .. } => Cow::Borrowed(handle),
        Command::Home { name } | Command::Unhome { name } => Cow::Owned(name.handle()),
        Command::PutPrincipal { principal } => Cow::Borrowed(principal.name.as_bytes()),
        Command::RemovePrincipal { name } => Cow::Borrowed(name.as_bytes()),
        Command::IssueToken { token } => Cow::Owned(token.id.to_string().into_bytes()),
        Command::RevokeToken { id, .. } => Cow::Owned(id.to_string().into_bytes()),
    }
}

/// The most bytes the item of a command takes in a note.
pub(crate) fn most_item_bytes(command: &Command) -> usize {
    subject(command).len() + ITEM_BYTES
}

/// An item without its key: kind, verb, outcome, two hashes, and numbers of at most ten bytes each.
const ITEM_BYTES: usize = 3 + 64 + 40;

/// The most bytes an actor takes in a note, generously.
pub(crate) const MOST_ACTOR_BYTES: usize = 256;
