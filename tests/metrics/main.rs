//! Feature `metrics`: what operators count. A separate program, so that no other test's requests are counted.
#![allow(clippy::unwrap_used)]

#[path = "../suite/log.rs"]
#[allow(dead_code)]
mod log;
mod parts;
mod recorder;
mod requests;
#[path = "../suite/support.rs"]
#[allow(dead_code)]
mod support;
