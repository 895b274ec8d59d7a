//! The JSON schema of a manifest, for editors: of the types that read it, and for each name or value the rule of its type.
//!
//! A schema cannot say every rule (a day that is in no calendar, a host that is not in the zone): it never refuses what a type takes.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::manifest::Manifest;
use super::name::{
    AccountId, CONTINENTS, CompatibilityDate, Continent, Dataset, Decimal, HeaderName, Host,
    JURISDICTIONS, Jurisdiction, LOCATION_HINTS, LocationHint, MemberNames, Origin, Owner,
    RegionName, SecretName, Span, SstName, Stages, Whole, WorkerName,
};
use crate::secret::{Source, sender};

/// Where it stands: beside the manifests, which name it in their first line.
pub(crate) const PATH: &str = "environments/environment.schema.json";

/// The schema (JSON Schema, draft 2020-12).
pub(crate) fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12();
    settings
        .into_generator()
        .into_root_schema_for::<Manifest>()
        .into()
}

/// One label of a host.
const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

/// Lower-case letters, digits and dashes, as `is_dashed` has them.
fn dashed(most: usize) -> Schema {
    let pattern = format!("^[a-z]([a-z0-9-]{{0,{}}}[a-z0-9])?$", most - 2);
    json_schema!({ "type": "string", "pattern": pattern })
}

macro_rules! schemas {
    ($($name:ident: $schema:expr;)*) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

schemas! {
    WorkerName: dashed(40);
    RegionName: dashed(20);
    SstName: dashed(40);
    Owner: json_schema!({ "type": "string", "pattern": "^[a-z0-9._~/-]{1,63}$" });
    Host: json_schema!({ "type": "string", "maxLength": 253, "pattern": format!(r"^{LABEL}(\.{LABEL})+$") });
    AccountId: json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" });
    CompatibilityDate: json_schema!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" });
    Origin: json_schema!({ "type": "string", "pattern": format!(r"^https?://(localhost|(\*\.)?{LABEL}(\.{LABEL})+)(:[1-9][0-9]{{0,4}})?$") });
    LocationHint: json_schema!({ "enum": LOCATION_HINTS });
    Jurisdiction: json_schema!({ "enum": JURISDICTIONS.map(|(name, _)| name) });
    Continent: json_schema!({ "enum": CONTINENTS });
    SecretName: json_schema!({ "type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,63}$" });
    HeaderName: json_schema!({ "type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$" });
    Dataset: json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9_]{0,63}$" });
    MemberNames: json_schema!({
        "type": "array",
        "items": { "type": "string", "minLength": 1, "maxLength": 64 },
        "minItems": 1, "maxItems": 4, "uniqueItems": true,
    });
    Stages: json_schema!({
        "type": "array",
        "items": { "type": "integer", "minimum": 1, "maximum": 100 },
        "contains": { "const": 100 }, "uniqueItems": true,
        "description": "Growing percentages that end with 100.",
    });
    Source: json_schema!({
        "type": "string",
        "pattern": "^(env:[A-Za-z0-9_]+|file:.+|command:.+|prompt)$",
        "description": "Where the value comes from, never the value: `env:NAME`, `file:PATH`, `file:PATH#KEY`, `command:…` or `prompt`.",
    });
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Whole<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Whole{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Decimal<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Decimal{MIN}To{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": MIN, "maximum": MAX })
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Span<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Span{MIN}To{MAX}").into()
    }

    /// Of its form only: what its units add up to is the type's to say.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^\s*(0|[0-9]+\s*[A-Za-zµ]+(\s*[0-9]+\s*[A-Za-zµ]+)*)\s*$", "examples": ["10ms", "90s", "90d"] })
    }
}

impl JsonSchema for sender::Entry {
    fn schema_name() -> Cow<'static, str> {
        "Sender".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds = ["sst", "command", "file", "github", "aws-ssm"];
        let text = json_schema!({ "type": "string" });
        json_schema!({
            "oneOf": [
                { "enum": kinds },
                {
                    "type": "object",
                    "properties": { "kind": { "enum": kinds }, "command": text, "path": text, "name": text },
                    "required": ["kind"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

/// `conflate`, whose type is the protocol's.
pub(super) fn conflate(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["latest", "all", null] })
}

/// The period of a rate limit: Cloudflare counts over one of two.
pub(super) fn period(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": [10, 60] })
}

#[cfg(test)]
mod tests {
    use jsonschema::Validator;
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn validator<T: JsonSchema>() -> Validator {
        let schema = SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<T>();
        jsonschema::validator_for(&schema.into()).unwrap()
    }

    /// A type that takes a value whose schema refuses it would be underlined in an editor for nothing.
    fn takes_no_less<T: DeserializeOwned + JsonSchema>(value: &Value) -> Result<(), TestCaseError> {
        if T::deserialize(value).is_ok() {
            prop_assert!(
                validator::<T>().is_valid(value),
                "{} refuses {value}",
                T::schema_name()
            );
        }
        Ok(())
    }

    /// Whose schema is the whole rule.
    fn is_the_rule<T: DeserializeOwned + JsonSchema>(value: &Value) -> Result<(), TestCaseError> {
        let is_taken = T::deserialize(value).is_ok();
        prop_assert_eq!(
            validator::<T>().is_valid(value),
            is_taken,
            "{} of {}",
            T::schema_name(),
            value
        );
        Ok(())
    }

    #[test]
    fn what_is_chosen_from_a_list_is_in_its_schema() -> Result<(), TestCaseError> {
        let jurisdictions = JURISDICTIONS.map(|(name, _)| name);
        let known = LOCATION_HINTS
            .iter()
            .chain(&CONTINENTS)
            .chain(&jurisdictions);
        for text in known.chain(&["", "EU ", "xnam"]) {
            is_the_rule::<LocationHint>(&json!(text))?;
            is_the_rule::<Continent>(&json!(text))?;
            is_the_rule::<Jurisdiction>(&json!(text))?;
        }
        for names in [
            json!(["a"]),
            json!(["a", "b", "c", "d"]),
            json!(["a", "b", "c", "d", "e"]),
            json!([]),
            json!([""]),
            json!(["a", "a"]),
        ] {
            is_the_rule::<MemberNames>(&names)?;
        }
        for sender in [
            json!("sst"),
            json!("else"),
            json!({"kind": "file", "path": "a.env"}),
            json!({"path": "a.env"}),
            json!({"kind": "sst", "x": 1}),
        ] {
            is_the_rule::<sender::Entry>(&sender)?;
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn a_names_pattern_is_its_types_rule(text in "[a-cA-B0-2._/~ -]{0,6}|[a-b-]{18,42}|[0-9a-f]{31,33}|(https?://)?[a-b*.-]{1,8}(:[0-9]{1,3})?") {
            let value = json!(text);
            is_the_rule::<WorkerName>(&value)?;
            is_the_rule::<RegionName>(&value)?;
            is_the_rule::<SstName>(&value)?;
            is_the_rule::<Owner>(&value)?;
            is_the_rule::<Host>(&value)?;
            is_the_rule::<AccountId>(&value)?;
            is_the_rule::<Origin>(&value)?;
            is_the_rule::<SecretName>(&value)?;
            is_the_rule::<Dataset>(&value)?;
            is_the_rule::<LocationHint>(&value)?;
            takes_no_less::<HeaderName>(&value)?;
        }

        #[test]
        fn a_schema_never_refuses_what_its_type_takes(text in "[0-9]{1,3} ?(ms|s|m|h|d|days?)( [0-9]{1,2}s)?|20[0-9]{2}-[01][0-9]-[0-3][0-9]|(env:|file:|command:)?[A-Za-z0-9_#/ ]{0,8}|prompt") {
            let value = json!(text);
            takes_no_less::<Span<0, 86_400_000>>(&value)?;
            takes_no_less::<CompatibilityDate>(&value)?;
            takes_no_less::<Source>(&value)?;
        }

        #[test]
        fn a_numbers_range_is_its_types(number in -3..40_000_i64) {
            is_the_rule::<Whole<1, 32_768>>(&json!(number))?;
            is_the_rule::<Decimal<1, 100>>(&json!(number))?;
        }

        #[test]
        fn a_fractions_range_is_its_types(number in -1.0..3.0_f64) {
            is_the_rule::<Decimal<0, 1>>(&json!(number))?;
        }

        #[test]
        fn shares_that_a_rollout_can_have_are_in_its_schema(
            shares in prop::collection::vec(prop_oneof![-1..102_i64, Just(100)], 0..4),
        ) {
            takes_no_less::<Stages>(&json!(shares))?;
        }
    }
}
