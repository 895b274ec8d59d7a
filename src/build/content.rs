//! The code of a live version, recognised by its modules.

use super::module::{self, MODULES, Module};

/// The length of [`super::Bundle::tag`].
const CODE: usize = 16;

/// The code's name from its modules, by their names; `None` when they are other modules than a bundle has.
pub fn code_of_modules(mut found: Vec<(String, Vec<u8>)>) -> Option<String> {
    if found.len() != MODULES.len() {
        return None;
    }
    let modules: Option<Vec<Module>> = MODULES
        .iter()
        .map(|&(name, content_type)| {
            let at = found.iter().position(|(found, _)| found == name)?;
            Some(Module {
                name,
                content_type,
                bytes: found.swap_remove(at).1,
            })
        })
        .collect();
    Some(module::hash(&modules?)[..CODE].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_in_any_order_are_recognised_and_other_modules_are_not() {
        let module = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let (script, wasm) = (
            module("index.js", "export {}"),
            module("index_bg.wasm", "wasm"),
        );
        let code = |modules: &[&(String, Vec<u8>)]| {
            code_of_modules(modules.iter().map(|&module| module.clone()).collect())
        };
        assert_eq!(code(&[&script, &wasm]).as_deref().map(str::len), Some(CODE));
        assert_eq!(code(&[&script, &wasm]), code(&[&wasm, &script]));
        let more = module("extra.js", "");
        assert_eq!(code(&[&script, &wasm, &more]), None);
        assert_eq!(code(&[&script, &more]), None);
    }
}
