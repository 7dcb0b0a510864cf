//! Tensors in files of the format safetensors, with a record of the program in the metadata.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use ancestral_data::{DataError, write_atomic_in};
use burn::tensor::{DType, TensorData, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::spec::NamedTensors;
use crate::{Error, Result};

/// The key of the record in a file's metadata.
const KEY: &str = "ancestral";
/// The most bytes of a header, as the format has it.
const MOST_HEADER: u64 = 100_000_000;

/// Writes tensors and a record, atomically.
pub(super) fn save(path: &Path, tensors: &NamedTensors, record: &str) -> Result<()> {
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, data)| {
            let dtype = match data.dtype() {
                DType::F64 => Dtype::F64,
                DType::F16 => Dtype::F16,
                _ => Dtype::F32,
            };
            let view = TensorView::new(dtype, data.shape().to_vec(), data.as_bytes());
            view.map(|view| (name.as_str(), view))
        })
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| Error::run(path, format!("cannot be written: {e}")))?;
    let metadata = HashMap::from([(KEY.to_owned(), record.to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|e| Error::run(path, format!("cannot be written: {e}")))?;
    let (folder, name) = (path.parent(), path.file_name());
    write_atomic_in(folder.unwrap_or(path), Path::new(name.unwrap_or_default()), &bytes)?;
    Ok(())
}

/// Reads tensors and the record; half precision becomes single.
pub(super) fn load(path: &Path) -> Result<(NamedTensors, String)> {
    let bytes = ancestral_data::read_plain(path)?;
    parse(&bytes, path)
}

fn broken(path: &Path, error: &safetensors::SafeTensorError) -> Error {
    Error::run(path, format!("is not a readable safetensors file ({error})"))
}

/// The same of a file in memory, called `path` in errors.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<(NamedTensors, String)> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| broken(path, &e))?;
    let record = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).cloned();
    let file = SafeTensors::deserialize(bytes).map_err(|e| broken(path, &e))?;
    let mut tensors: NamedTensors = Vec::new();
    for (name, view) in file.tensors() {
        let shape = view.shape().to_vec();
        let data = match view.dtype() {
            Dtype::F32 => TensorData::new(
                view.data()
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
                shape,
            ),
            Dtype::F16 => TensorData::new(
                view.data()
                    .chunks_exact(2)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
                shape,
            ),
            Dtype::F64 => TensorData::new(
                view.data()
                    .chunks_exact(8)
                    .map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
                    .collect(),
                shape,
            ),
            other => {
                return Err(Error::run(
                    path,
                    format!("tensor '{name}' has type {other:?}; F16, F32 or F64 was expected"),
                ));
            }
        };
        tensors.push((name.clone(), data));
    }
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((tensors, record.unwrap_or_default()))
}

/// The record of a file, without its tensors.
pub(super) fn record(path: &Path) -> Result<String> {
    let failed = |e| DataError::io("read", path, e);
    let mut file = ancestral_data::open_plain(path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(failed)?;
    let mut header = Vec::new();
    let length = u64::from_le_bytes(length).min(MOST_HEADER);
    file.take(length).read_to_end(&mut header).map_err(failed)?;
    let header: Header = serde_json::from_slice(&header)
        .map_err(|e| Error::run(path, format!("is not a readable safetensors file ({e})")))?;
    Ok(header.metadata.get(KEY).cloned().unwrap_or_default())
}

/// What the header of a file holds beside the places of tensors.
#[derive(serde::Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: HashMap<String, String>,
}

/// The tensors of the run at `path` in half precision, rounded to the nearest.
///
/// # Errors
/// Naming the tensor with a value outside the range of half precision.
pub(super) fn halved(path: &Path, tensors: &NamedTensors) -> Result<NamedTensors> {
    let half = |(name, data): &(String, TensorData)| {
        let values: Vec<f64> = data.try_to_vec_as().unwrap_or_default();
        let halves: Vec<f16> = values.iter().map(|&x| f16::from_f64(x)).collect();
        match values.iter().zip(&halves).find(|(_, half)| !half.is_finite()) {
            None => Ok((name.clone(), TensorData::new(halves, data.shape().clone()))),
            Some((&value, _)) => {
                Err(Error::HalfRange { path: path.to_owned(), tensor: name.clone(), value })
            }
        }
    };
    tensors.iter().map(half).collect()
}

/// The tensors under `prefix/`, without it.
pub(super) fn under(tensors: &NamedTensors, prefix: &str) -> NamedTensors {
    tensors
        .iter()
        .filter_map(|(name, data)| {
            let rest = name.strip_prefix(prefix)?.strip_prefix('/')?;
            Some((rest.to_owned(), data.clone()))
        })
        .collect()
}

/// The same tensors, named `prefix/name`.
pub(super) fn over(
    prefix: &str,
    tensors: NamedTensors,
) -> impl Iterator<Item = (String, TensorData)> {
    tensors.into_iter().map(move |(name, data)| (format!("{prefix}/{name}"), data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_the_nearest_and_read_back_as_singles() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("h.safetensors");
        // 1 + 2⁻¹¹ lies half-way and goes to the even neighbor; 65519 is the last that fits.
        let values = [0.1, -2.5, 1.0 + 2f64.powi(-11), 65519.0, 0.0, 1e-9];
        let single: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        let tensors = vec![
            ("m.a".to_owned(), TensorData::new(single, [2, 3])),
            ("m.b".to_owned(), TensorData::new(values.to_vec(), [6])),
        ];
        save(&path, &halved(&path, &tensors).unwrap(), "record").unwrap();
        let (read, record) = load(&path).unwrap();
        assert_eq!((record.as_str(), &read[0].1.shape()[..]), ("record", &[2, 3][..]));
        for (name, data) in &read {
            let expected = [0.099_975_586, -2.5, 1.0, 65504.0, 0.0, 0.0];
            assert_eq!(data.as_slice::<f32>().unwrap(), expected, "{name}");
        }
        for bad in [65520.0, -1e6, f32::INFINITY] {
            let tensors = vec![("m.weight".to_owned(), TensorData::new(vec![0.5, bad], [2]))];
            let error = halved(&path, &tensors).unwrap_err().to_string();
            assert!(error.contains("'m.weight'") && error.contains("65504"), "{error}");
        }
    }
}
