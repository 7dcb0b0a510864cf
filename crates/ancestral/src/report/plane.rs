//! Scatter plots of examples of two real columns.

use ancestral_data::{Batch, Dataset, Domain, SplitName, Values};
use ancestral_plot::{Image, Plot, Series};

use crate::Result;
use crate::model::Model;

/// Training examples plotted below samples, and the smallest number of samples.
pub(super) const POINTS: usize = 1000;
/// Cells of the map of discriminator scores, along each side.
const CELLS: usize = 64;
/// The largest ratio of the ranges of two columns that are plotted on the same scale.
const ALIKE: f64 = 4.0;

/// Examples of two real columns, plotted below samples.
#[derive(Debug, Clone)]
pub struct Plane {
    points: Vec<(f64, f64)>,
    names: [String; 2],
    x_range: (f64, f64),
    y_range: (f64, f64),
}

impl Plane {
    /// The points of the training split, if the examples are pairs of reals.
    pub fn of(data: &Dataset) -> Option<Self> {
        if data.domain != Domain::Real || data.shape.size() != 2 {
            return None;
        }
        let split = data.split(SplitName::Train).ok()?;
        let Values::Reals(values) = &split.values else { return None };
        let pairs = values.chunks_exact(2).map(|p| (p[0], p[1]));
        let points: Vec<(f64, f64)> = pairs.take(POINTS).collect();
        let range = |of: fn(&(f64, f64)) -> f64| {
            let low = points.iter().map(of).fold(f64::INFINITY, f64::min);
            let high = points.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
            let margin = 0.15 * (high - low).max(1e-6);
            (low - margin, high + margin)
        };
        let (x_range, y_range) = (range(|p| p.0), range(|p| p.1));
        let name =
            |i: usize, other: &str| data.column_names.get(i).map_or(other, |name| name).into();
        let names = [name(0, "first column"), name(1, "second column")];
        Some(Self { points, names, x_range, y_range })
    }

    /// Samples over data, over a heat map of the discriminator's scores if there is a discriminator
    /// that needs no classes.
    pub(super) fn draw(&self, model: &dyn Model, samples: &[f64]) -> Result<Image> {
        let (x, y) = (self.x_range, self.y_range);
        let points = samples.chunks_exact(2).map(|p| (p[0], p[1]));
        let inside = |p: &(f64, f64)| p.0 >= x.0 && p.0 <= x.1 && p.1 >= y.0 && p.1 <= y.1;
        let [first, second] = &self.names;
        let mut plot =
            Plot::new("samples over data", first, second).x_range(x.0, x.1).y_range(y.0, y.1);
        // Columns of different units have separate scales.
        let ratio = (x.1 - x.0) / (y.1 - y.0);
        if (1.0 / ALIKE..ALIKE).contains(&ratio) {
            plot = plot.equal_aspect();
        }
        if let Some(discriminator) = model.discriminator() {
            let at = |(low, high): (f64, f64), i: usize| {
                low + (high - low) * (i as f64 + 0.5) / CELLS as f64
            };
            let cells = (0..CELLS * CELLS).flat_map(|k| {
                // Rows are ordered from top to bottom.
                [at(x, k % CELLS), at(y, CELLS - 1 - k / CELLS)]
            });
            let batch = Batch::of(cells.collect(), CELLS * CELLS);
            if let Ok(scores) = discriminator.score(&batch) {
                plot = plot.with_map(&scores, CELLS, x, y, "critic: higher looks like data");
            }
        }
        let plot = plot
            .with(Series::points("data", self.points.iter().copied()))
            .with(Series::points("samples", points.filter(inside)));
        Ok(plot.to_image()?)
    }
}
