//! Where things lie in a TAR file: sizes alone, known before a byte is there.

use super::file_meta::file_meta_length;

/// TAR's unit: headers are one, contents are filled up to the next.
pub const UNIT: u64 = 512;
/// Two units of zeros end a TAR file.
pub const END_LENGTH: u64 = 2 * UNIT;
/// Largest size that a header's eleven octal digits hold; beyond it a pax record says the size.
pub const SIZE_MAX_OCTAL: u64 = (8 << 30) - 1;
/// A pax header, its one unit of records, and the header itself.
const LONG_HEADER_LENGTH: u64 = 3 * UNIT;

/// `length` filled up to a whole number of units.
pub fn padded(length: u64) -> u64 {
    length.next_multiple_of(UNIT)
}

/// Bytes before the content of a member of that size.
pub fn header_length(size: u64) -> u64 {
    if size > SIZE_MAX_OCTAL { LONG_HEADER_LENGTH } else { UNIT }
}

/// Bytes that a member takes.
pub fn member_length(size: u64) -> u64 {
    header_length(size) + padded(size)
}

/// Where a data set begins if its file comes right behind something that ends at `end`; any
/// numbers, wrapping, since an index block may say anything.
pub fn predicted_offset(end: u64, length: u64, uids: [&str; 3]) -> u64 {
    let [sop_class, sop_instance, transfer_syntax] = uids;
    let meta = file_meta_length(sop_class, sop_instance, transfer_syntax);
    let start = end.wrapping_add((UNIT - end % UNIT) % UNIT);
    start.wrapping_add(header_length(length.wrapping_add(meta))).wrapping_add(meta)
}
