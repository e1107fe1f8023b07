//! What servers of others answer, through the plan of a question.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use waymark_recursive_cache::cache::{Cache, CacheLimits};
use waymark_recursive_cache::config::PlanLimits;
use waymark_recursive_cache::knowledge::{Fact, Learned, Now, Service, What};
use waymark_recursive_cache::plan::{Action, Ask, Asked, Conclusion, Event, Plan};
use waymark_wire::crypto::OsRng;
use waymark_wire::crypto::PrivateKey;
use waymark_wire::crypto::key_file::open;
use waymark_wire::crypto::signed_message::certify_response;
use waymark_wire::limits::ResponseLimits;
use waymark_wire::request::{Request, RequestBody};
use waymark_wire::response::{OwnIdentity, Response, ResponseWriter, respond_to};
use waymark_wire::types::{
    HS_NA_DELEGATE, HS_SERV, HS_SERV_PREFIX, HS_SITE, HS_SITE_6, HS_SITE_PREFIX, Interface, InterfaceKind,
    InterfaceProtocol, ServerBuf, Site, SiteBuf, SiteFlags,
};
use waymark_wire::{DecodeError, Head, NoRoom, Permissions, Reader, ResponseCode, Ttl, ValueBuf, Values, Version};

use super::script::{piece, put_piece};

/// The input is a script: questions, and for each query what comes back.
///
/// Whatever comes, a question takes no more queries than its limits say, always has one query under way until it ends, and takes no answer twice.
/// What it teaches can be used without being looked at again, and nothing is certified that no server signed. What was learned from one question is
/// known to the next.
pub fn plan(input: &[u8]) {
    let mut script = Reader::new(input);
    let Ok([chain, queries]) = script.array::<2>() else { return };
    let limits = PlanLimits {
        chain: chain.into(),
        queries: queries.into(),
        record_values: 16,
        record_bytes: 4_096,
        ..PlanLimits::default()
    };
    let mut upstream = Upstream {
        script,
        limits: limits.clamped(),
        cache: Cache::new(CacheLimits { budget_bytes: 1 << 20, ..CacheLimits::default() }),
        now: Now { elapsed: Duration::from_secs(9), unix_seconds: 1_800_000_000 },
        has_signed: false,
    };
    for _ in 0..MOST_QUESTIONS {
        let Ok(asked) = upstream.question() else { return };
        upstream.play(asked);
    }
}

/// More questions say nothing new.
const MOST_QUESTIONS: usize = 4;

/// Values in one answer.
const MOST_VALUES: u8 = 20;

/// Types of values by their numbers in scripts.
const KINDS: [&[u8]; 8] =
    [HS_SITE, HS_SITE_6, HS_SERV, HS_SITE_PREFIX, HS_SERV_PREFIX, HS_NA_DELEGATE, b"URL", b"HS_ALIAS"];

/// Servers and their sites by their numbers in scripts; the first is that of the roots.
static SITES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| (0..4).map(site).collect());

/// A throw-away key of the fixtures. DSA: with a sanitizer its signatures take a hundredth of the time RSA's take.
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| {
    let fixtures: serde_json::Value =
        serde_json::from_str(include_str!("../../data/fixtures.json")).expect("the fixtures are JSON");
    let file = fixtures["keys"]["0.NA/88.111.1 index 303"]["handle_private_key_file_hex"].as_str();
    open(&hex::decode(file.expect("a key file")).expect("hexadecimal"), None).expect("a key that is not encrypted")
});

fn site(number: u8) -> Vec<u8> {
    let server = |id: u8| ServerBuf {
        id: id.into(),
        address: std::net::IpAddr::from([198, 18, number, id]).into(),
        public_key: KEY.public_key().as_bytes().to_vec(),
        interfaces: vec![Interface { kind: InterfaceKind::QUERY, protocol: InterfaceProtocol::UDP, port: 2641 }],
    };
    let flags = if number < 2 { SiteFlags::PRIMARY } else { SiteFlags::default() };
    let mut data = Vec::new();
    SiteBuf { flags, servers: (1..2 + number % 2).map(server).collect(), ..SiteBuf::default() }.encode(&mut data);
    data
}

/// What questions and answers of a script are made of.
#[derive(Debug)]
pub struct Step;

impl Step {
    /// A question wants the answer of a primary.
    pub const AUTHORITY: u8 = 0x01;
    /// A question wants each step certified.
    pub const CERTIFIED: u8 = 0x02;
    /// A question ends at a referral.
    pub const NO_REFERRAL: u8 = 0x04;
    /// A question wants what everybody may read.
    pub const PUBLIC_ONLY: u8 = 0x08;
    /// A question passes an identity on.
    pub const IDENTITY: u8 = 0x10;

    /// No answer.
    pub const SILENCE: u8 = 0;
    /// Bytes.
    pub const BYTES: u8 = 1;
    /// The head of an answer, then bytes.
    pub const BODY: u8 = 2;
    /// An answer with values.
    pub const VALUES: u8 = 3;
    /// It is signed, where that was asked for.
    pub const SIGNED: u8 = 0x04;
    /// It says of what handle it is; otherwise of the one asked for.
    pub const HANDLE: u8 = 0x08;
    /// Time goes by before it.
    pub const LATE: u8 = 0x10;
    /// It comes from this candidate; otherwise from the first.
    pub const CANDIDATE: u8 = 0x20;

    /// The data of a value is the site of this number.
    pub const SITE: u8 = 0x80;

    /// How a script begins.
    #[must_use]
    pub fn limits(chain: u8, queries: u8) -> Vec<u8> {
        vec![chain, queries]
    }

    /// A question.
    #[must_use]
    pub fn question(flags: u8, handle: &[u8]) -> Vec<u8> {
        let mut bytes = vec![flags, 0];
        put_piece(&mut bytes, handle);
        bytes
    }

    /// An answer with values: type, and a site's number or data.
    #[must_use]
    pub fn values(step: u8, code: u32, values: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![Self::VALUES | step];
        bytes.extend(code.to_be_bytes());
        bytes.push(u8::try_from(values.len()).expect("a few"));
        for (index, (kind, data)) in (1..).zip(values) {
            bytes.extend([index, *kind, 0x0e, 0]);
            bytes.extend(86_400_i32.to_be_bytes());
            if kind & Self::SITE == 0 {
                put_piece(&mut bytes, data);
            } else {
                bytes.extend_from_slice(data);
            }
        }
        bytes
    }

    /// The head of an answer and what is behind it.
    #[must_use]
    pub fn body(step: u8, code: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![Self::BODY | step];
        bytes.extend(code.to_be_bytes());
        put_piece(&mut bytes, body);
        bytes
    }
}

/// Those who are asked.
struct Upstream<'s> {
    script: Reader<'s>,
    limits: PlanLimits,
    cache: Cache,
    now: Now,
    /// Whether any answer was signed.
    has_signed: bool,
}

impl Upstream<'_> {
    fn question(&mut self) -> Result<Asked, DecodeError> {
        let [flags, recursion_count] = self.script.array::<2>()?;
        let is = |flag: u8| flags & flag != 0;
        Ok(Asked {
            handle: piece(&mut self.script)?.into(),
            authority: is(Step::AUTHORITY),
            certified: is(Step::CERTIFIED),
            no_referral: is(Step::NO_REFERRAL),
            public_only: is(Step::PUBLIC_ONLY),
            identity: is(Step::IDENTITY).then(|| b"token"[..].into()),
            recursion_count,
            ..Asked::default()
        })
    }

    /// Plays a question to its end. What the script does not answer, nobody does.
    fn play(&mut self, asked: Asked) {
        let certified = asked.certified;
        let roots = Arc::new(Service { sites: [SITES[0].clone().into()].into() });
        let mut plan = Plan::new(asked, roots, self.limits, self.now);
        let (mut actions, mut queries) = (Vec::new(), 0);
        plan.start(self.now, &self.cache, &mut actions);
        loop {
            let mut asks = Vec::new();
            for action in actions.drain(..) {
                match action {
                    Action::Ask(ask) => asks.push(ask),
                    Action::Done(conclusion) => return self.check_end(&conclusion, certified),
                    Action::Learn(learned) => {
                        check(&learned);
                        assert_eq!(learned.certified, certified);
                        assert!(!certified || self.has_signed, "certified, and nobody signed");
                        self.cache.learn(&learned, self.now);
                    }
                }
            }
            let [ask] = &asks[..] else { panic!("{} queries at once", asks.len()) };
            queries += 1;
            assert!(queries <= self.limits.queries && !ask.candidates.is_empty());
            let (candidate, answer) = self.answer(ask).unwrap_or_default();
            let event = match &answer {
                Some(message) => Event::Answer { query: ask.query, candidate, message },
                None => Event::Failed { query: ask.query },
            };
            plan.on(event, self.now, &self.cache, &mut actions);
            // The network delivers it twice.
            let after = actions.len();
            plan.on(event, self.now, &self.cache, &mut actions);
            assert_eq!(actions.len(), after);
        }
    }

    /// What comes next, and from which candidate.
    fn answer(&mut self, ask: &Ask) -> Result<(usize, Option<Vec<u8>>), DecodeError> {
        let step = self.script.u8()?;
        if step & Step::LATE != 0 {
            self.now.elapsed += Duration::from_millis(u64::from(self.script.u8()?) * 16);
        }
        let candidate = if step & Step::CANDIDATE == 0 { 0 } else { self.script.u8()?.into() };
        let message = match step & 3 {
            Step::SILENCE => None,
            Step::BYTES => Some(piece(&mut self.script)?.to_vec()),
            form => Some(self.message(step, form, &ask.request)?),
        };
        Ok((candidate % ask.candidates.len(), message))
    }

    /// A message that answers the request.
    fn message(&mut self, step: u8, form: u8, request: &[u8]) -> Result<Vec<u8>, DecodeError> {
        let parsed = Request::parse(request).expect("what the plan asks can be read");
        let RequestBody::Resolution(body) = parsed.body else { panic!("{:?}", parsed.body) };
        let code = ResponseCode(self.script.u32()?);
        let head = Head { envelope: parsed.message.envelope, header: parsed.message.header };
        let own = OwnIdentity { version: Version::CURRENT, site_serial: 1, primary: true };
        let head = respond_to(&head, &own, code, u32::MAX);
        let handle = if step & Step::HANDLE == 0 { body.handle } else { piece(&mut self.script)? };
        let (values, bytes) =
            if form == Step::VALUES { (self.values()?, &[][..]) } else { (Vec::new(), piece(&mut self.script)?) };
        let put = |room: &mut [u8]| {
            let writer = ResponseWriter::answer(room, &head, parsed.message.signed);
            match code {
                _ if form == Step::BODY => writer.raw(bytes),
                ResponseCode(1) => writer.resolution(handle, &values),
                ResponseCode(302 | 303) if values.is_empty() => writer.referral_to(handle),
                ResponseCode(302 | 303) => writer.referral(handle, &values),
                _ => writer.error(b""),
            }
        };
        let Err(NoRoom { needed }) = put(&mut []) else { panic!("written into no room") };
        let mut room = vec![0; needed];
        put(&mut room).expect("as much room as it wants");
        if step & Step::SIGNED != 0 {
            certify_response(&mut room, &KEY, &mut OsRng).expect("a small message");
            self.has_signed = true;
        }
        Ok(room)
    }

    fn values(&mut self) -> Result<Vec<ValueBuf>, DecodeError> {
        let count = self.script.u8()?.min(MOST_VALUES);
        (0..count).map(|_| self.value()).collect()
    }

    fn value(&mut self) -> Result<ValueBuf, DecodeError> {
        let [index, kind, permissions, ttl] = self.script.array::<4>()?;
        let ttl = Ttl::from_wire(ttl, self.script.i32()?);
        let data = if kind & Step::SITE == 0 {
            piece(&mut self.script)?
        } else {
            &SITES[usize::from(self.script.u8()?) % SITES.len()]
        };
        let kind = KINDS[usize::from(kind) % KINDS.len()];
        Ok(ValueBuf { ttl, permissions: Permissions(permissions), ..ValueBuf::new(index.into(), kind, data) })
    }

    fn check_end(&self, conclusion: &Conclusion, asked_certified: bool) {
        match conclusion {
            Conclusion::Found { fact, from, certified, .. } => {
                check_fact(fact);
                assert!(*certified || !asked_certified);
                // What nobody can register is absent without anybody's word.
                let needs_word = **fact != Fact::Absent || from.is_some();
                assert!(!asked_certified || self.has_signed || !needs_word, "certified, and nobody signed");
            }
            Conclusion::AbsentPrefix { prefix } => assert!(is_prefix(prefix)),
            Conclusion::Passed { message, .. } => {
                Response::parse(message, ResponseLimits::WHOLE_MESSAGE).expect("what is passed on is an answer");
            }
            _ => {}
        }
    }
}

/// What is learned can be used without looking at it again.
fn check(learned: &Learned) {
    match &learned.what {
        What::Fact { key, fact } => {
            assert!(key.contains(&b'/'));
            check_fact(fact);
        }
        What::Service { prefix, service, .. } => {
            assert!(is_prefix(prefix) && !service.sites.is_empty());
            assert!(service.sites.iter().all(|site| !Site::parse(site).expect("decodable").servers.is_empty()));
            assert!(learned.lifetime_seconds.is_some());
        }
        What::AbsentPrefix { prefix } | What::Lame { prefix, .. } => assert!(is_prefix(prefix)),
    }
}

fn check_fact(fact: &Fact) {
    let Fact::Values(record) = fact else { return };
    let values = Values::from_wire(record.count, &record.wire).expect("whole");
    assert!(record.count > 0);
    assert!(values.iter().all(|value| value.permissions.is_public_read()));
    assert!(values.iter().map(|value| value.index).is_sorted_by(|one, next| one < next));
}

fn is_prefix(prefix: &[u8]) -> bool {
    !prefix.is_empty() && !prefix.contains(&b'/')
}
