//! What a host has to itself before it begins: its app, and the programs that it will start.

use crate::api::Processes;
use crate::config::Config;
use crate::store::Instance;
use crate::store::InstanceError;

/// Programs of this host, known as such to the next one.
pub(super) fn take_processes(config: &Config) -> Processes {
    let most = config.limits.all_processes;
    Processes::of_folder(most, &config.state.dir).unwrap_or_else(|error| {
        tracing::warn!(%error, "programs that a crash leaves running would not be known to the next start");
        Processes::with_limit(most)
    })
}

/// One host per app. Where no lock can be kept, there is at least the one of the state folder.
pub(super) fn take_app(config: &Config, command: &str) -> Result<Option<Instance>, super::Fatal> {
    // The app of a simulator that lives as long as this process is nobody else's.
    if command == super::DEV {
        return Ok(None);
    }
    let (account, state) = (&config.dingtalk, &config.state);
    match Instance::of_app(&state.locks, &account.client_id, &account.api_base, &state.dir, command)
    {
        Ok(instance) => Ok(Some(instance)),
        Err(error @ InstanceError::Io { .. }) => {
            tracing::warn!("a second host of the same app would not be noticed: {error}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
