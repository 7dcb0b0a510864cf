//! Mixtures of independent Bernoulli columns, fitted by expectation–maximization: each step weights the
//! rows by the probability of each component given the row, and counts the ones of each column. Several
//! starts by k-means++ on the rows; the one of the highest likelihood is kept. The likelihood is exact.
//!
//! Probabilities stay at least `floor` away from 0 and 1, so that no row is impossible; the step is the
//! maximum within these bounds, and the likelihood never falls.

use ancestral_data::{Batch, Examples};
use burn::tensor::TensorData;

use super::em::{Climbed, Em, Mixture, drawn};
use super::fitted::open_uniform;
use super::{log_sum_exp, take};
use crate::model::{
    DataSpec, Density, DensityKind, DensityOptions, Estimate, Estimator, FitContext, FitReport,
    KindName, LogProbability, NamedTensors, SampleRequest, Sampler, Size, SizeBuilder, block_sums,
    product,
};
use crate::settings::{Settings, above};
use crate::{Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] = &[KindName::Binary];

settings! {
    /// Settings of a mixture of Bernoullis.
    pub struct BernoulliMixtureConfig {
        /// Number of components.
        pub components: usize = 10, in 1..=1000;
        /// Number of starts by k-means++.
        pub starts: usize = 4, in 1..=1000;
        /// Maximum number of steps of EM.
        pub max_iterations: usize = 500, in 1..;
        /// Rise of the mean log-likelihood below which EM has converged.
        pub tolerance: f64 = 1e-6, in above(0.0), unit "nats per example";
        /// Smallest distance of a probability from 0 and from 1.
        pub floor: f64 = 1e-4, in 0.0..=0.25;
    }
}

/// A mixture of Bernoullis.
pub struct BernoulliMixture {
    config: BernoulliMixtureConfig,
    data: DataSpec,
    parameters: Parameters,
}

/// The parameters of all components.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameters {
    /// `[components]`.
    weights: Vec<f64>,
    /// P(1) of each entry, `[components, entries]`.
    theta: Vec<f64>,
}

distribution! {
    BernoulliMixture, BernoulliMixtureConfig, "bernoulli-mixture",
    about: "mixture of independent Bernoulli columns, fitted by expectation–maximization",
    paper: "Dempster, Laird and Rubin 1977",
    read: BernoulliMixtureConfig::from_table,
}

impl BernoulliMixtureConfig {
    fn check(&self, data: &DataSpec) -> Result<()> {
        self.check_values()?;
        data.check_kinds("bernoulli-mixture", KINDS)
    }

    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        self.check(data)?;
        let (k, n) = (self.components, product(data.shape.dims()));
        let mut size = SizeBuilder::default();
        size.buffer(&[k]);
        size.buffer(&[k, n]);
        size.kept((n + k) as u64);
        // The sums of some blocks, the parameters of a start and of the best, the estimates.
        size.fixed(product(&[k, n, 40]) as u64);
        Ok(size.finish())
    }

    /// Probabilities of ½ everywhere.
    ///
    /// # Errors
    /// If a setting is out of range or a column is not binary.
    pub fn init(&self, data: &DataSpec) -> Result<BernoulliMixture> {
        self.check(data)?;
        let k = self.components;
        let parameters =
            Parameters { weights: vec![1.0 / k as f64; k], theta: vec![0.5; k * data.size()] };
        Ok(BernoulliMixture { config: self.clone(), data: data.clone(), parameters })
    }
}

impl BernoulliMixture {
    /// The parameters by name.
    fn parameters(&self) -> NamedTensors {
        let (k, n) = (self.config.components, self.data.size());
        let Parameters { weights, theta } = self.parameters.clone();
        vec![
            ("model.weights".to_owned(), TensorData::new(weights, [k])),
            ("model.theta".to_owned(), TensorData::new(theta, [k, n])),
        ]
    }

    /// Takes parameters by name.
    fn set_parameters(&mut self, tensors: &NamedTensors) -> Result<()> {
        let (k, n) = (self.config.components, self.data.size());
        self.parameters = Parameters {
            weights: take("bernoulli-mixture", tensors, "model.weights", k)?,
            theta: take("bernoulli-mixture", tensors, "model.theta", k * n)?,
        };
        Ok(())
    }
}

impl Mixture for BernoulliMixture {
    type Parameters = Parameters;
    type Sums = Sums;

    fn pass(
        &self,
        examples: &Examples,
        at: &Parameters,
        context: &FitContext<'_>,
    ) -> Result<(Sums, f64)> {
        let (k, n) = (self.config.components, self.data.size());
        let logs = Logs::new(at, n);
        let empty = || Sums {
            log_likelihood: 0.0,
            rows: 0.0,
            weights: vec![0.0; k],
            ones: vec![0.0; k * n],
        };
        let add = |block: &Batch, sums: &mut Sums| {
            let mut joint = vec![0.0; k];
            for row in block.values.chunks_exact(n) {
                logs.joint(row, &mut joint);
                let total = log_sum_exp(&joint);
                sums.log_likelihood += total;
                sums.rows += 1.0;
                for (c, log) in joint.iter().enumerate() {
                    let share = (log - total).exp();
                    // What adds nothing to the sums is left out.
                    if share > 1e-30 {
                        sums.weights[c] += share;
                        let ones = &mut sums.ones[c * n..(c + 1) * n];
                        ones.iter_mut().zip(row).for_each(|(sum, x)| *sum += share * x);
                    }
                }
            }
            Ok(())
        };
        let merge = |a: &mut Sums, b: Sums| {
            a.log_likelihood += b.log_likelihood;
            a.rows += b.rows;
            a.weights.iter_mut().zip(b.weights).for_each(|(a, b)| *a += b);
            a.ones.iter_mut().zip(b.ones).for_each(|(a, b)| *a += b);
        };
        let sums = block_sums(examples, context.stop, &mut |_| {}, empty, add, merge)?;
        let mean = sums.log_likelihood / sums.rows;
        Ok((sums, mean))
    }

    fn step(&self, at: &Parameters, sums: &Sums) -> Result<Parameters> {
        let n = self.data.size();
        let floor = self.config.floor;
        let mut next = at.clone();
        for (c, &weight) in sums.weights.iter().enumerate() {
            next.weights[c] = (weight / sums.rows).max(1e-300);
            if weight > 1e-12 {
                let places = c * n..(c + 1) * n;
                let theta = next.theta[places.clone()].iter_mut().zip(&sums.ones[places]);
                theta.for_each(|(p, ones)| *p = (ones / weight).clamp(floor, 1.0 - floor));
            }
        }
        Ok(next)
    }

    fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    /// Each row is drawn halfway to ½.
    fn start(&self, rows: &[&[f64]]) -> Parameters {
        let k = rows.len();
        Parameters {
            weights: vec![1.0 / k as f64; k],
            theta: rows.concat().iter().map(|x| 0.25 + 0.5 * x).collect(),
        }
    }
}

/// Sums over rows, weighted by the components.
pub(super) struct Sums {
    log_likelihood: f64,
    rows: f64,
    weights: Vec<f64>,
    ones: Vec<f64>,
}

/// Logarithms of the parameters of all components.
struct Logs {
    /// ln of the weight and of P(0 everywhere).
    zeros: Vec<f64>,
    /// Log-odds of each entry; infinite ones are taken from the two below.
    odds: Vec<f64>,
    entries: usize,
    /// ln P(1) and ln P(0) of each entry, if some are 0 or 1.
    exact: Option<(Vec<f64>, Vec<f64>, Vec<f64>)>,
}

impl Logs {
    fn new(at: &Parameters, entries: usize) -> Self {
        let one: Vec<f64> = at.theta.iter().map(|p| p.ln()).collect();
        let zero: Vec<f64> = at.theta.iter().map(|p| (-p).ln_1p()).collect();
        let weights: Vec<f64> = at.weights.iter().map(|w| w.ln()).collect();
        let sums = zero.chunks_exact(entries).map(|zero| zero.iter().sum::<f64>());
        let zeros = sums.zip(&weights).map(|(sum, w)| sum + w).collect();
        let odds = one.iter().zip(&zero).map(|(a, b)| a - b).collect();
        let finite = at.theta.iter().all(|p| *p > 0.0 && *p < 1.0);
        Self { zeros, odds, entries, exact: (!finite).then_some((one, zero, weights)) }
    }

    /// ln of weight times probability of each component at a row, into `out`.
    fn joint(&self, row: &[f64], out: &mut [f64]) {
        let n = self.entries;
        if let Some((one, zero, weights)) = &self.exact {
            let both = one.chunks_exact(n).zip(zero.chunks_exact(n)).zip(weights);
            for (out, ((one, zero), weight)) in out.iter_mut().zip(both) {
                let terms = row.iter().zip(one.iter().zip(zero));
                *out =
                    weight + terms.map(|(x, (a, b))| if *x > 0.5 { *a } else { *b }).sum::<f64>();
            }
            return;
        }
        for ((out, zeros), odds) in out.iter_mut().zip(&self.zeros).zip(self.odds.chunks_exact(n)) {
            *out = zeros + row.iter().zip(odds).map(|(x, odds)| x * odds).sum::<f64>();
        }
    }
}

impl Estimator for BernoulliMixture {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        context.check_stop()?;
        let (k, n) = (self.config.components, self.data.size());
        let em = Em {
            model: "bernoulli-mixture",
            components: k,
            starts: self.config.starts,
            max_iterations: self.config.max_iterations,
            tolerance: self.config.tolerance,
        };
        em.check(examples)?;
        let found = em.fit(self, examples, n, context)?;
        let notes = found.notes();
        let Climbed { parameters: at, trace, converged } = found;
        // The largest component first, so that the numbers of components mean something.
        let mut order: Vec<usize> = (0..k).collect();
        order.sort_by(|&a, &b| at.weights[b].total_cmp(&at.weights[a]));
        let parameters = Parameters {
            weights: order.iter().map(|&c| at.weights[c]).collect(),
            theta: order.iter().flat_map(|&c| at.theta[c * n..(c + 1) * n].to_vec()).collect(),
        };
        let mut estimates = Vec::with_capacity(k * (n + 1));
        let mut add = |name: String, value: f64| {
            estimates.push(Estimate { name, value, stderr: None });
        };
        (0..k).for_each(|c| add(format!("weight[{c}]"), parameters.weights[c]));
        for c in 0..k {
            for i in 0..n {
                let name = format!("theta[{c}, {}]", self.data.column_name(i));
                add(name, parameters.theta[c * n + i]);
            }
        }
        self.parameters = parameters;
        (context.progress)(1.0);
        // Weights add up to 1.
        let free = Some(k - 1 + k * n);
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

impl Density for BernoulliMixture {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let n = self.data.size();
        let logs = Logs::new(&self.parameters, n);
        let mut joint = vec![0.0; self.config.components];
        let of = |row: &[f64]| {
            logs.joint(row, &mut joint);
            log_sum_exp(&joint)
        };
        Ok(LogProbability {
            nats: batch.values.chunks_exact(n).map(of).collect(),
            monte_carlo: None,
        })
    }
}

impl Sampler for BernoulliMixture {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let n = self.data.size();
        let purpose = request.streams.purpose("sample", 0);
        let which = request.streams.purpose("sample component", 0);
        let Parameters { weights, theta } = &self.parameters;
        let mut out = Vec::with_capacity(request.count * n);
        for index in request.first..request.first + request.count as u64 {
            let c = drawn(weights, open_uniform(&mut which.item(index)));
            let theta = &theta[c * n..(c + 1) * n];
            let uniforms = purpose.uniforms(&[index], n);
            let draws = theta.iter().zip(uniforms);
            out.extend(draws.map(|(&p, u)| match request.mean {
                true => p,
                false => f64::from(f64::from(u) < p),
            }));
        }
        Ok(out)
    }

    fn has_temperature(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use ancestral_data::{Binarize, Dataset, Domain, Shape, Split, SplitName, Streams, Values};

    use super::*;
    use crate::model::fit;

    /// Rows of two components, of shares 0.7 and 0.3, that differ in the first half of the columns.
    fn rows(count: usize) -> Dataset {
        let u = Streams::new(3).purpose("u", 0).uniforms(&[0], count * 11);
        let row = |u: &[f32]| -> Vec<u8> {
            let chance = |i: usize| match (u[10] < 0.7, i < 5) {
                (true, true) => 0.9,
                (false, true) => 0.2,
                _ => 0.4,
            };
            (0..10).map(|i| u8::from(u[i] < chance(i))).collect()
        };
        let values = Values::Bytes(u.chunks_exact(11).flat_map(row).collect());
        let split = Split { values, labels: None };
        Dataset::new("b", Domain::Binary, Shape::columns(10), split, None, None).unwrap()
    }

    fn fitted(data: &Dataset, config: &BernoulliMixtureConfig) -> (BernoulliMixture, FitReport) {
        let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
        let examples = Examples::new(data, SplitName::Train, Binarize::None, 0).unwrap();
        let mut mixture = config.init(&spec).unwrap();
        let report = fit(&mut mixture, &examples, 0).unwrap();
        (mixture, report)
    }

    #[test]
    fn em_finds_components_and_never_lowers_the_likelihood() {
        let data = rows(6000);
        for floor in [0.0, 1e-4, 0.25] {
            let config = BernoulliMixtureConfig {
                components: 2,
                floor,
                tolerance: 1e-9,
                ..BernoulliMixtureConfig::default()
            };
            let (mixture, report) = fitted(&data, &config);
            assert_eq!(report.converged, Some(true));
            assert!(report.trace.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12));
            let Parameters { weights, theta } = &mixture.parameters;
            assert!(theta.iter().all(|p| (floor..=1.0 - floor).contains(p)));
            if floor < 0.1 {
                assert!((weights[0] - 0.7).abs() < 0.05, "{weights:?}");
                assert!(
                    (theta[0] - 0.9).abs() < 0.04 && (theta[10] - 0.2).abs() < 0.06,
                    "{theta:?}"
                );
            }
        }
    }

    #[test]
    fn one_component_counts_and_fits_do_not_depend_on_threads() {
        let data = rows(3000);
        let config = BernoulliMixtureConfig {
            components: 1,
            floor: 0.0,
            ..BernoulliMixtureConfig::default()
        };
        let (mixture, report) = fitted(&data, &config);
        let Values::Bytes(values) = &data.split(SplitName::Train).unwrap().values else { panic!() };
        for (i, p) in mixture.parameters.theta.iter().enumerate() {
            let ones: u32 = values.iter().skip(i).step_by(10).map(|x| u32::from(*x)).sum();
            assert!((p - f64::from(ones) / 3000.0).abs() < 1e-12);
        }
        assert_eq!(report.free, Some(10));
        let config = BernoulliMixtureConfig { components: 3, ..BernoulliMixtureConfig::default() };
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fitted(&data, &config).0.parameters)
        };
        assert!(with(1) == with(2));
    }
}
