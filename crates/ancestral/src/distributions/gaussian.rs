//! The multivariate normal distribution N(μ, Σ), fitted in closed form by maximum likelihood: μ̂ is
//! the sample mean and Σ̂ the sample covariance, full or diagonal. The likelihood is exact.
//!
//! Discrete columns are treated as real numbers, so that the result is a density.

use ancestral_data::Batch;
use burn::tensor::TensorData;
use toml::Table;

use super::take;
use crate::model::{
    BLOCK, DataSpec, Density, DensityKind, DensityOptions, Estimate, FitReport, KindName,
    LogProbability, NamedTensors, SampleRequest, Sampler, Size, SizeBuilder, SumEstimator, product,
};
use crate::settings::Settings;
use crate::{Error, Result, choices, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Real, KindName::Binary, KindName::Levels, KindName::Count];
/// The largest number of columns with a full covariance.
const MOST_COLUMNS: usize = 4096;
/// The size of an estimate with its name, in doubles.
const ESTIMATE: usize = 12;

choices! {
    /// The shape of a covariance.
    pub enum Covariance {
        /// full covariance matrix
        Full = "full",
        /// diagonal: independent columns
        Diagonal = "diagonal",
    }
}

settings! {
    /// Settings of the fitted Gaussian.
    pub struct GaussianConfig {
        /// Shape of the covariance matrix.
        pub covariance: Covariance = Covariance::Full;
        /// Part of the variance of each column that is added to it, so that columns that determine each
        /// other have a density; a constant column gets the same part of its squared mean. 0 if only
        /// variance_floor is given.
        pub relative_variance_floor: f64 = 1e-6, in 0.0..;
        /// Number added to every variance, whatever the units.
        pub variance_floor: f64 = 0.0, in 0.0.., unit "units of the data, squared";
    }
}

/// A multivariate normal distribution.
pub struct Gaussian {
    config: GaussianConfig,
    data: DataSpec,
    /// `[columns]`.
    mean: Vec<f64>,
    /// Lower Cholesky factor of the covariance, `[columns, columns]` row after row.
    factor: Vec<f64>,
}

distribution! {
    Gaussian, GaussianConfig, "gaussian",
    about: "multivariate normal distribution, fitted in closed form",
    paper: "maximum likelihood",
    read: GaussianConfig::read,
}

impl GaussianConfig {
    /// The settings of a table. The absolute floor of earlier versions is the only one where it is
    /// given alone.
    fn read(table: &Table) -> Result<Self> {
        let mut config = Self::from_table(table)?;
        if table.contains_key("variance_floor") && !table.contains_key("relative_variance_floor") {
            config.relative_variance_floor = 0.0;
        }
        Ok(config)
    }

    /// A standard normal distribution.
    ///
    /// # Errors
    /// If a setting is out of range, or a full covariance would be too large.
    pub fn init(&self, data: &DataSpec) -> Result<Gaussian> {
        self.check(data)?;
        let n = data.size();
        let mut factor = vec![0.0; n * n];
        (0..n).for_each(|i| factor[i * n + i] = 1.0);
        Ok(Gaussian { config: self.clone(), data: data.clone(), mean: vec![0.0; n], factor })
    }

    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check(data)?;
        let n = product(data.shape.dims());
        let (square, pairs) = (product(&[n, n]), product(&[n, n.div_ceil(2)]));
        let mut size = SizeBuilder::default();
        size.buffer(&[n]);
        size.buffer(&[square]);
        // The sums of a block, and those of a small last block.
        let sums = product(&[square, 2]) as u64;
        size.kept((sums / BLOCK as u64).saturating_add(n as u64));
        size.fixed(sums);
        // The sums so far, the covariance and its factor, and the estimates with their names.
        size.fixed(product(&[square, 3]) as u64);
        let estimates = if self.covariance == Covariance::Full { pairs } else { n };
        size.fixed(product(&[estimates, ESTIMATE]) as u64);
        Ok(size.finish())
    }

    /// Refuses what is out of range or does not suit the data.
    fn check(&self, data: &DataSpec) -> Result<()> {
        self.check_values()?;
        data.check_kinds("gaussian", KINDS)?;
        let n = product(data.shape.dims());
        if self.covariance == Covariance::Full && n > MOST_COLUMNS {
            let why = format!("a full covariance of {n} columns is too large; choose diagonal");
            return Err(Error::setting("covariance", "'full'", why));
        }
        Ok(())
    }
}

impl Gaussian {
    /// The parameters by name.
    fn parameters(&self) -> NamedTensors {
        let n = self.mean.len();
        vec![
            ("model.mean".to_owned(), TensorData::new(self.mean.clone(), [n])),
            ("model.factor".to_owned(), TensorData::new(self.factor.clone(), [n, n])),
        ]
    }

    /// Takes parameters by name.
    fn set_parameters(&mut self, tensors: &NamedTensors) -> Result<()> {
        self.mean = take("gaussian", tensors, "model.mean", self.mean.len())?;
        self.factor = take("gaussian", tensors, "model.factor", self.factor.len())?;
        Ok(())
    }
}

/// Means and centered products of some examples, merged without cancellation (Chan, Golub and LeVeque
/// 1983).
#[derive(Debug, Clone)]
pub struct Moments {
    examples: f64,
    mean: Vec<f64>,
    /// The rounding error of `mean`, which matters where means are far larger than deviations.
    rest: Vec<f64>,
    /// Σ (x − mean)(x − mean)ᵀ, the lower half `[columns, columns]`, or its diagonal alone.
    products: Vec<f64>,
}

impl SumEstimator for Gaussian {
    type Sums = Moments;

    fn empty(&self) -> Moments {
        let d = self.mean.len();
        let zeros = vec![0.0; d];
        Moments { examples: 0.0, mean: zeros.clone(), rest: zeros, products: vec![0.0; d * d] }
    }

    fn accumulate(&self, block: &Batch, sums: &mut Moments) -> Result<()> {
        let d = self.mean.len();
        let mut own = self.empty();
        own.examples = block.len() as f64;
        for row in block.values.chunks_exact(d) {
            own.mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x);
        }
        own.mean.iter_mut().for_each(|mean| *mean /= own.examples);
        let mut centered = vec![0.0; d];
        for row in block.values.chunks_exact(d) {
            centered.iter_mut().zip(row).zip(&own.mean).for_each(|((c, x), mean)| *c = x - mean);
            for i in 0..d {
                for j in self.row_start(i)..=i {
                    own.products[i * d + j] += centered[i] * centered[j];
                }
            }
        }
        self.merge(sums, own);
        Ok(())
    }

    fn merge(&self, earlier: &mut Moments, later: Moments) {
        if earlier.examples == 0.0 {
            *earlier = later;
            return;
        }
        let d = self.mean.len();
        let all = earlier.examples + later.examples;
        let share = later.examples / all;
        let apart: Vec<f64> = (0..d)
            .map(|i| (later.mean[i] - earlier.mean[i]) + (later.rest[i] - earlier.rest[i]))
            .collect();
        for i in 0..d {
            for j in self.row_start(i)..=i {
                let at = i * d + j;
                let between = apart[i] * apart[j] * earlier.examples * share;
                earlier.products[at] += later.products[at] + between;
            }
        }
        for ((mean, rest), apart) in earlier.mean.iter_mut().zip(&mut earlier.rest).zip(apart) {
            (*mean, *rest) = exact_sum(*mean, apart * share + *rest);
        }
        earlier.examples = all;
    }

    fn finish(&mut self, sums: Moments) -> Result<FitReport> {
        let Moments { examples: count, mean, products: mut covariance, .. } = sums;
        let d = mean.len();
        for i in 0..d {
            for j in 0..=i {
                covariance[i * d + j] /= count;
            }
            let variance = covariance[i * d + i];
            let spread = match (variance > 0.0, mean[i] != 0.0) {
                (true, _) => variance,
                (false, true) => mean[i] * mean[i],
                (false, false) => 1.0,
            };
            covariance[i * d + i] +=
                self.config.variance_floor + self.config.relative_variance_floor * spread;
        }
        self.factor = cholesky(&covariance, d).ok_or_else(|| Error::UnsuitableData {
            model: "gaussian".to_owned(),
            problem: format!(
                "the covariance of its {d} columns over {count} examples is singular; set \
                 covariance=diagonal or raise relative_variance_floor"
            ),
        })?;
        let variance = |i: usize| covariance[i * d + i];
        let estimate = |name: String, value: f64, squared_error: f64| Estimate {
            name,
            value,
            stderr: Some((squared_error / count).sqrt()),
        };
        let column = |i: usize| self.data.names.get(i).cloned().unwrap_or_else(|| i.to_string());
        let mut estimates: Vec<Estimate> = (0..d)
            .map(|i| estimate(format!("mean[{}]", column(i)), mean[i], variance(i)))
            .chain((0..d).map(|i| {
                // Var σ̂² = 2 σ⁴ / n.
                let name = format!("variance[{}]", column(i));
                estimate(name, variance(i), 2.0 * variance(i).powi(2))
            }))
            .collect();
        for (i, j) in (0..d).flat_map(|i| (self.row_start(i)..i).map(move |j| (i, j))) {
            // Var σ̂ij = (σii σjj + σij²) / n.
            let value = covariance[i * d + j];
            let squared = variance(i) * variance(j) + value * value;
            let name = format!("covariance[{}, {}]", column(i), column(j));
            estimates.push(estimate(name, value, squared));
        }
        self.mean = mean;
        Ok(FitReport { estimates, ..FitReport::default() })
    }
}

impl Gaussian {
    /// Where the products of column `i` with those up to it begin.
    fn row_start(&self, i: usize) -> usize {
        if self.config.covariance == Covariance::Full { 0 } else { i }
    }

    /// L⁻¹ (x − μ).
    fn whiten(&self, row: &[f64], z: &mut [f64]) {
        let d = self.mean.len();
        for i in 0..d {
            let inner: f64 = (0..i).map(|j| self.factor[i * d + j] * z[j]).sum();
            z[i] = (row[i] - self.mean[i] - inner) / self.factor[i * d + i];
        }
    }
}

impl Density for Gaussian {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn is_mass(&self, _data: &DataSpec) -> bool {
        false
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let d = self.mean.len();
        let log_det: f64 = (0..d).map(|i| self.factor[i * d + i].ln()).sum();
        let constant = -0.5 * d as f64 * (2.0 * std::f64::consts::PI).ln() - log_det;
        let mut z = vec![0.0; d];
        let nats = batch
            .values
            .chunks_exact(d)
            .map(|row| {
                self.whiten(row, &mut z);
                constant - 0.5 * z.iter().map(|v| v * v).sum::<f64>()
            })
            .collect();
        Ok(LogProbability { nats, monte_carlo: None })
    }

    /// Given the columns before it, column i is normal with standard deviation L\[i, i\].
    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        let d = self.mean.len();
        let half_log_tau = 0.5 * (2.0 * std::f64::consts::PI).ln();
        let constants: Vec<f64> =
            (0..d).map(|i| -half_log_tau - self.factor[i * d + i].ln()).collect();
        let mut z = vec![0.0; d];
        let mut terms = Vec::with_capacity(batch.values.len());
        for row in batch.values.chunks_exact(d) {
            self.whiten(row, &mut z);
            terms.extend(constants.iter().zip(&z).map(|(constant, z)| constant - 0.5 * z * z));
        }
        Ok(Some(terms))
    }
}

impl Sampler for Gaussian {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let d = self.mean.len();
        let purpose = request.streams.purpose("sample", 0);
        let mut out = Vec::with_capacity(request.count * d);
        for index in request.first..request.first + request.count as u64 {
            let z = purpose.normals(&[index], d);
            for i in 0..d {
                let spread: f64 = (0..=i).map(|j| self.factor[i * d + j] * f64::from(z[j])).sum();
                let spread = if request.mean { 0.0 } else { spread * request.temperature };
                out.push(self.mean[i] + spread);
            }
        }
        for (at, x) in out.iter_mut().enumerate() {
            if let Some(kind) = self.data.kind(at % d).filter(|kind| kind.is_discrete()) {
                let most = kind.max_level().map_or(f64::INFINITY, f64::from);
                *x = x.round().clamp(0.0, most);
            }
        }
        Ok(out)
    }
}

/// The sum of two numbers and its rounding error (Knuth's two-sum).
fn exact_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let from_b = sum - a;
    (sum, (a - (sum - from_b)) + (b - from_b))
}

/// The lower factor L with L Lᵀ = A, from the lower half of A; `None` unless A is positive.
pub(super) fn cholesky(a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let inner: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = a[i * n + j] - inner;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                l[i * n + i] = rest.sqrt();
            } else {
                l[i * n + j] = rest / l[j * n + j];
            }
        }
    }
    Some(l)
}

#[cfg(test)]
mod tests {
    use ancestral_data::{
        Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
    };

    use super::*;
    use crate::model::{Model, fit};

    #[test]
    fn a_full_gaussian_finds_its_own_covariance() {
        let z = Streams::new(2).purpose("z", 0).normals(&[0], 40_000);
        let pairs = z.chunks_exact(2).flat_map(|z| [1.0 + 2.0 * z[0], z[0] + 0.5 * z[1]]);
        let x: Vec<f64> = pairs.map(f64::from).collect();
        let split = Split { values: Values::Reals(x), labels: None };
        let data = Dataset::new("t", Domain::Real, Shape::columns(2), split, None, None).unwrap();
        let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap();
        let spec = DataSpec::new(Domain::Real, Shape::columns(2), 0);
        let mut model = GaussianConfig::default().init(&spec).unwrap();
        let estimates = fit(&mut model, &examples, 0).unwrap().estimates;
        let truth = [("mean[0]", 1.0), ("mean[1]", 0.0), ("variance[0]", 4.0)];
        let truth = truth.into_iter().chain([("variance[1]", 1.25), ("covariance[1, 0]", 2.0)]);
        for (found, (name, value)) in estimates.iter().zip(truth) {
            let error = found.stderr.unwrap();
            assert_eq!(found.name, name);
            assert!((found.value - value).abs() < 4.0 * error && error < 0.05, "{found:?}");
        }
        assert_eq!(estimates.len(), 5);
        let factor = take("t", &model.tensors(), "model.factor", 4).unwrap();
        for (got, want) in factor.iter().zip([2.0, 0.0, 1.0, 0.5]) {
            assert!((got - want).abs() < 0.05, "{factor:?}");
        }
        // The entropy of the distribution that the rows came from: log(2πe) + log det factor.
        let batch = examples.batch(&(0..examples.len() as u64).collect::<Vec<_>>(), 0);
        let options = DensityOptions::new(1, 0);
        let nats = model.density().unwrap().log_probability(&batch, options).unwrap().nats;
        let mean = nats.iter().sum::<f64>() / nats.len() as f64;
        let entropy = (2.0 * std::f64::consts::PI * std::f64::consts::E).ln() + 1f64.ln();
        assert!((mean + entropy).abs() < 0.05, "{mean} {entropy}");
    }
}
