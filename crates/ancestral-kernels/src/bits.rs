//! Bitsets.

/// Packs the bits of `words` at the ones of `mask` into the low bits of `into`, in order; what is left
/// of `into` becomes zero.
///
/// `words` and `mask` have the same length; `into` has a bit for every one of the mask.
///
/// # Panics
/// If `words` or `into` are too short.
pub fn gather_bits(words: &[u64], mask: &[u64], into: &mut [u64]) {
    assert!(words.len() >= mask.len(), "fewer words than masks");
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has both instructions.
        return unsafe { gather_by_pext(words, mask, into) };
    }
    gather_with(words, mask, into, extract);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "bmi2,popcnt")]
fn gather_by_pext(words: &[u64], mask: &[u64], into: &mut [u64]) {
    gather_with(words, mask, into, |word, mask| std::arch::x86_64::_pext_u64(word, mask));
}

/// The bits of a word at the ones of a mask, in the low bits.
fn extract(word: u64, mask: u64) -> u64 {
    let (mut rest, mut found) = (mask, 0);
    for bit in 0..mask.count_ones() {
        found |= (word >> rest.trailing_zeros() & 1) << bit;
        rest &= rest - 1;
    }
    found
}

#[inline(always)]
fn gather_with(words: &[u64], mask: &[u64], into: &mut [u64], extract: impl Fn(u64, u64) -> u64) {
    // Bits that wait until they fill a word.
    let (mut waiting, mut filled, mut next) = (0, 0, 0);
    for (&word, &mask) in words.iter().zip(mask) {
        let bits = extract(word, mask);
        let ones = mask.count_ones();
        waiting |= bits << filled;
        filled += ones;
        if filled >= 64 {
            into[next] = waiting;
            next += 1;
            filled -= 64;
            // Those that did not fit; a shift by 64 leaves none.
            waiting = bits.checked_shr(ones - filled).unwrap_or(0);
        }
    }
    if filled > 0 {
        into[next] = waiting;
        next += 1;
    }
    into[next..].fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit.
    fn expected(words: &[u64], mask: &[u64], len: usize) -> Vec<u64> {
        let bit = |of: &[u64], at: usize| of[at / 64] >> (at % 64) & 1;
        let kept = (0..64 * mask.len()).filter(|&at| bit(mask, at) == 1);
        let mut into = vec![0; len];
        for (to, from) in kept.enumerate() {
            into[to / 64] |= bit(words, from) << (to % 64);
        }
        into
    }

    #[test]
    fn bits_are_gathered_in_order() {
        let mut state = 7_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            state ^ state >> 29
        };
        for len in [0, 1, 2, 3, 5, 17, 64, 65] {
            for density in 0..6 {
                let words: Vec<u64> = (0..len).map(|_| random()).collect();
                let mask: Vec<u64> = (0..len)
                    .map(|_| match density {
                        0 => 0,
                        1 => random() & random() & random() & random(),
                        2 => random() & random(),
                        3 => random() | random() | random(),
                        4 => u64::MAX,
                        // Words that are empty, full or both ends.
                        _ => [0, u64::MAX, 1 << 63 | 1][(random() % 3) as usize],
                    })
                    .collect();
                let ones: u32 = mask.iter().map(|word| word.count_ones()).sum();
                for spare in [0, 2] {
                    let size = ones.div_ceil(64) as usize + spare;
                    let expected = expected(&words, &mask, size);
                    let mut found = vec![u64::MAX; size];
                    gather_bits(&words, &mask, &mut found);
                    assert_eq!(found, expected, "{len} words, density {density}");
                    found.fill(u64::MAX);
                    gather_with(&words, &mask, &mut found, extract);
                    assert_eq!(found, expected, "{len} words, density {density}, portable");
                }
            }
        }
    }
}
