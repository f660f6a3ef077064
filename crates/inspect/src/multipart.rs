//! `multipart/form-data`: text fields and file names. What a file holds is not looked at here.

use memchr::memmem;

use crate::inspection::Inspection;
use crate::protocol::MULTIPART_SYNTAX;
use crate::verdict::Place;

/// Bytes of the headers of one part; browsers send a tenth of it.
const HEADERS_BYTES_MAX: usize = 4096;

/// Bytes of a boundary (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// Looks at the text fields and file names of a body.
pub(crate) fn inspect_multipart(inspection: &mut Inspection<'_>, body: &[u8], boundary: &str) {
    if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
        return inspection.finding(Place::Body, b"", MULTIPART_SYNTAX);
    }
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    let opening = delimiter.as_bytes().get(2..).unwrap_or(b"");
    // Nothing may stand before the first delimiter: two readers might find it in different places.
    let mut rest = body.strip_prefix(opening);
    let mut parts = 0;
    while let Some(part) = rest.and_then(|rest| rest.strip_prefix(b"\r\n")) {
        parts += 1;
        if parts > inspection.policy.limits.multipart_parts_max {
            return inspection.finding(Place::Body, b"", "limit.multipart-parts");
        }
        let Some(end) = finder.find(part) else {
            return inspection.finding(Place::Body, b"", MULTIPART_SYNTAX);
        };
        inspect_part(inspection, part.get(..end).unwrap_or(part));
        rest = part.get(end + delimiter.len()..);
    }
    if !matches!(rest, Some(b"--" | b"--\r\n")) {
        inspection.finding(Place::Body, b"", MULTIPART_SYNTAX);
    }
}

/// The boundary that a media type names.
#[must_use]
pub fn boundary(content_type: &str) -> Option<&str> {
    parameter(content_type.split_once(';')?.1, "boundary")
}

/// Whether the headers of a part say that it is a file.
#[must_use]
pub fn is_file(headers: &[u8]) -> bool {
    let mut dispositions = headers.split(|byte| *byte == b'\n').filter_map(disposition);
    dispositions.any(|one| parameter(one, "filename").is_some() || parameter(one, "filename*").is_some())
}

fn inspect_part(inspection: &mut Inspection<'_>, part: &[u8]) {
    let Some((headers, content)) = split_headers(part) else {
        return inspection.finding(Place::Multipart, b"", MULTIPART_SYNTAX);
    };
    let mut dispositions = headers.split(|byte| *byte == b'\n').filter_map(disposition);
    let (Some(disposition), None) = (dispositions.next(), dispositions.next()) else {
        return inspection.finding(Place::Multipart, b"", MULTIPART_SYNTAX);
    };
    let Some(name) = parameter(disposition, "name") else {
        return inspection.finding(Place::Multipart, b"", MULTIPART_SYNTAX);
    };
    let file_name = parameter(disposition, "filename");
    let other_name = parameter(disposition, "filename*");
    for file_name in [file_name, other_name].into_iter().flatten() {
        inspection.value(Place::FileName, name.as_bytes(), file_name.as_bytes());
    }
    if file_name.is_none() && other_name.is_none() {
        inspection.field(Place::Multipart, name.as_bytes(), content);
    } else {
        inspection.value(Place::Multipart, name.as_bytes(), name.as_bytes());
    }
}

fn split_headers(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let head = part.get(..HEADERS_BYTES_MAX).unwrap_or(part);
    let end = memmem::find(head, b"\r\n\r\n")?;
    Some((part.get(..end)?, part.get(end + 4..)?))
}

/// The parameters of a `Content-Disposition: form-data` line.
fn disposition(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    let (name, value) = line.split_once(':')?;
    let (kind, parameters) = value.split_once(';').unwrap_or((value, ""));
    let fits = name.trim().eq_ignore_ascii_case("content-disposition")
        && kind.trim().eq_ignore_ascii_case("form-data");
    fits.then_some(parameters)
}

/// Returns a parameter from `a=b; c="d"`: the first of its name.
pub(crate) fn parameter<'v>(parameters: &'v str, wanted: &str) -> Option<&'v str> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t', '\r', '\n']);
        let (name, value) = rest.split_once('=')?;
        let (value, behind) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => split_quoted(quoted)?,
            None => value.split_once(';').unwrap_or((value, "")),
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value.trim_end_matches(['\r', '\n', ' ', '\t']));
        }
        rest = behind;
    }
}

/// Splits behind the closing quote; a quote with a backslash before it is part of the text.
fn split_quoted(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name() {
        let text = r#" name="a;b"; filename="q\"x.png"; size=5 ; boundary=----x"#;
        assert_eq!(parameter(text, "name"), Some("a;b"));
        assert_eq!(parameter(text, "FileName"), Some(r#"q\"x.png"#));
        assert_eq!(parameter(text, "size"), Some("5"));
        assert_eq!(parameter(text, "boundary"), Some("----x"));
        assert_eq!(parameter(text, "other"), None);
        assert_eq!(parameter("name=\"open", "name"), None);
    }
}
