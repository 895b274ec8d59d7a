//! What is typed wrong or is missing is said before anything is done.

use std::process::Command;

use super::account::Account;
use super::program::{Running, be_the_program, program, report};
use crate::live::credentials::Credentials;
use crate::live::name::{Name, Whose};
use crate::support::repository;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_an_account_a_run_says_what_it_needs_and_does_nothing() {
    be_the_program();
    let account = Account::new().await;
    let name = "usage::without_an_account_a_run_says_what_it_needs_and_does_nothing";
    let mut run = program(name, &account, &[]);
    run.env_remove("CLOUDFLARE_API_TOKEN")
        .env_remove("EDGE_BROADCAST_LIVE_ZONE");
    let printed = Running::start(run).printed();
    assert_eq!(printed.code, 2);
    assert_eq!(
        printed.stderr,
        "\
error: `./test live` runs against a real Cloudflare account: set `CLOUDFLARE_API_TOKEN`; set `EDGE_BROADCAST_LIVE_ZONE`
  CLOUDFLARE_API_TOKEN      an API token (dashboard: My Profile, API Tokens, Create Custom Token) with these permissions:
                              Account, Workers Scripts, Edit     the scripts, secrets and the custom domain
                              Zone, Workers Routes, Edit         the zone's routes
                              Zone, Zone, Read                   the zone's id
                              Zone, DNS, Edit                    optional: to see that the host's DNS record goes, and to delete it if it stays
                            restricted to the one account and the one zone
  CLOUDFLARE_ACCOUNT_ID     the account's id: 32 hexadecimal digits (dashboard: Workers & Pages, on the right)
  EDGE_BROADCAST_LIVE_ZONE  an active zone of the account, such as `example.com`; one host of its own is made below it
"
    );
    assert_eq!(account.texts().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_that_opens_nothing_is_said_before_anything_is_made() {
    be_the_program();
    let account = Account::new().await;
    let name = "usage::a_token_that_opens_nothing_is_said_before_anything_is_made";
    let mut run = program(name, &account, &[]);
    run.env("CLOUDFLARE_API_TOKEN", "a".repeat(40));
    let refused = Running::start(run).printed();
    assert_eq!(refused.code, 1);
    assert_eq!(
        refused.stderr,
        "error: nothing was made: the API refuses to look for the zone `zone-of-somebody.dev`: 403 (code 10000); has `CLOUDFLARE_API_TOKEN` the permission Zone Read?\n"
    );
    let (_, summary) = report(&refused.stdout);
    assert!(
        summary.ends_with(
            " s  look at the account, 1 calls: refused
            GET /zones was answered with 403 (code 10000)
1 calls of 1 shapes
"
        ),
        "{summary}"
    );
    let mut run = program(name, &account, &[]);
    run.env("EDGE_BROADCAST_LIVE_ZONE", "zone-of-another.dev");
    let refused = Running::start(run).printed();
    assert_eq!(refused.code, 1);
    assert_eq!(
        refused.stderr,
        "error: nothing was made: the account of `CLOUDFLARE_ACCOUNT_ID` has no zone `zone-of-another.dev` that the token may read; correct `EDGE_BROADCAST_LIVE_ZONE`, or the token's zone resources\n"
    );
    report(&refused.stdout);
}

#[test]
fn a_variable_is_trimmed_and_its_value_is_never_repeated() {
    let from = |token: &str, account: &str, zone: &str| {
        let values = [token, account, zone].map(ToOwned::to_owned);
        Credentials::from(|name| {
            let at = [
                "CLOUDFLARE_API_TOKEN",
                "CLOUDFLARE_ACCOUNT_ID",
                "EDGE_BROADCAST_LIVE_ZONE",
            ];
            Some(values[at.iter().position(|known| *known == name)?].clone())
        })
    };
    let good = from(
        " token\n",
        "0123456789abcdef0123456789abcdef ",
        "glow.trade",
    );
    let good = good.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (good.token.expose(), good.zone.as_str()),
        ("token", "glow.trade")
    );
    let bad = from("two words", "marker-of-a-token", "https://glow.trade/");
    let said = bad.map(|_| ()).unwrap_err().to_string();
    assert!(
        said.starts_with("`./test live` runs against a real Cloudflare account: `CLOUDFLARE_API_TOKEN` is not an API token: one line without spaces; `CLOUDFLARE_ACCOUNT_ID` is not 32 lower-case hexadecimal digits; `EDGE_BROADCAST_LIVE_ZONE` is not a zone's name, such as `example.com`\n"),
        "{said}"
    );
    assert!(!said.contains("marker"));
}

#[test]
fn only_what_is_named_exactly_like_a_runs_own_counts_as_left() {
    let every = Whose::Every;
    let scripts = [
        ("edge-broadcast-live-0123456789ab", true),
        ("edge-broadcast-live-0123456789ab-room", true),
        ("edge-broadcast-live-0123456789ab-room-room", false),
        ("edge-broadcast-live-0123456789AB", false),
        ("edge-broadcast-live-0123456789abc", false),
        ("edge-broadcast-live-europe", false),
        ("edge-broadcast-live-", false),
        ("my-edge-broadcast-live-0123456789ab", false),
        ("", false),
    ];
    for (script, is) in scripts {
        assert_eq!(every.has_script(script), is, "{script}");
    }
    let hosts = [
        ("eb-live-0123456789ab.glow.trade", true),
        ("eb-live-0123456789ab.other.trade", false),
        ("eb-live-0123456789abglow.trade", false),
        ("eb-live-europe.glow.trade", false),
        ("www.eb-live-0123456789ab.glow.trade", false),
        ("glow.trade", false),
    ];
    for (host, is) in hosts {
        assert_eq!(every.has_host(host, "glow.trade"), is, "{host}");
        assert_eq!(
            every.has_route(&format!("{host}/*"), "glow.trade"),
            is,
            "{host}"
        );
    }
    let (name, other) = (Name::random(), Name::random());
    let own = Whose::Run(name.clone());
    assert!(own.has_script(&name.room()) && own.has_host(&name.host("glow.trade"), "glow.trade"));
    assert!(
        !own.has_script(&other.room()) && !own.has_script("") && !own.has_host("", "glow.trade")
    );
    assert!(
        every.has_script(&name.gateway()) && every.has_host(&name.host("glow.trade"), "glow.trade")
    );
}

/// `./test` with this argument.
fn test(argument: &str) -> (Option<i32>, String, String) {
    let output = Command::new(repository().join("test"))
        .arg(argument)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_test_command_says_what_it_can_do_and_refuses_everything_else() {
    let (code, help, _) = test("--help");
    assert_eq!(code, Some(0));
    assert_eq!(
        help,
        "\
Usage:
  ./test                  every check and every test; needs no account
  ./test live             a smoke test of a real Cloudflare account, which leaves nothing there
  ./test live --clean     delete what a killed smoke test has left
  ./test live --help      what it needs and does
"
    );
    for argument in ["lief", "--live", ""] {
        let (code, stdout, stderr) = test(argument);
        assert_eq!((code, stdout.as_str()), (Some(2), ""));
        assert_eq!(
            stderr,
            format!("error: unknown argument `{argument}`\n\n{help}")
        );
    }
}
