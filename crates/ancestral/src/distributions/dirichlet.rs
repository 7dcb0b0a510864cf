//! The Dirichlet distribution of shares that add up to 1:
//! f(x) = Γ(Σ αₖ) / Π Γ(αₖ) · Π xₖ^(αₖ − 1), a density of all columns but the last.
//!
//! The likelihood depends on the mean logarithms of the columns; its maximum is found by Newton's method,
//! whose Hessian is inverted in closed form (Minka 2000).

use ancestral_data::Batch;
use burn::tensor::TensorData;

use super::families::{Family, gamma::Gamma};
use super::fitted::open_uniform;
use super::take;
use crate::model::{
    DataSpec, Density, DensityKind, DensityOptions, Estimate, FitReport, KindName, LogProbability,
    NamedTensors, SampleRequest, Sampler, Size, SizeBuilder, SumEstimator, product,
};
use crate::settings::{Settings, above};
use crate::special::gamma::{digamma, ln_gamma, trigamma};
use crate::{Error, Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Real];
/// How far a row's sum may be from 1, by rounding of its cells.
const ROUNDING: f64 = 1e-4;

settings! {
    /// Settings of the fitted Dirichlet distribution.
    pub struct DirichletConfig {
        /// Maximum number of Newton's steps.
        pub max_iterations: usize = 100, in 1..;
        /// Largest relative change of a parameter in the last step.
        pub tolerance: f64 = 1e-12, in above(0.0);
    }
}

/// A Dirichlet distribution.
pub struct Dirichlet {
    config: DirichletConfig,
    data: DataSpec,
    /// `[columns]`.
    alpha: Vec<f64>,
}

distribution! {
    Dirichlet, DirichletConfig, "dirichlet",
    about: "Dirichlet distribution of shares that add up to 1",
    paper: "maximum likelihood",
    read: DirichletConfig::from_table,
}

impl DirichletConfig {
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check_values()?;
        data.check_kinds("dirichlet", KINDS)?;
        let columns = product(data.shape.dims());
        let mut size = SizeBuilder::default();
        size.buffer(&[columns]);
        size.kept(columns as u64);
        size.fixed(product(&[columns, 20]) as u64);
        Ok(size.finish())
    }

    /// The uniform distribution of shares.
    ///
    /// # Errors
    /// If a setting is out of range or a column is of another kind.
    pub fn init(&self, data: &DataSpec) -> Result<Dirichlet> {
        self.check_values()?;
        data.check_kinds("dirichlet", KINDS)?;
        Ok(Dirichlet { config: self.clone(), data: data.clone(), alpha: vec![1.0; data.size()] })
    }
}

impl Dirichlet {
    /// The parameters by name.
    fn parameters(&self) -> NamedTensors {
        let n = self.alpha.len();
        vec![("model.alpha".to_owned(), TensorData::new(self.alpha.clone(), [n]))]
    }

    /// Takes parameters by name.
    fn set_parameters(&mut self, tensors: &NamedTensors) -> Result<()> {
        self.alpha = take("dirichlet", tensors, "model.alpha", self.alpha.len())?;
        Ok(())
    }
}

/// Sums over rows: of logarithms, of values and of their squares; rows at fault.
#[derive(Debug, Clone)]
pub struct Logs {
    rows: f64,
    logs: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    outside: usize,
    edge: usize,
}

impl SumEstimator for Dirichlet {
    type Sums = Logs;

    fn empty(&self) -> Logs {
        let zeros = vec![0.0; self.alpha.len()];
        let (logs, first, second) = (zeros.clone(), zeros.clone(), zeros);
        Logs { rows: 0.0, logs, first, second, outside: 0, edge: 0 }
    }

    fn accumulate(&self, block: &Batch, sums: &mut Logs) -> Result<()> {
        for row in block.values.chunks_exact(self.alpha.len()) {
            sums.rows += 1.0;
            let total: f64 = row.iter().sum();
            if (total - 1.0).abs() > ROUNDING || row.iter().any(|x| !(0.0..=1.0).contains(x)) {
                sums.outside += 1;
                continue;
            }
            if row.contains(&0.0) {
                sums.edge += 1;
                continue;
            }
            for (i, &x) in row.iter().enumerate() {
                let x = x / total;
                sums.logs[i] += x.ln();
                sums.first[i] += x;
                sums.second[i] += x * x;
            }
        }
        Ok(())
    }

    fn merge(&self, earlier: &mut Logs, later: Logs) {
        earlier.rows += later.rows;
        earlier.outside += later.outside;
        earlier.edge += later.edge;
        for (a, b) in [
            (&mut earlier.logs, later.logs),
            (&mut earlier.first, later.first),
            (&mut earlier.second, later.second),
        ] {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        }
    }

    fn finish(&mut self, sums: Logs) -> Result<FitReport> {
        let unsuitable =
            |problem: String| Err(Error::UnsuitableData { model: "dirichlet".to_owned(), problem });
        let (n, k) = (sums.rows, self.alpha.len());
        if k < 2 {
            return unsuitable("one column has no shares; it needs two or more".to_owned());
        }
        if sums.outside > 0 {
            return unsuitable(format!("{} rows are no shares that add up to 1", sums.outside));
        }
        if sums.edge > 0 {
            return unsuitable(format!(
                "{} rows have a share of 0, on the edge of the open support, where the likelihood is 0 or \
                 has no bound",
                sums.edge
            ));
        }
        let means: Vec<f64> = sums.first.iter().map(|x| x / n).collect();
        let spread: f64 = (0..k).map(|i| (sums.second[i] / n - means[i] * means[i]).max(0.0)).sum();
        if spread <= 1e-28 {
            return unsuitable(format!(
                "all {n} rows are equal: the likelihood has no maximum, it grows without bound as the \
                 distribution narrows"
            ));
        }
        // By the moments, Σ Var = Σ m (1 − m) / (1 + Σ α).
        let of_means: f64 = means.iter().map(|m| m * (1.0 - m)).sum();
        let total = (of_means / spread - 1.0).max(0.1);
        let mut alpha: Vec<f64> = means.iter().map(|m| (m * total).max(1e-3)).collect();
        let logs: Vec<f64> = sums.logs.iter().map(|x| x / n).collect();
        let value = |alpha: &[f64]| -> f64 {
            let each = alpha.iter().zip(&logs).map(|(a, l)| (a - 1.0) * l - ln_gamma(*a));
            ln_gamma(alpha.iter().sum()) + each.sum::<f64>()
        };
        let (mut trace, mut converged) = (vec![value(&alpha)], false);
        for _ in 0..self.config.max_iterations {
            let all: f64 = alpha.iter().sum();
            let (own, slope) = (trigamma(all), digamma(all));
            let inverse: Vec<f64> = alpha.iter().map(|a| 1.0 / trigamma(*a)).collect();
            let gradient: Vec<f64> =
                alpha.iter().zip(&logs).map(|(a, l)| slope - digamma(*a) + l).collect();
            let sum: f64 = inverse.iter().sum();
            let product: f64 = gradient.iter().zip(&inverse).map(|(g, i)| g * i).sum();
            let common = product * own / (1.0 - own * sum);
            let step: Vec<f64> =
                gradient.iter().zip(&inverse).map(|(g, i)| i * (g + common)).collect();
            let mut share = 1.0;
            let before = trace.last().copied().unwrap_or(f64::NEG_INFINITY);
            let next = loop {
                let next: Vec<f64> = alpha.iter().zip(&step).map(|(a, s)| a + share * s).collect();
                let inside = next.iter().all(|a| *a > 0.0);
                if inside && value(&next) >= before - 1e-14 * before.abs().max(1.0) || share < 1e-12
                {
                    break if inside { next } else { alpha.clone() };
                }
                share *= 0.5;
            };
            let change =
                next.iter().zip(&alpha).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
            alpha = next;
            trace.push(value(&alpha));
            // Below this, rounding alone moves the parameters.
            if change <= self.config.tolerance.max(1e-13) {
                converged = true;
                break;
            }
        }
        let all: f64 = alpha.iter().sum();
        let own = trigamma(all);
        let inverse: Vec<f64> = alpha.iter().map(|a| 1.0 / trigamma(*a)).collect();
        let rest = own / (1.0 - own * inverse.iter().sum::<f64>());
        let estimates = (0..k)
            .map(|i| Estimate {
                name: format!("alpha[{}]", self.data.column_name(i)),
                value: alpha[i],
                stderr: Some(((inverse[i] + rest * inverse[i] * inverse[i]) / n).sqrt()),
            })
            .collect();
        let notes = match converged {
            true => Vec::new(),
            false => vec!["the search did not converge; raise max_iterations".to_owned()],
        };
        self.alpha = alpha;
        Ok(FitReport {
            estimates,
            trace,
            converged: Some(converged),
            notes,
            free: None,
            regression: None,
        })
    }
}

impl Density for Dirichlet {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let normalizer = ln_gamma(self.alpha.iter().sum())
            - self.alpha.iter().map(|a| ln_gamma(*a)).sum::<f64>();
        let of = |row: &[f64]| {
            let total: f64 = row.iter().sum();
            if (total - 1.0).abs() > ROUNDING || row.iter().any(|x| *x <= 0.0) {
                return f64::NEG_INFINITY;
            }
            let terms = row.iter().zip(&self.alpha).map(|(x, a)| (a - 1.0) * (x / total).ln());
            normalizer + terms.sum::<f64>()
        };
        let rows = batch.values.chunks_exact(self.alpha.len());
        Ok(LogProbability { nats: rows.map(of).collect(), monte_carlo: None })
    }
}

impl Sampler for Dirichlet {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let purpose = request.streams.purpose("sample", 0);
        let mut out = Vec::with_capacity(request.count * self.alpha.len());
        for index in request.first..request.first + request.count as u64 {
            let mut rng = purpose.item(index);
            let mut uniform = || open_uniform(&mut rng);
            // Gamma numbers over their sum.
            let row: Vec<f64> =
                self.alpha.iter().map(|a| Gamma.sample(&[*a, 1.0], &mut uniform)).collect();
            let total: f64 = row.iter().sum();
            out.extend(row.into_iter().map(|x| x / total));
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
    use ancestral_data::{Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Values};

    use super::*;
    use crate::model::fit;

    fn fitted(rows: &[[f64; 3]]) -> Result<(Dirichlet, FitReport)> {
        let values = Values::Reals(rows.concat());
        let split = Split { values, labels: None };
        let data = Dataset::new("d", Domain::Real, Shape::columns(3), split, None, None)?;
        let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
        let examples = Examples::new(&data, SplitName::Train, Binarize::None, 0)?;
        let mut model = DirichletConfig::default().init(&spec)?;
        let report = fit(&mut model, &examples, 0)?;
        Ok((model, report))
    }

    #[test]
    fn the_gradient_is_zero_at_the_maximum_and_samples_lead_back() {
        let first = DirichletConfig::default();
        let spec = DataSpec::new(Domain::Real, Shape::columns(3), 0);
        let mut truth = first.init(&spec).unwrap();
        truth.alpha = vec![0.7, 2.0, 5.0];
        let drawn = truth.draw(&SampleRequest::new(4000, 5)).unwrap();
        let rows: Vec<[f64; 3]> = drawn.chunks_exact(3).map(|r| [r[0], r[1], r[2]]).collect();
        let (model, report) = fitted(&rows).unwrap();
        assert_eq!(report.converged, Some(true));
        let n = rows.len() as f64;
        let all = digamma(model.alpha.iter().sum());
        for i in 0..3 {
            let mean = rows.iter().map(|row| row[i].ln()).sum::<f64>() / n;
            let gradient = all - digamma(model.alpha[i]) + mean;
            assert!(gradient.abs() < 1e-11, "{gradient}");
            let estimate = &report.estimates[i];
            let error = estimate.stderr.unwrap();
            assert!((estimate.value - truth.alpha[i]).abs() < 4.0 * error, "{estimate:?}");
        }
    }

    #[test]
    fn rows_that_are_no_shares_are_counted() {
        let said = |rows: &[[f64; 3]]| fitted(rows).err().unwrap().to_string();
        let good = [0.2, 0.3, 0.5];
        assert!(said(&[good, [0.2, 0.3, 0.4], [0.5, 0.7, -0.2]]).contains("2 rows are no shares"));
        assert!(said(&[good, [0.0, 0.5, 0.5]]).contains("1 rows have a share of 0"));
        assert!(said(&[good; 4]).contains("all 4 rows are equal"));
    }
}
