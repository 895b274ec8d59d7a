//! The generated TypeScript, under the strict compiler.

use std::process::Command;

use crate::npm;
use crate::support::repository;

#[test]
fn the_generated_handler_and_client_pass_the_strict_typescript_compiler() {
    for environment in ["local", "staging", "production"] {
        let folder = tempfile::tempdir().unwrap();
        let sst = repository().join(format!("generated/{environment}/sst"));
        for file in ["heliusPrice.ts", "client.ts", "secrets.ts"] {
            std::fs::copy(sst.join(file), folder.path().join(file)).unwrap();
        }
        // What SST declares for its configuration, as far as the snippet uses it
        let declared = "declare namespace sst { class Secret { constructor(name: string, placeholder?: string); value: string } }\n";
        std::fs::write(folder.path().join("sst.d.ts"), declared).unwrap();
        std::os::unix::fs::symlink(npm::modules(), folder.path().join("node_modules")).unwrap();
        let output = Command::new("node")
            .arg(npm::modules().join("typescript/bin/tsc"))
            .args(["--noEmit", "--strict", "--noUnusedLocals", "--skipLibCheck"])
            .args([
                "--target",
                "es2022",
                "--module",
                "esnext",
                "--moduleResolution",
                "bundler",
            ])
            .args(["--lib", "es2022,dom", "--types", "node"])
            .args(["heliusPrice.ts", "client.ts", "secrets.ts", "sst.d.ts"])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{environment}:\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
