//! Every host function with every wrong value: an error in words that names the function, never a panic.

use std::fmt::Write as _;
use std::sync::Arc;

use moonbell::api::http::Network;
use moonbell::message::{File, Kind};
use moonbell::script::{Ended, Run};
use tokio_util::sync::CancellationToken;

use crate::engine::{Bench, message};

/// Values that no function expects, and some that a few do.
const VALUES: &[&str] = &[
    "nil",
    "true",
    "0",
    "-1",
    "0.5",
    "0/0",
    "1/0",
    "2^53",
    "\"\"",
    "\"\\0\"",
    "\"\\255\\254\"",
    "\"x\"",
    "\"你好\"",
    "(\"x\"):rep(1e6)",
    "{}",
    "{ 1, 2 }",
    "{ nonsense = 1 }",
    "{ [0/1] = 1 }",
    "cyclic",
    "function() end",
    "coroutine.create(function() end)",
    "buffer.create(1)",
    "vector.create(1, 2, 3)",
    "ctx",
    "setmetatable({}, { __index = error, __tostring = error })",
];

/// Modules, and functions of them that wait for good when called rightly.
const SKIPPED: &[&str] = &["time.sleep"];

/// Calls each function of `module` with each of the values, and raises if one of them does more than raise.
pub(crate) fn misuse(module: &str) -> String {
    let mut body = String::from("local cyclic = {} cyclic.me = cyclic\nlocal values = table.pack(");
    body.push_str(&VALUES.join(", "));
    let _ = write!(
        body,
        r#")
        local skipped = {{ [{:?}] = true }}
        for name, call in {module} do
            local full = "{module}." .. name
            if type(call) ~= "function" or skipped[full] then continue end
            local function try(...)
                local result = table.pack(pcall(call, ...))
                if result[1] then
                    -- What the world refuses says so, with a kind.
                    if result[2] == nil and result[3] ~= nil then assert(type(result[3].kind) == "string", full) end
                else
                    local why = tostring(result[2])
                    assert(why:find("`" .. full .. "`", 1, true), full .. " does not name itself: " .. why)
                    assert(not why:find("inside moonbell", 1, true), why)
                    assert(#why < 4000, full .. " says too much")
                end
            end
            try()
            for i = 1, values.n do
                try(values[i])
                try("x", values[i])
                try("/nonexistent/x", values[i], values[i])
                try("x", "x", values[i])
                try(values[i], values[i], values[i], values[i])
            end
        end
        "#,
        SKIPPED[0],
    );
    body
}

#[tokio::test]
async fn i11_no_wrong_argument_does_more_than_raise_and_each_is_named() {
    let bench = Bench::new().await;
    for module in moonbell::api::MODULES {
        bench.passes(&misuse(module.name)).await;
    }
}

/// Objects by the expression that makes one, and their methods.
const OBJECTS: &[(&str, &str, &[&str])] = &[
    (
        "ctx",
        "ctx",
        &[
            "reply",
            "card",
            "stream",
            "send_file",
            "send_image",
            "ask",
            "choose",
            "confirm",
            "react",
        ],
    ),
    ("ctx:card()", "card", &["append", "set", "progress", "finish", "fail"]),
    ("ctx.message.files[1]", "file", &["save"]),
    // It has ended by itself: nothing is waited for.
    (
        r#"shell.spawn{ "true" }"#,
        "process",
        &["lines", "read", "write", "close_stdin", "kill", "wait"],
    ),
    ("answer()", "response", &["json", "chunks", "lines", "events", "close"]),
    ("answer(true)", "response", &["json", "chunks", "lines", "events", "close"]),
];

#[tokio::test]
async fn i11_no_wrong_argument_of_a_method_does_more_than_raise() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut servers = tokio::task::JoinSet::new();
    let hello = axum::Router::new().route("/", axum::routing::get(async || "hello\n"));
    servers.spawn(async move { axum::serve(listener, hello).await.unwrap() });
    let mut bench = Bench::new().await;
    bench.host = bench.host.with_network(Network::granting([address.to_string()]));
    for (object, class, names) in OBJECTS {
        let mut body = format!(
            "local function answer(stream) return assert(http.get('http://{address}/', {{ stream = stream }})) end\n\
             local cyclic = {{}} cyclic.me = cyclic\nlocal values = table.pack("
        );
        body.push_str(&VALUES.join(", "));
        let names = names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let _ = write!(
            body,
            r#")
            for _, name in {{ {names} }} do
                local object = {object}
                local full = "{class}:" .. name
                assert(type(object[name]) == "function", full)
                for i = 1, values.n do
                    for _, this in {{ object, values[i] }} do
                        local result = table.pack(pcall(object[name], this, values[i], values[i]))
                        if not result[1] then
                            local why = tostring(result[2])
                            assert(why:find("`" .. full .. "`", 1, true), full .. " does not name itself: " .. why)
                            assert(not why:find("inside moonbell", 1, true), why)
                            assert(#why < 4000, full .. " says too much")
                        elseif result[2] == nil and result[3] ~= nil and type(result[3]) == "table" then
                            assert(type(result[3].kind) == "string", full)
                        end
                    end
                end
            end
            "#
        );
        let mut with_file = message("hi");
        with_file.files.push(File {
            kind: Kind::File,
            download_code: "code".to_owned(),
            fallback_code: None,
            name: Some("x".to_owned()),
            duration: None,
        });
        let run = Run::new(
            "r",
            Some(Arc::new(with_file)),
            None,
            bench.host.limits(),
            CancellationToken::new(),
        );
        let generation = bench.handler(&body);
        assert_eq!(bench.start(&generation, &run).await, Ended::Done, "{class}");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_or_written_is_refused_with_its_place() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
            local function refused(expected, call, ...)
                local result = table.pack(pcall(call, ...))
                assert(not result[1] or (result[2] == nil and result[3] ~= nil), expected)
                local why = tostring(if result[1] then result[3] else result[2])
                assert(why:find(expected, 1, true), why)
            end
            local cyclic = { a = {} }
            cyclic.a.b = cyclic
            local deep = {}
            for _ = 1, 1000 do deep = { deep } end
            local huge = ("x"):rep(1e7)
            for name, write in {
                ["json.encode"] = json.encode,
                ["kv.set"] = function(value) return kv.set("k", value) end,
                ["kv.cas"] = function(value) return kv.cas("k", nil, value) end,
                ["http.post"] = function(value) return http.post("http://127.0.0.1:1/", { json = value }) end,
            } do
                refused("contains itself", write, cyclic)
                refused("nested more than", write, deep)
                refused("it is NaN", write, { 0/0 })
                refused("it is inf", write, { x = 1/0 })
                refused("not UTF-8", write, { x = "\255\254" })
                refused("a key is not UTF-8", write, { ["\255"] = 1 })
                refused("a key that is a boolean", write, { [true] = 1 })
                refused("a key that is a number", write, { [0.5] = 1 })
                refused("holes", write, { 1, x = 2 })
                refused("it is a function", write, { f = print })
            end
            -- A key that is no number cannot even be written.
            assert(not pcall(function() local t = {} t[0/0] = 1 end))
            refused("`kv.set`", kv.set, "k", huge)
            refused("`kv.set`", kv.set, huge, 1)
            refused("`kv.get`", kv.get, "\255\254")
            refused("UTF-8", fs.read, "/x/\255")
            refused("UTF-8", fs.write, "\255", "x")
            refused("16 MiB", json.encode, { huge, huge })
            refused("the reply has 10000000 bytes", ctx.reply, ctx, huge)
            refused("bad_path", function(path) local _, err = fs.read(path) return nil, err.kind end, huge)
            refused("`http.get`", http.get, "\255")
            refused("invalid", function(name) local _, err = shell.run{ "true", env = { [name] = "1" } } return nil, err.kind end, "A=B")
            refused("invalid", function(name) local _, err = shell.run{ "true", name } return nil, err.kind end, "a\0b")
            -- Bytes that are no text are shown as such, never refused, where a program's output may be said.
            ctx:reply("caf\233")
            log.info("\255\254", { ["\255"] = "\254" })
            assert(json.decode("\255") == nil and json.decode("\"\\ud800\"") == nil)
            "#,
        )
        .await;
}
