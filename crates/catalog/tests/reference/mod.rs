//! A catalog as the issue describes it: maps in memory, no bytes, no disk, no groups.
//!
//! What it writes is numbered from 0. The serials that the real one gives to the same writes are learned as they are seen ([`Learned`]).

pub(crate) mod asks;
pub(crate) mod learned;

use std::collections::{BTreeMap, BTreeSet};

use asks::{Admission, Ask, Hope, Value, Verb, Who};

/// Number of a write.
pub(crate) type Write = usize;

/// Values by index: data, and whether they may not be changed.
pub(crate) type Values = BTreeMap<u32, (&'static str, bool)>;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) write: Write,
    pub(crate) spelled: &'static str,
    pub(crate) values: Values,
    pub(crate) status: Status,
}

/// Whether a record is in resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Suspended(&'static str),
    Revoked(&'static str),
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Created,
    Replaced,
    Changed,
    Deleted,
    Same,
    Suspended,
    Resumed,
    Revoked,
    Recalled,
    RecallLifted,
    Homed,
    Unhomed,
}

/// What is answered to one order.
pub(crate) type Answer = Result<Done, No>;

/// An order that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) what: What,
    /// The write that holds the result.
    pub(crate) write: Write,
    /// What the record holds afterwards.
    pub(crate) values: Values,
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum No {
    Exists { same: bool, write: Write },
    NotFound,
    NotServed,
    BadHandle,
    IndexTaken(u32),
    IndexMissing(u32),
    Empty,
    Fixed(u32),
    Unexpected(Option<(Write, Values)>),
    Revoked,
    Recalled,
    StreamIsAt(u64),
    Reused,
    TooOld,
    NotPermitted,
    OverQuota(u64),
}

/// An expectation, tied to what was there when the submission was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fixed {
    Absent,
    /// A write that may be none.
    Write(Option<Write>),
    Values(Values),
}

/// The catalog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reference {
    pub(crate) writes: Write,
    pub(crate) records: BTreeMap<String, Record>,
    /// Every version of every key, oldest first.
    pub(crate) past: BTreeMap<String, Vec<(Write, Option<Record>)>>,
    pub(crate) homed: BTreeMap<String, Write>,
    pub(crate) streams: [Vec<Answer>; 2],
    requests: BTreeMap<Who, Requests>,
    /// What the guest may do.
    pub(crate) admitted: Option<Admission>,
    /// Writes of the guest to records, on the one day a test lasts.
    written: u64,
}

/// Accepted requests by when they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    known: BTreeMap<u64, ([u8; 32], Done)>,
    /// Those made then or before are forgotten.
    forgotten: u64,
}

/// Requests that are remembered; small, so that it is reached.
pub(crate) const REQUESTS: usize = 4;

/// Index of the value that says that a record is recalled.
pub(crate) const NOTICE: u32 = 1002;

/// Handles are the same in any case.
pub(crate) fn key(handle: &str) -> String {
    handle.to_ascii_uppercase()
}

pub(crate) fn prefix(handle: &str) -> &str {
    handle.split('/').next().unwrap()
}

fn values_of(values: &[Value]) -> Values {
    values.iter().map(|value| (value.index, (value.data, value.fixed))).collect()
}

impl Reference {
    /// What an expectation means now.
    pub(crate) fn fix(&self, ask: &Ask) -> Option<Fixed> {
        let record = self.records.get(&key(ask.handle));
        let about_record = !matches!(ask.verb, Verb::Home | Verb::Unhome);
        let hope = ask.hope.as_ref().filter(|_| about_record)?;
        Some(match hope {
            Hope::Absent => Fixed::Absent,
            Hope::Latest => Fixed::Write(record.map(|record| record.write)),
            Hope::Older => {
                let past = self.past.get(&key(ask.handle)).map_or(&[][..], Vec::as_slice);
                Fixed::Write(past.iter().rev().nth(1).map(|(write, _)| *write))
            }
            Hope::SameContent => Fixed::Values(record.map_or_else(Values::new, |record| record.values.clone())),
            Hope::Content(values) => Fixed::Values(values_of(values)),
        })
    }

    /// Carries out one order, if it can be.
    pub(crate) fn order(&mut self, who: Who, ask: &Ask, expected: Option<&Fixed>) -> Answer {
        self.permitted(who, ask)?;
        if let Verb::Home | Verb::Unhome = ask.verb {
            return self.home(ask);
        }
        let old = self.records.get(&key(ask.handle)).cloned();
        if let Some(expected) = expected {
            let met = match (expected, &old) {
                (Fixed::Absent, old) => old.is_none(),
                (Fixed::Write(wanted), Some(old)) => *wanted == Some(old.write),
                (Fixed::Values(wanted), Some(old)) => *wanted == old.values,
                (_, None) => false,
            };
            if !met {
                return Err(No::Unexpected(old.map(|old| (old.write, old.values))));
            }
        }
        match &ask.verb {
            Verb::Create(values) | Verb::Replace(values) | Verb::CreateOrSame(values) => {
                self.put(who, ask, values_of(values), old)
            }
            _ => self.change(who, ask, old),
        }
    }

    fn put(&mut self, who: Who, ask: &Ask, mut values: Values, old: Option<Record>) -> Answer {
        if ask.handle.contains(char::is_control) {
            return Err(No::BadHandle);
        }
        self.served(ask)?;
        let Some(old) = old else {
            self.spend(who)?;
            return Ok(self.write(ask.handle, What::Created, values, Status::Active));
        };
        // What is recalled stays so.
        values.extend(old.values.get(&NOTICE).map(|notice| (NOTICE, *notice)));
        if let Verb::Create(_) | Verb::CreateOrSame(_) = ask.verb {
            let same = old.values == values;
            if matches!(old.status, Status::Revoked(_)) {
                return Err(No::Revoked);
            }
            if same && matches!(ask.verb, Verb::CreateOrSame(_)) {
                return Ok(Done { what: What::Same, write: old.write, values });
            }
            return Err(No::Exists { same, write: old.write });
        }
        if matches!(old.status, Status::Revoked(_)) {
            return Err(No::Revoked);
        }
        if (old.spelled, &old.values) == (ask.handle, &values) {
            return Ok(Done { what: What::Same, write: old.write, values });
        }
        self.spend(who)?;
        Ok(self.write(ask.handle, What::Replaced, values, old.status))
    }

    /// What needs a record.
    fn change(&mut self, who: Who, ask: &Ask, old: Option<Record>) -> Answer {
        self.served(ask)?;
        let old = old.ok_or(No::NotFound)?;
        if matches!(old.status, Status::Revoked(_)) {
            return Err(No::Revoked);
        }
        let (mut values, mut status, mut what) = (old.values.clone(), old.status, What::Changed);
        match &ask.verb {
            Verb::Add(new) | Verb::AddOver(new) | Verb::AddOrSame(new) | Verb::Modify(new) => {
                if new.is_empty() {
                    return Err(No::Empty);
                }
                for new in new {
                    let content = (new.data, new.fixed);
                    match (&ask.verb, values.get(&new.index)) {
                        (Verb::Modify(_), None) => return Err(No::IndexMissing(new.index)),
                        (Verb::Add(_), Some(_)) => return Err(No::IndexTaken(new.index)),
                        (Verb::AddOrSame(_), Some(old)) if *old != content => return Err(No::IndexTaken(new.index)),
                        (Verb::AddOver(_) | Verb::Modify(_), Some((_, true))) => return Err(No::Fixed(new.index)),
                        _ => {}
                    }
                    values.insert(new.index, content);
                }
            }
            Verb::Remove(indexes) => {
                if indexes.is_empty() {
                    return Err(No::Empty);
                }
                for index in indexes.iter().collect::<BTreeSet<_>>() {
                    values.remove(index).ok_or(No::IndexMissing(*index))?;
                }
            }
            Verb::Delete => {
                if status != Status::Active {
                    return Err(No::Revoked);
                }
                if values.contains_key(&NOTICE) {
                    return Err(No::Recalled);
                }
                self.spend(who)?;
                let write = self.next();
                self.records.remove(&key(ask.handle));
                self.past.entry(key(ask.handle)).or_default().push((write, None));
                return Ok(Done { what: What::Deleted, write, values: Values::new() });
            }
            Verb::Suspend(reason) => (status, what) = (Status::Suspended(reason), What::Suspended),
            Verb::Resume => (status, what) = (Status::Active, What::Resumed),
            Verb::Revoke(reason) => (status, what) = (Status::Revoked(reason), What::Revoked),
            Verb::Recall(reason) => {
                values.insert(NOTICE, (reason, true));
                what = What::Recalled;
            }
            Verb::LiftRecall => {
                values.remove(&NOTICE);
                what = What::RecallLifted;
            }
            Verb::Create(_) | Verb::Replace(_) | Verb::CreateOrSame(_) | Verb::Home | Verb::Unhome => unreachable!(),
        }
        if (&values, status) == (&old.values, old.status) {
            return Ok(Done { what: What::Same, write: old.write, values });
        }
        self.spend(who)?;
        Ok(self.write(old.spelled, what, values, status))
    }

    fn home(&mut self, ask: &Ask) -> Answer {
        let prefix = prefix(ask.handle).to_owned();
        let (what, write) = match (&ask.verb, self.homed.get(&prefix)) {
            (Verb::Home, Some(write)) => (What::Same, *write),
            (Verb::Home, None) => {
                let write = self.next();
                self.homed.insert(prefix, write);
                (What::Homed, write)
            }
            (_, None) => return Err(No::NotFound),
            (_, Some(_)) => {
                self.homed.remove(&prefix);
                (What::Unhomed, self.next())
            }
        };
        Ok(Done { what, write, values: Values::new() })
    }

    /// The guest may write records where it is admitted, and not take them out of resolution.
    fn permitted(&self, who: Who, ask: &Ask) -> Result<(), No> {
        let withdraws = matches!(ask.verb, Verb::Suspend(_) | Verb::Resume | Verb::Revoke(_));
        let recalls = matches!(ask.verb, Verb::Recall(_) | Verb::LiftRecall);
        let writes = !withdraws && !recalls && !matches!(ask.verb, Verb::Home | Verb::Unhome);
        let here = |admitted: &Admission| !admitted.disabled && admitted.prefixes.contains(&prefix(ask.handle));
        let may = who == Who::Operator || (writes && self.admitted.as_ref().is_some_and(here));
        if may { Ok(()) } else { Err(No::NotPermitted) }
    }

    /// Counts a write that is about to be made, if there is one left.
    fn spend(&mut self, who: Who) -> Result<(), No> {
        if who == Who::Operator {
            return Ok(());
        }
        match self.admitted.as_ref().and_then(|admitted| admitted.daily_quota) {
            Some(quota) if self.written >= quota => Err(No::OverQuota(quota)),
            _ => {
                self.written += 1;
                Ok(())
            }
        }
    }

    fn served(&self, ask: &Ask) -> Result<(), No> {
        if self.homed.contains_key(prefix(ask.handle)) { Ok(()) } else { Err(No::NotServed) }
    }

    fn write(&mut self, spelled: &'static str, what: What, values: Values, status: Status) -> Done {
        let write = self.next();
        let record = Record { write, spelled, values: values.clone(), status };
        self.past.entry(key(spelled)).or_default().push((write, Some(record.clone())));
        self.records.insert(key(spelled), record);
        Done { what, write, values }
    }

    fn next(&mut self) -> Write {
        self.writes += 1;
        self.writes - 1
    }

    /// Takes a step of a stream that says where the stream is.
    pub(crate) fn step(&mut self, who: Who, stream: usize, after: u64, asks: &[(Ask, Option<Fixed>)]) -> Vec<Answer> {
        let mark = self.mark(stream);
        if after != mark {
            return vec![Err(No::StreamIsAt(mark)); asks.len()];
        }
        let answers: Vec<Answer> = asks.iter().map(|(ask, expected)| self.order(who, ask, expected.as_ref())).collect();
        self.streams[stream].extend(answers.iter().cloned());
        answers
    }

    pub(crate) fn mark(&self, stream: usize) -> u64 {
        u64::try_from(self.streams[stream].len()).unwrap()
    }

    /// Takes an order under a request id made at `made`; tells whether it was answered before.
    pub(crate) fn request(
        &mut self,
        who: Who,
        made: u64,
        digest: [u8; 32],
        ask: &Ask,
        expected: Option<&Fixed>,
    ) -> (Answer, bool) {
        // Whoever may not ask any more is not told what became of it.
        if let Err(no) = self.permitted(who, ask) {
            return (Err(no), false);
        }
        let requests = self.requests.entry(who).or_default();
        if let Some((first, done)) = requests.known.get(&made) {
            let answer = if *first == digest { Ok(done.clone()) } else { Err(No::Reused) };
            return (answer, true);
        }
        if made <= requests.forgotten {
            return (Err(No::TooOld), false);
        }
        let answer = self.order(who, ask, expected);
        if let Ok(done) = &answer {
            let requests = self.requests.entry(who).or_default();
            requests.known.insert(made, (digest, done.clone()));
            while requests.known.len() > REQUESTS {
                let (oldest, _) = requests.known.pop_first().unwrap();
                requests.forgotten = oldest;
            }
        }
        (answer, false)
    }
}
