//! Questions on a terminal, a line each: plain enough for every terminal, screen readers and input methods for Chinese.
//!
//! Reading blocks a thread of its own, so that Ctrl-C ends a question at once; nothing is drawn over.

use std::io::{self, BufRead as _, Write as _};

use anyhow::{Context as _, Result};
use rpassword::ConfigBuilder;
use url::Url;

use super::super::lang;
use super::voice::Voice;
use crate::cli::Failed;
use crate::config::Secret;
use crate::words::Lang;
use crate::words::setup as w;

#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) voice: Voice,
}

impl Ask {
    pub(super) fn new(voice: Voice) -> Self {
        Self { voice }
    }

    /// Asked in both languages; the system's is the first choice. `None`: it cannot be asked here.
    pub(super) async fn language(&mut self) -> Result<Option<Lang>> {
        // In ASCII a terminal cannot show what is asked about, as far as is known.
        if !self.voice.shows_all() {
            self.voice.drawn(w::chinese_by_flag(Lang::En));
            return Ok(None);
        }
        let system = lang::of_terminal();
        let default = if system == Lang::Zh { 1 } else { 2 };
        self.voice.drawn("    语言 / Language\n    1  中文\n    2  English");
        let chosen = self.number(2, default).await?;
        Ok(Some(if chosen == 1 { Lang::Zh } else { Lang::En }))
    }

    /// One of several, as its place in the list.
    pub(super) async fn choose(&mut self, choices: &[&str]) -> Result<usize> {
        for (at, choice) in choices.iter().enumerate() {
            self.voice.choice(at + 1, choice);
        }
        Ok(self.number(choices.len(), 1).await? - 1)
    }

    async fn number(&mut self, most: usize, default: usize) -> Result<usize> {
        loop {
            let said = self.line(&format!("[{default}]")).await?;
            if said.is_empty() {
                return Ok(default);
            }
            match said.trim_end_matches(['.', '。']).parse() {
                Ok(number) if (1..=most).contains(&number) => return Ok(number),
                _ => self.voice.note(&w::not_a_choice(most, self.voice.lang)),
            }
        }
    }

    pub(super) async fn confirm(&mut self, question: &str, default: bool) -> Result<bool> {
        let choices = if default { "[Y/n]" } else { "[y/N]" };
        loop {
            let said = self.line(&format!("{question} {choices}")).await?.to_lowercase();
            match said.as_str() {
                "" => return Ok(default),
                "y" | "yes" | "是" | "好" => return Ok(true),
                "n" | "no" | "否" | "不" => return Ok(false),
                _ => self.voice.note(w::yes_or_no(self.voice.lang)),
            }
        }
    }

    /// Something that is not empty.
    pub(super) async fn text(&mut self, question: &str) -> Result<String> {
        loop {
            let said = self.line(question).await?;
            if !said.is_empty() {
                return Ok(said);
            }
        }
    }

    /// An address of the web that `check` takes, or nothing.
    pub(super) async fn address(
        &mut self,
        question: &str,
        check: impl Fn(&str) -> Result<Url, String>,
    ) -> Result<Option<Url>> {
        loop {
            let said = self.line(question).await?;
            if said.is_empty() {
                return Ok(None);
            }
            match check(&said) {
                Ok(url) => return Ok(Some(url)),
                Err(why) => self.voice.trouble(&why, ""),
            }
        }
    }

    /// Something that is shown as stars; asked until `check` has nothing against it.
    pub(super) async fn hidden(
        &mut self,
        question: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<Secret> {
        loop {
            let prompt = self.voice.prompt(question);
            let read = move || {
                let settings = ConfigBuilder::new().password_feedback_mask('*').build();
                rpassword::prompt_password_with_config(prompt, settings)
            };
            let said = tokio::task::spawn_blocking(read)
                .await?
                .context(w::cannot_read_terminal(self.voice.lang))?;
            let secret = Secret::new(said.trim());
            super::hide(&secret);
            match check(secret.expose()) {
                Ok(()) => return Ok(secret),
                Err(why) => self.voice.trouble(&why, ""),
            }
        }
    }

    async fn line(&mut self, question: &str) -> Result<String> {
        let prompt = self.voice.prompt(question);
        let read = move || -> io::Result<Option<String>> {
            let mut err = io::stderr();
            err.write_all(prompt.as_bytes())?;
            err.flush()?;
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_until(b'\n', &mut bytes)?;
            Ok((read > 0).then(|| String::from_utf8_lossy(&bytes).trim().to_owned()))
        };
        let said = tokio::task::spawn_blocking(read)
            .await?
            .context(w::cannot_read_terminal(self.voice.lang))?;
        said.ok_or_else(|| Failed::new(w::input_ended(self.voice.lang)).into())
    }
}
