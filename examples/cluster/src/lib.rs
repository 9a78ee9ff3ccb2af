//! What the example and the fault tests are made of: the [`replica`], the [`servers`] around it, an [`issuer`] that can be broken,
//! and [`load`] whose outcome is known in advance.
#![allow(clippy::unwrap_used)] // these are programs that judge others: whatever they do not expect ends them

pub mod figures;
pub mod issuer;
pub mod load;
pub mod replica;
pub mod servers;
