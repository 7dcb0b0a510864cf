//! The instructions of AMX, which the system must allow a process to use.

use super::{Block, Tile};

/// Whether the processor has tiles of bf16, the system lets this process use them, and they multiply as
/// they should; always false without glibc.
pub(crate) fn is_available() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    {
        static KNOWN: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *KNOWN.get_or_init(|| tiles::exist() && tiles::permitted() && tiles::are_right())
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
    false
}

/// Sets the shape of this thread's tiles.
///
/// # Safety
/// There must be tiles.
pub(super) unsafe fn configure() {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    // SAFETY: the caller's.
    unsafe {
        tiles::configure();
    }
}

/// Gives this thread's tiles back.
///
/// # Safety
/// There must be tiles.
pub(super) unsafe fn release() {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    // SAFETY: the caller's.
    unsafe {
        tiles::release();
    }
}

/// Writes the sums of products to `sums`.
///
/// # Safety
/// The tiles must be there and configured on this thread, and each factor have two for each of `along`.
pub(super) unsafe fn multiply(along: usize, terms: &[[&[Tile]; 2]], sums: &mut Block) {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
    // SAFETY: the caller's.
    unsafe {
        tiles::multiply(along, terms, sums);
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")))]
    unreachable!("tiles of {along} in {} terms, {sums:p}", terms.len());
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
mod tiles {
    use std::arch::{asm, x86_64::__cpuid, x86_64::__cpuid_count};

    use super::super::{Block, SIDE, Tile, plain};

    /// Bits of the processor's extended features: bf16 of tiles, and tiles.
    const FEATURES: u32 = 1 << 22 | 1 << 24;

    pub(super) fn exist() -> bool {
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & FEATURES == FEATURES
    }

    /// Asks the system for the state of tiles; older ones, and some containers, refuse.
    pub(super) fn permitted() -> bool {
        const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
        const XFEATURE_XTILEDATA: libc::c_long = 18;
        // SAFETY: the call takes two numbers, and changes what this process may do, nothing else.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
    }

    /// Multiplies small whole numbers, whose sums are exact in any order.
    pub(super) fn are_right() -> bool {
        let whole = |i: usize, by: usize| {
            let bf16 = |i: usize| (((i * by) % 17) as f32 - 8.0).to_bits() >> 16;
            f32::from_bits(bf16(2 * i) | bf16(2 * i + 1) << 16)
        };
        let tiles = |by: usize| -> Vec<Tile> {
            let tile = |t: usize| Tile(std::array::from_fn(|i| whole(t * SIDE * SIDE + i, by)));
            (0..6).map(tile).collect()
        };
        let (a, b, c) = (tiles(5), tiles(7), tiles(11));
        let terms = [[&a[..], &b[..]], [&c[..], &a[..]]];
        let (mut expected, mut found) = (Block::ZERO, Block::ZERO);
        plain(3, &terms, &mut expected);
        // SAFETY: the processor has tiles and the system permits them; a factor has three pairs of them.
        unsafe {
            configure();
            multiply(3, &terms, &mut found);
            release();
        }
        found.0 == expected.0
    }

    /// What the instruction reads: eight tiles of 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct Shapes {
        palette: u8,
        start: u8,
        reserved: [u8; 14],
        bytes: [u16; 16],
        rows: [u8; 16],
    }

    /// # Safety
    /// As outside.
    pub(super) unsafe fn configure() {
        static EIGHT: Shapes = Shapes {
            palette: 1,
            start: 0,
            reserved: [0; 14],
            bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
            rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
        };
        // SAFETY: the caller's; 64 bytes are read.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const EIGHT, options(nostack, readonly)) };
    }

    /// # Safety
    /// As outside.
    pub(super) unsafe fn release() {
        // SAFETY: the caller's.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }

    /// # Safety
    /// As outside.
    pub(super) unsafe fn multiply(along: usize, terms: &[[&[Tile]; 2]], sums: &mut Block) {
        let factors: [[*const Tile; 2]; 6] = std::array::from_fn(|i| {
            let [left, right] = terms[i.min(terms.len() - 1)];
            [left.as_ptr(), right.as_ptr()]
        });
        // SAFETY: the tiles are configured; of each term `along` times two tiles are read at either
        // factor, and the 4 KiB of the sums are written. Nothing else uses tiles.
        unsafe {
            asm!(
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "2:",
                "mov {left}, qword ptr [{terms}]",
                "mov {right}, qword ptr [{terms} + 8]",
                "mov {left_along}, {along}",
                "3:",
                "tileloadd tmm4, [{left} + {row}*1]",
                "tileloadd tmm6, [{right} + {row}*1]",
                "tileloadd tmm7, [{right} + {row}*1 + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{left} + {row}*1 + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {left}, 2048",
                "add {right}, 2048",
                "dec {left_along}",
                "jnz 3b",
                "add {terms}, 16",
                "dec {count}",
                "jnz 2b",
                "tilestored [{sums} + {wide}*1], tmm0",
                "tilestored [{sums} + {wide}*1 + 64], tmm1",
                "tilestored [{sums} + {wide}*1 + 2048], tmm2",
                "tilestored [{sums} + {wide}*1 + 2112], tmm3",
                terms = inout(reg) factors.as_ptr() => _,
                count = inout(reg) terms.len() => _,
                left = out(reg) _,
                right = out(reg) _,
                left_along = out(reg) _,
                along = in(reg) along,
                row = in(reg) 64usize,
                wide = in(reg) 128usize,
                sums = in(reg) sums.0.as_mut_ptr(),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}
