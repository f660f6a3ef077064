//! Readings of devices and the rules that turn them into alarms.

use jiff::{SignedDuration, Timestamp};

use crate::id::{AlarmRuleId, DeviceId, GroupId, MessageId, PersonId, SiteId};
use crate::text::{Code, is_code};
use crate::ticket::{TicketDescription, TicketPriority, TicketTitle};
use crate::{text_enum, text_value};

text_value! {
    /// What a reading measures, such as `temperature`.
    Metric, is_code, "name a metric with 1 to 50 letters, digits, `-` or `_`"
}

text_enum! {
    /// On which side of its limit a reading breaks a rule.
    Comparison {
        /// Above the limit.
        Above = "ABOVE",
        /// Below the limit.
        Below = "BELOW",
    }
}

/// How far a device's clock may lie in the past before the server's time is used instead.
pub const OLDEST_READING: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How far a device's clock may lie in the future before the server's time is used instead.
pub const NEWEST_READING: SignedDuration = SignedDuration::from_hours(24);

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Which device measured.
    pub device_id: DeviceId,
    /// The message that carried it; the same on every transmission.
    pub message_id: MessageId,
    /// What was measured.
    pub metric: Metric,
    /// The value, finite.
    pub value: f64,
    /// When the device says it measured, clipped by [`clip_measured_at`].
    pub measured_at: Timestamp,
    /// When the message arrived.
    pub received_at: Timestamp,
}

/// A threshold on one metric of one device.
#[derive(Clone, Debug, PartialEq)]
pub struct AlarmRule {
    /// Its id.
    pub id: AlarmRuleId,
    /// The device it watches.
    pub device_id: DeviceId,
    /// The device's code, for titles.
    pub device_code: Code,
    /// Where the device stands.
    pub site_id: SiteId,
    /// The metric it watches.
    pub metric: Metric,
    /// On which side.
    pub comparison: Comparison,
    /// The limit.
    pub threshold: f64,
    /// Priority of the ticket it raises.
    pub priority: TicketPriority,
    /// Who gets the ticket.
    pub assignee_id: Option<PersonId>,
    /// Which group gets the ticket.
    pub group_id: Option<GroupId>,
}

impl AlarmRule {
    /// Whether a reading breaks this rule.
    pub fn is_broken_by(&self, reading: &Reading) -> bool {
        self.device_id == reading.device_id
            && self.metric == reading.metric
            && match self.comparison {
                Comparison::Above => reading.value > self.threshold,
                Comparison::Below => reading.value < self.threshold,
            }
    }

    /// What the ticket is about, in one line.
    ///
    /// # Panics
    /// Never: codes and numbers have no line breaks.
    pub fn title(&self) -> TicketTitle {
        let text = format!("{}: {} {} {}", self.device_code, self.metric, self.side(), self.threshold);
        let line: String = text.chars().take(200).collect();
        TicketTitle::parse(&line).expect("codes and numbers have no line breaks")
    }

    /// Why a reading raised an alarm, as a sentence.
    ///
    /// # Panics
    /// Never: two codes, two numbers and a time fit.
    pub fn explain(&self, reading: &Reading) -> TicketDescription {
        let text = format!(
            "{} of {} was {} at {}, {} its limit of {}",
            self.metric,
            self.device_code,
            reading.value,
            reading.measured_at,
            self.side(),
            self.threshold
        );
        TicketDescription::parse(&text).expect("two codes, two numbers and a time fit into 4,000 characters")
    }

    fn side(&self) -> &'static str {
        match self.comparison {
            Comparison::Above => "above",
            Comparison::Below => "below",
        }
    }
}

/// The time a reading is filed under: the device's, unless its clock is out of the accepted range.
pub fn clip_measured_at(sent_at: Timestamp, received_at: Timestamp) -> Timestamp {
    let age = received_at.duration_since(sent_at);
    if age > OLDEST_READING || -age > NEWEST_READING { received_at } else { sent_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(comparison: Comparison) -> AlarmRule {
        AlarmRule {
            id: AlarmRuleId::generate(),
            device_id: DeviceId::generate(),
            device_code: Code::parse("PUMP-1").unwrap(),
            site_id: SiteId::generate(),
            metric: Metric::parse("temperature").unwrap(),
            comparison,
            threshold: 70.0,
            priority: TicketPriority::High,
            assignee_id: None,
            group_id: None,
        }
    }

    fn reading(rule: &AlarmRule, value: f64) -> Reading {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        Reading {
            device_id: rule.device_id,
            message_id: MessageId::generate(),
            metric: rule.metric.clone(),
            value,
            measured_at: now,
            received_at: now,
        }
    }

    #[test]
    fn a_reading_at_the_limit_does_not_break_a_rule() {
        let above = rule(Comparison::Above);
        assert!(!above.is_broken_by(&reading(&above, 70.0)));
        assert!(above.is_broken_by(&reading(&above, 70.1)));
        let below = rule(Comparison::Below);
        assert!(!below.is_broken_by(&reading(&below, 70.0)));
        assert!(below.is_broken_by(&reading(&below, 69.9)));
    }

    #[test]
    fn the_longest_numbers_still_make_a_title() {
        let rule = AlarmRule { threshold: f64::MIN, ..rule(Comparison::Below) };
        assert_eq!(rule.title().as_str().len(), 200);
        assert!(rule.explain(&reading(&rule, f64::MIN_POSITIVE)).as_str().ends_with("000"));
    }

    #[test]
    fn another_devices_reading_breaks_nothing() {
        let rule = rule(Comparison::Above);
        let mut other = reading(&rule, 99.0);
        other.device_id = DeviceId::generate();
        assert!(!rule.is_broken_by(&other));
    }

    #[test]
    fn a_clock_far_off_is_replaced_by_the_servers() {
        let received: Timestamp = "2030-06-01T00:00:00Z".parse().unwrap();
        let minute_ago = received - SignedDuration::from_mins(1);
        assert_eq!(clip_measured_at(minute_ago, received), minute_ago);
        let last_century: Timestamp = "1970-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(clip_measured_at(last_century, received), received);
        let next_week = received + SignedDuration::from_hours(24 * 7);
        assert_eq!(clip_measured_at(next_week, received), received);
    }
}
