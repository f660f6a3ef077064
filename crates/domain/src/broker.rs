//! What an account of the broker may do: the one place that says it, for password files and for brokers that ask.

use crate::text::Code;

/// Who signs in at the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// A device of a client: publishes its readings, reads the answers to them and what it is to do.
    Device {
        /// The client's code.
        client: Code,
        /// The device's code.
        device: Code,
    },
    /// The bridge: reads every device's readings, answers each, tells devices what to do and others what happened.
    Bridge,
    /// The health service: may sign in, and nothing else.
    Health,
}

/// What an account wants with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Receive what is published on a topic.
    Read,
    /// Publish on a topic.
    Write,
    /// Subscribe to a filter, which may have wildcards.
    Subscribe,
}

/// One line of what an account may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// [`Access::Read`] (and to subscribe) or [`Access::Write`].
    pub access: Access,
    /// The filter of topics.
    pub filter: String,
}

impl Account {
    /// Everything an account may do.
    pub fn grants(&self) -> Vec<Grant> {
        let read = |filter: String| Grant { access: Access::Read, filter };
        let write = |filter: String| Grant { access: Access::Write, filter };
        match self {
            Self::Device { client, device } => vec![
                write(format!("yt/v1/{client}/{device}/telemetry")),
                read(format!("yt/v1/{client}/{device}/ack")),
                read(format!("yt/v1/{client}/{device}/cmd/#")),
            ],
            Self::Bridge => vec![
                read("yt/v1/+/+/telemetry".to_owned()),
                write("yt/v1/+/+/ack".to_owned()),
                write("yt/v1/+/+/cmd/#".to_owned()),
                write("yt/v1/+/.feed/#".to_owned()),
            ],
            Self::Health => vec![],
        }
    }
}

/// Whether an account may do something with a topic. What is not granted is refused.
pub fn may(account: &Account, access: Access, topic: &str) -> bool {
    let granted_as = match access {
        Access::Read | Access::Subscribe => Access::Read,
        Access::Write => Access::Write,
    };
    let is_asked_well = !topic.contains('\0') && (access == Access::Subscribe || !topic.contains(['+', '#']));
    is_asked_well
        && account.grants().iter().any(|grant| {
            grant.access == granted_as
                && covers(&grant.filter, topic.strip_prefix("$share/").map_or(topic, shared))
        })
}

/// The filter behind the name of a shared subscription.
fn shared(rest: &str) -> &str {
    rest.split_once('/').map_or("", |(_group, filter)| filter)
}

/// Whether every topic that `asked` means is one that `granted` means. `asked` may be a topic or a filter.
fn covers(granted: &str, asked: &str) -> bool {
    let mut asked_levels = asked.split('/');
    for level in granted.split('/') {
        if level == "#" {
            return asked_levels.all(|rest| !rest.is_empty());
        }
        let Some(asked_level) = asked_levels.next() else { return false };
        let is_covered = match level {
            // No device can be called `.feed`.
            "+" => !asked_level.is_empty() && asked_level != "#" && asked_level != ".feed",
            literal => literal == asked_level,
        };
        if !is_covered {
            return false;
        }
    }
    asked_levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn device(client: &str, device: &str) -> Account {
        Account::Device { client: Code::parse(client).unwrap(), device: Code::parse(device).unwrap() }
    }

    #[test]
    fn a_device_writes_readings_and_reads_answers_and_commands() {
        let pump = device("ACME", "PUMP-1");
        assert!(may(&pump, Access::Write, "yt/v1/ACME/PUMP-1/telemetry"));
        for topic in ["yt/v1/ACME/PUMP-1/ack", "yt/v1/ACME/PUMP-1/cmd/restart", "yt/v1/ACME/PUMP-1/cmd/a/b"] {
            assert!(may(&pump, Access::Read, topic) && may(&pump, Access::Subscribe, topic), "{topic}");
            assert!(!may(&pump, Access::Write, topic), "{topic}");
        }
        assert!(may(&pump, Access::Subscribe, "yt/v1/ACME/PUMP-1/cmd/#"));
        assert!(!may(&pump, Access::Read, "yt/v1/ACME/PUMP-1/telemetry"));
    }

    #[test]
    fn a_filter_wider_than_the_grant_is_refused() {
        let pump = device("ACME", "PUMP-1");
        for filter in [
            "#",
            "+/+/+/+/ack",
            "yt/v1/ACME/+/ack",
            "yt/v1/ACME/#",
            "yt/v1/ACME/PUMP-1/#",
            "yt/v1/ACME/PUMP-1/+",
            "yt/v1/ACME/PUMP-1",
            "yt/v1/ACME/PUMP-1/ack/#",
            "$SYS/#",
            "$share/group/yt/v1/ACME/+/ack",
            "$share/group",
            "",
        ] {
            assert!(!may(&pump, Access::Subscribe, filter), "{filter}");
        }
        assert!(may(&pump, Access::Subscribe, "$share/group/yt/v1/ACME/PUMP-1/ack"));
    }

    #[test]
    fn nobody_publishes_to_a_filter() {
        for topic in ["yt/v1/ACME/+/ack", "yt/v1/ACME/PUMP-1/cmd/#", "yt/v1/ACME/PUMP-1/ack\0"] {
            assert!(!may(&Account::Bridge, Access::Write, topic), "{topic}");
        }
    }

    #[test]
    fn the_bridge_answers_everybody_and_health_nobody() {
        assert!(may(&Account::Bridge, Access::Subscribe, "yt/v1/+/+/telemetry"));
        assert!(may(&Account::Bridge, Access::Write, "yt/v1/ACME/.feed/ticket"));
        assert!(!may(&Account::Bridge, Access::Write, "yt/v1/ACME/PUMP-1/telemetry"));
        assert!(!may(&Account::Health, Access::Read, "yt/v1/ACME/PUMP-1/ack"));
        assert!(!may(&Account::Health, Access::Subscribe, "#"));
    }

    /// Whether a topic is among those a filter means, as MQTT 5 (4.7) has it.
    fn matches(filter: &str, topic: &str) -> bool {
        let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
        loop {
            match (filter.next(), topic.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(_)) => {}
                (Some(wanted), Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
    }

    /// Codes that begin alike, and what could be taken for a part of a topic.
    fn codes() -> impl Strategy<Value = String> {
        prop_oneof![
            "[AB]{1,3}",
            "[A-Za-z0-9_-]{1,8}",
            prop::sample::select(vec!["cmd", "ack", "telemetry", "yt", "v1"]).prop_map(str::to_owned),
        ]
    }

    /// Topics of two devices and what lies near them, with wildcards in any place.
    fn filter_near(names: [String; 4]) -> impl Strategy<Value = String> {
        let [a, b, c, d] = names;
        let level = prop::sample::select(
            [&a, &b, &c, &d, "yt", "v1", "+", "#", "ack", "cmd", "telemetry", ".feed", "", "$share", "x"]
                .map(str::to_owned)
                .to_vec(),
        );
        prop::collection::vec(level, 1..8).prop_map(|levels| levels.join("/"))
    }

    proptest! {
        #[test]
        fn no_device_reaches_a_topic_of_another(
            (names, asked) in prop::array::uniform4(codes()).prop_flat_map(|names| (Just(names.clone()), filter_near(names))),
            below in "[a-z]{1,4}",
        ) {
            let [client, own, other_client, other] = &names;
            prop_assume!((client, own) != (other_client, other));
            let account = device(client, own);
            let theirs = ["telemetry".to_owned(), "ack".to_owned(), "cmd".to_owned(), format!("cmd/{below}")]
                .map(|kind| format!("yt/v1/{other_client}/{other}/{kind}"));
            for topic in theirs {
                prop_assert!(!may(&account, Access::Write, &topic), "{} writes {}", own, topic);
                prop_assert!(!may(&account, Access::Read, &topic), "{} reads {}", own, topic);
                let bare = asked.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
                let meant = bare.map_or(asked.as_str(), |(_group, filter)| filter);
                prop_assert!(
                    !(matches(meant, &topic) && may(&account, Access::Subscribe, &asked)),
                    "{} hears {} by {}", own, topic, asked
                );
            }
        }

        #[test]
        fn no_device_reaches_what_is_not_under_its_own_name(
            level in prop::collection::vec("[A-Za-z0-9+#.$-]{0,6}", 1..7),
            write in any::<bool>(),
        ) {
            let topic = level.join("/");
            let pump = device("ACME", "PUMP-1");
            let access = if write { Access::Write } else { Access::Subscribe };
            prop_assert!(!may(&pump, access, &topic) || topic.starts_with("yt/v1/ACME/PUMP-1/"), "{}", topic);
        }
    }
}
