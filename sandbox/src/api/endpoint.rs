//! One endpoint of the API: its method, its path below `/client/v4`, and who answers it. The list of them makes the router, and is what
//! the README's table is checked against.

use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{self, MethodRouter};

use super::context::Context;

/// What an account has.
pub(super) const ACCOUNT: &str = "/accounts/{account}";
/// What its Workers have in common.
pub(super) const WORKERS: &str = "/accounts/{account}/workers";
/// What a script has.
pub(super) const SCRIPT: &str = "/accounts/{account}/workers/scripts/{script}";
/// What a zone has.
pub(super) const ZONE: &str = "/zones/{zone}";

/// An endpoint.
pub(super) struct Endpoint {
    /// `GET`, …; the README's table is held to it.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the table's test reads it")
    )]
    pub method: &'static str,
    /// As the router takes it: parameters in braces.
    pub path: String,
    /// Who answers.
    pub handler: MethodRouter<Arc<Context>>,
}

macro_rules! methods {
    ($($name:ident $method:literal)*) => {$(
        #[doc = concat!("A `", $method, "` of `rest` below `base`.")]
        pub(super) fn $name<H, T>(base: &str, rest: &str, handler: H) -> Endpoint
        where
            H: Handler<T, Arc<Context>>,
            T: 'static,
        {
            Endpoint { method: $method, path: format!("{base}{rest}"), handler: routing::$name(handler) }
        }
    )*};
}

methods! { get "GET" put "PUT" post "POST" patch "PATCH" delete "DELETE" }
