//! Telling the people who operate the installation what they should look at.

use domain::Actor;
use jiff::Timestamp;
use store::Store;
use uuid::Uuid;

use crate::Error;
use crate::mail::Letter;
use crate::outbox::{self, Body, NewMail};

/// Something operators should look at.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What found it; the same finding is told once.
    pub cause_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// In words.
    pub letter: Letter,
}

/// Posts a notice to the operators among the people of the actor's client; answers how many messages that makes.
///
/// # Errors
/// Those of the store.
pub async fn tell(store: &Store, actor: &Actor, notice: &Notice) -> Result<usize, Error> {
    let posted = store.run_tx(actor, "tell_operators", |tx| async move {
        let mail = NewMail {
            kind: "notice",
            about: ("task", notice.cause_id),
            cause_id: notice.cause_id,
            at: notice.at,
            to: tx.operators().await?,
            subject: notice.letter.subject.clone(),
            text: notice.letter.text.clone(),
            html: notice.letter.html.clone(),
            body: Body::Kept,
        };
        outbox::post(&tx, actor, &mail).await
    });
    Ok(posted.await?)
}
