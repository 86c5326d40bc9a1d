//! libFuzzer's door to the target `index_block`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("index_block", data));
