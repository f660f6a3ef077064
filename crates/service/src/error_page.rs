//! The page a browser sees instead of a problem.

/// What the page says.
pub(crate) struct ErrorPage<'a> {
    pub(crate) title: &'a str,
    pub(crate) detail: &'a str,
    pub(crate) code: &'a str,
    pub(crate) reference: &'a str,
}

impl ErrorPage<'_> {
    /// A whole document without inline script or style.
    pub(crate) fn render(&self) -> String {
        let title = escape(self.title);
        let detail = escape(self.detail);
        let code = escape(self.code);
        let reference = escape(self.reference);
        format!(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Youtility</title>
<link rel="stylesheet" href="/assets/error.css">
</head>
<body>
<main>
<h1>{title}</h1>
<p>{detail}</p>
<p><a href="/">Go to the start page</a> or read <a href="/problems/{code}">what this means</a>.</p>
<p>If you report it, quote <code>{reference}</code>.</p>
</main>
</body>
</html>
"#
        )
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
