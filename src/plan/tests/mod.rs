//! Examples and laws of plans. Each example is a world, an edit, and the whole plan as people see it.

mod conflict;
mod drift;
mod key;
mod law;
mod rollout;
mod step;
mod world;
