//! `reproduce`: the list of published rows, and one of them without its data.

use crate::program;

#[test]
fn published_rows_are_listed_and_their_data_asked_for() {
    let here = program();
    let said = here.good("reproduce");
    assert!(said.contains("nade-mnist") && said.contains("88.33"), "{said}");
    here.bad("reproduce nade-adult --data-dir .", "looked in");
    here.bad("reproduce nade-adul", "did you mean 'nade-adult'?");
    assert!(!here.path("runs").exists());
}
