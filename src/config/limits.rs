//! How far scripts and people may go, and who the other side may be.

use std::time::Duration;

use super::Config;
use super::check::Check;
use super::check::shown;
use super::load::Need;
use super::problem::Problem;
use crate::words::config::values as w;

/// How made-up client ids and secrets begin: those of the simulator, which no app of DingTalk has.
const MADE_UP: [(&str, &str); 2] =
    [("dingtalk.client_id", "dingsimulator"), ("dingtalk.client_secret", "simulator-secret-")];

impl Check<'_> {
    pub(super) fn limits(&mut self, config: &mut Config) {
        let limits = &mut config.limits;
        let (least, most) = (Duration::from_millis(100), Duration::from_hours(24 * 30));
        if let Some(limit) = self.duration("limits.run_time", least, most) {
            limits.run_time = limit;
        }
        if let Some(limit) = self.duration("limits.run_cpu", least, Duration::from_hours(1)) {
            limits.run_cpu = limit;
        }
        if let Some(megabytes) = self.whole("limits.memory_mb", 8, 4_096) {
            limits.memory_bytes = megabytes << 20;
        }
        if let Some(megabytes) = self.whole("limits.kv_mb", 1, 1 << 16) {
            limits.kv_bytes = (megabytes as u64) << 20;
        }
        if let Some(megabytes) = self.whole("limits.output_mb", 1, 1 << 20) {
            limits.output_bytes = (megabytes as u64) << 20;
        }
        for (path, limit, most) in [
            ("limits.replies", &mut limits.replies, 100_000),
            ("limits.per_minute", &mut limits.per_minute, 100_000),
            ("limits.processes", &mut limits.processes, 1_024),
            ("limits.all_processes", &mut limits.all_processes, 4_096),
        ] {
            if let Some(count) = self.whole(path, 1, most) {
                *limit = count;
            }
        }
        for (path, limit) in [
            ("limits.person_runs", &mut limits.person_runs),
            ("limits.handler_runs", &mut limits.handler_runs),
            ("limits.person_per_minute", &mut limits.person_per_minute),
        ] {
            if let Some(count) = self.count(path) {
                *limit = Some(count).filter(|count| *count > 0);
            }
        }
    }

    /// A whole number in these bounds.
    fn whole(&mut self, path: &'static str, least: usize, most: usize) -> Option<usize> {
        let text = self.text(path)?;
        let count = text.replace('_', "").parse::<usize>();
        if let Ok(count) = count
            && (least..=most).contains(&count)
        {
            return Some(count);
        }
        let (value, least, most) = (shown(&text), least.to_string(), most.to_string());
        let message = |lang| w::out_of_bounds(path, &value, &least, &most, lang);
        self.wrong(path, message, w::whole_hint);
        None
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
            if bases.iter().any(is_dingtalks) {
                self.wrong(path, |lang| w::made_up(path, lang), w::made_up_hint);
            }
        }
        if made_up.iter().all(|(_, made_up)| !made_up) && bases.iter().any(on_this_computer) {
            let path = if on_this_computer(&&config.dingtalk.api_base) {
                "dingtalk.api_base"
            } else {
                "dingtalk.oapi_base"
            };
            let problem = Problem::new(self.place(path), |lang| w::on_this_computer(path, lang));
            self.warnings.push(problem.hint(w::on_this_computer_hint));
        }
    }
}
