//! The multinomial distribution of counts in a known number of trials n:
//! P(x) = n! / Π xₖ! · Π pₖ^xₖ, fitted by counting: p̂ₖ is the share of all trials, with standard error
//! √(p̂ₖ (1 − p̂ₖ) / N) for N trials of all rows. The likelihood is exact.

use ancestral_data::Batch;
use burn::tensor::TensorData;

use super::families::{Family, binomial::Binomial};
use super::fitted::open_uniform;
use super::take;
use crate::model::{
    DataSpec, Density, DensityKind, DensityOptions, Estimate, FitReport, KindName, LogProbability,
    NamedTensors, SampleRequest, Sampler, Size, SizeBuilder, SumEstimator, product,
};
use crate::settings::Settings;
use crate::special::gamma::ln_gamma;
use crate::{Error, Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Count, KindName::Real];

settings! {
    /// Settings of the fitted multinomial distribution.
    pub struct MultinomialConfig {
        /// Pseudo-count added to the trials of each column; 0 for maximum likelihood, 1 for Laplace's
        /// rule of succession.
        pub pseudo_count: f64 = 0.0, in 0.0..;
    }
}

/// Counts of so many trials.
pub struct Multinomial {
    config: MultinomialConfig,
    data: DataSpec,
    /// The probability of each column.
    theta: Vec<f64>,
    /// The trials of a row.
    trials: f64,
}

distribution! {
    Multinomial, MultinomialConfig, "multinomial",
    about: "multinomial distribution of counts with the same total in each row",
    paper: "maximum likelihood",
    read: MultinomialConfig::from_table,
}

impl MultinomialConfig {
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check_values()?;
        data.check_kinds("multinomial", KINDS)?;
        let columns = product(data.shape.dims());
        let mut size = SizeBuilder::default();
        size.buffer(&[columns]);
        size.buffer(&[1]);
        size.kept(columns as u64);
        size.fixed(product(&[columns, 16]) as u64);
        Ok(size.finish())
    }

    /// One trial with equal probabilities.
    ///
    /// # Errors
    /// If a setting is out of range or a column is of another kind.
    pub fn init(&self, data: &DataSpec) -> Result<Multinomial> {
        self.check_values()?;
        data.check_kinds("multinomial", KINDS)?;
        let n = data.size();
        let theta = vec![1.0 / n as f64; n];
        Ok(Multinomial { config: self.clone(), data: data.clone(), theta, trials: 1.0 })
    }
}

impl Multinomial {
    /// The parameters by name.
    fn parameters(&self) -> NamedTensors {
        let n = self.theta.len();
        vec![
            ("model.theta".to_owned(), TensorData::new(self.theta.clone(), [n])),
            ("model.trials".to_owned(), TensorData::new(vec![self.trials], [1])),
        ]
    }

    /// Takes parameters by name.
    fn set_parameters(&mut self, tensors: &NamedTensors) -> Result<()> {
        let theta = take("multinomial", tensors, "model.theta", self.theta.len())?;
        let trials = take("multinomial", tensors, "model.trials", 1)?;
        self.trials = trials.first().copied().unwrap_or(1.0);
        self.theta = theta;
        Ok(())
    }
}

/// Sums of counts, and the totals of rows.
#[derive(Debug, Clone)]
pub struct Totals {
    counts: Vec<f64>,
    least: f64,
    most: f64,
    outside: usize,
}

impl SumEstimator for Multinomial {
    type Sums = Totals;

    fn empty(&self) -> Totals {
        let counts = vec![0.0; self.theta.len()];
        Totals { counts, least: f64::INFINITY, most: 0.0, outside: 0 }
    }

    fn accumulate(&self, block: &Batch, sums: &mut Totals) -> Result<()> {
        for row in block.values.chunks_exact(self.theta.len()) {
            if row.iter().any(|x| *x < 0.0 || x.fract() != 0.0) {
                sums.outside += 1;
                continue;
            }
            sums.counts.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            let total: f64 = row.iter().sum();
            sums.least = sums.least.min(total);
            sums.most = sums.most.max(total);
        }
        Ok(())
    }

    fn merge(&self, earlier: &mut Totals, later: Totals) {
        earlier.counts.iter_mut().zip(later.counts).for_each(|(a, b)| *a += b);
        earlier.least = earlier.least.min(later.least);
        earlier.most = earlier.most.max(later.most);
        earlier.outside += later.outside;
    }

    fn finish(&mut self, sums: Totals) -> Result<FitReport> {
        let unsuitable = |problem: String| {
            Err(Error::UnsuitableData { model: "multinomial".to_owned(), problem })
        };
        if sums.outside > 0 {
            return unsuitable(format!("{} rows hold values that are no counts", sums.outside));
        }
        if sums.least != sums.most || sums.most == 0.0 {
            return unsuitable(format!(
                "its rows have totals from {} to {}, and the multinomial distribution has one number of \
                 trials, at least 1",
                sums.least, sums.most
            ));
        }
        let pseudo = self.config.pseudo_count;
        let total = sums.counts.iter().sum::<f64>() + pseudo * sums.counts.len() as f64;
        let theta: Vec<f64> = sums.counts.iter().map(|count| (count + pseudo) / total).collect();
        let estimate = |(i, &p): (usize, &f64)| Estimate {
            name: format!("p[{}]", self.data.column_name(i)),
            value: p,
            stderr: Some((p * (1.0 - p) / total).sqrt()),
        };
        let estimates = theta.iter().enumerate().map(estimate).collect();
        (self.theta, self.trials) = (theta, sums.most);
        let free = Some(self.theta.len().saturating_sub(1));
        Ok(FitReport { estimates, free, ..FitReport::default() })
    }
}

impl Density for Multinomial {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn is_mass(&self, _data: &DataSpec) -> bool {
        true
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let orders = ln_gamma(self.trials + 1.0);
        let of = |row: &[f64]| {
            let count = |x: &f64| *x >= 0.0 && x.fract() == 0.0;
            if !row.iter().all(count) || row.iter().sum::<f64>() != self.trials {
                return f64::NEG_INFINITY;
            }
            // 0 · log 0 = 0.
            let term = |(&x, p): (&f64, &f64)| match x {
                0.0 => 0.0,
                x => x * p.ln() - ln_gamma(x + 1.0),
            };
            orders + row.iter().zip(&self.theta).map(term).sum::<f64>()
        };
        let rows = batch.values.chunks_exact(self.theta.len());
        Ok(LogProbability { nats: rows.map(of).collect(), monte_carlo: None })
    }
}

impl Sampler for Multinomial {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let purpose = request.streams.purpose("sample", 0);
        let mut out = Vec::with_capacity(request.count * self.theta.len());
        for index in request.first..request.first + request.count as u64 {
            let mut rng = purpose.item(index);
            let mut uniform = || open_uniform(&mut rng);
            let (mut left, mut rest) = (self.trials, 1.0);
            for (i, p) in self.theta.iter().enumerate() {
                // Of the trials that are left, a binomial number; the last column takes the rest.
                let last = i + 1 == self.theta.len();
                let share = (p / rest).clamp(0.0, 1.0);
                let count = match (last || share == 1.0, left == 0.0 || share == 0.0) {
                    (_, true) => {
                        if last {
                            left
                        } else {
                            0.0
                        }
                    }
                    (true, _) => left,
                    _ => Binomial { trials: left }.sample(&[share], &mut uniform),
                };
                out.push(count);
                left -= count;
                rest = (rest - p).max(f64::MIN_POSITIVE);
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
    use ancestral_data::Domain;
    use ancestral_data::Shape;

    use super::*;

    #[test]
    fn masses_sum_to_one_and_samples_have_the_trials() {
        let spec = DataSpec::new(Domain::Real, Shape::columns(3), 0);
        let mut model = MultinomialConfig::default().init(&spec).unwrap();
        (model.theta, model.trials) = (vec![0.2, 0.0, 0.8], 6.0);
        let rows: Vec<f64> = (0..7)
            .flat_map(|a| (0..7 - a).flat_map(move |b| [a, b, 6 - a - b].map(f64::from)))
            .collect();
        let batch = Batch::of(rows.clone(), rows.len() / 3);
        let nats = model.log_probability(&batch, DensityOptions::new(1, 0)).unwrap().nats;
        assert!((nats.iter().map(|l| l.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
        let drawn = model.draw(&SampleRequest::new(2000, 1)).unwrap();
        for row in drawn.chunks_exact(3) {
            assert!(row.iter().sum::<f64>() == 6.0 && row[1] == 0.0, "{row:?}");
        }
        let mean = drawn.iter().step_by(3).sum::<f64>() / 2000.0;
        assert!((mean - 1.2).abs() < 0.1, "{mean}");
    }
}
