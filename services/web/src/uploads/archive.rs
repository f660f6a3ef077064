//! Office documents are ZIP archives: what is in one is listed and unpacked, counted and thrown away.
//!
//! The central directory is believed only where the rest of the file agrees with it: readers that look elsewhere would
//! see another archive.

use std::io::Read;

use flate2::read::DeflateDecoder;
use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::refused::Reason;

/// What an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveLimits {
    /// Entries.
    pub entries_max: usize,
    /// Bytes all of them unpack to.
    pub bytes_max: u64,
    /// How many times larger one may be unpacked, from the first MiB on.
    pub ratio_max: u64,
}

/// An entry that is small once unpacked may be packed as well as it can be.
const RATIO_COUNTS_FROM: u64 = 1 << 20;

const END: &[u8] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const CENTRAL: &[u8] = b"PK\x01\x02";
const CENTRAL_BYTES: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;

/// Names of entries that are archives, programs or macros.
const REFUSED_ENDS: [&str; 20] = [
    ".zip",
    ".jar",
    ".7z",
    ".rar",
    ".gz",
    ".bz2",
    ".xz",
    ".zst",
    ".tar",
    ".cab",
    ".iso",
    ".exe",
    ".dll",
    ".js",
    ".vbs",
    ".ps1",
    ".bat",
    ".hta",
    "vbaproject.bin",
    ".docm",
];

/// One entry, as the central directory has it.
#[derive(Debug)]
struct Entry<'a> {
    name: &'a [u8],
    method: u16,
    is_encrypted: bool,
    packed: u64,
    unpacked: u64,
    /// Where its local header begins.
    at: usize,
}

/// Refuses a document that is not what its name says, or that would harm who opens it.
pub(crate) fn examine(kind: Kind, bytes: &[u8], limits: ArchiveLimits) -> Result<(), Reason> {
    let mut entries = list(bytes, limits.entries_max)?;
    if !is_document(kind, bytes, &entries) {
        return Err(Reason::NotWhatItSays);
    }
    if entries.iter().any(|entry| entry.is_encrypted) {
        return Err(Reason::Encrypted);
    }
    if entries.iter().any(|entry| is_refused(entry.name)) {
        return Err(Reason::Nested);
    }
    let announced = entries.iter().try_fold(0_u64, |sum, entry| sum.checked_add(entry.unpacked));
    if announced.is_none_or(|announced| announced > limits.bytes_max) {
        return Err(Reason::Bomb);
    }
    entries.sort_by_key(|entry| entry.at);
    let mut free_from = 0;
    for entry in &entries {
        free_from = unpack(bytes, entry, free_from, limits)?;
    }
    Ok(())
}

/// Reads the central directory.
fn list(bytes: &[u8], entries_max: usize) -> Result<Vec<Entry<'_>>, Reason> {
    let end = bytes.len().checked_sub(END_BYTES).ok_or(Reason::Unreadable)?;
    // A comment behind the end is room for a second file; no office program writes one.
    let end = bytes.get(end..).filter(|end| end.starts_with(END)).ok_or(Reason::Polyglot)?;
    let count = usize::from(number16(end, 10)?);
    let (length, begin) = (place(end, 12)?, place(end, 16)?);
    if count > entries_max || count == usize::from(u16::MAX) {
        return Err(Reason::Bomb);
    }
    let close = begin.checked_add(length).ok_or(Reason::Unreadable)?;
    if close != bytes.len() - END_BYTES {
        return Err(Reason::Polyglot);
    }
    let mut rest = bytes.get(begin..close).ok_or(Reason::Unreadable)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, bytes) = read_entry(rest)?;
        entries.push(entry);
        rest = rest.get(bytes..).ok_or(Reason::Unreadable)?;
    }
    if entries.len() == count { Ok(entries) } else { Err(Reason::Unreadable) }
}

fn read_entry(rest: &[u8]) -> Result<(Entry<'_>, usize), Reason> {
    if !rest.starts_with(CENTRAL) {
        return Err(Reason::Unreadable);
    }
    let name_bytes = usize::from(number16(rest, 28)?);
    let behind = usize::from(number16(rest, 30)?) + usize::from(number16(rest, 32)?);
    let name = rest.get(CENTRAL_BYTES..CENTRAL_BYTES + name_bytes).ok_or(Reason::Unreadable)?;
    let entry = Entry {
        name,
        method: number16(rest, 10)?,
        is_encrypted: number16(rest, 8)? & 1 == 1,
        packed: u64::from(number32(rest, 20)?),
        unpacked: u64::from(number32(rest, 24)?),
        at: place(rest, 42)?,
    };
    Ok((entry, CENTRAL_BYTES + name_bytes + behind))
}

/// Whether the entries are those of a document of the kind.
fn is_document(kind: Kind, bytes: &[u8], entries: &[Entry<'_>]) -> bool {
    let has = |name: &str| entries.iter().any(|entry| entry.name == name.as_bytes());
    let office = |main: &str| has("[Content_Types].xml") && has(main);
    // The first entry of an OpenDocument is its type, unpacked: it stands at a known place.
    let open = |media_type: &str| {
        let first = [b"mimetype", media_type.as_bytes()].concat();
        let there = bytes.get(LOCAL_BYTES..).is_some_and(|rest| rest.starts_with(&first));
        there && bytes.get(LOCAL_BYTES + first.len()..).is_some_and(|rest| rest.starts_with(b"PK"))
    };
    match kind {
        Kind::Docx => office("word/document.xml"),
        Kind::Xlsx => office("xl/workbook.xml"),
        Kind::Pptx => office("ppt/presentation.xml"),
        Kind::Odt | Kind::Ods => open(kind.media_type()),
        Kind::Jpeg | Kind::Png | Kind::Webp | Kind::Pdf | Kind::Text | Kind::Csv => false,
    }
}

fn is_refused(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_lowercase();
    let climbs = name.starts_with('/') || name.contains('\\') || name.split('/').any(|part| part == "..");
    climbs || REFUSED_ENDS.iter().any(|end| name.ends_with(end))
}

/// Unpacks an entry that begins at or behind `free_from`; answers where the next may begin.
fn unpack(bytes: &[u8], entry: &Entry<'_>, free_from: usize, limits: ArchiveLimits) -> Result<usize, Reason> {
    let local = bytes.get(entry.at..).filter(|local| local.starts_with(LOCAL)).ok_or(Reason::Unreadable)?;
    let name_bytes = usize::from(number16(local, 26)?);
    let begin = LOCAL_BYTES + name_bytes + usize::from(number16(local, 28)?);
    if local.get(LOCAL_BYTES..LOCAL_BYTES + name_bytes) != Some(entry.name) {
        return Err(Reason::Polyglot);
    }
    if entry.at < free_from {
        // Entries that share bytes are how a small archive unpacks to a very large one.
        return Err(Reason::Bomb);
    }
    let length = usize::try_from(entry.packed).map_err(|_too_long| Reason::Unreadable)?;
    let end = begin.checked_add(length).ok_or(Reason::Unreadable)?;
    let packed = local.get(begin..end).ok_or(Reason::Unreadable)?;
    let is_dense = entry.unpacked > RATIO_COUNTS_FROM
        && entry.unpacked > entry.packed.max(1).saturating_mul(limits.ratio_max);
    if is_dense {
        return Err(Reason::Bomb);
    }
    match entry.method {
        0 if entry.packed == entry.unpacked => look_inside(packed)?,
        8 => inflate(packed, entry.unpacked)?,
        _ => return Err(Reason::Unreadable),
    }
    Ok(entry.at + end)
}

/// Unpacks and counts; one byte more than announced is a lie.
fn inflate(packed: &[u8], announced: u64) -> Result<(), Reason> {
    let mut source = DeflateDecoder::new(packed).take(announced + 1);
    let mut piece = vec![0_u8; 65_536];
    let mut unpacked = 0_u64;
    loop {
        let read = source.read(&mut piece).map_err(|_broken| Reason::Unreadable)?;
        let Some(fresh) = piece.get(..read).filter(|fresh| !fresh.is_empty()) else { break };
        if unpacked == 0 {
            look_inside(fresh)?;
        }
        unpacked += u64::try_from(read).unwrap_or(u64::MAX);
    }
    if unpacked == announced { Ok(()) } else { Err(Reason::Bomb) }
}

/// Refuses an entry that is an archive or a program whatever it is called.
fn look_inside(bytes: &[u8]) -> Result<(), Reason> {
    const BEGINNINGS: [&[u8]; 7] =
        [b"PK\x03\x04", b"MZ", b"\x7fELF", b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\xd0\xcf\x11\xe0"];
    if BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning)) {
        return Err(Reason::Nested);
    }
    Ok(())
}

fn number16(bytes: &[u8], at: usize) -> Result<u16, Reason> {
    let two = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Reason::Unreadable)?;
    Ok(u16::from_le_bytes(*two))
}

fn number32(bytes: &[u8], at: usize) -> Result<u32, Reason> {
    let four = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(Reason::Unreadable)?;
    Ok(u32::from_le_bytes(*four))
}

fn place(bytes: &[u8], at: usize) -> Result<usize, Reason> {
    usize::try_from(number32(bytes, at)?).map_err(|_too_large| Reason::Unreadable)
}

#[cfg(test)]
mod tests;
