//! Whatever is done to the bytes of a valid file, reading ends in data or in an error.
// Clippy exempts only the test functions themselves from these.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use ancestral_data::{Format, OpenOptions, Streams, parse};
use common::{cifar, gz, idx, jpeg, npy, npz, png, tar};
use image::ExtendedColorType::{L8, Rgb8};
use image::ImageFormat;
use rand::{Rng, RngExt};

fn mutate(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    for _ in 0..rng.random_range(1..4) {
        if bytes.is_empty() {
            return;
        }
        // Most of what matters stands near the start.
        let reach = if rng.random::<bool>() { bytes.len().min(64) } else { bytes.len() };
        let at = rng.random_range(0..reach);
        match rng.random_range(0..6) {
            0 => bytes[at] ^= 1 << rng.random_range(0..8),
            1 => bytes[at] = rng.random(),
            2 => bytes[at] = [0, 0xFF, 0x7F, 0x80][rng.random_range(0..4)],
            3 => bytes.truncate(at),
            4 => {
                let insert: Vec<u8> = (0..rng.random_range(1..9)).map(|_| rng.random()).collect();
                bytes.splice(at..at, insert);
            }
            _ => {
                let till = (at + rng.random_range(1..9)).min(bytes.len());
                bytes.drain(at..till);
            }
        }
    }
}

fn survive(format: Format, valid: &[Vec<u8>], rounds: u64) {
    let options = OpenOptions::default();
    let mut read = 0;
    for (file, bytes) in valid.iter().enumerate() {
        parse(format, bytes, "valid", &options)
            .unwrap_or_else(|e| panic!("{format:?}, file {file}: {e}"));
        for round in 0..rounds {
            let mut rng = Streams::new(file as u64).item("mutate", format as u64, round);
            let mut bytes = bytes.clone();
            mutate(&mut bytes, &mut rng);
            match parse(format, &bytes, "mutated", &options) {
                Ok(_) => read += 1,
                // The file is to blame, not the system.
                Err(error) => assert!(error.is_usage(), "{format:?}, round {round}: {error}"),
            }
        }
    }
    println!("{format:?}: {read} of {} mutants are still readable", valid.len() as u64 * rounds);
}

#[test]
fn idx_never_panics() {
    let files = [
        idx(8, &[3, 2, 2], &[7; 12]),
        idx(0x0E, &[2, 2], &[0; 32]),
        gz(&idx(0x0B, &[3, 2, 2, 1], &[0; 24])),
    ];
    survive(Format::Idx, &files, 4000);
}

#[test]
fn text_never_panics() {
    let files =
        [b"0 1 1 0\n1 0 0 1\n".to_vec(), b"0,1.5,-2e3\n1,0,0\n".to_vec(), gz(b"1 0\n0 1\n")];
    survive(Format::Text, &files, 4000);
}

#[test]
fn npy_never_panics() {
    let files = [
        npy("<f4", false, "(2, 3)", &[0; 24]),
        npy("|b1", false, "(4, 1, 1)", &[1; 4]),
        gz(&npy(">i8", false, "(2,)", &[0; 16])),
    ];
    survive(Format::Npy, &files, 4000);
    // The header alone, letter by letter.
    let valid = npy("<f8", false, "(1, 2)", &[0; 16]);
    for at in 0..128 {
        for byte in [0, b'\'', b'(', b')', b',', b':', b'9', 0xFF] {
            let mut bytes = valid.clone();
            bytes[at] = byte;
            let _ = parse(Format::Npy, &bytes, "mutated", &OpenOptions::default());
        }
    }
}

#[test]
fn npz_never_panics() {
    let part = npy("|u1", false, "(4, 2)", &[3; 8]);
    let labels = npy("<i4", false, "(4,)", &[0; 16]);
    let files = [npz(&[("x_train", part.clone()), ("y_train", labels), ("x_test", part)])];
    survive(Format::Npz, &files, 4000);
}

#[test]
fn npz_damaged_in_any_byte_is_wrong_input() {
    let part = npy("|u1", false, "(40, 2)", &[3; 80]);
    let file = npz(&[("x_train", part.clone()), ("x_test", part)]);
    for at in 0..file.len() {
        for change in [0x01, 0x5a, 0xff] {
            let mut bytes = file.clone();
            bytes[at] ^= change;
            if let Err(error) = parse(Format::Npz, &bytes, "npz", &OpenOptions::default()) {
                assert!(error.is_usage(), "byte {at}: {error}");
            }
        }
    }
}

#[test]
fn color_profiles_are_read_up_to_16_mib() {
    use image::ImageEncoder;
    let with_profile = |jpeg: bool, size: usize| {
        let (mut bytes, profile) = (Vec::new(), vec![0; size]);
        if jpeg {
            let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut bytes);
            encoder.set_icc_profile(profile).unwrap();
            encoder.write_image(&[9; 16], 4, 4, L8).unwrap();
        } else {
            let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
            encoder.set_icc_profile(profile).unwrap();
            encoder.write_image(&[9; 16], 4, 4, L8).unwrap();
        }
        bytes
    };
    let read = |bytes: &[u8]| parse(Format::Image, bytes, "a.png", &OpenOptions::default());
    for jpeg in [false, true] {
        assert!(read(&with_profile(jpeg, 1 << 20)).is_ok(), "{jpeg}");
    }
    // 65 MiB in 64 KiB.
    let bytes = with_profile(false, 65 << 20);
    assert!(bytes.len() < 1 << 17);
    let error = read(&bytes).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("more than 16 MiB"), "{error}");
    // A JPEG holds 255 parts of 64 KiB, just below 16 MiB, unless a stranger writes it.
    let one = with_profile(true, 60_000);
    let at = one.windows(2).position(|pair| pair == [0xff, 0xe2]).unwrap();
    let segment =
        one[at..at + 2 + usize::from(u16::from_be_bytes([one[at + 2], one[at + 3]]))].to_vec();
    let many = [&one[..at], &segment.repeat(300), &one[at..]].concat();
    let error = read(&many).unwrap_err();
    assert!(error.to_string().contains("more than 16 MiB"), "{error}");
}

#[test]
fn csv_never_panics() {
    let files = [
        b"a,label,b\n1,x,2\n3,y,4\n".to_vec(),
        b"fold,a,label\n1,1,x\n2,2,y\n3,3,x\n".to_vec(),
        b"1;2;3\n4;5;6\n".to_vec(),
        b"\"a\",\"b\"\n\"1\",2\n".to_vec(),
        gz(b"1,2\n3,4\n"),
        b"sep=;\r\na;b;c\r\n1,5;2;x\r\n4,25;5;y\r\n".to_vec(),
        b"# c\n# a b\n1.5 2\n\n3e-1 4\n".to_vec(),
        b"\xff\xfea\0,\0b\0\n\x001\0,\x002\0\n\0".to_vec(),
        b"gr\xf6\xdfe,b\n1,2\n".to_vec(),
        b",a,\"b\nc\",label\n0,1,2,0.5\n1,3,4,1.5\n".to_vec(),
        [gz(b"a,b\n1,2\n"), vec![0; 40]].concat(),
        ruzstd::encoding::compress_to_vec(
            &b"a,b\n1,2\n3,4\n"[..],
            ruzstd::encoding::CompressionLevel::Fastest,
        ),
    ];
    survive(Format::Csv, &files, 3000);
}

#[test]
fn cifar_never_panics() {
    survive(Format::Cifar, &[cifar(2), gz(&cifar(2))], 500);
}

#[test]
fn tar_never_panics() {
    let small = png(2, 2, L8, &[1, 2, 3, 4]);
    let files = [
        tar(&[("train/a/1.png", small.clone()), ("test/a/1.png", small.clone())]),
        gz(&tar(&[("a/1.png", small.clone()), ("b/1.png", small)])),
    ];
    survive(Format::Tar, &files, 2000);
}

#[test]
fn images_never_panic() {
    let noise: Vec<u8> = (0..8 * 8 * 3).map(|i| (i * 37 % 256) as u8).collect();
    let files = [png(8, 8, Rgb8, &noise), png(8, 8, L8, &noise[..64]), jpeg(8, 8, &noise)];
    survive(Format::Image, &files, 3000);
    let rgb = image::RgbImage::from_raw(8, 8, noise).unwrap();
    let other = [ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff, ImageFormat::WebP];
    let files = other.map(|format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        rgb.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    });
    survive(Format::Image, &files, 1000);
}
