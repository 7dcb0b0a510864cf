//! Color bars for heat maps that are images.

use super::axis::Axis;
use crate::Image;
use crate::font::text_width;
use crate::heat::color;

/// The size of labels, and the width of the bar, of a tick and of gaps, in pixels.
const TEXT: f32 = 13.0;
const BAR: usize = 14;
const TICK: usize = 4;
const GAP: usize = 4;
/// The color of frames, ticks and labels.
const INK: [u8; 3] = [0x40; 3];

/// The color bar of a [`heat`](crate::heat) map between two values, `height` pixels high, the larger
/// one at the top, with labels to its right.
///
/// It has a margin of ten pixels above and below, so that no label is cut off.
pub fn color_bar(low: f64, high: f64, height: usize) -> Image {
    const MARGIN: usize = 10;
    let ends = [low, high].into_iter().filter(|v| v.is_finite());
    let axis = Axis::new(ends, false, None, &[], false);
    let ticks = axis.ticks((height / 45).max(2));
    let labels: Vec<String> = ticks.iter().map(|&tick| axis.label(tick, &ticks)).collect();
    let widest = labels.iter().map(|label| text_width(label, TEXT)).fold(0.0, f32::max);
    let left = BAR + TICK + GAP;
    let mut image = Image::filled(left + widest.ceil() as usize + 2, height + 2 * MARGIN, [255; 3]);
    image.fill(0, MARGIN, BAR, height, INK);
    let inner = height.saturating_sub(2);
    for y in 0..inner {
        let share = 1.0 - (y as f64 + 0.5) / inner as f64;
        image.fill(1, MARGIN + 1 + y, BAR - 2, 1, color(share, 0.0));
    }
    for (tick, label) in ticks.iter().zip(&labels) {
        let share = (tick - axis.low) / axis.span();
        let y = MARGIN + ((1.0 - share) * height.saturating_sub(1) as f64).round() as usize;
        image.fill(BAR, y, TICK, 1, INK);
        image.write(label, left, y.saturating_sub(8), TEXT, INK);
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_goes_from_the_larger_value_to_the_smaller() {
        let bar = color_bar(0.0, 2.0, 100);
        let at = |x: usize, y: usize| {
            let at = (y * bar.width() + x) * 3;
            [0, 1, 2].map(|c| bar.rgb()[at + c])
        };
        assert_eq!((at(5, 11), at(5, 108)), (color(1.0 - 0.5 / 98.0, 0.0), color(0.5 / 98.0, 0.0)));
        assert_eq!((bar.height(), at(5, 5), at(5, 115)), (120, [255; 3], [255; 3]));
        // Its ends are labeled.
        assert_eq!((at(BAR + 1, 10), at(BAR + 1, 109)), (INK, INK));
        for (low, high) in [(f64::NAN, 1.0), (1.0, 1.0), (f64::NEG_INFINITY, f64::INFINITY)] {
            assert!(color_bar(low, high, 0).height() == 20, "no panic");
        }
    }
}
