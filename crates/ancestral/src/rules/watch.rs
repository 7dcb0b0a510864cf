//! What a running analysis does, for another thread to show, and the flag that stops it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::{Result, RulesError};

/// The progress of an analysis and its stop flag; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    phase: Mutex<&'static str>,
    done: AtomicU64,
    total: AtomicU64,
}

/// How far an analysis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it does; empty before it begins.
    pub phase: &'static str,
    /// Units that are done.
    pub done: u64,
    /// All units; 0 if unknown.
    pub total: u64,
}

impl Watch {
    /// Nothing done, not stopped.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the analysis end soon with [`RulesError::Stopped`].
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The progress so far.
    pub fn now(&self) -> Progress {
        let phase = *self.state.phase.lock().unwrap_or_else(PoisonError::into_inner);
        let total = self.state.total.load(Ordering::Relaxed);
        Progress { phase, done: self.state.done.load(Ordering::Relaxed), total }
    }

    /// One with the same stop flag and progress of its own, for a step of a step.
    pub(super) fn inner(&self) -> Self {
        Self { stop: self.stop.clone(), state: Arc::default() }
    }

    pub(crate) fn begin(&self, phase: &'static str, total: u64) {
        *self.state.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        self.state.done.store(0, Ordering::Relaxed);
        self.state.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, units: u64) {
        self.state.done.fetch_add(units, Ordering::Relaxed);
    }

    pub(super) fn set(&self, done: u64) {
        self.state.done.store(done, Ordering::Relaxed);
    }

    /// Ends what it is called in, if it was stopped.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_stopped() { Err(RulesError::Stopped) } else { Ok(()) }
    }
}
