//! The handling of freed memory.

/// Makes the C library keep freed memory instead of returning it to the system.
///
/// A training step frees tens of megabytes that the next one allocates again; returned to the system
/// in between, every page would be mapped and cleared again, which is a tenth of the time of a small
/// network. Call it once, at the start of a program; it only affects speed. It does nothing if the C
/// library is not glibc.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// The most that glibc keeps on top of its heap.
        const KEPT: libc::c_int = 512 << 20;
        /// Larger blocks are mapped on their own; glibc takes no higher bound.
        const MAPPED: libc::c_int = 32 << 20;
        // SAFETY: sets two parameters of the allocator, which it reads under its own locks.
        unsafe {
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn a_block_that_comes_again_brings_no_new_pages() {
        super::keep_freed_memory();
        // SAFETY: `usage` is written by the call, and is all integers.
        let faults = || unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
            usage.ru_minflt
        };
        let touch = || std::hint::black_box(vec![1u8; 16 << 20]);
        drop(touch());
        let before = faults();
        for _ in 0..10 {
            drop(touch());
        }
        // Ten blocks of new pages would be 40960 faults.
        assert!(faults() - before < 4096, "{} pages", faults() - before);
    }
}
