//! What to do about a refusal: by its HTTP status first, then by the codes that the API gave, then by what it calls.
//!
//! One code means several things: `10000` is "Authentication error" beside 401 and 403, and comes with 429 too, where no token helps.
//! `6003` says that some header is wrong, and `error_chain` which one.

/// What the API refused, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) status: u16,
    /// In the API's order, each with what is behind it; none where it was not the API that answered.
    pub(super) codes: &'a [u32],
}

/// The API's limit (docs: Fundamentals, "API rate limits").
const RATE: &str = "the API's rate limit is used up: 1200 calls in five minutes, those of other tools with this token included";

/// What to do about it; none where nothing is known.
pub(super) fn of(refusal: Refusal<'_>) -> Option<String> {
    let Refusal { status, codes, .. } = refusal;
    if status == 429 {
        return Some(RATE.to_owned());
    }
    if let Some(hint) = codes.iter().find_map(|number| code(*number)) {
        return Some(hint.to_owned());
    }
    let has = |wanted: &[u32]| codes.iter().any(|code| wanted.contains(code));
    // A page of something on the way says nothing about rights
    if has(&[9109, 10000]) || (matches!(status, 401 | 403) && !codes.is_empty()) {
        return Some(missing(refusal));
    }
    has(&[6003, 6004]).then(|| "check the API token or key: the API cannot read it".to_owned())
}

/// Which right a refused call needs.
fn missing(refusal: Refusal<'_>) -> String {
    let method = if refusal.method == "GET" {
        "Read"
    } else {
        "Write"
    };
    let credential = "check that `CLOUDFLARE_API_TOKEN` is a whole token that has not expired";
    match right(refusal.path) {
        Some((right, of)) => {
            let right = match right.strip_suffix(" *") {
                Some(group) => format!("{group} {method}"),
                None => right.to_owned(),
            };
            format!("{credential}, and that it has `{right}` on {of}")
        }
        None => format!("{credential}, and that it may do this"),
    }
}

/// The permission that a call needs, as Cloudflare names it, and on what (docs: Fundamentals, "API token permissions", and "Accepted
/// permissions" of each call). With `*` it is the one to read or the one to write.
fn right(path: &str) -> Option<(&'static str, &'static str)> {
    let path = path.split('?').next().unwrap_or(path);
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    Some(match parts.as_slice() {
        ["zones"] => ("Zone Read", "the zone"),
        ["zones", _, "workers", "routes", ..] => ("Workers Routes *", "the zone"),
        ["zones", _, "dns_records", ..] => ("DNS *", "the zone"),
        ["zones", _, "ssl", ..] => ("SSL and Certificates *", "the zone"),
        ["accounts", _, "analytics_engine", ..] => ("Account Analytics Read", "the account"),
        ["accounts", _, "workers", ..] => ("Workers Scripts *", "the account"),
        _ => return None,
    })
}

/// What to do about a code that means the same whatever was called.
fn code(code: u32) -> Option<&'static str> {
    Some(match code {
        971 | 10100 | 10429 => RATE,
        // Behind 6003
        6111 => {
            "check `CLOUDFLARE_API_TOKEN`: what it holds has not the form of an API token (a token is not its id, and not the global API key)"
        }
        6102 => "check `CLOUDFLARE_EMAIL`: it is the address of a Cloudflare user",
        6103 => {
            "check `CLOUDFLARE_API_KEY`: it holds a user's global API key; an API token belongs into `CLOUDFLARE_API_TOKEN`"
        }
        7000 | 7003 => {
            "an id in the address is not one: check the account id (`CLOUDFLARE_ACCOUNT_ID`, or `cloudflare.account_id`; 32 hexadecimal digits) and `CLOUDFLARE_API_BASE_URL`"
        }
        1000 => "check `CLOUDFLARE_API_TOKEN`: the API knows no such token",
        9103 => {
            "check `CLOUDFLARE_API_KEY` and `CLOUDFLARE_EMAIL`: they are a user's global key and address"
        }
        9106 => {
            "the call arrived without a credential: check `CLOUDFLARE_API_TOKEN`, and that no proxy on the way takes `Authorization` off"
        }
        10001 => {
            "the API could not tell who calls: check that `CLOUDFLARE_API_TOKEN` is a token that is active; a global API key belongs into `CLOUDFLARE_API_KEY`, with `CLOUDFLARE_EMAIL`"
        }
        10007 | 10090 | 10092 => "deploy the environment first, or check the account id",
        10019 => "the Worker that the route names is not there: deploy again",
        10021 => {
            "the runtime refused to start the code: `edge-broadcast deploy ENV --sandbox` shows the same error on this machine"
        }
        10027 => "the bundle is over the account's size limit",
        10053 => {
            "a binding of another kind has this name: remove it from the Worker, then deploy again"
        }
        10056 => "there is no secret of this name; `edge-broadcast plan` lists them",
        10057 => "a binding that should be inherited is not there: set the secret again",
        10061 | 10070 => {
            "the Worker's code does not export this Durable Object class: build again, and deploy the room before the gateway"
        }
        10064 | 10142 => "other Workers bind it: take their bindings away first",
        10063 => {
            "the account has no workers.dev subdomain: open the Workers page of the dashboard once to make one"
        }
        10074 => "a migration would delete a Durable Object class that is still in use",
        10079 => "the live migration tag is not the one that the plan saw: plan again",
        10211 => "a migration cannot be part of a version: it takes the lifecycle lane",
        10214 | 10215 => "somebody made another version just now: run the command again",
        10220 => "a secret changed since that version: it would come back with the old one",
        10222 => "the Worker has no version yet: deploy it first",
        10336 | 100_146 => {
            "it was there when it was looked up: somebody removed it, or it belongs to another Worker; plan again"
        }
        100_116 => {
            "another Worker has this host as its custom domain: remove it from that Worker first, or use another host"
        }
        // Whether the manifest says `override_dns` or not: a record that somebody made is never replaced (workers-sdk issue 9878)
        100_117 => {
            "a DNS record for this host is in the way: delete it in the zone's DNS settings, then deploy again"
        }
        100_402 | 100_405 => {
            "the Durable Object exports of the versions differ: finish the running deployment first"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(method: &str, path: &str, status: u16, codes: &[u32]) -> String {
        let refusal = Refusal {
            method,
            path,
            status,
            codes,
        };
        of(refusal).unwrap_or_default()
    }

    /// As people reported them: each with its status and its chain.
    #[test]
    fn a_hint_goes_by_the_status_then_the_code_then_the_chain() {
        let get = |status, codes: &[u32]| hint("GET", "/zones?name=glow.trade", status, codes);
        // "More than 1200 requests per 300 seconds reached"
        for codes in [&[10000][..], &[10100], &[971], &[10429], &[6003, 6111], &[]] {
            assert_eq!(get(429, codes), RATE);
        }
        let has = |status, codes: &[u32], words: &str| {
            let told = get(status, codes);
            assert!(told.contains(words), "{status} {codes:?}: {told}");
        };
        has(400, &[6003, 6111], "check `CLOUDFLARE_API_TOKEN`");
        has(400, &[6003, 6103], "check `CLOUDFLARE_API_KEY`");
        has(400, &[6003, 6102, 6103], "check `CLOUDFLARE_EMAIL`");
        has(400, &[6003], "the API cannot read it");
        has(400, &[9106], "arrived without a credential");
        has(400, &[10001], "could not tell who calls");
        has(400, &[7003, 7000], "check the account id");
        has(401, &[1000], "knows no such token");
        has(403, &[9109], "`Zone Read` on the zone");
        has(403, &[10000], "`Zone Read` on the zone");
        has(401, &[10000], "has not expired");
        // Not the API's: a firewall on the way, a server's failure
        assert_eq!(get(403, &[]), "");
        assert_eq!(get(500, &[10013]), "");
    }

    #[test]
    fn the_missing_right_is_named_from_the_call_as_cloudflare_names_it() {
        for line in [
            "GET /zones?name=x: Zone Read on the zone",
            "GET /zones/z0/workers/routes: Workers Routes Read on the zone",
            "POST /zones/z0/workers/routes: Workers Routes Write on the zone",
            "DELETE /zones/z0/workers/routes/r0: Workers Routes Write on the zone",
            "GET /zones/z0/dns_records?name=x: DNS Read on the zone",
            "GET /accounts/a0/workers/scripts/s/versions?page=2: Workers Scripts Read on the account",
            "PUT /accounts/a0/workers/scripts/s?strict=true: Workers Scripts Write on the account",
            "PUT /accounts/a0/workers/domains: Workers Scripts Write on the account",
            "PATCH /accounts/a0/workers/scripts/s/secrets-bulk: Workers Scripts Write on the account",
            "GET /accounts/a0/workers/durable_objects/namespaces: Workers Scripts Read on the account",
            "POST /accounts/a0/analytics_engine/sql: Account Analytics Read on the account",
            "GET /zones/z0/ssl/certificate_packs?status=all: SSL and Certificates Read on the zone",
        ] {
            let (call, right) = line.split_once(": ").unwrap();
            let (method, path) = call.split_once(' ').unwrap();
            let (right, of) = right.split_once(" on ").unwrap();
            assert_eq!(
                hint(method, path, 403, &[10000]),
                format!(
                    "check that `CLOUDFLARE_API_TOKEN` is a whole token that has not expired, and that it has `{right}` on {of}"
                )
            );
        }
    }

    #[test]
    fn every_code_that_has_a_way_out_says_it() {
        for (code, way_out) in [
            (
                100_116,
                "another Worker has this host as its custom domain: remove it from that Worker first",
            ),
            (
                100_117,
                "a DNS record for this host is in the way: delete it",
            ),
            (10019, "the Worker that the route names is not there"),
            (10142, "other Workers bind it"),
            (10429, "the API's rate limit is used up"),
            (100_146, "plan again"),
        ] {
            let told = hint("GET", "/accounts/a0/workers/scripts/s", 400, &[code]);
            assert!(told.contains(way_out), "{told}");
        }
    }
}
