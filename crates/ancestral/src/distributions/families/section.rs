//! The maximum of a function of one number by golden section (Kiefer 1953).

/// The place of the highest value between two ends, to within `width`, if there is one maximum.
///
/// # Errors
/// Those of the function.
pub fn golden_section<E>(
    (mut low, mut high): (f64, f64),
    width: f64,
    mut value: impl FnMut(f64) -> Result<f64, E>,
) -> Result<f64, E> {
    let ratio = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_a, mut at_b) = (value(a)?, value(b)?);
    while high - low > width {
        if at_a > at_b {
            (high, b, at_b) = (b, a, at_a);
            a = high - ratio * (high - low);
            at_a = value(a)?;
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = low + ratio * (high - low);
            at_b = value(b)?;
        }
    }
    Ok(0.5 * (low + high))
}

#[cfg(test)]
mod tests {
    use super::golden_section;

    #[test]
    fn a_maximum_is_found_within_its_width() {
        let curve = |x: f64| Ok::<f64, ()>(-(x - 0.3).powi(2));
        let found = golden_section((-2.0, 5.0), 1e-6, curve).unwrap();
        assert!((found - 0.3).abs() < 1e-6, "{found}");
        assert_eq!(golden_section((0.0, 1.0), 1e-3, |_| Err("stopped")), Err("stopped"));
    }
}
