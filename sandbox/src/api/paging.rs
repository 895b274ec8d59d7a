//! `page` and `per_page`: which part of a list is answered. Pure.
//!
//! Defaults and maxima are those of Cloudflare's API documentation; which lists are paged at all is told by the page classes of its
//! SDKs (`SyncV4PagePagination`, `SyncV4PagePaginationArray`; `SyncSinglePage` is a list without pages).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::error::{ApiError, invalid};

/// The two members of a query, as they were sent: a bad one must be answered in the envelope.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Asked {
    page: Option<String>,
    per_page: Option<String>,
}

/// What a list answers when the caller does not say how much, and the most that it answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Without `per_page`.
    pub default: usize,
    /// The greatest `per_page`.
    pub most: usize,
}

const fn up_to(default: usize, most: usize) -> Sizes {
    Sizes { default, most }
}

/// Zones, accounts, memberships.
pub(crate) const FEW: Sizes = up_to(20, 50);
/// Versions and deployments of a script.
pub(crate) const HISTORY: Sizes = up_to(10, 100);
/// Durable Object namespaces.
pub(crate) const NAMESPACES: Sizes = up_to(20, 1000);
/// Objects of a namespace: `limit`.
pub(crate) const OBJECTS: Sizes = up_to(1000, 10_000);
/// DNS records.
pub(crate) const RECORDS: Sizes = up_to(100, 5_000_000);
/// What the sandbox never has any of: KV namespaces, queues, stores.
pub(crate) const OTHERS: Sizes = up_to(20, 1000);

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    number: usize,
    size: usize,
}

/// Whether a list's `result_info` tells how many pages there are: that of versions and of namespaces does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// `total_pages` is there.
    Counted,
    /// It is not.
    Uncounted,
}

impl Asked {
    /// The page, or 6008 as Cloudflare refuses what is no number from 1 to the maximum.
    pub(crate) fn page(&self, sizes: Sizes) -> Result<Page, ApiError> {
        let size = number("per_page", self.per_page.as_deref(), sizes)?;
        let number = number("page", self.page.as_deref(), up_to(1, usize::MAX))?;
        Ok(Page { number, size })
    }
}

impl Page {
    /// A page that holds everything.
    pub(crate) fn whole(total: usize) -> Page {
        Page {
            number: 1,
            size: total.max(1),
        }
    }

    /// The items of this page and its `result_info`. Behind the last page there is an empty one.
    pub(crate) fn cut<T>(self, items: Vec<T>, pages: Pages) -> (Vec<T>, Value) {
        let total = items.len();
        let before = (self.number - 1).saturating_mul(self.size);
        let items: Vec<T> = items.into_iter().skip(before).take(self.size).collect();
        let mut info = json!({
            "page": self.number, "per_page": self.size, "count": items.len(), "total_count": total,
        });
        if pages == Pages::Counted {
            info["total_pages"] = total.div_ceil(self.size).into();
        }
        (items, info)
    }
}

/// A number of a query, from 1 to the most.
pub(crate) fn number(name: &str, given: Option<&str>, sizes: Sizes) -> Result<usize, ApiError> {
    let Sizes { default, most } = sizes;
    let Some(given) = given else {
        return Ok(default);
    };
    let number = given
        .parse()
        .ok()
        .filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| {
        let range = match most {
            usize::MAX => "from 1".to_owned(),
            most => format!("between 1 and {most}"),
        };
        invalid(6008, "Invalid request parameters")
            .because(11000, format!("{name} variable must be a number {range}"))
    })
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use proptest::prelude::*;

    fn asked(page: &str, per_page: &str) -> Result<Page, ApiError> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Asked {
            page: given(page),
            per_page: given(per_page),
        }
        .page(HISTORY)
    }

    #[test]
    fn a_page_that_was_not_asked_for_is_the_first_of_the_documented_size() {
        assert_eq!(
            asked("", "").unwrap(),
            Page {
                number: 1,
                size: 10
            }
        );
        assert_eq!(
            asked("2", "100").unwrap(),
            Page {
                number: 2,
                size: 100
            }
        );
    }

    #[test]
    fn what_is_no_page_is_refused_with_its_name() {
        for (page, per_page, told) in [
            ("0", "", "page variable must be a number from 1"),
            ("-1", "", "page variable must be a number from 1"),
            (
                "",
                "abc",
                "per_page variable must be a number between 1 and 100",
            ),
            (
                "",
                "0",
                "per_page variable must be a number between 1 and 100",
            ),
            (
                "",
                "101",
                "per_page variable must be a number between 1 and 100",
            ),
        ] {
            let error = asked(page, per_page).unwrap_err();
            assert_eq!(error.status, StatusCode::BAD_REQUEST);
            assert_eq!(
                error.problems,
                [(6008, "Invalid request parameters".to_owned())]
            );
            assert_eq!(error.chain, [(11000, told.to_owned())]);
        }
    }

    #[test]
    fn behind_the_last_page_is_an_empty_one() {
        let page = Page { number: 3, size: 2 };
        let (items, info) = page.cut(vec![1, 2, 3, 4], Pages::Counted);
        assert_eq!(items, [0; 0]);
        assert_eq!(
            info,
            json!({"page": 3, "per_page": 2, "count": 0, "total_count": 4, "total_pages": 2})
        );
    }

    proptest! {
        #[test]
        fn the_pages_together_are_the_list(total in 0_usize..300, size in 1_usize..120) {
            let list: Vec<usize> = (0..total).collect();
            let mut seen = Vec::new();
            for number in 1.. {
                let (items, info) = Page { number, size }.cut(list.clone(), Pages::Uncounted);
                prop_assert_eq!(info["count"].as_u64(), Some(items.len() as u64));
                prop_assert!(info.get("total_pages").is_none());
                if items.is_empty() { break; }
                seen.extend(items);
            }
            prop_assert_eq!(seen, list);
        }
    }
}
