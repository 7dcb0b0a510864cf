//! TensorBoard event files: TFRecord frames around hand-encoded `Event` messages with scalars and
//! images.
//!
//! A frame is length (u64), masked CRC-32C of the length, data, masked CRC-32C of the data; the
//! message is `event.proto` of TensorFlow: 1 wall_time (double), 2 step (int64),
//! 3 file_version (string), 5 summary { 1 value { 1 tag, 2 simple_value (float), 4 image {
//! 1 height, 2 width, 3 colorspace, 4 encoded_image_string } } }.

use std::path::Path;

use ancestral_data::{Appender, write_atomic_in};

use crate::Result;
use crate::train::{Event, Image, Observer};

/// TensorBoard recognizes event files by this part of the name.
pub(super) const FILE: &str = "events.out.tfevents.0000000000.ancestral";

/// An open event file.
#[derive(Debug)]
pub(super) struct TensorBoard {
    file: Appender,
    started: f64,
}

impl TensorBoard {
    /// Rewrites the file of a run folder from its events, and stays open for more; `started` is
    /// the time at which training began, in seconds since 1970.
    pub(super) fn open(folder: &Path, started: f64, events: Vec<Event>) -> Result<Self> {
        let path = folder.join(FILE);
        let mut bytes = frame(&message(started, 0, &[(3, b"brain.Event:2")]));
        for mut event in events {
            if let Event::Image(Image { path: Some(path), png, .. }) = &mut event {
                // Skips an image whose file was deleted.
                *png = ancestral_data::read_plain(&folder.join(path)).ok().map(Into::into);
            }
            bytes.extend(frames(started, &event));
        }
        write_atomic_in(folder, Path::new(FILE), &bytes)?;
        let file = Appender::open(&path, u64::MAX)?;
        Ok(Self { file, started })
    }
}

impl Observer for TensorBoard {
    fn event(&mut self, event: &Event) -> Result<()> {
        let frames = frames(self.started, event);
        if frames.is_empty() {
            return Ok(());
        }
        self.file.append(&frames)?;
        Ok(self.file.flush()?)
    }

    fn wants_model(&self) -> bool {
        false
    }
}

/// One frame for each metric, under `kind/name`, and for an image.
fn frames(started: f64, event: &Event) -> Vec<u8> {
    let framed = |step: u64, seconds: f64, tag: &str, fill: &dyn Fn(&mut Vec<u8>)| {
        let mut value = Vec::new();
        field(&mut value, 1, tag.as_bytes());
        fill(&mut value);
        let mut summary = Vec::new();
        field(&mut summary, 1, &value);
        frame(&message(started + seconds, step, &[(5, &summary)]))
    };
    if let Some(entry) = event.entry() {
        let scalars = entry.values.iter().map(|(name, value)| {
            framed(entry.step, entry.seconds, &format!("{}/{name}", event.kind()), &|bytes| {
                bytes.push(2 << 3 | 5);
                bytes.extend((*value as f32).to_le_bytes());
            })
        });
        return scalars.flatten().collect();
    }
    let Event::Image(Image { step, seconds, name, png: Some(png), .. }) = event else {
        return Vec::new();
    };
    let Some([width, height]) = png_size(png) else { return Vec::new() };
    framed(*step, *seconds, &format!("image/{name}"), &|bytes| {
        let mut image = Vec::new();
        for (number, value) in [(1u8, height), (2, width), (3, RGB)] {
            image.push(number << 3);
            varint(&mut image, value.into());
        }
        field(&mut image, 4, png);
        field(bytes, 4, &image);
    })
}

/// TensorFlow's code for RGB.
const RGB: u32 = 3;

/// Width and height of an image in PNG, from its first chunk.
fn png_size(png: &[u8]) -> Option<[u32; 2]> {
    let number = |at: usize| Some(u32::from_be_bytes(png.get(at..at + 4)?.try_into().ok()?));
    Some([number(16)?, number(20)?])
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
