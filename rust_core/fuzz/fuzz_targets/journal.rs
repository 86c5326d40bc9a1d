//! libFuzzer's door to the target `journal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("journal", data));
