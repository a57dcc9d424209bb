//! `http`: calls to other computers. See `http.d.luau`.
//!
//! This file converts; [`guard`] says which addresses may be called, [`call`] makes the call, [`body`] reads the answer.
//! Connections live on the runtime of sockets, not on the one that runs Lua.

mod body;
mod call;
mod download;
mod guard;
mod played;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mlua::{Function, Lua, LuaString, MultiValue, Result as LuaResult, Table, Value};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use self::body::Body;
use self::call::Request;
use crate::api::failure::{Failure, Outcome, misuse, type_name};
use crate::api::json::{Null, from_lua_exposed, to_lua};
use crate::api::module::{Class, Module};
use crate::api::options::{Options, text_of};
use crate::api::secret::expose;
use crate::api::{Call, Host};

pub(crate) use call::may_call;
pub use guard::{Network, OwnPorts};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Kept of an answer unless a script says otherwise.
const MAX_BYTES: u64 = 8 << 20;
/// Kept of an answer at most: half of what a VM may hold.
const MOST_BYTES: u64 = 32 << 20;
/// Read of a streamed answer, which is not kept.
const MAX_STREAMED_BYTES: u64 = 1 << 30;

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Headers that say how the call travels: the client's business.
const OURS: &[&str] =
    &["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"];

/// Makes the calls: one client, made at the first of them, and where its connections live.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    network: Network,
    client: Arc<OnceLock<Client>>,
    runtime: Option<Handle>,
}

impl Caller {
    pub(crate) fn new(network: Network) -> Self {
        Self { network, client: Arc::default(), runtime: Handle::try_current().ok() }
    }

    /// Cancel safe: dropped, the call is aborted and its connection closed.
    async fn send(&self, request: Request) -> Result<Response, Failure> {
        let client = match self.client.get() {
            Some(client) => client.clone(),
            None => {
                let client = call::client(&self.network)?;
                self.client.get_or_init(|| client).clone()
            }
        };
        self.on_sockets(call::send(client, self.network.clone(), request)).await.unwrap_or_else(
            |error| Err(Failure::new("network", format!("the call was cut short: {error}"))),
        )
    }

    /// Runs work where connections live. Cancel safe: dropped, the work is aborted.
    pub(crate) async fn on_sockets<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let runtime = self.runtime.clone().unwrap_or_else(Handle::current);
        AbortOnDropHandle::new(runtime.spawn(work)).await
    }
}

type Shared = Arc<Mutex<Body>>;

pub(super) fn module(lua: &Lua, _: &Host) -> LuaResult<Table> {
    let classes = Classes::new(lua)?;
    let (get, post) = (classes.clone(), classes.clone());
    Module::new(lua, "http")?
        .async_function(
            "get",
            &["url", "options"],
            move |call, (url, options): (String, Options)| {
                perform(call, get.clone(), Some(Method::GET), Some(url), options)
            },
        )?
        .async_function(
            "post",
            &["url", "options"],
            move |call, (url, options): (String, Options)| {
                perform(call, post.clone(), Some(Method::POST), Some(url), options)
            },
        )?
        .async_function("request", &["options"], move |call, options: Options| {
            perform(call, classes.clone(), None, None, options)
        })?
        .build()
}

#[derive(Clone)]
struct Classes {
    response: Class,
}

impl Classes {
    fn new(lua: &Lua) -> LuaResult<Self> {
        // `for x in next, object`: each turn calls `next(object, …)`.
        let iterator = |class: Class| -> LuaResult<(Class, Function)> {
            let next = class.methods().raw_get("next")?;
            Ok((class, next))
        };
        let chunks =
            iterator(Class::new(lua, "chunks")?.async_method("next", &[], next_chunk)?.build()?)?;
        let lines =
            iterator(Class::new(lua, "lines")?.async_method("next", &[], next_line)?.build()?)?;
        let events =
            iterator(Class::new(lua, "events")?.async_method("next", &[], next_event)?.build()?)?;
        let over = |(class, next): (Class, Function)| {
            move |lua: &Lua, _: &Call, of: Answer, (): ()| {
                let object = class.instance(lua, lua.create_table()?, &[], of)?;
                Ok((next.clone(), object))
            }
        };
        let response = Class::new(lua, "response")?
            .method("json", &[], json)?
            .method("chunks", &[], over(chunks))?
            .method("lines", &[], over(lines))?
            .method("events", &[], over(events))?
            .async_method("close", &[], async |_, answer: Answer, ()| {
                if let Answer::Open(body) = answer {
                    body.lock().await.close();
                }
                Ok(())
            })?
            .build()?;
        Ok(Self { response })
    }
}

/// What is behind a response.
#[derive(Clone)]
enum Answer {
    Whole(Arc<Vec<u8>>),
    Open(Shared),
}

impl Answer {
    fn open(&self) -> LuaResult<&Shared> {
        match self {
            Self::Open(body) => Ok(body),
            Self::Whole(_) => Err(misuse(
                "this answer was read whole, it is in `body`; call with `stream = true` to read it in pieces",
            )),
        }
    }
}

/// In a loop there is nobody to look at `err`: an answer that breaks off raises.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands it over")]
fn broke(failure: Failure) -> mlua::Error {
    misuse(format!("the answer broke off: {failure}"))
}

async fn next_chunk(call: Call, answer: Answer, _: MultiValue) -> LuaResult<Option<LuaString>> {
    let chunk = answer.open()?.lock().await.chunk().await.map_err(broke)?;
    chunk.map(|chunk| call.lua.create_string(chunk)).transpose()
}

async fn next_line(call: Call, answer: Answer, _: MultiValue) -> LuaResult<Option<LuaString>> {
    let line = answer.open()?.lock().await.line().await.map_err(broke)?;
    line.map(|line| call.lua.create_string(line)).transpose()
}

async fn next_event(call: Call, answer: Answer, _: MultiValue) -> LuaResult<Option<Table>> {
    let event = answer.open()?.lock().await.event().await.map_err(broke)?;
    let Some(event) = event else { return Ok(None) };
    let table = call.lua.create_table()?;
    table.raw_set("event", event.kind.as_deref().unwrap_or("message"))?;
    table.raw_set("data", event.data)?;
    table.raw_set("id", event.id)?;
    super::strict(&call.lua, "server-sent event", &["event", "data", "id"], &table)?;
    Ok(Some(table))
}

fn json(lua: &Lua, _: &Call, answer: Answer, (): ()) -> LuaResult<Outcome<Value>> {
    let Answer::Whole(body) = answer else {
        return Err(misuse("this answer is streamed; call without `stream = true`"));
    };
    match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(value) => to_lua(lua, &value, Null::Kept).map(Outcome::Value),
        Err(error) => Ok(Failure::new("syntax", format!("the answer is not JSON: {error}")).into()),
    }
}

/// Cancel safe: dropped with the run, and the connection with it.
async fn perform(
    call: Call,
    classes: Classes,
    method: Option<Method>,
    url: Option<String>,
    mut options: Options,
) -> LuaResult<Outcome<Table>> {
    let method = match method {
        Some(method) => method,
        None => method_of(&mut options)?,
    };
    let url = match url {
        Some(url) => url,
        None => options
            .string("url")?
            .ok_or_else(|| misuse("option `url`: expected a string, got nil"))?,
    };
    let mut headers = headers_of(&mut options)?;
    let query = options.strings("query")?;
    let body = body_of(&call.lua, &mut options, &mut headers)?;
    let timeout = options.duration("timeout")?.unwrap_or(TIMEOUT);
    let stream = options.bool("stream")?.unwrap_or(false);
    let max = options.count("max")?;
    let redirects = options.bool("redirects")?.unwrap_or(true);
    options.finish()?;
    if timeout.is_zero() {
        return Err(misuse("option `timeout`: expected more than nothing"));
    }
    if body.is_some() && method == Method::GET {
        return Err(misuse("a GET has no body; use `http.post`, or `query`"));
    }
    let max = match max {
        Some(max) if !stream && max > MOST_BYTES => {
            return Err(misuse(format!(
                "option `max`: expected {MOST_BYTES} bytes at most, got {max}; `stream = true` takes more"
            )));
        }
        Some(max) => max,
        None if stream => MAX_STREAMED_BYTES,
        None => MAX_BYTES,
    };
    let mut url = match call::parse(&url) {
        Ok(url) => url,
        Err(failure) => return Ok(failure.into()),
    };
    if let Some(query) = query {
        url.query_pairs_mut().extend_pairs(query);
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let reach = call.scope.reach();
    call::may_call(&reach, &url).map_err(misuse)?;
    let request = Request { method, url, headers, body, timeout, redirects, reach };
    let caller = call.host.http().clone();
    let answer = match call.host.world() {
        Some(world) => played::asked(&request, |asked| world.answer(&call, asked))?,
        None => None,
    };
    let whole = async {
        let (head, mut body) = match answer {
            Some(answer) => {
                let url = request.url.to_string();
                let clock = call.host.clock();
                let (status, headers, chunks) =
                    played::begin(clock, answer, &host, timeout).await?;
                (Head { status, url, headers }, Body::played(chunks, &host, max))
            }
            None => {
                let wait = call.host.wait();
                let response = caller.send(request).await?;
                (Head::of(&response), Body::new(response, timeout, max, Some(wait)))
            }
        };
        if stream {
            return Ok((head, Answer::Open(Arc::new(Mutex::new(body)))));
        }
        Ok((head, Answer::Whole(Arc::new(body.whole().await?))))
    };
    let answered = if stream || call.host.clock().stands() {
        whole.await
    } else {
        // From the call to the body's last byte: an answer that drips does not hold the run.
        tokio::time::timeout(timeout, whole)
            .await
            .unwrap_or_else(|_| Err(call::timed_out(&host, timeout)))
    };
    Ok(match answered {
        Ok((head, answer)) => Outcome::Value(head.table(&call.lua, &classes.response, answer)?),
        Err(failure) => failure.into(),
    })
}

/// What comes before the body.
struct Head {
    status: u16,
    url: String,
    headers: HeaderMap,
}

impl Head {
    fn of(response: &Response) -> Self {
        Self {
            status: response.status().as_u16(),
            url: response.url().to_string(),
            headers: response.headers().clone(),
        }
    }

    fn table(&self, lua: &Lua, class: &Class, answer: Answer) -> LuaResult<Table> {
        let table = lua.create_table_with_capacity(0, 5)?;
        table.raw_set("status", self.status)?;
        table.raw_set("ok", (200..300).contains(&self.status))?;
        table.raw_set("url", self.url.as_str())?;
        let headers = lua.create_table()?;
        for name in self.headers.keys() {
            let values: Vec<_> = self
                .headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            headers.raw_set(name.as_str(), values.join(", "))?;
        }
        table.raw_set("headers", headers)?;
        if let Answer::Whole(body) = &answer {
            table.raw_set("body", lua.create_string(body.as_slice())?)?;
        }
        class.instance(lua, table, &["body"], answer)
    }
}

fn method_of(options: &mut Options) -> LuaResult<Method> {
    let Some(text) = options.string("method")? else { return Ok(Method::GET) };
    let upper = text.to_uppercase();
    if !METHODS.contains(&upper.as_str()) {
        return Err(misuse(format!(
            "option `method`: expected one of {}, got {text:?}",
            METHODS.join(", ")
        )));
    }
    Ok(Method::from_bytes(upper.as_bytes()).expect("the methods in the list are methods"))
}

fn headers_of(options: &mut Options) -> LuaResult<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in options.strings_or_secrets("headers")?.unwrap_or_default() {
        let wrong =
            |what: &str| misuse(format!("option `headers`: `{}`: {what}", name.escape_debug()));
        let key = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("this is no name of a header"))?;
        if OURS.contains(&key.as_str()) {
            return Err(wrong("this header is set by moonbell itself"));
        }
        // Not quoted in the error: it may be a secret.
        let value = HeaderValue::from_str(&value)
            .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
            .map_err(|_| wrong("its value has a line break or another control character"))?;
        headers.insert(key, value);
    }
    Ok(headers)
}

fn body_of(
    lua: &Lua,
    options: &mut Options,
    headers: &mut HeaderMap,
) -> LuaResult<Option<Vec<u8>>> {
    let bytes = options.bytes_or_secret("body")?;
    let json = options.value("json")?;
    let form = options.table("form")?;
    if usize::from(bytes.is_some()) + usize::from(!json.is_nil()) + usize::from(form.is_some()) > 1
    {
        return Err(misuse("expected one of `body`, `json` and `form`, got several"));
    }
    let (body, kind) = if !json.is_nil() {
        (Some(from_lua_exposed(lua, &json)?.to_string().into_bytes()), Some("application/json"))
    } else if let Some(form) = form {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        for pair in form.pairs::<String, Value>() {
            let (name, value) =
                pair.map_err(|_| misuse("option `form`: expected names as keys"))?;
            let value = expose(&value).or_else(|| text_of(&value)).ok_or_else(|| {
                misuse(format!("option `form`: `{name}`: expected text, got {}", type_name(&value)))
            })?;
            text.append_pair(&name, &value);
        }
        (Some(text.finish().into_bytes()), Some("application/x-www-form-urlencoded"))
    } else {
        (bytes, None)
    };
    if let Some(kind) = kind {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
    }
    Ok(body)
}
