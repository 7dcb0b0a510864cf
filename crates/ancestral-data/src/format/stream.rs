//! The bytes of files: unpacked, with positions for errors, and within limits of memory and of lines.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::DataError;
use crate::memory;
use crate::special::{open_plain, open_source};

/// The bytes of a file, decompressed if it is gzip or Zstandard, with the current position.
pub(crate) struct Stream<'a> {
    pub(crate) path: PathBuf,
    inner: Box<dyn Read + 'a>,
    pub(super) at: u64,
    packed: bool,
}

impl Stream<'static> {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
        Stream::new(BufReader::with_capacity(1 << 16, open_plain(path)?), path)
    }

    /// A pipe, or standard input under the name `-`, which can be read once.
    pub(crate) fn open_pipe(name: &str) -> Result<Self, DataError> {
        Stream::new(BufReader::with_capacity(1 << 16, open_source(name)?), Path::new(name))
    }
}

/// Refuses empty files, and the texts that Git LFS leaves in the place of files.
pub(crate) fn refuse_no_content(start: &[u8], path: &Path) -> Result<(), DataError> {
    let problem = if start.is_empty() {
        "the file is empty"
    } else if start.starts_with(b"version https://git-lfs.github.com/spec/") {
        "a pointer of Git LFS in the place of the file; fetch it with `git lfs pull`"
    } else {
        return Ok(());
    };
    Err(DataError::malformed(path, "byte 0", problem))
}

impl<'a> Stream<'a> {
    pub(crate) fn new(mut reader: impl BufRead + 'a, path: &Path) -> Result<Self, DataError> {
        let start = reader.fill_buf().map_err(|e| match e.raw_os_error() {
            Some(_) => DataError::io("read", path, e),
            None => {
                DataError::malformed(path, "byte 0", format!("the packed data is damaged: {e}"))
            }
        })?;
        refuse_no_content(start, path)?;
        let gz = start.starts_with(&GZIP);
        let zst = start.starts_with(&ZSTD);
        let inner: Box<dyn Read + 'a> = match (gz, zst) {
            (true, _) => Box::new(Unpacked::new(reader, Gzip)),
            (_, true) => Box::new(Unpacked::new(reader, Zstd)),
            _ => Box::new(reader),
        };
        Ok(Self { path: path.to_owned(), inner, at: 0, packed: gz || zst })
    }

    /// The member of an archive, whose errors are those of packed data.
    pub(crate) fn member(reader: impl BufRead + 'a, path: &Path) -> Self {
        Self { path: path.to_owned(), inner: Box::new(reader), at: 0, packed: true }
    }

    /// The position in the file, for errors.
    pub(crate) fn place(&self) -> String {
        format!("byte {}{}", self.at, if self.packed { " of the unpacked data" } else { "" })
    }

    pub(crate) fn bad(&self, problem: impl Into<String>) -> DataError {
        DataError::malformed(&self.path, self.place(), problem)
    }

    /// An error while reading: of the compression, or of the system.
    pub(crate) fn failed(&self, error: io::Error) -> DataError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.bad("the packed data ends too early"),
            // Every other error that is none of the system's.
            _ if error.raw_os_error().is_none() => {
                self.bad(format!("the packed data is damaged: {error}"))
            }
            _ => DataError::io("read", &self.path, error),
        }
    }

    /// Exactly `count` bytes of `what`.
    pub(crate) fn bytes(&mut self, count: u64, what: &str) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let path = self.path.clone();
        while (bytes.len() as u64) < count {
            let part = (count - bytes.len() as u64).min(BLOCK);
            let before = bytes.len();
            reserve(&mut bytes, part as usize, &path)?;
            let result = (&mut *self).take(part).read_to_end(&mut bytes);
            result.map_err(|e| self.failed(e))?;
            if bytes.len() == before {
                break;
            }
        }
        if (bytes.len() as u64) < count {
            return Err(self.bad(ends_here(count, what, bytes.len())));
        }
        Ok(bytes)
    }

    /// Checks that the file ends here.
    pub(crate) fn end(&mut self) -> Result<(), DataError> {
        let mut one = [0];
        match self.read(&mut one) {
            Ok(0) => Ok(()),
            Ok(_) => {
                self.at -= 1;
                Err(self.bad("expected the end of the file by its header"))
            }
            Err(e) => Err(self.failed(e)),
        }
    }
}

/// What is wrong with a file that is too short.
pub(super) fn ends_here(expected: u64, what: &str, found: usize) -> String {
    format!("the file ends here; expected {expected} bytes of {what}, found {found}")
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A kind of compression, whose files may hold several parts one after another.
trait Packing<R> {
    type Decoder: Read;
    const MAGIC: &'static [u8];
    fn start(reader: R) -> io::Result<Self::Decoder>;
    fn end(decoder: Self::Decoder) -> R;
}

struct Gzip;

impl<R: BufRead> Packing<R> for Gzip {
    type Decoder = GzDecoder<R>;
    const MAGIC: &'static [u8] = &GZIP;

    fn start(reader: R) -> io::Result<GzDecoder<R>> {
        Ok(GzDecoder::new(reader))
    }

    fn end(decoder: GzDecoder<R>) -> R {
        decoder.into_inner()
    }
}

struct Zstd;

impl<R: BufRead> Packing<R> for Zstd {
    type Decoder = StreamingDecoder<R, FrameDecoder>;
    const MAGIC: &'static [u8] = &ZSTD;

    fn start(reader: R) -> io::Result<Self::Decoder> {
        let damaged = |e| io::Error::new(io::ErrorKind::InvalidData, format!("{e}"));
        StreamingDecoder::new(reader).map_err(damaged)
    }

    fn end(decoder: Self::Decoder) -> R {
        decoder.into_inner()
    }
}

/// The unpacked bytes of all parts, which zeros may follow.
struct Unpacked<R, P: Packing<R>> {
    decoder: Option<P::Decoder>,
    next: Option<R>,
}

impl<R: BufRead, P: Packing<R>> Unpacked<R, P> {
    fn new(reader: R, _: P) -> Self {
        Self { decoder: None, next: Some(reader) }
    }
}

impl<R: BufRead, P: Packing<R>> Read for Unpacked<R, P> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(decoder) = &mut self.decoder {
                let n = decoder.read(into)?;
                if n > 0 {
                    return Ok(n);
                }
                self.next = self.decoder.take().map(P::end);
            }
            let Some(mut reader) = self.next.take() else { return Ok(0) };
            // Tapes and some tools pad with zeros.
            loop {
                let bytes = reader.fill_buf()?;
                let zeros = bytes.iter().take_while(|&&b| b == 0).count();
                let end = zeros < bytes.len() || bytes.is_empty();
                let more = zeros < bytes.len();
                reader.consume(zeros);
                match (end, more) {
                    (true, false) => return Ok(0),
                    (true, true) => break,
                    _ => {}
                }
            }
            if !reader.fill_buf()?.starts_with(&P::MAGIC[..1]) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "other bytes follow the end of the packed data",
                ));
            }
            self.decoder = Some(P::start(reader)?);
        }
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Bytes that are read at a time.
const BLOCK: u64 = 1 << 18;

/// Makes room for `more` values, if there is memory for them.
pub(crate) fn reserve<T>(values: &mut Vec<T>, more: usize, path: &Path) -> Result<(), DataError> {
    if values.capacity() - values.len() >= more {
        return Ok(());
    }
    // While they are moved, both places are in use.
    let grown = values.len().saturating_add(more).max(values.capacity().saturating_mul(2));
    let needed = (grown as u64).saturating_mul(size_of::<T>() as u64);
    if needed > ALWAYS_THERE
        && let Some(free) = memory::available()
        && needed > free
    {
        return Err(DataError::Memory { path: path.to_owned(), needed, free });
    }
    values.reserve(grown - values.len());
    Ok(())
}

/// Bytes that are not checked.
const ALWAYS_THERE: u64 = 32 << 20;

/// The most bytes of a line of text.
pub(crate) const MOST_IN_LINE: u64 = 64 << 20;

/// Refuses lines that are too long while they are read; line breaks between quotes end none.
pub(crate) struct LineLimit<R> {
    pub(super) inner: R,
    most: u64,
    length: u64,
    quoted: bool,
    has_quotes: bool,
}

impl<R> LineLimit<R> {
    /// With quotes, as CSV has them, or without.
    pub(crate) fn new(inner: R, has_quotes: bool) -> Self {
        Self { inner, most: MOST_IN_LINE, length: 0, quoted: false, has_quotes }
    }
}

impl<R: Read> Read for LineLimit<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        for &byte in &into[..n] {
            self.length += 1;
            match byte {
                b'\n' if !self.quoted => self.length = 0,
                b'"' if self.has_quotes => self.quoted = !self.quoted,
                _ => {}
            }
            if self.length > self.most {
                return Err(io::Error::other(LongLine));
            }
        }
        Ok(n)
    }
}

/// A line that is longer than any is read.
#[derive(Debug)]
pub(crate) struct LongLine;

impl LongLine {
    /// What an error says of it.
    pub(crate) const PROBLEM: &str = "the line is longer than 64 MiB, the most that is read";

    /// Whether it is the cause of an error.
    pub(crate) fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<Self>())
    }
}

impl std::fmt::Display for LongLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Self::PROBLEM)
    }
}

impl std::error::Error for LongLine {}
