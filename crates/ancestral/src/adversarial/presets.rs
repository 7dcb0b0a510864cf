//! The adversarial networks of the literature, as presets of the one [`Gan`](super::gan::Gan).

use toml::Table;

use super::gan::{GanConfig, KINDS};
use crate::Result;
use crate::model::{Capability, DataSpec, Init, Learning, Model, ModelEntry, Preset, Size, Task};
use crate::settings::{Field, Settings, normalize};

/// Tables of up to this many columns get small networks and longer training.
const FEW: usize = 8;

/// Networks and training for tables of few columns.
const POINTS: &str = "
[settings]
latent_dims = 4
noise = 'normal'
generator_hidden = [128, 128, 128]
critic_hidden = [128, 128, 128]
[train]
batch_size = 256
epochs = 0
steps = 6000
learning_rate = 1e-3
schedule = 'cosine'
beta1 = 0.5
average_decay = 0.99
";

/// Training on all other data.
const IMAGES: &str = "
[train]
batch_size = 64
learning_rate = 2e-4
beta1 = 0.5
";

/// A preset of the adversarial network with a model name of its own.
struct Named {
    name: &'static str,
    about: &'static str,
    paper: &'static str,
    capabilities: &'static [Capability],
    presets: &'static [Preset],
    /// Its settings and training, which override the common ones.
    settings: &'static str,
    /// Settings for tables of few columns, which override all others.
    points: &'static str,
    fields: fn() -> Vec<Field>,
    size: fn(&Table, &DataSpec) -> Result<Size>,
    build: fn(&Table, &DataSpec, &Init) -> Result<Box<dyn Model>>,
    train: fn(&DataSpec) -> Table,
}

const SAMPLES: &[Capability] = &[
    Capability::Samples,
    Capability::ClassSamples,
    Capability::CodeSamples,
    Capability::DiscriminatorScores,
];
/// The capabilities of models with an autoencoder critic, which has no head for codes.
const ENERGIES: &[Capability] =
    &[Capability::Samples, Capability::ClassSamples, Capability::DiscriminatorScores];

macro_rules! named {
    ($($position:literal: $name:literal, $about:literal, $paper:literal, $capabilities:expr, $presets:expr,
       $settings:literal, $points:literal;)*) => {
        /// Roughly in order of publication.
        const NAMED: &[Named] = &[$(Named {
            name: $name,
            about: $about,
            paper: $paper,
            capabilities: $capabilities,
            presets: $presets,
            settings: $settings,
            points: $points,
            fields: || fields(&NAMED[$position]),
            size: |table, data| config(&NAMED[$position], table, data)?.size($name, data),
            build: |table, data, init| build(&NAMED[$position], table, data, init),
            train: |data| defaults(&NAMED[$position], data).1,
        }),*];
    };
}

named! {
    0: "gan", "the original minimax loss: the generator minimizes log(1 − D(G(z)))",
        "Goodfellow et al. 2014, arXiv:1406.2661", SAMPLES, PRESETS,
        "[settings]\nloss = 'minimax'", "";
    1: "ns-gan", "the non-saturating loss: the generator maximizes log D(G(z))",
        "Goodfellow et al. 2014, section 3, arXiv:1406.2661", SAMPLES, PRESETS,
        "[settings]\nloss = 'non-saturating'", "";
    2: "cgan", "conditional GAN: the class is an input of both networks",
        "Mirza and Osindero 2014, arXiv:1411.1784", SAMPLES, PRESETS,
        "[settings]\nconditioning = 'concat'", "";
    3: "dcgan", "deep convolutional GAN with batch normalization, for images of 8 to 128 pixels",
        "Radford, Metz and Chintala 2016, arXiv:1511.06434", SAMPLES, PRESETS,
        "[settings]\nnetwork = 'dcgan'\nlatent_dims = 100\nstart_std = 0.02\n[train]\nepochs = 25", "";
    4: "infogan", "interpretable latent codes by maximizing their mutual information with samples",
        "Chen et al. 2016, arXiv:1606.03657", SAMPLES, CODE_PRESETS,
        "[settings]\nconditioning = 'mutual-information'\ncritic_rate = 0.2\n\
         [train]\nlearning_rate = 1e-3",
        "[settings]\ncritic_rate = 1.0";
    5: "acgan", "auxiliary classifier GAN: the critic also predicts the class",
        "Odena, Olah and Shlens 2017, arXiv:1610.09585", SAMPLES, PRESETS,
        "[settings]\nconditioning = 'auxiliary'", "";
    6: "ebgan", "energy-based: the critic is an autoencoder, its error an energy with a margin",
        "Zhao, Mathieu and LeCun 2016, arXiv:1609.03126", ENERGIES, PRESETS,
        "[settings]\nloss = 'ebgan'", "";
    7: "lsgan", "least-squares loss",
        "Mao et al. 2017, arXiv:1611.04076", SAMPLES, PRESETS,
        "[settings]\nloss = 'least-squares'", "";
    8: "wgan", "Wasserstein distance, weight clipping",
        "Arjovsky, Chintala and Bottou 2017, arXiv:1701.07875", SAMPLES, PRESETS,
        "[settings]\nloss = 'wasserstein'\npenalty = 'clip'\ncritic_steps = 5\n\
         [train]\noptimizer = 'rmsprop'\nlearning_rate = 5e-5\nbeta2 = 0.99",
        "[settings]\nclip = 0.1";
    9: "wgan-gp", "Wasserstein distance, gradient penalty",
        "Gulrajani et al. 2017, arXiv:1704.00028", SAMPLES, PRESETS,
        "[settings]\nloss = 'wasserstein'\npenalty = 'gradient'\ncritic_steps = 5\n\
         [train]\nlearning_rate = 1e-4\nbeta1 = 0.0\nbeta2 = 0.9",
        "[settings]\npenalty_weight = 0.1\n[train]\nlearning_rate = 1e-3\nbeta1 = 0.5";
    10: "began", "boundary equilibrium: the critic is an autoencoder, the energies of data and samples are balanced",
        "Berthelot, Schumm and Metz 2017, arXiv:1703.10717", ENERGIES, PRESETS,
        "[settings]\nloss = 'began'\nbalance_rate = 0.05", "";
    11: "dragan", "non-saturating loss, gradient penalty around data",
        "Kodali et al. 2017, arXiv:1705.07215", SAMPLES, PRESETS,
        "[settings]\npenalty = 'dragan'\n[train]\nlearning_rate = 1e-4\nbeta2 = 0.9",
        "[settings]\npenalty_weight = 0.1\n[train]\nlearning_rate = 1e-3";
    12: "hinge-gan", "hinge loss",
        "Lim and Ye 2017, arXiv:1705.02894", SAMPLES, PRESETS,
        "[settings]\nloss = 'hinge'", "";
    13: "sngan", "hinge loss, spectral normalization of the critic",
        "Miyato et al. 2018, arXiv:1802.05957", SAMPLES, PRESETS,
        "[settings]\nloss = 'hinge'\ncritic_norm = 'spectral'",
        "[settings]\nscore_scale = 30.0";
    14: "ragan", "relativistic average loss",
        "Jolicoeur-Martineau 2018, arXiv:1807.00734", SAMPLES, PRESETS,
        "[settings]\nloss = 'relativistic'",
        "[train]\nlearning_rate = 5e-4";
}

/// The entries of the adversarial networks.
pub fn entries() -> Vec<ModelEntry> {
    let entry = |named: &'static Named| ModelEntry {
        name: named.name,
        about: named.about,
        paper: named.paper,
        tasks: &[Task::Sampling],
        capabilities: named.capabilities,
        validation: &[],
        learning: Learning::GradientSteps,
        kinds: KINDS,
        size: named.size,
        presets: named.presets,
        fields: named.fields,
        build: named.build,
        train: named.train,
        complete: |_, _| {},
    };
    NAMED.iter().map(entry).collect()
}

/// Settings to compare the models with each other.
const COMPARE: Preset = Preset {
    name: "compare",
    about: "InfoGAN networks, batches of 64 and 2,000 generator updates, as in the comparison of RESULTS.md",
    settings: "[settings]\nnetwork = 'infogan'\n[train]\nbatch_size = 64\nepochs = 0\nsteps = 2000",
};

const PRESETS: &[Preset] = &[COMPARE];

const CODE_PRESETS: &[Preset] = &[
    COMPARE,
    Preset {
        name: "mnist",
        about: "a categorical code that finds the digits: data augmentation in the first epochs keeps \
                the code from encoding slant",
        settings: "[settings]\naugment = 0.15\naugment_epochs = 5\ncritic_rate = 0.5\n\
                   [train]\nepochs = 10",
    },
];

/// The default settings and training of a named model on such data.
fn defaults(named: &Named, data: &DataSpec) -> (Table, Table) {
    let few = data.shape.size() <= FEW;
    let common = if few { POINTS } else { IMAGES };
    let (mut model, mut train) = (Table::new(), Table::new());
    for text in [common, named.settings, if few { named.points } else { "" }] {
        // A test parses all of them.
        let table: Table = text.parse().unwrap_or_default();
        let group = |name: &str| table.get(name).and_then(|v| v.as_table()).cloned();
        model.extend(group("settings").unwrap_or_default());
        train.extend(group("train").unwrap_or_default());
    }
    (model, train)
}

fn build(named: &Named, table: &Table, data: &DataSpec, init: &Init) -> Result<Box<dyn Model>> {
    Ok(Box::new(config(named, table, data)?.init(named.name, data, init)?))
}

/// The settings of a named model on such data, overridden by those of `table`.
fn config(named: &Named, table: &Table, data: &DataSpec) -> Result<GanConfig> {
    let fields = GanConfig::fields();
    let mut all = normalize(&fields, &defaults(named, data).0)?;
    all.extend(normalize(&fields, table)?);
    GanConfig::from_table(&all)
}

/// The settings with the defaults of a named model on images.
fn fields(named: &Named) -> Vec<Field> {
    let table: Table = named.settings.parse().unwrap_or_default();
    let own = table.get("settings").and_then(|v| v.as_table()).cloned().unwrap_or_default();
    let mut fields = GanConfig::fields();
    for field in &mut fields {
        if let Some(value) = own.get(field.name) {
            field.default = field.kind.read(value).unwrap_or_else(|_| value.clone());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use ancestral_data::{Domain, Shape};

    use super::*;
    use crate::spec::cpu;
    use crate::train::TrainConfig;

    #[test]
    fn every_named_model_has_settings_that_are_read() {
        for (i, named) in NAMED.iter().enumerate() {
            assert!(!NAMED[..i].iter().any(|n| n.name == named.name), "{} twice", named.name);
            for text in [named.settings, named.points, POINTS, IMAGES] {
                let table: Table = text.parse().unwrap();
                for group in table.keys() {
                    assert!(["settings", "train"].contains(&group.as_str()), "{}", named.name);
                }
            }
            let data = |domain, shape| DataSpec::new(domain, shape, 3);
            for data in [
                data(Domain::Real, Shape::columns(2)),
                data(Domain::Levels(17), Shape::image(1, 8, 8)),
            ] {
                TrainConfig::parse(&(named.train)(&data)).unwrap();
                let model = (named.build)(&Table::new(), &data, &Init::new(&cpu(), 0));
                if named.name == "dcgan" && data.domain() == Some(Domain::Real) {
                    assert!(model.err().unwrap().to_string().contains("needs images"));
                } else {
                    assert_eq!(model.unwrap().name(), named.name);
                }
            }
            assert_eq!((named.fields)().len(), GanConfig::fields().len());
        }
        let loss = |name: &str| {
            let named = NAMED.iter().find(|n| n.name == name).unwrap();
            (named.fields)().into_iter().find(|f| f.name == "loss").unwrap().default
        };
        assert_eq!(loss("wgan-gp").as_str(), Some("wasserstein"));
        assert_eq!(loss("gan").as_str(), Some("minimax"));
    }
}
