//! Files: uploading what a reply shows, and where to fetch what a message carried.

use std::fmt;

use bytes::Bytes;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use url::Url;

use super::client::{Client, join};
use super::error::{ApiError, Class};
use super::lenient;

pub(super) const UPLOAD: &str = "/media/upload";
pub(super) const DOWNLOAD: &str = "/v1.0/robot/messageFiles/download";

/// What an upload is, which decides its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    Image,
    Voice,
    Video,
    File,
}

impl MediaKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::File => "file",
        }
    }

    /// DingTalk's limit. Sources disagree about images; the smaller number is safe.
    pub fn limit_bytes(self) -> usize {
        match self {
            Self::Image => 10 * 1024 * 1024,
            Self::Voice => 2 * 1024 * 1024,
            Self::Video | Self::File => 20 * 1024 * 1024,
        }
    }
}

/// DingTalk's handle of an uploaded file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaId(String);

impl MediaId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Client {
    /// Uploads a file under `name`.
    ///
    /// # Errors
    /// [`Class::TooLarge`] before anything is sent, otherwise as classified from the answer.
    pub async fn upload_media(
        &self,
        kind: MediaKind,
        name: &str,
        content: Bytes,
    ) -> Result<MediaId, ApiError> {
        if content.len() > kind.limit_bytes() {
            let message = format!(
                "the {} is {} bytes; DingTalk accepts at most {}",
                kind.as_str(),
                content.len(),
                kind.limit_bytes()
            );
            return Err(ApiError::local(UPLOAD, Class::TooLarge, "too-large", message));
        }
        let answer = self
            .with_token(UPLOAD, |token| {
                let mut url = join(self.oapi_base(), UPLOAD);
                url.query_pairs_mut()
                    .append_pair("access_token", token.expose())
                    .append_pair("type", kind.as_str());
                let length = content.len() as u64;
                let part = Part::stream_with_length(Body::from(content.clone()), length)
                    .file_name(name.to_owned());
                self.send(UPLOAD, self.http().post(url).multipart(Form::new().part("media", part)))
            })
            .await?;
        match answer.as_object().and_then(|answer| lenient::field(answer, "media_id")) {
            Some(id) => Ok(MediaId(id)),
            None => Err(ApiError::local(
                UPLOAD,
                Class::Transient,
                "no-media-id",
                "expected a media id in the answer",
            )),
        }
    }

    /// Returns where to fetch a file for a short while. The address opens the file for everybody: it is never logged,
    /// and who fetches it checks that it does not lead into the local network.
    ///
    /// # Errors
    /// [`Class::Gone`] for an expired code.
    pub async fn download_url(
        &self,
        robot_code: Option<&str>,
        download_code: &str,
    ) -> Result<Url, ApiError> {
        let request =
            json!({ "downloadCode": download_code, "robotCode": self.robot_code(robot_code) });
        let answer = self.api(Method::POST, DOWNLOAD, &request).await?;
        let address = answer.get("downloadUrl").and_then(Value::as_str).unwrap_or_default();
        match Url::parse(address) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
            _ => Err(ApiError::local(
                DOWNLOAD,
                Class::Permanent,
                "no-url",
                "expected an http address in the answer",
            )),
        }
    }
}
