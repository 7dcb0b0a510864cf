//! Counts of frequent sets, or the sets themselves, on request, for `peer_rules.py` to time beside its peers.

use std::io::{BufRead, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Instant;

use ancestral::rules::{Budget, MineOptions, Sets, Target, count_sets, mine, read_baskets};
use anyhow::{Result, bail};

/// Reads a file, then for each line of standard input counts its sets once, or with the target `found`
/// finds all sets and keeps them in memory, and prints the seconds and the number of sets.
pub(crate) fn serve(data: &Path, support: &str, target: &str, threads: usize) -> Result<()> {
    let (names, baskets, _) = read_baskets(data, None, &Budget::unlimited())?;
    let mut options = MineOptions::new(support.parse()?);
    options.threads = NonZeroUsize::new(threads);
    options.target = match target {
        "all" | "found" => Target::All,
        "closed" => Target::Closed,
        "maximal" => Target::Maximal,
        other => bail!("no target '{other}'; they are all, closed, maximal and found"),
    };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        line?;
        // What it finds is freed after the time is taken, as by the peer.
        let mut found = Sets::new(&options.budget);
        let began = Instant::now();
        let sets = if target == "found" {
            mine(&baskets, Some(&names), &options, &mut found)?;
            found.len() as u128
        } else {
            count_sets(&baskets, Some(&names), &options)?.total()
        };
        let seconds = began.elapsed().as_secs_f64();
        writeln!(out, "{seconds} {sets}")?;
        out.flush()?;
    }
    Ok(())
}
