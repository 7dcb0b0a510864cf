//! Mini-batch K-means on rows that come in parts, of which one is in memory at a time.

use super::super::kmeans::{KmeansConfig, MiniBatch, MiniBatchConfig};
use super::super::nearest::{Nearest, nearest};
use super::super::points::index_below;
use super::super::{Kmeans, UniformStreams, Watch};
use super::gather::{Matrix, with_points};
use crate::Result;

/// Rows in parts, which can be gone through again.
pub(crate) trait Parts {
    /// The number of rows.
    fn rows(&self) -> usize;

    /// Begins anew with the first part.
    fn restart(&mut self);

    /// The next part; `None` after the last one.
    fn next(&mut self) -> Result<Option<Matrix>>;
}

/// Rows in memory, as a single part.
pub(super) struct Whole<'a> {
    matrix: &'a Matrix,
    given: bool,
}

impl<'a> Whole<'a> {
    pub(super) fn new(matrix: &'a Matrix) -> Self {
        Self { matrix, given: false }
    }
}

impl Parts for Whole<'_> {
    fn rows(&self) -> usize {
        self.matrix.rows()
    }

    fn restart(&mut self) {
        self.given = false;
    }

    fn next(&mut self) -> Result<Option<Matrix>> {
        let given = std::mem::replace(&mut self.given, true);
        Ok((!given).then(|| self.matrix.clone()))
    }
}

/// How batches are taken from parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batches {
    /// Rows of a batch.
    pub(super) size: usize,
    /// The most passes over all rows.
    pub(super) passes: usize,
    pub(super) config: MiniBatchConfig,
}

/// Centers from mini-batches of all parts, in random order within a part: those of K-means on a sample go
/// first. After the first pass, the iterations end as soon as they have converged.
///
/// The labels are those of the sample.
pub(super) fn by_batches(
    sample: &Matrix,
    parts: &mut dyn Parts,
    start: &KmeansConfig,
    batches: Batches,
    streams: &dyn UniformStreams,
    watch: &mut Watch<'_>,
) -> std::result::Result<Kmeans, Failed> {
    let begun = watch.stop_alone(
        |watch| with_points!(sample, points => start.fit_watched(points, None, streams, watch)),
    )?;
    if begun.stopped {
        return Ok(begun);
    }
    let columns = begun.columns;
    let config = MiniBatchConfig { rows: Some(parts.rows() as u64), ..batches.config };
    let mut model = MiniBatch::new(begun.centers.clone(), columns, config)?;
    let mut uniform = streams.stream("kmeans batches", 0);
    let (mut taken, mut passes, mut stopped, mut converged) = (0, 0, false, false);
    let all = batches.passes.saturating_mul(parts.rows());
    'passes: while passes < batches.passes {
        parts.restart();
        let mut done = 0;
        while let Some(part) = parts.next().map_err(Failed::Reading)? {
            let mut order: Vec<usize> = (0..part.rows()).collect();
            for i in (1..order.len()).rev() {
                order.swap(i, index_below(uniform(), i + 1));
            }
            for rows in order.chunks(batches.size) {
                let batch = part.pick(rows);
                with_points!(&batch, points => model.partial_fit(points, &mut *uniform))?;
                taken += 1;
                done += rows.len();
                watch.tell(passes * parts.rows() + done, all);
                stopped = watch.is_stopped();
                converged = passes > 0 && model.converged();
                if stopped || converged {
                    break 'passes;
                }
            }
        }
        passes += 1;
        converged = model.converged();
        if converged {
            break;
        }
    }
    if !stopped {
        watch.tell(all, all);
    }
    Ok(Kmeans { centers: model.centers().to_vec(), iterations: taken, converged, stopped, ..begun })
}

/// Why centers were not found.
pub(super) enum Failed {
    /// A part could not be read.
    Reading(crate::Error),
    /// Rows or settings do not suit.
    Clustering(super::super::Error),
}

impl From<super::super::Error> for Failed {
    fn from(error: super::super::Error) -> Self {
        Self::Clustering(error)
    }
}

/// The nearest of centers `[k, columns]` to each row.
///
/// # Errors
/// If the rows have another number of columns.
pub(crate) fn nearest_centers(
    rows: &Matrix,
    centers: &[f64],
) -> std::result::Result<Vec<Nearest>, super::super::Error> {
    with_points!(rows, points => Ok(nearest(points, centers)))
}

/// Leaves out centers without rows; the rows of the others.
pub(crate) fn without_empty(centers: &mut Vec<f64>, sizes: &mut Vec<usize>) {
    let columns = centers.len() / sizes.len().max(1);
    let kept = centers.chunks_exact(columns.max(1)).zip(sizes.iter());
    *centers =
        kept.filter(|(_, size)| **size > 0).flat_map(|(center, _)| center).copied().collect();
    sizes.retain(|&size| size > 0);
}
