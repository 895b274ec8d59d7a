//! Analytics Engine data points. The columns are a contract with `edge-broadcast stats`.
//!
//! `index1` token, `blob1` event, `blob2` detail, `blob3` region, `double1` count, `double2` bytes, `double3` milliseconds.

/// One data point.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub index: String,
    pub blobs: [String; 3],
    pub doubles: [f64; 3],
}

/// The event that a data point counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A socket was opened; the count is the sockets of its object.
    Connect,
    /// A socket was closed; the detail is the close code, the count the sockets left.
    Disconnect,
    /// A frame was sent; the count is the sockets that got it, the time that of the whole room.
    Broadcast,
    /// A publish was accepted; the detail is the secret slot.
    Publish,
    /// A request was refused; the detail is the error code.
    Refusal,
}

impl Event {
    /// The word in `blob1`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Broadcast => "broadcast",
            Self::Publish => "publish",
            Self::Refusal => "refusal",
        }
    }
}

impl Point {
    /// A data point of one `event`.
    pub fn new(token: &str, event: Event, detail: &str) -> Self {
        Self {
            index: token.to_owned(),
            blobs: [event.name().to_owned(), detail.to_owned(), String::new()],
            doubles: [1.0, 0.0, 0.0],
        }
    }

    /// Sets `blob3`.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.blobs[2]);
        self
    }

    /// Sets `double1`.
    #[must_use]
    pub fn count(mut self, count: u32) -> Self {
        self.doubles[0] = f64::from(count);
        self
    }

    /// Sets `double2`.
    #[must_use]
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.doubles[1] = bytes as f64;
        self
    }

    /// Sets `double3`.
    #[must_use]
    pub fn took(mut self, milliseconds: u64) -> Self {
        self.doubles[2] = milliseconds as f64;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_its_place() {
        let point = Point::new("SOL", Event::Broadcast, "batch")
            .region("eu")
            .count(3)
            .bytes(200)
            .took(7);
        assert_eq!(point.index, "SOL");
        assert_eq!(point.blobs, ["broadcast", "batch", "eu"]);
        assert_eq!(point.doubles, [3.0, 200.0, 7.0]);
    }
}
