//! TensorBoard event files: TFRecord frames around hand-encoded `Event` messages with scalars.
//!
//! A frame is length (u64), masked CRC-32C of the length, data, masked CRC-32C of the data; the
//! message is `event.proto` of TensorFlow: 1 wall_time (double), 2 step (int64),
//! 3 file_version (string), 5 summary { 1 value { 1 tag, 2 simple_value (float) } }.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ancestral_data::{DataError, write_atomic};

use super::Event;
use crate::Result;

/// The name makes TensorBoard take the file for an event file.
pub(crate) const FILE: &str = "events.out.tfevents.0000000000.ancestral";

#[derive(Debug)]
pub(crate) struct TensorBoard {
    path: PathBuf,
    file: File,
    started: f64,
}

impl TensorBoard {
    /// Writes the file anew from what `events.jsonl` holds, then stays open for more.
    pub(crate) fn open(folder: &Path, started: f64, events: &[Event]) -> Result<Self> {
        let path = folder.join(FILE);
        let mut bytes = frame(&message(started, 0, &[(3, b"brain.Event:2")]));
        for event in events {
            bytes.extend(frames(started, event));
        }
        write_atomic(&path, &bytes)?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|e| DataError::io("open", &path, e))?;
        Ok(Self { path, file, started })
    }

    pub(crate) fn push(&mut self, event: &Event) -> Result<()> {
        self.file
            .write_all(&frames(self.started, event))
            .map_err(|e| DataError::io("write", &self.path, e).into())
    }
}

/// One frame a figure, under `kind/name`.
fn frames(started: f64, event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in &event.values {
        let mut entry = Vec::new();
        field(&mut entry, 1, format!("{}/{name}", event.kind).as_bytes());
        entry.push(2 << 3 | 5);
        entry.extend((*value as f32).to_le_bytes());
        let mut summary = Vec::new();
        field(&mut summary, 1, &entry);
        let wall_time = started + event.seconds;
        bytes.extend(frame(&message(wall_time, event.step, &[(5, &summary)])));
    }
    bytes
}

fn message(wall_time: f64, step: u64, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![1 << 3 | 1];
    bytes.extend(wall_time.to_le_bytes());
    bytes.push(2 << 3);
    varint(&mut bytes, step);
    for (number, value) in fields {
        field(&mut bytes, *number, value);
    }
    bytes
}

/// A length-delimited field.
fn field(bytes: &mut Vec<u8>, number: u8, value: &[u8]) {
    bytes.push(number << 3 | 2);
    varint(bytes, value.len() as u64);
    bytes.extend(value);
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn frame(data: &[u8]) -> Vec<u8> {
    let masked = |bytes: &[u8]| {
        let crc = crc32c::crc32c(bytes);
        crc.rotate_right(15).wrapping_add(0xa282_ead8)
    };
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(masked(&length).to_le_bytes());
    bytes.extend(data);
    bytes.extend(masked(data).to_le_bytes());
    bytes
}
