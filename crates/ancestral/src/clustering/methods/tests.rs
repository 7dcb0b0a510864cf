//! Methods as models: what they keep, and the rows that they assign.

use ancestral_data::{Domain, Shape};

use super::super::testing::{Streams, blobs, canonical};
use super::*;

fn spec(columns: usize) -> DataSpec {
    DataSpec::new(Domain::Real, Shape::columns(columns), 0)
}

fn made(name: &str, settings: &str, data: &DataSpec) -> Box<dyn Method> {
    method(name, &settings.parse().unwrap(), data).unwrap().unwrap()
}

/// A method with its clusters of some rows.
fn clustered(name: &str, settings: &str, values: &[f64]) -> (Box<dyn Method>, Clustering) {
    let mut method = made(name, settings, &spec(2));
    let matrix = Matrix::Double(values.to_vec(), 2);
    let found = method.cluster(&matrix, &Given::default(), &Streams(1)).unwrap();
    method.keep(&found, &matrix);
    (method, found)
}

#[test]
fn what_is_kept_assigns_the_clustered_rows_to_their_clusters() {
    let values = blobs(4, 60, 0.8, 3);
    for (name, settings) in [
        ("kmeans", "n_clusters = 4\nn_init = 5"),
        ("som", "rows = 3\ncolumns = 4"),
        ("hdbscan", ""),
    ] {
        let (method, found) = clustered(name, settings, &values);
        let mut other = made(name, settings, &spec(2));
        other.load(&method.tensors()).unwrap();
        assert_eq!((other.clusters(), method.clusters()), (found.clusters, found.clusters));
        let rows = Matrix::Double(values.clone(), 2);
        let labels = other.assign(&rows).unwrap().labels;
        let differ = labels.iter().zip(&found.labels).filter(|(a, b)| a != b).count();
        // HDBSCAN is approximate: a row is near itself, and so denser than it was.
        assert!(differ <= if name == "hdbscan" { 12 } else { 0 }, "{name}: {differ}");
    }
}

#[test]
fn hdbscan_puts_new_rows_near_a_cluster_into_it_and_far_ones_into_none() {
    for settings in
        ["", "metric = 'manhattan'", "min_samples = 1", "cluster_selection_method = 'leaf'"]
    {
        let values = blobs(4, 60, 0.4, 3);
        let (method, found) = clustered("hdbscan", settings, &values);
        // The middles of the blobs, places farther from them than they are from each other, and the
        // middle of all, which is nearer.
        let mut rows = Vec::new();
        for blob in 0..4 {
            let angle = f64::from(blob) / 4.0 * std::f64::consts::TAU;
            rows.extend([10.0 * angle.cos(), 10.0 * angle.sin()]);
        }
        rows.extend([30.0, 30.0, 1e6, -1e6, 0.0, 0.0]);
        let labels = method.assign(&Matrix::Double(rows, 2)).unwrap().labels;
        if settings.contains("leaf") || settings.contains("min_samples") {
            assert_eq!(labels[4..6], [None; 2], "{settings}");
            continue;
        }
        assert_eq!(labels[..4], found.labels[..4], "{settings}");
        assert_eq!(canonical(&labels[..4]), [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(labels[4..6], [None; 2], "{settings}");
        assert!(labels[6].is_some(), "{settings}");
    }
}

#[test]
fn dbscan_keeps_its_labels_and_broken_tensors_are_refused() {
    let values = blobs(3, 40, 0.3, 5);
    let (method, found) = clustered("dbscan", "eps = 0.5", &values);
    assert!(found.clusters == 3 && method.clusters() == 3);
    for (name, settings) in [("dbscan", "eps = 0.5"), ("hdbscan", ""), ("kmeans", ""), ("som", "")]
    {
        let (method, _) = clustered(name, settings, &values);
        for at in 0..method.tensors().len() {
            let mut tensors = method.tensors();
            tensors.remove(at);
            assert!(made(name, settings, &spec(2)).load(&tensors).is_err(), "{name} {at}");
        }
    }
    let (method, _) = clustered("hdbscan", "", &values);
    assert!(made("hdbscan", "", &spec(3)).load(&method.tensors()).is_err());
}

#[test]
fn errors_name_settings_and_rows() {
    let rows = |values: &[f64]| Matrix::Double(values.to_vec(), 2);
    let said = |name: &str, settings: &str, values: &[f64]| {
        let method = made(name, settings, &spec(2));
        let found = method.cluster(&rows(values), &Given::default(), &Streams(1));
        found.unwrap_err().to_string()
    };
    let few = [0.0, 0.0, 1.0, 1.0];
    let error = said("kmeans", "n_clusters = 3", &few);
    assert!(error.contains("n_clusters") && error.contains("there are 2 rows"), "{error}");
    let error = said("hdbscan", "min_samples = 9", &few);
    assert!(error.contains("min_samples") && error.contains("there are 2 rows"), "{error}");
    let error = said("dbscan", "metric = 'cosine'", &few);
    assert!(error.contains("row 1 is all zeros"), "{error}");
    let error = said("kmeans", "n_clusters = 2\ninit = 'given'", &few);
    assert!(error.contains("init=centers.csv"), "{error}");
}
