//! Every kind of sender in a rotation, with a program of the test's in the place of the real one.

use std::os::unix::fs::PermissionsExt;

use super::{ADMIN, OLD, World, staging};
use crate::support::Run;

/// Writes its arguments, its environment and its standard input to files beside the key.
const RECORDS: &str = r#"#!/bin/sh
printf '%s\n' "$@" > arguments
env > environment
cat > input
echo "$(basename "$0") is done" >&2
"#;

fn with_program(world: &World, name: &str, script: &str) -> String {
    let bin = world.project.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join(name), script).unwrap();
    std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

fn read(world: &World, file: &str) -> String {
    std::fs::read_to_string(world.project.path().join(file)).unwrap_or_default()
}

/// A value in each variable that opens Cloudflare and that this run does not read, and in one of the user's own.
fn with_credentials(run: Run) -> Run {
    let names = ["CF_API_TOKEN", "CF_API_KEY", "CF_EMAIL", "CLOUDFLARE_EMAIL"];
    let names = names.iter().chain(&["CLOUDFLARE_API_USER_SERVICE_KEY"]);
    let run = names.fold(run, |run, name| run.env(name, "someone@canary"));
    run.env("CLOUDFLARE_API_KEY", "canary")
        .env("AWS_SECRET_ACCESS_KEY", "of-the-user")
}

#[track_caller]
fn gets_no_other_secret(world: &World, environment: &str) {
    for secret in ["canary", ADMIN, OLD, &world.sandbox.token] {
        assert!(!environment.contains(secret), "{environment}");
    }
}

#[test]
fn a_program_that_is_a_source_gets_what_the_user_has_and_no_other_secret() {
    let source = format!(
        "command:sh -c 'env > asked; echo {}'",
        ADMIN.replace("admin", "other")
    );
    let world = World::deployed(&staging(r#""sst""#).replace("env:ADMIN_SECRET", &source));
    std::fs::remove_file(world.project.path().join("asked")).unwrap();
    let set = world.run(&["secrets", "set", "staging", "ADMIN_SECRET"]);
    with_credentials(set).succeeds();
    let environment = read(&world, "asked");
    assert!(environment.contains("AWS_SECRET_ACCESS_KEY=of-the-user"));
    gets_no_other_secret(&world, &environment);
}

/// What the programs get, of which one rotation each is made.
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_program_gets_the_value_on_its_standard_input_and_nowhere_else() {
    let world = World::deployed(&staging(r#""sst""#));
    let mut key = OLD.to_owned();
    for (sender, program, arguments, before, after) in [
        (
            r#""sst""#,
            "sst",
            "secret\nload\n/dev/stdin\n--stage\nstaging\n",
            "EdgeBroadcastSecret=",
            "\n",
        ),
        (
            r#"{ kind = "sst", name = "Key", command = "npx sst secret load /dev/stdin --stage {stage}" }"#,
            "npx",
            "sst\nsecret\nload\n/dev/stdin\n--stage\nstaging\n",
            "Key=",
            "\n",
        ),
        (
            r#""github""#,
            "gh",
            "secret\nset\nWEBHOOK_SECRET\n--env\nstaging\n",
            "",
            "",
        ),
        (
            r#""aws-ssm""#,
            "aws",
            "ssm\nput-parameter\n--cli-input-json\nfile:///dev/stdin\n",
            r#"{"Name":"/glow-broadcast/staging/WEBHOOK_SECRET","Value":""#,
            r#"","Type":"SecureString","Overwrite":true}"#,
        ),
        (
            r#"{ kind = "command", command = "deploy-key {worker} {environment} {name}" }"#,
            "deploy-key",
            "glow-broadcast\nstaging\nWEBHOOK_SECRET\n",
            "",
            "",
        ),
    ] {
        world
            .project
            .write("environments/staging.toml", &staging(sender));
        let path = with_program(&world, program, RECORDS);
        // The source gives nothing: the old value is in no environment by way of this test
        let run = with_credentials(world.rotate(&["--finish"])).env("PATH", &path);
        let printed = run.env("WEBHOOK_SECRET", "").succeeds();
        assert!(
            printed.stderr.contains(&format!(": {program} is done\n")),
            "{}",
            printed.stderr
        );
        assert_eq!(read(&world, "arguments"), arguments);
        let input = read(&world, "input");
        let value = input
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .unwrap_or_else(|| panic!("{input}"));
        let environment = read(&world, "environment");
        assert!(!environment.contains(value), "{program}");
        assert!(environment.contains("AWS_SECRET_ACCESS_KEY=of-the-user"));
        gets_no_other_secret(&world, &environment);
        assert_eq!(
            (world.publish(&key).await, world.publish(value).await),
            (403, 200),
            "{program}"
        );
        value.clone_into(&mut key);
    }
}

/// `sst` reads `NAME=value` lines in a loop like this one, some versions without the last line if nothing ends it.
#[tokio::test(flavor = "multi_thread")]
async fn sst_keeps_the_whole_value_whatever_its_version_does_with_a_line_that_does_not_end() {
    let loop_of_lines = r#"#!/bin/sh
[ "$1 $2" = "secret load" ] || exit 2
while IFS= read -r line; do
  case "$line" in EdgeBroadcastSecret=*) printf %s "${line#*=}" > key ;; esac
done < "$3"
"#;
    let world = World::deployed(&staging(r#""sst""#));
    let path = with_program(&world, "sst", loop_of_lines);
    world.rotate(&["--finish"]).env("PATH", &path).succeeds();
    assert_ne!(world.key(), OLD);
    assert_eq!(world.publish(&world.key()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_gets_the_value_beside_what_it_holds_and_is_for_its_owner_only() {
    let world = World::deployed(&staging(r#"{ kind = "file", path = "keys.env" }"#));
    world.project.write("keys.env", "# ours\nOTHER=1\n");
    world.rotate(&["--finish"]).succeeds();
    let text = read(&world, "keys.env");
    let value = text
        .strip_prefix("# ours\nOTHER=1\nWEBHOOK_SECRET='")
        .and_then(|rest| rest.strip_suffix("'\n"))
        .unwrap_or_else(|| panic!("{text}"));
    assert_eq!(
        (world.publish(OLD).await, world.publish(value).await),
        (403, 200)
    );
    let metadata = std::fs::metadata(world.project.path().join("keys.env")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}
