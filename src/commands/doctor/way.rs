//! The proxies on the way to the API and to the hosts.

use super::finding::Finding;

/// One finding for each proxy, with what is reached through it; none where there is none.
pub(super) fn of_ways(ways: &[(String, Option<String>)]) -> Vec<Finding> {
    let mut proxies: Vec<&str> = ways.iter().filter_map(|(_, way)| way.as_deref()).collect();
    proxies.sort_unstable();
    proxies.dedup();
    let through = |proxy: &str| {
        let to = ways.iter().filter(|(_, way)| way.as_deref() == Some(proxy));
        let to: Vec<&str> = to.map(|(host, _)| host.as_str()).collect();
        Finding::note(format!(
            "the proxy `{proxy}` is on the way to {}: `NO_PROXY` names what is reached without",
            to.join(", ")
        ))
    };
    proxies.into_iter().map(through).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_proxy_is_told_with_what_is_reached_through_it() {
        let way = |to: &str, proxy: Option<&str>| (to.to_owned(), proxy.map(str::to_owned));
        assert_eq!(of_ways(&[way("the API", None), way("`a`", None)]), []);
        let ways = [
            way("the API", Some("http://p:3128")),
            way("`a`", None),
            way("`b`", Some("http://p:3128")),
            way("`c`", Some("socks5://q:1080")),
        ];
        assert_eq!(
            of_ways(&ways),
            [
                Finding::note(
                    "the proxy `http://p:3128` is on the way to the API, `b`: `NO_PROXY` names what is reached without"
                ),
                Finding::note(
                    "the proxy `socks5://q:1080` is on the way to `c`: `NO_PROXY` names what is reached without"
                ),
            ]
        );
    }
}
