//! Clusterings on request, for `peer_clusters.py` to time beside its peers.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::time::Instant;

use ancestral::clustering::{
    DbscanConfig, HdbscanConfig, Init, KmeansConfig, Points, SomConfig, SomInit, Training,
    UniformStreams,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::memory::Taken;

/// Streams that no case draws from but the order of a map's updates.
struct Fixed;

impl UniformStreams for Fixed {
    fn stream(&self, _: &str, item: u64) -> Box<dyn FnMut() -> f64> {
        let mut state = item + 1;
        Box::new(move || {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        })
    }
}

/// Clusters once for each line of standard input, and prints the seconds, the peak memory in MiB above that
/// with the rows in memory, and what was found.
///
/// `case` is JSON: the method, a file of rows in single precision with its number of columns, settings.
pub(crate) fn serve(case: &str) -> Result<()> {
    let case: Value = serde_json::from_str(case)?;
    let text = |key: &str| case[key].as_str().with_context(|| format!("no '{key}'"));
    let count = |key: &str| -> Result<usize> {
        Ok(case[key].as_u64().with_context(|| format!("no '{key}'"))? as usize)
    };
    let real = |key: &str| case[key].as_f64().with_context(|| format!("no '{key}'"));
    let (values, columns) = (read(text("rows")?)?, count("columns")?);
    let points = Points::new(&values, columns)?;
    let doubles = |key: &str| -> Result<Vec<f64>> {
        Ok(read(text(key)?)?.iter().map(|&x| f64::from(x)).collect())
    };
    let side = |key: &str| -> Result<SomConfig> {
        let training = match text("training")? {
            "online" => {
                Training::Online { updates: count("updates")?, learning_rate: 0.5, shuffle: false }
            }
            _ => Training::Batch { epochs: count("epochs")? },
        };
        let init = SomInit::Weights(doubles("weights")?);
        let (rows, columns) = (count(key)?, count(key)?);
        Ok(SomConfig { rows, columns, init, training, ..SomConfig::default() })
    };
    let run: Box<dyn Fn() -> Result<String>> = match text("method")? {
        "kmeans" => {
            let init = Init::Centers(doubles("centers")?);
            let n_clusters = count("n_clusters")?;
            let config =
                KmeansConfig { n_clusters, init, tol: 0.0, max_iter: 10_000, n_init: None };
            Box::new(move || {
                let found = config.fit(points, None, &Fixed)?;
                Ok(format!("inertia {:.8e}, {} iterations", found.inertia, found.iterations))
            })
        }
        "dbscan" => {
            let (eps, min_samples) = (real("eps")?, count("min_samples")?);
            let config = DbscanConfig { eps, min_samples, ..DbscanConfig::default() };
            Box::new(move || {
                let found = config.fit(points)?;
                let noise = found.labels.iter().filter(|label| label.is_none()).count();
                Ok(format!("{} clusters, {noise} rows of noise", found.clusters))
            })
        }
        "hdbscan" => {
            let min_cluster_size = count("min_cluster_size")?;
            let config = HdbscanConfig { min_cluster_size, ..HdbscanConfig::default() };
            Box::new(move || {
                let found = config.fit(points)?;
                let noise = found.labels.iter().filter(|label| label.is_none()).count();
                Ok(format!("{} clusters, {noise} rows of noise", found.clusters))
            })
        }
        "som" => {
            let config = side("side")?;
            Box::new(move || {
                let som = config.fit(points, &Fixed)?;
                Ok(format!("{} units", som.weights().len() / columns))
            })
        }
        other => bail!("no method '{other}'"),
    };
    let before = Taken::now()?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        line?;
        let began = Instant::now();
        let found = run()?;
        let seconds = began.elapsed().as_secs_f64();
        writeln!(out, "{seconds} {:.1} {found}", Taken::now()?.above(&before))?;
        out.flush()?;
    }
    Ok(())
}

/// The numbers of a file in single precision, little endian.
fn read(path: &str) -> Result<Vec<f32>> {
    let mut file =
        BufReader::with_capacity(1 << 20, File::open(path).with_context(|| path.to_owned())?);
    let length = file.get_ref().metadata()?.len() as usize / 4;
    // In parts, so that the peak of the memory is the rows alone.
    let (mut numbers, mut bytes) = (Vec::with_capacity(length), [0; 4]);
    for _ in 0..length {
        file.read_exact(&mut bytes)?;
        numbers.push(f32::from_le_bytes(bytes));
    }
    Ok(numbers)
}
