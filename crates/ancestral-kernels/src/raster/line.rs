//! The way of an LSTM over an image: its lines, and their places.

use std::ops::Range;

use super::{
    frame::{Frame, Tap, narrow},
    gates::PIECE,
};

/// The way an LSTM moves over an image (van den Oord, Kalchbrenner and Kavukcuoglu 2016, sections 3.1
/// and 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scan {
    /// Top to bottom; a pixel sees three states of the row above, and continues the cell state above.
    Rows,
    /// Along the diagonals from the top left corner; a pixel sees the states to its left and above,
    /// and continues the cell state to its left.
    Diagonals,
    /// The mirror image: from the top right corner.
    DiagonalsFromRight,
}

impl Scan {
    /// The pixels whose states a pixel sees, in the order of their weights.
    pub fn taps(self) -> &'static [Tap] {
        match self {
            Self::Rows => &[[-1, -1], [-1, 0], [-1, 1]],
            Self::Diagonals => &[[0, -1], [-1, 0]],
            Self::DiagonalsFromRight => &[[0, 1], [-1, 0]],
        }
    }

    /// The pixel whose cell state a pixel continues.
    pub fn carry(self) -> Tap {
        match self {
            Self::Rows => [-1, 0],
            Self::Diagonals => [0, -1],
            Self::DiagonalsFromRight => [0, 1],
        }
    }

    /// The same taps as distances in the line before, where the cell state's own is 0.
    pub(super) fn distances(self) -> &'static [isize] {
        match self {
            Self::Rows => &[-1, 0, 1],
            Self::Diagonals | Self::DiagonalsFromRight => &[0, -1],
        }
    }
}

/// The lines of a scan over one image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    pub(super) scan: Scan,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Lines {
    /// Places in a line.
    pub(super) fn len(&self) -> usize {
        if self.scan == Scan::Rows { self.width } else { self.height }
    }

    pub(super) fn steps(&self) -> usize {
        if self.scan == Scan::Rows { self.height } else { self.height + self.width - 1 }
    }

    /// The places of a line that are pixels.
    pub(super) fn places(&self, step: usize) -> Range<usize> {
        if self.scan == Scan::Rows {
            return 0..self.width;
        }
        (step + 1).saturating_sub(self.width)..self.height.min(step + 1)
    }

    /// The pixel at a place.
    pub(super) fn pixel(&self, step: usize, place: usize) -> usize {
        match self.scan {
            Scan::Rows => step * self.width + place,
            Scan::Diagonals => place * self.width + (step - place),
            Scan::DiagonalsFromRight => place * self.width + (self.width - 1 - (step - place)),
        }
    }

    pub(super) fn pixels(&self) -> usize {
        self.height * self.width
    }
}

/// A pixel of one of a task's images.
pub(super) struct Pixel {
    pub(super) image: usize,
    pub(super) at: usize,
    /// Its place in its line.
    pub(super) place: usize,
}

/// The states of a line of some images: one row for each place and image, and a place outside at both
/// ends.
pub(super) struct Line {
    pub(super) lines: Lines,
    pub(super) images: usize,
    pub(super) hidden: usize,
    /// The offset of each row.
    pub(super) at: Vec<u32>,
    /// Rows of the steps before.
    pub(super) begins: Vec<usize>,
}

impl Line {
    pub(super) fn new(lines: Lines, images: usize, hidden: usize) -> Self {
        let at = (0..PIECE).map(|row| narrow(row * hidden)).collect();
        let mut begins = vec![0];
        for step in 0..lines.steps() {
            begins.push(begins[step] + lines.places(step).len() * images);
        }
        Self { lines, images, hidden, at, begins }
    }

    /// The rows of a step that are pixels.
    pub(super) fn rows(&self, step: usize) -> Range<usize> {
        let places = self.lines.places(step);
        places.start * self.images..places.end * self.images
    }

    /// The number of rows before a step, in the order of the scan.
    pub(super) fn begin(&self, step: usize) -> usize {
        self.begins[step]
    }

    /// The place of a row in a buffer.
    pub(super) fn own(&self, row: usize) -> usize {
        row + self.images
    }

    /// The place of the first row that a row sees, through the nearest of its distances.
    pub(super) fn reach(&self, row: usize, distances: &[isize]) -> usize {
        let nearest = distances.iter().min().copied().unwrap_or_default();
        self.own(row).wrapping_add_signed(nearest * self.images as isize)
    }

    /// The steps of a sum over the places at these distances, of `times` · hidden values each.
    pub(super) fn steps(&self, distances: &[isize], times: usize) -> Vec<[u32; 2]> {
        let nearest = distances.iter().min().copied().unwrap_or_default();
        let width = self.hidden * times;
        let mut steps = Vec::with_capacity(distances.len() * width);
        for distance in distances {
            let from = (distance - nearest) as usize * self.images * width;
            for i in 0..width {
                steps.push([narrow(from + i), narrow(steps.len())]);
            }
        }
        steps
    }

    /// A buffer whose rows are all `state`.
    pub(super) fn filled(&self, state: &[f32]) -> Vec<f32> {
        state.repeat((self.lines.len() + 2) * self.images)
    }

    /// The pixels of some rows.
    pub(super) fn piece(&self, step: usize, rows: Range<usize>) -> Vec<Pixel> {
        let pixel = |row: usize| {
            let place = row / self.images;
            Pixel { image: row % self.images, at: self.lines.pixel(step, place), place }
        };
        rows.map(pixel).collect()
    }

    /// Where the taps of some pixels begin in framed images, one after another.
    pub(super) fn reads(&self, pixels: &[Pixel], frame: &Frame, channels: usize) -> Vec<u32> {
        let first = |pixel: &Pixel| {
            let row = pixel.at / self.lines.width * frame.row() + pixel.at % self.lines.width;
            narrow((pixel.image * frame.len() + row) * channels)
        };
        pixels.iter().map(first).collect()
    }
}
