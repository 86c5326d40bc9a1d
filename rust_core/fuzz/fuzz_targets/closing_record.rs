//! libFuzzer's door to the target `closing_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("closing_record", data));
