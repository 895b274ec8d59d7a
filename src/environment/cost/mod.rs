//! What a month costs: the price list, the traffic that is expected, and the bill of both. The formula is in `docs/cost.md`.

mod bill;
mod choice;
mod price;
mod traffic;

pub use bill::{Bill, Line, Setup, Switch};
pub use choice::{Choice, Naive, choices};
pub use price::{Price, Prices};
pub use traffic::{Said, Traffic};
