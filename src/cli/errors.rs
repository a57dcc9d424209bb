//! What errors say on the terminal: the common ones in the language of their reader, all others as they word themselves.
//!
//! The log has the same errors in English, by their `Display`.

use std::fmt::Write as _;
use std::io::ErrorKind;

use super::talk::Failed;
use crate::app::Fatal;
use crate::config::{Example, Problems};
use crate::sim;
use crate::store::InstanceError;
use crate::telemetry::LogError;
use crate::transport::OpenError;
use crate::words::Lang;
use crate::words::commands::errors as w;

/// What failed.
pub(super) fn headline(error: &anyhow::Error, lang: Lang) -> String {
    if let Some(problems) = error.downcast_ref::<Problems>() {
        return told(problems, lang);
    }
    if let Some(error) = instance(error) {
        return taken(error, lang);
    }
    if let Some(Fatal::Doors(OpenError::Listen { listen, cause })) = error.downcast_ref() {
        return w::cannot_listen(&listen.to_string(), &cause.to_string(), lang);
    }
    error.to_string()
}

/// What the nearest error in the chain that knows better says to do.
pub(super) fn hint(error: &anyhow::Error, lang: Lang) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(failed) = cause.downcast_ref::<Failed>() {
            failed.next_step().map(str::to_owned)
        } else if let Some(problems) = cause.downcast_ref::<Problems>() {
            match &problems.example {
                Some(Example { file, is_new: true, text }) => {
                    Some(w::write_this(&file.to_string_lossy(), text, lang))
                }
                Some(Example { text, .. }) => Some(w::complete_file(text, lang)),
                None => problems.hint(),
            }
        } else if let Some(log) = cause.downcast_ref::<LogError>() {
            log.hint().map(str::to_owned)
        } else if let Some(error) = cause.downcast_ref::<InstanceError>() {
            what_to_do(error, lang)
        } else if let Some(fatal) = cause.downcast_ref::<Fatal>() {
            match fatal {
                Fatal::Instance(error) => what_to_do(error, lang),
                Fatal::Doors(OpenError::Listen { cause, .. })
                    if cause.kind() == ErrorKind::AddrInUse =>
                {
                    Some(w::port_taken_hint(lang).to_owned())
                }
                fatal => fatal.hint().map(str::to_owned),
            }
        } else if let Some(sim::StartError::Bind { .. }) = cause.downcast_ref() {
            Some(w::dev_port_taken_hint(lang).to_owned())
        } else {
            None
        }
    })
}

fn told(problems: &Problems, lang: Lang) -> String {
    let many = match &problems.list[..] {
        [_] => return problems.to_string(),
        many => many,
    };
    let mut text = w::problems(many.len(), lang);
    for problem in many {
        let _ = write!(text, "\n{}: {}", problem.place, problem.message);
        if let Some(hint) = &problem.hint {
            let _ = write!(text, "\n  {}{hint}", w::label_hint(lang));
        }
    }
    text
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
        InstanceError::Io { .. } => error.to_string(),
    }
}

fn what_to_do(error: &InstanceError, lang: Lang) -> Option<String> {
    match error {
        InstanceError::Taken { .. } => Some(w::folder_taken_hint(lang).to_owned()),
        InstanceError::AppTaken { .. } => Some(w::app_taken_hint(lang).to_owned()),
        InstanceError::Io { .. } => error.hint().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::PathBuf;

    use super::*;
    use crate::config::{Place, Problem};
    use crate::store::Holder;

    #[test]
    fn english_is_what_the_log_has_and_chinese_is_chinese() {
        let by = Box::new(Holder { pid: 7, command: "run".to_owned(), ..Holder::default() });
        let dir = PathBuf::from("/state");
        let listen = SocketAddr::from(([127, 0, 0, 1], 80));
        let problem = |hint: &str| Problem {
            place: Place::Default,
            message: "it is wrong".to_owned(),
            hint: Some(hint.to_owned()),
        };
        let example = |is_new| Example { file: dir.clone(), is_new, text: "a = 1" };
        let problems = |is_new| Problems {
            list: vec![problem("mend it"), problem("or this")],
            example: Some(example(is_new)),
            ..Problems::default()
        };
        for error in [
            anyhow::Error::from(InstanceError::Taken { dir: dir.clone(), by: by.clone() }),
            InstanceError::AppTaken { client_id: "ding1".to_owned(), by: by.clone() }.into(),
            Fatal::from(InstanceError::Taken { dir: dir.clone(), by }).into(),
            Fatal::from(OpenError::Listen { listen, cause: ErrorKind::AddrInUse.into() }).into(),
            problems(true).into(),
            problems(false).into(),
        ] {
            assert_eq!(headline(&error, Lang::En), error.to_string());
            let known = error.downcast_ref::<Fatal>().and_then(Fatal::hint);
            let known =
                known.or(error.downcast_ref::<InstanceError>().and_then(InstanceError::hint));
            let known = known.map(str::to_owned);
            let known = known.or(error.downcast_ref::<Problems>().and_then(Problems::hint));
            assert_eq!(hint(&error, Lang::En), known, "{error}");
            for said in [headline(&error, Lang::Zh), hint(&error, Lang::Zh).unwrap()] {
                assert_eq!(Lang::of(&said), Some(Lang::Zh), "{said}");
            }
        }
    }
}
