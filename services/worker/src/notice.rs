//! What operators are told about tasks that were given up.

use anyhow::{Context, Result};
use app::mail::Letter;
use askama::Template;
use queue::DeadLetterCount;

/// Tells how many tasks of each kind wait for somebody to look at them.
pub(crate) fn tell(groups: &[DeadLetterCount], public_url: &str, days_kept: u16) -> Result<Letter> {
    let letters: i64 = groups.iter().map(|group| group.letters).sum();
    let heading = match letters {
        1 => "One task was given up and waits for you".to_owned(),
        count => format!("{count} tasks were given up and wait for you"),
    };
    let words = Words {
        heading: &heading,
        groups: &groups.iter().map(Group).collect::<Vec<_>>(),
        link: &format!("{public_url}/operate/tasks/dead-letters"),
        days_kept,
    };
    Ok(Letter {
        text: PlainLetter { words }.render().context("writing a mail's text")?,
        html: HtmlLetter { words }.render().context("writing a mail's page")?,
        subject: heading,
    })
}

/// What both forms say.
#[derive(Clone, Copy)]
struct Words<'review> {
    heading: &'review str,
    groups: &'review [Group<'review>],
    link: &'review str,
    days_kept: u16,
}

/// A group as the forms read it.
struct Group<'review>(&'review DeadLetterCount);

impl std::ops::Deref for Group<'_> {
    type Target = DeadLetterCount;

    fn deref(&self) -> &DeadLetterCount {
        self.0
    }
}

impl Group<'_> {
    fn reason_in_words(&self) -> &'static str {
        match self.reason.as_str() {
            "EXHAUSTED" => "tried as often as allowed",
            "PERMANENT" => "could never succeed",
            _ => "ended its workers",
        }
    }
}

#[derive(Template)]
#[template(path = "dead_letters.txt")]
struct PlainLetter<'review> {
    words: Words<'review>,
}

#[derive(Template)]
#[template(path = "dead_letters.html")]
struct HtmlLetter<'review> {
    words: Words<'review>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_with_its_number_and_the_way_to_it() {
        let group = |kind: &str, letters| DeadLetterCount {
            queue: "email".to_owned(),
            kind: kind.to_owned(),
            reason: "EXHAUSTED".to_owned(),
            letters,
            of_last_day: 1,
            oldest_at: "2030-01-01T12:00:00Z".parse().unwrap(),
        };
        let groups = [group("mail.send", 3), group("<b>", 1)];
        let letter = tell(&groups, "https://app.example.com", 90).unwrap();
        assert_eq!(letter.subject, "4 tasks were given up and wait for you");
        let line = "- mail.send (queue email): 3, 1 of them within the last day, tried as often as allowed\n";
        assert!(letter.text.contains(line), "{}", letter.text);
        for form in [&letter.text, &letter.html] {
            assert!(form.contains("https://app.example.com/operate/tasks/dead-letters"), "{form}");
            assert!(form.contains("90 days"), "{form}");
        }
        assert!(!letter.html.contains("<b>"), "{}", letter.html);
    }
}
