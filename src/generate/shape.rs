//! Schemas as every document reads them.

use serde_json::Value;

/// A member of an object.
pub(super) struct Member<'a> {
    pub name: &'a str,
    pub schema: &'a Value,
    pub is_required: bool,
}

/// The members that a schema describes: first those that are always there, in their order on the wire.
pub(super) fn members(schema: &Value) -> Vec<Member<'_>> {
    let Some(properties) = schema["properties"].as_object() else {
        return Vec::new();
    };
    let required = schema["required"].as_array().into_iter().flatten();
    let required: Vec<&str> = required.filter_map(Value::as_str).collect();
    let always = required.iter().filter_map(|name| {
        let schema = properties.get(*name)?;
        Some(Member {
            name,
            schema,
            is_required: true,
        })
    });
    let sometimes = properties
        .iter()
        .filter(|(name, _)| !required.contains(&name.as_str()));
    let sometimes = sometimes.map(|(name, schema)| Member {
        name,
        schema,
        is_required: false,
    });
    always.chain(sometimes).collect()
}

/// A text without links to headings, which only `protocol.md` has.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("](#") {
        let (outside, shown) = before.rsplit_once('[').unwrap_or((before, ""));
        plain += outside;
        plain += shown;
        rest = link.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

/// The same of every description in a document.
pub(super) fn plain_all(mut document: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(text)) = members.get_mut("description") {
                    *text = plain(text);
                }
                members.values_mut().for_each(walk);
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut document);
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_heading_is_its_text() {
        let text = "of a [batch](#a-batch), or [one](#one); see [RFC](https://x) and `a[]`";
        let shown = "of a batch, or one; see [RFC](https://x) and `a[]`";
        assert_eq!(plain(text), shown);
        assert_eq!(plain("none"), "none");
    }
}
