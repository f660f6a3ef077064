//! Times as people at the client read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The client's time zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// UTC, for pages of nobody in particular.
    pub(crate) const UTC: Self = Self(TimeZone::UTC);

    /// The zone of an IANA name; UTC, as the page says, when the name is unknown.
    pub(crate) fn named(name: &str) -> Self {
        match TimeZone::get(name) {
            Ok(zone) => Self(zone),
            Err(error) => {
                tracing::warn!(time_zone = name, error.chain = error.to_string(), "unknown time zone");
                Self::UTC
            }
        }
    }

    /// What the zone is called.
    pub(crate) fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// A moment in this zone, to the second.
    pub(crate) fn show_exactly(&self, at: &Timestamp) -> String {
        at.to_zoned(self.0.clone()).strftime("%-d %b %Y, %H:%M:%S").to_string()
    }

    /// A moment in this zone.
    pub(crate) fn show(&self, at: &Timestamp) -> String {
        at.to_zoned(self.0.clone()).strftime("%-d %b %Y, %H:%M").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_on_the_clocks_of_the_client() {
        let at: Timestamp = "2030-01-31T20:05:00Z".parse().unwrap();
        assert_eq!(Zone::named("Asia/Kolkata").show(&at), "1 Feb 2030, 01:35");
        assert_eq!(Zone::UTC.show_exactly(&at), "31 Jan 2030, 20:05:00");
        assert_eq!(Zone::named("Atlantis/Capital").show(&at), "31 Jan 2030, 20:05");
        assert_eq!(Zone::named("Atlantis/Capital").name(), "UTC");
    }
}
