//! Reads corpora of attacks and of ordinary values, and prints what is caught and what is blocked by mistake.
//!
//! `evaluate DIRECTORY [tuned|held-out|all] [--list CORPUS]`. The directory holds `attack/CLASS/NAME.jsonl` and
//! `benign/NAME.jsonl`; a line is a text, which is sent as a query value, a form field and a JSON text, or a request
//! with `method`, `path`, `query`, `headers` and `body`. Half of the lines, chosen by their hash, is the tuned half.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use inspect::{Action, Inspector, Policy, RequestParts, Verdict};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(untagged)]
enum Case {
    Text(String),
    Request {
        method: String,
        path: String,
        #[serde(default)]
        query: Option<String>,
        #[serde(default)]
        headers: Vec<(String, String)>,
        #[serde(default)]
        body: Option<String>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Tuned,
    HeldOut,
    All,
}

impl Half {
    fn holds(self, line: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let is_tuned = hasher.finish().is_multiple_of(2);
        match self {
            Self::All => true,
            Self::Tuned => is_tuned,
            Self::HeldOut => !is_tuned,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Attack,
    Ordinary,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, rest @ ..] = arguments.as_slice() else {
        bail!("evaluate DIRECTORY [tuned|held-out|all] [--list CORPUS]");
    };
    let (half, rest) = match rest {
        [word, rest @ ..] if word == "tuned" => (Half::Tuned, rest),
        [word, rest @ ..] if word == "held-out" => (Half::HeldOut, rest),
        [word, rest @ ..] if word == "all" => (Half::All, rest),
        rest => (Half::All, rest),
    };
    let listed = match rest {
        [flag, corpus] if flag == "--list" => Some(corpus.as_str()),
        _ => None,
    };
    let inspector = Inspector::new(Policy::default());
    let directory = Path::new(directory);
    let mut attacks = Vec::new();
    for class in entries(&directory.join("attack"))? {
        attacks.extend(entries(&class)?);
    }
    report(&inspector, Kind::Attack, &attacks, half, listed)?;
    report(&inspector, Kind::Ordinary, &entries(&directory.join("benign"))?, half, listed)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths =
        fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, io::Error>>()?;
    paths.sort();
    Ok(paths)
}

fn report(
    inspector: &Inspector,
    kind: Kind,
    corpora: &[PathBuf],
    half: Half,
    listed: Option<&str>,
) -> Result<()> {
    let is_attack = kind == Kind::Attack;
    for path in corpora {
        let name = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect::<Vec<_>>();
        let name = name.into_iter().rev().collect::<Vec<_>>().join("/");
        let (mut cases, mut blocked) = (0_u32, 0_u32);
        for line in fs::read_to_string(path)?.lines().filter(|line| half.holds(line)) {
            let verdict = judge(inspector, &serde_json::from_str(line)?, kind);
            let is_blocked = verdict.action == Action::Block;
            cases += 1;
            blocked += u32::from(is_blocked);
            if listed.is_some_and(|listed| name.contains(listed)) && is_blocked != is_attack {
                let rules = verdict
                    .findings
                    .iter()
                    .map(|finding| format!("{}={}@{}", finding.rule, finding.score, finding.location));
                writeln!(io::stdout(), "  {} {line}", rules.collect::<Vec<_>>().join(","))?;
            }
        }
        let share = 100.0 * f64::from(blocked) / f64::from(cases.max(1));
        let verb = if is_attack { "caught" } else { "blocked by mistake" };
        writeln!(io::stdout(), "{name:<44} {blocked:>6} of {cases:>6} {verb} ({share:.3} %)")?;
    }
    Ok(())
}

/// An attack has to be caught, and an ordinary value has to pass, wherever it is sent: the weakest and the strictest
/// verdict count.
fn judge(inspector: &Inspector, case: &Case, kind: Kind) -> Verdict {
    match case {
        Case::Request { method, path, query, headers, body } => {
            let headers = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
            let headers: Vec<(String, &String)> = headers.collect();
            let content_type =
                headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
            let request = RequestParts {
                method,
                path,
                query: query.as_deref(),
                content_type,
                body: body.as_deref().map(str::as_bytes),
            };
            inspector.inspect(&request, headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())))
        }
        Case::Text(text) => {
            let verdicts = [as_pair(inspector, text), as_json(inspector, text)];
            let chosen = if kind == Kind::Attack {
                verdicts.into_iter().min_by_key(|verdict| verdict.score)
            } else {
                verdicts.into_iter().max_by_key(|verdict| verdict.score)
            };
            chosen.unwrap_or_default()
        }
    }
}

fn as_pair(inspector: &Inspector, text: &str) -> Verdict {
    let body = text.bytes().fold("text=".to_owned(), |body, byte| body + &format!("%{byte:02x}"));
    let request = RequestParts {
        method: "POST",
        path: "/",
        content_type: Some("application/x-www-form-urlencoded"),
        body: Some(body.as_bytes()),
        ..RequestParts::default()
    };
    inspector.inspect_body(&request)
}

fn as_json(inspector: &Inspector, text: &str) -> Verdict {
    let body = serde_json::json!({ "text": text }).to_string();
    let request = RequestParts {
        method: "POST",
        path: "/",
        content_type: Some("application/json"),
        body: Some(body.as_bytes()),
        ..RequestParts::default()
    };
    inspector.inspect_body(&request)
}
