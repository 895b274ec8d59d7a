//! Scripts: deleted, and only ours.

use anyhow::bail;

use crate::build::Worker;
use crate::cloudflare::account;
use crate::cloudflare::client::Cloudflare;
use crate::cloudflare::wire::ScriptSettings;
use crate::plan::destroy::{Refusal, Refused};
use crate::plan::pair::Pair;

/// Deletes a script of ours with all that it has stored, unless it is another one's by now, or another one's Worker uses its objects.
pub(super) async fn delete(
    cloudflare: &Cloudflare,
    script: &str,
    role: Worker,
) -> anyhow::Result<()> {
    let settings = cloudflare.of_script(script, "script-settings");
    let Some(settings) = cloudflare.find::<ScriptSettings>(&settings).await? else {
        return Ok(());
    };
    let Some(pair) = Pair::of_tagged(script, &settings.tags) else {
        bail!(Refused(vec![Refusal::NotOurs(script.to_owned())]));
    };
    let path = cloudflare.of_account(&format!("workers/scripts/{script}"));
    match role {
        // Whoever else calls it stops the API
        Worker::Gateway => cloudflare.delete(&path).await,
        Worker::Room => {
            let mut others = account::users(cloudflare, script).await?;
            // Deleted by now, whether the API knows it everywhere or not
            others.retain(|other| *other != pair.gateway());
            if !others.is_empty() {
                bail!(Refused(vec![Refusal::InUse(script.to_owned(), others)]));
            }
            // Its own objects stop the API, which deletes them with it when it is forced (API documentation, "Delete Worker")
            cloudflare.delete(&format!("{path}?force=true")).await
        }
    }
}
