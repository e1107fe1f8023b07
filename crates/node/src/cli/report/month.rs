//! `waymark report month`: what the top-level node is owed within ten working days of the end of a month.

use std::{fs, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};
use waymark_api::operator::v1;
use waymark_top_sync::calendar::Month;

use crate::{
    cli::{
        present,
        server::{
            answer,
            connection::Connection,
            incident::{incident_json, incident_line},
            maintenance::{maintenance_json, maintenance_line},
        },
        terminal,
    },
    problem::{Exit, Problem},
    texts::{Argument, Texts},
};

/// `waymark report month`.
#[derive(Debug, Args)]
pub(crate) struct MonthArguments {
    #[arg(value_name = "MONTH")]
    month: Month,
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Shows the report, or writes it into a file.
pub(crate) async fn run(arguments: &MonthArguments, texts: &Texts) -> Result<Exit, Problem> {
    let request = v1::MonthReportRequest { month: arguments.month.to_string() };
    let report = arguments.connection.open(texts)?.month_report(&request).await;
    let report = report.map_err(|error| answer::problem(&error, arguments.json))?;
    let text = if arguments.json { format!("{}\n", as_json(&report)) } else { as_text(&report, texts) };
    match &arguments.output {
        None => terminal::text(text),
        Some(path) => {
            fs::write(path, text).map_err(|cause| {
                Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
            })?;
            terminal::remark(texts.text("report-written", &[("path", path.display().to_string().into())]));
        }
    }
    Ok(Exit::Done)
}

/// The report for people.
fn as_text(report: &v1::MonthReport, texts: &Texts) -> String {
    let mut page = Page { texts, text: String::new() };
    let title = [("prefix", present::safe(&report.prefix).into()), ("month", present::safe(&report.month).into())];
    page.put("report-month-title", &title);
    page.put(if report.over { "report-month-over" } else { "report-month-under-way" }, &[]);
    page.put("report-month-owed", &[("day", present::safe(&report.owed_by).into())]);
    page.put("report-month-made", &[("time", answer::time(report.made.as_ref()).into())]);
    page.gap();
    page.share("report-service-level", report.service_level.unwrap_or_default());
    for (name, of) in [("resolution", report.resolution), ("registration", report.registration)] {
        let of = of.unwrap_or_default();
        page.share(&format!("report-{name}"), of.together.unwrap_or_default());
        page.share(&format!("report-{name}-ipv4"), of.ipv4.unwrap_or_default());
        page.share(&format!("report-{name}-ipv6"), of.ipv6.unwrap_or_default());
        let of_requests = [("count", of.requests_timed.to_string().into())];
        page.value(
            &format!("report-{name}-time"),
            of.request_average_us.map(milliseconds),
            Some(("report-of-requests", &of_requests)),
        );
        page.value(&format!("report-{name}-probe"), of.probe_average_us.map(milliseconds), None);
    }
    let days = [("counted", report.days_counted.to_string().into()), ("days", report.days.to_string().into())];
    page.put("report-days", &days);
    let count = [("count", report.effective.len().to_string().into())];
    match (report.effective_average_seconds, report.effective_longest_seconds) {
        (Some(average), Some(longest)) => {
            page.value("report-effective", Some(hours(average)), Some(("report-of-prefixes", &count)));
            page.value("report-effective-longest", Some(hours(longest)), None);
        }
        _ => page.put("report-effective-none", &[]),
    }
    page.value("report-operating", report.operating_seconds.map(hours), None);
    let measured = [
        ("measured", hours(report.measured_seconds).into()),
        ("over", hours(report.over_seconds).into()),
        ("missing", hours(report.over_seconds.saturating_sub(report.measured_seconds)).into()),
    ];
    page.put("report-measured", &measured);
    page.gap();
    page.put("report-maintenance", &[("hours", hours(report.maintenance_seconds).into())]);
    page.lines(report.maintenances.iter().map(|each| maintenance_line(each, texts)).collect());
    page.gap();
    page.put("report-emergencies", &[]);
    page.lines(report.incidents.iter().map(|each| incident_line(each, texts, None)).collect());
    page.text
}

/// A page being written.
struct Page<'t> {
    texts: &'t Texts,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn gap(&mut self) {
        self.text.push('\n');
    }

    fn put(&mut self, code: &str, values: &[Argument<'_>]) {
        let line = self.texts.text(code, values);
        self.line(&line);
    }

    fn lines(&mut self, lines: Vec<String>) {
        if lines.is_empty() {
            self.put("report-none", &[]);
        }
        lines.iter().for_each(|line| self.line(&format!("  {line}")));
    }

    /// A name, and what it comes to; what was not measured says so.
    fn value(&mut self, code: &str, value: Option<String>, more: Option<(&str, &[Argument<'_>])>) {
        let name = self.texts.text(code, &[]);
        let Some(value) = value else {
            let value = self.texts.text("report-not-measured", &[]);
            return self.line(&format!("{name}: {value}"));
        };
        let more = more.map_or_else(String::new, |(code, values)| format!(" {}", self.texts.text(code, values)));
        self.line(&format!("{name}: {value}{more}"));
    }

    fn share(&mut self, code: &str, share: v1::ProbeShare) {
        let values = [
            ("tried", share.tried.to_string().into()),
            ("succeeded", share.succeeded.to_string().into()),
            ("missed", share.missed.to_string().into()),
        ];
        self.value(code, share.ppm.map(percent), Some(("report-of-probes", &values)));
    }
}

/// Parts of a million as per cent.
fn percent(ppm: u64) -> String {
    format!("{}.{:04} %", ppm / 10_000, ppm % 10_000)
}

/// Seconds as hours.
fn hours(seconds: u64) -> String {
    let hundredths = seconds / 36;
    format!("{}.{:02} h", hundredths / 100, hundredths % 100)
}

/// Microseconds as milliseconds.
fn milliseconds(micros: u64) -> String {
    format!("{}.{:03} ms", micros / 1_000, micros % 1_000)
}

/// The report for programs; what was not measured is `null`.
fn as_json(report: &v1::MonthReport) -> Value {
    let effective = report.effective.iter();
    json!({
        "prefix": report.prefix,
        "month": report.month,
        "over": report.over,
        "owed_by": report.owed_by,
        "made": answer::time(report.made.as_ref()),
        "service_level": share_json(report.service_level),
        "resolution": function_json(report.resolution),
        "registration": function_json(report.registration),
        "days_counted": report.days_counted,
        "days": report.days,
        "effective": {
            "prefixes": effective.map(|each| json!({ "prefix": each.prefix, "seconds": each.seconds })).collect::<Vec<_>>(),
            "average_seconds": report.effective_average_seconds,
            "longest_seconds": report.effective_longest_seconds,
        },
        "operating_seconds": report.operating_seconds,
        "measured_seconds": report.measured_seconds,
        "over_seconds": report.over_seconds,
        "maintenance_seconds": report.maintenance_seconds,
        "maintenance": report.maintenances.iter().map(maintenance_json).collect::<Vec<_>>(),
        "incidents": report.incidents.iter().map(incident_json).collect::<Vec<_>>(),
    })
}

fn share_json(share: Option<v1::ProbeShare>) -> Value {
    let share = share.unwrap_or_default();
    json!({ "ppm": share.ppm, "tried": share.tried, "succeeded": share.succeeded, "missed": share.missed })
}

fn function_json(of: Option<v1::FunctionReport>) -> Value {
    let of = of.unwrap_or_default();
    json!({
        "availability": share_json(of.together),
        "ipv4": share_json(of.ipv4),
        "ipv6": share_json(of.ipv6),
        "request_average_us": of.request_average_us,
        "requests_timed": of.requests_timed,
        "probe_average_us": of.probe_average_us,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn what_was_not_measured_says_so_and_is_never_zero() {
        let report = v1::MonthReport { prefix: "88.990".into(), month: "2026-11".into(), ..v1::MonthReport::default() };
        let text = as_text(&report, &Texts::new(Language::English));
        assert_eq!(text.matches("not measured").count(), 12, "{text}");
        assert!(!text.contains("0.0000 %"), "{text}");
        let chinese = as_text(&report, &Texts::new(Language::Chinese));
        assert_eq!(chinese.matches("未测量").count(), 12, "{chinese}");
        let json = as_json(&report);
        for pointer in
            ["/service_level/ppm", "/resolution/ipv6/ppm", "/operating_seconds", "/effective/average_seconds"]
        {
            assert_eq!(json.pointer(pointer), Some(&Value::Null), "{pointer}");
        }
    }

    #[test]
    fn figures_are_exact_to_the_last_place_shown() {
        assert_eq!((percent(1_000_000), percent(999_120)), ("100.0000 %".to_owned(), "99.9120 %".to_owned()));
        assert_eq!((hours(5_400), hours(35)), ("1.50 h".to_owned(), "0.00 h".to_owned()));
        assert_eq!(milliseconds(1_234_567), "1234.567 ms");
    }
}
