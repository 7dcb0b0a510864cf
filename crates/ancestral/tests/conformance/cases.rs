//! The models, data and settings of the tests that run over all models.

#![allow(dead_code, reason = "several test programs share this file, and each takes what it needs")]

use ancestral::Registry;
use ancestral::distributions::fitted::{chosen, entries as families};
use ancestral::model::{DataSpec, Init, ModelEntry};
use ancestral::spec::cpu;
use ancestral::testing::small_data;
use ancestral_data::{
    Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Streams, Values,
};
use toml::Table;

pub(crate) fn find(name: &str) -> ModelEntry {
    Registry::standard().find(name).unwrap().clone()
}

/// A small data set of a domain, with structure to learn.
pub(crate) fn data(domain: Domain) -> Dataset {
    shaped(domain, Shape::columns(6))
}

pub(crate) fn shaped(domain: Domain, shape: Shape) -> Dataset {
    small_data(domain, shape).unwrap()
}

/// Every model on every domain that it takes, with settings that exercise its options.
pub(crate) fn cases() -> Vec<(ModelEntry, Dataset, Table)> {
    let mut cases = Vec::new();
    for domain in [Domain::Binary, Domain::Levels(5), Domain::Levels(256), Domain::Real] {
        let data = data(domain);
        for entry in Registry::standard().entries().iter().filter(|e| !has_own_data(e.name)) {
            let variants: &[&str] = match entry.name {
                "vae" => &[
                    "latent_dims = [2]\nhidden = [[8]]",
                    "latent_dims = [3, 2]\nhidden = [[8], [5]]\nactivation = 'softplus'",
                    "latent_dims = [2]\nhidden = [[8, 8]]\nimportance_samples = 3",
                    "latent_dims = [2]\nhidden = [[8]]\nconditional = true\nbeta = 0.5",
                ],
                "ae" => &[
                    "latent_dim = 3\nhidden = [8]",
                    "latent_dim = 3\nhidden = [8]\nnoise = 0.2\ncorruption = 'masking'",
                    "latent_dim = 3\nhidden = []\nnoise = 0.1\nloss = 'bernoulli'",
                ],
                "iwae" => &[
                    "latent_dims = [2]\nhidden = [[8]]",
                    "latent_dims = [3, 2]\nhidden = [[8], [5]]\ndoubly_reparameterised = true",
                    "latent_dims = [2]\nhidden = [[8]]\nimportance_samples = 1",
                ],
                "nade" => &["hidden = 7", "hidden = 9\norder = 'random'"],
                "rnade" => &[
                    "hidden = 6\ncomponents = 2",
                    "hidden = 5\ncomponents = 3\nfamily = 'laplace'\nrescale = false",
                    "hidden = 6\ncomponents = 2\norder = 'reversed'\nscale_mean_gradients = true",
                ],
                // Pre-activations of all-zero inputs start at 0, where ReLU has no derivative.
                "deep-nade" => &[
                    "hidden = [8]\nactivation = 'softplus'\ncomponents = 2",
                    "hidden = [8]\nactivation = 'tanh'\nevery_conditional = true",
                    "hidden = [7, 9]\nactivation = 'tanh'\nfamily = 'laplace'\ncomponents = 2",
                    "hidden = [8]\nactivation = 'tanh'\ncomponents = 2\nscale_mean_gradients = true",
                ],
                "made" => &[
                    "hidden = [9]\nactivation = 'softplus'",
                    "hidden = [9, 14]\norder = 'random'\ndirect = true\nactivation = 'tanh'",
                    "hidden = [12]\nmasks = 3\nactivation = 'softplus'\nshuffle_order = false",
                    "hidden = [10]\nmasks = 0\ndirect = true\nactivation = 'tanh'",
                ],
                name if adversarial(name) => {
                    // Of the bounded domains one suffices: they differ by a scale.
                    if matches!(domain, Domain::Binary | Domain::Levels(256)) {
                        continue;
                    }
                    match name {
                        "ns-gan" => &[
                            "label_smoothing = 0.1\ngenerator_norm = 'batch'",
                            "penalty = 'r1'\ncritic_norm = 'layer'\nconditioning = 'projection'",
                        ],
                        "lsgan" => &["generator_norm = 'layer'"],
                        "wgan-gp" => &["critic_norm = 'layer'", "conditioning = 'concat'"],
                        "cgan" => &["noise = 'uniform'"],
                        _ => &[""],
                    }
                }
                "features" => &[
                    "channels = []\ndim = 16\nactivation = 'softplus'\ndropout = 0.0",
                    "channels = []\ndim = 16\nactivation = 'tanh'\ndropout = 0.25",
                ],
                "kmeans" => &[
                    "n_clusters = 3",
                    "n_clusters = 4\ninit = 'random'\nn_init = 2",
                    "n_clusters = 12\ntol = 0.0",
                    "n_clusters = 3\nbatch_size = 20",
                ],
                "dbscan" => &[
                    "eps = 1.5",
                    "eps = 0.1\nmetric = 'cosine'",
                    "eps = 3.0\nmetric = 'manhattan'",
                ],
                "hdbscan" => &[
                    "",
                    "min_cluster_size = 4\nmin_samples = 2\ncluster_selection_method = 'leaf'",
                    "metric = 'manhattan'\nallow_single_cluster = true",
                ],
                "som" => &[
                    "rows = 3\ncolumns = 2",
                    "rows = 3\ncolumns = 3\ngrid = 'hexagonal'\ntraining = 'online'\ninit = 'random'",
                    "rows = 2\ncolumns = 4\ngrid = 'torus'\nneighborhood = 'bubble'",
                ],
                "gmm" => &["components = 2", "components = 3\ncovariance = 'diagonal'\nstarts = 2"],
                "bernoulli-mixture" => {
                    &["components = 2", "components = 3\nstarts = 2\nfloor = 0.01"]
                }
                "kde" => &["", "bandwidth = 'scott'\nbandwidth_factor = 1.5"],
                "logistic" => &["", "penalty = 0.1\nstandardize = false"],
                "qda" => &["reg_param = 0.1", "reg_param = 0.5\nunbiased = true"],
                // Bits hardly vary within the classes of this data.
                "lda" if domain == Domain::Binary => continue,
                "lda" => &["shrinkage = 0.1", "shrinkage = 0.2\nunbiased = true"],
                "linear" => &["penalty = 0.1", "penalty = 2.0\nstandardize = false\ntarget = 'x2'"],
                "naive-bayes" => &["", "columns = 'aic'\nalpha = 0.5"],
                _ => &[""],
            };
            for settings in variants {
                let mut settings: Table = settings.parse().unwrap();
                if adversarial(entry.name) {
                    settings.extend(SMALL_NETWORKS.parse::<Table>().unwrap());
                }
                if (entry.build)(&settings, &spec(&data), &Init::new(&cpu(), 0)).is_ok() {
                    let entry = entry.clone();
                    cases.push((entry, data.clone(), settings));
                }
            }
        }
    }
    let images = shaped(Domain::Levels(5), Shape::image(1, 5, 4));
    let settings = "latent_dim = 2\nhidden = [5]\nchannels = [3]\nloss = 'bernoulli'";
    let ae = find("ae");
    cases.push((ae, images, settings.parse().unwrap()));
    // Convolutions need images; odd sides are the harder case for transposed convolutions.
    for (domain, shape) in
        [(Domain::Binary, Shape::image(1, 9, 8)), (Domain::Levels(5), Shape::image(3, 4, 5))]
    {
        let settings = "latent_dims = [2]\nhidden = [[5]]\nchannels = [2, 3]\nconditional = true";
        let entry = find("vae");
        cases.push((entry, shaped(domain, shape), settings.parse().unwrap()));
    }
    for (domain, likelihood) in [
        (Domain::Levels(5), "gaussian"),
        (Domain::Levels(256), "gaussian-shared"),
        (Domain::Levels(5), "gaussian-per-entry"),
        (Domain::Levels(5), "gaussian-fixed"),
        (Domain::Levels(256), "continuous-bernoulli"),
        (Domain::Levels(256), "tilted-histogram"),
        (Domain::Real, "gaussian-shared"),
        (Domain::Real, "gaussian-per-entry"),
    ] {
        let settings = format!("latent_dims = [2]\nhidden = [[5]]\nlikelihood = '{likelihood}'");
        let settings = settings.parse().unwrap();
        cases.push((find("vae"), shaped(domain, Shape::columns(6)), settings));
    }
    // Networks of convolutions, with a penalty through each kind of layer.
    for (name, shape, settings) in [
        ("dcgan", Shape::image(1, 8, 8), ""),
        ("dcgan", Shape::image(3, 10, 8), "penalty = 'gradient'\nconditioning = 'projection'"),
        ("wgan-gp", Shape::image(1, 8, 8), "network = 'dcgan'\nconditioning = 'concat'"),
        ("sngan", Shape::image(2, 8, 8), "network = 'dcgan'\npenalty = 'dragan'"),
        ("infogan", Shape::image(1, 4, 4), "network = 'infogan'"),
        ("ragan", Shape::image(2, 8, 8), "network = 'dcgan'\naugment = 0.3\naugment_epochs = 2"),
        ("began", Shape::image(1, 8, 8), "network = 'dcgan'"),
        ("hinge-gan", Shape::image(3, 8, 8), "network = 'dcgan'\nprecision = 'bf16'"),
    ] {
        let settings: Table = format!("{SMALL_NETWORKS}{settings}").parse().unwrap();
        let entry = find(name);
        cases.push((entry, shaped(Domain::Levels(5), shape), settings));
    }
    // Models that draw pixel after pixel need images.
    for name in ["pixel-cnn", "gated-pixel-cnn", "row-lstm", "diagonal-bilstm"] {
        let kernel = if name.ends_with("cnn") { "kernel = 3\n" } else { "" };
        for (domain, shape, settings) in [
            (Domain::Binary, Shape::image(1, 3, 3), "layers = 2\nhidden = 3\nhead = 3"),
            (
                Domain::Levels(3),
                Shape::image(3, 1, 2),
                "layers = 1\nhidden = 4\nhead = 3\nskip = true\nconditional = true",
            ),
            (
                Domain::Levels(256),
                Shape::image(2, 2, 2),
                "layers = 2\nhidden = 3\nhead = 4\nlikelihood = 'logistic-mixture'",
            ),
            (
                Domain::Levels(5),
                Shape::image(1, 4, 2),
                "layers = 2\nhidden = 2\nhead = 2\nconditional = true\nfirst_kernel = 5\nfourier = 3",
            ),
            (
                Domain::Levels(7),
                Shape::image(1, 2, 3),
                "layers = 1\nhidden = 3\nhead = 3\nlikelihood = 'gaussian'",
            ),
        ] {
            let settings = format!("activation = 'softplus'\n{kernel}{settings}");
            let entry = find(name);
            cases.push((entry, shaped(domain, shape), settings.parse().unwrap()));
        }
    }
    for (domain, shape) in
        [(Domain::Levels(5), Shape::image(1, 5, 4)), (Domain::Real, Shape::image(3, 4, 5))]
    {
        let settings = "channels = [3, 2]\ndim = 12\nactivation = 'softplus'\ndropout = 0.0";
        let entry = find("features");
        cases.push((entry, shaped(domain, shape), settings.parse().unwrap()));
    }
    cases.extend(families().into_iter().map(of_family));
    cases.extend(["dirichlet", "multinomial"].map(of_shares));
    for entry in Registry::standard().entries() {
        assert!(cases.iter().any(|(e, _, _)| e.name == entry.name), "{} was not tried", entry.name);
    }
    cases
}

/// Whether a model is a univariate family.
pub(crate) fn is_family(name: &str) -> bool {
    families().iter().any(|entry| entry.name == name)
}

/// Whether a model needs rows of its own.
pub(crate) fn has_own_data(name: &str) -> bool {
    is_family(name) || ["dirichlet", "multinomial"].contains(&name)
}

/// A model of shares, or of counts with the same total, on three columns.
fn of_shares(name: &str) -> (ModelEntry, Dataset, Table) {
    let counts = name == "multinomial";
    let row = |i: usize| {
        let (a, b) = ((i * 5 % 7) as f64, (i * 3 % 5) as f64);
        let row = [a + 1.0, b + 2.0, 13.0 - a - b];
        if counts { row } else { row.map(|x| x / 16.0) }
    };
    let values = Values::Reals((0..90).flat_map(row).collect());
    let split = Split { values, labels: None };
    let data = Dataset::new("small", Domain::Real, Shape::columns(3), split, None, None);
    (find(name), data.unwrap().with_splits(0).unwrap(), Table::new())
}

/// A family on three columns of its own rows.
fn of_family(entry: ModelEntry) -> (ModelEntry, Dataset, Table) {
    let settings: Table = match entry.name {
        "binomial" => "trials = 9".parse().unwrap(),
        _ => Table::new(),
    };
    let family = chosen(entry.name, &settings).unwrap().unwrap().family;
    let mut theta = match entry.name {
        "student-t" => vec![3.0, 1.0, 2.0],
        "beta" => vec![2.0, 3.0],
        "geometric" | "binomial" => vec![0.3],
        "zero-inflated-poisson" => vec![0.3, 4.0],
        // Narrow enough that a step leaves its support.
        "uniform" => vec![0.1, 0.4],
        "normal" | "logistic-distribution" | "cauchy" | "gumbel" | "laplace" => vec![1.0, 2.0],
        "von-mises" => vec![1.0, 2.5],
        "gev" => vec![0.2, 1.0, 2.0],
        "gpd" => vec![0.2, 3.0],
        "skew-normal" => vec![3.0, 1.0, 2.0],
        _ => vec![2.5, 3.0],
    };
    theta.truncate(family.parameters().len());
    let (n, columns) = (90, 3);
    let mut values = vec![0.0; n * columns];
    for column in 0..columns {
        // Evenly spread probabilities in a random order.
        let mut order: Vec<(f32, usize)> = Streams::new(5)
            .purpose("order", column as u64)
            .uniforms(&[0], n)
            .into_iter()
            .zip(0..n)
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (row, (_, place)) in order.into_iter().enumerate() {
            let p = (place as f64 + 0.5) / n as f64;
            values[row * columns + column] = family.quantile(&theta, p);
        }
    }
    let split = Split { values: Values::Reals(values), labels: None };
    let data = Dataset::new("small", Domain::Real, Shape::columns(columns), split, None, None);
    (entry, data.unwrap().with_splits(0).unwrap(), settings)
}

/// Settings of small adversarial networks with smooth activations.
pub(crate) const SMALL_NETWORKS: &str =
    "latent_dim = 3\ngenerator_hidden = [8, 6]\ncritic_hidden = [7, 5]
generator_activation = 'tanh'\ncritic_activation = 'softplus'\ncritic_steps = 1\ncode_dim = 3
categories = 3\ncontinuous = 1\nfeatures = 2\n";

pub(crate) fn adversarial(name: &str) -> bool {
    ancestral::adversarial::presets::entries().iter().any(|entry| entry.name == name)
}

pub(crate) fn spec(data: &Dataset) -> DataSpec {
    DataSpec::new(data.domain, data.shape.clone(), data.classes())
}

pub(crate) fn label(entry: &ModelEntry, data: &Dataset, settings: &Table) -> String {
    format!("{} on {}: {}", entry.name, data.domain, settings.to_string().replace('\n', "; "))
}

pub(crate) fn examples(data: &Dataset) -> Examples {
    Examples::new(data, SplitName::Train, Binarize::None, 0).unwrap()
}
