#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| moonbell::fuzzing::requests(data));
