//! Topics under which the product speaks: to a client's devices, and to who listens for what happens at a client.

use std::fmt;

use crate::text::Code;

/// Bytes of a topic at most.
const BYTES_MAX: usize = 500;

/// Levels of a topic at most.
const LEVELS_MAX: usize = 10;

/// A topic of one client that the product may publish to.
///
/// `yt/v1/{client}/{device}/cmd/…` says what a device is to do, `yt/v1/{client}/.feed/…` what happened at the client. No
/// device can be called `.feed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingTopic(String);

/// Why a text is no topic to publish to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicRefused {
    /// It is another client's, or nobody's.
    #[error("the topic is not under yt/v1/{{client}}/")]
    Foreign,
    /// It is for a device to write, or no topic of ours.
    #[error("a topic to publish to is {{device}}/cmd/… or .feed/…")]
    Direction,
    /// It is too long or deep, or has an empty level, a wildcard or a character nobody can read.
    #[error("levels of a topic are short, readable and without `+` and `#`")]
    Level,
}

impl OutgoingTopic {
    /// Takes a topic that belongs to the client of the code.
    ///
    /// # Errors
    /// [`TopicRefused`] says what is wrong with it.
    pub fn parse(client: &Code, topic: &str) -> Result<Self, TopicRefused> {
        let own = topic.strip_prefix("yt/v1/").and_then(|rest| rest.split_once('/'));
        let (owner, below) = own.ok_or(TopicRefused::Foreign)?;
        if owner != client.as_str() {
            return Err(TopicRefused::Foreign);
        }
        let levels: Vec<&str> = below.split('/').collect();
        if topic.len() > BYTES_MAX || levels.len() > LEVELS_MAX || !levels.iter().all(|level| is_level(level))
        {
            return Err(TopicRefused::Level);
        }
        match levels.as_slice() {
            [".feed", _, ..] => Ok(Self(topic.to_owned())),
            [device, "cmd", _, ..] if crate::text::is_code(device) => Ok(Self(topic.to_owned())),
            _ => Err(TopicRefused::Direction),
        }
    }

    /// The topic on which a device of a client hears one kind of command.
    pub fn command(client: &Code, device: &Code, command: &Code) -> Self {
        Self(format!("yt/v1/{client}/{device}/cmd/{command}"))
    }

    /// The topic under which one kind of event of a client is told.
    pub fn feed(client: &Code, event: &Code) -> Self {
        Self(format!("yt/v1/{client}/.feed/{event}"))
    }

    /// Whether it tells a device what to do.
    pub fn is_command(&self) -> bool {
        let mut levels = self.0.split('/').skip(3);
        levels.next() != Some(".feed") && levels.next() == Some("cmd")
    }

    /// The topic as the broker takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OutgoingTopic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_level(level: &str) -> bool {
    !level.is_empty() && !level.chars().any(|letter| letter.is_control() || "+#".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        Code::parse(text).unwrap()
    }

    fn parse(topic: &str) -> Result<OutgoingTopic, TopicRefused> {
        OutgoingTopic::parse(&code("ACME"), topic)
    }

    #[test]
    fn what_is_made_from_codes_reads_back() {
        for topic in [
            OutgoingTopic::command(&code("ACME"), &code("PUMP-1"), &code("restart")),
            OutgoingTopic::feed(&code("ACME"), &code("ticket")),
        ] {
            assert_eq!(parse(topic.as_str()), Ok(topic));
        }
    }

    #[test]
    fn what_a_device_is_to_do_is_a_command_and_what_happened_is_none() {
        let is_command = |topic| parse(topic).unwrap().is_command();
        assert!(is_command("yt/v1/ACME/PUMP-1/cmd/run"));
        assert!(!is_command("yt/v1/ACME/.feed/ticket") && !is_command("yt/v1/ACME/.feed/cmd/run"));
    }

    #[test]
    fn another_clients_topic_is_foreign() {
        for topic in [
            "yt/v1/OTHER/PUMP-1/cmd/restart",
            "yt/v1/ACME",
            "yt/v1/ACMEX/.feed/a",
            "$SYS/a",
            "",
            "yt/v1//a/cmd/b",
        ] {
            assert_eq!(parse(topic), Err(TopicRefused::Foreign), "{topic}");
        }
    }

    #[test]
    fn what_devices_write_is_not_for_us_to_write() {
        for topic in [
            "yt/v1/ACME/PUMP-1/telemetry",
            "yt/v1/ACME/PUMP-1/ack",
            "yt/v1/ACME/PUMP-1/cmd",
            "yt/v1/ACME/.feed",
            "yt/v1/ACME/PUMP 1/cmd/restart",
            "yt/v1/ACME/.other/cmd/restart",
        ] {
            assert_eq!(parse(topic), Err(TopicRefused::Direction), "{topic}");
        }
    }

    #[test]
    fn wildcards_empty_levels_and_control_characters_are_refused() {
        let long = format!("yt/v1/ACME/.feed/{}", "a".repeat(500));
        let deep = format!("yt/v1/ACME/.feed{}", "/a".repeat(10));
        for topic in [
            "yt/v1/ACME/+/cmd/restart",
            "yt/v1/ACME/.feed/#",
            "yt/v1/ACME//cmd/a",
            "yt/v1/ACME/.feed/\0",
            &long,
            &deep,
        ] {
            assert_eq!(parse(topic), Err(TopicRefused::Level), "{topic}");
        }
    }
}
