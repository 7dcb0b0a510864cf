//! What can be typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::names::{self, Names};

/// Trains, samples, scores and measures generative models.
#[derive(Debug, Parser)]
#[command(
    name = "ancestral",
    version,
    propagate_version = true,
    after_help = "Begin with:\n  ancestral train vae\n  ancestral sample runs/vae-digits-1 -n 100 --out more.png\n  ancestral models"
)]
pub(crate) struct Args {
    /// Folder with known data sets [default: $ANCESTRAL_DATA, else the platform's data folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Threads to use; results do not depend on it [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model and keep everything about it in a run folder
    #[command(
        after_help = "Examples:\n  ancestral train vae\n  ancestral train vae --data mnist --binarize dynamic --epochs 20\n  ancestral train vae --data mnist --preset burda-1l\n  ancestral train vae --data table.csv --set latent_dims=[2] --set learning_rate=3e-4\n  ancestral train --resume runs/vae-digits-1\n  ancestral train --resume runs/vae-digits-1 --epochs 300\n  ancestral train --from zoo/vae-mnist --data fashion-mnist --epochs 20"
    )]
    Train(Box<TrainArgs>),
    /// Draw examples from a trained model
    #[command(
        after_help = "Examples:\n  ancestral sample runs/vae-digits-1 -n 64 --out samples.png\n  ancestral sample runs/vae-digits-1 -n 1000 --out samples.npy --seed 7"
    )]
    Sample(SampleArgs),
    /// Measure a trained model on a split
    #[command(
        after_help = "Examples:\n  ancestral evaluate runs/vae-digits-1\n  ancestral evaluate runs/vae-digits-1 --samples 5000 --json\n  ancestral evaluate zoo/nade-mnist --quality\n  ancestral evaluate --generated FOLDER --data mnist"
    )]
    Evaluate(EvaluateArgs),
    /// Copy the settings and weights of a run into a folder of their own
    #[command(after_help = "Example:\n  ancestral pack runs/vae-digits-1 --half --out small")]
    Pack(PackArgs),
    /// Write the log-probability of each row of a file, for reals in the units of its columns
    #[command(
        after_help = "Example:\n  ancestral score runs/vae-table-1 --data new.csv --out scores.csv"
    )]
    Score(ScoreArgs),
    /// Draw examples beside what the model makes of them
    Reconstruct(ReconstructArgs),
    /// Write the code of each example
    Encode(EncodeArgs),
    /// Walk from one example to another through the codes
    Interpolate(InterpolateArgs),
    /// Draw what the space of codes holds
    Latent(LatentArgs),
    /// Fit a plain distribution or a classifier by maximum likelihood
    #[command(
        after_help = "Examples:\n  ancestral fit bernoulli --counts 900/1300\n  ancestral fit gaussian --data table.csv --set covariance=diagonal\n  ancestral fit logistic --data digits"
    )]
    Fit(FitArgs),
    /// Show a point of the field by a small experiment
    #[command(
        after_help = "Examples:\n  ancestral explain ae-vs-vae\n  ancestral explain elbo --out gap\n  ancestral explain saturation --data mnist"
    )]
    Explain(ExplainArgs),
    /// Run a published result from start to end and print what was obtained beside it
    #[command(
        after_help = "Examples:\n  ancestral reproduce\n  ancestral reproduce nade-adult --data-dir DIR"
    )]
    Reproduce(ReproduceArgs),
    /// List the models, or all settings of one
    Models(ModelsArgs),
    /// List and compare runs
    Runs(RunsArgs),
    /// List, look at and fetch data sets
    Data(DataArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Command {
    /// Whether what is printed, errors too, is JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Train(args) => args.output.json,
            Self::Sample(args) => args.output.json,
            Self::Evaluate(args) => args.output.json,
            Self::Pack(args) => args.output.json,
            Self::Score(args) => args.output.json,
            Self::Reconstruct(args) => args.look.output.json,
            Self::Encode(args) => args.look.output.json,
            Self::Interpolate(args) => args.look.output.json,
            Self::Latent(args) => args.look.output.json,
            Self::Fit(args) => args.output.json,
            Self::Explain(args) => args.output.json,
            Self::Reproduce(args) => args.output.json,
            Self::Models(args) => args.output.json,
            Self::Runs(args) => args.output.json,
            Self::Data(args) => match &args.command {
                DataCommand::List(output) => output.json,
                DataCommand::Show { output, .. } | DataCommand::Fetch { output, .. } => output.json,
            },
            Self::Completions { .. } => false,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TrainArgs {
    /// The model (`ancestral models` lists them)
    #[arg(
        required_unless_present_any = ["resume", "config", "from"],
        conflicts_with = "resume",
        value_parser = Names(names::trained),
        hide_possible_values = true
    )]
    pub(crate) model: Option<String>,
    /// A known data set, or a file or folder
    /// [default: digits, or the file's]
    #[arg(long, conflicts_with = "resume", value_name = "NAME|PATH")]
    pub(crate) data: Option<String>,
    /// How grey levels become 0 and 1: none, threshold, static or dynamic [default: none, or the
    /// preset's, or the file's]
    #[arg(long, conflicts_with = "resume")]
    pub(crate) binarize: Option<String>,
    /// Train on all official training examples, those of validation too
    #[arg(long, conflicts_with = "resume")]
    pub(crate) all_train: bool,
    /// Keep this fold of a CSV with a column `fold` for testing, the next one for validation
    #[arg(long, value_name = "K", conflicts_with = "resume")]
    pub(crate) fold: Option<u32>,
    /// Resize the images of a folder or tar
    #[arg(long, value_name = "HxW", conflicts_with = "resume")]
    pub(crate) resize: Option<String>,
    /// Read the images of a folder or tar in grey
    #[arg(long, conflicts_with = "resume")]
    pub(crate) grey: bool,
    /// Color behind the transparent pixels of a folder or tar of images: white or black
    #[arg(long, value_name = "COLOUR", conflicts_with = "resume")]
    pub(crate) background: Option<String>,
    /// Settings of a paper, by name
    #[arg(
        long,
        conflicts_with = "resume",
        value_parser = Names(names::presets),
        hide_possible_values = true
    )]
    pub(crate) preset: Option<String>,
    /// Settings from a TOML file: tables `settings`, `train` and `data`, and `seed`; a run's own
    /// config.toml repeats the run
    #[arg(long, conflicts_with = "resume", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One setting; may be given many times (`ancestral models NAME` lists them)
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        conflicts_with = "resume",
        value_parser = Names(names::settings),
        hide_possible_values = true
    )]
    pub(crate) sets: Vec<String>,
    /// Train for this many passes over the data; with --resume, those already made included
    #[arg(long, conflicts_with_all = ["steps", "time"], allow_negative_numbers = true)]
    pub(crate) epochs: Option<u64>,
    /// Train for this many steps
    #[arg(long, conflicts_with = "time", allow_negative_numbers = true)]
    pub(crate) steps: Option<u64>,
    /// Train for this long, as in 90s, 10m or 2h
    #[arg(long)]
    pub(crate) time: Option<String>,
    /// Examples a batch
    #[arg(long, conflicts_with = "resume")]
    pub(crate) batch_size: Option<usize>,
    /// The seed of everything drawn [default: 0, or the file's]
    #[arg(long, conflicts_with = "resume")]
    pub(crate) seed: Option<u64>,
    /// The run folder to make [default: runs/MODEL-DATA-N]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub(crate) out: Option<PathBuf>,
    /// Start from the weights of this run, with its model and settings, on its data or other data
    /// of the same shape (fine-tuning); the optimizer and all counters start anew
    #[arg(long, value_name = "RUN", conflicts_with = "resume")]
    pub(crate) from: Option<PathBuf>,
    /// Resume a run that was stopped
    #[arg(long, value_name = "RUN")]
    pub(crate) resume: Option<PathBuf>,
    /// Leave the test split unread, to try settings by validation alone
    #[arg(long)]
    pub(crate) skip_test: bool,
    /// Where to compute; `cpu` is what there is
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How to print.
#[derive(Debug, Clone, Copy, Default, ClapArgs)]
pub(crate) struct OutputArgs {
    /// Print nothing but errors and the result's path
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SampleArgs {
    /// The run folder
    pub(crate) run: PathBuf,
    /// How many; with --complete, how many of each row [default: 64, or 1 of each row]
    #[arg(short, long)]
    pub(crate) n: Option<usize>,
    /// Complete the rows of this data: their first entries if they are short, else those of --mask
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) complete: Option<String>,
    /// Which entries are given: a file of 0 and 1, one row for all or one for each row, or one of
    /// top, bottom, left and right for half of an image
    #[arg(long, value_name = "PATH|HALF", requires = "complete")]
    pub(crate) mask: Option<String>,
    /// With --complete, use the first N rows only
    #[arg(long, value_name = "N", requires = "complete")]
    pub(crate) limit: Option<NonZeroUsize>,
    /// Where to: .png for a picture, .npy or .csv for numbers
    #[arg(long, default_value = "samples.png")]
    pub(crate) out: PathBuf,
    /// The seed; the same seed draws the same samples
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Spread of the prior: 1 as learned, below 1 more typical
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub(crate) temperature: f64,
    /// The class to draw, for conditional models: its number or its name
    #[arg(long)]
    pub(crate) class: Option<String>,
    /// Give the mean of the last conditional, as p(x|z), instead of drawing from it
    #[arg(long)]
    pub(crate) mean: bool,
    /// Which weights: best, last or raw
    #[arg(long, default_value = "best")]
    pub(crate) weights: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// The run folder
    #[arg(required_unless_present = "generated", conflicts_with = "generated")]
    pub(crate) run: Option<PathBuf>,
    /// Measure samples instead of likelihoods: how they compare with the split by the features of a
    /// network, or which modes of a mixture they find
    #[arg(long)]
    pub(crate) quality: bool,
    /// Measure the pictures of this folder beside those of --data
    #[arg(long, value_name = "FOLDER", requires = "data")]
    pub(crate) generated: Option<PathBuf>,
    /// Read the pictures of --generated, and of a folder given as --data, without colour
    #[arg(long, requires = "generated")]
    pub(crate) grey: bool,
    /// What transparent pixels of those pictures show: white or black
    #[arg(long, value_name = "COLOUR", requires = "generated")]
    pub(crate) background: Option<String>,
    /// With --quality, how many samples to draw
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    pub(crate) samples_count: usize,
    /// With --quality, measure means of the last conditional, as p(x|z), beside data that is not
    /// binarised
    #[arg(long, requires = "quality")]
    pub(crate) mean: bool,
    /// The run of `features` to measure by [default: the zoo's for this data]
    #[arg(long, value_name = "RUN")]
    pub(crate) features: Option<PathBuf>,
    /// With --quality or --generated, draw samples above their nearest training examples
    #[arg(long, value_name = "PNG")]
    pub(crate) nearest: Option<PathBuf>,
    /// train, valid or test
    #[arg(long, default_value = "test")]
    pub(crate) split: String,
    /// Importance samples an example (K), for models with a bound
    #[arg(long, default_value_t = 1000)]
    pub(crate) samples: usize,
    /// Orderings or masks to average over, for ensembles (deep-nade, made)
    #[arg(long, default_value_t = 1, value_name = "N", alias = "masks")]
    pub(crate) orderings: u64,
    /// Measure on other data than the run's
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) data: Option<String>,
    /// Which weights: best, last or raw [default: best; with --quality best and last]
    #[arg(long)]
    pub(crate) weights: Option<String>,
    /// Measure on the first N examples of the split only
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<NonZeroUsize>,
    /// The seed of the importance samples, and of what --quality draws
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PackArgs {
    /// The run folder
    pub(crate) run: PathBuf,
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Store the weights as 16-bit floats
    #[arg(long)]
    pub(crate) half: bool,
    /// Which weights: best, last or raw
    #[arg(long, default_value = "best")]
    pub(crate) weights: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ScoreArgs {
    /// The run folder
    pub(crate) run: PathBuf,
    /// The rows to score
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) data: String,
    /// Where to
    #[arg(long, default_value = "scores.csv")]
    pub(crate) out: PathBuf,
    /// Score one split of a data set that has splits, instead of all rows of a file
    #[arg(long)]
    pub(crate) split: Option<String>,
    /// Importance samples an example (K), for models with a bound
    #[arg(long, default_value_t = 100)]
    pub(crate) samples: usize,
    /// Orderings or masks to average over, for ensembles (deep-nade, made)
    #[arg(long, default_value_t = 1, value_name = "N", alias = "masks")]
    pub(crate) orderings: u64,
    /// Which weights: best, last or raw
    #[arg(long, default_value = "best")]
    pub(crate) weights: String,
    /// The seed of the importance samples
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A run and the examples to look at.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct LookArgs {
    /// The run folder
    pub(crate) run: PathBuf,
    /// train, valid or test
    #[arg(long, default_value = "test")]
    pub(crate) split: String,
    /// Other data than the run's
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) data: Option<String>,
    /// Which weights: best, last or raw
    #[arg(long, default_value = "best")]
    pub(crate) weights: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReconstructArgs {
    #[command(flatten)]
    pub(crate) look: LookArgs,
    /// How many
    #[arg(short, long, default_value_t = 16)]
    pub(crate) n: usize,
    /// Where to: .png for a picture, .npy for the reconstructions
    #[arg(long, default_value = "reconstructions.png")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EncodeArgs {
    #[command(flatten)]
    pub(crate) look: LookArgs,
    /// Where to: .npy or .csv
    #[arg(long, default_value = "codes.npy")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InterpolateArgs {
    #[command(flatten)]
    pub(crate) look: LookArgs,
    /// The number of the first example
    #[arg(long, default_value_t = 0)]
    pub(crate) from: usize,
    /// The number of the last example
    #[arg(long, default_value_t = 1)]
    pub(crate) to: usize,
    /// Pictures on the way, both ends included
    #[arg(short, long, default_value_t = 12)]
    pub(crate) n: usize,
    /// Where to: .png, .gif or .npy
    #[arg(long, default_value = "interpolation.png")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LatentArgs {
    #[command(flatten)]
    pub(crate) look: LookArgs,
    /// Cells a side of the manifold grid, for codes of two entries
    #[arg(short, long, default_value_t = 20)]
    pub(crate) n: usize,
    /// Where to: .png or .svg for a picture, .npy for the codes
    #[arg(long, default_value = "latent.png")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct FitArgs {
    /// The model (`ancestral models` lists them)
    #[arg(value_parser = Names(names::fitted), hide_possible_values = true)]
    pub(crate) family: String,
    /// A known data set, or a file or folder
    #[arg(long, value_name = "NAME|PATH", required_unless_present = "counts")]
    pub(crate) data: Option<String>,
    /// Heads and tosses of a coin, as in 900/1300
    #[arg(long, conflicts_with_all = ["data", "sets"], value_name = "HEADS/TOSSES")]
    pub(crate) counts: Option<String>,
    /// How grey levels become 0 and 1: none, threshold, static or dynamic
    #[arg(long, default_value = "none")]
    pub(crate) binarize: String,
    /// Fit to all official training examples, those of validation too
    #[arg(long)]
    pub(crate) all_train: bool,
    /// Keep this fold of a CSV with a column `fold` for testing, the next one for validation
    #[arg(long, value_name = "K", conflicts_with = "counts")]
    pub(crate) fold: Option<u32>,
    /// One setting; may be given many times (`ancestral models NAME` lists them)
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        value_parser = Names(names::settings),
        hide_possible_values = true
    )]
    pub(crate) sets: Vec<String>,
    /// The seed of carved splits and binarisation
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The run folder to make, or the picture of the coin's likelihood (.png or .svg)
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// N(0, I) through the decoders of an autoencoder and of a VAE
    AeVsVae,
    /// The gap between log p(x) and the ELBO is the KL of q(z|x) from p(z|x)
    Elbo,
    /// A density is not a probability
    Density,
    /// A discriminator that is ahead silences one loss of the generator and not the other
    Saturation,
    /// What a discriminator learns is p / (p + q)
    OptimalDiscriminator,
    /// A transposed convolution is a convolution of a map that the stride stretched
    TransposedConvolution,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// What to explain
    pub(crate) topic: Topic,
    /// The pictures its models are trained on (ae-vs-vae, elbo, saturation) [default: digits]
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) data: Option<String>,
    /// Passes over the data that its models are trained for (ae-vs-vae, elbo) [default: 100]
    #[arg(long)]
    pub(crate) epochs: Option<u64>,
    /// The seed of everything drawn (all but density and transposed-convolution) [default: 0]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The folder for its pictures and runs [default: explain-TOPIC]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReproduceArgs {
    /// The row; without it, all rows are listed
    pub(crate) row: Option<String>,
    /// The folder for its runs; one that is there is gone on with [default: runs/reproduce-ROW]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ModelsArgs {
    /// Show all settings of this model
    #[arg(value_parser = Names(names::models), hide_possible_values = true)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunsArgs {
    /// The run folders, or folders of run folders
    #[arg(default_value = "runs")]
    pub(crate) folders: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub(crate) command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// List the known data sets and whether they are here
    List(OutputArgs),
    /// Count and draw what a data set holds
    Show {
        /// A known data set, or a file or folder
        data: String,
        /// Where to draw some examples [default: NAME.png for images, else no picture]
        #[arg(long)]
        out: Option<PathBuf>,
        /// Resize the images of a folder or tar
        #[arg(long, value_name = "HxW")]
        resize: Option<String>,
        /// Read the images of a folder or tar in grey
        #[arg(long)]
        grey: bool,
        /// Color behind the transparent pixels of a folder or tar of images: white or black
        #[arg(long, value_name = "COLOUR")]
        background: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Download a known data set into the data folder
    Fetch {
        /// A known data set
        name: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}
