//! Plain distributions fitted in closed form by maximum likelihood.
//!
//! - `gaussian`: N(μ, Σ) with μ̂ the mean and Σ̂ the mean squared deviation, diagonal or full;
//!   exact. Discrete data is taken as points of the real line, so its figure is a density.
//! - `bernoulli`: independent entries with θ̂ = share of ones and standard error
//!   √(θ̂(1 − θ̂)/n); exact.

use ancestral_data::{Batch, Domain, Examples};
use burn::tensor::TensorData;
use toml::Table;

use crate::model::{
    DataSpec, Density, DensityKind, DensityOptions, Estimate, Estimator, LogProbability, Model,
    ModelEntry, NamedTensors, SampleRequest, Sampler,
};
use crate::settings::Settings;
use crate::{Error, Result, settings};

settings! {
    /// Settings of the fitted Gaussian.
    pub struct GaussianConfig {
        /// Shape of the covariance: diagonal or full.
        pub covariance: String = "full".to_owned(),
        /// Added to every variance, in units of the data squared, so that constant columns stay usable.
        pub variance_floor: f64 = 1e-6,
    }
}

settings! {
    /// Settings of the fitted Bernoulli.
    pub struct BernoulliConfig {
        /// Ones and zeros added to the counts of each entry (0 is maximum likelihood, 1 is Laplace's rule).
        pub pseudo_count: f64 = 0.0,
    }
}

/// A multivariate normal distribution.
struct Gaussian {
    config: GaussianConfig,
    data: DataSpec,
    /// `[columns]`.
    mean: Vec<f64>,
    /// Lower Cholesky factor of the covariance, `[columns, columns]` row after row.
    factor: Vec<f64>,
}

/// The list entry of `gaussian`.
pub fn gaussian_entry() -> ModelEntry {
    ModelEntry {
        name: "gaussian",
        about: "a normal distribution, fitted in closed form",
        paper: "maximum likelihood",
        can: &["density (exact)", "samples"],
        presets: &[],
        fields: GaussianConfig::fields,
        train: |_| toml::Table::new(),
        build: |table, data, _| {
            let config = GaussianConfig::from_table(table)?;
            if !matches!(config.covariance.as_str(), "full" | "diagonal") {
                return Err(Error::setting(
                    "covariance",
                    format!("'{}'", config.covariance),
                    "choose full or diagonal",
                ));
            }
            if !(config.variance_floor >= 0.0 && config.variance_floor.is_finite()) {
                return Err(Error::setting(
                    "variance_floor",
                    config.variance_floor,
                    "it must be 0 or more",
                ));
            }
            let n = data.shape.size();
            if config.covariance == "full" && n > 4096 {
                return Err(Error::setting(
                    "covariance",
                    "'full'",
                    format!("a full covariance of {n} columns is too large; choose diagonal"),
                ));
            }
            let mut factor = vec![0.0; n * n];
            (0..n).for_each(|i| factor[i * n + i] = 1.0);
            Ok(Box::new(Gaussian { config, data: data.clone(), mean: vec![0.0; n], factor }))
        },
    }
}

impl Model for Gaussian {
    fn name(&self) -> &'static str {
        "gaussian"
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn tensors(&self) -> NamedTensors {
        let n = self.mean.len();
        vec![
            ("model.mean".to_owned(), TensorData::new(self.mean.clone(), [n])),
            ("model.factor".to_owned(), TensorData::new(self.factor.clone(), [n, n])),
        ]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        self.mean = take("gaussian", tensors, "model.mean", self.mean.len())?;
        self.factor = take("gaussian", tensors, "model.factor", self.factor.len())?;
        Ok(())
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn estimator(&mut self) -> Option<&mut dyn Estimator> {
        Some(self)
    }
}

impl Estimator for Gaussian {
    fn fit(&mut self, examples: &Examples) -> Result<Vec<Estimate>> {
        let d = self.mean.len();
        let n = examples.len();
        let count = n as f64;
        let rows = all_rows(examples);
        let mut mean = vec![0.0; d];
        for row in rows.chunks_exact(d) {
            mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x));
        }
        mean.iter_mut().for_each(|m| *m /= count);
        let full = self.config.covariance == "full";
        let mut covariance = vec![0.0; d * d];
        let mut centred = vec![0.0; d];
        for row in rows.chunks_exact(d) {
            centred.iter_mut().zip(row).zip(&mean).for_each(|((c, &x), m)| *c = f64::from(x) - m);
            for i in 0..d {
                let from = if full { 0 } else { i };
                for j in from..=i {
                    covariance[i * d + j] += centred[i] * centred[j];
                }
            }
        }
        for i in 0..d {
            for j in 0..=i {
                covariance[i * d + j] /= count;
            }
            covariance[i * d + i] += self.config.variance_floor;
        }
        self.factor = cholesky(&covariance, d).ok_or_else(|| Error::UnsuitableData {
            model: "gaussian".to_owned(),
            problem: format!(
                "the covariance of its {d} columns over {n} examples is singular; set \
                 covariance=diagonal or raise variance_floor"
            ),
        })?;
        let variance = |i: usize| covariance[i * d + i];
        let estimate = |name: String, value: f64, squared_error: f64| Estimate {
            name,
            value,
            stderr: Some((squared_error / count).sqrt()),
        };
        let mut estimates: Vec<Estimate> = (0..d)
            .map(|i| estimate(format!("mean[{i}]"), mean[i], variance(i)))
            .chain((0..d).map(|i| {
                // Var σ̂² = 2 σ⁴ / n.
                estimate(format!("variance[{i}]"), variance(i), 2.0 * variance(i).powi(2))
            }))
            .collect();
        for (i, j) in (0..d).flat_map(|i| (0..i).map(move |j| (i, j))).filter(|_| full) {
            // Var σ̂ij = (σii σjj + σij²) / n.
            let value = covariance[i * d + j];
            let squared = variance(i) * variance(j) + value * value;
            estimates.push(estimate(format!("covariance[{i}, {j}]"), value, squared));
        }
        self.mean = mean;
        Ok(estimates)
    }
}

impl Density for Gaussian {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn is_mass(&self, _domain: Domain) -> bool {
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
                for i in 0..d {
                    let inner: f64 = (0..i).map(|j| self.factor[i * d + j] * z[j]).sum();
                    z[i] = (f64::from(row[i]) - self.mean[i] - inner) / self.factor[i * d + i];
                }
                constant - 0.5 * z.iter().map(|v| v * v).sum::<f64>()
            })
            .collect();
        Ok(LogProbability { nats, mc_stderr: None })
    }
}

impl Sampler for Gaussian {
    fn sample(&self, request: &SampleRequest) -> Result<Vec<f32>> {
        no_class("gaussian", request)?;
        let d = self.mean.len();
        let purpose = request.streams.purpose("sample", 0);
        let mut out = Vec::with_capacity(request.count * d);
        for index in request.first..request.first + request.count as u64 {
            let z = purpose.normals(&[index], d);
            for i in 0..d {
                let spread: f64 = (0..=i).map(|j| self.factor[i * d + j] * f64::from(z[j])).sum();
                let spread = if request.mean { 0.0 } else { spread * request.temperature };
                out.push((self.mean[i] + spread) as f32);
            }
        }
        if let Some(max) = self.data.domain.max_level() {
            out.iter_mut().for_each(|x| *x = x.round().clamp(0.0, max as f32));
        }
        Ok(out)
    }
}

/// Independent Bernoulli entries.
struct Bernoulli {
    config: BernoulliConfig,
    data: DataSpec,
    /// P(1) of each entry.
    theta: Vec<f64>,
}

/// The list entry of `bernoulli`.
pub fn bernoulli_entry() -> ModelEntry {
    ModelEntry {
        name: "bernoulli",
        about: "independent coins, fitted by counting",
        paper: "maximum likelihood",
        can: &["density (exact)", "samples"],
        presets: &[],
        fields: BernoulliConfig::fields,
        train: |_| toml::Table::new(),
        build: |table, data, _| {
            let config = BernoulliConfig::from_table(table)?;
            if !(config.pseudo_count >= 0.0 && config.pseudo_count.is_finite()) {
                return Err(Error::setting(
                    "pseudo_count",
                    config.pseudo_count,
                    "it must be 0 or more",
                ));
            }
            if data.domain != Domain::Binary {
                return Err(Error::UnsuitableData {
                    model: "bernoulli".to_owned(),
                    problem: format!(
                        "it needs binary entries and these are {}; levels can be binarised \
                         with --binarize static or threshold",
                        data.domain
                    ),
                });
            }
            let theta = vec![0.5; data.shape.size()];
            Ok(Box::new(Bernoulli { config, data: data.clone(), theta }))
        },
    }
}

impl Model for Bernoulli {
    fn name(&self) -> &'static str {
        "bernoulli"
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn tensors(&self) -> NamedTensors {
        let n = self.theta.len();
        vec![("model.theta".to_owned(), TensorData::new(self.theta.clone(), [n]))]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        self.theta = take("bernoulli", tensors, "model.theta", self.theta.len())?;
        Ok(())
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn estimator(&mut self) -> Option<&mut dyn Estimator> {
        Some(self)
    }
}

impl Estimator for Bernoulli {
    fn fit(&mut self, examples: &Examples) -> Result<Vec<Estimate>> {
        let d = self.theta.len();
        let mut ones = vec![0.0; d];
        for row in all_rows(examples).chunks_exact(d) {
            ones.iter_mut().zip(row).for_each(|(o, &x)| *o += f64::from(x));
        }
        let n = examples.len() as f64 + 2.0 * self.config.pseudo_count;
        self.theta = ones.iter().map(|o| (o + self.config.pseudo_count) / n).collect();
        Ok(self
            .theta
            .iter()
            .enumerate()
            .map(|(i, &p)| Estimate {
                name: format!("theta[{i}]"),
                value: p,
                stderr: Some((p * (1.0 - p) / n).sqrt()),
            })
            .collect())
    }
}

impl Density for Bernoulli {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let nats = batch
            .values
            .chunks_exact(self.theta.len())
            .map(|row| {
                row.iter()
                    .zip(&self.theta)
                    .map(|(&x, &p)| if x > 0.5 { p.ln() } else { (-p).ln_1p() })
                    .sum()
            })
            .collect();
        Ok(LogProbability { nats, mc_stderr: None })
    }
}

impl Sampler for Bernoulli {
    fn sample(&self, request: &SampleRequest) -> Result<Vec<f32>> {
        no_class("bernoulli", request)?;
        let purpose = request.streams.purpose("sample", 0);
        let mut out = Vec::with_capacity(request.count * self.theta.len());
        for index in request.first..request.first + request.count as u64 {
            let uniforms = purpose.uniforms(&[index], self.theta.len());
            out.extend(
                self.theta.iter().zip(uniforms).map(|(&p, u)| {
                    if request.mean { p as f32 } else { f32::from(f64::from(u) < p) }
                }),
            );
        }
        Ok(out)
    }
}

fn no_class(model: &str, request: &SampleRequest) -> Result<()> {
    match request.class {
        None => Ok(()),
        Some(_) => Err(Error::Unsupported {
            model: model.to_owned(),
            problem: "knows no classes; leave --class out".to_owned(),
        }),
    }
}

fn all_rows(examples: &Examples) -> Vec<f32> {
    let all: Vec<u64> = (0..examples.len() as u64).collect();
    examples.batch(&all, 0).values
}

fn take(model: &str, tensors: &NamedTensors, name: &str, length: usize) -> Result<Vec<f64>> {
    let found = tensors
        .iter()
        .find(|(n, _)| n == name)
        .and_then(|(_, data)| data.try_to_vec_as::<f64>().ok().filter(|v| v.len() == length));
    found.ok_or_else(|| Error::Unsupported {
        model: model.to_owned(),
        problem: format!(
            "cannot take these weights: tensor '{name}' of {length} entries is missing"
        ),
    })
}

/// The lower factor L with L Lᵀ = A, from the lower half of A; `None` unless A is positive.
fn cholesky(a: &[f64], n: usize) -> Option<Vec<f64>> {
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

/// A coin tossed `tosses` times with `heads` heads: the estimate and its standard error.
///
/// # Errors
/// If there was no toss or there are more heads than tosses.
pub fn coin(heads: u64, tosses: u64) -> Result<Estimate> {
    if tosses == 0 || heads > tosses {
        return Err(Error::setting(
            "counts",
            format!("{heads}/{tosses}"),
            "write heads/tosses, with at least one toss and no more heads than tosses",
        ));
    }
    let p = heads as f64 / tosses as f64;
    let stderr = (p * (1.0 - p) / tosses as f64).sqrt();
    Ok(Estimate { name: "theta".to_owned(), value: p, stderr: Some(stderr) })
}

/// log L(θ) of `heads` in `tosses`, in nats, without the binomial coefficient.
pub fn coin_log_likelihood(heads: u64, tosses: u64, theta: f64) -> f64 {
    let (h, t) = (heads as f64, (tosses - heads) as f64);
    // 0 · log 0 = 0: an outcome that was never seen says nothing.
    let term = |n: f64, log: f64| if n == 0.0 { 0.0 } else { n * log };
    term(h, theta.ln()) + term(t, (-theta).ln_1p())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Init;
    use ancestral_data::{Binarize, Dataset, Shape, Split, SplitName, Streams, Values};

    #[test]
    fn the_coin_of_the_textbooks() {
        let estimate = coin(900, 1300).unwrap();
        assert!((estimate.value - 0.6923).abs() < 5e-5);
        assert!((estimate.stderr.unwrap() - 0.0128).abs() < 5e-5);
        let best = coin_log_likelihood(900, 1300, estimate.value);
        assert!(best > coin_log_likelihood(900, 1300, estimate.value + 0.01));
        assert!(best > coin_log_likelihood(900, 1300, estimate.value - 0.01));
        assert_eq!(coin_log_likelihood(5, 5, 1.0), 0.0);
        assert!(coin(0, 0).is_err() && coin(3, 2).is_err());
    }

    #[test]
    fn a_full_gaussian_finds_its_own_covariance() {
        let z = Streams::new(2).purpose("z", 0).normals(&[0], 40_000);
        let x: Vec<f32> =
            z.chunks_exact(2).flat_map(|z| [1.0 + 2.0 * z[0], z[0] + 0.5 * z[1]]).collect();
        let split = Split { values: Values::Reals(x), labels: None };
        let data = Dataset::new("t", Domain::Real, Shape::columns(2), split, None, None).unwrap();
        let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap();
        let spec = DataSpec { domain: Domain::Real, shape: Shape::columns(2), classes: 0 };
        let mut model = (gaussian_entry().build)(&Table::new(), &spec, &Init::cpu(0)).unwrap();
        let estimates = model.estimator().unwrap().fit(&examples).unwrap();
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
