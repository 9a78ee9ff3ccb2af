//! wip
pub mod clock;
pub mod replay;
