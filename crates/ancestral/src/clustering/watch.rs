//! The progress of long work, and a flag that stops it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Who is told of progress, and may stop the work; what was found until then is kept.
pub struct Watch<'a> {
    stop: Option<&'a AtomicBool>,
    told: &'a mut dyn FnMut(u64, u64),
}

impl<'a> Watch<'a> {
    /// With a flag that stops the work, and a function of how much is done and how much there is.
    pub fn new(stop: Option<&'a AtomicBool>, told: &'a mut dyn FnMut(u64, u64)) -> Self {
        Self { stop, told }
    }

    /// Tells of progress.
    pub(super) fn tell(&mut self, done: usize, total: usize) {
        (self.told)(done as u64, total as u64);
    }

    /// Whether the work is to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}
