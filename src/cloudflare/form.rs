//! The form of an upload: what a version is, and its files.

use bytes::Bytes;
use reqwest::multipart::{Form, Part};

/// A file: as other modules import it, as the upload declares it, and what is in it.
pub(super) type File<'a> = (&'a str, &'a str, &'a [u8]);

/// The form with `metadata` and `files`. Their types are media types: constants, or looked at when they were read.
pub(super) fn form<'a>(metadata: &Bytes, files: impl IntoIterator<Item = File<'a>>) -> Form {
    let form = Form::new().part("metadata", Part::stream(metadata.clone()));
    let files = files.into_iter();
    files.fold(form, |form, (name, content_type, bytes)| {
        let part = Part::bytes(bytes.to_vec()).file_name(name.to_owned());
        let part = part.mime_str(content_type);
        form.part(name.to_owned(), part.expect("the types are media types"))
    })
}
