//! Values of other programs; golden.py prints them.

use super::testing::{Streams, canonical};
use super::*;

fn data(rows: u64, columns: u64) -> Vec<f64> {
    let entry = |i: u64, j: u64| {
        let h =
            7919 * (i + 3).pow(3) + 104_729 * (j + 1) * (i + 7).pow(2) + 31 * (j + 1).pow(4) * i;
        (h % 10_007) as f64 / 10_007.0 + if i % 3 == j { 1.5 } else { 0.0 }
    };
    (0..rows).flat_map(|i| (0..columns).map(move |j| entry(i, j))).collect()
}

fn close(found: &[f64], want: &[f64]) {
    assert_eq!(found.len(), want.len());
    for (found, want) in found.iter().zip(want) {
        assert!((found - want).abs() <= 1e-9 * want.abs().max(1.0), "{found} {want}");
    }
}

/// Labels as letters by first appearance; noise is a point.
fn letters(labels: &[Option<u32>]) -> String {
    let letter = |label: &Option<u32>| label.map_or('.', |l| char::from(b'a' + l as u8));
    canonical(labels).iter().map(letter).collect()
}

#[test]
fn indices() {
    let x = data(90, 3);
    let moved: Vec<f64> = x.iter().map(|x| x + 1.0).collect();
    let labels: Vec<u32> = (0..90).map(|i| i * 7 % 11 % 4).collect();
    let other: Vec<u32> = (0..90).map(|i| i / 9 % 5).collect();
    let (points, moved) = (Points::new(&x, 3).unwrap(), Points::new(&moved, 3).unwrap());
    for (metric, want) in [
        (Metric::Euclidean, -0.049952829745),
        (Metric::Manhattan, -0.0520547250622),
        (Metric::Cosine, -0.0787413277478),
    ] {
        close(&[silhouette(moved, &labels, metric, &Streams(0)).unwrap().mean], &[want]);
    }
    close(&[davies_bouldin(points, &labels).unwrap()], &[34.5792060582]);
    close(&[calinski_harabasz(points, &labels).unwrap()], &[0.1151018557]);
    close(&[adjusted_rand(&labels, &other).unwrap()], &[-0.00976924647744]);
    close(&[normalized_mutual_information(&labels, &other).unwrap()], &[0.0398832507933]);
    close(&[adjusted_mutual_information(&labels, &other).unwrap()], &[-0.00849719117846]);
}

#[test]
fn kmeans() {
    let x = data(90, 3);
    let points = Points::new(&x, 3).unwrap();
    let fit = |start: Vec<f64>, weights: Option<&[f64]>| {
        let config = KmeansConfig {
            n_clusters: start.len() / 3,
            init: Init::Centers(start),
            tol: 0.0,
            ..KmeansConfig::default()
        };
        config.fit(points, weights, &Streams(0)).unwrap()
    };
    let weights: Vec<f64> = (0..90).map(|i| f64::from(1 + i % 4)).collect();
    for (weights, iterations, inertia, centers, labels) in [
        (
            None,
            5,
            17.399224925,
            [
                1.90955081443,
                0.748600979314,
                0.735759968022,
                0.3505608574,
                1.88794094134,
                0.290821425002,
                0.401192498584,
                0.467406149029,
                2.01451983611,
                2.12330913815,
                0.406856109814,
                0.369886533972,
                0.602278405116,
                2.05964396351,
                0.726455766678,
            ],
            "abcdecdecdbcdbcabcdbcaecdbcdbcaecdecdecdecdbcdbcabcdbcdecdbcdbcaecaecdecdecdbcdecabcdbcdec",
        ),
        (
            Some(&weights[..]),
            4,
            41.52885204,
            [
                2.01253381892,
                0.640237019272,
                0.723467646721,
                0.363728723227,
                1.91904000533,
                0.269350343648,
                0.378235235335,
                0.500036641018,
                2.04967655974,
                2.0640884714,
                0.349486609373,
                0.374140185204,
                0.605216888718,
                2.04940730678,
                0.765496584823,
            ],
            "abcdecdecdbcdbcabcdbcaecdbcdbcaecdecdecdecdbcabcabcabcdecdbcabcaecaecdecdecdbcdecabcdbcdec",
        ),
    ] {
        let found = fit(x[..15].to_vec(), weights);
        close(&[found.inertia], &[inertia]);
        close(&found.centers, &centers);
        assert_eq!(found.iterations, iterations);
        assert_eq!(letters(&found.labels.iter().copied().map(Some).collect::<Vec<_>>()), labels);
    }
    let mut start = x[..9].to_vec();
    start.extend([50.0; 3]);
    let found = fit(start, None);
    let mut all = vec![found.inertia];
    all.extend(&found.centers);
    close(
        &all,
        &[
            19.3639638593,
            2.00836232819,
            0.692642423031,
            0.726736738828,
            0.468029046334,
            1.96806901835,
            0.494117451118,
            0.401192498584,
            0.467406149029,
            2.01451983611,
            2.09985378656,
            0.385293452478,
            0.317341019181,
        ],
    );
}

#[test]
fn dbscan() {
    let x: Vec<f64> = data(90, 3).iter().map(|x| x + 1.0).collect();
    for (eps, min_samples, metric, want) in [
        (
            0.35,
            5,
            Metric::Euclidean,
            ".a.bacbdcbdcbacbd.b..b..bac..c.dc..cbacb..bacb.c..cb.cbd.bacbacb.cb..bd....b..bdcba.b.cbd.",
        ),
        (
            0.5,
            5,
            Metric::Manhattan,
            ".abcabcabcabcabca.c.bc..cabc.b.ab..bcabcabcabc.b..bc.bcabcabcabc.bc..cab...c...abca.c.bca.",
        ),
        (
            0.01,
            6,
            Metric::Cosine,
            "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc",
        ),
    ] {
        let config = DbscanConfig { eps, min_samples, metric };
        assert_eq!(letters(&config.fit(Points::new(&x, 3).unwrap()).unwrap().labels), want);
    }
}

#[test]
fn hdbscan() {
    let x = data(90, 3);
    let points = Points::new(&x, 3).unwrap();
    let least = |x: &[f64]| x.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |x: &[f64]| x.iter().copied().fold(0.0, f64::max);
    for (cluster_selection_method, cluster_selection_epsilon, labels, probabilities, scores) in [
        (
            Selection::Eom,
            0.0,
            "abcabcabcabcabcabcadcabcabcabcabcabcabcabcabcadcabcabcabcabcabcabcabcabcabcadcabcabcadcabc",
            [86.802015143, 0.650424288076],
            [15.5332840207, 0.633950449164],
        ),
        (
            Selection::Leaf,
            0.0,
            ".abcadefgcfdeah.f.eib...cadc.h.fj.ahcaje.bcagei...g..jc.bea.eadeaj..bcfg.abei.cfhea.eihcfb",
            [63.6327413193, 0.0],
            [15.5332840207, 0.633950449164],
        ),
        (
            Selection::Leaf,
            0.4,
            "abcabcabcabcabcabcadcabcabcabcabcabcabcabcabcadcabcabcabcabcabcabcabcabcabcadcabcabcadcabc",
            [86.802015143, 0.650424288076],
            [15.5332840207, 0.633950449164],
        ),
    ] {
        let config = HdbscanConfig {
            min_cluster_size: 4,
            min_samples: Some(2),
            cluster_selection_method,
            cluster_selection_epsilon,
            ..HdbscanConfig::default()
        };
        let found = config.fit(points).unwrap();
        assert_eq!(letters(&found.labels), labels);
        let p = &found.probabilities;
        close(&[p.iter().sum(), least(p)], &probabilities);
        let s = &found.outlier_scores;
        close(&[s.iter().sum(), most(s)], &scores);
    }
    let config =
        HdbscanConfig { min_cluster_size: 4, min_samples: Some(6), ..HdbscanConfig::default() };
    let found = config.fit(points).unwrap();
    let heights: Vec<f64> = found.spanning_tree.iter().map(|edge| edge.distance).collect();
    close(
        &[heights.iter().sum(), least(&heights), most(&heights)],
        &[38.8080579787, 0.270914822885, 1.3054618367],
    );
}

#[test]
fn som() {
    let x = data(90, 3);
    let points = Points::new(&x, 3).unwrap();
    for (neighborhood, sigma, weights, errors, u_matrix, hits) in [
        (
            Neighborhood::Gaussian,
            1.5,
            [
                2.08970533081,
                0.31701272587,
                0.58219148545,
                1.25616436247,
                0.698178945126,
                1.13582700688,
                0.352076584152,
                2.16336101302,
                0.542134909721,
            ],
            [0.365351573341, 0.0222222222222],
            [0.830547844497, 0.973491867661, 0.594196911249],
            [13, 12, 5, 1, 0, 0, 2, 10, 15, 15, 6, 11],
        ),
        (
            Neighborhood::Bubble,
            2.0,
            [
                2.134427618,
                0.325015342283,
                0.346794914881,
                1.10193503417,
                0.710189144136,
                1.37853516852,
                0.227629330243,
                2.11256518379,
                0.674726801381,
            ],
            [0.352444087346, 0.0444444444444],
            [0.981851551705, 0.815308158103, 0.705157393188],
            [19, 11, 2, 7, 0, 0, 5, 7, 18, 11, 1, 9],
        ),
    ] {
        let config = SomConfig {
            rows: 3,
            columns: 4,
            grid: Grid::Rectangular,
            neighborhood,
            sigma: Some(sigma),
            init: SomInit::Weights(data(12, 3)),
            training: Training::Online { updates: 300, learning_rate: 0.5, shuffle: false },
        };
        let som = config.fit(points, &Streams(0)).unwrap();
        let rows: Vec<f64> =
            [0, 5, 11].iter().flat_map(|u| som.weights()[u * 3..][..3].to_vec()).collect();
        close(&rows, &weights);
        let assigned = som.assign(points).unwrap();
        let torn = som.topographic_error(&assigned).unwrap();
        close(&[som.quantization_error(&assigned), torn], &errors);
        assert_eq!(som.hits(&assigned), hits);
        // MiniSom divides by the largest value.
        let u = som.u_matrix();
        let largest = u.iter().copied().fold(0.0, f64::max);
        close(&[u[0] / largest, u[5] / largest, u[11] / largest], &u_matrix);
    }
}
