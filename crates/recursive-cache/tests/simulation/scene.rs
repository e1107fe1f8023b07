//! One question in a world without faults but those a scenario names: each query goes to the first candidate, and the answer is there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use waymark_recursive_cache::config::PlanLimits;
use waymark_recursive_cache::knowledge::{Fact, Learned, Now};
use waymark_recursive_cache::plan::{Action, Ask, Asked, Conclusion, Event, Plan};
use waymark_wire::request::{Request, RequestBody};
use waymark_wire::value::put_values;
use waymark_wire::{OpFlags, ValueBuf};

use crate::memory::Memory;
use crate::world::{ROOTS, World};

/// What a server does instead of answering honestly: from the request and the honest answer to what it sends, or to silence.
pub type Behaviour = Box<dyn Fn(&[u8], Vec<u8>) -> Option<Vec<u8>>>;

pub struct Scene {
    pub world: World,
    pub memory: Memory,
    pub limits: PlanLimits,
    pub now: Now,
    pub behaviours: BTreeMap<IpAddr, Behaviour>,
    /// Queries sent: server, handle.
    pub sent: Vec<Sent>,
    /// What was learned.
    pub learned: Vec<Learned>,
}

/// A query that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    pub server: IpAddr,
    pub handle: String,
    pub flags: OpFlags,
    pub indexes: Vec<u32>,
    pub types: Vec<String>,
    pub extra: Option<Vec<u8>>,
    pub recursion_count: u8,
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Sent {
    pub fn of(ask: &Ask, candidate: usize) -> Self {
        let request = Request::parse(&ask.request).unwrap();
        let RequestBody::Resolution(body) = request.body else { panic!("{:?}", request.body) };
        Self {
            server: ask.candidates[candidate].ip,
            handle: text(body.handle),
            flags: request.message.header.flags,
            indexes: body.indexes.iter().collect(),
            types: body.types.iter().map(text).collect(),
            extra: body.extra.map(<[u8]>::to_vec),
            recursion_count: request.message.header.recursion_count,
        }
    }
}

impl Scene {
    pub fn new(world: World) -> Self {
        let now = Now { elapsed: Duration::from_secs(100), unix_seconds: 1_800_000_000 };
        Self {
            world,
            memory: Memory::default(),
            limits: PlanLimits::default(),
            now,
            behaviours: BTreeMap::new(),
            sent: Vec::new(),
            learned: Vec::new(),
        }
    }

    /// The address of a server.
    pub fn server(&self, service: usize, site: usize, server: usize) -> IpAddr {
        self.world.services[service].sites[site][server]
    }

    /// Lets all servers of a service behave so.
    pub fn all_do(&mut self, service: usize, behaviour: impl Fn(&[u8], Vec<u8>) -> Option<Vec<u8>> + Copy + 'static) {
        for server in self.world.services[service].sites.concat() {
            self.behaviours.insert(server, Box::new(behaviour));
        }
    }

    pub fn ask(&mut self, handle: &str) -> Conclusion {
        self.resolve(asked(handle))
    }

    /// Runs the plan to its end. `sent` and `learned` are those of this question.
    pub fn resolve(&mut self, asked: Asked) -> Conclusion {
        (self.sent, self.learned) = (Vec::new(), Vec::new());
        let mut plan = Plan::new(asked, self.world.service(ROOTS), self.limits, self.now);
        let mut actions = Vec::new();
        plan.start(self.now, &self.memory, &mut actions);
        loop {
            let mut query = None;
            for action in actions.drain(..) {
                match action {
                    Action::Learn(learned) => {
                        self.learned.push(learned.clone());
                        self.memory.learn(learned, self.now);
                    }
                    Action::Ask(ask) => query = Some(ask),
                    Action::Done(conclusion) => return conclusion,
                }
            }
            let ask = query.expect("a plan that is not done asks");
            self.exchange(&mut plan, &ask, &mut actions);
        }
    }

    /// Tries the candidates in their order until one answers.
    fn exchange(&mut self, plan: &mut Plan, ask: &Ask, actions: &mut Vec<Action>) {
        for (candidate, server) in ask.candidates.iter().enumerate() {
            self.sent.push(Sent::of(ask, candidate));
            let honest = self.world.answer(server.ip, &ask.request);
            let answer = match self.behaviours.get(&server.ip) {
                Some(behaviour) => behaviour(&ask.request, honest),
                None => Some(honest),
            };
            if let Some(message) = answer {
                let event = Event::Answer { query: ask.query, candidate, message: &message };
                return plan.on(event, self.now, &self.memory, actions);
            }
        }
        plan.on(Event::Failed { query: ask.query }, self.now, &self.memory, actions);
    }

    /// Servers and handles of the queries, as text.
    pub fn handles_sent(&self) -> Vec<&str> {
        self.sent.iter().map(|sent| sent.handle.as_str()).collect()
    }
}

/// A plain question.
pub fn asked(handle: &str) -> Asked {
    Asked { handle: handle.as_bytes().into(), ..Asked::default() }
}

/// The fact that these public values are.
pub fn fact_of(values: &[ValueBuf]) -> Fact {
    let mut public: Vec<&ValueBuf> = values.iter().filter(|value| value.permissions.is_public_read()).collect();
    public.sort_by_key(|value| value.index);
    let mut wire = Vec::new();
    let count = put_values(&mut wire, public);
    match count {
        0 => Fact::NoValues,
        count => Fact::Values(waymark_recursive_cache::knowledge::Record { count, wire: wire[4..].into() }),
    }
}

/// The fact a question was answered with.
#[track_caller]
pub fn found(conclusion: &Conclusion) -> Arc<Fact> {
    match conclusion {
        Conclusion::Found { fact, .. } => Arc::clone(fact),
        other => panic!("{other:?}"),
    }
}
