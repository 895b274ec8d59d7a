//! Examples and laws of plans. Each example is a world, an edit, and the whole plan as people see it.

#![expect(
    clippy::too_many_lines,
    reason = "tables of examples: one row a key, a drift, a step"
)]

mod conflict;
mod drift;
mod finding;
mod foreign;
mod key;
mod law;
mod monthly;
mod obstacle;
mod rollout;
mod step;
mod world;
