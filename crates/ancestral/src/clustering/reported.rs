//! What people reported of other programs, by program and number of the report, with the right answers.

use std::collections::BTreeSet;

use super::testing::{Noise, Streams, blobs};
use super::*;

fn kmeans(values: &[f64], columns: usize, config: KmeansConfig) -> Kmeans {
    config.fit(Points::new(values, columns).unwrap(), None, &Streams(1)).unwrap()
}

fn density(values: &[f64], columns: usize, config: HdbscanConfig) -> Hdbscan {
    let found = config.fit(Points::new(values, columns).unwrap()).unwrap();
    assert!(found.probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(found.outlier_scores.iter().all(|s| (0.0..=1.0).contains(s)));
    assert!(found.condensed_tree.clusters.iter().all(|c| !c.stability.is_nan()));
    found
}

/// Equal rows have equal labels.
fn agree(values: &[f64], columns: usize, labels: &[Option<u32>]) {
    let mut rows: Vec<(&[f64], Option<u32>)> =
        values.chunks_exact(columns).zip(labels.iter().copied()).collect();
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert!(rows.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1 == pair[1].1));
}

/// scikit-learn 10059: ten clusters of nine distinct rows gave two equal centers.
#[test]
fn more_clusters_than_distinct_rows_have_no_equal_centers() {
    let values: Vec<f64> = [
        [1086, 348],
        [1087, 347],
        [1190, 244],
        [1190, 244],
        [1086, 348],
        [1185, 249],
        [1193, 241],
        [1185, 249],
        [1087, 347],
        [1188, 247],
        [1187, 233],
        [26, 111],
        [26, 111],
        [26, 110],
        [26, 110],
        [26, 110],
        [26, 110],
    ]
    .iter()
    .flatten()
    .map(|&x| f64::from(x))
    .collect();
    for init in [Init::PlusPlus, Init::Random] {
        let found = kmeans(&values, 2, KmeansConfig { n_clusters: 10, init, ..Default::default() });
        let centers: BTreeSet<String> =
            found.centers.chunks_exact(2).map(|c| format!("{c:?}")).collect();
        assert_eq!(centers.len(), found.centers.len() / 2);
        let labels: BTreeSet<u32> = found.labels.iter().copied().collect();
        assert_eq!(labels, (0..centers.len() as u32).collect());
        assert_eq!(found.missing_from, Some(10));
    }
    let found = kmeans(&values, 2, KmeansConfig { n_clusters: 10, ..Default::default() });
    assert_eq!((found.centers.len(), found.inertia), (18, 0.0));
}

/// scikit-learn 28055: empty clusters were filled with duplicates in every iteration, without end.
#[test]
fn filling_empty_clusters_with_duplicates_ends() {
    let values = [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 3.0];
    let start = Init::Centers(vec![-1.0, -1.0, 1.0, 1.0, 8.0]);
    let config = KmeansConfig { n_clusters: 5, init: start, tol: 0.0, ..Default::default() };
    let found = kmeans(&values, 1, config);
    assert!(found.converged && found.iterations < 10);
    assert_eq!(found.centers.len(), 3);
}

/// scikit-learn, `test_sample_weight_zero`: no center is at a row of weight 0.
#[test]
fn rows_without_weight_attract_no_center() {
    let values = blobs(6, 30, 1.0, 3);
    let weights: Vec<f64> = (0..180).map(|row| f64::from(row % 2)).collect();
    let points = Points::new(&values, 2).unwrap();
    for init in [Init::PlusPlus, Init::Random] {
        let config = KmeansConfig { n_clusters: 60, init, max_iter: 1, ..Default::default() };
        let found = config.fit(points, Some(&weights), &Streams(2)).unwrap();
        let at = found.assign(Points::new(&found.centers, 2).unwrap()).unwrap();
        assert!(at.iter().all(|nearest| nearest.squared_distance < 1e-18));
        for center in found.centers.chunks_exact(2) {
            let idle = values.chunks_exact(2).step_by(2);
            assert!(idle.into_iter().all(|row| row != center));
        }
    }
}

/// cuML 2050: missing values put all rows in one cluster, at zero.
#[test]
fn missing_values_are_an_error() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let values = [0.0f32, 1.0, 2.0, bad];
        let error = Points::new(&values, 2).unwrap_err();
        assert!(matches!(error, Error::NotFinite { row: 1, column: 1, .. }));
    }
}

/// scikit-learn 26726: 12 dense clusters of 15,000 rows took 15 GB.
#[test]
fn dense_clusters_need_no_lists_of_neighbors() {
    let mut noise = Noise::new(7);
    let centers: Vec<[f64; 2]> =
        (0..12).map(|i| [1500.0 * f64::from(i), 3000.0 * noise.uniform()]).collect();
    let values: Vec<f64> = (0..12 * 15_000)
        .flat_map(|row| centers[row % 12].map(|c| c + 15.0 * noise.normal()))
        .collect();
    let config = DbscanConfig { eps: 40.0, min_samples: 10, ..Default::default() };
    let found = config.fit(Points::new(&values, 2).unwrap()).unwrap();
    assert_eq!(found.clusters, 12);
    assert!(
        found.labels.iter().enumerate().all(|(row, l)| l.is_none_or(|l| l as usize == row % 12))
    );
}

/// scikit-learn 31407: uniform rows within `eps` of almost all others ended the process.
#[test]
fn a_unit_cube_within_eps_is_one_cluster() {
    let mut noise = Noise::new(5);
    let values: Vec<f64> = (0..300_000).map(|_| noise.uniform()).collect();
    let config = DbscanConfig { eps: 1.0, min_samples: 2, ..Default::default() };
    let found = config.fit(Points::new(&values, 3).unwrap()).unwrap();
    assert!(found.clusters == 1 && found.core.iter().all(|&core| core));
}

/// scikit-learn 22531: many equal rows in several scaled columns used up all memory.
#[test]
fn repeated_rows_in_several_columns_are_few_distances() {
    let mut noise = Noise::new(5);
    let values: Vec<f64> = (0..9 * 20_000).map(|_| (noise.uniform() * 2.0).floor()).collect();
    let config = DbscanConfig { eps: 0.28, min_samples: 9, ..Default::default() };
    let found = config.fit(Points::new(&values, 9).unwrap()).unwrap();
    // Each corner of the cube, with about 39 equal rows, is a cluster.
    assert_eq!(found.clusters, 512);
    agree(&values, 9, &found.labels);
}

/// hdbscan 94: rows repeated several times gave infinite λ, which nothing afterwards handled.
#[test]
fn rows_repeated_three_times_keep_their_clusters() {
    let mut values = blobs(3, 50, 0.5, 1);
    for _ in 0..3 {
        values.extend_from_within(..100);
    }
    let config = HdbscanConfig { min_cluster_size: 3, ..Default::default() };
    let found = density(&values, 2, config);
    agree(&values, 2, &found.labels);
}

/// hdbscan 53: Manhattan distances of repeated rows gave undefined probabilities.
#[test]
fn manhattan_distances_of_repeated_rows_are_defined() {
    let mut noise = Noise::new(9);
    let values: Vec<f64> = (0..3000).map(|_| (noise.normal() * 2.0).round()).collect();
    for min_samples in [1, 5, 15] {
        let config = HdbscanConfig {
            min_cluster_size: 40,
            min_samples: Some(min_samples),
            metric: Metric::Manhattan,
            ..Default::default()
        };
        agree(&values, 3, &density(&values, 3, config).labels);
    }
}

/// hdbscan 129: fewer equal rows than a cluster needs gave undefined outlier scores.
#[test]
fn small_piles_of_equal_rows_have_outlier_scores() {
    let values: Vec<f64> = [0.0; 3].into_iter().chain([7.0; 9]).collect();
    for single in [false, true] {
        let config = HdbscanConfig { allow_single_cluster: single, ..Default::default() };
        let found = density(&values, 1, config);
        assert!(found.outlier_scores[3..].iter().all(|&score| score == 0.0));
        assert!(found.outlier_scores[..3].iter().all(|&score| score == 1.0));
    }
}

/// dbscan of R 38: the outlier among repeated rows had no high score.
#[test]
fn the_outlier_among_repeated_rows_has_the_highest_score() {
    let mut noise = Noise::new(2);
    let mut values = Vec::new();
    for row in 0..1000 {
        let first = f64::from(u8::from(row < 500));
        let value =
            [1.0, 2.0, 2.0, 3.0][row / 250] + [0.5, 0.5, 0.25, 0.25][row / 250] * noise.normal();
        values.extend([first, 1.0 - first, (value * 10.0).round() / 10.0]);
    }
    values.extend([0.0, 1.0, -100.0]);
    let found = density(&values, 3, HdbscanConfig::default());
    assert_eq!((found.labels[1000], found.outlier_scores[1000]), (None, 1.0));
    agree(&values, 3, &found.labels);
}

/// hdbscan 548: equal rows were in different clusters.
#[test]
fn equal_rows_are_in_one_cluster() {
    for seed in 0..4 {
        let mut noise = Noise::new(seed);
        let values: Vec<f64> = (0..800).map(|_| (noise.normal() * 3.0).round() / 2.0).collect();
        for method in [Selection::Eom, Selection::Leaf] {
            for min_samples in [1, 2, 5] {
                let config = HdbscanConfig {
                    cluster_selection_method: method,
                    min_samples: Some(min_samples),
                    ..Default::default()
                };
                agree(&values, 2, &density(&values, 2, config).labels);
            }
        }
    }
}

/// hdbscan of crates.io 45: probabilities were relative to the smallest cluster of a row, not to the
/// chosen one.
#[test]
fn probabilities_are_relative_to_the_chosen_cluster() {
    let values = blobs(3, 200, 1.5, 6);
    let config = HdbscanConfig { min_cluster_size: 5, ..Default::default() };
    let found = density(&values, 2, config);
    let tree = &found.condensed_tree;
    let mut inherited = 0;
    for (row, label) in found.labels.iter().enumerate() {
        if let Some(label) = *label {
            let cluster = found.selected[label as usize];
            let want = (tree.lambda[row] / tree.clusters[cluster as usize].death).min(1.0);
            assert_eq!(found.probabilities[row], want);
            inherited += usize::from(tree.cluster[row] != cluster);
        }
    }
    assert!(inherited > 0);
}

/// scikit-learn 1.9 fails with `cluster_selection_epsilon` on current versions of NumPy.
#[test]
fn an_epsilon_chooses_fewer_clusters() {
    let values = blobs(6, 60, 1.0, 8);
    let count = |epsilon: f64| {
        let config = HdbscanConfig { cluster_selection_epsilon: epsilon, ..Default::default() };
        density(&values, 2, config).clusters
    };
    assert!(count(0.0) >= count(1.0) && count(1.0) >= count(2.5));
    assert_eq!(count(2.5), 6);
}

/// MiniSom 152: the topographic error of a hexagonal grid of 11 × 7 units failed.
#[test]
fn a_hexagonal_grid_may_be_oblong() {
    let values = blobs(3, 40, 2.0, 2);
    let points = Points::new(&values, 2).unwrap();
    for (rows, columns) in [(11, 7), (7, 11), (1, 9), (9, 1)] {
        let config = SomConfig { rows, columns, grid: Grid::Hexagonal, ..Default::default() };
        let som = config.fit(points, &Streams(0)).unwrap();
        let assigned = som.assign(points).unwrap();
        assert!((0.0..1.0).contains(&som.topographic_error(&assigned).unwrap()));
        assert_eq!(som.u_matrix().len(), rows * columns);
    }
}

/// MiniSom 204: the plane of the first two components came from the covariance of rows, not of columns.
#[test]
fn weights_start_on_the_plane_of_the_first_two_components() {
    let mut noise = Noise::new(4);
    let values: Vec<f64> = (0..500)
        .flat_map(|_| {
            let (a, b) = (9.0 * noise.normal(), 3.0 * noise.normal());
            [a + 7.0, 0.01 * noise.normal(), b, a]
        })
        .collect();
    // A learning rate so small that weights stay.
    let training = Training::Online { updates: 1, learning_rate: 1e-12, shuffle: false };
    let config = SomConfig { rows: 3, columns: 5, training, ..Default::default() };
    let som = config.fit(Points::new(&values, 4).unwrap(), &Streams(0)).unwrap();
    let (first, last) = (&som.weights()[..4], &som.weights()[56..]);
    // √3 standard deviations to both sides: 9 and 3, with sampling errors.
    let span = |j: usize| (last[j] - first[j]).abs() / (2.0 * 3f64.sqrt());
    assert!((span(0) / 9.0 - 1.0).abs() < 0.1 && (span(3) / 9.0 - 1.0).abs() < 0.1);
    assert!((span(2) / 3.0 - 1.0).abs() < 0.2 && span(1) < 0.01);
}

/// MiniSom 51: the quantization error of columns of very different units was undefined.
#[test]
fn columns_of_different_units_have_a_quantization_error() {
    let values = [
        426.0, -2403.0, -63.0, -177.0, 14.036022, 361.0, 388.0, -2458.0, -8.0, -50.0, 14.478539,
        359.0, 405.0, -2432.0, 31.0, -19.0, 13.921394, 360.0, 440.0, -2348.0, 87.0, -95.0,
        14.062276, 361.0, 436.0, -2259.0, 219.0, 9.0, 13.603740, 357.0,
    ];
    let points = Points::new(&values, 6).unwrap();
    for init in [SomInit::Pca, SomInit::Random] {
        let training = Training::Online { updates: 500, learning_rate: 0.5, shuffle: true };
        let config = SomConfig { init, training, rows: 6, columns: 6, ..Default::default() };
        let som = config.fit(points, &Streams(0)).unwrap();
        let error = som.quantization_error(&som.assign(points).unwrap());
        assert!(error < 100.0, "{error}");
    }
}

/// scikit-learn 34074: after a cluster without rows was moved, labels were those of earlier centers.
#[test]
fn labels_are_those_of_the_last_centers() {
    let mut noise = Noise::new(12);
    for case in 0..40 {
        let values: Vec<f64> = (0..60).map(|_| (noise.normal() * 3.0).round()).collect();
        let mut start = values[..8].to_vec();
        // Two centers that no row is near.
        start.extend([900.0, 0.0, 0.0, 900.0]);
        let config = KmeansConfig {
            n_clusters: 6,
            init: Init::Centers(start),
            max_iter: 1 + case % 4,
            ..Default::default()
        };
        let points = Points::new(&values, 2).unwrap();
        let found = kmeans(&values, 2, config);
        let nearest = found.assign(points).unwrap();
        let inertia: f64 = nearest.iter().map(|nearest| nearest.squared_distance).sum();
        assert!((found.inertia - inertia).abs() <= 1e-12 * inertia.max(1.0), "{case}");
    }
}

/// scikit-learn 3039: more clusters were to start anew than a batch has rows.
#[test]
fn batches_smaller_than_the_number_of_clusters_are_taken() {
    let values = blobs(5, 40, 0.5, 4);
    let start: Vec<f64> = (0..40).map(|i| 1e4 + f64::from(i)).collect();
    let mut model = MiniBatch::new(start, 2, MiniBatchConfig::default()).unwrap();
    let mut uniform = Streams(2).stream("batches", 0);
    for batch in values.chunks(6).cycle().take(500) {
        model.partial_fit(Points::new(batch, 2).unwrap(), &mut *uniform).unwrap();
    }
    assert!(model.centers().iter().all(|x| x.is_finite()));
    let near = kmeans(&values, 2, KmeansConfig { n_clusters: 5, ..Default::default() });
    let near = near.assign(Points::new(model.centers(), 2).unwrap()).unwrap();
    assert!(near.iter().filter(|nearest| nearest.squared_distance < 9.0).count() >= 10);
}

/// hdbscan 56 and 305: many equal rows, with or without another row, were all noise.
#[test]
fn equal_rows_may_be_the_only_cluster() {
    for method in [Selection::Eom, Selection::Leaf] {
        let config = HdbscanConfig {
            allow_single_cluster: true,
            cluster_selection_method: method,
            ..Default::default()
        };
        let found = density(&[vec![0.0; 600], vec![20.0]].concat(), 1, config);
        assert_eq!((found.clusters, found.labels[600]), (1, None), "{method:?}");
        assert!(found.labels[..600].iter().all(|&label| label == Some(0)), "{method:?}");
        let found = density(&[3.0; 600], 1, config);
        assert_eq!(found.clusters, 1, "{method:?}");
        assert!(found.labels.iter().all(|&label| label == Some(0)), "{method:?}");
    }
}

/// hdbscan 235: a single row was an error that named an empty array.
#[test]
fn a_single_row_is_noise() {
    let found = density(&[1.0, 1.0, 1.0], 3, HdbscanConfig::default());
    assert_eq!((found.clusters, &found.labels[..]), (0, &[None][..]));
    assert_eq!(found.probabilities, [0.0]);
    let found = DbscanConfig::default().fit(Points::new(&[1.0], 1).unwrap()).unwrap();
    assert_eq!((found.clusters, &found.labels[..]), (0, &[None][..]));
}

/// hdbscan 492: eight near rows and one far away were all noise; where all may be one cluster, the nearest are.
#[test]
fn an_outlier_is_in_no_cluster_of_near_rows() {
    let values = [
        [0.36789608, 0.17779213, 0.83797550, 0.77753013],
        [0.36628222, 0.17353597, 0.83745314, 0.78465497],
        [0.37088317, 0.17572623, 0.84084779, 0.78386849],
        [0.36569396, 0.17433393, 0.83739746, 0.78440967],
        [0.36793751, 0.17673337, 0.84037548, 0.78139651],
        [0.36722952, 0.17239252, 0.83743829, 0.78435159],
        [0.88804066, 0.81364667, 0.99931133, 1.0],
        [0.36865044, 0.18000209, 0.83752632, 0.78532994],
        [0.36644703, 0.17631954, 0.83802074, 0.78327519],
    ];
    let config = HdbscanConfig {
        min_cluster_size: 2,
        min_samples: Some(2),
        allow_single_cluster: true,
        ..Default::default()
    };
    let found = density(values.as_flattened(), 4, config);
    assert_eq!((found.clusters, found.labels[6]), (1, None));
    assert_eq!((found.labels[1], found.labels[3]), (Some(0), Some(0)));
    assert_eq!(found.outlier_scores.iter().filter(|&&score| score > 0.9).count(), 1);
}

/// MiniSom 62: the quantization error was the mean over columns, too.
#[test]
fn the_quantization_error_is_the_mean_distance() {
    let som = Som::new(Grid::Rectangular, 1, 1, vec![1.0, 2.0, 3.0, 4.0], 4).unwrap();
    let values = [5.0, 6.0, 7.0, 8.0];
    let assigned = som.assign(Points::new(&values, 4).unwrap()).unwrap();
    assert_eq!(som.quantization_error(&assigned), 8.0);
}
