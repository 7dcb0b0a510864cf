//! Ranges, ticks and clipping of one axis, linear or logarithmic.

/// One axis; positions are the values themselves, or their decimal logarithms.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub log: bool,
    pub low: f64,
    pub high: f64,
    names: Vec<String>,
}

impl Axis {
    /// An axis over the given positions, or the given values if the range is fixed.
    pub(super) fn new(
        positions: impl Iterator<Item = f64>,
        log: bool,
        fixed: Option<(f64, f64)>,
        names: &[String],
        margins: bool,
    ) -> Self {
        let (mut low, mut high) =
            positions.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if !names.is_empty() {
            (low, high) = (-0.5, names.len() as f64 - 0.5);
        }
        if !low.is_finite() || !high.is_finite() {
            (low, high) = (0.0, 1.0);
        }
        if margins && names.is_empty() {
            let margin = (high - low) * 0.04;
            (low, high) = (low - margin, high + margin);
        }
        if let Some((l, h)) = fixed
            && let (Some(l), Some(h)) = (position(l.min(h), log), position(l.max(h), log))
        {
            (low, high) = (l, h);
        }
        // A single value needs some room, and so does one that no f64 can tell from its
        // neighbors.
        let least = low.abs().max(high.abs()).max(1e-300) * 1e-12;
        if high - low <= least {
            let room = if low == 0.0 { 0.5 } else { low.abs() * 0.1 };
            (low, high) = (low - room, high + room);
        }
        Self { log, low, high, names: names.to_vec() }
    }

    /// Where a value lies, if it can be shown at all.
    pub(super) fn position(&self, value: f64) -> Option<f64> {
        position(value, self.log)
    }

    pub(super) fn contains(&self, position: f64) -> bool {
        (self.low..=self.high).contains(&position)
    }

    pub(super) fn span(&self) -> f64 {
        self.high - self.low
    }

    /// Widens the axis about its middle.
    pub(super) fn widen(&mut self, span: f64) {
        let middle = f64::midpoint(self.low, self.high);
        (self.low, self.high) = (middle - span / 2.0, middle + span / 2.0);
    }

    /// Labeled positions, about `count` of them.
    pub(super) fn ticks(&self, count: usize) -> Vec<f64> {
        if !self.names.is_empty() {
            return (0..self.names.len()).map(|i| i as f64).collect();
        }
        if !self.log {
            return linear(self.low, self.high, count);
        }
        let (first, last) = (self.low.ceil() as i64, self.high.floor() as i64);
        if self.span() >= 2.0 {
            let stride = ((last - first) / count.max(1) as i64 + 1).max(1);
            return (first..=last).filter(|k| k % stride == 0).map(|k| k as f64).collect();
        }
        let fine: Vec<f64> = (first - 1..=last)
            .flat_map(|k| [1.0f64, 2.0, 5.0].map(|m| m.log10() + k as f64))
            .filter(|&p| self.contains(p))
            .collect();
        if fine.len() > 2 {
            return fine;
        }
        linear(10f64.powf(self.low), 10f64.powf(self.high), count)
            .into_iter()
            .filter_map(|v| self.position(v))
            .collect()
    }

    /// What is written at a tick.
    pub(super) fn label(&self, tick: f64, ticks: &[f64]) -> String {
        if !self.names.is_empty() {
            let i = tick.round();
            let known = i >= 0.0 && (tick - i).abs() < 1e-6;
            return self.names.get(i as usize).filter(|_| known).cloned().unwrap_or_default();
        }
        if self.log {
            let value = 10f64.powf(tick);
            // Ticks of a logarithmic axis are whole multiples of a power of ten.
            let digits = if tick < 0.0 { (-tick).ceil().min(12.0) as usize } else { 0 };
            return if (-4.0..=5.0).contains(&tick) {
                let text = format!("{value:.*}", digits + usize::from(ticks.len() < 3));
                if text.contains('.') {
                    text.trim_end_matches('0').trim_end_matches('.').to_owned()
                } else {
                    text
                }
            } else {
                format!("{value:.0e}")
            };
        }
        let step = ticks.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min);
        let largest = ticks.iter().fold(0.0f64, |m, t| m.max(t.abs()));
        let step = if step.is_finite() { step } else { largest.max(1.0) };
        let tick = if tick.abs() < step * 1e-6 { 0.0 } else { tick };
        match ticks.first() {
            // Far from 0 the first is written with all its digits, and by how much the others are above.
            Some(&first) if largest > FAR * step && tick != first => {
                format!("+{}", number(tick - first, step, ticks[ticks.len() - 1] - first))
            }
            Some(_) if largest > FAR * step => whole(tick, step),
            _ => number(tick, step, largest),
        }
    }
}

/// How many steps from 0 numbers have too many digits for each tick.
const FAR: f64 = 1e4;

/// A number far from 0 with the digits of a step.
fn whole(x: f64, step: f64) -> String {
    let decimals = (-(step * 1.0001).log10().floor()).max(0.0);
    let text = match (1e-3..1e15).contains(&x.abs()) && decimals < 12.0 {
        true => format!("{x:.*}", decimals as usize),
        false => format!("{x:.*e}", (x.abs() / step).log10().ceil().clamp(1.0, 15.0) as usize),
    };
    text.replace('-', "\u{2212}")
}

/// A number with the digits of a step, among others up to the largest.
fn number(x: f64, step: f64, largest: f64) -> String {
    if x != 0.0 && !(1e-3..1e6).contains(&largest) {
        return format!("{x:.1e}");
    }
    let digits = (-(step * 1.0001).log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{x:.digits$}").replace('-', "\u{2212}")
}

fn position(value: f64, log: bool) -> Option<f64> {
    let position = if log { value.log10() } else { value };
    position.is_finite().then_some(position)
}

fn linear(low: f64, high: f64, count: usize) -> Vec<f64> {
    let raw = (high - low) / count.max(1) as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|&s| s >= raw * 0.999)
        .unwrap_or(power);
    let first = (low / step).ceil();
    let ticks = (high / step).floor() - first;
    if !(0.0..=100.0).contains(&ticks) {
        return Vec::new();
    }
    (0..=ticks as u32).map(|i| (first + f64::from(i)) * step).collect()
}

/// Cuts a line at the edges of the plot; what is left is one or more lines.
pub(super) fn clip(points: &[Option<(f64, f64)>], x: &Axis, y: &Axis) -> Vec<Vec<(f64, f64)>> {
    let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let [Some(a), Some(b)] = *pair else { continue };
        let Some((from, to)) = clip_segment(a, b, x, y) else { continue };
        match lines.last_mut() {
            Some(line) if line.last() == Some(&from) => line.push(to),
            _ => lines.push(vec![from, to]),
        }
    }
    lines
}

/// Liang and Barsky's clipping of a segment by a rectangle.
fn clip_segment(
    (ax, ay): (f64, f64),
    (bx, by): (f64, f64),
    x: &Axis,
    y: &Axis,
) -> Option<((f64, f64), (f64, f64))> {
    let (dx, dy) = (bx - ax, by - ay);
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (step, room) in [(-dx, ax - x.low), (dx, x.high - ax), (-dy, ay - y.low), (dy, y.high - ay)]
    {
        if step == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if step < 0.0 {
            enter = enter.max(room / step);
        } else {
            leave = leave.min(room / step);
        }
    }
    if enter > leave {
        return None;
    }
    let at = |t: f64| (ax + t * dx, ay + t * dy);
    // Untouched ends stay bit for bit, so that joined segments are recognized.
    let from = if enter > 0.0 { at(enter) } else { (ax, ay) };
    let to = if leave < 1.0 { at(leave) } else { (bx, by) };
    Some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(low: f64, high: f64, log: bool) -> Axis {
        Axis::new([].into_iter(), log, Some((low, high)), &[], false)
    }

    fn labels(axis: &Axis) -> Vec<String> {
        let ticks = axis.ticks(6);
        ticks.iter().map(|&t| axis.label(t, &ticks)).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(&axis(0.0, 1.0, false)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&axis(-3.0, 2.9, false)), ["−3", "−2", "−1", "0", "1", "2"]);
        assert_eq!(labels(&axis(1.0, 1000.0, true)), ["1", "10", "100", "1000"]);
        assert_eq!(labels(&axis(1e-3, 1.5e-2, true)), ["0.001", "0.002", "0.005", "0.01"]);
        assert_eq!(labels(&axis(0.0, 0.05, false))[1], "0.01");
        assert_eq!(labels(&axis(0.0, 5e7, false))[1], "1.0e7");
        assert_eq!(labels(&axis(1e9, 1e9 + 10.0, false))[..3], ["1000000000", "+2", "+4"]);
        assert_eq!(labels(&axis(1e8 + 0.05, 1e8 + 0.65, false))[..2], ["100000000.1", "+0.1"]);
        assert_eq!(labels(&axis(1e300, 1e300 + 1e294, false))[0], "1.0000002e300");
        assert_eq!(labels(&axis(-1e5 - 0.011, -1e5, false))[..2], ["−100000.010", "+0.002"]);
    }

    #[test]
    fn an_axis_far_from_0_is_as_narrow_as_its_values() {
        assert!(axis(1e9, 1e9 + 0.1, false).span() < 0.2);
        assert_eq!(labels(&axis(1e8, 1e8 + 1e-3, false))[1], "+0.0002");
        // Closer values are rounding errors.
        assert!(axis(1e9, 1e9 + 2e-7, false).span() > 1e7);
    }

    #[test]
    fn odd_ranges_are_no_panic() {
        for (low, high) in [
            (0.0, 0.0),
            (1.0, 1.0),
            (-1e308, 1e308),
            (1e-320, 2e-320),
            (5.0, f64::NAN),
            (f64::NEG_INFINITY, 3.0),
            (1e15, 1e15 + 0.1),
        ] {
            for log in [false, true] {
                let axis = axis(low, high, log);
                assert!(axis.high > axis.low, "{low} {high} {log}");
                let _ = labels(&axis);
            }
        }
    }

    #[test]
    fn a_line_is_cut_at_the_edges() {
        let (x, y) = (axis(0.0, 10.0, false), axis(0.0, 1.0, false));
        let points = [(-5.0, 0.5), (5.0, 0.5), (6.0, 3.0), (7.0, 0.5), (8.0, 0.5)].map(Some);
        let lines = clip(&points, &x, &y);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0][..2], [(0.0, 0.5), (5.0, 0.5)]);
        assert_eq!(lines[1][1..], [(7.0, 0.5), (8.0, 0.5)]);
        assert!(lines.iter().flatten().all(|&(a, b)| x.contains(a) && b <= 1.0 + 1e-12));
    }
}
