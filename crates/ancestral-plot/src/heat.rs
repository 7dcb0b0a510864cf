//! Heat maps.

use crate::Image;

/// A heat map, one pixel per value, row by row from the top left, in the colors of viridis; gray
/// marks values that are not finite.
pub fn heat(values: &[f64], columns: usize) -> Image {
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    heat_between(values, columns, low, high)
}

/// As [`heat`], with the given limits of the color scale, so that several maps share it.
pub fn heat_between(values: &[f64], columns: usize, low: f64, high: f64) -> Image {
    colored(values, columns, low, high, 0.0)
}

/// The fraction of white in the colors of a map under series.
pub(crate) const PALE: f64 = 0.45;

/// The color of a value from 0 to 1, with a fraction of white.
pub(crate) fn color(share: f64, white: f64) -> [u8; 3] {
    let full = colorous::VIRIDIS.eval_continuous(share.clamp(0.0, 1.0));
    [full.r, full.g, full.b].map(|c| {
        let c = f64::from(c);
        (c + (255.0 - c) * white).round() as u8
    })
}

/// A heat map with a fraction of white.
pub(crate) fn colored(values: &[f64], columns: usize, low: f64, high: f64, white: f64) -> Image {
    let columns = columns.max(1);
    let mut image = Image::filled(columns, values.len().div_ceil(columns), [128; 3]);
    let span = if high > low { high - low } else { 1.0 };
    for (pixel, &value) in image.rgb_mut().chunks_exact_mut(3).zip(values) {
        if value.is_finite() {
            pixel.copy_from_slice(&color((value - low) / span, white));
        }
    }
    image
}

/// A finer map, interpolated between the centers of the cells, and its number of columns.
pub(crate) fn refined(values: &[f64], columns: usize) -> (Vec<f64>, usize) {
    const SIDE: usize = 480;
    let columns = columns.max(1);
    let rows = values.len() / columns;
    let factor = SIDE / columns.min(rows).max(1);
    if factor < 2 || rows == 0 || (columns * factor).max(rows * factor) > 8 * SIDE {
        return (values.to_vec(), columns);
    }
    // The two cells around a fine one, and the weight of the second.
    let place = |fine: usize, cells: usize| {
        let at = ((fine as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, (cells - 1) as f64);
        let low = at as usize;
        (low, (low + 1).min(cells - 1), at - low as f64)
    };
    let mix = |a: f64, b: f64, t: f64| if t == 0.0 { a } else { a + (b - a) * t };
    let mut fine = Vec::with_capacity(values.len() * factor * factor);
    for y in 0..rows * factor {
        let (above, below, down) = place(y, rows);
        let (above, below) = (&values[above * columns..], &values[below * columns..]);
        for x in 0..columns * factor {
            let (left, right, along) = place(x, columns);
            let over = mix(above[left], above[right], along);
            fine.push(mix(over, mix(below[left], below[right], along), down));
        }
    }
    (fine, columns * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_no_row_and_no_finite_value_is_gray() {
        assert_eq!(heat(&[], 0).height(), 0);
        assert_eq!(heat(&[f64::NAN], 1).rgb(), [128; 3]);
        assert_eq!(heat_between(&[0.0, 9.0], 2, 0.0, 1.0).rgb(), [68, 1, 84, 253, 231, 37]);
    }
}
