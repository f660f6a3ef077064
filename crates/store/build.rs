//! Embeds the migrations: cargo does not notice a new file by itself.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").canonicalize()?;
    println!("cargo::rerun-if-changed={}", root.display());
    let mut names: Vec<String> = fs::read_dir(&root)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.retain(|name| name.starts_with('V') && Path::new(name).extension().is_some_and(|ext| ext == "sql"));
    names.sort();
    let mut source = String::from("&[\n");
    for name in &names {
        let path = root.join(name);
        let stem = name.trim_end_matches(".sql");
        println!("cargo::rerun-if-changed={}", path.display());
        writeln!(source, "    ({stem:?}, include_str!({:?})),", path.display().to_string())
            .map_err(io::Error::other)?;
    }
    source.push(']');
    let target = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&target).join("migrations.rs"), source)
}
