//! libFuzzer's door to the target `volume`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("volume", data));
