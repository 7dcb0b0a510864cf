//! Clusterings of files that are read in parts.

use std::fs;
use std::path::Path;

use ancestral::run::{ClusterSpec, Clustered, DataSource, RunSpec, Session, Storage};

/// Three groups of rows with names, of which some hold commas and quotes, and with classes.
fn groups(rows: usize) -> String {
    let mut text = "name,x,\"a, b\",y,class\n".to_owned();
    for row in 0..rows {
        let name = ["plain", "\"a, b\"", "\"say \"\"no\"\"\""][row % 3];
        let at = row % 3 * 10;
        text += &format!("{name},{at}.5,{row},{}.25,k{}\n", at + row % 2, row % 3);
    }
    text
}

fn cluster(folder: &Path, out: &str, held: Option<usize>) -> Clustered {
    let data = folder.join("rows.csv").display().to_string();
    let mut run = RunSpec {
        storage: Storage::Folder(folder.join(out)),
        ..RunSpec::named("kmeans", DataSource::Named(data))
    };
    for setting in ["n_clusters=3", "n_init=5", "batch_size=64"] {
        run.assign(setting).unwrap();
    }
    let identifiers = vec!["a, b".to_owned()];
    let spec = ClusterSpec { run, identifiers, indices: true, held, ..ClusterSpec::default() };
    Session::new().cluster(&spec).unwrap()
}

/// Lines without their clusters, and the clusters as the numbers of their first rows.
fn parted(text: &str) -> (Vec<&str>, Vec<usize>) {
    let (beside, names): (Vec<&str>, Vec<&str>) =
        text.lines().map(|line| line.rsplit_once(',').unwrap()).unzip();
    let first = |name: &&str| names.iter().position(|other| other == name).unwrap();
    let clusters = names.iter().map(first).collect();
    (beside, clusters)
}

#[test]
fn columns_stand_beside_the_labels_of_a_file_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rows.csv"), groups(2000)).unwrap();
    let whole = cluster(folder.path(), "whole", None);
    let parts = cluster(folder.path(), "parts", Some(600));
    assert!(whole.in_parts.is_none());
    assert_eq!(parts.in_parts.as_ref().unwrap().rows, 2000);
    assert_eq!(parts.matrix.columns(), 2);
    assert!(parts.matrix.rows() < 100, "the sample");
    assert!(parts.indices.adjusted_rand.unwrap() > 0.9999);
    let read = |out: &str| fs::read_to_string(folder.path().join(out)).unwrap();
    let (of_whole, of_parts) = (read("whole/labels.csv"), read("parts/labels.csv"));
    assert_eq!(parted(&of_whole), parted(&of_parts));
    assert!(of_parts.starts_with("name,\"a, b\",cluster\nplain,0,"), "{:.80}", of_parts);
    assert_eq!(of_parts.lines().count(), 2001);
    parts.write_labels(&folder.path().join("copy.csv")).unwrap();
    assert_eq!(read("copy.csv"), of_parts);
}
