// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers as people write them.

/// A number with so many decimals, a true minus sign, and no negative zero.
pub(crate) fn number(x: f64, decimals: usize) -> String {
    let text = format!("{x:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| byte == b'0' || byte == b'.') => digits.to_owned(),
        Some(digits) => format!("−{digits}"),
        None => text,
    }
}

/// A whole number with commas between thousands.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            (number(-0.04, 1), number(-0.26, 1), number(61.25, 1)),
            ("0.0".into(), "−0.3".into(), "61.2".into())
        );
        assert_eq!(["0", "999", "1,000", "12,345,678"].map(String::from), [0, 999, 1000, 12_345_678].map(grouped));
    }
}
