//! One integration suite.

mod npm;
