//! AUTH, CERT, PUBL, DNRF and the identity of the dialect.

use waymark_recursive_cache::knowledge::Fact;
use waymark_recursive_cache::plan::{Asked, Conclusion, Why};
use waymark_wire::request::Request;
use waymark_wire::types::HS_SITE;
use waymark_wire::{Message, OpFlags, ResponseCode};

use super::{learned_services, say, three_levels, two_levels, url, why};
use crate::scene::{asked, fact_of, found};
use crate::world::{FALSE_KEY, ROOTS, Said, Signer, write};

/// "PUBL set, no RECU (we walk ourselves)": each question upstream is for public values, of this server alone. KPAL keeps a stream open.
#[test]
fn questions_upstream_are_for_public_values_and_not_recursive() {
    let (mut scene, _) = two_levels();
    scene.ask("88.1/a");
    let flags = OpFlags::PUBL.with(OpFlags::KPAL);
    assert!(scene.sent.iter().all(|sent| sent.flags == flags && sent.extra.is_none()), "{:?}", scene.sent);
}

/// "Popular entries are refreshed before they expire": then the server is asked though its answer is known, by way of what is known.
#[test]
fn a_known_answer_is_asked_for_anew_when_that_is_wanted() {
    let (mut scene, _) = two_levels();
    scene.ask("88.1/a");
    scene.ask("88.1/a");
    assert!(scene.sent.is_empty(), "it is known");
    found(&scene.resolve(Asked { anew: true, ..asked("88.1/a") }));
    assert_eq!(scene.handles_sent(), ["88.1/a"]);
    assert_eq!(scene.learned.len(), 1);
}

/// "Recursion count + 1."
#[test]
fn the_recursion_count_grows_by_one() {
    let (mut scene, _) = two_levels();
    scene.resolve(Asked { recursion_count: 4, ..asked("88.1/a") });
    assert!(scene.sent.iter().all(|sent| sent.recursion_count == 5));
}

/// "AUTH: answer authoritatively (ask a primary)": of the handle's service only the primary site is asked, with the flag; the way there is
/// asked as usual.
#[test]
fn authority_is_asked_of_primaries_alone() {
    let (mut scene, node) = two_levels();
    let authority = || Asked { authority: true, ..asked("88.1/a") };
    found(&scene.resolve(authority()));
    assert_eq!(scene.sent.iter().map(|sent| sent.flags.has(OpFlags::AUTH)).collect::<Vec<_>>(), [false, true]);
    scene.memory = crate::memory::Memory::default();
    for server in scene.world.services[node].sites[0].clone() {
        scene.behaviours.insert(server, Box::new(|_, _| None));
    }
    assert_eq!(why(&scene.resolve(authority())), Why::NoAnswer);
    assert_eq!(scene.sent.len(), 2, "the second site is no primary");
    // The way there is asked of any site.
    scene.memory = crate::memory::Memory::default();
    scene.behaviours.clear();
    let primary = scene.server(ROOTS, 0, 0);
    scene.behaviours.insert(primary, Box::new(|_, _| None));
    found(&scene.resolve(authority()));
    scene.behaviours.clear();
    let secondary = scene.world.sites(node)[1].clone();
    scene.world.put(ROOTS, b"0.NA/88.6", vec![crate::world::value(1, HS_SITE, &secondary)]);
    assert_eq!(why(&scene.resolve(Asked { authority: true, ..asked("88.6/a") })), Why::NoPrimary);
}

/// "AUTH bypasses knowledge of the fact (not of services)", absences included.
#[test]
fn authority_bypasses_what_is_known_of_the_handle() {
    let (mut scene, node) = two_levels();
    scene.ask("88.1/a");
    scene.ask("88.3/a");
    scene.world.services[node].records.clear();
    scene.world.put(node, b"88.1/a", url("new"));
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    assert_eq!(*found(&scene.resolve(Asked { authority: true, ..asked("88.1/a") })), fact_of(&url("new")));
    assert_eq!(scene.handles_sent(), ["88.1/a"]);
    scene.world.delegate(ROOTS, b"88.3", node);
    scene.world.put(node, b"88.3/a", url("three"));
    assert_eq!(*found(&scene.resolve(Asked { authority: true, ..asked("88.3/a") })), fact_of(&url("three")));
    assert_eq!(scene.handles_sent(), ["0.NA/88.3", "88.3/a"]);
}

/// "CERT asks every step with CERT and verifies each answer against the public key of the server asked."
#[test]
fn a_certified_question_is_answered_from_verified_answers() {
    let (mut scene, _, _) = three_levels();
    let certified = || Asked { certified: true, ..asked("88.1/a") };
    match scene.resolve(certified()) {
        Conclusion::Found { fact, certified: true, .. } => assert_eq!(*fact, fact_of(&url("a"))),
        other => panic!("{other:?}"),
    }
    assert!(scene.sent.iter().all(|sent| sent.flags.has(OpFlags::CERT.with(OpFlags::RRDG))));
    assert!(scene.learned.iter().all(|learned| learned.certified));
    // What was certified serves every question; what was not serves none that must be.
    scene.ask("88.1/a");
    assert_eq!(scene.sent.len(), 0);
    let (mut scene, _, _) = three_levels();
    scene.ask("88.1/a");
    assert!(scene.learned.iter().all(|learned| !learned.certified));
    scene.resolve(certified());
    assert_eq!(scene.sent.len(), 3);
}

/// "Unverified answers count as failures of that candidate": without signature, of another key, with a changed body, for another request,
/// expired; on each step, and whatever the code.
#[test]
fn nothing_uncertified_answers_a_certified_question() {
    type Spoil = fn(&[u8], Vec<u8>) -> Vec<u8>;
    let spoilt: [Spoil; 7] = [
        |request, _| say(request, &Said::Code(ResponseCode::HANDLE_NOT_FOUND)).unwrap(),
        |request, _| write(request, &Said::Code(ResponseCode::HANDLE_NOT_FOUND), true, &Signer(Some(FALSE_KEY))),
        |_, honest| {
            let message = Message::parse(&honest).unwrap();
            let end = 20 + message.signed.len();
            let mut unsigned = honest[..end].to_vec();
            unsigned[16..20].copy_from_slice(&u32::try_from(end - 20).unwrap().to_be_bytes());
            unsigned
        },
        |_, mut honest| {
            // A flag of the header, which is signed.
            honest[31] ^= 1;
            honest
        },
        |_, mut honest| {
            // The request id is signed as well.
            honest[11] ^= 1;
            honest
        },
        |request, honest| {
            // Properly signed, by the right server, for a request that differs in a flag.
            let mut other = request.to_vec();
            other[28] ^= 0x80;
            let key = [0, 1].into_iter().find(|key| {
                let public = crate::world::KEYS[*key].public_key();
                let message = Message::parse(&honest).unwrap();
                waymark_wire::crypto::signed_message::verify_certified(&message, &public).is_ok()
            });
            let name = Request::parse(request).unwrap();
            let waymark_wire::request::RequestBody::Resolution(body) = name.body else { unreachable!() };
            write(&other, &Said::Values(body.handle.to_vec(), url("old")), true, &Signer(key))
        },
        |request, honest| {
            let mut expired = honest;
            expired[36..40].copy_from_slice(&1_u32.to_be_bytes());
            let key = if request.windows(6).any(|bytes| bytes == b"88.1/a") { 1 } else { 0 };
            waymark_wire::crypto::signed_message::certify_response(
                &mut expired,
                &crate::world::KEYS[key],
                &mut waymark_wire::crypto::OsRng,
            )
            .unwrap();
            expired
        },
    ];
    for (at, spoil) in spoilt.into_iter().enumerate() {
        for liars in [ROOTS, 1] {
            let (mut scene, _) = two_levels();
            scene.all_do(liars, move |request, honest| Some(spoil(request, honest)));
            let conclusion = scene.resolve(Asked { certified: true, ..asked("88.1/a") });
            assert_eq!(why(&conclusion), Why::Uncertified, "{at}, service {liars}");
        }
    }
}

/// A server without a key cannot certify, so it is not asked.
#[test]
fn servers_without_a_key_are_not_asked_certified_questions() {
    let (mut scene, node) = two_levels();
    let keyless = scene.world.keyless_site(node);
    scene.world.services[node].homed.insert(b"88.4".to_vec());
    scene.world.put(ROOTS, b"0.NA/88.4", vec![crate::world::value(1, HS_SITE, &keyless)]);
    assert_eq!(why(&scene.resolve(Asked { certified: true, ..asked("88.4/a") })), Why::NoServer);
}

/// "Prefix referral ... unless DNRF (then 100)", "302 ...; 301 when DNRF is set": only where the handle itself is concerned.
#[test]
fn referrals_for_the_handle_itself_end_a_question_without_referrals() {
    let without = |handle: &str| Asked { no_referral: true, ..asked(handle) };
    let (mut scene, _, _) = three_levels();
    let not_found = Conclusion::Refused { code: ResponseCode::HANDLE_NOT_FOUND };
    assert_eq!(scene.resolve(without("0.NA/88.1")), not_found);
    assert_eq!((scene.sent.len(), scene.learned.len()), (1, 0), "that it is absent would be a lie");
    // On the way to a handle referrals are followed.
    assert_eq!(*found(&scene.resolve(without("88.1/a"))), fact_of(&url("a")));

    let (mut scene, node) = two_levels();
    let sites = scene.world.site_values(node, HS_SITE, 1);
    scene.world.services[node].refers.insert(b"88.1/far".to_vec(), sites);
    let not_responsible = Conclusion::Refused { code: ResponseCode::SERVER_NOT_RESPONSIBLE };
    assert_eq!(scene.resolve(without("88.1/far")), not_responsible);
    assert!(scene.sent.iter().all(|sent| !sent.flags.has(OpFlags::DNRF)));
}

/// "The flag 0x00000004 that asks a recursive node to pass identity on": exactly what was asked goes to the handle's server, its answer goes
/// back as it is, and neither the token nor the answer go anywhere else.
#[test]
fn an_identity_is_passed_to_the_server_of_the_handle_alone() {
    let (mut scene, node) = two_levels();
    let question = Asked {
        identity: Some(Box::from(&b"token"[..])),
        indexes: Box::new([1, 7]),
        types: Box::new([Box::from(&b"URL"[..])]),
        ..asked("88.1/a")
    };
    let conclusion = scene.resolve(question.clone());
    let Conclusion::Passed { message, from } = conclusion else { panic!("{conclusion:?}") };
    assert_eq!(scene.world.place(from), (node, 0));
    assert!(message.windows(3).any(|bytes| bytes == b"URL"));
    assert_eq!(scene.sent[0].extra, None);
    assert!(!scene.sent[0].flags.has(OpFlags::IDENTITY_TOKEN));
    let last = &scene.sent[1];
    let flags = OpFlags::IDENTITY_TOKEN.with(OpFlags::KPAL);
    assert_eq!((last.flags, last.extra.as_deref()), (flags, Some(&b"token"[..])));
    assert_eq!((&last.indexes[..], &last.types[..]), (&[1, 7][..], &["URL".to_owned()][..]));
    assert_eq!(learned_services(&scene).len(), 1);
    let is_answer = |learned: &waymark_recursive_cache::knowledge::Learned| matches!(&learned.what, waymark_recursive_cache::knowledge::What::Fact { key, .. } if **key == *b"88.1/a");
    assert!(!scene.learned.iter().any(is_answer));
    // What everybody may know of the handle does not answer it.
    scene.ask("88.1/a");
    scene.resolve(Asked { public_only: true, ..question });
    assert_eq!(scene.sent.len(), 1);
    assert!(scene.sent[0].flags.has(OpFlags::PUBL));
}

/// Whatever the server answers to the identity is for the client: no values, no handle, no right. What is no answer is not.
#[test]
fn refusals_of_an_identity_are_passed_on() {
    for code in [100, 102, 200, 400, 401, 403, 404, 405, 406] {
        let (mut scene, node) = two_levels();
        scene.all_do(node, move |request, _| say(request, &Said::Code(ResponseCode(code))));
        let question = Asked { identity: Some(Box::default()), ..asked("88.1/a") };
        let Conclusion::Passed { message, .. } = scene.resolve(question) else { panic!("{code}") };
        assert_eq!(Message::parse(&message).unwrap().header.response_code, ResponseCode(code));
    }
    for code in [3, 402] {
        let (mut scene, node) = two_levels();
        scene.all_do(node, move |request, _| say(request, &Said::Code(ResponseCode(code))));
        let question = Asked { identity: Some(Box::default()), ..asked("88.1/a") };
        assert_eq!(why(&scene.resolve(question)), Why::Unable, "{code}");
    }
}

/// With an identity the handle is asked as the client wrote it and in no other form, since the answer goes back as it is.
#[test]
fn an_identity_keeps_the_form_of_the_handle() {
    let (mut scene, _) = two_levels();
    let question = Asked { identity: Some(Box::default()), ..asked("88.1") };
    assert!(matches!(scene.resolve(question), Conclusion::Passed { .. }));
    assert_eq!(scene.handles_sent(), ["88.1"]);
    assert_eq!(scene.learned, []);
    assert!(matches!(*found(&scene.ask("88.1")), Fact::Values(_)));
}
