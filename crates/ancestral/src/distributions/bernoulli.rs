//! Independent Bernoulli columns, fitted by counting: the estimate θ̂ is the fraction of ones, with
//! standard error √(θ̂(1 − θ̂)/n). The likelihood is exact.

use ancestral_data::Batch;
use burn::tensor::TensorData;

use super::take;
use crate::model::{
    Criteria, DataSpec, Density, DensityKind, DensityOptions, Estimate, FitReport, KindName,
    LogProbability, NamedTensors, SampleRequest, Sampler, Size, SizeBuilder, SumEstimator, product,
};
use crate::settings::Settings;
use crate::{Error, Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Binary];

settings! {
    /// Settings of the fitted Bernoulli.
    pub struct BernoulliConfig {
        /// Pseudo-count added to the ones and to the zeros of each column; 0 for maximum likelihood, 1
        /// for Laplace's rule of succession.
        pub pseudo_count: f64 = 0.0, in 0.0..;
    }
}

/// Independent Bernoulli entries.
pub struct Bernoulli {
    config: BernoulliConfig,
    data: DataSpec,
    /// P(1) of each entry.
    theta: Vec<f64>,
}

distribution! {
    Bernoulli, BernoulliConfig, "bernoulli",
    about: "independent Bernoulli columns, fitted by counting",
    paper: "maximum likelihood",
    read: BernoulliConfig::from_table,
}

impl BernoulliConfig {
    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check_values()?;
        data.check_kinds("bernoulli", KINDS)?;
        let entries = product(data.shape.dims());
        let mut size = SizeBuilder::default();
        size.buffer(&[entries]);
        size.kept(entries as u64);
        // Counts, and the estimates with their names.
        size.fixed(product(&[entries, 14]) as u64);
        Ok(size.finish())
    }

    /// A model with θ = ½ everywhere.
    ///
    /// # Errors
    /// If a setting is out of range or a column is not binary.
    pub fn init(&self, data: &DataSpec) -> Result<Bernoulli> {
        self.check_values()?;
        data.check_kinds("bernoulli", KINDS)?;
        Ok(Bernoulli { config: self.clone(), data: data.clone(), theta: vec![0.5; data.size()] })
    }
}

impl Bernoulli {
    /// The parameters by name.
    fn parameters(&self) -> NamedTensors {
        let n = self.theta.len();
        vec![("model.theta".to_owned(), TensorData::new(self.theta.clone(), [n]))]
    }

    /// Takes parameters by name.
    fn set_parameters(&mut self, tensors: &NamedTensors) -> Result<()> {
        self.theta = take("bernoulli", tensors, "model.theta", self.theta.len())?;
        Ok(())
    }
}

/// The number of ones of each column, and of examples.
#[derive(Debug, Clone)]
pub struct Counts {
    ones: Vec<f64>,
    examples: f64,
}

impl SumEstimator for Bernoulli {
    type Sums = Counts;

    fn empty(&self) -> Counts {
        Counts { ones: vec![0.0; self.theta.len()], examples: 0.0 }
    }

    fn accumulate(&self, block: &Batch, sums: &mut Counts) -> Result<()> {
        for row in block.values.chunks_exact(self.theta.len()) {
            sums.ones.iter_mut().zip(row).for_each(|(ones, &x)| *ones += x);
        }
        sums.examples += block.len() as f64;
        Ok(())
    }

    fn merge(&self, earlier: &mut Counts, later: Counts) {
        earlier.ones.iter_mut().zip(later.ones).for_each(|(sum, ones)| *sum += ones);
        earlier.examples += later.examples;
    }

    fn finish(&mut self, sums: Counts) -> Result<FitReport> {
        let n = sums.examples + 2.0 * self.config.pseudo_count;
        self.theta = sums.ones.iter().map(|ones| (ones + self.config.pseudo_count) / n).collect();
        let estimate = |(i, &p): (usize, &f64)| Estimate {
            name: match self.data.names.get(i) {
                Some(column) => format!("theta[{column}]"),
                None => format!("theta[{i}]"),
            },
            value: p,
            stderr: Some((p * (1.0 - p) / n).sqrt()),
        };
        let estimates = self.theta.iter().enumerate().map(estimate).collect();
        Ok(FitReport { estimates, ..FitReport::default() })
    }
}

impl Density for Bernoulli {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let terms = self.terms(batch);
        let nats = terms.chunks_exact(self.theta.len()).map(|row| row.iter().sum()).collect();
        Ok(LogProbability { nats, monte_carlo: None })
    }

    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(Some(self.terms(batch)))
    }
}

impl Bernoulli {
    /// log p of each entry, row after row.
    fn terms(&self, batch: &Batch) -> Vec<f64> {
        let term = |(&x, &p): (&f64, &f64)| if x > 0.5 { p.ln() } else { (-p).ln_1p() };
        let rows = batch.values.chunks_exact(self.theta.len());
        rows.flat_map(|row| row.iter().zip(&self.theta).map(term)).collect()
    }
}

impl Sampler for Bernoulli {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let purpose = request.streams.purpose("sample", 0);
        let mut out = Vec::with_capacity(request.count * self.theta.len());
        for index in request.first..request.first + request.count as u64 {
            let uniforms = purpose.uniforms(&[index], self.theta.len());
            out.extend(
                self.theta
                    .iter()
                    .zip(uniforms)
                    .map(|(&p, u)| if request.mean { p } else { f64::from(f64::from(u) < p) }),
            );
        }
        Ok(out)
    }

    fn has_temperature(&self) -> bool {
        false
    }
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

/// The log-likelihood at that estimate, as [`coin_log_likelihood`] has it.
///
/// # Errors
/// As [`coin`].
pub fn coin_criteria(heads: u64, tosses: u64) -> Result<Criteria> {
    let best = coin_log_likelihood(heads, tosses, coin(heads, tosses)?.value);
    Ok(Criteria::new(best, tosses as f64, 1))
}

/// log L(θ) of `heads` in `tosses`, in nats, without the binomial coefficient.
pub fn coin_log_likelihood(heads: u64, tosses: u64, theta: f64) -> f64 {
    let (h, t) = (heads as f64, (tosses - heads) as f64);
    // 0 · log 0 = 0.
    let term = |n: f64, log: f64| if n == 0.0 { 0.0 } else { n * log };
    term(h, theta.ln()) + term(t, (-theta).ln_1p())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
