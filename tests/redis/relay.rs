//! A relay between a store and its server, to break the network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Network {
    Works,
    /// Commands arrive. Answers are dropped.
    LosesAnswers,
    /// Nothing arrives, and nobody is told.
    DropsAll,
    /// Connections end, and new ones too.
    IsCut,
}

pub(crate) struct Relay {
    address: SocketAddr,
    state: Arc<AtomicU8>,
    cut: Arc<Notify>,
    /// Connections of earlier generations are dead, and nobody is told.
    generation: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            cut: Arc::default(),
            generation: Arc::default(),
        };
        let (state, cut) = (Arc::clone(&relay.state), Arc::clone(&relay.cut));
        let generation = Arc::clone(&relay.generation);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if state.load(Ordering::SeqCst) == Network::IsCut as u8 {
                    continue;
                }
                let (state, cut) = (Arc::clone(&state), Arc::clone(&cut));
                let (generation, own) = (Arc::clone(&generation), generation.load(Ordering::SeqCst));
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    let passes = |breaks_at: Network| {
                        let is_dead = generation.load(Ordering::SeqCst) != own;
                        !is_dead && state.load(Ordering::SeqCst) < breaks_at as u8
                    };
                    tokio::select! {
                        () = pass(from_client, to_server, || passes(Network::DropsAll)) => {}
                        () = pass(from_server, to_client, || passes(Network::LosesAnswers)) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        relay
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn set(&self, network: Network) {
        self.state.store(network as u8, Ordering::SeqCst);
        if network == Network::IsCut {
            self.cut.notify_waiters();
        }
    }

    /// Forgets the connections that there are, as a NAT does: nothing passes on them any more, and neither side is told. New ones
    /// work.
    pub(crate) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends the connections that there are. New ones work as before.
    pub(crate) fn reset(&self) {
        self.cut.notify_waiters();
    }
}

/// Passes bytes on, or drops them. After it has dropped some, nothing passes any more: TCP leaves no gap.
async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, passes: impl Fn() -> bool) {
    let mut bytes = vec![0; 16 * 1024];
    let mut has_gap = false;
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        has_gap |= !passes();
        if !has_gap && to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
