//! Figures about a trained model: likelihoods and bounds, with their errors.

use std::time::Instant;

use ancestral_data::{Examples, Streams};
use serde::Serialize;

use crate::model::{DensityKind, DensityOptions, Model};
use crate::{Error, Result};

/// Code entries whose mean varies more than this over the examples are active (Burda et al. 2016,
/// section 5.2: Cov_x(E[u | x]) > 10⁻²).
const ACTIVE_VARIANCE: f64 = 1e-2;

/// The log-probabilities of a split, summed up.
#[derive(Debug, Clone, Serialize)]
pub struct Likelihoods {
    /// "exact", "bound" or "none".
    pub kind: &'static str,
    /// Importance samples an example; 0 where none are needed.
    pub samples: usize,
    /// Examples.
    pub n: usize,
    /// Mean negative log-probability an example, in nats (an upper bound on it for a bound).
    pub nll_nats: f64,
    /// Its standard error over examples.
    pub nll_stderr: f64,
    /// Its standard error over importance samples.
    pub mc_stderr: f64,
    /// Whether the values are probabilities or heights of a density: "mass" or "density".
    pub measure: &'static str,
    /// The same figure in bits an entry; absent for densities.
    pub bits_per_dim: Option<f64>,
    /// The bound from one sample in its terms, for models that have one.
    pub elbo: Option<Elbo>,
    /// Seconds it took.
    pub seconds: f64,
}

/// The evidence lower bound in its terms, means over examples in nats.
#[derive(Debug, Clone, Serialize)]
pub struct Elbo {
    /// reconstruction − kl.
    pub elbo: f64,
    /// E_q[log p(x | z)].
    pub reconstruction: f64,
    /// The divergence of the code from the prior.
    pub kl: f64,
    /// Code entries that carry something.
    pub active_units: usize,
    /// All code entries.
    pub latent_dim: usize,
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Importance samples an example, for models with a bound.
    pub samples: usize,
    /// The seed of the importance samples.
    pub seed: u64,
}

/// Measures the log-probabilities of all examples.
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
    let (nats, errors) = log_probabilities(model, examples, options, progress)?;
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
    let mass = density.is_mass(examples.domain());
    let per_dim = examples.shape().size() as f64 * std::f64::consts::LN_2;
    Ok(Likelihoods {
        kind,
        samples,
        n,
        nll_nats: -mean,
        nll_stderr: (variance / count).sqrt(),
        mc_stderr: errors.iter().map(|e| e * e).sum::<f64>().sqrt() / count,
        measure: if mass { "mass" } else { "density" },
        bits_per_dim: mass.then(|| -mean / per_dim),
        elbo,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// The log-probability of each example in nats, in order, and the Monte Carlo error of each
/// (0 where there is none).
///
/// # Errors
/// As [`likelihoods`].
pub fn log_probabilities(
    model: &dyn Model,
    examples: &Examples,
    options: Options,
    progress: &mut dyn FnMut(usize),
) -> Result<(Vec<f64>, Vec<f64>)> {
    let density = density_of(model)?;
    let n = examples.len();
    // Few examples at once where each needs many samples.
    let at_once = (2000 / options.samples.max(1)).clamp(1, 200);
    let indices: Vec<u64> = (0..n as u64).collect();
    let (mut nats, mut errors) = (Vec::with_capacity(n), Vec::with_capacity(n));
    let options = DensityOptions { samples: options.samples, streams: Streams::new(options.seed) };
    for chunk in indices.chunks(at_once) {
        let batch = examples.batch(chunk, 0);
        let found = density.log_probability(&batch, options)?;
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
        errors.extend(found.mc_stderr.unwrap_or_else(|| vec![0.0; chunk.len()]));
        nats.extend(found.nats);
        progress(nats.len());
    }
    Ok((nats, errors))
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
