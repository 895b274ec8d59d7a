//! JSON that holds values.

use std::io::Write;

use anyhow::Context;
use serde::Serialize;
use zeroize::Zeroizing;

/// `content` as JSON, in a buffer of exactly its size that is zeroed when dropped. A buffer that grows would leave its earlier self
/// behind, so the text is written twice: the first time only to count.
pub(crate) fn json(content: &impl Serialize) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut size = Size(0);
    serde_json::to_writer(&mut size, content).context("writing JSON")?;
    let mut text = Zeroizing::new(Vec::with_capacity(size.0));
    serde_json::to_writer(&mut *text, content).context("writing JSON")?;
    Ok(text)
}

/// Counts what is written to it.
struct Size(usize);

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_text_is_serdes_own_in_a_buffer_that_never_grew(value in "\\PC*|[\"\\\\\n\u{1}]*") {
            let content = [("text", value)];
            let text = json(&content).unwrap();
            proptest::prop_assert_eq!(text.as_slice(), serde_json::to_vec(&content).unwrap());
            proptest::prop_assert_eq!(text.capacity(), text.len());
        }
    }
}
