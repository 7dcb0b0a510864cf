//! The run as a value: its specification ([`RunSpec`]), its execution ([`Session`]) and its result
//! ([`Run`]), in memory or in a run folder.

mod adapt;
mod baskets;
mod censored;
mod checkpoint;
mod classify;
mod cluster;
mod cluster_files;
#[cfg(feature = "plot")]
mod cluster_images;
mod cluster_spec;
mod cluster_stream;
mod columns;
mod config;
mod distribution;
mod event_log;
#[cfg(feature = "plot")]
mod finish;
mod fit;
mod folder;
mod gan_table;
mod images;
mod latent;
mod loaded;
mod networks;
mod quality;
mod recipe;
mod reproduce;
mod rules_spec;
mod sample;
mod sample_file;
mod score;
mod score_file;
mod session;
mod spec;
mod summary;
mod tensorboard;
mod training;
mod walked;

pub use adapt::adapt;
pub use baskets::LEAST_MEMORY;
pub use classify::{ClassReport, ClassifiedRows, ClassifySpec, DecidedBy, Priors};
pub use cluster_spec::{
    Assigned, Beside, ClusterIndices, ClusterSpec, Clustered, Compared, Distances, InParts,
};
pub use config::{DataConfig, FORMAT, RunConfig, RunResult};
pub use distribution::{
    ColumnFit, ColumnRanking, DistributionRequest, FamilyFit, PValues, Rows, auto_options,
};
pub use fit::{Fit, Fitted};
pub use folder::{RunFolder, Weights};
pub use gan_table::{GAN_TABLE, GanTableEntry, GanTableProgress, GanTableRow, gan_table_entries};
pub use latent::{Codes, Reconstructions};
pub use loaded::{DataQuery, Reading, Run};
pub use networks::{FEATURE_NETWORKS, FeatureNetwork};
pub use quality::{
    DistanceReport, ImageFolder, LEAST_SAMPLES, ModesReport, NamedWeights, QualityReport,
    QualitySpec, WeightsDistance, WeightsModes, WeightsQuality,
};
pub use recipe::Recipe;
pub use reproduce::{PUBLISHED, PublishedMetric, PublishedResult, ReproduceProgress, Reproduced};
pub use rules_spec::{Find, RuleSettings, RulesReport, RulesSpec, Stop};
pub use sample::{Given, Mask, SampleSpec, Samples};
pub use sample_file::SampleFile;
pub use score::{ClassScores, Evaluation, LogScores, Measured, Scored, Scores};
pub use score_file::{ClassSummary, LogSummary, ScoreSummary};
pub use session::{Prepared, Session, Trained};
pub use spec::{
    DataRequest, DataSource, ResolvedRun, RunSpec, SettingsFile, Storage, training_fields,
};
pub use summary::{RunCondition, RunSummary, differing_settings, sort_runs};
pub use training::Training;
