//! Text that people or programs wrote into a file or a pipe.

use std::str::from_utf8;

use super::advice::Advice;

/// The byte order mark of UTF-8, which editors and programs of Windows write, and which is no part of the text.
const MARK: char = '\u{feff}';

/// The text of `bytes`, without a byte order mark. The error is what they are instead, as of "it", and repeats none of them.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Advice> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Advice::new(
            "it is UTF-16, as `>` of Windows PowerShell writes it",
            "save it as UTF-8: `iconv -f UTF-16 -t UTF-8`, or `Set-Content -Encoding utf8` instead of `>`",
        ));
    }
    match from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix(MARK).unwrap_or(text)),
        Err(_) => Err(Advice::new("it is not text in UTF-8", "save it as UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_left_out_and_another_encoding_is_named() {
        assert_eq!(text(b"\xef\xbb\xbfA=1"), Ok("A=1"));
        assert_eq!(text("ä".as_bytes()), Ok("ä"));
        let said = |bytes: &[u8]| format!("{:#}", text(bytes).unwrap_err());
        for utf_16 in [&b"\xff\xfeA\0"[..], b"\xfe\xff\0A"] {
            assert_eq!(
                said(utf_16),
                "it is UTF-16, as `>` of Windows PowerShell writes it\nhelp: save it as UTF-8: `iconv -f UTF-16 -t UTF-8`, or `Set-Content -Encoding utf8` instead of `>`"
            );
        }
        assert_eq!(
            said(b"caf\xe9"),
            "it is not text in UTF-8\nhelp: save it as UTF-8"
        );
    }
}
