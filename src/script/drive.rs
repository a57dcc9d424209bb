//! Drives one run: its coroutine, its clock, its cancellation, and what it says on the way.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use mlua::thread::AsyncThread;
use mlua::{Function, MultiValue, Result as LuaResult, Value};

use crate::access::Confirm;
use crate::api::Call;
use crate::api::bot;
use crate::api::bot::Declared;
use crate::api::ctx;
use crate::api::dialog;
use crate::api::dialog::Before;
use crate::api::limit::Limit;
use crate::api::moment;
use crate::api::run::Run;
use crate::script::diagnostic::Raised;
use crate::script::vm::Vm;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    /// It returned `bot.pass`: the message is for the next handler.
    Passed,
    Failed(Failed),
    Cancelled,
    /// Nobody allowed it, so it never began. Why, for the journal; what there was to say was said.
    NotApproved(String),
}

/// Why a run failed: one line for the person, the rest for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// `ping.luau:3: message`.
    pub short: String,
    /// With the frames of the script.
    pub full: String,
    /// The limit that was hit, if one was.
    pub limit: Option<Limit>,
}

impl Failed {
    pub(super) fn new(short: impl Into<String>) -> Self {
        let short = short.into();
        Self { full: short.clone(), short, limit: None }
    }
}

type Flush = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Runs the handler at `index` as a coroutine to its end, whatever that is, and ends `run` with it.
///
/// What the run said and nobody took yet stays in [`Run::take_pending`]: the dispatcher commits it with the run.
pub(super) async fn drive(
    vm: &Vm,
    run: &Arc<Run>,
    index: usize,
    args: &serde_json::Value,
) -> Ended {
    let registration = &vm.registrations()[index];
    let handler = format!("{} {}", vm.scope.script(), registration.title());
    run.speaks_in(vm.scope.host().outgoing().clone(), handler);
    if let Some(confirm) = &registration.options.terms.confirm
        && let Some(ended) = approve(vm, run, confirm, &registration.title(), args).await
    {
        run.end((ended == Ended::Cancelled).then_some("stopped"));
        return ended;
    }
    drive_function(vm, run, &vm.functions[index], &registration.declared, args).await
}

/// Asks those who are to allow it; `None`: they did.
async fn approve(
    vm: &Vm,
    run: &Arc<Run>,
    confirm: &Confirm,
    declared: &str,
    args: &serde_json::Value,
) -> Option<Ended> {
    let call = Call {
        lua: vm.lua.clone(),
        host: vm.scope.host().clone(),
        script: Arc::clone(vm.scope.script()),
        scope: vm.scope.clone(),
        run: Arc::clone(run),
    };
    let before = tokio::select! {
        biased;
        () = run.cancel().cancelled() => return Some(Ended::Cancelled),
        before = dialog::before(call, confirm, declared, args) => before,
    };
    match before {
        Before::Go if run.is_stopped() => Some(Ended::Cancelled),
        Before::Go => None,
        Before::Not(why) => Some(Ended::NotApproved(why)),
        Before::Failed(why) => Some(Ended::Failed(Failed::new(why))),
    }
}

/// The same of any function of this VM, called as a handler of what was `declared`.
pub(super) async fn drive_function(
    vm: &Vm,
    run: &Arc<Run>,
    function: &Function,
    declared: &Declared,
    args: &serde_json::Value,
) -> Ended {
    drive_to_end(vm, run, begin(vm, run, function, declared, args)).await
}

/// As [`drive`], for a function that is given `argument` instead of a `ctx`.
pub(super) async fn drive_with(
    vm: &Vm,
    run: &Arc<Run>,
    function: &Function,
    argument: Value,
) -> Ended {
    let thread = vm.lua.create_thread(function.clone());
    drive_to_end(vm, run, thread.and_then(|thread| thread.into_async(argument))).await
}

async fn drive_to_end(vm: &Vm, run: &Arc<Run>, begun: LuaResult<AsyncThread<MultiValue>>) -> Ended {
    let mut flush: Option<Flush> = None;
    let ended = match begun {
        Ok(thread) => poll_to_end(vm, run, thread, &mut flush).await,
        Err(error) => failed(vm, run, &error),
    };
    // The coroutine is gone; now what its host functions hold goes, and its cards close.
    run.end(match &ended {
        Ended::Done | Ended::Passed => None,
        Ended::Failed(failed) => Some(&failed.short),
        Ended::Cancelled => Some("stopped"),
        // Only what is asked before it begins ends so.
        Ended::NotApproved(why) => Some(why),
    });
    if matches!(run.limit_hit(), Some(Limit::Memory(_))) {
        // Now that its coroutine is gone: the garbage of this run must not fail the next one.
        let _ = vm.lua.gc_collect();
    }
    // What is on its way to the journal arrives before what the dispatcher commits.
    match flush {
        Some(flush) => match flush.await {
            Err(why) if !matches!(ended, Ended::Failed(_)) => Ended::Failed(Failed::new(why)),
            _ => ended,
        },
        None => ended,
    }
}

fn begin(
    vm: &Vm,
    run: &Arc<Run>,
    function: &Function,
    declared: &Declared,
    args: &serde_json::Value,
) -> LuaResult<AsyncThread<MultiValue>> {
    let thread = vm.lua.create_thread(function.clone())?;
    match run.message() {
        Some(message) => thread.into_async(ctx::create(&vm.lua, run, message, args)?),
        None => thread.into_async(moment::arguments(&vm.lua, declared, args)?),
    }
}

async fn poll_to_end(
    vm: &Vm,
    run: &Arc<Run>,
    mut thread: AsyncThread<MultiValue>,
    flush: &mut Option<Flush>,
) -> Ended {
    let mut deadline = pin!(run.deadline());
    let mut cancelled = pin!(run.cancel().cancelled());
    poll_fn(move |context| {
        if deadline.as_mut().poll(context).is_ready() {
            run.hit(Limit::Wall(run.limits().wall));
        }
        let _ = cancelled.as_mut().poll(context); // registers; `is_stopped` asks the token
        if run.is_stopped() {
            return Poll::Ready(stopped(vm, run));
        }
        if let Some(Err(why)) = poll_flush(flush, context) {
            return Poll::Ready(Ended::Failed(Failed::new(why)));
        }

        run.take_waiting();
        let (polled, took, preempted) = vm.slice.run(|| {
            let outer = vm.scope.enter(Some(Arc::clone(run)));
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut thread).poll(context)));
            vm.scope.enter(outer);
            polled
        });
        let stopped_inside = run.is_stopped();
        run.spend(took);

        match polled {
            Err(panic) => {
                run.hit(Limit::Panic);
                tracing::error!(run.id = run.id(), panic = text_of(&*panic), "the engine panicked");
                Poll::Ready(stopped(vm, run))
            }
            Ok(Poll::Ready(_)) if stopped_inside => Poll::Ready(stopped(vm, run)),
            Ok(Poll::Ready(Ok(values))) => Poll::Ready(if bot::is_pass(&vm.lua, values.front()) {
                Ended::Passed
            } else {
                Ended::Done
            }),
            Ok(Poll::Ready(Err(error))) => Poll::Ready(failed(vm, run, &error)),
            Ok(Poll::Pending) if run.is_stopped() => Poll::Ready(stopped(vm, run)),
            Ok(Poll::Pending) => {
                // mlua's wrapper polls the future of a host function and *then* yields, in Lua; in nested coroutines each
                // level yields in turn. A preemption on the way spends the future's wake-up on a poll that only goes on
                // yielding, and nobody would poll the future again. So a poll asks for another unless it polled a future
                // that waits, and was not preempted. (One spare poll after a preemption is not enough: with two levels
                // preempted in one poll, one of a hundred nested generators hung.)
                if preempted || !run.take_waiting() {
                    context.waker().wake_by_ref();
                }
                // Without a journal, what was said stays with the run.
                if flush.is_none()
                    && run.has_pending()
                    && let Ok(outbox) = vm.scope.host().outbox().cloned()
                {
                    let (id, posts) = (run.id().to_owned(), run.take_pending());
                    *flush = Some(Box::pin(async move {
                        outbox
                            .post(&id, posts)
                            .await
                            .map_err(|error| format!("the reply was not kept: {error}"))
                    }));
                    if let Some(Err(why)) = poll_flush(flush, context) {
                        return Poll::Ready(Ended::Failed(Failed::new(why)));
                    }
                }
                Poll::Pending
            }
        }
    })
    .await
}

fn poll_flush(flush: &mut Option<Flush>, context: &mut Context<'_>) -> Option<Result<(), String>> {
    match flush.as_mut()?.as_mut().poll(context) {
        Poll::Ready(result) => {
            *flush = None;
            Some(result)
        }
        Poll::Pending => None,
    }
}

/// The end of a run that may not go on. Its coroutine is never resumed: no `pcall` can keep it.
fn stopped(vm: &Vm, run: &Run) -> Ended {
    let Some(limit) = run.limit_hit() else { return Ended::Cancelled };
    let frames = vm.slice.take_stopped_at().unwrap_or_default();
    let raised = Raised::from_error(&mlua::Error::RuntimeError(format!(
        "{limit}\nstack traceback:\n{frames}"
    )));
    let place = raised
        .traceback
        .first()
        .and_then(|frame| frame.split_whitespace().next())
        .map(|place| place.trim_end_matches(':').to_owned());
    let short = match place {
        Some(place) => format!("{place}: {limit}"),
        None => limit.to_string(),
    };
    let mut full = short.clone();
    for frame in &raised.traceback {
        full.push_str("\n  ");
        full.push_str(frame);
    }
    Ended::Failed(Failed { short, full, limit: Some(limit) })
}

fn failed(vm: &Vm, run: &Run, error: &mlua::Error) -> Ended {
    let raised = Raised::from_error(error);
    let mut short = raised.short();
    let mut full = raised.full();
    if is_memory(error) || raised.message.contains("not enough memory") {
        let limit = Limit::Memory(vm.scope.host().memory_bytes());
        run.hit(limit);
        short = match &raised.at {
            Some((path, line)) => format!("{path}:{line}: {limit}"),
            None => limit.to_string(),
        };
        full = full.replace(&raised.short(), &short);
    }
    Ended::Failed(Failed { short, full, limit: run.limit_hit() })
}

fn is_memory(error: &mlua::Error) -> bool {
    match error {
        mlua::Error::MemoryError(_) => true,
        mlua::Error::CallbackError { cause, .. } => is_memory(cause),
        _ => false,
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}
