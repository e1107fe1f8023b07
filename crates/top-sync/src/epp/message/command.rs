//! Commands, and how they are written. All there are: check, create, update, poll.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use zeroize::Zeroizing;

use super::enterprise::nature_number;
use super::{Amendment, DocumentType, ENT, EPP, EntId, EnterpriseFields, MessageId, PREFIX, TransactionId};
use crate::epp::config::COMMAND_BYTES;

/// A command, but for the identifier of its transaction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// Is an enterprise known?
    CheckEnterprise {
        /// Who asks (`shrUserId`).
        user: String,
        /// The kind of its document.
        document: DocumentType,
        /// The number of that document.
        code: String,
    },
    /// Is a prefix free?
    CheckPrefix {
        /// This node's own prefix.
        own: String,
        /// The prefix.
        prefix: String,
    },
    /// Registers an enterprise.
    CreateEnterprise {
        /// This node's own prefix.
        own: String,
        /// All of it.
        enterprise: Box<EnterpriseFields>,
    },
    /// Registers a prefix of an enterprise.
    CreatePrefix {
        /// This node's own prefix.
        own: String,
        /// Whose it is.
        ent_id: EntId,
        /// The prefix.
        prefix: String,
    },
    /// The full update (`chgAll`).
    ReplaceEnterprise {
        /// This node's own prefix.
        own: String,
        /// Which.
        ent_id: EntId,
        /// All of it.
        enterprise: Box<EnterpriseFields>,
    },
    /// The partial update (`chg`).
    AmendEnterprise {
        /// Who asks (`shrUserId`).
        user: String,
        /// Which.
        ent_id: EntId,
        /// What it is from now on.
        amendment: Amendment,
    },
    /// Asks for the first message of the queue.
    Poll,
    /// Takes a message out of the queue.
    Acknowledge {
        /// Which.
        message: MessageId,
    },
}

/// Why a command cannot be written. Holds nothing of what was in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A field holds a character XML cannot carry.
    #[error("a field holds a character that XML cannot carry")]
    Character,
    /// All fields together are too long.
    #[error("the command has more than {COMMAND_BYTES} bytes")]
    TooLarge,
    /// The writer refused.
    #[error("the command could not be written")]
    Io(#[from] io::Error),
}

impl Command {
    /// What it does, in a word for logs and figures.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CheckEnterprise { .. } => "check-enterprise",
            Self::CheckPrefix { .. } => "check-prefix",
            Self::CreateEnterprise { .. } => "create-enterprise",
            Self::CreatePrefix { .. } => "create-prefix",
            Self::ReplaceEnterprise { .. } => "replace-enterprise",
            Self::AmendEnterprise { .. } => "amend-enterprise",
            Self::Poll => "poll",
            Self::Acknowledge { .. } => "acknowledge",
        }
    }

    /// Writes it under an identifier. What is given out is wiped when it is dropped, for it may tell of people.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub fn write(&self, transaction: &TransactionId) -> Result<Zeroizing<Vec<u8>>, WriteError> {
        let mut xml = Xml(Writer::new(Wiped(Zeroizing::new(Vec::with_capacity(self.room())))));
        xml.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), Some("no"))))?;
        xml.within("epp", &[("xmlns", EPP)], |xml| {
            xml.within("command", &[], |xml| {
                self.write_verb(xml)?;
                xml.leaf("clTRID", transaction.as_str())
            })
        })?;
        let Wiped(bytes) = xml.0.into_inner();
        if bytes.len() > COMMAND_BYTES { Err(WriteError::TooLarge) } else { Ok(bytes) }
    }

    /// Bytes to begin with: a buffer that grows would leave copies behind that are not wiped.
    fn room(&self) -> usize {
        match self {
            Self::CreateEnterprise { enterprise, .. } | Self::ReplaceEnterprise { enterprise, .. } => {
                enterprise.document.base64().len() + enterprise.legal_person.image.base64().len() + (64 << 10)
            }
            _ => 8 << 10,
        }
    }

    fn write_verb(&self, xml: &mut Xml) -> Result<(), WriteError> {
        match self {
            Self::CheckEnterprise { user, document, code } => xml.object("check", "ent:check", ENT, |xml| {
                xml.leaf("ent:shrUserId", user)?;
                xml.leaf("ent:entCrtType", &document.number().to_string())?;
                xml.leaf("ent:entCrtCode", code)
            }),
            Self::CheckPrefix { own, prefix } => xml.object("check", "prefix:check", PREFIX, |xml| {
                xml.leaf("prefix:shrPrefix", own)?;
                xml.leaf("prefix:prefix", prefix)
            }),
            Self::CreateEnterprise { own, enterprise } => xml.object("create", "ent:create", ENT, |xml| {
                xml.leaf("ent:shrPrefix", own)?;
                write_fields(xml, enterprise)
            }),
            Self::CreatePrefix { own, ent_id, prefix } => xml.object("create", "prefix:create", PREFIX, |xml| {
                xml.leaf("prefix:shrPrefix", own)?;
                xml.leaf("prefix:entId", ent_id.as_str())?;
                xml.leaf("prefix:prefix", prefix)
            }),
            Self::ReplaceEnterprise { own, ent_id, enterprise } => xml.object("update", "ent:update", ENT, |xml| {
                xml.within("ent:chgAll", &[], |xml| {
                    xml.leaf("ent:shrPrefix", own)?;
                    xml.leaf("ent:entId", ent_id.as_str())?;
                    write_fields(xml, enterprise)
                })
            }),
            Self::AmendEnterprise { user, ent_id, amendment } => xml.object("update", "ent:update", ENT, |xml| {
                xml.within("ent:chg", &[], |xml| {
                    xml.leaf("ent:shrUserId", user)?;
                    xml.leaf("ent:entId", ent_id.as_str())?;
                    xml.leaf("ent:entAddrCn", &amendment.address)?;
                    xml.leaf("ent:entAddrEn", &amendment.address_en)?;
                    xml.leaf("ent:entWebSite", &amendment.website)?;
                    xml.leaf("ent:entDesc", &amendment.description)
                })
            }),
            Self::Poll => xml.within("poll", &[("op", "req")], |_| Ok(())),
            Self::Acknowledge { message } => {
                xml.within("poll", &[("op", "ack"), ("msgID", message.as_str())], |_| Ok(()))
            }
        }
    }
}

/// The fields `create` and `chgAll` share, in the order of the draft.
fn write_fields(xml: &mut Xml, enterprise: &EnterpriseFields) -> Result<(), WriteError> {
    let EnterpriseFields { nature, code, document, name, province, city, county, name_en, amendment, .. } = enterprise;
    xml.leaf("ent:entType", &nature_number(*nature).to_string())?;
    xml.leaf("ent:entCrCode", code)?;
    xml.leaf("ent:entCrtImgType", document.kind().as_str())?;
    xml.leaf("ent:entCrtImg", document.base64())?;
    xml.leaf("ent:entNameCn", name)?;
    xml.leaf("ent:province", province)?;
    xml.optional("ent:city", city)?;
    xml.optional("ent:county", county)?;
    xml.leaf("ent:entAddrCn", &amendment.address)?;
    xml.optional("ent:entNameEn", name_en)?;
    xml.optional("ent:entAddrEn", &amendment.address_en)?;
    xml.optional("ent:entWebSite", &amendment.website)?;
    xml.optional("ent:entDesc", &amendment.description)?;
    let (contact, person) = (&enterprise.contact, &enterprise.legal_person);
    xml.within("ent:contact", &[], |xml| {
        xml.leaf("ent:name", &contact.name)?;
        xml.leaf("ent:email", &contact.email)?;
        xml.leaf("ent:phone", &contact.phone)
    })?;
    xml.within("ent:legalPerson", &[], |xml| {
        xml.leaf("ent:name", &person.name)?;
        xml.leaf("ent:idType", &person.document.number().to_string())?;
        xml.leaf("ent:idNo", &person.number)?;
        xml.leaf("ent:idImgType", person.image.kind().as_str())?;
        xml.leaf("ent:idImg", person.image.base64())
    })
}

/// Bytes that are wiped when they are dropped, wherever writing ends.
struct Wiped(Zeroizing<Vec<u8>>);

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Elements around elements, over the writer.
struct Xml(Writer<Wiped>);

impl Xml {
    fn event(&mut self, event: Event<'_>) -> Result<(), WriteError> {
        Ok(self.0.write_event(event)?)
    }

    fn within(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inner: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let mut start = BytesStart::new(name);
        for (key, value) in attributes {
            check_characters(value)?;
            start.push_attribute((*key, *value));
        }
        self.event(Event::Start(start))?;
        inner(self)?;
        self.event(Event::End(BytesEnd::new(name)))
    }

    /// A verb with the object it is about.
    fn object(
        &mut self,
        verb: &str,
        name: &str,
        space: &str,
        inner: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let declaration =
            name.split_once(':').map_or_else(|| "xmlns".to_owned(), |(prefix, _)| format!("xmlns:{prefix}"));
        self.within(verb, &[], |xml| xml.within(name, &[(&declaration, space)], inner))
    }

    fn leaf(&mut self, name: &str, text: &str) -> Result<(), WriteError> {
        check_characters(text)?;
        self.within(name, &[], |xml| xml.event(Event::Text(BytesText::new(text))))
    }

    /// A leaf that is left out when it is empty.
    fn optional(&mut self, name: &str, text: &str) -> Result<(), WriteError> {
        if text.is_empty() { Ok(()) } else { self.leaf(name, text) }
    }
}

/// Refuses what XML 1.0 section 2.2 has no characters for.
fn check_characters(text: &str) -> Result<(), WriteError> {
    let sound = |each: char| matches!(each, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(sound) { Ok(()) } else { Err(WriteError::Character) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epp::message::xml::Element;

    #[test]
    fn what_xml_gives_meaning_to_comes_back_as_it_was() {
        let code = "<&>\"' 产\n品 ]]>";
        let command =
            Command::CheckEnterprise { user: "u".into(), document: DocumentType::Other, code: code.to_owned() };
        let written = command.write(&TransactionId::made(1, 2)).unwrap();
        let root = Element::read(&written, COMMAND_BYTES).unwrap();
        let read = root.all().find(|each| &*each.name == "entCrtCode").unwrap();
        assert_eq!((read.text.as_str(), &*read.space), (code, ENT));
    }

    #[test]
    fn characters_xml_cannot_carry_are_refused() {
        for wrong in ["\0", "\u{b}", "\u{ffff}"] {
            let command = Command::CheckPrefix { own: "88.1".into(), prefix: wrong.into() };
            assert!(matches!(command.write(&TransactionId::made(1, 2)), Err(WriteError::Character)), "{wrong:?}");
        }
    }
}
