//! Expressions that a template, expression or look-up engine would evaluate. A plain placeholder is none.

use std::sync::LazyLock;

use crate::patterns::{Pattern, Patterns};
use crate::scan::{Hits, SIGNAL, STRONG};
use crate::verdict::Class;

static TEXT: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(Class::TemplateInjection, WORDS));

/// Adds the rules that fit a canonical text; returns the bytes read.
pub(crate) fn check(text: &[u8], hits: &mut Hits) -> usize {
    TEXT.check(text, hits)
}

#[rustfmt::skip]
const WORDS: &[Pattern] = &[
    ("template.look-up", STRONG, r"\$\{\s*(?:\$\{[^}]*\}|[jndilapsmrho:$-])*\s*(?:jndi|\$\{)|\$\{[^}]*jndi|\bjndi:(?:ldap|rmi|dns|nis|iiop|corba|nds|https?)|\$\{(?:env|sys|java|ctx|main|lower|upper|date|k8s|docker|web|spring|log4j|bundle|base64|script|url|dns):"),
    ("template.arithmetic", STRONG, r#"(?:\{\{|\$\{|#\{|\*\{|@\{|~\{|\{%|%\{|<%=?|@\()\s*['"(]?\s*-?\d+\s*['"]?\s*[*+/-]\s*['"(]?\s*\d+"#),
    ("template.call", STRONG, r#"(?:\{\{|#\{|\*\{|%\{|<%=?|\{%)[^}%]*(?:__\w+__|\bconstructor\b|\bgetclass\b|\bgetruntime\b|\bruntime\b|\bexec\s*\(|\bsystem\s*\(|\bpopen\s*\(|\beval\s*\(|\bself\.|\bconfig\b|\brequest\.(?:application|environ|args|_)|\bcycler\b|\blipsum\b|\bjoiner\b|\bnamespace\.|\burl_for\b|\bget_flashed|\battr\s*\(|\bt\s*\(\s*java|\bnew\s+java|\bjava\.|\bfile\.|\bopen\s*\(|\bglobals?\b|\brequire\s*\(|\bprocess\.|\b_self\b|\bfilter\s*\(|\bsource\s*\(|\bmap\s*\(\s*['"]|\bread\s*\(|\$on\.|\$eval|\bthis\.|\btostring\s*\(|\bimport\b|\bdir\.|\bfile\s*\(|\balert\b|\$options|\$root)"#),
    ("template.call", STRONG, r"\$\{[^}]*(?:__\w+__|\bgetclass\b|\bgetruntime\b|\bnew\s+java|\bjava\.|\bt\s*\(\s*java|freemarker|\bself\.|\bconfig\.|\bclass\.|\bconstructor\s*(?:\(|\.\s*constructor)|\bprocessbuilder\b|\bapplicationscope\b|\bpagecontext\b|\bparam\.)"),
    ("template.erb", STRONG, r"<%=?\s*(?:`|system|exec|file|dir|io\.|require|@|\d|out\.|request|response|runtime)"),
    ("template.erb", SIGNAL, r"<%[=@!]?"),
    ("template.freemarker", STRONG, r"<#(?:assign|include|import|list)\b|\?new\s*\(\)|freemarker\.template|#set\s*\(\s*\$|\$class\.inspect|\{php\}|\{system\s*\("),
    ("template.expression", STRONG, r"%\{\s*\(?\s*#|\(#(?:_memberaccess|context|dm|cmd|rt|ognl)|@java\.lang|ognl\.ognlcontext|\bt\(java\.lang|\bgetruntime\(\)\.exec|\$\{\s*t\s*\(|class\.module\.classloader"),
    ("template.dunder", STRONG, r"__class__\s*\.\s*__|__(?:globals|mro|subclasses|builtins|bases)__\s*[.(\[]"),
    ("template.razor", STRONG, r"@\{[^}]*(?:system|process|file)\.|@\(\s*\d+\s*[*+]\s*\d+\s*\)"),
    ("template.statement", SIGNAL, r"\{%\s*(?:for|if|set|include|import|extends|debug|raw|with|macro)\b"),
];
