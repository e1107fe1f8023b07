//! SSH: who comes, and that nothing but SFTP is spoken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey, run_stream,
};
use russh::{Channel, ChannelId, Disconnect, MethodKind, MethodSet};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Desk;
use super::config::{ATTEMPTS, CHANNELS, LOGIN_TIME, REQUEST_BYTES, SILENT_TIME};
use super::room::Room;
use super::session;
use crate::simulator::begun;

/// Takes connections until stopping begins.
pub(super) async fn serve(
    listener: TcpListener,
    key: PrivateKey,
    desk: Arc<Desk>,
    mut stopping: watch::Receiver<bool>,
) {
    let config = Arc::new(Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: Duration::from_millis(300),
        // Clients ask first what there is to show.
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: ATTEMPTS,
        inactivity_timeout: Some(SILENT_TIME),
        keys: vec![key],
        nodelay: true,
        ..Config::default()
    });
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            () = begun(&mut stopping) => break,
            _ = calls.join_next(), if !calls.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // One too many is closed at once: it would only wait.
                    if let Ok(room) = Arc::clone(&desk.connections).try_acquire_owned() {
                        let (config, desk, stopping) = (Arc::clone(&config), Arc::clone(&desk), stopping.clone());
                        calls.spawn(async move {
                            call(stream, config, desk, stopping).await;
                            drop(room);
                        });
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be taken");
                    sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    calls.shutdown().await;
}

/// One connection.
async fn call(stream: TcpStream, config: Arc<Config>, desk: Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    let known = Arc::new(AtomicBool::new(false));
    let caller = Caller { desk, room: None, channels: Vec::new(), sessions: 0, known: Arc::clone(&known) };
    // What strangers do wrong is no news.
    let Ok(Ok(mut running)) = timeout(LOGIN_TIME, run_stream(config, stream, caller)).await else { return };
    let handle = running.handle();
    let late = async {
        sleep(LOGIN_TIME).await;
        if known.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = &mut running => return,
        () = late => {}
        () = begun(&mut stopping) => {}
    }
    let _told = handle.disconnect(Disconnect::ByApplication, String::new(), String::new()).await;
    let _ended = timeout(Duration::from_secs(1), running).await;
}

/// Somebody who called.
struct Caller {
    desk: Arc<Desk>,
    /// The room of the user it is, once that is proven.
    room: Option<Arc<Room>>,
    /// Channels that are open and speak nothing yet.
    channels: Vec<Channel<Msg>>,
    sessions: usize,
    known: Arc<AtomicBool>,
}

impl Caller {
    fn room(&self, user: &str, key: &PublicKey) -> Option<Arc<Room>> {
        let room = self.desk.rooms.iter().find(|room| room.user.name == user)?;
        room.user.keys.iter().any(|known| known.key_data() == key.key_data()).then(|| Arc::clone(room))
    }
}

impl Handler for Caller {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        Ok(if self.room(user, offer.public_key).is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        self.room = self.room(user, key.public_key);
        self.known.store(self.room.is_some(), Ordering::Relaxed);
        Ok(if self.room.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        // Dropping the reply refuses.
        if self.sessions < CHANNELS {
            self.sessions += 1;
            self.channels.push(channel);
            reply.accept().await;
        }
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let place = self.channels.iter().position(|channel| channel.id() == id);
        match (place, &self.room) {
            (Some(place), Some(room)) if name == "sftp" => {
                let channel = self.channels.swap_remove(place);
                session.channel_success(id)?;
                let files = session::Session::new(Arc::clone(&self.desk), Arc::clone(room));
                let limits = russh_sftp::server::Config { max_client_packet_len: REQUEST_BYTES };
                russh_sftp::server::run_with_config(channel.into_stream(), files, limits).await;
            }
            _ => session.channel_failure(id)?,
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        session.close(id)
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.channels.retain(|channel| channel.id() != id);
        self.sessions = self.sessions.saturating_sub(1);
        Ok(())
    }
}
