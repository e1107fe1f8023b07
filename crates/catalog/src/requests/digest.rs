//! The hash of what a request asks for, the same through every door.

use sha2::{Digest as _, Sha256};

use crate::access::Disabler;
use crate::business::{ApplicationCommand, BusinessCommand, CaseStep, EnterpriseId, OperatorCommand};
use crate::command::{AddMode, Command, Expect, Order, PutMode, Timestamps};
use crate::link::LinkCommand;
use crate::moment::Restore;
use crate::prefixes::HomeName;
use crate::range::{FormRequest, Part, RangeCommand, RangeName, Span};
use crate::template::TemplateCommand;
use crate::values::ValueSet;

/// SHA-256 of what an order asks for, to be given as [`Request::digest`](crate::Request::digest): two orders have the same one when they ask for the
/// same, to the byte, whichever door they came through.
///
/// It covers a version, the verb, and the command's fields in order, each text and list with its length before it: the handle as it was given; values
/// in wire form in order of index, their timestamps only where they are kept ([`Timestamps::Keep`]); modes, indexes, reasons; and what is expected.
/// An issued token is never the same twice, since its secret is its own.
#[must_use]
pub fn command_digest(order: &Order) -> [u8; 32] {
    let mut digest = Fields(Sha256::new());
    digest.bytes(b"waymark order 1");
    digest.command(&order.command);
    match &order.expect {
        None => digest.number(0),
        Some(Expect::Absent) => digest.number(1),
        Some(Expect::Serial(serial)) => {
            digest.number(2);
            digest.number(serial.0);
        }
        Some(Expect::Content(content)) => {
            digest.number(3);
            digest.bytes(&content.0);
        }
    }
    digest.0.finalize().into()
}

/// A hash fed field by field: each field is told apart from the next by its length.
struct Fields(Sha256);

impl Fields {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.0.update(bytes);
    }

    fn values(&mut self, values: &ValueSet, timestamps: Timestamps) {
        match timestamps {
            Timestamps::Now => {
                self.number(0);
                self.bytes(&values.content().0);
            }
            Timestamps::Keep => {
                self.number(1);
                self.bytes(values.wire());
            }
        }
    }

    /// A verb by its number, which never changes, and what it is about.
    fn verb(&mut self, number: u64, about: &[u8]) {
        self.number(number);
        self.bytes(about);
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Put { handle, values, timestamps, mode } => {
                self.verb(1, handle);
                self.values(values, *timestamps);
                self.put_mode(*mode);
            }
            Command::PutWithdrawn { handle, values, timestamps, mode, status } => {
                self.verb(15, handle);
                self.values(values, *timestamps);
                self.put_mode(*mode);
                self.number(u64::from(status.revoked));
                self.number(status.since_seconds.map_or(u64::MAX, u64::from));
                self.bytes(status.reason.as_bytes());
            }
            Command::AddValues { handle, values, timestamps, mode } => {
                self.verb(2, handle);
                self.values(values, *timestamps);
                self.number(match mode {
                    AddMode::New => 0,
                    AddMode::Overwrite => 1,
                    AddMode::NewOrSame => 2,
                });
            }
            Command::ModifyValues { handle, values, timestamps } => {
                self.verb(3, handle);
                self.values(values, *timestamps);
            }
            Command::RemoveValues { handle, indexes } => {
                self.verb(4, handle);
                self.number(u64::try_from(indexes.len()).unwrap_or(u64::MAX));
                indexes.iter().for_each(|index| self.number(u64::from(*index)));
            }
            Command::Delete { handle } => self.verb(5, handle),
            Command::Home { name } => self.home(6, name),
            Command::Unhome { name } => self.home(7, name),
            Command::Suspend { handle, reason } => {
                self.verb(8, handle);
                self.bytes(reason.as_bytes());
            }
            Command::Resume { handle } => self.verb(9, handle),
            Command::Revoke { handle, reason } => {
                self.verb(10, handle);
                self.bytes(reason.as_bytes());
            }
            Command::Recall { handle, reason } => {
                self.verb(110, handle);
                self.bytes(reason.as_bytes());
            }
            Command::LiftRecall { handle } => self.verb(111, handle),
            Command::PutPrincipal { principal } => {
                self.verb(11, principal.name.as_bytes());
                self.bytes(&principal.to_body(Disabler::Operator));
            }
            Command::RemovePrincipal { name } => self.verb(12, name.as_bytes()),
            Command::IssueToken { token } => {
                self.verb(13, &token.id.0);
                self.bytes(&token.to_body());
            }
            Command::RevokeToken { id, reason } => {
                self.verb(14, &id.0);
                self.bytes(reason.as_bytes());
            }
            Command::Range(command) => self.range(command),
            Command::Template(command) => self.template(command),
            Command::PutFromTemplate { handle, template, fields, mode } => {
                self.verb(85, handle);
                self.bytes(&template.handle());
                self.number(u64::try_from(fields.len()).unwrap_or(u64::MAX));
                for field in fields {
                    self.number(u64::from(field.index));
                    self.bytes(field.kind.as_bytes());
                    self.bytes(field.text.as_bytes());
                }
                self.put_mode(*mode);
            }
            Command::Business(command) => self.business(command),
            Command::Link(command) => self.link(command),
            Command::Restore(restore) => self.restore(restore),
        }
    }

    /// Numbers 140 and 141. What is sealed is sealed anew each time, and is no part of it.
    fn restore(&mut self, restore: &Restore) {
        let (number, text) = match restore {
            Restore::Put(object) => (140, object.text()),
            Restore::Remove(_) => (141, ""),
        };
        self.verb(number, restore.name().kind().as_str().as_bytes());
        self.bytes(restore.name().to_string().as_bytes());
        self.bytes(text.as_bytes());
    }

    /// Numbers from 120 on.
    fn link(&mut self, command: &LinkCommand) {
        let number = match command {
            LinkCommand::Aggregate { .. } => 120,
            LinkCommand::Disaggregate { .. } => 121,
        };
        self.verb(number, command.parent());
        self.number(u64::try_from(command.children().len()).unwrap_or(u64::MAX));
        command.children().iter().for_each(|child| self.bytes(child));
    }

    /// Numbers from 90 on. What is sealed is sealed anew each time; its mark is the same for the same clear text.
    fn business(&mut self, command: &BusinessCommand) {
        match command {
            BusinessCommand::PutEnterprise { id, profile, personal, principals } => {
                self.enterprise(90, *id);
                // Fields in the order of the type, each by its name.
                self.bytes(&serde_json::to_vec(profile).unwrap_or_default());
                self.bytes(personal.as_ref().map_or(&[][..], |fresh| &fresh.mark));
                self.number(u64::from(principals.is_some()));
                let principals = principals.as_deref().unwrap_or_default();
                self.number(u64::try_from(principals.len()).unwrap_or(u64::MAX));
                principals.iter().for_each(|name| self.bytes(name.as_bytes()));
            }
            BusinessCommand::SetRealName { id, result, source, reviewer } => {
                self.enterprise(91, Some(*id));
                [result.as_str(), source, reviewer].into_iter().for_each(|text| self.bytes(text.as_bytes()));
            }
            BusinessCommand::Forget { id, reason } => {
                self.enterprise(92, Some(*id));
                self.bytes(reason.as_bytes());
            }
            BusinessCommand::Disclose { id, purpose } => {
                self.enterprise(93, Some(*id));
                self.bytes(purpose.as_bytes());
            }
            BusinessCommand::PutImage { id, kind, image } => {
                self.enterprise(104, *id);
                self.bytes(kind.as_str().as_bytes());
                self.bytes(image.as_ref().map_or(&[][..], |image| &image.fresh.mark));
            }
            BusinessCommand::Apply { prefix, enterprise, wish, note } => {
                self.enterprise(94, *enterprise);
                [&prefix[..], wish.as_str().as_bytes(), note.as_bytes()].into_iter().for_each(|text| self.bytes(text));
            }
            BusinessCommand::Step { prefix, step } => {
                let number = match step {
                    CaseStep::Review => 95,
                    CaseStep::Approve => 96,
                    CaseStep::Reject { .. } => 97,
                    CaseStep::ConfirmTopLevel { .. } => 98,
                    CaseStep::Host => 99,
                    CaseStep::Delegate { .. } => 100,
                    CaseStep::Suspend { .. } => 101,
                    CaseStep::Resume => 102,
                    CaseStep::Delete { .. } => 103,
                };
                self.verb(number, prefix);
                self.bytes(step.kind().as_str().as_bytes());
                self.bytes(step.reason().as_bytes());
                self.bytes(&serde_json::to_vec(step.sites()).unwrap_or_default());
            }
            BusinessCommand::Operator(command) => self.operator(command),
            BusinessCommand::Application(command) => self.application(command),
        }
    }

    /// Numbers from 130 on.
    fn operator(&mut self, command: &OperatorCommand) {
        match command {
            OperatorCommand::Put { profile, node, personal } => {
                self.number(130);
                self.bytes(&serde_json::to_vec(profile).unwrap_or_default());
                self.bytes(&serde_json::to_vec(node).unwrap_or_default());
                self.bytes(personal.as_ref().map_or(&[][..], |fresh| &fresh.mark));
            }
            OperatorCommand::Forget { reason } => self.verb(131, reason.as_bytes()),
            OperatorCommand::Disclose { purpose } => self.verb(132, purpose.as_bytes()),
            OperatorCommand::PutFile { kind, file } => {
                self.verb(133, kind.as_str().as_bytes());
                self.bytes(file.as_ref().map_or(&[][..], |file| &file.fresh.mark));
            }
            OperatorCommand::NoteDeed { deed, about, reason } => {
                self.verb(u64::from(crate::audit::Verb::of_deed(*deed).0), about.as_bytes());
                self.bytes(reason.as_bytes());
            }
            OperatorCommand::PutPlan { year, plan } => {
                self.number(154);
                self.number(u64::from(*year));
                self.bytes(&serde_json::to_vec(plan).unwrap_or_default());
            }
        }
    }

    /// Numbers from 134 on.
    fn application(&mut self, command: &ApplicationCommand) {
        let users = match command {
            ApplicationCommand::Put { id, owner, profile, users } => {
                self.number(134);
                self.number(id.map_or(0, |id| id.0));
                self.bytes(owner.map_or_else(String::new, |owner| owner.to_string()).as_bytes());
                self.bytes(&serde_json::to_vec(profile).unwrap_or_default());
                users.as_ref()
            }
            ApplicationCommand::CountUsers { id, users } => {
                self.number(135);
                self.number(id.0);
                Some(users)
            }
            ApplicationCommand::Delete { id } => {
                self.number(136);
                self.number(id.0);
                None
            }
        };
        self.number(u64::from(users.is_some()));
        if let Some(users) = users {
            self.bytes(users.month.0.as_bytes());
            self.number(users.users);
        }
    }

    fn enterprise(&mut self, number: u64, id: Option<EnterpriseId>) {
        self.number(number);
        self.number(id.map_or(0, |id| u64::from(id.0)));
    }

    /// Numbers from 64 on. The secret of a new package is drawn anew each time, and is no part of what was asked for.
    fn range(&mut self, command: &RangeCommand) {
        match command {
            RangeCommand::Allocate { prefix, stem, width, form, key: _, first, count, values, note } => {
                self.verb(64, prefix);
                self.bytes(stem.as_bytes());
                let (kind, chars) = match form {
                    FormRequest::Plain => (0, 0),
                    FormRequest::Mod10 => (1, 0),
                    FormRequest::Mod37 => (2, 0),
                    FormRequest::Mac { chars } => (3, *chars),
                };
                [u64::from(*width), kind, u64::from(chars)].into_iter().for_each(|number| self.number(number));
                self.number(u64::from(first.is_some()));
                self.number(first.unwrap_or_default());
                self.number(*count);
                self.values(values, Timestamps::Now);
                self.bytes(note.as_bytes());
            }
            RangeCommand::Bind { range, span, values } => {
                self.serials(65, range, *span);
                self.values(values, Timestamps::Now);
            }
            RangeCommand::Mark { range, span, state, reason } => {
                self.serials(66, range, *span);
                self.bytes(state.as_str().as_bytes());
                self.bytes(reason.as_bytes());
            }
            RangeCommand::Recall { range, span, reason } => {
                self.serials(112, range, *span);
                self.bytes(reason.as_bytes());
            }
            RangeCommand::LiftRecall { range, span } => self.serials(113, range, *span),
            RangeCommand::Export { range, part, roll_codes, again } => {
                match part {
                    Part::These(span) => {
                        self.serials(67, range, *span);
                        self.number(0);
                    }
                    Part::Next(count) => {
                        self.verb(67, range.to_string().as_bytes());
                        self.number(1);
                        self.number(*count);
                    }
                }
                self.number(*roll_codes);
                self.bytes(again.as_bytes());
            }
            RangeCommand::Lease { range, station, count, lifetime_ms } => {
                self.verb(68, range.to_string().as_bytes());
                self.bytes(station.as_bytes());
                self.number(*count);
                self.number(*lifetime_ms);
            }
            RangeCommand::Reconcile { range, first, printed, spoiled, blank } => {
                self.verb(69, range.to_string().as_bytes());
                self.number(*first);
                for spans in [printed, spoiled, blank] {
                    self.number(u64::try_from(spans.len()).unwrap_or(u64::MAX));
                    spans.iter().for_each(|span| self.span(*span));
                }
            }
        }
    }

    /// Numbers from 80 on.
    fn template(&mut self, command: &TemplateCommand) {
        match command {
            TemplateCommand::PutDraft { prefix, definition } => {
                self.verb(80, prefix);
                self.bytes(definition.to_json().as_bytes());
            }
            TemplateCommand::Publish { template } => self.verb(81, &template.handle()),
            TemplateCommand::EnableColumn { template, index, enabled } => {
                self.verb(if *enabled { 83 } else { 82 }, &template.handle());
                self.number(u64::from(*index));
            }
            TemplateCommand::DeleteDraft { template } => self.verb(84, &template.handle()),
        }
    }

    fn serials(&mut self, number: u64, range: &RangeName, span: Span) {
        self.verb(number, range.to_string().as_bytes());
        self.span(span);
    }

    fn span(&mut self, span: Span) {
        self.number(span.first);
        self.number(span.last);
    }

    fn put_mode(&mut self, mode: PutMode) {
        self.number(match mode {
            PutMode::Create => 0,
            PutMode::Replace => 1,
            PutMode::CreateOrSame => 2,
        });
    }

    fn home(&mut self, number: u64, name: &HomeName) {
        self.verb(number, &name.handle());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::value;
    use crate::values::ContentHash;
    use std::collections::HashSet;
    use waymark_store::Serial;

    fn put(timestamps: Timestamps, stamp: u32) -> Order {
        let mut one = value(1, "URL", b"a");
        one.timestamp = stamp;
        let values = ValueSet::from_bufs(&[one]).unwrap();
        Command::Put { handle: b"88.1/x".to_vec(), values, timestamps, mode: PutMode::Create }.into()
    }

    #[test]
    fn a_digest_never_changes() {
        let expected = "01fad806339501fbf49cab09235cf52af063175b4e4a170f05ee2ab14da2fcf1";
        assert_eq!(hex::encode(command_digest(&Command::Delete { handle: b"88.1/x".to_vec() }.into())), expected);
    }

    #[test]
    fn timestamps_count_only_where_they_are_kept() {
        let digest = |timestamps, stamp| command_digest(&put(timestamps, stamp));
        assert_eq!(digest(Timestamps::Now, 1), digest(Timestamps::Now, 2));
        assert_ne!(digest(Timestamps::Keep, 1), digest(Timestamps::Keep, 2));
        assert_ne!(digest(Timestamps::Now, 1), digest(Timestamps::Keep, 1));
    }

    #[test]
    fn whatever_differs_makes_another_digest() {
        let handle = || b"88.1/x".to_vec();
        let values = |data: &[u8]| ValueSet::from_bufs(&[value(1, "URL", data)]).unwrap();
        let timestamps = Timestamps::Now;
        let put = |mode| Command::Put { handle: handle(), values: values(b"a"), timestamps, mode };
        let add = |mode| Command::AddValues { handle: handle(), values: values(b"a"), timestamps, mode };
        let reason = || "r".to_owned();
        let name = HomeName::parse(b"88.1").unwrap();
        let delete = Command::Delete { handle: handle() };
        let commands = [
            put(PutMode::Create),
            put(PutMode::Replace),
            put(PutMode::CreateOrSame),
            Command::Put { handle: handle(), values: values(b"b"), timestamps, mode: PutMode::Create },
            Command::Put { handle: b"88.1/X".to_vec(), values: values(b"a"), timestamps, mode: PutMode::Create },
            add(AddMode::New),
            add(AddMode::Overwrite),
            add(AddMode::NewOrSame),
            Command::ModifyValues { handle: handle(), values: values(b"a"), timestamps },
            Command::RemoveValues { handle: handle(), indexes: vec![1] },
            Command::RemoveValues { handle: handle(), indexes: vec![1, 2] },
            delete.clone(),
            Command::Home { name: name.clone() },
            Command::Unhome { name },
            Command::Suspend { handle: handle(), reason: reason() },
            Command::Suspend { handle: handle(), reason: String::new() },
            Command::Resume { handle: handle() },
            Command::Revoke { handle: handle(), reason: reason() },
            Command::Recall { handle: handle(), reason: reason() },
            Command::Recall { handle: handle(), reason: String::new() },
            Command::LiftRecall { handle: handle() },
            Command::RemovePrincipal { name: "88.1/x".into() },
            Command::RevokeToken { id: crate::access::TokenId([1; 8]), reason: reason() },
        ];
        let mut orders: Vec<Order> = commands.into_iter().map(Order::from).collect();
        let expectations = [
            Expect::Absent,
            Expect::Serial(Serial(1)),
            Expect::Serial(Serial(2)),
            Expect::Content(ContentHash([0; 32])),
            Expect::Content(ContentHash([1; 32])),
        ];
        orders.extend(expectations.map(|expect| Order { command: delete.clone(), expect: Some(expect) }));
        let digests: HashSet<[u8; 32]> = orders.iter().map(command_digest).collect();
        assert_eq!(digests.len(), orders.len());
    }
}
