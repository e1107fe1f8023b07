//! Figures for scrapers, in the Prometheus text form.
//!
//! Answering threads keep plain counters of their own; nothing of this page runs unless somebody scrapes. Each scrape makes a registry,
//! puts the sums in and renders it, so there is no state here that could be wrong. Names are constants, listed in [`NAMES`] with what they
//! mean; dashboards and alerts are checked against that list.

use metrics::{counter, describe_counter, describe_gauge, gauge, with_local_recorder};
use metrics_exporter_prometheus::PrometheusBuilder;
use waymark_catalog::{NotWritable, Statistics, Timestamp};
use waymark_recursive_cache::recursor::Recursor;
use waymark_resolver::{
    CounterSnapshot, DropReason, OpClass, Outcome, SlowReason, Transport,
    counters::LATENCY_BOUNDS_NANOS,
    door::{DoorEvent, DoorSnapshot},
};
use waymark_top_sync::outbox::SetStatus;
use waymark_top_sync::watch::Standing;

use crate::{deposit_courier::DepositFigures, recursion, traffic::NodeTraffic};

/// Answers by transport, operation and outcome.
pub const ANSWERS: &str = "waymark_resolver_answers_total";
/// Requests that got no answer, by transport and reason.
pub const DROPS: &str = "waymark_resolver_drops_total";
/// Requests that left the fast path, by transport and reason.
pub const SLOW: &str = "waymark_resolver_slow_total";
/// Answers made again in a larger room, by transport.
pub const ROOM: &str = "waymark_resolver_larger_room_total";
/// Answers up to a latency, by transport (`le`, in seconds, cumulative).
pub const LATENCY: &str = "waymark_resolver_answer_seconds_bucket";
/// Answers whose latency was taken, by transport.
pub const LATENCY_COUNT: &str = "waymark_resolver_answer_seconds_count";
/// Sum of their latencies, by transport.
pub const LATENCY_SUM: &str = "waymark_resolver_answer_nanoseconds_total";
/// Everything else doors count, by transport and event.
pub const DOOR: &str = "waymark_resolver_door_events_total";
/// Open connections, by transport.
pub const CONNECTIONS: &str = "waymark_resolver_connections";
/// Identifiers in the index.
pub const ENTRIES: &str = "waymark_index_entries";
/// Identifiers whose record is in memory.
pub const RESIDENT: &str = "waymark_index_resident_entries";
/// Bytes of the index table.
pub const TABLE_BYTES: &str = "waymark_index_table_bytes";
/// Bytes of records in memory.
pub const RECORD_BYTES: &str = "waymark_index_record_bytes";
/// Records moved out of memory to make room.
pub const EVICTED: &str = "waymark_index_evicted_total";
/// Bytes of the record log.
pub const LOG_BYTES: &str = "waymark_store_log_bytes";
/// Segment files of the log.
pub const SEGMENTS: &str = "waymark_store_segments";
/// Sorted key runs.
pub const RUNS: &str = "waymark_store_runs";
/// Bytes of the key runs.
pub const RUN_BYTES: &str = "waymark_store_run_bytes";
/// Failures to make a key run.
pub const RUN_FAILURES: &str = "waymark_store_run_failures_total";
/// Bytes of the queryable state.
pub const STATE_BYTES: &str = "waymark_store_state_bytes";
/// Serials the state is behind the log.
pub const STATE_LAG: &str = "waymark_store_state_lag_serials";
/// Last visible serial.
pub const SERIAL: &str = "waymark_catalog_serial";
/// Prefixes served.
pub const PREFIXES: &str = "waymark_catalog_prefixes";
/// 1 while writes are taken, otherwise 0.
pub const WRITABLE: &str = "waymark_catalog_writable";
/// 1 for the reason why writes are not taken.
pub const NOT_WRITABLE: &str = "waymark_catalog_not_writable";
/// Submissions waiting for the writer.
pub const QUEUED: &str = "waymark_catalog_queued_submissions";
/// Bytes of them.
pub const QUEUED_BYTES: &str = "waymark_catalog_queued_bytes";
/// Groups committed.
pub const GROUPS: &str = "waymark_catalog_groups_total";
/// Entries committed.
pub const COMMITTED: &str = "waymark_catalog_entries_total";
/// Commands refused.
pub const REFUSED: &str = "waymark_catalog_refused_total";
/// Groups that could not be committed.
pub const FAILED_GROUPS: &str = "waymark_catalog_failed_groups_total";
/// Times the state could not be fed.
pub const STATE_FAILURES: &str = "waymark_catalog_state_failures_total";
/// Connections, calls and changes of the registration doors, by event.
pub const REGISTRATION: &str = "waymark_registration_events_total";
/// Checkpoints of the audit that could not be written.
pub const CHECKPOINT_FAILURES: &str = "waymark_node_audit_checkpoint_failures_total";
/// Records of answers that were not kept since the queue was full.
pub const ANSWER_RECORDS_LOST: &str = "waymark_node_answer_records_lost_total";
/// Sources of requests told apart today, by the node and by all prefixes.
pub const TRAFFIC_SOURCES: &str = "waymark_top_sync_traffic_sources";
/// Prefixes with requests or registrations today.
pub const TRAFFIC_PREFIXES: &str = "waymark_top_sync_traffic_prefixes";
/// 1 while the figures of today are exact, otherwise 0.
pub const TRAFFIC_EXACT: &str = "waymark_top_sync_traffic_exact";
/// Figures of requests that could not be saved.
pub const TRAFFIC_FAILURES: &str = "waymark_top_sync_traffic_save_failures_total";
/// Answers and registrations of days there was no room for.
pub const TRAFFIC_UNCOUNTED: &str = "waymark_top_sync_traffic_uncounted_total";
/// Records of registrations that were not kept since the queue was full.
pub const REGISTRATION_RECORDS_LOST: &str = "waymark_node_registration_records_lost_total";
/// Names that live elsewhere: questions, answers and failures, by event.
pub const RECURSION: &str = "waymark_recursion_events_total";
/// Names being resolved now.
pub const RECURSION_FLIGHTS: &str = "waymark_recursion_flights";
/// Servers of others known.
pub const UPSTREAM_SERVERS: &str = "waymark_recursion_servers";
/// Of these, held for dead.
pub const UPSTREAM_DEAD: &str = "waymark_recursion_dead_servers";
/// Entries of the cache.
pub const CACHE_ENTRIES: &str = "waymark_cache_entries";
/// Bytes they take.
pub const CACHE_BYTES: &str = "waymark_cache_bytes";
/// Bytes they may take.
pub const CACHE_BUDGET: &str = "waymark_cache_budget_bytes";
/// Parts owed to the top-level node that wait, by set.
pub const SYNC_WAITING: &str = "waymark_sync_parts_waiting";
/// Of these parts, refused by it.
pub const SYNC_REFUSED: &str = "waymark_sync_parts_refused";
/// Seconds since the oldest of both was made; 0 when there is none.
pub const SYNC_OLDEST: &str = "waymark_sync_oldest_seconds";
/// Delegated prefixes whose enterprises have not reported a set that is due, by set.
pub const SYNC_LATE: &str = "waymark_sync_owners_late";
/// Commands sent to the top-level node.
pub const DOCKING_COMMANDS: &str = "waymark_docking_commands_total";
/// Of these without an answer that could be believed, or refused.
pub const DOCKING_TROUBLES: &str = "waymark_docking_troubles_total";
/// Transactions with the top-level node that are open, and prefixes that wait for one.
pub const DOCKING_OPEN: &str = "waymark_docking_open_transactions";
/// Seconds since the oldest of what the top-level node has not decided was made.
pub const DOCKING_OLDEST: &str = "waymark_docking_oldest_undecided_seconds";
/// Probes of the node's own doors, by target and outcome.
pub const WATCH_PROBES: &str = "waymark_watch_probes_total";
/// Incidents that are not over, by type.
pub const WATCH_INCIDENTS: &str = "waymark_watch_open_incidents";
/// Rounds of probes.
pub const WATCH_ROUNDS: &str = "waymark_watch_rounds_total";
/// Rounds and events that could not be kept.
pub const WATCH_FAILURES: &str = "waymark_watch_save_failures_total";
/// 1 during a declared maintenance, otherwise 0.
pub const WATCH_MAINTENANCE: &str = "waymark_watch_maintenance";
/// Seconds since the platform accepted a deposit, of the prefix that waits longest.
pub const DEPOSIT_AGE: &str = "waymark_deposit_accepted_age_seconds";
/// Prefixes that are deposited, by where their last deposit is.
pub const DEPOSIT_PREFIXES: &str = "waymark_deposit_prefixes";
/// Seconds since the node was ready.
pub const UPTIME: &str = "waymark_node_uptime_seconds";

/// Every name and what it means.
pub const NAMES: &[(&str, &str)] = &[
    (ANSWERS, "Answers by transport, operation and outcome"),
    (DROPS, "Requests that got no answer, by transport and reason"),
    (SLOW, "Requests that left the fast path, by transport and reason"),
    (ROOM, "Answers made again in a larger room, by transport"),
    (
        LATENCY,
        "Answers up to a latency in seconds (le), by transport; from having the request to handing over the answer",
    ),
    (LATENCY_COUNT, "Answers whose latency was taken, by transport"),
    (LATENCY_SUM, "Sum of their latencies in nanoseconds, by transport"),
    (DOOR, "Packets, bytes, connections and refusals, by transport and event"),
    (CONNECTIONS, "Open connections, by transport"),
    (ENTRIES, "Identifiers in the index"),
    (RESIDENT, "Identifiers whose record is in memory"),
    (TABLE_BYTES, "Bytes of the index table"),
    (RECORD_BYTES, "Bytes of records in memory"),
    (EVICTED, "Records moved out of memory to make room"),
    (LOG_BYTES, "Bytes of the record log"),
    (SEGMENTS, "Segment files of the record log"),
    (RUNS, "Sorted key runs"),
    (RUN_BYTES, "Bytes of the sorted key runs"),
    (RUN_FAILURES, "Failures to make a key run; each is tried again"),
    (STATE_BYTES, "Bytes of the queryable state"),
    (STATE_LAG, "Serials the queryable state is behind the log"),
    (SERIAL, "Last visible serial"),
    (PREFIXES, "Prefixes served"),
    (WRITABLE, "1 while writes are taken, otherwise 0"),
    (NOT_WRITABLE, "1 for the reason why writes are not taken"),
    (QUEUED, "Submissions waiting for the writer"),
    (QUEUED_BYTES, "Bytes of the submissions waiting for the writer"),
    (GROUPS, "Groups committed"),
    (COMMITTED, "Entries committed"),
    (REFUSED, "Commands refused"),
    (FAILED_GROUPS, "Groups that could not be committed"),
    (STATE_FAILURES, "Times the queryable state could not be fed"),
    (REGISTRATION, "Connections, calls and changes of the registration doors, by event"),
    (CHECKPOINT_FAILURES, "Checkpoints of the audit that could not be written; each is tried again"),
    (ANSWER_RECORDS_LOST, "Records of answers not kept since their queue was full"),
    (TRAFFIC_SOURCES, "Sources of requests told apart today, by the node and by all prefixes"),
    (TRAFFIC_PREFIXES, "Prefixes with requests or registrations today"),
    (TRAFFIC_EXACT, "1 while the figures of requests of today are exact, otherwise 0"),
    (TRAFFIC_FAILURES, "Times the figures of requests could not be saved; each is tried again"),
    (TRAFFIC_UNCOUNTED, "Answers and registrations of days there was no room for"),
    (REGISTRATION_RECORDS_LOST, "Records of registrations not kept since their queue was full"),
    (RECURSION, "Names that live elsewhere: questions, answers and failures, by event"),
    (RECURSION_FLIGHTS, "Names that live elsewhere and are being resolved now"),
    (UPSTREAM_SERVERS, "Servers of others known to recursion"),
    (UPSTREAM_DEAD, "Servers of others held for dead"),
    (CACHE_ENTRIES, "Entries of the cache of names that live elsewhere"),
    (CACHE_BYTES, "Bytes of that cache, tables included"),
    (CACHE_BUDGET, "Bytes that cache may take"),
    (SYNC_WAITING, "Parts of sets owed to the top-level node that wait, by set"),
    (SYNC_REFUSED, "Parts of sets that the top-level node refused, by set"),
    (SYNC_OLDEST, "Seconds since the oldest part that waits or was refused was made, by set"),
    (SYNC_LATE, "Delegated prefixes whose enterprises have not reported a set that is due, by set"),
    (DOCKING_COMMANDS, "Commands sent to the top-level node"),
    (
        DOCKING_TROUBLES,
        "Troubles with the top-level node: no answer that could be believed, or a refusal; a row of equal ones counts once",
    ),
    (
        DEPOSIT_AGE,
        "Seconds since the platform accepted a deposit, of the prefix that waits longest; since the node was made where it never did",
    ),
    (DEPOSIT_PREFIXES, "Prefixes whose deposits the node brings to the platform, by where the last one is"),
    (DOCKING_OPEN, "Transactions with the top-level node that are open, and prefixes that wait for one"),
    (
        DOCKING_OLDEST,
        "Seconds since the oldest of what the top-level node has not decided was made; 0 when there is none",
    ),
    (WATCH_PROBES, "Probes of the node's own doors, by target and outcome"),
    (WATCH_INCIDENTS, "Incidents that are not over, by type"),
    (WATCH_ROUNDS, "Rounds of probes of the node's own doors"),
    (WATCH_FAILURES, "Rounds and events of incidents that could not be kept; events are tried again"),
    (WATCH_MAINTENANCE, "1 during a declared maintenance, otherwise 0"),
    (UPTIME, "Seconds since the node was ready"),
];

/// Everything a page is made from.
#[derive(Debug)]
pub struct Figures {
    /// Of the answering threads.
    pub answers: CounterSnapshot,
    /// Of each door.
    pub doors: Vec<(Transport, DoorSnapshot)>,
    /// Of the catalog and what lies below.
    pub catalog: Statistics,
    /// Why writes are not taken, if so.
    pub not_writable: Option<NotWritable>,
    /// Of the statistics of requests, where the node keeps them.
    pub traffic: Option<TrafficFigures>,
    /// Of recursion, where the node has it.
    pub recursion: Option<RecursionFigures>,
    /// How the watch stands, where the node watches itself.
    pub watch: Option<Standing>,
    /// How each set owed to the top-level node stands, and the time; none where the node is docked with nobody.
    pub sync: Option<(Timestamp, Vec<SetStatus>)>,
    /// Delegated prefixes whose enterprises are late with a set, by set.
    pub late: Vec<(&'static str, u64)>,
    /// Of the exchange with the top-level node, where the node has it.
    pub docking: Option<waymark_top_sync::epp::driver::Figures>,
    /// Of deposits, where the node brings them to the platform.
    pub deposits: Option<DepositFigures>,
    /// Of the registration doors.
    pub registration: Vec<(waymark_registration::Event, u64)>,
    /// Checkpoints of the audit that could not be written.
    pub checkpoint_failures: u64,
    /// Answer records lost.
    pub answer_records_lost: u64,
    /// Seconds since the node was ready.
    pub uptime_seconds: u64,
}

/// What recursion counted and what its cache holds.
#[derive(Clone, Debug)]
pub struct RecursionFigures {
    events: Vec<(&'static str, u64)>,
    gauges: [(&'static str, u64); 6],
}

impl RecursionFigures {
    /// Those of this moment.
    pub fn of(recursor: &Recursor) -> Self {
        let (cache, own, upstream) = (recursor.cache().stats(), recursor.counters(), recursor.upstreams().counters());
        let gauges = [
            (RECURSION_FLIGHTS, own.flights),
            (UPSTREAM_SERVERS, upstream.servers),
            (UPSTREAM_DEAD, upstream.dead),
            (CACHE_ENTRIES, cache.entries),
            (CACHE_BYTES, cache.bytes),
            (CACHE_BUDGET, cache.budget_bytes),
        ];
        Self { events: recursion::events(own, upstream).collect(), gauges }
    }
}

/// What can be told of the statistics of requests.
#[derive(Clone, Copy, Debug)]
pub struct TrafficFigures {
    gauges: [(&'static str, u64); 3],
    counters: [(&'static str, u64); 3],
}

impl TrafficFigures {
    /// Those of this moment.
    pub(crate) fn of(traffic: &NodeTraffic) -> Self {
        let health = traffic.traffic.health(waymark_catalog::machine_time());
        Self {
            gauges: [
                (TRAFFIC_SOURCES, health.sources),
                (TRAFFIC_PREFIXES, health.prefixes),
                (TRAFFIC_EXACT, u64::from(health.is_exact)),
            ],
            counters: [
                (TRAFFIC_FAILURES, health.failures),
                (TRAFFIC_UNCOUNTED, health.uncounted),
                (REGISTRATION_RECORDS_LOST, traffic.registrations.lost()),
            ],
        }
    }
}

fn put_traffic(figures: &TrafficFigures) {
    for (name, value) in figures.gauges {
        put(name, value);
    }
    for (name, count) in figures.counters {
        counter!(name).absolute(count);
    }
}

fn put_recursion(figures: &RecursionFigures) {
    for (event, count) in &figures.events {
        counter!(RECURSION, "event" => *event).absolute(*count);
    }
    for (name, value) in figures.gauges {
        put(name, value);
    }
}

#[expect(clippy::cast_precision_loss, reason = "the text form holds floats; 2^53 is beyond every figure here")]
fn put_set(status: &SetStatus, now: Timestamp) {
    let set = status.set.as_str();
    let oldest = status.oldest.map_or(0, |made| now.0.saturating_sub(made) / 1_000);
    gauge!(SYNC_WAITING, "set" => set).set(status.waiting as f64);
    gauge!(SYNC_REFUSED, "set" => set).set(status.refused as f64);
    gauge!(SYNC_OLDEST, "set" => set).set(oldest as f64);
}

#[expect(clippy::cast_precision_loss, reason = "the text form holds floats; 2^53 is beyond every figure here")]
fn put_watch(watch: &Standing) {
    for (target, good, bad) in &watch.probes {
        counter!(WATCH_PROBES, "target" => target.as_str(), "outcome" => "good").absolute(*good);
        counter!(WATCH_PROBES, "target" => target.as_str(), "outcome" => "failed").absolute(*bad);
    }
    for (kind, count) in &watch.open {
        gauge!(WATCH_INCIDENTS, "type" => kind.as_str()).set(*count as f64);
    }
    counter!(WATCH_ROUNDS).absolute(watch.rounds);
    counter!(WATCH_FAILURES).absolute(watch.failures);
    put(WATCH_MAINTENANCE, u64::from(watch.is_maintained));
}

fn put_late(set: &'static str, late: u64) {
    gauge!(SYNC_LATE, "set" => set).set(late as f64);
}

#[expect(clippy::cast_precision_loss, reason = "the text form holds floats; there are a few prefixes")]
fn put_deposits(figures: &DepositFigures) {
    put(DEPOSIT_AGE, figures.oldest_seconds);
    for (state, count) in &figures.phases {
        gauge!(DEPOSIT_PREFIXES, "state" => *state).set(*count as f64);
    }
}

/// The page of these figures.
pub fn render(figures: &Figures) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    with_local_recorder(&recorder, || {
        for (name, meaning) in NAMES {
            if is_counter(name) {
                describe_counter!(*name, *meaning);
            } else {
                describe_gauge!(*name, *meaning);
            }
        }
        put_answers(&figures.answers);
        for (transport, door) in &figures.doors {
            put_door(*transport, door);
        }
        put_catalog(&figures.catalog, figures.not_writable);
        for (event, count) in &figures.registration {
            counter!(REGISTRATION, "event" => event.name()).absolute(*count);
        }
        if let Some(traffic) = &figures.traffic {
            put_traffic(traffic);
        }
        if let Some(recursion) = &figures.recursion {
            put_recursion(recursion);
        }
        if let Some(watch) = &figures.watch {
            put_watch(watch);
        }
        if let Some((now, sets)) = &figures.sync {
            sets.iter().for_each(|set| put_set(set, *now));
        }
        for (set, late) in &figures.late {
            put_late(set, *late);
        }
        if let Some(docking) = &figures.docking {
            counter!(DOCKING_COMMANDS).absolute(docking.commands);
            counter!(DOCKING_TROUBLES).absolute(docking.troubles);
            put(DOCKING_OPEN, docking.open);
            put(DOCKING_OLDEST, docking.oldest_undecided_ms / 1_000);
        }
        if let Some(deposits) = &figures.deposits {
            put_deposits(deposits);
        }
        counter!(CHECKPOINT_FAILURES).absolute(figures.checkpoint_failures);
        counter!(ANSWER_RECORDS_LOST).absolute(figures.answer_records_lost);
        put(UPTIME, figures.uptime_seconds);
    });
    recorder.handle().render()
}

/// Counters end in `_total`, gauges never do; the two series of a histogram count as well.
fn is_counter(name: &str) -> bool {
    name.ends_with("_total") || [LATENCY, LATENCY_COUNT].contains(&name)
}

#[expect(clippy::cast_precision_loss, reason = "the text form holds floats; 2^53 is beyond every figure here")]
fn put(name: &'static str, value: u64) {
    gauge!(name).set(value as f64);
}

fn put_answers(answers: &CounterSnapshot) {
    for transport in Transport::ALL {
        let on = transport.name();
        for class in OpClass::ALL {
            for outcome in Outcome::ALL {
                let count = answers.answered(transport, class, outcome);
                if count > 0 || (class == OpClass::Resolution && outcome == Outcome::Success) {
                    counter!(ANSWERS, "transport" => on, "operation" => class.name(), "outcome" => outcome.name())
                        .absolute(count);
                }
            }
        }
        for reason in DropReason::ALL {
            counter!(DROPS, "transport" => on, "reason" => reason.name()).absolute(answers.dropped(transport, reason));
        }
        for reason in SlowReason::ALL {
            counter!(SLOW, "transport" => on, "reason" => reason.name()).absolute(answers.continued(transport, reason));
        }
        counter!(ROOM, "transport" => on).absolute(answers.needed_room(transport));
        put_latency(answers, transport);
    }
}

fn put_latency(answers: &CounterSnapshot, transport: Transport) {
    let on = transport.name();
    let mut below = 0;
    let bounds = LATENCY_BOUNDS_NANOS.iter().map(|nanos| seconds(*nanos)).chain(["+Inf".to_owned()]);
    for (count, bound) in answers.latency(transport).iter().zip(bounds) {
        below += count;
        counter!(LATENCY, "transport" => on, "le" => bound).absolute(below);
    }
    counter!(LATENCY_COUNT, "transport" => on).absolute(below);
    counter!(LATENCY_SUM, "transport" => on).absolute(answers.latency_nanos(transport));
}

/// Nanoseconds as seconds without rounding: `0.000005`.
fn seconds(nanos: u64) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn put_door(transport: Transport, door: &DoorSnapshot) {
    for event in DoorEvent::ALL {
        counter!(DOOR, "transport" => transport.name(), "event" => event.name()).absolute(door.get(event));
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of connections")]
    gauge!(CONNECTIONS, "transport" => transport.name()).set(door.open_connections() as f64);
}

fn put_catalog(figures: &Statistics, not_writable: Option<NotWritable>) {
    let (index, store) = (&figures.index, &figures.store);
    for (name, value) in [
        (ENTRIES, index.entries),
        (RESIDENT, index.resident),
        (TABLE_BYTES, index.table_bytes),
        (RECORD_BYTES, index.arena_bytes),
        (LOG_BYTES, store.log_bytes),
        (SEGMENTS, store.segments),
        (RUNS, store.runs),
        (RUN_BYTES, store.run_bytes),
        (STATE_BYTES, store.state_bytes),
        (STATE_LAG, store.state_lag),
        (SERIAL, figures.serial.0),
        (PREFIXES, figures.prefixes as u64),
        (WRITABLE, u64::from(not_writable.is_none())),
        (QUEUED, figures.queued_submissions as u64),
        (QUEUED_BYTES, figures.queued_bytes as u64),
    ] {
        put(name, value);
    }
    for reason in [NotWritable::DiskFull, NotWritable::Poisoned, NotWritable::IndexFull] {
        let holds = f64::from(u8::from(not_writable == Some(reason)));
        gauge!(NOT_WRITABLE, "reason" => reason_name(reason)).set(holds);
    }
    for (name, value) in [
        (EVICTED, index.evicted_total),
        (RUN_FAILURES, store.run_failures),
        (GROUPS, figures.groups_total),
        (COMMITTED, figures.entries_total),
        (REFUSED, figures.refused_total),
        (FAILED_GROUPS, figures.failed_groups_total),
        (STATE_FAILURES, figures.state_failures_total),
    ] {
        counter!(name).absolute(value);
    }
}

/// The name of a reason in labels and JSON.
pub fn reason_name(reason: NotWritable) -> &'static str {
    match reason {
        NotWritable::DiskFull => "disk_full",
        NotWritable::Poisoned => "poisoned",
        NotWritable::IndexFull => "index_full",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_one_form() {
        for (name, meaning) in NAMES {
            assert!(name.starts_with("waymark_") && !meaning.is_empty());
            assert!(name.chars().all(|character| character.is_ascii_lowercase() || character == '_'), "{name}");
        }
        let mut names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
    }

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(1_000), "0.000001");
        assert_eq!(seconds(1_000_000_000), "1");
        assert_eq!(seconds(200_000_000), "0.2");
    }
}
