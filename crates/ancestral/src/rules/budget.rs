//! A limit on the memory that baskets, candidates and results take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{Result, RulesError};

/// A memory limit that all steps of one analysis share; clones count together.
#[derive(Debug, Clone)]
pub struct Budget {
    used: Arc<AtomicU64>,
    limit: u64,
}

impl Budget {
    /// A limit in bytes.
    pub fn new(limit: u64) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// A limit in bytes, of which some are used already, as by the program itself.
    pub fn with_used(limit: u64, used: u64) -> Self {
        Self { used: Arc::new(AtomicU64::new(used)), limit }
    }

    /// No limit.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The bytes that are left.
    pub fn free(&self) -> u64 {
        self.limit.saturating_sub(self.used())
    }

    /// The bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Reserves memory for `what` until the result is dropped.
    ///
    /// # Errors
    /// If the limit is exceeded, with what to `lower`.
    pub(super) fn reserve(
        &self,
        bytes: u64,
        what: &'static str,
        lower: &'static str,
    ) -> Result<Reserved> {
        let mut reserved = Reserved::empty(self, what, lower);
        reserved.grow_to(bytes)?;
        Ok(reserved)
    }
}

/// Memory that counts against a budget.
#[derive(Debug)]
pub(super) struct Reserved {
    budget: Budget,
    bytes: u64,
    what: &'static str,
    lower: &'static str,
}

impl Reserved {
    /// No memory yet.
    pub(super) fn empty(budget: &Budget, what: &'static str, lower: &'static str) -> Self {
        Self { budget: budget.clone(), bytes: 0, what, lower }
    }

    /// Raises the reservation to a number of bytes; a smaller number changes nothing.
    pub(super) fn grow_to(&mut self, bytes: u64) -> Result<()> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let used = self.budget.used.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        self.bytes = bytes;
        if used > self.budget.limit {
            return Err(RulesError::Memory {
                what: self.what,
                limit: self.budget.limit,
                lower: self.lower,
            });
        }
        Ok(())
    }
}

impl Reserved {
    /// Lowers the reservation to a number of bytes; a larger number changes nothing.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        let fewer = self.bytes.saturating_sub(bytes);
        self.budget.used.fetch_sub(fewer, Ordering::Relaxed);
        self.bytes -= fewer;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = Budget::new(100);
        let mut first = budget.reserve(60, "a", "b").unwrap();
        assert!(budget.reserve(41, "a", "b").is_err());
        assert_eq!(budget.used(), 60);
        first.grow_to(100).unwrap();
        assert!(first.grow_to(101).is_err());
        drop(first);
        assert_eq!(budget.used(), 0);
    }
}
