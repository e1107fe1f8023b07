//! The case of a prefix: from the application of an enterprise to its end, each step with its time.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};
use waymark_wire::ValueBuf;
use waymark_wire::types::{
    Address, HS_SITE, HS_SITE_6, Interface, InterfaceKind, InterfaceProtocol, ServerBuf, SiteBuf, SiteFlags,
};

use super::EnterpriseId;
use super::Problem;
use super::enterprise::named;
use crate::config::{CASE_STEPS, SITES_PER_PREFIX};

named! {
    /// Where a case stands.
    CaseState {
        /// Somebody has to look at it.
        AwaitingReview = "awaiting-review",
        /// Somebody does.
        InReview = "in-review",
        /// This node approved; the top-level node has not said anything.
        AwaitingTopLevel = "awaiting-top-level",
        /// The enterprise may use the prefix.
        Active = "active",
        /// This node or the top-level node refused.
        Rejected = "rejected",
        /// Stopped for a while.
        Suspended = "suspended",
        /// Over.
        Deleted = "deleted",
    }
}

named! {
    /// A step of a case.
    StepKind {
        /// The enterprise asked for the prefix.
        Apply = "apply",
        /// Somebody took it into review.
        Review = "review",
        /// This node approved.
        Approve = "approve",
        /// This node refused.
        Reject = "reject",
        /// The top-level node approved, or the operator said so.
        Confirm = "confirm",
        /// The top-level node refused, or the operator said so.
        Refuse = "refuse",
        /// The prefix lives here from now on.
        Host = "host",
        /// The prefix is answered for by the enterprise's own site from now on.
        Delegate = "delegate",
        /// Stopped.
        Suspend = "suspend",
        /// Goes on.
        Resume = "resume",
        /// Over.
        Delete = "delete",
    }
}

named! {
    /// How the enterprise wants its prefix answered for.
    Wish {
        /// By this node.
        Hosted = "hosted",
        /// By a site of its own.
        OwnSite = "own-site",
    }
}

impl CaseState {
    /// The number published for it (PFX-2): 0 stopped, 1 active, 2 awaiting deletion, 3 rejected, 4 awaiting review, 5 in review.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Suspended => 0,
            Self::Active => 1,
            Self::Deleted => 2,
            Self::Rejected => 3,
            Self::AwaitingReview => 4,
            Self::InReview | Self::AwaitingTopLevel => 5,
        }
    }

    /// Whether the prefix can be applied for anew.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Rejected | Self::Deleted)
    }

    /// What becomes of a case by a step; `None` where the step cannot be taken.
    #[must_use]
    pub const fn after(self, step: StepKind) -> Option<Self> {
        match (self, step) {
            (Self::Rejected | Self::Deleted, StepKind::Apply) => Some(Self::AwaitingReview),
            (Self::AwaitingReview, StepKind::Review) => Some(Self::InReview),
            (Self::InReview, StepKind::Approve) => Some(Self::AwaitingTopLevel),
            (Self::InReview, StepKind::Reject) | (Self::AwaitingTopLevel, StepKind::Refuse) => Some(Self::Rejected),
            (Self::AwaitingTopLevel, StepKind::Confirm)
            | (Self::Active, StepKind::Host | StepKind::Delegate)
            | (Self::Suspended, StepKind::Resume) => Some(Self::Active),
            (Self::Active, StepKind::Suspend) => Some(Self::Suspended),
            (Self::Active | Self::Suspended, StepKind::Delete) => Some(Self::Deleted),
            _ => None,
        }
    }
}

/// Who answers for a prefix while its case is active.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Placement {
    /// Nobody yet.
    #[default]
    Nowhere,
    /// This node.
    Here,
    /// These, in this order.
    Sites(Vec<OwnSite>),
}

/// A site of an enterprise: an address, and at least one of the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnSite {
    /// IPv4 or IPv6.
    pub ip: IpAddr,
    /// The protocol over TCP.
    #[serde(default)]
    pub tcp: Option<u16>,
    /// The protocol over UDP.
    #[serde(default)]
    pub udp: Option<u16>,
    /// The protocol over HTTP.
    #[serde(default)]
    pub http: Option<u16>,
}

impl OwnSite {
    /// The value that sends clients there. TCP stands first, since clients exist that take the first address with TCP and look no further.
    fn value(&self, index: u32, serial: u16) -> ValueBuf {
        let interface =
            |port: Option<u16>, protocol, kind| port.map(|port| Interface { kind, protocol, port: port.into() });
        let interfaces = [
            interface(self.tcp, InterfaceProtocol::TCP, InterfaceKind::ADMIN_AND_QUERY),
            interface(self.udp, InterfaceProtocol::UDP, InterfaceKind::QUERY),
            interface(self.http, InterfaceProtocol::HTTP, InterfaceKind::ADMIN_AND_QUERY),
        ];
        let server = ServerBuf {
            id: 1,
            address: Address::from(self.ip),
            public_key: Vec::new(),
            interfaces: interfaces.into_iter().flatten().collect(),
        };
        let site = SiteBuf { serial, flags: SiteFlags::PRIMARY, servers: vec![server], ..SiteBuf::default() };
        let mut data = Vec::new();
        site.encode(&mut data);
        ValueBuf::new(index, if self.ip.is_ipv4() { HS_SITE } else { HS_SITE_6 }, &data)
    }
}

/// The values of sites: those of IPv4 first, each with the next index of `indexes`.
pub(crate) fn site_values(sites: &[OwnSite], serial: u16, indexes: impl Iterator<Item = u32>) -> Vec<ValueBuf> {
    let (v4, v6): (Vec<&OwnSite>, Vec<&OwnSite>) = sites.iter().partition(|site| site.ip.is_ipv4());
    v4.into_iter().chain(v6).zip(indexes).map(|(site, index)| site.value(index, serial)).collect()
}

/// Checks sites that were given.
pub(super) fn check_sites(sites: &[OwnSite]) -> Result<(), Problem> {
    let wrong = |problem| Err(Problem::new("sites", problem));
    if sites.is_empty() {
        return wrong("are missing");
    }
    if sites.len() > SITES_PER_PREFIX {
        return wrong("are more than 8");
    }
    for (at, site) in sites.iter().enumerate() {
        let ports = [site.tcp, site.udp, site.http];
        if ports.iter().all(Option::is_none) {
            return wrong("need at least one port each: TCP, UDP or HTTP");
        }
        if ports.contains(&Some(0)) {
            return wrong("hold port 0");
        }
        let unusable = match site.ip {
            IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
            IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4_mapped().is_some(),
        };
        if unusable {
            return wrong("hold an address no host can have");
        }
        if sites.iter().take(at).any(|other| other.ip == site.ip) {
            return wrong("hold an address twice");
        }
    }
    Ok(())
}

/// One step of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was done.
    pub kind: StepKind,
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub by: Arc<str>,
    /// Why, where it was said.
    pub reason: String,
}

/// A prefix an enterprise asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixCase {
    /// The prefix, folded.
    pub prefix: Box<[u8]>,
    /// Who asked.
    pub enterprise: EnterpriseId,
    /// Where it stands.
    pub state: CaseState,
    /// How the enterprise wants it answered for.
    pub wish: Wish,
    /// Who answers for it, when it is active.
    pub placement: Placement,
    /// What was done, in order; see [`CASE_STEPS`] for the most that are kept.
    pub steps: Vec<Step>,
    /// Its entry of the log.
    pub serial: Serial,
}

impl PrefixCase {
    /// The number published for where its hosting stands (PFX-2): 1 none, 2 applied, 3 rejected, 4 hosted.
    #[must_use]
    pub fn hosting_number(&self) -> u8 {
        match (&self.placement, self.wish) {
            (Placement::Here, _) => 4,
            (Placement::Nowhere, Wish::Hosted) if self.state == CaseState::Rejected => 3,
            (Placement::Nowhere, Wish::Hosted) => 2,
            _ => 1,
        }
    }

    /// Milliseconds from the last approval to the prefix being answered for; `None` until it is. The "effective time" of the monthly report.
    #[must_use]
    pub fn effective_ms(&self) -> Option<u64> {
        let approved = self.steps.iter().find(|step| step.kind == StepKind::Confirm)?.time;
        let placed = self.steps.iter().find(|step| matches!(step.kind, StepKind::Host | StepKind::Delegate))?.time;
        Some(placed.0.saturating_sub(approved.0))
    }

    /// When a step was taken last.
    #[must_use]
    pub fn last(&self, kind: StepKind) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.kind == kind)
    }

    /// Adds a step. Past the most that are kept, the oldest of those behind the beginning goes: the log has it still.
    pub(super) fn push(&mut self, step: Step) {
        if self.steps.len() >= CASE_STEPS {
            self.steps.remove(KEPT_FIRST.min(self.steps.len().saturating_sub(1)));
        }
        self.steps.push(step);
    }
}

/// Steps that are never given up: apply, review, approve, confirm, host.
const KEPT_FIRST: usize = 8;

impl fmt::Display for PrefixCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.prefix))
    }
}

/// A step of a case, but for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "reasons are for people; what they are for stands at each step")]
pub enum CaseStep {
    /// Takes it into review.
    Review,
    /// Approves it for this node.
    Approve,
    /// Refuses it for this node.
    Reject { reason: String },
    /// Says what the top-level node said.
    ConfirmTopLevel { approved: bool, reason: String },
    /// Makes the prefix live here.
    Host,
    /// Makes the enterprise's own sites answer for it.
    Delegate { sites: Vec<OwnSite> },
    /// Stops it.
    Suspend { reason: String },
    /// Goes on.
    Resume,
    /// Ends it.
    Delete { reason: String },
}

impl CaseStep {
    /// What it is in the list of steps.
    #[must_use]
    pub const fn kind(&self) -> StepKind {
        match self {
            Self::Review => StepKind::Review,
            Self::Approve => StepKind::Approve,
            Self::Reject { .. } => StepKind::Reject,
            Self::ConfirmTopLevel { approved: true, .. } => StepKind::Confirm,
            Self::ConfirmTopLevel { approved: false, .. } => StepKind::Refuse,
            Self::Host => StepKind::Host,
            Self::Delegate { .. } => StepKind::Delegate,
            Self::Suspend { .. } => StepKind::Suspend,
            Self::Resume => StepKind::Resume,
            Self::Delete { .. } => StepKind::Delete,
        }
    }

    /// Why, where it says so.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Reject { reason }
            | Self::ConfirmTopLevel { reason, .. }
            | Self::Suspend { reason }
            | Self::Delete { reason } => reason,
            Self::Review | Self::Approve | Self::Host | Self::Delegate { .. } | Self::Resume => "",
        }
    }

    /// The sites it names.
    #[must_use]
    pub fn sites(&self) -> &[OwnSite] {
        if let Self::Delegate { sites } = self { sites } else { &[] }
    }

    /// Whether it has to say why.
    pub(super) const fn needs_reason(&self) -> bool {
        matches!(
            self,
            Self::Reject { .. }
                | Self::ConfirmTopLevel { approved: false, .. }
                | Self::Suspend { .. }
                | Self::Delete { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_wire::types::Site;

    #[test]
    fn the_table_of_the_module_is_the_machine() {
        let allowed: Vec<String> = CaseState::ALL
            .iter()
            .flat_map(|from| StepKind::ALL.iter().map(move |step| (from, step)))
            .filter_map(|(from, step)| {
                Some(format!("{} {} {}", from.as_str(), step.as_str(), from.after(*step)?.as_str()))
            })
            .collect();
        let table: Vec<String> = include_str!("mod.rs")
            .lines()
            .filter_map(|line| {
                let cells: Vec<&str> = line.strip_prefix("//! | ")?.split('|').map(str::trim).collect();
                let [from, step, to, ..] = cells[..] else { return None };
                CaseState::from_name(from).map(|_| format!("{from} {step} {to}"))
            })
            .collect();
        assert_eq!(allowed.len(), 13);
        for line in &allowed {
            assert!(table.contains(line), "{line} is not in the table");
        }
        assert_eq!(table.len(), allowed.len());
    }

    #[test]
    fn sites_are_values_in_the_order_clients_need() {
        let site = |ip: &str| OwnSite { ip: ip.parse().unwrap(), tcp: Some(2641), udp: Some(2642), http: Some(80) };
        let values = site_values(&[site("2001:db8::1"), site("192.0.2.1")], 7, [4, 9].into_iter());
        let kinds: Vec<_> = values.iter().map(|value| (value.index, value.kind.as_slice())).collect();
        assert_eq!(kinds, [(4, HS_SITE), (9, HS_SITE_6)]);
        let read = Site::parse(&values[0].data).unwrap();
        let server = read.servers.iter().next().unwrap();
        assert_eq!((read.serial, server.address.ip().to_string()), (7, "192.0.2.1".to_owned()));
        let ports: Vec<_> = server.interfaces.iter().map(|each| (each.protocol, each.port)).collect();
        assert_eq!(
            ports,
            [(InterfaceProtocol::TCP, 2641), (InterfaceProtocol::UDP, 2642), (InterfaceProtocol::HTTP, 80)]
        );
    }

    #[test]
    fn sites_no_client_could_reach_are_refused() {
        let site = |ip: &str, tcp| OwnSite { ip: ip.parse().unwrap(), tcp, udp: None, http: None };
        let sound = site("192.0.2.1", Some(2641));
        assert_eq!(check_sites(&[sound, site("::1", Some(1))]), Ok(()));
        for sites in [
            vec![],
            vec![sound; 9],
            vec![sound, sound],
            vec![site("192.0.2.1", None)],
            vec![site("192.0.2.1", Some(0))],
            vec![site("0.0.0.0", Some(1))],
            vec![site("224.0.0.1", Some(1))],
            vec![site("::ffff:192.0.2.1", Some(1))],
        ] {
            assert_eq!(check_sites(&sites).unwrap_err().field, "sites");
        }
    }
}
