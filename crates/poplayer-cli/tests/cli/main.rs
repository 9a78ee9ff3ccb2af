//! Runs the program `poplayer` as its users do.
#![allow(clippy::unwrap_used)]

mod api;
mod attack;
mod attack_certificates;
mod broken;
mod broken_tls;
mod call;
mod codes;
mod inspect;
mod keys;
mod servers;
mod support;
