//! `youtility logs`.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;

use crate::args::LogOptions;
use crate::home::Home;
use crate::say;

/// How often a followed log is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How much of the end of a log is read to find its last lines.
const TAIL_BYTES: u64 = 1 << 20;

/// Prints the last lines, and goes on when asked to.
pub(crate) async fn run(options: &LogOptions) -> Result<()> {
    let home = Home::open(&options.place)?;
    let files = files(&home, options.process.as_deref())?;
    let mut followed = Vec::new();
    for file in &files {
        let mut reader = tail(file)?;
        let mut lines = read_lines(&mut reader)?;
        let from = lines.len().saturating_sub(options.lines);
        print(file, &lines.split_off(from));
        followed.push((file, reader));
    }
    if options.follow { follow(&mut followed).await } else { Ok(()) }
}

async fn follow(followed: &mut [(&PathBuf, BufReader<File>)]) -> Result<()> {
    loop {
        for (file, reader) in followed.iter_mut() {
            print(file, &read_lines(reader)?);
        }
        sleep(LOOK_EVERY).await;
    }
}

fn files(home: &Home, process: Option<&str>) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(home.logs())
        .context("reading the log folder")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| process.is_none_or(|process| file.file_stem().is_some_and(|stem| stem == process)))
        .collect();
    files.sort();
    ensure!(
        !files.is_empty(),
        "there is no log {}in {}; start the system with `make up`",
        process.map_or_else(String::new, |process| format!("of `{process}` ")),
        home.logs().display()
    );
    Ok(files)
}

fn tail(file: &Path) -> Result<BufReader<File>> {
    let mut opened = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    let length = opened.metadata().context("reading the log's size")?.len();
    opened.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).context("going to the end of the log")?;
    Ok(BufReader::new(opened))
}

fn read_lines(reader: &mut BufReader<File>) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut line = String::new();
    while reader.read_line(&mut line).context("reading the log")? > 0 {
        lines.push(line.trim_end().to_owned());
        line.clear();
    }
    Ok(lines)
}

fn print(file: &Path, lines: &[String]) {
    let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    for line in lines {
        say::line(&format!("{name:<12} {line}"));
    }
}
