//! What is said of people leaves in the commands that need it, and is nowhere else: not in the log, not in the file of transactions.

use std::sync::{Arc, Mutex};

use base64ct::{Base64, Encoding as _};
use waymark_top_sync::epp::driver::transport::{Exchanged, HttpTransport, Transport};
use waymark_top_sync::epp::exchange::{Trouble, TroubleKind};
use waymark_top_sync::simulator::epp::{Fault, Kind};
use zeroize::Zeroizing;

use crate::link::{Link, assert_equal, file, simulator, transport, until};
use crate::logged::Logged;
use crate::node::{Node, personal, png, profile};

/// What must not be found.
fn words() -> Vec<Vec<u8>> {
    let people = personal();
    let texts = [
        &people.legal_person.name,
        &people.legal_person.document_number,
        &people.contact.name,
        &people.contact.document_number,
        &people.phone,
        &people.email,
    ];
    let mut words: Vec<Vec<u8>> = texts.into_iter().map(|text| text.clone().into_bytes()).collect();
    for mark in [1, 2] {
        let image = Base64::encode_string(&png(mark));
        words.push(image.as_bytes()[32..64].to_vec());
    }
    words
}

fn found(bytes: &[u8]) -> Vec<String> {
    let holds = |word: &Vec<u8>| bytes.windows(word.len()).any(|window| window == word.as_slice());
    words().iter().filter(|word| holds(word)).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Notes what leaves, by the verb of the command.
struct Noted {
    inner: HttpTransport,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Transport for Noted {
    fn send(&self, command: Zeroizing<Vec<u8>>) -> Exchanged<'_> {
        self.sent.lock().unwrap().push(command.to_vec());
        self.inner.send(command)
    }
}

/// An answer that repeats what it was told.
struct Repeating;

impl Transport for Repeating {
    fn send(&self, command: Zeroizing<Vec<u8>>) -> Exchanged<'_> {
        Box::pin(async move {
            let text = String::from_utf8_lossy(&command).into_owned();
            let id =
                text.split("<clTRID>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default().to_owned();
            let answer = |inner: &str| {
                let trid = format!("<trID><clTRID>{id}</clTRID></trID>");
                format!("<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response>{inner}{trid}</response></epp>")
                    .into_bytes()
            };
            if text.contains("<poll") {
                return Ok(answer("<result code=\"1300\"/>"));
            }
            if text.contains("<check") {
                let data =
                    "<resData><e:chkData xmlns:e=\"urn:ietf:params:xml:ns:idis-ent-1.0\" avail=\"1\"/></resData>";
                return Ok(answer(&format!("<result code=\"1000\"/>{data}")));
            }
            if !text.contains("<create") {
                return Err(Trouble::new(TroubleKind::Unexpected, "no other command is expected"));
            }
            let people = personal();
            let said = format!(
                "wrong: {} {} {} {}",
                people.legal_person.name, people.legal_person.document_number, people.phone, people.email
            );
            Ok(answer(&format!("<result code=\"2005\"><msg>{said}</msg></result>")))
        })
    }
}

#[tokio::test(flavor = "current_thread")]
async fn no_log_and_no_file_holds_anything_of_people_and_only_two_commands_carry_it() {
    let logged = Logged::listen();
    let dir = tempfile::tempdir().unwrap();
    let (node, simulator) = (Node::open(dir.path()), simulator().await);
    let enterprise = node.enterprise(1);
    node.approve(enterprise, "88.104.1");
    for fault in [Fault::DropAnswer, Fault::HalfAnswer, Fault::Code(2005), Fault::Bytes(b"<x/>".to_vec())] {
        simulator.inject(Some(Kind::CreateEnterprise), fault);
    }
    let sent = Arc::new(Mutex::new(Vec::new()));
    let noted = Noted { inner: transport(&simulator.url(), None), sent: Arc::clone(&sent) };
    let link = Link::over(&node, dir.path(), Box::new(noted));
    until("active", || node.awaits_nothing()).await;
    let mut changed = profile(1);
    changed.address = "别处 2 号".into();
    node.put(Some(enterprise), changed.clone(), None);
    until("amended", || simulator.holdings().enterprises.values().all(|held| held.amended == 1)).await;
    changed.name = "改名".into();
    node.put(Some(enterprise), changed, None);
    until("replaced", || simulator.holdings().enterprises.values().all(|held| held.replaced == 1)).await;
    assert_equal(&node, &simulator);
    let shown = format!("{:?} {:?}", link.docking.status(), link.docking);
    link.stop().await;
    tracing::warn!("the log is listened to");

    for command in sent.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(command);
        let may = text.contains("<ent:create") || text.contains("<ent:chgAll");
        assert_eq!(!found(command).is_empty(), may, "{}", text.chars().take(300).collect::<String>());
    }
    let log = logged.all();
    assert!(String::from_utf8_lossy(&log).contains("the log is listened to"));
    assert_eq!(found(&log), Vec::<String>::new(), "in the log");
    let kept = std::fs::read(file(dir.path())).unwrap();
    assert!(kept.len() > 500);
    assert_eq!(found(&kept), Vec::<String>::new(), "in the file of transactions");
    assert_eq!(found(shown.as_bytes()), Vec::<String>::new(), "in what is shown");
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_that_repeats_what_it_was_told_is_kept_without_it() {
    let logged = Logged::listen();
    let dir = tempfile::tempdir().unwrap();
    let node = Node::open(dir.path());
    let enterprise = node.enterprise(1);
    node.approve(enterprise, "88.104.1");
    let link = Link::over(&node, dir.path(), Box::new(Repeating));
    let detail = || {
        let shown = link.docking.status().transactions;
        shown.into_iter().find_map(|each| each.trouble).map(|trouble| trouble.detail)
    };
    until("refused", || detail().is_some_and(|detail| detail.starts_with("2005"))).await;
    assert_eq!(detail().unwrap(), "2005 wrong: … … … …");
    link.stop().await;
    let log = logged.all();
    assert!(String::from_utf8_lossy(&log).contains("2005"));
    assert_eq!(found(&log), Vec::<String>::new());
    assert_eq!(found(&std::fs::read(file(dir.path())).unwrap()), Vec::<String>::new());
}
