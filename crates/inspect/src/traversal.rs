//! Files and addresses outside what the application serves.

use std::sync::LazyLock;

use crate::patterns::{Pattern, Patterns};
use crate::scan::{HINT, Hits, SIGNAL, STRONG};
use crate::verdict::{Class, Place};

static TEXT: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(Class::PathTraversal, WORDS));
static PATHS: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(Class::PathTraversal, CLIMBS));

/// Adds the rules that fit a canonical text; returns the bytes read.
pub(crate) fn check(place: Place, text: &[u8], hits: &mut Hits) -> usize {
    let bytes = TEXT.check(text, hits);
    match place {
        Place::Json | Place::Body | Place::Header => bytes,
        Place::Path | Place::Query | Place::Cookie | Place::Form | Place::Multipart | Place::FileName => {
            bytes + PATHS.check(text, hits)
        }
    }
}

/// A name of a file is strong where the whole value is one; in a sentence it is at most a signal.
#[rustfmt::skip]
const WORDS: &[Pattern] = &[
    ("file.climb", SIGNAL, r"(?:^|[\s/\\=:'\x22(,;])\.\.[/\\]+(?:\.{1,2}[/\\]+)*\.\.(?:[/\\]|$)"),
    ("file.climb", STRONG, r"(?:\.\.[/\\]+){5}|(?:\.\.\.?\.?//+){2}|\.\.;/|^[^\s]*(?:\.\.\\){2}|\.\.%[0-9a-f]{2}|(?:\.\./)+(?:etc|proc|var|windows|winnt|boot\.ini|root|home|usr|opt|bin)/"),
    ("file.system", STRONG, r"^[^\s]*(?:^|[^\w])/*etc/+(?:\.{0,2}/+)*(?:passwd|shadow|group|sudoers|crontab|issue|fstab|hosts|master\.passwd|mysql|apache2?|nginx|httpd|ssh|security)[^\s]*$|^[^\s]*(?:^|[^\w])/*proc/+(?:self|version|cpuinfo|mounts|net|\d+)[^\s]*$"),
    ("file.system", SIGNAL, r"\b(?:boot\.ini|win\.ini)\b|[/\\](?:windows|winnt)[/\\]+(?:system32|win\.ini|repair|system)|\bsystem32[/\\]|/etc/+(?:passwd|shadow)\b"),
    ("file.system", STRONG, r"^[^\s]*(?:\b(?:boot|win|system)\.ini|[/\\](?:windows|winnt)[/\\]+(?:system32|win\.ini|repair|system))[^\s]*$|^/(?:root|var/(?:log|mail|spool))/[^\s]*$"),
    ("file.secret", STRONG, r"^[^\s]*(?:^|[/\\])\.(?:htaccess|htpasswd|ssh[/\\]|bash_history|aws[/\\]|env|git[/\\](?:config|head|index)|svn[/\\]entries)(?:$|[^\w\s-][^\s]*$|[\w.]*$)|^[^\s]*\b(?:id_(?:rsa|dsa|ed25519)|wp-config\.php|web-inf[/\\])[^\s]*$"),
    ("file.secret", SIGNAL, r"^[^\s]*(?:web\.(?:config|xml)|config\.(?:php|inc)|[/\\][\w.-]+\.(?:bak|old|swp|sql|mdb))$"),
    ("file.scheme", STRONG, r"\b(?:php|expect|phar|zlib|glob|ogg|rar|ssh2|zip|gopher|dict|tftp|netdoc|compress\.zlib)://|\bjar:(?:https?|file|ftp):|^\s*(?:file|sftp|smb|ldaps?):/{1,3}"),
    ("file.scheme", SIGNAL, r"\bfile:/{2,}|\bdata:;base64"),
    ("file.metadata", STRONG, r"\b169\.254\.169\.254\b|\bmetadata\.google\.internal\b|\[fd00:ec2::254\]|\b100\.100\.100\.200\b|\b0xa9fea9fe\b"),
    ("file.share", SIGNAL, r"^\\\\\\*[\w.]+\\"),
    ("file.name", HINT, r"\.\.[/\\]"),
];

/// Where the application expects a name, a path that climbs is an attack.
#[rustfmt::skip]
const CLIMBS: &[Pattern] = &[
    ("file.climb", STRONG, r"^[^\s'\x22()<>]*(?:^|[/\\=])\.{2,4}[/\\]+(?:[^\s/\\]+[/\\]+)*\.{2,4}[/\\]"),
    ("file.climb", STRONG, r"^[^\s'\x22()<>]*[/\\]\.\.[/\\]|^\.\.[/\\]+[\w.]+[/\\]|^[^\s]*[/\\]\.\.$"),
    ("file.climb", SIGNAL, r"^\.\.[/\\]"),
];
