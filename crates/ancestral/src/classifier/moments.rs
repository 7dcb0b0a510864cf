//! Means and centered products of examples by class, in one pass.

use std::sync::atomic::AtomicBool;

use ancestral_data::{Batch, Examples};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use super::joint::Labeled;
use crate::Result;
use crate::model::block_sums;

/// The sums of examples by class, merged without cancellation (Chan, Golub and LeVeque 1983).
#[derive(Debug, Clone)]
pub(super) struct ClassMoments {
    /// `[classes]`.
    pub(super) counts: Vec<f64>,
    /// `[classes, columns]`.
    pub(super) mean: Vec<f64>,
    /// Σ (x − mean)(x − mean)ᵀ about the mean of the class, `[classes, columns, columns]`, or over all
    /// classes `[1, columns, columns]`.
    pub(super) products: Vec<f64>,
}

/// The moments of examples; `pooled` adds the products of all classes.
///
/// # Errors
/// If an example has no label, is of an unknown class or not finite, or the fit was asked to `stop`.
pub(super) fn class_moments(
    of: &Labeled<'_>,
    pooled: bool,
    examples: &Examples,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(f64),
) -> Result<ClassMoments> {
    let (classes, columns) = (of.classes, of.columns);
    let groups = if pooled { 1 } else { classes };
    let empty = || ClassMoments {
        counts: vec![0.0; classes],
        mean: vec![0.0; classes * columns],
        products: vec![0.0; groups * columns * columns],
    };
    let add = |block: &Batch, sums: &mut ClassMoments| {
        let labels = of.check(block)?;
        let mut own = empty();
        let mut members = vec![Vec::new(); classes];
        for (row, &label) in block.values.chunks_exact(columns).zip(labels) {
            if let Some(members) = members.get_mut(label as usize) {
                members.push(row);
            }
        }
        let mut centered = Vec::new();
        for (class, members) in members.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            own.counts[class] = members.len() as f64;
            let mean = &mut own.mean[class * columns..][..columns];
            // About the first example, so that constant columns have no deviation at all.
            let origin = members[0];
            for row in members {
                let apart = row.iter().zip(origin).map(|(x, origin)| x - origin);
                mean.iter_mut().zip(apart).for_each(|(mean, apart)| *mean += apart);
            }
            let n = members.len() as f64;
            mean.iter_mut().zip(origin).for_each(|(mean, origin)| *mean = origin + *mean / n);
            centered.clear();
            for row in members {
                centered.extend(row.iter().zip(&*mean).map(|(x, mean)| x - mean));
            }
            let group = if pooled { 0 } else { class };
            let rows = MatRef::from_row_major_slice(&centered, members.len(), columns);
            let products = &mut own.products[group * columns * columns..][..columns * columns];
            let products = MatMut::from_row_major_slice_mut(products, columns, columns);
            matmul(products, Accum::Add, rows.transpose(), rows, 1.0, Par::Seq);
        }
        merge(sums, own, pooled);
        Ok(())
    };
    block_sums(examples, stop, progress, empty, add, |a, b| merge(a, b, pooled))
}

/// Adds later examples.
fn merge(earlier: &mut ClassMoments, later: ClassMoments, pooled: bool) {
    let columns = earlier.mean.len() / earlier.counts.len().max(1);
    earlier.products.iter_mut().zip(&later.products).for_each(|(a, b)| *a += b);
    for class in 0..earlier.counts.len() {
        let all = earlier.counts[class] + later.counts[class];
        if later.counts[class] == 0.0 {
            continue;
        }
        let share = later.counts[class] / all;
        let weight = earlier.counts[class] * share;
        let place = class * columns..(class + 1) * columns;
        let mean = &mut earlier.mean[place.clone()];
        let apart: Vec<f64> = later.mean[place].iter().zip(&*mean).map(|(b, a)| b - a).collect();
        if weight > 0.0 {
            let group = if pooled { 0 } else { class };
            let products = &mut earlier.products[group * columns * columns..][..columns * columns];
            for (row, a) in products.chunks_exact_mut(columns).zip(&apart) {
                row.iter_mut().zip(&apart).for_each(|(sum, b)| *sum += weight * a * b);
            }
        }
        mean.iter_mut().zip(&apart).for_each(|(mean, apart)| *mean += apart * share);
        earlier.counts[class] = all;
    }
}
