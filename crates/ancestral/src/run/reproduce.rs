//! Published results, each with the run that reproduces it.

use std::path::{Path, PathBuf};

use ancestral_data::{Binarize, SplitName};

use super::folder::Weights;
use super::loaded::DataQuery;
use super::recipe::Recipe;
use super::score::Measured;
use super::session::Session;
use crate::evaluate::{Likelihoods, Options};
use crate::settings::nearest;
use crate::train::StopReason;
use crate::{Error, Result};

/// The metric of a published result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishedMetric {
    /// The mean negative log-likelihood of the test split, in nats.
    Nll,
    /// The mean log-likelihood of the test folds on columns standardized by their training split,
    /// without the log-determinant.
    StandardizedLogLikelihood,
}

impl PublishedMetric {
    /// Its name in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nll => "nll_nats",
            Self::StandardizedLogLikelihood => "log_likelihood_standardised",
        }
    }

    fn of(self, found: &Likelihoods) -> Option<f64> {
        match self {
            Self::Nll => Some(found.nll_nats),
            Self::StandardizedLogLikelihood => found.nll_standardized.map(|nll| -nll),
        }
    }
}

/// A published result.
#[derive(Debug)]
pub struct PublishedResult {
    /// Its name, as in `ancestral reproduce NAME`.
    pub name: &'static str,
    /// The run.
    pub recipe: Recipe,
    /// The number of orderings or masks that are averaged at the end.
    pub members: u64,
    /// Importance samples per example, for a lower bound.
    pub samples: usize,
    /// The weights that are evaluated.
    pub weights: Weights,
    /// Folds to run, 1 to this; 0 for data with official splits.
    pub folds: u32,
    /// The metric.
    pub metric: PublishedMetric,
    /// The published value.
    pub published: f64,
    /// Where it was published.
    pub source: &'static str,
}

/// A reproduced result, to compare with the published one.
#[derive(Debug, Clone)]
pub struct Reproduced {
    /// The commands of its runs.
    pub commands: Vec<String>,
    /// The obtained value.
    pub obtained: f64,
    /// Its standard error: over folds where there are any, else over examples.
    pub stderr: f64,
    /// The number of test examples over all runs.
    pub n: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// The evaluation of each run.
    pub measured: Vec<Likelihoods>,
}

/// Progress of a reproduction.
#[derive(Debug, Clone, Copy)]
pub enum ReproduceProgress<'a> {
    /// A run starts or is resumed.
    Begins {
        /// The command that trains it.
        command: &'a str,
    },
    /// A run was evaluated on the test split.
    Measured(&'a Likelihoods),
}

const URIA_2016: &str = "Uria et al. 2016, arXiv:1605.02226";
const OORD: &str = "van den Oord, Kalchbrenner and Kavukcuoglu 2016, arXiv:1601.06759";
const GERMAIN_2015: &str = "Germain et al. 2015, arXiv:1502.03509";
const URIA_2014: &str = "Uria, Murray and Larochelle 2014, arXiv:1310.1757";

/// A result on data with official splits.
const fn row(
    name: &'static str,
    recipe: Recipe,
    members: u64,
    published: f64,
    source: &'static str,
) -> PublishedResult {
    PublishedResult {
        name,
        recipe,
        members,
        samples: 100,
        weights: Weights::Best,
        folds: 0,
        metric: PublishedMetric::Nll,
        published,
        source,
    }
}

/// A variational autoencoder as Burda et al. train it, on all training images for a fixed number of
/// epochs, with the last weights.
const fn burda(
    name: &'static str,
    epochs: u64,
    assign: &'static [&'static str],
    published: f64,
) -> PublishedResult {
    let recipe = Recipe {
        preset: None,
        binarize: Some(Binarize::Dynamic),
        all_train: true,
        skip_test: true,
        epochs: Some(epochs),
        assign,
        ..Recipe::new("vae", "mnist", "")
    };
    PublishedResult {
        samples: 5000,
        weights: Weights::Last,
        ..row(name, recipe, 1, published, "Burda et al. 2016, arXiv:1509.00519")
    }
}

/// Settings of the rows of [`burda`], which differ from the paper's in the schedule, the number of
/// epochs and, of the VAEs, in annealing the KL divergence.
const ONE_LAYER_WARM: &[&str] = &[
    "sample_count=0",
    "validate_every=0",
    "latent_dims=[50]",
    "hidden=[[200,200]]",
    "kl_warmup_epochs=50",
    "schedule=cosine",
];
const TWO_LAYERS_WARM: &[&str] = &[
    "sample_count=0",
    "validate_every=0",
    "latent_dims=[100,50]",
    "hidden=[[200,200],[100,100]]",
    "kl_warmup_epochs=100",
    "schedule=cosine",
];
const ONE_LAYER_5: &[&str] = &[
    "sample_count=0",
    "validate_every=0",
    "latent_dims=[50]",
    "hidden=[[200,200]]",
    "importance_samples=5",
    "doubly_reparameterized=true",
    "schedule=cosine",
];
const ONE_LAYER_50: &[&str] = &[
    "sample_count=0",
    "validate_every=0",
    "latent_dims=[50]",
    "hidden=[[200,200]]",
    "importance_samples=50",
    "doubly_reparameterized=true",
    "schedule=cosine",
];
const TWO_LAYERS_50: &[&str] = &[
    "sample_count=0",
    "validate_every=0",
    "latent_dims=[100,50]",
    "hidden=[[200,200],[100,100]]",
    "importance_samples=50",
    "doubly_reparameterized=true",
    "schedule=cosine",
];

/// A row of `fvsbn`, whose rate was chosen by validation.
const fn fvsbn(data: &'static str, assign: &'static [&'static str]) -> Recipe {
    Recipe { assign, ..Recipe::new("fvsbn", data, "uci") }
}

/// All published results.
pub static PUBLISHED: &[PublishedResult] = &[
    row("nade-mnist", Recipe::new("nade", "binarized-mnist", "mnist"), 1, 88.33, URIA_2016),
    row(
        "deep-nade-mnist",
        Recipe::new("deep-nade", "binarized-mnist", "mnist"),
        128,
        85.10,
        URIA_2014,
    ),
    row(
        "deep-nade-mnist-1hl",
        Recipe::new("deep-nade", "binarized-mnist", "mnist-1hl"),
        128,
        87.71,
        URIA_2014,
    ),
    row("made-mnist", Recipe::new("made", "binarized-mnist", "mnist"), 1, 88.40, GERMAIN_2015),
    row("nade-adult", Recipe::new("nade", "adult", "uci"), 1, 13.19, URIA_2016),
    row("made-adult", Recipe::new("made", "adult", "uci"), 1, 13.12, GERMAIN_2015),
    row("nade-dna", Recipe::new("nade", "dna", "dna"), 1, 84.81, URIA_2016),
    row("deep-nade-dna", Recipe::new("deep-nade", "dna", "dna"), 16, 82.31, URIA_2016),
    row("made-dna", Recipe::new("made", "dna", "dna"), 1000, 79.66, GERMAIN_2015),
    row(
        "nade-mushrooms",
        Recipe {
            epochs: Some(100),
            assign: &["learning_rate=0.004"],
            ..Recipe::new("nade", "mushrooms", "uci")
        },
        1,
        9.81,
        URIA_2016,
    ),
    row("fvsbn-adult", fvsbn("adult", &["learning_rate=1.0"]), 1, 13.17, URIA_2016),
    row("fvsbn-dna", fvsbn("dna", &["learning_rate=0.1"]), 1, 83.64, URIA_2016),
    row("fvsbn-mushrooms", fvsbn("mushrooms", &["learning_rate=1.0"]), 1, 10.27, URIA_2016),
    row("pixel-cnn-mnist", Recipe::new("pixel-cnn", "binarized-mnist", "mnist"), 1, 81.30, OORD),
    row("row-lstm-mnist", Recipe::new("row-lstm", "binarized-mnist", "mnist"), 1, 80.54, OORD),
    row(
        "diagonal-bilstm-mnist",
        Recipe::new("diagonal-bilstm", "binarized-mnist", "mnist"),
        1,
        80.75,
        OORD,
    ),
    row(
        "gated-pixel-cnn-mnist",
        Recipe::new("gated-pixel-cnn", "binarized-mnist", "mnist"),
        1,
        80.10,
        "Gulrajani et al. 2016, arXiv:1611.05013, Table 1",
    ),
    burda("vae-mnist-paper", 800, ONE_LAYER_WARM, 86.76),
    burda("iwae5-mnist", 500, ONE_LAYER_5, 85.54),
    burda("iwae50-mnist", 300, ONE_LAYER_50, 84.78),
    burda("vae-mnist-2l", 800, TWO_LAYERS_WARM, 85.33),
    burda("iwae50-mnist-2l", 300, TWO_LAYERS_50, 82.90),
    PublishedResult {
        name: "rnade-red-wine",
        recipe: Recipe::new("rnade", "red-wine", "red-wine"),
        members: 1,
        samples: 100,
        weights: Weights::Best,
        folds: 10,
        metric: PublishedMetric::StandardizedLogLikelihood,
        published: -9.36,
        source: "Uria, Murray and Larochelle 2013, arXiv:1306.0186",
    },
];

impl PublishedResult {
    /// The published result with this name.
    ///
    /// # Errors
    /// If there is none, with the names of all; `others` are further valid names for the message.
    pub fn find(name: &str, others: &[&str]) -> Result<&'static Self> {
        PUBLISHED.iter().find(|row| row.name == name).ok_or_else(|| {
            let names: Vec<&str> =
                PUBLISHED.iter().map(|row| row.name).chain(others.iter().copied()).collect();
            Error::Unknown {
                what: "published result",
                name: name.to_owned(),
                hint: match nearest(name, &names) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("the published results are {}", names.join(", ")),
                },
            }
        })
    }

    /// Its runs: the test fold, if there are folds, and the folder.
    fn runs(&self, out: &Path) -> Vec<(Option<u32>, PathBuf)> {
        match self.folds {
            0 => vec![(None, out.to_owned())],
            folds => (1..=folds).map(|k| (Some(k), out.join(format!("fold-{k}")))).collect(),
        }
    }
}

impl Session<'_> {
    /// Trains the runs of a published result within a folder, or resumes existing ones, and
    /// evaluates them; `progress` is called for each.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the session was stopped; the runs can be resumed. Otherwise as
    /// [`Session::train`].
    pub fn reproduce(
        &mut self,
        row: &PublishedResult,
        out: &Path,
        progress: &mut dyn FnMut(ReproduceProgress<'_>),
    ) -> Result<Reproduced> {
        let (mut commands, mut measured, mut seconds) = (Vec::new(), Vec::new(), 0.0);
        for (fold, path) in row.runs(out) {
            let command = row.recipe.command(fold, &path);
            progress(ReproduceProgress::Begins { command: &command });
            let trained = self.train_or_resume(&row.recipe, fold, &path)?;
            seconds += trained.outcome.seconds;
            if trained.outcome.reason == StopReason::Interrupted {
                return Err(Error::Interrupted);
            }
            let chosen;
            let run = match row.weights {
                Weights::Best => &trained.run,
                other => {
                    chosen = self.load(&path, other)?;
                    &chosen
                }
            };
            let options =
                Options { members: row.members, samples: row.samples, ..Options::default() };
            let test = DataQuery::split(SplitName::Test);
            let found = match self.evaluate(run, &test, options)?.found {
                Measured::Likelihoods(found) | Measured::Joint(found, _) => *found,
                Measured::Classification(_) | Measured::Nothing => {
                    return Err(trained.run.unsupported("has no log-probability"));
                }
            };
            progress(ReproduceProgress::Measured(&found));
            commands.push(command);
            measured.push(found);
        }
        let values: Vec<f64> = measured.iter().filter_map(|m| row.metric.of(m)).collect();
        if values.len() < measured.len() {
            return Err(Error::Unsupported {
                model: row.recipe.model.to_owned(),
                problem: "has no value on standardized columns, of which one is constant"
                    .to_owned(),
            });
        }
        let (obtained, over_folds) = mean(&values);
        Ok(Reproduced {
            commands,
            obtained,
            // One run has that of its examples.
            stderr: if row.folds > 1 { over_folds } else { measured[0].nll_stderr },
            n: measured.iter().map(|m| m.n).sum(),
            seconds,
            measured,
        })
    }
}

/// The mean of the values of folds, with its standard error over them.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / ((n - 1.0).max(1.0) * n)).sqrt())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]
mod tests {
    use super::*;
    use crate::Registry;
    use crate::settings::Settings;

    #[test]
    fn every_row_trains_with_a_preset_there_is() {
        for row in PUBLISHED {
            let registry = Registry::standard();
            let entry = registry.find(row.recipe.model).unwrap();
            if let Some(preset) = row.recipe.preset {
                assert!(entry.presets.iter().any(|p| p.name == preset), "{}: {preset}", row.name);
            }
            let spec = row.recipe.spec(None, Path::new("nowhere")).unwrap();
            let fields = [(entry.fields)(), crate::train::TrainConfig::fields()].concat();
            for (name, _) in &spec.assignments {
                assert!(fields.iter().any(|field| field.is(name)), "{}: {name}", row.name);
            }
            assert!(ancestral_data::is_known(row.recipe.data), "{}", row.name);
        }
        let error = PublishedResult::find("nade-mnits", &[]).unwrap_err().to_string();
        assert!(error.contains("did you mean 'nade-mnist'?"), "{error}");
    }
}
