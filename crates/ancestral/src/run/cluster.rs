//! Clustering of data: labels, centers, indices.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use ancestral_data::{
    Batch, Binarize, Dataset, Domain, Examples, OpenOptions, Shape, Split, SplitName, Streams,
    TextRows, Values, is_label_name, is_table, open, read_columns,
};

use super::cluster_spec::{
    Assigned, Beside, ClusterIndices, ClusterSpec, Clustered, Compared, Distances, InParts,
};
use super::folder::Weights;
use super::loaded::{Reading, Run};
use super::session::Session;
use super::spec::{DataSource, ResolvedRun, RunSpec};
use crate::clustering::{
    self, Clustering, DbscanSettings, Found, Given, Matrix, Method, Metric, Parts, RunStreams,
    Silhouette, Watch, standardized, with_points, wrong,
};
use crate::model::{
    Assigning, Capability, Criteria, DataSpec, FitContext, Init, Model, ModelEntry, Task,
};
use crate::settings::Settings;
use crate::train::WeightsInfo;
use crate::{Error, Result};

/// Examples that are encoded or assigned at once.
const BATCH: usize = 500;
/// Rows on which silhouettes of several numbers of clusters are compared.
const COMPARED_ROWS: usize = 5000;

/// What rows are clustered, and what they were before they were encoded.
struct Source {
    spec: RunSpec,
    /// The data that is drawn, if it was encoded.
    original: Option<Dataset>,
    /// The columns of a table, of which those that are not clustered are written beside the labels.
    table: Option<Table>,
}

/// A table of text whose rows are clustered.
pub(super) struct Table {
    pub(super) path: PathBuf,
    /// How its text is read.
    pub(super) options: OpenOptions,
    /// The names of all columns.
    names: Vec<String>,
}

/// Opens a file of numbers without guessing at labels.
fn table_of(path: &Path) -> Result<(Vec<f64>, usize)> {
    let options = OpenOptions { whole: true, real: true, no_labels: true, ..Default::default() };
    let data = open(&path.display().to_string(), &options)?;
    match &data.split(SplitName::Train)?.values {
        Values::Reals(values) => Ok((values.clone(), data.shape.size())),
        Values::Bytes(values) => {
            Ok((values.iter().map(|&x| f64::from(x)).collect(), data.shape.size()))
        }
    }
}

/// The cells of columns of a table, as they are written in the file.
fn cells(table: &Table, names: &[String]) -> Result<Beside> {
    let mut beside: Beside = names.iter().map(|name| (name.clone(), Vec::new())).collect();
    if names.is_empty() {
        return Ok(beside);
    }
    let mut rows = TextRows::open(&table.path, names, &table.options)?;
    let mut row = Vec::new();
    while rows.next_row(&mut row)? {
        beside.iter_mut().zip(row.drain(..)).for_each(|((_, cells), cell)| cells.push(cell));
    }
    Ok(beside)
}

fn name_of(data: &Dataset, column: usize) -> String {
    data.column_names.get(column).cloned().unwrap_or_else(|| format!("x{column}"))
}

impl Session<'_> {
    /// Clusters all rows of some data, and stores the run with labels, centers and images if it has a
    /// folder.
    ///
    /// # Errors
    /// If there is no such method, a setting is not allowed, the data is not found or has no distances,
    /// or a file cannot be written.
    pub fn cluster(&mut self, spec: &ClusterSpec) -> Result<Clustered> {
        let name = spec.run.model.clone().unwrap_or_default();
        let entry = self.method(&name)?;
        let (mut stream, source) = match self.stream(spec)? {
            Some((stream, spec)) => (Some(stream), Source { spec, original: None, table: None }),
            None => (None, self.source(spec)?),
        };
        let mut run_spec = source.spec;
        let range = spec.range.clone().filter(|range| !range.is_empty());
        if let Some(range) = &range {
            run_spec.assign(&format!("{}={}", self.counted(&entry)?, range.end()))?;
        }
        if spec.centers.is_some() {
            run_spec.assign("init='given'")?;
        }
        let ResolvedRun { mut config, data } =
            run_spec.resolve(&self.registry, self.data_dir(), &self.device)?;
        config.encoder = spec.encoder.as_ref().map(|path| path.display().to_string());
        self.tell_notes(&data.notes)?;
        if data.len(SplitName::Test) > 0 {
            let n = data.len(SplitName::Test);
            self.tell_notes(&[format!("the {n} examples of its test split are not clustered")])?;
        }
        let (seed, binarize) = (config.seed, config.data.binarize.parse::<Binarize>()?);
        let rows = Examples::new(&data, SplitName::Train, binarize, seed)?;
        let data_spec = config.data.spec()?;
        let matrix = Matrix::gather(&rows, &data_spec)?;
        let streams = RunStreams(Streams::new(seed));
        if let (Some(stream), DataSource::Named(place)) = (&mut stream, &spec.run.data.source) {
            stream.describe(binarize, data_spec.clone());
            config.data.set_place(place, self.data_dir());
            (config.data.whole, config.data.real) = (true, is_table(place));
            config.data.chosen = is_table(place);
        }
        let given = self.given(spec, &name, &data_spec, &matrix)?;
        let beside = match &source.table {
            Some(table) => cells(table, &self.beside(spec, table, &data)?)?,
            None => Beside::new(),
        };

        let (mut compared, mut compared_rows) = (Vec::new(), 0);
        if let Some(range) = range {
            compared_rows = COMPARED_ROWS.min(matrix.rows());
            let counts: Vec<usize> = range.collect();
            let setting = self.counted(&entry)?;
            for (at, &clusters) in counts.iter().enumerate() {
                self.tell("comparing numbers of clusters", at as u64, counts.len() as u64)?;
                let mut settings = config.settings.clone();
                settings.insert(setting.to_owned(), toml::Value::Integer(clusters as i64));
                let told =
                    Told { what: "comparing numbers of clusters", done: Some((at, counts.len())) };
                let found = self.one(
                    &entry,
                    &settings,
                    &data_spec,
                    (&matrix, &rows),
                    (&given, seed),
                    told,
                )?;
                compared.push(found.1.compared(clusters, &matrix, streams));
                // Half of a comparison is none.
                if found.1.stopped || self.is_stopped() {
                    return Err(Error::Interrupted);
                }
            }
            self.tell("comparing numbers of clusters", counts.len() as u64, counts.len() as u64)?;
            if let Some(best) = best_of(&compared) {
                config.settings.insert(setting.to_owned(), toml::Value::Integer(best as i64));
            }
        }
        let settings = config.settings.clone();
        let (model, clustering, (sizes, noise)) = match &mut stream {
            Some(stream) => {
                let found =
                    self.cluster_stream(stream, &matrix, &settings, &data_spec, &given, seed)?;
                let init = Init::new(&self.device, seed);
                let mut model = self.registry.build(entry.name, &settings, &data_spec, &init)?;
                model.load(&found.method.tensors())?;
                (model, found.clustering, (found.sizes, 0))
            }
            None => {
                self.tell("clustering", 0, 1)?;
                let told = Told { what: "clustering", done: None };
                let (model, found) = self.one(
                    &entry,
                    &settings,
                    &data_spec,
                    (&matrix, &rows),
                    (&given, seed),
                    told,
                )?;
                self.tell("clustering", 1, 1)?;
                let sizes = sizes(&found.labels, found.clusters);
                (model, found, sizes)
            }
        };
        self.tell_notes(&clustering.notes)?;

        let metric = clustering::method(&name, &settings, &data_spec)?
            .map_or(Metric::Euclidean, |method| method.metric());
        let mut indices = ClusterIndices::default();
        if spec.indices {
            self.tell("computing indices", 0, 1)?;
            let told = Told { what: "computing indices", done: None };
            indices = self.watching(told, |watch| {
                Ok(indices_of(&clustering, &matrix, metric, rows.labels(), streams, watch))
            })?;
            self.tell("computing indices", 1, 1)?;
            if self.is_stopped() && indices.silhouette.is_none() {
                self.tell_notes(&["stopped before the silhouette was computed".to_owned()])?;
            }
        }
        let stopped = self.is_stopped();
        let (kept, data, examples) = match source.original {
            Some(original) => {
                let examples = Examples::new(&original, SplitName::Train, binarize, seed)?;
                (None, original, examples)
            }
            None => (Some(data.clone()), data, rows),
        };
        let info = WeightsInfo::default();
        let folder = run_spec.storage.create(&config, Some((&model.tensors(), info)))?;
        let path = folder.map(|folder| folder.path().to_owned());
        let run = Run { config, model, info, path, data: kept };
        let mut clustered = Clustered {
            run,
            clustering,
            sizes,
            noise,
            metric,
            indices,
            compared,
            compared_rows,
            matrix,
            data,
            examples,
            beside,
            files: Vec::new(),
            stopped,
            in_parts: None,
        };
        if let Some(stream) = &mut stream {
            let labels = clustered.run.path().map(|folder| folder.join("labels.csv"));
            if let Some(path) = &labels {
                let (centers, rows) = (clustered.own_centers(), stream.rows());
                self.working("writing labels", rows, |progress| {
                    stream.write_labels(path, &centers, progress)
                })?;
            }
            let beside = stream.beside().to_vec();
            clustered.in_parts = Some(InParts { rows: stream.rows(), labels, beside });
        }
        self.tell("writing files", 0, 1)?;
        clustered.store()?;
        self.tell("writing files", 1, 1)?;
        Ok(clustered)
    }

    /// The distances from which eps is chosen; the settings of the request are those of DBSCAN, of which
    /// eps is not used.
    ///
    /// # Errors
    /// If the data is not found or has no distances, or there are fewer rows than `min_samples`.
    pub fn neighbor_distances(&mut self, spec: &ClusterSpec) -> Result<Distances> {
        let mut source = self.source(spec)?;
        source.spec.model = Some("dbscan".to_owned());
        let ResolvedRun { config, data } =
            source.spec.resolve(&self.registry, self.data_dir(), &self.device)?;
        self.tell_notes(&data.notes)?;
        if let Some(table) = &source.table {
            self.beside(spec, table, &data)?;
        }
        let binarize = config.data.binarize.parse::<Binarize>()?;
        let rows = Examples::new(&data, SplitName::Train, binarize, config.seed)?;
        let data_spec = config.data.spec()?;
        let matrix = Matrix::gather(&rows, &data_spec)?;
        let settings = DbscanSettings::from_table(&config.settings)?;
        let min_samples = settings.min_samples;
        if min_samples > matrix.rows() {
            let allowed = format!("give at most the number of rows, {}", matrix.rows());
            return Err(Error::setting("min_samples", min_samples, allowed));
        }
        self.tell("computing distances", 0, 1)?;
        let metric = settings.metric.into();
        let told = Told { what: "computing distances", done: None };
        let distances = self.watching(told, |watch| {
            with_points!(&matrix, points =>
                clustering::k_distances_watched(points, min_samples, metric, watch))
            .map_err(|error| wrong("dbscan", &data_spec, error))
        })?;
        self.tell("computing distances", 1, 1)?;
        Ok(Distances { bend: bend(&distances), distances, min_samples, data: data.name })
    }

    /// Puts rows of other data, or those that were clustered, into the clusters of a run.
    ///
    /// # Errors
    /// If the model has no clusters or cannot assign rows, or the data is not found or does not fit.
    pub fn assign(&mut self, run: &Run, place: &str, reading: &Reading) -> Result<Assigned> {
        let can = |can: Capability| matches!(can, Capability::Clusters);
        let Some(clusterer) = run.model().clusterer() else {
            return Err(self.lacks(run, "has no clusters", &can));
        };
        if clusterer.assigning() == Assigning::Never {
            let problem = "cannot assign other rows: its clusters are sets of the rows that were \
                           clustered";
            return Err(self.lacks(run, problem, &can));
        }
        let encoder = match &run.config.encoder {
            Some(path) => Some(self.load(Path::new(path), Weights::Best)?),
            None => None,
        };
        let reader = encoder.as_ref().unwrap_or(run);
        let dir = self.data_dir().map(Path::to_path_buf);
        let mut options = reader.options_of_other(reading, place, true, dir.as_deref());
        // Other columns than the run's stand beside the labels.
        let own = &reader.config.data.columns;
        let data = if is_table(place) && !own.is_empty() {
            options.columns.clone_from(own);
            open(place, &options).or_else(|error| {
                options.columns.clear();
                open(place, &options).map_err(|_| error)
            })?
        } else {
            open(place, &options)?
        };
        let beside = Self::others(place, reading, &reader.column_names(), &data)?;
        let data = reader.fit_to_run(data, 0)?;
        self.tell_notes(&data.notes)?;
        let binarize: Binarize = reader.config.data.binarize.parse()?;
        let examples = Examples::new(&data, SplitName::Train, binarize, 0)?;
        let n = examples.len();
        let clusters = clusterer.clusters();
        let approximate = clusterer.assigning() == Assigning::Approximate;
        let latent = encoder.as_ref().map(|encoder| self.latent(encoder)).transpose()?;
        let (labels, probabilities) = self.working("assigning", n, |progress| {
            let (mut labels, mut shares) = (Vec::with_capacity(n), Vec::new());
            let indices: Vec<u64> = (0..n as u64).collect();
            for chunk in indices.chunks(BATCH) {
                let mut batch = examples.batch(chunk, 0);
                if let Some(latent) = latent {
                    let codes = latent.encode(&batch)?.into_iter().map(f64::from).collect();
                    batch = Batch::of(codes, chunk.len());
                }
                let found = clusterer.assign(&batch)?;
                if let Some(all) = &found.responsibilities {
                    shares.extend(own_share(all, &found.labels, clusters));
                }
                labels.extend(found.labels);
                progress(labels.len());
            }
            Ok((labels, (!shares.is_empty()).then_some(shares)))
        })?;
        let (sizes, noise) = sizes(&labels, clusters);
        Ok(Assigned { labels, probabilities, sizes, noise, approximate, beside })
    }

    /// The entry of a clustering method.
    fn method(&self, name: &str) -> Result<ModelEntry> {
        let methods = || -> Vec<&'static str> {
            let all = self.registry.entries().iter();
            all.filter(|entry| entry.tasks.contains(&Task::Clustering)).map(|e| e.name).collect()
        };
        let hint = |near: Option<&str>| match near {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("the methods are {}", methods().join(", ")),
        };
        match self.registry.find(name) {
            Ok(entry) if entry.tasks.contains(&Task::Clustering) => Ok(entry.clone()),
            _ => {
                let near = crate::settings::nearest(name, &methods());
                Err(Error::Unknown {
                    what: "clustering method",
                    name: name.to_owned(),
                    hint: hint(near),
                })
            }
        }
    }

    /// The setting that is the number of clusters.
    fn counted(&self, entry: &ModelEntry) -> Result<&'static str> {
        match entry.name {
            "kmeans" => Ok("n_clusters"),
            "gmm" => Ok("components"),
            other => Err(Error::setting(
                "n_clusters",
                "a range",
                format!(
                    "{other} finds the number of clusters itself; compare numbers of kmeans or gmm"
                ),
            )),
        }
    }

    /// The rows of a request.
    fn source(&mut self, spec: &ClusterSpec) -> Result<Source> {
        let mut run = spec.run.clone();
        (run.data.all_train, run.data.whole) = (true, true);
        run.data.standardize = spec.standardize && run.model.as_deref() != Some("gmm");
        if let Some(path) = &spec.encoder {
            return self.codes(spec, path, run);
        }
        if let DataSource::Named(place) = &run.data.source {
            run.data.real = is_table(place);
        }
        let asked = std::mem::take(&mut run.data.columns);
        let is_table = match &run.data.source {
            DataSource::Named(place) => is_table(place),
            _ => false,
        };
        if !is_table {
            if let Some(name) = spec.identifiers.first() {
                let allowed = "identifiers are columns of a table of text";
                return Err(Error::setting("identifier", name, allowed));
            }
            run.data.columns = asked;
            return Ok(Source { spec: run, original: None, table: None });
        }
        let place = match &run.data.source {
            DataSource::Named(place) => place.clone(),
            _ => String::new(),
        };
        let table = self.table(&place, &run, spec, &asked)?;
        choose(&mut run, spec, asked);
        Ok(Source { spec: run, original: None, table: Some(table) })
    }

    /// A table with the names of its columns, among which are those that are asked for.
    pub(super) fn table(
        &self,
        place: &str,
        run: &RunSpec,
        spec: &ClusterSpec,
        asked: &[String],
    ) -> Result<Table> {
        let path = PathBuf::from(place);
        let options = OpenOptions { text: run.data.text.clone(), ..OpenOptions::default() };
        // What is no file of text has an error of its own.
        let is_file = path.is_file();
        let names = match is_file.then(|| TextRows::names(&path, &options)) {
            Some(Ok(names)) => names,
            other => {
                run.with_columns(Vec::new(), self.data_dir())?;
                other.transpose()?.unwrap_or_default()
            }
        };
        let mut wanted = asked.iter().chain(&spec.identifiers).chain(&spec.weights);
        if let Some(name) = wanted.find(|name| !names.contains(name)) {
            return Err(Error::setting(
                "column",
                name,
                format!("there is no such column; the columns are {}", names.join(", ")),
            ));
        }
        Ok(Table { path, options, names })
    }

    /// The columns of a table that are written beside the labels of some data of it: all that are neither
    /// clustered nor classes.
    pub(super) fn beside(
        &mut self,
        spec: &ClusterSpec,
        table: &Table,
        data: &Dataset,
    ) -> Result<Vec<String>> {
        let own: Vec<String> = (0..data.shape.size()).map(|at| name_of(data, at)).collect();
        let named =
            |name: &String| spec.identifiers.contains(name) || spec.weights.as_ref() == Some(name);
        // All columns of images are pixels.
        let is_image = data.shape.as_image().is_some();
        let stands = |name: &&String| named(name) || !is_image && !is_special(name);
        let others: Vec<&String> = table.others(&own).filter(stands).collect();
        let is_asked = !spec.run.data.columns.is_empty();
        let words = others.iter().filter(|name| !is_asked && !named(name));
        let words: Vec<String> = words.map(|name| format!("'{name}'")).collect();
        match &words[..] {
            [] => {}
            [one] => self.tell_notes(&[format!(
                "column {one} holds words; it is not clustered, and stands beside the labels"
            )])?,
            all => self.tell_notes(&[format!(
                "columns {} hold words; they are not clustered, and stand beside the labels",
                all.join(", ")
            )])?,
        }
        Ok(others.into_iter().cloned().collect())
    }

    /// The latent codes of a request's rows.
    fn codes(&mut self, spec: &ClusterSpec, path: &Path, mut run: RunSpec) -> Result<Source> {
        let encoder = self.load(path, Weights::Best)?;
        let latent = self.latent(&encoder)?;
        let dims = latent.latent_dim();
        let place = match &run.data.source {
            DataSource::Named(place) => place.clone(),
            _ => encoder.config.data.place(),
        };
        let asked = Reading { text: run.data.text.clone(), no_labels: run.data.no_labels };
        let dir = self.data_dir().map(Path::to_path_buf);
        let mut options = encoder.options_of_other(&asked, &place, true, dir.as_deref());
        (options.all_train, options.seed) = (true, encoder.config.seed);
        let data = encoder.fit_to_run(open(&place, &options)?, 0)?;
        self.tell_notes(&data.notes)?;
        let binarize: Binarize = encoder.config.data.binarize.parse()?;
        let examples = Examples::new(&data, SplitName::Train, binarize, 0)?;
        let indices: Vec<u64> = (0..examples.len() as u64).collect();
        let latent = self.latent(&encoder)?;
        let values = self.working("encoding", indices.len(), |progress| {
            let mut codes = Vec::with_capacity(indices.len() * dims);
            for (i, chunk) in indices.chunks(BATCH).enumerate() {
                let found = latent.encode(&examples.batch(chunk, 0))?;
                codes.extend(found.into_iter().map(f64::from));
                progress(i * BATCH + chunk.len());
            }
            Ok(codes)
        })?;
        let labels = examples.labels().map(<[u32]>::to_vec);
        let split = Split { values: Values::Reals(values), labels };
        let mut codes =
            Dataset::new(data.name.clone(), Domain::Real, Shape::columns(dims), split, None, None)?;
        codes.class_names.clone_from(&data.class_names);
        codes.column_names = (0..dims).map(|at| format!("z{at}")).collect();
        if let Some(name) = spec.identifiers.first() {
            return Err(Error::setting("identifier", name, "codes have no other columns"));
        }
        run.data.source = DataSource::Given(codes);
        run.data.columns.clear();
        run.binarize = None;
        Ok(Source { spec: run, original: Some(data), table: None })
    }

    /// The columns of a table that are not the run's.
    fn others(place: &str, reading: &Reading, own: &[String], read: &Dataset) -> Result<Beside> {
        if !is_table(place) || read.shape.as_image().is_some() || ancestral_data::is_pipe(place) {
            return Ok(Beside::new());
        }
        let options = OpenOptions { text: reading.text.clone(), ..OpenOptions::default() };
        let path = PathBuf::from(place);
        let names = TextRows::names(&path, &options)?;
        let table = Table { path, options, names };
        let others: Vec<String> = table.others(own).filter(|n| !is_special(n)).cloned().collect();
        cells(&table, &others)
    }

    /// Weights and starting centers.
    fn given(
        &self,
        spec: &ClusterSpec,
        name: &str,
        data: &DataSpec,
        matrix: &Matrix,
    ) -> Result<Given> {
        let mut given = Given::default();
        let kmeans_alone = |field: &str, value: String| match name {
            "kmeans" => Ok(()),
            _ => Err(Error::setting(field, value, format!("{name} takes none; kmeans does"))),
        };
        if let Some(column) = &spec.weights {
            kmeans_alone("weights", column.clone())?;
            let DataSource::Named(place) = &spec.run.data.source else {
                return Err(Error::setting("weights", column, "weights are read from a table"));
            };
            let options = OpenOptions {
                data_dir: self.data_dir().map(Path::to_path_buf),
                text: spec.run.data.text.clone(),
                ..OpenOptions::default()
            };
            let column = std::slice::from_ref(column);
            given.weights = read_columns(place, column, &options)?.pop();
        }
        if let Some(path) = &spec.centers {
            let shown = path.display().to_string();
            kmeans_alone("init", shown.clone())?;
            let (values, columns) = table_of(path)?;
            if columns != matrix.columns() {
                let s = if columns == 1 { "" } else { "s" };
                let allowed =
                    format!("it has {columns} column{s}, and the data has {}", matrix.columns());
                return Err(Error::setting("init", shown, allowed));
            }
            given.centers = Some(standardized(values, data));
        }
        Ok(given)
    }

    /// Work that observers are told of, and that the stop flag ends.
    pub(super) fn watching<T>(
        &mut self,
        as_what: Told,
        work: impl FnOnce(&mut Watch<'_>) -> Result<T>,
    ) -> Result<T> {
        let (stop, mut told) = (self.stop, Ok(()));
        let mut tell = |done: u64, total: u64| {
            if told.is_ok() {
                told = as_what.tell(self, done, total);
            }
        };
        let found = work(&mut Watch::new(stop, &mut tell))?;
        told?;
        Ok(found)
    }

    /// Whether work is to end.
    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// One clustering with these settings, kept by a model.
    fn one(
        &mut self,
        entry: &ModelEntry,
        settings: &toml::Table,
        data: &DataSpec,
        (matrix, rows): (&Matrix, &Examples),
        (given, seed): (&Given, u64),
        told: Told,
    ) -> Result<(Box<dyn Model>, Clustering)> {
        let init = Init::new(&self.device, seed);
        let mut model = self.registry.build(entry.name, settings, data, &init)?;
        if let Some(mut method) = clustering::method(entry.name, settings, data)? {
            let streams = RunStreams(Streams::new(seed));
            let found =
                self.watching(told, |watch| method.cluster(matrix, given, &streams, watch))?;
            method.keep(&found, matrix);
            model.load(&method.tensors())?;
            return Ok((model, found));
        }
        let found = self.mixture(model.as_mut(), rows, seed, told)?;
        Ok((model, found))
    }

    /// A model with clusters that is fitted in one call, as a mixture.
    fn mixture(
        &mut self,
        model: &mut dyn Model,
        rows: &Examples,
        seed: u64,
        as_what: Told,
    ) -> Result<Clustering> {
        let never = std::sync::atomic::AtomicBool::new(false);
        let stop = self.stop.unwrap_or(&never);
        let name = model.name().to_owned();
        let (mut told, thousand) = (Ok(()), 1000);
        let mut progress = |share: f64| {
            if told.is_ok() {
                told = as_what.tell(self, (share * thousand as f64) as u64, thousand);
            }
        };
        let report = match model.estimator() {
            Some(estimator) => estimator.fit(
                rows,
                &mut FitContext { streams: Streams::new(seed), progress: &mut progress, stop },
            )?,
            None => return Err(Error::OtherLearning { model: name, fitted: false }),
        };
        told?;
        let (Some(clusterer), Some(density)) = (model.clusterer(), model.density()) else {
            return Err(Error::OtherLearning { model: name, fitted: false });
        };
        let clusters = clusterer.clusters();
        let indices: Vec<u64> = (0..rows.len() as u64).collect();
        let parts = indices
            .chunks(BATCH)
            .map(|chunk| {
                let batch = rows.batch(chunk, 0);
                let nats =
                    density.log_probability(&batch, crate::model::DensityOptions::new(1, 0))?;
                Ok((clusterer.assign(&batch)?, nats.nats.iter().sum::<f64>()))
            })
            .collect::<Result<Vec<_>>>()?;
        let (mut labels, mut shares, mut total) = (Vec::new(), Vec::new(), 0.0);
        for (part, nats) in parts {
            labels.extend(part.labels);
            shares.extend(part.responsibilities.unwrap_or_default());
            total += nats;
        }
        let free = report.free.unwrap_or(report.estimates.len());
        let criteria = Criteria::new(total, rows.len() as f64, free);
        let values = vec![("log_likelihood", total), ("bic", criteria.bic), ("aic", criteria.aic)];
        // Standard errors are no matter here.
        let notes = report.notes.into_iter().filter(|note| note.contains("converge")).collect();
        let found = Found::Mixture(shares);
        Ok(Clustering { labels, clusters, found, values, stopped: false, notes })
    }
}

/// As what work is told of.
#[derive(Clone, Copy)]
pub(super) struct Told {
    /// Its name.
    pub(super) what: &'static str,
    /// How much is done and how much there is, if it is a part of other work.
    pub(super) done: Option<(usize, usize)>,
}

impl Told {
    fn tell(self, session: &mut Session<'_>, done: u64, total: u64) -> Result<()> {
        match self.done {
            Some((done, total)) => session.tell(self.what, done as u64, total as u64),
            // The end is told when all is over.
            None => session.tell(self.what, done.min(total.saturating_sub(1)), total),
        }
    }
}

impl Table {
    /// The columns with names that are not among some.
    fn others<'t>(&'t self, own: &'t [String]) -> impl Iterator<Item = &'t String> {
        let numbered = |at: usize, name: &str| at == 0 && name == "Unnamed: 0";
        let named = self.names.iter().enumerate();
        let named = named.filter(move |(at, name)| !name.is_empty() && !numbered(*at, name));
        named.map(|(_, name)| name).filter(|name| !own.contains(name))
    }
}

/// Whether a column of this name holds classes or folds, which are no properties of rows.
fn is_special(name: &str) -> bool {
    is_label_name(name) || name.eq_ignore_ascii_case("fold")
}

/// Sets which columns of a table are clustered: those that are asked for, else all of numbers that are no
/// identifiers and no weights.
pub(super) fn choose(run: &mut RunSpec, spec: &ClusterSpec, asked: Vec<String>) {
    run.data.with_classes = true;
    if asked.is_empty() {
        run.data.left = spec.identifiers.iter().chain(&spec.weights).cloned().collect();
        run.data.words_left = true;
    } else {
        run.data.columns = asked;
    }
}

/// The probability of each row's own cluster.
pub(super) fn own_share(all: &[f64], labels: &[Option<u32>], clusters: usize) -> Vec<f64> {
    let rows = all.chunks_exact(clusters.max(1)).zip(labels);
    rows.map(|(row, label)| label.map_or(0.0, |label| row[label as usize])).collect()
}

/// Rows by cluster, and noise.
fn sizes(labels: &[Option<u32>], clusters: usize) -> (Vec<usize>, usize) {
    let (mut sizes, mut noise) = (vec![0; clusters], 0);
    for label in labels {
        match label {
            Some(label) => sizes[*label as usize] += 1,
            None => noise += 1,
        }
    }
    (sizes, noise)
}

/// The number of clusters with the lowest BIC, or else the highest silhouette.
fn best_of(compared: &[Compared]) -> Option<usize> {
    let by = |value: &dyn Fn(&Compared) -> Option<f64>| {
        let all = compared.iter().filter_map(|one| Some((one.clusters, value(one)?)));
        all.min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0))).map(|(clusters, _)| clusters)
    };
    by(&|one| one.bic)
        .or_else(|| by(&|one| one.silhouette.map(|s| -s)))
        .or_else(|| compared.first().map(|one| one.clusters))
}

/// The rows of a clustering that are in clusters, with their clusters.
fn clustered_rows(found: &Clustering) -> (Vec<usize>, Vec<u32>) {
    let rows = found.labels.iter().enumerate();
    rows.filter_map(|(row, label)| Some((row, (*label)?))).unzip()
}

/// `None` where it is not defined.
fn silhouette(
    matrix: &Matrix,
    labels: &[u32],
    metric: Metric,
    streams: RunStreams,
    watch: &mut Watch<'_>,
) -> Option<Silhouette> {
    with_points!(matrix, points =>
        clustering::silhouette_watched(points, labels, metric, &streams, watch))
    .ok()
}

impl Clustering {
    /// This clustering as one of several numbers of clusters.
    fn compared(&self, clusters: usize, matrix: &Matrix, streams: RunStreams) -> Compared {
        let value = |wanted: &str| {
            let found = self.values.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| *value)
        };
        let (rows, labels) = clustered_rows(self);
        // Evenly spaced rows, the same for every number of clusters.
        let step = rows.len().div_ceil(COMPARED_ROWS).max(1);
        let some: Vec<usize> = (0..rows.len()).step_by(step).collect();
        let picked: Vec<usize> = some.iter().map(|&at| rows[at]).collect();
        let labels: Vec<u32> = some.iter().map(|&at| labels[at]).collect();
        let found = (!picked.is_empty())
            .then(|| {
                let mut told = |_, _| {};
                let watch = &mut Watch::new(None, &mut told);
                silhouette(&matrix.pick(&picked), &labels, Metric::Euclidean, streams, watch)
            })
            .flatten();
        Compared {
            clusters,
            inertia: value("inertia"),
            silhouette: found.map(|found| found.mean),
            bic: value("bic"),
        }
    }
}

/// All indices; those that are not defined, as of a single cluster, are left out.
fn indices_of(
    found: &Clustering,
    matrix: &Matrix,
    metric: Metric,
    truth: Option<&[u32]>,
    streams: RunStreams,
    watch: &mut Watch<'_>,
) -> ClusterIndices {
    let (rows, labels) = clustered_rows(found);
    let mut indices = ClusterIndices::default();
    if !rows.is_empty() {
        let picked;
        let inner = match rows.len() == matrix.rows() {
            true => matrix,
            false => {
                picked = matrix.pick(&rows);
                &picked
            }
        };
        let shape = silhouette(inner, &labels, metric, streams, watch);
        indices.silhouette = shape.map(|found| found.mean);
        indices.silhouette_rows = shape.map_or(0, |found| found.rows);
        indices.davies_bouldin =
            with_points!(inner, points => clustering::davies_bouldin(points, &labels)).ok();
        indices.calinski_harabasz =
            with_points!(inner, points => clustering::calinski_harabasz(points, &labels)).ok();
    }
    if let Some(truth) = truth.filter(|truth| truth.len() >= found.labels.len()) {
        let truth = &truth[..found.labels.len()];
        // Noise is a cluster by itself, as in scikit-learn's functions.
        let noise = found.clusters as u32;
        let own: Vec<u32> = found.labels.iter().map(|label| label.unwrap_or(noise)).collect();
        indices.adjusted_rand = clustering::adjusted_rand(truth, &own).ok();
        indices.adjusted_mutual_information =
            clustering::adjusted_mutual_information(truth, &own).ok();
        indices.normalized_mutual_information =
            clustering::normalized_mutual_information(truth, &own).ok();
    }
    indices
}

/// The value of an ascending curve where it is farthest below the line between its ends.
fn bend(curve: &[f64]) -> f64 {
    let (Some(&first), Some(&last)) = (curve.first(), curve.last()) else { return 0.0 };
    let steps = (curve.len() - 1).max(1) as f64;
    let below = |at: usize| first + (last - first) * at as f64 / steps - curve[at];
    let best = (0..curve.len()).max_by(|&a, &b| below(a).total_cmp(&below(b)).then(b.cmp(&a)));
    best.map_or(last, |at| curve[at])
}

impl Clustered {
    /// The model's centers, or the means of the clusters' rows where it has none, in the units of the
    /// data: `[clusters, columns]`.
    pub fn centers(&self) -> Vec<f64> {
        let data = self.run.model().data();
        let columns = data.size();
        let mut centers = self.own_centers();
        if !data.scale.is_empty() {
            for row in centers.chunks_exact_mut(columns.max(1)) {
                for ((x, offset), scale) in row.iter_mut().zip(&data.offset).zip(&data.scale) {
                    *x = *x * scale + offset;
                }
            }
        }
        centers
    }

    /// The means of the clusters' rows, as they were clustered.
    fn means(&self) -> Vec<f64> {
        let (columns, clusters) = (self.matrix.columns(), self.clustering.clusters);
        let mut means = vec![0.0; clusters * columns];
        for (row, label) in self.clustering.labels.iter().enumerate() {
            let Some(label) = label else { continue };
            let mean = &mut means[*label as usize * columns..][..columns];
            // Added up relative to each row's share, so that nothing overflows.
            let size = self.sizes[*label as usize] as f64;
            mean.iter_mut().zip(self.matrix.row(row)).for_each(|(mean, x)| *mean += x / size);
        }
        means
    }

    /// The rows of a cluster nearest to its center, at most `count`.
    pub fn nearest(&self, cluster: u32, center: &[f64], count: usize) -> Vec<usize> {
        let own = self.clustering.labels.iter().enumerate();
        let own = own.filter(|(_, label)| **label == Some(cluster)).map(|(row, _)| row);
        let mut found: Vec<(f64, usize)> = own
            .map(|row| {
                let row_values = self.matrix.row(row);
                let apart = row_values.iter().zip(center).map(|(a, b)| (a - b).powi(2)).sum();
                (apart, row)
            })
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        found.into_iter().take(count).map(|(_, row)| row).collect()
    }

    /// The centers in the units in which rows were clustered.
    pub(super) fn own_centers(&self) -> Vec<f64> {
        match &self.clustering.found {
            Found::Kmeans(found) => found.centers.clone(),
            Found::Som(som, _) => som.weights().to_vec(),
            _ => self.means(),
        }
    }
}
