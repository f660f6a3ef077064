//! What a mail about a ticket says.

use anyhow::{Context, Result};
use app::mail::{Letter, TicketNews};
use askama::Template;
use domain::TicketId;
use domain::ticket::TicketEventKind;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Tells news of a ticket; the link leads to it.
pub(crate) fn tell(news: &TicketNews, ticket: TicketId, public_url: &str) -> Result<Letter> {
    let heading = heading(news);
    let words = Words {
        heading: &heading,
        title: news.title.as_str(),
        site: &news.site_name,
        priority: &news.priority.caption(),
        state: &news.state.caption(),
        person: news.person_name.as_deref(),
        when: &local_time(news.at, &news.time_zone),
        detail: news.detail.trim(),
        link: &format!("{public_url}/tickets/{ticket}"),
        client: &news.client_name,
    };
    Ok(Letter {
        subject: format!("{heading}: {}", news.title),
        text: PlainLetter { words }.render().context("writing a mail's text")?,
        html: HtmlLetter { words }.render().context("writing a mail's page")?,
    })
}

/// What both forms say.
#[derive(Clone, Copy)]
struct Words<'news> {
    heading: &'news str,
    title: &'news str,
    site: &'news str,
    priority: &'news str,
    state: &'news str,
    person: Option<&'news str>,
    when: &'news str,
    detail: &'news str,
    link: &'news str,
    client: &'news str,
}

#[derive(Template)]
#[template(path = "ticket.txt")]
struct PlainLetter<'news> {
    words: Words<'news>,
}

#[derive(Template)]
#[template(path = "ticket.html")]
struct HtmlLetter<'news> {
    words: Words<'news>,
}

fn heading(news: &TicketNews) -> String {
    let (number, site) = (news.number, &news.site_name);
    match news.kind {
        TicketEventKind::Created => format!("Ticket #{number} is created at site {site}"),
        TicketEventKind::Moved => {
            format!("Ticket #{number} at site {site} is {}", news.state.in_words())
        }
        TicketEventKind::Commented => format!("Ticket #{number} at site {site} has a new comment"),
        TicketEventKind::Assigned => format!("Ticket #{number} at site {site} is assigned"),
        TicketEventKind::Escalated => {
            format!("Escalation level {}: ticket #{number} at site {site}", news.escalation_level)
        }
        TicketEventKind::Mailed => format!("Ticket #{number} at site {site}"),
    }
}

/// The client's local time; UTC when its zone is not known here.
fn local_time(at: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or_else(|error| {
        tracing::warn!(target: "mail", time_zone = zone, %error, "unknown time zone");
        TimeZone::UTC
    });
    at.to_zoned(zone).strftime("%-d %B %Y, %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::CorrelationId;
    use domain::ticket::{TicketPriority, TicketState, TicketTitle};

    fn news() -> TicketNews {
        TicketNews {
            client_name: "Acme & Sons".to_owned(),
            time_zone: "Asia/Kolkata".to_owned(),
            demo: false,
            number: 42,
            title: TicketTitle::parse("Leak <b>in</b> pump room").unwrap(),
            state: TicketState::New,
            priority: TicketPriority::High,
            escalation_level: 0,
            site_name: "Head office".to_owned(),
            kind: TicketEventKind::Created,
            person_name: Some("Asha Rao".to_owned()),
            detail: "Water on the floor.\nSecond line.".to_owned(),
            at: "2030-01-01T12:00:00Z".parse().unwrap(),
            correlation_id: CorrelationId::generate(),
            is_mailed: false,
        }
    }

    #[test]
    fn a_letter_says_what_happened_where_and_when() {
        let ticket = TicketId::generate();
        let letter = tell(&news(), ticket, "https://app.example.com").unwrap();
        assert_eq!(letter.subject, "Ticket #42 is created at site Head office: Leak <b>in</b> pump room");
        assert_eq!(
            letter.text,
            format!(
                "Ticket #42 is created at site Head office\n\nLeak <b>in</b> pump room\n\n\
                 Site:      Head office\nPriority:  High\nState:     New\nBy:        Asha Rao\n\
                 When:      1 January 2030, 17:30 IST\n\nWater on the floor.\nSecond line.\n\n\
                 Open the ticket: https://app.example.com/tickets/{ticket}\n\n--\n\
                 You receive this mail because the ticket at Acme & Sons concerns you."
            )
        );
    }

    #[test]
    fn the_page_escapes_what_people_wrote() {
        let letter = tell(&news(), TicketId::generate(), "https://app.example.com").unwrap();
        assert!(!letter.html.contains("<b>in</b>"), "{}", letter.html);
        assert!(!letter.html.contains("<img") && !letter.html.contains("src="), "{}", letter.html);
    }

    #[test]
    fn an_escalation_names_its_level() {
        let news =
            TicketNews { kind: TicketEventKind::Escalated, escalation_level: 2, person_name: None, ..news() };
        let letter = tell(&news, TicketId::generate(), "https://app.example.com").unwrap();
        assert!(
            letter.subject.starts_with("Escalation level 2: ticket #42 at site Head office: "),
            "{}",
            letter.subject
        );
        assert!(!letter.text.contains("By: "), "{}", letter.text);
    }

    #[test]
    fn a_move_is_told_in_the_words_of_the_pages() {
        let news = TicketNews { kind: TicketEventKind::Moved, state: TicketState::OnHold, ..news() };
        let letter = tell(&news, TicketId::generate(), "https://app.example.com").unwrap();
        assert!(
            letter.subject.starts_with("Ticket #42 at site Head office is on hold: "),
            "{}",
            letter.subject
        );
        assert!(letter.text.contains("State:     On hold\n"), "{}", letter.text);
    }

    #[test]
    fn an_unknown_zone_is_shown_in_utc() {
        assert_eq!(
            local_time("2030-01-01T12:00:00Z".parse().unwrap(), "Mars/Base"),
            "1 January 2030, 12:00 UTC"
        );
    }
}
