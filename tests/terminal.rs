//! What people see: colours and wrapped lines on a terminal, plain and whole lines everywhere else.

use crate::support::{Printed, Project, Run, Sandbox, api, built};

const SECRET: &str = "whsec_c2VjcmV0LW9mLXRoZS10ZXJtaW5hbC10ZXN0cyE=";

/// A run as somebody's own: `NO_COLOR` is not set.
fn run(args: &[&str]) -> Run {
    Run::new(args.iter().copied()).env("NO_COLOR", "")
}

/// With the codes as a reader can tell them.
fn told(text: &str) -> String {
    text.replace("\u{1b}[0m", "</>")
        .replace("\u{1b}[1m", "<bold>")
        .replace("\u{1b}[31m", "<red>")
        .replace("\u{1b}[32m", "<green>")
        .replace("\u{1b}[33m", "<yellow>")
        .replace("\u{1b}[36m", "<cyan>")
}

#[test]
fn colours_are_for_terminals_and_for_whoever_asks_for_them() {
    let project = Project::with_staging("compatibility_date =", "compatibility_dat =");
    let check = || run(&["check"]).inside(&project);
    let plain = check().fails().stderr;
    assert!(plain.starts_with("error: unknown field"), "{plain}");
    let coloured = told(&check().env("CLICOLOR_FORCE", "1").fails().stderr);
    insta::assert_snapshot!(coloured, @r#"
<bold><red>error:</> unknown field `compatibility_dat`, expected one of `name`, `owner`, `compatibility_date`, `debug`, `observability`, `cpu_ms`, `code_update`, `jurisdiction`
 --> environments/staging.toml:5:1
  |
5 | compatibility_dat = "2026-10-01"
  | ^^^^^^^^^^^^^^^^^
  |
  <bold><cyan>= help:</> did you mean `compatibility_date`?
"#);
    let shown = |run: Run| told(&run.printed().stderr);
    assert_eq!(shown(check().env("FORCE_COLOR", "1")), coloured);
    assert_eq!(shown(check().env("FORCE_COLOR", "0")), plain);
    for name in ["CLICOLOR_FORCE", "FORCE_COLOR"] {
        let refused = check().env(name, "1").env("NO_COLOR", "1");
        assert_eq!(shown(refused), plain, "{name}");
    }
    let on_terminal = |run: Run| told(&run.on_terminal(200).stdout);
    assert_eq!(on_terminal(check()), coloured);
    assert_eq!(on_terminal(check().env("NO_COLOR", "1")), plain);
}

#[test]
fn a_stale_file_is_shown_in_gits_colours_and_its_lines_are_not_wrapped() {
    let project = Project::with_all();
    run(&["generate"]).inside(&project).succeeds();
    let path = "generated/staging/routes.toml";
    let file = project.path().join(path);
    let text = std::fs::read_to_string(&file).unwrap();
    let wide = ["x"; 60].join(" ");
    std::fs::write(&file, format!("{text}{wide}\n")).unwrap();
    let check = || run(&["generate", "--check"]).inside(&project);
    let plain = check().fails();
    assert!(
        plain.stdout.ends_with(&format!("-{wide}\n")),
        "{}",
        plain.stdout
    );
    let screen = told(&check().on_terminal(80).stdout);
    for line in [format!("<bold>--- a/{path}</>"), format!("<red>-{wide}</>")] {
        assert!(screen.contains(&line), "no `{line}` in:\n{screen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_fits_into_80_columns_and_a_pipe_gets_it_as_it_is() {
    built();
    let sandbox = Sandbox::start();
    Run::new(["deploy", "staging"])
        .against(&sandbox)
        .env("WEBHOOK_SECRET", SECRET)
        .succeeds();
    let project = Project::with_staging("history = 64", "history = 32");
    let plan = || run(&["plan", "staging"]).inside(&project).against(&sandbox);
    let plain = plan().succeeds().stdout;
    insta::assert_snapshot!(plain, @r"
staging: 2 steps

1. upload a version of `glow-broadcast-staging-room`
   lane: code
   ~ binding SETTINGS.history: 64 -> 32

2. give all traffic of `glow-broadcast-staging-room` to the new version

socket impact: reconnect (a new version of the room restarts its objects; rooms that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
    insta::assert_snapshot!(told(&plan().on_terminal(80).stdout), @r"
staging: 2 steps

<bold>1. upload a version of `glow-broadcast-staging-room`</>
   lane: code
   <yellow>~</> binding SETTINGS.history: 64 -> 32

<bold>2. give all traffic of `glow-broadcast-staging-room` to the new version</>

socket impact: reconnect (a new version of the room restarts its objects; rooms
that hold sockets change within 300 s)

0 to add, 1 to change, 0 to remove
");
    let forced = plan().env("CLICOLOR_FORCE", "1").succeeds().stdout;
    let codes = ["</>", "<bold>", "<yellow>"];
    let bare = codes
        .iter()
        .fold(told(&forced), |text, code| text.replace(code, ""));
    assert!(forced.contains('\u{1b}') && bare == plain, "{forced}");
    let json = plan().arg("--json").env("CLICOLOR_FORCE", "1").succeeds();
    assert!(!json.stdout.contains('\u{1b}'), "{}", json.stdout);

    let seen = |args: &[&str]| {
        let run = run(args)
            .against(&sandbox)
            .env("WEBHOOK_SECRET", SECRET)
            .env("NO_COLOR", "1");
        run.on_terminal(80)
    };
    let doctor = seen(&["doctor", "staging", "production"]);
    insta::assert_snapshot!(doctor.stdout, @r"
staging
  ok     the workers are built
  ok     the tools and the Rust compiler are those that the project needs
  ok     the generated files are as the manifests want them
  ok     this machine's clock is right
  ok     the API token reads the account and the zone `glow.trade`
  ok     what is live is what the manifest asks for
  ok     every secret is there and none is due
  ok     `broadcast-staging.glow.trade` answers
  ok     `broadcast-staging.glow.trade` refuses pages of foreign origins

production
  ok     the workers are built
  ok     the tools and the Rust compiler are those that the project needs
  ok     the generated files are as the manifests want them
  ok     this machine's clock is right
  ok     the API token reads the account and the zone `glow.trade`
  WRONG  it is not deployed
         edge-broadcast deploy production
  WRONG  secret WEBHOOK_SECRET of glow-broadcast-production: missing
         edge-broadcast deploy production
error: something is wrong with `production`
");
    let status = seen(&["status", "staging", "production"]);
    insta::assert_snapshot!(steady(&sandbox, &status).await, @r"
staging in the zone glow.trade
  glow-broadcast-staging       code cccccccccccccccc
                               vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv at 100 %
  glow-broadcast-staging-room  code cccccccccccccccc
                               vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv at 100 %
  hosts    broadcast-staging.glow.trade/*
  secrets  WEBHOOK_SECRET set
  drift    none

production in the zone glow.trade
  glow-broadcast-production       not deployed
  glow-broadcast-production-room  not deployed
  hosts    none
  secrets  WEBHOOK_SECRET missing
  drift    a deployment would upload `glow-broadcast-production-room` and deploy
           it; set the tags of `glow-broadcast-production-room`; keep
           `glow-broadcast-production-room` off workers.dev; upload
           `glow-broadcast-production` and deploy it; set the tags of
           `glow-broadcast-production`; keep `glow-broadcast-production` off
           workers.dev; route `broadcast.glow.trade/*` to
           `glow-broadcast-production`; route `broadcast-us.glow.trade/*` to
           `glow-broadcast-production`; route `broadcast-eu.glow.trade/*` to
           `glow-broadcast-production`; route `broadcast-asia.glow.trade/*` to
           `glow-broadcast-production`
");
    let verified = seen(&["verify", "staging"]).stdout;
    let (checks, latency) = verified.rsplit_once(": ").unwrap();
    assert!(latency.ends_with(" ms\n"), "{verified}");
    insta::assert_snapshot!(checks, @r"
broadcast-staging.glow.trade
  ok      health answers
  ok      an allowed origin gets a socket
  ok      an authorised publish is received
  ok      a publish with a wrong secret is refused
  ok      a publish without a secret is refused
  ok      a foreign origin is refused
  publish to receive
");
}

/// With what differs from run to run replaced by as many letters.
async fn steady(sandbox: &Sandbox, printed: &Printed) -> String {
    let mut shown = printed.stdout.clone();
    for script in ["glow-broadcast-staging", "glow-broadcast-staging-room"] {
        for (version, _) in api::shares(sandbox, script).await {
            shown = shown.replace(&version, &"v".repeat(version.len()));
        }
    }
    let mut words: Vec<String> = shown.split(' ').map(str::to_owned).collect();
    let code =
        |word: &str| word.trim().len() == 16 && word.trim().bytes().all(|b| b.is_ascii_hexdigit());
    for word in words.iter_mut().filter(|word| code(word)) {
        *word = word.replace(|c: char| c.is_ascii_hexdigit(), "c");
    }
    words.join(" ")
}
