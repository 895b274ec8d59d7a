//! "did you mean …?"

/// The name of `known` that `wrong` most probably meant, if any is near enough.
pub(crate) fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), *name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_is_suggested() {
        let known = ["local", "production", "staging"];
        assert_eq!(nearest("stagign", &known), Some("staging"));
        assert_eq!(nearest("prod", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
