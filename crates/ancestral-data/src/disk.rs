//! Access to the disk: atomic files and folders, append-only files, locks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::DataError;

/// Distinguishes files that this process writes at the same time.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file under a temporary name that takes its real name only when [`AtomicFile::commit`] has
/// synced it; if dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<File>>,
}

impl AtomicFile {
    /// Opens a temporary file in the folder of `path`, creating the folders above it.
    ///
    /// # Errors
    /// If the folder or the file cannot be created.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, DataError> {
        let path = path.into();
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|e| DataError::io("create folder", parent, e))?;
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        // Two threads may write the same file: the later rename wins, and both are complete.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}-{number}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = File::create(&temporary).map_err(|e| DataError::io("create", &path, e))?;
        Ok(Self { path, temporary, file: Some(BufWriter::new(file)) })
    }

    /// Flushes, syncs and renames.
    ///
    /// # Errors
    /// If the disk is full or the rename is refused; the old file, if any, is then untouched.
    pub fn commit(mut self) -> Result<(), DataError> {
        let result = self.finish();
        result.map_err(|e| DataError::io("write", &self.path, e))
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(writer) = self.file.take() {
            let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
        }
        fs::rename(&self.temporary, &self.path)?;
        // The rename itself must survive a power failure; not every system can sync a folder.
        if let Some(parent) = self.path.parent() {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            if let Ok(folder) = File::open(parent) {
                let _ = folder.sync_all();
            }
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::Error::other("file already committed")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // After a commit there is nothing under the temporary name.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Removes unfinished files of killed processes from a folder that no other process writes to.
pub fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            // A file that cannot be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a whole file atomically.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write_atomic(path: impl Into<PathBuf>, bytes: &[u8]) -> Result<(), DataError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|e| DataError::io("write", file.path.clone(), e))?;
    file.commit()
}

/// Creates a folder atomically, with the files that `fill` writes into it; false if the path
/// already exists.
///
/// # Errors
/// Those of `fill`, or if the disk cannot be written.
pub fn create_folder<E: From<DataError>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<bool, E> {
    if path.exists() {
        return Ok(false);
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|e| DataError::io("create folder", parent, e))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = parent.join(format!(".{name}.{}.tmp", std::process::id()));
    // A folder of this name was left by a killed process with the same number.
    let _ = fs::remove_dir_all(&temporary);
    fs::create_dir(&temporary).map_err(|e| DataError::io("create folder", path, e))?;
    let made = fill(&temporary).and_then(|()| match fs::rename(&temporary, path) {
        Ok(()) => Ok(true),
        // Another process has created it meanwhile.
        Err(e) if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {
            Ok(false)
        }
        Err(e) => Err(DataError::io("create folder", path, e).into()),
    });
    if !matches!(made, Ok(true)) {
        let _ = fs::remove_dir_all(&temporary);
    }
    made
}

/// An append-only file.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
}

impl Appender {
    /// Opens or creates the file and truncates it to `length` bytes; a shorter file is continued at
    /// its end.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn open(path: &Path, length: u64) -> Result<Self, DataError> {
        let fail = |e| DataError::io("open", path, e);
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(fail)?;
        let length = length.min(file.metadata().map_err(fail)?.len());
        file.set_len(length).map_err(fail)?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), length })
    }

    /// Appends bytes, which are durable after the next [`Appender::sync`].
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.file.write_all(bytes).map_err(|e| DataError::io("write", &self.path, e))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Flushes all bytes so far to the operating system.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn flush(&mut self) -> Result<(), DataError> {
        self.file.flush().map_err(|e| DataError::io("write", &self.path, e))
    }

    /// Syncs all bytes so far to disk and returns their number.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn sync(&mut self) -> Result<u64, DataError> {
        self.flush()?;
        let synced = self.file.get_ref().sync_data();
        synced.map_err(|e| DataError::io("write", &self.path, e))?;
        Ok(self.length)
    }
}

/// A lock file, which one holder has at a time, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Acquires the lock; `None` if another process, or another part of this one, holds it.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn take(path: &Path) -> Result<Option<Self>, DataError> {
        let file = File::create(path).map_err(|e| DataError::io("create", path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(DataError::io("lock", path, e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uncommitted_file_leaves_the_old_one_and_no_litter() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep").join("a.txt");
        write_atomic(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write_atomic(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep").join("run");
        let fill = |folder: &Path| write_atomic(folder.join("a"), b"1");
        let fail = |_: &Path| Err(DataError::Unsuitable("no".to_owned()));
        assert!(create_folder(&path, fail).is_err());
        assert!(create_folder(&path, fill).unwrap());
        assert!(!create_folder(&path, |_| Ok::<(), DataError>(())).unwrap());
        assert_eq!(fs::read(path.join("a")).unwrap(), b"1");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no litter");
    }

    #[test]
    fn a_file_is_continued_where_it_was_cut() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = Appender::open(&path, 0).unwrap();
        log.append(b"one two").unwrap();
        assert_eq!(log.sync().unwrap(), 7);
        let mut log = Appender::open(&path, 4).unwrap();
        log.append(b"three").unwrap();
        assert_eq!(log.sync().unwrap(), 9);
        assert_eq!(fs::read(&path).unwrap(), b"one three");
        let mut short = Appender::open(&path, 100).unwrap();
        short.append(b"!").unwrap();
        assert_eq!(short.sync().unwrap(), 10);
    }

    #[test]
    fn a_lock_is_held_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::take(&path).unwrap().is_some());
    }
}
