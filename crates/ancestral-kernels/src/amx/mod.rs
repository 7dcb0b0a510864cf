//! Tiles of bf16, and what multiplies them.

mod instructions;

use std::marker::PhantomData;

#[cfg(target_arch = "x86_64")]
pub(crate) use instructions::is_available;

/// Rows of a tile, and pairs in each.
pub(crate) const SIDE: usize = 16;

/// Of the left factor 16 rows of 16 pairs, of the right one 16 pairs of rows with 16 columns; each pair
/// in the bits of an `f32`.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Tile(pub(crate) [f32; SIDE * SIDE]);

impl Tile {
    pub(crate) const ZERO: Self = Self([0.0; SIDE * SIDE]);
}

/// 32 × 32 sums, row after row.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Block(pub(crate) [f32; Block::SIDE * Block::SIDE]);

impl Block {
    pub(crate) const SIDE: usize = 2 * SIDE;
    pub(crate) const ZERO: Self = Self([0.0; Self::SIDE * Self::SIDE]);
}

/// The instructions that multiply tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// AMX, on processors that have it.
    Amx,
    /// Any.
    #[cfg(test)]
    Plain,
}

impl Engine {
    /// Those of this processor.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Self> {
        let mut all = vec![Self::Plain];
        all.extend(instructions::is_available().then_some(Self::Amx));
        all
    }

    /// Takes the tiles of this thread until the result is dropped. Meanwhile the thread must not wait
    /// for others of its pool, whose work might come to it and end with its tiles released.
    ///
    /// # Panics
    /// If the processor has none.
    pub(crate) fn hold(self) -> Held {
        if self == Self::Amx {
            assert!(instructions::is_available(), "this processor has no tiles");
            // SAFETY: there are tiles.
            unsafe { instructions::configure() };
        }
        Held { engine: self, _of_thread: PhantomData }
    }
}

/// The tiles of a thread.
pub(crate) struct Held {
    engine: Engine,
    _of_thread: PhantomData<*const ()>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.engine == Engine::Amx {
            // SAFETY: there are tiles, which `hold` has taken.
            unsafe { instructions::release() };
        }
    }
}

impl Held {
    /// Adds to `sums` the products of a left and of a right factor, 32 rows and 32 columns, each two
    /// tiles for every 16 pairs along the sum; the terms, at most six, are summed in their order.
    pub(crate) fn multiply_add(&self, terms: &[[&[Tile]; 2]], sums: &mut Block) {
        let along = terms.first().map_or(0, |[left, _]| left.len() / 2);
        assert!(
            terms.len() <= 6 && terms.iter().flatten().all(|tiles| tiles.len() == 2 * along),
            "all factors are as long"
        );
        if along == 0 {
            return;
        }
        let mut new = Block::ZERO;
        match self.engine {
            // SAFETY: the tiles are held, and the factors have two tiles for each of `along`.
            Engine::Amx => unsafe { instructions::multiply(along, terms, &mut new) },
            #[cfg(test)]
            Engine::Plain => plain(along, terms, &mut new),
        }
        for (sum, new) in sums.0.iter_mut().zip(&new.0) {
            *sum += new;
        }
    }
}

/// The same products, one after the other.
#[cfg_attr(not(test), allow(dead_code, reason = "what the instructions are checked against"))]
fn plain(along: usize, terms: &[[&[Tile]; 2]], sums: &mut Block) {
    let halves = |pair: f32| {
        [f32::from_bits(pair.to_bits() << 16), f32::from_bits(pair.to_bits() & 0xffff_0000)]
    };
    for [left, right] in terms {
        for i in 0..Block::SIDE {
            for j in 0..Block::SIDE {
                let mut sum = sums.0[i * Block::SIDE + j];
                for t in 0..along {
                    let left = &left[2 * t + i / SIDE].0[i % SIDE * SIDE..][..SIDE];
                    let right = &right[2 * t + j / SIDE].0[j % SIDE..];
                    for (a, b) in left.iter().zip(right.iter().step_by(SIDE)) {
                        let ([a, upper], [b, other]) = (halves(*a), halves(*b));
                        sum += a * b + upper * other;
                    }
                }
                sums.0[i * Block::SIDE + j] = sum;
            }
        }
    }
}
