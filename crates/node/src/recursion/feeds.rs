//! Changes that other nodes of ours push: what they touched is forgotten at once, instead of when its time to live is over.
//!
//! ```text
//! connect ── from the serial of last time ── forget what is told ── confirm ── …
//!     ^            none, or no longer kept: forget all of the prefixes, follow from now on
//!     └── wait, longer each time
//! ```
//! The serial up to which everything is forgotten is kept beside the saved cache and never newer than it.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};
use waymark_api::registration::v1;
use waymark_client::registration::{Endpoint, GrpcUrl, Registrar, ServerError, ServerTrust};
use waymark_ident::PREFIX_RECORDS;
use waymark_recursive_cache::cache::{Cache, Flush};

use crate::{
    cli::resolve::parse_pin,
    problem::{Exit, Problem},
};

/// Waits between attempts to connect: from the least, doubling, to the most.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Confirmations are sent this often at most; what is forgotten in between is confirmed together.
const CONFIRM_PACE: Duration = Duration::from_millis(200);

/// Longest name, as the node that pushes takes it.
const NAME_BYTES: usize = 64;

/// Silence after which the stream counts as lost. The node that pushes says every few seconds that it is there.
const SILENCE: Duration = Duration::from_secs(90);

/// The file of one feed, as written by an operator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedFile {
    server: String,
    name: String,
    prefixes: Vec<String>,
    token_file: PathBuf,
    pin: Option<String>,
    ca: Option<PathBuf>,
}

/// One node that pushes.
#[derive(Debug)]
pub(super) struct Feed {
    file: FeedFile,
    url: GrpcUrl,
    trust: ServerTrust,
    /// Everything up to here is forgotten; 0: nothing is known.
    forgotten: Arc<AtomicU64>,
    state: PathBuf,
}

/// The serials of all feeds, for whoever saves the cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Vec<(PathBuf, Arc<AtomicU64>)>);

impl Marks {
    pub(super) fn of(feeds: &[Feed]) -> Self {
        Self(feeds.iter().map(|feed| (feed.state.clone(), Arc::clone(&feed.forgotten))).collect())
    }

    /// The serials as they are now. To be taken before the cache is written: what is forgotten later is forgotten again.
    pub(super) fn now(&self) -> Vec<(PathBuf, u64)> {
        self.0.iter().map(|(path, serial)| (path.clone(), serial.load(Ordering::Acquire))).collect()
    }

    /// Writes serials that were taken before.
    pub(super) fn write(taken: &[(PathBuf, u64)]) -> std::io::Result<()> {
        for (path, serial) in taken {
            let beside = path.with_extension("new");
            std::fs::write(&beside, format!("{serial}\n"))?;
            std::fs::rename(&beside, path)?;
        }
        Ok(())
    }
}

impl Feed {
    /// Reads the file of a feed. `data` is where its serial is kept, `has_cache` whether the cache of last time was loaded.
    pub(super) fn read(path: &Path, data: &Path, has_cache: bool) -> Result<Self, Problem> {
        let unusable = |cause: &dyn std::fmt::Display| {
            Problem::new("feed-unusable", Exit::Usage).with("path", path.display()).with("cause", cause)
        };
        let text = std::fs::read_to_string(path).map_err(|cause| unusable(&cause))?;
        let file: FeedFile = toml::from_str(&text).map_err(|cause| unusable(&cause))?;
        let url: GrpcUrl = file.server.parse().map_err(|cause| unusable(&cause))?;
        let trust = match (&file.pin, &file.ca) {
            (Some(pin), None) => ServerTrust::Pin(parse_pin(pin)?),
            (None, Some(ca)) => {
                let pem = std::fs::read(ca).map_err(|cause| unusable(&cause))?;
                ServerTrust::Authorities(pem)
            }
            _ => return Err(unusable(&"name the certificate's fingerprint (pin), or a file of authorities (ca)")),
        };
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if file.name.is_empty() || file.name.len() > NAME_BYTES || !file.name.bytes().all(is_part) {
            return Err(unusable(&"name: 1 to 64 letters, digits, points, hyphens and underscores"));
        }
        // A serial is one of that server and of no other.
        let server: String = file.server.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
        let state = data.join(format!("feed-{}-{server}.serial", file.name));
        let known = std::fs::read_to_string(&state).ok().and_then(|text| text.trim().parse().ok());
        let forgotten = Arc::new(AtomicU64::new(known.filter(|_| has_cache).unwrap_or_default()));
        Ok(Self { file, url, trust, forgotten, state })
    }

    /// Refuses feeds of one server under one name: the server would take them for one follower.
    pub(super) fn check_all(feeds: &[Self]) -> Result<(), Problem> {
        let mut states = HashSet::new();
        match feeds.iter().find(|feed| !states.insert(&feed.state)) {
            None => Ok(()),
            Some(twin) => Err(Problem::new("feed-unusable", Exit::Usage)
                .with("path", &twin.file.server)
                .with("cause", format!("two feeds of this server are named {}", twin.file.name))),
        }
    }

    /// Follows for ever. For a task of its own.
    pub(super) async fn run(self, cache: Arc<Cache>) {
        let mut wait = WAITS.0;
        loop {
            let began = Instant::now();
            let ended = self.follow(&cache).await;
            tracing::warn!(server = %self.file.server, cause = %ended, "the feed broke; it is tried again");
            if began.elapsed() > SILENCE {
                wait = WAITS.0;
            }
            sleep(wait).await;
            wait = (wait * 2).min(WAITS.1);
        }
    }

    /// Follows on one connection; says how it ended.
    async fn follow(&self, cache: &Arc<Cache>) -> String {
        let registrar = match self.connect() {
            Ok(registrar) => registrar,
            Err(cause) => return cause,
        };
        let after = self.forgotten.load(Ordering::Acquire);
        let request = v1::FollowRequest {
            name: self.file.name.clone(),
            prefixes: self.file.prefixes.clone(),
            after_serial: after,
            from_now: after == 0,
        };
        let mut told = match registrar.follow(&request).await {
            Ok(told) => told,
            Err(error) => return self.refused(error.server_error(), error.cause(), cache),
        };
        if after == 0 {
            // Behind the opening, so that nothing comes between.
            self.forget_all(cache);
        }
        tracing::info!(server = %self.file.server, after, "following changes");
        let mut confirmed = Instant::now();
        let mut unconfirmed = None;
        loop {
            let pace = unconfirmed.map_or(SILENCE, |_| CONFIRM_PACE.saturating_sub(confirmed.elapsed()));
            match timeout(pace, told.message()).await {
                Ok(Ok(Some(message))) => {
                    let upto = message.upto;
                    if !self.forget(message, cache).await {
                        return "what was told could not be forgotten".to_owned();
                    }
                    unconfirmed = Some(upto);
                }
                Ok(Ok(None)) => return "the server ended the stream".to_owned(),
                Ok(Err(status)) => {
                    let said = ServerError::of_status(&status);
                    return self.refused(said.as_ref(), status.message().to_owned(), cache);
                }
                Err(_) if unconfirmed.is_none() => return "nothing was heard for too long".to_owned(),
                Err(_) => {}
            }
            if let Some(serial) = unconfirmed.filter(|_| confirmed.elapsed() >= CONFIRM_PACE) {
                let confirm = v1::ConfirmRequest { name: self.file.name.clone(), serial };
                if let Err(error) = registrar.confirm_forgotten(&confirm).await {
                    return error.cause();
                }
                (confirmed, unconfirmed) = (Instant::now(), None);
            }
        }
    }

    fn connect(&self) -> Result<Registrar, String> {
        let token = std::fs::read_to_string(&self.file.token_file)
            .map_err(|cause| format!("{}: {cause}", self.file.token_file.display()))?;
        let mut endpoint = Endpoint::new(self.url.clone());
        endpoint.trust = Some(self.trust.clone());
        endpoint.token = Some(token.trim().to_owned());
        Registrar::connect(&endpoint).map_err(|cause| cause.to_string())
    }

    /// A refusal that says what is asked for is gone: everything is forgotten, and the next attempt begins now.
    fn refused(&self, said: Option<&ServerError>, cause: String, cache: &Cache) -> String {
        if said.is_some_and(|said| said.reason == "COMPACTED") {
            self.forget_all(cache);
            self.forgotten.store(0, Ordering::Release);
        }
        cause
    }

    /// Tells whether all of it is forgotten.
    async fn forget(&self, message: v1::FollowResponse, cache: &Arc<Cache>) -> bool {
        let v1::FollowResponse { names, prefixes, anything, upto } = message;
        if anything {
            self.forget_all(cache);
        }
        let fold = |prefix: String| prefix.to_ascii_uppercase().into_bytes();
        // Where handles of a prefix live stands in its record.
        let of_records = names.iter().filter_map(|name| name.strip_prefix(PREFIX_RECORDS)).map(<[u8]>::to_vec);
        let prefixes: BTreeSet<Vec<u8>> = prefixes.into_iter().map(fold).chain(of_records).collect();
        let cache = Arc::clone(cache);
        // A prefix is looked for in the whole cache: not on a thread that others wait for.
        let forgetting = tokio::task::spawn_blocking(move || {
            for name in &names {
                cache.flush(Flush::Name(name));
            }
            for prefix in &prefixes {
                cache.flush(Flush::Prefix(prefix));
            }
        });
        let is_done = forgetting.await.is_ok();
        if is_done {
            self.forgotten.store(upto, Ordering::Release);
        }
        is_done
    }

    fn forget_all(&self, cache: &Cache) {
        for prefix in &self.file.prefixes {
            cache.flush(Flush::Prefix(prefix.to_ascii_uppercase().as_bytes()));
        }
    }
}
