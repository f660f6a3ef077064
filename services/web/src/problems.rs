//! docs/problems.md as sections that pages can show.

use std::sync::LazyLock;

/// The section of one problem code.
#[derive(Debug)]
pub(crate) struct Section {
    /// The code.
    pub(crate) title: String,
    /// What it means, what the caller does, what the operator does.
    pub(crate) paragraphs: Vec<Paragraph>,
}

/// One paragraph, such as `Meaning. …`.
#[derive(Debug)]
pub(crate) struct Paragraph {
    /// The word it is for, without its full stop.
    pub(crate) lead: String,
    /// The text.
    pub(crate) runs: Vec<Run>,
}

/// Text in one manner.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The text.
    pub(crate) text: String,
    /// Whether it is code.
    pub(crate) code: bool,
}

static SECTIONS: LazyLock<Vec<Section>> =
    LazyLock::new(|| sections(include_str!("../../../docs/problems.md")));

/// The section of a code.
pub(crate) fn section(code: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.title == code)
}

fn sections(document: &str) -> Vec<Section> {
    document.split("\n## ").skip(1).map(section_of).collect()
}

fn section_of(text: &str) -> Section {
    let mut blocks = text.split("\n\n").map(str::trim);
    let title = blocks.next().unwrap_or_default().to_owned();
    Section { title, paragraphs: blocks.map(paragraph).collect() }
}

fn paragraph(text: &str) -> Paragraph {
    let (lead, rest) = text.split_once(". ").unwrap_or(("", text));
    let runs = rest
        .split('`')
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
        .map(|(index, text)| Run { text: text.to_owned(), code: index % 2 == 1 })
        .collect();
    Paragraph { lead: lead.to_owned(), runs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_says_what_it_means_and_what_caller_and_operator_do() {
        for Section { title, paragraphs } in SECTIONS.iter() {
            let leads: Vec<&str> = paragraphs.iter().map(|paragraph| paragraph.lead.as_str()).collect();
            assert_eq!(leads, ["Meaning", "Caller", "Operator"], "{title}");
            assert!(paragraphs.iter().all(|paragraph| !paragraph.runs.is_empty()), "{title}");
        }
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        let found =
            sections("# Problems\n\nIntro.\n\n## some-code\n\nMeaning. A `thing`\nbroke.\n\n## other\n");
        assert_eq!((found[0].title.as_str(), found[1].title.as_str()), ("some-code", "other"));
        let runs = &found[0].paragraphs[0].runs;
        let runs: Vec<(&str, bool)> = runs.iter().map(|run| (run.text.as_str(), run.code)).collect();
        assert_eq!(runs, [("A ", false), ("thing", true), ("\nbroke.", false)]);
    }
}
