//! Buffers whose vectors do not straddle cache lines.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Buffers that a thread keeps for the next one who asks: the system takes back large ones at once,
/// and gives them anew page by page.
const KEPT: usize = 16;

thread_local! {
    static KEPT_LINES: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Values that begin on the border of a cache line; zero at first.
#[derive(Debug, Clone)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    pub(crate) fn zeros(len: usize) -> Self {
        let count = len.div_ceil(16);
        let kept = KEPT_LINES.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            let fits = kept.iter().position(|lines| lines.capacity() >= count)?;
            Some(kept.swap_remove(fits))
        });
        let mut lines = kept.ok().flatten().unwrap_or_default();
        lines.clear();
        lines.resize(count, Line([0.0; 16]));
        Self { lines, len }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // Where the thread ends there is nobody to keep it for.
        let _ = KEPT_LINES.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if lines.capacity() > 0 && kept.len() < KEPT {
                kept.push(lines);
            }
        });
    }
}

impl Deref for Aligned {
    type Target = [f32];

    #[inline(always)]
    fn deref(&self) -> &[f32] {
        // SAFETY: the lines are whole and hold at least `len` values, one after another.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Aligned {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
