//! A compatibility date against the day on which it is to be uploaded. Pure: what a manifest means does not change overnight.

use super::clash::Clash;
use crate::environment::Environment;

/// What is wrong with the date of `environment` on the day `today`, in UTC and as a manifest writes it. Cloudflare counts the days so,
/// and refuses this one's successor with 10021 (workers-sdk issue 5453).
pub(super) fn ahead(environment: &Environment, today: &str) -> Option<Clash> {
    let date = &environment.compatibility_date;
    (date.as_str() > today).then(|| Clash {
        key: "compatibility_date",
        text: date.clone(),
        message: format!(
            "`{date}` is in the future, and Cloudflare refuses such a compatibility date: in UTC it is {today}\nwrite today's date or an earlier one, like `{today}`"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_ahead_from_the_day_after_today() {
        let source = "[worker]\nname = \"w\"\ncompatibility_date = \"2026-10-01\"\n[cloudflare]\nzone = \"glow.trade\"\n[[routes]]\nhost = \"a.glow.trade\"\n[secrets.WEBHOOK_SECRET]\nsource = \"prompt\"\n";
        let environment = Environment::resolve(&"e".parse().unwrap(), "e.toml", source).unwrap();
        for (today, is_ahead) in [
            ("2026-09-30", true),
            ("2026-10-01", false),
            ("2026-10-02", false),
            ("2025-12-31", true),
        ] {
            assert_eq!(ahead(&environment, today).is_some(), is_ahead, "{today}");
        }
    }
}
