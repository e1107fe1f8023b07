//! Deposits the node makes and brings to the platform itself, as the configuration describes it, and how they stand for operators.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::watch, task::JoinHandle};
use waymark_api::operator::v1;
use waymark_catalog::{Catalog, machine_time};
use waymark_top_sync::{
    deposit::{
        Account, Courier, Extent, FileName, Options, Phase, Policy, Row, SendError, Standing,
        config::{FIRST_PAUSE_SECONDS, PART_BYTES, PREFIXES},
        parse_date, parse_time_of_day,
    },
    sftp::{Endpoint, UserKey, config::PORT},
};
use waymark_wire::crypto::{PrivateKey, PublicKey};

use crate::{
    config::Config,
    daemon::chain,
    problem::{Exit, Problem},
};

/// Makes and brings deposits until it is told to stop.
#[derive(Debug)]
pub(crate) struct DepositKeeper {
    courier: Arc<Courier>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// The keys deposits are made with, and whose turn it is to make one.
pub(crate) struct Workbench {
    pub(crate) platform: PublicKey,
    pub(crate) own: PrivateKey,
    pub(crate) turn: Arc<Mutex<()>>,
}

impl DepositKeeper {
    /// Begins, where a platform is configured.
    ///
    /// # Errors
    /// Its address, its host key, the key to show, a prefix or a time cannot be used.
    pub(crate) fn start(
        config: &Config,
        data: &Path,
        catalog: &Catalog,
        workbench: Workbench,
    ) -> Result<Option<Self>, Problem> {
        let values = config.values();
        if values.text("deposit.sftp_server").is_empty() {
            return Ok(None);
        }
        let courier = Courier::new(Options {
            catalog: catalog.clone(),
            data: data.to_owned(),
            platform: workbench.platform,
            own: workbench.own,
            turn: workbench.turn,
            accounts: accounts(config)?,
            endpoint: endpoint(config)?,
            directory: folder(config, "deposit.sftp_directory")?,
            reports: folder(config, "deposit.sftp_reports")?,
            part_bytes: PART_BYTES.default,
            ask_every: Duration::from_secs(values.number("deposit.ask_seconds")),
            first_pause: Duration::from_secs(FIRST_PAUSE_SECONDS.default),
            clock: machine_time,
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Arc::clone(&courier).run(stopped));
        Ok(Some(Self { courier, stop, task }))
    }

    /// Who does the work.
    pub(crate) fn courier(&self) -> &Arc<Courier> {
        &self.courier
    }

    /// Ends; what is under way is cut off and taken up after the next start.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        // A panic in it is a defect that the log shows; the node stops all the same.
        let _ended = self.task.await;
    }
}

fn unusable(what: &str, cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("deposit-unusable", Exit::Usage).with("what", what).with("cause", cause)
}

fn endpoint(config: &Config) -> Result<Endpoint, Problem> {
    let (server, values) = ("deposit.sftp_server", config.values());
    let text = values.text(server);
    let no_address = || unusable(server, &"no address such as sftp.example.cn:22 or [2001:db8::1]:22");
    let default = u16::try_from(PORT.default).unwrap_or_default();
    let (host, port) = match text.rsplit_once(':') {
        // An address of IPv6 without brackets has colons of its own.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, default),
        Some((host, port)) => (host, port.parse().map_err(|_| no_address())?),
        None => (text, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || port == 0 {
        return Err(no_address());
    }
    let pinned = "deposit.sftp_host_key";
    let host_key = values.text(pinned).parse().map_err(|cause| unusable(pinned, &cause))?;
    let path = config.path("deposit.sftp_key").unwrap_or_default();
    Ok(Endpoint {
        host: host.to_owned(),
        port,
        host_key,
        key: UserKey::read(&path).map_err(|cause| unusable("deposit.sftp_key", &chain(&cause)))?,
        answer_time: Duration::from_secs(values.number("deposit.sftp_answer_seconds")),
    })
}

fn accounts(config: &Config) -> Result<Vec<Account>, Problem> {
    let values = config.values();
    let at = Some(values.text("deposit.at")).filter(|at| !at.is_empty()).map(parse_time_of_day).transpose();
    let at = at.map_err(|cause| unusable("deposit.at", &cause))?;
    let resends = u32::try_from(values.number("deposit.resends")).unwrap_or(u32::MAX);
    let always = values.list("deposit.always_full");
    let mut accounts: Vec<Account> = Vec::new();
    for item in values.list("deposit.accounts") {
        let key = "deposit.accounts";
        let (prefix, user) =
            item.split_once('=').ok_or_else(|| unusable(key, &format!("{item} is not PREFIX=USER")))?;
        let (prefix, user) = (prefix.trim().to_ascii_uppercase(), user.trim().to_owned());
        // It becomes part of the names of files.
        let is_name = format!("{prefix}_2026-11-29_full_S1_R0.inde").parse::<FileName>().is_ok();
        if !is_name || prefix.starts_with('.') || user.is_empty() {
            return Err(unusable(key, &format!("{item} is not PREFIX=USER")));
        }
        if accounts.len() >= PREFIXES || accounts.iter().any(|account| account.prefix == prefix) {
            return Err(unusable(key, &format!("{prefix} stands there twice, or there are more than {PREFIXES}")));
        }
        let always_full = always.iter().any(|full| full.eq_ignore_ascii_case(&prefix));
        accounts.push(Account { prefix, user, policy: Policy { at, resends, always_full } });
    }
    let known = |full: &&String| accounts.iter().any(|account| account.prefix.eq_ignore_ascii_case(full));
    match always.iter().find(|full| !known(full)) {
        Some(unknown) => Err(unusable("deposit.always_full", &format!("{unknown} is not in deposit.accounts"))),
        None => Ok(accounts),
    }
}

fn folder(config: &Config, key: &'static str) -> Result<String, Problem> {
    let text = config.values().text(key).trim_end_matches('/');
    if text.is_empty() { Err(unusable(key, &"it is empty")) } else { Ok(text.to_owned()) }
}

/// How deposits stand, for operators.
pub(crate) fn status(courier: &Courier) -> Result<v1::DepositStatus, String> {
    let standings = courier.standings().map_err(|cause| chain(&cause))?;
    Ok(v1::DepositStatus { standings: standings.into_iter().map(shown).collect() })
}

fn shown(standing: Standing) -> v1::DepositStanding {
    let late = standing.is_late();
    v1::DepositStanding {
        prefix: standing.prefix,
        user: standing.user,
        state: standing.phase.as_str().to_owned(),
        made: standing.made.map(row),
        sent: standing.sent.map(row),
        accepted: standing.accepted.map(row),
        accepted_age_seconds: standing.accepted_age_ms / 1_000,
        late,
        problem: standing.problem,
    }
}

fn row(row: Row) -> v1::DepositRow {
    let extent = match row.extent {
        Extent::Full => v1::DepositExtent::Full,
        Extent::Diff => v1::DepositExtent::Diff,
    };
    v1::DepositRow {
        id: row.id.to_string(),
        date: row.date.to_string(),
        extent: extent.into(),
        resend: row.resend,
        ended_ms: row.ended.unwrap_or(0),
        sent_ms: row.sent.unwrap_or(0),
        judged_ms: row.judged.unwrap_or(0),
        code: row.code.map_or(0, u32::from),
        remark: row.remark,
    }
}

/// Has deposits made and brought at once.
pub(crate) fn send(courier: &Courier, request: &v1::SendDepositRequest) -> v1::SendDepositResponse {
    let v1::SendDepositRequest { prefix, date } = request;
    let day = Some(date.as_str()).filter(|date| !date.is_empty());
    let failed = |code: &str, name: &str, value: String| {
        let values = [(name.to_owned(), value)].into_iter().collect();
        v1::SendDepositResponse {
            prefixes: Vec::new(),
            failed: Some(v1::DepositFailed { code: code.to_owned(), values }),
        }
    };
    let Ok(day) = day.map(|date| parse_date(date).ok_or(())).transpose() else {
        return failed("deposit-date", "date", date.clone());
    };
    let prefix = Some(prefix.as_str()).filter(|prefix| !prefix.is_empty());
    match courier.send(prefix, day) {
        Ok(prefixes) => v1::SendDepositResponse { prefixes, failed: None },
        Err(SendError::Prefix { prefix }) => failed("deposit-account", "prefix", prefix),
        Err(SendError::Future { date }) => failed("deposit-future", "date", date.to_string()),
        Err(SendError::BeforeCreation { date }) => failed("deposit-before-creation", "date", date.to_string()),
        Err(other) => failed("deposit-not-made", "cause", chain(&other)),
    }
}

/// Figures of deposits for scrapers.
#[derive(Clone, Debug)]
pub struct DepositFigures {
    /// Seconds since the platform accepted a deposit, of the prefix that waits longest.
    pub oldest_seconds: u64,
    /// Prefixes by where their last deposit is.
    pub phases: Vec<(&'static str, u64)>,
}

/// Those of this moment; none where the table cannot be read.
pub(crate) fn figures(courier: &Courier) -> Option<DepositFigures> {
    let standings = courier.standings().ok()?;
    let count = |phase: Phase| standings.iter().filter(|standing| standing.phase == phase).count();
    Some(DepositFigures {
        oldest_seconds: standings.iter().map(|standing| standing.accepted_age_ms / 1_000).max().unwrap_or(0),
        phases: Phase::ALL.into_iter().map(|phase| (phase.as_str(), count(phase) as u64)).collect(),
    })
}
