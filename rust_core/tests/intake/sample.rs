//! Made instances, plain and deflated.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use kuva_core::journal::memory_medium::Seeded;

use super::CLASS;

/// One instance: Explicit VR Little Endian, its last element as long as asked.
#[derive(Clone)]
pub struct Sample {
    pub instance: String,
    pub data_set: Vec<u8>,
}

impl Sample {
    pub fn new(study: &str, number: u32, length: usize) -> Self {
        let instance = format!("{study}.1.{number}");
        let mut data_set = Vec::new();
        element(&mut data_set, 0x0008_0016, b"UI", CLASS.as_bytes());
        element(&mut data_set, 0x0008_0018, b"UI", instance.as_bytes());
        element(&mut data_set, 0x0010_0020, b"LO", b"PATIENT1");
        element(&mut data_set, 0x0020_000D, b"UI", study.as_bytes());
        element(&mut data_set, 0x0020_000E, b"UI", format!("{study}.1").as_bytes());
        data_set.extend([0x21, 0x00, 0x10, 0x10, b'O', b'B', 0, 0]);
        let filler: Vec<u8> = (0..length & !1).map(|n| (n as u32 ^ number) as u8).collect();
        data_set.extend((filler.len() as u32).to_le_bytes());
        data_set.extend(filler);
        Self { instance, data_set }
    }

    /// The same in Deflated Explicit VR Little Endian; the filler is such that hardly anything is won.
    pub fn deflated(study: &str, number: u32, length: usize) -> Self {
        let mut sample = Self::new(study, number, length);
        let mut noise = Seeded(u64::from(number));
        let filler = sample.data_set.len() - (length & !1);
        sample.data_set[filler..].fill_with(|| noise.draw() as u8);
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&sample.data_set).unwrap();
        sample.data_set = packed.finish().unwrap();
        sample
    }

    pub fn with_last_bit_flipped(&self) -> Self {
        let mut twin = self.clone();
        *twin.data_set.last_mut().unwrap() ^= 1;
        twin
    }
}

fn element(out: &mut Vec<u8>, tag: u32, vr: &[u8; 2], value: &[u8]) {
    out.extend(((tag >> 16) as u16).to_le_bytes());
    out.extend((tag as u16).to_le_bytes());
    out.extend(vr);
    let padded = value.len() + value.len() % 2;
    out.extend((padded as u16).to_le_bytes());
    out.extend(value);
    out.resize(out.len() + padded - value.len(), if vr == b"UI" { 0 } else { b' ' });
}
