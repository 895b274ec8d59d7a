//! The code of a live version, recognised by its modules.

use super::module::{self, CONSOLE, MODULES, Module};

/// The length of [`super::Bundle::tag`].
const CODE: usize = 16;

/// The code's name from its modules, by their names; `None` when they are other modules than a bundle has, with the console or without.
pub fn code_of_modules(mut found: Vec<(String, Vec<u8>)>) -> Option<String> {
    let console = match found.len().checked_sub(MODULES.len())? {
        0 => None,
        1 => Some(CONSOLE),
        _ => return None,
    };
    let modules: Option<Vec<Module>> = MODULES
        .into_iter()
        .chain(console)
        .map(|(name, content_type)| {
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
        let page = module("console.page", "<p>");
        let with_page = code(&[&page, &script, &wasm]);
        assert_eq!(with_page, code(&[&wasm, &page, &script]));
        assert_eq!(with_page.as_deref().map(str::len), Some(CODE));
        assert_ne!(with_page, code(&[&script, &wasm]));
        let more = module("extra.js", "");
        assert_eq!(code(&[&script, &wasm, &more]), None);
        assert_eq!(code(&[&script, &wasm, &page, &more]), None);
        assert_eq!(code(&[&script, &more]), None);
        assert_eq!(code(&[&script, &page]), None);
        assert_eq!(code(&[&script]), None);
    }
}
