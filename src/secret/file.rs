//! A JSON or dotenv file of several values, by key.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::{Value, dotenv};
use crate::terminal::advice::Advice;
use crate::terminal::utf8;

/// Reads the value of `key`.
pub(super) fn read(path: &Path, key: &str) -> anyhow::Result<Value> {
    let reading = || format!("reading `{}`", path.display());
    let bytes = std::fs::read(path)
        .map(Zeroizing::new)
        .with_context(reading)?;
    let text = utf8::text(&bytes).with_context(reading)?;
    if is_json(path) {
        let mut object = object(text)?;
        let found = object.remove(key);
        object.into_iter().for_each(|(_, value)| zero(value));
        match found {
            Some(Json::String(value)) => Ok(Value::new(value)),
            Some(_) => bail!("the key `{key}` is not a string"),
            None => bail!("the file has no key `{key}`"),
        }
    } else {
        dotenv::find(text, key)?.with_context(|| format!("the file has no key `{key}`"))
    }
}

/// The text of the file at `path`, which need not be there yet, in which `key` is `value`.
pub(super) fn with(path: &Path, key: &str, value: &Value) -> anyhow::Result<Zeroizing<String>> {
    let reading = || format!("reading `{}`", path.display());
    let before = match std::fs::read(path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Zeroizing::default(),
        Err(error) => return Err(error).with_context(reading),
    };
    let before = utf8::text(&before).with_context(reading)?;
    with_key(path, before, key, value).with_context(|| format!("`{}`", path.display()))
}

/// `before` in which `key` is `value`, in the form that a file at `path` has.
fn with_key(
    path: &Path,
    before: &str,
    key: &str,
    value: &Value,
) -> anyhow::Result<Zeroizing<String>> {
    match is_json(path) {
        true => with_json(before, key, value),
        false => dotenv::with(before, key, value),
    }
}

/// A file with one value, made by [`Written::new`]. It is gone with this, unless it stays.
#[derive(Debug)]
pub(crate) struct Written {
    path: PathBuf,
    stays: bool,
}

impl Written {
    /// Makes the file `path` with `key` and its value, for its owner only. What is there already, be it a link, is left alone.
    pub(crate) fn new(path: &Path, key: &str, value: &Value) -> anyhow::Result<Self> {
        let text = with_key(path, "", key, value)?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let mut file = match file {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(Advice::new(
                format!(
                    "`{}` exists already, and no file is overwritten",
                    path.display()
                ),
                "name another file, or remove this one"
            )),
            file => file.with_context(|| format!("making `{}`", path.display()))?,
        };
        let written = Self {
            path: path.to_owned(),
            stays: false,
        };
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .with_context(|| format!("writing `{}`", path.display()))?;
        Ok(written)
    }

    /// From here on the file stays, whatever ends the run: its value may be the only one that is live.
    pub(crate) fn keep(&mut self) {
        self.stays = true;
    }

    /// Removes the file, whose value is live nowhere.
    pub(crate) fn remove(mut self) {
        self.stays = false;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.stays {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A file whose name ends with `.json` is JSON, every other one is dotenv.
fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

/// The JSON text `text` (or nothing) in which `key` is `value`.
fn with_json(text: &str, key: &str, value: &Value) -> anyhow::Result<Zeroizing<String>> {
    let mut object = if text.trim().is_empty() {
        serde_json::Map::new()
    } else {
        object(text)?
    };
    object.insert(key.to_owned(), Json::String(value.expose().to_owned()));
    // Room for all of it from the start: a buffer that grows leaves its earlier self behind
    let mut written = Zeroizing::new(Vec::with_capacity(
        2 * (text.len() + key.len()) + 16 * value.expose().len() + 64,
    ));
    let result = serde_json::to_writer_pretty(&mut *written, &object).context("writing JSON");
    object.into_iter().for_each(|(_, value)| zero(value));
    result?;
    written.push(b'\n');
    let text = String::from_utf8(std::mem::take(&mut *written)).context("writing JSON")?;
    Ok(Zeroizing::new(text))
}

fn zero(value: Json) {
    match value {
        Json::String(text) => drop(Zeroizing::new(text)),
        Json::Array(values) => values.into_iter().for_each(zero),
        Json::Object(values) => values.into_iter().for_each(|(_, value)| zero(value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn object(text: &str) -> anyhow::Result<serde_json::Map<String, Json>> {
    // The parser's own message could quote what stands in the file
    serde_json::from_str(text).map_err(|error| {
        anyhow::anyhow!(
            "it is not a JSON object (line {}, column {})",
            error.line(),
            error.column()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_written_file_is_new_for_its_owner_only_and_gone_unless_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let value = Value::new("marker-of-the-file-test".to_owned());
        for (name, text) in [
            ("new.env", "KEY='marker-of-the-file-test'\n"),
            ("new.json", "{\n  \"KEY\": \"marker-of-the-file-test\"\n}\n"),
        ] {
            let path = folder.path().join(name);
            drop(Written::new(&path, "KEY", &value).unwrap());
            assert!(!path.exists());
            let kept = || {
                let mut written = Written::new(&path, "KEY", &value).unwrap();
                written.keep();
                written
            };
            kept().remove();
            assert!(!path.exists());
            drop(kept());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(read(&path, "KEY").unwrap().expose(), value.expose());
        }
    }

    #[test]
    fn nothing_is_overwritten_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let value = Value::new("marker-of-the-file-test".to_owned());
        let (there, link) = (folder.path().join("there"), folder.path().join("link"));
        symlink(folder.path().join("elsewhere"), &link).unwrap();
        std::fs::write(&there, "theirs").unwrap();
        for path in [&there, &link] {
            let error = Written::new(path, "KEY", &value).unwrap_err();
            let wanted = format!(
                "`{}` exists already, and no file is overwritten",
                path.display()
            );
            assert_eq!(error.to_string(), wanted);
        }
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "theirs");
        assert!(!folder.path().join("elsewhere").exists());
        let nowhere = folder.path().join("none/new.env");
        let error = Written::new(&nowhere, "KEY", &value).unwrap_err();
        assert_eq!(error.to_string(), format!("making `{}`", nowhere.display()));
    }
}
