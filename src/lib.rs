//! edge-broadcast: from an environment manifest to a verified deployment.

pub mod sandbox;
