//! Kernel density estimates: the mean of normal densities around the rows, with a bandwidth for each
//! column that is a factor times its standard deviation (Silverman 1986; Scott 1992), or the factor that
//! makes each row most probable given the others (leave-one-out likelihood, Duin 1976).
//!
//! A tree of the rows sums up those that are close to each other by their count, mean and second
//! moments, as far as the sum stays within a relative error.

use ancestral_data::{Batch, Examples};
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::families::section::golden_section;
use super::fitted::{columns_of, open_uniform};
use crate::model::{
    DataSpec, Density, DensityKind, DensityOptions, Estimate, Estimator, FitContext, FitReport,
    KindName, LogProbability, NamedTensors, SampleRequest, Sampler, Size, SizeBuilder, product,
};
use crate::settings::{Settings, above};
use crate::{Error, Result, choices, settings};

mod tree;

use tree::Tree;

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Real, KindName::Count];
/// The largest number of columns.
const MOST_COLUMNS: usize = 64;
/// Rows whose leave-one-out likelihood is summed.
const FEW: usize = 20_000;
/// The smallest and the largest factor that leave-one-out likelihood tries, relative to Silverman's.
const FACTORS: (f64, f64) = (1e-3, 10.0);

choices! {
    /// How the bandwidth is chosen.
    pub enum Bandwidth {
        /// factor (n (d + 2) / 4)^(−1 / (d + 4)) of the deviation
        Silverman = "silverman",
        /// factor n^(−1 / (d + 4)) of the deviation
        Scott = "scott",
        /// factor of the highest leave-one-out likelihood
        Likelihood = "likelihood",
    }
}

settings! {
    /// Settings of a kernel density estimate.
    pub struct KdeConfig {
        /// How the bandwidth is chosen.
        pub bandwidth: Bandwidth = Bandwidth::Silverman;
        /// Largest relative error of a density; 0 sums over all rows.
        pub relative_error: f64 = 1e-6, in 0.0..=0.1;
        /// Number that the bandwidth is multiplied by.
        pub bandwidth_factor: f64 = 1.0, in above(0.0);
    }
}

/// A kernel density estimate.
pub struct Kde {
    config: KdeConfig,
    data: DataSpec,
    /// `[rows, columns]`.
    points: Vec<f64>,
    /// `[columns]`.
    bandwidths: Vec<f64>,
    tree: Tree,
}

distribution! {
    Kde, KdeConfig, "kde",
    about: "kernel density estimate with a normal kernel",
    paper: "Silverman 1986",
    read: KdeConfig::from_table,
}

impl KdeConfig {
    fn check(&self, data: &DataSpec) -> Result<()> {
        self.check_values()?;
        data.check_kinds("kde", KINDS)?;
        let n = product(data.shape.dims());
        if n > MOST_COLUMNS {
            return Err(unsuitable(format!("{n} columns are too many; take {MOST_COLUMNS}")));
        }
        Ok(())
    }

    /// The size of a model with these settings, before it holds the rows that it is fitted to.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check(data)?;
        let n = product(data.shape.dims());
        let mut size = SizeBuilder::default();
        size.buffer(&[n]);
        size.buffer(&[n]);
        // The rows, in their order and in that of the tree.
        size.kept(product(&[n, 6]) as u64);
        size.fixed(product(&[n, 14]) as u64);
        Ok(size.finish())
    }

    /// A standard normal density: one row at 0.
    ///
    /// # Errors
    /// If a setting is out of range, or the data does not suit it.
    pub fn init(&self, data: &DataSpec) -> Result<Kde> {
        self.check(data)?;
        let n = data.size();
        let (points, bandwidths) = (vec![0.0; n], vec![1.0; n]);
        let tree = Tree::new(&points, &bandwidths);
        Ok(Kde { config: self.clone(), data: data.clone(), points, bandwidths, tree })
    }
}

fn unsuitable(problem: String) -> Error {
    Error::UnsuitableData { model: "kde".to_owned(), problem }
}

impl Kde {
    /// The rows and the bandwidths by name.
    fn parameters(&self) -> NamedTensors {
        let n = self.data.size();
        let rows = self.points.len() / n;
        vec![
            ("model.points".to_owned(), TensorData::new(self.points.clone(), [rows, n])),
            ("model.bandwidths".to_owned(), TensorData::new(self.bandwidths.clone(), [n])),
        ]
    }

    /// Takes rows, any number of them, and bandwidths by name.
    fn set_parameters(&mut self, tensors: &NamedTensors) -> Result<()> {
        let n = self.data.size();
        let rows = tensors.iter().find(|(name, _)| name == "model.points").map(|(_, data)| {
            let shape = data.shape().to_vec();
            if shape.len() == 2 && shape[1] == n { shape[0] } else { 0 }
        });
        let rows = rows.unwrap_or(0).max(1);
        let points = super::take("kde", tensors, "model.points", rows * n)?;
        let bandwidths = super::take("kde", tensors, "model.bandwidths", n)?;
        self.tree = Tree::new(&points, &bandwidths);
        (self.points, self.bandwidths) = (points, bandwidths);
        Ok(())
    }

    /// ln of the density at each row of some values.
    fn log_densities(&self, values: &[f64]) -> Vec<f64> {
        let n = self.data.size();
        let constant = log_constant(&self.bandwidths, self.points.len() / n);
        let of = |row: &[f64]| {
            self.tree.log_sum(&scaled(row, &self.bandwidths), self.config.relative_error) + constant
        };
        values.par_chunks(n).with_min_len(8).map(of).collect()
    }

    /// The factor of the highest leave-one-out likelihood, by golden section on its logarithm.
    fn by_likelihood(
        &self,
        points: &[f64],
        deviations: &[f64],
        silverman: f64,
        context: &FitContext<'_>,
    ) -> Result<f64> {
        let n = deviations.len();
        let rows = points.len() / n;
        let stride = rows.div_ceil(FEW);
        let error = self.config.relative_error.clamp(1e-9, 1e-5);
        let likelihood = |t: f64| -> f64 {
            let bandwidths: Vec<f64> = deviations.iter().map(|s| s * t.exp()).collect();
            let tree = Tree::new(points, &bandwidths);
            let constant = log_constant(&bandwidths, rows - 1);
            let of = |row: &[f64]| {
                // Without the row itself, whose kernel is 1.
                tree.log_sum_without_one(&scaled(row, &bandwidths), error) + constant
            };
            let some: Vec<&[f64]> = points.chunks_exact(n).step_by(stride).collect();
            let terms: Vec<f64> = some.par_iter().map(|row| of(row)).collect();
            terms.iter().sum::<f64>() / terms.len() as f64
        };
        let ends = ((silverman * FACTORS.0).ln(), (silverman * FACTORS.1).ln());
        let found = golden_section(ends, 1e-3, |t| {
            context.check_stop()?;
            Ok::<_, Error>(likelihood(t))
        })?;
        if found - ends.0 < 0.01 {
            return Err(unsuitable(
                "so many rows are equal to others that the leave-one-out likelihood rises as the \
                 bandwidth falls to 0; take silverman or scott"
                    .to_owned(),
            ));
        }
        Ok(found.exp())
    }
}

/// A row in units of the bandwidths.
fn scaled(row: &[f64], bandwidths: &[f64]) -> Vec<f64> {
    row.iter().zip(bandwidths).map(|(x, h)| x / h).collect()
}

/// ln of 1 / (rows Π √(2π) h).
fn log_constant(bandwidths: &[f64], rows: usize) -> f64 {
    let half = 0.5 * std::f64::consts::TAU.ln();
    -(rows as f64).ln() - bandwidths.iter().map(|h| h.ln() + half).sum::<f64>()
}

/// The standard deviation with divisor n − 1.
fn deviation(column: &[f64]) -> f64 {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let squares: f64 = column.iter().map(|x| (x - mean).powi(2)).sum();
    (squares / (n - 1.0)).sqrt()
}

impl Estimator for Kde {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        let n = self.data.size();
        let columns = columns_of(examples, n, context)?;
        let rows = examples.len();
        if rows < 2 {
            return Err(unsuitable("a bandwidth takes at least two rows".to_owned()));
        }
        let deviations: Vec<f64> = columns.iter().map(|column| deviation(column)).collect();
        if let Some(at) = deviations.iter().position(|s| !(*s > 0.0 && s.is_finite())) {
            let name = self.data.column_name(at);
            return Err(unsuitable(format!("column '{name}' is constant and has no bandwidth")));
        }
        let points: Vec<f64> =
            (0..rows).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
        let (count, d) = (rows as f64, n as f64);
        let silverman = (count * (d + 2.0) / 4.0).powf(-1.0 / (d + 4.0));
        let factor = match self.config.bandwidth {
            Bandwidth::Silverman => silverman,
            Bandwidth::Scott => count.powf(-1.0 / (d + 4.0)),
            Bandwidth::Likelihood => {
                self.by_likelihood(&points, &deviations, silverman, context)?
            }
        };
        let factor = factor * self.config.bandwidth_factor;
        self.bandwidths = deviations.iter().map(|s| s * factor).collect();
        self.tree = Tree::new(&points, &self.bandwidths);
        self.points = points;
        let estimate = |(i, &value): (usize, &f64)| {
            let name = format!("bandwidth[{}]", self.data.column_name(i));
            Estimate { name, value, stderr: None }
        };
        let estimates = self.bandwidths.iter().enumerate().map(estimate).collect();
        (context.progress)(1.0);
        Ok(FitReport { estimates, ..FitReport::default() })
    }
}

impl Density for Kde {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn is_mass(&self, _data: &DataSpec) -> bool {
        false
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        Ok(LogProbability { nats: self.log_densities(&batch.values), monte_carlo: None })
    }
}

impl Sampler for Kde {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let n = self.data.size();
        let rows = self.points.len() / n;
        let purpose = request.streams.purpose("sample", 0);
        let which = request.streams.purpose("sample row", 0);
        let mut out = Vec::with_capacity(request.count * n);
        for index in request.first..request.first + request.count as u64 {
            let row = (open_uniform(&mut which.item(index)) * rows as f64) as usize;
            let row = &self.points[row * n..(row + 1) * n];
            let z = purpose.normals(&[index], n);
            let moved = row.iter().zip(&self.bandwidths).zip(z);
            out.extend(moved.map(|((x, h), z)| x + h * f64::from(z)));
        }
        Ok(out)
    }

    fn has_temperature(&self) -> bool {
        false
    }

    fn has_noise(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use ancestral_data::{Binarize, Dataset, Domain, Shape, Split, SplitName, Streams, Values};

    use super::*;
    use crate::model::fit;

    fn data(values: Vec<f64>, columns: usize) -> Dataset {
        let split = Split { values: Values::Reals(values), labels: None };
        Dataset::new("k", Domain::Real, Shape::columns(columns), split, None, None).unwrap()
    }

    fn normals(count: usize) -> Vec<f64> {
        let z = Streams::new(3).purpose("z", 0).normals(&[0], count);
        z.into_iter().map(f64::from).collect()
    }

    fn fitted(data: &Dataset, config: KdeConfig) -> (Kde, Result<FitReport>) {
        let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
        let examples = Examples::new(data, SplitName::Train, Binarize::None, 0).unwrap();
        let mut kde = config.init(&spec).unwrap();
        let report = fit(&mut kde, &examples, 0);
        (kde, report)
    }

    #[test]
    fn the_tree_keeps_its_relative_error() {
        for columns in [1, 2, 3, 5] {
            let mut values = normals(3000 * columns);
            // Two clusters, one of them far away and narrow, and equal rows.
            for (i, x) in values.iter_mut().enumerate() {
                match (i / columns) % 5 {
                    0 => *x = 30.0 + 0.01 * *x,
                    1 => *x = (4.0 * *x).round(),
                    _ => {}
                }
            }
            let data = data(values.clone(), columns);
            for error in [1e-2, 1e-4, 1e-8] {
                let config = KdeConfig { relative_error: error, ..KdeConfig::default() };
                let (kde, report) = fitted(&data, config.clone());
                report.unwrap();
                let exact = KdeConfig { relative_error: 0.0, ..config };
                let (exact, _) = fitted(&data, exact);
                let mut queries = values[..columns * 200].to_vec();
                // Where every kernel of an unscaled sum is 0.
                queries.extend(vec![1e3; columns]);
                queries.extend(vec![-200.0; columns]);
                let all =
                    kde.log_densities(&queries).into_iter().zip(exact.log_densities(&queries));
                for (found, expected) in all {
                    let off = (found - expected).abs();
                    assert!(
                        off <= error * 1.01 + 1e-12 * expected.abs(),
                        "{columns} {error}: {off:e}"
                    );
                    assert!(found.is_finite());
                }
            }
        }
    }

    #[test]
    fn bandwidths_have_their_formulas_and_leave_one_out_is_a_maximum() {
        let values = normals(800);
        let data = data(values.clone(), 1);
        let s = deviation(&values);
        let of = |bandwidth| {
            let (kde, report) = fitted(&data, KdeConfig { bandwidth, ..KdeConfig::default() });
            report.unwrap();
            kde.bandwidths[0]
        };
        assert!((of(Bandwidth::Silverman) / s - (800.0f64 * 0.75).powf(-0.2)).abs() < 1e-12);
        assert!((of(Bandwidth::Scott) / s - 800.0f64.powf(-0.2)).abs() < 1e-12);
        let best = of(Bandwidth::Likelihood);
        let left_out = |h: f64| -> f64 {
            let term = |i: usize| {
                let others = values.iter().enumerate().filter(|(j, _)| *j != i);
                others
                    .map(|(_, x)| (-0.5 * ((x - values[i]) / h).powi(2)).exp() / h)
                    .sum::<f64>()
                    .ln()
            };
            (0..800).map(term).sum()
        };
        let at = left_out(best);
        assert!(at > left_out(best * 1.05) && at > left_out(best * 0.95), "{best}");
    }

    #[test]
    fn constant_and_repeated_rows_are_refused() {
        let said = |values: Vec<f64>, bandwidth| {
            let (_, report) =
                fitted(&data(values, 1), KdeConfig { bandwidth, ..KdeConfig::default() });
            report.unwrap_err().to_string()
        };
        assert!(said(vec![2.0; 9], Bandwidth::Scott).contains("is constant"));
        assert!(said(vec![2.0], Bandwidth::Scott).contains("two rows"));
        let twice = normals(50).into_iter().flat_map(|x| [x, x]).collect();
        assert!(said(twice, Bandwidth::Likelihood).contains("equal to others"));
    }
}
