//! What stands in Rust files.

use crate::tree::{File, Finding, Tree};

const LINES_MAX: usize = 500;

/// Production files stay short enough to read at once.
pub(crate) fn sizes(tree: &Tree) -> Vec<Finding> {
    tree.production_rust()
        .filter_map(|file| {
            let lines = file.production_lines().count();
            (lines > LINES_MAX)
                .then(|| file.finding("sizes", 0, format!("{lines} lines; split it at {LINES_MAX}")))
        })
        .collect()
}

/// Statements stand in `store` and `queue` only, and where the database itself is measured.
pub(crate) fn sql_outside_store(tree: &Tree) -> Vec<Finding> {
    let may = ["crates/store/", "crates/queue/", "crates/xtask/", "crates/testkit/", "loadtest/"];
    tree.production_rust()
        .filter(|file| !may.iter().any(|folder| file.path.starts_with(folder)))
        .flat_map(|file| {
            file.production_lines()
                .filter(|(_, line)| is_sql(line))
                .map(|(number, _)| file.finding("sql", number, "SQL belongs in crates/store or crates/queue"))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn is_sql(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with("//") {
        return false;
    }
    let verbs =
        ["\"select ", "\"insert into ", "\"update ", "\"delete from ", "\"create ", "\"alter ", "\"drop "];
    let words = [" from ", " set ", " values", "select ", " role ", " table ", " database ", "("];
    let lower = line.to_ascii_lowercase();
    verbs.iter().any(|verb| lower.contains(verb)) && words.iter().any(|word| lower.contains(word))
}

/// Tests wait for a condition, never for a time.
pub(crate) fn sleeping_tests(tree: &Tree) -> Vec<Finding> {
    lines_with(
        tree,
        |file| file.is_test() && !file.path.starts_with("crates/testkit/"),
        "sleep(",
        |file, number| file.finding("sleep", number, "wait for a condition with testkit::wait_until"),
    )
}

/// Errors are types, not texts.
pub(crate) fn stringly_errors(tree: &Tree) -> Vec<Finding> {
    let mut findings = lines_with(tree, File::is_production_rust, "Box<dyn Error", |file, number| {
        file.finding("errors", number, "give the error a type")
    });
    findings.extend(lines_with(
        tree,
        File::is_production_rust,
        ".map_err(|e| e.to_string())",
        |file, number| file.finding("errors", number, "keep the source; a text cannot be handled"),
    ));
    findings
}

/// Comments describe the code, not its history.
pub(crate) fn comment_words(tree: &Tree) -> Vec<Finding> {
    let words = [" now ", " no longer ", " previously ", " as requested", "TODO", "FIXME", "XXX"];
    tree.production_rust()
        .filter(|file| !file.path.starts_with("crates/xtask/"))
        .flat_map(|file| {
            file.production_lines()
                .filter_map(|(number, line)| {
                    let comment = line.split_once("//").map(|(_, comment)| format!("{comment} "))?;
                    let word = words.iter().find(|word| comment.contains(**word))?;
                    Some(file.finding("comments", number, format!("`{}` tells history", word.trim())))
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A service's main.rs only hands over to `service::run`.
pub(crate) fn main_files(tree: &Tree) -> Vec<Finding> {
    tree.production_rust()
        .filter(|file| file.path.starts_with("services/") && file.path.ends_with("/src/main.rs"))
        .filter(|file| file.text.lines().count() > 10 || !file.text.contains("service::run("))
        .map(|file| file.finding("main", 0, "at most 10 lines around service::run"))
        .collect()
}

fn lines_with(
    tree: &Tree,
    wanted: impl Fn(&File) -> bool,
    needle: &str,
    finding: impl Fn(&File, usize) -> Finding,
) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| file.has_extension("rs") && !file.path.starts_with("crates/xtask/") && wanted(file))
        .flat_map(|file| {
            file.text
                .lines()
                .enumerate()
                .filter(|(_, line)| line.contains(needle) && !line.trim_start().starts_with("//"))
                .map(|(index, _)| finding(file, index + 1))
                .collect::<Vec<_>>()
        })
        .collect()
}
