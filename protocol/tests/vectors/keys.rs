//! `keys.json`: agent ids, scopes, derived keys, tokens.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use heartline_protocol::{
    AgentName, Direction, KeyEpoch, MasterKey, ScopeKey, Token, TokenError, TokenScope,
};
use serde_json::{Value, json};

use crate::fixture::{hex, key32, list, master, scope_key, str};

pub(crate) fn generate() -> Value {
    json!({
        "about": "SPEC.md sections 2 and 4. Keys are in hexadecimal.",
        "ids": ids(),
        "scopes": scopes(),
        "derived": derived(),
        "tokens": tokens(),
        "refused_tokens": refused_tokens(),
    })
}

fn ids() -> Value {
    let longest = "a".repeat(63);
    let valid = ["a", "order-processor", "mail.eu.3", "0_0", "_", "a-.", "mail.-.", &longest];
    let too_long = "a".repeat(64);
    let invalid = [
        "",
        "Order",
        "order processor",
        "a/b",
        "a\u{0}b",
        "a\n",
        "é",
        "a:b",
        "\u{1b}[2j",
        "-rf",
        "-",
        ".",
        "..",
        ".hidden",
        &too_long,
    ];
    json!({ "valid": valid, "invalid": invalid })
}

fn scopes() -> Value {
    let cases = [
        ("", "mail", true),
        ("", "m", true),
        ("mail", "mail", true),
        ("mail", "mailer", false),
        ("mail", "mail.3", false),
        ("mail.", "mail.3", true),
        ("mail.", "mail.eu.3", true),
        ("mail.", "mail", false),
        ("mail.", "mailer.3", false),
        ("mail.eu.", "mail.us.1", false),
        ("mail.eu", "mail.eu", true),
        ("mail.e", "mail.eu", false),
        ("mail.eu.3", "mail", false),
    ];
    cases
        .map(|(scope, agent, covers)| json!({"scope": scope, "agent": agent, "covers": covers}))
        .into()
}

fn derived() -> Value {
    let longest = "z".repeat(63);
    let cases = [
        (1, "", "order-processor"),
        (1, "order-processor", "order-processor"),
        (1, "mail.", "mail.3"),
        (1, "mail.", "mail.4"),
        (2, "mail.", "mail.3"),
        (0, "", "a"),
        (223, longest.as_str(), longest.as_str()),
    ];
    let derive = |(epoch, scope, agent): (u8, &str, &str)| {
        let key = scope_key(epoch, scope);
        json!({
            "master": hex(master(epoch).as_bytes()),
            "epoch": epoch,
            "scope": scope,
            "scope_key": hex(key.as_bytes()),
            "agent": agent,
            "up": hex(&key.agent_key_bytes(Direction::Up, agent)),
            "down": hex(&key.agent_key_bytes(Direction::Down, agent)),
        })
    };
    cases.map(derive).into()
}

fn token(epoch: u8, scope: &str) -> String {
    let key = scope_key(epoch, scope);
    Token { epoch: KeyEpoch(epoch), scope: TokenScope::new(scope).unwrap(), key }.encode()
}

fn tokens() -> Value {
    let longest = "z".repeat(63);
    let plain = [(1, ""), (1, "order-processor"), (1, "mail."), (2, "mail."), (223, &longest)];
    let mut tokens: Vec<Value> = plain
        .iter()
        .map(|&(epoch, scope)| {
            let key = hex(scope_key(epoch, scope).as_bytes());
            json!({"token": token(epoch, scope), "epoch": epoch, "scope": scope, "scope_key": key})
        })
        .collect();
    let mut spaced = tokens[1].clone();
    spaced["token"] = json!(format!(" \t{}\r\n", str(&spaced["token"])));
    tokens.push(spaced);
    tokens.into()
}

/// A token of these bytes, with a check that is right.
fn checked(bytes: &[u8]) -> String {
    let check = ring::digest::digest(&ring::digest::SHA256, bytes);
    let all = [bytes, &check.as_ref()[..4]].concat();
    format!("hl1.{}", URL_SAFE_NO_PAD.encode(all))
}

fn refused_tokens() -> Value {
    let good = token(1, "mail.");
    let bytes = URL_SAFE_NO_PAD.decode(&good[4..]).unwrap();
    let body = &bytes[..bytes.len() - 4];
    let with_scope = |scope: &[u8]| checked(&[&[1, scope.len() as u8], scope, &[7; 32]].concat());
    let mut left_over = good.clone().into_bytes();
    let last = left_over.last_mut().unwrap();
    // The last character carries four bits that belong to no byte, all zero.
    *last += 1;
    let left_over = String::from_utf8(left_over).unwrap();
    let cases = [
        ("", "NotAToken", "it is empty"),
        ("hl2.AQAB", "NotAToken", "the prefix is another"),
        (&good[4..], "NotAToken", "the prefix is missing"),
        (&good.to_uppercase(), "NotAToken", "the prefix is in upper case"),
        ("hl1.", "Damaged", "nothing follows the prefix"),
        ("hl1.AQ", "Damaged", "it ends before the scope length"),
        (&good[..good.len() - 4], "Damaged", "its end is cut off"),
        (&format!("{good}AAAA"), "Damaged", "it is too long"),
        (&format!("{}é", &good[..good.len() - 2]), "Damaged", "it has a letter of no base64"),
        (&good.replacen("hl1.A", "hl1.B", 1), "Damaged", "its epoch was mistyped: wrong check"),
        (&format!("hl1.{}", URL_SAFE.encode(&bytes)), "Damaged", "it is padded"),
        (&left_over, "Damaged", "its last character has left-over bits that are not zero"),
        (&checked(&[&[1, 4], &body[2..]].concat()), "Damaged", "its scope length is one too small"),
        (&checked(&[&[1, 64], &[b'a'; 64][..], &[7; 32]].concat()), "Damaged", "scope of 64 bytes"),
        (&with_scope(b"\xff\xfe"), "Damaged", "its scope is not UTF-8"),
        (&with_scope(b"Mail."), "BadScope", "its scope has an upper-case letter"),
        (&with_scope(b"a b"), "BadScope", "its scope has a space"),
        (&with_scope("\u{1b}[2J".as_bytes()), "BadScope", "its scope drives a terminal"),
        (&with_scope(b"-mail."), "BadScope", "its scope begins with a hyphen: no id does"),
        (&with_scope(b"."), "BadScope", "its scope begins with a dot: no id does"),
    ];
    cases.map(|(token, reason, why)| json!({"token": token, "reason": reason, "why": why})).into()
}

pub(crate) fn check(file: &Value) -> usize {
    for id in list(&file["ids"]["valid"]) {
        AgentName::new(str(id)).unwrap();
    }
    for id in list(&file["ids"]["invalid"]) {
        AgentName::new(str(id)).unwrap_err();
    }
    for case in list(&file["scopes"]) {
        let covers = TokenScope::new(str(&case["scope"])).unwrap().covers(str(&case["agent"]));
        assert_eq!(case["covers"], covers, "{case}");
    }
    for case in list(&file["derived"]) {
        let epoch = KeyEpoch(case["epoch"].as_u64().unwrap() as u8);
        let key = MasterKey::new(key32(&case["master"])).scope_key(epoch, str(&case["scope"]));
        assert_eq!(key.as_bytes(), &key32(&case["scope_key"]));
        let key = ScopeKey::new(key32(&case["scope_key"]));
        let agent = str(&case["agent"]);
        assert_eq!(key.agent_key_bytes(Direction::Up, agent), key32(&case["up"]));
        assert_eq!(key.agent_key_bytes(Direction::Down, agent), key32(&case["down"]));
    }
    for case in list(&file["tokens"]) {
        let token = Token::decode(str(&case["token"])).unwrap();
        assert_eq!(case["epoch"], token.epoch.0);
        assert_eq!(case["scope"], token.scope.as_str());
        assert_eq!(token.key.as_bytes(), &key32(&case["scope_key"]));
        assert_eq!(token.encode(), str(&case["token"]).trim());
    }
    for case in list(&file["refused_tokens"]) {
        let reason = match Token::decode(str(&case["token"])).unwrap_err() {
            TokenError::NotAToken => "NotAToken",
            TokenError::Damaged => "Damaged",
            TokenError::BadScope(_) => "BadScope",
        };
        assert_eq!(case["reason"], reason, "{case}");
    }
    ["scopes", "derived", "tokens", "refused_tokens"]
        .map(|part| list(&file[part]).len())
        .iter()
        .sum()
}
