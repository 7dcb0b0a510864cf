//! The nearest centers of rows.

use rayon::prelude::*;

use super::centers::{Centers, ROWS, square};
use super::points::{Points, Real};
use super::product::squared_distance;

/// The nearest centers of a row, the first of equally near ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// The nearest center.
    pub center: u32,
    /// The squared distance to it.
    pub squared_distance: f64,
    /// The second nearest center; none if there is one center.
    pub second: Option<u32>,
}

/// The nearest of `centers` `[k, columns]` to each row, in double precision and whatever other rows there
/// are: rows and centers are compared relative to the first center.
pub(super) fn nearest<T: Real>(points: Points<'_, T>, centers: &[f64]) -> Vec<Nearest> {
    let columns = points.columns();
    let origin = &centers[..columns];
    let relative = |values: &[f64]| -> Vec<f64> {
        let rows = values.chunks_exact(columns);
        rows.flat_map(|row| row.iter().zip(origin).map(|(x, o)| x - o)).collect()
    };
    let table = Centers::new(relative(centers), columns);
    let k = table.len();
    let blocks: Vec<Vec<Nearest>> = points
        .values()
        .par_chunks(ROWS * columns)
        .map(|block| {
            let values: Vec<f64> = block.iter().map(|x| x.to_f64()).collect();
            let rows = relative(&values);
            let squares: Vec<f64> = rows.chunks_exact(columns).map(square).collect();
            let mut found = vec![0.0; squares.len() * k];
            table.squared_distances(&rows, &squares, &mut found);
            let pairs = found.chunks_exact(k).zip(&squares).zip(rows.chunks_exact(columns));
            pairs.map(|((found, &square), row)| first_two(&table, row, square, found)).collect()
        })
        .collect();
    blocks.concat()
}

/// The first two centers by squared distances, of which those near the second are computed again from
/// differences.
fn first_two(table: &Centers<f64>, row: &[f64], square: f64, found: &[f64]) -> Nearest {
    // At least the second smallest true distance.
    let (mut least, mut second) = (f64::INFINITY, f64::INFINITY);
    for (center, distance) in found.iter().enumerate() {
        let most = distance + table.error(square, center);
        if most < least {
            (least, second) = (most, least);
        } else if most < second {
            second = most;
        }
    }
    let mut two = [(f64::INFINITY, None), (f64::INFINITY, None)];
    for (center, distance) in found.iter().enumerate() {
        if *distance - table.error(square, center) <= second {
            let exact = (squared_distance(row, table.row(center)), Some(center as u32));
            if exact.0 < two[0].0 {
                two = [exact, two[0]];
            } else if exact.0 < two[1].0 {
                two[1] = exact;
            }
        }
    }
    let [(squared_distance, center), (_, second)] = two;
    Nearest { center: center.unwrap_or(0), squared_distance, second }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Noise;
    use super::*;

    #[test]
    fn nearest_centers_are_those_of_a_sort_far_from_the_origin() {
        for columns in [1, 2, 20] {
            let mut noise = Noise::new(columns as u64);
            let mut values = noise.normals(40 * columns);
            values.iter_mut().for_each(|x| *x += 1e6);
            let centers = values[..17 * columns].to_vec();
            let points = Points::new(&values, columns).unwrap();
            for (row, found) in nearest(points, &centers).iter().enumerate() {
                let row = points.row(row);
                let mut all: Vec<(f64, u32)> = centers
                    .chunks_exact(columns)
                    .enumerate()
                    .map(|(c, x)| (x.iter().zip(row).map(|(a, b)| (a - b).powi(2)).sum(), c as u32))
                    .collect();
                all.sort_by(|a, b| a.partial_cmp(b).unwrap());
                assert_eq!((found.center, found.second), (all[0].1, Some(all[1].1)));
                assert!((found.squared_distance - all[0].0).abs() < 1e-9);
            }
        }
        let one = nearest(Points::new(&[1.0, 2.0], 2).unwrap(), &[0.0, 0.0]);
        assert_eq!(one, [Nearest { center: 0, squared_distance: 5.0, second: None }]);
    }
}
