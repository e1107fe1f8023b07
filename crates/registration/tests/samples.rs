//! The samples of `docs/samples` work: the Python one is run where the machine has what it needs, all name only what the interface has.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::process::{Command, Output};

use common::Node;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use waymark_catalog::access::Role;

const SAMPLES: [(&str, &str); 3] = [
    ("register.py", include_str!("../docs/samples/register.py")),
    ("Register.java", include_str!("../docs/samples/Register.java")),
    ("Register.cs", include_str!("../docs/samples/Register.cs")),
];

/// The Python to use: `WAYMARK_PYTHON`, or the system's.
fn python() -> String {
    std::env::var("WAYMARK_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn has_grpc() -> bool {
    let import = Command::new(python()).args(["-c", "import grpc, grpc_status, grpc_tools"]).output();
    import.is_ok_and(|output| output.status.success())
}

fn checked(output: Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sample_registers_and_continues() {
    if !has_grpc() {
        eprintln!("not run: {} has no grpcio, grpcio-tools and grpcio-status (WAYMARK_PYTHON names another)", python());
        return;
    }
    let node = Node::start_by_machine_time();
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let folder = tempfile::TempDir::new().unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let proto = format!("{root}/../../proto");
    let files = ["registration/v1/identifiers", "registration/v1/registration", "registration/v1/jobs"];
    let mut stubs = Command::new(python());
    stubs.current_dir(folder.path()).args(["-m", "grpc_tools.protoc", "-I", &proto]);
    stubs.args(["--python_out=.", "--grpc_python_out=."]).args(files.map(|file| format!("waymark/{file}.proto")));
    checked(stubs.output().unwrap());
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, node.authority.pem()).unwrap();
    let port = node.address().port();
    let run = || {
        let mut sample = Command::new(python());
        sample.arg(format!("{root}/docs/samples/register.py")).arg("88.1").current_dir(folder.path());
        sample.env("PYTHONPATH", folder.path()).env("WAYMARK_CA", &ca).env("WAYMARK_TOKEN", &token);
        sample.env("WAYMARK_SERVER", format!("localhost:{port}"));
        tokio::task::spawn_blocking(move || checked(sample.output().unwrap()))
    };
    let first = run().await.unwrap();
    assert!(first.contains("registered at serial"), "{first}");
    assert!(first.contains("created 1000 refused 1 mark 1001"), "{first}");
    assert!(first.contains("1001 ALREADY_EXISTS_DIFFERENT"), "{first}");
    assert!(first.contains("refused: NOT_PERMITTED"), "{first}");
    let second = run().await.unwrap();
    assert!(second.contains("created 0 refused 0 mark 1001"), "what was sent is not sent again: {second}");
}

#[test]
fn the_samples_call_only_what_there_is() {
    let files = FileDescriptorSet::decode(waymark_api::DESCRIPTORS).unwrap().file;
    let messages: Vec<&str> =
        files.iter().flat_map(|file| &file.message_type).filter_map(|m| m.name.as_deref()).collect();
    for (name, text) in SAMPLES {
        for used in
            ["ApplyRequest", "UploadRequest", "OpenStream", "Items", "GetStreamRequest", "Change", "Create", "Value"]
        {
            assert!(text.contains(used), "{name} shows {used}");
            assert!(messages.contains(&used), "{used} is there");
        }
        assert!(text.contains("WAYMARK_TOKEN") && !text.contains("wm1_0"), "{name} brings its token from outside");
    }
}
