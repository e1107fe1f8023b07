//! What servers answer that do not answer honestly.

use waymark_wire::crypto::OsRng;
use waymark_wire::crypto::signed_message::certify_response;
use waymark_wire::request::{Request, RequestBody};
use waymark_wire::types::{HS_SERV, HS_SERV_PREFIX, HS_SITE, HS_SITE_PREFIX};
use waymark_wire::{OpFlags, ResponseCode, ValueBuf};

use crate::prng::Prng;
use crate::world::{FALSE_KEY, KEYS, ROOTS, Said, ServiceId, Signer, World, value, write};

/// The handle a request asks for.
pub fn handle_of(request: &[u8]) -> Vec<u8> {
    match Request::parse(request).unwrap().body {
        RequestBody::Resolution(body) => body.handle.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// Whether a request asks for a certified answer.
pub fn wants_certification(request: &[u8]) -> bool {
    Request::parse(request).unwrap().message.header.flags.has(OpFlags::CERT)
}

/// Whether a request lets the server decide by an identity.
fn passes_identity(request: &[u8]) -> bool {
    Request::parse(request).unwrap().message.header.flags.has(OpFlags::IDENTITY_TOKEN)
}

/// Something that nobody can take for an answer, from a server that can sign: a broken server, or a broken path.
pub fn nonsense(rng: &mut Prng, request: &[u8], mut honest: Vec<u8>, signer: Signer) -> Vec<u8> {
    let stranger = || vec![value(1, b"URL", b"another handle's")];
    match rng.below(9) {
        0 => write(request, &Said::Values(b"66/other".to_vec(), stranger()), true, &signer),
        1 => {
            honest[20..24].copy_from_slice(&100_u32.to_be_bytes());
            honest
        }
        2 => {
            honest.truncate(rng.index(honest.len()));
            honest
        }
        3 => (0..rng.below(200)).map(|_| rng.next().to_le_bytes()[0]).collect(),
        4 => request.to_vec(),
        5 => {
            let mut codes = vec![2, 3, 4, 5, 6, 7, 101, 202, 300, 301, 402, 500, 604, 902, 77_777];
            if !passes_identity(request) {
                codes.extend([400, 401, 403]);
            }
            write(request, &Said::Code(ResponseCode(*rng.pick(&codes))), true, &signer)
        }
        6 => {
            // Another spelling of what was asked.
            let mut handle = handle_of(request);
            handle.push(b'x');
            write(request, &Said::Values(handle, stranger()), true, &signer)
        }
        7 => write(request, &Said::Referral(ResponseCode(302), Vec::new(), stranger()), true, &signer),
        _ => {
            let twice = vec![value(7, b"URL", b"one"), value(7, b"URL", b"two")];
            write(request, &Said::Values(handle_of(request), twice), true, &signer)
        }
    }
}

/// A lie that is well made: about the handle asked, about others, about who is to be asked.
fn forged(rng: &mut Prng, world: &World, evil: ServiceId, handle: &[u8]) -> Said {
    let sites = |kind: &[u8]| world.site_values(evil, kind, 1);
    let honest_sites = || world.site_values(ROOTS, HS_SITE, 1);
    let handles = |kind: &[u8], handle: &[u8]| -> Vec<ValueBuf> { vec![value(1, kind, handle)] };
    let (service, prefix) = (ResponseCode::SERVICE_REFERRAL, ResponseCode::PREFIX_REFERRAL);
    match rng.below(14) {
        0 => Said::Referral(service, Vec::new(), sites(HS_SITE)),
        1 => Said::Referral(prefix, Vec::new(), sites(HS_SITE_PREFIX)),
        2 => Said::Referral(prefix, b"0.NA/88".to_vec(), sites(HS_SITE_PREFIX)),
        3 => Said::Values(b"0.NA/88.1".to_vec(), sites(HS_SITE)),
        4 => Said::Values(handle.to_vec(), [sites(HS_SITE), world.site_values(evil, HS_SITE_PREFIX, 50)].concat()),
        5 => Said::Referral(service, Vec::new(), honest_sites()),
        6 => Said::ReferralTo(service, b"88.1/a".to_vec()),
        7 => Said::ReferralTo(prefix, b"0.NA/88.1".to_vec()),
        8 => Said::Referral(prefix, Vec::new(), handles(HS_SERV_PREFIX, b"66/service")),
        9 => Said::Values(handle.to_vec(), handles(HS_SERV, b"66/a")),
        10 => Said::Code(ResponseCode::HANDLE_NOT_FOUND),
        11 => Said::Code(ResponseCode::VALUES_NOT_FOUND),
        12 => Said::Code(ResponseCode::INVALID_HANDLE),
        _ => Said::Values(handle.to_vec(), vec![value(1, b"URL", b"forged")]),
    }
}

/// A server of a service that lies about everything, properly signed.
pub fn lie(rng: &mut Prng, world: &World, evil: ServiceId, request: &[u8]) -> Vec<u8> {
    let said = forged(rng, world, evil, &handle_of(request));
    write(request, &said, true, &Signer(Some(world.services[evil].key)))
}

/// A lie by someone on the path of a certified question: not signed, signed with another key, or signed for another question.
pub fn uncertified(rng: &mut Prng, world: &World, evil: ServiceId, request: &[u8], honest: &[u8]) -> Vec<u8> {
    let said = forged(rng, world, evil, &handle_of(request));
    match rng.below(4) {
        0 => write(request, &said, true, &Signer(None)),
        1 => write(request, &said, true, &Signer(Some(FALSE_KEY))),
        2 => {
            let mut changed = honest.to_vec();
            let at = 20 + rng.index(24);
            changed[at] ^= 1 << rng.below(8);
            changed
        }
        _ => {
            let mut resigned = honest.to_vec();
            certify_response(&mut resigned, &KEYS[FALSE_KEY], &mut OsRng).unwrap();
            resigned
        }
    }
}
