//! K-means as a model.

use burn::tensor::TensorData;
use toml::Table;

use super::super::kmeans::{Init, KmeansConfig, MiniBatchConfig};
use super::super::{Kmeans, Points, UniformStreams, Watch};
use super::batches::{Batches, Failed, Parts, Whole, by_batches, nearest_centers, without_empty};
use super::errors::{not_fitted, wrong};
use super::gather::{Matrix, with_points};
use super::method::{Clustering, Found, Given, Listed, Method};
use crate::distributions::take;
use crate::model::{Assigning, Assignments, DataSpec, NamedTensors, Size, SizeBuilder, product};
use crate::settings::{Field, Settings};
use crate::{Error, Result, choices, settings};

choices! {
    /// How starting centers are chosen.
    pub enum KmeansInit {
        /// greedy k-means++: rows far from the centers before
        PlusPlus = "k-means++",
        /// random rows
        Random = "random",
        /// the centers of a file, as in --set init=centers.csv
        Given = "given",
    }
}

settings! {
    /// Settings of K-means, with scikit-learn's names and defaults.
    pub struct KmeansSettings {
        /// Number of clusters; a range, as in 2..12, compares numbers of clusters.
        pub n_clusters: usize = 8, in 1..=1_000_000;
        /// How starting centers are chosen; the name of a .csv or .npy file gives them.
        pub init: KmeansInit = KmeansInit::PlusPlus;
        /// Number of starts, of which the one with the least inertia is kept; 0 for 1 start, and for 10
        /// from random rows.
        pub n_init: usize = 0, in 0..=100_000;
        /// Maximum number of iterations.
        pub max_iter: usize = 300, in 1..;
        /// Sum of squared shifts of the centers at convergence, relative to the mean variance of the
        /// columns; at 0, iterations end when no label changes.
        pub tol: f64 = 1e-4, in 0.0..;
        /// Rows of a mini-batch; a file larger than memory is then read in parts, again and again. At 0,
        /// every iteration takes all rows, in memory.
        pub batch_size: usize = 0, in 0..=1_000_000_000;
        /// Mini-batches without a lower moving average of the inertia until convergence.
        pub max_no_improvement: usize = 10, in 1..;
        /// Share of the rows of the largest cluster below which a cluster of mini-batches starts anew at a
        /// random row.
        pub reassignment_ratio: f64 = 0.01, in 0.0..1.0;
    }
}

/// K-means.
#[derive(Debug)]
pub struct KmeansMethod {
    settings: KmeansSettings,
    data: DataSpec,
    /// `[n_clusters, columns]`; the rows after the clusters that were found are 0.
    centers: Vec<f64>,
    /// Rows of each cluster, `[n_clusters]`.
    sizes: Vec<f64>,
}

impl KmeansMethod {
    fn found(&self) -> usize {
        self.sizes.iter().filter(|&&size| size > 0.0).count()
    }

    fn config(&self, given: &Given) -> Result<KmeansConfig> {
        let of = &self.settings;
        let init = match (of.init, &given.centers) {
            (KmeansInit::PlusPlus, _) => Init::PlusPlus,
            (KmeansInit::Random, _) => Init::Random,
            (KmeansInit::Given, Some(centers)) => Init::Centers(centers.clone()),
            (KmeansInit::Given, None) => {
                let allowed = "give a file of centers, as in init=centers.csv";
                return Err(Error::setting("init", "given", allowed));
            }
        };
        Ok(KmeansConfig {
            n_clusters: of.n_clusters,
            init,
            n_init: (of.n_init > 0).then_some(of.n_init),
            max_iter: of.max_iter,
            tol: of.tol,
        })
    }

    /// Centers by mini-batches of rows that come in parts; `sample` is some of the rows, whose labels are those
    /// of the result.
    ///
    /// # Errors
    /// If the rows do not suit the settings or cannot be read.
    pub(crate) fn in_batches(
        &self,
        sample: &Matrix,
        parts: &mut dyn Parts,
        given: &Given,
        streams: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Kmeans> {
        let of = &self.settings;
        if given.weights.is_some() {
            let allowed = "mini-batches take no weights; leave out batch_size";
            return Err(Error::setting("weights", "a column", allowed));
        }
        let batches = Batches {
            size: of.batch_size.max(1),
            passes: of.max_iter,
            config: MiniBatchConfig {
                reassignment_ratio: of.reassignment_ratio,
                max_no_improvement: of.max_no_improvement,
                rows: None,
            },
        };
        let config = self.config(given)?;
        by_batches(sample, parts, &config, batches, streams, watch).map_err(|error| match error {
            Failed::Reading(error) => error,
            Failed::Clustering(error) => wrong(Self::NAME, &self.data, error),
        })
    }

    /// As [`Self::in_batches`], for rows in memory.
    fn in_batches_of(
        &self,
        matrix: &Matrix,
        given: &Given,
        streams: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Kmeans> {
        // As many rows as scikit-learn starts from.
        let count = self.settings.batch_size.max(self.settings.n_clusters).saturating_mul(3);
        let mut rows: Vec<usize> = (0..matrix.rows()).collect();
        let mut uniform = streams.stream("kmeans sample", 0);
        let count = count.min(rows.len());
        for i in 0..count {
            let other = i + super::super::points::index_below(uniform(), rows.len() - i);
            rows.swap(i, other);
        }
        let sample = matrix.pick(&rows[..count]);
        let whole = &mut Whole::new(matrix);
        let mut found = self.in_batches(&sample, whole, given, streams, watch)?;
        loop {
            let nearest = nearest_centers(matrix, &found.centers)
                .map_err(|error| wrong(Self::NAME, &self.data, error))?;
            let mut sizes = vec![0; found.centers.len() / found.columns];
            nearest.iter().for_each(|nearest| sizes[nearest.center as usize] += 1);
            if sizes.contains(&0) {
                without_empty(&mut found.centers, &mut sizes);
                continue;
            }
            found.labels = nearest.iter().map(|nearest| nearest.center).collect();
            found.inertia = nearest.iter().map(|nearest| nearest.squared_distance).sum();
            return Ok(found);
        }
    }

    /// The result as the clusters of rows.
    pub(crate) fn clustering(&self, found: Kmeans) -> Clustering {
        let of = &self.settings;
        let mut notes = Vec::new();
        let clusters = found.centers.len() / found.columns;
        if let Some(asked) = found.missing_from {
            notes.push(format!(
                "{clusters} cluster{} instead of {asked}: no more rows are distinct",
                if clusters == 1 { "" } else { "s" }
            ));
        }
        let unit = if of.batch_size > 0 { "mini-batches" } else { "iterations" };
        if found.stopped {
            notes.push(format!(
                "stopped after {} {unit}; go on from these centers with --set init=centers.npy of this \
                 run",
                found.iterations
            ));
        } else if !found.converged {
            notes.push(format!(
                "no convergence within {} {}; raise max_iter",
                of.max_iter,
                if of.batch_size > 0 { "passes over the rows" } else { "iterations" }
            ));
        }
        let taken = if of.batch_size > 0 { "batches" } else { "iterations" };
        Clustering {
            stopped: found.stopped,
            labels: found.labels.iter().map(|&label| Some(label)).collect(),
            clusters,
            values: vec![("inertia", found.inertia), (taken, found.iterations as f64)],
            notes,
            found: Found::Kmeans(found),
        }
    }

    /// Keeps centers `[clusters, columns]` with the rows of each.
    pub(crate) fn keep_centers(&mut self, centers: &[f64], sizes: &[usize]) {
        self.centers.fill(0.0);
        self.centers[..centers.len()].copy_from_slice(centers);
        self.sizes.fill(0.0);
        self.sizes.iter_mut().zip(sizes).for_each(|(own, &size)| *own = size as f64);
    }
}

impl Listed for KmeansMethod {
    const NAME: &'static str = "kmeans";
    const ABOUT: &'static str =
        "K-means: k centers with the least sum of squared distances to their rows";
    const PAPER: &'static str = "Lloyd 1982; Arthur and Vassilvitskii 2007";
    const ASSIGNING: Assigning = Assigning::Exact;

    fn fields() -> Vec<Field> {
        KmeansSettings::fields()
    }

    fn new(settings: &Table, data: &DataSpec) -> Result<Self> {
        let settings = KmeansSettings::from_table(settings)?;
        settings.check_values()?;
        let k = settings.n_clusters;
        let centers = vec![0.0; k * data.size()];
        Ok(Self { sizes: vec![0.0; k], settings, data: data.clone(), centers })
    }

    fn size(settings: &Table, data: &DataSpec) -> Result<Size> {
        let k = KmeansSettings::from_table(settings)?.n_clusters;
        let mut size = SizeBuilder::default();
        size.buffer(&[k, product(data.shape.dims())]);
        size.buffer(&[k]);
        Ok(size.finish())
    }
}

impl Method for KmeansMethod {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn settings(&self) -> Table {
        self.settings.to_table()
    }

    fn cluster(
        &self,
        matrix: &Matrix,
        given: &Given,
        streams: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Clustering> {
        if self.settings.batch_size > 0 {
            return Ok(self.clustering(self.in_batches_of(matrix, given, streams, watch)?));
        }
        let config = self.config(given)?;
        let weights = given.weights.as_deref();
        let found =
            with_points!(matrix, points => config.fit_watched(points, weights, streams, watch))
                .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        Ok(self.clustering(found))
    }

    fn keep(&mut self, found: &Clustering, _: &Matrix) {
        let Found::Kmeans(kmeans) = &found.found else { return };
        let mut sizes = vec![0; kmeans.centers.len() / kmeans.columns];
        kmeans.labels.iter().for_each(|&label| sizes[label as usize] += 1);
        self.keep_centers(&kmeans.centers, &sizes);
    }

    fn tensors(&self) -> NamedTensors {
        let (k, columns) = (self.settings.n_clusters, self.data.size());
        vec![
            ("model.centers".to_owned(), TensorData::new(self.centers.clone(), [k, columns])),
            ("model.sizes".to_owned(), TensorData::new(self.sizes.clone(), [k])),
        ]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let (k, columns) = (self.settings.n_clusters, self.data.size());
        let centers = take(Self::NAME, tensors, "model.centers", k * columns)?;
        self.sizes = take(Self::NAME, tensors, "model.sizes", k)?;
        self.centers = centers;
        Ok(())
    }

    fn clusters(&self) -> usize {
        self.found()
    }

    fn assigning(&self) -> Assigning {
        Self::ASSIGNING
    }

    fn assign(&self, rows: &Matrix) -> Result<Assignments> {
        let (k, columns) = (self.found(), self.data.size());
        if k == 0 {
            return Err(not_fitted(Self::NAME));
        }
        let values = rows.doubles();
        let nearest = Points::new(&values, columns)
            .map(|points| super::super::nearest::nearest(points, &self.centers[..k * columns]))
            .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        let labels = nearest.iter().map(|nearest| Some(nearest.center)).collect();
        Ok(Assignments { labels, responsibilities: None })
    }
}
