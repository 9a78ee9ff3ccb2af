//! The layer behind real proxies: nginx, HAProxy, Apache httpd, Caddy, Traefik and Envoy terminate (mutual) TLS, with the
//! configuration files that the deployment guide shows. The test of a proxy that is not installed prints `LEFT OUT`, and
//! fails where POPLAYER_REQUIRE_PROXIES is set.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod certificates;
mod proxy;
mod targets;
