use crate::support::{Project, Run};

#[test]
fn the_repositorys_manifests_are_good() {
    let printed = Run::new(["check"]).succeeds();
    assert_eq!(
        printed.stdout,
        "`local`, `production`, `staging` are good\n"
    );
    assert_eq!(printed.stderr, "");
}

#[test]
fn an_unknown_key_is_drawn_with_its_line_and_the_nearest_known_key() {
    let project = Project::with_staging("compatibility_date =", "compatibility_dat =");
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @r#"
error: unknown field `compatibility_dat`, expected one of `name`, `owner`, `compatibility_date`, `debug`, `observability`, `cpu_ms`, `code_update`, `jurisdiction`
 --> environments/staging.toml:5:1
  |
5 | compatibility_dat = "2026-10-01"
  | ^^^^^^^^^^^^^^^^^
  |
  = help: did you mean `compatibility_date`?
"#);
    assert_eq!(printed.stdout, "");
}

#[test]
fn a_wrong_type_is_drawn_with_its_line() {
    let project = Project::with_staging("history = 64", "history = \"many\"");
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @r#"
error: invalid type: string "many", expected a whole number
  --> environments/staging.toml:19:11
   |
19 | history = "many"
   |           ^^^^^^
   |
   = help: write a whole number, without quotes
"#);
}

#[test]
fn a_bad_host_is_drawn_with_its_line_and_what_to_write() {
    let project = Project::with_staging("broadcast-staging.glow.trade", "https://glow.trade/");
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @r#"
error: `https://glow.trade/` is not a host name
  --> environments/staging.toml:12:8
   |
12 | host = "https://glow.trade/"
   |        ^^^^^^^^^^^^^^^^^^^^^
   |
   = help: write `glow.trade`
"#);
}

#[test]
fn a_bad_account_id_is_drawn_with_its_line_and_where_to_find_it() {
    let project = Project::with_staging("zone = ", "account_id = \"me@glow.trade\"\nzone = ");
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @r#"
error: `me@glow.trade` is not a Cloudflare account id
 --> environments/staging.toml:9:14
  |
9 | account_id = "me@glow.trade"
  |              ^^^^^^^^^^^^^^^
  |
  = help: it has 32 hexadecimal digits: see Account details on the Workers page of the dashboard, or leave it out and set `CLOUDFLARE_ACCOUNT_ID`
"#);
}

#[test]
fn problems_between_fields_are_all_reported_at_once() {
    let project = Project::with_staging(
        "[room]",
        "[[routes]]\nhost = \"broadcast-staging.glow.trade\"\n\n[[regions]]\nname = \"us\"\nhost = \"us.example.com\"\nlocation_hint = \"enam\"\n\n[secrets.API_KEY]\nsource = \"env:API_KEY\"\n\n[room]",
    );
    let printed = Run::new(["check"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stderr, @r#"
error: `broadcast-staging.glow.trade` is routed twice
  --> environments/staging.toml:15:8
   |
15 | host = "broadcast-staging.glow.trade"
   |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: remove one of the two: a host belongs to one route or one region

error: `us.example.com` is not in the zone `glow.trade`
  --> environments/staging.toml:19:8
   |
19 | host = "us.example.com"
   |        ^^^^^^^^^^^^^^^^
   |
   = help: use a host that ends with `.glow.trade`, or change `cloudflare.zone`

error: no worker reads a secret `API_KEY`
  --> environments/staging.toml:22:10
   |
22 | [secrets.API_KEY]
   |          ^^^^^^^
   |
   = help: use one of `WEBHOOK_SECRET`, `ADMIN_SECRET`
"#);
}

#[test]
fn a_region_outside_of_the_jurisdiction_is_a_problem_and_so_is_one_that_there_is_not() {
    let region =
        "[[regions]]\nname = \"a\"\nhost = \"a.glow.trade\"\nlocation_hint = \"weur\"\n\n[room]";
    let check = |jurisdiction: &str| {
        let project = Project::with_staging("[room]", region);
        let text = std::fs::read_to_string(project.path().join("environments/staging.toml"));
        let worker = format!("[worker]\njurisdiction = \"{jurisdiction}\"");
        let text = text.unwrap().replacen("[worker]", &worker, 1);
        project.write("environments/staging.toml", &text);
        let printed = Run::new(["check"]).inside(&project).printed();
        let lines = printed.stderr.lines();
        let told = lines.filter(|line| line.starts_with("error") || line.contains("help: "));
        told.map(str::trim_start).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(check("eu"), "");
    assert_eq!(
        check("us"),
        "error: `weur` is not within the jurisdiction `us`\n= help: use `wnam` or `enam`, or leave `worker.jurisdiction` out"
    );
    assert_eq!(
        check("ch"),
        "error: `ch` is not a jurisdiction\n= help: use one of `eu`, `us`"
    );
}

#[test]
fn json_has_every_problem_with_line_and_column() {
    let project = Project::with_staging("zone = \"glow.trade\"", "zone = \"glow.example\"");
    let printed = Run::new(["check", "--json"]).inside(&project).fails();
    insta::assert_snapshot!(printed.stdout, @r#"
{
  "environments": [],
  "problems": [
    {
      "path": "environments/staging.toml",
      "message": "`broadcast-staging.glow.trade` is not in the zone `glow.example`",
      "help": "use a host that ends with `.glow.example`, or change `cloudflare.zone`",
      "line": 12,
      "column": 8
    }
  ]
}
"#);
}

#[test]
fn a_missing_key_a_wrong_kind_and_broken_toml_say_what_to_write() {
    let mut seen = String::new();
    for (from, to) in [
        ("compatibility_date = \"2026-10-01\"\n", ""),
        ("history = 64", "history = 6.5"),
        ("zone = \"glow.trade\"", "zone = 5"),
        ("require_signature = false", "require_signature = \"no\""),
        (
            "connect_rate = { limit = 1000, period = 60 }",
            "connect_rate = 5",
        ),
        ("[room]", "[nothing_like_it]\n[room]"),
        ("[room]", "[room"),
    ] {
        let project = Project::with_staging(from, to);
        seen += &Run::new(["check"]).inside(&project).fails().stderr;
    }
    insta::assert_snapshot!(seen, @r#"
error: missing field `compatibility_date`
 --> environments/staging.toml:3:1
  |
3 | [worker]
  | ^^^^^^^^
  |
  = help: add `compatibility_date`: `docs/manifest.md` lists every key
error: invalid type: floating point `6.5`, expected a whole number
  --> environments/staging.toml:19:11
   |
19 | history = 6.5
   |           ^^^
   |
   = help: write a whole number, without quotes
error: invalid type: integer `5`, expected a string
 --> environments/staging.toml:9:8
  |
9 | zone = 5
  |        ^
  |
  = help: write a text, in quotes
error: invalid type: string "no", expected a boolean
  --> environments/staging.toml:28:21
   |
28 | require_signature = "no"
   |                     ^^^^
   |
   = help: write `true` or `false`, without quotes
error: invalid type: integer `5`, expected a table
  --> environments/staging.toml:25:16
   |
25 | connect_rate = 5
   |                ^
   |
   = help: write a table: `{ key = value }`, or its name in brackets and its keys below
error: unknown field `nothing_like_it`, expected one of `worker`, `cloudflare`, `routes`, `regions`, `room`, `access`, `secrets`, `verify`, `analytics`, `sst`, `traffic`, `rollout`
  --> environments/staging.toml:14:2
   |
14 | [nothing_like_it]
   |  ^^^^^^^^^^^^^^^
   |
   = help: write one of those, or remove it
error: unclosed table, expected `]`
  --> environments/staging.toml:14:6
   |
14 | [room
   |      ^
   |
   = help: a manifest is TOML: tables like `[room]`, and under each its keys, each once, like `name = "text"`
"#);
}

/// Whatever shape the mistake has, the value is in no form of the answer.
#[test]
fn the_value_of_a_secret_that_was_pasted_into_the_manifest_is_not_repeated() {
    for (from, to) in [
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "source = \"hunter2-marker\"",
        ),
        ("source = \"env:WEBHOOK_SECRET\"", "source = hunter2-marker"),
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "source = \"hunter2-marker",
        ),
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "source = [\"hunter2-marker\"]",
        ),
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "source = [[\"hunter2-marker\"]]",
        ),
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "source = [\n[[\"hunter2-marker\"]]\n]",
        ),
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "[[secrets.WEBHOOK_SECRET]]\nsource = [[\"hunter2-marker\"]]",
        ),
        (
            "[secrets.WEBHOOK_SECRET]\nsource = \"env:WEBHOOK_SECRET\"",
            "[[secrets]]\nWEBHOOK_SECRET = [[\"hunter2-marker\"]]",
        ),
        (
            "[secrets.WEBHOOK_SECRET]\nsource = \"env:WEBHOOK_SECRET\"",
            "[secrets]\nWEBHOOK_SECRET = [[\"hunter2-marker\"]]",
        ),
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "value = \"hunter2-marker\"",
        ),
        (
            "source = \"env:WEBHOOK_SECRET\"",
            "source = \"\"\"\nhunter2-marker\"\"\"",
        ),
        (
            "[secrets.WEBHOOK_SECRET]\nsource = \"env:WEBHOOK_SECRET\"",
            "[secrets]\nWEBHOOK_SECRET = \"hunter2-marker\"",
        ),
        (
            "[secrets.WEBHOOK_SECRET]\nsource = \"env:WEBHOOK_SECRET\"",
            "[secrets]\nWEBHOOK_SECRET = { source = \"hunter2-marker\" }",
        ),
    ] {
        let project = Project::with_staging(from, to);
        for args in [
            vec!["check"],
            vec!["check", "--json"],
            vec!["plan", "staging"],
        ] {
            let printed = Run::new(args).inside(&project).fails();
            let seen = printed.stdout + &printed.stderr;
            assert!(!seen.contains("hunter2"), "{to}:\n{seen}");
            assert!(seen.contains("environments/staging.toml"), "{to}:\n{seen}");
        }
    }
}

#[test]
fn a_compatibility_date_in_the_future_is_drawn_before_anything_is_uploaded() {
    let now = humantime::format_rfc3339(std::time::SystemTime::now()).to_string();
    let today = now.split('T').next().unwrap();
    let with = |date: &str| Project::with_staging("\"2026-10-01\"", &format!("\"{date}\""));
    Run::new(["check"]).inside(&with(today)).succeeds();
    let told = |args: &[&str]| {
        let project = with("2999-01-01");
        let run = Run::new(args.iter().copied()).inside(&project);
        run.fails().stderr.replace(today, "TODAY")
    };
    insta::assert_snapshot!(told(&["check"]), @r#"
error: `2999-01-01` is in the future, and Cloudflare refuses such a compatibility date: in UTC it is TODAY
 --> environments/staging.toml:5:22
  |
5 | compatibility_date = "2999-01-01"
  |                      ^^^^^^^^^^^^
  |
  = help: write today's date or an earlier one, like `TODAY`
"#);
    for args in [
        &["plan", "staging"][..],
        &["deploy", "staging"],
        &["generate"],
    ] {
        assert_eq!(told(args), told(&["check"]), "{args:?}");
    }
    // What is deployed already is no newer than it was
    for args in [
        &["rollback", "staging"][..],
        &["destroy", "staging"],
        &["secrets", "rotate", "staging", "--compromised"],
        &["status", "staging"],
    ] {
        let told = told(args);
        assert!(!told.contains("in the future"), "{args:?}: {told}");
    }
}

/// Each mistake, and what is to be written instead by the advice: it is found in the advice, and with it the manifest is good.
#[test]
fn what_the_advice_says_to_write_is_accepted() {
    let mut seen = String::new();
    for (from, wrong, advised, good) in [
        (
            "\"2026-10-01\"",
            "2026-10-01",
            "`\"2026-10-01\"`",
            "\"2026-10-01\"",
        ),
        (
            "\"2026-10-01\"",
            "\"1.10.2026\"",
            "`\"2026-10-01\"`",
            "\"2026-10-01\"",
        ),
        ("[[routes]]", "[routes]", "`[[routes]]`", "[[routes]]"),
        (
            "broadcast-staging.glow.trade",
            "kurse-für-alle.glow.trade",
            "`xn--kurse-fr-alle-2ob.glow.trade`",
            "xn--kurse-fr-alle-2ob.glow.trade",
        ),
        (
            "broadcast-staging.glow.trade",
            "https://Broadcast.glow.trade/",
            "`broadcast.glow.trade`",
            "broadcast.glow.trade",
        ),
        (
            "https://app.glow.trade",
            "https://Bücher.glow.trade/",
            "`https://xn--bcher-kva.glow.trade`",
            "https://xn--bcher-kva.glow.trade",
        ),
        ("[room]", "[[room]]", "`[room]`", "[room]"),
        ("history = 64", "histroy = 64", "`history`", "history = 64"),
        (
            "batch_window = \"10ms\"",
            "batch_window = 10",
            "`\"10ms\"`",
            "batch_window = \"10ms\"",
        ),
        (
            "batch_window = \"10ms\"",
            "batch_window = \"10\"",
            "`10ms`",
            "batch_window = \"10ms\"",
        ),
        (
            "history = 64",
            "history = 99999",
            "from 0 to 10000",
            "history = 10000",
        ),
        (
            "conflate = \"latest\"",
            "conflate = \"last\"",
            "`latest`",
            "conflate = \"latest\"",
        ),
        (
            "idle_timeout = \"90s\"",
            "idle_timeout = \"2h\"",
            "to 1h",
            "idle_timeout = \"1h\"",
        ),
        (
            "period = 60 }\nb",
            "period = 30 }\nb",
            "use 10 or 60",
            "period = 10 }\nb",
        ),
        (
            "[secrets.WEBHOOK_SECRET]\nsource = \"env:WEBHOOK_SECRET\"\nrotate_every = \"90d\"\nsenders = [\"sst\"]\n",
            "",
            "add `[secrets.WEBHOOK_SECRET]` with `source = \"env:WEBHOOK_SECRET\"`",
            "[secrets.WEBHOOK_SECRET]\nsource = \"env:WEBHOOK_SECRET\"\n",
        ),
        ("env:WEBHOOK_SECRET", "WEBHOOK_SECRET", "`prompt`", "prompt"),
        (
            "app = \"glow\"",
            "app = \"Glow\"",
            "`glow-broadcast`",
            "app = \"glow-broadcast\"",
        ),
        (
            "dataset = \"edge_broadcast_staging\"",
            "dataset = \"Edge\"",
            "`edge_broadcast`",
            "dataset = \"edge_broadcast\"",
        ),
    ] {
        let printed = Run::new(["check"])
            .inside(&Project::with_staging(from, wrong))
            .fails();
        assert!(
            printed.stderr.contains(advised),
            "{wrong}: {}",
            printed.stderr
        );
        Run::new(["check"])
            .inside(&Project::with_staging(from, good))
            .succeeds();
        seen += &printed.stderr;
    }
    insta::assert_snapshot!(seen, @r#"
error: `2026-10-01` is not in quotes, and a date is a text here
 --> environments/staging.toml:5:22
  |
5 | compatibility_date = 2026-10-01
  |                      ^^^^^^^^^^
  |
  = help: write `"2026-10-01"`
error: `1.10.2026` is not a date
 --> environments/staging.toml:5:22
  |
5 | compatibility_date = "1.10.2026"
  |                      ^^^^^^^^^^^
  |
  = help: write year, month and day in quotes, like `"2026-10-01"`
error: `[routes]` is one table, and there can be several of them
  --> environments/staging.toml:11:1
   |
11 | [routes]
   | ^^^^^^^^
   |
   = help: write `[[routes]]`
error: `kurse-für-alle.glow.trade` is not a host name
  --> environments/staging.toml:12:8
   |
12 | host = "kurse-für-alle.glow.trade"
   |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: write `xn--kurse-fr-alle-2ob.glow.trade`
error: `https://Broadcast.glow.trade/` is not a host name
  --> environments/staging.toml:12:8
   |
12 | host = "https://Broadcast.glow.trade/"
   |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: write `broadcast.glow.trade`
error: `https://Bücher.glow.trade/` is not an origin
  --> environments/staging.toml:23:19
   |
23 | allowed_origins = ["https://Bücher.glow.trade/", "http://localhost:3000"]
   |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: write `https://xn--bcher-kva.glow.trade`, as a browser sends it
error: `[[room]]` begins one of several tables, and there is one only
  --> environments/staging.toml:14:1
   |
14 | [[room]]
   | ^^^^^^^^
   |
   = help: write `[room]`
error: unknown field `histroy`, expected one of `max_connections`, `max_shards`, `batch_window`, `conflate`, `conflate_key`, `history`, `idle_timeout`, `publish_rate`
  --> environments/staging.toml:19:1
   |
19 | histroy = 64
   | ^^^^^^^
   |
   = help: did you mean `history`?
error: invalid type: integer `10`, expected a span of time
  --> environments/staging.toml:17:16
   |
17 | batch_window = 10
   |                ^^
   |
   = help: write a number and a unit in quotes, like `"10ms"`, `"90s"` or `"90d"`
error: `10` is not a span of time: time unit needed, for example 10sec or 10ms
  --> environments/staging.toml:17:16
   |
17 | batch_window = "10"
   |                ^^^^
   |
   = help: write a number and a unit, like `10ms`, `90s` or `90d`
error: 99999 is out of range
  --> environments/staging.toml:19:11
   |
19 | history = 99999
   |           ^^^^^
   |
   = help: use a whole number from 0 to 10000
error: unknown variant `last`, expected `latest` or `all`
  --> environments/staging.toml:18:12
   |
18 | conflate = "last"
   |            ^^^^^^
   |
   = help: did you mean `latest`?
error: `2h` is out of range
  --> environments/staging.toml:20:16
   |
20 | idle_timeout = "2h"
   |                ^^^^
   |
   = help: use a span of time from 10s to 1h
error: 30 is not a rate limit's period
  --> environments/staging.toml:25:41
   |
25 | connect_rate = { limit = 1000, period = 30 }
   |                                         ^^
   |
   = help: Cloudflare counts over 10 or 60 seconds: use 10 or 60
error: the secret `WEBHOOK_SECRET` is missing: without it nobody can publish
 --> environments/staging.toml:1:1
  |
1 | #:schema ./environment.schema.json
  | ^
  |
  = help: add `[secrets.WEBHOOK_SECRET]` with `source = "env:WEBHOOK_SECRET"`
error: this is not the source of a secret
--> environments/staging.toml:31:10
 = help: say where the value comes from, never the value: `env:NAME` reads an environment variable, `file:PATH` or `file:PATH#KEY` a JSON or dotenv file, `command:…` the output of a program, and `prompt` asks on the terminal
error: `Glow` is not a valid SST name
  --> environments/staging.toml:39:7
   |
39 | app = "Glow"
   |       ^^^^^^
   |
   = help: use at most 40 lower-case letters, digits and dashes, beginning with a letter, like `glow-broadcast`
error: `Edge` is not a data set name
  --> environments/staging.toml:36:11
   |
36 | dataset = "Edge"
   |           ^^^^^^
   |
   = help: use lower-case letters, digits and underscores, like `edge_broadcast`
"#);
}

#[test]
fn an_option_of_wranglers_for_the_environment_is_answered_with_what_to_type() {
    let project = Project::with_all();
    for (typed, wanted) in [
        ("deploy --env staging --yes", "deploy staging --yes"),
        ("plan --env=staging", "plan staging"),
        ("status -e staging --json", "status staging --json"),
        ("secrets list --environment staging", "secrets list staging"),
        (
            "secrets set ADMIN_SECRET --env staging",
            "secrets set staging ADMIN_SECRET",
        ),
        (
            "secrets remove --env=staging OLD_KEY",
            "secrets remove staging OLD_KEY",
        ),
        ("--env staging deploy --yes", "deploy staging --yes"),
        ("deploy staging --env staging", "deploy staging"),
        ("rollback --env", "rollback ENV"),
    ] {
        let printed = Run::new(typed.split(' ')).inside(&project).printed();
        let option = typed.split(' ').find(|word| word.starts_with('-')).unwrap();
        let option = option.split('=').next().unwrap();
        assert_eq!(
            (printed.code, printed.stderr),
            (
                2,
                format!(
                    "error: there is no `{option}`: the environment is a positional argument\nhelp: `edge-broadcast {wanted}`\n"
                )
            )
        );
    }
    for takes_none in ["build --env staging", "sandbox -e staging"] {
        let printed = Run::new(takes_none.split(' ')).inside(&project).printed();
        assert!(
            printed.stderr.starts_with("error: unexpected argument"),
            "{}",
            printed.stderr
        );
    }
}
