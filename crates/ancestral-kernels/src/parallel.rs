//! Parallel loops over blocks, whose bounds do not depend on the number of threads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rayon::prelude::*;

/// Values in a block: 64 KiB of `f32`, a part of one core's second-level cache.
pub(crate) const BLOCK: usize = 16_384;

/// Calls `work(start, len)` for each block of `0..len`; a single block runs on the calling thread.
pub(crate) fn blocks(len: usize, work: impl Fn(usize, usize) + Sync) {
    if len <= BLOCK {
        work(0, len);
        return;
    }
    (0..len.div_ceil(BLOCK)).into_par_iter().for_each(|block| {
        let start = block * BLOCK;
        work(start, BLOCK.min(len - start));
    });
}

/// The same, with a result from each block, in the order of the blocks.
pub(crate) fn map_blocks<T: Send>(len: usize, work: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
    if len <= BLOCK {
        return vec![work(0, len)];
    }
    (0..len.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let start = block * BLOCK;
            work(start, BLOCK.min(len - start))
        })
        .collect()
}

/// Calls `work(first, count)` for runs of rows, each run of about one block of values.
pub(crate) fn rows(rows: usize, width: usize, work: impl Fn(usize, usize) + Sync) {
    let run = (BLOCK / width.max(1)).max(1);
    if rows <= run {
        work(0, rows);
        return;
    }
    (0..rows.div_ceil(run)).into_par_iter().for_each(|i| {
        let first = i * run;
        work(first, run.min(rows - first));
    });
}

/// A pointer that blocks share; each block writes to its own part only.
#[derive(Clone, Copy)]
pub(crate) struct SharedPtr(pub(crate) *mut f32);

// SAFETY: a plain address; each use says why its accesses do not collide.
unsafe impl Send for SharedPtr {}
// SAFETY: as above.
unsafe impl Sync for SharedPtr {}

impl SharedPtr {
    /// The address. (A method, so that a closure captures the whole wrapper.)
    pub(crate) fn get(self) -> *mut f32 {
        self.0
    }
}

/// Runs `work` while the other threads of the pool are kept awake, so that the many small parallel
/// parts of a training step need not wait for a sleeping thread to wake up.
///
/// Called from outside a rayon pool, it moves into the global one. The waiting threads poll
/// for work; one that finds none for a millisecond goes to sleep as usual. It only affects speed. Meant for work of about 0.1 to 100 ms, such as one step.
pub(crate) fn awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| {
        let done = Arc::new(AtomicBool::new(false));
        let caller = rayon::current_thread_index();
        let seen = done.clone();
        // A broadcast is never stolen: each thread gets its own, and the caller's returns at once.
        // It is not waited for, so that a busy thread delays nothing.
        rayon::spawn_broadcast(move |_| {
            if rayon::current_thread_index() == caller {
                return;
            }
            let mut idle = Instant::now();
            while !seen.load(Ordering::Relaxed) {
                if rayon::yield_now() == Some(rayon::Yield::Executed) {
                    idle = Instant::now();
                } else if idle.elapsed() > Duration::from_millis(1) {
                    return;
                }
                std::hint::spin_loop();
            }
        });
        let _on_exit = SetOnDrop(&done);
        work()
    })
}

/// Ends the polling even if the work panics.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_everything_once() {
        for len in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7] {
            let parts = map_blocks(len, |start, len| (start, len));
            let mut next = 0;
            for (start, len) in parts {
                assert_eq!(start, next);
                next += len;
            }
            assert_eq!(next, len);
        }
    }

    #[test]
    fn awake_gives_the_result_nests_and_survives_a_panic() {
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let sum = |n: u64| (0..n).into_par_iter().map(|i| i * i).sum::<u64>();
            for _ in 0..50 {
                let twice = pool.install(|| awake(|| sum(1000) + awake(|| sum(1000))));
                assert_eq!(twice, 2 * 332_833_500);
            }
            let fall = || pool.install(|| awake(|| panic!("inside")));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(fall)).is_err());
            assert_eq!(pool.install(|| awake(|| sum(10))), 285);
        }
        assert_eq!(awake(|| 7), 7);
    }
}
