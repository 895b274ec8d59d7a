//! Whether a secret is older than some time, in a history of any length: reading stops when that is known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::client::Cloudflare;
use super::history::History;
use super::secrets::{Bound, Holding, Since};

/// For each secret of `script` the time that it is compared with: was it there before? What is said is on the right side of that time,
/// and no more precise than that. `live` has all these secrets.
pub(crate) async fn than(
    cloudflare: &Cloudflare,
    script: &str,
    live: &Holding,
    wanted: &BTreeMap<String, SystemTime>,
) -> anyhow::Result<BTreeMap<String, Since>> {
    let mut since = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(since);
    }
    let mut history = History::of(cloudflare, script, live).await?;
    let mut wanted: Vec<_> = wanted.iter().collect();
    wanted.sort_by_key(|(_, time)| **time);
    // The secrets of the versions that were looked at, and since when they are there at least
    let mut older: Vec<(BTreeSet<String>, Since)> = Vec::new();
    for (name, time) in wanted {
        // What is older than an earlier time needs no search of its own
        if let Some((_, older)) = older.iter().find(|(has, _)| has.contains(name)) {
            since.insert(name.clone(), *older);
            continue;
        }
        let Some(before) = history.newest_before(*time).await? else {
            // Nothing is as old, as far as there is a history
            let bound = Bound::of_oldest(history.versions.read);
            let Some(oldest) = history.versions.count.checked_sub(1) else {
                continue;
            };
            let time = history.time(oldest).await?;
            since.insert(name.clone(), Since { time, bound });
            continue;
        };
        let has = history.secrets(before).await?.clone();
        let there = Since {
            time: history.time(before).await?,
            bound: Bound::AtLeast,
        };
        let is_there = has.contains(name);
        older.push((has, there));
        let (place, bound) = match (is_there, before.checked_sub(1)) {
            (true, _) => (before, Bound::AtLeast),
            (false, Some(next)) => (next, Bound::AtMost),
            // It came with a version that is newer than all that were listed
            (false, None) => continue,
        };
        let time = history.time(place).await?;
        since.insert(name.clone(), Since { time, bound });
    }
    Ok(since)
}

impl History<'_> {
    /// The place of the newest version that was made at `time` or before.
    async fn newest_before(&mut self, time: SystemTime) -> anyhow::Result<Option<usize>> {
        let Some((mut newer, mut older)) = self.around(time).await? else {
            return Ok(None);
        };
        let mut is_guessed = false;
        while older - newer > 1 {
            // Where it is when versions come evenly; every other time in the middle, since they need not
            is_guessed = !is_guessed;
            let place = match is_guessed {
                true => self.guess(newer, older, time).await?,
                false => newer.midpoint(older),
            };
            // What is on the same page costs nothing more
            for place in self.versions.page_around(place, newer, older) {
                if self.time(place).await? <= time {
                    older = older.min(place);
                } else {
                    newer = newer.max(place);
                }
            }
        }
        Ok(Some(older))
    }

    /// A place that is newer than `time`, and one that is not; both are the first where that is not newer. Looks in the newest page, then
    /// where they lead to when versions come evenly, at least twice as far back each time.
    async fn around(&mut self, time: SystemTime) -> anyhow::Result<Option<(usize, usize)>> {
        if self.versions.count == 0 {
            return Ok(None);
        }
        let newest = self.time(0).await?;
        if newest <= time {
            return Ok(Some((0, 0)));
        }
        let mut newer = 0;
        loop {
            let oldest = self.versions.count - 1;
            let end = self.versions.page_end(newer).min(oldest);
            if self.time(end).await? <= time {
                return Ok(Some((newer, end)));
            }
            newer = end;
            if end == oldest {
                return Ok(None);
            }
            let whole = newest.duration_since(self.time(newer).await?);
            let part = newest.duration_since(time).unwrap_or_default();
            let times = part.as_secs_f64() / whole.unwrap_or_default().as_secs_f64();
            let far = (newer as f64 * times.clamp(2.0, 1e9)) as usize;
            let next = far.clamp(newer + 1, oldest);
            if !self.versions.reach(next).await? {
                continue;
            }
            for place in self.versions.page_around(next, newer, oldest + 1) {
                if self.time(place).await? <= time {
                    return Ok(Some((newer, place)));
                }
                newer = newer.max(place);
            }
        }
    }

    async fn guess(
        &mut self,
        newer: usize,
        older: usize,
        time: SystemTime,
    ) -> anyhow::Result<usize> {
        let (from, to) = (self.time(newer).await?, self.time(older).await?);
        let whole = from.duration_since(to).unwrap_or_default().as_secs_f64();
        let part = from.duration_since(time).unwrap_or_default().as_secs_f64();
        let share = if whole > 0.0 { part / whole } else { 0.5 };
        let span = (older - newer) as f64;
        let place = newer + (share * span) as usize;
        Ok(place.clamp(newer + 1, older - 1))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::paged::{self, Account, Made, Paging, Story, Tells, instant as minute};
    use super::super::secrets;
    use super::*;

    #[tokio::test]
    async fn a_secret_is_found_to_be_older_or_not_in_few_calls_whatever_the_pages_are() {
        for paging in paged::pagings() {
            // What tells nothing about its pages is read to its end
            if matches!(paging.tells, Tells::Nothing) {
                continue;
            }
            let account = Account::start(
                [("S".to_owned(), Story::of_two_secrets(3000))].into(),
                paging,
            )
            .await;
            let live = secrets::read(&account.cloudflare, "S").await.unwrap();
            let live = live.unwrap();
            account.calls();
            for time in [1, 700, 1233, 1234, 1235, 2000, 2990, 2999] {
                let wanted = ["A", "B"].map(|name| (name.to_owned(), minute(time)));
                let since = than(&account.cloudflare, "S", &live, &wanted.into())
                    .await
                    .unwrap();
                let of = |name: &str| since[name];
                let (is, is_not) = (Bound::AtLeast, Bound::AtMost);
                assert_eq!((of("A").time, of("A").bound), (minute(time), is));
                let b = match time >= 1234 {
                    true => (minute(time), is),
                    false => (minute(time + 1), is_not),
                };
                assert_eq!((of("B").time, of("B").bound), b, "{time} {paging:?}");
                let calls = account.calls().len();
                let most = if paging.size.is_none_or(|size| size >= 64) {
                    6
                } else {
                    14
                };
                assert!(calls <= most, "{calls} calls: {time} {paging:?}");
            }
            let wanted = [("A".to_owned(), UNIX_EPOCH)].into();
            let since = than(&account.cloudflare, "S", &live, &wanted)
                .await
                .unwrap();
            assert_eq!(
                (since["A"].time, since["A"].bound),
                (minute(0), Bound::AtMost)
            );
        }
    }

    /// Two thirds of the versions were made on the first day, the rest over a year.
    #[tokio::test]
    async fn a_history_that_is_not_even_is_searched_in_few_calls_too() {
        let mut story = Story::default();
        for number in 0..3000_u64 {
            let minute = if number < 2000 {
                number / 2
            } else {
                1000 + (number - 2000) * 500
            };
            let mut made = Made::default();
            made.secrets.insert("A".to_owned());
            let id = story.make(minute * 2 + number % 2, made);
            story.deploy(minute, &[(&id, 100.0)]);
        }
        let account = Account::start([("S".to_owned(), story)].into(), Paging::LIVE).await;
        let live = secrets::read(&account.cloudflare, "S").await.unwrap();
        let live = live.unwrap();
        for time in [3, 900, 1999, 3000, 100_000, 900_000] {
            account.calls();
            let wanted = [("A".to_owned(), minute(time))].into();
            let since = than(&account.cloudflare, "S", &live, &wanted)
                .await
                .unwrap();
            assert!(since["A"].time <= minute(time));
            let calls = account.calls().len();
            assert!(calls <= 10, "{calls} calls: {time}");
        }
    }
}
