//! Tokens. What decodes, encodes to the same text.
#![no_main]

use heartline_protocol::Token;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Token::decode(text) {
        Ok(token) => assert_eq!(token.encode(), text.trim()),
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
});
