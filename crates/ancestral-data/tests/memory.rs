//! A small file that promises much never makes the reader ask for much memory.

// Counting what is asked for takes an allocator, and an allocator takes unsafe code.
#![allow(unsafe_code, clippy::unwrap_used)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use ancestral_data::{Format, OpenOptions, parse};
use common::{gz, idx, npy, npz, png, tar};
use image::ExtendedColorType::L8;

struct Watching;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

#[test]
fn promises_are_not_believed() {
    let huge_png = |side: u32| {
        let mut bytes = png(4, 4, L8, &[1; 16]);
        bytes[16..20].copy_from_slice(&side.to_be_bytes());
        bytes[20..24].copy_from_slice(&side.to_be_bytes());
        // The checksum of the header, so that the sizes are read as meant.
        let crc = {
            let mut crc = flate2::Crc::new();
            crc.update(&bytes[12..29]);
            crc.sum()
        };
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    };
    let huge_tar = || {
        let mut bytes = tar(&[("a.png", vec![1; 10])]);
        // The size, in octal; then the header's checksum.
        bytes[124..136].copy_from_slice(b"77777777777\0");
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes[..512].iter().map(|&b| u32::from(b)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        bytes
    };
    let huge_bmp = || {
        let image = image::RgbImage::from_pixel(4, 4, image::Rgb([1, 2, 3]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, image::ImageFormat::Bmp).unwrap();
        let mut bytes = bytes.into_inner();
        bytes[18..22].copy_from_slice(&8000i32.to_le_bytes());
        bytes[22..26].copy_from_slice(&8000i32.to_le_bytes());
        bytes
    };
    let npy_huge = npy("<f8", false, "(1048576, 1048576, 1024)", &[0; 64]);
    let cases = [
        (Format::Idx, idx(8, &[1 << 31, 1 << 20], &[1; 100])),
        (Format::Idx, gz(&idx(0x0E, &[1 << 31, 1 << 20], &[0; 100]))),
        (Format::Npy, npy_huge.clone()),
        (Format::Npz, npz(&[("x", npy_huge)])),
        (Format::Image, huge_png(8000)),
        (Format::Image, huge_png(u32::MAX)),
        (Format::Image, huge_bmp()),
        (Format::Tar, huge_tar()),
        (Format::Tar, tar(&[("a/b.png", huge_png(8000))])),
    ];
    for (i, (format, bytes)) in cases.into_iter().enumerate() {
        LARGEST.store(0, Ordering::Relaxed);
        let result = parse(format, &bytes, "promise", &OpenOptions::default());
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(result.is_err(), "case {i}");
        assert!(largest < 1 << 21, "case {i}, {format:?}: {largest} bytes at once");
    }
}
