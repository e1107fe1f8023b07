//! What is wrong with a deposit is said with the code the drafts have for it. Reports are changed as text and signed anew, so that nothing but the
//! change is wrong.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sm3::{Digest as _, Sm3};
use waymark_top_sync::deposit::{Delivery, Judgement, Table, Wanted, config::PART_BYTES, make, parse_date};
use waymark_top_sync::sftp::Link;
use waymark_wire::crypto::{OsRng, PrivateKey};

use crate::node::{Node, PATIENCE, PREFIX, at, clock, set};
use crate::platform::Platform;

/// A Sunday.
const DAY: &str = "2026-11-29";

/// The user id of the drafts' signatures, that of GM/T 0009.
const USER_ID: &[u8] = b"1234567812345678";

fn sign(key: &PrivateKey, path: &Path, signature: &Path) {
    let digest: [u8; 32] = Sm3::digest(fs::read(path).unwrap()).into();
    fs::write(signature, hex::encode(key.sign_sm2(USER_ID, &digest, &mut OsRng).unwrap())).unwrap();
}

/// A deposit of a Sunday in a folder.
struct Shop {
    node: Node<11>,
    platform: Platform,
}

impl Shop {
    async fn new() -> Self {
        let node = Node::<11>::new();
        node.put("kept", b"1");
        let platform = Platform::start(node.folder.path(), &node.own.public_key(), clock::<11>).await;
        set::<11>(at(DAY, 40));
        Self { node, platform }
    }

    /// Makes one, changes its report, calls its files by another name, brings it, and hears what is said of it.
    async fn judged(&self, user: &str, (from, to): (&str, &str), name: (&str, &str)) -> Judgement {
        let folder = self.node.folder.path().join("made");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let halt = AtomicBool::new(false);
        let wanted = Wanted {
            prefix: PREFIX,
            extent: None,
            date: Some(parse_date(DAY).unwrap()),
            folder: &folder,
            platform: &self.platform.key.public_key(),
            own: &self.node.own,
            part_bytes: PART_BYTES.default,
            group_bytes: 1 << 20,
            delivery: Delivery::Hand,
            halt: Some(&halt),
        };
        let mut table = Table::open(&self.node.data()).unwrap();
        let made = make(&self.node.catalog, &mut table, &wanted, clock::<11>()).unwrap();
        let report = folder.join(made.report.to_string());
        let text = fs::read_to_string(&report).unwrap();
        let resend = format!("_R{}", made.report.revision);
        let (from, to) = (from.replace("_R0", &resend), to.replace("_R0", &resend));
        assert!(text.contains(&from), "{from:?} is not in {text}");
        fs::write(&report, text.replacen(&from, &to, 1).replace(name.0, name.1)).unwrap();
        sign(&self.node.own, &report, &report.with_extension("rep.sig"));
        let link = Link::open(&self.platform.endpoint(), user).await.unwrap();
        let mut names: Vec<String> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_by_key(|name| (name.ends_with(".rep"), name.clone()));
        for file in &names {
            link.put(&folder.join(file), "upload", &file.replace(name.0, name.1), &format!("{file}.part"))
                .await
                .unwrap();
        }
        let said = format!("report/{}", made.report.to_string().replace(name.0, name.1));
        let waiting = async {
            loop {
                if let Some(bytes) = link.read(&said, 64 << 10).await.unwrap() {
                    return Judgement::read(&bytes).unwrap();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let judgement = tokio::time::timeout(PATIENCE, waiting).await.expect("it is judged");
        self.platform.until_empty(user).await;
        judgement
    }
}

/// A code, who sends it, and what is replaced in the document and in the name of its file.
type Case = (u16, &'static str, (&'static str, &'static str), (&'static str, &'static str));

#[tokio::test(flavor = "multi_thread")]
async fn each_code_is_given_for_what_it_is_for() {
    let shop = Shop::new().await;
    let same = ("_full_", "_full_");
    let nothing = ("<report", "<report");
    let cases: [Case; 9] = [
        (2001, "node990", ("<count ", "<number "), same),
        (2003, "node990", ("version=\"1\" type", "version=\"9\" type"), same),
        (2004, "node990", ("resend=\"", "resend=\"7"), same),
        (2006, "node990", ("created=\"2026-11-25", "created=\"2026-11-30"), same),
        (2201, "other", nothing, same),
        (2201, "node990", ("prefix=\"88.990\"", "prefix=\"88.999\""), same),
        (2202, "node990", ("type=\"FULL\"", "type=\"DIFF\""), ("_full_", "_diff_")),
        (2203, "node990", ("prefix=\"88.990\"", "prefix=\"\""), same),
        (
            2204,
            "node990",
            ("<count ", "<count kind=\"identifier\" contents=\"1\" deletes=\"0\" values=\"1\"/><count "),
            same,
        ),
    ];
    for (code, user, change, name) in cases {
        let judgement = shop.judged(user, change, name).await;
        assert_eq!(judgement.code, code, "{change:?}: {judgement:?}");
        assert!(!judgement.reason.is_empty());
    }
    assert!(shop.platform.desk.chain(PREFIX).is_none());

    // The platform's clock is behind: the day has not begun there.
    let ahead = shop.judged("node990", nothing, (DAY, "2026-12-06")).await;
    assert_eq!(ahead.code, 2002, "{ahead:?}");

    let good = shop.judged("node990", nothing, same).await;
    assert_eq!((good.code, good.reason.as_str()), (1000, ""));
    let head = shop.platform.desk.chain(PREFIX).unwrap().heads.remove(0);
    assert_eq!((Some(head.id), head.resend), (good.id, good.resend));

    // What was signed with another key than the node's is of nobody.
    let other = Shop { node: Node { own: PrivateKey::generate_sm2(&mut OsRng), ..shop.node }, platform: shop.platform };
    let forged = other.judged("node990", nothing, same).await;
    assert_eq!(forged.code, 0, "there is no code for it: {forged:?}");
    assert!(forged.reason.contains("signature"), "{forged:?}");
}
