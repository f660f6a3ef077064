//! A page and a JSON list of the kept mails, over the smallest HTTP/1.1 that serves them.
//!
//! Every answer closes its connection. Mails are shown as escaped plain text under a policy that allows nothing but
//! one style sheet of our own, and only to who asks for an IP address or `localhost`: a foreign page whose name
//! resolves to this machine reads nothing.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::folder::Folder;
use super::message::Mail;

const HEAD_BYTES_MAX: u64 = 8 * 1024;
const HEAD_LIMIT: Duration = Duration::from_secs(10);
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
                     table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.4rem .8rem .4rem 0}\
                     tr{border-bottom:1px solid #ccc}pre{white-space:pre-wrap;overflow-wrap:anywhere}";

struct Answer {
    status: &'static str,
    media_type: &'static str,
    body: String,
}

impl Answer {
    fn page(status: &'static str, title: &str, content: &str) -> Self {
        let body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/style.css\"></head>\
             <body>{content}</body></html>\n"
        );
        Self { status, media_type: "text/html; charset=utf-8", body }
    }

    fn not_found() -> Self {
        Self::page("404 Not Found", "Not found", "<h1>Not found</h1><p><a href=\"/\">All mails</a></p>")
    }
}

/// Answers one request.
pub(super) async fn serve(stream: TcpStream, folder: Folder) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let head = timeout(HEAD_LIMIT, read_head(&mut stream)).await.context("waiting for a request")??;
    let answer = match parse_head(&head) {
        Some(path) => route(path, &folder).await?,
        None => Answer::page("400 Bad Request", "Not understood", "<h1>Not understood</h1>"),
    };
    let text = format!(
        "HTTP/1.1 {}\r\ncontent-type: {}\r\ncontent-length: {}\r\ncontent-security-policy: {POLICY}\r\n\
         x-content-type-options: nosniff\r\nreferrer-policy: no-referrer\r\ncache-control: no-store\r\n\
         connection: close\r\n\r\n{}",
        answer.status,
        answer.media_type,
        answer.body.len(),
        answer.body
    );
    stream.write_all(text.as_bytes()).await.context("answering")?;
    stream.shutdown().await.context("closing a connection")
}

async fn read_head(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut head = String::new();
    let mut bounded = stream.take(HEAD_BYTES_MAX);
    while bounded.read_line(&mut head).await.context("reading a request")? > 0 && !head.ends_with("\r\n\r\n")
    {
    }
    Ok(head)
}

/// The path of a GET that was complete and meant for this machine.
fn parse_head(head: &str) -> Option<&str> {
    let (first, headers) = head.strip_suffix("\r\n\r\n")?.split_once("\r\n")?;
    let host = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    })?;
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    if name != "localhost" && name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_err() {
        return None;
    }
    first.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")
}

async fn route(path: &str, folder: &Folder) -> Result<Answer> {
    Ok(match path {
        "/" => Answer::page("200 OK", "Mails", &list(&folder.mails().await?)),
        "/mails.json" => {
            let body = serde_json::to_string(&folder.mails().await?).context("writing the list of mails")?;
            Answer { status: "200 OK", media_type: "application/json", body }
        }
        "/style.css" => Answer { status: "200 OK", media_type: "text/css", body: STYLE.to_owned() },
        _ => match path.strip_prefix("/mails/") {
            Some(name) => show(name, folder).await,
            None => Answer::not_found(),
        },
    })
}

fn list(mails: &[Mail]) -> String {
    let mut rows = String::new();
    for mail in mails.iter().rev() {
        let row = format!(
            "<tr><td><a href=\"/mails/{}\">{}</a></td><td>{}</td></tr>",
            mail.file,
            escape(if mail.subject.is_empty() { "(no subject)" } else { &mail.subject }),
            escape(&mail.to.join(", "))
        );
        rows.push_str(&row);
    }
    if rows.is_empty() {
        return "<h1>Mails</h1><p>None has arrived yet. Load the page again after something sends one.</p>"
            .to_owned();
    }
    format!(
        "<h1>Mails</h1><table><thead><tr><th>Subject</th><th>To</th></tr></thead><tbody>{rows}</tbody></table>"
    )
}

async fn show(name: &str, folder: &Folder) -> Answer {
    let Ok(raw) = folder.raw(name).await else { return Answer::not_found() };
    let mail = Mail::parse(name, &raw);
    let mut headers = String::new();
    for (name, value) in &mail.headers {
        writeln!(headers, "{}: {}", escape(name), escape(value)).expect("a string takes every text");
    }
    let content = format!(
        "<p><a href=\"/\">All mails</a></p><h1>{}</h1><p>To {}</p><pre>{}</pre>\
         <details><summary>Headers</summary><pre>{headers}</pre></details>\
         <details><summary>As it came</summary><pre>{}</pre></details>",
        escape(&mail.subject),
        escape(&mail.to.join(", ")),
        escape(&mail.text),
        escape(&String::from_utf8_lossy(&raw))
    );
    Answer::page("200 OK", "Mail", &content)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_for_this_machine_is_answered() {
        assert_eq!(parse_head("GET /a HTTP/1.1\r\nHost: 127.0.0.1:8025\r\n\r\n"), Some("/a"));
        assert_eq!(parse_head("GET /a HTTP/1.1\r\nhost: localhost\r\n\r\n"), Some("/a"));
        assert_eq!(parse_head("GET /a HTTP/1.1\r\nHost: mail.example.com\r\n\r\n"), None);
        assert_eq!(parse_head("POST /a HTTP/1.1\r\nHost: localhost\r\n\r\n"), None);
        assert_eq!(parse_head("GET /a HTTP/1.1\r\nHost: localhost\r\n"), None);
    }

    #[test]
    fn a_list_escapes_what_mails_say() {
        let raw = "X-Envelope-To: a@example.com\r\nSubject: <script>alert(1)</script>\r\n\r\nx";
        let page = list(&[Mail::parse("00000001.eml", raw.as_bytes())]);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
    }
}
