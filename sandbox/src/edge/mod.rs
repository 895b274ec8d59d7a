//! Cloudflare's edge: which script and version answer a request, the headers that the edge adds, and the way to the runtime and back.
//! Neither the API nor the runtime's process is known here.
//!
//! Imports: `account`, `server`

pub(crate) mod gate;
pub(crate) mod headers;
pub(crate) mod ingress;
pub(crate) mod link;
pub(crate) mod pattern;
pub(crate) mod table;
