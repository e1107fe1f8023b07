//! A step as a command: with what the catalog holds, and what is said of people opened for the moment it is written.

use waymark_catalog::business::{
    Business, BusinessCommand, DocumentKind, Enterprise, EnterpriseId, FileKind, StoredFile,
};
use waymark_catalog::vault::{Personal, Vault};
use waymark_catalog::{Actor, Catalog, Submission};
use zeroize::Zeroizing;

use super::wants::{DOCUMENT, PERSON};
use crate::epp::exchange::{Ask, Trouble, TroubleKind};
use crate::epp::message::{
    Amendment, Command, Contact, DocumentType, EnterpriseFields, Image, ImageType, LegalPerson, PersonDocument,
};

/// What is said of the reading of people's data, in the audit.
const PURPOSE: &str = "registration with the top-level node";

/// Makes commands of steps.
#[derive(Clone, Debug)]
pub(super) struct Packer {
    pub(super) catalog: Catalog,
    /// This node's own prefix (`shrPrefix`).
    pub(super) own: String,
    /// Who asks (`shrUserId`).
    pub(super) user: String,
}

impl Packer {
    /// The command of a step, from the table its wants were read from.
    pub(super) async fn pack(&self, ask: &Ask, business: &Business) -> Result<Command, Trouble> {
        let own = || self.own.clone();
        Ok(match ask {
            Ask::CheckEnterprise(id) => {
                let enterprise = find(business, *id)?;
                let document = match enterprise.profile.document_kind {
                    DocumentKind::CreditCode => DocumentType::CreditCode,
                    _ => DocumentType::Other,
                };
                Command::CheckEnterprise { user: self.user.clone(), document, code: code(enterprise) }
            }
            Ask::CheckPrefix(prefix) => Command::CheckPrefix { own: own(), prefix: prefix.to_string() },
            Ask::CreateEnterprise(id) => {
                Command::CreateEnterprise { own: own(), enterprise: self.enterprise(find(business, *id)?).await? }
            }
            Ask::CreatePrefix { ent_id, prefix } => {
                Command::CreatePrefix { own: own(), ent_id: ent_id.clone(), prefix: prefix.to_string() }
            }
            Ask::ReplaceEnterprise(id, ent_id) => Command::ReplaceEnterprise {
                own: own(),
                ent_id: ent_id.clone(),
                enterprise: self.enterprise(find(business, *id)?).await?,
            },
            Ask::AmendEnterprise(id, ent_id) => Command::AmendEnterprise {
                user: self.user.clone(),
                ent_id: ent_id.clone(),
                amendment: amendment(find(business, *id)?),
            },
            Ask::Poll => Command::Poll,
            Ask::Acknowledge(message) => Command::Acknowledge { message: message.clone() },
        })
    }

    /// All of an enterprise. That its people's data is read is in the audit before it is.
    async fn enterprise(&self, enterprise: &Enterprise) -> Result<Box<EnterpriseFields>, Trouble> {
        let vault = self.catalog.vault().ok_or_else(|| not_sendable("personal.key_file"))?;
        self.disclose(enterprise.id).await?;
        let sealed = enterprise.personal.as_ref().ok_or_else(|| not_sendable("personal"))?;
        let personal = vault.unseal(sealed).map_err(|error| not_sendable(&error.to_string()))?;
        let personal = personal.ok_or_else(|| not_sendable("personal"))?;
        let document = self.image(vault, enterprise.id, DOCUMENT)?;
        let person = self.image(vault, enterprise.id, PERSON)?;
        let profile = &enterprise.profile;
        Ok(Box::new(EnterpriseFields {
            nature: profile.nature,
            code: code(enterprise),
            document,
            name: profile.name.clone(),
            province: profile.province.clone(),
            city: profile.city.clone(),
            county: profile.county.clone(),
            name_en: profile.name_en.clone(),
            amendment: amendment(enterprise),
            contact: contact(&personal),
            legal_person: legal_person(&personal, person)?,
        }))
    }

    async fn disclose(&self, id: EnterpriseId) -> Result<(), Trouble> {
        let command = BusinessCommand::Disclose { id, purpose: PURPOSE.to_owned() };
        let ticket = self.catalog.writer().submit(Submission::new(&Actor::top_level(), [command]));
        let results = ticket.map_err(|error| not_sendable(&error.to_string()))?.done().await;
        let results = results.map_err(|error| not_sendable(&error.to_string()))?;
        let noted = results.into_iter().next().unwrap_or(Err(waymark_catalog::Refusal::NotFound));
        noted.map(drop).map_err(|refusal| not_sendable(&refusal.to_string()))
    }

    fn image(&self, vault: &Vault, id: EnterpriseId, kind: FileKind) -> Result<Image, Trouble> {
        let missing = || not_sendable(kind.as_str());
        let stored = self.catalog.cold().file(id.into(), kind).map_err(|error| not_sendable(&error.to_string()))?;
        let StoredFile { format, sealed } = stored.ok_or_else(missing)?;
        let bytes = vault.unseal_bytes(&sealed).map_err(|error| not_sendable(&error.to_string()))?;
        let bytes = bytes.ok_or_else(missing)?;
        let image = ImageType::of(format).and_then(|format| Image::new(format, &bytes));
        image.ok_or_else(missing)
    }
}

/// What goes up of people in a command, for taking it out of answers that repeat it. Only in memory, and wiped.
pub(super) fn said_of_people(command: &Command) -> Vec<Zeroizing<String>> {
    let (Command::CreateEnterprise { enterprise, .. } | Command::ReplaceEnterprise { enterprise, .. }) = command else {
        return Vec::new();
    };
    let EnterpriseFields { contact, legal_person, .. } = &**enterprise;
    let said = [&contact.name, &contact.email, &contact.phone, &legal_person.name, &legal_person.number];
    said.into_iter().filter(|each| !each.is_empty()).map(|each| Zeroizing::new(each.clone())).collect()
}

fn find(business: &Business, id: u32) -> Result<&Enterprise, Trouble> {
    business.enterprise(EnterpriseId(id)).map(|found| &**found).ok_or_else(|| not_sendable("enterprise"))
}

fn not_sendable(what: &str) -> Trouble {
    Trouble::new(TroubleKind::NotSendable, what)
}

/// Without blanks, in capitals: as the top-level node tells enterprises apart.
fn code(enterprise: &Enterprise) -> String {
    let number = enterprise.profile.document_number.chars().filter(|each| !each.is_whitespace());
    number.collect::<String>().to_ascii_uppercase()
}

fn amendment(enterprise: &Enterprise) -> Amendment {
    let profile = &enterprise.profile;
    Amendment {
        address: profile.address.clone(),
        address_en: profile.address_en.clone(),
        website: profile.website.clone(),
        description: profile.description.clone(),
    }
}

fn contact(personal: &Personal) -> Contact {
    Contact { name: personal.contact.name.clone(), email: personal.email.clone(), phone: personal.phone.clone() }
}

fn legal_person(personal: &Personal, image: Image) -> Result<LegalPerson, Trouble> {
    let person = &personal.legal_person;
    let document =
        PersonDocument::of(&person.document_kind).ok_or_else(|| not_sendable("legal_person_document_kind"))?;
    Ok(LegalPerson {
        name: Zeroizing::new(person.name.clone()),
        document,
        number: Zeroizing::new(person.document_number.clone()),
        image,
    })
}
