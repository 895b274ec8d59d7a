//! Laws of plans, and the worlds that they hold in.

mod drift;
mod law;
mod world;
