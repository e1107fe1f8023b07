//! What a client may not do to the server.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};
use waymark_catalog::machine_time;
use waymark_wire::crypto::{OsRng, PrivateKey as NodeKey};

use crate::platform::Platform;

struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

async fn connect(platform: &Platform) -> Handle<Trusting> {
    let key = PrivateKey::read_openssh_file(&platform.user_key).unwrap();
    let config = Arc::new(client::Config::default());
    let mut handle = client::connect(config, platform.desk.address(), Trusting).await.unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    assert!(handle.authenticate_publickey("node990", key).await.unwrap().success());
    handle
}

async fn session(handle: &Handle<Trusting>) -> RawSftpSession {
    let channel = handle.channel_open_session().await.unwrap();
    channel.request_subsystem(true, "sftp").await.unwrap();
    let session = RawSftpSession::new(channel.into_stream());
    session.init().await.unwrap();
    session
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> StatusCode {
    match outcome {
        Err(Error::Status(status)) => status.status_code,
        other => panic!("{other:?}"),
    }
}

const WRITE: OpenFlags = OpenFlags::WRITE.union(OpenFlags::CREATE);

async fn prepared(
    change: impl FnOnce(&mut waymark_top_sync::simulator::deposits::Settings),
) -> (tempfile::TempDir, Platform) {
    let folder = tempfile::tempdir().unwrap();
    let node = NodeKey::generate_sm2(&mut OsRng).public_key();
    let platform = Platform::start_with(folder.path(), &node, machine_time, change).await;
    (folder, platform)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_two_folders() {
    let (folder, platform) = prepared(|_| {}).await;
    let handle = connect(&platform).await;
    let sftp = session(&handle).await;
    let before = list(folder.path());
    for path in [
        "../x",
        "upload/../../x",
        "/etc/passwd",
        "../host_key",
        "upload/../host_key",
        "../other/upload/x",
        "/upload/../../other/upload/x",
        "chain/x",
        "report/x",
        "upload/.x",
        "upload/a/b",
        "upload/a\0b",
        "upload\\x",
    ] {
        refused(sftp.open(path, WRITE, FileAttributes::empty()).await);
        refused(sftp.open(path, OpenFlags::READ, FileAttributes::empty()).await);
        refused(sftp.stat(path).await);
        refused(sftp.remove(path).await);
        refused(sftp.rename(path, "upload/y").await);
        refused(sftp.mkdir(path, FileAttributes::empty()).await);
    }
    let written = sftp.open("upload/x", WRITE, FileAttributes::empty()).await.unwrap().handle;
    sftp.write(written.as_str(), 0, b"1".to_vec()).await.unwrap();
    for to in ["../x", "report/x", "/x", "upload/../x", "upload/.x", "other/upload/x"] {
        refused(sftp.rename("upload/x", to).await);
    }
    for to in ["../host_key", "/etc/passwd", "x"] {
        assert_eq!(refused(sftp.symlink("upload/link", to).await), StatusCode::OpUnsupported);
    }
    let answered = sftp.extended("posix-rename@openssh.com", vec![]).await.unwrap();
    assert!(matches!(answered, Packet::Status(status) if status.status_code == StatusCode::OpUnsupported));
    refused(sftp.opendir("..").await);
    refused(sftp.realpath("..").await);
    let mut after = list(folder.path());
    after.retain(|path| !path.ends_with("node990/upload/x"));
    assert_eq!(before, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_lies_there_is_not_followed() {
    let (folder, platform) = prepared(|_| {}).await;
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::os::unix::fs::symlink(&secret, platform.folder.join("node990/upload/link")).unwrap();
    let handle = connect(&platform).await;
    let sftp = session(&handle).await;
    for flags in [OpenFlags::READ, WRITE, WRITE.union(OpenFlags::TRUNCATE)] {
        refused(sftp.open("upload/link", flags, FileAttributes::empty()).await);
    }
    refused(sftp.stat("upload/link").await);
    refused(sftp.rename("upload/link", "upload/other").await);
    assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_no_holes_and_no_end_that_is_too_far_away() {
    let (_folder, platform) = prepared(|settings| {
        (settings.usage.file_bytes, settings.usage.bytes, settings.usage.files) = (100_000, 150_000, 3);
    })
    .await;
    let handle = connect(&platform).await;
    let sftp = session(&handle).await;
    let file = sftp.open("upload/a", WRITE, FileAttributes::empty()).await.unwrap().handle;
    for offset in [1, 1 << 40, u64::MAX - 3, u64::MAX] {
        refused(sftp.write(file.as_str(), offset, b"data".to_vec()).await);
    }
    // An endless file ends.
    let mut offset = 0_u64;
    let ended = loop {
        match sftp.write(file.as_str(), offset, vec![7; 16 << 10]).await {
            Ok(_) => offset += 16 << 10,
            Err(error) => break error,
        }
        assert!(offset <= 100_000);
    };
    assert_eq!(refused::<()>(Err(ended)), StatusCode::Failure);
    let size = |name: &str| std::fs::metadata(platform.folder.join("node990/upload").join(name)).unwrap().len();
    assert_eq!(size("a"), offset);
    let second = sftp.open("upload/b", WRITE, FileAttributes::empty()).await.unwrap().handle;
    let room = 150_000 - usize::try_from(offset).unwrap();
    sftp.write(second.as_str(), 0, vec![7; room.min(60_000)]).await.unwrap();
    refused(sftp.write(second.as_str(), room.min(60_000) as u64, vec![7; 30_000]).await);
    sftp.open("upload/c", WRITE, FileAttributes::empty()).await.unwrap();
    refused(sftp.open("upload/d", WRITE, FileAttributes::empty()).await);
    // What is taken away makes room.
    sftp.remove("upload/a").await.unwrap();
    sftp.open("upload/d", WRITE, FileAttributes::empty()).await.unwrap();
    let attributes = FileAttributes { size: Some(1 << 40), ..FileAttributes::empty() };
    refused(sftp.setstat("upload/b", attributes).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_and_channels_are_counted_and_nothing_but_sftp_is_spoken() {
    let (_folder, platform) = prepared(|_| {}).await;
    let handle = connect(&platform).await;
    let sftp = session(&handle).await;
    let mut opened = 0;
    while sftp.opendir("upload").await.is_ok() {
        opened += 1;
        assert!(opened <= 16);
    }
    for number in ["99", "x", ""] {
        refused(sftp.read(number, 0, 10).await);
        refused(sftp.close(number).await);
    }
    let mut sessions = Vec::new();
    while let Ok(channel) = handle.channel_open_session().await {
        sessions.push(channel);
        assert!(sessions.len() <= 4);
    }
    let shell = sessions.pop().unwrap();
    let _ = shell.exec(true, "id").await;
    let answer = tokio::time::timeout(Duration::from_secs(20), async move {
        let mut shell = shell;
        while let Some(message) = shell.wait().await {
            if matches!(message, russh::ChannelMsg::Data { .. } | russh::ChannelMsg::Success) {
                return false;
            }
            if matches!(message, russh::ChannelMsg::Failure | russh::ChannelMsg::Close) {
                return true;
            }
        }
        true
    });
    assert!(answer.await.unwrap_or(true), "a program was run");
    assert!(handle.channel_open_direct_tcpip("127.0.0.1", 1, "127.0.0.1", 1).await.is_err());
}

/// Everything below a folder.
fn list(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(list(&path));
        }
        found.push(path.display().to_string());
    }
    found.sort();
    found
}
