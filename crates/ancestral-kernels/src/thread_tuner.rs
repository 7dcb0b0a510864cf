//! Tunes the number of threads for short repeated work, such as a training step.
//!
//! If communication between processors is slow, a step of a few milliseconds may take longer on two
//! than on one. The communication cost is not known in advance, and in a virtual machine it changes
//! while the program runs. So it is measured: from time to time a few steps run with half or twice as
//! many threads, and the faster number is kept.

use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::parallel::awake;

/// Measured steps of a trial, after one step of warm-up.
const TRIAL: usize = 4;
/// The time between trials, as a multiple of the duration of a trial.
const REST: u32 = 50;
/// A trial is ended at once if a step takes this many times as long as those before it.
const FAILED: f64 = 1.5;
/// Another number of threads must reduce the time to this fraction to be chosen.
const GAIN: f64 = 0.95;

/// Runs work with the fastest number of threads, at most those of the pool it is called from.
///
/// It only affects speed: the kernels give the same bits for any number of threads.
#[derive(Debug, Default)]
pub struct ThreadTuner {
    /// Pools of 1, 2, 4, … threads, fewer than the caller's pool has; made on first use.
    smaller: Vec<Option<ThreadPool>>,
    choice: Choice,
}

impl ThreadTuner {
    /// Starts with all threads.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work`.
    pub fn run<R: Send>(&mut self, work: impl FnOnce() -> R + Send) -> R {
        let threads = rayon::current_num_threads();
        if threads == 1 {
            return work();
        }
        let sizes = threads.next_power_of_two().trailing_zeros() as usize;
        if self.smaller.len() != sizes {
            self.smaller = (0..sizes).map(|_| None).collect();
            self.choice = Choice::of(sizes + 1);
        }
        let began = Instant::now();
        let result = match self.pool() {
            Some(pool) if pool.current_num_threads() == 1 => pool.install(work),
            Some(pool) => pool.install(|| awake(work)),
            None => awake(work),
        };
        self.choice.took(began.elapsed());
        result
    }

    /// The pool of the current size; `None` for the caller's pool, and if a pool cannot start.
    fn pool(&mut self) -> Option<&ThreadPool> {
        let size = self.choice.size();
        let slot = self.smaller.get_mut(size)?;
        if slot.is_none() {
            *slot = ThreadPoolBuilder::new().num_threads(1 << size).build().ok();
        }
        slot.as_ref()
    }
}

/// The choice among sizes, from the durations of the work.
#[derive(Debug, Default)]
struct Choice {
    sizes: usize,
    current: usize,
    /// The size of the current trial, if there is one.
    trial: Option<usize>,
    /// The durations of the trial's steps so far, or of the last steps at the current size.
    times: Vec<Duration>,
    /// The shortest step at the current size before the trial.
    bar: Duration,
    /// The time until the next trial.
    rest: Duration,
    /// Whether the next trial is of the next smaller size.
    down: bool,
}

impl Choice {
    fn of(sizes: usize) -> Self {
        Self { sizes, current: sizes - 1, down: true, ..Self::default() }
    }

    fn size(&self) -> usize {
        self.trial.unwrap_or(self.current)
    }

    fn took(&mut self, time: Duration) {
        self.times.push(time);
        let quickest = |times: &[Duration]| times.iter().min().copied().unwrap_or_default();
        match self.trial {
            None => {
                self.rest = self.rest.saturating_sub(time);
                if self.times.len() <= TRIAL {
                    return;
                }
                self.times.remove(0);
                if self.rest == Duration::ZERO {
                    self.bar = quickest(&self.times);
                    self.trial = Some(self.neighbor());
                    self.times.clear();
                }
            }
            Some(size)
                if self.times.len() > TRIAL
                    || self.times.len() > 1 && time > self.bar.mul_f64(FAILED) =>
            {
                if quickest(&self.times[1..]) < self.bar.mul_f64(GAIN) {
                    self.current = size;
                } else {
                    self.down = !self.down;
                }
                self.rest = self.times.iter().sum::<Duration>() * REST;
                self.trial = None;
                self.times.clear();
            }
            Some(_) => {}
        }
    }

    fn neighbor(&self) -> usize {
        match (self.down, self.current) {
            (_, 0) => 1,
            (false, current) if current + 1 < self.sizes => current + 1,
            (_, current) => current - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of steps at each size, when a step of size i takes `millis[i]`.
    fn shares(choice: &mut Choice, millis: &[u64], steps: usize) -> Vec<f64> {
        let mut shares = vec![0.0; millis.len()];
        for _ in 0..steps {
            let size = choice.size();
            shares[size] += 1.0 / steps as f64;
            choice.took(Duration::from_millis(millis[size]));
        }
        shares
    }

    #[test]
    fn the_quickest_size_is_found_and_found_again_when_times_change() {
        let mut choice = Choice::of(5);
        let falling = [160, 80, 40, 20, 10];
        assert!(shares(&mut choice, &falling, 2000)[4] > 0.95);
        let rising = [10, 20, 40, 80, 160];
        shares(&mut choice, &rising, 2000);
        assert!(shares(&mut choice, &rising, 2000)[0] > 0.95);
        let valley = [40, 20, 10, 20, 40];
        shares(&mut choice, &valley, 2000);
        assert!(shares(&mut choice, &valley, 2000)[2] > 0.95);
    }

    #[test]
    fn a_trial_that_is_far_slower_ends_after_the_step_that_shows_it() {
        let mut choice = Choice::of(2);
        let slow = |choice: &mut Choice, millis: [u64; 2]| {
            let trial: Vec<usize> = (0..12)
                .map(|_| {
                    let size = choice.size();
                    choice.took(Duration::from_millis(millis[size]));
                    size
                })
                .collect();
            trial.iter().filter(|&&size| size == 0).count()
        };
        assert_eq!(slow(&mut choice, [2000, 1000]), 2, "one for warmth and one that counts");
        let mut choice = Choice::of(2);
        assert_eq!(slow(&mut choice, [1200, 1000]), TRIAL + 1, "near enough to look closely");
    }

    #[test]
    fn the_result_is_that_of_the_work_for_any_pool_and_a_panic_passes_through() {
        for threads in [1, 2, 3, 5] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut tuner = ThreadTuner::new();
            let mut seen = std::collections::BTreeSet::new();
            for i in 0..40 {
                let (result, size) =
                    pool.install(|| tuner.run(|| (i, rayon::current_num_threads())));
                assert_eq!(result, i);
                seen.insert(size);
            }
            // More than one size was tried, and never more than there are.
            assert_eq!((seen.len() > 1, seen.last()), (threads > 1, Some(&threads)), "{seen:?}");
            let fall = || pool.install(|| tuner.run(|| panic!("inside")));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(fall)).is_err());
            assert_eq!(pool.install(|| tuner.run(|| 7)), 7);
        }
    }
}
