//! Compiles `proto/` with a compiler written in Rust, so that no protoc is needed.

use prost::Message as _;
use std::{error::Error, path::PathBuf};

const FILES: &[&str] = &[
    "waymark/registration/v1/identifiers.proto",
    "waymark/registration/v1/registration.proto",
    "waymark/registration/v1/jobs.proto",
    "waymark/registration/v1/packages.proto",
    "waymark/registration/v1/templates.proto",
    "waymark/registration/v1/verdicts.proto",
    "waymark/registration/v1/traces.proto",
    "waymark/registration/v1/followers.proto",
    "waymark/operator/v1/operator.proto",
    "waymark/operator/v1/enterprises.proto",
    "waymark/operator/v1/operator_record.proto",
    "waymark/operator/v1/applications.proto",
    "waymark/operator/v1/recursion.proto",
    "waymark/operator/v1/sync.proto",
    "waymark/toplevel/v1/sets.proto",
    "waymark/operator/v1/docking.proto",
    "waymark/operator/v1/deposits.proto",
    "waymark/operator/v1/traffic.proto",
    "waymark/operator/v1/incidents.proto",
    "waymark/operator/v1/reports.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = "../../proto";
    println!("cargo:rerun-if-changed={root}");
    let descriptors = protox::compile(FILES, [root])?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo gives no OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
