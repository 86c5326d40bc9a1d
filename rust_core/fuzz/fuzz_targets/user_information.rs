//! libFuzzer's door to the target `user_information`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("user_information", data));
