//! A published value, from its data to its end.

use ancestral::prelude::*;
use ancestral::run::PublishedResult;
use ancestral_test_support::data_dir_with;

#[test]
fn a_published_row_is_reproduced_from_start_to_end() {
    let Some(data) = data_dir_with("density_estimation/mushrooms") else { return };
    let dir = tempfile::tempdir().unwrap();
    let row = PublishedResult::find("fvsbn-mushrooms", &[]).unwrap();
    let mut session = Session::new().with_data_dir(Some(&data));
    let out = dir.path().join("run");
    let found = session.reproduce(row, &out, &mut |_| {}).unwrap();
    // NADE has 9.81, outside of this.
    assert!((found.obtained - row.published).abs() < 0.2, "{}", found.obtained);
    // The run is there, and going on with it changes nothing.
    let again = session.reproduce(row, &out, &mut |_| {}).unwrap();
    assert_eq!(again.obtained, found.obtained);
}
