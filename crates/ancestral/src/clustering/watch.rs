//! The progress of long work, and a flag that stops it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The time between two reports of what threads have done.
const EACH: Duration = Duration::from_millis(100);

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

    /// The flag alone, of work whose own progress says nothing.
    pub(super) fn stop_alone<T>(&mut self, work: impl FnOnce(&mut Watch<'_>) -> T) -> T {
        let told = &mut *self.told;
        // That it goes on is told all the same.
        work(&mut Watch { stop: self.stop, told: &mut |_, total| told(0, total) })
    }

    /// Does work of several threads and tells of it meanwhile.
    pub(super) fn during<T: Send>(&mut self, work: impl Fn(&Work<'_>) -> T + Sync) -> T {
        let own =
            Work { stop: self.stop, done: AtomicU64::new(0), total: AtomicU64::new(u64::MAX) };
        // A thread of the pool is needed for the work itself.
        if rayon::current_thread_index().is_some() {
            return work(&own);
        }
        let (ended, wake) = (Mutex::new(false), Condvar::new());
        let mut found = None;
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| {
                let _end = Ends { ended: &ended, wake: &wake };
                found = Some(work(&own));
            });
            let mut is_over = ended.lock().unwrap_or_else(PoisonError::into_inner);
            while !*is_over {
                let waited = wake.wait_timeout(is_over, EACH);
                is_over = waited.unwrap_or_else(PoisonError::into_inner).0;
                let total = own.total.load(Ordering::Relaxed);
                if !*is_over && total < u64::MAX {
                    let done = own.done.load(Ordering::Relaxed);
                    (self.told)(done.min(total.saturating_sub(1)), total);
                }
            }
        });
        found.unwrap_or_else(|| work(&own))
    }
}

/// Tells the thread that waits that the work is over, also if it panicked.
struct Ends<'a> {
    ended: &'a Mutex<bool>,
    wake: &'a Condvar,
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }
}

/// What threads have done of some work, and whether they are to end.
pub(super) struct Work<'a> {
    stop: Option<&'a AtomicBool>,
    done: AtomicU64,
    total: AtomicU64,
}

impl Work<'_> {
    /// Work that nobody watches.
    #[cfg(test)]
    pub(super) fn alone() -> Self {
        Self { stop: None, done: AtomicU64::new(0), total: AtomicU64::new(0) }
    }

    /// Says how much there is.
    pub(super) fn expect(&self, total: usize) {
        self.total.store(total as u64, Ordering::Relaxed);
    }

    /// Adds to what is done.
    #[inline]
    pub(super) fn add(&self, done: usize) {
        self.done.fetch_add(done as u64, Ordering::Relaxed);
    }

    /// Whether the work is to end; its result is then of no use.
    #[inline]
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_told_of_and_stopped_from_outside() {
        let stop = AtomicBool::new(false);
        let mut told = Vec::new();
        let mut tell = |done, total| {
            told.push((done, total));
            stop.store(true, Ordering::Relaxed);
        };
        let found = Watch::new(Some(&stop), &mut tell).during(|work| {
            work.expect(10);
            work.add(3);
            while !work.is_stopped() {
                std::thread::sleep(Duration::from_millis(1));
            }
            7
        });
        assert_eq!((found, told), (7, vec![(3, 10)]));
        // Within a pool of one thread nobody waits.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone = || Watch::new(None, &mut |_, _| {}).during(|work| work.is_stopped());
        assert!(!pool.install(alone));
    }

    #[test]
    #[should_panic(expected = "of its own")]
    fn a_panic_is_passed_on() {
        Watch::new(None, &mut |_, _| {}).during(|_| panic!("of its own"));
    }
}
