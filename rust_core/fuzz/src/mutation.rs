//! Mutations: the changes of an input that break parsers, drawn from a seed and never from a clock.

use kuva_core::journal::memory_medium::Seeded;

/// Longest input made, bytes.
pub const LENGTH_MAX: usize = 16 << 10;

/// Lengths and counts that sit on somebody's boundary.
const EDGES: [u32; 14] =
    [0, 1, 2, 6, 8, 12, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x1_0000, 0x7FFF_FFFF, 0xFFFF_FFFF];

/// One to four changes of `input`; `other` is what is spliced in.
pub fn mutate(seeded: &mut Seeded, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=seeded.below(4) {
        change(seeded, &mut bytes, other);
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

fn change(seeded: &mut Seeded, bytes: &mut Vec<u8>, other: &[u8]) {
    match seeded.below(8) {
        0 => flip(seeded, bytes),
        1 => replace(seeded, bytes),
        2 | 3 => edit_length(seeded, bytes),
        4 => bytes.truncate(at(seeded, bytes.len() + 1)),
        5 => repeat(seeded, bytes),
        6 => remove(seeded, bytes),
        _ => splice(seeded, bytes, other),
    }
}

/// A place below `bound`; 0 where there is none.
fn at(seeded: &mut Seeded, bound: usize) -> usize {
    if bound == 0 { 0 } else { seeded.below(bound as u64) as usize }
}

/// A short range within `length`.
fn range(seeded: &mut Seeded, length: usize) -> std::ops::Range<usize> {
    let start = at(seeded, length + 1);
    let most = if seeded.below(4) == 0 { length } else { 32 };
    start..(start + at(seeded, most + 1)).min(length)
}

fn flip(seeded: &mut Seeded, bytes: &mut [u8]) {
    let place = at(seeded, bytes.len());
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1 << seeded.below(8);
    }
}

fn replace(seeded: &mut Seeded, bytes: &mut [u8]) {
    let place = at(seeded, bytes.len());
    if let Some(byte) = bytes.get_mut(place) {
        *byte = seeded.draw() as u8;
    }
}

/// Writes a length field: an edge, what is left of the input, or one off what is there.
fn edit_length(seeded: &mut Seeded, bytes: &mut [u8]) {
    let width = if seeded.below(2) == 0 { 2 } else { 4 };
    let place = at(seeded, bytes.len());
    let left = bytes.len() - place;
    let Some(field) = bytes.get_mut(place..place + width) else { return };
    let big = seeded.below(2) == 0;
    let there = field.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let there = if big { there } else { there.swap_bytes() >> (32 - 8 * width) };
    let value = match seeded.below(4) {
        0 => there.wrapping_add(1),
        1 => there.wrapping_sub(1),
        2 => left as u32,
        _ => EDGES[at(seeded, EDGES.len())],
    };
    let written = if big { (value << (32 - 8 * width)).to_be_bytes() } else { value.to_le_bytes() };
    field.copy_from_slice(&written[..width]);
}

fn repeat(seeded: &mut Seeded, bytes: &mut Vec<u8>) {
    let range = range(seeded, bytes.len());
    let piece = bytes[range.clone()].repeat(1 + at(seeded, 8));
    let place = if seeded.below(2) == 0 { range.end } else { at(seeded, bytes.len() + 1) };
    bytes.splice(place..place, piece);
}

fn remove(seeded: &mut Seeded, bytes: &mut Vec<u8>) {
    let range = range(seeded, bytes.len());
    bytes.drain(range);
}

fn splice(seeded: &mut Seeded, bytes: &mut Vec<u8>, other: &[u8]) {
    let (from, over) = (range(seeded, other.len()), range(seeded, bytes.len()));
    bytes.splice(over, other[from].iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_row_of_mutations_and_most_of_them_differ() {
        let row = |seed| {
            let mut seeded = Seeded(seed);
            (0..500).map(|_| mutate(&mut seeded, b"0123456789abcdef", b"OTHER")).collect::<Vec<_>>()
        };
        assert_eq!(row(1), row(1));
        assert_ne!(row(1), row(2));
        let distinct: std::collections::HashSet<_> = row(1).into_iter().collect();
        assert!(distinct.len() > 350, "{}", distinct.len());
    }

    #[test]
    fn nothing_at_all_can_be_mutated_too() {
        let mut seeded = Seeded(3);
        (0..500).for_each(|_| drop(mutate(&mut seeded, b"", b"")));
    }
}
