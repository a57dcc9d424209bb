//! Makes messages, and sums up what became of them. Closed: so many in flight. Paced: so many a second, whatever happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::gateway::{Answer, Gateway};

/// Round trips, and what did not come back.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) times: Vec<Duration>,
    pub(crate) lost: u64,
    pub(crate) took: Duration,
}

impl Sample {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        count(self.times.len()) / self.took.as_secs_f64()
    }
}

/// Keeps `in_flight` messages under way for `time`, each from a person of their own.
pub(crate) async fn closed<F>(
    in_flight: u64,
    time: Duration,
    ask: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Sample
where
    F: Future<Output = Option<Answer>> + Send,
{
    let started = Instant::now();
    let mut lanes = JoinSet::new();
    for person in 0..in_flight {
        let ask = ask.clone();
        lanes.spawn(async move {
            let mut sample = Sample::default();
            while started.elapsed() < time {
                match ask(person).await {
                    Some(answer) => sample.times.push(answer.round_trip()),
                    None => sample.lost += 1,
                }
            }
            sample
        });
    }
    let mut all = Sample::default();
    for sample in lanes.join_all().await {
        all.times.extend(sample.times);
        all.lost += sample.lost;
    }
    all.took = started.elapsed();
    all
}

/// Sends `per_second` messages until `stop`, not waiting for answers. For benches that run beside it, and for soaking.
pub(crate) async fn paced(
    gateway: Gateway,
    per_second: u32,
    text: &str,
    stop: tokio_util::sync::CancellationToken,
) -> Sample {
    let started = Instant::now();
    let lost = Arc::new(AtomicU64::new(0));
    let mut answers = JoinSet::new();
    let mut times = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / per_second);
    let mut n = 0;
    while !stop.is_cancelled() {
        tick.tick().await;
        n += 1;
        let (gateway, lost, text) = (gateway.clone(), Arc::clone(&lost), text.to_owned());
        answers.spawn(async move {
            let answer = gateway.say(1_000 + n % 64, &text).await;
            if answer.is_none() {
                lost.fetch_add(1, Ordering::Relaxed);
            }
            answer.map(|answer| answer.round_trip())
        });
        while let Some(done) = answers.try_join_next() {
            times.extend(done.unwrap());
        }
    }
    times.extend(answers.join_all().await.into_iter().flatten());
    Sample { times, lost: lost.load(Ordering::Relaxed), took: started.elapsed() }
}

/// The value below which this share of `times` lies.
pub(crate) fn at(times: &mut [Duration], share: f64) -> Duration {
    if times.is_empty() {
        return Duration::ZERO;
    }
    times.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = (count(times.len() - 1) * share).round() as usize;
    times[index]
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How far rounds of the same lie apart: the noise of this machine, in per cent of their median.
pub(crate) fn spread(values: &mut [f64]) -> f64 {
    let middle = median(values);
    (values[values.len() - 1] - values[0]) / middle * 100.0
}

pub(crate) fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Three digits, in the unit that suits.
pub(crate) fn show(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        ..10.0 => format!("{us:.2} µs"),
        ..1_000.0 => format!("{us:.0} µs"),
        ..10_000.0 => format!("{:.2} ms", us / 1e3),
        ..1_000_000.0 => format!("{:.0} ms", us / 1e3),
        _ => format!("{:.2} s", us / 1e6),
    }
}
