//! The words of `docs/formats.md`, as tests compare them with those of the program.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The first cell, without the marks of code.
    pub of: String,
    /// The code in the first cell.
    pub names: Vec<String>,
    /// The code in each of the other cells.
    pub cells: Vec<BTreeSet<String>>,
}

impl Listed {
    /// The code in all cells but the first.
    pub fn words(&self) -> BTreeSet<String> {
        self.cells.iter().flatten().cloned().collect()
    }
}

/// The rows of the tables below a heading of `docs/formats.md`.
///
/// # Panics
/// If there are none.
#[track_caller]
pub fn listed(heading: &str) -> Vec<Listed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = rows(&text, heading);
    assert!(!rows.is_empty(), "docs/formats.md has no table below '{heading}'");
    rows
}

fn rows(text: &str, heading: &str) -> Vec<Listed> {
    let mut rows = Vec::new();
    let (mut below, mut body) = (false, false);
    for line in text.lines() {
        if let Some(found) = line.strip_prefix("## ") {
            below = found == heading;
        }
        // The rows of a table are below its line of dashes.
        body = line.starts_with("|--") || body && line.starts_with('|');
        if below && body && !line.starts_with("|--") {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let code = |cell: &str| -> Vec<String> {
                cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
            };
            rows.push(Listed {
                of: cells[0].replace('`', ""),
                names: code(cells[0]),
                cells: cells[1..].iter().map(|cell| code(cell).into_iter().collect()).collect(),
            });
        }
    }
    rows
}

/// Asserts that the words of the program are those that `docs/formats.md` lists.
///
/// # Panics
/// If they differ, with the missing words of each.
#[track_caller]
pub fn assert_listed(what: &str, found: &BTreeSet<String>, listed: &BTreeSet<String>) {
    let text = |words: &BTreeSet<String>, others: &BTreeSet<String>| -> String {
        words.difference(others).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    };
    let (new, gone) = (text(found, listed), text(listed, found));
    assert!(
        new.is_empty() && gone.is_empty(),
        "{what}: the spelling of words never changes, and docs/formats.md lists them\n  \
         not in the list: {new}\n  not in the program: {gone}"
    );
}

/// Every key that holds no other one, with those that hold it before it, as in `a.b`; those of the
/// entries of a list stand for the list.
pub fn keys(values: &[&Value]) -> BTreeSet<String> {
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

/// The heading of the table of keys that `--json` prints.
pub const JSON_KEYS: &str = "Keys of JSON output";

/// Asserts that what a command prints has the keys that are listed for it.
///
/// # Panics
/// If it has others.
#[track_caller]
pub fn assert_keys(command: &str, values: &[&Value]) {
    let rows = listed(JSON_KEYS);
    let row = rows.iter().find(|row| row.of == command);
    let row = row.unwrap_or_else(|| panic!("docs/formats.md has no row '{command}'"));
    assert_listed(&format!("{command} --json"), &keys(values), &row.words());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn rows_are_those_below_a_heading() {
        let text = "# A\n\n## One\nA `b`.\n\n| of | words |\n|---|---|\n| `x y`, all | `a`, `b c` |\n\
                    \n## Two\n| of | a | b |\n|---|---|---|\n| `y` | `c` | none |\n| z | | `d` |\n";
        let one = Listed {
            of: "x y, all".to_owned(),
            names: vec!["x y".to_owned()],
            cells: vec![set(&["a", "b c"])],
        };
        assert_eq!(rows(text, "One"), [one]);
        let two = rows(text, "Two");
        assert_eq!(two.len(), 2);
        assert_eq!(two[0].cells, [set(&["c"]), set(&[])]);
        assert_eq!((two[1].of.as_str(), two[1].words()), ("z", set(&["d"])));
        assert_eq!(rows(text, "Three"), []);
    }

    #[test]
    fn new_and_missing_words_are_said() {
        assert_listed("same", &set(&["a", "b"]), &set(&["b", "a"]));
        let caught = std::panic::catch_unwind(|| assert_listed("x", &set(&["a"]), &set(&["b"])));
        let said = *caught.unwrap_err().downcast::<String>().unwrap();
        assert!(said.contains("list: `a`") && said.contains("program: `b`"), "{said}");
    }
}
