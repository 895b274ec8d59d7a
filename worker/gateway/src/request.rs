//! One request with all that serving it needs.

use crate::{config::Config, js, object::Object};
use edge_broadcast_protocol::{
    contract::{binding, metric::Point, place::Place},
    gateway::{
        address,
        route::{self, parameter},
    },
};
use std::rc::Rc;
use worker::{Context, Env, console_log, worker_sys::web_sys};

pub(crate) struct Request {
    pub(crate) raw: web_sys::Request,
    pub(crate) url: String,
    pub(crate) env: Env,
    pub(crate) context: Context,
    pub(crate) config: Rc<Config>,
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

    /// The root object of a room. It lives where the first region is.
    pub(crate) fn root(&self, token: &str) -> Object<'_> {
        let regions = &self.config.settings.regions;
        let hint = regions.first().map(|region| region.location_hint.as_str());
        Object::new(&self.env, token, hint)
    }

    /// Any object of a room.
    pub(crate) fn object(&self, place: &Place) -> Object<'_> {
        let regions = &self.config.settings.regions;
        let hint = regions
            .iter()
            .find(|region| region.name == place.region)
            .map(|region| region.location_hint.as_str());
        Object::new(&self.env, &place.name(), hint)
    }

    pub(crate) fn measure(&self, point: &Point) {
        js::point(
            &self.env,
            binding::ANALYTICS,
            &point.index,
            point.blobs.to_vec(),
            &point.doubles,
        );
    }

    /// Logs where the environment is `development`. The text is not even made anywhere else.
    pub(crate) fn debug(&self, text: impl FnOnce() -> String) {
        if self.config.is_development() {
            console_log!("{}", text());
        }
    }
}
