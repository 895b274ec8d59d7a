//! The code of a version, read back.
//!
//! `GET workers/workers/S/versions/V?include=modules` has that of any version (SDK: `workers.beta.workers.versions.get`). The older
//! `scripts/S/content/v2` was seen to answer with the newest one's, whatever its `?version=` says.

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::client::{Cloudflare, Repeat};
use super::envelope::{Call, Envelope, decode};
use super::error::found;
use crate::build;

/// More than the modules of a script have: 64 MB before compression (docs: Workers, Limits, "Worker size"), as base64.
const MOST: usize = 96 * 1024 * 1024;

/// What a version runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Code {
    /// The name of the module that it starts with.
    #[serde(default, rename = "main_module")]
    pub(super) main: String,
    #[serde(default)]
    pub(super) modules: Vec<Module>,
}

/// A file of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) content_type: String,
    #[serde(rename = "content_base64", deserialize_with = "content")]
    pub(super) bytes: Vec<u8>,
}

fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    // The decoder's own error could quote the code
    let bytes = STANDARD.decode(text);
    bytes.map_err(|_| D::Error::custom("it is not base64"))
}

impl Code {
    /// Its name, if it is made of the modules of a bundle.
    pub(super) fn name(&self) -> Option<String> {
        let modules = self.modules.iter();
        build::code_of_modules(
            modules
                .map(|module| (module.name.clone(), module.bytes.clone()))
                .collect(),
        )
    }
}

/// The code of the version `id`; `None` when the script has none of that id any more.
pub(super) async fn read(
    cloudflare: &Cloudflare,
    script: &str,
    id: &str,
) -> anyhow::Result<Option<Code>> {
    let path = cloudflare.of_account(&format!(
        "workers/workers/{script}/versions/{id}?include=modules"
    ));
    let answer = cloudflare.raw(&path, Repeat::Safe, MOST).await;
    let Some(answer) = found(answer)? else {
        return Ok(None);
    };
    let envelope = Envelope::open(&answer.body);
    let envelope =
        envelope.with_context(|| format!("`GET {path}`: the answer is not the API's"))?;
    decode(Call::get(&path), "result", envelope.result).map(Some)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::super::paged::served;
    use super::*;

    /// What is read of a version whose module has this content.
    async fn read_of(content: &'static str) -> anyhow::Result<Option<Code>> {
        let cloudflare = served(move |uri| {
            assert_eq!(
                uri.to_string(),
                "/accounts/acc0/workers/workers/S/versions/v1?include=modules"
            );
            let module =
                json!({ "name": "index.js", "content_type": "text/x", "content_base64": content });
            axum::Json(json!({ "success": true, "errors": null, "result": { "id": "v1", "main_module": "index.js", "modules": [module] } }))
                .into_response()
        });
        read(&cloudflare.await, "S", "v1").await
    }

    #[tokio::test]
    async fn the_code_of_a_version_is_its_modules_byte_by_byte() {
        let code = read_of("AP8Ac2VjcmV0Cg==").await.unwrap().unwrap();
        assert_eq!(
            code,
            Code {
                main: "index.js".to_owned(),
                modules: vec![Module {
                    name: "index.js".to_owned(),
                    content_type: "text/x".to_owned(),
                    bytes: b"\0\xff\0secret\n".to_vec(),
                }],
            }
        );
        assert_eq!(code.name(), None);
    }

    #[tokio::test]
    async fn what_is_no_module_is_named_and_not_shown() {
        let error = read_of("c2Vj cmV0").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the API's answer to `GET /accounts/acc0/workers/workers/S/versions/v1?include=modules` has another shape than documented: `result.modules[0].content_base64`: it is not base64"
        );
    }
}
