//! Caches of others that follow what changes here: what each is to forget, and who has confirmed what.
//!
//! Who follows is in memory: after a restart followers come back by themselves, each from the serial it confirmed last.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use waymark_api::registration::v1;
use waymark_catalog::access::{Scope, Verb, prefix_of, rights_of};
use waymark_catalog::{FeedLimits, Serial, Timestamp, Touched};

use crate::config::{FOLLOWER_PREFIXES, FOLLOWERS};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::{Failure, proto_time};
use crate::reading::feed::{self, Source};
use crate::reading::watch::of_follow;
use crate::reasons::Reason;

/// Longest name of a follower.
const NAME_BYTES: usize = 64;
/// Longest prefix.
const PREFIX_BYTES: usize = 255;
/// How long a follower that is lost stays in the list.
const LOST: Duration = Duration::from_secs(7 * 24 * 3600);

/// All followers, by principal and name.
#[derive(Debug, Default)]
pub(crate) struct Followers(Mutex<BTreeMap<Name, Follower>>);

type Name = (Arc<str>, Arc<str>);

#[derive(Debug)]
struct Follower {
    prefixes: Vec<String>,
    confirmed: Serial,
    /// Streams open.
    streams: usize,
    seen: Timestamp,
}

impl Followers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Follower>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream to a follower is open, until the result is dropped.
    fn connect(edge: &Arc<Edge>, name: Name, prefixes: Vec<String>, confirmed: Serial) -> Result<Connected, Failure> {
        let now = edge.now();
        let mut all = edge.followers.lock();
        let lost = u64::try_from(LOST.as_millis()).unwrap_or(u64::MAX);
        all.retain(|_, follower| follower.streams > 0 || now.0.saturating_sub(follower.seen.0) < lost);
        if all.len() >= FOLLOWERS && !all.contains_key(&name) {
            // Who left longest ago makes room: nobody keeps others out by names that came once.
            let left =
                all.iter().filter(|(_, follower)| follower.streams == 0).min_by_key(|(_, follower)| follower.seen);
            let left = left.map(|(name, _)| name.clone()).ok_or_else(|| Failure::new(Reason::Busy))?;
            all.remove(&left);
        }
        let known = Follower { prefixes: Vec::new(), confirmed, streams: 0, seen: now };
        let follower = all.entry(name.clone()).or_insert(known);
        follower.prefixes = prefixes;
        follower.streams = follower.streams.saturating_add(1);
        follower.seen = now;
        drop(all);
        Ok(Connected { edge: Arc::clone(edge), name })
    }
}

/// Counts a stream while it is open.
struct Connected {
    edge: Arc<Edge>,
    name: Name,
}

impl Drop for Connected {
    fn drop(&mut self) {
        let now = self.edge.now();
        if let Some(follower) = self.edge.followers.lock().get_mut(&self.name) {
            follower.streams = follower.streams.saturating_sub(1);
            follower.seen = now;
        }
    }
}

/// Opens a stream to a follower.
pub(crate) fn follow(
    edge: &Arc<Edge>,
    caller: &Arc<Caller>,
    request: v1::FollowRequest,
) -> Result<BoxStream<'static, Result<v1::FollowResponse, Failure>>, Failure> {
    let v1::FollowRequest { name, prefixes, after_serial, from_now } = request;
    check_name(&name)?;
    if prefixes.is_empty() || prefixes.len() > FOLLOWER_PREFIXES {
        return Err(Failure::invalid_field("prefixes", format!("must be between 1 and {FOLLOWER_PREFIXES}")));
    }
    let read = |(at, text): (usize, &String)| {
        let scope = Scope::parse([text.as_str()]).ok().filter(|scope| *scope != Scope::All);
        scope.filter(|_| text.len() <= PREFIX_BYTES).ok_or_else(|| {
            let problem = format!("must be a prefix of at most {PREFIX_BYTES} bytes");
            Failure::invalid_field(format!("prefixes[{at}]"), problem)
        })
    };
    let followed: Vec<Scope> = prefixes.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    let may_follow = |scope: &Scope| caller.rights.has(Verb::Watch) && caller.rights.covers_all_of(scope);
    if let Some(refused) = followed.iter().find(|scope| !may_follow(scope)) {
        return Err(edge.deny(caller, Verb::Watch, refused.texts().concat().as_bytes()));
    }
    let newest = edge.catalog.serial();
    let after = if from_now { newest } else { Serial(after_serial) };
    if after > newest {
        // Of another log than this one, or of one from which this was restored: what changed in between is not known.
        return Err(Failure::new(Reason::Compacted).with("oldest", newest.0));
    }
    let name = (Arc::from(caller.actor.name()), name.into());
    let confirmed = if from_now { Serial::NONE } else { after };
    let connected = Followers::connect(edge, name, prefixes, confirmed)?;
    let source = Forgetting { edge: Arc::clone(edge), caller: Arc::clone(caller), followed, _connected: connected };
    feed::open(edge, source, after, None)
}

/// Notes what a follower has forgotten.
pub(crate) fn confirm(edge: &Edge, caller: &Caller, request: v1::ConfirmRequest) -> Result<(), Failure> {
    let v1::ConfirmRequest { name, serial } = request;
    check_name(&name)?;
    if serial > edge.catalog.serial().0 {
        return Err(Failure::invalid_field("serial", "is that of a change still to come"));
    }
    let now = edge.now();
    let mut all = edge.followers.lock();
    let follower = all.get_mut(&(Arc::from(caller.actor.name()), name.into()));
    let follower = follower.ok_or_else(|| Failure::new(Reason::NotFound).with("what", "follower"))?;
    follower.confirmed = follower.confirmed.max(Serial(serial));
    follower.seen = now;
    Ok(())
}

/// Who follows.
pub(crate) fn list(
    edge: &Edge,
    caller: &Caller,
    request: v1::ListFollowersRequest,
) -> Result<v1::ListFollowersResponse, Failure> {
    if !caller.rights.has_everywhere(Verb::Audit) {
        return Err(edge.deny(caller, Verb::Audit, b""));
    }
    let serial = edge.catalog.serial().0;
    let all = edge.followers.lock();
    let wanted = |(_, follower): &(&Name, &Follower)| request.behind == 0 || follower.confirmed.0 < request.behind;
    let followers = all.iter().filter(wanted).map(|((principal, name), follower)| v1::Follower {
        principal: principal.to_string(),
        name: name.to_string(),
        prefixes: follower.prefixes.clone(),
        confirmed: follower.confirmed.0,
        connected: follower.streams > 0,
        seen: Some(proto_time(follower.seen)),
    });
    Ok(v1::ListFollowersResponse { followers: followers.collect(), serial })
}

fn check_name(name: &str) -> Result<(), Failure> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !name.is_empty() && name.len() <= NAME_BYTES && name.bytes().all(is_part) {
        return Ok(());
    }
    Err(Failure::invalid_field("name", "must be 1 to 64 letters, digits, points, hyphens and underscores"))
}

/// What a follower is to forget.
struct Forgetting {
    edge: Arc<Edge>,
    caller: Arc<Caller>,
    /// Each a prefix with what is derived from it.
    followed: Vec<Scope>,
    _connected: Connected,
}

impl Source for Forgetting {
    type Message = v1::FollowResponse;

    async fn read(&mut self, after: Serial) -> Result<(Vec<v1::FollowResponse>, Serial), Failure> {
        let rights = rights_of(&self.caller.actor, &self.edge.catalog.access(), self.edge.catalog.now());
        let rights = rights.ok_or_else(|| Failure::new(Reason::Unauthenticated))?;
        let (catalog, followed) = (self.edge.catalog.clone(), self.followed.clone());
        let most = self.edge.limits.watch_batch;
        let read = self.edge.reading.read(move |_| {
            let mut told = v1::FollowResponse::default();
            let is_told =
                |prefix: &[u8]| rights.allows(Verb::Watch, prefix) && followed.iter().any(|scope| scope.covers(prefix));
            let upto = catalog.touched(after, FeedLimits::default(), &mut |_, touched| {
                match touched {
                    Touched::Record(key) if is_told(&prefix_of(key)) => told.names.push(key.to_vec()),
                    Touched::Prefix(prefix) if is_told(prefix) => {
                        let prefix = String::from_utf8_lossy(prefix).into_owned();
                        if !told.prefixes.contains(&prefix) {
                            told.prefixes.push(prefix);
                        }
                    }
                    Touched::Unknown => told.anything = true,
                    Touched::Record(_) | Touched::Prefix(_) => {}
                }
                if told.names.len() + told.prefixes.len() >= most {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            let upto = upto.map_err(|error| of_follow(&error))?;
            told.upto = upto.0;
            Ok((told, upto))
        });
        let (told, upto) = read.await?;
        let says_nothing = told.names.is_empty() && told.prefixes.is_empty() && !told.anything;
        Ok((if says_nothing { Vec::new() } else { vec![told] }, upto))
    }

    fn progress(&self, upto: Serial) -> v1::FollowResponse {
        v1::FollowResponse { upto: upto.0, ..v1::FollowResponse::default() }
    }
}
