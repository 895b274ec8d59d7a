//! The body of an answer, read up to a bound: whoever answers cannot fill the memory.
//!
//! No compression is asked for and none is undone (`reqwest` is built without it), so what is read is what was sent.

/// More than any JSON answer of Cloudflare or of the workers has.
pub(crate) const JSON: usize = 16 * 1024 * 1024;

/// The body; `None` when it is larger than `most` bytes. No more than that is kept, and reading stops.
pub(crate) async fn read(
    mut response: reqwest::Response,
    most: usize,
) -> reqwest::Result<Option<Vec<u8>>> {
    let said = response.content_length().unwrap_or_default();
    if usize::try_from(said).map_or(true, |said| said > most) {
        return Ok(None);
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        if part.len() > most - body.len() {
            return Ok(None);
        }
        body.extend_from_slice(&part);
    }
    Ok(Some(body))
}

/// A bound for people: `16 MiB`.
pub(crate) fn shown(most: usize) -> String {
    const MIB: usize = 1024 * 1024;
    match most % MIB {
        0 => format!("{} MiB", most / MIB),
        _ => format!("{most} bytes"),
    }
}
