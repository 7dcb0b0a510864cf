//! The events of a run, one JSON object per line in `events.jsonl`.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use ancestral_data::{Appender, DataError};

use crate::Result;
use crate::train::Event;

/// The file while a run writes it.
#[derive(Debug)]
pub(super) struct EventLog(Appender);

impl EventLog {
    /// Opens the file and truncates it at `offset`, after which no event belongs to the checkpoint.
    pub(super) fn open(path: &Path, offset: u64) -> Result<Self> {
        Ok(Self(Appender::open(path, offset)?))
    }

    pub(super) fn push(&mut self, event: &Event) -> Result<()> {
        let mut line = serde_json::to_string(event).unwrap_or_default();
        line.push('\n');
        self.0.append(line.as_bytes())?;
        Ok(self.0.flush()?)
    }

    /// Syncs everything so far to disk and returns its length.
    pub(super) fn sync(&mut self) -> Result<u64> {
        Ok(self.0.sync()?)
    }
}

/// All events of a file; an incomplete last line and kinds that this version does not know are
/// skipped.
pub(super) fn read_events(path: &Path) -> Result<Vec<Event>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
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
