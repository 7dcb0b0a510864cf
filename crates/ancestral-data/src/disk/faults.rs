//! Faults of the disk, for tests: every operation of this thread is told to an object that may refuse
//! it.

use std::cell::RefCell;
use std::io;
use std::path::Path;

/// An operation that changes the disk, before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// A folder is created, with those above it.
    Folder(&'a Path),
    /// A file is created.
    Create(&'a Path),
    /// A file is opened, or created, to be continued.
    Append(&'a Path),
    /// Bytes are written at the end of a file.
    Write(&'a Path, &'a [u8]),
    /// A file is cut to a length.
    Truncate(&'a Path, u64),
    /// A file is synced.
    Sync(&'a Path),
    /// A folder is synced.
    SyncFolder(&'a Path),
    /// A file or folder is renamed.
    Rename(&'a Path, &'a Path),
    /// A file or folder is removed.
    Remove(&'a Path),
    /// A lock is opened and taken.
    Lock(&'a Path),
}

/// What operations are told to.
pub trait Faults {
    /// Sees an operation before it is made.
    ///
    /// # Errors
    /// If the operation is to fail.
    fn before(&mut self, operation: &Operation<'_>) -> io::Result<()>;
}

impl<F: FnMut(&Operation<'_>) -> io::Result<()>> Faults for F {
    fn before(&mut self, operation: &Operation<'_>) -> io::Result<()> {
        self(operation)
    }
}

thread_local! {
    static FAULTS: RefCell<Option<Box<dyn Faults>>> = const { RefCell::new(None) };
}

/// Runs `work` with every operation of this thread told to `faults`.
pub fn with<T>(faults: impl Faults + 'static, work: impl FnOnce() -> T) -> T {
    /// Ends it, even if the work panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            FAULTS.with(|slot| slot.replace(None));
        }
    }
    FAULTS.with(|slot| slot.replace(Some(Box::new(faults))));
    let _end = End;
    work()
}

/// Tells an operation.
pub(crate) fn before(operation: &Operation<'_>) -> io::Result<()> {
    // An operation of the faults themselves is not told.
    let Some(mut faults) = FAULTS.with(RefCell::take) else { return Ok(()) };
    let told = faults.before(operation);
    FAULTS.with(|slot| slot.replace(Some(faults)));
    told
}
