//! Dotenv text: `KEY=value` lines.

use anyhow::bail;
use zeroize::Zeroizing;

use super::Value;

/// The value of `key`, the last one where it is there twice.
pub(super) fn find(text: &str, key: &str) -> anyhow::Result<Option<Value>> {
    let mut found = None;
    for pair in dotenvy::from_read_iter(text.as_bytes()) {
        match pair {
            Ok((name, value)) if name == key => found = Some(Value::new(value)),
            Ok((_, value)) => drop(Zeroizing::new(value)),
            // The error itself quotes the line
            Err(dotenvy::Error::LineParse(line, _)) => bail!(
                "line {} is not `KEY=value`",
                text.lines()
                    .position(|known| line.starts_with(known))
                    .map_or(1, |at| at + 1)
            ),
            Err(_) => bail!("it is not a dotenv file"),
        }
    }
    Ok(found)
}

/// The dotenv text `text` in which `key` is `value`; its other lines stay.
pub fn with(text: &str, key: &str, value: &Value) -> Zeroizing<String> {
    // Single quotes: nothing in them has a meaning, and a value of ours has none itself
    let line = Zeroizing::new(format!("{key}='{}'", value.expose()));
    let is_it = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.trim_start()
            .strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut written = Zeroizing::new(String::with_capacity(text.len() + line.len() + 1));
    for kept in text
        .lines()
        .filter(|line| !is_it(line))
        .chain([line.as_str()])
    {
        written.push_str(kept);
        written.push('\n');
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_replaced_and_everything_else_stays() {
        let before = "# ours\nWEBHOOK_SECRET_OLD=x\nexport WEBHOOK_SECRET=\"y\"\nLAST=z\n";
        let after = with(
            before,
            "WEBHOOK_SECRET",
            &Value::new("new$value".to_owned()),
        );
        assert_eq!(
            after.as_str(),
            "# ours\nWEBHOOK_SECRET_OLD=x\nLAST=z\nWEBHOOK_SECRET='new$value'\n"
        );
        let read = find(&after, "WEBHOOK_SECRET").unwrap().unwrap();
        assert_eq!(read.expose(), "new$value");
    }
}
