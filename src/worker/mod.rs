//! The Lua runtime, and the runs on it.

mod runtime;

pub use runtime::LuaRuntime;
