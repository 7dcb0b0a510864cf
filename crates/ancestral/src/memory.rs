//! The memory that is available to this process, checked before large allocations: a failed allocation
//! aborts the program without a message.
//!
//! It is the least of the free memory of the system, the limits of the process's control groups and the
//! limit on its address space, read from `/proc` on Linux. If none is known, no allocation is
//! refused.

pub use ancestral_data::available_memory as available;

use crate::{Error, Result};

/// Refuses `what` if it needs more than the limit, if there is one.
///
/// # Errors
/// With the bytes needed and available, and what to `lower`.
pub fn check(what: &str, needed: u64, limit: Option<u64>, lower: &str) -> Result<()> {
    match limit {
        Some(free) if needed > free => {
            Err(Error::Memory { what: what.to_owned(), needed, free, lower: lower.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Refuses `what` if it needs more than is available to this process.
///
/// # Errors
/// As [`check`].
pub fn check_available(what: &str, needed: u64, lower: &str) -> Result<()> {
    check(what, needed, limit_for(needed), lower)
}

/// A number of bytes in the largest suitable unit, as in "1.5 GiB".
pub fn amount(bytes: u64) -> String {
    crate::error::bytes(bytes)
}

/// The available memory; not read for small numbers of bytes.
pub(crate) fn limit_for(needed: u64) -> Option<u64> {
    if needed <= ALWAYS_THERE { None } else { available() }
}

/// Bytes that are not checked.
const ALWAYS_THERE: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_refused_with_what_to_lower() {
        assert!(check("a model", u64::MAX, None, "hidden").is_ok());
        assert!(check("a model", 2048, Some(2048), "hidden").is_ok());
        let error = check("a model", 5 << 30, Some(2048), "hidden").unwrap_err();
        assert!(error.is_usage());
        assert_eq!(
            error.to_string(),
            "a model would need about 5.0 GiB and there are 2.0 KiB available; lower hidden"
        );
    }
}
