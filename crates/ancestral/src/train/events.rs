//! What happened in a run, one JSON object a line in `events.jsonl`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use ancestral_data::DataError;
use serde::{Deserialize, Serialize};

use crate::Result;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// "train", "valid", "warning", "start", "resume", "end" or "test".
    pub kind: String,
    /// Steps done.
    pub step: u64,
    /// Passes over the training split done.
    pub epoch: f64,
    /// Seconds of training so far, over all sessions of the run.
    pub seconds: f64,
    /// Named figures; those of training are means since the line before.
    #[serde(default)]
    pub values: Vec<(String, f64)>,
    /// What a warning says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// The file while a run writes it.
#[derive(Debug)]
pub(crate) struct EventLog {
    path: PathBuf,
    file: BufWriter<File>,
    offset: u64,
}

impl EventLog {
    /// Opens the file and cuts off what came after `offset`, which no checkpoint knows.
    pub(crate) fn open(path: &Path, offset: u64) -> Result<Self> {
        let fail = |e| DataError::io("open", path, e);
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        // A file shorter than its checkpoint says was cut by hand: go on after what is there.
        let offset = offset.min(length);
        file.set_len(offset).map_err(fail)?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), offset })
    }

    pub(crate) fn push(&mut self, event: &Event) -> Result<()> {
        let mut line = serde_json::to_string(event).unwrap_or_default();
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|e| DataError::io("write", &self.path, e))?;
        self.offset += line.len() as u64;
        Ok(())
    }

    /// Makes everything so far safe on the disk and says how much that is.
    pub(crate) fn sync(&mut self) -> Result<u64> {
        let fail = |e| DataError::io("write", &self.path, e);
        self.file.flush().map_err(fail)?;
        self.file.get_ref().sync_data().map_err(fail)?;
        Ok(self.offset)
    }
}

/// All events of a file; a last line that was cut off is left out.
pub(crate) fn read_events(path: &Path) -> Result<Vec<Event>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(DataError::io("read", path, e).into()),
    };
    let mut events = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| DataError::io("read", path, e))?;
        if let Ok(event) = serde_json::from_str(&line) {
            events.push(event);
        }
    }
    Ok(events)
}
