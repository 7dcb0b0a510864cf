//! Work that reports progress and can be interrupted.

use std::sync::atomic::Ordering;

use crate::run::Session;
use crate::{Error, Result};

/// Units of progress.
const PARTS: usize = 1000;

/// Runs work that reports its progress, and ends it when the session is stopped.
///
/// # Errors
/// Those of the work, or if it was interrupted.
pub(super) fn stoppable<T>(
    session: &mut Session<'_>,
    what: &str,
    work: impl FnOnce(&mut dyn FnMut(f64) -> Result<()>) -> Result<T>,
) -> Result<T> {
    let stop = session.stop();
    session.working(what, PARTS, |told| {
        let found = work(&mut |share| {
            told((share * PARTS as f64) as usize);
            match stop {
                Some(stop) if stop.load(Ordering::Relaxed) => Err(Error::Interrupted),
                _ => Ok(()),
            }
        })?;
        told(PARTS);
        Ok(found)
    })
}
