//! Cases of prefixes, both ways.

use waymark_api::operator::v1::{self, step_request::Step};
use waymark_catalog::business::{self, CaseStep, OwnSite, Placement, Wish};

use super::Faults;
use super::enterprise::{ip, read_port};
use crate::failure::{Failure, proto_time};

/// Reads how a prefix shall be answered for; hosted when nothing is said.
pub(crate) fn read_wish(wish: &str) -> Result<Wish, Failure> {
    let wish = if wish.is_empty() { Some(Wish::Hosted) } else { Wish::from_name(wish) };
    wish.ok_or_else(|| Failure::invalid_field("wish", "must be hosted or own-site"))
}

/// Reads a step.
pub(crate) fn read_step(step: Option<Step>) -> Result<CaseStep, Failure> {
    Ok(match step.ok_or_else(|| Failure::invalid_field("step", "is missing"))? {
        Step::Review(v1::ReviewStep {}) => CaseStep::Review,
        Step::Approve(v1::ApproveStep {}) => CaseStep::Approve,
        Step::Reject(v1::RejectStep { reason }) => CaseStep::Reject { reason },
        Step::Confirm(v1::ConfirmStep { approved, reason }) => CaseStep::ConfirmTopLevel { approved, reason },
        Step::Host(v1::HostStep {}) => CaseStep::Host,
        Step::Delegate(v1::DelegateStep { sites }) => CaseStep::Delegate { sites: read_sites(&sites)? },
        Step::Suspend(v1::SuspendStep { reason }) => CaseStep::Suspend { reason },
        Step::Resume(v1::ResumeStep {}) => CaseStep::Resume,
        Step::Delete(v1::DeleteStep { reason }) => CaseStep::Delete { reason },
    })
}

fn read_sites(sites: &[v1::OwnSite]) -> Result<Vec<OwnSite>, Failure> {
    let mut faults = Faults::default();
    let read = sites.iter().filter_map(|site| {
        let ip = ip("delegate.sites.ip", &site.ip, &mut faults);
        let mut port = |field, port| read_port(field, port, &mut faults);
        let tcp = port("delegate.sites.tcp_port", site.tcp_port);
        let udp = port("delegate.sites.udp_port", site.udp_port);
        let http = port("delegate.sites.http_port", site.http_port);
        Some(OwnSite { ip: ip?, tcp, udp, http })
    });
    let read = read.collect();
    faults.finish()?;
    Ok(read)
}

/// Shows a case.
pub(crate) fn show(case: &business::PrefixCase) -> v1::PrefixCase {
    let (placement, sites) = match &case.placement {
        Placement::Nowhere => ("nowhere", &[][..]),
        Placement::Here => ("here", &[][..]),
        Placement::Sites(sites) => ("sites", &sites[..]),
    };
    let port = |port: Option<u16>| port.map_or(0, u32::from);
    let site = |site: &OwnSite| v1::OwnSite {
        ip: site.ip.to_string(),
        tcp_port: port(site.tcp),
        udp_port: port(site.udp),
        http_port: port(site.http),
    };
    let step = |step: &business::Step| v1::CaseStep {
        kind: step.kind.as_str().to_owned(),
        time: Some(proto_time(step.time)),
        by: step.by.as_ref().to_owned(),
        reason: step.reason.clone(),
    };
    v1::PrefixCase {
        prefix: case.to_string(),
        enterprise: case.enterprise.to_string(),
        state: case.state.as_str().to_owned(),
        state_number: u32::from(case.state.number()),
        wish: case.wish.as_str().to_owned(),
        placement: placement.to_owned(),
        sites: sites.iter().map(site).collect(),
        hosting_number: u32::from(case.hosting_number()),
        steps: case.steps.iter().map(step).collect(),
        effective_ms: case.effective_ms(),
        serial: case.serial.0,
    }
}
