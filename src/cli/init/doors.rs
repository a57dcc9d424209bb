//! How messages come in, and what the HTTP mode needs for it: the address that DingTalk calls, and the keys of its doors.

use anyhow::Result;
use url::Url;
use uuid::Uuid;

use super::account::Account;
use super::settings::{self, Doors};
use super::{Init, Setup};
use crate::cli::Failed;
use crate::config::{self, AddressError, Config, Mode, Secret};
use crate::words::Lang;
use crate::words::setup as w;

impl Init {
    /// By the rule of the settings: what they would refuse is not written into them, and no secret is sent there.
    pub(super) fn check_addresses(&self, config: &Config, lang: Lang) -> Result<()> {
        let refused = |flag: &str, url: &Url, why: String| {
            anyhow::Error::from(
                Failed::new(w::refused_flag(flag, url.as_str(), &why, lang)).misuse(),
            )
        };
        for (flag, url) in [("--api-base", &self.api_base), ("--oapi-base", &self.oapi_base)] {
            let Some(url) = url else { continue };
            address(url.as_str(), lang).map_err(|why| refused(flag, url, why))?;
        }
        if let Some(url) = &self.public_url {
            let read = public_address(url.as_str(), config, lang);
            read.map_err(|why| refused("--public-url", url, why))?;
        }
        Ok(())
    }
}

impl Setup<'_> {
    /// How messages come; `None`: as the settings have it. Asked where they are only made.
    pub(super) async fn mode(&mut self, account: &Account) -> Result<Option<Mode>> {
        let lang = self.voice.lang;
        let begins = account.fresh && (self.made || !self.file.exists());
        let open = begins || self.progress.mode_is_open();
        let asked = open && !self.says_mode && self.init.mode.is_none();
        let Some(ask) = self.ask.as_mut().filter(|_| asked) else { return Ok(self.init.mode()) };
        ask.voice.heading(w::step_mode(lang));
        let choices = [w::choice_stream(lang), w::choice_http(lang)];
        Ok(Some(match ask.choose(&choices).await? {
            0 => Mode::Stream,
            _ => Mode::Http,
        }))
    }

    /// What the HTTP mode needs beside the account, as far as the settings do not say it; `anew`: it is only set up.
    pub(super) async fn doors(&mut self, mode: Mode, anew: bool) -> Result<Doors> {
        let lang = self.voice.lang;
        if mode != Mode::Http {
            return Ok(Doors::default());
        }
        let mut doors = Doors { public_url: self.init.public_url.clone(), ..Doors::default() };
        if !settings::has_door(&self.file, "card_secret") {
            // Told to DingTalk by the host itself: nobody ever has to know it.
            let letters = [Uuid::new_v4(), Uuid::new_v4()].map(|id| id.simple().to_string());
            doors.card = Some(Secret::new(letters.concat()));
        }
        if let (Some(token), Some(key)) = (&self.init.token_file, &self.init.aes_key_file) {
            let (token, key) = (settings::secret_of(token, lang)?, settings::secret_of(key, lang)?);
            settings::check_token(token.expose()).map_err(|why| wrong_door(why, lang))?;
            settings::check_aes_key(key.expose()).map_err(|why| wrong_door(why, lang))?;
            doors.event = Some((token, key));
        }
        if let Some(ask) = &mut self.ask
            && doors.public_url.is_none()
            && !settings::has_door(&self.file, "public_url")
        {
            ask.voice.note(w::http_address_first(lang));
            let check = |text: &str| public_address(text, &self.config, lang);
            doors.public_url = ask.address(w::ask_public_url(lang), check).await?;
        }
        // What is copied into the console ends like what is answered here.
        let path =
            doors.public_url.as_ref().map(path_of).filter(|path| *path != self.config.http.path);
        doors.path = path.map(|path| if path.is_empty() { "/" } else { path }.to_owned());
        let Some(ask) = &mut self.ask else { return Ok(doors) };
        if !anew || doors.event.is_some() || settings::has_door(&self.file, "token") {
            return Ok(doors);
        }
        ask.voice.note(w::http_doors(lang));
        let check = |check: fn(&str) -> Result<(), settings::Unfit>| {
            move |text: &str| {
                if text.is_empty() { Ok(()) } else { check(text).map_err(|why| why.text(lang)) }
            }
        };
        let token = ask.hidden(w::ask_token(lang), check(settings::check_token)).await?;
        if token.expose().is_empty() {
            return Ok(doors);
        }
        let key = ask.hidden(w::ask_aes_key(lang), check(settings::check_aes_key)).await?;
        if !key.expose().is_empty() {
            doors.event = Some((token, key));
        }
        Ok(doors)
    }
}

/// An address that the settings would take.
fn address(text: &str, lang: Lang) -> Result<Url, String> {
    config::read_address(text).map_err(|why| {
        let why = match why {
            AddressError::Parse(_) | AddressError::NotOfTheWeb => w::no_address(lang),
            AddressError::NotPlain => w::address_not_plain(lang),
            AddressError::NotEncrypted => w::address_not_encrypted(lang),
        };
        why.to_owned()
    })
}

/// The same for that which DingTalk calls.
fn public_address(text: &str, config: &Config, lang: Lang) -> Result<Url, String> {
    let url = address(text, lang)?;
    let path = path_of(&url);
    if path == config.http.path {
        return Ok(url);
    }
    if config::ends_in_a_door(&url) {
        return Err(w::address_of_a_door(lang).to_owned());
    }
    if !config::is_a_path(path) {
        return Err(w::address_of_no_path(lang).to_owned());
    }
    Ok(url)
}

/// As the settings compare it; nothing for an address without one.
fn path_of(url: &Url) -> &str {
    url.path().trim_end_matches('/')
}

fn wrong_door(why: settings::Unfit, lang: Lang) -> Failed {
    Failed::new(why.text(lang)).hint(w::door_hint(lang)).misuse()
}
