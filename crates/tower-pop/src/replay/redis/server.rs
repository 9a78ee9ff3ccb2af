//! Where the server is, and how to connect to it.

use std::fmt;
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{
    MultipleNodeRoutingInfo, ResponsePolicy, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr,
};
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};

use super::error::RedisUnavailable;

/// A server, several of them, or those who know it.
pub(super) enum Server {
    Standalone(Box<Client>),
    Cluster(Box<ClusterClient>),
    /// Makes a client for each connection: one keeps its connections to Sentinels, even dead ones.
    Sentinel(Box<dyn Fn() -> Result<SentinelClient, RedisError> + Send + Sync>),
}

/// A connection that many calls share. Clones are the same connection.
#[derive(Clone)]
pub(super) enum Channel {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Server {
    /// Connects, and checks that the server keeps what it is told.
    pub(super) async fn connect(
        &self,
        timeout: Duration,
        prefix: &[u8],
        may_evict: bool,
    ) -> Result<Channel, RedisUnavailable> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(timeout)).set_response_timeout(Some(timeout));
        let channel = match self {
            Self::Standalone(client) => {
                Channel::Node(client.get_multiplexed_async_connection_with_config(&config).await?)
            }
            Self::Sentinel(client) => Channel::Node(client()?.get_async_connection_with_config(&config).await?),
            Self::Cluster(client) => Channel::Cluster(client.get_async_connection().await?),
        };
        channel.check(prefix, may_evict).await?;
        Ok(channel)
    }
}

impl Channel {
    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        let answer = match self {
            Self::Node(connection) => connection.clone().send_packed_command(command).await,
            Self::Cluster(connection) => connection.clone().req_packed_command(command).await,
        };
        answer.and_then(Value::extract_error)
    }

    /// Sends a command without a key to the server that has this key.
    pub(super) async fn send_to_node_of(&self, key: &[u8], command: Cmd) -> Result<Value, RedisError> {
        match self {
            Self::Node(_) => self.send(&command).await,
            Self::Cluster(connection) => {
                let node = Route::with_key(key, SlotAddr::Master);
                let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(node));
                connection.clone().route_command(command, routing).await.and_then(Value::extract_error)
            }
        }
    }

    /// Checks the policies of all servers that may get entries, and that a server says whether an entry was there.
    pub(super) async fn check(&self, prefix: &[u8], may_evict: bool) -> Result<(), RedisUnavailable> {
        if !may_evict {
            let servers = self.memory_info().await?;
            let unknown = servers.is_empty().then_some(NOT_KNOWN);
            let mut policies = unknown.into_iter().chain(servers.iter().map(|memory| policy_of(memory)));
            if let Some(policy) = policies.find(|policy| *policy != NEVER_EVICTS) {
                return Err(RedisUnavailable::Evicts { policy: policy.to_owned() });
            }
        }
        let mut probe = redis::cmd("SET");
        let key = [prefix, b"probe"].concat();
        probe.arg(key).arg("probe").arg("NX").arg("GET").arg("PX").arg(PROBE_MILLISECONDS);
        for must_exist in [false, true] {
            match self.send(&probe).await {
                Ok(Value::BulkString(_)) => {}
                Ok(Value::Nil) if !must_exist => {}
                Ok(_) => return Err(RedisUnavailable::Incompatible),
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError) => {
                    return Err(RedisUnavailable::TooOld(error.into()));
                }
                // A server that is full answers, and may have room later.
                Err(error) if error.code() == Some("OOM") => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// `INFO memory` of the server, or of each primary of a cluster.
    async fn memory_info(&self) -> Result<Vec<String>, RedisError> {
        let mut info = redis::cmd("INFO");
        info.arg("memory");
        let answer = match self {
            Self::Node(_) => self.send(&info).await?,
            Self::Cluster(connection) => {
                let everywhere = MultipleNodeRoutingInfo::AllMasters;
                let routing = RoutingInfo::MultiNode((everywhere, None::<ResponsePolicy>));
                connection.clone().route_command(info, routing).await?.extract_error()?
            }
        };
        Ok(texts(answer))
    }
}

/// Longer than the two questions for it take.
const PROBE_MILLISECONDS: u32 = 10_000;
/// The only `maxmemory-policy` under which a server drops nothing.
const NEVER_EVICTS: &str = "noeviction";
const NOT_KNOWN: &str = "not known";

fn policy_of(memory: &str) -> &str {
    memory.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).map_or(NOT_KNOWN, str::trim)
}

/// All texts in an answer, however they are nested.
fn texts(answer: Value) -> Vec<String> {
    match answer {
        Value::BulkString(bytes) => vec![String::from_utf8_lossy(&bytes).into_owned()],
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => vec![text],
        Value::Array(values) => values.into_iter().flat_map(texts).collect(),
        Value::Map(pairs) => pairs.into_iter().flat_map(|(_, value)| texts(value)).collect(),
        _ => Vec::new(),
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standalone(_) => "Standalone",
            Self::Cluster(_) => "Cluster",
            Self::Sentinel(_) => "Sentinel",
        })
    }
}
