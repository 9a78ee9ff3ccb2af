//! The command that records a proof, and what its answer means.

use std::sync::atomic::{AtomicU64, Ordering};

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use super::link::Connection;

/// What the server said.
pub(super) enum Answer {
    /// The proof was not there, and is now.
    First {
        /// Whether an earlier attempt of this request recorded it. The answer of that one was lost.
        before: bool,
    },
    /// The proof was there.
    Used,
    /// There is no room.
    Full,
    /// It cannot be known on this connection. The command may be sent again.
    Lost(RedisError),
    /// The server does not do this, or answers something else.
    Refused(RedisError),
}

/// Records a proof, unless it is recorded. It can be sent again.
pub(super) struct SetOnce {
    key: Vec<u8>,
    value: [u8; 16],
    milliseconds: u64,
}

impl SetOnce {
    /// `lifetime` is in seconds.
    pub(super) fn new(prefix: &[u8], key: &[u8; 32], values: &Values, lifetime: u64) -> Self {
        let milliseconds = lifetime.saturating_mul(1000).max(1);
        Self { key: [prefix, key].concat(), value: values.next(), milliseconds }
    }

    pub(super) async fn run(&self, connection: &Connection, wait_for_replicas: Option<u32>) -> Answer {
        let mut set = redis::cmd("SET");
        set.arg(&self.key).arg(&self.value[..]).arg("NX").arg("GET").arg("PX").arg(self.milliseconds);
        let answer = match self.answer(connection, &set).await {
            Answer::Full => self.look_up(connection).await,
            answer => answer,
        };
        match (answer, wait_for_replicas) {
            (Answer::First { before }, Some(replicas)) => self.wait(connection, replicas, before).await,
            (answer, _) => answer,
        }
    }

    /// A server without room says so before it looks whether the entry exists.
    async fn look_up(&self, connection: &Connection) -> Answer {
        let mut get = redis::cmd("GET");
        get.arg(&self.key);
        match self.answer(connection, &get).await {
            Answer::First { before: false } => Answer::Full,
            known => known,
        }
    }

    async fn answer(&self, connection: &Connection, command: &Cmd) -> Answer {
        match connection.send(command).await {
            Ok(Value::Nil) => Answer::First { before: false },
            Ok(Value::BulkString(value)) if value == self.value => Answer::First { before: true },
            Ok(Value::BulkString(_)) => Answer::Used,
            Ok(_) => Answer::Refused((ErrorKind::UnexpectedReturnType, "an answer of another type").into()),
            Err(error) => of_error(error, connection),
        }
    }

    /// Waits until replicas of the server have the proof. Otherwise it is not accepted.
    async fn wait(&self, connection: &Connection, replicas: u32, before: bool) -> Answer {
        if before {
            // `WAIT` counts what this connection has written. That was another one.
            let mut write = redis::cmd("PEXPIRE");
            write.arg(&self.key).arg(self.milliseconds);
            if let Err(error) = connection.send(&write).await {
                return of_error(error, connection);
            }
        }
        let mut wait = redis::cmd("WAIT");
        wait.arg(replicas).arg(WAIT_MILLISECONDS);
        match connection.send_to_node_of(&self.key, wait).await {
            Ok(Value::Int(acknowledged)) if acknowledged >= i64::from(replicas) => Answer::First { before },
            Ok(_) => Answer::Refused((ErrorKind::Client, "too few replicas have acknowledged the write").into()),
            Err(error) => of_error(error, connection),
        }
    }
}

/// A wait holds up the other commands of a connection.
const WAIT_MILLISECONDS: u32 = 100;

/// Values that differ from those of every other request, of this replica and of others.
pub(super) struct Values {
    replica: [u8; 8],
    next: AtomicU64,
}

impl Values {
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let mut replica = [0; 8];
        getrandom::fill(&mut replica)?;
        Ok(Self { replica, next: AtomicU64::new(0) })
    }

    fn next(&self) -> [u8; 16] {
        let mut value = [0; 16];
        let (replica, number) = value.split_at_mut(8);
        replica.copy_from_slice(&self.replica);
        number.copy_from_slice(&self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        value
    }
}

fn of_error(error: RedisError, connection: &Connection) -> Answer {
    let is_lost = match error.kind() {
        // The connection ended, took too long, or led to a server that cannot write now: another one may.
        ErrorKind::Io | ErrorKind::ClusterConnectionNotFound | ErrorKind::Parse => true,
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly) => {
            true
        }
        // Of a node that is asked as if it were alone, they are an answer.
        ErrorKind::Server(ServerErrorKind::ClusterDown | ServerErrorKind::TryAgain) => connection.heals_itself(),
        _ => false,
    };
    match error.code() {
        _ if is_lost => Answer::Lost(error),
        Some("OOM") => Answer::Full,
        _ => Answer::Refused(error),
    }
}
