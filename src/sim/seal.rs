//! How DingTalk signs and seals its calls in HTTP mode, written from its description and not from the host's code.

use aes::Aes256;
use aes::cipher::BlockModeDecrypt;
use aes::cipher::BlockModeEncrypt;
use aes::cipher::KeyIvInit;
use aes::cipher::array::Array;
use base64::Engine;
use base64::alphabet::STANDARD as LETTERS;
use base64::engine::GeneralPurpose;
use base64::engine::GeneralPurposeConfig;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use ring::hmac;

/// Of a message: the secret is the key, and part of what is signed.
pub(crate) fn robot_sign(timestamp: &str, app_secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, app_secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, [timestamp, app_secret].join("\n").as_bytes()))
}

/// Of a click.
pub(crate) fn card_sign(timestamp: &str, api_secret: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, api_secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, timestamp.as_bytes()))
}

/// The three that an event is sealed with.
#[derive(Clone, Debug)]
pub struct EventKeys {
    pub(super) token: String,
    pub(super) aes_key: String,
    /// The client id.
    pub(super) owner: String,
}

impl EventKeys {
    pub fn new(token: &str, aes_key: &str, owner: &str) -> Self {
        let [token, aes_key, owner] = [token, aes_key, owner].map(str::to_owned);
        Self { token, aes_key, owner }
    }

    /// `msg_signature`.
    pub fn sign(&self, timestamp: &str, nonce: &str, sealed: &str) -> String {
        let mut sorted = [self.token.as_str(), timestamp, nonce, sealed];
        sorted.sort_unstable();
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, sorted.concat().as_bytes());
        digest.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
    }

    /// `encrypt`. Without a good key what comes out is rubbish, as at the other end.
    pub fn seal(&self, message: &str) -> String {
        let mut plain = rand::random::<[u8; 16]>().to_vec();
        plain.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
        plain.extend(message.bytes());
        plain.extend(self.owner.bytes());
        let missing = 32 - plain.len() % 32;
        plain.extend(std::iter::repeat_n(u8::try_from(missing).unwrap_or(32), missing));
        self.encrypt(&plain)
    }

    /// `encrypt` of bytes as they are. What is more than whole blocks stays as it is.
    pub fn encrypt(&self, plain: &[u8]) -> String {
        let mut plain = plain.to_vec();
        let (key, iv) = self.key();
        let (blocks, _) = Array::slice_as_chunks_mut(&mut plain);
        cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into()).encrypt_blocks(blocks);
        STANDARD.encode(plain)
    }

    /// The message in an answer, if it is one to us.
    pub fn open(&self, sealed: &str) -> Option<String> {
        let mut plain = STANDARD.decode(sealed).ok()?;
        let (key, iv) = self.key();
        let (blocks, rest) = Array::slice_as_chunks_mut(&mut plain);
        if !rest.is_empty() {
            return None;
        }
        cbc::Decryptor::<Aes256>::new(&key.into(), &iv.into()).decrypt_blocks(blocks);
        let length = u32::from_be_bytes(plain.get(16..20)?.try_into().ok()?);
        let end = 20 + usize::try_from(length).ok()?;
        let padding = usize::from(*plain.last()?);
        let owner = plain.get(end..plain.len().checked_sub(padding)?)?;
        (owner == self.owner.as_bytes())
            .then(|| String::from_utf8(plain.get(20..end)?.to_vec()).ok())?
    }

    fn key(&self) -> ([u8; 32], [u8; 16]) {
        let lenient = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
        let bytes = GeneralPurpose::new(&LETTERS, lenient)
            .decode(format!("{}=", self.aes_key))
            .unwrap_or_default();
        let mut key = [0; 32];
        key.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        let mut iv = [0; 16];
        iv.copy_from_slice(&key[..16]);
        (key, iv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_and_envelopes_are_those_that_were_published() {
        assert_eq!(
            robot_sign("1577262236757", "this is a secret"),
            "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA="
        );
        assert_eq!(
            card_sign("1718000000456", "card-api-secret-for-tests"),
            "Lomy5n01Q22kiLl/UcTx6mBR5vq96HOxZs8ZppfUTO0="
        );
        let keys = EventKeys {
            token: "mryue".to_owned(),
            aes_key: "Yue0EfdN5900c1ce5cf6A152c63DDe1808a60c5ecd7".to_owned(),
            owner: "ding6ccabc44d2c8d38b".to_owned(),
        };
        let sealed = "0vJiX6vliEpwG3U45CtXqi+m8PXbQRARJ8p8BbDuD1EMTDf0jKpQ79QS93qEk7XHpP6u+oTTrd15NRPvNvmBKyDCYxxOK+\
                      HZeKju4yhELOFchzNukR+t8SB/qk4ROMu3";
        assert_eq!(keys.open(sealed).as_deref(), Some("{\"EventType\":\"check_url\"}"));
        let signed = keys.sign("1608001896814", "WL4PK6yA", sealed);
        assert_eq!(signed, "03044561471240d4a14bb09372dfcfd4fd0e40cb");
        assert_eq!(keys.open(&keys.seal("成功")).as_deref(), Some("成功"));
    }
}
