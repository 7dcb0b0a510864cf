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

/// The program in the README is the first example, and that of the crate's documentation is the same
/// with fewer epochs.
#[test]
fn the_program_in_the_readme_is_the_first_example() {
    let read = |path: &str| {
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
            .unwrap()
    };
    let example = read("examples/vae_digits.rs");
    let program = example.split_once("\n\n").unwrap().1;
    assert!(read("../../README.md").contains(&format!("```rust\n{program}```")), "{program}");
    let shorter = program.replace("epochs: 20", "epochs: 2");
    let docs = read("src/lib.rs");
    let documented = docs.lines().filter_map(|line| line.strip_prefix("//!"));
    let documented: String = documented
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(documented.contains(&shorter), "{documented}");
}
