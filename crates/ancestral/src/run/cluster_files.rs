//! The files of a clustering: labels, centers and images in the folder of its run.

use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use ancestral_data::{CsvWriter, csv_cell, write_csv, write_npy};

use super::cluster::own_share;
use super::cluster_spec::{Assigned, Beside, Clustered, InParts};
use crate::clustering::Found;
use crate::{Error, Result};

/// Columns of numbers between identifiers and the cluster.
type Numbers<'a> = Vec<(&'static str, Box<dyn Fn(usize) -> String + 'a>)>;

/// Writes labels as CSV: a line for each row, with the cluster last, −1 for noise.
fn write_labels(
    path: &Path,
    beside: &Beside,
    numbers: &Numbers<'_>,
    labels: &[Option<u32>],
) -> Result<()> {
    let names = beside.iter().map(|(name, _)| name.clone());
    let names = names.chain(numbers.iter().map(|(name, _)| (*name).to_owned()));
    let names: Vec<String> = names.chain(["cluster".to_owned()]).collect();
    let mut file = CsvWriter::create(path, &names)?;
    let mut text = String::new();
    for (row, label) in labels.iter().enumerate() {
        for (_, cells) in beside {
            text += &csv_cell(cells.get(row).map_or("", String::as_str));
            text.push(',');
        }
        for (_, number) in numbers {
            text += &number(row);
            text.push(',');
        }
        // Writing to a string cannot fail.
        let _ = match label {
            Some(label) => writeln!(text, "{label}"),
            None => writeln!(text, "-1"),
        };
        if text.len() > 1 << 20 {
            file.text(&text)?;
            text.clear();
        }
    }
    file.text(&text)?;
    Ok(file.finish()?)
}

/// Copies labels that are in a file.
fn copy_labels(from: &Path, to: &Path, beside: &[String]) -> Result<()> {
    let problem = |error: std::io::Error| Error::run(from, error.to_string());
    let mut lines = BufReader::new(File::open(from).map_err(problem)?);
    let names: Vec<String> = beside.iter().cloned().chain(["cluster".to_owned()]).collect();
    let header = names.iter().map(|name| csv_cell(name)).collect::<Vec<_>>().join(",");
    lines.seek_relative(header.len() as i64 + 1).map_err(problem)?;
    let mut file = CsvWriter::create(to, &names)?;
    let mut line = String::new();
    while lines.read_line(&mut line).map_err(problem)? > 0 {
        file.text(&line)?;
        line.clear();
    }
    Ok(file.finish()?)
}

impl Assigned {
    /// Writes labels as CSV: a line for each row, with the cluster last, −1 for noise.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_labels(&self, path: &Path) -> Result<()> {
        let mut numbers: Numbers<'_> = Vec::new();
        if let Some(shares) = &self.probabilities {
            numbers.push(("probability", Box::new(|row| shares[row].to_string())));
        }
        write_labels(path, &self.beside, &numbers, &self.labels)
    }
}

impl Clustered {
    /// Writes labels as CSV: a line for each row in the order of the data, with identifiers first, then
    /// what the method says of the row, then the cluster, −1 for noise.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_labels(&self, path: &Path) -> Result<()> {
        if let Some(InParts { labels: Some(written), beside, .. }) = &self.in_parts {
            return copy_labels(written, path, beside);
        }
        let shares;
        let mut numbers: Numbers<'_> = Vec::new();
        match &self.clustering.found {
            Found::Kmeans(_) => {}
            Found::Dbscan(found) => {
                numbers.push(("core", Box::new(|row| u8::from(found.core[row]).to_string())));
            }
            Found::Hdbscan(found) => {
                let own = |values: &'_ [f64], row: usize| values[row].to_string();
                numbers.push(("probability", Box::new(move |row| own(&found.probabilities, row))));
                numbers
                    .push(("outlier_score", Box::new(move |row| own(&found.outlier_scores, row))));
            }
            Found::Som(som, units) => {
                let width = som.shape().1;
                let unit = |row: usize| units[row].center as usize;
                numbers.push(("unit_row", Box::new(move |row| (unit(row) / width).to_string())));
                numbers.push(("unit_column", Box::new(move |row| (unit(row) % width).to_string())));
            }
            Found::Mixture(all) => {
                shares = own_share(all, &self.clustering.labels, self.clustering.clusters);
                numbers.push(("probability", Box::new(|row| shares[row].to_string())));
            }
        }
        write_labels(path, &self.beside, &numbers, &self.clustering.labels)
    }

    /// Writes labels, centers and images into the folder of the run, if it has one.
    pub(super) fn store(&mut self) -> Result<()> {
        let Some(folder) = self.run.path().map(Path::to_owned) else { return Ok(()) };
        let labels = folder.join("labels.csv");
        if self.in_parts.is_none() {
            self.write_labels(&labels)?;
        }
        self.files.push(labels);
        if let Found::Hdbscan(found) = &self.clustering.found {
            let edges = found.spanning_tree.iter();
            let values: Vec<f64> =
                edges.flat_map(|edge| [edge.a.into(), edge.b.into(), edge.distance]).collect();
            let path = folder.join("spanning-tree.npy");
            write_npy(&path, &values, &[found.spanning_tree.len(), 3])?;
            self.files.push(path);
        }
        let centers = self.centers();
        let columns = self.matrix.columns();
        if !centers.is_empty() {
            let count = centers.len() / columns;
            let path = folder.join("centers.npy");
            write_npy(&path, &centers, &[count, columns])?;
            self.files.push(path);
            let path = folder.join("centers.csv");
            write_csv(&path, &self.run.column_names(), &centers)?;
            self.files.push(path);
        }
        #[cfg(feature = "plot")]
        self.draw(&folder)?;
        Ok(())
    }
}
