//! Mixtures of Gaussians, fitted by expectation–maximization (Dempster, Laird and Rubin 1977): each step
//! weights the rows by the probability of each component given the row, and takes weighted means and
//! covariances. Several starts by k-means++ (Arthur and Vassilvitskii 2007) on standardized columns; the
//! one of the highest likelihood is kept. The likelihood is exact.
//!
//! A component that narrows on a row has no bound, so that a part of the variance of each column, which
//! does not depend on units, is added to each variance.

use ancestral_data::{Batch, Examples};
use burn::tensor::TensorData;

use super::em::{Climbed, Em, Mixture, drawn};
use super::fitted::open_uniform;
use super::gaussian::{Covariance, cholesky};
use super::{log_sum_exp, take};
use crate::model::{
    Assignments, Clusterer, DataSpec, Density, DensityKind, DensityOptions, Estimate, Estimator,
    FitContext, FitReport, KindName, LogProbability, NamedTensors, SampleRequest, Sampler, Size,
    SizeBuilder, block_sums, check_batch, product,
};
use crate::settings::{Settings, above};
use crate::{Error, Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Real, KindName::Count];
/// The largest number of columns.
const MOST_COLUMNS: usize = 1024;

settings! {
    /// Settings of a mixture of Gaussians.
    pub struct GmmConfig {
        /// Number of components.
        pub components: usize = 3, in 1..=1000, also ["n_components"];
        /// Shape of the covariance matrix of a component.
        pub covariance: Covariance = Covariance::Full, also ["covariance_type"];
        /// Number of starts by k-means++.
        pub starts: usize = 4, in 1..=1000, also ["n_init"];
        /// Maximum number of steps of EM.
        pub max_iterations: usize = 500, in 1.., also ["max_iter"];
        /// Rise of the mean log-likelihood below which EM has converged.
        pub tolerance: f64 = 1e-7, in above(0.0), unit "nats per example", also ["tol"];
        /// Part of the variance of each column that is added to the variances of the components.
        pub relative_variance_floor: f64 = 1e-6, in above(0.0);
    }
}

/// A mixture of Gaussians.
pub struct Gmm {
    config: GmmConfig,
    data: DataSpec,
    parameters: Parameters,
}

/// The parameters of all components.
#[derive(Debug, Clone, PartialEq)]
struct Parameters {
    /// `[components]`.
    weights: Vec<f64>,
    /// `[components, columns]`.
    means: Vec<f64>,
    /// Lower Cholesky factors of the covariances, `[components, columns, columns]`.
    factors: Vec<f64>,
}

distribution! {
    Gmm, GmmConfig, "gmm",
    about: "mixture of Gaussians, fitted by expectation–maximization",
    paper: "Dempster, Laird and Rubin 1977",
    read: GmmConfig::from_table,
    soft: clusters,
}

impl GmmConfig {
    fn check(&self, data: &DataSpec) -> Result<()> {
        self.check_values()?;
        data.check_kinds("gmm", KINDS)?;
        let n = product(data.shape.dims());
        if n > MOST_COLUMNS {
            let problem = format!("{n} columns are too many for covariances; take {MOST_COLUMNS}");
            return Err(Error::UnsuitableData { model: "gmm".to_owned(), problem });
        }
        Ok(())
    }

    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check(data)?;
        let (k, n) = (self.components, product(data.shape.dims()));
        let mut size = SizeBuilder::default();
        size.buffer(&[k]);
        size.buffer(&[k, n]);
        size.buffer(&[k, n, n]);
        size.kept((n + k) as u64);
        // The sums of some blocks, the parameters of a start and of the best, the estimates.
        size.fixed(product(&[k, n, n, 24]) as u64);
        size.fixed(product(&[k, n, 40]) as u64);
        Ok(size.finish())
    }

    /// Standard normal components.
    ///
    /// # Errors
    /// If a setting is out of range, or the data does not suit it.
    pub fn init(&self, data: &DataSpec) -> Result<Gmm> {
        self.check(data)?;
        let (k, n) = (self.components, data.size());
        let mut unit = vec![0.0; n * n];
        (0..n).for_each(|i| unit[i * n + i] = 1.0);
        let parameters = Parameters {
            weights: vec![1.0 / k as f64; k],
            means: vec![0.0; k * n],
            factors: unit.repeat(k),
        };
        Ok(Gmm { config: self.clone(), data: data.clone(), parameters })
    }
}

impl Gmm {
    /// The parameters by name.
    fn parameters(&self) -> NamedTensors {
        let (k, n) = (self.config.components, self.data.size());
        let Parameters { weights, means, factors } = self.parameters.clone();
        vec![
            ("model.weights".to_owned(), TensorData::new(weights, [k])),
            ("model.means".to_owned(), TensorData::new(means, [k, n])),
            ("model.factors".to_owned(), TensorData::new(factors, [k, n, n])),
        ]
    }

    /// Takes parameters by name.
    fn set_parameters(&mut self, tensors: &NamedTensors) -> Result<()> {
        let (k, n) = (self.config.components, self.data.size());
        self.parameters = Parameters {
            weights: take("gmm", tensors, "model.weights", k)?,
            means: take("gmm", tensors, "model.means", k * n)?,
            factors: take("gmm", tensors, "model.factors", k * n * n)?,
        };
        Ok(())
    }
}

/// Rows whose densities are computed together, column by column.
const TILE: usize = 64;

/// What the densities of all components take, computed once for many rows.
struct Densities<'a> {
    at: &'a Parameters,
    columns: usize,
    /// ln of the weight and of the normalizer of each component.
    constants: Vec<f64>,
    /// The reciprocals of the diagonals of the factors, `[components, columns]`.
    reciprocals: Vec<f64>,
    /// The standardized rows of one component, `[columns, TILE]`.
    z: Vec<f64>,
    /// ln of weight times density, `[components, TILE]`.
    logs: Vec<f64>,
    /// The rows, `[columns, TILE]`; those beyond the last one are 0.
    tile: Vec<f64>,
}

impl<'a> Densities<'a> {
    fn new(at: &'a Parameters) -> Self {
        let components = at.weights.len();
        let n = at.means.len() / components.max(1);
        let diagonal = |c: usize| (0..n).map(move |i| at.factors[(c * n + i) * n + i]);
        let constant = |c: usize| {
            let logs: f64 = diagonal(c).map(f64::ln).sum();
            at.weights[c].ln() - 0.5 * n as f64 * std::f64::consts::TAU.ln() - logs
        };
        Self {
            at,
            columns: n,
            constants: (0..components).map(constant).collect(),
            reciprocals: (0..components).flat_map(diagonal).map(f64::recip).collect(),
            z: vec![0.0; n * TILE],
            logs: vec![0.0; components * TILE],
            tile: vec![0.0; n * TILE],
        }
    }

    /// ln of weight times density of each component at up to [`TILE`] rows, into `logs`.
    fn joint(&mut self, rows: &[f64]) {
        let n = self.columns;
        self.tile.fill(0.0);
        for (r, row) in rows.chunks_exact(n).enumerate() {
            row.iter().enumerate().for_each(|(i, x)| self.tile[i * TILE + r] = *x);
        }
        for (c, logs) in self.logs.chunks_exact_mut(TILE).enumerate() {
            logs.fill(0.0);
            for i in 0..n {
                let (known, rest) = self.z.split_at_mut(i * TILE);
                let z = &mut rest[..TILE];
                let (mean, reciprocal) = (self.at.means[c * n + i], self.reciprocals[c * n + i]);
                let x = &self.tile[i * TILE..(i + 1) * TILE];
                z.iter_mut().zip(x).for_each(|(z, x)| *z = x - mean);
                let factors = &self.at.factors[(c * n + i) * n..(c * n + i) * n + i];
                for (known, factor) in known.chunks_exact(TILE).zip(factors) {
                    if *factor != 0.0 {
                        z.iter_mut().zip(known).for_each(|(z, k)| *z -= factor * k);
                    }
                }
                for (z, log) in z.iter_mut().zip(logs.iter_mut()) {
                    *z *= reciprocal;
                    *log += *z * *z;
                }
            }
            logs.iter_mut().for_each(|log| *log = self.constants[c] - 0.5 * *log);
        }
    }

    /// Those of one row among the last, into `out`.
    fn of_row(&self, r: usize, out: &mut [f64]) {
        out.iter_mut().enumerate().for_each(|(c, log)| *log = self.logs[c * TILE + r]);
    }

    /// Makes the logarithms of some rows the probabilities of the components, 0 for other rows, and
    /// gives the sum of the log-densities.
    fn shares(&mut self, rows: usize) -> f64 {
        let (mut most, mut total) = ([f64::NEG_INFINITY; TILE], [0.0; TILE]);
        for logs in self.logs.chunks_exact(TILE) {
            most.iter_mut().zip(logs).for_each(|(m, log)| *m = m.max(*log));
        }
        for logs in self.logs.chunks_exact_mut(TILE) {
            for ((log, m), total) in logs.iter_mut().zip(&most).zip(&mut total).take(rows) {
                // A row without any density belongs to no component.
                *log = if *m == f64::NEG_INFINITY { 0.0 } else { (*log - m).exp() };
                *total += *log;
            }
            logs[rows..].fill(0.0);
        }
        for logs in self.logs.chunks_exact_mut(TILE) {
            let all = logs.iter_mut().zip(&total).filter(|(_, total)| **total > 0.0);
            all.for_each(|(log, total)| *log /= total);
        }
        most.iter().zip(&total).take(rows).map(|(m, total)| m + total.ln()).sum()
    }
}

/// Σ a b of as many rows as a tile has, in eight sums.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Sums over rows, weighted by the components: of the differences from their present means.
struct Sums {
    log_likelihood: f64,
    rows: f64,
    weights: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

/// A mixture of Gaussians that is fitted.
struct Fitting<'a> {
    gmm: &'a Gmm,
    /// The deviation of each column, 1 for a constant one.
    spreads: Vec<f64>,
    /// What is added to the variances.
    floor: Vec<f64>,
}

impl Mixture for Fitting<'_> {
    type Parameters = Parameters;
    type Sums = Sums;

    fn pass(
        &self,
        examples: &Examples,
        at: &Parameters,
        context: &FitContext<'_>,
    ) -> Result<(Sums, f64)> {
        let (k, n) = (self.gmm.config.components, self.gmm.data.size());
        let empty = || Sums {
            log_likelihood: 0.0,
            rows: 0.0,
            weights: vec![0.0; k],
            first: vec![0.0; k * n],
            second: vec![0.0; k * n * n],
        };
        let full = self.gmm.config.covariance == Covariance::Full;
        let add = |block: &Batch, sums: &mut Sums| {
            let mut densities = Densities::new(at);
            let (mut d, mut weighted) = (vec![0.0; n * TILE], vec![0.0; TILE]);
            for rows in block.values.chunks(n * TILE) {
                densities.joint(rows);
                sums.log_likelihood += densities.shares(rows.len() / n);
                sums.rows += (rows.len() / n) as f64;
                for (c, shares) in densities.logs.chunks_exact(TILE).enumerate() {
                    sums.weights[c] += shares.iter().sum::<f64>();
                    for i in 0..n {
                        let (from, to) = (i * TILE, (i + 1) * TILE);
                        let mean = at.means[c * n + i];
                        let of = d[from..to].iter_mut().zip(&densities.tile[from..to]);
                        of.for_each(|(d, x)| *d = x - mean);
                        let of = weighted.iter_mut().zip(shares).zip(&d[from..to]);
                        of.for_each(|((w, share), d)| *w = share * d);
                        sums.first[c * n + i] += weighted.iter().sum::<f64>();
                        for j in if full { 0 } else { i }..=i {
                            sums.second[(c * n + i) * n + j] +=
                                dot(&weighted, &d[j * TILE..(j + 1) * TILE]);
                        }
                    }
                }
            }
            Ok(())
        };
        let merge = |a: &mut Sums, b: Sums| {
            a.log_likelihood += b.log_likelihood;
            a.rows += b.rows;
            let lists =
                [(&mut a.weights, b.weights), (&mut a.first, b.first), (&mut a.second, b.second)];
            for (a, b) in lists {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            }
        };
        let sums = block_sums(examples, context.stop, &mut |_| {}, empty, add, merge)?;
        let mean = sums.log_likelihood / sums.rows;
        Ok((sums, mean))
    }

    fn step(&self, at: &Parameters, sums: &Sums) -> Result<Parameters> {
        let n = self.gmm.data.size();
        let mut next = at.clone();
        for c in 0..self.gmm.config.components {
            let weight = sums.weights[c];
            next.weights[c] = (weight / sums.rows).max(1e-300);
            if weight <= 1e-12 {
                // A component without rows stays where it is.
                continue;
            }
            let shift: Vec<f64> = (0..n).map(|i| sums.first[c * n + i] / weight).collect();
            let mut covariance = vec![0.0; n * n];
            for i in 0..n {
                next.means[c * n + i] = at.means[c * n + i] + shift[i];
                for j in 0..=i {
                    let mean = sums.second[(c * n + i) * n + j] / weight;
                    covariance[i * n + j] = match (self.gmm.config.covariance, i == j) {
                        (Covariance::Diagonal, false) => 0.0,
                        _ => mean - shift[i] * shift[j],
                    };
                }
                covariance[i * n + i] = covariance[i * n + i].max(0.0) + self.floor[i];
            }
            let factor = cholesky(&covariance, n).ok_or_else(|| Error::UnsuitableData {
                model: "gmm".to_owned(),
                problem: "a covariance is singular; raise relative_variance_floor".to_owned(),
            })?;
            next.factors[c * n * n..(c + 1) * n * n].copy_from_slice(&factor);
        }
        Ok(next)
    }

    /// By columns in units of their deviations.
    fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).zip(&self.spreads).map(|((a, b), s)| ((a - b) / s).powi(2)).sum()
    }

    /// With the covariance of all rows.
    fn start(&self, rows: &[&[f64]]) -> Parameters {
        let (k, n) = (rows.len(), self.spreads.len());
        let mut factor = vec![0.0; n * n];
        // As if the rows were spread evenly over the components.
        let share = (k as f64).powf(-1.0 / n as f64);
        (0..n).for_each(|i| factor[i * n + i] = self.spreads[i] * share);
        Parameters {
            weights: vec![1.0 / k as f64; k],
            means: rows.concat(),
            factors: factor.repeat(k),
        }
    }
}

impl Gmm {
    /// The deviation of each column, 1 for a constant one.
    fn spreads(&self, examples: &Examples, context: &FitContext<'_>) -> Result<Vec<f64>> {
        let n = self.data.size();
        let first = examples.batch(&[0], 0).values;
        let empty = || (0.0, vec![0.0; n], vec![0.0; n]);
        let add = |block: &Batch, sums: &mut (f64, Vec<f64>, Vec<f64>)| {
            for row in block.values.chunks_exact(n) {
                sums.0 += 1.0;
                for i in 0..n {
                    let d = row[i] - first[i];
                    sums.1[i] += d;
                    sums.2[i] += d * d;
                }
            }
            Ok(())
        };
        let merge = |a: &mut (f64, Vec<f64>, Vec<f64>), b: (f64, Vec<f64>, Vec<f64>)| {
            a.0 += b.0;
            a.1.iter_mut().zip(b.1).for_each(|(a, b)| *a += b);
            a.2.iter_mut().zip(b.2).for_each(|(a, b)| *a += b);
        };
        let (rows, sums, squares) =
            block_sums(examples, context.stop, &mut |_| {}, empty, add, merge)?;
        let of = |(sum, square): (&f64, &f64)| {
            let variance = square / rows - (sum / rows).powi(2);
            if variance > 0.0 { variance.sqrt() } else { 1.0 }
        };
        Ok(sums.iter().zip(&squares).map(of).collect())
    }

    /// What a fit takes of the settings.
    fn em(&self) -> Em {
        Em {
            model: "gmm",
            components: self.config.components,
            starts: self.config.starts,
            max_iterations: self.config.max_iterations,
            tolerance: self.config.tolerance,
        }
    }

    fn fitting(&self, examples: &Examples, context: &FitContext<'_>) -> Result<Fitting<'_>> {
        let spreads = self.spreads(examples, context)?;
        let part = self.config.relative_variance_floor;
        let floor = spreads.iter().map(|s| part * s * s).collect();
        Ok(Fitting { gmm: self, spreads, floor })
    }

    /// A note on components whose width in a column is what was added to their variance: their
    /// likelihood is that of the floor.
    fn narrow(&self, at: &Parameters, floor: &[f64]) -> Option<String> {
        let (k, n) = (self.config.components, self.data.size());
        let variance = |c: usize, i: usize| -> f64 {
            let row = (c * n + i) * n;
            at.factors[row..=row + i].iter().map(|x| x * x).sum()
        };
        let at_floor = |i: usize| (0..k).filter(|&c| variance(c, i) < 2.0 * floor[i]).count();
        let (first, components) =
            (0..n).map(|i| (i, at_floor(i))).find(|(_, components)| *components > 0)?;
        let columns = (0..n).filter(|&i| at_floor(i) > 0).count();
        let others =
            if columns > 1 { format!(" (and in {} more)", columns - 1) } else { String::new() };
        Some(format!(
            "{components} of {k} components vary by no more than relative_variance_floor of the variance of \
             column '{}'{others}, so that the likelihood is as high as this floor lets it be; leave out \
             columns and rows that repeat and outliers, lower the floor, or take fewer components",
            self.data.column_name(first)
        ))
    }

    /// Some steps of expectation–maximization from the present parameters, and the mean log-likelihood
    /// in nats before each.
    ///
    /// # Errors
    /// If there are fewer rows than components, or the fit was asked to stop.
    pub fn steps(
        &mut self,
        examples: &Examples,
        steps: usize,
        context: &FitContext<'_>,
    ) -> Result<Vec<f64>> {
        let em = Em { tolerance: 0.0, ..self.em() };
        em.check(examples)?;
        let fitting = self.fitting(examples, context)?;
        let found = em.climb(&fitting, examples, self.parameters.clone(), steps, context)?;
        self.parameters = found.parameters;
        Ok(found.trace)
    }
}

impl Estimator for Gmm {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        context.check_stop()?;
        let (k, n) = (self.config.components, self.data.size());
        let em = self.em();
        em.check(examples)?;
        let fitting = self.fitting(examples, context)?;
        let found = em.fit(&fitting, examples, n, context)?;
        let mut notes = found.notes();
        notes.extend(self.narrow(&found.parameters, &fitting.floor));
        let Climbed { parameters: at, trace, converged } = found;
        // In the order of the first column, so that the numbers of components mean something.
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| at.means[a * n].total_cmp(&at.means[b * n]));
        let pick = |values: &[f64], each: usize| -> Vec<f64> {
            order.iter().flat_map(|&c| values[c * each..(c + 1) * each].to_vec()).collect()
        };
        let parameters = Parameters {
            weights: pick(&at.weights, 1),
            means: pick(&at.means, n),
            factors: pick(&at.factors, n * n),
        };
        let mut estimates = Vec::new();
        let mut add = |name: String, value: f64| {
            estimates.push(Estimate { name, value, stderr: None });
        };
        (0..k).for_each(|c| add(format!("weight[{c}]"), parameters.weights[c]));
        for c in 0..k {
            for i in 0..n {
                let name = format!("mean[{c}, {}]", self.data.column_name(i));
                add(name, parameters.means[c * n + i]);
            }
        }
        for c in 0..k {
            for i in 0..n {
                let row = &parameters.factors[(c * n + i) * n..(c * n + i) * n + i + 1];
                let name = format!("variance[{c}, {}]", self.data.column_name(i));
                add(name, row.iter().map(|x| x * x).sum());
            }
        }
        self.parameters = parameters;
        (context.progress)(1.0);
        // Weights add up to 1, and covariances are not listed.
        let pairs = if self.config.covariance == Covariance::Full { n * (n - 1) / 2 } else { 0 };
        let free = Some(k - 1 + 2 * k * n + k * pairs);
        Ok(FitReport {
            estimates,
            trace,
            converged: Some(converged),
            notes,
            free,
            regression: None,
        })
    }
}

impl Density for Gmm {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn is_mass(&self, _data: &DataSpec) -> bool {
        false
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let n = self.data.size();
        let mut densities = Densities::new(&self.parameters);
        let mut logs = vec![0.0; self.config.components];
        let mut nats = Vec::with_capacity(batch.len());
        for rows in batch.values.chunks(n * TILE) {
            densities.joint(rows);
            for r in 0..rows.len() / n {
                densities.of_row(r, &mut logs);
                nats.push(log_sum_exp(&logs));
            }
        }
        Ok(LogProbability { nats, monte_carlo: None })
    }
}

impl Clusterer for Gmm {
    fn clusters(&self) -> usize {
        self.config.components
    }

    /// The most probable component of each example, with the probabilities of all.
    fn assign(&self, batch: &Batch) -> Result<Assignments> {
        check_batch(self, batch)?;
        let (n, k) = (self.data.size(), self.config.components);
        let mut densities = Densities::new(&self.parameters);
        let mut responsibilities = vec![0.0; batch.len() * k];
        let mut labels = Vec::with_capacity(batch.len());
        let outputs = responsibilities.chunks_exact_mut(k);
        for (at, out) in outputs.enumerate() {
            if at % TILE == 0 {
                let end = batch.values.len().min((at + TILE) * n);
                densities.joint(&batch.values[at * n..end]);
            }
            densities.of_row(at % TILE, out);
            let total = log_sum_exp(out);
            let mut best = 0;
            for c in 1..k {
                if out[c] > out[best] {
                    best = c;
                }
            }
            // So far away that no component has a density, the nearest one is certain.
            let certain = total == f64::NEG_INFINITY;
            for (c, share) in out.iter_mut().enumerate() {
                *share = match certain {
                    true => f64::from(u8::from(c == best)),
                    false => (*share - total).exp(),
                };
            }
            labels.push(Some(best as u32));
        }
        Ok(Assignments { labels, responsibilities: Some(responsibilities) })
    }
}

impl Sampler for Gmm {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let n = self.data.size();
        let purpose = request.streams.purpose("sample", 0);
        let which = request.streams.purpose("sample component", 0);
        let Parameters { weights, means, factors } = &self.parameters;
        let mut out = Vec::with_capacity(request.count * n);
        for index in request.first..request.first + request.count as u64 {
            let c = drawn(weights, open_uniform(&mut which.item(index)));
            let z = purpose.normals(&[index], n);
            let factor = &factors[c * n * n..(c + 1) * n * n];
            for i in 0..n {
                let spread: f64 = (0..=i).map(|j| factor[i * n + j] * f64::from(z[j])).sum();
                out.push(means[c * n + i] + spread);
            }
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

    /// Three clusters of known shares, in units that differ by a factor of a million.
    fn clusters() -> Dataset {
        let z = Streams::new(3).purpose("z", 0).normals(&[0], 6000);
        let row = |i: usize| {
            let (a, b) = (f64::from(z[2 * i]), f64::from(z[2 * i + 1]));
            match i % 10 {
                0..5 => [a, 1e6 * b],
                5..8 => [10.0 + 0.5 * a, 1e6 * (5.0 + 0.5 * a + 0.5 * b)],
                _ => [-8.0 + a, 1e6 * (9.0 + 2.0 * b)],
            }
        };
        let values = Values::Reals((0..3000).flat_map(row).collect());
        let split = Split { values, labels: None };
        Dataset::new("c", Domain::Real, Shape::columns(2), split, None, None).unwrap()
    }

    #[test]
    fn em_finds_clusters_and_never_lowers_the_likelihood() {
        let data = clusters();
        let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
        let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap();
        for covariance in [Covariance::Full, Covariance::Diagonal] {
            let config = GmmConfig { covariance, ..GmmConfig::default() };
            let mut gmm = config.init(&spec).unwrap();
            let report = fit(&mut gmm, &examples, 0).unwrap();
            assert_eq!(report.converged, Some(true), "{report:?}");
            let falls = report.trace.windows(2).filter(|pair| pair[1] < pair[0] - 1e-9).count();
            assert_eq!(falls, 0, "{:?}", report.trace);
            let of = |name: &str| report.estimates.iter().find(|e| e.name == name).unwrap().value;
            for (c, (weight, mean)) in [(0.2, -8.0), (0.5, 0.0), (0.3, 10.0)].iter().enumerate() {
                assert!((of(&format!("weight[{c}]")) - weight).abs() < 0.01, "{report:?}");
                assert!((of(&format!("mean[{c}, x0]")) - mean).abs() < 0.1, "{report:?}");
            }
            assert!((of("variance[2, x1]") / 0.5e12 - 1.0).abs() < 0.1, "{report:?}");
        }
    }

    #[test]
    fn a_component_as_narrow_as_the_floor_is_told() {
        let whole = clusters();
        let fitted = |change: &dyn Fn(usize, &mut [f64])| {
            let Values::Reals(mut values) = whole.split(SplitName::Train).unwrap().values.clone()
            else {
                panic!()
            };
            values.chunks_exact_mut(2).enumerate().for_each(|(i, row)| change(i, row));
            let split = Split { values: Values::Reals(values), labels: None };
            let data =
                Dataset::new("c", Domain::Real, whole.shape.clone(), split, None, None).unwrap();
            let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
            let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap();
            let mut gmm = GmmConfig::default().init(&spec).unwrap();
            fit(&mut gmm, &examples, 0).unwrap().notes.join(" ")
        };
        let told = fitted(&|_, row| row[1] = 4.0);
        assert!(
            told.contains("3 of 3 components vary by no more") && told.contains("'x1',"),
            "{told}"
        );
        let told = fitted(&|i, row| {
            if i % 10 > 7 {
                row.copy_from_slice(&[-8.0, 9e6])
            }
        });
        assert!(
            told.contains("1 of 3 components vary by no more") && told.contains("(and in 1 more)"),
            "{told}"
        );
        assert!(!fitted(&|_, _| ()).contains("vary by no more"));
    }

    #[test]
    fn one_component_is_the_gaussian() {
        let data = clusters();
        let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
        let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap();
        let config = GmmConfig { components: 1, ..GmmConfig::default() };
        let mut gmm = config.init(&spec).unwrap();
        fit(&mut gmm, &examples, 0).unwrap();
        let mut gaussian = super::super::gaussian::GaussianConfig::default().init(&spec).unwrap();
        fit(&mut gaussian, &examples, 0).unwrap();
        let batch = examples.batch(&[0, 7, 9], 0);
        let nats = |density: &dyn Density| {
            density.log_probability(&batch, DensityOptions::new(1, 0)).unwrap().nats
        };
        for (a, b) in nats(&gmm).iter().zip(nats(&gaussian)) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
