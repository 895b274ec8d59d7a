//! Sources that ask on a terminal, on the terminal that `script` makes.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::{SCRIPT, SWITCH, World, staging};

const TYPED: &str = "typed-on-a-terminal-5d0c7b1e9a";

/// Runs `secrets set staging ADMIN_SECRET` on a terminal on which somebody types `typed` as soon as it shows `prompt`; everything
/// that the terminal showed.
fn on_a_terminal(world: &World, prompt: &str, typed: &str) -> (bool, String) {
    let binary = env!("CARGO_BIN_EXE_edge-broadcast");
    let run = world.run(&[]).env("TERM", "dumb").command();
    let mut command = Command::new("timeout");
    command
        .args(["60", "script", "--quiet", "--return", "--echo", "never"])
        .args([
            "--command",
            &format!("{binary} secrets set staging ADMIN_SECRET"),
        ])
        .arg("/dev/null")
        .current_dir(world.project.path())
        .env_remove("CI")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command.spawn().unwrap();
    let (mut keyboard, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut some = [0; 1024];
        while let Ok(read @ 1..) = screen.read(&mut some) {
            let _ = tell.send(String::from_utf8_lossy(&some[..read]).into_owned());
        }
    });
    let mut shown = String::new();
    loop {
        match told.recv_timeout(Duration::from_secs(1)) {
            Ok(more) if shown.contains(prompt) => shown += &more,
            Ok(more) => {
                shown += &more;
                if shown.contains(prompt) {
                    writeln!(keyboard, "{typed}").unwrap();
                }
            }
            // A prompt forgets what was typed before it reads: on a busy machine that can be all of it
            Err(RecvTimeoutError::Timeout) if shown.contains(prompt) => {
                let _ = writeln!(keyboard, "{typed}");
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    (child.wait().unwrap().success(), shown)
}

async fn opens(world: &World, admin: &str) -> u16 {
    let authorization = [("authorization", format!("Bearer {admin}"))];
    let answer = world.site().get_with("/secrets/uses", &authorization).await;
    answer.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_and_the_prompt_read_what_is_typed_on_the_terminal() {
    let world = World::deployed(&staging(SWITCH));
    for (number, (source, prompt)) in [
        // What a password manager does: the terminal itself, not the standard input
        (
            "command:sh -c 'stty -echo < /dev/tty; echo unlock >&2; read -r v < /dev/tty; echo $v'",
            "unlock",
        ),
        ("prompt", "Value of `ADMIN_SECRET`"),
    ]
    .into_iter()
    .enumerate()
    {
        let manifest = staging(SWITCH).replace(
            "source = \"env:ADMIN_SECRET\"",
            &format!("source = \"{source}\""),
        );
        world.project.write("environments/staging.toml", &manifest);
        let typed = format!("{TYPED}{number}");
        let (success, shown) = on_a_terminal(&world, prompt, &typed);
        assert!(success, "{shown}");
        assert!(shown.contains(&format!("is set on `{SCRIPT}`")), "{shown}");
        assert!(!shown.contains(&typed), "{shown}");
        assert_eq!(opens(&world, &typed).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_failing_source_printed_is_not_shown() {
    let world = World::deployed(&staging(SWITCH));
    let manifest = staging(SWITCH).replace(
        "env:ADMIN_SECRET",
        "command:sh -c 'echo half-a-value-of-hunter2; echo no session >&2; exit 3'",
    );
    world.project.write("environments/staging.toml", &manifest);
    let printed = world
        .run(&["secrets", "set", "staging", "ADMIN_SECRET"])
        .fails();
    assert_eq!(
        printed.stderr,
        "sh: no session\nerror: the secret `ADMIN_SECRET` has no value: its source `command:sh -c 'echo half-a-value-of-hunter2; echo no session >&2; exit 3'`: `sh` failed (exit status: 3)\n".to_owned()
    );
    assert_eq!(printed.stdout, "");
    let (success, shown) = on_a_terminal(&world, "no session", "");
    assert!(!success);
    assert!(shown.contains("no session"), "{shown}");
    assert_eq!(shown.matches("hunter2").count(), 1, "{shown}");
}
