//! The mail outbox: messages waiting, what became of each recipient, whose turn it is at a domain.

use std::time::Duration;

use domain::mail::{MailState, RecipientState};
use domain::{CorrelationId, MailId};
use jiff::Timestamp;
use postgres_types::Json;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, Tx, queries, row};

/// One recipient of a message and where the message stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailRecipient {
    /// The name; absent for a bare address.
    pub name: Option<String>,
    /// The address.
    pub email: String,
    /// Where it stands.
    pub state: RecipientState,
    /// The relay's last answer about it.
    pub reply_code: Option<u16>,
}

/// What is common to the messages of one group of recipients.
#[derive(Clone, Debug)]
pub struct MailText<'a> {
    /// What sort of mail, such as `ticket`.
    pub kind: &'a str,
    /// The kind of thing it is about, such as `ticket`.
    pub subject_kind: &'a str,
    /// The thing.
    pub subject_id: Uuid,
    /// What it tells; the same cause is mailed about once for each kind.
    pub cause_id: Uuid,
    /// When that happened.
    pub at: Timestamp,
    /// One line.
    pub subject: &'a str,
    /// As plain text.
    pub text: &'a str,
    /// As HTML.
    pub html: &'a str,
    /// Whether the body stays when the mail has ended.
    pub body_kept: bool,
    /// What started it.
    pub correlation_id: CorrelationId,
}

/// One message: recipients of one domain.
#[derive(Clone, Debug, Serialize)]
pub struct Envelope {
    /// The message's id.
    pub id: MailId,
    /// Which message of those to this domain.
    pub part: i16,
    /// The domain.
    pub domain: String,
    /// The recipients.
    pub recipients: Vec<MailRecipient>,
}

/// A message of the outbox.
#[derive(Clone, Debug)]
pub struct OutboxMail {
    /// What sort of mail.
    pub kind: String,
    /// The kind of thing it is about.
    pub subject_kind: String,
    /// The thing.
    pub subject_id: Uuid,
    /// What it tells.
    pub cause_id: Uuid,
    /// The domain of every recipient.
    pub domain: String,
    /// The recipients.
    pub recipients: Json<Vec<MailRecipient>>,
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text_body: String,
    /// As HTML.
    pub html_body: String,
    /// Whether the body stays when the mail has ended.
    pub body_kept: bool,
    /// Where it stands.
    pub state: MailState,
    /// Whether its turn at the domain has come; none when it has none yet.
    pub turn_is_due: Option<bool>,
    /// What started it.
    pub correlation_id: CorrelationId,
}

/// A message's turn at its domain.
#[derive(Clone, Copy, Debug)]
pub struct MailTurn {
    /// When.
    pub turn_at: Timestamp,
    /// Whether that has come.
    pub is_due: bool,
}

/// How fast a domain is mailed to.
#[derive(Clone, Copy, Debug)]
pub struct DomainRate {
    /// Between two messages when many wait.
    pub interval: Duration,
    /// For how long messages not sent before are made up for at once.
    pub burst: Duration,
}

/// What each attempt says of the sender.
#[derive(Clone, Debug)]
pub struct MailSender {
    /// Whom the message comes from.
    pub sender: String,
    /// Where answers go.
    pub reply_to: Option<String>,
}

/// Where one of the messages about a cause stands.
#[derive(Clone, Debug)]
pub struct MailOfCause {
    /// The message.
    pub id: MailId,
    /// Where it stands.
    pub state: MailState,
    /// Its recipients.
    pub recipients: Json<Vec<MailRecipient>>,
}

/// What an attempt led to.
#[derive(Clone, Debug)]
pub struct MailStanding<'a> {
    /// The message.
    pub id: MailId,
    /// When its cause happened.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: MailState,
    /// Where its recipients stand.
    pub recipients: Vec<MailRecipient>,
    /// The relay's last answer about the whole.
    pub reply_code: Option<i16>,
    /// The same in words.
    pub reason: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

/// An address the relay refused.
#[derive(Clone, Debug)]
pub struct Bounce<'a> {
    /// The address.
    pub email: &'a str,
    /// The message it was to get.
    pub mail_id: MailId,
    /// The relay's answer.
    pub reply_code: Option<i16>,
    /// The same in words.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
    /// Until when the address is not mailed.
    pub until: Timestamp,
}

/// An address that is not mailed, or for which refusals are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BouncedAddress {
    /// The address.
    pub email: String,
    /// The relay's last answer.
    pub reply_code: Option<i16>,
    /// The same in words.
    pub reason: String,
    /// When that was.
    pub bounced_at: Timestamp,
    /// Days in a row with a refusal that does not say why.
    pub refusal_days: i32,
    /// Until when it is not mailed; none while days are counted only.
    pub suppressed_until: Option<Timestamp>,
}

row! { OutboxMail {
    kind, subject_kind, subject_id, cause_id, domain, recipients, subject, text_body, html_body, body_kept, state,
    turn_is_due, correlation_id
} }
row! { BouncedAddress { email, reply_code, reason, bounced_at, refusal_days, suppressed_until } }
row! { MailTurn { turn_at, is_due } }
row! { MailSender { sender, reply_to } }
row! { MailOfCause { id, state, recipients } }

queries! {
    /// Writes the messages that are not there, and answers with them.
    POST: (Json<Vec<serde_json::Value>>, Timestamp, String, String, Uuid, Uuid, String, String, String, bool, CorrelationId) => MailId = "
        insert into mail (id, part, domain, recipients, created_at, kind, subject_kind, subject_id, cause_id, subject,
                          text_body, html_body, body_kept, correlation_id)
        select envelope.id, envelope.part, envelope.domain, envelope.recipients, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11
          from jsonb_to_recordset($1) as envelope (id uuid, part smallint, domain text, recipients jsonb)
         order by envelope.id
        on conflict (client_id, cause_id, kind, domain, part, created_at) do nothing
        returning id";
    /// One message.
    GET: (MailId, Timestamp) => OutboxMail = "
        select kind, subject_kind, subject_id, cause_id, domain, recipients, subject, text_body, html_body, body_kept,
               state, turn_at <= clock_timestamp() as turn_is_due, correlation_id
          from mail
         where id = $1
           and created_at = $2";
    /// Those of the given addresses that are not to be mailed.
    SUPPRESSED: (Vec<String>,) => String = "
        select mail_bounce.email
          from unnest($1::text[]) as given (email)
          join mail_bounce on mail_bounce.email = given.email
         where mail_bounce.suppressed_until > now()";
    /// Takes the client's next turn at a domain: after its own last one, and not before the domain is free.
    RESERVE: (String, f64, f64) => MailTurn = "
        insert into mail_turn as turn (domain, free_at)
        select $1, greatest(clock_timestamp() - make_interval(secs => $3),
                            (select mail_domain.free_at from mail_domain where mail_domain.domain = $1))
                   + make_interval(secs => $2)
        on conflict (client_id, domain) do update
           set free_at = greatest(turn.free_at, excluded.free_at - make_interval(secs => $2)) + make_interval(secs => $2)
        returning turn.free_at - make_interval(secs => $2) as turn_at,
                  turn.free_at - make_interval(secs => $2) <= clock_timestamp() as is_due";
    /// Counts one message to a domain, unless its limit is reached. Writers wait for each other, so the count is exact.
    COUNT_DOMAIN: (String, f64, f64) => Timestamp = "
        insert into mail_domain as bucket (domain, free_at)
        values ($1, clock_timestamp() - make_interval(secs => $3) + make_interval(secs => $2))
        on conflict (domain) do update
           set free_at = greatest(bucket.free_at, clock_timestamp() - make_interval(secs => $3))
                         + make_interval(secs => $2)
         where bucket.free_at <= clock_timestamp()
        returning bucket.free_at";
    /// Notes a message's turn and answers how many milliseconds are left until then.
    DELAY: (MailId, Timestamp, Timestamp) => i64 = "
        update mail
           set turn_at = $3
         where id = $1
           and created_at = $2
        returning coalesce(ceil(extract(epoch from turn_at - clock_timestamp()) * 1000)::bigint, 0)";
    /// How many milliseconds are left until a message's turn.
    LEFT_UNTIL_TURN: (MailId, Timestamp) => i64 = "
        select coalesce(ceil(extract(epoch from turn_at - clock_timestamp()) * 1000)::bigint, 0)
          from mail
         where id = $1
           and created_at = $2";
    /// Begins an attempt: its number, its recipients, and the sender the first attempt chose.
    BEGIN: (MailId, Timestamp, Json<Vec<MailRecipient>>, String, Option<String>, Timestamp) => MailSender = "
        update mail
           set attempts = attempts + 1, state = 'QUEUED', turn_at = null, tried_at = $6, recipients = $3,
               reply_to = case when sender is null then $5 else reply_to end, sender = coalesce(sender, $4)
         where id = $1
           and created_at = $2
        returning coalesce(sender, $4) as sender, reply_to";
    /// Every message about a cause; whoever settles one of them waits for the others.
    LOCK_CAUSE: (Uuid, String, Timestamp) => MailOfCause = "
        select id, state, recipients
          from mail
         where cause_id = $1
           and kind = $2
           and created_at = $3
         order by id
           for update";
    /// Notes what an attempt led to. The body of a mail that has ended goes unless it is to be kept.
    SETTLE: (MailId, Timestamp, MailState, Json<Vec<MailRecipient>>, Option<i16>, Option<String>, Timestamp) => () = "
        update mail
           set state = $3, recipients = $4, reply_code = $5, reason = $6,
               sent_at = case when $3::text = 'SENT' then coalesce(sent_at, $7) else sent_at end,
               text_body = case when body_kept or $3::text = 'QUEUED' then text_body else '' end,
               html_body = case when body_kept or $3::text = 'QUEUED' then html_body else '' end
         where id = $1
           and created_at = $2";
    /// Notes that an address is gone.
    BOUNCE: (String, MailId, Option<i16>, String, Timestamp, Timestamp) => () = "
        insert into mail_bounce (email, mail_id, reply_code, reason, bounced_at, suppressed_until)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (client_id, email) do update
           set mail_id = excluded.mail_id, reply_code = excluded.reply_code, reason = excluded.reason, refusal_days = 0,
               bounced_at = excluded.bounced_at, suppressed_until = excluded.suppressed_until";
    /// Counts the days on which an address was refused without a reason; enough of them make it gone.
    COUNT_REFUSAL: (String, MailId, Option<i16>, String, Timestamp, Timestamp, i32) => bool = "
        insert into mail_bounce as bounce
               (email, mail_id, reply_code, reason, bounced_at, refusal_days, suppressed_until)
        values ($1, $2, $3, $4, $5, 1, case when $7 <= 1 then $6::timestamptz end)
        on conflict (client_id, email) do update
           set mail_id = excluded.mail_id, reply_code = excluded.reply_code, reason = excluded.reason,
               bounced_at = excluded.bounced_at,
               refusal_days = case when bounce.refusal_days > 0
                                    and (bounce.bounced_at at time zone 'UTC')::date
                                        = (excluded.bounced_at at time zone 'UTC')::date
                                   then bounce.refusal_days else bounce.refusal_days + 1 end,
               suppressed_until = case when bounce.refusal_days >= $7
                                         or bounce.refusal_days + 1 >= $7
                                            and (bounce.refusal_days = 0
                                                 or (bounce.bounced_at at time zone 'UTC')::date
                                                    <> (excluded.bounced_at at time zone 'UTC')::date)
                                       then $6::timestamptz else bounce.suppressed_until end
        returning coalesce(bounce.suppressed_until > $5, false)";
    /// Begins the count anew for addresses that a mail was taken for.
    FORGET_REFUSALS: (Vec<String>,) => () = "
        update mail_bounce
           set refusal_days = 0
         where email = any ($1)
           and refusal_days > 0";
    /// Lets an address be mailed again.
    LIFT: (String,) => () = "
        update mail_bounce
           set suppressed_until = now(), refusal_days = 0
         where email = $1
           and suppressed_until > now()";
    /// Addresses that are not mailed, and those for which refusals are counted; the latest first.
    BOUNCES: (i64,) => BouncedAddress = "
        select email, reply_code, reason, bounced_at, refusal_days, suppressed_until
          from mail_bounce
         where suppressed_until > now() or refusal_days > 0
         order by bounced_at desc, email
         limit $1";
    /// Ends mails with a secret that no live task of a kind sends any more, and empties them; over all clients.
    END_SECRETS: (String, String) => i64 = "
        select end_secret_mails($1, $2)";
    /// Removes what is kept for a time only, some at a time, from a transaction of no tenant.
    CLEAN_UP: (i32, i32) => i64 = "
        select clean_up_mail($1, $2)";
}

impl DomainRate {
    fn seconds(self) -> (f64, f64) {
        (self.interval.as_secs_f64(), self.burst.as_secs_f64())
    }
}

impl Tx {
    /// Writes the messages of one group of recipients; answers with those that were not there.
    pub async fn post_mail(&self, text: &MailText<'_>, envelopes: &[Envelope]) -> Result<Vec<MailId>, Error> {
        let envelopes: Vec<serde_json::Value> = envelopes
            .iter()
            .map(|envelope| {
                serde_json::json!({
                    "id": envelope.id,
                    "part": envelope.part,
                    "domain": envelope.domain,
                    "recipients": envelope.recipients,
                })
            })
            .collect();
        let columns = (
            Json(envelopes),
            text.at,
            text.kind,
            text.subject_kind,
            text.subject_id,
            text.cause_id,
            text.subject,
            text.text,
            text.html,
            text.body_kept,
            text.correlation_id,
        );
        self.all(&POST, columns).await
    }

    /// Reads a message.
    pub async fn outbox_mail(&self, id: MailId, created_at: Timestamp) -> Result<Option<OutboxMail>, Error> {
        self.opt(&GET, (id, created_at)).await
    }

    /// Reads which of the given addresses are not to be mailed.
    pub async fn suppressed_addresses(&self, emails: Vec<String>) -> Result<Vec<String>, Error> {
        self.all(&SUPPRESSED, (emails,)).await
    }

    /// Takes the client's next turn at a domain.
    pub async fn reserve_mail_turn(&self, domain: &str, rate: DomainRate) -> Result<MailTurn, Error> {
        let (interval, burst) = rate.seconds();
        self.one(&RESERVE, (domain, interval, burst)).await
    }

    /// Counts one message to a domain; false when its limit is reached. Holds the domain until the transaction ends.
    pub async fn count_mail_to_domain(&self, domain: &str, rate: DomainRate) -> Result<bool, Error> {
        let (interval, burst) = rate.seconds();
        Ok(self.opt(&COUNT_DOMAIN, (domain, interval, burst)).await?.is_some())
    }

    /// Notes a message's turn; answers how many milliseconds are left until then.
    pub async fn delay_mail(
        &self,
        id: MailId,
        created_at: Timestamp,
        turn_at: Timestamp,
    ) -> Result<i64, Error> {
        self.one(&DELAY, (id, created_at, turn_at)).await
    }

    /// How many milliseconds are left until a message's turn.
    pub async fn left_until_mail_turn(&self, id: MailId, created_at: Timestamp) -> Result<i64, Error> {
        self.one(&LEFT_UNTIL_TURN, (id, created_at)).await
    }

    /// Begins an attempt at a message; answers with the sender the first attempt chose.
    pub async fn begin_mail(
        &self,
        (id, created_at): (MailId, Timestamp),
        recipients: &[MailRecipient],
        from: &MailSender,
        now: Timestamp,
    ) -> Result<MailSender, Error> {
        let columns =
            (id, created_at, Json(recipients.to_vec()), &from.sender, from.reply_to.as_deref(), now);
        self.one(&BEGIN, columns).await
    }

    /// Reads every message about a cause, and keeps others from settling one of them until the transaction ends.
    pub async fn lock_mails_of_cause(
        &self,
        cause: Uuid,
        kind: &str,
        created_at: Timestamp,
    ) -> Result<Vec<MailOfCause>, Error> {
        self.all(&LOCK_CAUSE, (cause, kind, created_at)).await
    }

    /// Notes what an attempt led to.
    pub async fn settle_mail(&self, standing: &MailStanding<'_>) -> Result<(), Error> {
        let columns = (
            standing.id,
            standing.created_at,
            standing.state,
            Json(standing.recipients.clone()),
            standing.reply_code,
            standing.reason,
            standing.at,
        );
        self.execute_one(&SETTLE, columns).await
    }

    /// Notes that an address was refused for good, and until when it is not mailed.
    pub async fn note_bounce(&self, bounce: &Bounce<'_>) -> Result<(), Error> {
        let columns =
            (bounce.email, bounce.mail_id, bounce.reply_code, bounce.reason, bounce.at, bounce.until);
        self.execute_one(&BOUNCE, columns).await
    }

    /// Counts a refusal without a reason, of which so many days make an address gone; answers whether it is now.
    pub async fn count_refusal(&self, bounce: &Bounce<'_>, days_max: i32) -> Result<bool, Error> {
        let columns = (
            bounce.email,
            bounce.mail_id,
            bounce.reply_code,
            bounce.reason,
            bounce.at,
            bounce.until,
            days_max,
        );
        self.one(&COUNT_REFUSAL, columns).await
    }

    /// Begins the count of refusals anew for addresses that a mail was taken for.
    pub async fn forget_refusals(&self, emails: Vec<String>) -> Result<u64, Error> {
        self.execute(&FORGET_REFUSALS, (emails,)).await
    }

    /// Reads which addresses are not mailed or refused lately, the latest first.
    pub async fn bounced_addresses(&self, limit: i64) -> Result<Vec<BouncedAddress>, Error> {
        self.all(&BOUNCES, (limit,)).await
    }

    /// Ends mails with a secret for which no task of a kind is live, over all clients; answers how many.
    pub async fn end_secret_mails(&self, kind: &str, reason: &str) -> Result<i64, Error> {
        self.one(&END_SECRETS, (kind, reason)).await
    }

    /// Removes what is kept for a time only, at most `limit` of each table; fewer mean that none are left.
    pub async fn clean_up_mail(&self, days: i32, limit: i32) -> Result<i64, Error> {
        self.one(&CLEAN_UP, (days, limit)).await
    }

    /// Lets an address be mailed again; answers whether it was not.
    pub async fn lift_bounce(&self, email: &str) -> Result<bool, Error> {
        Ok(self.execute(&LIFT, (email,)).await? > 0)
    }
}
