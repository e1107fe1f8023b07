//! The statistics as operators see them.

use std::{future::Future, pin::Pin};

use tokio::task::spawn_blocking;
use waymark_api::operator::v1::{self, traffic_part::Part};
use waymark_registration::traffic::{DayAsked, DayParts, Traffic as Asked, TrafficError};
use waymark_top_sync::{
    calendar::Day,
    traffic::{DayTally, Extreme, Latency, Losses, Missing, Peak, Sources, Tally, Traffic},
};

/// Answers operators from the statistics.
#[derive(Debug)]
pub(crate) struct Shown(pub(crate) Traffic);

impl Asked for Shown {
    fn day(&self, asked: DayAsked) -> Pin<Box<dyn Future<Output = Result<DayParts, TrafficError>> + Send>> {
        let traffic = self.0.clone();
        Box::pin(async move {
            let day: Day = asked.day.parse().map_err(|_| TrafficError::NotADay)?;
            // A day that is over comes from the disk.
            let read = spawn_blocking(move || traffic.day(day)).await.map_err(|error| unreadable(&error))?;
            let told = read.map_err(|error| unreadable(&error))?.ok_or(TrafficError::Nothing)?;
            Ok(parts(told, asked))
        })
    }

    fn days(&self) -> Pin<Box<dyn Future<Output = Result<Vec<String>, TrafficError>> + Send>> {
        let traffic = self.0.clone();
        Box::pin(async move {
            let read = spawn_blocking(move || traffic.days()).await.map_err(|error| unreadable(&error))?;
            let days = read.map_err(|error| unreadable(&error))?;
            Ok(days.iter().map(Day::to_string).collect())
        })
    }
}

fn unreadable(error: &dyn std::error::Error) -> TrafficError {
    tracing::error!(error = crate::daemon::chain(error), "figures of requests cannot be read");
    TrafficError::Unreadable
}

/// The day first, then its prefixes, each made when it is wanted.
fn parts(told: DayTally, asked: DayAsked) -> DayParts {
    let DayAsked { prefix, sources, .. } = asked;
    let day = v1::TrafficDay {
        day: told.day().to_string(),
        node: Some(figures(told.node(), sources)),
        losses: Some(losses(told.losses())),
        exact: told.is_exact(),
    };
    let is_wanted = |name: &[u8]| prefix.as_ref().is_none_or(|prefix| prefix == name);
    let names = told.prefixes().into_iter().map(|(name, _)| name);
    let names: Vec<Box<[u8]>> = names.filter(|name| is_wanted(name)).map(Into::into).collect();
    let prefixes = names.into_iter().filter_map(move |name| {
        let figures = figures(told.prefix(&name)?, sources);
        let prefix = String::from_utf8_lossy(&name).into_owned();
        Some(Part::Prefix(v1::TrafficOfPrefix { prefix, figures: Some(figures) }))
    });
    let all = std::iter::once(Part::Day(day)).chain(prefixes);
    Box::new(all.map(|part| v1::TrafficPart { part: Some(part) }))
}

fn figures(tally: &Tally, most_sources: usize) -> v1::TrafficFigures {
    v1::TrafficFigures {
        requests: tally.requests(),
        successes: tally.successes(),
        latency: Some(latency(tally.latency())),
        peak: tally.peak().map(peak),
        registration_latency: Some(latency(tally.registrations())),
        registration_peak: tally.registration_peak().map(peak),
        sources: Some(sources(tally.sources(), most_sources)),
    }
}

fn latency(latency: &Latency) -> v1::TrafficLatency {
    let extreme = |Extreme { micros, unix_seconds }| v1::TrafficExtreme { us: micros, unix_seconds };
    v1::TrafficLatency {
        count: latency.count,
        sum_us: latency.sum_micros,
        min: latency.min.map(extreme),
        max: latency.max.map(extreme),
    }
}

const fn peak(Peak { count, unix_seconds }: Peak) -> v1::TrafficPeak {
    v1::TrafficPeak { count, unix_seconds }
}

fn sources(sources: &Sources, most: usize) -> v1::TrafficSources {
    let top = if most == 0 { Vec::new() } else { sources.top(most) };
    v1::TrafficSources {
        listed: u64::try_from(sources.len()).unwrap_or(u64::MAX),
        exact: sources.is_exact(),
        missed_at_most: sources.missed_at_most(),
        unnamed: sources.unnamed(),
        top: top
            .into_iter()
            .map(|each| v1::TrafficSource { address: each.source.to_string(), count: each.count, over: each.over })
            .collect(),
    }
}

fn losses(losses: &Losses) -> v1::TrafficLosses {
    let gaps = losses.gaps.iter().map(|gap| v1::TrafficGap {
        from_unix_seconds: gap.from,
        until_unix_seconds: gap.until,
        only_registrations: gap.missing == Missing::Registrations,
    });
    v1::TrafficLosses {
        answers: losses.answers,
        registrations: losses.registrations,
        lines: losses.lines,
        unplaced: losses.unplaced,
        gaps: gaps.collect(),
    }
}
