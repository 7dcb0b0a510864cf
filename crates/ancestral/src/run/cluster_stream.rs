//! Mini-batch K-means on a file that is larger than memory: it is read in parts, once for a sample, then for
//! batches until the centers have converged, and at last for the labels.

use std::fmt::Write;
use std::path::Path;

use ancestral_data::{
    Binarize, CsvWriter, Dataset, Examples, Held, OpenOptions, Opened, Split, SplitName, Streams,
    TableParts, TextRows, Values, csv_cell, is_pipe, is_table, open_in_parts,
};

use super::cluster::{Table, Told, choose};
use super::cluster_spec::ClusterSpec;
use super::session::Session;
use super::spec::{DataSource, RunSpec};
use crate::clustering::{
    self, Clustering, Given, Kmeans, Matrix, Parts, RunStreams, UniformStreams, nearest_centers,
    without_empty, wrong,
};
use crate::model::DataSpec;
use crate::{Error, Result};

/// Entries of a table that are held, if the request does not say.
const HELD_ENTRIES: usize = 4 << 20;
/// The share of these that the sample has.
const SAMPLE: usize = 4;

/// A file that is read in parts.
pub(super) struct Stream {
    parts: Box<TableParts>,
    /// Entries of a part.
    held: usize,
    /// What examples of the parts need, once it is known.
    described: Option<(Binarize, DataSpec)>,
    /// The table, if it is one, with the columns that are written beside the labels.
    beside: Option<(Table, Vec<String>)>,
}

impl Stream {
    /// The next rows of the file.
    fn next_rows(&mut self) -> Result<Option<Dataset>> {
        let rows = self.held / self.parts.size().max(1);
        Ok(self.parts.next_rows(rows.max(1))?)
    }

    /// Sets how examples of the parts become rows of a matrix.
    pub(super) fn describe(&mut self, binarize: Binarize, data: DataSpec) {
        self.described = Some((binarize, data));
    }

    /// Random rows, as a data set.
    fn sample(&mut self, seed: u64) -> Result<Dataset> {
        let (size, count) = (self.parts.size().max(1), self.parts.len());
        let most = (self.held / SAMPLE / size).clamp(1, count);
        // Each row stays with the same probability.
        let mut uniform = RunStreams(Streams::new(seed)).stream("cluster sample", 0);
        let (mut values, mut labels, mut of) = (Vec::new(), Vec::new(), Vec::new());
        let (mut last, mut at) = (None, 0);
        while let Some(part) = self.next_rows()? {
            let split = part.split(SplitName::Train)?;
            let own = split.labels.as_deref();
            for row in 0..part.len(SplitName::Train) {
                let place = match at {
                    at if at < most => at,
                    _ => (uniform() * (at + 1) as f64) as usize,
                };
                at += 1;
                if place >= most {
                    continue;
                }
                let entries = row * size..(row + 1) * size;
                let new: Vec<f64> = match &split.values {
                    Values::Reals(all) => all[entries].to_vec(),
                    Values::Bytes(all) => all[entries].iter().map(|&x| x.into()).collect(),
                };
                if place == of.len() {
                    values.extend(new);
                    labels.extend(own.map(|own| own[row]));
                    of.push(at);
                } else {
                    values[place * size..(place + 1) * size].copy_from_slice(&new);
                    if let (Some(own), Some(label)) = (own, labels.get_mut(place)) {
                        *label = own[row];
                    }
                }
            }
            last = Some(part);
        }
        let Some(last) = last else {
            return Err(Error::UnsuitableData {
                model: "kmeans".to_owned(),
                problem: "there are no rows".to_owned(),
            });
        };
        let values = match &last.split(SplitName::Train)?.values {
            Values::Reals(_) => Values::Reals(values),
            Values::Bytes(_) => Values::Bytes(values.iter().map(|&x| x as u8).collect()),
        };
        let labels = (labels.len() == of.len()).then_some(labels);
        let split = Split { values, labels };
        let (name, domain, shape) = (last.name.clone(), last.domain, last.shape.clone());
        let mut data = Dataset::new(name, domain, shape, split, None, None)?;
        data.class_names.clone_from(&last.class_names);
        data.column_names.clone_from(&last.column_names);
        data.columns.clone_from(&last.columns);
        data.notes.clone_from(&last.notes);
        Ok(data)
    }

    /// The columns that are written beside the labels.
    pub(super) fn beside(&self) -> &[String] {
        self.beside.as_ref().map_or(&[], |(_, names)| names)
    }

    /// Writes the label of each row after the columns that stand beside it, and tells of the rows that are
    /// done.
    pub(super) fn write_labels(
        &mut self,
        path: &Path,
        centers: &[f64],
        progress: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let names = self.beside().iter().cloned().chain(["cluster".to_owned()]);
        let mut file = CsvWriter::create(path, &names.collect::<Vec<_>>())?;
        let mut beside = match &self.beside {
            Some((table, names)) if !names.is_empty() => {
                Some(TextRows::open(&table.path, names, &table.options)?)
            }
            _ => None,
        };
        let (mut done, mut cells) = (0, Vec::new());
        self.restart();
        while let Some(part) = self.next()? {
            let mut text = String::new();
            for found in nearest(&part, centers, self)? {
                if let Some(rows) = &mut beside {
                    rows.next_row(&mut cells)?;
                }
                for cell in cells.drain(..) {
                    text += &csv_cell(&cell);
                    text.push(',');
                }
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{}", found.center);
            }
            file.text(&text)?;
            done += part.rows();
            progress(done);
        }
        Ok(file.finish()?)
    }
}

impl Parts for Stream {
    fn rows(&self) -> usize {
        self.parts.len()
    }

    fn restart(&mut self) {
        self.parts.restart();
    }

    fn next(&mut self) -> Result<Option<Matrix>> {
        let (Some(part), Some((binarize, data))) = (self.next_rows()?, &self.described) else {
            return Ok(None);
        };
        let examples = Examples::new(&part, SplitName::Train, *binarize, 0)?;
        Matrix::gather(&examples, data).map(Some)
    }
}

fn nearest(part: &Matrix, centers: &[f64], of: &Stream) -> Result<Vec<clustering::Nearest>> {
    nearest_centers(part, centers).map_err(|error| match &of.described {
        Some((_, data)) => wrong("kmeans", data, error),
        None => Error::setting("init", "given", error.to_string()),
    })
}

/// The clusters of a file.
pub(super) struct Streamed {
    /// Those of the sample.
    pub(super) clustering: Clustering,
    /// Rows of the file in each cluster.
    pub(super) sizes: Vec<usize>,
    pub(super) method: clustering::KmeansMethod,
}

impl Session<'_> {
    /// The file of a request, if it is clustered in mini-batches and larger than what is held, and the
    /// request for a sample of it.
    pub(super) fn stream(&mut self, spec: &ClusterSpec) -> Result<Option<(Stream, RunSpec)>> {
        let mut run = spec.run.clone();
        let DataSource::Named(place) = run.data.source.clone() else { return Ok(None) };
        let in_batches = |key: &str, value: &toml::Value| {
            key.rsplit('.').next() == Some("batch_size") && value.as_integer() != Some(0)
        };
        let set = run.settings.iter().any(|(key, value)| in_batches(key, value))
            || run.assignments.iter().any(|(key, value)| in_batches(key, value));
        let other = spec.encoder.is_some() || spec.range.is_some() || spec.weights.is_some();
        if !set || other || run.model.as_deref() != Some("kmeans") || is_pipe(&place) {
            return Ok(None);
        }
        let held = spec.held.unwrap_or(HELD_ENTRIES).max(1);
        let table = match is_table(&place) {
            true => {
                run.data.real = true;
                let asked = std::mem::take(&mut run.data.columns);
                let table = self.table(&place, &run, spec, &asked)?;
                choose(&mut run, spec, asked);
                Some(table)
            }
            false => None,
        };
        let options = OpenOptions {
            data_dir: self.data_dir().map(Path::to_path_buf),
            whole: true,
            real: is_table(&place),
            no_labels: run.data.no_labels,
            text: run.data.text.clone(),
            columns: run.data.columns.clone(),
            left: run.data.left.clone(),
            words_left: run.data.words_left,
            with_classes: run.data.with_classes,
            image_shape: run.data.image.map(|[h, w, c]| [c, h, w]),
            levels: run.data.levels,
            ..OpenOptions::default()
        };
        let folder = std::env::temp_dir();
        let Opened::Parts(parts) =
            open_in_parts(&place, &options, &Held { entries: held, folder })?
        else {
            return Ok(None);
        };
        let mut stream = Stream { parts, held, described: None, beside: None };
        self.tell("sampling", 0, 1)?;
        let sample = stream.sample(run.seed.unwrap_or(0))?;
        if let Some(table) = table {
            let names = self.beside(spec, &table, &sample)?;
            stream.beside = Some((table, names));
        }
        self.tell("sampling", 1, 1)?;
        self.tell_notes(&[format!(
            "the file is read in parts; columns are standardized, and indices and plots made, by {} random \
             rows of {}",
            sample.len(SplitName::Train),
            stream.rows()
        )])?;
        run.data.standardize = spec.standardize;
        (run.data.all_train, run.data.whole) = (true, true);
        run.data.source = DataSource::Given(sample);
        run.data.columns.clear();
        run.data.left.clear();
        run.data.words_left = false;
        Ok(Some((stream, run)))
    }

    /// Clusters a file in mini-batches; the labels are those of the sample.
    pub(super) fn cluster_stream(
        &mut self,
        stream: &mut Stream,
        sample: &Matrix,
        settings: &toml::Table,
        data: &DataSpec,
        given: &Given,
        seed: u64,
    ) -> Result<Streamed> {
        let mut method = clustering::kmeans(settings, data)?;
        let streams = RunStreams(Streams::new(seed));
        let told = Told { what: "clustering", done: None };
        let mut found =
            self.watching(told, |watch| method.in_batches(sample, stream, given, &streams, watch))?;
        let sizes = loop {
            let mut sizes = vec![0; found.centers.len() / found.columns];
            found.inertia = 0.0;
            let mut done = 0;
            stream.restart();
            while let Some(part) = stream.next()? {
                for nearest in nearest(&part, &found.centers, stream)? {
                    sizes[nearest.center as usize] += 1;
                    found.inertia += nearest.squared_distance;
                }
                done += part.rows();
                self.tell("assigning", done as u64, stream.rows() as u64)?;
            }
            if !sizes.contains(&0) {
                break sizes;
            }
            without_empty(&mut found.centers, &mut sizes);
        };
        let labels = nearest(sample, &found.centers, stream)?;
        found.labels = labels.iter().map(|nearest| nearest.center).collect();
        method.keep_centers(&found.centers, &sizes);
        let found: Kmeans = found;
        Ok(Streamed { clustering: method.clustering(found), sizes, method })
    }
}
