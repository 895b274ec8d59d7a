//! The environment variables that a program gets: what it needs for its purpose, and no more.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

/// What a program is for, which says what it gets of this process's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Compiles, or tells about a compiler: cargo, rustc, rustup, and what these start. That is code of many people (build scripts,
    /// macros), so it gets no token, also none for a registry: cargo finds those in its own files.
    Build,
    /// Installs packages and runs no code of theirs: npm.
    Install,
    /// Reads the value of a secret or takes one: a program that the user chose, with accounts of its own (`aws`, `op`, `vault`).
    Secret(Withheld),
}

/// Variables that no program needs which reads or takes a secret: they hold what opens Cloudflare, or the values of secrets.
/// Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld(Arc<BTreeSet<String>>);

impl FromIterator<String> for Withheld {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(Arc::new(names.into_iter().collect()))
    }
}

/// What every program needs: where programs, folders and the words of messages are.
const EVERYWHERE: [&str; 11] = [
    "HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER",
    "NO_COLOR",
];

/// What a program needs that speaks with the network: proxies, and whom it trusts. Proxies are read in small letters too.
const NETWORK: [&str; 7] = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

/// What compilers and linkers are found by and configured with.
const BUILD: [&str; 24] = [
    "AR",
    "CC",
    "CFLAGS",
    "CPATH",
    "CXX",
    "CXXFLAGS",
    "C_INCLUDE_PATH",
    "DEVELOPER_DIR",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LD",
    "LDFLAGS",
    "LD_LIBRARY_PATH",
    "LIBRARY_PATH",
    "MACOSX_DEPLOYMENT_TARGET",
    "NODE_OPTIONS",
    "PKG_CONFIG",
    "PKG_CONFIG_PATH",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SDKROOT",
];

/// The same of families of variables: cargo's settings, and those of what puts versions of programs on the PATH.
const BUILD_FAMILIES: [&str; 10] = [
    "ASDF_", "CARGO_", "CCACHE_", "LC_", "MISE_", "NIX_", "RUSTUP_", "SCCACHE_", "VOLTA_", "XDG_",
];

/// What npm reads beside its files; the last two are what it logs in to its registry with.
const INSTALL: [&str; 3] = ["NODE_OPTIONS", "NODE_AUTH_TOKEN", "NPM_TOKEN"];
const INSTALL_FAMILIES: [&str; 9] = [
    "ASDF_",
    "FNM_",
    "LC_",
    "MISE_",
    "NODENV_",
    "NPM_CONFIG_",
    "NVM_",
    "VOLTA_",
    "XDG_",
];

/// What cargo sets for the programs that it runs: it is about another package than the one that is built.
const OF_ANOTHER_PACKAGE: [&str; 4] = [
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_MANIFEST_",
    "CARGO_PKG_",
];

/// How the names of variables end that hold what opens something. Of a family, these are left out.
const SECRETIVE: [&str; 7] = [
    "AUTH",
    "CREDENTIAL",
    "CREDENTIALS",
    "KEY",
    "PASSWORD",
    "SECRET",
    "TOKEN",
];

impl Purpose {
    /// What a program of this purpose gets of the variables `all`.
    pub(super) fn share(
        &self,
        all: impl Iterator<Item = (OsString, OsString)>,
    ) -> impl Iterator<Item = (OsString, OsString)> {
        all.filter(|(name, _)| self.lets_through(name))
    }

    fn lets_through(&self, name: &OsStr) -> bool {
        // Whatever is not text is no variable of ours, and none of those on a list
        let Some(name) = name.to_str() else {
            return matches!(self, Self::Secret(_));
        };
        let (names, families) = match self {
            Self::Secret(withheld) => return !withheld.0.contains(name),
            Self::Build => (&BUILD[..], &BUILD_FAMILIES[..]),
            Self::Install => (&INSTALL[..], &INSTALL_FAMILIES[..]),
        };
        let upper = name.to_ascii_uppercase();
        let begins = |families: &[&str]| families.iter().any(|begin| upper.starts_with(begin));
        EVERYWHERE.contains(&name)
            || names.contains(&name)
            // `https_proxy` is what curl reads, `npm_config_registry` what npm sets
            || NETWORK.contains(&upper.as_str())
            || (begins(families) && !begins(&OF_ANOTHER_PACKAGE) && !is_secretive(&upper))
    }
}

fn is_secretive(upper: &str) -> bool {
    SECRETIVE.iter().any(|end| upper.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gets(purpose: &Purpose, name: &str) -> bool {
        let all = [(OsString::from(name), OsString::from("value"))];
        purpose.share(all.into_iter()).next().is_some()
    }

    #[test]
    fn a_tool_gets_what_it_needs_and_no_secret_whatever_its_name() {
        for (name, build, install) in [
            ("PATH", true, true),
            ("HOME", true, true),
            ("LC_ALL", true, true),
            ("https_proxy", true, true),
            ("NO_PROXY", true, true),
            ("SSL_CERT_FILE", true, true),
            ("NODE_EXTRA_CA_CERTS", true, true),
            ("CARGO_HOME", true, false),
            ("CARGO_NET_OFFLINE", true, false),
            ("RUSTUP_TOOLCHAIN", true, false),
            ("npm_config_registry", false, true),
            ("NODE_AUTH_TOKEN", false, true),
            ("CARGO_PKG_NAME", false, false),
            ("CARGO_REGISTRY_TOKEN", false, false),
            ("CARGO_REGISTRIES_OURS_TOKEN", false, false),
            ("npm_config__auth", false, false),
            ("MISE_GITHUB_TOKEN", false, false),
            ("CLOUDFLARE_API_TOKEN", false, false),
            ("WEBHOOK_SECRET", false, false),
            ("AWS_SECRET_ACCESS_KEY", false, false),
            ("OP_SESSION_glow", false, false),
            ("GITHUB_TOKEN", false, false),
            ("path", false, false),
            ("HARMLESS", false, false),
        ] {
            assert_eq!(gets(&Purpose::Build, name), build, "{name} in a build");
            assert_eq!(gets(&Purpose::Install, name), install, "{name} for npm");
        }
    }

    #[test]
    fn a_program_of_a_secret_gets_the_users_environment_but_what_is_withheld() {
        let withheld = Withheld::from_iter(["CLOUDFLARE_API_TOKEN".to_owned()]);
        let secret = Purpose::Secret(withheld);
        for (name, is_there) in [
            ("AWS_SECRET_ACCESS_KEY", true),
            ("OP_SESSION_glow", true),
            ("VAULT_TOKEN", true),
            ("CLOUDFLARE_API_TOKEN", false),
        ] {
            assert_eq!(gets(&secret, name), is_there, "{name}");
        }
    }
}
