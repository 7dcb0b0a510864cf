//! How numbers are written, and what only resembles one.

const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A plain decimal of at most 15 digits, which one division rounds correctly, its decimals and its end.
#[inline]
pub(super) fn plain(text: &[u8], from: usize, decimal: u8) -> Option<(f64, u8, usize)> {
    let negative = *text.get(from)? == b'-';
    let start = from + usize::from(negative);
    let (mut whole, mut at) = (0u64, start);
    let mut digits = |at: &mut usize| {
        while let Some(digit) = text.get(*at).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
        {
            whole = whole.wrapping_mul(10).wrapping_add(u64::from(digit));
            *at += 1;
        }
    };
    digits(&mut at);
    let mut count = at - start;
    let mut decimals = 0;
    if text.get(at) == Some(&decimal) {
        at += 1;
        let first = at;
        digits(&mut at);
        decimals = at - first;
        count += decimals;
    }
    if count == 0 || count > 15 {
        return None;
    }
    let value = whole as f64 / POWERS[decimals];
    Some((if negative { -value } else { value }, decimals as u8, at))
}

/// Whether text is a number as most programs write it.
pub(super) fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(|value| !value.is_nan())
}

/// Whether text is a number with a decimal comma.
pub(super) fn has_comma(text: &str) -> bool {
    text.contains(',') && !text.contains('.') && is_number(&text.replacen(',', ".", 1))
}

/// Whether a mark stands before three digits, as thousands are separated.
pub(super) fn is_group(text: &str, mark: char) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    text.split_once(mark).is_some_and(|(whole, rest)| {
        (1..=3).contains(&whole.len())
            && rest.len() == 3
            && !whole.starts_with('0')
            && whole.bytes().chain(rest.bytes()).all(|b| b.is_ascii_digit())
    })
}

/// What is wrong with text where a number belongs, if it resembles one.
pub(super) fn almost_number(text: &str, decimal: u8) -> Option<String> {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let first = text.chars().next()?;
    let plain = |text: &str| text.parse::<f64>().is_ok();
    if let Some(other) = text.chars().find(|&c| digit_of_other_script(c)) {
        let of_number = |c: char| {
            c.is_ascii_digit()
                || digit_of_other_script(c)
                || "+-.,%٫٬٪ \u{2212}\u{a0}\u{202f}".contains(c)
        };
        return text.chars().all(of_number).then(|| {
            format!("digits of another script (U+{:04X}); write 0 to 9", u32::from(other))
        });
    }
    if digits == 0 {
        return None;
    }
    // Characters that look like nothing, or like a minus sign.
    let odd = |c: char| "\u{a0}\u{202f}\u{200b}\u{feff}\u{2212}\u{2013}".contains(c);
    if let Some(character) = text.chars().find(|&c| odd(c)) {
        let sign = |c: char| if "\u{2212}\u{2013}".contains(c) { Some('-') } else { None };
        let usual: String =
            text.chars().filter_map(|c| if odd(c) { sign(c) } else { Some(c) }).collect();
        if plain(&usual.replace(',', ".")) {
            return Some(format!(
                "the character U+{:04X}; write plain digits, points and minus signs",
                character as u32
            ));
        }
    }
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    if inner.is_some_and(|inner| plain(&inner.replace(',', ""))) {
        return Some("parentheses; write a negative number with a minus sign".to_owned());
    }
    if !(first.is_ascii_digit() || "+-.,$€£¥".contains(first)) {
        return None;
    }
    let hexadecimal =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let bare = text.trim_start_matches(['+', '-']);
    if bare.strip_prefix("0x").or(bare.strip_prefix("0X")).is_some_and(hexadecimal) {
        return Some(
            "hexadecimal digits; write decimal ones, or a letter first if it is a word".to_owned(),
        );
    }
    let exponent = |text: &str| {
        let digits = text.trim_start_matches(['+', '-']);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let power = text.split_once(['d', 'D', 'q', 'Q']);
    if power.is_some_and(|(number, power)| plain(&number.replace(',', ".")) && exponent(power)) {
        return Some("an exponent after D, as Fortran writes it; write E".to_owned());
    }
    let power =
        text.get(1..).and_then(|rest| rest.find(['+', '-'])).map(|at| text.split_at(at + 1));
    if power.is_some_and(|(number, power)| {
        number.contains('.') && plain(number) && power.len() == 4 && exponent(power)
    }) {
        return Some("an exponent without its letter; write E before it".to_owned());
    }
    if text.strip_suffix('-').is_some_and(plain) {
        return Some("a minus sign at its end; write it before the number".to_owned());
    }
    if let Some(number) = text.strip_suffix('%').map(str::trim)
        && plain(&number.replace(',', "."))
    {
        return Some("a percent sign; write the number alone".to_owned());
    }
    let bare = text.trim_matches(|c| "$€£¥ ".contains(c));
    if bare != text && plain(&bare.replace(',', "")) {
        return Some("a currency sign; write the number alone".to_owned());
    }
    let is_point = decimal == b'.';
    let (sign, other) = if is_point { ('.', ',') } else { (',', '.') };
    let groups = |mark: char| {
        let (whole, rest) = text.split_once(sign).unwrap_or((text, ""));
        let whole = whole.trim_start_matches(['+', '-']);
        let parts: Vec<&str> = whole.split(mark).collect();
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() > 1
            && parts.iter().all(digits)
            && digits(&if rest.is_empty() { "0" } else { rest })
            && parts[0].len() <= 3
            && parts[1..].iter().all(|part| part.len() == 3)
    };
    // As in India, where two digits follow one another before the last three.
    let lakhs = {
        let whole = text.split_once(sign).map_or(text, |(whole, _)| whole);
        let parts: Vec<&str> = whole.trim_start_matches(['+', '-']).split(other).collect();
        let digits = |part: &&str, count: usize| {
            part.len() == count && part.bytes().all(|b| b.is_ascii_digit())
        };
        parts.len() > 2
            && (digits(&parts[0], 1) || digits(&parts[0], 2))
            && parts[1..parts.len() - 1].iter().all(|part| digits(part, 2))
            && digits(&parts[parts.len() - 1], 3)
    };
    // Several signs for decimals cannot be.
    let parts: Vec<&str> = text.trim_start_matches(['+', '-']).split(sign).collect();
    let three = |part: &&str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit());
    let several = parts.len() > 2
        && (1..=3).contains(&parts[0].len())
        && parts[0].bytes().all(|b| b.is_ascii_digit())
        && parts[1..].iter().all(three);
    if several
        || lakhs
        || groups(other)
        || groups(' ')
        || groups('\'')
        || groups('_')
        || groups('\u{a0}')
    {
        return Some("thousands separators; write the digits alone".to_owned());
    }
    if is_point && plain(&text.replacen(',', ".", 1)) {
        return Some("a decimal comma; read decimal commas with --decimal ,".to_owned());
    }
    if !is_point && plain(text) {
        return Some(
            "a decimal point among decimal commas; give --decimal . or write commas".to_owned(),
        );
    }
    None
}

/// Whether a character is a decimal digit, but none from 0 to 9.
fn digit_of_other_script(c: char) -> bool {
    // The zeros of scripts, after which their digits follow.
    const ZEROS: [u32; 22] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50,
        0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0x1946, 0xa8d0, 0xabf0, 0xff10,
    ];
    ZEROS.iter().any(|&zero| (zero..zero + 10).contains(&u32::from(c)))
}

/// Whether text begins like a number, as 12 kg, 5:30 and <0.5 do.
pub(super) fn begins_like_number(text: &str) -> bool {
    let rest = text.trim_start_matches(|c| "<>~≈≤≥=±#'\"“”„‘’+-.,$€£¥( \u{2212}".contains(c));
    rest.starts_with(|c: char| c.is_ascii_digit() || digit_of_other_script(c))
}

/// Whether a whole number, written to its last digit, is another one in double precision.
pub(super) fn is_rounded(text: &str, value: f64, sign: char) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i64>().ok()),
        None => (text, Some(0)),
    };
    let Some(exponent) = exponent.and_then(|e| usize::try_from(e).ok()) else { return false };
    let (whole, after) = number.split_once(sign).unwrap_or((number, ""));
    // Without as many decimals, the last digits are not written.
    let Some((shifted, rest)) = after.split_at_checked(exponent) else { return false };
    let digits = format!("{whole}{shifted}");
    let digits = digits.trim_start_matches('0');
    if digits.len() < 16
        || !digits.bytes().all(|b| b.is_ascii_digit())
        || rest.contains(|c| c != '0')
    {
        return false;
    }
    digits.parse::<i128>() != Ok(value.abs() as i128)
}

/// The decimals of a number that is no plain decimal, as 1.5e-3.
pub(super) fn decimals(text: &str, sign: char) -> u8 {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let after = digits.split_once(sign).map_or(0, |(_, after)| after.len() as i32);
    u8::try_from(after.saturating_sub(exponent).max(0)).unwrap_or(u8::MAX)
}
