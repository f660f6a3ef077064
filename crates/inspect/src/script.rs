//! Script that a value carries without a tag: addresses, handlers, calls behind a quote.

use std::sync::LazyLock;

use crate::html;
use crate::patterns::{Pattern, Patterns};
use crate::scan::{HINT, Hits, SIGNAL, STRONG};
use crate::verdict::Class;

static TEXT: LazyLock<Patterns> =
    LazyLock::new(|| Patterns::expanded(Class::CrossSiteScripting, WORDS, expand));

/// `{sink}` is a function that shows, runs or sends something, `{gap}` is blanks and comments.
fn expand(pattern: &str) -> String {
    const SINK: &str = r"(?:alert|confirm|prompt|eval|settimeout|setinterval|setimmediate|execscript|atob|fetch|document\.write|console\.log)";
    pattern.replace("{gap}", r"(?:\s|/\*[^*]*\*/)*").replace("{sink}", SINK)
}

/// Adds the rules that fit a canonical text; returns the bytes read.
pub(crate) fn check(text: &[u8], hits: &mut Hits) -> usize {
    if html::has_active_scheme(text) {
        let is_bare = text.trim_ascii().ends_with(b":");
        let is_code = is_bare
            || memchr::memchr3(b'(', b'`', b'=', text).is_some()
            || memchr::memchr2(b'%', b'<', text).is_some();
        hits.add(Class::CrossSiteScripting, "script.address", if is_code { STRONG } else { SIGNAL });
    }
    TEXT.check(text, hits)
}

#[rustfmt::skip]
const WORDS: &[Pattern] = &[
    ("script.address", STRONG, r#"(?:^|["'=(\s,>])(?:j\s*a\s*v\s*a|v\s*b|live|j)\s*s\s*c\s*r\s*i\s*p\s*t\s*:\s*[^\s][^\n]*[(`=]"#),
    ("script.address", STRONG, r"data:\s*(?:text/(?:html|xml|javascript|ecmascript)|image/svg\+xml|application/(?:x(?:html)?\+?xml|javascript))"),
    ("script.call-behind-quote", STRONG, r#"["'`]\s*[)\]}]*\s*(?:[-+*/%^|&;,<>=?:!~]+|\bin\b)\s*[({\[!+]*\s*{sink}\s*[(`]"#),
    ("script.call-behind-quote", STRONG, r#"[;,]\s*{sink}\s*[(`][^)`]*[)`]\s*(?:;?\s*//|[-+*/,]\s*["'])"#),
    ("script.call", SIGNAL, r"(?:^|[^\w.])(?:alert|confirm|prompt|eval|execscript|settimeout|setinterval)\s*(?:\(|`)"),
    ("script.call", STRONG, r#"^\W{0,12}(?:top|self|window|parent|frames|this|globalthis)?[.\[('"]*(?:alert|confirm|prompt|eval)['"\])]*\s*(?:\([^)]{0,60}\)|`[^`]{0,60}`)\s*;?\s*(?://.*)?$"#),
    ("script.call-before-comment", STRONG, r"(?:^|[;*/}\s,])(?:void\s+)?{sink}\s*[(`][^)`]*[)`]+\s*;?\s*(?://\s*$|/\*|-->|<!--)|^\W*\*/\s*;?\s*{sink}\s*[(`]|[;}]\s*{sink}\s*[(`][^)`]*[)`]\s*;\s*var\s+\w+\s*="),
    ("script.function-value", STRONG, r#"\(\s*0\s*,\s*(?:alert|eval|confirm|prompt)\s*\)|\.\s*(?:find|map|foreach|some|every|filter|reduce|sort|call|apply|then)\s*\(\s*(?:alert|eval|confirm|prompt)\b|=>\s*(?:alert|eval|confirm|prompt)\s*[(`]|\beval\s*\(\s*(?:\(?\s*\d|["'`]\s*(?:alert|confirm|prompt))|\bexpression\s*\(\s*{sink}|=\s*(?:alert|confirm|prompt|eval)\s*[,;]"#),
    ("script.template-call", STRONG, r"\.{gap}(?:call|apply|bind|constructor|concat){gap}`|\breflect{gap}\.{gap}(?:apply|construct|get|set)\b"),
    ("script.call", STRONG, r"^\W*(?:new\s+)?(?:function|setinterval|settimeout|atob|btoa|fetch|import|importscripts|print|open|eval|alert|confirm|prompt)\s*\([^()]*\)\W*$"),
    ("script.function-body", STRONG, r"[{;]\s*(?:await\s+|return\s+)?(?:alert|confirm|prompt|eval)\s*[(`][^)`]*[)`]\s*;?\s*\}|\bng-[a-z-]+\s*=\s*['\x22][^'\x22]*(?:\$event|\$eval|constructor|alert)|['\x22][^=]{0,40}\b(?:valueof|tostring)\s*="),
    ("script.scheme", STRONG, r"\xbc\s*/?\s*(?:script|iframe|img|svg)|^[+!\[\]() ]{3,}\[\][+!\[\]() ]*$|^[+!\[\]() ]*!\[\]$"),
    ("script.scheme", STRONG, r"^\s*(?:javascript|vbscript)\s*:\s*$|\+adw-\s*/?\s*[a-z]|^window\.(?:location|name)$"),
    ("script.spaced-tag", STRONG, r"<[^\w>]{0,8}(?:s\s+c\s*r\s*i\s*p\s*t|f\s+o\s*r\s*m|i\s+f\s*r\s*a\s*m\s*e|o\s+b\s*j\s*e\s*c\s*t|e\s+m\s*b\s*e\s*d|s\s*c\s+r\s*i\s*p\s*t)\b|<\s*[a-z]+\s*:\s*script\b|<[a-z]+[^>]*\sxmlns:(?:xi|xsi|xlink|xhtml)\s*="),
    ("script.template-call", STRONG, r"\$\{\s*(?:{sink})\s*[(`]"),
    ("script.indirect-call", STRONG, r#"\b(?:top|window|parent|frames|globalthis){gap}\[{gap}(?:["'`/(]|[a-z]+\s*\()|\b(?:self|this){gap}\[{gap}["'`/(][^\]]*(?:alert|eval|confirm|prompt|\$|["'`]\s*\+|atob)|\bdocument{gap}\)?{gap}\[{gap}["'`]"#),
    ("script.indirect-call", STRONG, r#"\[\s*["'`](?:constructor|alert|eval|innerhtml)["'`]\s*\]|\bconstructor\s*\.\s*constructor\b|\bconstructor\s*\(\s*["'`]"#),
    ("script.indirect-call", STRONG, r#"\bnew\s+function\s*[(`]\s*["'`]|\bfunction\s*\(\s*["'`][^"'`]*(?:alert|eval|cookie|fetch)|\bset(?:timeout|interval)\s*[(`]\s*["'`]?(?:alert|eval|\\)|\bimport\s*\(\s*["'`](?:data|https?|//)"#),
    ("script.cookie", STRONG, r"\bdocument{gap}\)?{gap}\.{gap}cookie\b|\bdocument\s*\[\s*.cookie|\bdocument\s*\.\s*domain\s*="),
    ("script.write", STRONG, r#"\bdocument\s*\.\s*write(?:ln)?\s*[(`]\s*["'`(]?\s*(?:<|\\|unescape|string|document|atob|location)|\bdocument\s*\.\s*location\s*(?:=|\.(?:href|replace|assign))"#),
    ("script.write", SIGNAL, r"\bdocument\s*\.\s*write(?:ln)?\s*\(|\.\s*innerhtml\s*=|\.\s*outerhtml\s*=|\binsertadjacenthtml\b|\bwindow\s*\.\s*(?:location|name|open)\b|\b(?:local|session)storage\s*[.\[]|\.parentnode\b|\bxmlhttprequest\b|\bcreateelement\s*\(\s*.script"),
    ("script.location", STRONG, r#"\blocation(?:\s*\.\s*(?:href|hash|search))?\s*=\s*["'`]?\s*(?:javascript|data|name|//|["'`]https?:|https?:|\(|atob)"#),
    ("script.encoding", STRONG, r"\bstring\s*\.\s*fromch?ar?code\s*[(`]\s*(?:\d+|0x[0-9a-f]+)\s*,|\(\s*string\s*\.\s*fromch?ar?code|\beval\s*\(\s*(?:atob|string|unescape|decodeuri|location|name|window|\$)|\bunescape\s*\(\s*['\x22]%"),
    ("script.encoding", SIGNAL, r"\b(?:atob|unescape|decodeuricomponent|string\s*\.\s*fromcharcode)\s*\("),
    ("script.brackets-only", STRONG, r"(?:!\[\]|\+\[\]|\[\]\[|\+\{\})[\[\]()!+{} ]{6}"),
    ("script.handler", STRONG, r#"(?:^|[\s"'`/;,>(|\\])on(?:error|load(?:start|end|eddata|edmetadata)?|click|dblclick|focus(?:in|out)?|blur|mouse[a-z]+|pointer[a-z]+|toggle|animation[a-z]+|transition[a-z]+|key(?:up|down|press)|input|change|submit|reset|scroll|wheel|drag[a-z]*|drop|copy|cut|paste|select(?:start|ionchange)?|resize|hashchange|page(?:show|hide)|popstate|message|start|begin|end|repeat|finish|bounce|before[a-z]+|after[a-z]+|unload|cancel|canplay(?:through)?|play(?:ing)?|pause|contextmenu|auxclick|content[a-z]+|touch[a-z]+|webkit[a-z]+|show|close|readystatechange|propertychange|activate)\s*=\s*["'`]?\s*(?:[^\s"'=>]|$)"#),
    ("script.handler-call", SIGNAL, r#"\bon[a-z]{3,20}\s*=\s*["'`]?\s*{sink}\s*[(`]"#),
    ("script.style", STRONG, r#"(?::|=|\{)\s*(?:expression|e/\*[^*]*\*/xpression)\s*\(|-moz-binding\s*:|\bbehaviou?r\s*:\s*url|@import\s*(?:url|["'(])|url\s*\(\s*["']?\s*(?:javascript|vbscript|data:text)"#),
    ("script.prototype", STRONG, r#"\b__proto__\b\s*(?:\[|\.|["']?\s*:|=)|^__proto__$|\bconstructor\s*(?:\.|\[["']?)\s*prototype\b"#),
    ("script.conditional", STRONG, r"<!--\s*\[if|<!\[if|^[^<]*['\x22`]\s*/?>\s*<[a-z!/]|^[^<]*--!?>\s*<[a-z!/]"),
    ("script.markup", SIGNAL, r#"^[^<]*["'`]\s*/?>"#),
    ("script.throw", STRONG, r"\bonerror\s*=\s*(?:alert|eval|prompt|confirm)\b|\bthrow\s+onerror\b|\{onerror="),
    ("script.loader", STRONG, r#"\$\s*\.\s*(?:getscript|get|ajax|globaleval)\s*\(\s*["'`(]?\s*(?:https?:|//|data:)|\bimportscripts\s*\(|\bnew\s+(?:shared)?worker\s*\(\s*["'`](?:https?:|//|data:|blob:)|\bserviceworker\s*\.\s*register\s*\("#),
    ("script.exfiltration", STRONG, r"\bfetch\s*\(\s*.(?:https?:)?//[^)]*(?:cookie|storage)|\bnavigator\s*\.\s*sendbeacon\b|\bnew\s+image\s*(?:\(\s*\))?\s*\.\s*src\b"),
    ("script.name", HINT, r"\bjavascript\s*:|\bvbscript\s*:|<\s*script|\bdocument\s*\."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_without_a_tag_is_found() {
        for text in [
            " alert('x') -->",
            " alert('x') //",
            "\");alert(1)//",
            "'-alert(1)-'",
            "javascript:alert(1)",
            "java\nscript:alert(1)",
            "document /* */ . cookie",
            "[1].find(alert)",
            "self['al'+'ert'](1)",
            "eval(atob('x'))",
            "x onerror=alert(1)",
            "[][(![]+[])[+[]]",
        ] {
            let mut hits = Hits::default();
            check(text.as_bytes(), &mut hits);
            assert!(hits.score_of(Class::CrossSiteScripting) >= STRONG, "{text}: {hits:?}");
        }
    }
}
