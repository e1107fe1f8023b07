//! What a top-level node for tests has beside the simulator of `waymark-top-sync`: it answers for the prefixes given to nodes, and takes over from one
//! that is out of service.
//!
//! They stand here since they are made of a node: its catalog, its resolver, its daemon.
//!
//! | file | holds |
//! |---|---|
//! | `resolution` | delegated prefixes over the binary protocol, as nodes told their routes |
//! | `takeover` | the emergency node: restored, served, ended |
//! | `page` | both as JSON |

mod page;
mod resolution;
mod takeover;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use tokio::{sync::watch, task::JoinSet};
use waymark_top_sync::simulator::{
    Observed,
    config::PROBERS,
    ledger::is_node,
    probe::{Fleet, Rule},
};

pub(crate) use takeover::Phase;

use self::{
    resolution::Resolution,
    takeover::{Settings, Takeover},
};
use crate::problem::Problem;

/// The options of `waymark top-node` for probes, resolution and takeover.
#[derive(Debug, Args)]
pub(crate) struct AboveOptions {
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(PROBERS)))]
    probers: Option<u32>,
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(20..=3_600_000))]
    probe_every: u64,
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(20..=600_000))]
    probe_patience: u64,
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 300_000, value_parser = clap::value_parser!(u64).range(100..=86_400_000))]
    probe_window: u64,
    #[arg(long, value_name = "ADDRESS")]
    resolution: Option<SocketAddr>,
    #[arg(long, value_name = "PREFIX", value_parser = prefix, requires_all = ["probers", "resolution", "deposits", "deposit_node_key", "deposit_platform_key"])]
    takeover: Option<String>,
    #[arg(long, value_name = "DIR", requires = "takeover")]
    deposits: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "takeover")]
    deposit_node_key: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "takeover")]
    deposit_platform_key: Option<PathBuf>,
}

fn prefix(text: &str) -> Result<String, String> {
    if is_node(text) { Ok(text.to_ascii_uppercase()) } else { Err("a prefix, such as 88.990".to_owned()) }
}

/// What is started of it.
#[derive(Debug)]
pub(crate) struct Above {
    resolution: Option<Arc<Resolution>>,
    takeover: Option<Arc<Takeover>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl AboveOptions {
    /// How nodes are probed.
    pub(crate) fn fleet(&self) -> Option<Fleet> {
        let rule = Rule { window: Duration::from_millis(self.probe_window), ..Rule::default() };
        Some(Fleet {
            probers: self.probers?,
            every: Duration::from_millis(self.probe_every),
            patience: Duration::from_millis(self.probe_patience),
            rule,
        })
    }

    fn takeover(&self, data: &std::path::Path) -> Option<Settings> {
        Some(Settings {
            node: self.takeover.clone()?,
            deposits: self.deposits.clone()?,
            node_key: self.deposit_node_key.clone()?,
            platform_key: self.deposit_platform_key.clone()?,
            folder: data.join("takeover"),
        })
    }
}

impl Above {
    /// Opens what is wanted; nobody is followed yet.
    ///
    /// # Errors
    /// A key or a folder that cannot be used, or an address that cannot be taken.
    pub(crate) async fn open(options: &AboveOptions, data: &std::path::Path) -> Result<Self, Problem> {
        let takeover = options.takeover(data).map(Takeover::new).transpose()?.map(Arc::new);
        let resolution = match options.resolution {
            Some(listen) => Some(Arc::new(Resolution::start(&data.join("resolution"), listen).await?)),
            None => None,
        };
        Ok(Self { resolution, takeover, stop: watch::Sender::new(false), tasks: JoinSet::new() })
    }

    /// Its pages.
    pub(crate) fn pages(&self) -> axum::Router {
        page::pages(self.takeover.clone())
    }

    /// Begins to follow what nodes tell and what probes find.
    pub(crate) fn follow(&mut self, observed: &Observed) {
        let emergency = match &self.takeover {
            Some(takeover) => {
                let run = Arc::clone(takeover).run(observed.clone(), self.stop.subscribe());
                self.tasks.spawn(run);
                takeover.emergency()
            }
            None => watch::Sender::new(None).subscribe(),
        };
        if let Some(resolution) = &self.resolution {
            self.tasks.spawn(Arc::clone(resolution).follow(observed.clone(), emergency, self.stop.subscribe()));
        }
    }

    /// Where it answers, as it is printed: a blank and a URL for each door.
    pub(crate) fn listening(&self) -> String {
        let Some(resolution) = &self.resolution else { return String::new() };
        let listening = resolution.listening();
        let of = |scheme: &str, addresses: &[SocketAddr]| {
            addresses.iter().map(|address| format!(" {scheme}://{address}")).collect::<String>()
        };
        of("udp", &listening.udp) + &of("tcp", &listening.tcp)
    }

    /// Ends it: an emergency node is stopped, the resolver closed.
    pub(crate) async fn stop(mut self) -> Result<(), Problem> {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        match self.resolution.map(Arc::try_unwrap) {
            Some(Ok(resolution)) => resolution.stop().await,
            _ => Ok(()),
        }
    }
}
