//! The bell: attached terminal apps ring, or nobody does.
//!
//! It is never tried again: who comes later sees on the screen what goes on, and a bell for what was is a false alarm.

use heartline_operator::message::BELL_TEXT_MAX;

use crate::Outcome;
use crate::text::clean_to;

/// What reaches the terminal apps that are attached.
pub trait Bell: Send + Sync {
    /// Has them ring with a line of text, and returns how many are told. Does not wait for them.
    fn ring(&self, text: &str) -> usize;
}

/// Rings, and says at how many apps. Where there is none nobody was told, and the notice is refused.
pub(crate) fn ring(bell: Option<&dyn Bell>, title: &str) -> Outcome {
    let apps = bell.map_or(0, |bell| bell.ring(&clean_to(title, BELL_TEXT_MAX)));
    let delivered = |answer: String| Outcome::Delivered { answer, pause: None };
    match apps {
        0 => Outcome::MessageRefused { why: "nobody attached: no terminal app rang".to_owned() },
        1 => delivered("1 terminal app rang".to_owned()),
        apps => delivered(format!("{apps} terminal apps rang")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Apps {
        count: usize,
        heard: Mutex<Vec<String>>,
    }

    impl Bell for Apps {
        fn ring(&self, text: &str) -> usize {
            self.heard.lock().unwrap().push(text.to_owned());
            self.count
        }
    }

    #[test]
    fn apps_are_told_a_clean_line_and_without_apps_nobody_is() {
        let apps = |count| Apps { count, heard: Mutex::default() };
        let two = apps(2);
        let rang = ring(Some(&two), "mail.7:\u{7}\u{1b}]0;x\ndown");
        let answer = "2 terminal apps rang".to_owned();
        assert_eq!(rang, Outcome::Delivered { answer, pause: None });
        assert_eq!(*two.heard.lock().unwrap(), ["mail.7:\u{fffd}\u{fffd}]0;x down"]);
        ring(Some(&two), &"x".repeat(1_000));
        assert_eq!(two.heard.lock().unwrap()[1].chars().count(), BELL_TEXT_MAX);
        for nobody in [ring(Some(&apps(0)), "x"), ring(None, "x")] {
            assert!(matches!(&nobody, Outcome::MessageRefused { why } if why.contains("nobody")));
        }
    }
}
