//! Random bytes for what every request needs a few of.

use std::cell::RefCell;

use aws_lc_rs::error::Unspecified;
use domain::CorrelationId;
use uuid::Builder;

use crate::Clock;

/// Bytes that are made at once: making few costs as much as making many.
const BYTES: usize = 512;

thread_local! {
    /// Bytes that were made and not given out, from the end.
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; BYTES], left: 0 }) };
}

struct Pool {
    bytes: [u8; BYTES],
    left: usize,
}

/// Fills an array with random bytes, good enough for keys. Each byte is given out once and forgotten here.
///
/// # Errors
/// When the system gives none.
pub fn random<const COUNT: usize>() -> Result<[u8; COUNT], Unspecified> {
    let mut given = [0; COUNT];
    POOL.with_borrow_mut(|pool| {
        if COUNT > pool.left {
            aws_lc_rs::rand::fill(&mut pool.bytes)?;
            pool.left = BYTES;
        }
        let Some(start) = pool.left.checked_sub(COUNT) else {
            return aws_lc_rs::rand::fill(&mut given);
        };
        let taken = pool.bytes.get_mut(start..pool.left).ok_or(Unspecified)?;
        given.copy_from_slice(taken);
        taken.fill(0);
        pool.left = start;
        Ok(())
    })?;
    Ok(given)
}

/// A new correlation id, time-ordered like all ids.
pub(crate) fn correlation_id() -> CorrelationId {
    let now = u64::try_from(Clock::system().now().as_millisecond());
    match (now, random::<10>()) {
        (Ok(now), Ok(random)) => {
            CorrelationId::from_uuid(Builder::from_unix_timestamp_millis(now, &random).into_uuid())
        }
        (Err(_), _) | (_, Err(_)) => CorrelationId::generate(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_out_twice() {
        let given: BTreeSet<[u8; 18]> = (0..2000).map(|_| random().unwrap()).collect();
        assert_eq!(given.len(), 2000);
        let large: [u8; 2 * BYTES] = random().unwrap();
        assert!(large.chunks(18).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }

    #[test]
    fn correlation_ids_are_ordered_by_time_and_differ() {
        let ids: Vec<_> = (0..100).map(|_| correlation_id()).collect();
        assert_eq!(ids.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len(), 100);
        assert!(ids.iter().all(|id| id.as_uuid().get_version_num() == 7));
    }
}
