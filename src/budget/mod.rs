//! The ledger of DingTalk's monthly budgets: what was used, by which handler and for whom, and what is still allowed.
//!
//! DingTalk gives a whole organisation 5,000 API calls and 3,000 Webhook & Stream messages a month on its free plan, and then
//! says no. So every call and every frame is counted here ([`crate::dingtalk::Meter`]); the owner hears of 50, 80 and 95 %
//! once each; at 95 % cards stop streaming; at the limit no call is made any more, but for notices to the owner and the ends
//! of cards that are in their chats. What DingTalk itself says overrides our count: other apps of the organisation use the
//! same budgets, and packages can be bought.
//!
//! Counting costs no statement: it happens in memory and is written once a second and at the end. What a `kill -9` keeps
//! from being written, at most a second of it, is counted after the next start from the journals, rather too much than too
//! little.
//!
//! Knows nothing of chats: what it says is handed out, and told by others.

mod aside;
mod month;
mod report;
mod say;
mod table;
mod tally;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Budget as Limits;
use crate::dingtalk::{Call, Meter, Push};
use crate::store::Error;
use crate::store::Store;
use crate::store::now_ms;
use tally::Tally;

pub use aside::Aside;
pub use month::{Month, NotAMonth};
pub use report::{Report, Spender, Spent, name_of};
pub use say::{PARKED, own, parked, usage, waits, warning};
pub use table::tell;
pub use tally::{Budget, Level, Warning};

/// How often the count is written.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// What others know of runs, and of what was done while nobody counted. Each owns its table.
#[derive(Clone, Copy, Debug)]
pub struct Journal {
    /// Handler and person of a run.
    pub whose: fn(&Connection, &str) -> rusqlite::Result<Option<Spending>>,
    /// API calls and pushes that may have happened since then (Unix milliseconds).
    pub since: fn(&Connection, i64) -> rusqlite::Result<[u64; 2]>,
}

/// What a run is charged to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// Title of the handler; empty: moonbell's own words.
    pub handler: String,
    /// Staff id; empty: nobody in particular.
    pub person: String,
}

/// Handle to the ledger; cheap to clone. The default one has no limits and remembers nothing.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    tally: Mutex<Tally>,
    books: Option<(Store, Journal)>,
    clock: Clock,
    opened: watch::Sender<u64>,
    due: Notify,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("clock", &self.inner.clock).finish_non_exhaustive()
    }
}

impl Default for Ledger {
    fn default() -> Self {
        let clock = Clock::default();
        let tally = Tally::new(Limits::unlimited(), clock.now());
        Self::with(tally, None, clock)
    }
}

impl Ledger {
    fn with(tally: Tally, books: Option<(Store, Journal)>, clock: Clock) -> Self {
        let (opened, due) = (watch::Sender::new(0), Notify::new());
        Self { inner: Arc::new(Inner { tally: Mutex::new(tally), books, clock, opened, due }) }
    }

    /// Opens the ledger on `store`: goes on where the last host stopped counting.
    pub async fn open(
        store: Store,
        limits: Limits,
        journal: Journal,
        clock: Clock,
    ) -> Result<Self, Error> {
        let mut tally = Tally::new(limits.clone(), clock.now());
        let month = tally.month();
        let kept = store.write(move |c| table::open(c, month, &limits, &journal, now_ms())).await?;
        tally.resume(kept.used, kept.told);
        Ok(Self::with(tally, Some((store, journal)), clock))
    }

    /// Writes the count until `stop`, and once more then. To be stopped after everything that makes calls.
    pub async fn run(self, stop: CancellationToken) {
        let mut failing = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(WRITE_EVERY) => {}
            }
            let now = self.inner.clock.now();
            self.change(|tally| {
                tally.tick(now);
                tally.ask(now);
            });
            let written = self.flush().await;
            if let Err(error) = &written
                && !failing
            {
                tracing::warn!(%error, "what was used of the budgets is not written yet; trying again");
            }
            failing = written.is_err();
        }
        if let Err(error) = self.write(true).await {
            tracing::warn!(%error, "what was last used of the budgets was not written; the next start counts it from the journal");
        }
    }

    /// Writes what was counted.
    pub async fn flush(&self) -> Result<(), Error> {
        self.write(false).await
    }

    /// `even_nothing`: notes the moment although there is nothing to write.
    async fn write(&self, even_nothing: bool) -> Result<(), Error> {
        let Some((store, journal)) = self.inner.books.clone() else { return Ok(()) };
        // Before it is taken: what happens in between is rather counted twice.
        let counted_at_ms = now_ms();
        let (month, fresh) = {
            let mut tally = self.tally();
            (tally.month(), tally.take())
        };
        if fresh.is_empty() && !even_nothing {
            // Commands add to the table, too.
            if let Ok(used) = store.read(move |c| table::used(c, month)).await {
                self.change(|tally| tally.learn(month, used));
            }
            return Ok(());
        }
        let fresh = Arc::new(fresh);
        let writing = Arc::clone(&fresh);
        let write = move |c: &Connection| {
            table::write(c, &writing, &journal, counted_at_ms)?;
            table::used(c, month)
        };
        match store.write(write).await {
            Ok(used) => {
                self.change(|tally| tally.learn(month, used));
                Ok(())
            }
            Err(error) => {
                self.tally().put_back(fresh.as_ref().clone());
                Err(error)
            }
        }
    }

    /// What `month` was used for; the current one without a name.
    pub async fn report(&self, month: Option<Month>) -> Result<Report, Error> {
        let written = self.flush().await;
        let (limits, now, gone, streams) = {
            let tally = self.tally();
            let gone = Budget::ALL.map(|budget| tally.is_gone(budget));
            (tally.limits().clone(), tally.month(), gone, tally.may_stream())
        };
        let month = month.unwrap_or(now);
        let Some((store, _)) = self.inner.books.clone() else {
            return Err(written.err().unwrap_or(Error::Closed));
        };
        let mut report = store.read(move |c| Report::of(c, month, &limits)).await?;
        if month == now {
            report.may_stream = streams;
            report.api_calls.refused |= gone[0];
            report.pushes.refused |= gone[1];
        }
        Ok(report)
    }

    /// The two budgets of this month, without asking the disk.
    pub fn now(&self) -> (Month, Spent, Spent) {
        let tally = self.tally();
        let limits = tally.limits();
        let spent = |budget, limit| Spent {
            used: tally.used(budget),
            limit,
            refused: tally.is_gone(budget),
        };
        (
            tally.month(),
            spent(Budget::ApiCalls, limits.api_calls),
            spent(Budget::Pushes, limits.pushes),
        )
    }

    /// Whether cards may move while they are written; else they come as one message.
    pub fn may_stream(&self) -> bool {
        self.tally().may_stream()
    }

    /// Whether API calls can be made.
    pub fn has_room(&self) -> bool {
        self.tally().has_room()
    }

    /// Follows the moments from which there is room where there was none: what was parked can be tried again.
    pub fn opened(&self) -> watch::Receiver<u64> {
        self.inner.opened.subscribe()
    }

    /// Waits for something that the owner has to hear. Tell it with [`tell`], or give it back.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn warning(&self) -> Warning {
        loop {
            let due = self.inner.due.notified();
            if let Some(warning) = self.tally().warning() {
                return warning;
            }
            due.await;
        }
    }

    /// Other limits from now on.
    pub fn renew(&self, limits: Limits) {
        self.change(|tally| tally.renew(limits));
    }

    /// Takes back a warning that could not be told.
    pub fn warn_again(&self, warning: Warning) {
        self.change(|tally| tally.warn_again(warning));
    }

    /// Notes whose run this is: its calls are counted for them from now on.
    pub fn begins(&self, run: &str, handler: &str, person: &str) {
        self.change(|tally| tally.begins(run, handler, person));
    }

    /// The same of a run that a push started, which is counted for the handler, too.
    pub fn answers(&self, run: &str, push: Push, handler: &str, person: &str) {
        self.change(|tally| tally.answers(run, push, handler, person));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        let mut tally = self.tally();
        let answer = change(&mut tally);
        let (opened, due) = (tally.opened(), tally.has_warnings());
        if self.inner.books.is_none() {
            tally.take();
        }
        drop(tally);
        if due {
            self.inner.due.notify_one();
        }
        self.inner.opened.send_if_modified(|known| std::mem::replace(known, opened) != opened);
        answer
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.inner.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meter for Ledger {
    fn begin(&self, call: &Call<'_>) -> Result<(), String> {
        let now = self.inner.clock.now();
        self.change(|tally| tally.begin(call, now))
    }

    fn take_back(&self, call: &Call<'_>) {
        let now = self.inner.clock.now();
        self.change(|tally| tally.take_back(call, now));
    }

    fn accepted(&self, call: &Call<'_>) {
        self.change(|tally| tally.accepted(call));
    }

    fn used_up(&self, call: &Call<'_>) {
        let now = self.inner.clock.now();
        self.change(|tally| tally.used_up(call, now));
    }

    fn ask_again(&self) {
        let now = self.inner.clock.now();
        self.change(|tally| tally.ask_again(now));
    }

    fn pushed(&self, push: Push, person: Option<(&str, &str)>) {
        let now = self.inner.clock.now();
        self.change(|tally| tally.pushed(push, person, now));
    }

    fn pushes_used_up(&self) {
        let now = self.inner.clock.now();
        self.change(|tally| tally.pushes_used_up(now));
    }
}
