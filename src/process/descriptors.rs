//! How many files and sockets this process may have open.

use anyhow::bail;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::terminal::advice::Advice;

/// Raises the limit to `needed` where it is lower.
///
/// # Errors
/// The system allows no more than less.
pub(crate) fn allow(needed: u64) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < needed) {
        bail!(Advice::new(
            format!("{needed} open files and sockets are needed, and the system allows {most}"),
            "open fewer sockets, or raise the limit (`ulimit -Hn`)"
        ));
    }
    limit.current = Some(needed);
    setrlimit(Resource::Nofile, limit)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_already_stays_and_what_the_system_does_not_allow_is_refused() {
        let before = getrlimit(Resource::Nofile);
        allow(1).unwrap();
        assert_eq!(getrlimit(Resource::Nofile), before);
        if let Some(most) = before.maximum {
            let refused = allow(most + 1).unwrap_err();
            assert_eq!(
                Advice::of(&refused).line(),
                format!(
                    "{} open files and sockets are needed, and the system allows {most}; open fewer sockets, or raise the limit (`ulimit -Hn`)",
                    most + 1
                )
            );
        }
    }
}
