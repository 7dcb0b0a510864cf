//! Images, contact sheets, plots and animations of data and of samples.
//!
//! An [`Image`] is a grid of pixels: examples side by side ([`Image::grid`]), a contact sheet of a data set
//! ([`contact_sheet`]) or a heat map ([`heat`]) with its [`color_bar`].
//! A [`Plot`] is a chart of lines, points, bars and heat maps, and a [`Graph`] has nodes and arrows; both
//! are saved as SVG or PNG. [`save_gif`] combines images into an animation, [`Animation`] one after
//! another. The font is embedded, so that the same input gives the same pixels everywhere.

mod animation;
mod contact_sheet;
mod error;
mod font;
mod heat;
mod image;
mod plot;

pub use animation::{Animation, save_gif};
pub use contact_sheet::contact_sheet;
pub use error::PlotError;
pub use heat::{heat, heat_between};
pub use image::Image;
pub use plot::{Graph, Kind, Node, Plot, Series, color_bar};

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
