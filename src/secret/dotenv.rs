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
pub(super) fn with(text: &str, key: &str, value: &Value) -> anyhow::Result<Zeroizing<String>> {
    // In single quotes nothing has a meaning. Of a quote or a backslash within, every reader makes something else
    if value
        .expose()
        .contains(|c: char| "'\\".contains(c) || c.is_control())
    {
        bail!(
            "the value has a quote, a backslash or a control character, which dotenv readers do not agree on; use a JSON file"
        );
    }
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
    Ok(written)
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
        )
        .unwrap();
        assert_eq!(
            after.as_str(),
            "# ours\nWEBHOOK_SECRET_OLD=x\nLAST=z\nWEBHOOK_SECRET='new$value'\n"
        );
        let read = find(&after, "WEBHOOK_SECRET").unwrap().unwrap();
        assert_eq!(read.expose(), "new$value");
    }

    #[test]
    fn a_value_that_readers_would_not_agree_on_is_refused_and_not_shown() {
        for value in ["it's", "back\\slash", "two\nlines", "a\0b"] {
            let error = with("", "KEY", &Value::new(value.to_owned())).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the value has a quote, a backslash or a control character, which dotenv readers do not agree on; use a JSON file"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn every_other_value_is_read_back_as_it_was_written(value in r"[ -&(-\[\]-~]{0,60}") {
            let text = with("OTHER='kept'\n", "KEY", &Value::new(value.clone())).unwrap();
            let read = |key| find(&text, key).unwrap().unwrap().expose().to_owned();
            proptest::prop_assert_eq!(read("KEY"), value);
            proptest::prop_assert_eq!(read("OTHER"), "kept");
        }
    }
}
