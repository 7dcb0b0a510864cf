//! A small trait for SIMD vectors.
//!
//! A kernel is written once, over [`Simd`], and compiled for every instruction set; [`Isa`]
//! chooses among them at run time, the fastest unless `ANCESTRAL_ISA` names another.
//! Results agree bit for bit between runs on one kind of processor. Between instruction sets they differ by
//! rounding, because the portable path has no fused multiply-add, and the instruction for pairs of bf16
//! rounds differently; a [`Precision`](crate::Precision) below `f32` adds its own error on those that take
//! it.

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use crate::amx;

/// An instruction set that the kernels are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// 16 lanes, and tiles of bf16: AVX-512 with BF16, and AMX.
    Amx,
    /// 16 lanes: AVX-512 F, DQ, BW, VL, and BF16 for products of pairs of bf16.
    Avx512Bf16,
    /// 16 lanes: AVX-512 F, DQ, BW, VL.
    Avx512,
    /// 8 lanes: AVX2 and FMA.
    Avx2,
    /// Plain Rust, on any processor.
    Portable,
}

/// An instruction set that was asked for by a name of none that this processor has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownIsa {
    /// The name.
    pub name: String,
}

impl fmt::Display for UnknownIsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Isa::available().into_iter().map(Isa::as_str).collect();
        let name = &self.name;
        write!(
            f,
            "there is no instruction set '{name}' here; this processor has {}",
            known.join(", ")
        )
    }
}

impl std::error::Error for UnknownIsa {}

impl FromStr for Isa {
    type Err = UnknownIsa;

    fn from_str(name: &str) -> Result<Self, UnknownIsa> {
        let found = Isa::available().into_iter().find(|isa| isa.as_str() == name);
        found.ok_or_else(|| UnknownIsa { name: name.to_owned() })
    }
}

impl Isa {
    /// The variable of the environment that names an instruction set for the kernels.
    pub const VARIABLE: &str = "ANCESTRAL_ISA";

    /// The instruction set that the kernels use: that of [`Isa::VARIABLE`] if this processor has it,
    /// else the fastest.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self::requested().ok().flatten().unwrap_or_else(Self::fastest))
    }

    /// The fastest instruction set this processor has.
    pub fn fastest() -> Self {
        static FASTEST: OnceLock<Isa> = OnceLock::new();
        *FASTEST.get_or_init(|| Self::available().first().copied().unwrap_or(Isa::Portable))
    }

    /// What [`Isa::VARIABLE`] asks for.
    ///
    /// # Errors
    /// If this processor has no such instruction set.
    pub fn requested() -> Result<Option<Self>, UnknownIsa> {
        let value = std::env::var_os(Self::VARIABLE).filter(|value| !value.is_empty());
        value.map(|value| value.to_string_lossy().parse()).transpose()
    }

    /// The name: `amx`, `avx512-bf16`, `avx512`, `avx2` or `portable`.
    pub fn as_str(self) -> &'static str {
        match self {
            Isa::Amx => "amx",
            Isa::Avx512Bf16 => "avx512-bf16",
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Portable => "portable",
        }
    }

    /// Every instruction set this processor has, fastest first.
    pub fn available() -> Vec<Self> {
        [Isa::Amx, Isa::Avx512Bf16, Isa::Avx512, Isa::Avx2, Isa::Portable]
            .into_iter()
            .filter(|isa| isa.is_available())
            .collect()
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => Isa::Avx512Bf16.is_available() && amx::is_available(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => is_x86_feature_detected!("avx512bf16") && Isa::Avx512.is_available(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Amx | Isa::Avx512Bf16 | Isa::Avx512 | Isa::Avx2 => false,
            Isa::Portable => true,
        }
    }

    /// Runs a kernel compiled for this instruction set; one that the processor lacks falls back to
    /// [`Isa::Portable`].
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
            fn avx512<K: Kernel>(kernel: K) -> K::Output {
                kernel.run(Avx512::<false>(()))
            }
            #[target_feature(enable = "avx2,fma")]
            fn avx2<K: Kernel>(kernel: K) -> K::Output {
                kernel.run(Avx2(()))
            }
            // The fastest one is known to be there, without asking again.
            let present = self == Isa::fastest() || self.is_available();
            match self {
                // SAFETY: the processor has the features, as was just asked.
                Isa::Amx | Isa::Avx512Bf16 | Isa::Avx512 if present => {
                    return unsafe { avx512(kernel) };
                }
                // SAFETY: as above.
                Isa::Avx2 if present => return unsafe { avx2(kernel) },
                _ => {}
            }
        }
        kernel.run(Portable)
    }

    /// The same for a kernel that multiplies pairs of bf16, which is compiled once more for
    /// processors with an instruction for them.
    #[inline]
    pub(crate) fn run_pairs<K: Kernel>(self, kernel: K) -> K::Output {
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,avx2,fma")]
            fn avx512_bf16<K: Kernel>(kernel: K) -> K::Output {
                kernel.run(Avx512::<true>(()))
            }
            let pairs = matches!(self, Isa::Amx | Isa::Avx512Bf16);
            if pairs && (self == Isa::fastest() || self.is_available()) {
                // SAFETY: the processor has the features, as was just asked.
                return unsafe { avx512_bf16(kernel) };
            }
        }
        self.run(kernel)
    }
}

/// Work that is compiled once for every instruction set.
///
/// `run` must be `#[inline(always)]`, and so must all that it calls with the token: only what is
/// inlined into the function that enables the features is compiled with them.
pub(crate) trait Kernel {
    type Output;
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// A vector of [`Simd::N`] lanes of `f32`.
///
/// A value of an implementing type is the proof that the processor has the instructions.
pub(crate) trait Simd: Copy {
    /// The lanes.
    type V: Copy;
    /// One truth value for each lane.
    type M: Copy;
    /// The number of lanes, at most 16.
    const N: usize;

    fn splat(self, x: f32) -> Self::V;
    /// # Safety
    /// `N` values must be readable at `p`; no alignment is needed.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// # Safety
    /// `N` values must be writable at `p`; no alignment is needed.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    fn sqrt(self, a: Self::V) -> Self::V;
    /// `a / b` within 1 ULP, for `b` in [1e-30, 1e30] and a quotient that is normal or zero.
    #[inline(always)]
    fn divide(self, a: Self::V, b: Self::V) -> Self::V {
        self.div(a, b)
    }
    /// `a·b + c`.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c − a·b`.
    fn fnma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The bf16 in the upper half of each lane's bits, as `f32`.
    fn upper(self, pair: Self::V) -> Self::V;
    /// The bf16 in the lower half.
    fn lower(self, pair: Self::V) -> Self::V;
    /// `c` and the two products of the pairs of bf16 that the bits of `a` and `b` are, summed in
    /// `f32`; with an instruction for it, numbers below 2⁻¹²⁶ in magnitude count as 0.
    #[inline(always)]
    fn fma_pairs(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.fma_halves(a, b, c)
    }
    /// The same in two steps, without an instruction for it.
    #[inline(always)]
    fn fma_halves(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let sum = self.fma(self.upper(a), self.upper(b), c);
        self.fma(self.lower(a), self.lower(b), sum)
    }
    /// The larger; `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; `b` where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    fn abs(self, a: Self::V) -> Self::V;
    /// `|magnitude|` with the sign of `sign`.
    fn copysign(self, magnitude: Self::V, sign: Self::V) -> Self::V;
    /// To the nearest whole number, ties to even; for |a| below 2²².
    fn round(self, a: Self::V) -> Self::V;
    /// `a < b`, false where either is NaN.
    fn lt(self, a: Self::V, b: Self::V) -> Self::M;
    /// `yes` where the mask is set, else `no`.
    fn select(self, mask: Self::M, yes: Self::V, no: Self::V) -> Self::V;
    /// One bit for each lane, the first lowest: set where the lane is not zero (a NaN is not).
    fn nonzero(self, a: Self::V) -> u32;
    /// `a · 2ⁿ`, rounded once, for whole `n` in [−252, 254].
    fn ldexp(self, a: Self::V, n: Self::V) -> Self::V;
    /// `a · 2ⁿ` for whole `n` in [−126, 127].
    fn ldexp_normal(self, a: Self::V, n: Self::V) -> Self::V;
    /// A positive normal number as (m, e) with m in [√½, √2) and x = m·2ᵉ.
    fn split(self, x: Self::V) -> (Self::V, Self::V);

    /// The first `n` < `N` values at `p`, the other lanes zero.
    ///
    /// # Safety
    /// `n` values must be readable at `p`.
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, n: usize) -> Self::V {
        let mut lanes = [0.0f32; 16];
        // SAFETY: `n` < `N` ≤ 16 values are readable at `p`, and `lanes` has 16.
        unsafe {
            core::ptr::copy_nonoverlapping(p, lanes.as_mut_ptr(), n);
            self.load(lanes.as_ptr())
        }
    }

    /// The first `n` lanes, the others zero.
    #[inline(always)]
    fn only(self, n: usize, v: Self::V) -> Self::V {
        const PLACES: [f32; 16] =
            [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12., 13., 14., 15.];
        // SAFETY: there is a place for each of `N` ≤ 16 lanes.
        let places = unsafe { self.load(PLACES.as_ptr()) };
        self.select(self.lt(places, self.splat(n as f32)), v, self.splat(0.0))
    }

    /// Stores the first `n` < `N` lanes.
    ///
    /// # Safety
    /// `n` values must be writable at `p`.
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize, v: Self::V) {
        let mut lanes = [0.0f32; 16];
        // SAFETY: `n` < `N` ≤ 16 values are writable at `p`, and `lanes` has 16.
        unsafe {
            self.store(lanes.as_mut_ptr(), v);
            core::ptr::copy_nonoverlapping(lanes.as_ptr(), p, n);
        }
    }

    /// The sum of the lanes of each vector.
    #[inline(always)]
    fn totals(self, vectors: [Self::V; 8]) -> [f32; 8] {
        let mut totals = [0.0; 8];
        // No closure here, which would not be compiled for the instruction set.
        for (total, v) in totals.iter_mut().zip(vectors) {
            let mut lanes = self.lanes(v);
            let mut n = Self::N;
            while n > 1 {
                n /= 2;
                for i in 0..n {
                    lanes[i] += lanes[i + n];
                }
            }
            *total = lanes[0];
        }
        totals
    }

    /// Transposes the square that the first `N` vectors are: lane j of vector i becomes lane i of
    /// vector j.
    #[inline(always)]
    fn transpose(self, square: &mut [Self::V; 16]) {
        let mut transposed = [[0.0f32; 16]; 16];
        for (i, &v) in square.iter().enumerate().take(Self::N) {
            for (j, lane) in self.lanes(v).into_iter().enumerate() {
                transposed[j][i] = lane;
            }
        }
        for (v, row) in square.iter_mut().zip(&transposed).take(Self::N) {
            // SAFETY: a row has 16 ≥ `N` values.
            *v = unsafe { self.load(row.as_ptr()) };
        }
    }

    /// Asks for the cache line at an address, which may be any, to be read soon.
    #[inline(always)]
    fn prefetch(self, _: *const f32) {}

    /// The lanes as an array; those from `N` on are zero.
    #[inline(always)]
    fn lanes(self, v: Self::V) -> [f32; 16] {
        let mut lanes = [0.0f32; 16];
        // SAFETY: `lanes` has room for `N` ≤ 16 values.
        unsafe { self.store(lanes.as_mut_ptr(), v) };
        lanes
    }
}

/// Proof of AVX-512, and of its BF16 if so; made only by [`Isa::run`] and [`Isa::run_pairs`].
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const BF16: bool>(());

/// Proof of AVX2 and FMA; made only by [`Isa::run`].
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

/// Plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// An intrinsic that touches no memory.
#[cfg(target_arch = "x86_64")]
macro_rules! op {
    ($e:expr) => {
        // SAFETY: the token `self` exists only where the processor has the features.
        unsafe { $e }
    };
}

/// √½ as bits: the lower end of the mantissas of [`Simd::split`].
const SQRT_HALF: i32 = 0x3f35_04f3;

#[cfg(target_arch = "x86_64")]
impl<const BF16: bool> Simd for Avx512<BF16> {
    type V = __m512;
    type M = __mmask16;
    const N: usize = 16;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        op!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m512) {
        // SAFETY: the caller's.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, n: usize) -> __m512 {
        // SAFETY: the mask leaves only the first `n` lanes, which the caller guarantees.
        unsafe { _mm512_maskz_loadu_ps(((1u32 << n) - 1) as __mmask16, p) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize, v: __m512) {
        // SAFETY: the mask leaves only the first `n` lanes, which the caller guarantees.
        unsafe { _mm512_mask_storeu_ps(p, ((1u32 << n) - 1) as __mmask16, v) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn divide(self, a: __m512, b: __m512) -> __m512 {
        // A division would occupy the divider, which square roots need too; an estimate of 14 bits
        // with one correction step does not.
        op!({
            let r = _mm512_rcp14_ps(b);
            let q = _mm512_mul_ps(a, r);
            _mm512_fmadd_ps(_mm512_fnmadd_ps(b, q, a), r, q)
        })
    }
    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        op!(_mm512_sqrt_ps(a))
    }
    #[inline(always)]
    fn fma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn fnma(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fnmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn upper(self, pair: __m512) -> __m512 {
        op!({
            let mask = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(pair), mask))
        })
    }
    #[inline(always)]
    fn lower(self, pair: __m512) -> __m512 {
        op!(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(pair))))
    }
    #[inline(always)]
    fn fma_pairs(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        if BF16 {
            // SAFETY: such a token exists only where the processor has the instruction; its pairs
            // are any bits.
            return unsafe {
                let pairs = |v: __m512| core::mem::transmute::<__m512, __m512bh>(v);
                _mm512_dpbf16_ps(c, pairs(a), pairs(b))
            };
        }
        self.fma_halves(a, b, c)
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        op!(_mm512_abs_ps(a))
    }
    #[inline(always)]
    fn copysign(self, magnitude: __m512, sign: __m512) -> __m512 {
        op!({
            let mask = _mm512_set1_ps(-0.0);
            _mm512_or_ps(_mm512_andnot_ps(mask, magnitude), _mm512_and_ps(mask, sign))
        })
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        op!(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn lt(self, a: __m512, b: __m512) -> __mmask16 {
        op!(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn select(self, mask: __mmask16, yes: __m512, no: __m512) -> __m512 {
        op!(_mm512_mask_blend_ps(mask, no, yes))
    }
    #[inline(always)]
    fn totals(self, v: [__m512; 8]) -> [f32; 8] {
        let mut halves = [op!(_mm256_setzero_ps()); 8];
        for (half, v) in halves.iter_mut().zip(v) {
            let high = op!(_mm512_extractf32x8_ps::<1>(v));
            *half = op!(_mm256_add_ps(_mm512_castps512_ps256(v), high));
        }
        op!(totals_of_8(halves))
    }
    #[inline(always)]
    fn transpose(self, square: &mut [__m512; 16]) {
        let v = *square;
        for j in 0..2 {
            // By four rows: column 4l + 2j (and the next) of each of the four lanes l of 128 bits.
            let mut columns = [[op!(_mm512_setzero_ps()); 4]; 2];
            for (i, v) in v.chunks(4).enumerate() {
                let (a, b) = if j == 0 {
                    op!((_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpacklo_ps(v[2], v[3])))
                } else {
                    op!((_mm512_unpackhi_ps(v[0], v[1]), _mm512_unpackhi_ps(v[2], v[3])))
                };
                let (a, b) = op!((_mm512_castps_pd(a), _mm512_castps_pd(b)));
                columns[0][i] = op!(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)));
                columns[1][i] = op!(_mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
            }
            for (k, [a, b, c, d]) in columns.into_iter().enumerate() {
                let i = 2 * j + k;
                op!({
                    let (ab, cd) =
                        (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d));
                    square[i] = _mm512_shuffle_f32x4::<0x88>(ab, cd);
                    square[i + 8] = _mm512_shuffle_f32x4::<0xdd>(ab, cd);
                    let (ab, cd) =
                        (_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d));
                    square[i + 4] = _mm512_shuffle_f32x4::<0x88>(ab, cd);
                    square[i + 12] = _mm512_shuffle_f32x4::<0xdd>(ab, cd);
                });
            }
        }
    }
    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        op!(_mm_prefetch::<_MM_HINT_T0>(p.cast()))
    }
    #[inline(always)]
    fn nonzero(self, a: __m512) -> u32 {
        op!(u32::from(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(a, _mm512_setzero_ps())))
    }
    #[inline(always)]
    fn ldexp(self, a: __m512, n: __m512) -> __m512 {
        op!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn ldexp_normal(self, a: __m512, n: __m512) -> __m512 {
        op!(_mm512_scalef_ps(a, n))
    }
    #[inline(always)]
    fn split(self, x: __m512) -> (__m512, __m512) {
        op!({
            let root = _mm512_set1_epi32(SQRT_HALF);
            let bits = _mm512_sub_epi32(_mm512_castps_si512(x), root);
            let e = _mm512_cvtepi32_ps(_mm512_srai_epi32::<23>(bits));
            let m = _mm512_and_epi32(bits, _mm512_set1_epi32(0x007f_ffff));
            (_mm512_castsi512_ps(_mm512_add_epi32(m, root)), e)
        })
    }
}

#[cfg(target_arch = "x86_64")]
impl Simd for Avx2 {
    type V = __m256;
    type M = __m256;
    const N: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        op!(_mm256_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m256) {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_div_ps(a, b))
    }
    #[inline(always)]
    fn sqrt(self, a: __m256) -> __m256 {
        op!(_mm256_sqrt_ps(a))
    }
    #[inline(always)]
    fn fma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        op!(_mm256_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn fnma(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        op!(_mm256_fnmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn upper(self, pair: __m256) -> __m256 {
        op!({
            let mask = _mm256_set1_epi32(0xffff_0000_u32 as i32);
            _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(pair), mask))
        })
    }
    #[inline(always)]
    fn lower(self, pair: __m256) -> __m256 {
        op!(_mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(pair))))
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, a: __m256) -> __m256 {
        op!(_mm256_andnot_ps(_mm256_set1_ps(-0.0), a))
    }
    #[inline(always)]
    fn copysign(self, magnitude: __m256, sign: __m256) -> __m256 {
        op!({
            let mask = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(mask, magnitude), _mm256_and_ps(mask, sign))
        })
    }
    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        op!(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }
    #[inline(always)]
    fn lt(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_cmp_ps::<_CMP_LT_OQ>(a, b))
    }
    #[inline(always)]
    fn select(self, mask: __m256, yes: __m256, no: __m256) -> __m256 {
        op!(_mm256_blendv_ps(no, yes, mask))
    }
    #[inline(always)]
    fn totals(self, v: [__m256; 8]) -> [f32; 8] {
        op!(totals_of_8(v))
    }
    #[inline(always)]
    fn transpose(self, square: &mut [__m256; 16]) {
        let v = *square;
        for j in 0..2 {
            // By four rows: column 4l + 2j (and the next) of both lanes l of 128 bits.
            let mut columns = [[op!(_mm256_setzero_ps()); 2]; 2];
            for (i, v) in v.chunks(4).enumerate().take(2) {
                let (a, b) = if j == 0 {
                    op!((_mm256_unpacklo_ps(v[0], v[1]), _mm256_unpacklo_ps(v[2], v[3])))
                } else {
                    op!((_mm256_unpackhi_ps(v[0], v[1]), _mm256_unpackhi_ps(v[2], v[3])))
                };
                let (a, b) = op!((_mm256_castps_pd(a), _mm256_castps_pd(b)));
                columns[0][i] = op!(_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)));
                columns[1][i] = op!(_mm256_castpd_ps(_mm256_unpackhi_pd(a, b)));
            }
            for (k, [a, b]) in columns.into_iter().enumerate() {
                let i = 2 * j + k;
                square[i] = op!(_mm256_permute2f128_ps::<0x20>(a, b));
                square[i + 4] = op!(_mm256_permute2f128_ps::<0x31>(a, b));
            }
        }
    }
    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        op!(_mm_prefetch::<_MM_HINT_T0>(p.cast()))
    }
    #[inline(always)]
    fn nonzero(self, a: __m256) -> u32 {
        op!(_mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(a, _mm256_setzero_ps())) as u32)
    }
    #[inline(always)]
    fn ldexp(self, a: __m256, n: __m256) -> __m256 {
        op!({
            // In two factors, each of them a normal number; only the second product can round.
            let bias = _mm256_set1_epi32(127);
            let n = _mm256_cvtps_epi32(n);
            let first = _mm256_srai_epi32::<1>(n);
            let second = _mm256_sub_epi32(n, first);
            let first = _mm256_slli_epi32::<23>(_mm256_add_epi32(first, bias));
            let second = _mm256_slli_epi32::<23>(_mm256_add_epi32(second, bias));
            _mm256_mul_ps(_mm256_mul_ps(a, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))
        })
    }
    #[inline(always)]
    fn ldexp_normal(self, a: __m256, n: __m256) -> __m256 {
        op!({
            let n = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32::<23>(n)))
        })
    }
    #[inline(always)]
    fn split(self, x: __m256) -> (__m256, __m256) {
        op!({
            let root = _mm256_set1_epi32(SQRT_HALF);
            let bits = _mm256_sub_epi32(_mm256_castps_si256(x), root);
            let e = _mm256_cvtepi32_ps(_mm256_srai_epi32::<23>(bits));
            let m = _mm256_and_si256(bits, _mm256_set1_epi32(0x007f_ffff));
            (_mm256_castsi256_ps(_mm256_add_epi32(m, root)), e)
        })
    }
}

/// The sum of the lanes of each vector, by adding neighbors of all of them together.
///
/// # Safety
/// The processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn totals_of_8(v: [__m256; 8]) -> [f32; 8] {
    let first = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    let last = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
    let low = _mm256_permute2f128_ps::<0x20>(first, last);
    let high = _mm256_permute2f128_ps::<0x31>(first, last);
    let mut totals = [0.0; 8];
    // SAFETY: there is room for eight values.
    unsafe { _mm256_storeu_ps(totals.as_mut_ptr(), _mm256_add_ps(low, high)) };
    totals
}

/// Lanes of the portable path; the compiler turns the loops over them into what the target has.
type Array = [f32; 8];

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> Array {
    core::array::from_fn(f)
}

impl Simd for Portable {
    type V = Array;
    type M = [bool; 8];
    const N: usize = 8;

    #[inline(always)]
    fn splat(self, x: f32) -> Array {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Array {
        // SAFETY: the caller's; an array of `f32` is as aligned as one `f32`.
        unsafe { *p.cast::<Array>() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Array) {
        // SAFETY: the caller's; an array of `f32` is as aligned as one `f32`.
        unsafe { *p.cast::<Array>() = v }
    }
    #[inline(always)]
    fn add(self, a: Array, b: Array) -> Array {
        each(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: Array, b: Array) -> Array {
        each(|i| a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: Array, b: Array) -> Array {
        each(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: Array, b: Array) -> Array {
        each(|i| a[i] / b[i])
    }
    #[inline(always)]
    fn sqrt(self, a: Array) -> Array {
        each(|i| a[i].sqrt())
    }
    #[inline(always)]
    fn fma(self, a: Array, b: Array, c: Array) -> Array {
        // A fused operation that the target lacks would be a slow library call.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            each(|i| a[i].mul_add(b[i], c[i]))
        } else {
            each(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    fn fnma(self, a: Array, b: Array, c: Array) -> Array {
        self.fma(each(|i| -a[i]), b, c)
    }
    #[inline(always)]
    fn upper(self, pair: Array) -> Array {
        each(|i| f32::from_bits(pair[i].to_bits() & 0xffff_0000))
    }
    #[inline(always)]
    fn lower(self, pair: Array) -> Array {
        each(|i| f32::from_bits(pair[i].to_bits() << 16))
    }
    #[inline(always)]
    fn max(self, a: Array, b: Array) -> Array {
        each(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: Array, b: Array) -> Array {
        each(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn abs(self, a: Array) -> Array {
        each(|i| a[i].abs())
    }
    #[inline(always)]
    fn copysign(self, magnitude: Array, sign: Array) -> Array {
        each(|i| magnitude[i].copysign(sign[i]))
    }
    #[inline(always)]
    fn round(self, a: Array) -> Array {
        // Adding 1.5·2²³ leaves no bit below one.
        const MAGIC: f32 = 12_582_912.0;
        each(|i| (a[i] + MAGIC) - MAGIC)
    }
    #[inline(always)]
    fn lt(self, a: Array, b: Array) -> [bool; 8] {
        core::array::from_fn(|i| a[i] < b[i])
    }
    #[inline(always)]
    fn select(self, mask: [bool; 8], yes: Array, no: Array) -> Array {
        each(|i| if mask[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    fn nonzero(self, a: Array) -> u32 {
        let mut bits = 0;
        for (i, x) in a.iter().enumerate() {
            bits |= u32::from(*x != 0.0) << i;
        }
        bits
    }
    #[inline(always)]
    fn ldexp(self, a: Array, n: Array) -> Array {
        each(|i| {
            let n = n[i] as i32;
            let (first, second) = (n >> 1, n - (n >> 1));
            a[i] * power_of_two(first) * power_of_two(second)
        })
    }
    #[inline(always)]
    fn ldexp_normal(self, a: Array, n: Array) -> Array {
        each(|i| a[i] * power_of_two(n[i] as i32))
    }
    #[inline(always)]
    fn split(self, x: Array) -> (Array, Array) {
        let bits: [i32; 8] =
            core::array::from_fn(|i| (x[i].to_bits() as i32).wrapping_sub(SQRT_HALF));
        (
            each(|i| f32::from_bits(((bits[i] & 0x007f_ffff) + SQRT_HALF) as u32)),
            each(|i| (bits[i] >> 23) as f32),
        )
    }
}

/// 2ⁿ for n in [−126, 127]; unspecified for other n, which only occur in lanes of NaN.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_available_and_portable_always_is() {
        assert!(Isa::best().is_available());
        assert_eq!(Isa::available().last(), Some(&Isa::Portable));
        assert_eq!(Isa::available().first(), Some(&Isa::fastest()));
        match Isa::requested() {
            Ok(Some(isa)) => assert_eq!(isa, Isa::best()),
            _ => assert_eq!(Isa::fastest(), Isa::best()),
        }
    }

    #[test]
    fn names_are_those_of_this_processor() {
        for isa in Isa::available() {
            assert_eq!(isa.as_str().parse(), Ok(isa));
        }
        let error = "sse".parse::<Isa>().unwrap_err().to_string();
        assert!(error.contains("'sse'") && error.ends_with("portable"), "{error}");
    }

    /// Every part size; the values next to the part stay unchanged.
    struct Parts;
    impl Kernel for Parts {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let source: Vec<f32> = (1..=16).map(|i| i as f32).collect();
            for n in 0..S::N {
                let mut out = [-1.0f32; 17];
                // SAFETY: `n` < `N` ≤ 16 values fit in both.
                unsafe {
                    let v = s.load_part(source.as_ptr(), n);
                    s.store_part(out.as_mut_ptr(), n, v);
                    assert!(s.lanes(v)[n..].iter().all(|&x| x == 0.0));
                }
                assert_eq!(&out[..n], &source[..n]);
                assert!(out[n..].iter().all(|&x| x == -1.0));
            }
        }
    }

    /// A square in which each number encodes its position.
    struct Square;
    impl Kernel for Square {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let mut square = [s.splat(-1.0); 16];
            for (i, v) in square.iter_mut().enumerate().take(S::N) {
                let row: [f32; 16] = core::array::from_fn(|j| (16 * i + j) as f32);
                // SAFETY: there are 16 ≥ `N` values.
                *v = unsafe { s.load(row.as_ptr()) };
            }
            s.transpose(&mut square);
            for (j, &v) in square.iter().enumerate() {
                for (i, &lane) in s.lanes(v)[..S::N].iter().enumerate() {
                    let stood = if j < S::N { (16 * i + j) as f32 } else { -1.0 };
                    assert_eq!(lane, stood, "lane {i} of vector {j}");
                }
            }
        }
    }

    #[test]
    fn a_square_is_transposed() {
        for isa in Isa::available() {
            isa.run(Square);
        }
    }

    #[test]
    fn parts_of_a_vector() {
        for isa in Isa::available() {
            isa.run(Parts);
        }
    }
}
