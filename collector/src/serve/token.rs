//! Tokens: made, revoked and listed here, so that nobody else handles the master key.

use heartline_operator::message::{ErrorCode, TokenInfo, TokenReply, TokenRequest};
use heartline_protocol::TokenScope;

use super::ServerContext;
use super::answer::{OperatorIdentity, RequestError, scrubbed};
use crate::clock;
use crate::driver::DriverRequest;
use crate::store::{TokenChange, TokenChangeKind};

/// Answers a question about tokens.
pub async fn answer(
    request: TokenRequest,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<TokenReply, RequestError> {
    match request {
        TokenRequest::Make { scope } => {
            let scope = check(&scope)?;
            let Some(token) = context.keys.token(&scope) else { return Err(bad_scope(&scope)) };
            if revoked_epochs(&scope, context).await?.contains(&token.epoch.0) {
                let message = format!(
                    "\"{scope}\" is revoked, and its token would be refused: take that back with \
                     `heartline token reinstate`, or use another scope"
                );
                return Err((ErrorCode::BadRequest, message));
            }
            change(TokenChangeKind::Made, token.epoch.0, &scope, operator, context).await?;
            Ok(TokenReply::Made { token: token.encode() })
        }
        TokenRequest::Revoke { scope, reason } => {
            let scope = check(&scope)?;
            for epoch in epochs(context) {
                let kind = TokenChangeKind::Revoked { reason: scrubbed(&reason) };
                change(kind, epoch, &scope, operator, context).await?;
                let scope = scope.as_str().into();
                context.driver.send(DriverRequest::Revoked { epoch, scope, is_revoked: true });
            }
            Ok(TokenReply::Done)
        }
        TokenRequest::Reinstate { scope } => {
            let scope = check(&scope)?;
            let revoked = revoked_epochs(&scope, context).await?;
            for &epoch in &revoked {
                change(TokenChangeKind::Reinstated, epoch, &scope, operator, context).await?;
                let scope = scope.as_str().into();
                context.driver.send(DriverRequest::Revoked { epoch, scope, is_revoked: false });
            }
            Ok(if revoked.is_empty() { TokenReply::Unchanged } else { TokenReply::Done })
        }
        TokenRequest::List => list(context).await.map(TokenReply::List),
    }
}

async fn list(context: &ServerContext) -> Result<Vec<TokenInfo>, RequestError> {
    let read = context.readers.read(crate::store::StoreReader::tokens).await;
    read.map_err(|error| (ErrorCode::Unavailable, format!("tokens can't be listed: {error}")))
}

/// The master keys for which exactly this scope is revoked.
async fn revoked_epochs(scope: &str, context: &ServerContext) -> Result<Vec<u8>, RequestError> {
    let is_it = |token: &&TokenInfo| token.scope == scope && token.revoked_ms.is_some();
    Ok(list(context).await?.iter().filter(is_it).map(|token| token.epoch).collect())
}

fn check(scope: &str) -> Result<String, RequestError> {
    TokenScope::new(scope).map(|scope| scope.as_str().to_owned()).map_err(|_| bad_scope(scope))
}

fn bad_scope(scope: &str) -> RequestError {
    let message = format!(
        "\"{}\" is not a scope: expected an agent id, a prefix of ids that ends in a dot, or nothing \
         for the whole fleet",
        scrubbed(scope)
    );
    (ErrorCode::BadRequest, message)
}

fn epochs(context: &ServerContext) -> Vec<u8> {
    context.keys.masters.iter().map(|(epoch, _)| epoch.0).collect()
}

/// Stores a change; returns once it is on disk.
async fn change(
    kind: TokenChangeKind,
    epoch: u8,
    scope: &str,
    operator: &OperatorIdentity,
    context: &ServerContext,
) -> Result<(), RequestError> {
    let change = TokenChange {
        kind,
        scope: scope.to_owned(),
        epoch,
        at_ms: clock::wall_ms(),
        by: operator.name.clone(),
    };
    let stored = context.store.change_token(change).await;
    stored.map_err(|error| (ErrorCode::Unavailable, error.to_string()))
}
