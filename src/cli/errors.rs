//! What errors say on the terminal: those of moonbell in the language of their reader, all others as they word themselves.
//!
//! The log has the same errors in English, by their `Display`.

use std::io::ErrorKind;

use super::lang;
use super::talk::Failed;
use crate::app::Fatal;
use crate::config::Problems;
use crate::script::FolderError;
use crate::sim;
use crate::store;
use crate::store::InstanceError;
use crate::telemetry::LogError;
use crate::transport::{OpenError, Unfit};
use crate::words::Lang;
use crate::words::commands::errors as w;
use crate::words::config::http;

/// What failed.
pub(super) fn headline(error: &anyhow::Error, lang: Lang) -> String {
    if let Some(problems) = error.downcast_ref::<Problems>() {
        return problems.text(lang);
    }
    if let Some(LogError::Filter { filter, reason }) = error.downcast_ref() {
        return w::not_a_filter(filter, reason, lang);
    }
    if let Some(error) = instance(error) {
        return taken(error, lang);
    }
    if let Some(error) = store_error(error) {
        return journal(error, lang);
    }
    if let Some(Fatal::Scripts(error)) = error.downcast_ref() {
        return folder(error, lang);
    }
    if let Some(Fatal::Doors(OpenError::Listen { listen, cause })) = error.downcast_ref() {
        return w::cannot_listen(&listen.to_string(), &cause.to_string(), lang);
    }
    if let Some(Fatal::Doors(OpenError::Certificate { file, reason })) = error.downcast_ref() {
        return http::unfit(&file.to_string_lossy(), &unfit(reason, lang), lang);
    }
    error.to_string()
}

/// What the nearest error in the chain that knows better says to do.
pub(super) fn hint(error: &anyhow::Error, lang: Lang) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(failed) = cause.downcast_ref::<Failed>() {
            failed.next_step().map(str::to_owned)
        } else if let Some(problems) = cause.downcast_ref::<Problems>() {
            problems.hint(lang)
        } else if let Some(LogError::Filter { .. }) = cause.downcast_ref() {
            Some(w::filter_hint(lang).to_owned())
        } else if let Some(error) = cause.downcast_ref::<InstanceError>() {
            what_to_do(error, lang)
        } else if let Some(fatal) = cause.downcast_ref::<Fatal>() {
            match fatal {
                Fatal::Instance(error) => what_to_do(error, lang),
                Fatal::Doors(OpenError::Listen { cause, .. }) => {
                    Some(other_listen(cause.kind())?(lang).to_owned())
                }
                Fatal::Doors(OpenError::Certificate { reason, .. }) => {
                    let todo = match reason {
                        Unfit::Expired(_) => http::renew,
                        Unfit::Early(_) => http::check_clock,
                        _ => http::pem_files,
                    };
                    Some(todo(lang).to_owned())
                }
                fatal => fatal.hint().map(|hint| w::retold(hint, lang)),
            }
        } else if let Some(sim::StartError::Bind { .. }) = cause.downcast_ref() {
            Some(w::dev_port_taken_hint(lang).to_owned())
        } else {
            None
        }
    })
}

fn other_listen(kind: ErrorKind) -> Option<fn(Lang) -> &'static str> {
    match kind {
        ErrorKind::AddrInUse => Some(w::port_taken_hint),
        kind => other_address(kind),
    }
}

/// What to do about an address that cannot be listened on, although nobody else has it.
pub(super) fn other_address(kind: ErrorKind) -> Option<fn(Lang) -> &'static str> {
    Some(match kind {
        ErrorKind::AddrNotAvailable => w::address_elsewhere_hint,
        ErrorKind::PermissionDenied => w::port_forbidden_hint,
        _ => return None,
    })
}

fn unfit(reason: &Unfit, lang: Lang) -> String {
    match reason {
        Unfit::Unreadable(error) => http::unreadable(error, lang),
        Unfit::Garbled => http::garbled(lang).to_owned(),
        Unfit::Empty => http::empty(lang).to_owned(),
        Unfit::Expired(_) => http::expired(&reason.when(), lang),
        Unfit::Early(_) => http::early(&reason.when(), lang),
        Unfit::Key(error) => http::key(error, lang),
        Unfit::Foreign(cert) => http::foreign(&cert.to_string_lossy(), lang),
        Unfit::Other(error) => error.clone(),
    }
}

/// What is wrong with the journal, for a command that needs it.
pub(super) fn of_journal(error: &store::Error) -> Failed {
    let lang = lang::here();
    let told = Failed::new(journal(error, lang));
    match error.hint() {
        Some(hint) => told.hint(w::retold(hint, lang)),
        None => told,
    }
}

/// What is wrong with the scripts folder, for a command that reads it.
pub(super) fn of_folder(error: &FolderError) -> Failed {
    let lang = lang::here();
    Failed::new(folder(error, lang)).hint(w::retold(error.hint(), lang)).misuse()
}

pub(super) fn journal(error: &store::Error, lang: Lang) -> String {
    use store::Error;
    match error {
        Error::Folder { path, cause } => {
            w::cannot_use(&path.to_string_lossy(), &cause.to_string(), lang)
        }
        Error::Newer { path, found, known } => {
            w::written_by_newer(&path.to_string_lossy(), *found, *known, lang)
        }
        Error::Older { path, found, known } => {
            w::written_by_older(&path.to_string_lossy(), *found, *known, lang)
        }
        Error::Full { path } => w::disk_full(&path.to_string_lossy(), lang),
        Error::ReadOnly { path, cause } => {
            w::not_writable(&path.to_string_lossy(), &cause.to_string(), lang)
        }
        Error::Damaged { path, cause } => {
            w::not_sound(&path.to_string_lossy(), &cause.to_string(), lang)
        }
        // The latter is for scripts alone.
        Error::Sqlite { .. } | Error::KvFull { .. } => error.to_string(),
        Error::Closed => w::journal_closed(lang).to_owned(),
    }
}

pub(super) fn folder(error: &FolderError, lang: Lang) -> String {
    match error {
        FolderError::Missing(dir) => w::scripts_folder_missing(&dir.to_string_lossy(), lang),
        FolderError::NotAFolder(dir) => w::scripts_folder_is_none(&dir.to_string_lossy(), lang),
        FolderError::Unreadable { path, reason } => {
            w::cannot_read_folder(&path.to_string_lossy(), reason, lang)
        }
    }
}

fn store_error(error: &anyhow::Error) -> Option<&store::Error> {
    match error.downcast_ref() {
        Some(Fatal::Store(error) | Fatal::Doors(OpenError::Journal(error))) => Some(error),
        _ => error.downcast_ref(),
    }
}

fn instance(error: &anyhow::Error) -> Option<&InstanceError> {
    match error.downcast_ref() {
        Some(Fatal::Instance(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

fn taken(error: &InstanceError, lang: Lang) -> String {
    match error {
        InstanceError::Taken { dir, by } => {
            w::folder_taken(&dir.to_string_lossy(), &by.pid(), &by.command, &by.since(), lang)
        }
        InstanceError::AppTaken { client_id, by } => {
            let folder = by.dir.to_string_lossy();
            w::app_taken(client_id, &by.pid(), &by.command, &by.since(), &folder, lang)
        }
        InstanceError::Io { path, cause } => {
            w::cannot_lock(&path.to_string_lossy(), &cause.to_string(), lang)
        }
    }
}

fn what_to_do(error: &InstanceError, lang: Lang) -> Option<String> {
    match error {
        InstanceError::Taken { .. } => Some(w::folder_taken_hint(lang).to_owned()),
        InstanceError::AppTaken { .. } => Some(w::app_taken_hint(lang).to_owned()),
        InstanceError::Io { .. } => error.hint().map(|hint| w::retold(hint, lang)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::PathBuf;

    use chrono::DateTime;

    use super::*;
    use crate::config::{Example, Place, Problem};
    use crate::store::Holder;

    #[test]
    fn english_is_what_the_log_has_and_chinese_is_chinese() {
        let by = Box::new(Holder { pid: 7, command: "run".to_owned(), ..Holder::default() });
        let dir = PathBuf::from("/state");
        let listen = SocketAddr::from(([127, 0, 0, 1], 80));
        let problem = || Problem::new(Place::Default, http::garbled).hint(http::pem_files);
        let example = |is_new| Example { file: dir.clone(), is_new };
        let doors = |reason| Fatal::from(OpenError::Certificate { file: dir.clone(), reason });
        let problems = |is_new| Problems {
            list: vec![problem(), problem()],
            example: Some(example(is_new)),
            ..Problems::default()
        };
        for error in [
            anyhow::Error::from(InstanceError::Taken { dir: dir.clone(), by: by.clone() }),
            InstanceError::AppTaken { client_id: "ding1".to_owned(), by: by.clone() }.into(),
            Fatal::from(InstanceError::Taken { dir: dir.clone(), by }).into(),
            Fatal::from(OpenError::Listen { listen, cause: ErrorKind::AddrInUse.into() }).into(),
            Fatal::from(OpenError::Listen { listen, cause: ErrorKind::PermissionDenied.into() })
                .into(),
            doors(Unfit::Garbled).into(),
            Fatal::from(FolderError::Missing(dir.clone())).into(),
            Fatal::from(FolderError::NotAFolder(dir.clone())).into(),
            Fatal::from(store::Error::Full { path: dir.clone() }).into(),
            Fatal::from(store::Error::Newer { path: dir.clone(), found: 9, known: 8 }).into(),
            Fatal::from(store::Error::Older { path: dir.clone(), found: 8, known: 9 }).into(),
            Fatal::from(store::Error::Folder { path: dir.clone(), cause: ErrorKind::Other.into() })
                .into(),
            doors(Unfit::Expired(DateTime::UNIX_EPOCH)).into(),
            doors(Unfit::Early(DateTime::UNIX_EPOCH)).into(),
            doors(Unfit::Foreign(dir.clone())).into(),
            InstanceError::Io { path: dir.clone(), cause: ErrorKind::Other.into() }.into(),
            problems(true).into(),
            problems(false).into(),
        ] {
            assert_eq!(headline(&error, Lang::En), error.to_string());
            let known = error.downcast_ref::<Fatal>().and_then(Fatal::hint);
            let known =
                known.or(error.downcast_ref::<InstanceError>().and_then(InstanceError::hint));
            let known = known.map(str::to_owned);
            let known = known.or(error.downcast_ref::<Problems>().and_then(|p| p.hint(Lang::En)));
            assert_eq!(hint(&error, Lang::En), known, "{error}");
            for said in [headline(&error, Lang::Zh), hint(&error, Lang::Zh).unwrap()] {
                assert_eq!(Lang::of(&said), Some(Lang::Zh), "{said}");
            }
        }
    }
}
