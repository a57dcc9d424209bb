//! How much is said, and who the other side may be.

use super::Config;
use super::check::Check;
use super::load::Need;
use super::problem::Problem;

/// How made-up client ids and secrets begin: those of the simulator, which no app of DingTalk has.
const MADE_UP: [(&str, &str); 2] =
    [("dingtalk.client_id", "dingsimulator"), ("dingtalk.client_secret", "simulator-secret-")];

impl Check<'_> {
    pub(super) fn limits(&mut self, config: &mut Config) {
        let limit = |count: u64| usize::try_from(count).ok().filter(|count| *count > 0);
        if let Some(count) = self.count("limits.replies") {
            config.limits.replies = limit(count).unwrap_or(usize::MAX);
        }
        if let Some(count) = self.count("limits.per_minute") {
            config.limits.per_minute = limit(count).unwrap_or(usize::MAX);
        }
    }

    /// A simulator and DingTalk are never taken for each other: what the one signs, the other's host does not believe, and a
    /// real secret is not sent to whatever listens on this computer.
    pub(super) fn other_side(&mut self, config: &Config, need: Need) {
        if need != Need::Account {
            return;
        }
        let bases = [&config.dingtalk.api_base, &config.dingtalk.oapi_base];
        let is_dingtalks = |url: &&url::Url| {
            url.host_str().is_some_and(|host| {
                ["dingtalk.com", "dingtalk.io"].iter().any(|own| {
                    host.strip_suffix(own)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
            })
        };
        let values = [&config.dingtalk.client_id[..], config.dingtalk.client_secret.expose()];
        let on_this_computer = |url: &&url::Url| url.scheme() == "http";
        let made_up = MADE_UP
            .iter()
            .zip(values)
            .map(|((path, begin), value)| (*path, value.starts_with(begin)));
        let made_up: Vec<(&str, bool)> = made_up.collect();
        for (path, _) in made_up.iter().filter(|(_, made_up)| *made_up) {
            if bases.iter().any(|base| is_dingtalks(base)) {
                let message =
                    format!("`{path}` is one of the simulator's, which DingTalk does not know");
                self.wrong(
                    path,
                    message,
                    "copy it from your app's page on open.dingtalk.com, or try `moonbell dev`",
                );
            }
        }
        if made_up.iter().all(|(_, made_up)| !made_up)
            && bases.iter().any(|base| on_this_computer(base))
        {
            let path = if on_this_computer(&&config.dingtalk.api_base) {
                "dingtalk.api_base"
            } else {
                "dingtalk.oapi_base"
            };
            let message = format!(
                "`{path}` is this computer: whatever listens there is given the secret of your app"
            );
            let place = self.place(path);
            self.warnings
                .push(Problem::new(place, message).hint("leave it out to talk to DingTalk"));
        }
    }
}
