//! The code of a live version, recognised by its modules.

use super::module::{self, MODULES, Module};

/// The length of [`super::Bundle::tag`].
const CODE: usize = 16;

/// The code's name from the modules in a multipart body; `None` when it has other modules than a bundle has.
pub async fn code_of_multipart(body: &[u8], boundary: &str) -> Option<String> {
    let body = body.to_vec();
    let stream = futures_util::stream::once(async move { Ok::<_, std::convert::Infallible>(body) });
    let mut multipart = multer::Multipart::new(stream, boundary);
    let mut found = Vec::new();
    while let Some(field) = multipart.next_field().await.ok()? {
        let name = field.name().or(field.file_name())?.to_owned();
        // The API may add its metadata; a source map or another module makes it another program
        if name != "metadata" {
            found.push((name, field.bytes().await.ok()?.to_vec()));
        }
    }
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

    #[tokio::test]
    async fn modules_in_any_order_are_recognised_and_other_modules_are_not() {
        let part = |name: &str, text: &str| {
            format!(
                "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n{text}\r\n"
            )
        };
        let (script, wasm) = (part("index.js", "export {}"), part("index_bg.wasm", "wasm"));
        let one = code_of_multipart(format!("{script}{wasm}--b--\r\n").as_bytes(), "b").await;
        let other = code_of_multipart(format!("{wasm}{script}--b--\r\n").as_bytes(), "b").await;
        assert!(one.is_some());
        assert_eq!(one, other);
        let more = part("extra.js", "");
        assert_eq!(
            code_of_multipart(format!("{script}{wasm}{more}--b--\r\n").as_bytes(), "b").await,
            None
        );
    }
}
