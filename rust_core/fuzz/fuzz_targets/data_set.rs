//! libFuzzer's door to the target `data_set`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("data_set", data));
