//! A list of the API, page by page and no further than it is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::client::Cloudflare;
use super::envelope::{Call, Info, decode_list};
use crate::plan::history::Extent;

/// No list of the API has shorter pages unless it says so (10 of versions and deployments, 20 and more of others).
const SHORTEST_PAGE: u64 = 10;
/// More than any list that is read to its end has.
const MOST_PAGES: u64 = 10_000;

/// The items of a list in the API's order, read as they are asked for.
#[derive(Debug)]
pub struct Pages<'a, T> {
    cloudflare: &'a Cloudflare,
    path: String,
    /// Asked for; the API may choose another one. Without it nothing is said about pages until the second one.
    per_page: Option<u32>,
    /// The last page that was read, counted from 1.
    page: u64,
    /// Items so far, repeated ones too.
    read: u64,
    seen: BTreeSet<String>,
    is_over: bool,
    items: PhantomData<T>,
}

impl<'a, T: DeserializeOwned> Pages<'a, T> {
    /// The list at `path`, which may have a query.
    pub(super) fn new(cloudflare: &'a Cloudflare, path: String) -> Self {
        Self {
            cloudflare,
            path,
            per_page: None,
            page: 0,
            read: 0,
            seen: BTreeSet::new(),
            is_over: false,
            items: PhantomData,
        }
    }

    /// With pages of `per_page` items, where the API allows as many.
    pub(super) fn sized(self, per_page: u32) -> Self {
        Self {
            per_page: Some(per_page),
            ..self
        }
    }

    /// Whether there is no further page.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Reads the next page, without what was on an earlier one: a list that grows at its head moves, and a server without pages
    /// gives the first one again. Nothing after the last.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Vec<T>> {
        if self.is_over {
            return Ok(Vec::new());
        }
        if self.page == MOST_PAGES {
            bail!("the list `{}` does not end", self.path);
        }
        self.page += 1;
        let path = self.path_of_page();
        let (items, info) = read::<T>(self.cloudflare, &path).await?;
        let count = items.len() as u64;
        self.read += count;
        let fresh: Vec<T> = items
            .into_iter()
            .filter_map(|(id, item)| self.seen.insert(id).then_some(item))
            .collect();
        self.is_over = fresh.is_empty() || self.is_last(count, &info);
        Ok(fresh)
    }

    /// The items to the last one.
    pub async fn all(mut self) -> anyhow::Result<Vec<T>> {
        let mut all = Vec::new();
        while !self.is_over {
            all.extend(self.next().await?);
        }
        Ok(all)
    }

    /// The first items: `count` of them and the rest of their page, or all.
    pub(crate) async fn first(&mut self, count: usize) -> anyhow::Result<Vec<T>> {
        let mut first = Vec::new();
        while first.len() < count && !self.is_over {
            first.extend(self.next().await?);
        }
        Ok(first)
    }

    /// The first item that is one of `wanted`.
    pub(super) async fn find(&mut self, wanted: impl Fn(&T) -> bool) -> anyhow::Result<Option<T>> {
        while !self.is_over {
            if let Some(found) = self.next().await?.into_iter().find(&wanted) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn path_of_page(&self) -> String {
        let mut path = self.path.clone();
        let mut add = |name: &str, value: u64| {
            let mark = if path.contains('?') { '&' } else { '?' };
            path.push_str(&format!("{mark}{name}={value}"));
        };
        if let Some(per_page) = self.per_page {
            add("per_page", per_page.into());
        }
        if self.per_page.is_some() || self.page > 1 {
            add("page", self.page);
        }
        path
    }

    /// Whether a page of `count` items is the last one, by what the API tells about the list. What says nothing about its pages has
    /// a further one when this one may be full.
    fn is_last(&self, count: u64, info: &Info) -> bool {
        match (info.total_count, info.total_pages) {
            // Fewer than were there is no total
            (Some(total), _) if total >= self.read => total == self.read,
            (_, Some(pages)) => self.page >= pages,
            _ => count < info.per_page.unwrap_or(SHORTEST_PAGE),
        }
    }
}

/// A long list of which single items are read, by their place from the start: only the pages are read that these are on.
#[derive(Debug)]
pub(super) struct Places<'a, T> {
    cloudflare: &'a Cloudflare,
    path: String,
    /// By number, counted from 0. All but the last have as many items as the first.
    pages: BTreeMap<usize, Vec<T>>,
    /// What tells the first item from the others.
    first: Option<String>,
    /// As the API says it, until the last page was read.
    pub(super) count: usize,
    /// [`Extent::Newest`] where there is more, and the API gives no further pages.
    pub(super) read: Extent,
}

impl<'a, T: DeserializeOwned> Places<'a, T> {
    /// A list of which all is known.
    pub(super) fn all(cloudflare: &'a Cloudflare, items: Vec<T>) -> Self {
        Self {
            cloudflare,
            path: String::new(),
            count: items.len(),
            pages: [(0, items)].into(),
            first: None,
            read: Extent::All,
        }
    }

    /// The list at `path`, which has no query. Reads its first page, or all of what does not say how much it is.
    pub(super) async fn of(
        cloudflare: &'a Cloudflare,
        path: String,
        per_page: u32,
    ) -> anyhow::Result<Self> {
        let mut places = Self {
            path: format!("{path}?per_page={per_page}"),
            ..Self::all(cloudflare, Vec::new())
        };
        let (first, info) = places.page(0).await?;
        let Some(total) = info.total_count else {
            let pages = Pages::new(cloudflare, path).sized(per_page);
            return Ok(Self::all(cloudflare, pages.all().await?));
        };
        let size = first.len();
        let total = usize::try_from(total).unwrap_or(size);
        places.count = if size > 0 { total.max(size) } else { 0 };
        places.first = first.first().map(|(id, _)| id.clone());
        places.keep(0, first);
        Ok(places)
    }

    /// Reads the page of a place, if there is one: an API without pages gives the first one again, and a list may have become shorter.
    /// The count is right then. Whether there is such a place.
    pub(super) async fn reach(&mut self, place: usize) -> anyhow::Result<bool> {
        let size = self.size();
        let number = place / size;
        if place < self.count && !self.pages.contains_key(&number) {
            let (page, _) = self.page(number).await?;
            if page.first().map(|(id, _)| id) == self.first.as_ref() {
                (self.count, self.read) = (size, Extent::Newest);
                return Ok(false);
            }
            if number == (self.count - 1) / size {
                self.count = number * size + page.len();
            }
            self.keep(number, page);
        }
        Ok(place < self.count)
    }

    /// The item at a place below the count.
    pub(super) async fn at(&mut self, place: usize) -> anyhow::Result<&T> {
        self.reach(place).await?;
        let (number, inside) = (place / self.size(), place % self.size());
        let page = self.pages.get(&number);
        let item = page.and_then(|page| page.get(inside));
        item.with_context(|| format!("the list `{}` changed while it was read", self.path))
    }

    /// Items of a page.
    fn size(&self) -> usize {
        self.pages.get(&0).map_or(1, Vec::len).max(1)
    }

    /// The last place of the page of `place`.
    pub(super) fn page_end(&self, place: usize) -> usize {
        place / self.size() * self.size() + self.size() - 1
    }

    /// `place`, and the first and last place of its page: those between `after` and `before`, which are not among them.
    pub(super) fn page_around(&self, place: usize, after: usize, before: usize) -> [usize; 3] {
        let size = self.size();
        let first = place / size * size;
        let inside = |place: usize| place.clamp(after + 1, before - 1);
        [place, first, first + size - 1].map(inside)
    }

    fn keep(&mut self, number: usize, page: Vec<(String, T)>) {
        let items = page.into_iter().map(|(_, item)| item);
        self.pages.insert(number, items.collect());
    }

    async fn page(&self, number: usize) -> anyhow::Result<(Vec<(String, T)>, Info)> {
        let path = format!("{}&page={}", self.path, number + 1);
        read(self.cloudflare, &path).await
    }
}

/// The items of one page, each with what tells it from the others.
async fn read<T: DeserializeOwned>(
    cloudflare: &Cloudflare,
    path: &str,
) -> anyhow::Result<(Vec<(String, T)>, Info)> {
    let (result, info) = cloudflare.get_page(path).await?;
    let call = Call::get(path);
    let whole: Vec<Json> = decode_list(call, result.clone())?;
    let items: Vec<T> = decode_list(call, result)?;
    let identities = whole.iter().map(identity);
    Ok((identities.zip(items).collect(), info.unwrap_or_default()))
}

/// What tells an item from the others of its list.
fn identity(item: &Json) -> String {
    match item["id"].as_str() {
        Some(id) => id.to_owned(),
        None => item.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::super::paged::served;
    use super::*;

    /// A list whose n-th page, counted from 0, is the n-th of `pages`, or the last of them; and the queries that it got.
    async fn list(
        pages: &'static [&'static [&'static str]],
        info: Json,
    ) -> (Vec<String>, Vec<String>) {
        let queries = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let got = std::sync::Arc::clone(&queries);
        let cloudflare = served(move |uri: Uri| {
            let mut got = got.lock().unwrap();
            let page = pages[got.len().min(pages.len() - 1)];
            got.push(uri.query().unwrap_or_default().to_owned());
            let items: Vec<Json> = page.iter().map(|id| json!({ "id": id })).collect();
            let result = match got.len() {
                2 => json!({ "items": items }),
                _ => json!(items),
            };
            axum::Json(json!({ "success": true, "result": result, "result_info": info }))
                .into_response()
        })
        .await;
        let pages = Pages::<Json>::new(&cloudflare, "/list".to_owned()).sized(9);
        let items = pages.all().await.unwrap();
        let ids = items
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned());
        let queries = queries.lock().unwrap().clone();
        (ids.collect(), queries)
    }

    #[tokio::test]
    async fn every_page_of_a_list_is_read_whatever_the_api_tells_about_it() {
        for info in [
            json!({ "total_pages": 3 }),
            json!({ "total_count": 5, "per_page": 2 }),
            json!({ "total_count": 5 }),
            json!({ "per_page": 2 }),
            json!({ "total_count": 5, "total_pages": 1, "per_page": 9 }),
        ] {
            let (ids, queries) = list(&[&["a", "b"], &["c", "d"], &["e"]], info.clone()).await;
            assert_eq!(ids, ["a", "b", "c", "d", "e"], "{info}");
            assert_eq!(
                queries,
                [1, 2, 3].map(|page| format!("per_page=9&page={page}")),
                "{info}"
            );
        }
    }

    #[tokio::test]
    async fn a_list_that_tells_nothing_about_its_pages_has_one_when_that_is_not_full() {
        let (ids, queries) = list(&[&["a"]], Json::Null).await;
        assert_eq!((ids.len(), queries.len()), (1, 1));
        let full: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        let long: &'static [&'static [&'static str]] = Box::leak(Box::new([full, &["10", "11"]]));
        let (ids, queries) = list(long, Json::Null).await;
        assert_eq!((ids.len(), queries.len()), (12, 2));
    }

    #[tokio::test]
    async fn a_list_ends_with_an_empty_page_and_with_one_that_was_there_before() {
        let info = json!({ "total_count": 99 });
        let (ids, queries) = list(&[&["a", "b"], &[]], info.clone()).await;
        assert_eq!((ids.join(""), queries.len()), ("ab".to_owned(), 2));
        let (ids, queries) = list(&[&["a", "b"]], info).await;
        assert_eq!((ids.join(""), queries.len()), ("ab".to_owned(), 2));
    }

    #[tokio::test]
    async fn a_place_is_reached_with_one_call_and_an_api_without_pages_has_those_of_the_first() {
        let items = |from: u64| (from..from + 10).map(|id| json!({ "id": id.to_string() }));
        for (pages, there) in [(true, true), (false, false)] {
            let cloudflare = served(move |uri: Uri| {
                let query = uri.query().unwrap_or_default();
                let number: u64 = query.rsplit('=').next().unwrap().parse().unwrap();
                let from = if pages { 10 * (number - 1) } else { 0 };
                let page: Vec<Json> = items(from).take(if from == 40 { 7 } else { 10 }).collect();
                axum::Json(json!({ "success": true, "result": page, "result_info": { "total_count": 48 } }))
                    .into_response()
            });
            let cloudflare = cloudflare.await;
            let places = Places::<Json>::of(&cloudflare, "/list".to_owned(), 10).await;
            let mut places = places.unwrap();
            assert_eq!(places.count, 48);
            assert_eq!(places.reach(25).await.unwrap(), there);
            // The last page is shorter than the API says
            assert!(!places.reach(47).await.unwrap());
            assert_eq!(places.count, if there { 47 } else { 10 });
            let read = if there { Extent::All } else { Extent::Newest };
            assert_eq!(places.read, read);
            let last = places.count - 1;
            assert_eq!(places.at(last).await.unwrap()["id"], last.to_string());
        }
    }

    #[tokio::test]
    async fn an_item_that_moved_to_the_next_page_meanwhile_is_read_once() {
        let pages: &[&[&str]] = &[&["a", "b"], &["b", "c"], &["d"]];
        let (ids, _) = list(pages, json!({ "total_pages": 3 })).await;
        assert_eq!(ids.join(""), "abcd");
    }
}
