//! In which language somebody is spoken to: one decision for every place that speaks.
//!
//! It is what they chose themselves (`language zh` in a chat), else what the settings say for everybody (`language`), else
//! what they write in. A message without letters keeps the language of the one before, over restarts too. Of people
//! outside the organisation, who have no staff id, nothing is kept.
//!
//! Held in memory, where every message looks; the journal has it a moment later, since to forget one costs nobody much.
//! Only a choice is on disk before it counts.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::access::claim;
use crate::config::Language;
use crate::message::Person;
use crate::message::StaffId;
use crate::store::Error;
use crate::store::Store;
use crate::words::Lang;

/// How long changes are collected for one commit.
const SOON: Duration = Duration::from_secs(1);

/// Which language each person is spoken to in; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Languages {
    /// For everybody who chose nothing.
    setting: Language,
    store: Option<Store>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    people: Mutex<People>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct People {
    known: HashMap<StaffId, Known>,
    /// Whose language is not in the journal yet.
    unwritten: BTreeSet<StaffId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    chosen: Option<Language>,
    /// That of their last message with letters.
    wrote: Option<Lang>,
}

impl Languages {
    /// What the settings say, and nobody known yet.
    pub fn new(setting: Language) -> Self {
        Self { setting, ..Self::default() }
    }

    /// The same with what the journal knows of people.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn open(setting: Language, store: Store) -> Result<Self, Error> {
        let known = store.read(read).await?;
        Ok(Self { store: Some(store), ..Self::new(setting).knowing(known) })
    }

    /// The same, with what a journal that is only read holds of people: see [`read`].
    #[must_use]
    pub fn knowing(self, known: Read) -> Self {
        self.people().known = known.0;
        self
    }

    /// The language in which `person`, who just wrote `text`, is answered. It is remembered.
    pub fn hear(&self, person: &Person, text: &str) -> Lang {
        if let (Some(id), Some(lang)) = (&person.staff_id, written(text)) {
            let mut people = self.people();
            if people.known.get(id).and_then(|known| known.wrote) != Some(lang) {
                people.known.entry(id.clone()).or_default().wrote = Some(lang);
                if self.store.is_some() {
                    people.unwritten.insert(id.clone());
                    self.shared.changed.notify_one();
                }
            }
        }
        self.of_text(person, text)
    }

    /// The language in which `person` is answered who wrote `text` a while ago.
    pub fn of_text(&self, person: &Person, text: &str) -> Lang {
        let known = self.about(person.staff_id.as_ref());
        let wrote = written(text).or(known.wrote);
        self.decide(Known { wrote, ..known }).unwrap_or_default()
    }

    /// The language in which somebody is spoken to who has not written just now; nobody: that of the settings.
    pub fn of(&self, person: Option<&StaffId>) -> Lang {
        self.of_known(person).unwrap_or_default()
    }

    /// The same, unless nothing is known of them.
    pub fn of_known(&self, person: Option<&StaffId>) -> Option<Lang> {
        self.decide(self.about(person))
    }

    fn about(&self, person: Option<&StaffId>) -> Known {
        person.and_then(|id| self.people().known.get(id).copied()).unwrap_or_default()
    }

    /// What the settings say for everybody who chose nothing.
    pub fn setting(&self) -> Language {
        self.setting
    }

    /// What `person` chose; `None`: nothing.
    pub fn chosen(&self, person: &StaffId) -> Option<Language> {
        self.about(Some(person)).chosen
    }

    /// In memory alone, `person` chose `language`.
    pub fn suppose(&self, person: &StaffId, language: Language) {
        self.people().known.entry(person.clone()).or_default().chosen = Some(language);
    }

    /// Notes what `person` chooses; from now on it holds.
    ///
    /// # Errors
    /// When the journal cannot be written: then nothing has changed.
    pub async fn choose(&self, person: &StaffId, language: Language) -> Result<(), Error> {
        if let Some(store) = &self.store {
            let id = person.clone();
            store.write(move |c| put_chosen(c, &id, language)).await?;
        }
        self.suppose(person, language);
        Ok(())
    }

    /// Writes down in which language people write, until `stop`, and then what is left.
    pub async fn run(self, stop: CancellationToken) {
        let mut stopped = false;
        while !stopped {
            stopped = tokio::select! {
                () = stop.cancelled() => true,
                () = self.shared.changed.notified() => tokio::select! {
                    () = stop.cancelled() => true,
                    () = tokio::time::sleep(SOON) => false,
                },
            };
            self.write().await;
        }
    }

    async fn write(&self) {
        let Some(store) = &self.store else { return };
        let unwritten: Vec<(StaffId, Lang)> = {
            let mut people = self.people();
            let ids = std::mem::take(&mut people.unwritten);
            let wrote = |id: &StaffId| people.known.get(id).and_then(|known| known.wrote);
            ids.into_iter().filter_map(|id| Some((id.clone(), wrote(&id)?))).collect()
        };
        if unwritten.is_empty() {
            return;
        }
        let written = store
            .write(move |c| unwritten.iter().try_for_each(|(id, lang)| put_wrote(c, id, *lang)));
        if let Err(error) = written.await {
            // They write again, or are answered in the language of the settings after the next start.
            tracing::debug!(%error, "in which language people write cannot be noted");
        }
    }

    /// `None`: they write in it, and have not yet.
    fn decide(&self, known: Known) -> Option<Lang> {
        match known.chosen.unwrap_or(self.setting) {
            Language::Auto => known.wrote,
            Language::Zh => Some(Lang::Zh),
            Language::En => Some(Lang::En),
        }
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.shared.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In which language a text is. A claim code is copied off a screen, and in none.
fn written(text: &str) -> Option<Lang> {
    Lang::of(text).filter(|_| !claim::is_bare(text))
}

/// What a journal knows of people.
#[derive(Debug, Default)]
pub struct Read(HashMap<StaffId, Known>);

/// Reads what a journal knows of people.
pub fn read(c: &Connection) -> rusqlite::Result<Read> {
    let known = c
        .prepare("SELECT staff_id, chosen, wrote FROM languages")?
        .query_map([], |row| {
            let (chosen, wrote): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
            let known = Known {
                chosen: chosen.as_deref().and_then(Language::from_word),
                wrote: wrote.as_deref().and_then(Lang::from_code),
            };
            Ok((StaffId::new(row.get::<_, String>(0)?), known))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Read(known))
}

// Each writes its own column alone: neither undoes what the other one does at the same moment.

fn put_chosen(c: &Connection, person: &StaffId, language: Language) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO languages (staff_id, chosen) VALUES (?1, ?2)
         ON CONFLICT (staff_id) DO UPDATE SET chosen = excluded.chosen",
    )?
    .execute(params![person.as_str(), language.word()])?;
    Ok(())
}

fn put_wrote(c: &Connection, person: &StaffId, lang: Lang) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO languages (staff_id, wrote) VALUES (?1, ?2)
         ON CONFLICT (staff_id) DO UPDATE SET wrote = excluded.wrote",
    )?
    .execute(params![person.as_str(), lang.code()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(staff_id: Option<&str>) -> Person {
        Person {
            staff_id: staff_id.map(StaffId::new),
            opaque_id: "$:LWCP_v1:$x".to_owned(),
            nick: "Ann".to_owned(),
            same_org: staff_id.is_some(),
            corp_id: None,
        }
    }

    #[tokio::test]
    async fn a_choice_wins_over_the_settings_and_they_over_what_is_written() {
        let ann = person(Some("ann"));
        let id = StaffId::new("ann");
        let table = [
            (Language::Auto, None, "hello", Lang::En),
            (Language::Auto, None, "你好", Lang::Zh),
            (Language::Auto, None, "42", Lang::En),
            (Language::Zh, None, "hello", Lang::Zh),
            (Language::En, None, "你好", Lang::En),
            (Language::En, Some(Language::Zh), "hello", Lang::Zh),
            (Language::Zh, Some(Language::Auto), "hello", Lang::En),
        ];
        for (setting, chosen, text, lang) in table {
            let languages = Languages::new(setting);
            if let Some(chosen) = chosen {
                languages.choose(&id, chosen).await.unwrap();
            }
            assert_eq!(languages.hear(&ann, text), lang, "{setting:?} {chosen:?} {text}");
            assert_eq!(languages.of(Some(&id)), lang);
        }
    }

    #[test]
    fn a_message_without_letters_keeps_the_language_of_the_one_before() {
        let languages = Languages::default();
        let (ann, bob) = (person(Some("ann")), person(Some("bob")));
        assert_eq!(languages.hear(&ann, "部署"), Lang::Zh);
        assert_eq!(languages.hear(&bob, "👍"), Lang::En);
        assert_eq!(languages.hear(&ann, "👍 42"), Lang::Zh);
        assert_eq!(languages.hear(&ann, "K7QF-3M9T"), Lang::Zh);
        assert_eq!(languages.hear(&ann, "ok"), Lang::En);
        assert_eq!(languages.hear(&ann, "1"), Lang::En);
        // Without a staff id nobody can be told from another.
        assert_eq!(languages.hear(&person(None), "你好"), Lang::Zh);
        assert_eq!(languages.hear(&person(None), "1"), Lang::En);
    }

    #[tokio::test]
    async fn the_next_start_knows_what_was_chosen_and_written() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_scratch(dir.path()).unwrap();
        let languages = Languages::open(Language::Auto, store.clone()).await.unwrap();
        let (ann, bob) = (StaffId::new("ann"), StaffId::new("bob"));
        languages.hear(&person(Some("ann")), "你好");
        languages.hear(&person(Some("bob")), "hi");
        languages.choose(&bob, Language::Zh).await.unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        languages.run(stop).await;
        let next = Languages::open(Language::Auto, store).await.unwrap();
        assert_eq!((next.of(Some(&ann)), next.of(Some(&bob))), (Lang::Zh, Lang::Zh));
        assert_eq!((next.chosen(&ann), next.chosen(&bob)), (None, Some(Language::Zh)));
    }
}
