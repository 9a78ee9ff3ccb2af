//! Programs that are started for a run, and ended with it.

mod nginx;
mod process;
mod redis;
mod relay;
mod replica;

pub use self::nginx::Nginx;
pub use self::process::{Process, free_port, is_installed, until};
pub use self::redis::Redis;
pub use self::relay::{Network, Relay};
pub use self::replica::Replica;
