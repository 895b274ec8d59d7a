//! The integration suite

mod sandbox;
