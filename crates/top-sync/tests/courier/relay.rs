//! A line between node and platform that is cut, or carries nothing more, when a test wants it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Carries bytes upward until so many of a connection were carried, then does something to it.
pub(crate) struct Relay {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    /// Bytes of a connection that are carried to the platform.
    most: AtomicU64,
    /// Whether the line then stays and carries nothing.
    stalls: bool,
    /// All that was carried to the platform.
    carried: AtomicU64,
}

impl Relay {
    pub(crate) async fn start(to: SocketAddr, most: u64, stalls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { most: AtomicU64::new(most), stalls, carried: AtomicU64::new(0) });
        let for_lines = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(line(from, to, Arc::clone(&for_lines)));
            }
        });
        Self { port, shared }
    }

    /// From now on everything is carried.
    pub(crate) fn heal(&self) {
        self.shared.most.store(u64::MAX, Ordering::Relaxed);
    }

    /// Bytes carried to the platform since this was asked last.
    pub(crate) fn carried(&self) -> u64 {
        self.shared.carried.swap(0, Ordering::Relaxed)
    }
}

async fn line(from: TcpStream, to: SocketAddr, shared: Arc<Shared>) {
    let to = TcpStream::connect(to).await.unwrap();
    let ((mut from_read, mut from_write), (mut to_read, mut to_write)) = (from.into_split(), to.into_split());
    let down = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut to_read, &mut from_write).await;
    });
    let (mut left, mut buffer) = (shared.most.load(Ordering::Relaxed), vec![0; 16 << 10]);
    while let Ok(read) = from_read.read(&mut buffer).await {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(read);
        if read == 0 || to_write.write_all(&buffer[..taken]).await.is_err() {
            break;
        }
        left -= taken as u64;
        shared.carried.fetch_add(taken as u64, Ordering::Relaxed);
        if taken < read {
            if shared.stalls {
                std::future::pending::<()>().await;
            }
            break;
        }
    }
    down.abort();
}
