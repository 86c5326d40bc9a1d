//! The standard dictionary as the implicit syntax needs it: tag to value representation.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::vr::Vr;

/// Look-ups remembered; a power of two. The dictionary's own table hashes slowly, and the same few
/// hundred tags come again in every instance.
const REMEMBERED: usize = 4096;

/// Each slot is `tag << 32 | known << 16 | vr`, one atomic word, so that a torn read is impossible.
static MEMORY: [AtomicU64; REMEMBERED] = [const { AtomicU64::new(0) }; REMEMBERED];

const KNOWN: u64 = 1 << 16;

/// VR of a standard tag by PS3.6, `None` for private and unknown tags.
///
/// Where the dictionary leaves a choice, the answer is the one the implicit syntax fixes
/// (PS3.5 A.1: OW for pixel and overlay data) or the unsigned one.
pub fn vr_of(tag: u32) -> Option<Vr> {
    if tag & 0x0001_0000 != 0 {
        return None; // private: only its creator knows
    }
    let slot = &MEMORY[tag.wrapping_mul(0x9E37_79B1) as usize >> 20];
    let remembered = slot.load(Relaxed);
    if remembered != 0 && (remembered >> 32) as u32 == tag {
        return unpack(remembered);
    }
    let vr = looked_up(tag);
    slot.store(pack(tag, vr), Relaxed);
    vr
}

fn pack(tag: u32, vr: Option<Vr>) -> u64 {
    let low = match vr {
        Some(vr) => KNOWN | u64::from(u16::from_be_bytes(vr)),
        None => 0,
    };
    u64::from(tag) << 32 | low
}

fn unpack(slot: u64) -> Option<Vr> {
    (slot & KNOWN != 0).then(|| (slot as u16).to_be_bytes())
}

fn looked_up(tag: u32) -> Option<Vr> {
    let entry = StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16))?;
    let vr = match entry.vr() {
        VirtualVr::Exact(vr) => vr,
        VirtualVr::Xs => VR::US,
        VirtualVr::Ox | VirtualVr::Px | VirtualVr::Lt => VR::OW,
        _ => return None, // a foreign enum that may grow: unknown is the safe reading
    };
    vr.to_string().as_bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeating_groups_and_choices_are_known_and_private_tags_are_not() {
        assert_eq!(vr_of(0x0008_0018), Some(*b"UI"));
        assert_eq!(vr_of(0x0008_1140), Some(*b"SQ"));
        assert_eq!(vr_of(0x6002_3000), Some(*b"OW"));
        assert_eq!(vr_of(0x0028_0106), Some(*b"US"));
        assert_eq!(vr_of(0x0008_0000), Some(*b"UL"));
        assert_eq!(vr_of(0x0009_0010), None);
        assert_eq!(vr_of(0x0008_FFF1), None);
    }

    #[test]
    fn remembering_changes_no_answer() {
        for tag in (0x0008_0000..0x0008_3000).chain(0x0028_0000..0x0028_2000) {
            assert_eq!(vr_of(tag), looked_up(tag));
            assert_eq!(vr_of(tag), looked_up(tag));
        }
    }
}
