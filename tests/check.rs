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
   = help: write it in lower case without scheme, port or path, like `broadcast.glow.trade`
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
error: unknown field `nothing_like_it`, expected one of `worker`, `cloudflare`, `routes`, `regions`, `room`, `access`, `secrets`, `analytics`, `sst`, `traffic`
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
