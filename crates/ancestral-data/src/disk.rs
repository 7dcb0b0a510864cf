//! Access to the disk: atomic files and folders, append-only files, locks.
//!
//! Every operation that changes the disk goes through `told!`, by which a test can make it fail
//! (feature `faults`).

#[cfg(any(test, feature = "faults"))]
pub mod faults;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::DataError;

/// Tells an operation to a test that may refuse it; nothing in the released program.
macro_rules! told {
    ($operation:ident, $($with:expr),+) => {
        #[cfg(any(test, feature = "faults"))]
        faults::before(&faults::Operation::$operation($($with),+))?;
    };
}

/// Distinguishes files that this process writes at the same time.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file, each write to which is an operation.
#[derive(Debug)]
pub(crate) struct Raw {
    file: File,
    #[cfg_attr(not(any(test, feature = "faults")), allow(dead_code, reason = "tests are told it"))]
    path: PathBuf,
}

impl Raw {
    /// A new file, in place of one that is there.
    #[cfg(feature = "fetch")]
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        told!(Create, path);
        Ok(Self { file: File::create(path)?, path: path.to_owned() })
    }

    /// A new file; what is there is refused, links included.
    fn create_new(path: &Path) -> io::Result<Self> {
        told!(Create, path);
        Ok(Self { file: File::create_new(path)?, path: path.to_owned() })
    }

    /// A file that is continued at its end.
    pub(crate) fn append(path: &Path) -> io::Result<Self> {
        told!(Append, path);
        let file = open_own(path, OpenOptions::new().create(true).append(true))?;
        Ok(Self { file, path: path.to_owned() })
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        told!(Sync, &self.path);
        self.file.sync_all()
    }
}

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        told!(Write, &self.path, bytes);
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a file that only this program writes: a link is not followed, and what is no plain file is
/// refused without waiting for its other end.
fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    if path.symlink_metadata().is_ok_and(|meta| meta.is_symlink()) {
        return Err(io::Error::other("it is a symbolic link, which is not followed; remove it"));
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a plain file; remove it"));
    }
    Ok(file)
}

/// Creates a folder and those above it.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    told!(Folder, path);
    fs::create_dir_all(path)?;
    sync_folder(parent(path))
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    told!(Rename, from, to);
    fs::rename(from, to)
}

/// Removes a file, or a folder with all that is in it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    told!(Remove, path);
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Makes the names in a folder survive a power failure; not every system can.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    told!(SyncFolder, path);
    if let Ok(folder) = File::open(path) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The folder of a path.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Bytes that this user can still write to the disk of `path`, which need not exist yet; `None` if
/// unknown.
pub fn free_space(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let there = path.ancestors().find(|path| path.exists() || path.as_os_str().is_empty())?;
        let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        let disk = rustix::fs::statvfs(there).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// How often a temporary name is tried.
const TRIES: usize = 100;

/// A temporary name beside a path.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // Two threads may write the same file: the later rename wins, and both are complete.
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{number}.tmp", std::process::id()));
    parent(path).join(name)
}

/// Locks what this process writes under a temporary name; false if another one takes it for what a
/// killed process left, or has removed it.
fn is_held(file: &File, temporary: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Without locks nothing is taken for left.
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return false;
        }
        let (Ok(own), Ok(there)) = (file.metadata(), temporary.symlink_metadata()) else {
            return false;
        };
        (own.dev(), own.ino()) == (there.dev(), there.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = (file, temporary);
        true
    }
}

/// Creates a folder under a temporary name of a path, and locks it.
fn held_folder(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    for _ in 0..TRIES {
        let temporary = temporary_name(path);
        if temporary.symlink_metadata().is_ok() {
            remove(&temporary)?;
        }
        create_folders(&temporary)?;
        match File::open(&temporary) {
            Ok(folder) if is_held(&folder, &temporary) => return Ok((temporary, Some(folder))),
            // Removed by another process between the two.
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            // Not every system opens folders.
            Err(_) => return Ok((temporary, None)),
        }
    }
    Err(io::Error::other("another process removes its unfinished folders"))
}

/// Removes what killed processes left under temporary names of a path; what a process still writes is
/// locked by it.
fn remove_left(path: &Path) {
    #[cfg(unix)]
    {
        let Some(name) = path.file_name() else { return };
        let folder = parent(path);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let found = entry.file_name();
            let plain = entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_dir());
            if !plain || !is_temporary_name(found.as_encoded_bytes(), name.as_encoded_bytes()) {
                continue;
            }
            if is_of_another(found.as_encoded_bytes()) {
                continue;
            }
            let left = folder.join(&found);
            if let Ok(file) = File::open(&left)
                && file.try_lock().is_ok()
            {
                // What cannot be removed does no harm.
                let _ = remove(&left);
            }
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Whether a temporary name is that of another process that runs, as far as this is known.
#[cfg(unix)]
fn is_of_another(found: &[u8]) -> bool {
    let name = String::from_utf8_lossy(found);
    let process = name.rsplit('.').nth(1).and_then(|part| part.split('-').next());
    process.is_some_and(|process| {
        process != std::process::id().to_string() && Path::new("/proc").join(process).exists()
    })
}

/// Whether this is a temporary name of `name`: `.name.PROCESS-NUMBER.tmp`.
#[cfg(unix)]
fn is_temporary_name(found: &[u8], name: &[u8]) -> bool {
    let middle = found.strip_prefix(b".").and_then(|rest| rest.strip_prefix(name));
    let middle = middle.and_then(|rest| rest.strip_prefix(b".")?.strip_suffix(b".tmp"));
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    middle.is_some_and(|middle| {
        let mut parts = middle.splitn(2, |&b| b == b'-');
        parts.next().is_some_and(digits) && parts.next().is_some_and(digits)
    })
}

/// A file under a temporary name that takes its real name only when [`AtomicFile::commit`] has
/// synced it; if dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    file: Option<BufWriter<Raw>>,
    done: bool,
}

impl AtomicFile {
    /// Opens a temporary file in the folder of `path`, creating the folders above it.
    ///
    /// # Errors
    /// If the folder or the file cannot be created.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, DataError> {
        let path = path.into();
        let folder = parent(&path);
        create_folders(folder).map_err(|e| DataError::io("create folder", folder, e))?;
        remove_left(&path);
        Self::begin(path)
    }

    /// The same in a folder that is there.
    fn begin(path: PathBuf) -> Result<Self, DataError> {
        for _ in 0..TRIES {
            let temporary = temporary_name(&path);
            // One of this name was left by a killed process with the same number.
            if temporary.symlink_metadata().is_ok() {
                remove(&temporary).map_err(|e| DataError::io("remove", &temporary, e))?;
            }
            let file =
                Raw::create_new(&temporary).map_err(|e| DataError::io("create", &path, e))?;
            if is_held(&file.file, &temporary) {
                let file = Some(BufWriter::new(file));
                return Ok(Self { path, temporary, file, done: false });
            }
        }
        let error = io::Error::other("another process removes its unfinished files");
        Err(DataError::io("create", &path, error))
    }

    /// The file so far, to be read from its start.
    pub(crate) fn reopen(&self) -> io::Result<File> {
        File::open(&self.temporary)
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
            file.sync()?;
        }
        rename(&self.temporary, &self.path)?;
        self.done = true;
        // The rename itself must survive a power failure.
        sync_folder(parent(&self.path))
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
        if !self.done {
            // What is buffered need not be written any more.
            drop(self.file.take().map(BufWriter::into_parts));
            let _ = remove(&self.temporary);
        }
    }
}

/// A file that no name leads to, so that nothing of it stays when the process ends in any way.
#[derive(Debug)]
pub(crate) struct Unnamed {
    raw: Raw,
}

impl Unnamed {
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join("ancestral");
        remove_left(&path);
        let path = temporary_name(&path);
        told!(Create, &path);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        // Elsewhere than on Unix the name may stay as long as the file is open.
        let _ = remove(&path);
        Ok(Self { raw: Raw { file, path } })
    }

    /// The same file, with the same position.
    pub(crate) fn reader(&self) -> io::Result<File> {
        self.raw.file.try_clone()
    }
}

impl Write for Unnamed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.raw.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.raw.flush()
    }
}

/// Removes unfinished files of killed processes from a folder that no other process writes to.
pub fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            // A file that cannot be removed does no harm.
            let _ = remove(&entry.path());
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

/// Writes a whole file atomically inside a folder, which is not created if it is gone; folders inside
/// of it are.
///
/// # Errors
/// If the folder is gone, or the disk cannot be written.
pub fn write_atomic_in(folder: &Path, name: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let path = folder.join(name);
    if let Some(inner) = name.parent().filter(|inner| !inner.as_os_str().is_empty()) {
        let inner = folder.join(inner);
        let made = || -> io::Result<()> {
            if inner.is_dir() {
                return Ok(());
            }
            told!(Folder, &inner);
            fs::create_dir(&inner)?;
            sync_folder(folder)
        };
        made().map_err(|e| DataError::io("create folder", &inner, e))?;
    }
    let mut file = AtomicFile::begin(path)?;
    file.write_all(bytes).map_err(|e| DataError::io("write", file.path.clone(), e))?;
    file.commit()
}

/// Writes a whole file into a folder that no name leads to yet, as [`create_folder`] fills one:
/// synced, but under its real name at once.
///
/// # Errors
/// If the disk cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let written = || {
        let mut file = Raw::create_new(path)?;
        file.write_all(bytes)?;
        file.sync()
    };
    written().map_err(|e| DataError::io("write", path, e))
}

/// Removes a file or a folder, if it is there.
///
/// # Errors
/// If it cannot be removed.
pub fn remove_if_there(path: &Path) -> Result<(), DataError> {
    match remove(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(DataError::io("remove", path, e)),
        _ => Ok(()),
    }
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
    if path.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let failed = |e| DataError::io("create folder", path, e);
    let above = parent(path);
    create_folders(above).map_err(|e| DataError::io("create folder", above, e))?;
    remove_left(path);
    let (temporary, _held) = held_folder(path).map_err(failed)?;
    let made = fill(&temporary)
        .and_then(|()| sync_folder(&temporary).map_err(|e| failed(e).into()))
        .and_then(|()| match rename(&temporary, path) {
            Ok(()) => Ok(true),
            // Another process has created it meanwhile.
            Err(e)
                if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) =>
            {
                Ok(false)
            }
            Err(e) => Err(failed(e).into()),
        });
    if !matches!(made, Ok(true)) {
        let _ = remove(&temporary);
        return made;
    }
    sync_folder(above).map_err(failed)?;
    Ok(true)
}

/// An append-only file.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: Option<BufWriter<Raw>>,
    length: u64,
}

impl Appender {
    /// Opens or creates the file and truncates it to `length` bytes; a shorter file is continued at
    /// its end.
    ///
    /// # Errors
    /// If the disk cannot be written, or the file is a link or no plain file.
    pub fn open(path: &Path, length: u64) -> Result<Self, DataError> {
        let opened = || -> io::Result<(Raw, u64)> {
            let raw = Raw::append(path)?;
            let before = raw.file.metadata()?.len();
            if before > length {
                told!(Truncate, path, length);
                raw.file.set_len(length)?;
            }
            Ok((raw, before.min(length)))
        };
        let (raw, length) = opened().map_err(|e| DataError::io("open", path, e))?;
        Ok(Self { path: path.to_owned(), file: Some(BufWriter::new(raw)), length })
    }

    fn file(&mut self) -> io::Result<&mut BufWriter<Raw>> {
        self.file.as_mut().ok_or_else(|| io::Error::other("the file is closed"))
    }

    /// Appends bytes, which are durable after the next [`Appender::sync`].
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let written = self.file().and_then(|file| file.write_all(bytes));
        written.map_err(|e| DataError::io("write", &self.path, e))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Flushes all bytes so far to the operating system.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn flush(&mut self) -> Result<(), DataError> {
        let flushed = self.file().and_then(Write::flush);
        flushed.map_err(|e| DataError::io("write", &self.path, e))
    }

    /// Syncs all bytes so far to disk and returns their number.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn sync(&mut self) -> Result<u64, DataError> {
        self.flush()?;
        let synced = self.file().and_then(|file| file.get_ref().sync());
        synced.map_err(|e| DataError::io("write", &self.path, e))?;
        Ok(self.length)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // A line that could not be written is not written in part, as at a kill.
        drop(self.file.take().map(BufWriter::into_parts));
    }
}

/// A lock file, which one holder has at a time, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Acquires the lock; `None` if another process, or another part of this one, holds it.
    ///
    /// # Errors
    /// If the disk cannot be written, or the path is a link or no plain file.
    pub fn take(path: &Path) -> Result<Option<Self>, DataError> {
        let opened = || -> io::Result<File> {
            told!(Lock, path);
            open_own(path, OpenOptions::new().create(true).write(true).truncate(false))
        };
        let file = opened().map_err(|e| DataError::io("lock", path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path: path.to_owned() })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(DataError::io("lock", path, e)),
        }
    }

    /// Whether the file is still where it was taken, in the same folder; not if that was removed or
    /// replaced.
    pub fn is_there(&self) -> bool {
        let Ok(there) = self.path.symlink_metadata() else { return false };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let own = self.file.metadata();
            own.is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = &self.file;
            there.is_file()
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

    #[cfg(unix)]
    #[test]
    fn what_killed_processes_left_is_removed_and_what_others_write_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let names = || {
            let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            names
        };
        for name in [".a.csv.99999997-0.tmp", ".a.csv.99999999-12.tmp"] {
            fs::write(at(name), "half").unwrap();
        }
        fs::create_dir(at(".a.csv.99999998-1.tmp")).unwrap();
        fs::write(at(".a.csv.99999998-1.tmp").join("0.png"), "half").unwrap();
        // Of other targets, and other names.
        let others = [".a.csv.tmp", ".a.csv.7-x.tmp", ".b.a.csv.7-0.tmp", "a.csv.7-0.tmp"];
        for name in others {
            fs::write(at(name), "kept").unwrap();
        }
        std::os::unix::fs::symlink(at("a.csv.7-0.tmp"), at(".a.csv.8-0.tmp")).unwrap();
        let mut first = AtomicFile::create(at("a.csv")).unwrap();
        first.write_all(b"first").unwrap();
        // Another writer does not take what the first one writes for left.
        write_atomic(at("a.csv"), b"second").unwrap();
        let (mut all, mut kept) = (names(), others.map(str::to_owned).to_vec());
        kept.extend(["a.csv".to_owned(), ".a.csv.8-0.tmp".to_owned()]);
        all.retain(|name| !kept.contains(name));
        assert_eq!(all.len(), 1, "{all:?}");
        first.commit().unwrap();
        assert_eq!(fs::read(at("a.csv")).unwrap(), b"first");
        kept.sort();
        assert_eq!(names(), kept);
        // Folders, too.
        fs::create_dir(at(".run.99999997-0.tmp")).unwrap();
        let made = create_folder(&at("run"), |_| {
            write_atomic(at("run"), b"a file of this name")?;
            Err::<(), _>(DataError::Unsuitable("seen".to_owned()))
        });
        assert!(made.is_err() && at("run").is_file());
        kept.push("run".to_owned());
        assert_eq!(names(), kept);
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

    #[cfg(unix)]
    #[test]
    fn what_only_this_program_writes_is_never_a_link_or_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("lock"), dir.path().join("other"));
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        let error = Lock::take(&path).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        let error = Appender::open(&path, 0).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        assert_eq!(fs::read(&other).unwrap(), b"kept");
        // An atomic file takes the place of a link and leaves what it leads to.
        write_atomic(&path, b"new").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read(&other).unwrap()),
            (b"new".into(), b"kept".into())
        );
        fs::remove_file(&path).unwrap();
        // A link to nothing does not make a file elsewhere.
        std::os::unix::fs::symlink(dir.path().join("nowhere"), &path).unwrap();
        assert!(Lock::take(&path).is_err() && !dir.path().join("nowhere").exists());
        fs::remove_file(&path).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(pipe.success());
        assert!(Lock::take(&path).is_err() && Appender::open(&path, 0).is_err());
    }

    #[test]
    fn a_lock_knows_whether_its_folder_is_still_there() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        fs::create_dir(&run).unwrap();
        let lock = Lock::take(&run.join("lock")).unwrap().unwrap();
        assert!(lock.is_there());
        fs::remove_dir_all(&run).unwrap();
        assert!(!lock.is_there());
        fs::create_dir(&run).unwrap();
        let other = Lock::take(&run.join("lock")).unwrap().unwrap();
        assert!(other.is_there() && !lock.is_there());
    }

    #[test]
    fn free_space_is_known_of_paths_that_do_not_exist_yet() {
        let dir = tempfile::tempdir().unwrap();
        if let Some(free) = free_space(&dir.path().join("a/b/c.npy")) {
            assert!(free > 0 && free < 1 << 60, "{free}");
        }
    }
}
