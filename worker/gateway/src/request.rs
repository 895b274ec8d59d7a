//! One request with all that serving it needs.

use crate::config::Config;
use crate::js;
use crate::stub::Stub;
use edge_broadcast_protocol::contract::metric::Event;
use edge_broadcast_protocol::contract::place::Place;
use edge_broadcast_protocol::contract::settings::Region;
use edge_broadcast_protocol::gateway::route::{self, parameter};
use edge_broadcast_protocol::gateway::{address, region};
use edge_broadcast_shell::{self as shell, env};
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys;
use worker::{Context, Env};

pub(crate) struct Request {
    pub(crate) raw: web_sys::Request,
    pub(crate) url: String,
    pub(crate) env: Env,
    pub(crate) context: Context,
    pub(crate) config: &'static Config,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.raw.headers().get(name).ok().flatten()
    }

    pub(crate) fn parameter(&self, key: &str) -> Option<&str> {
        parameter(&self.url, key)
    }

    pub(crate) fn host(&self) -> &str {
        route::host(&self.url)
    }

    /// The part of the client's address that one client holds. Cloudflare sets the header and lets nobody else do it.
    pub(crate) fn client(&self) -> Option<String> {
        address::group(&self.header("cf-connecting-ip")?)
    }

    /// The region of whoever asks; none where there are no regions.
    pub(crate) fn region(&self) -> Option<&Region> {
        let regions = &self.config.settings.regions;
        if regions.is_empty() {
            return None;
        }
        region::of(regions, self.host(), js::continent(&self.raw).as_deref())
    }

    /// Counts what has become of this request.
    pub(crate) fn measure(&self, token: &str, event: Event) {
        let version = self.config.version.as_deref();
        env::measure(&self.env, version.unwrap_or_default(), token, event);
    }

    /// The root object of a room. It lives where the first region is.
    pub(crate) fn root(&self, token: &str) -> Stub {
        let regions = &self.config.settings.regions;
        let hint = regions.first().map(|region| region.location_hint.as_str());
        Stub::new(&self.env, token, hint)
    }

    /// Any object of a room.
    pub(crate) fn object(&self, place: &Place) -> Stub {
        let regions = &self.config.settings.regions;
        let hint = regions
            .iter()
            .find(|region| region.name == place.region)
            .map(|region| region.location_hint.as_str());
        Stub::new(&self.env, &place.name(), hint)
    }

    /// Whether the rate limit bound as `name` refuses `key`.
    pub(crate) fn is_limited(&self, name: &str, key: &str) -> impl Future<Output = bool> + use<> {
        let limited = JsFuture::from(js::limited(&self.env, name, key));
        async { limited.await.is_ok_and(|limited| limited.is_truthy()) }
    }

    /// Logs where the environment is `development`.
    pub(crate) fn debug(&self, text: impl FnOnce() -> String) {
        shell::debug(&self.config.environment, text);
    }
}
