//! How large a Worker is: as it is, and as Cloudflare counts it, compressed.

use std::fmt;
use std::io::Write;
use std::ops::Add;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::module::Module;

/// Bytes, and bytes after gzip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// All modules.
    pub bytes: u64,
    /// All modules, each compressed.
    pub gzip_bytes: u64,
}

impl Size {
    /// Measures a Worker's modules.
    pub fn of(modules: &[Module]) -> Result<Self> {
        modules.iter().try_fold(Self::default(), |sum, module| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder
                .write_all(&module.bytes)
                .and_then(|()| encoder.finish())
                .map(|compressed| {
                    sum + Self {
                        bytes: module.bytes.len() as u64,
                        gzip_bytes: compressed.len() as u64,
                    }
                })
                .with_context(|| format!("cannot compress `{}`", module.name))
        })
    }
}

impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            gzip_bytes: self.gzip_bytes + other.gzip_bytes,
        }
    }
}

/// `172.5 KB, 58.1 KB gzip`
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let kilobytes = |bytes: u64| format!("{:.1} KB", bytes as f64 / 1000.0);
        write!(
            f,
            "{}, {} gzip",
            kilobytes(self.bytes),
            kilobytes(self.gzip_bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_worker_is_the_sum_of_its_modules() {
        let module = |name, length| Module {
            name,
            content_type: "text/plain",
            bytes: vec![b'x'; length],
        };
        let size = Size::of(&[module("a", 1000), module("b", 2500)]).unwrap();
        assert_eq!(size.bytes, 3500);
        assert!((1..100).contains(&size.gzip_bytes), "{size}");
    }

    #[test]
    fn a_size_is_shown_in_kilobytes() {
        let size = Size {
            bytes: 172_480,
            gzip_bytes: 58_100,
        };
        assert_eq!(size.to_string(), "172.5 KB, 58.1 KB gzip");
    }
}
