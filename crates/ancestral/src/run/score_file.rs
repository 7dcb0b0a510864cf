//! Files of scores, written part by part.

use std::cmp::Ordering;
use std::fmt::Write;
use std::path::Path;

use ancestral_data::{CsvWriter, Held, csv_cell};

use super::loaded::{DataQuery, Run};
use super::score::{ClassScores, LogScores, Scored, Scores};
use super::session::Session;
use crate::Result;
use crate::evaluate::Options;

/// The entries of a table that are held at a time.
const HELD_ENTRIES: usize = 1 << 21;
/// The number of least probable examples that are kept.
const LOWEST: usize = 5;

/// What a file of scores holds.
#[derive(Debug, Clone)]
pub enum ScoreSummary {
    /// For a model with a density.
    LogProbabilities(LogSummary),
    /// For a classifier.
    Classes(ClassSummary),
    /// For a classifier by Bayes' rule.
    Joint(LogSummary, ClassSummary),
}

/// A summary of log-probabilities, in nats.
#[derive(Debug, Clone)]
pub struct LogSummary {
    /// The examples that were scored.
    pub of: Scored,
    /// "exact" or "bound".
    pub kind: &'static str,
    /// Importance samples per example; 0 where none are needed.
    pub samples: usize,
    /// Whether the values are log-probabilities; else log-densities in the units of the data.
    pub is_mass: bool,
    /// The mean over examples.
    pub mean: f64,
    /// The least probable examples, at most five: their numbers and their values.
    pub lowest: Vec<(usize, f64)>,
}

/// A summary of class probabilities.
#[derive(Debug, Clone)]
pub struct ClassSummary {
    /// The examples that were scored.
    pub of: Scored,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// How often each is the most probable one.
    pub counts: Vec<u64>,
}

impl Session<'_> {
    /// Scores examples into a CSV file that appears when it is whole, with a row for each of them.
    ///
    /// A table, an array or a folder of images that is larger than some 16 MiB in memory is read twice,
    /// part by part; what a pipe gives is kept in the folder of `out` for it.
    ///
    /// # Errors
    /// As [`Session::score`], or if the file cannot be written.
    pub fn score_to(
        &mut self,
        run: &Run,
        query: &DataQuery,
        options: Options,
        out: &Path,
    ) -> Result<ScoreSummary> {
        // The file's folder may not exist yet.
        let folder = out.ancestors().skip(1).find(|folder| folder.is_dir());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        let held = Held { entries: HELD_ENTRIES, folder };
        self.score_holding(run, query, options, out, &held)
    }

    /// The same with so much of a table held.
    ///
    /// # Errors
    /// As [`Session::score_to`].
    pub fn score_holding(
        &mut self,
        run: &Run,
        query: &DataQuery,
        options: Options,
        out: &Path,
        held: &Held,
    ) -> Result<ScoreSummary> {
        let mut file = ScoreFile::default();
        let of = self.score_parts(run, query, options, held, |part| match part {
            Scores::LogProbabilities(part) => file.log_probabilities(out, &part, None),
            Scores::Classes(part) => file.classes(out, part),
            Scores::Joint(part, classes) => file.log_probabilities(out, &part, Some(&classes)),
        })?;
        file.finish(of)
    }
}

#[derive(Default)]
struct ScoreFile {
    writer: Option<CsvWriter>,
    rows: usize,
    summary: Option<ScoreSummary>,
    sum: Option<f64>,
}

impl ScoreFile {
    fn write(&mut self, out: &Path, header: &[String], text: &str) -> Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(CsvWriter::create(out, header)?),
        };
        Ok(writer.text(text)?)
    }

    fn log_probabilities(
        &mut self,
        out: &Path,
        part: &LogScores,
        classes: Option<&ClassScores>,
    ) -> Result<()> {
        let LogScores { of, nats, mc_stderr, kind, samples, is_mass, terms } = part;
        let mut text = String::new();
        for (i, (value, error)) in nats.iter().zip(mc_stderr).enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{},{value},{kind},{error}", self.rows + i);
            if let Some(classes) = classes {
                write_classes(&mut text, classes, i);
            }
            if let Some(terms) = terms {
                let count = terms.columns.len();
                for nats in terms.nats.iter().skip(i * count).take(count) {
                    let _ = write!(text, ",{nats}");
                }
            }
            text.push('\n');
        }
        let mut header =
            ["row", "log_probability", "kind", "mc_stderr"].map(str::to_owned).to_vec();
        header.extend(classes.into_iter().flat_map(|classes| class_header(&classes.classes)));
        let columns = terms.iter().flat_map(|terms| &terms.columns);
        header.extend(columns.map(|name| format!("log_probability_{name}")));
        self.write(out, &header, &text)?;
        let first = self.rows;
        let numbered = nats.iter().enumerate().map(|(i, &value)| (first + i, value));
        self.rows += nats.len();
        // Added up in order, as without parts.
        let before = self.sum.unwrap_or_else(|| std::iter::empty::<f64>().sum());
        self.sum = Some(nats.iter().fold(before, |sum, value| sum + value));
        let by_value = |a: &(usize, f64), b: &(usize, f64)| -> Ordering {
            a.1.total_cmp(&b.1).then(a.0.cmp(&b.0))
        };
        let (mut lowest, before) = match self.summary.take() {
            Some(ScoreSummary::LogProbabilities(summary)) => (summary.lowest, None),
            Some(ScoreSummary::Joint(summary, classes)) => (summary.lowest, Some(classes.counts)),
            _ => (Vec::new(), None),
        };
        lowest.extend(numbered);
        if lowest.len() > LOWEST {
            lowest.select_nth_unstable_by(LOWEST, by_value);
            lowest.truncate(LOWEST);
        }
        lowest.sort_by(by_value);
        // Its room is that of the part.
        lowest.shrink_to_fit();
        let logs = LogSummary {
            of: of.clone(),
            kind,
            samples: *samples,
            is_mass: *is_mass,
            mean: 0.0,
            lowest,
        };
        self.summary = Some(match classes {
            None => ScoreSummary::LogProbabilities(logs),
            Some(part) => ScoreSummary::Joint(logs, counted(part, before)),
        });
        Ok(())
    }

    fn classes(&mut self, out: &Path, part: ClassScores) -> Result<()> {
        let before = match self.summary.take() {
            Some(ScoreSummary::Classes(summary)) => Some(summary.counts),
            _ => None,
        };
        let mut text = String::new();
        for i in 0..part.most_probable.len() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", self.rows);
            write_classes(&mut text, &part, i);
            text.push('\n');
            self.rows += 1;
        }
        let mut header = vec!["row".to_owned()];
        header.extend(class_header(&part.classes));
        self.write(out, &header, &text)?;
        self.summary = Some(ScoreSummary::Classes(counted(&part, before)));
        Ok(())
    }

    fn finish(self, of: Scored) -> Result<ScoreSummary> {
        if let Some(writer) = self.writer {
            writer.finish()?;
        }
        Ok(match self.summary {
            Some(ScoreSummary::LogProbabilities(summary)) => {
                let mean = self.sum.unwrap_or(0.0) / self.rows.max(1) as f64;
                ScoreSummary::LogProbabilities(LogSummary { of, mean, ..summary })
            }
            Some(ScoreSummary::Classes(summary)) => {
                ScoreSummary::Classes(ClassSummary { of, ..summary })
            }
            Some(ScoreSummary::Joint(summary, classes)) => {
                let mean = self.sum.unwrap_or(0.0) / self.rows.max(1) as f64;
                ScoreSummary::Joint(
                    LogSummary { of: of.clone(), mean, ..summary },
                    ClassSummary { of, ..classes },
                )
            }
            // Data without examples is refused before.
            None => {
                ScoreSummary::Classes(ClassSummary { of, classes: Vec::new(), counts: Vec::new() })
            }
        })
    }
}

/// The cells of an example's most probable class and of the probability of each.
fn write_classes(text: &mut String, part: &ClassScores, example: usize) {
    let count = part.classes.len();
    let class = part.most_probable.get(example).copied().unwrap_or(0) as usize;
    // Writing to a string cannot fail.
    let _ = write!(text, ",{}", csv_cell(part.classes.get(class).map_or("", String::as_str)));
    for p in part.probabilities.iter().skip(example * count).take(count) {
        let _ = write!(text, ",{p}");
    }
}

/// The columns of these cells.
fn class_header(classes: &[String]) -> impl Iterator<Item = String> + '_ {
    std::iter::once("class".to_owned()).chain(classes.iter().map(|class| format!("p_{class}")))
}

/// The counts of the most probable classes so far.
fn counted(part: &ClassScores, before: Option<Vec<u64>>) -> ClassSummary {
    let mut counts = before.unwrap_or_else(|| vec![0; part.classes.len()]);
    for &class in &part.most_probable {
        if let Some(count) = counts.get_mut(class as usize) {
            *count += 1;
        }
    }
    ClassSummary { of: part.of.clone(), classes: part.classes.clone(), counts }
}
