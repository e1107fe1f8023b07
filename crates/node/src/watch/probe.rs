//! Asks the doors as somebody outside would: through sockets, each by its own question.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use waymark_catalog::Catalog;
use waymark_client::{
    AskError, Client, Failure, Options, Server, Transport,
    registration::{Endpoint, GrpcUrl, ServerTrust},
};
use waymark_top_sync::watch::{
    config::DOORS,
    incident::Kind,
    target::{Pressure, Probed, Target, Trouble},
};
use waymark_wire::{
    Head, OpFlags, ResponseCode,
    limits::ResponseLimits,
    request::RequestWriter,
    response::{Response, ResponseBody},
    types::HS_SITE,
};

use crate::{
    cli::resolve::parse_pin,
    daemon::chain,
    listen::{Listening, reachable},
    metrics_page::reason_name,
    status::Watched,
};

/// What a round is asked with.
#[derive(Debug)]
pub(super) struct Prober {
    catalog: Catalog,
    watched: Arc<Watched>,
    name: String,
    question: Vec<u8>,
    patience: Duration,
    udp: Client,
    tcp: Client,
}

/// A door and how it is asked.
#[derive(Clone, Copy, Debug)]
enum Door {
    Udp(SocketAddr),
    Tcp(SocketAddr),
    Grpc(SocketAddr),
}

impl Prober {
    pub(super) fn new(catalog: &Catalog, watched: &Arc<Watched>, name: &str, patience: Duration) -> Self {
        let client = |transport| Client::new(Options { order: vec![transport], ..Options::default() });
        // Servers do not check the expiration of a request; the client numbers it.
        let head = Head::request(0, OpFlags::USUAL, u32::MAX >> 1);
        let question = RequestWriter::new(Vec::new(), head).resolution(name.as_bytes(), &[], &[HS_SITE], None);
        Self {
            catalog: catalog.clone(),
            watched: Arc::clone(watched),
            name: name.to_owned(),
            question,
            patience,
            udp: client(Transport::Udp),
            tcp: client(Transport::Tcp),
        }
    }

    /// Asks every door at once, and looks at the store.
    pub(super) async fn round(&self) -> (Vec<Probed>, Option<Pressure>) {
        let listening = self.watched.listening();
        let doors = doors(&listening).take(DOORS).map(|door| self.ask(door, &listening));
        let mut probed = join_all(doors).await;
        let health = self.catalog.health();
        let trouble = health.reason.map(|reason| Trouble {
            cause: format!("the store takes no writes: {}", reason_name(reason)),
            kind: Kind::System,
            is_told_elsewhere: false,
        });
        probed.push(Probed { target: Target::Store, took_micros: 0, trouble });
        (probed, self.watched.pressure())
    }

    async fn ask(&self, door: Door, listening: &Listening) -> Probed {
        let begun = Instant::now();
        let (target, asked) = match door {
            Door::Udp(address) => {
                let server = Server { udp: Some(address), understands_padding: true, ..Server::default() };
                (Target::udp(address), self.resolve(&self.udp, &server).await)
            }
            Door::Tcp(address) => {
                let server = Server { tcp: Some(address), ..Server::default() };
                (Target::tcp(address), self.resolve(&self.tcp, &server).await)
            }
            Door::Grpc(address) => (Target::grpc(address), self.health(address, listening).await),
        };
        let took_micros = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        Probed { target, took_micros, trouble: asked.err() }
    }

    /// Asks for the node's own prefix: the answer has to say where it lives.
    async fn resolve(&self, client: &Client, server: &Server) -> Result<(), Trouble> {
        let answer = client.ask(server, &self.question, self.patience).await.map_err(|error| unanswered(&error))?;
        let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE)
            .map_err(|failure| trouble(format!("an answer that cannot be read: {}", failure.error)))?;
        match &response.body {
            ResponseBody::Resolution { values, .. }
                if response.code == ResponseCode::SUCCESS && values.iter().any(|value| value.kind == HS_SITE) =>
            {
                Ok(())
            }
            _ => Err(trouble(format!("response code {} to {}", response.code.0, self.name))),
        }
    }

    /// Asks for the health of the registration service.
    async fn health(&self, address: SocketAddr, listening: &Listening) -> Result<(), Trouble> {
        let is_encrypted = !listening.registration_fingerprint.is_empty();
        let url = GrpcUrl { is_encrypted, host: address.ip().to_string(), port: address.port() };
        let mut endpoint = Endpoint::new(url);
        if is_encrypted {
            let pin = parse_pin(&listening.registration_fingerprint)
                .map_err(|_| trouble("the certificate has no fingerprint".to_owned()))?;
            endpoint.trust = Some(ServerTrust::Pin(pin));
        }
        let channel = endpoint.channel().map_err(|error| trouble(chain(&error)))?;
        let mut client = HealthClient::new(channel);
        let request = HealthCheckRequest { service: String::new() };
        let checked = timeout(self.patience, client.check(request)).await;
        let checked = checked.map_err(|_| trouble(format!("no answer within {} s", self.patience.as_secs())))?;
        let checked = checked.map_err(|status| trouble(format!("{}: {}", status.code(), status.message())))?;
        match checked.into_inner().status() {
            ServingStatus::Serving => Ok(()),
            // The door is there; what is wrong is the store, which is looked at by itself.
            _ => Err(Trouble {
                is_told_elsewhere: true,
                ..trouble("the registration service does not serve".to_owned())
            }),
        }
    }
}

/// The doors of a node. A door on all addresses is asked on loopback.
fn doors(listening: &Listening) -> impl Iterator<Item = Door> + '_ {
    let each = |addresses: &'_ [SocketAddr]| addresses.iter().copied().map(reachable).collect::<Vec<_>>();
    let udp = each(&listening.udp).into_iter().map(Door::Udp);
    let tcp = each(&listening.tcp).into_iter().map(Door::Tcp);
    udp.chain(tcp).chain(each(&listening.grpc).into_iter().map(Door::Grpc))
}

/// A fault of the node itself.
fn trouble(cause: String) -> Trouble {
    Trouble { cause, kind: Kind::System, is_told_elsewhere: false }
}

/// Why there was no answer. That there is no way to the address is the network's fault, all else the node's.
fn unanswered(error: &AskError) -> Trouble {
    let failures = match error {
        AskError::Failed { failures } | AskError::Deadline { failures, .. } => failures.as_slice(),
        _ => &[],
    };
    let is_network = failures.iter().any(|(_, failure)| match failure {
        Failure::Io(error) => matches!(
            error.kind(),
            std::io::ErrorKind::NetworkUnreachable
                | std::io::ErrorKind::HostUnreachable
                | std::io::ErrorKind::NetworkDown
                | std::io::ErrorKind::AddrNotAvailable
        ),
        _ => false,
    });
    let kind = if is_network { Kind::Network } else { Kind::System };
    Trouble { kind, ..trouble(error.to_string()) }
}
