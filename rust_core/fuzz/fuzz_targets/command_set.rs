//! libFuzzer's door to the target `command_set`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kuva_fuzz::targets::run("command_set", data));
