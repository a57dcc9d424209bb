//! The device flow (protocol A.6): an app made by scanning a code.
//!
//! Somebody scans by [`super::Sim::scan`], by the control API or on the page `/sim/scan`; or, unless told otherwise, the
//! third poll finds that somebody did.

use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::answer::Outcome;
use super::answer::Refusal;
use super::call::Call;
use super::call::text;
use super::error::OrderError;
use super::millis;
use super::now_ms;
use super::world::World;

const NONCE_LIFETIME_MS: i64 = 300_000;

/// What the person with the phone does: the body of `POST /sim/api/registration`, beside the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Scanned {
    /// The app is made.
    Create,
    /// It is not, and the poll says why.
    Refuse {
        #[serde(default)]
        reason: String,
    },
    /// Nobody scanned in time.
    Expire,
}

#[derive(Debug, Default)]
pub(super) struct Registrations {
    nonces: Vec<(String, i64)>,
    /// Oldest first.
    codes: Vec<Code>,
}

#[derive(Debug)]
struct Code {
    device: String,
    user: String,
    expires_ms: i64,
    polls: u32,
    scanned: Option<Scanned>,
}

impl World {
    pub(super) fn registration(&mut self, call: &Call) -> Outcome {
        let body = call.object().map_err(|_| Refusal::legacy(40035, "不合法的参数"))?;
        let now = now_ms();
        match call.path.as_str() {
            "/app/registration/init" => {
                let nonce = format!("nr_{}", Uuid::new_v4().simple());
                self.registrations.nonces.push((nonce.clone(), now + NONCE_LIFETIME_MS));
                Ok(json!({ "errcode": 0, "errmsg": "ok", "nonce": nonce, "expires_in": 300 }))
            }
            "/app/registration/begin" => {
                let nonce = text(&body, "nonce").unwrap_or_default();
                let nonces = &mut self.registrations.nonces;
                nonces.retain(|(_, expires)| *expires > now);
                let known = nonces.iter().position(|(known, _)| known == nonce);
                nonces.remove(known.ok_or_else(|| Refusal::legacy(40035, "nonce 无效或已过期"))?);
                let device_code = Uuid::new_v4().simple().to_string();
                let id = Uuid::new_v4().simple().to_string().to_uppercase();
                let user_code = format!("{}-{}-{}", &id[..4], &id[4..8], &id[8..12]);
                self.registrations.codes.push(Code {
                    device: device_code.clone(),
                    user: user_code.clone(),
                    expires_ms: now + millis(self.options.registration.lifetime),
                    polls: 0,
                    scanned: None,
                });
                let page = format!("{}/sim/scan", self.base_url);
                Ok(json!({
                    "errcode": 0,
                    "errmsg": "ok",
                    "device_code": device_code,
                    "user_code": user_code,
                    "verification_uri": page,
                    "verification_uri_complete": format!("{page}?user_code={user_code}"),
                    "expires_in": 7200,
                    "interval": self.options.registration.interval.as_secs(),
                }))
            }
            "/app/registration/poll" => {
                let device_code = text(&body, "device_code").unwrap_or_default();
                let scans = self.options.registration.scanned_after_polls;
                let codes = &mut self.registrations.codes;
                let Some(code) = codes.iter_mut().find(|code| code.device == device_code) else {
                    return Err(Refusal::legacy(40035, "device_code 无效"));
                };
                code.polls += 1;
                if code.scanned.is_none() && scans.is_some_and(|scans| code.polls > scans) {
                    code.scanned = Some(Scanned::Create);
                }
                let status =
                    |status: &str| json!({ "errcode": 0, "errmsg": "ok", "status": status });
                let mut answer = match &code.scanned {
                    None if code.expires_ms <= now => status("EXPIRED"),
                    None => status("WAITING"),
                    Some(Scanned::Expire) => status("EXPIRED"),
                    Some(Scanned::Create) => status("SUCCESS"),
                    Some(Scanned::Refuse { .. }) => status("FAIL"),
                };
                match &code.scanned {
                    Some(Scanned::Create) => {
                        answer["client_id"] = json!(self.options.client_id);
                        answer["client_secret"] = json!(self.options.client_secret);
                    }
                    Some(Scanned::Refuse { reason }) => answer["fail_reason"] = json!(reason),
                    _ => {}
                }
                Ok(answer)
            }
            _ => Err(Refusal::legacy(404, "请求的URI地址不存在")),
        }
    }

    /// Somebody scans this code, or the newest one, and decides. A code is decided upon once.
    pub(super) fn scan(
        &mut self,
        user_code: Option<&str>,
        scanned: Scanned,
    ) -> Result<(), OrderError> {
        let now = now_ms();
        let open = self.registrations.codes.iter_mut().rev().find(|code| {
            code.scanned.is_none()
                && code.expires_ms > now
                && user_code.is_none_or(|wanted| wanted == code.user)
        });
        open.ok_or(OrderError::NoSuchCode)?.scanned = Some(scanned);
        Ok(())
    }

    /// Whether this code waits to be scanned.
    pub(super) fn may_scan(&self, user_code: &str) -> bool {
        self.registrations.codes.iter().any(|code| {
            code.user == user_code && code.scanned.is_none() && code.expires_ms > now_ms()
        })
    }
}
