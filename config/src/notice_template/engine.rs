//! The engine of templates: what it can do, and how much of it.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value,
};

/// Most steps of one text, each an instruction or 64 bytes of data: about a millisecond, and a megabyte.
const FUEL: u64 = 20_000;

/// Deepest nesting of blocks.
const DEPTH_MAX: usize = 64;

/// What is no part of the language here. Filters that mark a text as escaped would do nothing, and the others make a text
/// of a list of any length.
const REMOVED_FILTERS: [&str; 5] = ["safe", "escape", "e", "pprint", "string"];
const REMOVED_TESTS: [&str; 2] = ["safe", "escaped"];

/// Functions that a template may call.
pub(super) const GLOBALS: [&str; 3] = ["range", "dict", "namespace"];

/// The engine, with nothing that it could load.
pub(super) static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    // Who prints what is known by the spans of the output; escaping is the sink's.
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_formatter(print);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(DEPTH_MAX);
    // So that errors have their place.
    engine.set_debug(true);
    let mut syntax = SyntaxConfig::builder();
    let syntax = syntax.trim_blocks(true).lstrip_blocks(true).build();
    engine.set_syntax(syntax.expect("the usual delimiters are valid"));
    REMOVED_FILTERS.iter().for_each(|it| engine.remove_filter(it));
    REMOVED_TESTS.iter().for_each(|it| engine.remove_test(it));
    engine.remove_global("debug");
    engine.add_filter("urlencode", urlencode);
    engine
});

/// Prints a value; `none` as nothing. A list may be endless, and has no form that people would want to read.
fn print(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_none() {
        return Ok(());
    }
    if value.as_object().is_some() {
        let message = "expected a text or a number to print; for goes through a list, and join makes a text of it";
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    out.write_fmt(format_args!("{value}")).map_err(Error::from)
}

/// Encodes a text as a part of a URL, by RFC 3986; `none` as nothing.
fn urlencode(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}
