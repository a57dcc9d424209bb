//! The count itself: what was used this month and by whom, what is left, and who has to be told.
//!
//! Knows neither clock nor disk: moments come in, and what is not on disk yet is handed out.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::month::Month;
use crate::config::Budget as Limits;
use crate::dingtalk::{Call, Push, Use};

/// Shares of a budget, in per cent, that the owner hears of. At the last but one cards stop streaming.
pub(super) const LEVELS: [u64; 4] = [50, 80, STREAMING_ENDS, 100];

/// Past this share only whole messages are sent: streaming is what eats a budget, and what is left is for answers.
pub(super) const STREAMING_ENDS: u64 = 95;

/// How long DingTalk's "used up" is believed before one call asks again: a package may have been bought.
const ASK_AGAIN: TimeDelta = TimeDelta::minutes(30);

/// How long the call that asks may take.
const ASKING: TimeDelta = TimeDelta::minutes(1);

/// Runs whose handler and person are remembered: far more than run or wait to be sent at once. Of older ones the journal
/// is asked.
const RUNS: usize = 16_384;

/// What DingTalk gives an amount of each month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Calls of its API.
    ApiCalls,
    /// Frames that it pushes, and messages through webhooks.
    Pushes,
}

impl Budget {
    pub(super) const ALL: [Self; 2] = [Self::ApiCalls, Self::Pushes];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiCalls => "api_calls",
            Self::Pushes => "pushes",
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::ApiCalls => 0,
            Self::Pushes => 1,
        }
    }

    fn limit(self, limits: &Limits) -> Option<u64> {
        match self {
            Self::ApiCalls => limits.api_calls,
            Self::Pushes => limits.pushes,
        }
    }
}

/// Why something was used, as it stands in the table.
pub(super) fn kind_of_use(what: Use) -> &'static str {
    match what {
        Use::Free => "free",
        Use::Send => "send",
        Use::Webhook => "webhook",
        Use::Card => "card",
        Use::Frame => "frame",
        Use::Upload => "upload",
        Use::Download => "download",
        Use::Reaction => "reaction",
    }
}

pub(super) fn kind_of_push(push: Push) -> &'static str {
    match push {
        Push::Message => "message",
        Push::Click => "click",
        Push::Event => "event",
        Push::Other => "other",
    }
}

/// For whom something was used.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Known {
        handler: Arc<str>,
        person: Arc<str>,
    },
    /// The journal knows more of this run.
    Run(Arc<str>),
}

impl Who {
    pub(super) fn known(handler: &str, person: &str) -> Self {
        Self::Known { handler: handler.into(), person: person.into() }
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) month: Month,
    pub(super) budget: Budget,
    pub(super) kind: &'static str,
    pub(super) who: Who,
}

/// What the owner has to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub month: Month,
    pub budget: Budget,
    /// The limit it is about; 0 when there is none.
    pub limit: u64,
    /// How much is used by our count.
    pub used: u64,
    pub level: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Per cent of the limit.
    Share(u64),
    /// DingTalk itself says that nothing is left.
    Refused,
}

impl Level {
    pub(super) fn as_number(self) -> u64 {
        match self {
            Self::Share(share) => share,
            Self::Refused => 0,
        }
    }
}

/// DingTalk's word that a budget is used up.
#[derive(Clone, Copy, Debug)]
struct Gone {
    /// When one call may ask again.
    ask_at: DateTime<Utc>,
    /// When those who wait hear of that again.
    heard_at: DateTime<Utc>,
}

/// Who a run is for.
#[derive(Debug, Default)]
struct Runs {
    known: HashMap<Arc<str>, (Arc<str>, Arc<str>)>,
    order: VecDeque<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Tally {
    limits: Limits,
    month: Month,
    /// By [`Budget::index`].
    used: [u64; 2],
    told: [BTreeSet<u64>; 2],
    gone: [Option<Gone>; 2],
    /// Used, and not handed out by [`Tally::take`] yet. What was taken back or moved is negative.
    fresh: HashMap<Key, i64>,
    names: HashMap<Arc<str>, Arc<str>>,
    due: VecDeque<Warning>,
    runs: Runs,
    /// Bumped whenever there is room where there was none.
    opened: u64,
}

impl Tally {
    pub(super) fn new(limits: Limits, now: DateTime<Utc>) -> Self {
        Self {
            limits,
            month: Month::of(now),
            used: [0; 2],
            told: [const { BTreeSet::new() }; 2],
            gone: [None; 2],
            fresh: HashMap::new(),
            names: HashMap::new(),
            due: VecDeque::new(),
            runs: Runs::default(),
            opened: 0,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Other limits: there may be room where there was none, or something to warn of.
    pub(super) fn renew(&mut self, limits: Limits) {
        self.limits = limits;
        self.opened += 1;
        for budget in Budget::ALL {
            self.warn(budget);
        }
    }

    pub(super) fn month(&self) -> Month {
        self.month
    }

    pub(super) fn used(&self, budget: Budget) -> u64 {
        self.used[budget.index()]
    }

    /// Takes over what the table has of this month.
    pub(super) fn resume(&mut self, used: [u64; 2], told: [BTreeSet<u64>; 2]) {
        self.used = used;
        self.told = told;
        for budget in Budget::ALL {
            self.warn(budget);
        }
    }

    /// Hears what the table has of `month` now: commands add to it, too, beside the host. Never less than was counted here,
    /// where something may still be on its way to the table.
    pub(super) fn learn(&mut self, month: Month, used: [u64; 2]) {
        if month != self.month {
            return;
        }
        for budget in Budget::ALL {
            let fresh = self.fresh.iter().filter(|(key, _)| key.month == month);
            let fresh = fresh.filter(|(key, _)| key.budget == budget).map(|(_, n)| *n).sum();
            let index = budget.index();
            self.used[index] = self.used[index].max(used[index].saturating_add_signed(fresh));
            self.warn(budget);
        }
    }

    /// Begins the next month when it has come, and lets a refused budget be tried when it is time.
    pub(super) fn tick(&mut self, now: DateTime<Utc>) {
        let month = Month::of(now);
        // Never back: a clock that is set back must not bring an old month to life.
        if month > self.month {
            self.month = month;
            self.used = [0; 2];
            self.told = [const { BTreeSet::new() }; 2];
            self.gone = [None; 2];
            self.due.clear();
            self.opened += 1;
        }
    }

    /// Whether somebody has to ask DingTalk whether there is room again.
    pub(super) fn ask(&mut self, now: DateTime<Utc>) {
        for gone in self.gone.iter_mut().flatten() {
            if now >= gone.ask_at && now >= gone.heard_at {
                gone.heard_at = now + ASK_AGAIN;
                self.opened += 1;
            }
        }
    }

    /// Somebody says that there is room again: the next call asks.
    pub(super) fn ask_again(&mut self, now: DateTime<Utc>) {
        for gone in self.gone.iter_mut().flatten() {
            gone.ask_at = now;
        }
    }

    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// Whether API calls can be made.
    pub(super) fn has_room(&self) -> bool {
        let api = Budget::ApiCalls;
        self.gone[api.index()].is_none() && self.left(api) != Some(0)
    }

    pub(super) fn left(&self, budget: Budget) -> Option<u64> {
        Some(budget.limit(&self.limits)?.saturating_sub(self.used(budget)))
    }

    /// Whether cards may move while they are written.
    pub(super) fn may_stream(&self) -> bool {
        let api = Budget::ApiCalls;
        let reached = api.limit(&self.limits).is_some_and(|limit| {
            self.used(api).saturating_mul(100) >= limit.saturating_mul(STREAMING_ENDS)
        });
        self.gone[api.index()].is_none() && !reached
    }

    pub(super) fn is_gone(&self, budget: Budget) -> bool {
        self.gone[budget.index()].is_some()
    }

    /// The budget that a call is taken from.
    fn budget_of(&self, what: Use) -> Option<Budget> {
        match what {
            Use::Free => None,
            Use::Webhook => self.limits.webhooks_count.then_some(Budget::Pushes),
            Use::Send | Use::Card | Use::Frame | Use::Upload | Use::Download | Use::Reaction => {
                Some(Budget::ApiCalls)
            }
        }
    }

    pub(super) fn begin(&mut self, call: &Call<'_>, now: DateTime<Utc>) -> Result<(), String> {
        self.tick(now);
        let Some(budget) = self.budget_of(call.what) else { return Ok(()) };
        if !call.owed {
            self.admit(budget, now)?;
        }
        self.count(budget, kind_of_use(call.what), self.who(call.run), 1);
        Ok(())
    }

    fn admit(&mut self, budget: Budget, now: DateTime<Utc>) -> Result<(), String> {
        if self.left(budget) == Some(0) {
            let limit = budget.limit(&self.limits).unwrap_or_default();
            return Err(super::say::limit_reached(budget, limit, self.month));
        }
        if let Some(gone) = &mut self.gone[budget.index()] {
            if now < gone.ask_at {
                return Err(super::say::dingtalk_refuses(budget, self.month));
            }
            // This call asks; until it is answered no other one does.
            gone.ask_at = now + ASKING;
        }
        Ok(())
    }

    pub(super) fn take_back(&mut self, call: &Call<'_>, now: DateTime<Utc>) {
        self.tick(now);
        let Some(budget) = self.budget_of(call.what) else { return };
        self.count(budget, kind_of_use(call.what), self.who(call.run), -1);
    }

    /// DingTalk had room for a call.
    pub(super) fn accepted(&mut self, call: &Call<'_>) {
        if let Some(budget) = self.budget_of(call.what)
            && self.gone[budget.index()].take().is_some()
        {
            self.opened += 1;
        }
    }

    /// DingTalk had no room for a call: that overrides whatever was counted here.
    pub(super) fn used_up(&mut self, call: &Call<'_>, now: DateTime<Utc>) {
        self.tick(now);
        let Some(budget) = self.budget_of(call.what) else { return };
        self.gone[budget.index()] =
            Some(Gone { ask_at: now + ASK_AGAIN, heard_at: now + ASK_AGAIN });
        self.refused(budget);
    }

    pub(super) fn pushed(&mut self, push: Push, person: Option<(&str, &str)>, now: DateTime<Utc>) {
        self.tick(now);
        let (id, name) = person.unwrap_or_default();
        if !name.is_empty() && self.names.get(id).is_none_or(|known| **known != *name) {
            self.names.insert(id.into(), name.into());
        }
        self.count(Budget::Pushes, kind_of_push(push), Who::known("", id), 1);
    }

    /// DingTalk sends frames without content. Webhooks are tried all the same: it answers for them by itself.
    pub(super) fn pushes_used_up(&mut self, now: DateTime<Utc>) {
        self.tick(now);
        self.refused(Budget::Pushes);
    }

    fn refused(&mut self, budget: Budget) {
        if self.told[budget.index()].insert(Level::Refused.as_number()) {
            self.due_now(budget, Level::Refused);
        }
    }

    /// Notes whose run this is: from now on its calls are counted for them.
    pub(super) fn begins(&mut self, run: &str, handler: &str, person: &str) {
        self.runs.note(run, handler.into(), person.into());
    }

    /// The same of a run that a push started: that is counted for the handler, too.
    pub(super) fn answers(&mut self, run: &str, push: Push, handler: &str, person: &str) {
        let before = self.runs.known.get(run).map(|(handler, _)| Arc::clone(handler));
        let before = Who::known(&before.unwrap_or_default(), person);
        let after = Who::known(handler, person);
        self.begins(run, handler, person);
        if before != after {
            self.note(Budget::Pushes, kind_of_push(push), before, -1);
            self.note(Budget::Pushes, kind_of_push(push), after, 1);
        }
    }

    fn who(&self, run: Option<&str>) -> Who {
        let Some(run) = run else { return Who::known("", "") };
        match self.runs.known.get(run) {
            Some((handler, person)) => {
                Who::Known { handler: Arc::clone(handler), person: Arc::clone(person) }
            }
            None => Who::Run(run.into()),
        }
    }

    fn count(&mut self, budget: Budget, kind: &'static str, who: Who, n: i64) {
        self.note(budget, kind, who, n);
        let used = &mut self.used[budget.index()];
        *used = used.saturating_add_signed(n);
        self.warn(budget);
    }

    fn note(&mut self, budget: Budget, kind: &'static str, who: Who, n: i64) {
        let key = Key { month: self.month, budget, kind, who };
        *self.fresh.entry(key).or_default() += n;
    }

    /// Of the shares that are reached and were not told, the owner hears the highest: the lower ones say less.
    fn warn(&mut self, budget: Budget) {
        let Some(limit) = budget.limit(&self.limits) else { return };
        let used = u128::from(self.used(budget)) * 100;
        let told = &mut self.told[budget.index()];
        let mut news = None;
        for level in LEVELS {
            if used >= u128::from(limit) * u128::from(level) && told.insert(level) {
                news = Some(level);
            }
        }
        // Whoever was told of more has nothing to learn from less.
        if let Some(level) = news
            && told.range(level + 1..).next().is_none()
        {
            self.due_now(budget, Level::Share(level));
        }
    }

    fn due_now(&mut self, budget: Budget, level: Level) {
        self.due.push_back(Warning {
            month: self.month,
            budget,
            limit: budget.limit(&self.limits).unwrap_or_default(),
            used: self.used(budget),
            level,
        });
    }

    pub(super) fn has_warnings(&self) -> bool {
        !self.due.is_empty()
    }

    pub(super) fn warning(&mut self) -> Option<Warning> {
        self.due.pop_front()
    }

    /// A warning that could not be told: once more, if it is still this month.
    pub(super) fn warn_again(&mut self, warning: Warning) {
        if warning.month == self.month {
            self.due.push_front(warning);
        }
    }

    /// Hands out what is not on disk yet.
    pub(super) fn take(&mut self) -> Fresh {
        let mut uses = std::mem::take(&mut self.fresh);
        uses.retain(|_, n| *n != 0);
        Fresh { uses, names: std::mem::take(&mut self.names) }
    }

    /// Takes it back, because the disk did not have it.
    pub(super) fn put_back(&mut self, fresh: Fresh) {
        for (key, n) in fresh.uses {
            *self.fresh.entry(key).or_default() += n;
        }
        for (person, name) in fresh.names {
            self.names.entry(person).or_insert(name);
        }
    }
}

/// What is not on disk yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Fresh {
    pub(super) uses: HashMap<Key, i64>,
    pub(super) names: HashMap<Arc<str>, Arc<str>>,
}

impl Fresh {
    pub(super) fn is_empty(&self) -> bool {
        self.uses.is_empty() && self.names.is_empty()
    }
}

impl Runs {
    fn note(&mut self, run: &str, handler: Arc<str>, person: Arc<str>) {
        if let Some(known) = self.known.get_mut(run) {
            *known = (handler, person);
            return;
        }
        while self.order.len() >= RUNS {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        let run: Arc<str> = run.into();
        self.order.push_back(Arc::clone(&run));
        self.known.insert(run, (handler, person));
    }
}

#[cfg(test)]
#[path = "tally_tests.rs"]
mod tests;
