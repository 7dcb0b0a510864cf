//! Buffers whose vectors do not straddle cache lines.

use std::ops::{Deref, DerefMut};

use rayon::prelude::*;

use crate::parallel::SharedPtr;

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Values aligned to a cache line, initially zero.
#[derive(Debug, Clone)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    pub(crate) fn zeros(len: usize) -> Self {
        Self { lines: vec![Line([0.0; 16]); len.div_ceil(16)], len }
    }

    /// `len` values that `fill` writes.
    ///
    /// # Safety
    /// `fill` writes all `len` values at the address it is given, and reads none of them first.
    pub(crate) unsafe fn filled(len: usize, fill: impl FnOnce(*mut f32)) -> Self {
        let count = len.div_ceil(16);
        let mut lines = Vec::<Line>::with_capacity(count);
        fill(lines.as_mut_ptr().cast());
        // SAFETY: there is room for `count` lines. The caller guarantees the first `len` values,
        // and the rest of the last line is written here.
        unsafe {
            let values = lines.as_mut_ptr().cast::<f32>();
            (len..16 * count).for_each(|i| values.add(i).write(0.0));
            lines.set_len(count);
        }
        Self { lines, len }
    }

    /// `rows` rows of `width` values, which are whole lines; `fill` writes the row whose number and
    /// address it is given.
    ///
    /// # Safety
    /// `fill` writes all `width` values of its row, and reads none of them first.
    pub(crate) unsafe fn filled_rows(
        rows: usize,
        width: usize,
        fill: impl Fn(usize, *mut f32) + Sync,
    ) -> Self {
        assert!(width.is_multiple_of(16), "Aligned: rows of whole lines");
        let all = |start: *mut f32| {
            let start = SharedPtr(start);
            (0..rows).into_par_iter().for_each(|row| {
                // SAFETY: there is room for all rows, and each is written by one call.
                fill(row, unsafe { start.get().add(row * width) });
            });
        };
        // SAFETY: every row is written, as the caller guarantees.
        unsafe { Self::filled(rows * width, all) }
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
