//! The demo's code package: ten million codes by one call, twenty rolls of them printed, one bound, one withdrawn, one forged, each step asked of the
//! resolver.

use std::{fs::File, io::Write as _, path::Path};

use tokio::time::Instant;
use waymark_api::registration::v1::{self, code_lines::Part};
use waymark_client::registration::{CallError, Registrar};
use waymark_client::{Server, Transport};

use super::{
    Way,
    asking::Asking,
    registering::{done, failed, say},
};
use crate::{cli::terminal::grouped, problem::Problem, texts::Texts};

/// Codes of the package.
const CODES: u64 = 10_000_000;
/// Rolls that are printed, and codes of each.
const ROLLS: (u64, u64) = (20, 20_000);
/// File of the printed codes in the demo's folder.
const FILE: &str = "rolls.csv";
/// Serials with a batch of their own, one of which is withdrawn.
const BOUND: v1::Serials = v1::Serials { first: 40, last: 49 };
const WITHDRAWN: u64 = 45;

/// What showed: the code of a check's text, and whether it held.
pub(super) async fn run(
    writer: &Registrar,
    server: &Server,
    prefix: &str,
    data: &Path,
    texts: &Texts,
) -> Result<super::registering::Checks, Problem> {
    let mut asking = Asking { way: Way::open(server, Transport::Udp).await? };
    let package = order(writer, prefix, texts).await?;
    let (codes, printed_once) = print(writer, &package.name, data, texts).await?;
    let (Some(bound), Some(plain)) = (codes.get(index(BOUND.first)), codes.last()) else {
        return Ok(vec![("demo-check-package", false)]);
    };
    let inherited = asking.told(plain).await? == [url(prefix, plain)];
    bind(writer, &package.name).await?;
    let bound_seen = asking.told(bound).await? == [url(prefix, bound), "B2026-11".to_owned()];
    let Some(withdrawn) = codes.get(index(WITHDRAWN)) else { return Ok(vec![("demo-check-package", false)]) };
    let was_there = !asking.told(withdrawn).await?.is_empty();
    withdraw(writer, &package.name).await?;
    let gone = asking.told(withdrawn).await?.is_empty();
    let forged = forge(plain);
    let refused = asking.told(&forged).await?.is_empty();
    say(texts, "demo-package-codes", &[("bound", bound.clone()), ("withdrawn", withdrawn.clone()), ("forged", forged)]);
    Ok(vec![
        ("demo-check-package", inherited && bound_seen),
        ("demo-check-rolls", printed_once),
        ("demo-check-withdrawn", was_there && gone && refused),
    ])
}

fn index(serial: u64) -> usize {
    usize::try_from(serial).unwrap_or(usize::MAX)
}

/// What the package says of a code.
fn url(prefix: &str, code: &str) -> String {
    format!("https://example.invalid/{}", code.get(prefix.len() + 1..).unwrap_or_default())
}

fn value(index: u32, kind: &str, text: &str) -> v1::Value {
    let data = Some(v1::value::Data::Text(text.to_owned()));
    v1::Value { index, r#type: kind.to_owned(), data, ..v1::Value::default() }
}

async fn order(writer: &Registrar, prefix: &str, texts: &Texts) -> Result<v1::Package, Problem> {
    let request = v1::AllocateRequest {
        prefix: prefix.to_owned(),
        stem: "PKG26.".to_owned(),
        width: 8,
        form: v1::CodeForm::Mac.into(),
        count: CODES,
        values: vec![value(1, "URL", "https://example.invalid/{code}")],
        ..v1::AllocateRequest::default()
    };
    let began = Instant::now();
    let package = done(writer.allocate(request).await)?.package.unwrap_or_default();
    let took = format!("{:.1}", began.elapsed().as_secs_f64() * 1_000.0);
    say(
        texts,
        "demo-package-ordered",
        &[
            ("count", grouped(CODES)),
            ("package", package.name.clone()),
            ("first", package.first_code.clone()),
            ("last", package.last_code.clone()),
            ("milliseconds", took),
        ],
    );
    Ok(package)
}

/// Prints twenty rolls, then tries to print the first of them once more. Gives the codes, and whether that was refused.
async fn print(writer: &Registrar, package: &str, data: &Path, texts: &Texts) -> Result<(Vec<String>, bool), Problem> {
    let request = v1::ExportCodesRequest {
        package: package.to_owned(),
        count: ROLLS.0 * ROLLS.1,
        roll_codes: ROLLS.1,
        ..v1::ExportCodesRequest::default()
    };
    let path = data.join(FILE);
    let not_written = |cause: std::io::Error| failed(&cause);
    let mut file = File::create(&path).map_err(not_written)?;
    let began = Instant::now();
    let mut lines = done(writer.export_codes(request.clone()).await)?;
    let (mut text, mut trailer) = (Vec::new(), v1::CodeLinesTrailer::default());
    while let Some(part) = lines.message().await.map_err(|cause| failed(&cause))? {
        match part.part {
            Some(Part::Lines(bytes)) => {
                file.write_all(&bytes).map_err(not_written)?;
                text.extend(bytes);
            }
            Some(Part::Trailer(told)) => trailer = told,
            _ => {}
        }
    }
    let took = format!("{:.2}", began.elapsed().as_secs_f64());
    say(
        texts,
        "demo-package-printed",
        &[
            ("rolls", ROLLS.0.to_string()),
            ("codes", grouped(trailer.codes)),
            ("path", path.display().to_string()),
            ("seconds", took),
            ("sha", hex::encode(&trailer.sha256)),
        ],
    );
    let codes = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    let again = v1::ExportCodesRequest { first: Some(0), count: ROLLS.1, ..request };
    let refused = match writer.export_codes(again).await {
        Err(CallError::Refused { error, .. }) => {
            let (reason, cause) = (error.reason.clone(), error.cause.clone());
            say(texts, "demo-package-again", &[("reason", reason), ("cause", cause)]);
            error.reason == "ROLL_ALREADY_EXPORTED"
        }
        _ => false,
    };
    Ok((codes, refused))
}

async fn bind(writer: &Registrar, package: &str) -> Result<(), Problem> {
    let values = vec![value(2, "BATCH", "B2026-11")];
    let request = v1::BindCodesRequest {
        package: package.to_owned(),
        serials: Some(BOUND),
        values,
        ..v1::BindCodesRequest::default()
    };
    done(writer.bind_codes(request).await).map(drop)
}

async fn withdraw(writer: &Registrar, package: &str) -> Result<(), Problem> {
    let request = v1::MarkCodesRequest {
        package: package.to_owned(),
        serials: Some(v1::Serials { first: WITHDRAWN, last: WITHDRAWN }),
        state: v1::CodeState::Withdrawn.into(),
        reason: "misprint".to_owned(),
        ..v1::MarkCodesRequest::default()
    };
    done(writer.mark_codes(request).await).map(drop)
}

/// A code whose last check character is another.
fn forge(code: &str) -> String {
    let mut forged = code.to_owned();
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    forged
}
