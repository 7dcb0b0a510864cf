//! Indices of how good clusters are, by the rows alone or against known classes.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::error::{Error, Result};
use super::metric::Metric;
use super::points::{BLOCK, Points, Real, UniformStreams, index_below};
use super::product::Packed;
use super::watch::{Watch, Work};

/// Most rows for which a silhouette over all rows is cheap.
pub const SILHOUETTE_ROWS: usize = 20_000;

/// Columns from which distances are computed by products.
const PRODUCTS: usize = 16;
/// Rows of a block, and rows that they are compared with at once.
const ROWS: usize = 64;
const OTHERS: usize = 512;
/// Squared distances below this fraction of the squared lengths are computed from differences.
const NEAR: f64 = 1e-3;

/// A silhouette coefficient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Silhouette {
    /// The mean over rows.
    pub mean: f64,
    /// The number of rows that it is the mean of.
    pub rows: usize,
}

/// Rows by cluster: names 0, 1, … without gaps, and the number of rows of each.
fn compact(labels: &[u32]) -> (Vec<usize>, Vec<usize>) {
    let mut names: BTreeMap<u32, usize> = labels.iter().map(|&label| (label, 0)).collect();
    names.values_mut().enumerate().for_each(|(i, name)| *name = i);
    let own: Vec<usize> = labels.iter().map(|label| names[label]).collect();
    let mut sizes = vec![0; names.len()];
    own.iter().for_each(|&cluster| sizes[cluster] += 1);
    (own, sizes)
}

/// [`compact`], if an index is defined.
fn checked(index: &'static str, rows: usize, labels: &[u32]) -> Result<(Vec<usize>, Vec<usize>)> {
    if labels.len() != rows {
        return Err(Error::Mismatch { what: "labels", found: labels.len(), expected: rows });
    }
    let (labels, sizes) = compact(labels);
    let clusters = sizes.len();
    if clusters < 2 || clusters >= rows {
        return Err(Error::Undefined { index, clusters, rows });
    }
    Ok((labels, sizes))
}

/// The silhouette coefficient (Rousseeuw 1987) of each row: (b − a) / max(a, b) with the mean distance a to
/// the other rows of its cluster and the least mean distance b to the rows of another; 0 for a row alone.
///
/// # Errors
/// If there are fewer than two clusters, as many as rows, or labels do not suit the rows.
pub fn silhouettes<T: Real>(
    points: Points<'_, T>,
    labels: &[u32],
    metric: Metric,
) -> Result<Vec<f64>> {
    silhouettes_watched(points, labels, metric, &mut Watch::new(None, &mut |_, _| {}))
}

fn silhouettes_watched<T: Real>(
    points: Points<'_, T>,
    labels: &[u32],
    metric: Metric,
    watch: &mut Watch<'_>,
) -> Result<Vec<f64>> {
    let (labels, sizes) = checked("the silhouette", points.rows(), labels)?;
    let (mut values, columns) = (metric.prepare(points)?, points.columns());
    let products = metric != Metric::Manhattan && columns >= PRODUCTS;
    if products && metric == Metric::Euclidean {
        // Near the origin products lose few digits.
        let means = Points::new(&values, columns)?.means();
        for row in values.chunks_exact_mut(columns) {
            row.iter_mut().zip(&means).for_each(|(x, mean)| *x -= mean);
        }
    }
    let blocks = watch.during(|work| -> Vec<Vec<f64>> {
        work.expect(labels.len());
        if products {
            return by_products(&values, columns, (&labels, &sizes), metric, work);
        }
        let row = |i: usize| &values[i * columns..][..columns];
        let all: Vec<usize> = (0..labels.len()).collect();
        all.par_chunks(ROWS)
            .map(|rows| {
                work.add(rows.len());
                if work.is_stopped() {
                    return Vec::new();
                }
                let each = |&i: &usize| {
                    let mut sums = vec![0.0; sizes.len()];
                    for (other, &cluster) in labels.iter().enumerate() {
                        sums[cluster] += metric.distance(row(i), row(other));
                    }
                    coefficient(labels[i], &sums, &sizes)
                };
                rows.iter().map(each).collect()
            })
            .collect()
    });
    if watch.is_stopped() { Err(Error::Stopped) } else { Ok(blocks.concat()) }
}

/// The coefficient of a row, from the sums of its distances to the rows of each cluster.
fn coefficient(own: usize, sums: &[f64], sizes: &[usize]) -> f64 {
    if sizes[own] == 1 {
        return 0.0;
    }
    let a = sums[own] / (sizes[own] - 1) as f64;
    let b = (0..sizes.len())
        .filter(|&cluster| cluster != own)
        .map(|cluster| sums[cluster] / sizes[cluster] as f64)
        .fold(f64::INFINITY, f64::min);
    // Equal rows in several clusters.
    if a.max(b) > 0.0 { (b - a) / a.max(b) } else { 0.0 }
}

/// Silhouettes by block of rows, from products of many columns; squared distances that have lost more than
/// a few digits are computed again from differences.
fn by_products(
    values: &[f64],
    columns: usize,
    (labels, sizes): (&[usize], &[usize]),
    metric: Metric,
    work: &Work<'_>,
) -> Vec<Vec<f64>> {
    let rows: Vec<&[f64]> = values.chunks_exact(columns).collect();
    let squares: Vec<f64> = rows.iter().map(|row| row.iter().map(|x| x * x).sum()).collect();
    let packed: Vec<Packed<f64>> =
        values.par_chunks(OTHERS * columns).map(|part| Packed::new(part, columns)).collect();
    let block = |(at, own): (usize, &[&[f64]])| {
        let first = at * ROWS;
        work.add(own.len());
        if work.is_stopped() {
            return Vec::new();
        }
        let mut sums = vec![0.0; own.len() * sizes.len()];
        let mut dots = vec![0.0; own.len() * OTHERS];
        for (part, packed) in packed.iter().enumerate() {
            let start = part * OTHERS;
            let count = OTHERS.min(rows.len() - start);
            packed.dots(own, &mut dots[..own.len() * count]);
            for (i, row) in own.iter().enumerate() {
                let sums = &mut sums[i * sizes.len()..][..sizes.len()];
                for (j, dot) in dots[i * count..][..count].iter().enumerate() {
                    let other = start + j;
                    let lengths = squares[first + i] + squares[other];
                    let mut squared = lengths - 2.0 * dot;
                    if squared < NEAR * lengths {
                        squared = apart(row, rows[other]);
                    }
                    sums[labels[other]] += match metric {
                        Metric::Cosine => squared / 2.0,
                        _ => squared.sqrt(),
                    };
                }
            }
        }
        let each = sums.chunks_exact(sizes.len()).enumerate();
        each.map(|(i, sums)| coefficient(labels[first + i], sums, sizes)).collect()
    };
    rows.par_chunks(ROWS).enumerate().map(block).collect()
}

/// The mean silhouette coefficient, over all rows up to [`SILHOUETTE_ROWS`] and over as many random rows
/// beyond.
///
/// # Errors
/// As [`silhouettes`]; with a random choice of rows also if it has fewer than two clusters.
pub fn silhouette<T: Real>(
    points: Points<'_, T>,
    labels: &[u32],
    metric: Metric,
    streams: &dyn UniformStreams,
) -> Result<Silhouette> {
    silhouette_watched(points, labels, metric, streams, &mut Watch::new(None, &mut |_, _| {}))
}

/// [`silhouette`] while someone watches.
///
/// # Errors
/// As [`silhouette`], and [`Error::Stopped`] if it is stopped.
pub fn silhouette_watched<T: Real>(
    points: Points<'_, T>,
    labels: &[u32],
    metric: Metric,
    streams: &dyn UniformStreams,
    watch: &mut Watch<'_>,
) -> Result<Silhouette> {
    let rows = points.rows();
    if rows <= SILHOUETTE_ROWS || labels.len() != rows {
        let all = silhouettes_watched(points, labels, metric, watch)?;
        return Ok(Silhouette { mean: mean(&all), rows });
    }
    let mut uniform = streams.stream("silhouette", 0);
    let mut order: Vec<usize> = (0..rows).collect();
    for i in 0..SILHOUETTE_ROWS {
        order.swap(i, i + index_below(uniform(), rows - i));
    }
    order.truncate(SILHOUETTE_ROWS);
    order.sort_unstable();
    let values: Vec<T> = order.iter().flat_map(|&row| points.row(row)).copied().collect();
    let some: Vec<u32> = order.iter().map(|&row| labels[row]).collect();
    let points = Points::new(&values, points.columns())?;
    let all = silhouettes_watched(points, &some, metric, watch)?;
    Ok(Silhouette { mean: mean(&all), rows: SILHOUETTE_ROWS })
}

fn mean(values: &[f64]) -> f64 {
    let sums: Vec<f64> = values.chunks(BLOCK).map(|block| block.iter().sum()).collect();
    sums.iter().sum::<f64>() / values.len() as f64
}

/// Means of clusters, relative to those of all rows, with the mean distance of rows to them.
struct Means {
    columns: usize,
    /// `[clusters, columns]`.
    means: Vec<f64>,
    sizes: Vec<usize>,
    /// Rows minus the means of all rows.
    rows: Vec<f64>,
    labels: Vec<usize>,
}

impl Means {
    fn new<T: Real>(points: Points<'_, T>, labels: Vec<usize>, sizes: Vec<usize>) -> Self {
        let columns = points.columns();
        let origin = points.means();
        let centered = points.values().chunks_exact(columns);
        let rows: Vec<f64> = centered
            .flat_map(|row| row.iter().zip(&origin).map(|(x, mean)| x.to_f64() - mean))
            .collect();
        let mut means = vec![0.0; sizes.len() * columns];
        for (row, &label) in rows.chunks_exact(columns).zip(&labels) {
            let mean = &mut means[label * columns..][..columns];
            mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
        }
        for (mean, &size) in means.chunks_exact_mut(columns).zip(&sizes) {
            mean.iter_mut().for_each(|x| *x /= size as f64);
        }
        Self { columns, means, sizes, rows, labels }
    }

    fn mean(&self, cluster: usize) -> &[f64] {
        &self.means[cluster * self.columns..][..self.columns]
    }

    /// The squared distance of each row to the mean of its cluster, with the cluster.
    fn squared(&self) -> impl Iterator<Item = (usize, f64)> {
        self.rows
            .chunks_exact(self.columns)
            .zip(&self.labels)
            .map(|(row, &label)| (label, apart(row, self.mean(label))))
    }
}

/// The squared Euclidean distance.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// The Davies–Bouldin index (1979): the mean over clusters of the largest (sᵢ + sⱼ) / dᵢⱼ, with the mean
/// distance s of rows to their mean and the distance d of means; lower is better.
///
/// # Errors
/// As [`silhouettes`].
pub fn davies_bouldin<T: Real>(points: Points<'_, T>, labels: &[u32]) -> Result<f64> {
    let (labels, sizes) = checked("the Davies–Bouldin index", points.rows(), labels)?;
    let clusters = Means::new(points, labels, sizes);
    let k = clusters.sizes.len();
    let mut spread = vec![0.0; k];
    clusters.squared().for_each(|(cluster, squared)| spread[cluster] += squared.sqrt());
    spread.iter_mut().zip(&clusters.sizes).for_each(|(s, &size)| *s /= size as f64);
    let distance = |i: usize, j: usize| apart(clusters.mean(i), clusters.mean(j)).sqrt();
    let worst: Vec<f64> = (0..k)
        .into_par_iter()
        .map(|i| {
            let ratio = |j: usize| match spread[i] + spread[j] {
                // Clusters of equal rows each.
                0.0 => 0.0,
                sum => sum / distance(i, j),
            };
            (0..k).filter(|&j| j != i).map(ratio).fold(0.0, f64::max)
        })
        .collect();
    Ok(mean(&worst))
}

/// The Caliński–Harabasz index (1974): the variance between clusters, over k − 1, divided by that within
/// them, over n − k; higher is better, and infinite if no rows differ within a cluster.
///
/// # Errors
/// As [`silhouettes`].
pub fn calinski_harabasz<T: Real>(points: Points<'_, T>, labels: &[u32]) -> Result<f64> {
    let (labels, sizes) = checked("the Caliński–Harabasz index", points.rows(), labels)?;
    let clusters = Means::new(points, labels, sizes);
    let (rows, k) = (clusters.labels.len() as f64, clusters.sizes.len() as f64);
    let within: f64 = clusters.squared().map(|(_, squared)| squared).sum();
    let origin = vec![0.0; clusters.columns];
    let between: f64 = (0..clusters.sizes.len())
        .map(|cluster| clusters.sizes[cluster] as f64 * apart(clusters.mean(cluster), &origin))
        .sum();
    Ok(between / within * (rows - k) / (k - 1.0))
}

/// How many rows two labelings have in common.
struct Contingency {
    rows: f64,
    /// Rows in both a cluster of the first and one of the second labeling.
    both: BTreeMap<(usize, usize), f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Contingency {
    fn new(a: &[u32], b: &[u32]) -> Result<Self> {
        if a.is_empty() {
            return Err(Error::Empty);
        }
        if a.len() != b.len() {
            return Err(Error::Mismatch { what: "labels", found: b.len(), expected: a.len() });
        }
        let ((a, first), (b, second)) = (compact(a), compact(b));
        let mut both = BTreeMap::new();
        for pair in a.iter().zip(&b) {
            *both.entry((*pair.0, *pair.1)).or_insert(0.0) += 1.0;
        }
        let reals = |sizes: Vec<usize>| sizes.into_iter().map(|size| size as f64).collect();
        let (first, second) = (reals(first), reals(second));
        Ok(Self { rows: a.len() as f64, both, first, second })
    }

    /// Σ p log(p / (p₁ p₂)) in nats.
    fn mutual_information(&self) -> f64 {
        let n = self.rows;
        let terms = self.both.iter().map(|(&(i, j), &count)| {
            count / n * (count.ln() + n.ln() - self.first[i].ln() - self.second[j].ln())
        });
        terms.sum::<f64>().max(0.0)
    }

    /// The entropies of both labelings in nats.
    fn entropies(&self) -> (f64, f64) {
        let entropy = |sizes: &[f64]| -> f64 {
            if sizes.len() < 2 {
                return 0.0;
            }
            -sizes.iter().map(|s| s / self.rows * (s.ln() - self.rows.ln())).sum::<f64>()
        };
        (entropy(&self.first), entropy(&self.second))
    }

    /// Whether both labelings are a single cluster, or both have each row alone.
    fn is_trivial(&self) -> bool {
        let (a, b) = (self.first.len(), self.second.len());
        a == b && (a == 1 || a as f64 == self.rows)
    }

    /// The expectation of the mutual information over random labelings with clusters of these sizes (Vinh,
    /// Epps and Bailey 2010).
    fn expected_mutual_information(&self) -> f64 {
        let n = self.rows;
        let factorials = log_factorials(n as usize);
        let log = |x: f64| factorials[x as usize];
        // Clusters of one size have equal terms.
        let counted = |sizes: &[f64]| -> Vec<(f64, f64)> {
            let mut counts = BTreeMap::new();
            for &size in sizes {
                *counts.entry(size as usize).or_insert(0.0) += 1.0;
            }
            counts.into_iter().map(|(size, count)| (size as f64, count)).collect()
        };
        let (first, second) = (counted(&self.first), counted(&self.second));
        let sums: Vec<f64> = first
            .par_iter()
            .map(|&(a, times)| {
                let mut sum = 0.0;
                for &(b, more) in &second {
                    let fixed = log(a) + log(b) + log(n - a) + log(n - b) - log(n);
                    let least = (a + b - n).max(1.0);
                    let mut both = least;
                    while both <= a.min(b) {
                        let information = both / n * (n.ln() + both.ln() - a.ln() - b.ln());
                        let rest = log(both) + log(a - both) + log(b - both);
                        let probability = (fixed - rest - log(n - a - b + both)).exp();
                        sum += times * more * information * probability;
                        both += 1.0;
                    }
                }
                sum
            })
            .collect();
        sums.iter().sum()
    }
}

/// log 0!, log 1!, … log n!, by compensated sums.
fn log_factorials(n: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(n + 1);
    let (mut sum, mut rest) = (0.0f64, 0.0);
    out.push(0.0);
    for i in 1..=n {
        let term = (i as f64).ln() - rest;
        let next = sum + term;
        rest = (next - sum) - term;
        sum = next;
        out.push(sum);
    }
    out
}

/// The adjusted Rand index (Hubert and Arabie 1985): 1 for equal partitions, about 0 for random ones.
///
/// # Errors
/// If there are no labels, or not as many in both.
pub fn adjusted_rand(a: &[u32], b: &[u32]) -> Result<f64> {
    let table = Contingency::new(a, b)?;
    let pairs = |count: &f64| count * (count - 1.0) / 2.0;
    let both: f64 = table.both.values().map(pairs).sum();
    let first: f64 = table.first.iter().map(pairs).sum();
    let second: f64 = table.second.iter().map(pairs).sum();
    if both == first && both == second {
        return Ok(1.0);
    }
    let all = pairs(&table.rows);
    let (expected, most) = (first / all * second, (first + second) / 2.0);
    Ok((both - expected) / (most - expected))
}

/// The normalized mutual information: divided by the mean of both entropies; from 0 to 1.
///
/// # Errors
/// As [`adjusted_rand`].
pub fn normalized_mutual_information(a: &[u32], b: &[u32]) -> Result<f64> {
    let table = Contingency::new(a, b)?;
    if table.is_trivial() {
        return Ok(1.0);
    }
    let information = table.mutual_information();
    let (first, second) = table.entropies();
    if information <= f64::EPSILON {
        return Ok(0.0);
    }
    Ok(information / ((first + second) / 2.0))
}

/// The adjusted mutual information (Vinh, Epps and Bailey 2010), with the mean of both entropies: 1 for
/// equal partitions, about 0 for random ones.
///
/// # Errors
/// As [`adjusted_rand`].
pub fn adjusted_mutual_information(a: &[u32], b: &[u32]) -> Result<f64> {
    let table = Contingency::new(a, b)?;
    if table.is_trivial() {
        return Ok(1.0);
    }
    // A single cluster says nothing about several.
    if table.first.len() == 1 || table.second.len() == 1 {
        return Ok(0.0);
    }
    let (first, second) = table.entropies();
    let expected = table.expected_mutual_information();
    // Differences that are rounding errors keep their sign, so that their ratio is not undefined.
    let apart = |difference: f64| match difference < 0.0 {
        true => difference.min(-f64::EPSILON),
        false => difference.max(f64::EPSILON),
    };
    Ok(apart(table.mutual_information() - expected) / apart((first + second) / 2.0 - expected))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Noise, Streams, blobs, permuted};
    use super::*;

    fn all<T: Real>(points: Points<'_, T>, labels: &[u32]) -> [f64; 3] {
        [
            mean(&silhouettes(points, labels, Metric::Euclidean).unwrap()),
            davies_bouldin(points, labels).unwrap(),
            calinski_harabasz(points, labels).unwrap(),
        ]
    }

    fn close(a: &[f64], b: &[f64], by: f64) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() <= by * a.abs().max(b.abs()))
    }

    #[test]
    fn indices_do_not_depend_on_names_order_origin_and_units() {
        let values = blobs(4, 50, 3.0, 1);
        let labels: Vec<u32> = (0..200).map(|row| row % 4).collect();
        let points = Points::new(&values, 2).unwrap();
        let want = all(points, &labels);
        let renamed: Vec<u32> = labels.iter().map(|l| [9, 3, 70, 5][*l as usize]).collect();
        assert!(close(&all(points, &renamed), &want, 1e-12));
        let order = Noise::new(1).permutation(200);
        let moved = permuted(&values, 2, &order);
        let names = permuted(&labels, 1, &order);
        assert!(close(&all(Points::new(&moved, 2).unwrap(), &names), &want, 1e-12));
        let far: Vec<f64> = values.iter().map(|x| 8.0 * x + 1e6).collect();
        assert!(close(&all(Points::new(&far, 2).unwrap(), &labels), &want, 1e-8));
        let other: Vec<u32> = (0..200).map(|row| row / 50).collect();
        for index in [adjusted_rand, normalized_mutual_information, adjusted_mutual_information] {
            let found = index(&labels, &other).unwrap();
            assert!((found - index(&other, &renamed).unwrap()).abs() < 1e-12);
            assert!((index(&labels, &renamed).unwrap() - 1.0).abs() < 1e-12);
            assert!(found < 0.1);
        }
    }

    #[test]
    fn products_give_the_silhouettes_of_plain_distances() {
        for (metric, columns) in
            [(Metric::Euclidean, 20), (Metric::Euclidean, 67), (Metric::Cosine, 31)]
        {
            let mut values = Noise::new(columns as u64).normals(700 * columns);
            for (i, row) in values.chunks_exact_mut(columns).enumerate() {
                row.iter_mut().for_each(|x| *x += 1000.0 * (i % 2) as f64 + (i % 3) as f64);
            }
            // Equal and nearly equal rows.
            values.copy_within(0..columns, 5 * columns);
            values.copy_within(columns..2 * columns, 9 * columns);
            values[9 * columns] += 1e-6;
            let labels: Vec<u32> = (0..700).map(|i| i % 3).collect();
            let points = Points::new(&values, columns).unwrap();
            let found = silhouettes(points, &labels, metric).unwrap();
            let prepared = metric.prepare(points).unwrap();
            let row = |i: usize| &prepared[i * columns..][..columns];
            for i in [0, 5, 9, 64, 699] {
                let mut sums = [0.0; 3];
                for (j, &label) in labels.iter().enumerate() {
                    sums[label as usize] += metric.distance(row(i), row(j));
                }
                let sizes = [234, 233, 233];
                let want = coefficient(labels[i] as usize, &sums, &sizes);
                assert!((found[i] - want).abs() < 1e-9, "{metric:?} {i}: {} {want}", found[i]);
            }
        }
    }

    #[test]
    fn a_sampled_silhouette_is_near_that_of_all_rows() {
        let values = blobs(3, 7000, 3.0, 2);
        let labels: Vec<u32> = (0..21_000).map(|row| row % 3).collect();
        let points = Points::new(&values, 2).unwrap();
        let found = silhouette(points, &labels, Metric::Euclidean, &Streams(1)).unwrap();
        assert_eq!(found.rows, SILHOUETTE_ROWS);
        let few = Points::new(&values[..6000], 2).unwrap();
        let other = silhouette(few, &labels[..3000], Metric::Euclidean, &Streams(1)).unwrap();
        assert_eq!(other.rows, 3000);
        assert!((found.mean - other.mean).abs() < 0.02, "{found:?} {other:?}");
    }

    #[test]
    fn degenerate_labels_have_their_values_or_an_error() {
        let points = Points::new(&[0.0, 0.0, 5.0, 5.0, 9.0], 1).unwrap();
        for labels in [[0; 5], [0, 1, 2, 3, 4]] {
            assert!(silhouettes(points, &labels, Metric::Euclidean).is_err());
            assert!(davies_bouldin(points, &labels).is_err());
            assert!(calinski_harabasz(points, &labels).is_err());
        }
        assert!(silhouettes(points, &[0, 1], Metric::Euclidean).is_err());
        let labels = [0, 0, 1, 1, 2];
        assert_eq!(
            silhouettes(points, &labels, Metric::Euclidean).unwrap(),
            [1.0, 1.0, 1.0, 1.0, 0.0]
        );
        assert_eq!(davies_bouldin(points, &labels).unwrap(), 0.0);
        assert_eq!(calinski_harabasz(points, &labels).unwrap(), f64::INFINITY);
        let equal = Points::new(&[1.0; 4], 1).unwrap();
        assert_eq!(silhouettes(equal, &[0, 0, 1, 1], Metric::Euclidean).unwrap(), [0.0; 4]);
        for index in [adjusted_rand, normalized_mutual_information, adjusted_mutual_information] {
            assert_eq!(index(&[0, 0], &[7, 7]).unwrap(), 1.0);
            assert_eq!(index(&[0, 1, 2], &[2, 1, 0]).unwrap(), 1.0);
            assert_eq!(index(&[0, 0, 0], &[0, 1, 2]).unwrap(), 0.0);
            assert!(index(&[], &[]).is_err() && index(&[0], &[0, 1]).is_err());
        }
    }
}
