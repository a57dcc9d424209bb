//! Every host function with every wrong value: an error in words that names the function, never a panic.

use std::fmt::Write as _;

use crate::engine::Bench;

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
    "(\"x\"):rep(1e7)",
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

#[tokio::test]
async fn no_wrong_argument_does_more_than_raise_and_each_is_named() {
    let bench = Bench::new().await;
    for module in moonbell::api::MODULES {
        let mut body =
            String::from("local cyclic = {} cyclic.me = cyclic\nlocal values = table.pack(");
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
            module = module.name,
        );
        bench.passes(&body).await;
    }
}

#[tokio::test]
async fn no_wrong_argument_of_a_method_does_more_than_raise() {
    let bench = Bench::new().await;
    for (object, class) in [("ctx", "ctx"), ("ctx:card()", "card")] {
        let mut body =
            String::from("local cyclic = {} cyclic.me = cyclic\nlocal values = table.pack(");
        body.push_str(&VALUES.join(", "));
        let names = if class == "ctx" {
            r#"{ "reply", "card", "stream", "send_file", "send_image", "ask", "choose", "confirm", "react" }"#
        } else {
            r#"{ "append", "set", "progress", "finish", "fail" }"#
        };
        let _ = write!(
            body,
            r#")
            local object = {object}
            for _, name in {names} do
                local full = "{class}:" .. name
                for i = 1, values.n do
                    for _, this in {{ object, values[i] }} do
                        local result = table.pack(pcall(object[name], this, values[i], values[i]))
                        if not result[1] then
                            local why = tostring(result[2])
                            assert(why:find("`" .. full .. "`", 1, true), full .. " does not name itself: " .. why)
                            assert(not why:find("inside moonbell", 1, true), why)
                        end
                    end
                end
            end
            "#
        );
        bench.passes(&body).await;
    }
}
