//! The flags of `cluster`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{DATA, MODEL, OUTPUT, OutputArgs, ShapeArgs, TableArgs};
use crate::names::{self, Names, Place};

#[derive(Debug, ClapArgs)]
pub(crate) struct ClusterArgs {
    #[command(subcommand)]
    pub(crate) command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "METHOD")]
pub(crate) enum ClusterCommand {
    /// Find k centers with the least sum of squared distances to their rows
    ///
    /// Starting from k rows far apart, each row goes to its nearest center, and each center to the mean
    /// of its rows, until nothing changes. Every row is in a cluster; clusters are round and of like
    /// size. If you do not know k, give a range: --set n_clusters=2..12 draws inertia and silhouette and
    /// keeps the k of the highest silhouette. `ancestral models kmeans` lists the settings.
    #[command(
        after_help = "Examples:\n  ancestral cluster kmeans --data table.csv --standardize --set n_clusters=4\n  ancestral cluster kmeans --data table.csv --set n_clusters=2..12\n  ancestral cluster kmeans --data table.csv --set n_clusters=3 --set init=centers.csv\n  ancestral cluster kmeans --data mnist --encode zoo/vae-mnist --set n_clusters=10"
    )]
    Kmeans(MethodArgs),
    /// Find clusters of any shape where rows are dense, and noise elsewhere
    ///
    /// A row with at least min_samples rows within eps, itself included, is a core row; core rows within
    /// eps of each other are one cluster, with the rows within eps of them; all others are noise (−1).
    /// `ancestral cluster eps` draws the distances from which to choose eps.
    #[command(
        after_help = "Examples:\n  ancestral cluster eps --data table.csv --set min_samples=5\n  ancestral cluster dbscan --data table.csv --set eps=0.5 --set min_samples=5 --labels labels.csv"
    )]
    Dbscan(MethodArgs),
    /// Find the most stable clusters of all densities, and noise
    ///
    /// DBSCAN for every eps at once: clusters that last longest as the distance shrinks are kept. The one
    /// setting to choose is min_cluster_size, the smallest group worth the name. Rows have a probability
    /// of their cluster and an outlier score.
    #[command(
        after_help = "Examples:\n  ancestral cluster hdbscan --data table.csv --set min_cluster_size=15\n  ancestral cluster hdbscan --data table.csv --set min_samples=3 --set cluster_selection_method=leaf"
    )]
    Hdbscan(MethodArgs),
    /// Arrange rows on a grid of units, such that near units are alike
    ///
    /// The cluster of a row is its unit, row after row of the grid from 0. The run has the U-matrix, whose
    /// ridges part clusters, the number of rows of each unit, and the weights by column.
    #[command(
        after_help = "Examples:\n  ancestral cluster som --data digits --set rows=12 --set columns=12\n  ancestral cluster som --data table.csv --standardize --set grid=hexagonal --set training=online"
    )]
    Som(MethodArgs),
    /// Fit a mixture of Gaussians, which gives each row a probability of each cluster
    ///
    /// A range, --set n_components=1..10, compares numbers of components by BIC and keeps the best.
    #[command(
        after_help = "Examples:\n  ancestral cluster gmm --data table.csv --set n_components=3\n  ancestral cluster gmm --data table.csv --set n_components=1..10"
    )]
    Gmm(MethodArgs),
    /// Draw the distances from which eps of DBSCAN is chosen
    ///
    /// Rows are in the order of their distance to their min_samples-th nearest row, themselves included.
    /// Rows in clusters are on the flat part, noise on the steep one; choose eps where the curve bends.
    #[command(
        after_help = "Example:\n  ancestral cluster eps --data table.csv --set min_samples=5 --out distances.png"
    )]
    Eps(EpsArgs),
    /// Put rows of other data into the clusters of a run
    ///
    /// K-means and maps take the nearest center, mixtures the most probable component. HDBSCAN is
    /// approximate: with the new rows it might find other clusters. DBSCAN cannot.
    #[command(
        after_help = "Example:\n  ancestral cluster assign runs/kmeans-table-1 --data new.csv --labels new-labels.csv"
    )]
    Assign(AssignArgs),
    /// Any other name, so that the library can say which methods there are
    #[command(external_subcommand)]
    Other(Vec<String>),
}

impl ClusterCommand {
    /// Whether output and errors are printed as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Kmeans(args)
            | Self::Dbscan(args)
            | Self::Hdbscan(args)
            | Self::Som(args)
            | Self::Gmm(args) => args.output.json,
            Self::Eps(args) => args.output.json,
            Self::Assign(args) => args.output.json,
            Self::Other(words) => words.iter().any(|word| word == "--json"),
        }
    }
}

/// The rows that are clustered.
#[derive(Debug, ClapArgs)]
pub(crate) struct RowsArgs {
    /// Cluster all rows of this known data set, file or folder, whatever splits they would get; of known
    /// sets, those that are not for testing
    #[arg(long, value_name = "NAME|PATH", value_parser = Place, help_heading = DATA)]
    pub(crate) data: String,
    /// Cluster by this column of a table; repeatable [default: all columns of numbers]
    #[arg(long = "column", value_name = "NAME", help_heading = DATA)]
    pub(crate) columns: Vec<String>,
    /// Write this column beside the labels and do not cluster by it, as is done with columns of words;
    /// repeatable
    #[arg(long = "id", value_name = "NAME", help_heading = DATA)]
    pub(crate) identifiers: Vec<String>,
    /// Bring each column to mean 0 and standard deviation 1, so that units do not matter
    #[arg(long, help_heading = DATA)]
    pub(crate) standardize: bool,
    /// Cluster the latent codes that the model of this run has for the data
    #[arg(long, value_name = "RUN", help_heading = DATA)]
    pub(crate) encode: Option<PathBuf>,
    /// Binarize gray levels: none or threshold
    #[arg(long, default_value = "none", value_name = "METHOD", help_heading = DATA)]
    pub(crate) binarize: String,
    /// Set a setting of the method; repeatable (`ancestral models METHOD` lists them)
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        help_heading = MODEL,
        value_parser = Names(names::settings),
        hide_possible_values = true
    )]
    pub(crate) sets: Vec<String>,
    /// Set the seed of random starts
    #[arg(long, default_value_t = 0, help_heading = MODEL)]
    pub(crate) seed: u64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct MethodArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    /// Weight each row by this column (kmeans)
    #[arg(long, value_name = "COLUMN", help_heading = DATA)]
    pub(crate) weights: Option<String>,
    /// Do not compute silhouette and other indices of the clusters
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) no_indices: bool,
    /// Write the labels to this file too (.csv): a header, a line for each row in the order of the data,
    /// the cluster last, −1 for noise
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) labels: Option<PathBuf>,
    /// Store the run in this new folder, with labels, centers and images [default: runs/METHOD-DATA-N]
    #[arg(long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct EpsArgs {
    #[command(flatten)]
    pub(crate) rows: RowsArgs,
    /// Write the curve to this file (.png, .svg, or .csv for the distances)
    #[arg(long, value_name = "FILE", default_value = "distances.png", help_heading = OUTPUT)]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AssignArgs {
    /// Load the run from this folder
    pub(crate) run: PathBuf,
    /// Assign the rows of this known data set, file or folder
    #[arg(long, value_name = "NAME|PATH", value_parser = Place, help_heading = DATA)]
    pub(crate) data: String,
    /// Write the labels to this file (.csv): a header, a line for each row in the order of the data, the
    /// cluster last, −1 for noise
    #[arg(long, value_name = "FILE", default_value = "labels.csv", help_heading = OUTPUT)]
    pub(crate) labels: PathBuf,
    #[command(flatten)]
    pub(crate) tables: TableArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
