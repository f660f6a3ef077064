//! docs/problems.md as sections that pages can show.

use std::sync::LazyLock;

/// The section of one problem code.
#[derive(Debug)]
pub(crate) struct Section {
    /// The code.
    pub(crate) title: String,
    /// What stands below it.
    pub(crate) paragraphs: Vec<Paragraph>,
}

/// One paragraph, such as `Meaning. …`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Paragraph {
    /// The word it is for, without its full stop.
    pub(crate) lead: Option<String>,
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

const LEADS: [&str; 3] = ["Meaning", "Caller", "Operator"];

static SECTIONS: LazyLock<Vec<Section>> =
    LazyLock::new(|| sections(include_str!("../../../docs/problems.md")));

/// The section of a code.
pub(crate) fn section(code: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.title == code)
}

fn sections(document: &str) -> Vec<Section> {
    document
        .split("\n## ")
        .skip(1)
        .map(|text| {
            let (title, body) = text.split_once('\n').unwrap_or((text, ""));
            let paragraphs = body.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
            Section {
                title: title.trim().trim_matches('`').to_owned(),
                paragraphs: paragraphs.flat_map(paragraph_lines).collect(),
            }
        })
        .collect()
}

/// A line that begins with a lead word begins a paragraph, also without a blank line before it.
fn paragraph_lines(text: &str) -> Vec<Paragraph> {
    let mut texts: Vec<String> = Vec::new();
    for line in text.lines() {
        let begins = LEADS.iter().any(|lead| lead_of(line).is_some_and(|(found, _)| found == *lead));
        match texts.last_mut() {
            Some(last) if !begins => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => texts.push(line.trim().to_owned()),
        }
    }
    texts.iter().map(|text| paragraph(text)).collect()
}

fn lead_of(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches("- ").trim_start_matches("**");
    let (lead, rest) = line.split_once(['.', ':'])?;
    LEADS.contains(&lead).then(|| (lead, rest.trim_start_matches("**").trim_start()))
}

fn paragraph(text: &str) -> Paragraph {
    let (lead, rest) = lead_of(text).map_or((None, text), |(lead, rest)| (Some(lead.to_owned()), rest));
    let runs = rest
        .split('`')
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
        .map(|(index, text)| Run { text: text.to_owned(), code: index % 2 == 1 })
        .collect();
    Paragraph { lead, runs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_by_its_code_with_leads_and_code_runs() {
        let found = sections(
            "# Problems\n\nIntro.\n\n## some-code\n\nMeaning. A `thing` broke.\nCaller. Wait.\n\n## other\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].title, "some-code");
        assert_eq!(found[0].paragraphs.len(), 2);
        assert_eq!(found[0].paragraphs[0].lead.as_deref(), Some("Meaning"));
        assert!(found[0].paragraphs[0].runs[1].code);
    }
}
