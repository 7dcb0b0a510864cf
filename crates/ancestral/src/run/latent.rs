//! Encoding the examples of a run, and decoding latent codes.

use ancestral_data::{Dataset, Examples};

use super::loaded::{DataQuery, Run};
use super::session::Session;
use crate::{Error, Result, memory};

/// Examples per batch.
const BATCH: usize = 500;

/// Latent codes of examples.
#[derive(Debug, Clone)]
pub struct Codes {
    /// The mean code of each example `[n, latent_dim]`, row after row.
    pub values: Vec<f32>,
    /// The number of latent dimensions.
    pub latent_dim: usize,
    /// The class of each example, if the data is labeled.
    pub labels: Option<Vec<u32>>,
    /// The data set of the examples.
    pub data: Dataset,
}

/// Examples and their reconstructions, in the values of the data's columns.
#[derive(Debug, Clone)]
pub struct Reconstructions {
    /// The number of examples.
    pub n: usize,
    /// The examples, row after row.
    pub examples: Vec<f64>,
    /// Their mean codes decoded, row after row.
    pub decoded: Vec<f64>,
}

impl Session<'_> {
    /// The mean latent code of each example.
    ///
    /// # Errors
    /// If the model has none, or the data is not found or does not fit the model.
    pub fn encode(&mut self, run: &Run, query: &DataQuery) -> Result<Codes> {
        let latent = self.latent(run)?;
        let (examples, data) = run.query(query, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        let n = examples.len();
        let indices: Vec<u64> = (0..n as u64).collect();
        let values = self.working("encoding", n, |progress| {
            let mut codes = Vec::with_capacity(n * latent.latent_dim());
            for (i, chunk) in indices.chunks(BATCH).enumerate() {
                codes.extend(latent.encode(&examples.batch(chunk, 0))?);
                progress(i * BATCH + chunk.len());
            }
            Ok(codes)
        })?;
        let labels = examples.labels().map(|labels| labels[..n].to_vec());
        Ok(Codes { values, latent_dim: latent.latent_dim(), labels, data })
    }

    /// The first `n` examples and their reconstructions from their mean codes.
    ///
    /// # Errors
    /// As [`Session::encode`].
    pub fn reconstruct(
        &mut self,
        run: &Run,
        query: &DataQuery,
        n: usize,
    ) -> Result<Reconstructions> {
        let latent = self.latent(run)?;
        let (examples, data) = run.query(query, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        let n = n.clamp(1, examples.len());
        let batch = examples.batch(&(0..n as u64).collect::<Vec<_>>(), 0);
        let decoded = latent.decode(&latent.encode(&batch)?, batch.labels.as_deref())?;
        Ok(Reconstructions { n, examples: batch.values, decoded })
    }

    /// `n` examples from one example to another along a line in latent space, both ends included;
    /// row after row in the values of the data's columns. A conditional model takes the class of the
    /// nearer end.
    ///
    /// # Errors
    /// As [`Session::encode`], and if `n` is below 2, an index is out of range, or memory does not
    /// suffice.
    pub fn interpolate(
        &mut self,
        run: &Run,
        query: &DataQuery,
        ends: [usize; 2],
        n: usize,
    ) -> Result<Vec<f64>> {
        if n < 2 {
            return Err(Error::setting("n", n, "give at least 2, one for each end"));
        }
        let latent = self.latent(run)?;
        let (examples, data) = run.query(query, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        // All steps are decoded together.
        let config = &run.config;
        let size = self.registry.size(&config.model, &config.settings, run.model().data())?;
        let needed = size.per_example.saturating_mul(4).saturating_mul(n as u64);
        memory::check_available(&format!("decoding {n} codes"), needed, "the number of steps")?;
        for (name, index) in [("from", ends[0]), ("to", ends[1])] {
            if index >= examples.len() {
                let last = examples.len() - 1;
                let allowed = format!("the {} split has examples 0 to {last}", split(&examples));
                return Err(Error::setting(name, index, allowed));
            }
        }
        let batch = examples.batch(&ends.map(|end| end as u64), 0);
        let codes_of_ends = latent.encode(&batch)?;
        let (a, b) = codes_of_ends.split_at(latent.latent_dim());
        let mut codes = Vec::with_capacity(n * a.len());
        for i in 0..n {
            let t = i as f32 / (n - 1) as f32;
            codes.extend(a.iter().zip(b).map(|(a, b)| a + t * (b - a)));
        }
        let labels = batch
            .labels
            .as_ref()
            .map(|l| (0..n).map(|i| if 2 * i < n { l[0] } else { l[1] }).collect::<Vec<_>>());
        latent.decode(&codes, labels.as_deref())
    }
}

fn split(examples: &Examples) -> &'static str {
    examples.split_name().as_str()
}
