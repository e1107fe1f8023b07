//! Items 3 to 5: resolution by transport and family, who is shown what, and who is believed.

use super::registering::{FIRST, MIXED};
use super::stage::{NODE, Stage};
use super::tried::Item;

/// Item 3: the identifier and its prefix, over each transport and family.
pub(super) fn resolution(stage: &Stage) -> Item {
    Item::of_steps(3, |item| {
        for (scheme, family, step) in [
            ("udp", false, "udp-ipv4"),
            ("tcp", false, "tcp-ipv4"),
            ("udp", true, "udp-ipv6"),
            ("tcp", true, "tcp-ipv6"),
        ] {
            let Some(server) = stage.door(scheme, family) else {
                let asked = format!("resolve {FIRST} over {scheme}, IPv{}", if family { 6 } else { 4 });
                // Another door of that transport is open, so it is the machine that lacks the family.
                if family && stage.door(scheme, false).is_some() {
                    item.not_built(step, asked, "this machine has no IPv6 on loopback");
                } else {
                    item.tell(step, asked, "the node does not listen there", false);
                }
                continue;
            };
            let told = stage.resolve(&server, FIRST, &[]);
            let held = told.code == 0 && told.at("/values/0/type") == "URL";
            item.tell(step, told.words.clone(), told.seen(), held);
            let site = stage.resolve(&server, &format!("0.NA/{NODE}"), &["--type", "HS_SITE"]);
            let bare = stage.resolve(&server, NODE, &["--type", "HS_SITE"]);
            let held = bare.at("/values/0/type") == "HS_SITE";
            let seen = format!("bare: {}; 0.NA: {}", bare.seen(), site.seen());
            item.tell("prefix", bare.words.clone(), seen, held);
            let absent = stage.resolve(&server, "88.990.701/NOT-THERE", &[]);
            item.tell("absent", absent.words.clone(), absent.seen(), absent.code == 3);
        }
        item.not_built("http", "resolution over HTTP", "this node has no such door");
    })
}

/// Item 4: public and restricted values, for the anonymous, a reader, a writer, an administrator and somebody else's reader.
pub(super) fn permissions(stage: &Stage) -> Item {
    Item::of_steps(4, |item| {
        let Some(server) = stage.door("udp", false).or_else(|| stage.door("tcp", false)) else {
            item.tell("anonymous", format!("resolve {MIXED}"), "the node does not listen", false);
            return;
        };
        let anonymous = stage.resolve(&server, MIXED, &[]);
        let values = anonymous.at("/values").as_array().cloned().unwrap_or_default();
        let held = values.len() == 1 && !anonymous.out.contains(RESTRICTED);
        item.tell("anonymous", anonymous.words.clone(), anonymous.seen(), held);
        let asked_for = stage.resolve(&server, MIXED, &["--index", "2", "--restricted"]);
        let held = asked_for.code != 0 && !asked_for.out.contains(RESTRICTED);
        item.tell("anonymous-restricted", asked_for.words.clone(), asked_for.seen(), held);
        for (who, sees) in
            [("reader", true), ("writer", true), ("enterprise", true), ("operator", true), ("stranger", false)]
        {
            let got = stage.by(who, &["get", MIXED, "--json"]);
            let held = got.code == 0 && got.out.contains(RESTRICTED) == sees;
            item.tell(who, format!("{} as {who}", got.words), got.seen(), held);
        }
        let written = stage.by("reader", &["register", "88.990.701/BY-READER", "--value", "1 URL u", "--json"]);
        item.tell("reader-writes", written.words.clone(), written.seen(), written.reason() == "NOT_PERMITTED");
    })
}

/// What the restricted value holds.
const RESTRICTED: &str = "restricted-value";

/// Item 5: who is believed.
pub(super) fn authentication(stage: &Stage) -> Item {
    Item::of_steps(5, |item| {
        let known = stage.by("reader", &["whoami", "--json"]);
        item.tell("token", known.words.clone(), known.seen(), known.at("/principal") == "reader");
        let wrong = stage.put("wrong.token", format!("wm1_0123456789abcdef_{}", "0".repeat(64)).as_bytes());
        let refused = stage.with_token(&wrong, &["whoami", "--json"]);
        item.tell("wrong-token", refused.words.clone(), refused.seen(), refused.reason() == "UNAUTHENTICATED");
        revoked(stage, item);
        for (step, asked) in [
            ("rsa-challenge", "an answer to a challenge, signed with RSA"),
            ("sm2-challenge", "an answer to a challenge, signed with SM2"),
            ("replayed-answer", "an answer that was given before"),
        ] {
            item.not_built(step, asked, "the binary door takes no answers to challenges yet");
        }
        item.not_built("expired-token", "a token past its time", "tokens live a day at least, the rehearsal does not");
    })
}

/// A token that was good and is revoked.
fn revoked(stage: &Stage, item: &mut Item) {
    let file = stage.path("revoked.token");
    let to = file.to_str().unwrap_or_default();
    let issued = stage.by("operator", &["token", "issue", "reader", "--to", to]);
    let given = std::fs::read_to_string(&file).unwrap_or_default();
    let id = given.split('_').nth(1).unwrap_or_default().to_owned();
    let revoked = stage.by("operator", &["token", "revoke", &id, "--reason", "rehearsal"]);
    let refused = stage.with_token(&file, &["whoami", "--json"]);
    let held = issued.code == 0 && revoked.code == 0 && refused.reason() == "TOKEN_REVOKED";
    item.tell("revoked-token", "whoami with a token that was revoked", refused.seen(), held);
}
