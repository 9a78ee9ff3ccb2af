//! wip
#![allow(missing_docs)]
pub mod jose;
