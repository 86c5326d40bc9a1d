//! The locator hash: which studies may hold a SOP Instance UID; and the hash of a series.

use crate::instance::VaultId;

/// What stands beside the key of a series' hash, so that it is never a locator's.
const SERIES_DOMAIN: [u8; 16] = *b"kuva series v1\0\0";

/// Keyed 64-bit hash of a SOP Instance UID, the same in every vault: a copy that another vault
/// holds must be found too.
///
/// BLAKE3 keyed with `key` followed by 16 zero bytes, over the UID's characters; the first eight
/// bytes, little endian. Keyed, so that nobody who chooses UIDs can
/// choose collisions; not unique, so what it finds is verified in the index block.
pub fn locator_hash(key: &[u8; 16], sop_instance: &str) -> i64 {
    let mut hasher = keyed(key, &[0; 16]);
    hasher.update(sop_instance.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    i64::from_le_bytes(first)
}

/// Keyed 128-bit hash of a Series Instance UID within one vault: in how many studies it is there.
///
/// BLAKE3 keyed with `key` followed by [`SERIES_DOMAIN`], over the vault's 16 bytes and the UID's
/// characters; the first 16 bytes. Wide enough to stand for the UID: nothing verifies it.
pub fn series_hash(key: &[u8; 16], vault: VaultId, series: &str) -> [u8; 16] {
    let mut hasher = keyed(key, &SERIES_DOMAIN);
    hasher.update(&vault.0);
    hasher.update(series.as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    first
}

fn keyed(key: &[u8; 16], domain: &[u8; 16]) -> blake3::Hasher {
    let mut whole_key = [0; 32];
    whole_key[..16].copy_from_slice(key);
    whole_key[16..].copy_from_slice(domain);
    blake3::Hasher::new_keyed(&whole_key)
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

    #[test]
    fn the_hash_of_a_series_is_fixed_for_ever_and_depends_on_key_vault_and_uid() {
        let hash = series_hash(&[1; 16], VaultId([7; 16]), "1.2.3");
        assert_eq!(u128::from_be_bytes(hash), SERIES_FIXED);
        assert_ne!(hash, series_hash(&[2; 16], VaultId([7; 16]), "1.2.3"));
        assert_ne!(hash, series_hash(&[1; 16], VaultId([8; 16]), "1.2.3"));
        assert_ne!(hash, series_hash(&[1; 16], VaultId([7; 16]), "1.2.4"));
    }

    /// Made once by these functions: a change would lose every row ever written.
    const FIXED: i64 = -8199617253110091688;
    const SERIES_FIXED: u128 = 322_984_427_184_264_430_484_067_182_250_064_387_665;
}
