//! Files of people and of the bot: uploads, media ids, download codes and the links of the file host.

use std::collections::HashMap;

use bytes::Bytes;
use uuid::Uuid;

use super::now_ms;
use super::view;

/// A download link is a short-lived bearer secret.
const LINK_LIFETIME_MS: i64 = 3_600_000;

#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) bytes: Bytes,
    /// Opens this one file in a page, where no header can be sent.
    pub(super) key: String,
}

impl StoredFile {
    pub(super) fn is_picture(&self) -> bool {
        matches!(extension(&self.name).as_str(), "png" | "jpg" | "jpeg" | "gif" | "bmp" | "webp")
    }

    pub(super) fn url(&self) -> String {
        format!("/sim/files/{}?key={}", self.id, self.key)
    }

    pub(super) fn view(&self) -> view::File {
        view::File {
            name: self.name.clone(),
            size: self.bytes.len(),
            url: self.url(),
            picture: self.is_picture(),
        }
    }

    /// Only pictures are shown in place; everything else is a download, so that no upload can script the page.
    pub(super) fn content_type(&self) -> &'static str {
        match extension(&self.name).as_str() {
            "png" => "image/png",
            "jpg" | "jpeg" => "image/jpeg",
            "gif" => "image/gif",
            "bmp" => "image/bmp",
            "webp" => "image/webp",
            _ => "application/octet-stream",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Files {
    stored: HashMap<String, StoredFile>,
    /// Media id, with its `@`, to file.
    media: HashMap<String, String>,
    codes: HashMap<String, String>,
    links: HashMap<String, (String, i64)>,
}

impl Files {
    pub(super) fn store(&mut self, name: &str, bytes: Bytes) -> StoredFile {
        // Only the last part of a name is a name, whichever way its system writes paths.
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        self.keep(if name.is_empty() { "file" } else { name }, bytes)
    }

    /// Keeps a file under any name: what arrives is what some client claims.
    pub(super) fn keep(&mut self, name: &str, bytes: Bytes) -> StoredFile {
        let file = StoredFile {
            id: Uuid::new_v4().simple().to_string(),
            name: name.to_owned(),
            bytes,
            key: Uuid::new_v4().simple().to_string(),
        };
        self.stored.insert(file.id.clone(), file.clone());
        file
    }

    pub(super) fn get(&self, id: &str) -> Option<&StoredFile> {
        self.stored.get(id)
    }

    pub(super) fn issue_media_id(&mut self, file: &str) -> String {
        let media = format!("@lAD{}", Uuid::new_v4().simple());
        self.media.insert(media.clone(), file.to_owned());
        media
    }

    pub(super) fn by_media_id(&self, media: &str) -> Option<&StoredFile> {
        self.stored.get(self.media.get(media)?)
    }

    /// Where each media id is found on this server, for the Markdown that names one.
    pub(super) fn media_urls(&self) -> HashMap<String, String> {
        self.media
            .iter()
            .filter_map(|(media, file)| Some((media.clone(), self.stored.get(file)?.url())))
            .collect()
    }

    pub(super) fn issue_code(&mut self, file: &str) -> String {
        let code = format!("dlcode{}", Uuid::new_v4().simple());
        self.codes.insert(code.clone(), file.to_owned());
        code
    }

    pub(super) fn expire_codes(&mut self) {
        self.codes.clear();
    }

    /// Turns a download code into the path of a link; `None` for an unknown code.
    pub(super) fn issue_link(&mut self, code: &str) -> Option<String> {
        let file = self.codes.get(code)?.clone();
        let name = Uuid::new_v4().simple().to_string();
        let expires = now_ms() + LINK_LIFETIME_MS;
        self.links.insert(name.clone(), (file, expires));
        // DingTalk's store names everything `.file`: the type is in the bytes, or in `fileName`.
        Some(format!(
            "/res/{name}.file?Expires={}&OSSAccessKeyId=simulator&Signature=sim%2Bsig%3D",
            expires / 1000
        ))
    }

    pub(super) fn by_link(&self, name: &str) -> Option<&StoredFile> {
        let (file, expires) = self.links.get(name.strip_suffix(".file")?)?;
        self.stored.get(file).filter(|_| *expires > now_ms())
    }
}

pub(super) fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).unwrap_or_default()
}
