//! PDUs and items written with their lengths filled in afterwards.

/// Writes a PDU: header, then what `body` writes.
pub(super) fn pdu(kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![kind, 0, 0, 0, 0, 0];
    body(&mut out);
    let length = u32::try_from(out.len() - 6).unwrap_or(u32::MAX);
    out[2..6].copy_from_slice(&length.to_be_bytes());
    out
}

/// Writes an item: type, second byte, two-byte length, then what `content` writes.
///
/// Content beyond 65,535 bytes cannot be said on the wire; the item is then left out whole, so
/// that what is sent is always well formed.
pub(super) fn item(out: &mut Vec<u8>, kind: u8, second: u8, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[kind, second, 0, 0]);
    content(out);
    match u16::try_from(out.len() - start - 4) {
        Ok(length) => out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes()),
        Err(_) => out.truncate(start),
    }
}

/// Writes bytes with a two-byte length before them, cut at what the length can say.
pub(super) fn counted(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&bytes[..usize::from(length)]);
}
