//! Answers of a top-level node, and what the exchange makes of any row of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use waymark_catalog::Timestamp;
use waymark_top_sync::epp::config::ANSWER_BYTES;
use waymark_top_sync::epp::exchange::{
    Ask, Content, ContentHash, EnterpriseWant, Exchange, Journal, JournalError, Next, Now, Pace, PrefixWant, Record,
    Step, Trouble, TroubleKind, Wants,
};
use waymark_top_sync::epp::message::{Answer, Code, Data, EntId, Message, MessageId, Queue, TransactionId, Verdict};
use waymark_wire::Reader;

/// The first byte says whether the rest is an answer, or a script of wants, answers, waits and restarts.
///
/// An answer that is taken has no text longer than may be kept. After each step of a script, what a restart would know is what is known; a message is
/// acknowledged only when it is noted; a prefix is settled once for each case, and never without a verdict.
pub fn docking(input: &[u8]) {
    let Some((shape, rest)) = input.split_first() else { return };
    if shape & 1 == 0 {
        read(rest);
    } else {
        run(rest);
    }
}

fn read(bytes: &[u8]) {
    match Answer::read(bytes, ANSWER_BYTES.default) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(answer) => {
            let reason = match &answer.data {
                Data::Message(Message { verdict: Some(verdict), .. }) => verdict.reason.as_str(),
                _ => "",
            };
            for text in [&answer.text, reason] {
                assert!(text.chars().count() <= 256 && text.len() <= 1_024 && !text.chars().any(char::is_control));
            }
        }
    }
}

/// Records in memory, shared by all that were opened over them.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<Record>>>);

impl Journal for Noted {
    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn append(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(batch);
        Ok(())
    }

    fn is_large(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() > 40
    }

    fn rewrite(&mut self, all: &[Record]) -> Result<(), JournalError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all.to_vec();
        Ok(())
    }
}

/// What a script works on.
struct Scene {
    noted: Noted,
    exchange: Exchange<Noted>,
    wants: Wants,
    now: Now,
    cases: u64,
    /// Identifiers that were sent, for answers and messages about them.
    sent: Vec<TransactionId>,
    settled: Vec<u64>,
    opened: u64,
}

fn open(noted: &Noted, opened: u64) -> Exchange<Noted> {
    let mut state = opened << 32;
    let chance = Box::new(move || {
        state += 1;
        state
    });
    Exchange::open(noted.clone(), Pace::default(), chance).expect("memory takes everything")
}

/// Runs a script; the number of cases that were settled by it.
pub(crate) fn run(script: &[u8]) -> usize {
    let noted = Noted::default();
    let mut scene = Scene {
        exchange: open(&noted, 1),
        noted,
        wants: Wants::default(),
        now: Now { wall: Timestamp(1_800_000_000_000), elapsed: Duration::ZERO },
        cases: 0,
        sent: Vec::new(),
        settled: Vec::new(),
        opened: 1,
    };
    let mut script = Reader::new(script);
    for _ in 0..200 {
        let Ok(word) = script.u8() else { break };
        let detail = script.u8().unwrap_or_default();
        match word % 5 {
            0 => scene.want(detail),
            1 => {
                let wait = Duration::from_secs(u64::from(detail) * 20);
                scene.now.elapsed += wait;
                scene.now.wall.0 += u64::try_from(wait.as_millis()).unwrap_or_default();
            }
            2 => {
                scene.opened += 1;
                scene.exchange = open(&scene.noted, scene.opened);
                scene.exchange.want(scene.wants.clone());
            }
            _ => scene.step(detail, script.u8().unwrap_or_default()),
        }
        scene.check();
    }
    scene.settled.len()
}

impl Scene {
    /// An enterprise asks for a prefix, or says something else of itself.
    fn want(&mut self, detail: u8) {
        let enterprise = u32::from(detail % 3);
        let hash = |salt: u8| ContentHash::of([&[salt, detail / 64][..]]);
        let content = Content { significant: hash(0), small: hash(detail / 32) };
        let missing = (detail % 16 == 15).then_some("personal");
        self.wants.enterprises.insert(enterprise, EnterpriseWant { content, missing, since: 0 });
        if detail.is_multiple_of(2) {
            let prefix: Box<str> = format!("88.1.{}", detail % 5).into();
            if !self.wants.prefixes.iter().any(|want| want.prefix == prefix) {
                self.cases += 1;
                let since = self.now.wall.0;
                self.wants.prefixes.push(PrefixWant { prefix, enterprise, case: self.cases, since, is_beneath: true });
            }
        }
        self.exchange.want(self.wants.clone());
    }

    fn step(&mut self, detail: u8, more: u8) {
        match self.exchange.next(self.now).expect("memory takes everything") {
            Next::Idle(until) => assert!(until > self.now.elapsed),
            Next::Settle(settlement) => {
                assert!(!self.settled.contains(&settlement.case), "case {} is settled twice", settlement.case);
                assert!(settlement.approved || !settlement.reason.is_empty());
                if detail == 0 {
                    let trouble = Trouble::new(TroubleKind::NotSettled, "disk full");
                    self.exchange.settled(self.now, Err(trouble));
                } else {
                    self.settled.push(settlement.case);
                    self.wants.prefixes.retain(|want| want.case != settlement.case);
                    self.exchange.want(self.wants.clone());
                    self.exchange.settled(self.now, Ok(()));
                }
            }
            Next::Send(step) => {
                if let Ask::Acknowledge(message) = &step.ask {
                    let noted = self.noted.0.lock().unwrap_or_else(PoisonError::into_inner);
                    assert!(noted.contains(&Record::Received(message.clone())), "acknowledged before it was noted");
                }
                self.sent.push(step.id.clone());
                let answer = self.answer(&step, detail, more);
                let told = match answer {
                    Some(answer) => self.exchange.heard(self.now, &step, answer),
                    None => self.exchange.not_sent(self.now, &step, Trouble::new(TroubleKind::NotSendable, "x")),
                };
                told.expect("memory takes everything");
            }
        }
    }

    /// Any answer to a step; `None` where the command could not be made.
    fn answer(&self, step: &Step, detail: u8, more: u8) -> Option<Result<Answer, Trouble>> {
        const CODES: [u16; 10] = [1000, 1001, 1300, 1301, 2201, 2302, 2303, 2400, 2005, 1500];
        let named = |text: String| MessageId::new(&text).ok();
        let other = self.sent.get(usize::from(more) % self.sent.len().max(1)).cloned();
        let ent_id = EntId::new(&format!("ENT-{}", more % 4)).ok();
        let data = match detail / 16 {
            0..=2 => Data::Checked { is_free: more.is_multiple_of(2), ent_id },
            3..=5 => ent_id.map_or(Data::Nothing, |ent_id| Data::Created { ent_id }),
            6..=10 => Data::Message(Message {
                about: other.clone().unwrap_or_else(|| step.id.clone()),
                server: None,
                ent_id: ent_id.filter(|_| !more.is_multiple_of(3)),
                prefix: more.is_multiple_of(7).then(|| "88.1.1".into()),
                verdict: (!more.is_multiple_of(11))
                    .then(|| Verdict { passed: more.is_multiple_of(2), reason: String::new() }),
            }),
            _ => Data::Nothing,
        };
        let code = CODES.get(usize::from(detail) % 12).copied();
        let Some(code) = code else {
            return (!more.is_multiple_of(8)).then(|| Err(Trouble::new(TroubleKind::TimeOut, more)));
        };
        let queue = named(format!("M{}", more % 16)).filter(|_| code == 1301).map(|id| Queue { count: 1, id });
        let client = if more == 255 { other } else { Some(step.id.clone()) };
        Some(Ok(Answer { code: Code(code), text: String::new(), queue, data, client, server: None }))
    }

    /// A restart would know what is known.
    fn check(&self) {
        let mut again = open(&self.noted, u64::MAX >> 32);
        again.want(self.wants.clone());
        let stages = |exchange: &Exchange<Noted>| {
            let all = exchange.status().transactions.into_iter();
            let mut all: Vec<_> = all.filter_map(|each| Some((each.id?, each.stage, each.attempts))).collect();
            all.sort_by(|one, other| one.0.cmp(&other.0));
            all
        };
        assert_eq!(stages(&again), stages(&self.exchange));
        assert_eq!(again.known().collect::<Vec<_>>(), self.exchange.known().collect::<Vec<_>>());
        assert_eq!(again.status().unacknowledged, self.exchange.status().unacknowledged);
    }
}
