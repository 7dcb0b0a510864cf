//! The lines of a text: its encoding, and records whose quoted cells go on over lines.
//!
//! Lines are counted as the file has them: blank lines, comments and lines within quoted cells count.

use std::io::Read;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use memchr::{memchr, memchr2};

use super::foreign::other_format;
use super::{LongLine, MOST_IN_LINE, Stream};
use crate::{DataError, TextOptions};

/// Bytes read at once.
const CHUNK: usize = 1 << 17;

/// A blank as a separator stands for any number of blanks and tabs.
pub(super) const BLANK: u8 = b' ';

/// Text in UTF-8, line after line.
pub(super) struct Lines<'a> {
    stream: Stream<'a>,
    decoder: Decode,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are known to be UTF-8.
    valid: usize,
    /// The start of the current record in the buffer.
    start: usize,
    /// The end of its text.
    end: usize,
    /// The start of the next one.
    next: usize,
    /// The line of the current record, from 1.
    pub(super) line: u64,
    next_line: u64,
    ended: bool,
    /// Whether all text so far was ASCII, so that the encoding can still be another.
    ascii: bool,
    chunk: Vec<u8>,
    pub(super) notes: Vec<String>,
}

enum Decode {
    /// UTF-8, or Windows-1252 from the first byte that is not.
    Guess,
    /// UTF-8 and nothing else.
    Utf8,
    Other(Box<Decoder>),
}

impl<'a> Lines<'a> {
    pub(super) fn new(stream: Stream<'a>, options: &TextOptions) -> Result<Self, DataError> {
        let mut lines = Self {
            stream,
            decoder: Decode::Guess,
            buffer: Vec::new(),
            valid: 0,
            start: 0,
            end: 0,
            next: 0,
            line: 1,
            next_line: 1,
            ended: false,
            ascii: true,
            chunk: vec![0; CHUNK],
            notes: Vec::new(),
        };
        if let Some(label) = &options.encoding {
            let encoding = Encoding::for_label(label.as_bytes()).ok_or_else(|| {
                DataError::Unsuitable(format!(
                    "unknown encoding '{label}'; give utf-8, utf-16le, utf-16be, windows-1252 or \
                     another label of the WHATWG"
                ))
            })?;
            lines.decoder = match encoding == UTF_8 {
                true => Decode::Utf8,
                false => Decode::Other(Box::new(encoding.new_decoder_with_bom_removal())),
            };
        }
        // The first bytes decide on the encoding.
        let mut first = Vec::new();
        (&mut lines.stream)
            .take(CHUNK as u64)
            .read_to_end(&mut first)
            .map_err(|e| lines.stream.failed(e))?;
        lines.ended = first.len() < CHUNK;
        let mut skip = 0;
        if options.encoding.is_none() {
            lines.refuse_other_formats(&first)?;
            if let Some(encoding) = utf_16(&first) {
                lines.decoder = Decode::Other(Box::new(encoding.new_decoder_with_bom_removal()));
            }
        }
        if !matches!(lines.decoder, Decode::Other(_)) && first.starts_with(b"\xEF\xBB\xBF") {
            skip = 3;
        }
        lines.take(&first[skip..])?;
        Ok(lines)
    }

    fn bad(&self, line: u64, problem: impl Into<String>) -> DataError {
        DataError::malformed(&self.stream.path, format!("line {line}"), problem)
    }

    /// Names files that are no text, whatever their names say.
    fn refuse_other_formats(&self, first: &[u8]) -> Result<(), DataError> {
        match other_format(first) {
            Some(problem) => Err(DataError::malformed(&self.stream.path, "byte 0", problem)),
            None => Ok(()),
        }
    }

    /// Reads and decodes more text.
    fn fill(&mut self) -> Result<(), DataError> {
        if (self.buffer.len() - self.start) as u64 > MOST_IN_LINE {
            return Err(self.bad(self.line, LongLine::PROBLEM));
        }
        // What is consumed makes room.
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.valid -= self.start;
            self.next -= self.start;
            self.start = 0;
        }
        let mut chunk = std::mem::take(&mut self.chunk);
        let read = self.stream.read(&mut chunk);
        let result = match read {
            Ok(n) => {
                self.ended = n == 0;
                self.take(&chunk[..n])
            }
            Err(e) => Err(match e.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    self.bad(self.last_line(), "the packed data ends too early")
                }
                _ => self.stream.failed(e),
            }),
        };
        self.chunk = chunk;
        result
    }

    /// The line that the text read so far ends in.
    fn last_line(&self) -> u64 {
        self.line + ends_of_lines(&self.buffer[self.start..])
    }

    /// Appends bytes of the file to the text, which has no zero bytes.
    fn take(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let before = self.valid;
        self.decode(bytes)?;
        if let Some(at) = memchr(0, &self.buffer[before..self.valid]) {
            let line = self.line + ends_of_lines(&self.buffer[self.start..before + at]);
            return Err(self
                .bad(line, "a zero byte, which is no text; delete it, or save the file as UTF-8"));
        }
        Ok(())
    }

    fn decode(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        if let Decode::Other(decoder) = &mut self.decoder {
            let before = self.buffer.len();
            let problem = decode(decoder, bytes, self.ended, &mut self.buffer);
            self.valid = self.buffer.len();
            let name = decoder.encoding().name();
            if problem {
                let line = self.line + ends_of_lines(&self.buffer[self.start..before]);
                return Err(self.bad(
                    line,
                    format!("bytes that are not {name} text; give the encoding with --encoding"),
                ));
            }
            return Ok(());
        }
        self.buffer.extend_from_slice(bytes);
        match std::str::from_utf8(&self.buffer[self.valid..]) {
            Ok(text) => {
                self.ascii &= text.is_ascii();
                self.valid = self.buffer.len();
            }
            Err(error) => {
                let good = self.valid + error.valid_up_to();
                self.ascii &= self.buffer[self.valid..good].is_ascii();
                self.valid = good;
                if error.error_len().is_none() && !self.ended {
                    // A character that the next bytes complete.
                    return Ok(());
                }
                return self.other_encoding();
            }
        }
        Ok(())
    }

    /// Bytes from `valid` on are not UTF-8.
    fn other_encoding(&mut self) -> Result<(), DataError> {
        let line = self.line + ends_of_lines(&self.buffer[self.start..self.valid]);
        let byte = self.buffer.get(self.valid).copied().unwrap_or(0);
        if byte == 0 || self.buffer[self.start..].contains(&0) {
            return Err(self.bad(line, "bytes that are no text; expected a table of text"));
        }
        if !matches!(self.decoder, Decode::Guess) || !self.ascii {
            return Err(self.bad(
                line,
                format!(
                    "bytes that are not UTF-8 text ({byte:#04x}); give the encoding with --encoding, as \
                     in windows-1252"
                ),
            ));
        }
        self.notes.push(format!(
            "line {line} holds bytes that are not UTF-8; the text was read as Windows-1252 (--encoding \
             gives another)"
        ));
        let mut decoder = WINDOWS_1252.new_decoder_without_bom_handling();
        let rest = self.buffer.split_off(self.valid);
        decode(&mut decoder, &rest, self.ended, &mut self.buffer);
        self.valid = self.buffer.len();
        self.decoder = Decode::Other(Box::new(decoder));
        Ok(())
    }

    /// Reads until this much text is there, or all of it.
    pub(super) fn read_ahead(&mut self, bytes: usize) -> Result<(), DataError> {
        while !self.ended && self.valid < bytes {
            self.fill()?;
        }
        Ok(())
    }

    /// The text that was read and is not yet consumed, and whether the file ends with it.
    pub(super) fn ahead(&self) -> (&[u8], bool) {
        (&self.buffer[self.start..self.valid], self.ended)
    }

    /// The whole lines after the current record, up to a line feed, of about this much text.
    pub(super) fn whole_lines(&mut self, bytes: usize) -> Result<&[u8], DataError> {
        (self.start, self.end, self.line) = (self.next, self.next, self.next_line);
        while !self.ended && self.valid - self.start < bytes {
            self.fill()?;
        }
        let text = &self.buffer[self.start..self.valid];
        Ok(&text[..memchr::memrchr(b'\n', text).map_or(0, |end| end + 1)])
    }

    /// Passes over lines that were read otherwise.
    pub(super) fn pass(&mut self, bytes: usize, lines: u64) {
        self.next += bytes;
        self.next_line += lines;
    }

    /// The text of the current record.
    pub(super) fn text(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The file.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.stream.path
    }

    /// The end of the line that starts at `at`: that of its text, and the start of the next line.
    fn end_of_line(&mut self, at: usize) -> Result<(usize, usize, bool), DataError> {
        // Offsets relative to the start of the record, which filling keeps.
        let mut from = at - self.start;
        loop {
            let base = self.start;
            match memchr2(b'\n', b'\r', &self.buffer[base + from..self.valid]) {
                Some(found) => {
                    let end = base + from + found;
                    if self.buffer[end] == b'\n' {
                        return Ok((end, end + 1, true));
                    }
                    if end + 1 < self.valid {
                        let two = self.buffer[end + 1] == b'\n';
                        return Ok((end, end + 1 + usize::from(two), true));
                    }
                    if self.ended {
                        return Ok((end, end + 1, true));
                    }
                    from = end - base;
                }
                None if self.ended => return Ok((self.valid, self.valid, false)),
                None => from = self.valid - base,
            }
            self.fill()?;
        }
    }

    /// Goes to the next record, with quoted cells over lines; false at the end of the file. Its text
    /// is [`Lines::text`].
    pub(super) fn record(&mut self, separator: u8) -> Result<bool, DataError> {
        self.start = self.next;
        self.line = self.next_line;
        let mut end = self.start;
        let mut quotes = Quotes::new(separator);
        loop {
            let from = end - self.start;
            let (text_end, next, terminated) = self.end_of_line(end)?;
            let begin = self.start + from;
            if begin == text_end && !terminated {
                if quotes.open {
                    return Err(self.bad(
                        self.line,
                        "a quoted cell begins in this record and its end is missing",
                    ));
                }
                return Ok(false);
            }
            self.next_line += 1;
            if quotes.open || memchr(b'"', &self.buffer[begin..text_end]).is_some() {
                quotes.scan(&self.buffer[begin..text_end]);
                if quotes.open {
                    end = next;
                    if !terminated {
                        return Err(self.bad(
                            self.line,
                            "a quoted cell begins in this record and its end is missing",
                        ));
                    }
                    continue;
                }
            }
            self.next = next;
            self.end = text_end;
            return Ok(true);
        }
    }
}

/// Appends decoded bytes; whether some could not be decoded.
fn decode(decoder: &mut Decoder, mut bytes: &[u8], last: bool, into: &mut Vec<u8>) -> bool {
    let mut failed = false;
    loop {
        let room = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3 + 16);
        let before = into.len();
        into.resize(before + room, 0);
        let (result, read, written, errors) =
            decoder.decode_to_utf8(bytes, &mut into[before..], last);
        into.truncate(before + written);
        failed |= errors;
        bytes = &bytes[read..];
        if result == CoderResult::InputEmpty {
            return failed;
        }
    }
}

/// UTF-16 by its mark, or by the zeros that it has in Latin text.
fn utf_16(first: &[u8]) -> Option<&'static Encoding> {
    if first.starts_with(b"\xFF\xFE") {
        return Some(UTF_16LE);
    }
    if first.starts_with(b"\xFE\xFF") {
        return Some(UTF_16BE);
    }
    let some = &first[..first.len().min(1024) & !1];
    let zeros = |odd: usize| some.iter().skip(odd).step_by(2).filter(|&&b| b == 0).count();
    let most = some.len() / 2 * 7 / 10;
    match (zeros(0), zeros(1)) {
        (0, odd) if odd > most && odd > 0 => Some(UTF_16LE),
        (even, 0) if even > most && even > 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// How many lines end in a text: by line feeds, carriage returns or both.
fn ends_of_lines(text: &[u8]) -> u64 {
    let mut count = 0;
    let mut rest = text;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        count += 1;
        let two = rest[at] == b'\r' && rest.get(at + 1) == Some(&b'\n');
        rest = &rest[at + 1 + usize::from(two)..];
    }
    count
}

/// Whether a quoted cell is open, followed line by line.
pub(super) struct Quotes {
    separator: u8,
    pub(super) open: bool,
}

impl Quotes {
    pub(super) fn new(separator: u8) -> Self {
        Self { separator, open: false }
    }

    /// Follows the next line of a record.
    pub(super) fn scan(&mut self, line: &[u8]) {
        let is_separator = |b: u8| match self.separator {
            BLANK => b == b' ' || b == b'\t',
            separator => b == separator,
        };
        let mut at = 0;
        let mut cell_start = !self.open;
        while at < line.len() {
            if self.open {
                match memchr(b'"', &line[at..]) {
                    None => return,
                    // Two quotes stand for one.
                    Some(found) if line.get(at + found + 1) == Some(&b'"') => at += found + 2,
                    Some(found) => {
                        at += found + 1;
                        self.open = false;
                        cell_start = false;
                    }
                }
                continue;
            }
            let byte = line[at];
            if cell_start && byte == b'"' {
                self.open = true;
            } else if is_separator(byte) {
                cell_start = true;
            } else if byte != b' ' {
                cell_start = false;
            }
            at += 1;
        }
    }
}
