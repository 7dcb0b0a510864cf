//! Drawing of a described plot, the same for vectors and for pixels.

use std::sync::Once;

use base64::Engine;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::element::{BitMapElement, Drawable, PointCollection, Text as Words};
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters_backend::DrawingErrorKind;

use super::axis::{Axis, clip};
use super::{Background, Colored, Kind, Plot, Scale, Series, Text};
use crate::font::{FONT, fitted, text_width};
use crate::heat::{PALE, color as map_color};
use crate::{Image, PlotError};

/// Okabe and Ito's palette for all kinds of color vision, then two of Tol's, gray, and three for many series.
const PALETTE: [RGBColor; 13] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x33, 0x33, 0x33),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0xAA, 0xAA, 0xAA),
    RGBColor(0x6A, 0x3D, 0x9A),
    RGBColor(0x8C, 0x51, 0x0A),
    RGBColor(0xB2, 0xDF, 0x8A),
];
pub(super) const INK: RGBColor = RGBColor(0x40, 0x40, 0x40);
const MESH: RGBColor = RGBColor(0xE4, 0xE4, 0xE4);
/// Stands for the background in an SVG until the image takes its place; drawn nowhere else.
const PLACEHOLDER: RGBColor = RGBColor(1, 2, 3);
/// Our font, under a name that no other user of plotters in the process would take for its own.
pub(super) const FAMILY: &str = "ancestral-sans";
/// What an SVG asks its reader for.
pub(super) const SVG_FAMILY: &str = "sans-serif";

/// Pixels drawn for each of an image, along a side.
pub(super) const SMOOTH: u32 = 2;
/// Steps of an SVG's coordinates for each pixel, since the backend knows whole numbers only.
pub(super) const FINE: u32 = 8;

const LINE: i32 = 20;
const TOP: u32 = 44;
const RIGHT: u32 = 20;
const BOTTOM: u32 = 8;
const LEFT: u32 = 8;
const X_LABELS: u32 = 48;
const Y_LABELS: u32 = 72;
/// The gap between a plot and its color bar, and the width of the bar.
const BAR_GAP: u32 = 14;
const BAR: u32 = 14;

impl Background {
    /// The part of the image within the axes.
    fn visible(&self, x: &Axis, y: &Axis, width: usize, height: usize) -> Image {
        let share = |v: f64, (low, high): (f64, f64)| (v - low) / (high - low);
        let (in_x, in_y) = (ordered(self.x), ordered(self.y));
        let across = (share(in_x.0.max(x.low), in_x), share(in_x.1.min(x.high), in_x));
        // Rows count from the top.
        let down = (1.0 - share(in_y.1.min(y.high), in_y), 1.0 - share(in_y.0.max(y.low), in_y));
        self.image.window(across, down, width, height)
    }
}

/// An axis with its own choice of ticks, in the shape plotters asks for.
struct Ticked {
    axis: Axis,
    ticks: Vec<f64>,
}

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = ((value - self.axis.low) / self.axis.span()).clamp(-1.0, 2.0);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.axis.low..self.axis.high
    }
}

impl Plot {
    /// The plot as pixels, to be put together with others or into an animation.
    ///
    /// # Errors
    /// If the drawing fails.
    pub fn to_image(&self) -> Result<Image, PlotError> {
        let (width, height) = self.extent();
        // Drawn larger and averaged, which smooths every edge.
        let (wide, high) = (width * SMOOTH, height * SMOOTH);
        let mut rgb = vec![255; wide as usize * high as usize * 3];
        let area = BitMapBackend::with_buffer(&mut rgb, (wide, high)).into_drawing_area();
        self.draw(&area, SMOOTH, false)?;
        drop(area);
        Ok(Image::new(wide as usize, high as usize, rgb)?.averaged(SMOOTH as usize))
    }

    /// The plot as the text of an SVG file.
    ///
    /// # Errors
    /// If the drawing fails.
    pub fn to_svg(&self) -> Result<String, PlotError> {
        let (width, height) = self.extent();
        let (wide, high) = (width * FINE, height * FINE);
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (wide, high)).into_drawing_area();
        self.draw(&area, FINE, true)?;
        drop(area);
        let large = format!("width=\"{wide}\" height=\"{high}\" viewBox");
        let svg =
            svg.replacen(&large, &format!("width=\"{width}\" height=\"{height}\" viewBox"), 1);
        let svg = svg.replace(FAMILY, SVG_FAMILY);
        match &self.background {
            Some(background) => {
                let (x, y) = self.axes(self.side_width());
                // Uncut, the image goes in as it is; cut, in the pixels it is shown in.
                let whole = x.contains(background.x.0)
                    && x.contains(background.x.1)
                    && y.contains(background.y.0)
                    && y.contains(background.y.1);
                let image = if whole {
                    background.image.clone()
                } else {
                    background.visible(&x, &y, width as usize, height as usize)
                };
                embed(&svg, &image)
            }
            None => Ok(svg),
        }
    }

    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        k: u32,
        vectors: bool,
    ) -> Result<(), PlotError> {
        register_font();
        self.try_draw(area, k, vectors)
            .map_err(|e| PlotError::Draw { title: self.title.clone(), problem: e.to_string() })
    }

    fn try_draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        k: u32,
        vectors: bool,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        area.fill(&WHITE)?;
        let (width, height) = self.extent();
        let corner = self.free_corner();
        let side = self.side_width();
        let (x, y) = self.axes(side);
        // A signed copy, for offsets that go left and up.
        let s = k as i32;
        let title =
            (FAMILY, 20 * k).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Center));
        let middle = (LEFT + Y_LABELS + width - RIGHT - side) / 2;
        area.draw_text(&self.title, &title, ((middle * k) as i32, (TOP * k) as i32 / 2))?;

        let rows = height / 60;
        // Equal units deserve equal steps.
        let columns = if self.equal_aspect {
            let (inner_width, inner_height) = self.inner(side);
            (rows * inner_width).div_ceil(inner_height)
        } else {
            width / 110
        };
        let x_ticks = x.ticks(columns as usize);
        let y_ticks = y.ticks(rows as usize);
        let mut chart = ChartBuilder::on(area)
            .margin_top(TOP * k)
            .margin_right((RIGHT + side) * k)
            .margin_bottom(BOTTOM * k)
            .margin_left(LEFT * k)
            .x_label_area_size(X_LABELS * k)
            .y_label_area_size(Y_LABELS * k)
            .build_cartesian_2d(
                Ticked { axis: x.clone(), ticks: x_ticks.clone() },
                Ticked { axis: y.clone(), ticks: y_ticks.clone() },
            )?;
        let label = |size: u32| (FAMILY, size * k).into_font().color(&INK);
        chart
            .configure_mesh()
            .bold_line_style(MESH.stroke_width(k))
            .light_line_style(TRANSPARENT)
            .axis_style(INK.stroke_width(k))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_label_formatter(&|t| x.label(*t, &x_ticks))
            .y_label_formatter(&|t| y.label(*t, &y_ticks))
            .label_style(label(13))
            .axis_desc_style(label(15))
            .set_all_tick_mark_size(5 * k)
            .draw()?;

        if let Some(background) = &self.background {
            let (full_x, full_y) = (ordered(background.x), ordered(background.y));
            let (left, right) = (full_x.0.max(x.low), full_x.1.min(x.high));
            let (bottom, top) = (full_y.0.max(y.low), full_y.1.min(y.high));
            if left < right && bottom < top {
                if vectors {
                    let corners = [(left, top), (right, bottom)];
                    chart.draw_series([Rectangle::new(corners, PLACEHOLDER.filled())])?;
                } else {
                    let (x0, y0) = chart.backend_coord(&(left, top));
                    let (x1, y1) = chart.backend_coord(&(right, bottom));
                    let (w, h) = ((x1 - x0 + 1).max(1) as u32, (y1 - y0 + 1).max(1) as u32);
                    let image = background.visible(&x, &y, w as usize, h as usize);
                    if let Some(element) =
                        BitMapElement::<_>::with_ref((left, top), (w, h), image.rgb())
                    {
                        chart.draw_series([element])?;
                    }
                }
            }
        }

        let dashes = |line: Vec<(f64, f64)>, color: RGBColor, width: u32| {
            DashedLineSeries::new(line, 6 * k, 4 * k, color.stroke_width(width * k))
        };
        let (bar_width, bar_series) = self.bars();
        let mut bar = 0;
        for (i, series) in self.series.iter().enumerate() {
            let color = PALETTE[series.group.unwrap_or(i) % PALETTE.len()];
            let points: Vec<Option<(f64, f64)>> = series
                .points
                .iter()
                .map(|&(a, b)| Some((x.position(a)?, y.position(b)?)))
                .collect();
            let base = if y.log { y.low } else { 0f64.clamp(y.low, y.high) };
            match series.kind {
                Kind::Line => {
                    for line in clip(&points, &x, &y) {
                        chart.draw_series(LineSeries::new(line, color.stroke_width(2 * k)))?;
                    }
                }
                Kind::Dashed => {
                    for line in clip(&points, &x, &y) {
                        chart.draw_series(dashes(line, color, 2))?;
                    }
                }
                Kind::Area => {
                    for run in points.split(Option::is_none) {
                        let inside = run
                            .iter()
                            .flatten()
                            .filter(|p| x.contains(p.0))
                            .map(|p| (p.0, p.1.clamp(y.low, y.high)));
                        chart.draw_series(AreaSeries::new(inside, base, color.mix(0.25)))?;
                    }
                    for line in clip(&points, &x, &y) {
                        chart.draw_series(LineSeries::new(line, color.stroke_width(2 * k)))?;
                    }
                }
                Kind::Points => {
                    let (radius, opacity) = dot(points.len());
                    let inside =
                        points.iter().flatten().filter(|p| x.contains(p.0) && y.contains(p.1));
                    chart.draw_series(
                        inside.map(|&p| Circle::new(p, radius * k, color.mix(opacity).filled())),
                    )?;
                }
                Kind::Bars => {
                    let each = bar_width / f64::from(bar_series);
                    let shift = each * f64::from(bar) - bar_width / 2.0;
                    bar += 1;
                    let bars = points.iter().flatten().filter_map(|&(a, b)| {
                        let left = (a + shift).max(x.low);
                        let right = (a + shift + each).min(x.high);
                        let corners = [(left, b.clamp(y.low, y.high)), (right, base)];
                        (right > left).then(|| Rectangle::new(corners, color.filled()))
                    });
                    chart.draw_series(bars)?;
                }
            }
        }

        if let Some(Colored { points, scale }) = &self.colored {
            let (radius, opacity) = dot(points.len());
            for &(a, b, value) in points {
                let (Some(a), Some(b)) = (x.position(a), y.position(b)) else { continue };
                if x.contains(a) && y.contains(b) {
                    let color = scale.color(value, 0.0);
                    let style = color.mix(opacity).filled();
                    chart.draw_series([Circle::new((a, b), (radius + 1) * k, style)])?;
                }
            }
        }

        for marker in &self.vertical {
            let Some(at) = x.position(marker.at).filter(|&p| x.contains(p)) else { continue };
            chart.draw_series(dashes(vec![(at, y.low), (at, y.high)], INK, 1))?;
            let near_right = at > x.low + 0.8 * x.span();
            let (anchor, dx) = if near_right { (HPos::Right, -5 * s) } else { (HPos::Left, 5 * s) };
            let style = label(13).pos(Pos::new(anchor, VPos::Top));
            let text = Words::new(marker.label.clone(), (dx, 4 * s), style);
            chart.draw_series([EmptyElement::at((at, y.high)) + text])?;
        }
        for marker in &self.horizontal {
            let Some(at) = y.position(marker.at).filter(|&p| y.contains(p)) else { continue };
            chart.draw_series(dashes(vec![(x.low, at), (x.high, at)], INK, 1))?;
            let near_top = at > y.low + 0.9 * y.span();
            let (anchor, dy) = if near_top { (VPos::Top, 4 * s) } else { (VPos::Bottom, -3 * s) };
            let style = label(13).pos(Pos::new(HPos::Left, anchor));
            let text = Words::new(marker.label.clone(), (6 * s, dy), style);
            chart.draw_series([EmptyElement::at((x.low, at)) + text])?;
        }

        for Text { at, text, light } in &self.texts {
            let (Some(a), Some(b)) = (x.position(at.0), y.position(at.1)) else { continue };
            if x.contains(a) && y.contains(b) {
                let ink = if *light { &WHITE } else { &INK };
                let style = (FAMILY, 12 * k).into_font().color(ink);
                let style = style.pos(Pos::new(HPos::Center, VPos::Center));
                chart.draw_series([Words::new(text.clone(), (a, b), style)])?;
            }
        }

        self.draw_scale(area, k)?;
        self.draw_legend(area, k, corner)?;
        area.present()
    }

    fn draw_legend<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        k: u32,
        corner: Option<usize>,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let named: Vec<_> =
            self.series.iter().enumerate().filter(|s| !s.1.name.is_empty()).collect();
        if named.is_empty() {
            return Ok(());
        }
        let s = k as i32;
        let (width, height) = self.extent();
        let (width, height) = (width as i32, height as i32);
        let (w, h) = (self.legend_width() as i32, named.len() as i32 * LINE + 10);
        let left = match corner {
            None => width - RIGHT as i32 - w + 10,
            Some(c) if c % 2 == 0 => width - RIGHT as i32 - w - 8,
            Some(_) => (LEFT + Y_LABELS) as i32 + 8,
        };
        let top = match corner {
            None => TOP as i32,
            Some(c) if c < 2 => TOP as i32 + 8,
            Some(_) => height - (BOTTOM + X_LABELS) as i32 - h - 8,
        };
        if corner.is_some() {
            let frame = [(left * s, top * s), ((left + w) * s, (top + h) * s)];
            area.draw(&Rectangle::new(frame, WHITE.mix(0.88).filled()))?;
            area.draw(&Rectangle::new(frame, MESH.stroke_width(k)))?;
        }
        let style = (FAMILY, 14 * k).into_font().color(&INK);
        let style = style.pos(Pos::new(HPos::Left, VPos::Center));
        for (line, (i, series)) in named.into_iter().enumerate() {
            let color = PALETTE[series.group.unwrap_or(i) % PALETTE.len()];
            let y = top + 5 + LINE / 2 + line as i32 * LINE;
            area.draw(&Sample { kind: series.kind, color, at: ((left + 8) * s, y * s), k: s })?;
            let name = fitted(&series.name, 14.0, (w - 48) as f32);
            area.draw_text(&name, &style, ((left + 40) * s, y * s))?;
        }
        Ok(())
    }

    /// The color bar of a map.
    fn draw_scale<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        k: u32,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let Some((scale, _)) = self.scale() else { return Ok(()) };
        let (width, height) = self.extent();
        let left = width.saturating_sub(RIGHT + self.side_width()) + BAR_GAP;
        let rows = (TOP, height - BOTTOM - X_LABELS);
        let white = if self.background.is_some() { PALE } else { 0.0 };
        scale.draw(area, k, left, rows, self.size.1, white)
    }

    /// The color bar of a map or of points, and its axis.
    fn scale(&self) -> Option<(&Scale, Axis)> {
        let of_map = self.background.as_ref().and_then(|map| map.scale.as_ref());
        let scale = of_map.or(self.colored.as_ref().map(|colored| &colored.scale))?;
        Some((scale, scale.axis()))
    }

    /// The width of a color bar with its labels, in pixels.
    fn scale_width(&self) -> u32 {
        self.scale().map_or(0, |(scale, _)| scale.width(self.size.1))
    }

    /// The size of the plot in pixels: with a map and equal aspect, no larger than both need.
    fn extent(&self) -> (u32, u32) {
        let side = self.side_width();
        let (inner_width, inner_height) = self.inner(side);
        (inner_width + LEFT + RIGHT + Y_LABELS + side, inner_height + TOP + BOTTOM + X_LABELS)
    }

    /// The size between the axes in pixels, with this width next to them.
    fn inner(&self, side: u32) -> (u32, u32) {
        let width = self.size.0.saturating_sub(LEFT + RIGHT + Y_LABELS + side).max(1);
        let height = self.size.1.saturating_sub(TOP + BOTTOM + X_LABELS).max(1);
        if !self.equal_aspect || self.scale().is_none() {
            return (width, height);
        }
        let (x, y) = self.ranges();
        let unit = (x.span() / f64::from(width)).max(y.span() / f64::from(height));
        // A very long and narrow map keeps room for its labels.
        let side = |span: f64, most: u32| ((span / unit).round() as u32).clamp(most.min(120), most);
        (side(x.span(), width), side(y.span(), height))
    }

    fn axes(&self, side: u32) -> (Axis, Axis) {
        let (mut x, mut y) = self.ranges();
        if self.equal_aspect {
            let (width, height) = self.inner(side);
            let (width, height) = (f64::from(width), f64::from(height));
            let unit = (x.span() / width).max(y.span() / height);
            x.widen(unit * width);
            y.widen(unit * height);
        }
        (x, y)
    }

    /// The axes before they are brought to equal units.
    fn ranges(&self) -> (Axis, Axis) {
        let points = || self.series.iter().flat_map(|s| s.points.iter().map(move |p| (s, p)));
        let at = |v: f64, log: bool| {
            let v = if log { v.log10() } else { v };
            Some(v).filter(|v| v.is_finite())
        };
        // Only what can be drawn at all stretches an axis.
        let drawn = || {
            points().filter_map(|(s, &(a, b))| Some((s, at(a, self.x_log)?, at(b, self.y_log)?)))
        };
        let half_bar = self.bars().0 * 0.6;
        let colored = || {
            let points = self.colored.iter().flat_map(|colored| &colored.points);
            points.filter_map(|&(a, b, _)| Some((at(a, self.x_log)?, at(b, self.y_log)?)))
        };
        let xs = drawn().flat_map(|(s, a, _)| {
            let room = if s.kind == Kind::Bars { half_bar } else { 0.0 };
            [a - room, a + room]
        });
        let ys = drawn().flat_map(|(s, _, b)| {
            let from_zero = matches!(s.kind, Kind::Bars | Kind::Area) && !self.y_log;
            [b, if from_zero { 0.0 } else { b }]
        });
        let (back_x, back_y) = match &self.background {
            Some(b) => (vec![b.x.0, b.x.1], vec![b.y.0, b.y.1]),
            None => (vec![], vec![]),
        };
        // A map's rectangle is what is shown, wherever the points of a frame happen to be.
        let map = self.background.as_ref().filter(|b| b.scale.is_some());
        let back = |values: Vec<f64>, log| values.into_iter().filter_map(move |v| at(v, log));
        let marks = self.horizontal.iter().filter_map(|m| at(m.at, self.y_log));
        let lines_only = self.colored.is_none()
            && self.series.iter().all(|s| !matches!(s.kind, Kind::Points | Kind::Bars));
        let x = Axis::new(
            xs.chain(back(back_x, self.x_log)).chain(colored().map(|p| p.0)),
            self.x_log,
            self.x_range.or(map.map(|m| m.x)),
            &self.x_names,
            self.background.is_none() && !lines_only,
        );
        let mut y = Axis::new(
            ys.chain(back(back_y, self.y_log)).chain(marks).chain(colored().map(|p| p.1)),
            self.y_log,
            self.y_range.or(map.map(|m| m.y)),
            &self.y_names,
            self.background.is_none(),
        );
        // Series without negative values start at the axis.
        if y.low < 0.0
            && self.y_range.is_none()
            && self.background.is_none()
            && !self.y_log
            && drawn().all(|p| p.2 >= 0.0)
            && colored().all(|p| p.1 >= 0.0)
        {
            y.low = 0.0;
        }
        (x, y)
    }

    /// The width at each place for its bars, and how many series share it.
    fn bars(&self) -> (f64, u32) {
        let bars: Vec<&Series> = self.series.iter().filter(|s| s.kind == Kind::Bars).collect();
        let mut xs: Vec<f64> = bars
            .iter()
            .flat_map(|s| s.points.iter().map(|p| if self.x_log { p.0.log10() } else { p.0 }))
            .filter(|v| v.is_finite())
            .collect();
        xs.sort_by(f64::total_cmp);
        let gap =
            xs.windows(2).map(|w| w[1] - w[0]).filter(|&d| d > 0.0).fold(f64::INFINITY, f64::min);
        let gap = if gap.is_finite() { gap } else { 1.0 };
        let share = if bars.is_empty() { 0.0 } else { 0.84 };
        (gap * share, bars.len().max(1) as u32)
    }

    /// The width of the legend, in pixels; at most half of the plot.
    fn legend_width(&self) -> u32 {
        let longest = self.series.iter().map(|s| text_width(&s.name, 14.0)).fold(0.0, f32::max);
        (longest as u32 + 60).min(self.size.0 / 2)
    }

    /// The width next to the plot, for a legend that would hide something inside it.
    fn side_width(&self) -> u32 {
        let legend = if self.free_corner().is_some() { 0 } else { self.legend_width() };
        self.scale_width() + legend
    }

    /// A corner where the legend hides nothing, if there is one: upper right, upper left, lower
    /// right, lower left.
    fn free_corner(&self) -> Option<usize> {
        let named = self.series.iter().filter(|s| !s.name.is_empty()).count();
        if named == 0 {
            return Some(0);
        }
        // An image is to be seen whole, and the frames of an animation are to be of one size.
        if self.background.is_some() {
            return None;
        }
        let (x, y) = self.axes(0);
        let (width, height) = (f64::from(self.size.0), f64::from(self.size.1));
        let reach_x = f64::from(self.legend_width() + 20) / (width - 100.0);
        let reach_y = f64::from(named as u32 * LINE as u32 + 30) / (height - 100.0);
        let mut taken = [false; 4];
        let mut visit = |u: f64, v: f64, low: f64| {
            for (corner, taken) in taken.iter_mut().enumerate() {
                let side = if corner % 2 == 0 { u > 1.0 - reach_x } else { u < reach_x };
                let over = if corner < 2 { v > 1.0 - reach_y } else { low < reach_y };
                *taken |= side && over;
            }
        };
        for series in &self.series {
            let points: Vec<(f64, f64)> = series
                .points
                .iter()
                .filter_map(|&(a, b)| Some((x.position(a)?, y.position(b)?)))
                .map(|(a, b)| ((a - x.low) / x.span(), (b - y.low) / y.span()))
                .collect();
            let filled = matches!(series.kind, Kind::Bars | Kind::Area);
            for &(u, v) in &points {
                visit(u, v, if filled { 0.0 } else { v });
            }
            // Between points far apart a line passes as well.
            if !matches!(series.kind, Kind::Points | Kind::Bars) {
                for pair in points.windows(2).filter(|p| (p[1].0 - p[0].0).abs() > 0.02) {
                    for step in 1..20 {
                        let t = f64::from(step) / 20.0;
                        let u = pair[0].0 + t * (pair[1].0 - pair[0].0);
                        let v = pair[0].1 + t * (pair[1].1 - pair[0].1);
                        visit(u, v, if filled { 0.0 } else { v });
                    }
                }
            }
        }
        for marker in &self.vertical {
            if let Some(at) = x.position(marker.at) {
                visit((at - x.low) / x.span(), 1.0, 1.0);
            }
        }
        taken.iter().position(|taken| !taken)
    }
}

impl Scale {
    /// The color of a value, with a fraction of white.
    pub(super) fn color(&self, value: f64, white: f64) -> RGBColor {
        // A single value is in the middle of its bar.
        let span = self.high - self.low;
        let share = if span > 0.0 { (value - self.low) / span } else { 0.5 };
        let [r, g, b] = match value.is_finite() {
            true => map_color(share, white),
            false => [128; 3],
        };
        RGBColor(r, g, b)
    }

    fn axis(&self) -> Axis {
        let ends = [self.low, self.high].into_iter().filter(|v| v.is_finite());
        Axis::new(ends, false, None, &[], false)
    }

    /// The width of the bar with its labels, next to a plot of this height, in pixels.
    pub(super) fn width(&self, height: u32) -> u32 {
        let axis = self.axis();
        let ticks = axis.ticks((height / 60) as usize);
        let labels = ticks.iter().map(|&t| text_width(&axis.label(t, &ticks), 13.0));
        BAR_GAP + BAR + labels.fold(0.0, f32::max) as u32 + 30
    }

    /// Draws the bar from `rows.0` to `rows.1`, with a fraction of white in its colors.
    pub(super) fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        k: u32,
        left: u32,
        rows: (u32, u32),
        height: u32,
        white: f64,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        const STEPS: i32 = 128;
        let axis = self.axis();
        let s = k as i32;
        let x = (left + self.width(height) - BAR_GAP - 9) as i32 * s;
        let left = left as i32 * s;
        let (top, bottom) = (rows.0 as i32 * s, rows.1 as i32 * s);
        let right = left + BAR as i32 * s;
        // Each step reaches down to the end, so that no seam shows between two.
        for step in 0..STEPS {
            let share = 1.0 - (f64::from(step) + 0.5) / f64::from(STEPS);
            let [r, g, b] = map_color(share, white);
            let from = top + (bottom - top) * step / STEPS;
            area.draw(&Rectangle::new(
                [(left, from), (right, bottom)],
                RGBColor(r, g, b).filled(),
            ))?;
        }
        area.draw(&Rectangle::new([(left, top), (right, bottom)], INK.stroke_width(k)))?;
        let small = (FAMILY, 13 * k).into_font().color(&INK);
        let small = small.pos(Pos::new(HPos::Left, VPos::Center));
        let ticks = axis.ticks((height / 60) as usize);
        for &tick in &ticks {
            let share = (tick - axis.low) / axis.span();
            let y = bottom - (share * f64::from(bottom - top)).round() as i32;
            let mark = vec![(right, y), (right + 4 * s, y)];
            area.draw(&PathElement::new(mark, INK.stroke_width(k)))?;
            area.draw_text(&axis.label(tick, &ticks), &small, (right + 7 * s, y))?;
        }
        let label = (FAMILY, 15 * k).into_font().transform(FontTransform::Rotate270).color(&INK);
        let label = label.pos(Pos::new(HPos::Center, VPos::Center));
        area.draw_text(&self.label, &label, (x, i32::midpoint(top, bottom)))
    }
}

/// The radius and the opacity of a dot among so many.
fn dot(count: usize) -> (u32, f64) {
    match count {
        0..=60 => (4, 0.9),
        61..=600 => (3, 0.8),
        601..=4000 => (2, 0.65),
        _ => (1, 0.6),
    }
}

/// Makes our font known to plotters.
pub(super) fn register_font() {
    static REGISTER: Once = Once::new();
    REGISTER.call_once(|| {
        // The font is tested; were it damaged, drawing would say so.
        let _ = plotters::style::register_font(FAMILY, FontStyle::Normal, FONT);
    });
}

fn ordered((a, b): (f64, f64)) -> (f64, f64) {
    (a.min(b), a.max(b))
}

/// The sample of a series in the legend.
struct Sample {
    kind: Kind,
    color: RGBColor,
    at: (i32, i32),
    k: i32,
}

impl<'a> PointCollection<'a, (i32, i32)> for &'a Sample {
    type Point = &'a (i32, i32);
    type IntoIter = std::iter::Once<&'a (i32, i32)>;

    fn point_iter(self) -> Self::IntoIter {
        std::iter::once(&self.at)
    }
}

impl<DB: DrawingBackend> Drawable<DB> for Sample {
    fn draw<I: Iterator<Item = (i32, i32)>>(
        &self,
        mut place: I,
        backend: &mut DB,
        _: (u32, u32),
    ) -> Result<(), DrawingErrorKind<DB::ErrorType>> {
        let Some((x, y)) = place.next() else { return Ok(()) };
        let (k, color) = (self.k, self.color.to_rgba());
        let mut bar = |from: i32, to: i32, half: i32, opacity: f64| {
            let corners = ((x + from * k, y - half * k), (x + to * k, y + half * k));
            backend.draw_rect(corners.0, corners.1, &color.mix(opacity), true)
        };
        match self.kind {
            Kind::Line => bar(0, 24, 1, 1.0),
            Kind::Dashed => bar(0, 9, 1, 1.0).and_then(|()| bar(15, 24, 1, 1.0)),
            Kind::Bars => bar(4, 20, 5, 1.0),
            Kind::Area => bar(2, 22, 5, 0.25).and_then(|()| bar(2, 22, 1, 1.0)),
            Kind::Points => backend.draw_circle((x + 12 * k, y), 4 * k as u32, &color, true),
        }
    }
}

/// Puts the image where its placeholder is.
fn embed(svg: &str, image: &Image) -> Result<String, PlotError> {
    let Some(at) = svg.find("fill=\"#010203\"") else { return Ok(svg.to_owned()) };
    let start = svg[..at].rfind("<rect").unwrap_or(at);
    let end = svg[at..].find("/>").map_or(svg.len(), |i| at + i + 2);
    let png = base64::engine::general_purpose::STANDARD.encode(image.to_png()?);
    let place = svg[start..at].replacen("<rect", "<image", 1).replace(
        "opacity=\"1\"",
        "preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\"",
    );
    Ok(format!("{}{place}href=\"data:image/png;base64,{png}\"/>{}", &svg[..start], &svg[end..]))
}
