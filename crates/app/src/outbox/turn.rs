//! Whose turn it is at a domain.
//!
//! Each client has turns of its own at every domain, one interval apart; when a turn comes, the message is counted at the
//! domain, whose limit holds over all clients. So a client with a hundred thousand messages waits behind itself, not
//! before others: at most one of its messages asks for each place. A message that finds the domain full takes the
//! client's next turn; messages of one client to one domain have no order.

use std::time::Duration;

use store::Tx;
use store::outbox::{DomainRate, OutboxMail};

use super::SendMail;

/// Takes a message's turn; answers how long it has to wait when that has not come. The domain's row is locked last, and
/// until the transaction ends.
pub(super) async fn take(
    tx: &Tx,
    mail: SendMail,
    found: &OutboxMail,
    rate: DomainRate,
) -> Result<Option<Duration>, store::Error> {
    let key = (mail.mail_id, mail.created_at);
    if found.turn_is_due == Some(false) {
        return Ok(Some(pause(tx.left_until_mail_turn(key.0, key.1).await?)));
    }
    if found.turn_is_due.is_none() {
        let turn = tx.reserve_mail_turn(&found.domain, rate).await?;
        if !turn.is_due {
            return Ok(Some(pause(tx.delay_mail(key.0, key.1, turn.turn_at).await?)));
        }
    }
    if tx.count_mail_to_domain(&found.domain, rate).await? {
        return Ok(None);
    }
    let next = tx.reserve_mail_turn(&found.domain, rate).await?;
    Ok(Some(pause(tx.delay_mail(key.0, key.1, next.turn_at).await?)))
}

/// A millisecond at least: a turn that comes while it is asked for is taken the next time.
fn pause(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0).max(1))
}
