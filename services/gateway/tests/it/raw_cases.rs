//! The cases of [`crate::smuggling`]: bytes, and what becomes of them.

/// What becomes of a case.
#[derive(Debug)]
pub(crate) enum Expected {
    /// Nothing reaches an upstream.
    Refused,
    /// The upstream sees this method and target, with this body.
    Passed(&'static str, &'static str),
}

/// One conversation.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    head: &'static str,
    body: &'static str,
    /// Whether the head is given as it is, without our `Host` and the end of the head.
    is_whole: bool,
    pub(crate) expected: Expected,
    /// Headers that must not reach the upstream.
    pub(crate) gone: &'static [&'static str],
}

impl Case {
    /// What is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.is_whole {
            bytes.extend(latin(self.head));
        } else {
            let (line, headers) = self.head.split_once("\r\n").unwrap_or((self.head, ""));
            bytes.extend(latin(&format!("{line} HTTP/1.1\r\nHost: y.example\r\n{headers}")));
            if !headers.is_empty() {
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"\r\n");
        }
        bytes.extend(latin(self.body));
        bytes
    }
}

/// Characters up to 255 as one byte each, so that cases may hold bytes that are no UTF-8.
fn latin(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.chars().map(|character| u8::try_from(u32::from(character)).expect("a character of one byte"))
}

/// A request of somebody who is signed in, by its headers and body, that is refused.
const fn post(name: &'static str, head: &'static str, body: &'static str) -> Case {
    Case { name, head, body, is_whole: false, expected: Expected::Refused, gone: &[] }
}

/// A request without a body that is refused.
const fn get(name: &'static str, head: &'static str) -> Case {
    Case { name, head, body: "", is_whole: false, expected: Expected::Refused, gone: &[] }
}

/// Bytes that are sent as they are, and refused.
const fn whole(name: &'static str, head: &'static str) -> Case {
    Case { name, head, body: "", is_whole: true, expected: Expected::Refused, gone: &[] }
}

const fn passed(mut case: Case, line: &'static str, body: &'static str) -> Case {
    case.expected = Expected::Passed(line, body);
    case
}

const fn without(mut case: Case, gone: &'static [&'static str]) -> Case {
    case.gone = gone;
    case
}

/// A whole request that a server might find in the body of another one.
const HIDDEN: &str = "GET /login?hidden HTTP/1.1\r\nHost: y.example\r\n\r\n";
const ZERO_HIDDEN: &str = "0\r\n\r\nGET /login?hidden HTTP/1.1\r\nHost: y.example\r\n\r\n";

macro_rules! signed_in {
    ($headers:literal) => {
        concat!("POST /tickets\r\nAuthorization: Bearer t\r\nContent-Type: text/plain\r\n", $headers)
    };
}

pub(crate) const CASES: &[Case] = &[
    // Where the body ends.
    post("length and chunks", signed_in!("Content-Length: 5\r\nTransfer-Encoding: chunked"), ZERO_HIDDEN),
    post("chunks and length", signed_in!("Transfer-Encoding: chunked\r\nContent-Length: 47"), ZERO_HIDDEN),
    post("two equal lengths", signed_in!("Content-Length: 5\r\nContent-Length: 5"), "hello"),
    post("two lengths", signed_in!("Content-Length: 0\r\nContent-Length: 47"), HIDDEN),
    post("two lengths the other way", signed_in!("Content-Length: 47\r\nContent-Length: 0"), HIDDEN),
    post("a list of lengths", signed_in!("Content-Length: 5, 5"), "hello"),
    post("a length with a plus", signed_in!("Content-Length: +5"), "hello"),
    post("a negative length", signed_in!("Content-Length: -5"), "hello"),
    post("a hexadecimal length", signed_in!("Content-Length: 0x5"), "hello"),
    post("a length with a fraction", signed_in!("Content-Length: 5.0"), "hello"),
    post("a length beyond 64 bits", signed_in!("Content-Length: 99999999999999999999"), "hello"),
    post("an empty length", signed_in!("Content-Length:"), "hello"),
    post("a length with letters behind", signed_in!("Content-Length: 5abc"), "hello"),
    post("a length in the wrong digits", signed_in!("Content-Length: \u{b2}"), "hello"),
    passed(
        post("a length with blanks around", signed_in!("Content-Length:  \t5 \t"), "hello"),
        "POST /tickets",
        "hello",
    ),
    passed(post("a length of zero", signed_in!("Content-Length: 0"), ""), "POST /tickets", ""),
    passed(post("a request in the body", signed_in!("Content-Length: 47"), HIDDEN), "POST /tickets", HIDDEN),
    post("an encoding before chunks", signed_in!("Transfer-Encoding: gzip, chunked"), ZERO_HIDDEN),
    post("an encoding behind chunks", signed_in!("Transfer-Encoding: chunked, identity"), ZERO_HIDDEN),
    post("chunks twice in a list", signed_in!("Transfer-Encoding: chunked, chunked"), ZERO_HIDDEN),
    post("chunks twice", signed_in!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), ZERO_HIDDEN),
    post(
        "chunks and something else",
        signed_in!("Transfer-Encoding: chunked\r\nTransfer-Encoding: x"),
        ZERO_HIDDEN,
    ),
    post("identity", signed_in!("Transfer-Encoding: identity\r\nContent-Length: 5"), "hello"),
    post("an unknown encoding", signed_in!("Transfer-Encoding: xchunked"), ZERO_HIDDEN),
    post("an empty encoding", signed_in!("Transfer-Encoding:"), ZERO_HIDDEN),
    post("an encoding in quotes", signed_in!("Transfer-Encoding: \"chunked\""), ZERO_HIDDEN),
    post("an encoding with a parameter", signed_in!("Transfer-Encoding: chunked;x"), ZERO_HIDDEN),
    post("an encoding behind a vertical tab", signed_in!("Transfer-Encoding: \u{b}chunked"), ZERO_HIDDEN),
    post("an encoding behind a no-break space", signed_in!("Transfer-Encoding: \u{a0}chunked"), ZERO_HIDDEN),
    post("an encoding behind a null", signed_in!("Transfer-Encoding: \u{0}chunked"), ZERO_HIDDEN),
    post(
        "a blank before the colon",
        signed_in!("Transfer-Encoding : chunked\r\nContent-Length: 5"),
        ZERO_HIDDEN,
    ),
    post(
        "a tab before the colon",
        signed_in!("Transfer-Encoding\t: chunked\r\nContent-Length: 5"),
        ZERO_HIDDEN,
    ),
    post(
        "an underscore for the hyphen",
        signed_in!("Transfer_Encoding: chunked\r\nContent-Length: 47"),
        HIDDEN,
    ),
    post("a length with an underscore", signed_in!("Content_Length: 51"), HIDDEN),
    post("a length with a dot", signed_in!("Content.Length: 51"), HIDDEN),
    passed(
        post("chunks behind a tab", signed_in!("Transfer-Encoding:\tchunked"), "5\r\nhello\r\n0\r\n\r\n"),
        "POST /tickets",
        "hello",
    ),
    passed(
        post("chunks in capitals", signed_in!("TRANSFER-ENCODING: CHUNKED"), "5\r\nhello\r\n0\r\n\r\n"),
        "POST /tickets",
        "hello",
    ),
    whole(
        "chunks in HTTP/1.0",
        "POST /tickets HTTP/1.0\r\nHost: y.example\r\nAuthorization: Bearer t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    // Chunks.
    post("a chunk size with a prefix", signed_in!("Transfer-Encoding: chunked"), "0x5\r\nhello\r\n0\r\n\r\n"),
    post("a chunk size with a sign", signed_in!("Transfer-Encoding: chunked"), "+5\r\nhello\r\n0\r\n\r\n"),
    post("a negative chunk size", signed_in!("Transfer-Encoding: chunked"), "-5\r\nhello\r\n0\r\n\r\n"),
    post(
        "a chunk size beyond 64 bits",
        signed_in!("Transfer-Encoding: chunked"),
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
    ),
    post("no chunk size", signed_in!("Transfer-Encoding: chunked"), "\r\nhello\r\n0\r\n\r\n"),
    post("a chunk size of letters", signed_in!("Transfer-Encoding: chunked"), "hello\r\nhello\r\n0\r\n\r\n"),
    post(
        "a chunk longer than it says",
        signed_in!("Transfer-Encoding: chunked"),
        "5\r\nhello world\r\n0\r\n\r\n",
    ),
    post("a chunk without its end", signed_in!("Transfer-Encoding: chunked"), "5\r\nhello0\r\n\r\n"),
    post(
        "a chunk line ended by a line feed",
        signed_in!("Transfer-Encoding: chunked"),
        "5\nhello\r\n0\r\n\r\n",
    ),
    post(
        "a chunk line ended by a carriage return",
        signed_in!("Transfer-Encoding: chunked"),
        "5\rhello\r\n0\r\n\r\n",
    ),
    post(
        "chunk data ended by a line feed",
        signed_in!("Transfer-Encoding: chunked"),
        "5\r\nhello\n0\r\n\r\n",
    ),
    post(
        "a line feed in a chunk extension",
        signed_in!("Transfer-Encoding: chunked"),
        "5;x\nhello\r\n0\r\n\r\n",
    ),
    // The head.
    whole("lines ended by line feeds", "GET /login?x HTTP/1.1\nHost: y.example\n\n"),
    whole("one line ended by a line feed", "GET /login?x HTTP/1.1\r\nHost: y.example\nX-A: b\r\n\r\n"),
    whole("a head ended by line feeds", "GET /login?x HTTP/1.1\r\nHost: y.example\r\n\n"),
    get("a carriage return in a value", "GET /login?x\r\nX-A: b\rc"),
    get("a null in a value", "GET /login?x\r\nX-A: b\u{0}c"),
    get("a null in a name", "GET /login?x\r\nX\u{0}A: b"),
    get("an escape in a value", "GET /login?x\r\nX-A: \u{1b}[31m"),
    get("a line without a colon", "GET /login?x\r\nX-A"),
    get("a line without a name", "GET /login?x\r\n: b"),
    get("a blank in a name", "GET /login?x\r\nX A: b"),
    get("a parenthesis in a name", "GET /login?x\r\nX(A): b"),
    get("a letter with an accent in a name", "GET /login?x\r\nX-\u{e9}: b"),
    get("a value on two lines", "GET /login?x\r\nX-A: b\r\n c"),
    get("a value on two lines with a tab", "GET /login?x\r\nX-A: b\r\n\tTransfer-Encoding: chunked"),
    whole("a first header that begins with a blank", "GET /login?x HTTP/1.1\r\n Host: y.example\r\n\r\n"),
    get("a second host", "GET /login?x\r\nHost: z.example"),
    get("the same host twice", "GET /login?x\r\nHost: y.example"),
    whole("no host", "GET /login?x HTTP/1.1\r\nX-A: b\r\n\r\n"),
    whole("an empty host", "GET /login?x HTTP/1.1\r\nHost:\r\n\r\n"),
    whole("a host with somebody in front", "GET /login?x HTTP/1.1\r\nHost: a@y.example\r\n\r\n"),
    whole("two hosts in one", "GET /login?x HTTP/1.1\r\nHost: y.example, z.example\r\n\r\n"),
    whole("a host with a path", "GET /login?x HTTP/1.1\r\nHost: y.example/a\r\n\r\n"),
    whole("a host with a port of letters", "GET /login?x HTTP/1.1\r\nHost: y.example:http\r\n\r\n"),
    // The request line.
    whole("a target that names a host", "GET http://z.example/login?x HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a star", "GET * HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a star for options", "OPTIONS * HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a tunnel", "CONNECT z.example:443 HTTP/1.1\r\nHost: z.example:443\r\n\r\n"),
    whole("a trace", "TRACE /login?x HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a blank in the target", "GET /login?a b HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a tab for a blank", "GET\t/login?x\tHTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a fragment", "GET /login?x#y HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a letter with an accent in the target", "GET /login?\u{e9} HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a backslash", "GET /assets\\..\\login HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a dot segment", "GET /assets/../login?x HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a hidden slash", "GET /assets%2flogin HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("no version", "GET /login?x\r\nHost: y.example\r\n\r\n"),
    whole("version 2.0", "GET /login?x HTTP/2.0\r\nHost: y.example\r\n\r\n"),
    whole("version 1.2", "GET /login?x HTTP/1.2\r\nHost: y.example\r\n\r\n"),
    whole("a version in small letters", "GET /login?x http/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a version with a blank", "GET /login?x HTTP/ 1.1\r\nHost: y.example\r\n\r\n"),
    whole("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    whole("a method with a blank in front", " GET /login?x HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a method with a slash", "GE/T /login?x HTTP/1.1\r\nHost: y.example\r\n\r\n"),
    whole("a handshake of TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}\r\n\r\n"),
    // What passes, and how.
    passed(get("a plain request", "GET /login?x"), "GET /login?x", ""),
    passed(
        without(
            get(
                "headers for one hop",
                "GET /login?x\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x",
            ),
            &["keep-alive", "te", "proxy-connection"],
        ),
        "GET /login?x",
        "",
    ),
    passed(
        without(
            get("a header named for one hop", "GET /login?x\r\nX-Secret: 1\r\nConnection: x-secret"),
            &["x-secret"],
        ),
        "GET /login?x",
        "",
    ),
    passed(
        without(
            get("an identity of one's own", "GET /login?x\r\nX-Youtility-Identity: forged"),
            &["x-youtility-identity"],
        ),
        "GET /login?x",
        "",
    ),
    passed(
        post(
            "a length named for one hop",
            signed_in!("Connection: content-length\r\nContent-Length: 5"),
            "hello",
        ),
        "POST /tickets",
        "hello",
    ),
    passed(
        post("an expectation", signed_in!("Expect: 100-continue\r\nContent-Length: 5"), "hello"),
        "POST /tickets",
        "hello",
    ),
    passed(
        post("two chunks", signed_in!("Transfer-Encoding: chunked"), "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
        "POST /tickets",
        "hello",
    ),
    post(
        "an upgrade to HTTP/2",
        signed_in!("Upgrade: h2c\r\nHTTP2-Settings: x\r\nContent-Length: 5"),
        "hello",
    ),
    get("an upgrade to something", "GET /login?x\r\nConnection: upgrade\r\nUpgrade: foo"),
];
