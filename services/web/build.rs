//! Bundles style sheets and scripts with npm when `assets/dist` is missing or older than its sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};

const SOURCES: &[&str] = &["assets/src", "assets/build.mjs", "package.json", "package-lock.json"];
const MANIFEST: &str = "assets/dist/manifest.json";

fn main() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    for source in SOURCES.iter().chain([&MANIFEST]) {
        println!("cargo::rerun-if-changed={source}");
    }
    let sources = SOURCES.iter().filter_map(|source| newest(&root.join(source))).max();
    let built = newest(&root.join(MANIFEST));
    if built.is_some() && built >= sources {
        return;
    }
    match bundle(&root).and_then(|()| date_back(&root.join(MANIFEST), sources)) {
        Ok(()) => {}
        Err(why) if built.is_some() => {
            println!(
                "cargo::warning=assets/dist is older than its sources, and {why:#}; the old bundle is embedded"
            );
        }
        Err(why) => {
            println!("cargo::error=assets/dist is missing, and {why:#}");
            println!(
                "cargo::error=install Node.js 18 or newer, or copy a bundle built elsewhere to services/web/assets/dist"
            );
        }
    }
}

/// When the newest file at or below a path changed.
fn newest(path: &Path) -> Option<SystemTime> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_dir() {
        return metadata.modified().ok();
    }
    fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest(&entry.path())).max()
}

fn bundle(root: &Path) -> Result<()> {
    let lock = newest(&root.join("package-lock.json"));
    if newest(&root.join("node_modules/.package-lock.json")) < lock {
        npm(root, &["ci", "--no-progress"])?;
    }
    npm(root, &["run", "--silent", "build"])
}

/// Gives the bundle the date of its sources: cargo would run this script again for a file that is newer than its start.
fn date_back(manifest: &Path, sources: Option<SystemTime>) -> Result<()> {
    let Some(date) = sources else { return Ok(()) };
    let file = fs::File::options().write(true).open(manifest).context("the bundle has no manifest")?;
    file.set_modified(date).context("the manifest cannot be dated")
}

fn npm(root: &Path, arguments: &[&str]) -> Result<()> {
    let task = arguments.join(" ");
    let output =
        Command::new("npm").args(arguments).current_dir(root).output().context("npm cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
    ensure!(output.status.success(), "`npm {task}` failed: {said}");
    Ok(())
}
