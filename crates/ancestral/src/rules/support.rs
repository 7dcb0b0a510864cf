//! Minimum supports: a share of the baskets, compared exactly, or a number of baskets.

use std::fmt;
use std::str::FromStr;

use super::error::{Result, RulesError};

/// Most digits of a share after its point: a numerator times a number of baskets stays in 128 bits.
const DIGITS: usize = 18;

/// A minimum support.
///
/// A share is kept as the decimal fraction that was written, so that 0.28 of 25 baskets is 7 of them
/// and not 8, as rounding 0.28 to binary would have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// numerator / denominator of the baskets, above 0 and below 1.
    Share {
        /// The numerator.
        numerator: u64,
        /// The denominator.
        denominator: u64,
    },
    /// A number of baskets, from 1.
    Count(u64),
}

impl Support {
    /// The least number of baskets, at least 1, that reaches this support among `baskets`.
    pub fn least(self, baskets: u64) -> u64 {
        match self {
            Self::Count(count) => count.max(1),
            Self::Share { numerator, denominator } => {
                let product = u128::from(numerator) * u128::from(baskets);
                u64::try_from(product.div_ceil(u128::from(denominator.max(1))))
                    .unwrap_or(u64::MAX)
                    .max(1)
            }
        }
    }

    /// This support among `part` of `baskets` baskets: a set that reaches it among all baskets reaches
    /// it in at least one part of any partition.
    pub fn of_part(self, part: u64, baskets: u64) -> u64 {
        match self {
            Self::Share { .. } => self.least(part),
            Self::Count(count) => {
                let product = u128::from(count) * u128::from(part);
                u64::try_from(product.div_ceil(u128::from(baskets.max(1))))
                    .unwrap_or(u64::MAX)
                    .max(1)
            }
        }
    }
}

impl FromStr for Support {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || RulesError::Support { value: text.to_owned() };
        let plain = text.trim();
        let (mantissa, exponent) = match plain.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| wrong())?),
            None => (plain, 0),
        };
        let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        // digits · 10^(exponent − length of the fraction), without zeros at the end.
        let trimmed = digits.trim_end_matches('0');
        let zeros = digits.len() - trimmed.len();
        let trimmed = trimmed.trim_start_matches('0');
        let fraction = i64::try_from(fraction.len()).map_err(|_| wrong())?;
        let zeros = i64::try_from(zeros).map_err(|_| wrong())?;
        let power = i64::from(exponent) - fraction + zeros;
        if trimmed.is_empty() || trimmed.len() > DIGITS {
            return Err(wrong());
        }
        let number: u64 = trimmed.parse().map_err(|_| wrong())?;
        let ten = |power: i64| u32::try_from(power).ok().and_then(|p| 10_u64.checked_pow(p));
        if power >= 0 {
            let count = ten(power).and_then(|factor| number.checked_mul(factor));
            return count.map(Self::Count).ok_or_else(wrong);
        }
        match ten(-power) {
            Some(denominator) if number < denominator && -power <= DIGITS as i64 => {
                Ok(Self::Share { numerator: number, denominator })
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share { numerator, denominator } => {
                write!(f, "{} of the baskets", *numerator as f64 / *denominator as f64)
            }
            Self::Count(count) => write!(f, "{count} baskets"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(text: &str, baskets: u64) -> u64 {
        text.parse::<Support>().unwrap().least(baskets)
    }

    #[test]
    fn shares_are_exact() {
        // In binary 0.28 · 25 > 7, 0.07 · 100 > 7 and 0.29 · 100 < 29.
        assert_eq!(least("0.28", 25), 7);
        assert_eq!(least("0.07", 100), 7);
        assert_eq!(least("0.29", 100), 29);
        assert_eq!(least("0.01", 9835), 99);
        assert_eq!(least(".5", 3), 2);
        assert_eq!(least("1e-3", 1000), 1);
        assert_eq!(least("1e-3", 1001), 2);
        assert_eq!(least("0.000000000000000001", 1), 1);
        assert_eq!(least("0.999999999999999999", u64::MAX), u64::MAX - 18);
    }

    #[test]
    fn whole_numbers_are_counts() {
        for (text, count) in [("1", 1), ("1.0", 1), ("20", 20), ("2e3", 2000), ("15e-1e", 0)] {
            match text.parse::<Support>() {
                Ok(support) => assert_eq!(support, Support::Count(count), "{text}"),
                Err(_) => assert_eq!(count, 0, "{text}"),
            }
        }
    }

    #[test]
    fn anything_else_is_refused_with_both_meanings() {
        for text in ["0", "0.0", "1.5", "-0.1", "-3", "nan", "inf", "", ".", "1e40", "0x3", "1_0"] {
            let message = text.parse::<Support>().unwrap_err().to_string();
            assert!(message.contains("share") && message.contains("whole number"), "{message}");
        }
    }

    #[test]
    fn some_part_reaches_its_support() {
        // 3 parts with one basket less than needed in each miss the total.
        for support in [Support::Count(7), Support::Share { numerator: 28, denominator: 100 }] {
            let parts = [4_u64, 10, 11];
            let most: u64 = parts.iter().map(|&p| support.of_part(p, 25) - 1).sum();
            assert!(most < support.least(25));
        }
    }
}
