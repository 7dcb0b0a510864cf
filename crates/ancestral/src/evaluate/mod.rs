//! Metrics of a trained model: likelihoods and bounds with their standard errors, and the quality of
//! its samples compared with data.

mod bayes;
mod calibration;
mod classes;
mod copying;
mod costs;
mod distances;
mod evaluator;
mod manifold;
mod modes;
mod noise;
mod quality;
mod roc;
mod rows;

pub use bayes::{BayesRule, bayes_rule, log_densities_by_class};
pub use calibration::{
    Classification, ReliabilityBin, brier_score, calibration_error, class_nll, classification,
    classification_of, reliability,
};
pub use classes::{best_assignment, class_agreement, classifier_score, confusion, most_probable};
#[cfg(feature = "plot")]
pub(crate) use copying::spread;
pub use copying::{COPYING_LIMIT, Copying, Training, copying};
pub use costs::{PixelCosts, pixel_costs};
pub use distances::{
    Gaussian, chamfer_distance, energy_distance, frechet_distance, frechet_estimate,
    kernel_distance,
};
pub(crate) use evaluator::ENERGY_SAMPLES;
pub(crate) use evaluator::LEAST_FOR_NETWORK;
pub use evaluator::{ChamferEvaluator, EnergyEvaluator, FrechetEvaluator, LEAST_VALIDATION};
pub use manifold::{Coverage, DENSITY_NEIGHBORS, Neighbor, PRECISION_NEIGHBORS, coverage, nearest};
pub use modes::{Modes, modes};
pub use noise::{NoiseReference, NoiseShare};
pub use quality::{GeneratedExamples, NamedClassifier, Quality, RequestedClasses, draw, quality};
pub use roc::{Averages, ByClass, ClassMetrics, Curve, by_class, precision_recall, roc, wilson};
pub use rows::Rows;

use std::time::Instant;

use ancestral_data::{Domain, Examples, Streams};
use serde::Serialize;

use crate::likelihood::LogMeanExp;
use crate::likelihood::MonteCarlo;
use crate::model::{
    DensityKind, DensityOptions, Ensemble, LogProbability, Model, column_terms, log_probability,
};
use crate::{Error, Result};

/// Latent dimensions whose mean varies more than this over the examples are active (Burda et al. 2016,
/// section 5.2: Cov_x(E[u | x]) > 10⁻²).
const ACTIVE_VARIANCE: f64 = 1e-2;

/// The shape k̂ of importance weights above which no error can be trusted (Vehtari et al. 2024,
/// arXiv:1507.02646).
pub const PARETO_LIMIT: f64 = 0.7;

/// Examples per batch for an exact density.
const EXACT_AT_ONCE: usize = 2000;

/// The mean log-probability of a split, with standard errors.
#[derive(Debug, Clone, Serialize)]
pub struct Likelihoods {
    /// "exact", "bound" or "none".
    pub kind: &'static str,
    /// Importance samples per example; 0 for exact values.
    pub samples: usize,
    /// Members of an ensemble whose probabilities were averaged; 1 for models that are no ensemble.
    pub members: u64,
    /// The mean negative log-probability from 1, 2, 4, … members, for ensembles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<CurvePoint>,
    /// Number of examples.
    pub n: usize,
    /// Mean negative log-probability per example, in nats (an upper bound on it for a bound); a
    /// density of real values is in the units of the data.
    pub nll_nats: f64,
    /// Its standard error over examples.
    pub nll_stderr: f64,
    /// Its standard error over importance samples.
    pub mc_stderr: f64,
    /// The median effective sample size of the importance samples of an example; absent for exact
    /// values.
    pub effective_samples: Option<f64>,
    /// The fraction of examples whose importance weights have a Pareto shape k̂ above
    /// [`PARETO_LIMIT`], for which no error can be trusted; absent for exact values and few samples.
    pub heavy_tails: Option<f64>,
    /// Whether the values are of a probability mass or a density: "mass" or "density".
    pub measure: &'static str,
    /// The same in bits per dimension; absent for densities.
    pub bits_per_dim: Option<f64>,
    /// Mean negative log-density in nats on columns standardized by the training split, without the
    /// log-determinant, as [`Likelihoods::standardize`] computes it; absent for discrete data.
    #[serde(rename = "nll_standardised")]
    pub nll_standardized: Option<f64>,
    /// The terms of the ELBO, for models that have one.
    pub elbo: Option<Elbo>,
    /// Duration in seconds.
    pub seconds: f64,
}

/// The value from the first members of an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Number of members.
    pub members: u64,
    /// Mean negative log-probability per example, in nats.
    pub nll_nats: f64,
}

impl Likelihoods {
    /// Adds the value on columns standardized by `train`: with z = (x − mean) / σ, the density of
    /// x is that of z over Π σ, so that −log p(z) = −log p(x) − Σ log σ.
    ///
    /// The standard deviations σ have divisor n. Discrete data and data with a constant column have
    /// no such value.
    pub fn standardize(&mut self, train: &Examples) {
        self.nll_standardized = log_deviations(train).map(|sum| self.nll_nats - sum);
    }
}

/// Σ log σ over real columns; `None` if one is constant.
fn log_deviations(train: &Examples) -> Option<f64> {
    if train.domain() != Domain::Real {
        return None;
    }
    let columns = train.shape().size();
    // Welford's algorithm: no cancellation where the mean is far from 0.
    let (mut means, mut squares) = (vec![0.0; columns], vec![0.0; columns]);
    let indices: Vec<u64> = (0..train.len() as u64).collect();
    let mut count = 0.0;
    for chunk in indices.chunks(1000) {
        for row in train.batch(chunk, 0).values.chunks_exact(columns) {
            count += 1.0;
            for ((&x, mean), square) in row.iter().zip(&mut means).zip(&mut squares) {
                let before = x - *mean;
                *mean += before / count;
                *square += before * (x - *mean);
            }
        }
    }
    squares.iter().map(|s| (*s > 0.0).then(|| 0.5 * (s / count).ln())).sum()
}

/// The terms of the evidence lower bound, as means over examples in nats.
#[derive(Debug, Clone, Serialize)]
pub struct Elbo {
    /// reconstruction − kl.
    pub elbo: f64,
    /// E_q[log p(x | z)].
    pub reconstruction: f64,
    /// KL divergence of the posterior from the prior.
    pub kl: f64,
    /// The number of active latent dimensions (active units).
    pub active_units: usize,
    /// The number of latent dimensions.
    pub latent_dim: usize,
}

/// The examples of which a model's log-probability is taken: of a classifier by Bayes' rule, whose density
/// has a class probability of its own, without their labels, so that it is log p(x); else as they are.
pub fn rows_of(model: &dyn Model, examples: &Examples) -> Examples {
    match model.density().is_some() && model.classifier().is_some() {
        true => examples.clone().without_labels(),
        false => examples.clone(),
    }
}

/// Options of the evaluation.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Importance samples per example, for models with a bound.
    pub samples: usize,
    /// The seed of the importance samples.
    pub seed: u64,
    /// Members of an ensemble to average over (orderings, masks); 1 for models that are no
    /// ensemble.
    pub members: u64,
    /// Whether scores have their terms by column as well.
    pub columns: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { samples: 100, seed: 0, members: 1, columns: false }
    }
}

/// Computes the log-probabilities of all examples and their mean.
///
/// `progress` is called with the number of examples done; the result does not depend on it.
///
/// # Errors
/// If the model has no density, or the examples do not fit it.
pub fn likelihoods(
    model: &dyn Model,
    examples: &Examples,
    options: Options,
    progress: &mut dyn FnMut(usize),
) -> Result<Likelihoods> {
    let began = Instant::now();
    let mut curve = Vec::new();
    let LogProbability { nats, monte_carlo } = if options.members > 1 {
        let nats = averaged(model, examples, options, progress, &mut curve)?;
        LogProbability { nats, monte_carlo: None }
    } else {
        log_probabilities(model, examples, options, progress)?
    };
    let monte_carlo = monte_carlo.unwrap_or_default();
    let errors = monte_carlo.iter().map(|found| found.stderr);
    let density = density_of(model)?;
    let n = nats.len();
    let count = n as f64;
    let mean = nats.iter().sum::<f64>() / count;
    let variance = nats.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let (kind, samples) = match density.kind(options.samples) {
        DensityKind::Exact => ("exact", 0),
        DensityKind::LowerBound { samples } => ("bound", samples),
    };

    let mut elbo = None;
    let streams = Streams::new(options.seed);
    let (mut reconstruction, mut kl, mut means) = (0.0, 0.0, Vec::new());
    let indices: Vec<u64> = (0..n as u64).collect();
    for chunk in indices.chunks(200) {
        let Some(terms) = density.elbo_terms(&examples.batch(chunk, 0), streams)? else { break };
        reconstruction += terms.reconstruction.iter().sum::<f64>() / count;
        kl += terms.kl.iter().sum::<f64>() / count;
        means.extend(terms.means);
    }
    if !means.is_empty() {
        let latent_dim = means.len() / n;
        elbo = Some(Elbo {
            elbo: reconstruction - kl,
            reconstruction,
            kl,
            active_units: active_units(&means, latent_dim),
            latent_dim,
        });
    }
    let mass = density.is_mass(model.data());
    let per_dim = examples.shape().size() as f64 * std::f64::consts::LN_2;
    Ok(Likelihoods {
        kind,
        samples,
        members: options.members,
        curve,
        n,
        nll_nats: -mean,
        nll_stderr: (variance / count).sqrt(),
        mc_stderr: errors.fold(0.0, |sum: f64, e| sum + e * e).sqrt() / count,
        effective_samples: median(monte_carlo.iter().map(|found| found.effective_samples)),
        heavy_tails: heavy_tails(&monte_carlo),
        nll_standardized: None,
        measure: if mass { "mass" } else { "density" },
        bits_per_dim: mass.then(|| -mean / per_dim),
        elbo,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The cost of [`likelihoods`].
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Seconds that all examples take.
    pub seconds: f64,
    /// How many of the first examples fit a limit; at least 50.
    pub fitting: usize,
}

/// The cost of [`likelihoods`], and how many of the first examples take at most `limit` seconds, from the
/// time of fewer; a small share of the limit is spent on it.
///
/// # Errors
/// As [`likelihoods`].
pub fn cost(model: &dyn Model, examples: &Examples, options: Options, limit: f64) -> Result<Cost> {
    let all = examples.len();
    let mut n = FEW.min(all);
    loop {
        let began = Instant::now();
        likelihoods(model, &examples.clone().first(n), options, &mut |_| {})?;
        let spent = began.elapsed().as_secs_f64();
        let each = spent / n as f64;
        let seconds = each * all as f64;
        if seconds <= limit {
            return Ok(Cost { seconds, fitting: all });
        }
        // Small batches take longer an example, so that few are not enough to tell.
        if spent > PROBE * limit || 4 * n > all {
            let fitting = ((limit - spent) / each).max(LEAST) as usize;
            return Ok(Cost { seconds, fitting: fitting.min(all) });
        }
        n *= 4;
    }
}

/// Fewer examples have no standard error that could be trusted.
const LEAST: f64 = 50.0;
/// Examples that are timed first.
const FEW: usize = 16;
/// The share of a limit that timing examples may take.
const PROBE: f64 = 0.03;

/// The median; `None` of no values.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some(0.5 * (values[low] + values[high]))
}

/// The fraction of examples whose weights have too heavy a tail; `None` where no shape is known.
fn heavy_tails(monte_carlo: &[MonteCarlo]) -> Option<f64> {
    let shapes: Vec<f64> = monte_carlo.iter().filter_map(|found| found.pareto_k).collect();
    let heavy = shapes.iter().filter(|&&shape| shape > PARETO_LIMIT).count();
    (!shapes.is_empty()).then(|| heavy as f64 / shapes.len() as f64)
}

/// The log-probability of each example in order, with the Monte Carlo error of each for a bound.
///
/// # Errors
/// As [`likelihoods`].
pub fn log_probabilities(
    model: &dyn Model,
    examples: &Examples,
    options: Options,
    progress: &mut dyn FnMut(usize),
) -> Result<LogProbability> {
    let density = density_of(model)?;
    let n = examples.len();
    check_members(model, options.members)?;
    let at_once = examples_at_once(density.kind(options.samples));
    let indices = examples.indices();
    let mut nats = Vec::with_capacity(n);
    let mut monte_carlo: Option<Vec<MonteCarlo>> = None;
    let options = DensityOptions {
        members: 0..options.members,
        ..DensityOptions::new(options.samples, options.seed)
    };
    for chunk in indices.chunks(at_once) {
        let batch = examples.batch(chunk, 0);
        let found = log_probability(model, &batch, options.clone())?;
        if let Some(i) = found.nats.iter().position(|x| x.is_nan()) {
            return Err(Error::UnsuitableData {
                model: model.name().to_owned(),
                problem: format!(
                    "example {} has no log-probability (not a number); its values may be far \
                     outside those of the training data",
                    chunk[i]
                ),
            });
        }
        if let Some(errors) = found.monte_carlo {
            monte_carlo.get_or_insert_default().extend(errors);
        }
        nats.extend(found.nats);
        progress(nats.len());
    }
    Ok(LogProbability { nats, monte_carlo })
}

/// The terms of the log-probability of each example by column `[examples, columns]`, in nats: each column
/// given those before it in the model's order.
///
/// # Errors
/// If the model has no density or one that is not a sum over columns, or several members of an ensemble
/// are to be averaged.
pub fn terms_by_column(
    model: &dyn Model,
    examples: &Examples,
    members: u64,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<f64>> {
    let unsupported = |problem: &str| Error::Unsupported {
        model: model.name().to_owned(),
        problem: problem.to_owned(),
    };
    density_of(model)?;
    if members > 1 {
        return Err(unsupported(
            "has terms by column for one member of its ensemble, since a mean of probabilities is no \
             sum over columns",
        ));
    }
    let mut found = Vec::with_capacity(examples.len() * examples.shape().size());
    for chunk in examples.indices().chunks(EXACT_AT_ONCE) {
        let terms = column_terms(model, &examples.batch(chunk, 0))?;
        found.extend(terms.ok_or_else(|| {
            unsupported(
                "has no terms by column, because its log-probability is not a sum over columns; \
                 autoregressive models, such as nade, rnade and made, have them",
            )
        })?);
        progress(found.len() / examples.shape().size().max(1));
    }
    Ok(found)
}

/// How many examples a batch has: fewer if each needs many samples.
pub(crate) fn examples_at_once(kind: DensityKind) -> usize {
    match kind {
        DensityKind::Exact => EXACT_AT_ONCE,
        DensityKind::LowerBound { samples } => (2000 / samples.max(1)).clamp(1, 200),
    }
}

/// The first example of probability 0, and what to do about it; `None` if there is none.
///
/// # Errors
/// As [`likelihoods`].
pub fn impossible(
    model: &dyn Model,
    examples: &Examples,
    options: Options,
) -> Result<Option<String>> {
    let mut found = Impossible::default();
    found.add(model, examples, options)?;
    Ok(found.sentence(model))
}

/// Examples of probability 0, found in parts of the data.
#[derive(Debug, Default)]
pub(crate) struct Impossible {
    count: usize,
    /// The first one, and why.
    first: Option<(u64, String)>,
}

impl Impossible {
    /// Looks for them in more examples.
    pub(crate) fn add(
        &mut self,
        model: &dyn Model,
        examples: &Examples,
        options: Options,
    ) -> Result<()> {
        let options = Options { members: 1, ..options };
        let nats = log_probabilities(model, examples, options, &mut |_| {})?.nats;
        self.count += nats.iter().filter(|&&x| x == f64::NEG_INFINITY).count();
        let at = nats.iter().position(|&x| x == f64::NEG_INFINITY);
        let Some(at) = at.filter(|_| self.first.is_none()) else { return Ok(()) };
        let at = examples.indices()[at];
        let batch = examples.batch(&[at], 0);
        let terms = column_terms(model, &batch)?;
        let column = terms.and_then(|terms| terms.iter().position(|&x| x == f64::NEG_INFINITY));
        let cause = match column {
            Some(column) => format!(
                ": column '{}' is {} there, which the model excludes",
                model.data().column_name(column),
                batch.values[column]
            ),
            None => String::new(),
        };
        self.first = Some((at, cause));
        Ok(())
    }

    /// What there is, and what to do about it.
    pub(crate) fn sentence(&self, model: &dyn Model) -> Option<String> {
        let (at, cause) = self.first.as_ref()?;
        let remedy = match model.settings().contains_key("pseudo_count") {
            true => "fit it with pseudo_count above 0",
            false => "train it on examples of this kind, or leave them out",
        };
        let others = match self.count {
            1 => String::new(),
            n => format!(" ({n} examples in all)"),
        };
        Some(format!("example {at} has probability 0{others}{cause}; {remedy}"))
    }
}

/// Refuses more members than the model has.
fn check_members(model: &dyn Model, members: u64) -> Result<()> {
    let ensemble = density_of(model)?.ensemble();
    let allowed = match ensemble {
        None => "it is one density, so give 1; deep-nade (orderings) and made with several masks \
                 are ensembles"
            .to_owned(),
        Some(Ensemble { count: None, .. }) => "give 1 or more".to_owned(),
        Some(Ensemble { count: Some(n), member }) => format!("it has {n} {member}s; give 1 to {n}"),
    };
    let most = ensemble.map_or(Some(1), |e| e.count);
    if members == 0 || most.is_some_and(|most| members > most) {
        return Err(Error::setting("orderings", members, format!("{}: {allowed}", model.name())));
    }
    Ok(())
}

/// As [`log_probabilities`], member after member, with the intermediate value at powers of two.
///
/// `progress` is called with the share of the examples that is done over all members.
fn averaged(
    model: &dyn Model,
    examples: &Examples,
    options: Options,
    progress: &mut dyn FnMut(usize),
    curve: &mut Vec<CurvePoint>,
) -> Result<Vec<f64>> {
    check_members(model, options.members)?;
    let n = examples.len();
    let indices: Vec<u64> = (0..n as u64).collect();
    let mut mean = LogMeanExp::new(n);
    for member in 0..options.members {
        let mut nats = Vec::with_capacity(n);
        let one = DensityOptions {
            members: member..member + 1,
            ..DensityOptions::new(options.samples, options.seed)
        };
        for chunk in indices.chunks(EXACT_AT_ONCE) {
            nats.extend(log_probability(model, &examples.batch(chunk, 0), one.clone())?.nats);
            let done = member as f64 * n as f64 + nats.len() as f64;
            progress((done / options.members as f64) as usize);
        }
        mean.add(&nats);
        let members = member + 1;
        if members.is_power_of_two() || members == options.members {
            let nll_nats = -mean.finish().iter().sum::<f64>() / n as f64;
            curve.push(CurvePoint { members, nll_nats });
        }
    }
    Ok(mean.finish())
}

fn density_of(model: &dyn Model) -> Result<&dyn crate::model::Density> {
    model.density().ok_or_else(|| Error::Unsupported {
        model: model.name().to_owned(),
        problem: "has no log-probability and cannot score examples".to_owned(),
    })
}

fn active_units(means: &[f32], latent_dim: usize) -> usize {
    let n = (means.len() / latent_dim) as f64;
    (0..latent_dim)
        .filter(|&i| {
            let column = || means.iter().skip(i).step_by(latent_dim).map(|&x| f64::from(x));
            let mean = column().sum::<f64>() / n;
            column().map(|x| (x - mean).powi(2)).sum::<f64>() / n > ACTIVE_VARIANCE
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Registry;
    use crate::model::{DataSpec, Init, fit};
    use crate::spec::cpu;
    use ancestral_data::{Binarize, Dataset, Shape, Split, SplitName, Values};

    fn examples(domain: Domain, values: Values) -> Examples {
        let split = Split { values, labels: None };
        let data = Dataset::new("t", domain, Shape::columns(2), split, None, None).unwrap();
        Examples::new(&data, SplitName::Train, Binarize::None, 0).unwrap()
    }

    /// A Gaussian is fitted to columns and to the same columns standardized by hand.
    #[test]
    fn the_standardized_value_is_that_of_standardized_columns() {
        let z = Streams::new(3).purpose("z", 0).normals(&[0], 200);
        let raw: Vec<f32> =
            z.chunks_exact(2).flat_map(|z| [300.0 + 0.01 * z[0], 20.0 * z[1] + z[0]]).collect();
        let column = |i: usize| raw.iter().skip(i).step_by(2).map(|&x| f64::from(x));
        let moments = [0, 1].map(|i| {
            let mean = column(i).sum::<f64>() / 100.0;
            (mean, (column(i).map(|x| (x - mean).powi(2)).sum::<f64>() / 100.0).sqrt())
        });
        let standardized: Vec<f32> = raw
            .iter()
            .enumerate()
            .map(|(i, &x)| ((f64::from(x) - moments[i % 2].0) / moments[i % 2].1) as f32)
            .collect();
        let measure = |values: Vec<f32>| {
            let examples =
                examples(Domain::Real, Values::Reals(values.into_iter().map(f64::from).collect()));
            let spec = DataSpec::new(Domain::Real, Shape::columns(2), 0);
            let settings = "variance_floor = 0.0".parse().unwrap();
            let mut model = Registry::standard()
                .build("gaussian", &settings, &spec, &Init::new(&cpu(), 0))
                .unwrap();
            fit(model.estimator().unwrap(), &examples, 0).unwrap();
            let options = Options::default();
            let mut found = likelihoods(model.as_ref(), &examples, options, &mut |_| {}).unwrap();
            found.standardize(&examples);
            found
        };
        let (raw, by_hand) = (measure(raw), measure(standardized));
        let found = raw.nll_standardized.unwrap();
        assert!((found - by_hand.nll_nats).abs() < 1e-3, "{found} {}", by_hand.nll_nats);
        assert!((found - raw.nll_nats).abs() > 1.0, "the scales are too alike to tell");
    }

    #[test]
    fn a_constant_column_and_discrete_data_have_no_standardized_value() {
        let constant = Values::Reals(vec![1.0, 0.1, 2.0, 0.1, 3.0, 0.1]);
        assert_eq!(log_deviations(&examples(Domain::Real, constant)), None);
        let bits = Values::Bytes(vec![0, 1, 1, 0, 1, 1]);
        assert_eq!(log_deviations(&examples(Domain::Binary, bits)), None);
    }
}
