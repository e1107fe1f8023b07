//! Codes that are given out, on their way into a file. The file gets its name only when all of it is there and has the hash the node told; a manifest
//! beside it says what it holds. Cut short, the same command with the request id that is shown gets the same codes once more.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tonic::Streaming;
use uuid::Uuid;
use waymark_api::registration::v1::{self, code_lines::Part};

use super::{super::answer, Export, Lease, Under, present::serials};
use crate::{
    cli::{Shown, terminal},
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark range export`.
pub(super) async fn export(arguments: &Export, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let id = arguments.under.request_id.unwrap_or_else(Uuid::now_v7);
    let (count, roll_codes) = match (arguments.rolls, arguments.count) {
        (Some(rolls), _) => (rolls.all, rolls.codes),
        (None, count) => (count.unwrap_or_default(), 0),
    };
    let request = v1::ExportCodesRequest {
        package: arguments.package.clone(),
        first: arguments.first,
        count,
        roll_codes,
        again: arguments.again.clone(),
        payload: arguments.payload.clone(),
        format: format(&arguments.file).into(),
        request_id: id.to_string(),
    };
    let registrar = arguments.under.open(texts)?;
    let lines = registrar.export_codes(request).await;
    let lines = lines.map_err(|error| answer::problem(&error, arguments.under.at.json))?;
    Receiving { file: &arguments.file, payload: &arguments.payload, id }
        .run(lines, &arguments.under, texts, shown)
        .await
}

/// `waymark range lease`.
pub(super) async fn lease(arguments: &Lease, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let id = arguments.under.request_id.unwrap_or_else(Uuid::now_v7);
    let request = v1::LeaseCodesRequest {
        package: arguments.package.clone(),
        station: arguments.station.clone(),
        count: arguments.count,
        lifetime_seconds: arguments.hours * 3_600,
        payload: arguments.payload.clone(),
        format: format(&arguments.file).into(),
        request_id: id.to_string(),
    };
    let registrar = arguments.under.open(texts)?;
    let lines = registrar.lease_codes(request).await;
    let lines = lines.map_err(|error| answer::problem(&error, arguments.under.at.json))?;
    Receiving { file: &arguments.file, payload: &arguments.payload, id }
        .run(lines, &arguments.under, texts, shown)
        .await
}

/// A list in CSV goes into a file that is named so.
fn format(file: &Path) -> v1::LineFormat {
    let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if is_csv { v1::LineFormat::Csv } else { v1::LineFormat::Text }
}

struct Receiving<'a> {
    file: &'a Path,
    payload: &'a str,
    id: Uuid,
}

impl Receiving<'_> {
    async fn run(
        &self,
        mut lines: Streaming<v1::CodeLines>,
        under: &Under,
        texts: &Texts,
        shown: Shown,
    ) -> Result<Exit, Problem> {
        let part = beside(self.file, "part");
        let mut out = BufWriter::new(File::create(&part).map_err(|cause| self.not_written(&part, cause))?);
        let mut sha256 = Sha256::new();
        let mut header = v1::CodeLinesHeader::default();
        let trailer = loop {
            match lines.message().await {
                Ok(Some(v1::CodeLines { part: Some(Part::Header(told)) })) => header = told,
                Ok(Some(v1::CodeLines { part: Some(Part::Lines(bytes)) })) => {
                    sha256.update(&bytes);
                    out.write_all(&bytes).map_err(|cause| self.not_written(&part, cause))?;
                }
                Ok(Some(v1::CodeLines { part: Some(Part::Trailer(told)) })) => break told,
                Ok(Some(v1::CodeLines { part: None })) => {}
                Ok(None) => return Err(self.cut_short("the node ended the list")),
                Err(status) => return Err(self.cut_short(status.message())),
            }
        };
        if sha256.finalize()[..] != trailer.sha256[..] {
            return Err(self.cut_short("the file has another hash than the node told"));
        }
        let file = out.into_inner().map_err(|error| self.not_written(&part, error.into_error()))?;
        file.sync_all().map_err(|cause| self.not_written(&part, cause))?;
        self.write_manifest(&header, &trailer)?;
        std::fs::rename(&part, self.file).map_err(|cause| self.not_written(self.file, cause))?;
        let receipt = header.receipt.clone().unwrap_or_default();
        answer::show_receipt(&header.package, &receipt, under.at.json, texts, shown);
        let values = [
            ("serials", serials(header.serials).into()),
            ("codes", trailer.codes.to_string().into()),
            ("path", self.file.display().to_string().into()),
            ("sha", hex::encode(&trailer.sha256).into()),
        ];
        if !under.at.json {
            terminal::line(texts.text("range-given-out", &values));
        }
        Ok(Exit::Done)
    }

    fn write_manifest(&self, header: &v1::CodeLinesHeader, trailer: &v1::CodeLinesTrailer) -> Result<(), Problem> {
        let path = beside(self.file, "manifest.json");
        let serials = header.serials.unwrap_or_default();
        let rolls = trailer.codes.div_ceil(header.roll_codes.max(1));
        let manifest = json!({
            "file": self.file.file_name().map(|name| name.to_string_lossy()), "package": header.package,
            "first": serials.first, "last": serials.last, "codes": trailer.codes, "rolls": rolls,
            "roll_codes": header.roll_codes, "payload": self.payload, "bytes": trailer.bytes,
            "sha256": hex::encode(&trailer.sha256), "request_id": self.id.to_string(),
            "serial": header.receipt.as_ref().map(|receipt| receipt.serial),
        });
        std::fs::write(&path, format!("{manifest:#}\n")).map_err(|cause| self.not_written(&path, cause))
    }

    fn cut_short(&self, cause: &str) -> Problem {
        Problem::new("range-cut-short", Exit::NoAnswer).with("cause", cause).with("id", self.id)
    }

    fn not_written(&self, path: &Path, cause: io::Error) -> Problem {
        Problem::new("range-not-written", Exit::Failed)
            .with("path", path.display())
            .with("cause", cause)
            .with("id", self.id)
    }
}

/// A file beside another: `codes.csv` and `codes.csv.part`.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
