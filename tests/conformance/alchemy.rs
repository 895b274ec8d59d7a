//! alchemy: create, update and destroy a Worker with a Durable Object.

use serde_json::Value;

use super::{Line, Operation, Place, block_on, succeeded};
use crate::npm;
use crate::support::api;

const CLIENT: &str = "alchemy 0.94.0";

pub(super) fn operations() -> Vec<Operation> {
    block_on(async {
        let place = Place::new();
        npm::project_22(place.project.path());
        place
            .project
            .write("alchemy.mjs", include_str!("alchemy.mjs"));
        let mut operations = Vec::new();
        for step in ["create", "update", "destroy"] {
            place.calls().await;
            let mut command = npm::node_22();
            command.args(["alchemy.mjs", step]);
            let mut command = place.lead(command);
            // The state is of this test only, so it may be on this machine
            command
                .env("ALCHEMY_CI_STATE_STORE_CHECK", "false")
                .env("ALCHEMY_TELEMETRY_DISABLED", "1");
            succeeded(&mut command);
            let calls = place.calls().await;
            let operation = step.to_owned();
            operations.push(Operation::of(
                CLIENT,
                Line {
                    operation,
                    calls,
                    code: None,
                },
            ));
            if step != "destroy" {
                let host = "alchemy.sandbox.workers.dev";
                assert_eq!(
                    place.visit(host, "/text").await,
                    format!("{step}of alchemy")
                );
                assert_eq!(place.visit(host, "/").await, "room");
            }
        }
        let left = api::read(&place.sandbox, "workers/scripts").await;
        assert_eq!(left, Value::Array(Vec::new()));
        operations
    })
}
