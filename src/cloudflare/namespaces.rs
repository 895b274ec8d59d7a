//! The Durable Object namespaces of an account: one for each class of a script. Sends nothing but GETs.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Cloudflare;
use super::page::Pages;
use super::wire::Namespace;

/// More than an account has, and what wrangler asks for.
const PER_PAGE: u32 = 1000;

/// All of the account.
pub(super) async fn all(cloudflare: &Cloudflare) -> anyhow::Result<Vec<Namespace>> {
    let path = cloudflare.of_account("workers/durable_objects/namespaces");
    Pages::new(cloudflare, path).sized(PER_PAGE).all().await
}

/// Their classes, by script.
pub(super) fn classes(namespaces: Vec<Namespace>) -> BTreeMap<String, BTreeSet<String>> {
    let mut classes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for namespace in namespaces {
        if let (Some(script), Some(class)) = (namespace.script, namespace.class) {
            classes.entry(script).or_default().insert(class);
        }
    }
    classes
}
