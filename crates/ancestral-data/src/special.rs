//! Files that are none: pipes, sockets and devices, which could be read without end or never.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::DataError;

/// The name of standard input.
pub(crate) const STANDARD_INPUT: &str = "-";

/// What a path leads to that is neither a plain file nor a folder.
fn special(path: &Path) -> Option<&'static str> {
    let kind = std::fs::metadata(path).ok()?.file_type();
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some(PIPE);
        }
        if kind.is_socket() {
            return Some("a socket");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    (!kind.is_file() && !kind.is_dir()).then_some("no plain file")
}

const PIPE: &str = "a pipe";

/// Refuses pipes, sockets and devices, and links to them.
///
/// # Errors
/// With what it is.
pub fn check_plain(path: &Path) -> Result<(), DataError> {
    match special(path) {
        Some(kind) => Err(DataError::Special { path: path.to_owned(), kind }),
        None => Ok(()),
    }
}

/// Opens a plain file to read.
///
/// # Errors
/// If it cannot be opened, or is a pipe, a socket or a device.
pub fn open_plain(path: &Path) -> Result<File, DataError> {
    check_plain(path)?;
    File::open(path).map_err(|e| DataError::io("read", path, e))
}

/// Reads a plain file.
///
/// # Errors
/// As [`open_plain`], or if it cannot be read.
pub fn read_plain(path: &Path) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let read = open_plain(path)?.read_to_end(&mut bytes);
    read.map_err(|e| DataError::io("read", path, e))?;
    Ok(bytes)
}

/// Whether data is read from a pipe or from standard input (`-`), which is possible once.
pub fn is_pipe(name: &str) -> bool {
    name == STANDARD_INPUT || special(Path::new(name)) == Some(PIPE)
}

/// A pipe, or standard input under the name `-`.
pub(crate) fn open_source(name: &str) -> Result<Box<dyn Read>, DataError> {
    if name == STANDARD_INPUT {
        return Ok(Box::new(std::io::stdin()));
    }
    let path = Path::new(name);
    Ok(Box::new(File::open(path).map_err(|e| DataError::io("read", path, e))?))
}
