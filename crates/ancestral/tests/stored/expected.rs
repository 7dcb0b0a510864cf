//! Compares values with those in a JSON file.
//!
//! On the kind of processor that the file names, the bits must be equal; elsewhere, and when the file
//! is updated, the numbers must be close.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// Distance of close numbers, relative to their size or to the root mean square of their list.
const TOLERANCE: f64 = 1e-5;
/// Share of equal entries in close lists of discrete values.
const EQUAL: f64 = 0.99;
/// Numbers of a list that the file shows; the others are in the hash.
const SHOWN: usize = 20;
/// The environment variable that updates the files.
const RENEW: &str = "ANCESTRAL_RENEW";

/// A result.
pub(crate) enum Found {
    /// Numbers of any kind, singles as doubles.
    Reals(Vec<f64>),
    /// Whole numbers from 0 to 255.
    Levels(Vec<u8>),
    /// The bytes of a file, which are not compared on other processors.
    Bytes(Vec<u8>),
    /// Words and numbers.
    Json(Value),
}

/// The results of some runs.
pub(crate) struct Expected {
    path: PathBuf,
    found: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Expected {
    /// Nothing yet, for the file of this name.
    pub(crate) fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ancestral/tests/stored");
        Self { path: folder.join("expected").join(name), found: BTreeMap::new() }
    }

    /// Adds what was found of a run.
    pub(crate) fn add(&mut self, run: &str, what: &str, found: Found) {
        let old =
            self.found.entry(run.to_owned()).or_default().insert(what.to_owned(), entry(found));
        assert!(old.is_none(), "{run}: {what} was measured twice");
    }

    /// Compares with the file, or updates it.
    pub(crate) fn check(self) {
        let text = std::fs::read_to_string(&self.path);
        let renew = std::env::var_os(RENEW).is_some_and(|value| value == "1");
        let old: Value = match &text {
            Ok(text) => serde_json::from_str(text).unwrap(),
            Err(_) if renew => json!({ "runs": {} }),
            Err(error) => panic!("{}: {error}", self.path.display()),
        };
        let exact = !renew && old["processor"] == processor();
        let mut differences = Vec::new();
        let runs = old["runs"].as_object().unwrap();
        for (run, old) in runs {
            for (what, old) in old.as_object().unwrap() {
                match self.found.get(run).and_then(|found| found.get(what)) {
                    None => differences.push(format!("{run}: {what} is missing")),
                    Some(new) => {
                        if let Some(problem) = difference(old, new, exact) {
                            differences.push(format!("{run}: {what}: {problem}"));
                        }
                    }
                }
            }
        }
        for (run, found) in &self.found {
            let known = |what: &str| runs.get(run).is_some_and(|old| old.get(what).is_some());
            for what in found.keys().filter(|what| !renew && !known(what)) {
                differences.push(format!("{run}: {what} is not in the file; {RENEW}=1 adds it"));
            }
        }
        let list = differences.join("\n");
        assert!(differences.is_empty(), "{} (same bits: {exact})\n{list}", self.path.display());
        if renew {
            std::fs::create_dir_all(self.path.parent().unwrap()).unwrap();
            std::fs::write(&self.path, self.text()).unwrap();
        } else if !exact {
            let file = self.path.display();
            println!("{file} is of another kind of processor: close values are enough");
        }
    }

    /// The text of the file, one line per entry.
    fn text(&self) -> String {
        let mut text = format!("{{\n\"processor\": {},\n\"runs\": {{", processor());
        for (i, (run, found)) in self.found.iter().enumerate() {
            write!(text, "{}\n{}: {{", if i > 0 { "," } else { "" }, Value::from(run.as_str()))
                .unwrap();
            for (i, (what, entry)) in found.iter().enumerate() {
                let comma = if i > 0 { "," } else { "" };
                write!(text, "{comma}\n  {}: {entry}", Value::from(what.as_str())).unwrap();
            }
            text.push_str("\n}");
        }
        text.push_str("\n}\n}\n");
        text
    }
}

/// The entry of a result in the file.
pub(crate) fn entry(found: Found) -> Value {
    match found {
        Found::Reals(values) => reals(&values),
        Found::Levels(levels) => json!({ "count": levels.len(), "levels": packed(&levels) }),
        Found::Bytes(bytes) => json!({ "bytes": bytes.len(), "hash": hash(bytes) }),
        Found::Json(value) => json!({ "json": value }),
    }
}

/// The properties of the processor that bits may depend on.
fn processor() -> Value {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |key: &str| {
        let mut fields = info.lines().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(name, _)| name.trim() == key);
        found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let target = format!(
        "{} {}{}",
        std::env::consts::ARCH,
        std::env::consts::OS,
        if cfg!(target_env = "musl") { " musl" } else { "" }
    );
    json!({
        "target": target, "instructions": instructions(), "vendor": of("vendor_id"),
        "family": of("cpu family"), "model": of("model"),
    })
}

/// The instruction sets that results are computed with, of those the processor has.
fn instructions() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let sets = [
            ("fma", is_x86_feature_detected!("fma")),
            ("avx2", is_x86_feature_detected!("avx2")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
            ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
        ];
        sets.into_iter().filter(|set| set.1).map(|set| set.0).collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

/// The count of some numbers, a hash of their bits, and some of them from first to last.
fn reals(values: &[f64]) -> Value {
    let odd = values.iter().position(|value| !value.is_finite());
    assert!(odd.is_none(), "value {odd:?} is not finite");
    let shown = values.len().min(SHOWN);
    let shown = (0..shown).map(|i| number(values[i * values.len() / shown]));
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    json!({
        "count": values.len(), "hash": hash(bytes), "values": shown.collect::<Vec<_>>(),
    })
}

/// A number, written as a single where it is one.
fn number(value: f64) -> Value {
    let single = value as f32;
    if f64::from(single) == value { single.to_string().parse::<f64>().unwrap() } else { value }
        .into()
}

/// The 64-bit hash of Fowler, Noll and Vo (FNV-1a).
fn hash(bytes: impl IntoIterator<Item = u8>) -> String {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Hexadecimal digits: two per entry, or one for four entries that are 0 or 1.
fn packed(levels: &[u8]) -> String {
    if levels.iter().any(|&level| level > 1) {
        return levels.iter().map(|level| format!("{level:02x}")).collect();
    }
    let nibble = |four: &[u8]| four.iter().fold(0, |sum, &bit| sum << 1 | bit) << (4 - four.len());
    levels.chunks(4).map(|four| format!("{:x}", nibble(four))).collect()
}

/// The entries of packed levels.
fn unpacked(text: &str, count: usize) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    if digits.len() == 2 * count {
        return digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    }
    let bits = digits.iter().flat_map(|digit| [3, 2, 1, 0].map(|place| digit >> place & 1));
    bits.take(count).collect()
}

/// What differs between two entries, if they are not equal or, where that is enough, not close.
pub(crate) fn difference(old: &Value, new: &Value, exact: bool) -> Option<String> {
    if old == new {
        return None;
    }
    let keys = |entry: &Value| entry.as_object().map(|e| e.keys().cloned().collect::<Vec<_>>());
    if keys(old) != keys(new) || old["count"] != new["count"] {
        return Some(format!("{new} is of another kind than {old}"));
    }
    if let Some(levels) = old["levels"].as_str() {
        let count = old["count"].as_u64().unwrap() as usize;
        let (a, b) = (unpacked(levels, count), unpacked(new["levels"].as_str().unwrap(), count));
        let equal = a.iter().zip(&b).filter(|(a, b)| a == b).count();
        let enough = a.len() == b.len() && equal as f64 >= EQUAL * a.len() as f64;
        return (exact || !enough).then(|| format!("{equal} of {} entries are equal", a.len()));
    }
    if old["values"].is_array() {
        let list = |entry: &Value| -> Vec<f64> {
            entry["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let (a, b) = (list(old), list(new));
        let size = (a.iter().map(|x| x * x).sum::<f64>() / a.len() as f64).sqrt();
        let far = |(a, b): (&f64, &f64)| (a - b).abs() > TOLERANCE * a.abs().max(size);
        let unequal = |(a, b): (&f64, &f64)| a != b;
        let at = a.iter().zip(&b).position(|pair| if exact { unequal(pair) } else { far(pair) });
        return match at {
            Some(i) => Some(format!("value {i} of those shown is {} and was {}", b[i], a[i])),
            None if exact => Some("values that are not shown differ".to_owned()),
            None => None,
        };
    }
    if old["bytes"].is_u64() {
        return exact.then(|| format!("{new}, was {old}"));
    }
    (exact || !close(&old["json"], &new["json"])).then(|| format!("{new}, was {old}"))
}

/// Whether numbers are close and all else is equal.
fn close(a: &Value, b: &Value) -> bool {
    let both = |a: &Map<String, Value>, b: &Map<String, Value>| {
        a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| close(a, b)))
    };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => both(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= TOLERANCE * (1.0 + a.abs())
        }
        _ => a == b,
    }
}
