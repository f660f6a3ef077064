//! What was found.

use thiserror::Error;

/// The rule a request broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Refusal {
    /// The target is not an absolute path.
    #[error("the request target does not begin with a slash")]
    TargetForm,
    /// The target is longer than allowed.
    #[error("the request target is too long")]
    TargetLength,
    /// The target holds bytes outside printable ASCII, a backslash or a fragment.
    #[error("the request target holds bytes that must be encoded")]
    TargetBytes,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the request target holds a broken percent encoding")]
    PercentEncoding,
    /// An encoded byte decodes to the beginning of another encoding.
    #[error("the request target is encoded twice")]
    DoubleEncoding,
    /// A slash, backslash or control byte is encoded inside the path.
    #[error("the path hides a separator or control byte")]
    EncodedSeparator,
    /// A letter, a digit or one of `-._~` is encoded inside the path, which gives it a second spelling.
    #[error("the path encodes a byte that stands for itself")]
    EncodedUnreserved,
    /// A segment is `.` or `..`, plain, encoded, or with a parameter behind it.
    #[error("the path holds a dot segment")]
    DotSegment,
    /// Two slashes follow each other.
    #[error("the path holds an empty segment")]
    EmptySegment,
    /// The decoded target is not UTF-8, which includes overlong encodings.
    #[error("the request target is not UTF-8")]
    NotUtf8,
    /// A header name has characters outside letters, digits and hyphen.
    #[error("a header name holds other characters than letters, digits and hyphen")]
    HeaderName,
    /// A header value holds control bytes.
    #[error("a header value holds control bytes")]
    HeaderValue,
    /// There is no `Host`, more than one, or one that is not host and port.
    #[error("the Host header is not exactly one host")]
    Host,
    /// The length of the body is given twice, badly, or beside chunks.
    #[error("the length of the body is ambiguous")]
    Framing,
}
