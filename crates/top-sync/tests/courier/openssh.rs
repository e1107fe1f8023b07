//! The client and the server of OpenSSH, which know nothing of either side here.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use waymark_catalog::machine_time;
use waymark_top_sync::sftp::{Endpoint, Link, UserKey};
use waymark_wire::crypto::{OsRng, PrivateKey};

use crate::platform::{Platform, user_key};

fn found(names: &[&str]) -> Option<PathBuf> {
    let folders =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    let mut paths = names.iter().flat_map(|name| {
        let absolute = Path::new(name).is_absolute().then(|| PathBuf::from(name));
        absolute.into_iter().chain(folders.iter().map(move |folder| folder.join(name)))
    });
    paths.find(|path| path.is_file())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_openssh_brings_files_and_fetches_what_is_said_of_them() {
    let Some(sftp) = found(&["sftp"]) else {
        eprintln!("SKIPPED: there is no sftp here, so OpenSSH's client was not tried against the simulator");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = PrivateKey::generate_sm2(&mut OsRng).public_key();
    let platform = Platform::start(folder.path(), &node, machine_time).await;
    let address = platform.desk.address();
    let data: Vec<u8> = (0..2_000_000_u32).map(|number| (number % 251) as u8).collect();
    fs::write(folder.path().join("file"), &data).unwrap();
    fs::write(folder.path().join("report"), "no report").unwrap();
    let run = |batch: &str| {
        let options =
            ["-o", "StrictHostKeyChecking=accept-new", "-o", "IdentitiesOnly=yes", "-o", "PasswordAuthentication=no"];
        let known = format!("UserKnownHostsFile={}", folder.path().join("known").display());
        let mut command = Command::new(&sftp);
        command.args(options).arg("-o").arg(known).args(["-o", "ConnectTimeout=20", "-P", &address.port().to_string()]);
        command.arg("-i").arg(&platform.user_key).args(["-b", "-", "node990@127.0.0.1"]).current_dir(folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let (good, out, err) = run(
        "pwd\nls -l\nput file upload/file.part\nls -l upload\nrename upload/file.part upload/file\nget upload/file back\n",
    );
    assert!(good, "{out}\n{err}");
    assert!(out.contains("upload") && out.contains("report") && out.contains("2000000"), "{out}");
    assert_eq!(fs::read(platform.folder.join("node990/upload/file")).unwrap(), data);
    assert_eq!(fs::read(folder.path().join("back")).unwrap(), data);
    for batch in
        ["put file ../file\n", "put file report/file\n", "ln -s /etc/passwd upload/link\n", "get ../host_key x\n"]
    {
        let (good, out, err) = run(batch);
        assert!(!good, "{batch}: {out}\n{err}");
    }
    // What is no deposit is judged as none.
    let name = "88.990_2026-11-29_full_S1_R0.rep";
    let (good, out, err) = run(&format!("put report upload/x\nrename upload/x upload/{name}\n"));
    assert!(good, "{out}\n{err}");
    for _ in 0..500 {
        if platform.names("report").iter().any(|known| known == name) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (good, out, err) = run(&format!("get report/{name} said\n"));
    assert!(good, "{out}\n{err}");
    let said = fs::read_to_string(folder.path().join("said")).unwrap();
    assert!(said.contains("code=\"0\"") && said.contains("missing"), "{said}");
}

/// A server of OpenSSH in a folder.
struct Sshd(Child);

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_of_openssh_takes_files_and_goes_on_where_it_was_cut() {
    let server = found(&["/usr/sbin/sshd", "sshd"]);
    let subsystem =
        found(&["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/libexec/sftp-server"]);
    let (Some(server), Some(subsystem)) = (server, subsystem) else {
        eprintln!("SKIPPED: there is no sshd with sftp-server here, so nothing was brought to a real OpenSSH server");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (host, user) = (user_key(&path("host_key")), user_key(&path("user_key")));
    fs::write(path("authorized"), user.public_key().to_openssh().unwrap()).unwrap();
    fs::create_dir_all(path("home/upload")).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
         Subsystem sftp {} -d {}\n",
        path("host_key").display(),
        path("authorized").display(),
        subsystem.display(),
        path("home").display(),
    );
    fs::write(path("config"), config).unwrap();
    let started = Command::new(server).args(["-D", "-e", "-f"]).arg(path("config")).spawn().unwrap();
    let _sshd = Sshd(started);
    let name = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
    let endpoint = Endpoint {
        host: "127.0.0.1".into(),
        port,
        host_key: host.public_key().to_openssh().unwrap().parse().unwrap(),
        key: UserKey::read(&path("user_key")).unwrap(),
        answer_time: Duration::from_secs(20),
    };
    let mut opened = Link::open(&endpoint, &name).await;
    for _ in 0..200 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        opened = Link::open(&endpoint, &name).await;
    }
    let link = opened.unwrap();
    let data: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
    fs::write(path("file"), &data).unwrap();
    fs::write(path("home/upload/file.part"), &data[..3_000_000]).unwrap();
    link.put(&path("file"), "upload", "file", "file.part").await.unwrap();
    assert_eq!(fs::read(path("home/upload/file")).unwrap(), data);
    fs::write(path("file"), &data[..4_000]).unwrap();
    link.put(&path("file"), "upload", "file", "file.part").await.unwrap();
    assert_eq!(fs::read(path("home/upload/file")).unwrap(), data[..4_000]);
    assert_eq!(link.read("upload/none", 100).await.unwrap(), None);
    assert!(link.read("upload/file", 100).await.is_err());
    link.close().await;
}
