//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::names::{self, Names, Place};

mod classify;
mod cluster;
mod fit;
mod rules;

pub(crate) use classify::ClassifyArgs;
pub(crate) use cluster::{AssignArgs, ClusterArgs, ClusterCommand, EpsArgs, MethodArgs, RowsArgs};
pub(crate) use fit::FitArgs;
pub(crate) use rules::{RulesArgs, SortBy};

/// Headings of options in help texts.
const DATA: &str = "Data";
const MODEL: &str = "Model and settings";
const TABLES: &str = "Tables of text";
const TRAINING: &str = "Training";
const SAMPLING: &str = "Sampling";
const EVALUATION: &str = "Evaluation";
const QUALITY: &str = "Sample quality";
const OUTPUT: &str = "Output";
const GLOBAL: &str = "Global options";

/// Train, sample, score and evaluate generative models.
#[derive(Debug, Parser)]
#[command(
    name = "ancestral",
    version,
    propagate_version = true,
    after_help = "Examples:\n  ancestral train vae\n  ancestral sample runs/vae-digits-1 -n 100 --out more.png\n  ancestral models"
)]
pub(crate) struct Args {
    /// Look for known data sets in this folder [default: $ANCESTRAL_DATA, else the platform's data
    /// folder]
    #[arg(long, global = true, value_name = "DIR", help_heading = GLOBAL)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Set the number of threads, without effect on results [default: all cores]
    #[arg(long, global = true, value_name = "N", help_heading = GLOBAL)]
    pub(crate) threads: Option<NonZeroUsize>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model and store the run in a folder
    #[command(
        after_help = "Examples:\n  ancestral train vae\n  ancestral train vae --data mnist --binarize dynamic --epochs 20\n  ancestral train vae --data mnist --preset burda-1l\n  ancestral train vae --data table.csv --set latent_dims=2 --set learning_rate=3e-4\n  ancestral train --resume runs/vae-digits-1\n  ancestral train --resume runs/vae-digits-1 --epochs 300\n  ancestral train --from zoo/vae-mnist --data fashion-mnist --epochs 20"
    )]
    Train(Box<TrainArgs>),
    /// Draw samples from a trained model, or complete partly given examples (imputation)
    #[command(
        after_help = "Examples:\n  ancestral sample runs/vae-digits-1 -n 64 --out samples.png\n  ancestral sample runs/vae-digits-1 -n 1000 --out samples.npy --seed 7\n  ancestral sample zoo/made-mnist --complete images.npy --mask top --out completed.png\n  ancestral sample runs/pixel-cnn-digits-1 --complete image.png --keep-rows 4 -n 8\n  ancestral sample runs/pixel-cnn-digits-1 --frames drawing.gif"
    )]
    Sample(SampleArgs),
    /// Evaluate a trained model on a split: likelihood, accuracy or sample quality
    #[command(
        after_help = "Examples:\n  ancestral evaluate runs/vae-digits-1\n  ancestral evaluate runs/vae-digits-1 --samples 5000 --json\n  ancestral evaluate zoo/nade-mnist --quality\n  ancestral evaluate zoo/nade-mnist --map costs.png\n  ancestral evaluate --generated FOLDER --data mnist"
    )]
    Evaluate(EvaluateArgs),
    /// Classify the rows of data by Bayes' rule over densities, or by a classifier
    ///
    /// Several runs, each trained on one class, give p(x | class); one run whose model is conditional on
    /// classes gives all of them; a classifier gives p(class | x) itself. If the data has labels, the
    /// predictions are evaluated.
    #[command(
        after_help = "Examples:\n  ancestral classify runs/qda-table-1 --data new.csv --out predictions.csv\n  ancestral classify runs/made-yes runs/made-no --data table.csv --plot plots\n  ancestral classify runs/vae-digits-1 --data digits --split test --priors equal"
    )]
    Classify(ClassifyArgs),
    /// Copy the settings and weights of a run into a folder to share
    #[command(after_help = "Example:\n  ancestral pack runs/vae-digits-1 --half --out small")]
    Pack(PackArgs),
    /// Compute the log-probability of each row of a file, or its class probabilities
    #[command(
        after_help = "Example:\n  ancestral score runs/vae-table-1 --data new.csv --out scores.csv"
    )]
    Score(ScoreArgs),
    /// Show examples next to their reconstructions
    #[command(
        after_help = "Examples:\n  ancestral reconstruct runs/vae-digits-1\n  ancestral reconstruct runs/ae-digits-1 --split train -n 32 --out train.png"
    )]
    Reconstruct(ReconstructArgs),
    /// Compute the latent code of each example
    #[command(
        after_help = "Examples:\n  ancestral encode runs/vae-digits-1\n  ancestral encode runs/vae-digits-1 --data new.npy --out codes.csv"
    )]
    Encode(EncodeArgs),
    /// Interpolate between two examples in latent space
    #[command(
        after_help = "Examples:\n  ancestral interpolate runs/vae-digits-1 --from 0 --to 5\n  ancestral interpolate runs/vae-digits-1 -n 30 --out interpolation.gif"
    )]
    Interpolate(InterpolateArgs),
    /// Plot the latent space: a grid of decoded codes, a scatter plot or a histogram
    #[command(
        after_help = "Examples:\n  ancestral latent runs/vae-digits-1\n  ancestral latent runs/vae-digits-1 --split train --out latent.svg"
    )]
    Latent(LatentArgs),
    /// Fit a distribution, a classifier or a regression by maximum likelihood
    #[command(
        after_help = "Examples:\n  ancestral fit auto --data table.csv --column size\n  ancestral fit gamma --data table.csv --column size --quantile 0.99 --plot plots\n  ancestral fit weibull --data tests.csv --lower from --upper to\n  ancestral fit bernoulli --counts 900/1300\n  ancestral fit categorical --counts 1,4,2,0,3,2\n  ancestral fit gaussian --data table.csv --set covariance=diagonal\n  ancestral fit logistic --data digits\n  ancestral fit linear --data table.csv --target size --plot plots"
    )]
    Fit(Box<FitArgs>),
    /// Find frequent sets of items and association rules in baskets
    ///
    /// A rule A → B says that baskets with A often hold B: support is the share of baskets that hold both,
    /// confidence the share of those with A that hold B, lift the confidence relative to B's share of all
    /// baskets, and the p-value the chance of as many, were A and B independent (Fisher's exact test,
    /// corrected for all possible rules).
    #[command(
        after_help = "Examples:\n  ancestral rules --data groceries.csv --min-support 0.01 --min-confidence 0.5\n  ancestral rules --data groceries.csv --min-support 0.001 --productive --sort p-value --graph graph.png\n  ancestral rules --data groceries.csv --min-support 0.01 --rhs 'whole milk' --holdout 0.5\n  ancestral rules --data retail.dat.gz --sets --min-support 100 --closed --out closed.jsonl\n  ancestral rules --data retail.dat.gz --sets --top 50"
    )]
    Rules(Box<RulesArgs>),
    /// Find clusters: groups of rows that are near each other, without labels
    ///
    /// K-means parts all rows among k round clusters of like size; DBSCAN finds clusters of any shape
    /// where rows are dense and leaves the rest as noise; HDBSCAN does so for all densities at once and
    /// needs no distance; a self-organizing map arranges rows on a grid; a mixture of Gaussians gives each
    /// row a probability of each cluster. Distances depend on units: --standardize weighs all columns
    /// alike.
    #[command(
        after_help = "Examples:\n  ancestral cluster kmeans --data table.csv --standardize --set n_clusters=2..12\n  ancestral cluster eps --data table.csv --set min_samples=5\n  ancestral cluster dbscan --data table.csv --set eps=0.5 --labels labels.csv\n  ancestral cluster hdbscan --data table.csv --set min_cluster_size=20 --out runs/groups\n  ancestral cluster som --data digits --set rows=12 --set columns=12\n  ancestral cluster kmeans --data mnist --encode zoo/vae-mnist --set n_clusters=10\n  ancestral cluster assign runs/groups --data new.csv --labels new-labels.csv"
    )]
    Cluster(Box<ClusterArgs>),
    /// Demonstrate a concept by a small experiment
    #[command(
        after_help = "Examples:\n  ancestral explain ae-vs-vae\n  ancestral explain elbo --out gap\n  ancestral explain saturation --data mnist\n  ancestral explain receptive-field\n  ancestral explain color-chain --epochs 30\n  ancestral explain rules\n  ancestral explain clustering\n  ancestral explain supervised"
    )]
    Explain(ExplainArgs),
    /// List published results, or retrain one and compare the values
    #[command(
        after_help = "Examples:\n  ancestral reproduce\n  ancestral reproduce nade-adult --data-dir DIR"
    )]
    Reproduce(ReproduceArgs),
    /// List the models, or the presets and settings (hyperparameters) of one
    #[command(
        after_help = "Examples:\n  ancestral models\n  ancestral models vae\n  ancestral models wgan-gp --json"
    )]
    Models(ModelsArgs),
    /// List runs with their metrics, the best first
    #[command(
        after_help = "Examples:\n  ancestral runs\n  ancestral runs zoo runs/vae-digits-1 --json\n  ancestral runs --filter model=vae --filter 'epoch>5' --sort learning_rate"
    )]
    Runs(RunsArgs),
    /// List, inspect and download data sets
    #[command(
        after_help = "Examples:\n  ancestral data list\n  ancestral data show mnist\n  ancestral data fetch mnist"
    )]
    Data(DataArgs),
    /// Show the instruction set, threads and memory that are used
    ///
    /// The kernels use the fastest instruction set that the processor has, or the one that the variable
    /// ANCESTRAL_ISA names, for comparisons.
    #[command(
        after_help = "Examples:\n  ancestral env\n  ANCESTRAL_ISA=portable ancestral evaluate zoo/nade-mnist"
    )]
    Env(OutputArgs),
    /// Generate shell completions
    #[command(
        after_help = "Examples:\n  ancestral completions bash > ~/.local/share/bash-completion/completions/ancestral\n  ancestral completions fish > ~/.config/fish/completions/ancestral.fish"
    )]
    Completions {
        /// Generate completions for this shell
        shell: Shell,
    },
}

impl Command {
    /// Whether output and errors are printed as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Train(args) => args.output.json,
            Self::Sample(args) => args.output.json,
            Self::Evaluate(args) => args.output.json,
            Self::Classify(args) => args.output.json,
            Self::Pack(args) => args.output.json,
            Self::Score(args) => args.output.json,
            Self::Reconstruct(args) => args.examples.output.json,
            Self::Encode(args) => args.examples.output.json,
            Self::Interpolate(args) => args.examples.output.json,
            Self::Latent(args) => args.examples.output.json,
            Self::Fit(args) => args.output.json,
            Self::Rules(args) => args.output.json,
            Self::Cluster(args) => args.command.json(),
            Self::Explain(args) => args.output.json,
            Self::Reproduce(args) => args.output.json,
            Self::Models(args) => args.output.json,
            Self::Runs(args) => args.output.json,
            Self::Data(args) => match &args.command {
                DataCommand::List(output) => output.json,
                DataCommand::Show { output, .. } | DataCommand::Fetch { output, .. } => output.json,
            },
            Self::Env(output) => output.json,
            Self::Completions { .. } => false,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub(crate) struct TrainArgs {
    /// Train this model (`ancestral models` lists all)
    #[arg(
        required_unless_present_any = ["resume", "config", "from"],
        conflicts_with = "resume",
        value_parser = Names(names::trained),
        hide_possible_values = true
    )]
    pub(crate) model: Option<String>,
    /// Train on this known data set, file or folder (`ancestral data list` lists known ones)
    /// [default: digits, or the data of --config or --from]
    #[arg(
        long,
        conflicts_with = "resume",
        value_name = "NAME|PATH",
        value_parser = Place,
        help_heading = DATA
    )]
    pub(crate) data: Option<String>,
    /// Binarize gray levels: none, threshold, static (drawn once) or dynamic (drawn in every epoch)
    /// [default: none, or that of --preset, --config or --from]
    #[arg(long, conflicts_with = "resume", value_name = "METHOD", help_heading = DATA)]
    pub(crate) binarize: Option<String>,
    /// Train on the examples of this class alone, without labels, as for `classify`
    #[arg(long, value_name = "NAME", conflicts_with = "resume", help_heading = DATA)]
    pub(crate) class: Option<String>,
    /// Train on the validation examples too
    #[arg(long, conflicts_with = "resume", help_heading = DATA)]
    pub(crate) all_train: bool,
    /// Use fold K of a CSV with a column `fold` as the test split and the next as validation split
    #[arg(long, value_name = "K", conflicts_with = "resume", help_heading = DATA)]
    pub(crate) fold: Option<u32>,
    /// Resize the images of a folder or tar to this height and width in pixels
    #[arg(long, value_name = "HxW", conflicts_with = "resume", help_heading = DATA)]
    pub(crate) resize: Option<String>,
    /// Convert the images of a folder or tar to grayscale
    #[arg(long = "gray", visible_alias = "grey", conflicts_with = "resume", help_heading = DATA)]
    pub(crate) gray: bool,
    /// Set the color behind transparent pixels of a folder or tar of images: white or black
    #[arg(long, value_name = "COLOR", conflicts_with = "resume", help_heading = DATA)]
    pub(crate) background: Option<String>,
    /// Use the hyperparameters of a preset, as of a paper (`ancestral models NAME` lists the presets)
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "resume",
        help_heading = MODEL,
        value_parser = Names(names::presets),
        hide_possible_values = true
    )]
    pub(crate) preset: Option<String>,
    /// Read settings from a TOML file: tables `settings`, `train` and `data`, and `seed`; the
    /// config.toml of a run repeats the run
    #[arg(long, conflicts_with = "resume", value_name = "FILE", help_heading = MODEL)]
    pub(crate) config: Option<PathBuf>,
    /// Set a hyperparameter of the model or of training; repeatable (`ancestral models NAME` lists
    /// them)
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        help_heading = MODEL,
        conflicts_with = "resume",
        value_parser = Names(names::settings),
        hide_possible_values = true
    )]
    pub(crate) sets: Vec<String>,
    /// Set the number of epochs; with --resume, including those already trained
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["steps", "time"],
        allow_negative_numbers = true,
        help_heading = TRAINING
    )]
    pub(crate) epochs: Option<u64>,
    /// Set the number of optimizer steps, instead of epochs
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "time",
        allow_negative_numbers = true,
        help_heading = TRAINING
    )]
    pub(crate) steps: Option<u64>,
    /// Set the training time, with that of reading the data, instead of epochs, as in 90s, 10m or 2h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, help_heading = TRAINING)]
    pub(crate) time: Option<String>,
    /// Set the number of examples per batch [default: that of the model or preset]
    #[arg(long, value_name = "N", conflicts_with = "resume", help_heading = TRAINING)]
    pub(crate) batch_size: Option<usize>,
    /// Set the seed of all random numbers [default: 0, or that of --config]
    #[arg(long, value_name = "SEED", conflicts_with = "resume", help_heading = TRAINING)]
    pub(crate) seed: Option<u64>,
    /// Store the run in this new folder [default: runs/MODEL-DATA-N]
    #[arg(long, value_name = "DIR", conflicts_with = "resume", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,
    /// Start from the weights of this run (fine-tuning), with its model and settings, on its data or
    /// other data of the same shape; optimizer state and counters are reset
    #[arg(long, value_name = "RUN", conflicts_with = "resume", help_heading = TRAINING)]
    pub(crate) from: Option<PathBuf>,
    /// Resume a run from its last checkpoint, or continue a finished one with a larger budget
    #[arg(
        long,
        value_name = "RUN",
        conflicts_with_all = ["TableArgs", "ShapeArgs"],
        help_heading = TRAINING
    )]
    pub(crate) resume: Option<PathBuf>,
    /// Resume with an optimizer that begins there, if the checkpoint has lost its state
    #[arg(long, help_heading = TRAINING)]
    pub(crate) reset_optimizer: bool,
    /// Skip the evaluation on the test split, to tune hyperparameters by validation alone
    #[arg(long, help_heading = TRAINING)]
    pub(crate) skip_test: bool,
    /// Select the device; only cpu is supported
    #[arg(long, default_value = "cpu", help_heading = TRAINING)]
    pub(crate) device: String,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How the text of a table is read.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct TableArgs {
    /// Say whether the first line of a table holds the names of its columns: yes or no [default:
    /// inferred]
    #[arg(long, value_name = "yes|no", help_heading = TABLES)]
    pub(crate) header: Option<String>,
    /// Split the rows of a table at this character: , ; | tab or blank (any number of blanks)
    /// [default: inferred]
    #[arg(long, value_name = "CHAR", help_heading = TABLES)]
    pub(crate) separator: Option<String>,
    /// Read this character as the decimal sign of a table: . or , [default: inferred]
    #[arg(long, value_name = "CHAR", help_heading = TABLES)]
    pub(crate) decimal: Option<String>,
    /// Read cells of this value as missing, in addition to empty ones, NA and the like; repeatable
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true, help_heading = TABLES)]
    pub(crate) missing: Vec<String>,
    /// Read the text of a table in this encoding, as in utf-16le or windows-1252 [default: inferred]
    #[arg(long, value_name = "NAME", help_heading = TABLES)]
    pub(crate) encoding: Option<String>,
    /// Leave labels out: a column of classes, arrays of labels, folders of classes
    #[arg(long, help_heading = DATA)]
    pub(crate) no_labels: bool,
}

/// What the rows of a table hold.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct ShapeArgs {
    /// Read the rows of a table or of a flat array as images of this height and width in pixels and C
    /// channels (1 or 3), with the channels of a pixel next to each other
    #[arg(long, value_name = "HxW[xC]", help_heading = DATA)]
    pub(crate) image: Option<String>,
    /// Read values as whole levels from 0 to N - 1 [default: 256 for images]
    #[arg(long, value_name = "N", help_heading = DATA)]
    pub(crate) levels: Option<u32>,
}

/// Output options of every command.
#[derive(Debug, Clone, Copy, Default, ClapArgs)]
pub(crate) struct OutputArgs {
    /// Print errors and the path of the result only
    #[arg(long, short, help_heading = OUTPUT)]
    pub(crate) quiet: bool,
    /// Print the result as JSON
    #[arg(long, conflicts_with = "quiet", help_heading = OUTPUT)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct SampleArgs {
    /// Load the run from this folder
    pub(crate) run: PathBuf,
    /// Set the number of samples; with --complete, of completions per row [default: 64, or 1 per
    /// row]
    #[arg(short, long, help_heading = SAMPLING)]
    pub(crate) n: Option<usize>,
    /// Complete the rows of this data, or the images of this file or folder (imputation): rows shorter
    /// than an example hold its first entries, and of whole rows --mask or --keep-rows marks the given
    /// entries; image files are rounded to the levels of the model
    #[arg(long, value_name = "NAME|PATH", value_parser = Place, help_heading = SAMPLING)]
    pub(crate) complete: Option<String>,
    /// Mark the given entries by a file of 0 and 1 (one row for all examples, or one row each, with a
    /// value for each entry or each pixel) or by the half of an image: top, bottom, left or right
    #[arg(
        long,
        value_name = "PATH|HALF",
        value_parser = Place,
        requires = "complete",
        help_heading = SAMPLING
    )]
    pub(crate) mask: Option<String>,
    /// Give the first K rows of each image, all channels, and draw the rest
    #[arg(
        long,
        value_name = "K",
        requires = "complete",
        conflicts_with = "mask",
        help_heading = SAMPLING
    )]
    pub(crate) keep_rows: Option<usize>,
    /// Complete the first N rows only
    #[arg(long, value_name = "N", requires = "complete", help_heading = SAMPLING)]
    pub(crate) limit: Option<NonZeroUsize>,
    /// Label the image: a caption and, for conditional models, the samples of each class in a row of their
    /// own, equally many, from the same noise in all rows
    #[arg(long, conflicts_with_all = ["complete", "class", "frames"], help_heading = OUTPUT)]
    pub(crate) labels: bool,
    /// Write the output to this file (.png, .npy or .csv), or an image for each sample to this new
    /// folder (DIR/) [default: samples.png, or samples.csv of rows that are no images]
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,
    /// Draw the sampling into this file too (.gif): the images pixel by pixel, with the distribution
    /// of each pixel; 1 to 6 images of an autoregressive model [default of -n: 1]
    #[arg(long, value_name = "FILE", conflicts_with = "mean", help_heading = OUTPUT)]
    pub(crate) frames: Option<PathBuf>,
    /// Set the seed; the same seed gives the same samples
    #[arg(long, default_value_t = 0, help_heading = SAMPLING)]
    pub(crate) seed: u64,
    /// Set the sampling temperature; below 1, samples are more typical and less diverse
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true, help_heading = SAMPLING)]
    pub(crate) temperature: f64,
    /// Draw from this class, given by number or name (conditional models)
    #[arg(long, help_heading = SAMPLING)]
    pub(crate) class: Option<String>,
    /// Output the mean of the last conditional distribution, such as p(x|z), instead of a sample of it
    #[arg(long, help_heading = SAMPLING)]
    pub(crate) mean: bool,
    /// Select the weights: best (by validation), last (of the last step) or raw (last, never
    /// averaged)
    #[arg(long, default_value = "best", help_heading = SAMPLING)]
    pub(crate) weights: String,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EvaluateArgs {
    /// Load the run from this folder
    #[arg(required_unless_present = "generated", conflicts_with = "generated")]
    pub(crate) run: Option<PathBuf>,
    /// Evaluate samples instead of likelihoods, by the features of a classifier: Fréchet distance (as
    /// in FID), kernel distance (as in KID), precision, recall, density, coverage, classifier score
    /// (as in the Inception score); for `rings:K` and `grid:N`, count the modes that samples cover;
    /// for data that no classifier fits, as tables, by the energy distance
    #[arg(long, help_heading = QUALITY)]
    pub(crate) quality: bool,
    /// Evaluate the images of this folder instead of a run, compared with those of --data
    #[arg(long, value_name = "FOLDER", requires = "data", help_heading = QUALITY)]
    pub(crate) generated: Option<PathBuf>,
    /// Convert the images of --generated, and of a folder given as --data, to grayscale
    #[arg(long = "gray", visible_alias = "grey", requires = "generated", help_heading = QUALITY)]
    pub(crate) gray: bool,
    /// Set the color behind transparent pixels of those images: white or black
    #[arg(long, value_name = "COLOR", requires = "generated", help_heading = QUALITY)]
    pub(crate) background: Option<String>,
    /// Set the number of samples to draw with --quality
    #[arg(long, default_value_t = 10_000, value_name = "N", help_heading = QUALITY)]
    pub(crate) samples_count: usize,
    /// Evaluate means of the last conditional distribution, such as p(x|z), instead of samples,
    /// compared with data that is not binarized
    #[arg(long, requires = "quality", help_heading = QUALITY)]
    pub(crate) mean: bool,
    /// Extract features with this run of the model `features` [default: the built-in classifier for
    /// the data]
    #[arg(long, value_name = "RUN", help_heading = QUALITY)]
    pub(crate) features: Option<PathBuf>,
    /// Save samples next to their nearest training examples as this image (.png), to check for
    /// memorization; with --quality or --generated
    #[arg(long, value_name = "FILE", help_heading = QUALITY)]
    pub(crate) nearest: Option<PathBuf>,
    /// Draw the mean cost of each pixel in bits as a heat map into this file (.png), for images and
    /// models whose log-probability is a sum over pixels
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["quality", "generated", "bayes"],
        help_heading = EVALUATION
    )]
    pub(crate) map: Option<PathBuf>,
    /// Select the split: train, valid or test
    #[arg(long, default_value = "test", help_heading = DATA)]
    pub(crate) split: String,
    /// Set the number of importance samples K per example, for models with a lower bound [default:
    /// that of the model, as 250 for vae]
    #[arg(long, value_name = "K", help_heading = EVALUATION)]
    pub(crate) samples: Option<usize>,
    /// Average the probabilities over this many orderings or masks, for ensembles (deep-nade, made)
    #[arg(
        long,
        default_value_t = 1,
        value_name = "N",
        visible_alias = "masks",
        help_heading = EVALUATION
    )]
    pub(crate) orderings: u64,
    /// Classify labeled examples by Bayes' rule over the classes of a conditional density
    #[arg(long, conflicts_with_all = ["quality", "generated", "orderings"], help_heading = EVALUATION)]
    pub(crate) bayes: bool,
    /// Evaluate on this data instead of the run's
    #[arg(long, value_name = "NAME|PATH", value_parser = Place, help_heading = DATA)]
    pub(crate) data: Option<String>,
    /// Select the weights: best (by validation), last (of the last step) or raw (last, never
    /// averaged) [default: best; with --quality, best and last]
    #[arg(long, help_heading = EVALUATION)]
    pub(crate) weights: Option<String>,
    /// Evaluate on the first N examples of the split only
    #[arg(long, value_name = "N", help_heading = DATA)]
    pub(crate) limit: Option<NonZeroUsize>,
    /// Set the seed of the importance samples, and of the samples of --quality
    #[arg(long, default_value_t = 0, help_heading = EVALUATION)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct PackArgs {
    /// Load the run from this folder
    pub(crate) run: PathBuf,
    /// Write the copy to this new folder
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) out: PathBuf,
    /// Store the weights as 16-bit floats
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) half: bool,
    /// Select the weights: best (by validation), last (of the last step) or raw (last, never
    /// averaged)
    #[arg(long, default_value = "best", help_heading = OUTPUT)]
    pub(crate) weights: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ScoreArgs {
    /// Load the run from this folder
    pub(crate) run: PathBuf,
    /// Score the rows of this data; the log-density of real values is in the units of the columns
    #[arg(long, value_name = "NAME|PATH", value_parser = Place, help_heading = DATA)]
    pub(crate) data: String,
    /// Score this split instead of all rows of a file: train, valid or test
    #[arg(long, help_heading = DATA)]
    pub(crate) split: Option<String>,
    /// Set the number of importance samples K per example, for models with a lower bound
    #[arg(long, default_value_t = 100, value_name = "K", help_heading = EVALUATION)]
    pub(crate) samples: usize,
    /// Average the probabilities over this many orderings or masks, for ensembles (deep-nade, made)
    #[arg(
        long,
        default_value_t = 1,
        value_name = "N",
        visible_alias = "masks",
        help_heading = EVALUATION
    )]
    pub(crate) orderings: u64,
    /// Select the weights: best (by validation), last (of the last step) or raw (last, never
    /// averaged)
    #[arg(long, default_value = "best", help_heading = EVALUATION)]
    pub(crate) weights: String,
    /// Set the seed of the importance samples
    #[arg(long, default_value_t = 0, help_heading = EVALUATION)]
    pub(crate) seed: u64,
    /// Write the terms of the log-probability by column as well, each column given those before it in
    /// the model's order, which tell what makes a row improbable
    #[arg(long, help_heading = EVALUATION)]
    pub(crate) columns: bool,
    /// Write the output to this file (.csv)
    #[arg(long, value_name = "FILE", default_value = "scores.csv", help_heading = OUTPUT)]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A run and a selection of examples.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ExamplesArgs {
    /// Load the run from this folder
    pub(crate) run: PathBuf,
    /// Select the split: train, valid or test
    #[arg(long, default_value = "test", help_heading = DATA)]
    pub(crate) split: String,
    /// Use this data instead of the run's
    #[arg(long, value_name = "NAME|PATH", value_parser = Place, help_heading = DATA)]
    pub(crate) data: Option<String>,
    /// Select the weights: best (by validation), last (of the last step) or raw (last, never
    /// averaged)
    #[arg(long, default_value = "best", help_heading = MODEL)]
    pub(crate) weights: String,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReconstructArgs {
    #[command(flatten)]
    pub(crate) examples: ExamplesArgs,
    /// Set the number of examples
    #[arg(short, long, default_value_t = 16, help_heading = DATA)]
    pub(crate) n: usize,
    /// Write the output to this file (.png, or .npy for the reconstructions alone)
    #[arg(long, value_name = "FILE", default_value = "reconstructions.png", help_heading = OUTPUT)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EncodeArgs {
    #[command(flatten)]
    pub(crate) examples: ExamplesArgs,
    /// Write the output to this file (.npy or .csv)
    #[arg(long, value_name = "FILE", default_value = "codes.npy", help_heading = OUTPUT)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct InterpolateArgs {
    #[command(flatten)]
    pub(crate) examples: ExamplesArgs,
    /// Start from the example with this index in the split
    #[arg(long, default_value_t = 0, value_name = "INDEX", help_heading = DATA)]
    pub(crate) from: usize,
    /// End at the example with this index in the split
    #[arg(long, default_value_t = 1, value_name = "INDEX", help_heading = DATA)]
    pub(crate) to: usize,
    /// Set the number of steps, both ends included
    #[arg(short, long, default_value_t = 12, help_heading = OUTPUT)]
    pub(crate) n: usize,
    /// Write the output to this file (.png, .gif or .npy)
    #[arg(long, value_name = "FILE", default_value = "interpolation.png", help_heading = OUTPUT)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct LatentArgs {
    #[command(flatten)]
    pub(crate) examples: ExamplesArgs,
    /// Set the number of images along each side of the grid
    #[arg(short, long, default_value_t = 20, help_heading = OUTPUT)]
    pub(crate) n: usize,
    /// Write the output to this file: a plot as .png or .svg, or the latent codes as .npy; the grid of
    /// decoded codes, for a two-dimensional latent space of images, is .png only
    #[arg(long, value_name = "FILE", default_value = "latent.png", help_heading = OUTPUT)]
    pub(crate) out: PathBuf,
}

/// Concepts that can be demonstrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    /// Decode draws from N(0, I) by an autoencoder and by a VAE
    AeVsVae,
    /// Show that the gap between log p(x) and the ELBO is KL(q(z|x) ‖ p(z|x))
    Elbo,
    /// Show that a density is not a probability
    Density,
    /// Show which generator loss saturates when the discriminator dominates
    Saturation,
    /// Show that a trained discriminator approaches p / (p + q)
    OptimalDiscriminator,
    /// Show that a transposed convolution is a convolution of the zero-stuffed input
    TransposedConvolution,
    /// Show which pixels a pixel sees in each of the models of pixels
    ReceptiveField,
    /// Show what the channels of a pixel know of each other: G of R, and B of both
    ColorChain,
    /// Show what a likelihood is, and where it is largest: a coin, a die, a density, a Gaussian
    Likelihood,
    /// Show association rules as areas, and how many of them chance alone gives
    Rules,
    /// Show K-means step by step, and how often its starts end in a local minimum
    Kmeans,
    /// Show core rows, border rows and noise of DBSCAN, and what eps does
    Dbscan,
    /// Show a self-organizing map unfold over a square
    Som,
    /// Show which clustering method finds which shapes
    Clustering,
    /// Show classification, regression and generation on the same rows
    Supervised,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// Demonstrate this concept
    pub(crate) topic: Topic,
    /// Train the models on these images (ae-vs-vae, elbo, saturation) [default: digits]
    #[arg(long, value_name = "NAME|PATH", value_parser = Place, help_heading = TRAINING)]
    pub(crate) data: Option<String>,
    /// Set the number of epochs of the models [default: ae-vs-vae 25, elbo 100, color-chain 15]
    #[arg(long, value_name = "N", help_heading = TRAINING)]
    pub(crate) epochs: Option<u64>,
    /// Set the seed of all random numbers (all but density, likelihood and
    /// transposed-convolution) [default: 0]
    #[arg(long, help_heading = TRAINING)]
    pub(crate) seed: Option<u64>,
    /// Write images and runs to this folder [default: explain-TOPIC]
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ReproduceArgs {
    /// Retrain this published result; without it, list all
    pub(crate) name: Option<String>,
    /// Store the runs in this folder, or resume those in it [default: runs/reproduce-NAME]
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ModelsArgs {
    /// Show the presets and settings of this model
    #[arg(value_parser = Names(names::models), hide_possible_values = true)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct RunsArgs {
    /// List these runs, and the runs in these folders
    #[arg(default_value = "runs")]
    pub(crate) folders: Vec<PathBuf>,
    /// List the runs for which this holds: KEY=VALUE, KEY<VALUE or KEY>VALUE, where KEY is run, model,
    /// data, binarize, step, epoch, validation, test, time (in seconds), finished or a setting;
    /// repeatable
    #[arg(long, value_name = "CONDITION")]
    pub(crate) filter: Vec<String>,
    /// Sort by such a key, the smallest value first [default: model, data and validation]
    #[arg(long, value_name = "KEY")]
    pub(crate) sort: Option<String>,
    /// Reverse the order
    #[arg(long)]
    pub(crate) reverse: bool,
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
    /// List the known data sets and where they are
    #[command(after_help = "Example:\n  ancestral data list --data-dir DIR")]
    List(OutputArgs),
    /// Summarize a data set and show some examples
    #[command(
        after_help = "Examples:\n  ancestral data show digits\n  ancestral data show table.csv --out table.png\n  ancestral data show photos --resize 32x32 --gray"
    )]
    Show {
        /// Summarize this known data set, file or folder
        #[arg(value_parser = Place)]
        data: String,
        /// Resize the images of a folder or tar to this height and width in pixels
        #[arg(long, value_name = "HxW", help_heading = DATA)]
        resize: Option<String>,
        /// Convert the images of a folder or tar to grayscale
        #[arg(long = "gray", visible_alias = "grey", help_heading = DATA)]
        gray: bool,
        /// Set the color behind transparent pixels of a folder or tar of images: white or black
        #[arg(long, value_name = "COLOR", help_heading = DATA)]
        background: Option<String>,
        /// Save an image of some examples to this file (.png) [default: NAME.png for images, else none]
        #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
        out: Option<PathBuf>,
        #[command(flatten)]
        tables: Box<TableArgs>,
        #[command(flatten)]
        shape: ShapeArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Download a known data set into the data folder
    #[command(
        after_help = "Examples:\n  ancestral data fetch mnist\n  ancestral data fetch cifar10 --data-dir DIR"
    )]
    Fetch {
        /// Download this data set
        name: String,
        #[command(flatten)]
        output: OutputArgs,
    },
}
