//! Rows that are walked instead of held: the same fits, bit by bit.

use crate::distributions::families::sample::BLOCK;
use crate::distributions::families::{Error, FitOptions, Sample, Walk, all};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Rows in memory that are walked, and how many were read.
struct Memory {
    rows: Vec<f64>,
    read: AtomicUsize,
    /// Reading fails from this row on.
    end: usize,
}

impl Walk for Memory {
    fn len(&self) -> usize {
        self.rows.len()
    }
    fn read(&self, first: usize, into: &mut [f64]) -> std::io::Result<()> {
        self.read.fetch_add(into.len(), Ordering::Relaxed);
        if first + into.len() > self.end {
            return Err(std::io::Error::other("the disk is gone"));
        }
        into.copy_from_slice(&self.rows[first..first + into.len()]);
        Ok(())
    }
}

fn walked(rows: &[f64]) -> Sample {
    let memory = Memory { rows: rows.to_vec(), read: AtomicUsize::new(0), end: usize::MAX };
    Sample::walked(Arc::new(memory)).unwrap()
}

/// Rows of a shape that is no family's, from a formula; whole numbers on request.
fn rows(count: usize, whole: bool) -> Vec<f64> {
    let value = |i: usize| {
        let u = ((i as f64 + 0.5) * 0.618_033_988_749_895).fract();
        let x = -(u * (1.0 - 1e-9)).ln() * (1.0 + 0.3 * (i as f64 * 0.1).sin());
        if whole { (x * 3.0).floor() + 1.0 } else { x }
    };
    (0..count).map(value).collect()
}

#[test]
fn every_family_fits_walked_rows_as_held_ones() {
    for whole in [false, true] {
        let rows = rows(3 * BLOCK + 1717, whole);
        let (held, walked) = (Sample::new(rows.clone()).unwrap(), walked(&rows));
        for family in all() {
            // Intervals of all would take long; they see the rows by the same sums.
            let options = match family.name() {
                "gamma" | "weibull" | "normal" => FitOptions::default(),
                _ => FitOptions::default().without_intervals(),
            };
            let expected = family.fit(&held, &options);
            assert_eq!(family.fit(&walked, &options), expected, "{} {whole}", family.name());
        }
    }
}

#[test]
fn ranges_quantiles_and_distinct_values_are_those_of_held_rows() {
    let mut rows = rows(2 * BLOCK + 5, false);
    rows.iter_mut().step_by(3).for_each(|x| *x = -*x);
    rows.iter_mut().step_by(7).for_each(|x| *x = x.round());
    let (held, walked) = (Sample::new(rows.clone()).unwrap(), walked(&rows));
    for (held, walked) in [
        (held.clone(), walked.clone()),
        (held.map(|x| -3.0 * x), walked.map(|x| -3.0 * x)),
        (held.map(|x| 1e200 * x), walked.map(|x| 1e200 * x)),
    ] {
        assert_eq!(held.range(), walked.range());
        assert_eq!(held.medians(), walked.medians());
        assert_eq!(held.thinned(100), walked.thinned(100));
        assert_eq!(held.thinned(3000), walked.thinned(3000));
        assert_eq!(held.distinct().values(), walked.distinct().values());
        assert_eq!(held.sum(|x, w| w * x), walked.sum(|x, w| w * x));
        for share in [0.5, 0.4, 0.1, 0.02] {
            assert_eq!(held.tied(share), walked.tied(share), "{share}");
        }
        for p in [0.0, 1e-5, 0.25, 0.5, 0.731, 1.0] {
            assert_eq!(held.quantile(p), walked.quantile(p), "{p}");
        }
    }
}

#[test]
fn ties_and_medians_are_found_among_rows_that_alternate() {
    for count in [1, 2, 3, 6, 7, 9000] {
        // Half of the rows are 3, none next to another; of odd counts less or more than half.
        for first in [0, 1] {
            let value = |i: usize| if i % 2 == first { 3.0 } else { 10.0 + i as f64 };
            let rows: Vec<f64> = (0..count).map(value).collect();
            let equal = rows.iter().filter(|x| **x == 3.0).count();
            let (held, walked) = (Sample::new(rows.clone()).unwrap(), walked(&rows));
            let ones = Sample::weighted(&rows, &vec![1.0; count]).unwrap();
            let expected = (2 * equal >= count && equal > 0).then_some((3.0, equal as f64));
            for sample in [&held, &walked, &ones] {
                if equal > 1 {
                    assert_eq!(sample.tied(0.5), expected, "{count} {first}");
                }
                let mut sorted = rows.clone();
                sorted.sort_by(f64::total_cmp);
                let medians = (sorted[(count - 1) / 2], sorted[count / 2]);
                assert_eq!(sample.medians(), medians, "{count} {first}");
            }
        }
    }
}

#[test]
fn a_quantile_among_very_many_rows_is_found_by_counting() {
    // More rows than are sorted at once, half of them equal.
    let rows: Vec<f64> = (0..700_001)
        .map(|i| if i % 2 == 0 { 0.125 } else { (f64::from(i) * 0.37).sin() * 1e-3 })
        .collect();
    let (held, walked) = (Sample::new(rows.clone()).unwrap(), walked(&rows));
    for p in [1e-6, 0.1, 0.3, 0.5, 0.9] {
        assert_eq!(held.quantile(p), walked.quantile(p), "{p}");
    }
}

#[test]
fn rows_that_cannot_be_read_again_are_an_error_and_no_fit() {
    let rows = rows(5000, false);
    for end in [4000, 4999] {
        let memory = Memory { rows: rows.clone(), read: AtomicUsize::new(0), end };
        let refused = Sample::walked(Arc::new(memory));
        assert!(matches!(refused, Err(Error::Unreadable { .. })), "{end}");
    }
    assert!(matches!(
        Sample::walked(Arc::new(Memory {
            rows: vec![1.0, f64::NAN, f64::INFINITY],
            read: AtomicUsize::new(0),
            end: 9
        })),
        Err(Error::NotANumber { rows: 1 })
    ));
}

#[test]
fn a_family_with_sums_reads_its_rows_a_few_times() {
    let rows = rows(20_000, false);
    let memory = Arc::new(Memory { rows, read: AtomicUsize::new(0), end: usize::MAX });
    let sample = Sample::walked(memory.clone()).unwrap();
    for name in ["normal", "gamma"] {
        let before = memory.read.load(Ordering::Relaxed);
        let family = super::super::by_name(name).unwrap();
        family.fit(&sample, &FitOptions::default()).unwrap();
        let passes = (memory.read.load(Ordering::Relaxed) - before) as f64 / 20_000.0;
        assert!(passes < 6.0, "{name}: {passes}");
    }
}
