//! The keys of what `--json` prints, as `docs/formats.md` lists them.

#![allow(dead_code, reason = "several test programs share this file, and each takes what it needs")]

use std::collections::BTreeSet;

use ancestral_test_support::{assert_listed, listed};
use serde_json::Value;

/// The heading of their table.
pub(crate) const HEADING: &str = "Keys of JSON output";
/// The rows that take long, which other tests than those of keys check on their way.
pub(crate) const SLOW: [&str; 3] =
    ["explain elbo", "explain saturation", "explain optimal-discriminator"];

/// Every key that holds no other one, with those that hold it before it, as in `a.b`; those of the
/// entries of a list stand for the list.
pub(crate) fn keys(values: &[&Value]) -> BTreeSet<String> {
    fn visit(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    found.insert(path.clone());
                    // A JSON schema has the words of its own standard.
                    if !key.ends_with("schema") {
                        visit(value, &path, found);
                    }
                }
            }
            Value::Array(entries) => entries.iter().for_each(|entry| visit(entry, path, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    values.iter().for_each(|value| visit(value, "", &mut found));
    let all: Vec<String> = found.iter().cloned().collect();
    found.retain(|key| !all.iter().any(|other| other.starts_with(&format!("{key}."))));
    found
}

/// Asserts that what a command prints has the keys that are listed for it.
#[track_caller]
pub(crate) fn assert_keys(command: &str, values: &[&Value]) {
    let rows = listed(HEADING);
    let row = rows.iter().find(|row| row.of == command);
    let row = row.unwrap_or_else(|| panic!("docs/formats.md has no row '{command}'"));
    assert_listed(&format!("{command} --json"), &keys(values), &row.words());
}
