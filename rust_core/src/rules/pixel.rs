//! The length of native pixels by their description (PS3.5 8.1.1, 8.2; PS3.3 C.7.6.3).

use crate::dataset::Scanned;
use crate::dataset::observation::PixelObservation;
use crate::dataset::tag;
use crate::instance::CapturedElement;

/// How received pixels compare with their description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PixelReading {
    /// Fewer bytes than any reading of the description demands, or no fragment at all.
    pub short: bool,
    /// More bytes than described, beyond the pad byte of an odd length.
    pub long: bool,
    /// First of Rows, Columns, Samples per Pixel, Bits Allocated that is missing or malformed.
    pub description: Option<u32>,
    /// Number of Frames is present and no integer string of at least 1.
    pub frames: bool,
    /// The element that holds the pixels.
    pub tag: Option<u32>,
}

/// One described quantity: what may be computed with, and whether it was written as it should be.
#[derive(Clone, Copy)]
struct Quantity {
    value: Option<u32>,
    lawful: bool,
}

/// US with one value; a UL is malformed, but says what was meant, and no pixel buffer is ever
/// made from it.
fn quantity(element: Option<&CapturedElement>) -> Quantity {
    let Some(element) = element else { return Quantity { value: None, lawful: false } };
    match (&element.vr, &*element.value) {
        (b"US" | b"UN", &[a, b]) => {
            Quantity { value: Some(u32::from(u16::from_le_bytes([a, b]))), lawful: true }
        }
        (_, &[a, b, c, d]) if element.vr == *b"UL" => {
            Quantity { value: Some(u32::from_le_bytes([a, b, c, d])), lawful: false }
        }
        _ => Quantity { value: None, lawful: false },
    }
}

/// Number of Frames: a strict IS (PS3.5 6.2: up to 12 characters) of at least 1.
fn frames(value: &[u8]) -> Option<u32> {
    let text = value.trim_ascii();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    if value.len() > 12 || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: i32 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    u32::try_from(number).ok().filter(|&number| number >= 1)
}

/// Compares the top-level pixels with what the data set says of them.
pub fn read(scanned: &Scanned) -> PixelReading {
    let given = scanned.get(tag::NUMBER_OF_FRAMES);
    let frames = given.map(|element| frames(&element.value));
    let mut reading = PixelReading { frames: frames == Some(None), ..PixelReading::default() };
    match scanned.pixel {
        PixelObservation::None => {}
        PixelObservation::Encapsulated { fragments, .. } => {
            reading.tag = Some(tag::PIXEL_DATA);
            reading.short = fragments == 0;
        }
        PixelObservation::Native { tag, length } => {
            reading.tag = Some(tag);
            // Broken Number of Frames: there is at least one frame; how many is not known.
            let known = frames.unwrap_or(Some(1));
            native(&mut reading, scanned, tag, u128::from(length), known);
        }
    }
    reading
}

fn native(
    reading: &mut PixelReading,
    scanned: &Scanned,
    pixels: u32,
    length: u128,
    frames: Option<u32>,
) {
    let tags = [tag::ROWS, tag::COLUMNS, tag::SAMPLES_PER_PIXEL, tag::BITS_ALLOCATED];
    let quantities = tags.map(|tag| quantity(scanned.get(tag)));
    let lawless = quantities.iter().zip(tags).find(|(quantity, _)| !quantity.lawful);
    reading.description = lawless.map(|(_, tag)| tag);
    let [Some(rows), Some(columns), samples, Some(bits)] = quantities.map(|q| q.value) else {
        return;
    };
    let bits = match pixels {
        tag::FLOAT_PIXEL_DATA => 32,
        tag::DOUBLE_FLOAT_PIXEL_DATA => 64,
        _ => bits,
    };
    let samples_of_pixel = if subsampled(scanned) { 2 } else { samples.unwrap_or(1) };
    let least = described(&[rows, columns, samples_of_pixel, frames.unwrap_or(1), bits]);
    reading.short = length < least;
    reading.long = samples.is_some() && frames.is_some() && length > least + least % 2;
}

/// Bytes of so many bits, packed without gaps between pixels and frames (PS3.5 8.1.1). The
/// product saturates: beyond any length, it is larger than every length just the same.
fn described(factors: &[u32]) -> u128 {
    let product = |bits: u128, &factor: &u32| bits.saturating_mul(u128::from(factor));
    factors.iter().fold(1, product).div_ceil(8)
}

/// Native 4:2:2: two chrominance samples for every two pixels (PS3.3 C.7.6.3.1.2).
fn subsampled(scanned: &Scanned) -> bool {
    scanned.get(tag::PHOTOMETRIC_INTERPRETATION).is_some_and(|element| {
        matches!(element.value.trim_ascii_end(), b"YBR_FULL_422" | b"YBR_PARTIAL_422")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_frames_is_a_strict_integer_string() {
        assert_eq!(frames(b"1 "), Some(1));
        assert_eq!(frames(b"+2"), Some(2));
        assert_eq!(frames(b"2147483647"), Some(i32::MAX as u32));
        for other in
            [&b"1e9"[..], b"-1", b"1\\2", b"", b"0", b"2147483648", b"1.0", b"0000000000001"]
        {
            assert_eq!(frames(other), None, "{other:?}");
        }
    }

    #[test]
    fn absurd_descriptions_do_not_overflow() {
        assert!(described(&[u32::MAX; 5]) > u128::from(u64::MAX));
        assert_eq!(described(&[3, 3, 1, 1, 1]), 2);
        assert_eq!(described(&[3, 3, 1, 2, 1]), 3);
    }
}
