//! The locator hash: which studies may hold a SOP Instance UID.

/// Keyed 64-bit hash of a SOP Instance UID, the same in every vault: a copy that another vault
/// holds must be found too.
///
/// BLAKE3 keyed with `key` followed by 16 zero bytes, over the UID's characters; the first eight
/// bytes, little endian. Keyed, so that nobody who chooses UIDs can
/// choose collisions; not unique, so what it finds is verified in the index block.
pub fn locator_hash(key: &[u8; 16], sop_instance: &str) -> i64 {
    let mut whole_key = [0; 32];
    whole_key[..16].copy_from_slice(key);
    let mut hasher = blake3::Hasher::new_keyed(&whole_key);
    hasher.update(sop_instance.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    i64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fixed_for_ever_and_depends_on_key_and_uid() {
        let hash = locator_hash(&[1; 16], "1.2.3");
        assert_eq!(hash, FIXED);
        assert_ne!(hash, locator_hash(&[2; 16], "1.2.3"));
        assert_ne!(hash, locator_hash(&[1; 16], "1.2.4"));
    }

    /// Made once by this function: a change would lose every locator row ever written.
    const FIXED: i64 = -8199617253110091688;
}
