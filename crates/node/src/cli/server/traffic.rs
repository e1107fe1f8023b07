//! `waymark traffic`: requests of a day, from where, and how fast they were answered.

use clap::Args;
use serde_json::{Map, Value, json};
use waymark_api::operator::v1::{self, traffic_part::Part};
use waymark_catalog::Timestamp;
use waymark_top_sync::calendar;

use super::{answer, connection::Connection};
use crate::{
    cli::{
        Shown, present,
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::{Argument, Texts},
};

/// `waymark traffic`.
#[derive(Debug, Args)]
pub(crate) struct Traffic {
    #[arg(value_name = "DAY")]
    day: Option<String>,
    #[arg(long, value_name = "PREFIX", requires = "day")]
    prefix: Option<String>,
    #[arg(long, value_name = "N", default_value_t = 0, requires = "day", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    sources: u32,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Shows the figures of a day, or which days there are.
pub(crate) async fn run(arguments: &Traffic, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let failed = |error| answer::problem(&error, arguments.json);
    let Some(day) = &arguments.day else {
        let listed = registrar.traffic_days(&v1::ListTrafficDaysRequest {}).await.map_err(failed)?;
        for day in &listed.days {
            if arguments.json {
                terminal::line(json!({ "day": day }));
            } else {
                terminal::line(present::safe(day));
            }
        }
        return Ok(Exit::Done);
    };
    let prefix = arguments.prefix.clone().unwrap_or_default();
    let request = v1::TrafficDayRequest { day: day.clone(), prefix, sources: arguments.sources };
    let mut parts = registrar.traffic_day(&request).await.map_err(failed)?;
    loop {
        let next = parts.message().await;
        let next = next.map_err(|status| Problem::new("traffic-cut", Exit::Failed).with("cause", status.message()))?;
        match next.map(|next| next.part) {
            None => return Ok(Exit::Done),
            Some(Some(Part::Day(day))) if arguments.json => terminal::line(day_json(&day)),
            Some(Some(Part::Day(day))) => print_day(&day, texts, shown),
            Some(Some(Part::Prefix(of))) => {
                let figures = of.figures.unwrap_or_default();
                if arguments.json {
                    let mut line = figures_json(&figures);
                    line.insert("prefix".to_owned(), of.prefix.into());
                    terminal::line(Value::from(line));
                } else {
                    print_figures(&present::safe(&of.prefix), &figures, texts);
                }
            }
            // Of a newer server.
            Some(None) => {}
        }
    }
}

fn print_day(day: &v1::TrafficDay, texts: &Texts, shown: Shown) {
    let (code, tone) = if day.exact { ("traffic-exact", Tone::Good) } else { ("traffic-not-exact", Tone::Bad) };
    let state = toned(&texts.text(code, &[]), tone, shown.colours);
    terminal::line(format_args!("{}  {state}", present::safe(&day.day)));
    let losses = day.losses.clone().unwrap_or_default();
    for (code, count) in [
        ("traffic-lost-answers", losses.answers),
        ("traffic-lost-registrations", losses.registrations),
        ("traffic-lost-lines", losses.lines),
        ("traffic-unplaced", losses.unplaced),
    ] {
        if count > 0 {
            terminal::line(format_args!("  {}", texts.text(code, &[("count", count.to_string().into())])));
        }
    }
    for gap in &losses.gaps {
        let code = if gap.only_registrations { "traffic-gap-registrations" } else { "traffic-gap" };
        let from = moment(gap.from_unix_seconds);
        let values = [("from", from.into()), ("until", moment(gap.until_unix_seconds).into())];
        terminal::line(format_args!("  {}", texts.text(code, &values)));
    }
    let node = day.node.clone().unwrap_or_default();
    print_figures(&texts.text("traffic-node", &[]), &node, texts);
}

fn print_figures(name: &str, figures: &v1::TrafficFigures, texts: &Texts) {
    let sources = figures.sources.clone().unwrap_or_default();
    let counts = [
        ("requests", figures.requests.to_string().into()),
        ("successes", figures.successes.to_string().into()),
        ("sources", sources.listed.to_string().into()),
    ];
    terminal::line(format_args!("{name}  {}", texts.text("traffic-counts", &counts)));
    print_times("traffic-latency", figures.latency, texts);
    print_peak("traffic-peak", figures.peak, texts);
    print_times("traffic-registration-latency", figures.registration_latency, texts);
    print_peak("traffic-registration-peak", figures.registration_peak, texts);
    if !sources.exact {
        let values =
            [("missed", sources.missed_at_most.to_string().into()), ("unnamed", sources.unnamed.to_string().into())];
        terminal::line(format_args!("  {}", texts.text("traffic-sketched", &values)));
    }
    for source in &sources.top {
        let over = if source.over > 0 { format!(" (-{})", source.over) } else { String::new() };
        terminal::line(format_args!("  {:>12}{over}  {}", source.count, present::safe(&source.address)));
    }
}

fn print_times(code: &str, latency: Option<v1::TrafficLatency>, texts: &Texts) {
    let latency = latency.unwrap_or_default();
    let (Some(min), Some(max)) = (latency.min, latency.max) else { return };
    let values: [Argument<'_>; 6] = [
        ("count", latency.count.to_string().into()),
        ("average", milliseconds(latency.sum_us.checked_div(latency.count).unwrap_or_default()).into()),
        ("min", milliseconds(u64::from(min.us)).into()),
        ("min_at", moment(min.unix_seconds).into()),
        ("max", milliseconds(u64::from(max.us)).into()),
        ("max_at", moment(max.unix_seconds).into()),
    ];
    terminal::line(format_args!("  {}", texts.text(code, &values)));
}

fn print_peak(code: &str, peak: Option<v1::TrafficPeak>, texts: &Texts) {
    let Some(peak) = peak else { return };
    let values = [("count", peak.count.to_string().into()), ("at", moment(peak.unix_seconds).into())];
    terminal::line(format_args!("  {}", texts.text(code, &values)));
}

fn day_json(day: &v1::TrafficDay) -> Value {
    let losses = day.losses.clone().unwrap_or_default();
    let gaps = losses.gaps.iter().map(|gap| {
        json!({
            "from": gap.from_unix_seconds, "until": gap.until_unix_seconds,
            "missing": if gap.only_registrations { "registrations" } else { "everything" },
        })
    });
    let mut line = figures_json(&day.node.clone().unwrap_or_default());
    line.insert("day".to_owned(), day.day.clone().into());
    line.insert("exact".to_owned(), day.exact.into());
    let losses = json!({
        "answers": losses.answers, "registrations": losses.registrations, "lines": losses.lines,
        "unplaced": losses.unplaced, "gaps": gaps.collect::<Vec<_>>(),
    });
    line.insert("losses".to_owned(), losses);
    Value::from(line)
}

fn figures_json(figures: &v1::TrafficFigures) -> Map<String, Value> {
    let sources = figures.sources.clone().unwrap_or_default();
    let top = sources.top.iter();
    let Value::Object(line) = json!({
        "requests": figures.requests,
        "successes": figures.successes,
        "latency": latency_json(figures.latency),
        "peak": peak_json(figures.peak),
        "registrations": latency_json(figures.registration_latency),
        "registration_peak": peak_json(figures.registration_peak),
        "sources": {
            "listed": sources.listed, "exact": sources.exact, "missed_at_most": sources.missed_at_most,
            "unnamed": sources.unnamed,
            "top": top.map(|each| json!({ "address": each.address, "count": each.count, "over": each.over })).collect::<Vec<_>>(),
        },
    }) else {
        return Map::new(); // not reached: it was just made
    };
    line
}

fn latency_json(latency: Option<v1::TrafficLatency>) -> Value {
    let latency = latency.unwrap_or_default();
    let extreme = |of: Option<v1::TrafficExtreme>| of.map(|of| json!({ "us": of.us, "time": of.unix_seconds }));
    json!({
        "count": latency.count, "sum_us": latency.sum_us, "average_us": latency.sum_us.checked_div(latency.count),
        "min": extreme(latency.min), "max": extreme(latency.max),
    })
}

fn peak_json(peak: Option<v1::TrafficPeak>) -> Option<Value> {
    peak.map(|peak| json!({ "count": peak.count, "time": peak.unix_seconds }))
}

/// Microseconds as milliseconds with three places.
fn milliseconds(micros: u64) -> String {
    format!("{}.{:03}", micros / 1_000, micros % 1_000)
}

/// A second since 1970 as day and time of China Standard Time.
fn moment(unix_seconds: u32) -> String {
    let time = Timestamp(u64::from(unix_seconds).saturating_mul(1_000));
    let day = calendar::Day::of(time);
    let second = time.0.saturating_sub(day.start().0) / 1_000;
    format!("{day} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_beijing() {
        // 2026-11-28T16:00:00Z.
        assert_eq!(moment(1_795_881_600), "2026-11-29 00:00:00");
        assert_eq!(moment(1_795_881_599), "2026-11-28 23:59:59");
        assert_eq!(milliseconds(12_034), "12.034");
    }
}
