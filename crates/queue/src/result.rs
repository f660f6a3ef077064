//! What handlers answered, kept for a while.

use serde::Serialize;
use serde_json::Value;
use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::{Error, Failure};

/// How long the JSON of a result is at most; PostgreSQL's own form of it may be several times that.
pub const RESULT_BYTES_MAX: usize = 128 * 1024;

const RESULT: &str = "-- queue::result
select result
  from task_history
 where id = $1 and result is not null and (result_until is null or result_until > now())
 order by finished_at desc
 limit 1";

/// Answers what the handler of a finished task answered: none when it failed, kept nothing, or its time is over.
///
/// # Errors
/// [`Error::Postgres`].
pub async fn result<C>(client: &C, id: Uuid) -> Result<Option<Value>, Error>
where
    C: GenericClient + Sync,
{
    let rows = client.query_typed(RESULT, &[(&id, Type::UUID)]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

/// A handler's answer as it can be kept; `()` keeps nothing.
///
/// What PostgreSQL would refuse ends the task here: refused later, it would be done again for nothing.
pub(crate) fn kept(answer: &impl Serialize) -> Result<Option<Value>, Failure> {
    let value = serde_json::to_value(answer).map_err(Failure::permanent)?;
    if value.is_null() {
        return Ok(None);
    }
    let bytes = value.to_string().len();
    if bytes > RESULT_BYTES_MAX {
        return Err(Failure::permanent(format!(
            "the result has {bytes} bytes, at most {RESULT_BYTES_MAX} are kept"
        )));
    }
    if holds_nul(&value) {
        return Err(Failure::permanent("the result holds the character U+0000, which PostgreSQL refuses"));
    }
    Ok(Some(value))
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_is_kept_of_a_handler_that_answers_nothing() {
        assert_eq!(kept(&()).unwrap(), None);
        assert_eq!(kept(&None::<u8>).unwrap(), None);
        assert_eq!(kept(&7).unwrap(), Some(json!(7)));
    }

    #[test]
    fn results_that_postgresql_would_refuse_are_refused_before() {
        assert!(kept(&"x".repeat(RESULT_BYTES_MAX - 2)).is_ok());
        assert!(kept(&"x".repeat(RESULT_BYTES_MAX)).is_err());
        assert!(kept(&json!({"a": ["b\0"]})).is_err());
        assert!(kept(&json!({"a\0": 1})).is_err());
        assert!(kept(&"a literal \\u0000 is text like any other").is_ok());
    }
}
