//! What fuzzing has found, and what it began with: each saved input still holds, and so do inputs that are nearly the same.
//!
//! `fuzz/run` looks for new paths through the code; where there is no nightly toolchain,
//! `MOONBELL_TEST_FUZZ=600 cargo test --test it -- corpus::` tries changes at random, so many seconds for each target.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use moonbell::fuzzing::TARGETS;

#[test]
fn every_saved_input_holds_what_its_target_promises() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let folder = corpus.join(name);
        let inputs: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!inputs.is_empty(), "{} is empty", folder.display());
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            let held = std::panic::catch_unwind(|| target(&bytes));
            assert!(held.is_ok(), "{}", input.display());
        }
    }
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let names = |folder: &str| {
        let mut names: Vec<String> = fs::read_dir(fuzz.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let mut targets: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    targets.sort();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
}

/// Seconds for each target; without it, a few hundred changes.
const SECONDS: &str = "MOONBELL_TEST_FUZZ";

/// What readers of JSON, Markdown, declarations and paths stumble over.
const WORDS: &[&str] = &[
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\n",
    "\r\n",
    "```",
    "~~~",
    "|",
    "<",
    ">",
    "...",
    "=",
    "--",
    "/",
    "..",
    "../",
    "~",
    "\0",
    "\u{202e}",
    "\u{200d}",
    "\u{301}",
    "👨‍👩‍👧",
    "汉",
    "\x1b[",
    "\x1b]",
    "\x07",
    "***",
    "@all",
    "dur",
    "int",
    "1h30m",
    "2026-02-30",
    "明天",
    "'",
    "“",
    "（",
];

/// A sequence that looks random and is the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides.max(1)
    }
}

/// `input` with a few changes; pieces of `other` may come in.
fn changed(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.roll(6) {
        let at = dice.roll(bytes.len() + 1);
        let end = (at + dice.roll(32)).min(bytes.len());
        match dice.roll(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                let times = 1 + dice.roll(40);
                bytes.splice(at..at, piece.repeat(times));
            }
            4 if !other.is_empty() => {
                let from = dice.roll(other.len());
                let to = (from + dice.roll(64)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let word = WORDS[dice.roll(WORDS.len())];
                bytes.splice(at..at, word.bytes());
            }
        }
    }
    bytes.truncate(64 << 10);
    bytes
}

#[test]
fn what_is_nearly_a_saved_input_holds_too() {
    let seconds: Option<u64> = std::env::var(SECONDS).ok().map(|text| text.parse().unwrap());
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut found = Vec::new();
    for (name, target) in TARGETS {
        let inputs: Vec<Vec<u8>> = fs::read_dir(fuzz.join("corpus").join(name))
            .unwrap()
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect();
        // Another beginning in each of the long runs, the same in the short ones.
        let seed = seconds.map_or(7, |_| rand::random::<u64>() | 1);
        let (mut dice, started, mut tried) = (Dice(seed), Instant::now(), 0_u64);
        loop {
            let over = match seconds {
                Some(seconds) => started.elapsed() >= Duration::from_secs(seconds),
                None => tried == 150,
            };
            if over {
                break;
            }
            let (one, other) = (dice.roll(inputs.len()), dice.roll(inputs.len()));
            let input = changed(&inputs[one], &inputs[other], &mut dice);
            tried += 1;
            if std::panic::catch_unwind(|| target(&input)).is_err() {
                found.push(kept(&fuzz, name, &input));
                break;
            }
        }
        if seconds.is_some() {
            println!("{name}: {tried} inputs");
        }
    }
    assert!(found.is_empty(), "these do not hold: {found:#?}");
}

/// Where a finding is kept, for the corpus once it is mended.
fn kept(fuzz: &Path, name: &str, input: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let folder = fuzz.join("artifacts").join(name);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{:016x}", hasher.finish()));
    fs::write(&path, input).unwrap();
    path
}
