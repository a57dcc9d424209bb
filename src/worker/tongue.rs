//! `language`: in which language somebody is spoken to, as they choose.

use super::dispatch::Dispatch;
use crate::config::Language;
use crate::message::Message;
use crate::router::Speak;
use crate::words;
use crate::words::Lang;
use crate::words::language as says;

impl Dispatch {
    /// Answers the control word, in the language that holds from now on.
    pub(super) async fn language(
        &self,
        asked: Option<Speak>,
        message: &Message,
        lang: Lang,
    ) -> String {
        let person = message.sender.staff_id.as_ref();
        let asked = asked.map(|asked| match asked {
            Speak::Auto => Language::Auto,
            Speak::In(Lang::Zh) => Language::Zh,
            Speak::In(Lang::En) => Language::En,
        });
        if let Some(language) = asked {
            let Some(person) = person else { return says::cannot_remember(lang).to_owned() };
            if let Err(error) = self.languages.choose(person, language).await {
                tracing::error!(%error, "the language that somebody chose cannot be kept");
                return words::runs::not_written(lang).to_owned();
            }
        }
        let lang = self.languages.of_text(&message.sender, &message.text);
        let chosen = person.and_then(|person| self.languages.chosen(person));
        let holds = match (chosen, self.languages.setting()) {
            (Some(Language::Auto), _) | (None, Language::Auto) => says::follows(lang),
            (Some(_), _) => says::chosen(lang),
            (None, _) => says::set(lang),
        };
        format!("{holds}\n{}", says::how(lang))
    }
}
