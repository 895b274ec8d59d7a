//! One call of the API: its method, its path below `/client/v4`, and who answers it. A list of them makes the router, and is what
//! the README's table is checked against.

use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{self, MethodRouter};

use super::context::Context;

/// A call.
pub(super) struct Call {
    /// `GET`, …; the README's table is held to it.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "only the table's test reads it")
    )]
    pub method: &'static str,
    /// As the router takes it: parameters in braces.
    pub path: &'static str,
    /// Who answers.
    pub handler: MethodRouter<Arc<Context>>,
}

macro_rules! methods {
    ($($name:ident $method:literal)*) => {$(
        #[doc = concat!("A `", $method, "` of `path`.")]
        pub(super) fn $name<H, T>(path: &'static str, handler: H) -> Call
        where
            H: Handler<T, Arc<Context>>,
            T: 'static,
        {
            Call { method: $method, path, handler: routing::$name(handler) }
        }
    )*};
}

methods! { get "GET" put "PUT" post "POST" patch "PATCH" delete "DELETE" }
