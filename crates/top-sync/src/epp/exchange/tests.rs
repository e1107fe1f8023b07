//! Rules of the machine that need a file that fails, or answers in an order no server gives.

use std::sync::{Arc, Mutex};

use super::*;
use crate::epp::message::{Answer, Code, Data, Message, Queue, Verdict};
use waymark_catalog::Timestamp;

/// Records in memory; refuses while it is told to.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<(Vec<Record>, bool)>>);

impl Kept {
    fn refuses(&self, refuses: bool) {
        self.0.lock().unwrap().1 = refuses;
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().0.len()
    }
}

impl Journal for Kept {
    fn load(&mut self) -> Result<Vec<Record>, JournalError> {
        Ok(self.0.lock().unwrap().0.clone())
    }

    fn append(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        let mut kept = self.0.lock().unwrap();
        if kept.1 {
            return Err(JournalError::Stopped);
        }
        kept.0.extend_from_slice(batch);
        Ok(())
    }

    fn is_large(&self) -> bool {
        false
    }

    fn rewrite(&mut self, all: &[Record]) -> Result<(), JournalError> {
        self.0.lock().unwrap().0 = all.to_vec();
        Ok(())
    }
}

const PREFIX: &str = "88.1.1";

fn open(kept: &Kept) -> Exchange<Kept> {
    let mut state = u64::try_from(kept.count()).unwrap() << 20;
    let chance = Box::new(move || {
        state += 1;
        state
    });
    let mut exchange = Exchange::open(kept.clone(), Pace::default(), chance).unwrap();
    let hash = ContentHash::of([&b"x"[..]]);
    let content = Content { significant: hash, small: hash };
    let prefix = PrefixWant { prefix: PREFIX.into(), enterprise: 1, case: 7, since: 1, is_beneath: true };
    exchange.want(Wants {
        prefixes: vec![prefix],
        enterprises: BTreeMap::from([(1, EnterpriseWant { content, missing: None, since: 1 })]),
    });
    exchange
}

fn at(seconds: u64) -> Now {
    Now { wall: Timestamp(1_800_000_000_000 + seconds * 1_000), elapsed: Duration::from_secs(seconds) }
}

fn answer(step: &Step, code: u16, data: Data) -> Answer {
    let queue = (code == 1301).then(|| Queue { count: 1, id: MessageId::new("M1").unwrap() });
    Answer { code: Code(code), text: "said".into(), queue, data, client: Some(step.id.clone()), server: None }
}

#[track_caller]
fn sent(exchange: &mut Exchange<Kept>, now: Now) -> Step {
    match exchange.next(now).unwrap() {
        Next::Send(step) => step,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn told(exchange: &mut Exchange<Kept>, now: Now, code: u16, data: Data) -> Step {
    let step = sent(exchange, now);
    exchange.heard(now, &step, Ok(answer(&step, code, data))).unwrap();
    step
}

fn ent_id() -> EntId {
    EntId::new("ENT-1").unwrap()
}

/// Up to the create of the prefix, which is sent and not answered.
fn begun(exchange: &mut Exchange<Kept>) -> Step {
    told(exchange, at(0), 1300, Data::Nothing);
    told(exchange, at(0), 1000, Data::Checked { is_free: true, ent_id: None });
    told(exchange, at(0), 1000, Data::Created { ent_id: ent_id() });
    let step = sent(exchange, at(0));
    assert_eq!(step.ask, Ask::CreatePrefix { ent_id: ent_id(), prefix: PREFIX.into() });
    step
}

fn verdict(about: &TransactionId, passed: bool, prefix: &str) -> Data {
    Data::Message(Message {
        about: about.clone(),
        server: None,
        ent_id: Some(ent_id()),
        prefix: Some(prefix.into()),
        verdict: Some(Verdict { passed, reason: "audit".into() }),
    })
}

#[test]
fn nothing_leaves_that_the_file_did_not_take() {
    let kept = Kept::default();
    let mut exchange = open(&kept);
    told(&mut exchange, at(0), 1300, Data::Nothing);
    told(&mut exchange, at(0), 1000, Data::Checked { is_free: true, ent_id: None });
    kept.refuses(true);
    assert!(exchange.next(at(0)).is_err());
    assert!(exchange.status().transactions.iter().all(|each| each.id.is_none()), "it is as if nothing had been begun");
    kept.refuses(false);
    // What was found free is asked for once more, since it is not known any more that nothing has happened meanwhile.
    assert_eq!(sent(&mut exchange, at(1)).ask, Ask::CheckEnterprise(1));
}

#[test]
fn a_message_the_file_did_not_take_is_not_acknowledged() {
    let kept = Kept::default();
    let mut exchange = open(&kept);
    let create = begun(&mut exchange);
    exchange.heard(at(0), &create, Ok(answer(&create, 1001, Data::Nothing))).unwrap();
    let poll = sent(&mut exchange, at(100));
    kept.refuses(true);
    let message = verdict(&create.id, true, PREFIX);
    assert!(exchange.heard(at(100), &poll, Ok(answer(&poll, 1301, message.clone()))).is_err());
    kept.refuses(false);
    assert_eq!(sent(&mut exchange, at(200)).ask, Ask::Poll, "the message is still there to be asked for");
    told(&mut exchange, at(200), 1301, message);
    assert!(matches!(exchange.next(at(200)).unwrap(), Next::Settle(Settlement { approved: true, case: 7, .. })));
    exchange.want(Wants::default());
    exchange.settled(at(200), Ok(()));
    assert_eq!(sent(&mut exchange, at(200)).ask, Ask::Acknowledge(MessageId::new("M1").unwrap()));
}

#[test]
fn after_a_lost_answer_the_same_identifier_goes_again_behind_poll_and_check_also_after_a_restart() {
    for restarts in [false, true] {
        let kept = Kept::default();
        let mut exchange = open(&kept);
        let create = begun(&mut exchange);
        if restarts {
            exchange = open(&kept);
        } else {
            exchange.heard(at(0), &create, Err(Trouble::new(TroubleKind::TimeOut, ""))).unwrap();
            assert!(matches!(exchange.next(at(0)).unwrap(), Next::Idle(_)), "not at once");
        }
        assert_eq!(told(&mut exchange, at(30), 1300, Data::Nothing).ask, Ask::Poll);
        let check = told(&mut exchange, at(30), 1000, Data::Checked { is_free: false, ent_id: None });
        assert_eq!(check.ask, Ask::CheckPrefix(PREFIX.into()));
        let again = sent(&mut exchange, at(30));
        assert_eq!((&again.id, &again.ask), (&create.id, &create.ask));
        // It is there, and nobody says whether the audit passed it: no word of that reaches the catalog.
        exchange.heard(at(30), &again, Ok(answer(&again, 2302, Data::Nothing))).unwrap();
        assert!(matches!(exchange.next(at(30)).unwrap(), Next::Send(Step { ask: Ask::Poll, .. }) | Next::Idle(_)));
        assert_eq!(exchange.status().transactions[0].stage, Some(Stage::Exists));
    }
}

#[test]
fn the_first_verdict_counts_and_one_about_another_prefix_counts_for_nothing() {
    let kept = Kept::default();
    let mut exchange = open(&kept);
    let create = begun(&mut exchange);
    exchange.heard(at(0), &create, Ok(answer(&create, 1001, Data::Nothing))).unwrap();
    let message = |exchange: &mut Exchange<Kept>, seconds, id: &str, data| {
        let poll = sent(exchange, at(seconds));
        assert_eq!(poll.ask, Ask::Poll);
        let queue = Some(Queue { count: 1, id: MessageId::new(id).unwrap() });
        exchange.heard(at(seconds), &poll, Ok(Answer { queue, ..answer(&poll, 1301, data) })).unwrap()
    };
    let trouble = message(&mut exchange, 100, "M1", verdict(&create.id, true, "88.1.2"));
    assert_eq!(trouble.unwrap().kind, TroubleKind::WrongTransaction);
    told(&mut exchange, at(100), 1000, Data::Nothing);
    assert_eq!(message(&mut exchange, 101, "M2", verdict(&create.id, false, PREFIX)), None);
    let Next::Settle(settlement) = exchange.next(at(101)).unwrap() else { panic!("a refusal is settled") };
    assert_eq!((settlement.approved, settlement.reason.as_str()), (false, "audit"));
    exchange.want(Wants::default());
    told(&mut exchange, at(101), 1000, Data::Nothing);
    let trouble = message(&mut exchange, 102, "M3", verdict(&create.id, true, PREFIX));
    assert_eq!(trouble.unwrap().kind, TroubleKind::Unexpected);
    assert_eq!(exchange.status().transactions[0].stage, Some(Stage::Refused));
}

#[test]
fn what_has_ended_is_forgotten_but_for_the_latest() {
    let kept = Kept::default();
    let mut exchange = open(&kept);
    let create = begun(&mut exchange);
    exchange.heard(at(0), &create, Ok(answer(&create, 1000, Data::Nothing))).unwrap();
    let ended = exchange.transactions[&create.id].clone();
    let many = (0..ENDED_TRANSACTIONS + 50).map(|number| {
        let number = u64::try_from(number).unwrap();
        let id = TransactionId::made(number, 1);
        let prefix = Some(format!("88.1.{}", number + 100).into());
        Record::Transaction(Box::new(Transaction { id, prefix, changed: number, ..ended.clone() }))
    });
    let all: Vec<Record> = many.collect();
    kept.0.lock().unwrap().0.extend(all);
    let again = open(&kept);
    assert_eq!(again.transactions.len(), ENDED_TRANSACTIONS);
    assert!(again.transactions.contains_key(&create.id), "the latest stays");
    assert!(again.latest_of_prefix("88.1.100").is_none());
}
