//! The bell and the notification of the terminal.

use serde::{Deserialize, Serialize};

use crate::text::strip_unsafe;

/// What the notification calls this program.
const TITLE: &str = "Heartline";

/// How the terminal is asked to show a notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum NotifySequence {
    Off,
    /// OSC 9: iTerm2, kitty, WezTerm, Ghostty and others.
    #[default]
    Osc9,
    /// OSC 777: urxvt, foot and others.
    Osc777,
}

/// A name that no way of notification has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected off, osc9 or osc777, found {0:?}")]
pub struct ParseNotifyError(String);

/// What is done when a notice comes for a sink of type `bell`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BellSettings {
    /// The terminal beeps, or does what it does instead.
    pub rings: bool,
    pub notify: NotifySequence,
    pub passthrough: Passthrough,
}

/// How a notification comes to the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Passthrough {
    #[default]
    Direct,
    /// tmux passes it on, as `allow-passthrough` of its configuration allows.
    Tmux,
    /// tmux or a console that takes none lies in between.
    Blocked,
}

impl NotifySequence {
    const NAMES: [(Self, &str); 3] =
        [(Self::Off, "off"), (Self::Osc9, "osc9"), (Self::Osc777, "osc777")];
}

impl TryFrom<String> for NotifySequence {
    type Error = ParseNotifyError;

    fn try_from(name: String) -> Result<Self, ParseNotifyError> {
        let named = Self::NAMES.iter().find(|(_, known)| *known == name);
        named.map(|(sequence, _)| *sequence).ok_or(ParseNotifyError(name))
    }
}

impl From<NotifySequence> for &'static str {
    fn from(sequence: NotifySequence) -> Self {
        let named = NotifySequence::NAMES.iter().find(|(known, _)| *known == sequence);
        named.map_or("off", |(_, name)| name)
    }
}

impl Passthrough {
    /// Returns how a notification comes to the terminal of this process. `through_tmux`: tmux is asked to pass it on.
    pub(crate) fn of_environment(through_tmux: bool) -> Self {
        let is_in_tmux = std::env::var_os("TMUX").is_some_and(|socket| !socket.is_empty());
        // The Linux console shows what it does not know.
        let is_console = std::env::var_os("TERM").is_some_and(|term| term == "linux");
        match (is_in_tmux, is_console) {
            (true, _) if through_tmux => Self::Tmux,
            (true, _) | (_, true) => Self::Blocked,
            (false, false) => Self::Direct,
        }
    }
}

impl BellSettings {
    /// Returns whether anything is done at all.
    pub(crate) fn is_on(self) -> bool {
        let notifies =
            self.notify != NotifySequence::Off && self.passthrough != Passthrough::Blocked;
        self.rings || notifies
    }

    /// Returns what makes the terminal ring, and show a text.
    pub(crate) fn sequences(self, text: &str) -> Vec<u8> {
        let text = strip_unsafe(text);
        // ST and not BEL ends it, as BEL alone rings. A text that begins with a number and a semicolon would be
        // another command of OSC 9.
        let sequence = match self.notify {
            NotifySequence::Off => String::new(),
            NotifySequence::Osc9 => format!("\x1b]9;{TITLE}: {text}\x1b\\"),
            // A semicolon would begin another field.
            NotifySequence::Osc777 => {
                format!("\x1b]777;notify;{TITLE};{}\x1b\\", text.replace(';', ","))
            }
        };
        let mut bytes = match self.passthrough {
            _ if sequence.is_empty() => String::new(),
            Passthrough::Direct => sequence,
            Passthrough::Tmux => {
                format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
            }
            Passthrough::Blocked => String::new(),
        };
        if self.rings {
            bytes.push('\x07');
        }
        bytes.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(notify: NotifySequence, passthrough: Passthrough, text: &str) -> String {
        let settings = BellSettings { rings: true, notify, passthrough };
        String::from_utf8(settings.sequences(text)).unwrap()
    }

    #[test]
    fn a_terminal_gets_a_notification_and_a_bell() {
        use NotifySequence::{Off, Osc9, Osc777};
        use Passthrough::{Blocked, Direct, Tmux};
        let text = "m3; down";
        for (notify, passthrough, expected) in [
            (Off, Direct, "\x07"),
            (Osc9, Direct, "\x1b]9;Heartline: m3; down\x1b\\\x07"),
            (Osc777, Direct, "\x1b]777;notify;Heartline;m3, down\x1b\\\x07"),
            (Osc9, Tmux, "\x1bPtmux;\x1b\x1b]9;Heartline: m3; down\x1b\x1b\\\x1b\\\x07"),
            (Osc9, Blocked, "\x07"),
        ] {
            assert_eq!(sequences(notify, passthrough, text), expected);
        }
        assert_eq!(
            BellSettings { notify: Osc9, ..BellSettings::default() }.sequences("x").last(),
            Some(&b'\\')
        );
        assert!(!BellSettings { notify: Off, ..BellSettings::default() }.is_on());
    }

    #[test]
    fn no_text_ends_the_sequence_or_begins_another() {
        let hostile = "a\x1b\\\x07\x1b]52;c;eA==\x07\u{9c}\u{90}b\n";
        let sent = sequences(NotifySequence::Osc9, Passthrough::Direct, hostile);
        assert_eq!(sent, "\x1b]9;Heartline: a\\]52;c;eA==b\x1b\\\x07");
    }
}
