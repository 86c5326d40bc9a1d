//! libFuzzer's door to the target `pdu`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("pdu", data));
