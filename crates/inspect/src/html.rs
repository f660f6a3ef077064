//! HTML: tags and attributes that run script or load what they please.
//!
//! Tags are read as a browser reads them. An attribute is read as well when the value breaks out of one, from behind its
//! first quote of either kind.

use crate::canonical::Kinds;
use crate::scan::{Hits, SIGNAL, STRONG};
use crate::verdict::Class;

/// Adds the rules that fit a canonical text; returns the bytes read.
pub(crate) fn check(text: &[u8], kinds: Kinds, hits: &mut Hits) -> usize {
    if kinds.has_any(Kinds::ANGLE) {
        check_tags(text, hits);
    }
    if kinds.has_any(Kinds::QUOTE) {
        for quote in *b"\"'`" {
            check_breakout(text, quote, hits);
        }
    }
    text.len() * 2
}

fn add(hits: &mut Hits, rule: &'static str, score: u16) {
    hits.add(Class::CrossSiteScripting, rule, score);
}

fn check_tags(text: &[u8], hits: &mut Hits) {
    let mut reader = Reader::new(text);
    while reader.find(b'<') {
        match reader.rest {
            [b'a'..=b'z', ..] => check_tag(&mut reader, hits),
            [b'/', b'a'..=b'z', ..] => check_end_tag(reader.rest, hits),
            [b'!', ..] => check_declaration(reader.rest, hits),
            [b'?', ..] => check_instruction(reader.rest, hits),
            // Old browsers and filters that drop these bytes see a tag behind them.
            [b'/' | b'%' | b' ' | b'\t' | b'\n' | b'\r' | b'<', rest @ ..] => check_hidden_tag(rest, hits),
            _ => {}
        }
    }
}

fn check_tag(reader: &mut Reader<'_>, hits: &mut Hits) {
    let name = reader.take_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'>'));
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
    let mut is_bare = true;
    while let Some(attribute) = reader.attribute() {
        is_bare = false;
        check_attribute(name, &attribute, hits);
    }
    if is_active_tag(local) {
        add(hits, "html.tag", if is_bare && needs_attributes(local) { SIGNAL } else { STRONG });
    } else if is_loading_tag(local) {
        add(hits, "html.tag", SIGNAL);
    }
}

/// Tags that run script, load documents or change what the page refers to.
fn is_active_tag(name: &[u8]) -> bool {
    matches!(
        name,
        b"script"
            | b"iframe"
            | b"object"
            | b"embed"
            | b"applet"
            | b"base"
            | b"frame"
            | b"frameset"
            | b"svg"
            | b"math"
            | b"bgsound"
            | b"layer"
            | b"ilayer"
            | b"xss"
            | b"xml"
            | b"foreignobject"
            | b"animate"
            | b"set"
            | b"isindex"
            | b"noembed"
            | b"noscript"
            | b"portal"
            | b"fencedframe"
            | b"meta"
            | b"link"
            | b"vmlframe"
            | b"implementation"
            | b"import"
            | b"event-source"
    )
}

/// Tags that do nothing by themselves; bare, they are names of types and words of documentation.
fn needs_attributes(name: &[u8]) -> bool {
    matches!(
        name,
        b"object"
            | b"link"
            | b"meta"
            | b"base"
            | b"set"
            | b"import"
            | b"embed"
            | b"frame"
            | b"xml"
            | b"event-source"
            | b"animate"
            | b"layer"
    )
}

/// Tags that belong to a page, not to text somebody formats.
fn is_loading_tag(name: &[u8]) -> bool {
    matches!(
        name,
        b"style"
            | b"form"
            | b"button"
            | b"input"
            | b"textarea"
            | b"select"
            | b"keygen"
            | b"html"
            | b"body"
            | b"head"
            | b"title"
            | b"video"
            | b"audio"
            | b"source"
            | b"marquee"
            | b"template"
            | b"dialog"
            | b"plaintext"
            | b"listing"
            | b"xmp"
            | b"comment"
            | b"slot"
            | b"picture"
            | b"isindex"
            | b"blink"
    )
}

fn check_end_tag(rest: &[u8], hits: &mut Hits) {
    let name: &[u8] = rest.get(1..).unwrap_or(&[]);
    let length = name.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if let Some(b"script" | b"style" | b"title" | b"textarea" | b"iframe" | b"noscript") = name.get(..length)
    {
        add(hits, "html.end-tag", STRONG);
    }
}

fn check_declaration(rest: &[u8], hits: &mut Hits) {
    let is_entity = |rest: &[u8]| {
        rest.starts_with(b"!entity") || rest.starts_with(b"!element") || rest.starts_with(b"!attlist")
    };
    if rest.starts_with(b"![cdata[") || is_entity(rest) {
        add(hits, "html.declaration", STRONG);
    } else if rest.starts_with(b"!doctype") || rest.starts_with(b"!--") {
        add(hits, "html.declaration", SIGNAL);
    }
}

fn check_instruction(rest: &[u8], hits: &mut Hits) {
    let is_code =
        [&b"?php"[..], b"?=", b"?import", b"?xml-stylesheet"].iter().any(|start| rest.starts_with(start));
    if is_code {
        add(hits, "html.instruction", STRONG);
    } else if rest.starts_with(b"?xml") {
        add(hits, "html.instruction", SIGNAL);
    }
}

/// Bytes between the angle and the name of a hidden tag.
const HIDDEN_BYTES_MAX: usize = 4;

fn check_hidden_tag(rest: &[u8], hits: &mut Hits) {
    let start = rest.iter().take(HIDDEN_BYTES_MAX).position(u8::is_ascii_lowercase);
    let Some(rest) = start.and_then(|start| rest.get(start..)) else {
        return;
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    if let Some(b"script" | b"iframe" | b"object" | b"embed" | b"svg" | b"applet") = rest.get(..length) {
        add(hits, "html.hidden-tag", STRONG);
    }
}

/// Reads what stands behind the first quote as attributes of the tag that the page has there.
fn check_breakout(text: &[u8], quote: u8, hits: &mut Hits) {
    let Some(found) = memchr::memchr(quote, text) else {
        return;
    };
    let mut reader = Reader::new(text);
    reader.advance(found + 1);
    while let Some(attribute) = reader.attribute() {
        let is_cut = reader.rest.is_empty();
        let is_handler =
            attribute.is_assigned && is_event(attribute.name) && (is_cut || !attribute.value.is_empty());
        if is_handler {
            add(hits, "html.breakout-handler", STRONG);
        } else if attribute.is_assigned
            && matches!(
                attribute.name,
                b"style" | b"autofocus" | b"srcdoc" | b"formaction" | b"href" | b"src"
            )
        {
            check_attribute(b"", &attribute, hits);
        }
    }
}

fn check_attribute(tag: &[u8], attribute: &Attribute<'_>, hits: &mut Hits) {
    let Attribute { name, value, .. } = *attribute;
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
    if is_event(local)
        || (local.starts_with(b"on") && local.len() > 4 && !value.is_empty() && !is_prose(local))
    {
        add(hits, "html.handler", STRONG);
    }
    match local {
        b"srcdoc" | b"formaction" | b"fscommand" | b"seeksegmenttime" | b"http-equiv" => {
            add(hits, "html.attribute", STRONG);
        }
        b"style" => check_style(value, hits),
        b"href" | b"src" | b"action" | b"data" | b"background" | b"poster" | b"dynsrc" | b"lowsrc"
        | b"codebase" | b"code" | b"classid" | b"manifest" | b"ping" | b"srcset" | b"to" | b"from"
        | b"values" | b"content" | b"cite" | b"profile" | b"usemap" | b"longdesc" | b"folder" | b"value" => {
            check_address(tag, attribute, hits);
        }
        _ => {}
    }
}

fn is_prose(name: &[u8]) -> bool {
    matches!(
        name,
        b"once" | b"only" | b"online" | b"ongoing" | b"onto" | b"onward" | b"onwards" | b"onset" | b"onsite"
    )
}

fn check_address(tag: &[u8], attribute: &Attribute<'_>, hits: &mut Hits) {
    let Attribute { value, is_dangling, .. } = *attribute;
    let address = value.strip_prefix(b"'").or_else(|| value.strip_prefix(b"\"")).unwrap_or(value);
    let is_elsewhere = address.starts_with(b"http") || address.starts_with(b"//");
    let is_sent_elsewhere = is_elsewhere && (is_dangling && !tag.is_empty() || tag == b"form");
    if has_active_scheme(value) || is_sent_elsewhere {
        add(hits, "html.address", STRONG);
    }
    if matches!(tag, b"image" | b"img") && value.is_empty() {
        add(hits, "html.address", SIGNAL);
    }
}

/// Whether an address runs script: its scheme may be split by blanks.
pub(crate) fn has_active_scheme(value: &[u8]) -> bool {
    let mut scheme = [0_u8; 14];
    let letters = value
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .skip_while(|byte| !byte.is_ascii_alphanumeric());
    let mut length = 0;
    for (place, byte) in scheme.iter_mut().zip(letters) {
        *place = *byte;
        length += 1;
    }
    let scheme = scheme.get(..length).unwrap_or(&[]);
    [
        &b"javascript:"[..],
        b"vbscript:",
        b"livescript:",
        b"mocha:",
        b"jscript:",
        b"data:text/html",
        b"data:text/xml",
        b"data:image/svg",
        b"data:,",
        b"data:applicat",
    ]
    .iter()
    .any(|start| scheme.starts_with(start.get(..14).unwrap_or(start)))
}

fn check_style(value: &[u8], hits: &mut Hits) {
    let is_active = [
        &b"expression"[..],
        b"behavior",
        b"-moz-binding",
        b"javascript:",
        b"vbscript:",
        b"@import",
        b"-o-link",
        b"\\",
    ]
    .iter()
    .any(|word| memchr::memmem::find(value, word).is_some());
    if is_active {
        add(hits, "html.style", STRONG);
    }
}

/// Whether an attribute is a handler of a browser's event.
fn is_event(name: &[u8]) -> bool {
    let Some(event) = name.strip_prefix(b"on") else {
        return false;
    };
    FAMILIES.iter().any(|family| event.starts_with(family)) || EVENTS.contains(&event)
}

/// How the names of events begin.
#[rustfmt::skip]
const FAMILIES: &[&[u8]] = &[
    b"mouse", b"pointer", b"animation", b"transition", b"key", b"drag", b"touch", b"before", b"after", b"webkit", b"moz",
    b"context", b"content", b"canplay", b"fullscreen", b"visibility", b"device", b"gamepad", b"securitypolicy", b"load",
    b"volume", b"duration", b"gotpointer", b"lostpointer", b"unhandled", b"rejection", b"scrollend", b"scrollsnap",
];

#[rustfmt::skip]
const EVENTS: &[&[u8]] = &[
    b"abort", b"activate", b"afterprint", b"auxclick", b"begin", b"blur", b"bounce", b"cancel", b"cellchange", b"change",
    b"click", b"close", b"command", b"copy", b"cuechange", b"cut", b"dataavailable", b"datasetchanged", b"dblclick",
    b"deactivate", b"drop", b"emptied", b"end", b"ended", b"error", b"errorupdate", b"filterchange", b"finish", b"focus",
    b"focusin", b"focusout", b"formdata", b"hashchange", b"help", b"input", b"invalid", b"languagechange", b"layoutcomplete",
    b"losecapture", b"mediacomplete", b"mediaerror", b"message", b"messageerror", b"move", b"moveend", b"movestart",
    b"offline", b"online", b"outofsync", b"pagehide", b"pageshow", b"pagereveal", b"pageswap", b"paste", b"pause", b"play",
    b"playing", b"popstate", b"progress", b"propertychange", b"ratechange", b"readystatechange", b"redo", b"repeat",
    b"reset", b"resize", b"resizeend", b"resizestart", b"resume", b"reverse", b"rowenter", b"rowexit", b"rowsdelete",
    b"rowsinserted", b"scroll", b"search", b"seek", b"seeked", b"seeking", b"select", b"selectionchange", b"selectstart",
    b"show", b"slotchange", b"stalled", b"start", b"stop", b"storage", b"submit", b"suspend", b"syncrestored",
    b"timeerror", b"timeupdate", b"toggle", b"trackchange", b"undo", b"unload", b"urlflip", b"waiting", b"wheel", b"zoom",
];

struct Attribute<'v> {
    name: &'v [u8],
    value: &'v [u8],
    /// There is a `=` behind the name.
    is_assigned: bool,
    /// The value begins with a quote that never closes: the tag swallows what the page goes on with.
    is_dangling: bool,
}

struct Reader<'v> {
    rest: &'v [u8],
    offset: usize,
    /// Where each kind of quote stands last: one that is opened behind it is never closed.
    last_quotes: [Option<usize>; 3],
}

impl<'v> Reader<'v> {
    fn new(text: &'v [u8]) -> Self {
        let last_quotes = [b'"', b'\'', b'`'].map(|quote| memchr::memrchr(quote, text));
        Self { rest: text, offset: 0, last_quotes }
    }

    fn advance(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or(&[]);
        self.offset += length;
    }

    /// Goes behind the next `byte`; `false` if there is none.
    fn find(&mut self, byte: u8) -> bool {
        let found = memchr::memchr(byte, self.rest);
        if let Some(index) = found {
            self.advance(index + 1);
        }
        found.is_some()
    }

    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'v [u8] {
        let length = self.rest.iter().take_while(|byte| fits(**byte)).count();
        let taken = self.rest.get(..length).unwrap_or(&[]);
        self.advance(length);
        taken
    }

    /// Reads the next attribute; `None` at the end of the tag.
    fn attribute(&mut self) -> Option<Attribute<'v>> {
        self.take_while(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b'`' | b';')
        });
        if matches!(self.rest, [] | [b'>' | b'<', ..]) {
            return None;
        }
        let name = self.take_while(|byte| {
            !byte.is_ascii_whitespace() && !matches!(byte, b'=' | b'>' | b'/' | b'<' | b'"' | b'\'')
        });
        let mark = self.rest.trim_ascii_start();
        if !matches!(mark, [b'=', ..]) {
            if name.is_empty() {
                self.advance(1);
            }
            return Some(Attribute { name, value: &[], is_assigned: false, is_dangling: false });
        }
        self.advance(self.rest.len() - mark.len() + 1);
        self.take_while(|byte| byte.is_ascii_whitespace());
        let (value, is_dangling) = self.value();
        Some(Attribute { name, value, is_assigned: true, is_dangling })
    }

    fn value(&mut self) -> (&'v [u8], bool) {
        let quote = self.rest.first().copied().unwrap_or(b' ');
        let last = match quote {
            b'"' => self.last_quotes.first(),
            b'\'' => self.last_quotes.get(1),
            b'`' => self.last_quotes.get(2),
            _ => None,
        };
        if last.is_some_and(|last| last.is_some_and(|last| last > self.offset)) {
            self.advance(1);
            let value = self.take_while(|byte| byte != quote);
            self.advance(1);
            return (value, false);
        }
        let is_dangling = last.is_some();
        (self.take_while(|byte| !byte.is_ascii_whitespace() && byte != b'>'), is_dangling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(text: &str) -> u16 {
        let mut hits = Hits::default();
        check(text.as_bytes(), Kinds::of(text.as_bytes()), &mut hits);
        hits.score_of(Class::CrossSiteScripting)
    }

    #[test]
    fn tags_and_attributes_that_run_script_are_strong() {
        for text in [
            "<script>",
            "<script/x>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<img src=\"x\" onerror='alert(1)",
            "<a href=\"java\tscript:alert(1)\">",
            "<a href=' javascript:x'>",
            "<svg/onload=alert(1)>",
            "<div style=\"width:expression(alert(1))\">",
            "<iframe srcdoc='x'>",
            "<meta http-equiv=refresh content=0>",
            "<x onfocus=alert(1) tabindex=1>",
            "\" onmouseover=alert(1) x=\"",
            "' autofocus onfocus='alert(1)",
            "</script>",
            "<%00script>",
            "<!entity x system \"file:///\">",
            "<?php echo 1",
        ] {
            assert!(score(text) >= STRONG, "{text}: {}", score(text));
        }
    }

    #[test]
    fn formatted_text_and_comparisons_pass() {
        for text in [
            "<b>bold</b> and <i>italic</i>",
            "<p class=\"note\">text</p>",
            "<a href=\"https://example.org/?a=b\">link</a>",
            "a < b and c > d",
            "if (a<b && c>d) { return; }",
            "vec<string> once = x",
            "<3 you",
            "\"quoted\" only = x",
            "<img src=\"https://example.org/a.png\" alt=\"once\">",
        ] {
            assert_eq!(score(text), 0, "{text}");
        }
    }
}
