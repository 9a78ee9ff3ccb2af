//! What the targets share: one authorization server, one client and one resource, at one moment. All keys are fixed, so
//! that an input always means the same bytes.

pub mod envelope;
pub mod key;
pub mod oracle;
pub mod scene;
pub mod signature;
pub mod world;
