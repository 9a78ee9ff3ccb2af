//! A relay between a store and its server, to break the network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// How late answers of a slow network come.
const LATE: Duration = Duration::from_millis(150);
/// Neither Redis nor anything else.
const NONSENSE: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n<html>";

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Network {
    /// Bytes pass.
    Works,
    /// Answers come late.
    IsSlow,
    /// Something else answers.
    TalksNonsense,
    /// Commands arrive. Answers are dropped.
    LosesAnswers,
    /// Nothing arrives, and nobody is told.
    DropsAll,
    /// Connections end, and new ones too.
    IsCut,
}

/// A relay on loopback.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    state: Arc<AtomicU8>,
    cut: Arc<Notify>,
    /// Connections of earlier generations are dead, and nobody is told.
    generation: Arc<AtomicU64>,
}

impl Relay {
    /// Starts one in front of this port.
    pub async fn to(port: u16) -> Self {
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
                    let commands = pass(from_client, to_server, || {
                        if passes(Network::DropsAll) { Fate::Passes } else { Fate::IsDropped }
                    });
                    let answers = pass(from_server, to_client, || {
                        let is = |network: Network| state.load(Ordering::SeqCst) == network as u8;
                        match () {
                            () if !passes(Network::LosesAnswers) => Fate::IsDropped,
                            () if is(Network::IsSlow) => Fate::IsLate,
                            () if is(Network::TalksNonsense) => Fate::IsNonsense,
                            () => Fate::Passes,
                        }
                    });
                    tokio::select! {
                        () = commands => {}
                        () = answers => {}
                        () = cut.notified() => {}
                    }
                });
            }
        });
        relay
    }

    /// The URL for clients of Redis.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Changes what happens to bytes from now on.
    pub fn set(&self, network: Network) {
        self.state.store(network as u8, Ordering::SeqCst);
        if network == Network::IsCut {
            self.cut.notify_waiters();
        }
    }

    /// Forgets the connections that there are, as a NAT does: nothing passes on them any more, and neither side is told. New ones
    /// work.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Ends the connections that there are. New ones work as before.
    pub fn reset(&self) {
        self.cut.notify_waiters();
    }
}

enum Fate {
    Passes,
    IsLate,
    IsNonsense,
    IsDropped,
}

/// Passes bytes on, or does something else with them. After some were dropped, nothing passes any more: TCP leaves no gap.
async fn pass(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, fate: impl Fn() -> Fate) {
    let mut bytes = vec![0; 16 * 1024];
    let mut has_gap = false;
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let passed = match fate() {
            Fate::IsDropped => {
                has_gap = true;
                continue;
            }
            _ if has_gap => continue,
            Fate::IsNonsense => to.write_all(NONSENSE).await,
            Fate::IsLate => {
                tokio::time::sleep(LATE).await;
                to.write_all(&bytes[..length]).await
            }
            Fate::Passes => to.write_all(&bytes[..length]).await,
        };
        if passed.is_err() {
            return;
        }
    }
}
