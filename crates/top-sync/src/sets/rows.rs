//! The rows of the sets, field by field as `SETS.md` has them.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;
use waymark_catalog::Timestamp;
use waymark_catalog::business::{NodeItems, Profile};

use crate::calendar::moment;
use crate::figures::Requests;
use crate::traffic::{Latency, Tally};
use crate::watch::incident::Event;

/// T1: the operator's own record. What it says of people is put in when it is sent.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct OperatorRow<'a> {
    pub prefix: &'a str,
    pub profile: &'a Profile,
    pub node: &'a NodeItems,
}

/// T1: a file of the operator.
#[derive(Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct FileRow<'a> {
    pub prefix: &'a str,
    pub file: &'a str,
    pub format: &'a str,
    pub bytes: usize,
    pub sha256: String,
    pub content: String,
}

/// T6: an enterprise. What it says of people is put in when it is sent.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct EnterpriseRow<'a> {
    pub enterprise: String,
    pub prefixes: Vec<Cow<'a, str>>,
    pub profile: &'a Profile,
    pub real_name: Option<RealNameRow<'a>>,
}

/// How the real name of an enterprise was verified.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct RealNameRow<'a> {
    pub result: &'a str,
    pub source: &'a str,
    pub time: String,
}

/// T2 and T7: the routes of a prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct RouteRow<'a> {
    pub prefix: Cow<'a, str>,
    pub code_type: &'static str,
    pub routes: Cow<'a, [Route]>,
}

/// An address and the ports there. One of the ports at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct Route {
    pub ip_type: u8,
    pub ip: IpAddr,
    pub tcp: Option<u16>,
    pub udp: Option<u16>,
    pub http: Option<u16>,
}

impl Route {
    /// The route to an address.
    #[must_use]
    pub const fn new(ip: IpAddr, tcp: Option<u16>, udp: Option<u16>, http: Option<u16>) -> Self {
        Self { ip_type: if ip.is_ipv4() { 4 } else { 6 }, ip, tcp, udp, http }
    }
}

/// T4 and T11: a template. `industry` is a list or a text.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct TemplateRow<'a> {
    pub prefix: Cow<'a, str>,
    pub template: String,
    pub code: &'a str,
    pub version: &'a str,
    pub title: &'a str,
    pub industry: IndustryField<'a>,
    pub active_carrier: bool,
    pub items: Vec<ItemRow<'a>>,
}

/// An industry as the two sets of templates write it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum IndustryField<'a> {
    /// T4: its levels from the first on.
    Levels(Vec<&'a str>),
    /// T11: its section and its finest level in one.
    Text(String),
}

/// A column of a template.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct ItemRow<'a> {
    pub name: &'a str,
    pub alias: &'a str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub length: u32,
}

/// T5 and T10: an application in a month.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct ApplicationRow<'a> {
    pub prefix: Cow<'a, str>,
    pub month: String,
    pub name: &'a str,
    #[serde(rename = "type")]
    pub kind: u8,
    pub description: &'a str,
    pub users: Option<u64>,
    pub recursive_node: &'a str,
    pub developer: &'a str,
}

/// T9: what became of an identifier on a day.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct MasterRow<'a> {
    pub code: Cow<'a, str>,
    pub created: Cow<'a, str>,
    pub template: String,
    pub operation: u8,
    pub product_type: Cow<'a, str>,
    pub brand: Cow<'a, str>,
    pub name: Cow<'a, str>,
    pub maker: Cow<'a, str>,
    pub produced: Cow<'a, str>,
    pub expires: Cow<'a, str>,
    pub carrier: Option<CarrierRow<'a>>,
}

/// What only active carriers say.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct CarrierRow<'a> {
    pub terminal_type: Cow<'a, str>,
    pub owner: Cow<'a, str>,
    #[serde(rename = "use")]
    pub purpose: Cow<'a, str>,
    pub imei: Cow<'a, str>,
    pub licence: Cow<'a, str>,
    pub mark_code: Cow<'a, str>,
    pub mark_serial: Cow<'a, str>,
}

/// T3 and T8: requests of a prefix on a day, with what else is told of it.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct StatisticsRow<'a, C> {
    pub prefix: Cow<'a, str>,
    pub day: String,
    #[serde(flatten)]
    pub counted: C,
    pub requests: u64,
    pub successes: u64,
    pub sources: Vec<SourceRow>,
    pub other_sources: u64,
    pub exact: bool,
    pub error: u64,
}

/// Requests of one source.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct SourceRow {
    pub ip: IpAddr,
    pub count: u64,
}

/// What T3 counts: prefixes of enterprises.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct PrefixesCounted {
    pub new_prefixes: u64,
    pub total_prefixes: u64,
}

/// What T8 counts: identifiers.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct IdentifiersCounted {
    pub new_identifiers: u64,
    pub total_identifiers: u64,
}

impl<'a, C> StatisticsRow<'a, C> {
    /// The row of a prefix and day.
    #[must_use]
    pub fn new(prefix: Cow<'a, str>, day: String, counted: C, requests: Requests) -> Self {
        let Requests { requests, successes, sources, other_sources, error, is_missing } = requests;
        Self {
            prefix,
            day,
            counted,
            requests,
            successes,
            sources: sources.into_iter().map(|(ip, count)| SourceRow { ip, count }).collect(),
            other_sources,
            exact: error == 0 && !is_missing,
            error,
        }
    }
}

/// MONITORING: how long resolving and registering took on a day.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct MonitoringRow<'a> {
    pub prefix: Cow<'a, str>,
    pub day: String,
    pub resolution: ResolutionTimes,
    pub registration: Times,
}

/// Times of resolutions, and the second with most of them.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct ResolutionTimes {
    #[serde(flatten)]
    pub times: Times,
    pub peak_per_second: u32,
    pub peak_at: Option<String>,
}

/// Average, longest and shortest time, with when the latter two were.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct Times {
    pub average_us: Option<u64>,
    pub maximum_us: Option<u32>,
    pub minimum_us: Option<u32>,
    pub maximum_at: Option<String>,
    pub minimum_at: Option<String>,
}

impl Times {
    fn of(latency: &Latency) -> Self {
        Self {
            average_us: latency.average_micros(),
            maximum_us: latency.max.map(|extreme| extreme.micros),
            minimum_us: latency.min.map(|extreme| extreme.micros),
            maximum_at: latency.max.map(|extreme| second(extreme.unix_seconds)),
            minimum_at: latency.min.map(|extreme| second(extreme.unix_seconds)),
        }
    }
}

impl<'a> MonitoringRow<'a> {
    /// The row of a prefix and day.
    #[must_use]
    pub fn new(prefix: Cow<'a, str>, day: String, tally: &Tally) -> Self {
        let peak = tally.peak();
        let resolution = ResolutionTimes {
            times: Times::of(tally.latency()),
            peak_per_second: peak.map_or(0, |peak| peak.count),
            peak_at: peak.map(|peak| second(peak.unix_seconds)),
        };
        Self { prefix, day, resolution, registration: Times::of(tally.registrations()) }
    }
}

/// INCIDENT: a fault, or that it is over.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct IncidentRow<'a> {
    pub event: &'a str,
    pub related: &'a str,
    pub state: &'static str,
    pub time: String,
    pub cause: &'a str,
    #[serde(rename = "type")]
    pub kind: u8,
    pub prefix: &'a str,
}

impl<'a> IncidentRow<'a> {
    /// The row of an event.
    #[must_use]
    pub fn new(event: &'a Event) -> Self {
        Self {
            event: &event.id,
            related: &event.related,
            state: if event.is_recovery() { "recovered" } else { "fault" },
            time: moment(Timestamp(event.time)),
            cause: &event.cause,
            kind: event.kind.number(),
            prefix: &event.prefix,
        }
    }
}

/// A second since 1970 as a moment.
fn second(unix_seconds: u32) -> String {
    moment(Timestamp(u64::from(unix_seconds) * 1_000))
}
