//! `heartline token`: the collector makes, revokes and lists tokens, so that its master key stays
//! with it.

use heartline_operator::client::{Client, ClientError};
use heartline_operator::message::{Reply, Request, TokenInfo, TokenReply, TokenRequest};
use heartline_operator::{json, text};
use heartline_protocol::{AgentName, TokenScope};

use crate::args::{ScopeArgs, TokenArgs, TokenCommand, TokenRevokeArgs};
use crate::console::Console;
use crate::error::{CliError, CommandExit};
use crate::settings::Settings;
use crate::table::{self, TableColumn};

/// Runs the command.
pub(crate) async fn run(
    args: TokenArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    match args.command {
        None => make(&args.scope, settings, console).await,
        Some(TokenCommand::Revoke(args)) => revoke(&args, settings, console).await,
        Some(TokenCommand::Reinstate(args)) => {
            let scope = named_scope(&args.scope)?;
            let client = settings.connect_with_control().await?;
            let request = TokenRequest::Reinstate { scope: scope.clone() };
            let whose = described(&scope);
            console.say(&match ask(&client, request).await? {
                TokenReply::Done => format!("reinstated: the token for {whose}"),
                TokenReply::Unchanged => {
                    format!("nothing to do: the token for {whose} was not revoked")
                }
                _ => return Err(ClientError::Unexpected { what: "token" }.into()),
            });
            Ok(CommandExit::Success)
        }
        Some(TokenCommand::List(args)) => {
            let client = settings.connect_with_control().await?;
            let TokenReply::List(tokens) = ask(&client, TokenRequest::List).await? else {
                return Err(ClientError::Unexpected { what: "token" }.into());
            };
            match args.json {
                true => console.print(&json::pretty(&json::tokens(&tokens)))?,
                false => console.print(&list(&tokens))?,
            }
            Ok(CommandExit::Success)
        }
    }
}

async fn make(
    args: &ScopeArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let scope = scope(args)?.unwrap_or_default();
    let client = settings.connect_with_control().await?;
    let TokenReply::Made { token } =
        ask(&client, TokenRequest::Make { scope: scope.clone() }).await?
    else {
        return Err(ClientError::Unexpected { what: "token" }.into());
    };
    console.print(&token)?;
    console.say(&format!("It speaks for {}: give it to the agent as HEARTLINE_TOKEN, or in a file named by HEARTLINE_TOKEN_FILE.", described(&scope)));
    Ok(CommandExit::Success)
}

async fn revoke(
    args: &TokenRevokeArgs,
    settings: &Settings,
    console: &mut Console,
) -> Result<CommandExit, CliError> {
    let scope = named_scope(&args.scope)?;
    if args.reason.trim().is_empty() {
        return Err(CliError::Usage("--reason: a revocation needs a reason".to_owned()));
    }
    let client = settings.connect_with_control().await?;
    if !args.yes {
        if !console.terminal.is_interactive {
            return Err(CliError::Usage("there is no terminal to ask at: pass --yes".to_owned()));
        }
        console.say(&format!(
            "Everything signed with the token for {} will be refused: agents that use it become \
             unreachable.",
            described(&scope)
        ));
        if console.ask("Type revoke to go on: ")?.as_deref() != Some("revoke") {
            return Err(CliError::NotDone("nothing was done".to_owned()));
        }
    }
    let request = TokenRequest::Revoke { scope: scope.clone(), reason: args.reason.clone() };
    done(&ask(&client, request).await?)?;
    console.say(&format!("revoked: the token for {}", described(&scope)));
    Ok(CommandExit::Success)
}

async fn ask(client: &Client, request: TokenRequest) -> Result<TokenReply, CliError> {
    match client.request(Request::Token(request)).await? {
        Reply::Token(reply) => Ok(reply),
        _ => Err(ClientError::Unexpected { what: "token" }.into()),
    }
}

fn done(reply: &TokenReply) -> Result<(), CliError> {
    match reply {
        TokenReply::Done => Ok(()),
        _ => Err(ClientError::Unexpected { what: "token" }.into()),
    }
}

/// Parses the scope of the arguments.
fn scope(args: &ScopeArgs) -> Result<Option<String>, CliError> {
    if let Some(agent) = &args.agent {
        let name = AgentName::new(agent)
            .map_err(|error| CliError::Usage(format!("--agent {agent:?}: {error}")))?;
        // `SPEC.md`, section 2: as a scope, such an id is a prefix.
        if agent.ends_with('.') {
            return Err(CliError::Usage(format!(
                "--agent {agent:?}: the token of an id that ends in a dot would speak for every \
                 agent below it; give the agent an id without the dot, or pass --scope {agent:?} \
                 if all of them are meant"
            )));
        }
        return Ok(Some(name.as_str().to_owned()));
    }
    let Some(text) = &args.scope else { return Ok(None) };
    let checked = TokenScope::new(text)
        .map_err(|error| CliError::Usage(format!("--scope {text:?}: {error}")))?;
    if !text.is_empty() && !text.ends_with('.') {
        return Err(CliError::Usage(format!(
            "--scope {text:?}: a prefix ends in a dot, as \"{text}.\"; for one agent pass --agent"
        )));
    }
    Ok(Some(checked.as_str().to_owned()))
}

/// Parses a scope that is required: leaving out a word must not revoke the whole fleet.
fn named_scope(args: &ScopeArgs) -> Result<String, CliError> {
    scope(args)?.ok_or_else(|| {
        CliError::Usage(
            "pass --agent NAME, --scope PREFIX, or --scope '' for the whole fleet".to_owned(),
        )
    })
}

fn described(scope: &str) -> String {
    match scope {
        "" => "the whole fleet".to_owned(),
        prefix if prefix.ends_with('.') => format!("every agent below {prefix}"),
        agent => format!("the agent {agent} alone"),
    }
}

fn list(tokens: &[TokenInfo]) -> String {
    const COLUMNS: [TableColumn; 6] = [
        TableColumn::left("SPEAKS FOR", 0),
        TableColumn::right("EPOCH", 0),
        TableColumn::left("MADE", 0),
        TableColumn::left("BY", 0),
        TableColumn::left("REVOKED", 0),
        TableColumn::left("WHY", 0),
    ];
    let none = || "-".to_owned();
    let row = |token: &TokenInfo| {
        vec![
            described(&token.scope),
            token.epoch.to_string(),
            token.made_ms.map_or_else(none, text::timestamp),
            token.made_by.clone().unwrap_or_else(none),
            token.revoked_ms.map_or_else(none, text::timestamp),
            token.revoked_reason.clone().unwrap_or_else(none),
        ]
    };
    table::draw(&COLUMNS, tokens.iter().map(row), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scope: Option<&str>, agent: Option<&str>) -> Result<Option<String>, String> {
        let args = ScopeArgs { scope: scope.map(Into::into), agent: agent.map(Into::into) };
        super::scope(&args).map_err(|error| error.to_string())
    }

    #[test]
    fn a_prefix_ends_in_a_dot_and_an_agent_is_an_id() {
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(Some(""), None), Ok(Some(String::new())));
        assert_eq!(of(Some("mail."), None), Ok(Some("mail.".into())));
        assert_eq!(of(None, Some("mail")), Ok(Some("mail".into())));
        assert!(of(Some("mail"), None).unwrap_err().contains("\"mail.\""));
        for refused in ["Mail", "", "mail 3", ".", "-rf", &"a".repeat(64)] {
            assert!(of(None, Some(refused)).unwrap_err().contains("--agent"), "{refused}");
        }
    }

    #[test]
    fn the_token_of_one_agent_is_never_that_of_a_group() {
        let error = of(None, Some("mail.")).unwrap_err();
        assert!(error.contains("every agent below") && error.contains("--scope"), "{error}");
    }

    #[test]
    fn the_whole_fleet_is_not_revoked_by_leaving_a_word_out() {
        assert!(named_scope(&ScopeArgs::default()).is_err());
    }
}
