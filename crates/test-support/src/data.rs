//! The published data sets that tests can read.

use std::path::{Path, PathBuf};

/// The data folder, if it contains `set`, a folder such as `density_estimation/adult`.
///
/// The data folder is that of `ANCESTRAL_DATA`, else `shared/data` next to the project. If it or the
/// set is missing, the test is skipped with a message.
///
/// # Panics
/// If `ANCESTRAL_DATA` is not a folder.
pub fn data_dir_with(set: &str) -> Option<PathBuf> {
    let named = std::env::var_os("ANCESTRAL_DATA").filter(|dir| !dir.is_empty());
    find(named.map(PathBuf::from), set)
}

fn find(named: Option<PathBuf>, set: &str) -> Option<PathBuf> {
    if let Some(dir) = &named {
        assert!(dir.is_dir(), "ANCESTRAL_DATA is {}, which is no folder", dir.display());
    }
    let next_to_project = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let dir = named.unwrap_or_else(next_to_project);
    if dir.join(set).is_dir() {
        return Some(dir);
    }
    eprintln!("skipped: {set} is not in {}", dir.display());
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_set_that_is_not_there_is_skipped() {
        let dir = tempfile::tempdir().unwrap();
        let named = || Some(dir.path().to_owned());
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("c"), "a file").unwrap();
        assert_eq!(find(named(), "a/b"), named());
        assert_eq!((find(named(), "b"), find(named(), "c")), (None, None));
        assert_eq!(find(None, "no such set"), None);
        let nowhere = dir.path().join("nowhere");
        assert!(std::panic::catch_unwind(|| find(Some(nowhere), "a")).is_err());
    }
}
