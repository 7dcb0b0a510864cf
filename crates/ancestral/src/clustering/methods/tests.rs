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

fn cluster(method: &dyn Method, rows: &Matrix) -> Result<Clustering> {
    method.cluster(rows, &Given::default(), &Streams(1), &mut Watch::new(None, &mut |_, _| {}))
}

/// A method with its clusters of some rows.
fn clustered(name: &str, settings: &str, values: &[f64]) -> (Box<dyn Method>, Clustering) {
    let mut method = made(name, settings, &spec(2));
    let matrix = Matrix::Double(values.to_vec(), 2);
    let found = cluster(&*method, &matrix).unwrap();
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
fn mini_batches_find_the_clusters_and_assign_rows() {
    let mut values = blobs(4, 500, 0.5, 3);
    values.iter_mut().for_each(|x| *x += 1e5);
    let settings = "n_clusters = 4\nbatch_size = 100\nn_init = 3";
    let (method, found) = clustered("kmeans", settings, &values);
    let truth: Vec<Option<u32>> = (0..2000).map(|row| Some(row % 4)).collect();
    assert_eq!(canonical(&found.labels), canonical(&truth));
    assert_eq!(method.clusters(), 4);
    let labels = method.assign(&Matrix::Double(values.clone(), 2)).unwrap().labels;
    assert_eq!(labels, found.labels);
    let all = clustered("kmeans", "n_clusters = 4\nn_init = 3", &values).1;
    assert!(found.values[0].1 < 1.05 * all.values[0].1);
    // Never more clusters than distinct rows.
    let (method, found) = clustered("kmeans", settings, &[1.0, 1.0, 2.0, 2.0].repeat(50));
    assert_eq!((method.clusters(), found.clusters, found.values[0].1), (2, 2, 0.0));
}

/// scikit-learn 23141: mini-batches of few rows gave fewer clusters than asked for, with gaps in their numbers.
#[test]
fn mini_batches_of_few_rows_give_all_clusters() {
    let rows = [
        [-2636.705, 892.6364, 239.4284],
        [-2676.219, 922.741, 227.3839],
        [-2628.628, 902.6482, 245.5609],
        [-2612.497, 860.9032, 248.924],
        [-2639.552, 993.8482, 211.2253],
        [-2602.453, 958.7801, 211.5786],
        [-2598.118, 1032.398, 177.4023],
        [-2582.155, 972.5088, 203.5048],
        [-2548.377, 803.9934, 279.4388],
        [-2550.095, 979.9586, 222.6467],
        [-2746.966, 1021.456, 188.8456],
        [-2745.181, 984.1931, 199.6674],
        [-2729.113, 973.8251, 201.8876],
        [-2720.765, 1014.262, 205.0213],
        [-2747.317, 1099.313, 146.2305],
        [-2739.32, 1005.173, 200.297],
    ];
    let matrix = Matrix::Double(rows.as_flattened().to_vec(), 3);
    for asked in 7..=16 {
        let settings = format!("n_clusters = {asked}\nbatch_size = 1024");
        let found = cluster(&*made("kmeans", &settings, &spec(3)), &matrix).unwrap();
        let labels: std::collections::BTreeSet<Option<u32>> =
            found.labels.iter().copied().collect();
        assert_eq!(labels, (0..asked).map(Some).collect(), "{asked}");
    }
}

#[test]
fn errors_name_settings_and_rows() {
    let rows = |values: &[f64]| Matrix::Double(values.to_vec(), 2);
    let said = |name: &str, settings: &str, values: &[f64]| {
        let method = made(name, settings, &spec(2));
        let found = cluster(&*method, &rows(values));
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
