//! The connection that calls share, and its replacement when it is lost.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, Value};
use tokio::sync::watch;

use super::error::RedisUnavailable;
use super::server::{Channel, Server};
use crate::log_limit::LogLimit;

/// The pause after the first failed attempt to connect. Each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause: a server that is back is used again after this time at the latest.
const LONGEST_PAUSE: Duration = Duration::from_millis(320);
/// How often a connection is checked again while it is in use: a cluster has new servers after a failover, and the
/// configuration of a server can change.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Every how many failed attempts to connect are logged: about every 10 s.
const LOG_EVERY: u32 = 32;

/// A connection, and what is known about it. Clones are the same connection.
#[derive(Clone)]
pub(super) struct Connection {
    channel: Channel,
    known: Arc<Known>,
}

struct Known {
    since: Instant,
    /// When the server last answered, in milliseconds after `since`.
    answered: AtomicU64,
    /// When it was last checked, in milliseconds after `since`.
    checked: AtomicU64,
}

impl Connection {
    fn new(channel: Channel) -> Self {
        Self {
            channel,
            known: Arc::new(Known { since: Instant::now(), answered: AtomicU64::new(0), checked: AtomicU64::new(0) }),
        }
    }

    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        let answer = self.channel.send(command).await;
        if answer.is_ok() {
            self.known.answered.store(self.age(), Ordering::Relaxed);
        }
        answer
    }

    /// Sends a command without a key to the server that has this key.
    pub(super) async fn send_to_node_of(&self, key: &[u8], command: Cmd) -> Result<Value, RedisError> {
        self.channel.send_to_node_of(key, command).await
    }

    /// Returns whether it finds servers that answer by itself.
    pub(super) const fn heals_itself(&self) -> bool {
        matches!(self.channel, Channel::Cluster(_))
    }

    /// Milliseconds.
    fn age(&self) -> u64 {
        u64::try_from(self.known.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns whether a check is due, to one caller.
    fn begins_check(&self) -> bool {
        let (age, checked) = (self.age(), self.known.checked.load(Ordering::Relaxed));
        let is_due = Duration::from_millis(age.saturating_sub(checked)) >= CHECK_EVERY;
        is_due && self.known.checked.compare_exchange(checked, age, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.known, &other.known)
    }

    /// Returns whether the server has not answered since this time, nor accepted the connection.
    fn is_silent_since(&self, time: Instant) -> bool {
        self.known.since + Duration::from_millis(self.known.answered.load(Ordering::Relaxed)) <= time
    }
}

/// The way to the server. A task of its own connects; it ends with the connection, or with the store.
pub(super) struct Link(Arc<Shared>);

struct Shared {
    server: Server,
    options: LinkOptions,
    current: watch::Sender<Option<Connection>>,
    /// Whether a task is connecting.
    connecting: AtomicBool,
    /// When it last tried to, in milliseconds after `start`: its runtime may have stopped.
    attempted: AtomicU64,
    /// When there was a new connection last, in milliseconds after `start`; 0 if there was none.
    connected: AtomicU64,
    start: Instant,
    last_error: Mutex<Option<RedisUnavailable>>,
    /// Whether a failure was logged, and no success after it.
    has_failed: AtomicBool,
    log: LogLimit,
}

/// How to connect.
pub(super) struct LinkOptions {
    /// For connecting, and for each call.
    pub(super) timeout: Duration,
    pub(super) prefix: Box<[u8]>,
    pub(super) may_evict: bool,
}

impl Link {
    pub(super) fn new(server: Server, options: LinkOptions) -> Self {
        Self(Arc::new(Shared {
            server,
            options,
            current: watch::Sender::new(None),
            connecting: AtomicBool::new(false),
            attempted: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            start: Instant::now(),
            last_error: Mutex::new(None),
            has_failed: AtomicBool::new(false),
            log: LogLimit::new(),
        }))
    }

    /// Returns the connection. Waits for one if there is none, for as long as that takes.
    pub(super) async fn connection(&self) -> Connection {
        let mut current = self.0.current.subscribe();
        loop {
            if let Some(connection) = current.borrow_and_update().clone() {
                return connection;
            }
            Shared::start_connecting(&self.0);
            if current.changed().await.is_err() {
                std::future::pending::<()>().await; // cannot be: the link has the sender
            }
        }
    }

    /// Asks the server whether it can still be used, on a new connection if the one that there is has ended.
    pub(super) async fn check(&self) -> Result<(), RedisUnavailable> {
        loop {
            let connection = self.connection().await;
            match self.check_connection(&connection).await {
                Err(RedisUnavailable::Connection(error)) if error.is_io_error() && !connection.heals_itself() => {
                    self.lost(&connection, &error);
                }
                checked => return checked,
            }
        }
    }

    /// Gives up a connection that must not be used any more.
    async fn check_connection(&self, connection: &Connection) -> Result<(), RedisUnavailable> {
        let LinkOptions { prefix, may_evict, .. } = &self.0.options;
        let checked = connection.channel.check(prefix, *may_evict).await;
        if let Err(error) = &checked
            && error.needs_repair()
        {
            self.give_up(|current| current.is(connection), error.clone());
        }
        checked
    }

    /// Gives up a connection, unless it is given up already, and starts to connect anew.
    pub(super) fn lost(&self, connection: &Connection, error: &RedisError) {
        self.give_up(|current| current.is(connection), error.clone().into());
    }

    /// Gives up the connection if nothing has been answered on it since this time: the server hangs, or the network drops
    /// what is sent. What waits for an answer is freed with it.
    pub(super) fn timed_out(&self, since: Instant) {
        // One node of a cluster says nothing about the others.
        let is_dead = |current: &Connection| !current.heals_itself() && current.is_silent_since(since);
        self.give_up(is_dead, RedisUnavailable::NoAnswer);
    }

    /// Checks the connection again in a task of its own, if that is due.
    pub(super) fn check_if_due(&self, connection: &Connection) {
        if connection.begins_check() {
            let (link, connection) = (Self(Arc::clone(&self.0)), connection.clone());
            tokio::spawn(async move { drop(link.check_connection(&connection).await) });
        }
    }

    fn give_up(&self, which: impl Fn(&Connection) -> bool, error: RedisUnavailable) {
        let given_up = self.0.current.send_if_modified(|current| {
            let lost = current.as_ref().is_some_and(&which);
            if lost {
                *current = None;
            }
            lost
        });
        if given_up {
            self.0.failed(error, true);
            Shared::start_connecting(&self.0);
        }
    }

    /// Reports an error that says nothing about the connection.
    pub(super) fn report(&self, error: &RedisError) {
        self.0.failed(error.clone().into(), true);
    }

    /// Returns why there was no connection last.
    pub(super) fn last_error(&self) -> RedisUnavailable {
        self.0.last_error().clone().unwrap_or(RedisUnavailable::NoAnswer)
    }
}

impl Shared {
    /// Starts the task that connects, unless there is one or no runtime.
    fn start_connecting(shared: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if !shared.connecting.swap(true, Ordering::AcqRel) || shared.has_stopped() {
            shared.attempted.store(shared.milliseconds(), Ordering::Relaxed);
            let connecting = Connecting(Arc::downgrade(shared));
            runtime.spawn(connecting.until_connected());
        }
    }

    /// Returns whether the task that connects does nothing any more.
    fn has_stopped(&self) -> bool {
        let longest = self.attempt_timeout().saturating_add(2 * LONGEST_PAUSE);
        let since = self.milliseconds().saturating_sub(self.attempted.load(Ordering::Relaxed));
        Duration::from_millis(since) > longest
    }

    fn has_just_connected(&self) -> bool {
        let connected = self.connected.load(Ordering::Relaxed);
        connected > 0 && Duration::from_millis(self.milliseconds().saturating_sub(connected)) < LONGEST_PAUSE
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Several round trips: to connect, and to check.
    const fn attempt_timeout(&self) -> Duration {
        self.options.timeout.saturating_mul(4)
    }

    async fn attempt(&self, number: u32) -> Option<Connection> {
        let LinkOptions { timeout, prefix, may_evict } = &self.options;
        self.attempted.store(self.milliseconds(), Ordering::Relaxed);
        let attempt = self.server.connect(*timeout, prefix, *may_evict);
        let attempted = tokio::time::timeout(self.attempt_timeout(), attempt).await;
        match attempted.unwrap_or(Err(RedisUnavailable::NoAnswer)) {
            Ok(channel) => Some(Connection::new(channel)),
            Err(error) => {
                self.failed(error, number.is_multiple_of(LOG_EVERY));
                None
            }
        }
    }

    fn last_error(&self) -> MutexGuard<'_, Option<RedisUnavailable>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an error, and logs it if it is worth a line, once a second at most.
    fn failed(&self, error: RedisUnavailable, is_news: bool) {
        self.has_failed.store(true, Ordering::Relaxed);
        if is_news && let Some(times) = self.log.count() {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(server = ?self.server, %error, cause, times, "the replay store is unavailable");
        }
        *self.last_error() = Some(error);
    }
}

/// The task that connects. When it ends, even with its runtime, another one can be started.
struct Connecting(Weak<Shared>);

impl Connecting {
    /// Connects, until there is a connection or the store is gone.
    async fn until_connected(self) {
        let mut pause = FIRST_PAUSE;
        let mut attempts = 0;
        while let Some(shared) = self.0.upgrade() {
            if shared.has_just_connected() {
                // What was accepted a moment ago and is lost may be lost again.
                tokio::time::sleep(4 * FIRST_PAUSE).await;
            }
            let attempt = shared.attempt(attempts).await;
            attempts = attempts.wrapping_add(1);
            if let Some(connection) = attempt {
                *shared.last_error() = None;
                shared.connected.store(shared.milliseconds(), Ordering::Relaxed);
                if shared.has_failed.swap(false, Ordering::Relaxed) {
                    tracing::info!(server = ?shared.server, "the replay store answers again");
                }
                drop(self); // a connection that is lost at once must find that nobody connects
                shared.current.send_replace(Some(connection));
                return;
            }
            drop(shared);
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.connecting.store(false, Ordering::Release);
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.server.fmt(f)
    }
}
