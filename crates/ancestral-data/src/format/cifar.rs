//! CIFAR-10 binary batches: one label byte, then 3072 bytes, red, green and blue planes of 32×32.

use super::{Data, Labels, Loaded, Stream};
use crate::{DataError, Shape};

pub(crate) const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const PIXELS: usize = 3072;

pub(crate) fn read(stream: &mut Stream<'_>) -> Result<Loaded, DataError> {
    use std::io::Read;
    let mut raw = Vec::new();
    let result = stream.read_to_end(&mut raw);
    result.map_err(|e| stream.failed(e))?;
    if raw.is_empty() || !raw.len().is_multiple_of(PIXELS + 1) {
        return Err(stream.bad(format!(
            "{} bytes in all; expected records of {} bytes",
            raw.len(),
            PIXELS + 1
        )));
    }
    let mut values = Vec::with_capacity(raw.len());
    let mut labels = Vec::new();
    for (i, record) in raw.chunks_exact(PIXELS + 1).enumerate() {
        if usize::from(record[0]) >= CLASSES.len() {
            return Err(DataError::malformed(
                &stream.path,
                format!("byte {}", i * (PIXELS + 1)),
                format!("label {}; expected 0 to 9", record[0]),
            ));
        }
        labels.push(u32::from(record[0]));
        values.extend_from_slice(&record[1..]);
    }
    Ok(Loaded {
        path: stream.path.clone(),
        shape: Shape::image(3, 32, 32),
        data: Data::Bytes(values),
        labels: Some(Labels {
            numbers: labels,
            names: CLASSES.map(String::from).to_vec(),
            official: true,
        }),
    })
}

/// Joins batches, in the order given.
pub(crate) fn join(batches: Vec<Loaded>) -> Option<Loaded> {
    let mut batches = batches.into_iter();
    let mut all = batches.next()?;
    for batch in batches {
        if let (Data::Bytes(to), Data::Bytes(from)) = (&mut all.data, batch.data) {
            to.extend(from);
        }
        if let (Some(to), Some(from)) = (&mut all.labels, batch.labels) {
            to.numbers.extend(from.numbers);
        }
    }
    Some(all)
}
