//! Each command as it is written today, in a file of its own, and judged by the simulator's own list of fields.

use std::path::Path;
use std::time::Duration;

use waymark_catalog::business::Nature;
use waymark_catalog::config::IMAGE_BYTES;
use waymark_top_sync::epp::config::COMMAND_BYTES;
use waymark_top_sync::epp::driver::transport::Transport as _;
use waymark_top_sync::epp::message::{
    Amendment, Answer, Code, Command, Contact, Data, DocumentType, EntId, EnterpriseFields, Image, ImageType,
    LegalPerson, MessageId, PersonDocument, TransactionId,
};
use waymark_top_sync::simulator::epp::Settings;

use crate::link::{ANSWER_BYTES, USER, transport_within};
use crate::node::{OWN_PREFIX, credit_code};

fn enterprise(image: &[u8]) -> Box<EnterpriseFields> {
    let image = || Image::new(ImageType::Png, image).unwrap();
    Box::new(EnterpriseFields {
        nature: Nature::Company,
        code: credit_code(1),
        document: image(),
        name: "杭州样例食品有限公司".into(),
        province: "330000".into(),
        city: "330100".into(),
        county: String::new(),
        name_en: "Sample & Sons <Foods>".into(),
        amendment: Amendment {
            address: "文三路 1 号".into(),
            address_en: String::new(),
            website: "https://example.cn/?a=1&b=2".into(),
            description: "first line\nsecond \"line\"".into(),
        },
        contact: Contact { name: "钱二".into(), email: "qian@example.cn".into(), phone: "+86 571 0000".into() },
        legal_person: LegalPerson {
            name: "赵一".to_owned().into(),
            document: PersonDocument::of("passport").unwrap(),
            number: "E00000000".to_owned().into(),
            image: image(),
        },
    })
}

fn commands(image: &[u8], ent_id: &str) -> Vec<Command> {
    let (own, user, ent_id) = (OWN_PREFIX.to_owned(), USER.to_owned(), EntId::new(ent_id).unwrap());
    let amendment = Amendment {
        address: "别处 2 号".into(),
        address_en: "2 Elsewhere".into(),
        website: String::new(),
        description: String::new(),
    };
    vec![
        Command::CheckEnterprise { user: user.clone(), document: DocumentType::CreditCode, code: credit_code(1) },
        Command::CheckPrefix { own: own.clone(), prefix: "88.104.1".into() },
        Command::CreateEnterprise { own: own.clone(), enterprise: enterprise(image) },
        Command::CreatePrefix { own: own.clone(), ent_id: ent_id.clone(), prefix: "88.104.1".into() },
        Command::ReplaceEnterprise { own, ent_id: ent_id.clone(), enterprise: enterprise(image) },
        Command::AmendEnterprise { user, ent_id, amendment },
        Command::Poll,
        Command::Acknowledge { message: MessageId::new("MSG-7").unwrap() },
    ]
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// `WAYMARK_WRITE_GOLDEN=1` writes them anew.
#[test]
fn each_command_has_golden_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/epp/golden");
    let id = TransactionId::made(0x0123_4567_89ab, 0xfedc_ba98_7654_3210);
    let mut differing = Vec::new();
    for command in commands(PNG, "ENT-000001") {
        let path = folder.join(format!("{}.xml", command.name()));
        let written = command.write(&id).unwrap();
        if std::env::var_os("WAYMARK_WRITE_GOLDEN").is_some() {
            std::fs::write(&path, &*written).unwrap();
        }
        if std::fs::read(&path).ok().as_deref() != Some(&written[..]) {
            differing.push(command.name());
        }
    }
    assert!(differing.is_empty(), "{differing:?}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), commands(PNG, "ENT-000001").len());
}

#[tokio::test]
async fn the_list_of_fields_takes_each_command_with_images_of_full_size() {
    let mut largest = PNG.to_vec();
    largest.resize(IMAGE_BYTES, 0);
    let simulator =
        waymark_top_sync::simulator::epp::EppSimulator::start(Settings::local(OWN_PREFIX, USER)).await.unwrap();
    let transport = transport_within(&simulator.url(), Duration::from_secs(20));
    let (mut codes, mut ent_id) = (Vec::new(), String::from("none-yet"));
    for number in 0..8 {
        let command = commands(&largest, &ent_id).remove(number);
        let id = TransactionId::made(1, u64::try_from(number).unwrap());
        let written = command.write(&id).unwrap();
        assert!(written.len() <= COMMAND_BYTES);
        let answer = transport.send(written).await.unwrap();
        let answer = Answer::read(&answer, ANSWER_BYTES).unwrap();
        assert_eq!(answer.client, Some(id));
        if let Data::Created { ent_id: created } = &answer.data {
            ent_id = created.to_string();
        }
        codes.push((command.name(), answer.code, answer.text));
    }
    let found: Vec<Code> = codes.iter().map(|(_, code, _)| *code).collect();
    assert_eq!(found, [1000, 1000, 1000, 1000, 1000, 1000, 1300, 2303].map(Code), "{codes:?}");
}
