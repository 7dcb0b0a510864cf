//! The cost of each pixel as a heat map.

use ancestral_plot::{Image, color_bar, heat_between};

use super::samples::channel_names;
use crate::evaluate::PixelCosts;

/// The larger side of a map, in pixels, of one channel and of several.
const SIDE: usize = 320;
const SMALL: usize = 220;

/// The cost of each pixel in bits as a heat map with its scale: of several channels their sum, and next
/// to it each of them on a common scale.
pub fn cost_map(costs: &PixelCosts) -> Image {
    let [channels, height, width] = costs.shape;
    let side = if channels == 1 { SIDE } else { SMALL };
    let scale = (side / height.max(width)).max(1);
    let highest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let map = |values: &[f64], high: f64| {
        // The margin of the color bar.
        heat_between(values, width, 0.0, high).enlarged(scale).with_margin(10)
    };
    let pixels = costs.pixels();
    let (high, bar) = (highest(&pixels), height * scale);
    let title = format!("bits a pixel, {:.2} an image", costs.total());
    let mut parts = vec![(title, map(&pixels, high)), (String::new(), color_bar(0.0, high, bar))];
    if channels > 1 {
        let high = highest(&costs.bits);
        for (channel, name) in channel_names(channels).into_iter().enumerate() {
            let own = costs.channel(channel);
            let title = format!("{name}, {:.2}", own.iter().sum::<f64>());
            parts.push((title, map(own, high)));
        }
        parts.push((String::new(), color_bar(0.0, high, bar)));
    }
    let parts: Vec<(&str, Image)> =
        parts.iter().map(|(title, part)| (title.as_str(), part.clone())).collect();
    Image::hstack(&parts).with_margin(8)
}
