//! Tokens: made, revoked and listed here, so that nobody else handles the master key.

use heartline_operator::message::{ErrorCode, TokenInfo, TokenReply, TokenRequest};
use heartline_protocol::Scope;

use super::ServerContext;
use super::answer::{Operator, Refusal, clean};
use crate::clock;
use crate::driver::DriverRequest;
use crate::store::{TokenChange, TokenChangeKind};

/// Answers a question about tokens.
pub async fn answer(
    request: TokenRequest,
    operator: &Operator,
    world: &ServerContext,
) -> Result<TokenReply, Refusal> {
    match request {
        TokenRequest::Make { scope } => {
            let scope = check(&scope)?;
            let Some(token) = world.keys.token(&scope) else { return Err(bad_scope(&scope)) };
            if revoked_epochs(&scope, world).await?.contains(&token.epoch.0) {
                let message = format!(
                    "\"{scope}\" is revoked, and its token would be refused: take that back with \
                     `heartline token reinstate`, or use another scope"
                );
                return Err((ErrorCode::BadRequest, message));
            }
            change(TokenChangeKind::Made, token.epoch.0, &scope, operator, world).await?;
            Ok(TokenReply::Made { token: token.encode() })
        }
        TokenRequest::Revoke { scope, reason } => {
            let scope = check(&scope)?;
            for epoch in epochs(world) {
                let kind = TokenChangeKind::Revoked { reason: clean(&reason) };
                change(kind, epoch, &scope, operator, world).await?;
                tell(world, epoch, &scope, Revoked::Yes);
            }
            Ok(TokenReply::Done)
        }
        TokenRequest::Reinstate { scope } => {
            let scope = check(&scope)?;
            let revoked = revoked_epochs(&scope, world).await?;
            for &epoch in &revoked {
                change(TokenChangeKind::Reinstated, epoch, &scope, operator, world).await?;
                tell(world, epoch, &scope, Revoked::No);
            }
            Ok(if revoked.is_empty() { TokenReply::Unchanged } else { TokenReply::Done })
        }
        TokenRequest::List => list(world).await.map(TokenReply::List),
    }
}

async fn list(world: &ServerContext) -> Result<Vec<TokenInfo>, Refusal> {
    let read = world.readers.read(crate::store::Reader::tokens).await;
    read.map_err(|error| (ErrorCode::Unavailable, format!("tokens can't be listed: {error}")))
}

/// The master keys for which exactly this scope is revoked.
async fn revoked_epochs(scope: &str, world: &ServerContext) -> Result<Vec<u8>, Refusal> {
    let is_it = |token: &&TokenInfo| token.scope == scope && token.revoked_ms.is_some();
    Ok(list(world).await?.iter().filter(is_it).map(|token| token.epoch).collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Revoked {
    Yes,
    No,
}

fn check(scope: &str) -> Result<String, Refusal> {
    Scope::new(scope).map(|scope| scope.as_str().to_owned()).map_err(|_| bad_scope(scope))
}

fn bad_scope(scope: &str) -> Refusal {
    let message = format!(
        "\"{}\" is no scope: expected an agent id, a prefix of ids that ends in a dot, or nothing \
         for the whole fleet",
        clean(scope)
    );
    (ErrorCode::BadRequest, message)
}

fn epochs(world: &ServerContext) -> Vec<u8> {
    world.keys.masters.iter().map(|(epoch, _)| epoch.0).collect()
}

fn tell(world: &ServerContext, epoch: u8, scope: &str, revoked: Revoked) {
    let is_revoked = revoked == Revoked::Yes;
    world.mailbox.send(DriverRequest::Revoked { epoch, scope: scope.into(), is_revoked });
}

/// Stores a change; returns once it is on disk.
async fn change(
    kind: TokenChangeKind,
    epoch: u8,
    scope: &str,
    operator: &Operator,
    world: &ServerContext,
) -> Result<(), Refusal> {
    let change = TokenChange {
        kind,
        scope: scope.to_owned(),
        epoch,
        at_ms: clock::wall_ms(),
        by: operator.name.clone(),
    };
    let stored = world.store.change_token(change).await;
    stored.map_err(|error| (ErrorCode::Unavailable, error.to_string()))
}
