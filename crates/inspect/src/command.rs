//! Commands of an operating system, where a shell would read the value.

use std::sync::LazyLock;

use crate::patterns::{Pattern, Patterns};
use crate::scan::{Hits, SIGNAL, STRONG};
use crate::verdict::Class;

static TEXT: LazyLock<Patterns> =
    LazyLock::new(|| Patterns::expanded(Class::CommandInjection, WORDS, expand));

/// Adds the rules that fit a canonical text; returns the bytes read.
pub(crate) fn check(text: &[u8], hits: &mut Hits) -> usize {
    TEXT.check(text, hits)
}

/// `{sep}` separates commands, `{tool}` is a program that tells or fetches something, `{end}` what may follow it.
fn expand(pattern: &str) -> String {
    pattern
        .replace("{sep}", r"(?:;|\|\|?|&&?|\n|%0a)\s*")
        .replace("{spy}", "(?:cat|tac|ls|id|pwd|whoami|uname|hostname|wget|curl|nc|ncat|ping|nslookup|dig|ifconfig|ipconfig|netstat|ps|sleep|telnet|systeminfo|dir|type|net|env|printenv|getent|w|who)")
        .replace("{one}", r"(?:;|\|\|?|&|\n|%0a)\s*")
        .replace("{path}", r"(?:/(?:usr/)?(?:local/)?s?bin/)?")
        .replace(
            "{tool}",
            "(?:cat|tac|ls|id|pwd|whoami|uname|hostname|wget|curl|nc|ncat|netcat|bash|sh|zsh|ksh|dash|ping|nslookup|dig|ifconfig|ipconfig|netstat|ps|kill|rm|cp|mv|chmod|chown|echo|printf|sleep|touch|python[23]?|perl|ruby|php|node|telnet|ssh|scp|ftp|tftp|tasklist|systeminfo|net|dir|type|cmd|powershell|pwsh|env|printenv|export|set|head|tail|more|less|grep|find|xxd|base64|nohup|crontab|useradd|passwd|sudo|su|mkfifo|awk|sed|tee|lsof|getent|w|who|last|shutdown|reboot|certutil|reg)",
        )
}

#[rustfmt::skip]
const WORDS: &[Pattern] = &[
    ("command.chain", STRONG, r"^[^\s;|&]{0,40}['\x22)]?\s*&&\s*{path}{spy}(?:\s*[;|&`#]|\s*$|\s+[-/.$~]|\s+\d)"),
    ("command.chain", STRONG, r"^[^\s;|&]{0,40}['\x22)]?\s*{one}{path}{tool}(?:\s*[;|&`#]|\s*$|\s+[-/.$~]|\s*[<>]|\s+\d+\s*(?:$|[;|&#])|\s*\$\{?ifs)"),
    ("command.chain", STRONG, r"{sep}/(?:usr/)?(?:local/)?s?bin/[a-z]"),
    ("command.chain", STRONG, r"^[^\s;|&]{0,40}['\x22)]?\s*{one}(?:wget|curl|ping|nslookup|dig|nc|bash|sh|python[23]?|perl|php|ruby|powershell|cat|echo|telnet)\s+\S"),
    ("command.chain", SIGNAL, r"{sep}{path}{tool}\s+(?:-[a-z]|/[a-z]|\.\.?/|\$|https?:)"),
    ("command.substitution", STRONG, r"^[^\n$]{0,32}\$\(\s*{path}{tool}(?:\s*\)|\s+[^)]*\))|^[^\n]{0,32}\$\([ ]?/(?:bin|usr|etc|tmp)/|^[^\s`]{0,20}`\s*{path}{spy}(?:\s+[^`]*)?`[^\s`]{0,20}$"),
    ("command.substitution", STRONG, r"^[^\s]{0,32}[<>]\(\s*{path}{tool}\b"),
    ("command.blank", STRONG, r"\$\{?ifs\b|\{(?:cat|ls|id|wget|curl|ping|echo|bash|sh|nc),[^}]*\}"),
    ("command.shellshock", STRONG, r"^\s*\(\s*\)\s*\{[^}]*;\s*\}\s*;|\(\)\s*\{\s*:?\s*;?\s*\}\s*;\s*[/\w]"),
    ("command.remote-shell", STRONG, r"/dev/(?:tcp|udp)/|\bnc(?:at)?\s+(?:-[a-z]*\s+)*-?[a-z]*e\s*/?|\bbash\s+-i\b|^[^\s]{0,20}[;|&]\s*(?:ba)?sh\s+-[ci]\b|\bmkfifo\s+/tmp"),
    ("command.windows", STRONG, r"\bcmd(?:\.exe)?\s*/[ckr]\b|\bpowershell(?:\.exe)?\s+(?:-|iex|\(|&)|\binvoke-(?:expression|webrequest|command|restmethod)\b|\biex\s*\(|\bcertutil(?:\.exe)?\s+-|\bbitsadmin\b|\brundll32\b|\bregsvr32\b|\bmshta\s|\bnew-object\s+(?:system\.)?net\."),
    ("command.download", STRONG, r"\b(?:wget|curl)\s+(?:-\S+\s+)*(?:https?|ftp)://\S+\s*\|\s*(?:ba|z|k|da)?sh\b|^[^\s;|&]{0,20}[;|&\s]*(?:wget|curl)\s+(?:-\S+\s+)*(?:https?|ftp)://\S+\s*[;|&>]|\b(?:wget|curl)\b[^|;\n]*\|\s*(?:ba|z|k|da)?sh\b"),
    ("command.function", STRONG, r#"(?:^|[\s;:({'"|&@=])(?:system|shell_exec|passthru|pcntl_exec|popen|proc_open|assert|create_function|call_user_func)\s*\(\s*(?:['"\$(`]|base64)"#),
    ("command.function", STRONG, r"\bbase64_decode\s*\(|\b__import__\s*\(\s*['\x22]|\bos\s*\.\s*(?:system|popen|exec[lv]?)\s*\(|\bsubprocess\s*\.\s*(?:call|popen|run|check_output)\s*\(|\bchild_process\b|\bruntime\s*\.\s*getruntime\b|\bprocessbuilder\b"),
];
