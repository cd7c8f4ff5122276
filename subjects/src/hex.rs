//! Bytes as lower-case hexadecimal digits.

use crate::MalformedId;

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// The value of each lower-case hexadecimal digit; 255 for everything else.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 16 {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// The bytes of exactly `2 * N` lower-case digits.
pub(crate) fn parse_hex<const N: usize>(text: &[u8]) -> Result<[u8; N], MalformedId> {
    let (pairs, rest) = text.as_chunks::<2>();
    let pairs: Option<&[[u8; 2]; N]> = pairs.try_into().ok().filter(|_| rest.is_empty());
    let mut worst = 0;
    let bytes = pairs.map(|pairs| {
        pairs.map(|digits| {
            let [high, low] = digits.map(|digit| VALUES[usize::from(digit)]);
            worst |= high | low;
            high << 4 | low
        })
    });
    bytes.filter(|_| worst < 16).ok_or(MalformedId::Hex(2 * N))
}

/// The lower-case hexadecimal digits of `bytes`, written into `room`, which has two places for each.
pub(crate) fn hex<'a>(bytes: &[u8], room: &'a mut [u8]) -> &'a str {
    for (byte, digits) in bytes.iter().zip(room.chunks_exact_mut(2)) {
        digits[0] = DIGITS[usize::from(byte >> 4)];
        digits[1] = DIGITS[usize::from(byte & 15)];
    }
    std::str::from_utf8(room).expect("digits are text")
}
