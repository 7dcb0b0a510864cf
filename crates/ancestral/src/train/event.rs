//! Events of a run, as observers receive them and files store them.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An event, tagged by `kind`.
///
/// The loop reports them in this order: `start` or `resume`; after each step `step`; at the end of
/// an epoch `train`, `warning`, `valid` and `epoch`, then `image` if one was saved; `end`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Event {
    /// Training begins.
    Start(Entry),
    /// Training resumes from a checkpoint.
    Resume(Entry),
    /// A step was made; not stored in files.
    Step(Progress),
    /// Means of the training metrics since the last such event.
    Train(Entry),
    /// A validation metric.
    Valid(Entry),
    /// An epoch, or the budget, ended; not stored in files.
    Epoch(Progress),
    /// An image of samples was saved.
    Image(Image),
    /// Training may be failing; the entry's note says how.
    Warning(Entry),
    /// Metrics of the test split.
    Test(Entry),
    /// Training ended, other than by being interrupted.
    End(Entry),
    /// Progress of work other than training; not stored in files.
    Work(Work),
    /// What reading the data guessed or left out; not stored in files.
    Note(Note),
}

/// A sentence on the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The sentence.
    pub note: String,
}

/// One line of the event log.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Steps so far.
    pub step: u64,
    /// Epochs so far.
    pub epoch: f64,
    /// Seconds of training so far, over all sessions of the run.
    pub seconds: f64,
    /// Named metrics.
    #[serde(default)]
    pub values: Vec<(String, f64)>,
    /// The text of a warning.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// The progress of training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Steps so far.
    pub step: u64,
    /// Epochs so far.
    pub epoch: f64,
    /// Seconds of training so far, over all sessions of the run.
    pub seconds: f64,
    /// Fraction of the budget that is used, from 0 to 1.
    pub share: f64,
    /// Metrics of the last step, the loss first.
    pub values: Vec<(String, f64)>,
    /// The last validation metric of this session and its name.
    pub validation: Option<(String, f64)>,
    /// The best validation so far.
    pub best: Option<f64>,
    /// Training examples per second in this session.
    pub examples_per_second: f64,
    /// Whether training ends here.
    pub last: bool,
}

/// An image of samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Steps so far.
    pub step: u64,
    /// Epochs so far.
    pub epoch: f64,
    /// Seconds of training so far, over all sessions of the run.
    pub seconds: f64,
    /// Its title.
    pub name: String,
    /// The file, relative to the run folder; `None` for a run in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The image as PNG; not stored in the event log.
    #[serde(skip)]
    pub png: Option<Arc<[u8]>>,
}

/// The progress of some work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The kind of work, as in "scoring".
    pub what: String,
    /// Units done.
    pub done: u64,
    /// Total units; 0 if unknown.
    pub total: u64,
}

impl Event {
    /// Its name in files.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Resume(_) => "resume",
            Self::Step(_) => "step",
            Self::Train(_) => "train",
            Self::Valid(_) => "valid",
            Self::Epoch(_) => "epoch",
            Self::Image(_) => "image",
            Self::Warning(_) => "warning",
            Self::Test(_) => "test",
            Self::End(_) => "end",
            Self::Work(_) => "work",
            Self::Note(_) => "note",
        }
    }

    /// Its entry in the event log, unless it is a step, an image or other work.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Start(entry)
            | Self::Resume(entry)
            | Self::Train(entry)
            | Self::Valid(entry)
            | Self::Warning(entry)
            | Self::Test(entry)
            | Self::End(entry) => Some(entry),
            Self::Step(_) | Self::Epoch(_) | Self::Image(_) | Self::Work(_) | Self::Note(_) => None,
        }
    }

    /// Whether the event log stores it.
    pub fn is_kept(&self) -> bool {
        self.entry().is_some() || matches!(self, Self::Image(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_is_written() {
        let entry = Entry { step: 7, epoch: 0.5, seconds: 1.25, ..Entry::default() };
        let valid = Entry { values: vec![("nll".to_owned(), 0.1)], ..entry.clone() };
        let warning = Entry { note: "spread".to_owned(), ..entry.clone() };
        let events = [
            (
                Event::Start(entry),
                "{\"kind\":\"start\",\"step\":7,\"epoch\":0.5,\"seconds\":1.25,\"values\":[]}",
            ),
            (
                Event::Valid(valid),
                "{\"kind\":\"valid\",\"step\":7,\"epoch\":0.5,\"seconds\":1.25,\"values\":[[\"nll\",0.1]]}",
            ),
            (
                Event::Warning(warning),
                "{\"kind\":\"warning\",\"step\":7,\"epoch\":0.5,\"seconds\":1.25,\"values\":[],\
                 \"note\":\"spread\"}",
            ),
        ];
        for (event, line) in events {
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
            assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event);
            assert!(line.contains(event.kind()));
        }
    }
}
