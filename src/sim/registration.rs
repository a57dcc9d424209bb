//! The device flow (protocol A.6): an app made by scanning a code. Here the third poll finds that somebody scanned.

use std::collections::HashMap;

use serde_json::json;
use uuid::Uuid;

use super::answer::Outcome;
use super::answer::Refusal;
use super::call::Call;
use super::call::text;
use super::now_ms;
use super::world::World;

const NONCE_LIFETIME_MS: i64 = 300_000;
/// Good for ten minutes in practice, although two hours are advertised.
const CODE_LIFETIME_MS: i64 = 600_000;
/// Polls that say `WAITING` before somebody has scanned.
const WAITING_POLLS: u32 = 2;

#[derive(Debug, Default)]
pub(super) struct Registrations {
    nonces: HashMap<String, i64>,
    codes: HashMap<String, Code>,
}

#[derive(Debug)]
struct Code {
    expires_ms: i64,
    polls: u32,
}

impl World {
    pub(super) fn registration(&mut self, call: &Call) -> Outcome {
        let body = call.object().map_err(|_| Refusal::legacy(40035, "不合法的参数"))?;
        let now = now_ms();
        match call.path.as_str() {
            "/app/registration/init" => {
                let nonce = format!("nr_{}", Uuid::new_v4().simple());
                self.registrations.nonces.insert(nonce.clone(), now + NONCE_LIFETIME_MS);
                Ok(json!({ "errcode": 0, "errmsg": "ok", "nonce": nonce, "expires_in": 300 }))
            }
            "/app/registration/begin" => {
                let nonce = text(&body, "nonce").unwrap_or_default();
                let expires =
                    self.registrations.nonces.remove(nonce).filter(|expires| *expires > now);
                expires.ok_or_else(|| Refusal::legacy(40035, "nonce 无效或已过期"))?;
                let device_code = Uuid::new_v4().simple().to_string();
                let id = device_code.to_uppercase();
                let user_code = format!("{}-{}-{}", &id[..4], &id[4..8], &id[8..12]);
                let code = Code { expires_ms: now + CODE_LIFETIME_MS, polls: 0 };
                self.registrations.codes.insert(device_code.clone(), code);
                let page = format!("{}/sim/", self.base_url);
                Ok(json!({
                    "errcode": 0,
                    "errmsg": "ok",
                    "device_code": device_code,
                    "user_code": user_code,
                    "verification_uri": page,
                    "verification_uri_complete": format!("{page}?user_code={user_code}"),
                    "expires_in": 7200,
                    "interval": 5,
                }))
            }
            "/app/registration/poll" => {
                let device_code = text(&body, "device_code").unwrap_or_default();
                let Some(code) = self.registrations.codes.get_mut(device_code) else {
                    return Err(Refusal::legacy(40035, "device_code 无效"));
                };
                code.polls += 1;
                if code.expires_ms <= now {
                    return Ok(json!({ "errcode": 0, "errmsg": "ok", "status": "EXPIRED" }));
                }
                if code.polls <= WAITING_POLLS {
                    return Ok(json!({ "errcode": 0, "errmsg": "ok", "status": "WAITING" }));
                }
                Ok(json!({
                    "errcode": 0,
                    "errmsg": "ok",
                    "status": "SUCCESS",
                    "client_id": self.options.client_id,
                    "client_secret": self.options.client_secret,
                }))
            }
            _ => Err(Refusal::legacy(404, "请求的URI地址不存在")),
        }
    }
}
