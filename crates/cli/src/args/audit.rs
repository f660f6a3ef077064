//! Arguments of `youtility audit`.

use clap::{Args, Subcommand};
use store::trail::Head;

use super::tasks::QueuePlace;

/// Commands on the audit trail.
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Follows the chain over the trails and says what was changed, taken out or put in; fails when anything was.
    Verify(VerifyOptions),
    /// Prints the latest lines of a client's trail.
    List(ListOptions),
}

/// Options of `audit verify`.
#[derive(Args)]
pub(crate) struct VerifyOptions {
    /// Where the trail is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// Only the client of this code.
    #[arg(long, value_name = "CODE")]
    pub(crate) client: Option<String>,
    /// An end of the client's chain that an earlier look printed: it must still be part of the chain.
    #[arg(long, value_name = "NUMBER:HASH", requires = "client", value_parser = parse_head)]
    pub(crate) head: Option<Head>,
}

/// Options of `audit list`.
#[derive(Args)]
pub(crate) struct ListOptions {
    /// Where the trail is.
    #[command(flatten)]
    pub(crate) place: QueuePlace,
    /// The client's code.
    #[arg(long, value_name = "CODE")]
    pub(crate) client: String,
    /// Lines at most.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u16,
}

fn parse_head(text: &str) -> Result<Head, String> {
    let (seq, hash) = text.split_once(':').ok_or("write NUMBER:HASH as `audit verify` prints it")?;
    let seq = seq.parse().map_err(|_not_a_number| format!("`{seq}` is no number"))?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash {
        Ok(Head { seq, hash: hash.to_ascii_lowercase() })
    } else {
        Err("a hash has 64 hexadecimal digits".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_typed_as_it_is_printed() {
        let hash = "0F".repeat(32);
        let head = parse_head(&format!("12:{hash}")).unwrap();
        assert_eq!((head.seq, head.hash), (12, "0f".repeat(32)));
        for wrong in ["12", "x:00", &format!("12:{}", "g".repeat(64)), "12:00"] {
            assert!(parse_head(wrong).is_err(), "{wrong}");
        }
    }
}
