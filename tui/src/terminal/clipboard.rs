//! Copying: into tmux, where the app runs in it, and else to the terminal.
//!
//! By default tmux does not pass on what a program sends to the clipboard (OSC 52), and says nothing.
//! `tmux load-buffer -w` keeps the text in a buffer and sends it to the clipboard itself.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

/// How long tmux may take.
const TMUX_TIMEOUT: Duration = Duration::from_secs(3);

/// Where copied text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clipboard {
    Tmux,
    Terminal,
}

/// What became of a text that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CopyOutcome {
    /// tmux has it.
    InTmux,
    /// It is for the terminal, which does not say whether it took it.
    ForTerminal,
    /// tmux did not take it, so that it is for the terminal.
    Refused(String),
}

impl Clipboard {
    /// Returns the clipboard of the terminal that this process runs in.
    pub(crate) fn of_environment() -> Self {
        match std::env::var_os("TMUX") {
            Some(socket) if !socket.is_empty() => Self::Tmux,
            _ => Self::Terminal,
        }
    }

    /// Hands text to tmux, if this is its clipboard.
    pub(crate) async fn copy(self, text: &str) -> CopyOutcome {
        match self {
            Self::Terminal => CopyOutcome::ForTerminal,
            Self::Tmux => match timeout(TMUX_TIMEOUT, load_buffer(text)).await {
                Ok(Ok(())) => CopyOutcome::InTmux,
                Ok(Err(error)) => CopyOutcome::Refused(error.to_string()),
                Err(_) => CopyOutcome::Refused("it does not answer".to_owned()),
            },
        }
    }
}

/// Returns the sequence that asks a terminal to put text on its user's clipboard, also over ssh
/// (OSC 52).
pub(crate) fn osc_52(text: &str) -> Vec<u8> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    format!("\x1b]52;c;{encoded}\x07").into_bytes()
}

async fn load_buffer(text: &str) -> io::Result<()> {
    let mut tmux = Command::new("tmux");
    tmux.args(["load-buffer", "-w", "-"]).kill_on_drop(true);
    tmux.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut tmux = tmux.spawn()?;
    if let Some(mut input) = tmux.stdin.take() {
        input.write_all(text.as_bytes()).await?;
    }
    let output = tmux.wait_with_output().await?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(why.trim().to_owned()))
}
