//! The events of a run, one JSON object per line in `events.jsonl`.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use ancestral_data::{Appender, DataError, open_plain};

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

/// The events of a file, and the number of damaged lines, which are skipped; so are, without being
/// counted, an incomplete last line and kinds that this version does not know.
pub(super) fn read_events(path: &Path) -> Result<(Vec<Event>, usize)> {
    if !path.exists() {
        return Ok((Vec::new(), 0));
    }
    let failed = |e| DataError::io("read", path, e);
    let mut file = BufReader::new(open_plain(path)?);
    let (mut events, mut damaged) = (Vec::new(), 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut file).take(MOST).read_until(b'\n', &mut line).map_err(failed)?;
        if line.is_empty() {
            return Ok((events, damaged));
        }
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            Err(_) => damaged += usize::from(line.ends_with(b"\n") && !is_of_other_kind(&line)),
        }
        // The rest of a line that is too long.
        while line.len() as u64 == MOST && !line.ends_with(b"\n") {
            line.clear();
            (&mut file).take(MOST).read_until(b'\n', &mut line).map_err(failed)?;
        }
    }
}

/// The most bytes of a line.
const MOST: u64 = 64 << 20;

/// Whether a line is an event of a kind that another version writes.
fn is_of_other_kind(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Tagged {
        kind: String,
    }
    serde_json::from_slice::<Tagged>(line).is_ok_and(|tagged| !KINDS.contains(&&*tagged.kind))
}

/// The kinds that this version stores.
const KINDS: [&str; 8] = ["start", "resume", "train", "valid", "image", "warning", "test", "end"];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]
mod tests {
    use super::*;

    #[test]
    fn damaged_lines_are_skipped_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        assert_eq!(read_events(&path).unwrap().1, 0);
        let good = b"{\"kind\":\"start\",\"step\":0,\"epoch\":0.0,\"seconds\":0.0}\n";
        for (bad, damaged) in [
            (&b"\xff\xfe\n"[..], 1),
            (b"{\"kind\":\"start\",\"step\":\x80}\n", 1),
            (b"\0\0\0\0\n", 1),
            (b"{\"kind\":\"train\",\"step\":1\n\n", 2),
            (b"[1]\n", 1),
            (b"{\"kind\":\"later\",\"more\":1}\n", 0),
        ] {
            std::fs::write(&path, [&good[..], bad, good, b"{\"kind\":\"tr"].concat()).unwrap();
            let (events, found) = read_events(&path).unwrap();
            assert_eq!((events.len(), found), (2, damaged), "{}", String::from_utf8_lossy(bad));
        }
    }
}
