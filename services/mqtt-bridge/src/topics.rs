//! The topics of devices.

use domain::text::Code;

/// What the bridge subscribes to: every device's readings, shared among the replicas.
pub(crate) const TELEMETRY_FILTER: &str = "$share/youtility/yt/v1/+/+/telemetry";

/// A device as its topics name it. The broker has checked that the device may use them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address {
    /// The client's code.
    pub(crate) client: Code,
    /// The device's code within the client.
    pub(crate) device: Code,
}

impl Address {
    /// Reads the address from a telemetry topic.
    pub(crate) fn parse(topic: &str) -> Option<Self> {
        let (client, device) = topic.strip_prefix("yt/v1/")?.strip_suffix("/telemetry")?.split_once('/')?;
        Some(Self { client: exact_code(client)?, device: exact_code(device)? })
    }

    /// Where the device hears what became of its messages.
    pub(crate) fn answer_topic(&self) -> String {
        format!("yt/v1/{}/{}/ack", self.client, self.device)
    }
}

/// A level of a topic as a code; blanks around it, which `parse` drops, make another topic.
fn exact_code(level: &str) -> Option<Code> {
    Code::parse(level).ok().filter(|code| code.as_str() == level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telemetry_topic_names_its_device() {
        let address = Address::parse("yt/v1/ACME/PUMP-1/telemetry").unwrap();
        assert_eq!((address.client.as_str(), address.device.as_str()), ("ACME", "PUMP-1"));
        assert_eq!(address.answer_topic(), "yt/v1/ACME/PUMP-1/ack");
    }

    #[test]
    fn other_topics_name_nobody() {
        for topic in [
            "",
            "yt/v1/ACME/PUMP-1/ack",
            "yt/v1/ACME/telemetry",
            "yt/v2/ACME/PUMP-1/telemetry",
            "yt/v1/ACME/PUMP-1/x/telemetry",
            "yt/v1//PUMP-1/telemetry",
            "yt/v1/ACME/PUMP 1/telemetry",
            "yt/v1/ACME/PUMP-1 /telemetry",
        ] {
            assert_eq!(Address::parse(topic), None, "{topic}");
        }
    }
}
