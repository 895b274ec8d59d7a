//! A lock that the operating system gives back however the process ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};

use super::file;
use crate::terminal::progress::Progress;

/// Holds `path` until the file is dropped; says so when another process makes it wait.
pub(crate) fn acquire(path: &Path, progress: &Progress) -> Result<File> {
    let context = || format!("cannot lock `{}`", path.display());
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot create `{}`", parent.display()))?;
    }
    let file = file::open_in_place()
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(context)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let _waiting = progress.start(format!(
                "waiting for another edge-broadcast that holds `{}`",
                path.display()
            ));
            file.lock().with_context(context)?;
            Ok(file)
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(context),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn two_holders_are_never_inside_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/lock");
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let _held = acquire(&path, &Progress::hidden()).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
    }
}
