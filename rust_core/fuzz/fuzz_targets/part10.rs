//! libFuzzer's door to the target `part10`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("part10", data));
