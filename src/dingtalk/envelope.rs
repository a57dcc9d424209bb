//! The encryption of events: AES-256-CBC around sixteen random bytes, the length, the text and for whom it is.
//!
//! Whatever is wrong with an envelope, there is one answer: none. What an answer or its timing told about the padding
//! would open every envelope to whoever can ask often enough.

use std::fmt;

use aes::Aes256;
use aes::cipher::array::Array;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq as _;

/// Bytes of the cipher's block.
const BLOCK: usize = 16;
/// What DingTalk pads to: two blocks.
const PAD: usize = 32;
/// Random bytes and the length.
const HEAD: usize = 16 + 4;

/// 43 characters carry two bits more than a key has. What people type has anything in them; strict decoders refuse it.
const KEY_DECODER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Seals and opens with one key.
#[derive(Clone)]
pub(super) struct Envelope {
    key: [u8; 32],
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Envelope(***)")
    }
}

impl Envelope {
    /// With the key as the developer console shows it; `None`: it is none.
    pub(super) fn new(aes_key: &str) -> Option<Self> {
        let key = KEY_DECODER.decode(aes_key).ok()?;
        Some(Self { key: key.try_into().ok()? })
    }

    /// `text` for `owner`, as it travels.
    pub(super) fn seal(&self, text: &str, owner: &str) -> String {
        self.seal_with(rand::random(), text, owner)
    }

    fn seal_with(&self, random: [u8; 16], text: &str, owner: &str) -> String {
        let mut plain = Vec::with_capacity(HEAD + text.len() + owner.len() + PAD);
        plain.extend_from_slice(&random);
        let length = u32::try_from(text.len()).expect("answers are short");
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(text.as_bytes());
        plain.extend_from_slice(owner.as_bytes());
        let pad = PAD - plain.len() % PAD;
        plain.resize(plain.len() + pad, u8::try_from(pad).expect("32 at most"));
        let (blocks, _) = Array::slice_as_chunks_mut(&mut plain);
        cbc::Encryptor::<Aes256>::new(&self.key.into(), &self.iv().into()).encrypt_blocks(blocks);
        STANDARD.encode(plain)
    }

    /// The text in `sealed`, if it is whole and for `owner`.
    pub(super) fn open(&self, sealed: &str, owner: &str) -> Option<String> {
        let mut plain = STANDARD.decode(sealed).ok()?;
        if plain.is_empty() || !plain.len().is_multiple_of(BLOCK) {
            return None;
        }
        let (blocks, _) = Array::slice_as_chunks_mut(&mut plain);
        cbc::Decryptor::<Aes256>::new(&self.key.into(), &self.iv().into()).decrypt_blocks(blocks);
        // Some senders pad to one block, some to two.
        let pad = usize::from(*plain.last()?);
        let inside = plain.len().checked_sub(pad)?;
        if !(1..=PAD).contains(&pad) || plain[inside..].iter().any(|byte| usize::from(*byte) != pad)
        {
            return None;
        }
        let body = plain[..inside].get(HEAD..)?;
        let length = u32::from_be_bytes(plain[16..HEAD].try_into().ok()?);
        let (text, whose) = body.split_at_checked(usize::try_from(length).ok()?)?;
        if !bool::from(whose.ct_eq(owner.as_bytes())) {
            return None;
        }
        String::from_utf8(text.to_vec()).ok()
    }

    fn iv(&self) -> [u8; BLOCK] {
        self.key[..BLOCK].try_into().expect("a key has two blocks")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sign::hex;
    use super::super::sign::tests::{text, vectors};
    use super::*;

    fn of(keys: &serde_json::Value) -> Envelope {
        Envelope::new(text(keys, "aesKey")).unwrap()
    }

    #[test]
    fn envelopes_are_those_of_the_vectors_byte_by_byte() {
        let vectors = vectors();
        let keys = &vectors["event_crypto"];
        let (envelope, owner) = (of(keys), text(keys, "ownerKey"));
        assert_eq!(hex(&envelope.key), text(keys, "aesKeyHex"));
        assert_eq!(hex(&envelope.iv()), text(keys, "ivHex"));
        let cases = keys["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 4);
        for case in cases {
            let (said, sealed) = (text(case, "msg"), text(case, "encrypt"));
            assert_eq!(envelope.open(sealed, owner).as_deref(), Some(said), "{case}");
            let random = text(case, "random16").as_bytes().try_into().unwrap();
            assert_eq!(envelope.seal_with(random, said, owner), sealed, "{case}");
            let (length, unpadded) = (said.len(), HEAD + said.len() + owner.len());
            assert_eq!(case["msgByteLength"], length);
            assert_eq!(case["unpaddedLength"], unpadded);
            assert_eq!(case["padLength"], PAD - unpadded % PAD);
        }
    }

    #[test]
    fn envelopes_of_the_public_samples_open() {
        let vectors = vectors();
        let cases = vectors["public_vectors"]["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 3);
        for case in cases {
            let opened = of(case).open(text(case, "encrypt"), text(case, "ownerKey"));
            assert_eq!(opened.as_deref(), Some(text(case, "msg")), "{case}");
        }
    }

    #[test]
    fn a_key_is_43_letters_whatever_their_last_bits_are() {
        // `G` carries bits that no key has; `F` and `E` are other keys to a strict decoder, and the same to DingTalk.
        let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF";
        let envelope = |last: char| Envelope::new(&format!("{key}{last}")).unwrap().key;
        assert_eq!(envelope('E'), envelope('G'));
        for wrong in ["", key, &format!("{key}GG"), &format!("{key}G="), &format!("{key}-")] {
            assert!(Envelope::new(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn every_padding_from_1_to_32_is_taken_and_no_other() {
        let envelope = of(&vectors()["event_crypto"]);
        for text_bytes in 0..64 {
            let said = "x".repeat(text_bytes);
            // Padded to one block, as the official Go sample does.
            let mut plain =
                [&[7; 16][..], &u32::try_from(text_bytes).unwrap().to_be_bytes()].concat();
            plain.extend_from_slice(said.as_bytes());
            plain.extend_from_slice(b"me");
            let pad = BLOCK - plain.len() % BLOCK;
            plain.resize(plain.len() + pad, u8::try_from(pad).unwrap());
            assert_eq!(envelope.open(&encrypt(&envelope, &plain), "me"), Some(said.clone()));
            assert_eq!(envelope.open(&envelope.seal(&said, "me"), "me"), Some(said));
        }
        let wrong = |last: [u8; 2]| {
            let mut plain = [7; 64];
            plain[16..20].copy_from_slice(&[0; 4]);
            plain[62..].copy_from_slice(&last);
            envelope.open(&encrypt(&envelope, &plain), "me")
        };
        for last in [[0, 0], [33, 33], [255, 255], [1, 2], [2, 16]] {
            assert_eq!(wrong(last), None, "{last:?}");
        }
    }

    #[test]
    fn what_is_for_somebody_else_does_not_open() {
        let envelope = of(&vectors()["event_crypto"]);
        let sealed = envelope.seal("success", "dingmine");
        assert!(envelope.open(&sealed, "dingmine").is_some());
        for other in ["", "dingmin", "dingmine2", "dingyours"] {
            assert_eq!(envelope.open(&sealed, other), None, "{other}");
        }
        let other = Envelope::new("1234567890123456789012345678901234567890123").unwrap();
        assert_eq!(other.open(&sealed, "dingmine"), None);
    }

    fn encrypt(envelope: &Envelope, plain: &[u8]) -> String {
        let mut plain = plain.to_vec();
        let (blocks, _) = Array::slice_as_chunks_mut(&mut plain);
        cbc::Encryptor::<Aes256>::new(&envelope.key.into(), &envelope.iv().into())
            .encrypt_blocks(blocks);
        STANDARD.encode(plain)
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_rubbish_does_not_panic(
            said in ".{0,200}", owner in "[a-z0-9]{0,40}", rubbish in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let envelope = of(&vectors()["event_crypto"]);
            prop_assert_eq!(envelope.open(&envelope.seal(&said, &owner), &owner), Some(said));
            let _ = envelope.open(&STANDARD.encode(&rubbish), &owner);
            let whole = rubbish.len() / BLOCK * BLOCK;
            let _ = envelope.open(&encrypt(&envelope, &rubbish[..whole]), &owner);
        }
    }
}
