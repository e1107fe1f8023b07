//! The simulator's own checks: each code it may answer with, by a command that deserves it.

use waymark_top_sync::epp::driver::transport::Transport as _;
use waymark_top_sync::epp::message::Answer;
use waymark_top_sync::simulator::epp::{EppSimulator, Fault, Settings};

use crate::link::{ANSWER_BYTES, transport};

/// The fields of an enterprise that is right.
const RIGHT: &str = "<e:shrPrefix>88.104</e:shrPrefix><e:entType>3</e:entType><e:entCrCode>91350100M000000013</e:entCrCode>\
<e:entCrtImgType>png</e:entCrtImgType><e:entCrtImg>iVBORw0KGgo=</e:entCrtImg><e:entNameCn>样例</e:entNameCn><e:province>330000</e:province>\
<e:entAddrCn>路</e:entAddrCn><e:contact><e:name>钱</e:name><e:email>q@example.cn</e:email><e:phone>1</e:phone></e:contact>\
<e:legalPerson><e:name>赵</e:name><e:idType>1</e:idType><e:idNo>1</e:idNo><e:idImgType>bmp</e:idImgType><e:idImg>Qk0=</e:idImg></e:legalPerson>";

fn command(inner: &str, id: &str) -> Vec<u8> {
    format!("<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><command>{inner}<clTRID>{id}</clTRID></command></epp>")
        .into_bytes()
}

fn create(fields: &str, id: &str) -> Vec<u8> {
    let space = "xmlns:e=\"urn:ietf:params:xml:ns:idis-ent-1.0\"";
    command(&format!("<create><e:create {space}>{fields}</e:create></create>"), id)
}

fn prefix(verb: &str, fields: &str, id: &str) -> Vec<u8> {
    let space = "xmlns:p=\"urn:ietf:params:xml:ns:idis-entprefix-1.0\"";
    command(&format!("<{verb}><p:{verb} {space}>{fields}</p:{verb}></{verb}>"), id)
}

#[tokio::test]
async fn each_code_is_answered_to_the_command_that_deserves_it() {
    let simulator = EppSimulator::start(Settings::local("88.104", "app")).await.unwrap();
    let transport = transport(&simulator.url(), None);
    let code = async |body: Vec<u8>| {
        let answer = transport.send(body.into()).await.unwrap();
        Answer::read(&answer, ANSWER_BYTES).unwrap().code.0
    };
    let without = |field: &str| {
        let (before, rest) = RIGHT.split_once(&format!("<e:{field}>")).unwrap();
        let (_, after) = rest.split_once(&format!("</e:{field}>")).unwrap();
        format!("{before}{after}")
    };
    for field in [
        "shrPrefix",
        "entType",
        "entCrCode",
        "entCrtImgType",
        "entCrtImg",
        "entNameCn",
        "province",
        "entAddrCn",
        "contact",
        "legalPerson",
        "email",
        "phone",
        "idType",
        "idNo",
        "idImgType",
        "idImg",
    ] {
        assert_eq!(code(create(&without(field), "WM-missing")).await, 2003, "{field}");
    }
    for (from, to, expected) in [
        ("<e:entType>3", "<e:entType>6", 2004),
        (">png<", ">gif<", 2004),
        (">330000<", ">Zhejiang<", 2005),
        (">91350100M000000013<", ">9135<", 2005),
        (">iVBORw0KGgo=<", ">***<", 2005),
        (">iVBORw0KGgo=<", ">Qk0=<", 2005),
        (">q@example.cn<", ">q<", 2005),
        ("<e:idType>1", "<e:idType>7", 2004),
        (">88.104<", ">88.105<", 2201),
        ("<e:entType>", "<e:colour>red</e:colour><e:entType>", 2001),
    ] {
        assert_eq!(code(create(&RIGHT.replacen(from, to, 1), "WM-wrong")).await, expected, "{from} {to}");
    }
    assert_eq!(code(b"<epp><".to_vec()).await, 2001);
    assert_eq!(code(command("<login/>", "WM-login")).await, 2002);
    assert_eq!(code(command("<info/>", "WM-info")).await, 2002);
    assert_eq!(code(create(RIGHT, "")).await, 2003, "no clTRID");
    assert!(simulator.holdings().enterprises.is_empty(), "nothing was held of all these");

    assert_eq!(code(create(RIGHT, "WM-right")).await, 1000);
    assert_eq!(code(create(RIGHT, "WM-right")).await, 1000, "the answer it had");
    assert_eq!(code(create(RIGHT, "WM-again")).await, 2302);
    let ent_id = simulator.holdings().enterprises.keys().next().unwrap().clone();
    let wanted = |own: &str, ent_id: &str, prefix: &str| {
        format!("<p:shrPrefix>{own}</p:shrPrefix><p:entId>{ent_id}</p:entId><p:prefix>{prefix}</p:prefix>")
    };
    assert_eq!(code(prefix("create", &wanted("88.104", "none", "88.104.1"), "WM-p1")).await, 2303);
    assert_eq!(code(prefix("create", &wanted("88.104", &ent_id, "88.105.1"), "WM-p2")).await, 2005);
    assert_eq!(code(prefix("create", &wanted("88.104", &ent_id, "88.104.1"), "WM-p3")).await, 1000);
    assert_eq!(code(prefix("create", &wanted("88.104", &ent_id, "88.104.1"), "WM-p4")).await, 2302);
    assert_eq!(code(command("<poll op=\"req\"/>", "WM-poll")).await, 1300);
    assert_eq!(code(command("<poll op=\"ack\" msgID=\"9\"/>", "WM-ack")).await, 2303);
    for wanted in [2400, 2500] {
        simulator.inject(None, Fault::Code(wanted));
        assert_eq!(code(command("<poll op=\"req\"/>", "WM-poll")).await, wanted);
    }
    let held = simulator.holdings();
    assert_eq!((held.enterprises[&ent_id].made, held.prefixes["88.104.1"].made), (1, 1));
}
