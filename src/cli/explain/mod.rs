//! `moonbell explain`: why a message did, or did not, run.
//!
//! Asks the very function that the dispatcher asks, with the scripts as they are on disk now, and tells each gate's
//! answer. Nothing runs but the top level of scripts, and the journal is only read.

mod causes;
mod gates;
mod past;
mod refusals;
mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;

use super::{Failed, Global, dev, errors, lang, starter, talk};
use crate::access::{Access, Consents, OWNER, consents, read_grants};
use crate::api::Host;
use crate::config::{self, Loaded, Need};
use crate::inbox;
use crate::language::{self, Languages};
use crate::message::{Chat, ChatKind, ConversationId, Inbound, Kind};
use crate::message::{Message, MessageId, Person, StaffId};
use crate::outbox;
use crate::script::{Library, Snapshot};
use crate::sim::Options;
use crate::store::{Instance, Look, now_ms};
use crate::telemetry::status::Status;
use crate::words::Lang;
use crate::words::commands::errors as says;
use crate::words::commands::runs;
use crate::words::explain::causes as w;
use crate::worker::LuaRuntime;

use gates::Explanation;

/// Tell why a message does, or did not, run: each gate with its answer
///
/// For a TEXT: what would happen if somebody sent it now; nothing is sent and nothing runs. With --run or --last: what
/// happened to a message that came, from the journal, and what the scripts of today would do with it.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(after_help = "Examples:
  moonbell explain \"deploy prod\"
  moonbell explain \"deploy prod\" --as manager4220 --group
  moonbell explain --last                       the last message that came
  moonbell explain --run 7k3fa --json | jq .past

A host need not run. Exit codes: 0 explained, 1 no such run, 2 misuse.")]
pub(super) struct Explain {
    /// What somebody might type
    #[arg(value_name = "TEXT", required_unless_present_any = ["run", "last"], conflicts_with_all = ["run", "last"])]
    text: Option<String>,
    /// A message that came: the id of its run, as answers and logs name it
    #[arg(long, value_name = "ID", conflicts_with = "last")]
    run: Option<String>,
    /// The last message that came
    #[arg(long)]
    last: bool,
    /// Who sends TEXT: a staff id, or `owner`
    #[arg(long = "as", value_name = "STAFF_ID", default_value = OWNER, conflicts_with_all = ["run", "last"])]
    who: String,
    /// TEXT is sent in a group instead of a direct chat
    #[arg(long, conflicts_with_all = ["run", "last"])]
    group: bool,
    /// Ask for the host of `moonbell dev` (otherwise: `run`, or `dev` if only that is running or nothing is set up)
    #[arg(long)]
    dev: bool,
    /// Explain with the scripts of this folder
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The host that is asked about: its settings, whether or not it runs.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) dev: bool,
    pub(super) state: PathBuf,
    pub(super) scripts: PathBuf,
    pub(super) access: config::Access,
    loaded: Loaded,
    /// What the host that runs there last said of itself.
    live: Option<Status>,
}

impl Place {
    /// That of `dev` if it is asked for, or if only that one runs or nothing is set up.
    pub(super) fn find(global: &Global, dev: bool, scripts: Option<&Path>) -> Result<Self> {
        let loaded = global.load(Need::Settings)?;
        let state = loaded.config.state.dir.clone();
        let play = state.join("dev");
        let (runs, plays) = (Instance::holder(&state), Instance::holder(&play));
        let lists = &loaded.config.access;
        let unset = lists.owner.is_none() && lists.roles.is_empty();
        let dev = dev || (runs.is_none() && (plays.is_some() || unset));
        let (state, holder) = if dev { (play, plays) } else { (state, runs) };
        let live = holder.map(|pid| {
            let said = Status::read(&state).ok().flatten();
            said.filter(|said| said.pid.to_string() == pid).unwrap_or_default()
        });
        let scripts = match (scripts, &live) {
            (Some(dir), _) => std::path::absolute(dir)?,
            (None, Some(live)) if !live.scripts_dir.as_os_str().is_empty() => {
                live.scripts_dir.clone()
            }
            _ if dev => starter::dev_folder(false, &loaded.config.scripts.dir),
            _ => loaded.config.scripts.dir.clone(),
        };
        let access = if dev { dev::access(&Options::default()) } else { lists.clone() };
        Ok(Self { dev, state, scripts, access, loaded, live })
    }
}

impl Place {
    /// Who may do what there: the settings, and what was claimed, given and taken, by the journal.
    pub(super) fn who_may(&self) -> Result<Access> {
        let access = Access::new(self.access.clone());
        let failed = |error: crate::store::Error| errors::of_journal(&error);
        Ok(match Look::open(&self.state).map_err(failed)? {
            Some(journal) => {
                let app = self.loaded.config.dingtalk.app();
                access.knowing(journal.read(|c| read_grants(c, &app)).map_err(failed)?)
            }
            None => access,
        })
    }

    /// In which language people are answered there.
    pub(super) fn languages(&self) -> Result<Languages> {
        let languages = Languages::new(self.loaded.config.language);
        let failed = |error: crate::store::Error| errors::of_journal(&error);
        Ok(match Look::open(&self.state).map_err(failed)? {
            Some(journal) => languages.knowing(journal.read(language::read).map_err(failed)?),
            None => languages,
        })
    }
}

impl Place {
    /// A host that loads its scripts, as far as they are granted.
    pub(super) fn host(&self) -> Result<Host> {
        let failed = |error: crate::store::Error| errors::of_journal(&error);
        let list = match Look::open(&self.state).map_err(failed)? {
            Some(journal) => journal.read(consents::read).map_err(failed)?,
            None => Vec::new(),
        };
        let asked = &self.loaded.config.scripts.asked;
        Ok(Host::default().with_asked(asked, Some(Consents::known(list))))
    }
}

impl Explain {
    pub(super) fn run(self, global: &Global) -> Result<ExitCode> {
        let place = Place::find(global, self.dev, self.scripts.as_deref())?;
        let access = place.who_may()?;
        let (message, past) = match &self.text {
            Some(text) => (Some(self.message(text, &access)), None),
            None => {
                let (past, said) = self.past(&place)?;
                let message = match &past.inbound {
                    Some(Inbound::Message(message)) => Some(message.clone()),
                    _ => None,
                };
                (message, Some((past, said)))
            }
        };
        // The library's VMs belong to a runtime of their own; processes of a host are looked after on another.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(crate::words::commands::errors::no_threads(lang::here()))?;
        let _entered = runtime.enter();
        let lua = LuaRuntime::start(1)
            .context(crate::words::commands::errors::no_threads(lang::here()))?;
        let (library, _keeper) = Library::open(&place.scripts, place.host()?, lua.engine().clone())
            .map_err(|error| errors::of_folder(&error))?;
        let snapshot: Arc<Snapshot> = library.snapshot();
        let languages = place.languages()?;
        let message =
            message.map(|message| (languages.of_text(&message.sender, &message.text), message));
        // Programs read English, whoever starts them.
        let lang = if self.json { Lang::En } else { lang::here() };
        let explanation =
            Explanation::new(&place, &access, &snapshot, message.as_ref(), past, lang);
        if self.json {
            talk::data(serde_json::to_string_pretty(&explanation)?);
        } else {
            talk::quoted(&explanation.text(lang));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The message that nobody has sent.
    fn message(&self, text: &str, access: &Access) -> Message {
        let owner = access.owner().filter(|_| self.who == OWNER);
        let id = owner.unwrap_or_else(|| StaffId::new(&self.who));
        let (kind, chat) = if self.group {
            (ChatKind::Group, "a group")
        } else {
            (ChatKind::Direct, "a direct chat")
        };
        Message {
            id: MessageId::new("hypothetical"),
            chat: Chat { id: ConversationId::new(chat), kind, title: None },
            sender: Person {
                staff_id: Some(id),
                opaque_id: String::new(),
                nick: String::new(),
                same_org: true,
                corp_id: None,
            },
            kind: Kind::Text,
            text: text.trim().to_owned(),
            files: Vec::new(),
            mentions: Vec::new(),
            quoted: None,
            robot_code: None,
            sent_at_ms: now_ms(),
            webhook: None,
        }
    }

    fn past(&self, place: &Place) -> Result<(inbox::Past, Vec<outbox::Said>)> {
        let (lang, state) = (lang::here(), place.state.to_string_lossy());
        let nothing = || Failed::new(says::no_journal(&state, lang)).hint(w::no_journal_hint(lang));
        let failed = |error: crate::store::Error| errors::of_journal(&error);
        let journal = Look::open(&place.state).map_err(failed)?.ok_or_else(nothing)?;
        let id = self.run.as_deref().map(|id| id.trim_start_matches('#').to_lowercase());
        let found = match &id {
            Some(id) => journal.read(|c| inbox::of_run(c, id)),
            None => journal.read(inbox::last),
        };
        let Some(past) = found.map_err(failed)? else {
            let what = match id {
                Some(id) => runs::unknown(&id, &state, lang),
                None => w::no_message(&state, lang),
            };
            return Err(Failed::new(what).hint(w::kept_for_a_day(lang)).into());
        };
        let said = match &past.run {
            Some(run) => journal.read(|c| outbox::of_run(c, run)).map_err(failed)?,
            None => Vec::new(),
        };
        Ok((past, said))
    }
}
