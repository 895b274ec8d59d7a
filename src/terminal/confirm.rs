//! Questions to the person at the terminal. Where nobody can be asked, the answer is no.

use std::fmt::Display;
use std::io::IsTerminal;

use anyhow::{Context, bail};

use crate::terminal::advice::Advice;
use crate::terminal::{escape, output};

/// Whether a question would be seen and answered.
fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && std::env::var_os("CI").is_none()
}

/// Asks for the name of a protected environment before `what` happens to it. `look` is the command that shows it.
pub(crate) fn protected(name: &str, what: &impl Display, look: &str) -> anyhow::Result<()> {
    if !somebody_is_there() {
        bail!(Advice::new(
            format!("`{name}` is protected and can be confirmed on a terminal only"),
            format!("look at `edge-broadcast {look} {name}`, then run with `--yes`")
        ));
    }
    typed(name, what, &format!("`{name}` is protected"))
}

/// Asks for the name of what is destroyed by `what`, whatever it is; `flag` names it where nobody can be asked.
pub(crate) fn destruction(name: &str, what: &impl Display, flag: &str) -> anyhow::Result<()> {
    if !somebody_is_there() {
        bail!(Advice::new(
            format!("nothing was destroyed: nobody is there to confirm it for `{name}`"),
            format!("run with `{flag} {name}` to destroy exactly that")
        ));
    }
    typed(name, what, &format!("this destroys `{name}`"))
}

/// Shows `what`, and goes on only when `name` is typed.
fn typed(name: &str, what: &impl Display, why: &str) -> anyhow::Result<()> {
    output::tell(&format!("{what}\n"));
    let typed: String = dialoguer::Input::new()
        .with_prompt(format!("{why}. Type its name to go on"))
        .allow_empty(true)
        .interact_text()
        .context("asking for confirmation")?;
    if typed != name {
        bail!("nothing was changed: `{typed}` is not `{name}`");
    }
    Ok(())
}

/// Asks whether to go on; `flag` says yes where nobody can be asked.
pub(crate) fn go_on(question: &str, flag: &str) -> anyhow::Result<()> {
    if !somebody_is_there() {
        bail!(Advice::new(
            question,
            format!("run with `{flag}` to accept that")
        ));
    }
    let yes = dialoguer::Confirm::new()
        .with_prompt(escape::line(&format!("{question}. Go on?")))
        .default(false)
        .interact()
        .context("asking for confirmation")?;
    if !yes {
        bail!("nothing was changed");
    }
    Ok(())
}
