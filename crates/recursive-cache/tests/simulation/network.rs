//! A network with faults and a clock of its own: what carries a plan's queries to the servers of a world.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::IpAddr;
use std::time::Duration;

use waymark_recursive_cache::config::PlanLimits;
use waymark_recursive_cache::knowledge::{Learned, Now};
use waymark_recursive_cache::plan::{Action, Ask, Asked, Conclusion, Event, Plan, QueryId};

use crate::lies::{lie, nonsense, uncertified, wants_certification};
use crate::memory::Memory;
use crate::prng::Prng;
use crate::world::{ROOTS, ServiceId, Signer, World};

/// What goes wrong, in percent of messages unless said otherwise.
#[derive(Clone, Default, Debug)]
pub struct Faults {
    pub loss: u64,
    pub duplication: u64,
    /// Milliseconds a message takes at most; each takes its own time, so that they overtake each other.
    pub delay: u64,
    pub dead: BTreeSet<IpAddr>,
    /// Servers that are away every other time, and for how many milliseconds.
    pub flapping: BTreeMap<IpAddr, u64>,
    /// Servers that answer nonsense.
    pub nonsense: BTreeMap<IpAddr, u64>,
    /// Answers of certified questions that somebody on the path replaces.
    pub uncertified: u64,
    /// Steps of the clock of the day that jump.
    pub clock_jumps: u64,
}

/// Something that arrives.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Arrival {
    Answer { query: u32, candidate: usize, message: Vec<u8> },
    Send { query: u32, candidate: usize, round: u64 },
    Failed { query: u32 },
    Deadline,
}

pub struct Network {
    pub world: World,
    /// The service that lies about everything, signed with its own key.
    pub evil: ServiceId,
    pub faults: Faults,
    pub rng: Prng,
    pub memory: Memory,
    pub limits: PlanLimits,
    /// Now.
    pub elapsed: Duration,
    unix_seconds: u32,
    arrivals: BinaryHeap<Reverse<(Duration, u64, Arrival)>>,
    order: u64,
}

/// What one question came to.
#[derive(Debug)]
pub struct Outcome {
    pub conclusion: Conclusion,
    pub queries: usize,
    pub took: Duration,
    pub learned: Vec<Learned>,
}

/// Milliseconds between sending to one candidate and to the next, and rounds through all of them.
const STAGGER: u64 = 400;
const ROUNDS: u64 = 2;

impl Network {
    pub fn new(world: World, evil: ServiceId, faults: Faults, rng: Prng) -> Self {
        Self {
            world,
            evil,
            faults,
            rng,
            memory: Memory::default(),
            limits: PlanLimits::default(),
            elapsed: Duration::from_secs(1_000),
            unix_seconds: 1_800_000_000,
            arrivals: BinaryHeap::new(),
            order: 0,
        }
    }

    pub fn now(&self) -> Now {
        Now { elapsed: self.elapsed, unix_seconds: self.unix_seconds }
    }

    /// Asks a question and plays until it is answered.
    pub fn resolve(&mut self, asked: Asked) -> Outcome {
        let started = self.elapsed;
        let mut plan = Plan::new(asked, self.world.service(ROOTS), self.limits, self.now());
        let (mut actions, mut learned, mut queries) = (Vec::new(), Vec::new(), Vec::new());
        plan.start(self.now(), &self.memory, &mut actions);
        let deadline = plan.deadline();
        self.arrive_at(deadline, Arrival::Deadline);
        loop {
            for action in std::mem::take(&mut actions) {
                match action {
                    Action::Learn(what) => {
                        learned.push(what.clone());
                        self.memory.learn(what, self.now());
                    }
                    Action::Ask(ask) => {
                        self.schedule(&ask);
                        queries.push(ask);
                    }
                    Action::Done(conclusion) => {
                        self.arrivals.clear();
                        let took = self.elapsed.checked_sub(started).unwrap();
                        return Outcome { conclusion, queries: queries.len(), took, learned };
                    }
                }
            }
            let Some(Reverse((at, _, arrival))) = self.arrivals.pop() else { panic!("a question hangs") };
            self.elapsed = at;
            self.tick();
            let now = self.now();
            match arrival {
                Arrival::Deadline => plan.on(Event::Deadline, now, &self.memory, &mut actions),
                Arrival::Failed { query } => {
                    plan.on(Event::Failed { query: QueryId(query) }, now, &self.memory, &mut actions);
                }
                Arrival::Answer { query, candidate, message } => {
                    let event = Event::Answer { query: QueryId(query), candidate, message: &message };
                    plan.on(event, now, &self.memory, &mut actions);
                }
                Arrival::Send { query, candidate, .. } => {
                    let ask = queries.iter().find(|ask| ask.query.0 == query).unwrap();
                    self.send(ask, candidate);
                }
            }
        }
    }

    fn arrive_at(&mut self, at: Duration, arrival: Arrival) {
        self.order += 1;
        self.arrivals.push(Reverse((at, self.order, arrival)));
    }

    fn arrive_in(&mut self, milliseconds: u64, arrival: Arrival) {
        self.arrive_at(self.elapsed + Duration::from_millis(milliseconds), arrival);
    }

    /// The clock of the day runs, or jumps.
    fn tick(&mut self) {
        if self.rng.percent(self.faults.clock_jumps) {
            let days = u32::try_from(self.rng.below(800)).unwrap();
            self.unix_seconds = 1_700_000_000 + days * 86_400;
        }
    }

    /// One candidate after the other, and once more, until one answers.
    fn schedule(&mut self, ask: &Ask) {
        assert!(!ask.candidates.is_empty(), "a query for nobody");
        let (count, query) = (ask.candidates.len(), ask.query.0);
        let first = self.rng.index(count);
        let mut wait = 0;
        for round in 0..ROUNDS {
            for turn in 0..count {
                let candidate = (first + turn) % count;
                self.arrive_in(wait, Arrival::Send { query, candidate, round });
                wait += STAGGER;
            }
        }
        self.arrive_in(wait + STAGGER, Arrival::Failed { query });
    }

    /// Sends a query to a candidate and, if it gets there, lets the answer come back.
    fn send(&mut self, ask: &Ask, candidate: usize) {
        let server = ask.candidates[candidate].ip;
        let milliseconds = u64::try_from(self.elapsed.as_millis()).unwrap();
        let is_away = |period: &u64| (milliseconds / period).is_multiple_of(2);
        let is_dead = self.faults.dead.contains(&server) || self.faults.flapping.get(&server).is_some_and(is_away);
        if is_dead || self.rng.percent(self.faults.loss) {
            return;
        }
        let message = self.answer(server, &ask.request);
        let copies = if self.rng.percent(self.faults.duplication) { 2 } else { 1 };
        for _ in 0..copies {
            if self.rng.percent(self.faults.loss) {
                continue;
            }
            let delay = self.rng.below(self.faults.delay + 1);
            self.arrive_in(delay, Arrival::Answer { query: ask.query.0, candidate, message: message.clone() });
        }
    }

    fn answer(&mut self, server: IpAddr, request: &[u8]) -> Vec<u8> {
        let (service, _) = self.world.place(server);
        let honest = self.world.answer(server, request);
        if wants_certification(request) && self.rng.percent(self.faults.uncertified) {
            return uncertified(&mut self.rng, &self.world, self.evil, request, &honest);
        }
        if service == self.evil && self.rng.percent(70) {
            return lie(&mut self.rng, &self.world, self.evil, request);
        }
        let chance = self.faults.nonsense.get(&server).copied().unwrap_or(0);
        if self.rng.percent(chance) {
            let signer = Signer(Some(self.world.services[service].key));
            return nonsense(&mut self.rng, request, honest, signer);
        }
        honest
    }
}
