//! What waits for something, by number. A few at most, so a list does, which is far smaller as code than a tree is.

/// Values by their numbers.
#[derive(Debug)]
pub struct Pending<T>(Vec<(u32, T)>);

impl<T> Default for Pending<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Pending<T> {
    /// Keeps `value` under a number that is free.
    pub fn insert(&mut self, number: u32, value: T) {
        self.0.push((number, value));
    }

    /// Takes what is kept under `number`.
    pub fn remove(&mut self, number: u32) -> Option<T> {
        let at = self.0.iter().position(|(kept, _)| *kept == number)?;
        Some(self.0.remove(at).1)
    }

    /// What is kept under `number`.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        let mut kept = self.0.iter_mut();
        kept.find(|(kept, _)| *kept == number)
            .map(|(_, value)| value)
    }

    /// All of it, the oldest first.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    /// What was kept last.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        self.0.last_mut().map(|(_, value)| value)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_number_until_it_is_taken() {
        let mut pending = Pending::default();
        pending.insert(7, "a");
        pending.insert(9, "b");
        assert_eq!(pending.get_mut(9), Some(&mut "b"));
        assert_eq!(pending.remove(7), Some("a"));
        assert_eq!(pending.remove(7), None);
        assert_eq!(pending.last_mut(), Some(&mut "b"));
        assert_eq!(pending.values().collect::<Vec<_>>(), [&"b"]);
        assert!(!pending.is_empty());
    }
}
