//! Settings as a JSON schema (draft 2020-12).

use std::ops::Bound;

use serde_json::{Map, Value, json};

use super::kind::LARGEST;
use super::{Field, SettingKind};

/// The schema of a group of settings: an object with optional properties.
///
/// Properties have the defaults of the fields, and a `unit` if the field has one.
pub fn schema(title: &str, fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

fn property(field: &Field) -> Value {
    let mut property = of_kind(&field.kind);
    property.insert("description".to_owned(), json!(field.doc));
    property.insert("default".to_owned(), json!(field.default));
    if let Some(unit) = field.unit {
        property.insert("unit".to_owned(), json!(unit));
    }
    Value::Object(property)
}

fn of_kind(kind: &SettingKind) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
    match kind {
        SettingKind::Bool => {
            put("type", json!("boolean"));
        }
        SettingKind::Int { min, max } => {
            // A number beyond TOML's is written as text.
            let text = *max > i64::MAX as u64;
            put("type", if text { json!(["integer", "string"]) } else { json!("integer") });
            if text {
                put("pattern", json!("^[0-9]+$"));
            }
            put("minimum", json!(min));
            // TOML's numbers end there.
            put("maximum", json!(*max.min(&(i64::MAX as u64))));
        }
        SettingKind::Real { min, max } => {
            put("type", json!("number"));
            match min {
                Bound::Included(least) => put("minimum", json!(least)),
                Bound::Excluded(least) => put("exclusiveMinimum", json!(least)),
                Bound::Unbounded => put("minimum", json!(-LARGEST)),
            };
            match max {
                Bound::Included(most) => put("maximum", json!(most)),
                Bound::Excluded(most) => put("exclusiveMaximum", json!(most)),
                Bound::Unbounded => put("maximum", json!(LARGEST)),
            };
        }
        SettingKind::Choice(choices) => {
            put("type", json!("string"));
            put("enum", choices.iter().map(|choice| choice.name).collect());
            let docs = choices.iter().map(|choice| json!(choice.doc)).collect();
            put("enumDescriptions", docs);
        }
        SettingKind::Text => {
            put("type", json!("string"));
        }
        SettingKind::List(of) => {
            put("type", json!("array"));
            put("items", Value::Object(of_kind(of)));
        }
    }
    map
}
