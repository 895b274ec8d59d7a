//! The integration suite
