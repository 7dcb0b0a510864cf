//! The README's table of models is that of the registry.

#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use ancestral::Registry;

#[test]
fn the_table_of_models_is_the_list() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let table = Registry::standard().markdown();
    assert!(readme.contains(&table), "put this table into README.md:\n{table}");
}
