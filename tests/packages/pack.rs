//! The package as npm makes it, in a project that has never seen this one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::json;

use super::Package;
use crate::npm;
use crate::support::Run;

/// A new project that has installed the packed client of staging. React and the types of an app are beside it.
pub(crate) fn fresh() -> &'static Path {
    static FRESH: OnceLock<PathBuf> = OnceLock::new();
    FRESH.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fresh-project");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let manifest = json!({ "name": "app", "private": true, "type": "module" });
        std::fs::write(folder.join("package.json"), manifest.to_string()).unwrap();
        let package = Package::generated("client", &[]);
        // As it is checked out: what it needs to be compiled is its own business
        std::fs::remove_file(package.folder.join("node_modules")).unwrap();
        std::fs::remove_file(package.folder.join("hosts.cjs")).unwrap();
        run(npm(&package.folder).arg("pack"));
        Run::new(["generate", "--check"])
            .inside(&package.project)
            .succeeds();
        let dist = std::fs::read_dir(package.folder.join("dist")).unwrap();
        let packed = dist
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|it| it == "tgz"))
            .unwrap();
        run(npm(&folder).args(["install", "--offline"]).arg(packed));
        let modules = folder.join("node_modules");
        std::fs::create_dir_all(modules.join("@types")).unwrap();
        for name in ["react", "@types/react", "@types/node"] {
            std::os::unix::fs::symlink(npm::modules().join(name), modules.join(name)).unwrap();
        }
        folder
    })
}

fn npm(folder: &Path) -> Command {
    let mut command = Command::new("npm");
    command
        .current_dir(folder)
        .args(["--loglevel=error", "--no-audit", "--no-fund"]);
    command
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

const APP: &str = r#"
    import { subscribe, type Gap, type State, type Update } from "glow-broadcast-staging-client";

    const prices = new Map<string, number>();
    const subscription = subscribe(["SOL", "BONK"], {
      onUpdate(update: Update, token) {
        if (update.type === "PRICE_UPDATE" && typeof update.price === "number") prices.set(token, update.price);
      },
      onState(state: State) {
        if (state.kind === "waiting" && state.retryAt > 0) return;
        if (state.kind === "open" && state.via !== "ws") subscription.wake();
      },
      onGap: (gap: Gap) => prices.delete(gap.reason),
      onError: (error) => String(error),
      aws: "wss://old.example/{token}",
    });
    const polled: number = subscription.counters().migration.connected.poll;
    subscription.close();
    // @ts-expect-error: an error only where these are types, and not `any`
    subscription.nothing(polled);
"#;

const SCREEN: &str = r#"
    import { useToken, wake, type TokenView } from "glow-broadcast-staging-client/react";

    export function usePrice(token: string | null): number | undefined {
      const { update, state }: TokenView = useToken(token, { url: "https://broadcast.example" });
      if (state?.kind === "waiting") wake();
      return typeof update?.price === "number" ? update.price : undefined;
    }
    // @ts-expect-error
    useToken(1);
"#;

/// The platform's own `WebSocket` is one that the client takes.
const PLATFORM: &str = r#"
    import { subscribe } from "glow-broadcast-staging-client";
    subscribe("SOL", { onUpdate() {}, WebSocket });
"#;

#[test]
fn it_installs_and_type_checks_in_a_fresh_project_for_browsers_node_and_react_native() {
    let folder = fresh();
    for (name, text) in [
        ("app.ts", APP),
        ("screen.ts", SCREEN),
        ("platform.ts", PLATFORM),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let react_native = npm::modules_world().join("react-native-0.82/src/types/globals.d.ts");
    let settings = json!({
        "browser": { "module": "esnext", "moduleResolution": "bundler", "target": "es2020", "lib": ["es2020", "dom"], "types": [] },
        "node": { "module": "nodenext", "target": "es2022", "lib": ["es2022"], "types": ["node"] },
        // Metro before 0.79 of React Native reads no `exports`, and there is no browser
        "react native": { "module": "esnext", "moduleResolution": "node10", "target": "es2020", "lib": ["es2020"], "types": [], "declared": react_native },
    });
    let output = Command::new("node")
        .arg(super::world("typecheck.mjs"))
        .arg(folder)
        .arg(settings.to_string())
        .current_dir(folder)
        .env("NPM_MODULES", npm::modules())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "checked\n");
}
