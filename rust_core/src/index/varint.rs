//! Numbers of variable length: LEB128, differences folded by zigzag, and optional values.

use super::IndexError;

/// Appends a number, seven bits a byte, lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number from the front. Only its shortest form is taken.
pub(super) fn take(input: &mut &[u8]) -> Result<u64, IndexError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = input.split_first().ok_or(IndexError::Length)?;
        *input = rest;
        let bits = u64::from(byte & 0x7F);
        if (shift == 63 && bits > 1) || (byte == 0 && shift > 0) {
            return Err(IndexError::Malformed("number"));
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(IndexError::Malformed("number"))
}

/// The difference of two numbers, small in both directions.
pub(super) fn difference(from: u64, to: u64) -> u64 {
    let signed = to.wrapping_sub(from) as i64;
    ((signed << 1) ^ (signed >> 63)) as u64
}

/// The number at a [`difference`] from another.
pub(super) fn apply(from: u64, difference: u64) -> u64 {
    let signed = (difference >> 1) as i64 ^ -((difference & 1) as i64);
    from.wrapping_add(signed as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn put_then_take_is_identity(value: u64, rest: Vec<u8>) {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            bytes.extend(&rest);
            let mut input = &bytes[..];
            prop_assert_eq!(take(&mut input).unwrap(), value);
            prop_assert_eq!(input, &rest[..]);
        }

        #[test]
        fn a_difference_applied_gives_the_other_number(from: u64, to: u64) {
            prop_assert_eq!(apply(from, difference(from, to)), to);
        }
    }

    #[test]
    fn a_number_has_one_form_and_at_most_64_bits() {
        assert_eq!(take(&mut &[0x80, 0x00][..]), Err(IndexError::Malformed("number")));
        assert_eq!(take(&mut &[0xFF; 10][..]), Err(IndexError::Malformed("number")));
        assert_eq!(take(&mut &[0x80][..]), Err(IndexError::Length));
    }
}
