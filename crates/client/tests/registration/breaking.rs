//! A network between client and server that breaks where a test says.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Forwards connections, each for as many bytes (both directions together) as its turn says.
pub(crate) struct Network {
    pub(crate) address: SocketAddr,
    /// Raised to break every connection there is.
    breaks: watch::Sender<u64>,
}

impl Network {
    /// Opens a way to `server`. The first connections break after these numbers of bytes, all others hold.
    pub(crate) async fn to(server: SocketAddr, budgets: impl Into<VecDeque<u64>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (breaks, seen) = watch::channel(0);
        let budgets = Mutex::new(budgets.into());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let budget = budgets.lock().unwrap().pop_front().unwrap_or(u64::MAX);
                tokio::spawn(forward(client, server, budget, seen.clone()));
            }
        });
        Self { address, breaks }
    }

    /// Breaks every connection.
    pub(crate) fn break_all(&self) {
        self.breaks.send_modify(|count| *count += 1);
    }
}

async fn forward(client: TcpStream, server: SocketAddr, budget: u64, mut breaks: watch::Receiver<u64>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    breaks.mark_unchanged();
    let left = Arc::new(Mutex::new(budget));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = carry(from_client, to_server, Arc::clone(&left)) => {}
        () = carry(from_server, to_client, left) => {}
        _ = breaks.changed() => {}
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    left: Arc<Mutex<u64>>,
) {
    let mut buffer = vec![0; 4_096];
    while let Ok(length) = from.read(&mut buffer).await {
        let allowed = {
            let mut left = left.lock().unwrap();
            let allowed = usize::try_from(*left).unwrap_or(usize::MAX).min(length);
            *left -= allowed as u64;
            allowed
        };
        if length == 0 || to.write_all(&buffer[..allowed]).await.is_err() || allowed < length {
            return;
        }
    }
}
